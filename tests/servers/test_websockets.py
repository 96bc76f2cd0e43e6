"""WebSockets through each server, with the websockets library and with bare connections."""

import contextlib
import json
import struct
import time

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.http11 import Response
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin, Subprotocol

from tests.servers.serving import PATIENCE, Server, Wire, eventually, request
from tests.servers.serving import with_websockets as pytestmark  # noqa: F401 - every test here needs them

HANDSHAKE = (
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)


def open_socket(
    server: Server, path: str, *, origin: str | None = None, cookie: str | None = None, offer: tuple[str, ...] = ()
) -> ClientConnection:
    """A WebSocket opened by the websockets library."""
    return connect(
        server.ws_url + path,
        origin=None if origin is None else Origin(origin),
        additional_headers={} if cookie is None else {"Cookie": cookie},
        subprotocols=[Subprotocol(name) for name in offer] or None,
        open_timeout=PATIENCE,
        close_timeout=PATIENCE,
        proxy=None,
    )


def refusal(server: Server, path: str, *, origin: str | None = None, cookie: str | None = None) -> Response:
    """The reply that the handshake is refused with."""
    with pytest.raises(InvalidStatus) as refused:
        open_socket(server, path, origin=origin, cookie=cookie)
    return refused.value.response


def closing(socket: ClientConnection) -> tuple[int | None, str | None]:
    """The code and the reason that the server closes with."""
    with pytest.raises(ConnectionClosed) as closed:
        socket.recv(timeout=PATIENCE)
    assert closed.value.rcvd is not None
    return closed.value.rcvd.code, closed.value.rcvd.reason


def test_text_is_echoed(server: Server):
    """The README's echo, with more than one message."""
    with open_socket(server, "/echo") as socket:
        for message in ("Hello", "Zoë", "x" * 200_000):
            socket.send(message)
            assert socket.recv(timeout=PATIENCE) == message


def test_bytes_are_echoed(server: Server):
    """Binary messages stay binary, whatever they contain."""
    with open_socket(server, "/echo_bytes") as socket:
        for message in (b"Hello", bytes(range(256))):
            socket.send(message)
            assert socket.recv(timeout=PATIENCE) == message


@pytest.mark.parametrize("empty", ["", b""])
def test_an_empty_message_is_a_message(server: Server, empty: str | bytes):
    """Empty text and empty bytes are echoed like any other; Daphne drops them itself."""
    with open_socket(server, "/echo_any") as socket:
        socket.send(empty)
        socket.send("next")
        expected = [empty, "next"] if server.kind.delivers_empty_messages else ["next"]
        assert [socket.recv(timeout=PATIENCE) for _ in expected] == expected


def test_json_is_echoed(server: Server):
    """A JSON value goes in and comes out as one text message."""
    with open_socket(server, "/echo_json") as socket:
        socket.send('{"name": "Zoë", "list": [1, null]}')
        answer = socket.recv(timeout=PATIENCE)
        assert isinstance(answer, str)
        assert json.loads(answer) == {"name": "Zoë", "list": [1, None]}


def test_messages_are_iterated_in_their_kind(server: Server):
    """`async for` gives text as str and binary as bytes, until the client closes."""
    with open_socket(server, "/echo_any") as socket:
        socket.send("text")
        socket.send(b"bytes")
        assert [socket.recv(timeout=PATIENCE), socket.recv(timeout=PATIENCE)] == ["text", b"bytes"]


def test_path_and_query_fill_parameters(server: Server):
    """A WebSocket handler is bound like any other, and its return closes with 1000."""
    with open_socket(server, "/greet/Alice?greeting=Welcome") as socket:
        assert socket.recv(timeout=PATIENCE) == "Welcome, Alice!"
        assert closing(socket)[0] == 1000


@pytest.mark.parametrize(("offer", "chosen"), [(("chat.v1", "chat.v2"), "chat.v2"), (("chat.v1",), None), ((), None)])
def test_a_subprotocol_is_chosen(server: Server, offer: tuple[str, ...], chosen: str | None):
    """The handler sees what the client offers, and the client learns what was chosen."""
    with open_socket(server, "/negotiate", offer=offer) as socket:
        assert socket.subprotocol == chosen
        assert json.loads(socket.recv(timeout=PATIENCE)) == list(offer)


