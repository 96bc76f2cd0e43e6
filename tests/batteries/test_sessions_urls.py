"""Session backends by their URLs."""

from pathlib import Path

import pytest

from micropie import App, InMemorySessionBackend, configuration
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
