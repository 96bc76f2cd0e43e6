"""No example stands alone: each has an application, a README and a test."""

from pathlib import Path

import pytest

from tests.examples.conftest import EXAMPLES

FOLDERS = sorted(path.name for path in EXAMPLES.iterdir() if path.is_dir())


def test_there_are_the_examples_that_the_list_names():
    """The list in examples/README.md and the folders are the same."""
    listed = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    assert [name for name in FOLDERS if f"- [{name}]({name}):" not in listed] == []
    assert listed.count("\n- [") == len(FOLDERS)


@pytest.mark.parametrize("name", FOLDERS)
def test_example_has_its_files_and_its_test(name):
    """Each folder has app.py, a README that says how to run it, and a test module of its name."""
    readme = (EXAMPLES / name / "README.md").read_text(encoding="utf-8")
    assert (EXAMPLES / name / "app.py").is_file()
    assert "uvicorn app:app" in readme or "scripts/demo" in readme
    assert "curl " in readme or "python -m websockets " in readme
    assert Path(__file__).with_name(f"test_{name}.py").is_file()
