"""What the tests of the command line and of pages are given."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from micropie.cli.target import is_user_file
from tests.batteries.browsing import launched
from tests.batteries.commands import Project


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Project]:
    """An empty folder, whose modules are forgotten in the end."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.delenv("WEB_CONCURRENCY", raising=False)
    for name in ("app", "web", "below"):  # other tests' modules
        monkeypatch.delitem(sys.modules, name, raising=False)
    before = set(sys.modules)
    yield Project(tmp_path, capsys)
    for name in set(sys.modules) - before:
        if is_user_file(getattr(sys.modules[name], "__file__", None) or "<none>"):
            del sys.modules[name]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser for the tests of a module."""
    with launched() as browser:
        yield browser