@pytest.mark.parametrize(
    ("path", "status", "text"),
    [
        ("/nowhere", 404, "404 Not Found: No matching WebSocket route"),
        ("/_watch/x", 404, "404 Not Found: Private handler not allowed"),
        ("/ws_echo", 404, "404 Not Found: No matching WebSocket route"),
        ("/greet", 400, "400 Bad Request: Missing required parameter 'name'"),
        ("/", 404, "404 Not Found: No matching WebSocket route"),
        ("/login", 401, "401 Unauthorized: Who are you?"),
        ("/slow_down", 429, "429 Too Many Requests"),
    ],
)
def test_a_handshake_is_refused_before_it_is_accepted(server: Server, path: str, status: int, text: str):
    """By the reply that HTTP would get, where the server can send one; else by a 403."""
    response = refusal(server, path)
    if server.kind.refuses_by_replies:
        assert (response.status_code, bytes(response.body or b"").decode()) == (status, text)
        assert response.headers["Content-Type"] == "text/html; charset=utf-8"
        assert response.headers.get("WWW-Authenticate") == ("Basic" if status == 401 else None)
    else:
        assert response.status_code == 403


def test_the_handlers_own_no_is_a_403(server: Server):
    """It closes before it has accepted."""
    assert refusal(server, "/refuse").status_code == 403


def test_headers_of_an_accept_reach_the_client(server: Server):
    """Daphne and Granian don't send them."""
    with open_socket(server, "/moves") as socket:
        assert socket.response is not None
        assert socket.response.headers.get("X-Game") == ("chess" if server.kind.sends_accept_headers else None)


def test_messages_are_converted_and_checked(server: Server):
    """A good one is a value, a bad one closes with 1007 and says why."""
    with open_socket(server, "/moves") as socket:
        socket.send('{"x": 1, "y": 2}')
        assert socket.recv(timeout=PATIENCE) == '{"x":2,"y":2}'
        socket.send('{"x": 1, "y": "up"}')
        code, reason = closing(socket)
    assert code == (1007 if server.kind.sends_every_close_code else 4007)
    assert reason == ("Invalid message: y: expected an integer" if server.kind.sends_close_reason else "")


def test_a_message_that_is_too_big_ends_its_socket(server: Server):
    """With 1009; one that is just small enough does not."""
    with open_socket(server, "/short") as socket:
        socket.send("x" * 100)
        assert socket.recv(timeout=PATIENCE) == "x" * 100
        socket.send("x" * 101)
        assert closing(socket)[0] == (1009 if server.kind.sends_every_close_code else 4009)


@pytest.mark.parametrize("vanishes", [False, True])
def test_an_idle_socket_is_closed(server: Server, key: str, vanishes: bool):
    """With 1001, when nothing was said for so long; the handler ends, whether the client answers or not."""
    code = 1001 if server.kind.sends_every_close_code else 4001
    if vanishes:
        with server.wire() as wire:
            wire.send(request(f"GET /idle/{key}", *HANDSHAKE))
            assert wire.reply("HEAD").status == 101
            expected = f"closed with {code} Idle for too long"
            assert server.saw(key, expected) == expected
    else:
        with open_socket(server, f"/idle/{key}") as socket:
            for _ in range(3):
                time.sleep(0.2)
                socket.send("still here")
                assert socket.recv(timeout=PATIENCE) == "still here"
            assert closing(socket)[0] == code


def test_the_handlers_close_reaches_the_client(server: Server):
    """Code and reason arrive as the handler gave them; Daphne keeps the reason to itself."""
    with open_socket(server, "/bye") as socket:
        assert closing(socket) == (4001, "that was all" if server.kind.sends_close_reason else "")


def test_a_close_for_a_reason_of_the_protocol_reaches_the_client(server: Server):
    """A code below 3000 arrives too; Daphne refuses to send it, which is the handler's error, and closes with 1011."""
    with open_socket(server, "/dismiss") as socket:
        assert closing(socket) == ((1008, "not you") if server.kind.sends_every_close_code else (1011, ""))


def test_an_http_error_closes_with_its_detail(server: Server):
    """With 1008; Daphne sends the private code in its place."""
    expected = (1008, "not you") if server.kind.sends_every_close_code else (4008, "")
    with open_socket(server, "/forbid") as socket:
        assert closing(socket) == expected


