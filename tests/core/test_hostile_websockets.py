"""Hostile WebSocket dialogues: events in any order, handlers that break the rules, backends and hooks that raise."""

import asyncio
from typing import Any

import pytest

from micropie import App, ConnectionClosed, HTTPError, InMemorySessionBackend, WebSocketMiddleware
from tests.client import run
from tests.wire import awebsocket, websocket

MARKER = "internal-marker"
BROKEN = (1011, "Internal server error")
BAD_JSON = (1007, "Bad JSON")
CODES = {1000, 1008, 1011}


class Site(App):
    """Handlers that keep to the rules, and others."""

    async def ws_index(self, ws):
        await ws.accept()

    async def ws_echo(self, ws):
        await ws.accept()
        async for message in ws:
            await (ws.send_text(message) if isinstance(message, str) else ws.send_bytes(message))

    async def ws_text(self, ws):
        await ws.accept()
        while True:
            await ws.send_text(await ws.receive_text())

    async def ws_bytes(self, ws):
        await ws.accept()
        while True:
            await ws.send_bytes(await ws.receive_bytes())

    async def ws_json(self, ws):
        await ws.accept()
        while True:
            await ws.send_json(await ws.receive_json())

    async def ws_needs(self, ws, name):
        await ws.accept()

    async def ws_idle(self, ws):
        await asyncio.sleep(60)

    async def ws_after_the_end(self, ws):
        """Reads on and on after the close, and tells the codes."""
        await ws.accept()
        for _ in range(5):
            try:
                await ws.receive_text()
            except ConnectionClosed as closed:
                self.codes.append((closed.code, closed.reason))

    async def ws_visit(self, ws):
        await ws.accept(session_id=ws.session_id)
        self.request.session["seen"] = True

    def ws_sync(self, ws):
        return ws.accept()

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.codes: list[Any] = []


class Acting(App):
    """Does to the socket what it was made with."""

    def __init__(self, action):
        super().__init__()
        self._action = action

    async def ws_index(self, ws):
        await self._action(ws)


CONNECT = {"type": "websocket.connect"}
RECEIVE = {"type": "websocket.receive"}


def fed(app, events, path="/", **scope):
    """Give what the app sends when `receive` gives these events; after the last one, nothing comes any more."""

    async def exchange():
        queue = iter(events)
        sent: list[Any] = []

        async def receive():
            for event in queue:
                return event
            return {"type": "websocket.disconnect"}

        async def send(message):
            sent.append(message)

        base = {"type": "websocket", "path": path, "query_string": b"", "headers": []}
        async with asyncio.timeout(10):
            await app({**base, **scope}, receive, send)
        return sent

    return run(exchange())


@pytest.mark.parametrize(
    ("event", "path", "sent"),
    [
        ({"text": "a", "bytes": None}, "/echo", ["a"]),
        ({"text": None, "bytes": b"a"}, "/echo", [b"a"]),
        ({"text": "a"}, "/echo", ["a"]),
        ({"bytes": b"a"}, "/echo", [b"a"]),
        ({"text": ""}, "/echo", [""]),
        ({"bytes": b""}, "/echo", [b""]),
        ({"text": "", "bytes": None}, "/text", [""]),
        ({"text": None, "bytes": b""}, "/bytes", [b""]),
        ({"text": "\0\r\n🥧"}, "/text", ["\0\r\n🥧"]),
        ({"text": "x" * 1_000_000}, "/text", ["x" * 1_000_000]),
        ({"bytes": b"\xff\x00"}, "/bytes", [b"\xff\x00"]),
        ({"text": "[1]"}, "/json", ["[1]"]),
        ({"bytes": b"[1]"}, "/json", ["[1]"]),
    ],
)
def test_an_event_may_have_either_key_or_both(event, path, sent):
    """The key that is not None is the message."""
    dialogue = websocket(Site(), path, send=[{**RECEIVE, **event}])
    assert dialogue.sent == sent


