"""How each server begins and ends."""

import socket
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.servers.serving import (
    KINDS,
    PATIENCE,
    WITH_WORKERS,
    Kind,
    Server,
    eventually,
    on,
    request,
    started,
    with_websockets,
)


def test_startup_ran_before_the_first_request(server: Server):
    """Startup handlers have run when the first request is answered; Daphne has no lifespan and serves all the same."""
    assert server.get("/look/shop").text == ("open" if server.kind.lifespan else "nothing")
    assert server.get("/").text == "Welcome to MicroPie ASGI."


def test_shutdown_runs_at_the_end(fresh_server: Server):
    """SIGTERM ends the server, after the shutdown handlers."""
    assert fresh_server.get("/").status_code == 200
    fresh_server.terminate()
    fresh_server.process.wait(PATIENCE)
    assert ("the shop is closed" in fresh_server.log()) is fresh_server.kind.lifespan
    assert ("the till is closed" in fresh_server.log()) is fresh_server.kind.lifespan
    assert "Traceback" not in fresh_server.log()


def test_a_request_in_flight_at_sigterm(fresh_server: Server, key: str):
    """Servers that drain send the whole reply before they end; Daphne hangs up."""
    with fresh_server.wire() as wire:
        wire.send(request(f"GET /nap/{key}"))
        assert fresh_server.saw(key, "asleep") == "asleep"
        fresh_server.terminate()
        if fresh_server.kind.drains:
            reply = wire.reply()
            assert (reply.status, reply.body) == (200, f"{key} slept well".encode())
        else:
            assert wire.ended()
    fresh_server.process.wait(PATIENCE)
    assert ("the shop is closed" in fresh_server.log()) is fresh_server.kind.lifespan


def test_a_first_request_that_comes_behind_sigterm(fresh_server: Server):
    """gunicorn answers who had connected before; the others close a connection without a request."""
    with fresh_server.wire() as wire:
        assert fresh_server.get("/").status_code == 200  # so who came before is let in
        fresh_server.terminate()
        if fresh_server.kind.hears_newcomers:
            assert eventually(lambda: is_refused(fresh_server), expected=True)
            wire.send(request("GET /"))
            assert wire.reply().status == 200
        else:
            assert wire.ended()
    fresh_server.process.wait(PATIENCE)


def is_refused(server: Server) -> bool:
    """True if the system lets nobody connect any more."""
    try:
        socket.create_connection(("127.0.0.1", server.port)).close()
    except ConnectionRefusedError:
        return True
    return False


@with_websockets
def test_an_open_websocket_does_not_keep_the_server(fresh_server: Server, key: str):
    """A handler that waits for its client ends with the server, and the client learns of it.

    On Python 3.12 and later Hypercorn waits for the client, whose leaving ends both.
    gunicorn waits for the client until its own patience ends, and kills the worker mostly before its shutdown handlers.
    """
    with connect(f"{fresh_server.ws_url}/watched/{key}", proxy=None) as watched:
        assert fresh_server.saw(key, "open") == "open"
        fresh_server.terminate()
        waits = fresh_server.kind.waits_for_websockets
        with pytest.raises(TimeoutError if waits else ConnectionClosed):
            watched.recv(timeout=5 if waits else PATIENCE)
    fresh_server.process.wait(PATIENCE)
    if fresh_server.kind.closes_open_sockets:
        assert ("the shop is closed" in fresh_server.log()) is fresh_server.kind.lifespan


@on(*(kind for kind in (*KINDS, *WITH_WORKERS) if kind.lifespan))
@pytest.mark.parametrize("shop", ["burnt down", "let"])
def test_a_failing_startup_ends_the_server(kind: Kind, tmp_path: Path, shop: str):
    """Nobody is served, by `sys.exit` either; the log says why, and so does the exit status of most servers."""
    with started(kind, tmp_path, SHOP=shop) as server:
        status = server.process.wait(PATIENCE)
    assert "RuntimeError: no shop to open" in server.log()
    assert "the shop is open" not in server.log()
    assert (status != 0) is kind.tells_failed_startup


@on(*WITH_WORKERS)
def test_a_request_in_flight_at_sigterm_where_several_processes_serve(fresh_server: Server, key: str):
    """Each worker drains and runs its shutdown handlers; Hypercorn's that are busy are cut off before both."""
    assert eventually(lambda: fresh_server.log().count("the shop is open"), 2) == 2
    with fresh_server.wire() as wire:
        wire.send(request(f"GET /nap/{key}"))
        assert fresh_server.logs(f"{key} is asleep")
        fresh_server.terminate()
        if fresh_server.kind.drains:
            assert wire.reply().body == f"{key} slept well".encode()
        else:
            assert wire.ended()
    fresh_server.process.wait(PATIENCE)
    assert fresh_server.log().count("the shop is closed") == (2 if fresh_server.kind.drains else 1)