def test_an_exception_closes_without_internals(server: Server):
    """The client learns that it failed, the log learns why."""
    with open_socket(server, "/broken") as socket:
        code, reason = closing(socket)
    assert code == 1011
    assert "hunter2" not in (reason or "")
    assert server.logs("RuntimeError: the password is hunter2")


def test_the_clients_close_is_seen_by_the_handler(server: Server, key: str):
    """A receive raises ConnectionClosed with the client's code; Hypercorn has 1006 for every one."""
    expected = f"closed with {4002 if server.kind.delivers_close_code else 1006}"
    with open_socket(server, f"/watched/{key}") as socket:
        assert server.saw(key, "open") == "open"
        socket.close(4002, "enough")
    assert server.saw(key, expected) == expected


def test_a_client_that_vanishes_is_seen_by_the_handler(server: Server, key: str):
    """A connection that breaks without a closing frame is closed all the same."""
    expected = f"closed with {server.kind.vanished}"
    with server.wire() as wire:
        wire.send(request(f"GET /watched/{key}", *HANDSHAKE))
        assert server.saw(key, "open") == "open"
    assert server.saw(key, expected) == expected


def test_a_close_that_the_handler_does_not_catch_is_no_error(server: Server):
    """An echo that ends because its client left leaves no traceback in the log."""
    before = len(server.log())
    with open_socket(server, "/echo") as socket:
        socket.send("Hello")
        assert socket.recv(timeout=PATIENCE) == "Hello"
    assert server.get("/").status_code == 200
    assert "Traceback" not in server.log()[before:]


@pytest.mark.parametrize(
    ("path", "message", "code"),
    [("/echo", b"bytes", 1003), ("/echo_bytes", "text", 1003), ("/echo_json", "{no json", 1007)],
)
def test_a_message_that_is_not_asked_for_rings_no_alarm(server: Server, path: str, message: str | bytes, code: int):
    """It ends its own socket with a code that says why (Daphne sends private ones only), and is no error in the log."""
    before = len(server.log())
    with open_socket(server, path) as socket:
        socket.send(message)
        assert closing(socket)[0] == (code if server.kind.sends_every_close_code else code + 3000)
    assert server.get("/").status_code == 200
    assert "Traceback" not in server.log()[before:]


def frame(opcode: int, content: bytes) -> bytes:
    """A short frame, masked by nothing (RFC 6455 §5.2)."""
    return bytes((0x80 | opcode, 0x80 | len(content))) + bytes(4) + content


def leave(number: int, wire: Wire) -> None:
    """Leave by closing or by vanishing, having sent nothing or more than the server takes of what nobody receives."""
    if number % 2:
        wire.send(frame(1, b"unread") * 20)
    if number % 4 > 1:
        wire.send(frame(8, struct.pack("!H", 1001)))
    wire.close()


@pytest.mark.parametrize("stay", [0.0, 0.5])
@pytest.mark.parametrize("pause", [0.02, 0.001])
def test_handlers_that_only_send_end_with_their_clients(server: Server, key: str, pause: float, stay: float):
    """Two seconds after fifty clients have left none of their handlers runs on, and none has failed."""
    before = len(server.log())
    with contextlib.ExitStack() as stack:
        wires = [stack.enter_context(server.wire()) for _ in range(50)]
        for wire in wires:
            wire.send(request(f"GET /ticks/{key}?pause={pause}", *HANDSHAKE))
            assert wire.reply("HEAD").status == 101
        assert server.saw(key, "50") == "50"
        time.sleep(stay)
        for number, wire in enumerate(wires):
            leave(number, wire)
        left = time.monotonic()
        assert server.saw(key, "0") == "0"
        assert time.monotonic() - left < 2
    assert "Traceback" not in server.log()[before:]


@pytest.mark.parametrize("stay", [0.0, 0.7])
@pytest.mark.parametrize("way", ["queue", "shield", "group", "sleep"])
def test_handlers_that_wait_for_something_else_end_with_their_clients(server: Server, key: str, way: str, stay: float):
    """Two seconds after fifty clients have left all have ended, each with its clean-up, and none has failed."""
    before = len(server.log())
    with contextlib.ExitStack() as stack:
        wires = [stack.enter_context(server.wire()) for _ in range(50)]
        for wire in wires:
            wire.send(request(f"GET /waits/{key}?way={way}", *HANDSHAKE))
            assert wire.reply("HEAD").status == 101
        assert server.saw(key, "50") == "50"
        # gunicorn 27.0.1 tells nobody of a client that leaves in the moment of its handshake.
        time.sleep(0.5 if server.kind.name == "gunicorn" and not stay else stay)
        for number, wire in enumerate(wires):
            leave(number, wire)
        left = time.monotonic()
        assert server.saw(key, "0") == "0"
        assert time.monotonic() - left < 2
    assert "Traceback" not in server.log()[before:]


