"""Sessions of an application that is being written."""

import os
import time

import httpx
import pytest

from micropie import App, InMemorySessionBackend, configuration
from tests.batteries.commands import free_port, serving, text_at, wait_until
from tests.client import http

SITE = """
from micropie import App


class Site(App):
    async def index(self):
        return "first"

    async def visit(self):
        self.request.session["visits"] = self.request.session.get("visits", 0) + 1
        return str(self.request.session["visits"])


app = Site()
"""


class Visits(App):
    async def index(self):
        self.request.session["visits"] = self.request.session.get("visits", 0) + 1
        return str(self.request.session["visits"])


@pytest.mark.parametrize("server", ["granian", "uvicorn"])
def test_sessions_survive_a_reload(project, server):
    """And writing them is no change to reload for."""
    project.write(app=SITE)
    port = free_port()
    url = f"http://127.0.0.1:{port}/"
    command = ("-m", "micropie", "run", "--dev", "--port", str(port), "--server", server)
    with serving(project, *command, ready=lambda: text_at(url) == "first"), httpx.Client(base_url=url) as client:
        assert [client.get("/visit").text for _ in range(3)] == ["1", "2", "3"]
        time.sleep(1.1)  # Uvicorn's watcher compares times of change, which may be whole seconds
        project.write(app=SITE.replace("first", "second"))
        wait_until(lambda: text_at(url) == "second")
        assert client.get("/visit").text == "4"


def test_the_file_is_in_a_folder_that_version_control_ignores(project, monkeypatch):
    """It is made with the first session, not before."""
    monkeypatch.setenv("MICROPIE_DEV", "1")
    app = Visits()
    assert list(project.folder.iterdir()) == []
    assert http(app).text == "1"
    assert (project.folder / ".micropie" / ".gitignore").read_text() == "*\n"
    assert (project.folder / ".micropie" / "sessions.db").exists()


@pytest.mark.parametrize(
    ("given", "dev"),
    [({}, ""), ({"debug": True}, ""), ({"debug": False}, "1"), ({"session_backend": "memory:"}, "1")],
)
def test_elsewhere_they_are_in_memory(project, monkeypatch, given, dev):
    """Out of development mode, and where the application says so."""
    monkeypatch.setenv("MICROPIE_DEV", dev)
    assert type(configuration(Visits(**given)).session_backend) is InMemorySessionBackend


def test_where_nobody_can_write_they_are_in_memory(project, monkeypatch):
    """A folder that is mounted read-only, say."""
    monkeypatch.setenv("MICROPIE_DEV", "1")
    monkeypatch.setattr(os, "access", lambda *_: False)  # root can write everywhere
    assert type(configuration(Visits()).session_backend) is InMemorySessionBackend
