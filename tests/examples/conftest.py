"""Loads the example that a test module is called after."""

import importlib.util
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from micropie.testing import BlockingClient
from tests.client import visitor

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def example(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The example's module, freshly run from a copy of its folder, which is the working directory."""
    name = request.path.stem.removeprefix("test_")
    folder = tmp_path / name
    shutil.copytree(EXAMPLES / name, folder, ignore=shutil.ignore_patterns("__pycache__", "*.db"))
    monkeypatch.chdir(folder)
    spec = importlib.util.spec_from_file_location(f"example_{name}", folder / "app.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def app(example: ModuleType) -> Any:
    """The example's application."""
    return example.app


@pytest.fixture
def client(app: Any) -> Iterator[BlockingClient]:
    """A visitor of the example, while it runs."""
    with visitor(app) as client:
        yield client


@pytest.fixture
def upload() -> Callable[[bytes], dict[str, Any]]:
    """Makes the arguments of a multipart request with one file, `file`, called pie.bin."""

    def make(content: bytes) -> dict[str, Any]:
        head = b'--B\r\nContent-Disposition: form-data; name="file"; filename="pie.bin"\r\n\r\n'
        return {
            "body": [head, content, b"\r\n--B--\r\n"],
            "headers": [("Content-Type", "multipart/form-data; boundary=B")],
        }

    return make
