"""examples/lifespan."""

import pytest

from tests.client import visitor
from tests.wire import lifespan


def test_notes_survive_a_restart(app, example):
    """What one run adds, the next one lists."""

    with visitor(app) as client:
        added = client.post("/add", data={"text": "Buy plums"})
    assert (added.status_code, added.json()) == (201, {"added": "Buy plums"})
    with visitor(example.Notes("notes.db")) as client:
        assert client.get("/").json() == ["Buy plums"]


def test_the_database_is_closed_at_shutdown(app):
    """After the last request nothing is left open."""
    assert lifespan(app) == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert app._db is None


def test_a_database_that_cannot_be_opened_stops_the_start(example, tmp_path):
    """A startup that fails is reported, so the server does not run."""
    assert lifespan(example.Notes(tmp_path)) == ["lifespan.startup.failed"]


@pytest.mark.parametrize(
    ("method", "text", "status"),
    [("GET", "x", 405), ("POST", "x" * 501, 400), ("POST", "x" * 500, 201)],
)
def test_only_short_notes_by_post(client, method, text, status):
    """A GET adds nothing, and a note has its limit."""

    options = {"params" if method == "GET" else "data": {"text": text}}
    assert client.request(method, "/add", **options).status_code == status