@pytest.mark.parametrize(
    ("path", "message", "closing"),
    [
        ("/text", b"binary", (1003, "Text expected")),
        ("/bytes", "text", (1003, "Binary data expected")),
        ("/json", "", BAD_JSON),
        ("/json", "{", BAD_JSON),
        ("/json", b"\xff", BAD_JSON),
        ("/json", "NaN", BAD_JSON),
        ("/json", '"\\ud800"', BAD_JSON),
        ("/json", "\ud800", BAD_JSON),
        ("/json", "[" * 100_000, BAD_JSON),
        ("/json", "[" * 201 + "]" * 201, BAD_JSON),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_a_message_of_the_wrong_kind_ends_the_dialogue(path, message, closing):
    """The ValueError is the handler's to catch; uncaught it has a close code of its own."""
    dialogue = websocket(Site(), path, send=[message])
    assert (dialogue.close, dialogue.sent) == (closing, [])


def test_a_disconnect_is_told_again_and_again():
    """Whoever reads on after the end gets the same answer, and does not hang."""
    app = Site()
    fed(app, [CONNECT, {"type": "websocket.disconnect", "code": 1001, "reason": "bye"}], "/after_the_end")
    assert app.codes == [(1001, "bye")] * 5


@pytest.mark.parametrize("event", [{}, {"code": None}, {"code": None, "reason": None}, {"reason": ""}])
def test_a_disconnect_may_say_nothing(event):
    """1005 is what RFC 6455 calls no code."""
    app = Site()
    fed(app, [CONNECT, {"type": "websocket.disconnect", **event}], "/after_the_end")
    assert app.codes == [(1005, "")] * 5


@pytest.mark.parametrize(
    "events",
    [
        [],
        [CONNECT],
        [CONNECT, CONNECT, CONNECT],
        [{"type": "websocket.unknown"}],
        [{"type": "http.request", "body": b"x"}],
        [RECEIVE],
        [{**RECEIVE, "text": None, "bytes": None}],
        [{"type": "websocket.disconnect"}, {**RECEIVE, "text": "late"}, CONNECT],
        [{**RECEIVE, "text": "before connect"}, CONNECT],
    ],
    ids=list("012345678"),
)
@pytest.mark.parametrize(
    "path", ["/", "/echo", "/text", "/bytes", "/json", "/needs", "/nowhere", "/_x", "/after_the_end"]
)
def test_events_in_any_order_make_a_legal_dialogue(path, events):
    """What the server says is no reason to break the protocol; to a client that has left at once nothing is said."""
    sent = fed(Site(), events, path)
    kinds = [message["type"] for message in sent]
    has_left = not events or events[0]["type"] == "websocket.disconnect"
    refused = path in {"/needs", "/nowhere", "/_x"}
    assert kinds[:1] in ([[]] if has_left and not refused else [["websocket.accept"], ["websocket.close"]])
    assert kinds.count("websocket.accept") <= 1
    assert "websocket.close" not in kinds[:-1]


@pytest.mark.parametrize(
    "extra", [{}, {"headers": None}, {"query_string": None}, {"subprotocols": None}, {"extensions": {}}]
)
def test_a_handshake_may_lack_what_is_optional(extra):
    """The scope's optional entries are not missed."""
    assert [message["type"] for message in fed(Site(), [CONNECT], **extra)] == ["websocket.accept", "websocket.close"]


# Refusals.


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/nowhere", "No matching WebSocket route"),
        ("/ws_echo", "No matching WebSocket route"),
        ("/ws-echo", "No matching WebSocket route"),
        ("/Echo", "No matching WebSocket route"),
        ("/echo%00", "No matching WebSocket route"),
        ("/request", "No matching WebSocket route"),
        ("/echo/x", "No matching WebSocket route"),
        ("/_x", "Private handler not allowed"),
        ("/%5fx", "Private handler not allowed"),
        ("/__init__", "Private handler not allowed"),
        ("/needs", "Missing required parameter 'name'"),
    ],
)
def test_a_refusal_comes_before_accept(path, reason):
    """Unknown, private, incomplete: 1008, and a reason that is ours."""
    dialogue = websocket(Site(), path)
    assert (dialogue.accepted, dialogue.close) == (False, (1008, reason))