def test_a_handler_that_sends_without_a_pause_holds_nobody_up(server: Server, key: str):
    """While the client is there others are served, and when it has left the handler ends."""
    with server.wire() as wire:
        wire.send(request(f"GET /ticks/{key}?pause=0", *HANDSHAKE))
        assert wire.reply("HEAD").status == 101
        assert server.saw(key, "1") == "1"
    assert server.saw(key, "0") == "0"


def test_a_subprotocol_that_is_not_offered_is_refused_at_once(server: Server):
    """The handler's mistake is in the log, and the client gets an answer."""
    assert refusal(server, "/insist").status_code == (500 if server.kind.refuses_by_replies else 403)
    assert server.logs("ValueError: The client does not offer the subprotocol 'chat.v9', but []")


def test_a_broken_frame_does_not_harm_the_server(server: Server, key: str):
    """Frames that RFC 6455 forbids end their connection only."""
    with server.wire() as wire:
        wire.send(request(f"GET /watched/{key}", *HANDSHAKE))
        assert wire.reply("HEAD").status == 101
        wire.send(struct.pack("!BBQ", 0xFF, 0xFF, 2**63) + b"nonsense")
        assert eventually(lambda: server.get(f"/look/{key}").text.startswith("closed"), expected=True)
    assert server.get("/").status_code == 200


def test_a_session_is_shared_with_http(server: Server):
    """What HTTP stored is there in the WebSocket's handler, and what that stored is there for HTTP."""
    with server.client() as client:
        assert client.get("/visit").text == "You have visited 1 times."
        cookie = f"session_id={client.cookies['session_id']}"
        with open_socket(server, "/visit", cookie=cookie) as socket:
            assert socket.recv(timeout=PATIENCE) == "You have visited 2 times."
            assert closing(socket)[0] == 1000
        assert client.get("/visit").text == "You have visited 3 times."


def test_a_session_begins_in_a_handshake(server: Server):
    """`accept(session_id=…)` gives a new client its cookie; Daphne and Granian don't send it."""
    with open_socket(server, "/visit") as socket:
        assert socket.recv(timeout=PATIENCE) == "You have visited 1 times."
        assert closing(socket)[0] == 1000
        assert socket.response is not None
        cookies = socket.response.headers.get_all("Set-Cookie")
    assert len(cookies) == server.kind.sends_accept_headers
    with server.client() as client:
        for cookie in cookies:
            reply = client.get("/visit", headers={"Cookie": cookie.partition(";")[0]})
            assert reply.text == "You have visited 2 times."


def test_a_foreign_page_does_not_get_the_session(server: Server):
    """A handshake with our cookie from another origin is refused; one of our own origin, or without, is served."""
    cookie = server.get("/visit").headers["set-cookie"].partition(";")[0]
    assert refusal(server, "/visit", origin="http://evil.example", cookie=cookie).status_code == 403
    for origin in (server.url, None):
        with open_socket(server, "/visit", origin=origin, cookie=cookie) as socket:
            assert str(socket.recv(timeout=PATIENCE)).startswith("You have visited ")


def test_a_foreign_page_without_the_cookie_is_served(server: Server):
    """Without a session there is nothing to hijack."""
    with open_socket(server, "/echo", origin="http://other.example") as socket:
        socket.send("Hello")
        assert socket.recv(timeout=PATIENCE) == "Hello"


def test_each_connection_has_a_state_of_its_own(server: Server):
    """It begins with what the startup has put there, where the server has a lifespan; nothing of it stays."""
    expected = {"shelves": ["pies"], "asked": 1} if server.kind.lifespan else {"asked": 1}
    for _ in range(2):
        with open_socket(server, "/state") as socket:
            assert json.loads(socket.recv(timeout=PATIENCE)) == expected
