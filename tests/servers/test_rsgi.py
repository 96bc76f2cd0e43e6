"""What only Granian's own protocol does, or does not."""

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from tests.servers.serving import GRANIAN_RSGI, PATIENCE, Server, on, request

pytestmark = on(GRANIAN_RSGI)


def test_a_websocket_is_refused_and_the_log_says_what_to_do(server: Server):
    """WebSockets are ASGI's; the handshake is refused, and the server goes on."""
    with pytest.raises(InvalidStatus) as refused:
        connect(f"{server.ws_url}/echo", open_timeout=PATIENCE, proxy=None)
    assert refused.value.response.status_code == 403
    assert server.logs("The WebSocket '/echo' is refused: RSGI(app) has HTTP only")
    assert "--interface asgi" in server.log()
    assert server.get("/").status_code == 200


def test_a_scope_can_be_asked_for(server: Server):
    """`request.scope` is the dict that ASGI has, made of what RSGI knows."""
    with server.client() as client:
        scope = client.get("/scope?a=%20b", headers={"X-Asked": "yes"}).json()
    assert scope.pop("client")[0] == "127.0.0.1"
    assert ["x-asked", "yes"] in scope.pop("headers")
    assert scope == {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": "/scope",
        "query_string": "a=%20b",
        "root_path": "",
        "server": ["127.0.0.1", server.port],
        "state": {"shelves": ["pies"], "asked": 0},  # of the lifespan
        "extensions": {"http.response.pathsend": {}, "micropie.pathsend_range": {}},
    }


def test_a_stream_of_announced_length_is_cut_when_it_fails(server: Server):
    """The server sees that it is too short, and ends the connection."""
    with server.wire() as wire:
        wire.send(request("GET /cut_short"))
        reply = wire.reply()
        assert (reply.status, reply.headers["content-length"], reply.body) == (200, "9", b"half")


def test_a_chunked_body_that_breaks_off_runs_no_handler(server: Server, key: str):
    """RSGI ends a broken body like a whole one; it is not taken for one."""
    with server.wire() as wire:
        wire.send(
            request(f"POST /nap/{key}", "Content-Type: application/json", "Transfer-Encoding: chunked") + b"2\r\n{}\r\n"
        )
        server.get("/")
    assert server.get("/").text == "Welcome to MicroPie ASGI."
    assert server.get(f"/look/{key}").text == "nothing"
