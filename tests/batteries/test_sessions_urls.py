"""Session backends by their URLs."""

import sys
from pathlib import Path

import pytest

from micropie import App, InMemorySessionBackend, MissingDependency, configuration
from micropie.core.basics.optional import lazy_import
from micropie.sessions import RedisSessionBackend, SQLiteSessionBackend, backend_from_url


@pytest.mark.parametrize(
    ("url", "path"), [("sqlite:///sessions.db", "sessions.db"), ("sqlite:////tmp/sessions.db", "/tmp/sessions.db")]
)
def test_a_sqlite_file(url, path, tmp_path, monkeypatch):
    """Three slashes and a relative path, four and an absolute one."""
    monkeypatch.chdir(tmp_path)
    backend = configuration(App(session_backend=url)).session_backend
    assert isinstance(backend, SQLiteSessionBackend)
    assert backend.path == tmp_path / Path(path)


def test_the_memory():
    """For tests of an application whose environment says otherwise, say."""
    assert isinstance(backend_from_url("memory:"), InMemorySessionBackend)


@pytest.mark.parametrize(
    "url", ["", "sqlite:", "sqlite:///", "sqlite://sessions.db", "sessions.db", "mysql://u:pass@h"]
)
def test_other_urls_are_refused(url):
    """With those that are accepted; a password is not told."""
    with pytest.raises(ValueError, match=r"'sqlite:///sessions\.db'.*'memory:' are accepted") as caught:
        App(session_backend=url)
    assert "pass" not in str(caught.value)


@pytest.mark.parametrize("url", ["redis://localhost", "rediss://u:p@localhost:6380/1", "unix:///run/redis.sock?db=1"])
def test_a_redis_server(url):
    """Nobody is asked for it before the first visitor comes."""
    assert isinstance(backend_from_url(url), RedisSessionBackend)


def test_the_one_file_form_says_that_it_needs_the_package(monkeypatch):
    """A URL, and its password, are not in the message."""
    lazy_import.cache_clear()
    monkeypatch.setitem(sys.modules, "micropie.sessions", None)
    with pytest.raises(MissingDependency, match="needs the whole package: pip install micropie") as caught:
        App(session_backend="redis://u:pass@localhost")
    assert "pass@" not in str(caught.value)