@pytest.mark.parametrize("path", ["/%ff", "/needs/%c0%af", "/needs/%ed%a0%80"])
def test_a_path_that_is_no_utf_8_is_refused(path):
    """As for HTTP, it is an error of the client."""
    code, _ = websocket(Site(), path).close or (None, None)
    assert code == 1008


def test_a_query_of_too_many_fields_is_refused():
    """The same limit as for HTTP."""
    code, _ = websocket(Site(), "/needs", query="a=1&" * 1001).close or (None, None)
    assert code == 1008


# Handlers.


async def twice(ws):
    await ws.accept()
    await ws.accept()


async def send_first(ws):
    await ws.send_text("x")


async def send_bytes_first(ws):
    await ws.send_bytes(b"x")


async def receive_first(ws):
    await ws.receive_text()


async def iterate_first(ws):
    async for _ in ws:
        pass


async def accept_after_close(ws):
    await ws.close()
    await ws.accept()


async def send_after_close(ws):
    await ws.accept()
    await ws.close()
    await ws.send_text("x")


@pytest.mark.parametrize(
    ("action", "kinds"),
    [
        (twice, ["accept", "close"]),
        (send_first, ["close"]),
        (send_bytes_first, ["close"]),
        (receive_first, ["close"]),
        (iterate_first, ["close"]),
        (accept_after_close, ["close"]),
        (send_after_close, ["accept", "close"]),
    ],
)
def test_a_wrong_order_never_reaches_the_server(action, kinds):
    """The RuntimeError is the handler's; the server sees a legal dialogue."""
    dialogue = websocket(Acting(action))
    assert [message["type"].removeprefix("websocket.") for message in dialogue.messages] == kinds


@pytest.mark.parametrize("action", [twice, send_first, receive_first, accept_after_close, send_after_close])
def test_a_wrong_order_is_a_runtime_error(action):
    """The handler may catch it."""
    caught = []

    async def catching(ws):
        try:
            await action(ws)
        except RuntimeError as error:
            caught.append(error)

    websocket(Acting(catching))
    assert len(caught) == 1


@pytest.mark.parametrize(
    "error",
    [RuntimeError(MARKER), OSError(MARKER), KeyError(MARKER), ExceptionGroup(MARKER, [ValueError(MARKER)])],
    ids=repr,
)
@pytest.mark.parametrize("accepted", [True, False])
def test_a_handler_may_raise_anything(accepted, error):
    """1011 and a constant reason, before accept or after."""

    async def raising(ws):
        if accepted:
            await ws.accept()
        raise error

    dialogue = websocket(Acting(raising))
    assert (dialogue.accepted, dialogue.close) == (accepted, BROKEN)


def test_a_cancellation_that_is_not_ours_is_1011():
    """A task that somebody else cancelled is the handler's failure, not the server's wish."""

    async def cancelled(ws):
        raise asyncio.CancelledError(MARKER)

    assert websocket(Acting(cancelled)).close == BROKEN


@pytest.mark.parametrize(
    "detail", [None, "No", "é" * 200, "🥧" * 100, 5, {"a": 1}, ValueError("x"), "\ud800", "a\r\nb", ""]
)
@pytest.mark.parametrize("accepted", [True, False])
def test_an_http_error_closes_with_its_detail(accepted, detail):
    """Whatever the detail is, the close frame is legal."""

    async def refusing(ws):
        if accepted:
            await ws.accept()
        raise HTTPError(403, detail)

    code, _ = websocket(Acting(refusing)).close or (None, None)
    assert code in CODES


@pytest.mark.parametrize("code", [None, "1000", -1, 0, 999, 1004, 1005, 1006, 1015, 5000, 2**70, 1000.5, True])
@pytest.mark.parametrize("accepted", [True, False])
def test_a_code_that_cannot_be_sent_is_not_sent(accepted, code):
    """Passing on the code of another connection must not break this one."""

    async def closing(ws):
        if accepted:
            await ws.accept()
        await ws.close(code)

    dialogue = websocket(Acting(closing))
    assert dialogue.close is not None


