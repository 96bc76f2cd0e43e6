"""Replies in chunks through each server: as they come, to clients that stay and clients that leave."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import httpx
import pytest

from tests.servers.application import ROW, ROWS, THREADS
from tests.servers.serving import PATIENCE, Server, request


def test_a_generator_is_a_body(server: Server):
    """The README's stream arrives whole."""
    assert server.get("/count").text == "Chunk 1\nChunk 2\nChunk 3\nChunk 4\nChunk 5\n"


@pytest.mark.parametrize("path", ["parts", "sync_parts"])
def test_chunks_arrive_as_they_are_made(server: Server, path: str, key: str):
    """The first chunk is there before the second is made; a sync generator that blocks does not hold up the loop."""
    with server.client() as client, client.stream("GET", f"/{path}/{key}") as reply:
        lines = reply.iter_lines()
        assert next(lines) == "first"
        assert server.get(f"/release/{key}").text == "released"
        assert list(lines) == ["second"]


def test_slow_readers_of_a_database_hold_no_thread(server: Server):
    """Each stream has one thread for its connection; meanwhile as many handlers run at once as there are threads."""
    with ExitStack() as stack, ThreadPoolExecutor(THREADS) as callers:
        client = stack.enter_context(server.client(limits=httpx.Limits(max_connections=None)))
        readers = [stack.enter_context(client.stream("GET", "/rows")).iter_bytes(ROW) for _ in range(100)]
        assert [int(next(reader)) for reader in readers] == [0] * 100
        assert list(callers.map(lambda _: server.get("/together").text, range(THREADS))) == ["all here"] * THREADS
        for reader in readers[:20]:
            assert list(map(int, reader)) == list(range(1, ROWS))


@pytest.mark.parametrize("path", ["events", "idle_events", "sync_events"])
def test_the_generator_is_closed_when_the_client_leaves(server: Server, path: str, key: str):
    """The `finally` of an event stream runs once nobody listens, and nothing is logged as an error."""
    before = len(server.log())
    with server.client() as client, client.stream("GET", f"/{path}/{key}") as reply:
        assert reply.headers["content-type"] == "text/event-stream"
        assert next(reply.iter_lines()).startswith("data: ")
    assert server.saw(key, "closed") == "closed"
    assert "Traceback" not in server.log()[before:]


def test_a_stream_that_fails_is_visibly_cut(fresh_server: Server):
    """A client can tell half a reply from a whole one, and the log has the reason; Daphne lets it wait.

    Daphne needs a server of its own here: such an exception ends its watch over all its applications.
    """
    cuts = fresh_server.kind.cuts_failed_replies
    got: list[bytes] = []
    with (
        fresh_server.client() as client,
        client.stream("GET", "/cut", timeout=PATIENCE if cuts else 0.5) as reply,
        pytest.raises(httpx.RemoteProtocolError if cuts else httpx.ReadTimeout),
    ):
        got.extend(reply.iter_bytes())
    assert b"".join(got) == b"half"
    assert fresh_server.logs("RuntimeError: the password is hunter2")


def test_head_of_a_stream_has_no_body(server: Server, key: str):
    """A HEAD of an endless stream ends with its headers."""
    with server.wire() as wire:
        wire.send(request(f"HEAD /events/{key}"))
        head = wire.reply("HEAD")
        assert (head.status, head.headers["content-type"]) == (200, "text/event-stream")
        wire.send(request("GET /greet"))
        assert wire.reply().body == b"Hello, Guest!"
