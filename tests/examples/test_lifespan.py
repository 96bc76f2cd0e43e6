"""examples/lifespan."""

import asyncio

import pytest

from tests.wire import awire, lifespan, running


def test_notes_survive_a_restart(app, example):
    """What one run adds, the next one lists."""

    async def add() -> tuple[int, str]:
        async with running(app):
            answer = await awire(app, "POST", "/add", form={"text": "Buy plums"})
            return answer.status_code, answer.text

    async def look() -> str:
        other = example.Notes("notes.db")
        async with running(other):
            return (await awire(other)).text

    assert asyncio.run(add()) == (201, '{"added":"Buy plums"}')
    assert asyncio.run(look()) == '["Buy plums"]'


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
def test_only_short_notes_by_post(app, method, text, status):
    """A GET adds nothing, and a note has its limit."""

    async def add() -> int:
        async with running(app):
            if method == "GET":
                return (await awire(app, "GET", "/add", query=f"text={text}")).status_code
            return (await awire(app, "POST", "/add", form={"text": text})).status_code

    assert asyncio.run(add()) == status