@pytest.mark.parametrize("reason", [None, "", "x" * 1000, "é" * 62, "é" * 61 + "x", "🥧" * 31, "\ud800" * 200, "a\0b"])
def test_a_reason_always_fits(reason):
    """It is cut at a character, at 123 bytes."""

    async def closing(ws):
        await ws.accept()
        await ws.close(4000, reason)

    code, sent = websocket(Acting(closing)).close or (None, "")
    assert code == 4000
    assert (reason or "").startswith(sent) or "\ud800" in (reason or "")


@pytest.mark.parametrize("data", [bytearray(b"x"), memoryview(b"x")])
def test_all_bytes_are_sent_as_bytes(data):
    """ASGI knows `bytes` only."""

    async def sending(ws):
        await ws.accept()
        await ws.send_bytes(data)

    assert websocket(Acting(sending)).sent == [b"x"]


@pytest.mark.parametrize("data", [None, 5, b"bytes", ["x"]])
def test_what_is_no_text_is_not_sent_as_text(data):
    """The mistake is the handler's, not the server's."""

    async def sending(ws):
        await ws.accept()
        await ws.send_text(data)

    assert websocket(Acting(sending)).close == BROKEN


@pytest.mark.parametrize("data", [None, 5, "text", ["x"]])
def test_what_is_not_binary_is_not_sent_as_bytes(data):
    """The same for bytes; a number is no length."""

    async def sending(ws):
        await ws.accept()
        await ws.send_bytes(data)

    assert websocket(Acting(sending)).close == BROKEN


# Sessions.


@pytest.mark.parametrize(
    "session_id",
    ["a\r\nX-Evil: 1", "a\nb", "a\0b", "a; Domain=evil.example", "a,b", "", " ", "x" * 129, "é", "🥧", "a b", '"'],
)
def test_an_impossible_id_is_never_given_out(session_id):
    """Neither the cookie nor the store takes an id that no client could send back."""
    backend = InMemorySessionBackend()

    class Adopting(App):
        async def ws_index(self, ws):
            self.request.session["seen"] = True
            await ws.accept(session_id=session_id)

    dialogue = websocket(Adopting(backend))
    assert (dialogue.accepted, dialogue.close, backend.sessions) == (False, BROKEN, {})


@pytest.mark.parametrize("name", ["a\r\nX-Evil: 1", "a b", "a,b", "\0", "é"])
def test_a_subprotocol_is_a_token(name):
    """What could split the handshake's answer is not accepted."""

    async def choosing(ws):
        await ws.accept(subprotocol=name)

    dialogue = websocket(Acting(choosing))
    assert dialogue.accepted is False
    assert dialogue.close == BROKEN


@pytest.mark.parametrize("error", [RuntimeError(MARKER), OSError(MARKER), ConnectionRefusedError(MARKER)], ids=repr)
@pytest.mark.parametrize("where", ["load", "save"])
def test_a_backend_may_raise_anything(where, error):
    """A store that is down closes with 1011."""

    class Backend(InMemorySessionBackend):
        async def load(self, session_id):
            if where == "load":
                raise error
            return {"user": "alice"}

        async def save(self, session_id, data, timeout):
            raise error

    dialogue = websocket(Site(Backend()), "/visit", cookies={"session_id": "x" * 32})
    assert dialogue.close == BROKEN


def test_a_session_that_is_refused_is_not_saved():
    """A handler that raised has not changed anything."""
    backend = InMemorySessionBackend()

    class Raising(App):
        async def ws_index(self, ws):
            self.request.session["seen"] = True
            raise RuntimeError(MARKER)

    websocket(Raising(backend))
    assert backend.sessions == {}


# Hooks.


class Hook(WebSocketMiddleware):
    """Does what it was made with, and counts how often it is left."""

    def __init__(self, before=lambda: None, after=lambda: None):
        self.before, self.after, self.left = before, after, 0

    async def before_websocket(self, request):
        return self.before()

    async def after_websocket(self, request):
        self.left += 1
        self.after()


def raising():
    raise RuntimeError(MARKER)


