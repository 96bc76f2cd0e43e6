"""examples/background."""

import os
import shutil
import signal

import pytest

from tests.examples.conftest import EXAMPLES
from tests.examples.served import APP
from tests.servers.serving import started, wait_until_ready


@pytest.fixture
def folder(tmp_path):
    """A copy of the example, which two servers use one after the other."""
    return shutil.copytree(EXAMPLES / "background", tmp_path / "background", ignore=shutil.ignore_patterns("*.db*"))


def post(server, path, **data):
    """The reply."""
    with server.client() as client:
        return client.post(path, data=data)


def test_a_crash_loses_no_promise(folder, tmp_path):
    """A mail whose tries have failed so far is tried again after `kill -9`; one that was sent is not."""
    with started(APP, tmp_path, at=folder) as server:
        wait_until_ready(server)
        assert post(server, "/order", name="Ann").json() == {"order": 1}
        assert server.logs("mail sent: Thank you, Ann")
        assert post(server, "/order", name="Murphy").status_code == 202
        assert server.logs("mail 1 failed, try 1")
        os.kill(server.process.pid, signal.SIGKILL)
    with started(APP, tmp_path, at=folder) as server:
        wait_until_ready(server)
        assert server.logs("mail 1 failed, try ")
        assert "Ann" not in server.log()
        assert server.get("/health/ready").status_code == 200


def test_a_stop_waits_for_what_was_spawned(folder, tmp_path):
    """The report is made; what was to be done after a reply has been."""
    with started(APP, tmp_path, at=folder) as server:
        wait_until_ready(server)
        assert post(server, "/visit", name="Ann").status_code == 204
        assert server.logs("Ann was here")
        assert post(server, "/report").json() == {"task": "report"}
        server.terminate()
        assert server.logs("the report is ready: 0 orders")


def test_tries_end(client, example, monkeypatch):
    """After five of them a mail stays where it is, for somebody to look at."""
    monkeypatch.setattr(example, "FIRST_WAIT", 0)
    client.post("/order", data={"name": "Murphy"})
    outbox = example.app.outbox
    while outbox._query("SELECT tries FROM mails") != [(5,)]:
        client.get("/")
    assert client.get("/").json() == {"orders": 1}