@pytest.mark.parametrize(
    "answer",
    [
        True,
        "text",
        ["list"],
        5,
        {"code": None},
        {"code": "1008"},
        {"code": 42},
        {"code": 1005},
        {"code": 1006},
        {"code": 99999},
        {"reason": None},
        {"reason": 5},
        {"reason": "x" * 500},
        {"reason": "\ud800"},
        {"other": 1},
    ],
    ids=repr,
)
def test_any_answer_of_a_hook_makes_a_legal_close(answer):
    """A hook that refuses clumsily still refuses."""
    app = Site()
    hook = Hook(lambda: answer)
    app.ws_middlewares.append(hook)
    dialogue = websocket(app)
    code, _ = dialogue.close or (None, None)
    assert (dialogue.accepted, hook.left) == (False, 1)
    assert code in CODES


@pytest.mark.parametrize("path", ["/", "/nowhere", "/_x", "/needs", "/sync"])
def test_hooks_may_raise(path):
    """1011, and all hooks that were entered are left, once."""
    hooks = [Hook(), Hook(raising), Hook()]
    app = Site()
    app.ws_middlewares.extend(hooks)
    assert websocket(app, path).close == BROKEN
    assert [hook.left for hook in hooks] == [1, 1, 0]
    hooks = [Hook(), Hook(after=raising), Hook()]
    app.ws_middlewares[:] = hooks
    assert websocket(app, path).close == BROKEN
    assert [hook.left for hook in hooks] == [1, 1, 1]


def test_a_cancellation_in_a_hook_is_1011():
    """Something that it waited for was cancelled, not the connection."""

    def cancelled():
        raise asyncio.CancelledError(MARKER)

    app = Site()
    for hook in (Hook(cancelled), Hook(after=cancelled)):
        app.ws_middlewares[:] = [hook]
        assert websocket(app).close == BROKEN
        assert hook.left == 1


# Endings.


@pytest.mark.parametrize("turns", range(6))
@pytest.mark.parametrize("path", ["/idle", "/echo", "/visit"])
def test_a_dialogue_can_be_cancelled_anywhere(path, turns):
    """The hooks are left, and nothing else is."""

    async def cancelled():
        hook = Hook(after=raising)
        app = Site()
        app.ws_middlewares.append(hook)
        task = asyncio.create_task(awebsocket(app, path, send=[{"type": "websocket.unknown"}] * 3))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait({task})
        return hook.left

    assert run(cancelled()) in {0, 1}


def test_a_client_that_is_gone_before_accept_is_no_error(caplog):
    """A send that fails says that the client has left; nobody needs a traceback for that."""

    async def exchange():
        async def receive():
            return {"type": "websocket.disconnect", "code": 1006}

        async def send(message):
            raise OSError

        for path in ("/", "/echo", "/nowhere", "/visit", "/sync"):
            await Site()({"type": "websocket", "path": path, "headers": [], "query_string": b""}, receive, send)

    run(exchange())
    assert caplog.records == []


@pytest.mark.parametrize("accepted", [True, False])
def test_another_application_that_raises_is_not_left_hanging(accepted):
    """A dialogue that was handed on and broke is closed, so that the server knows."""

    async def other(scope, receive, send):
        if accepted:
            await send({"type": "websocket.accept"})
        raise RuntimeError(MARKER)

    class HandOn(WebSocketMiddleware):
        async def before_websocket(self, request):
            request._subapp = other

    app = Site()
    app.ws_middlewares.append(HandOn())
    assert websocket(app).close == BROKEN


def test_another_application_may_refuse_by_a_reply():
    """After a denial response (an extension of ASGI) nothing is left to close."""
    reply = [
        {"type": "websocket.http.response.start", "status": 401, "headers": []},
        {"type": "websocket.http.response.body", "body": b"who?"},
    ]

    async def other(scope, receive, send):
        for message in reply:
            await send(message)

    class HandOn(WebSocketMiddleware):
        async def before_websocket(self, request):
            request._subapp = other

    app = Site()
    app.ws_middlewares.append(HandOn())
    assert fed(app, [CONNECT]) == reply
