"""WebSockets: BEHAVIOUR.md, points 34 to 37, and "WebSocket Management" of the README."""

import asyncio
import inspect
import json
import logging
import sys

import pytest

from micropie import (
    App,
    ConnectionClosed,
    HTTPError,
    InMemorySessionBackend,
    Mount,
    WebSocket,
    WebSocketMiddleware,
    configuration,
)
from tests.client import http, run
from tests.wire import awebsocket, websocket

NO_ROUTE = (1008, "No matching WebSocket route")
PRIVATE = (1008, "Private handler not allowed")


class Sockets(App):
    def __init__(self, *args, **keywords):
        super().__init__(*args, **keywords)
        self.seen: list[object] = []

    async def index(self):
        return "http"

    async def look(self):
        return dict(self.request.session)

    async def put(self, key, value):
        self.request.session[key] = value
        return "ok"

    async def plain(self):
        return "no websocket"

    async def ws_index(self, ws):
        await ws.accept()
        await ws.send_text("index")

    async def ws_chat(self, ws):
        await ws.accept()
        await ws.send_text("chat")

    async def ws_echo(self, ws):
        await ws.accept()
        while True:
            message = await ws.receive_text()
            await ws.send_text(f"Echo: {message}")

    async def ws_two(self, ws, first, second="2nd"):
        await ws.accept()
        await ws.send_text(f"{first}|{second}")

    async def ws_rest(self, ws, *args):
        await ws.accept()
        await ws.send_json(list(args))

    async def ws_keyword(self, ws, *, name="none"):
        await ws.accept()
        await ws.send_text(name)

    async def ws_user(self, ws, user):
        await ws.accept()
        await ws.send_text(user)

    async def ws_oddly_named(self, the_connection, name="x"):
        await the_connection.accept()
        await the_connection.send_text(name)

    async def ws_returns(self, ws):
        await ws.accept()
        return "ignored"

    async def ws_returns_early(self, ws):
        return None

    async def ws_raises(self, ws):
        await ws.accept()
        raise RuntimeError("secret")

    async def ws_raises_early(self, ws):
        raise RuntimeError("secret")

    async def ws_refuses(self, ws):
        raise HTTPError(403, "No")

    async def ws_put(self, ws, key, value):
        self.request.session[key] = value
        await ws.accept(session_id=ws.session_id)

    async def ws_id(self, ws):
        await ws.accept()
        await ws.send_text(ws.session_id)

    async def ws_other_id(self, ws, session_id):
        self.request.session["moved"] = True
        await ws.accept(session_id=session_id)

    async def _ws_hidden(self, ws):
        await ws.accept()

    async def ws__hidden(self, ws):
        await ws.accept()


class Script(App):
    """A socket handler given by the test."""

    def __init__(self, script, **keywords):
        super().__init__(**keywords)
        self._script = script

    async def ws_index(self, ws):
        await self._script(ws)


def play(script, send=(), **keywords):
    """The dialogue with a handler that is `script`."""
    return websocket(Script(script), send=send, **keywords)


def errors(caplog):
    return [record for record in caplog.records if record.levelno >= logging.ERROR]


# 34. Routing and binding.


@pytest.mark.parametrize(("path", "text"), [("/", "index"), ("/chat", "chat"), ("/chat/", "chat"), ("/index", "index")])
def test_34_the_path_names_the_handler(path, text):
    """`/chat` is `ws_chat`, `/` is `ws_index`."""
    assert websocket(Sockets(), path).sent == [text]


def test_34_the_readmes_example():
    """An echo until the client leaves."""
    dialogue = websocket(Sockets(), "/echo", send=["a", "b"])
    assert (dialogue.sent, dialogue.accepted) == (["Echo: a", "Echo: b"], True)


@pytest.mark.parametrize(
    ("path", "query", "text"),
    [
        ("/two/a/b", "", "a|b"),
        ("/two/a", "", "a|2nd"),
        ("/two/a", "first=x&second=y", "a|y"),
        ("/two", "first=x", "x|2nd"),
        ("/rest/a/b", "", '["a","b"]'),
        ("/rest", "", "[]"),
        ("/rest/", "", '[""]'),
        ("/keyword", "name=n", "n"),
        ("/keyword", "", "none"),
        ("/rest/a%2Fb", "", '["a/b"]'),
        ("/two/%C3%A9", "", "é|2nd"),
    ],
)
def test_34_binding_is_as_for_http(path, query, text):
    """Path, query, default."""
    assert websocket(Sockets(), path, query=query).sent == [text]


def test_34_binding_from_the_session():
    """The session fills parameters too, after the query."""
    app = Sockets()
    cookies = http(app, path="/put/user/alice").cookies
    assert websocket(app, "/user", cookies=cookies).sent == ["alice"]
    assert websocket(app, "/user", query="user=bob", cookies=cookies).sent == ["bob"]


@pytest.mark.parametrize(("path", "text"), [("/oddly_named", "x"), ("/oddly_named/y", "y"), ("/oddly-named", "x")])
def test_34_the_first_parameter_is_the_socket_whatever_its_name(path, text):
    """It is never looked up by name."""
    assert websocket(Sockets(), path, query="the_connection=evil").sent == [text]


def test_34_the_socket_may_be_the_first_of_args():
    """A handler may take everything as `*args`."""

    class Anything(App):
        async def ws_all(self, *args):
            await args[0].accept()
            await args[0].send_json(list(args[1:]))

    assert websocket(Anything(), "/all/a/b").sent == ['["a","b"]']


@pytest.mark.parametrize("path", ["/nothing", "/plain", "/nothing/x", "/ws_chat", "/look"])
def test_34_no_such_route_is_refused(path):
    """Unknown names, and names of HTTP handlers."""
    dialogue = websocket(Sockets(), path)
    assert (dialogue.accepted, dialogue.close) == (False, NO_ROUTE)


def test_34_no_routes_at_all():
    """App itself has none."""
    assert websocket(App()).close == NO_ROUTE


@pytest.mark.parametrize("path", ["/_hidden", "/%5Fhidden", "/_ws_hidden", "/__init__", "/_"])
def test_34_private_is_refused(path):
    """A first segment that starts with `_`."""
    dialogue = websocket(Sockets(), path)
    assert (dialogue.accepted, dialogue.close) == (False, PRIVATE)


def test_34_a_missing_parameter_is_refused():
    """The reason names it."""
    dialogue = websocket(Sockets(), "/two")
    assert (dialogue.accepted, dialogue.close) == (False, (1008, "Missing required parameter 'first'"))


@pytest.mark.parametrize("path", ["/chat/surplus", "/two/a/b/c", "/%FF", "/two/%FF"])
def test_34_what_cannot_be_bound_is_refused(path):
    """Surplus segments and undecodable ones."""
    dialogue = websocket(Sockets(), path)
    assert dialogue.close is not None
    assert (dialogue.accepted, dialogue.close[0]) == (False, 1008)


def test_34_a_missing_parameter_with_a_long_name():
    """A reason has at most 123 bytes."""

    long = "x" * 200
    namespace: dict[str, object] = {}
    exec(f"async def ws_long(self, ws, {long}): pass", namespace)
    app = type("Long", (App,), {"ws_long": namespace["ws_long"]})()
    dialogue = websocket(app, "/long")
    assert dialogue.close is not None
    assert len(dialogue.close[1].encode()) <= 123


def test_34_data_is_no_websocket_route():
    """Only methods are, and no property is evaluated."""

    class Data(App):
        ws_data = 5
        ws_nested = dict

        @property
        def ws_prop(self):
            raise AssertionError("evaluated")

    assert {websocket(Data(), path).close for path in ("/data", "/nested", "/prop")} == {NO_ROUTE}


# 35. The WebSocket class.


def test_35_accept():
    """`accept()` answers the handshake."""
    dialogue = play(lambda ws: ws.accept())
    assert dialogue.accept == {"type": "websocket.accept", "subprotocol": None, "headers": []}


def test_35_accept_with_a_subprotocol():
    """`subprotocol` is positional or by keyword."""

    async def script(ws):
        await ws.accept("chat.v1")

    dialogue = play(script, subprotocols=["chat.v1"])
    assert dialogue.accept is not None
    assert dialogue.accept["subprotocol"] == "chat.v1"


def asking(event, act):
    """What `act` does to a socket whose server gives the connect, this event, and nothing more."""

    async def main():
        events = [{"type": "websocket.connect"}, event]
        sent = []

        async def receive():
            return events.pop(0)

        async def send(message):
            sent.append(message["type"])

        ws = WebSocket(receive, send)
        await act(ws)
        return events, sent

    return run(main())


def test_35_accept_takes_the_connect_event():
    """It is the first event, and the next one is the first receive's."""

    async def act(ws):
        await ws.accept()
        assert await ws.receive_text() == "hello"

    assert asking({"type": "websocket.receive", "text": "hello"}, act) == ([], ["websocket.accept"])


@pytest.mark.parametrize(
    ("event", "ended"),
    [
        ({"code": 1006}, (1006, "")),
        ({"code": 1001, "reason": "gone"}, (1001, "gone")),
        ({}, (1005, "")),
        ({"code": None, "reason": None}, (1005, "")),
    ],
)
def test_35_a_client_that_leaves_before_accept(event, ended):
    """`accept` raises ConnectionClosed, and nothing is sent to a client that is not there."""
    seen = []

    async def receive():
        return {"type": "websocket.disconnect", **event}

    async def send(message):
        seen.append(message)

    async def main():
        ws = WebSocket(receive, send)
        with pytest.raises(ConnectionClosed) as caught:
            await ws.accept()
        seen.append((caught.value.code, caught.value.reason))
        await ws.close()
        assert not ws.accepted

    run(main())
    assert seen == [ended]


@pytest.mark.parametrize("kind", ["websocket.connect", "websocket.unknown", "http.request"])
def test_35_an_unknown_event_is_a_value_error(kind):
    """What the server must not say here is told, not waited out."""

    async def act(ws):
        await ws.accept()
        with pytest.raises(ValueError, match=kind):
            await ws.receive_text()

    assert asking({"type": kind}, act) == ([], ["websocket.accept"])


@pytest.mark.parametrize("kind", ["websocket.receive", "websocket.unknown"])
def test_35_another_event_than_the_connect_is_a_value_error(kind):
    """`accept` answers a connect, and nothing else."""

    async def receive():
        return {"type": kind, "text": "hello"}

    async def send(message):
        raise AssertionError(message)

    async def main():
        with pytest.raises(ValueError, match=kind):
            await WebSocket(receive, send).accept()

    run(main())


@pytest.mark.parametrize(
    ("offered", "name"), [((), "chat"), (("chat.v1", "chat.v2"), "chat"), (("chat",), "Chat"), (None, "chat")]
)
def test_35_a_subprotocol_that_is_not_offered_is_a_value_error(offered, name):
    """Browsers end such a connection, and some servers never answer: the handler is told what is offered."""

    async def script(ws):
        with pytest.raises(ValueError, match="does not offer"):
            await ws.accept(subprotocol=name)
        await ws.accept()
        await ws.send_text("went on")

    assert play(script, scope={"subprotocols": offered}).sent == ["went on"]


def test_35_attributes():
    """`accepted` tells, `session_id` is a str."""
    seen = []

    async def script(ws):
        seen.append(ws.accepted)
        await ws.accept()
        seen.extend([ws.accepted, type(ws.session_id)])

    play(script)
    assert seen == [False, True, str]


def test_35_text_and_bytes():
    """What is sent is received, as what it is."""

    async def script(ws):
        await ws.accept()
        await ws.send_text(await ws.receive_text() + "!")
        await ws.send_bytes(await ws.receive_bytes() + b"!")

    assert play(script, ["é", b"\xff"]).sent == ["é!", b"\xff!"]


@pytest.mark.parametrize("message", ["", b""])
def test_35_empty_messages(message):
    """An empty message is a message."""

    async def script(ws):
        await ws.accept()
        received = await (ws.receive_text() if message == "" else ws.receive_bytes())
        await (ws.send_text(received) if message == "" else ws.send_bytes(received))

    assert play(script, [message]).sent == [message]


def test_35_json():
    """`receive_json` and `send_json`, text or binary."""

    async def script(ws):
        await ws.accept()
        await ws.send_json([await ws.receive_json(), await ws.receive_json()])

    assert play(script, ['{"a":"é"}', b"[1]"]).sent == ['[{"a":"é"},[1]]']


@pytest.mark.parametrize("message", ["{", "", "NaN", b"\xff", "[" * 1000])
def test_35_broken_json_is_a_value_error(message):
    """What is no JSON is a ValueError."""

    async def script(ws):
        await ws.accept()
        with pytest.raises(ValueError):
            await ws.receive_json()
        await ws.send_text("went on")

    assert play(script, [message]).sent == ["went on"]


def test_35_async_for():
    """`async for message in ws` gives messages until the close."""
    seen = []

    async def script(ws):
        await ws.accept()
        seen.extend([message async for message in ws])
        seen.append("end")

    play(script, ["a", b"b", "c"])
    assert seen == ["a", b"b", "c", "end"]


def test_35_accept_twice_is_a_runtime_error():
    """A connection is accepted once."""

    async def script(ws):
        await ws.accept()
        with pytest.raises(RuntimeError):
            await ws.accept()
        await ws.send_text("went on")

    assert play(script).sent == ["went on"]


SENDS = [lambda ws: ws.send_text("x"), lambda ws: ws.send_bytes(b"x"), lambda ws: ws.send_json(1)]


@pytest.mark.parametrize("send", SENDS)
def test_35_send_before_accept_is_a_runtime_error(send):
    """Nothing goes out before the handshake."""

    async def script(ws):
        with pytest.raises(RuntimeError):
            await send(ws)
        await ws.accept()

    assert play(script).sent == []


@pytest.mark.parametrize("send", SENDS)
def test_35_send_after_close_is_a_runtime_error(send):
    """Nor after the close."""

    async def script(ws):
        await ws.accept()
        await ws.close()
        with pytest.raises(RuntimeError):
            await send(ws)

    assert play(script).sent == []


@pytest.mark.parametrize("send", SENDS)
def test_35_send_after_the_peers_close(send):
    """After the disconnect was received a send raises it too."""

    async def script(ws):
        await ws.accept()
        with pytest.raises(ConnectionClosed):
            await ws.receive_text()
        with pytest.raises(ConnectionClosed) as caught:
            await send(ws)
        assert caught.value.code == 1000

    assert play(script).sent == []


@pytest.mark.parametrize(
    "receive", [lambda ws: ws.receive_text(), lambda ws: ws.receive_bytes(), lambda ws: ws.receive_json()]
)
def test_35_disconnect_is_connection_closed_for_ever(receive):
    """On this and every later receive, with code and reason."""
    seen = []

    async def script(ws):
        await ws.accept()
        for _ in range(3):
            with pytest.raises(ConnectionClosed) as caught:
                await receive(ws)
            seen.append((caught.value.code, caught.value.reason))

    play(script, [{"type": "websocket.disconnect", "code": 4321, "reason": "bye"}])
    assert seen == [(4321, "bye")] * 3


def test_35_after_the_disconnect_the_server_is_not_asked_again():
    """Some servers never answer another `receive`."""
    events: list[dict[str, object]] = [{"type": "websocket.connect"}, {"type": "websocket.disconnect", "code": 1001}]

    async def receive():
        return events.pop(0)

    async def send(message):
        pass

    async def main():
        ws = WebSocket(receive, send)
        await ws.accept()
        for _ in range(3):
            with pytest.raises(ConnectionClosed):
                await ws.receive_text()

    run(main())
    assert events == []


@pytest.mark.parametrize(
    ("event", "code", "reason"),
    [
        ({"type": "websocket.disconnect"}, 1005, ""),
        ({"type": "websocket.disconnect", "code": None, "reason": None}, 1005, ""),
        ({"type": "websocket.disconnect", "code": 1001}, 1001, ""),
    ],
)
def test_35_disconnect_may_lack_keys(event, code, reason):
    """Code and reason are optional: 1005 (ASGI's default) and an empty text."""
    seen = []

    async def script(ws):
        await ws.accept()
        with pytest.raises(ConnectionClosed) as caught:
            await ws.receive_text()
        seen.append((caught.value.code, caught.value.reason))

    play(script, [event])
    assert seen == [(code, reason)]


def test_35_connection_closed_is_an_exception():
    """It can be caught by itself."""
    assert issubclass(ConnectionClosed, Exception)
    assert not issubclass(ConnectionClosed, RuntimeError | ValueError)


def test_35_wrong_message_is_a_value_error():
    """Text for bytes, bytes for text; the connection goes on."""

    async def script(ws):
        await ws.accept()
        with pytest.raises(ValueError):
            await ws.receive_text()
        with pytest.raises(ValueError):
            await ws.receive_bytes()
        await ws.send_text(await ws.receive_text())

    assert play(script, [b"x", "x", "last"]).sent == ["last"]


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        ({"type": "websocket.receive", "text": "t", "bytes": None}, "t"),
        ({"type": "websocket.receive", "text": None, "bytes": b"b"}, b"b"),
        ({"type": "websocket.receive", "text": "", "bytes": None}, ""),
        ({"type": "websocket.receive", "text": None, "bytes": b""}, b""),
        ({"type": "websocket.receive", "bytes": b"b"}, b"b"),
    ],
)
def test_35_either_key_may_be_none(event, expected):
    """Hypercorn sends both keys."""
    seen = []

    async def script(ws):
        await ws.accept()
        seen.append(await anext(aiter(ws)))

    play(script, [event])
    assert seen == [expected]


def test_35_close_before_accept_refuses():
    """It refuses the handshake."""
    dialogue = play(lambda ws: ws.close(4000, "no"))
    assert (dialogue.accepted, dialogue.close) == (False, (4000, "no"))


def test_35_close_defaults_to_1000():
    """`close(code=1000, reason=None)`."""

    async def script(ws):
        await ws.accept()
        await ws.close()

    assert play(script).close == (1000, "")


def test_35_close_by_keyword():
    """Code and reason by keyword."""

    async def script(ws):
        await ws.accept()
        await ws.close(code=4001, reason="why")

    assert play(script).close == (4001, "why")


def test_35_second_close_is_silent():
    """Only the first goes out."""

    async def script(ws):
        await ws.accept()
        await ws.close(4001)
        await ws.close(4002)

    assert play(script).close == (4001, "")


def test_35_close_after_the_peers_close_is_silent():
    """Nothing is left to close."""

    async def script(ws):
        await ws.accept()
        with pytest.raises(ConnectionClosed):
            await ws.receive_text()
        await ws.close()

    assert play(script).close is None


def test_35_accept_after_close_is_a_runtime_error():
    """A refused handshake stays refused."""

    async def script(ws):
        await ws.close(4000)
        with pytest.raises(RuntimeError):
            await ws.accept()

    assert not play(script).accepted


def test_35_receive_after_own_close_is_connection_closed():
    """Nothing comes any more."""

    async def script(ws):
        await ws.accept()
        await ws.close()
        with pytest.raises(ConnectionClosed):
            await ws.receive_text()

    assert play(script, ["x"]).close == (1000, "")


@pytest.mark.parametrize("receive", [lambda ws: ws.receive_text(), lambda ws: ws.receive_bytes()])
def test_35_receive_before_accept_never_hangs(receive):
    """It is an error at once."""

    async def script(ws):
        with pytest.raises(Exception):  # noqa: B017 - RuntimeError, ConnectionClosed and ValueError are all defensible
            await receive(ws)
        await ws.close()

    assert not play(script, ["x"]).accepted


def test_39_a_websocket_works_by_itself():
    """`WebSocket(receive, send)` needs no application."""

    async def asgi(scope, receive, send):
        ws = WebSocket(receive, send)
        await ws.accept("v1", session_id="abc")
        await ws.send_text(await ws.receive_text())
        await ws.close()

    dialogue = websocket(asgi, send=["hello"], subprotocols=["v1"])
    assert (dialogue.sent, dialogue.close) == (["hello"], (1000, ""))
    assert dialogue.accept is not None
    assert dialogue.accept["subprotocol"] == "v1"
    assert dict(dialogue.accept["headers"])[b"set-cookie"].startswith(b"session_id=abc; ")


def test_a_websocket_by_itself_has_what_others_have():
    """Free attributes of its own, JSON of any size, and no session's id until it is given one."""
    large = list(range(100_000))

    async def asgi(scope, receive, send):
        ws = WebSocket(receive, send)
        ws.state.name = "ann"
        ids = [ws.session_id]
        await ws.accept(session_id="abc")
        ids.append(ws.session_id)
        await ws.send_json([ids, ws.state.name, await ws.receive_json() == large])
        vars(ws)["mood"] = "fine"  # as on any object
        await ws.close(reason=vars(ws)["mood"])

    dialogue = websocket(asgi, send=[json.dumps(large)])
    assert json.loads(dialogue.sent[0]) == [[None, "abc"], "ann", True]
    assert dialogue.close == (1000, "fine")


def test_a_fresh_session_id_stays_the_same():
    """A connection without a session has an id, whenever it is asked for, and another connection another one."""

    async def script(ws):
        await ws.accept()
        await ws.send_text(ws.session_id)
        await ws.send_text(ws.session_id)

    first, second = play(script).sent, play(script).sent
    assert first[0] == first[1] != second[0]


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("__init__", {"receive": ..., "send": ...}),
        ("accept", {"subprotocol": None, "session_id": None}),
        ("receive_text", {}),
        ("receive_bytes", {}),
        ("send_text", {"data": ...}),
        ("send_bytes", {"data": ...}),
        ("close", {"code": 1000, "reason": None}),
    ],
)
def test_websocket_has_its_documented_signatures(name, parameters):
    """The parameters and defaults of the README, in order; what we add is keyword-only."""
    found = list(inspect.signature(getattr(WebSocket, name)).parameters.values())[1:]
    positional = {p.name: ... if p.default is p.empty else p.default for p in found if p.kind is not p.KEYWORD_ONLY}
    assert positional == parameters


# 36. The end.


def test_36_a_handler_that_returns_closes_with_1000():
    """Whatever it returns."""
    dialogue = websocket(Sockets(), "/returns")
    assert (dialogue.accepted, dialogue.close) == (True, (1000, ""))


def test_36_a_handler_that_returns_without_accept():
    """The handshake is answered by a close."""
    dialogue = websocket(Sockets(), "/returns_early")
    assert (dialogue.accepted, dialogue.close) == (False, (1000, ""))


@pytest.mark.parametrize("path", ["/raises", "/raises_early"])
def test_36_a_handler_that_raises_closes_with_1011(path, caplog):
    """The reason is constant; the exception is in the log only, once."""
    dialogue = websocket(Sockets(), path)
    assert dialogue.close is not None
    assert dialogue.close[0] == 1011
    assert "secret" not in str(dialogue.messages)
    assert [record.exc_info is not None for record in errors(caplog)] == [True]
    assert "secret" in caplog.text


def test_36_the_reason_is_the_same_for_every_exception():
    """It tells nothing."""

    def reason(error):
        async def script(ws):
            await ws.accept()
            raise error

        return play(script).close

    assert len({reason(error) for error in (RuntimeError("a"), KeyError("b"), TimeoutError())}) == 1


def test_36_connection_closed_is_no_failure(caplog):
    """A handler need not catch it."""
    websocket(Sockets(), "/echo", send=["x"])
    assert errors(caplog) == []


@pytest.mark.parametrize("reason", ["x" * 200, "é" * 100, "\U0001f967" * 40, "x" * 122 + "é"])
def test_36_reasons_never_exceed_123_bytes(reason):
    """They are cut at a character."""

    async def script(ws):
        await ws.accept()
        await ws.close(4000, reason)

    dialogue = play(script)
    assert dialogue.close is not None
    sent = dialogue.close[1]
    assert 120 <= len(sent.encode()) <= 123
    assert reason.startswith(sent)


def test_36_http_error_refuses():
    """An HTTPError before accept refuses with 1008 and its detail."""
    dialogue = websocket(Sockets(), "/refuses")
    assert (dialogue.accepted, dialogue.close) == (False, (1008, "No"))


def test_36_a_cancelled_connection_cleans_up():
    """A server that gives up a connection cancels the handler; its `finally` and the after hooks run."""
    seen = []

    class Noting(WebSocketMiddleware):
        async def after_websocket(self, request):
            seen.append("after hook")

    async def main():
        started = asyncio.Event()

        async def script(ws):
            await ws.accept()
            try:
                started.set()
                await asyncio.sleep(60)
            finally:
                seen.append("finally")

        app = Script(script)
        app.ws_middlewares.append(Noting())
        connection = asyncio.create_task(awebsocket(app))
        await started.wait()
        connection.cancel()
        await asyncio.wait([connection])
        return connection.cancelled()

    assert run(main())
    assert seen == ["finally", "after hook"]


async def asks_for_text(ws):
    await ws.receive_text()


async def asks_for_bytes(ws):
    await ws.receive_bytes()


async def asks_for_json(ws):
    await ws.receive_json()


@pytest.mark.parametrize(
    ("ask", "message", "closing"),
    [
        (asks_for_text, b"x", (1003, "Text expected")),
        (asks_for_text, b"", (1003, "Text expected")),
        (asks_for_bytes, "x", (1003, "Binary data expected")),
        (asks_for_bytes, "", (1003, "Binary data expected")),
        (asks_for_json, "{no json", (1007, "Bad JSON")),
        (asks_for_json, "", (1007, "Bad JSON")),
        (asks_for_json, b"\xff", (1007, "Bad JSON")),
        (asks_for_json, "[" * 1000, (1007, "Bad JSON")),
        (asks_for_json, "NaN", (1007, "Bad JSON")),
    ],
)
def test_36_what_a_visitor_sends_rings_no_alarm(ask, message, closing, caplog):
    """A message that is not what the handler asks for closes with 1003 or 1007 (RFC 6455 §7.4.1), and is no ERROR."""

    async def script(ws):
        await ws.accept()
        await ask(ws)

    assert play(script, [message]).close == closing
    assert errors(caplog) == []


def test_36_a_value_error_of_the_handlers_own_is_a_failure(caplog):
    """Only the messages are the visitor's."""

    async def script(ws):
        await ws.accept()
        int(await ws.receive_text())

    assert play(script, ["x"]).close == (1011, "Internal server error")
    assert len(errors(caplog)) == 1


def test_36_after_a_bad_message_the_session_is_saved():
    """As after a 400 of HTTP, what the handler did until then counts."""

    class Asking(Sockets):
        async def ws_asking(self, ws):
            self.request.session["seen"] = True
            await ws.accept(session_id=ws.session_id)
            await ws.receive_json()

    backend = InMemorySessionBackend()
    session_id = set_id(websocket(Asking(backend), "/asking", send=["{"]))
    assert backend.sessions == {session_id: {"seen": True}}


async def read_and_write(ws, read=asks_for_text):
    """What a handler does that reads and writes at once."""

    async def write():
        while True:
            await ws.send_text("tick")
            await asyncio.sleep(0.001)

    await ws.accept()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(read(ws))
        tasks.create_task(write())


async def reads_on(ws):
    while True:
        await ws.receive_text()


@pytest.mark.parametrize("messages", [[], ["a", "b"]])
def test_36_the_clients_leaving_in_a_task_group_is_no_failure(messages, caplog):
    """A group all of whose exceptions are ConnectionClosed is that."""
    websocket(Sockets(), "/echo", send=messages)
    assert play(lambda ws: read_and_write(ws, reads_on), messages).close is None
    assert caplog.records == []


@pytest.mark.parametrize(
    ("group", "closing"),
    [
        ([ConnectionClosed(1001), ConnectionClosed(1006)], (1000, "")),
        ([ExceptionGroup("inner", [ConnectionClosed()]), ConnectionClosed()], (1000, "")),
        ([HTTPError(403, "No")], (1008, "No")),
        ([HTTPError(403, "No"), ExceptionGroup("inner", [HTTPError(403, "No")])], (1008, "No")),
        ([HTTPError(403, "No"), ConnectionClosed()], (1008, "No")),
        ([HTTPError(403, "No"), HTTPError(404, "Where?")], (1011, "Internal server error")),
        ([RuntimeError("secret"), ConnectionClosed()], (1011, "Internal server error")),
        ([RuntimeError("secret"), HTTPError(403, "No")], (1011, "Internal server error")),
        ([RuntimeError("secret")], (1011, "Internal server error")),
    ],
)
def test_36_a_group_of_one_kind_is_that(group, closing):
    """One HTTPError, or the end of the connection; a ConnectionClosed beside another doesn't count."""

    async def script(ws):
        await ws.accept()
        raise ExceptionGroup("tasks", group)

    assert play(script).close == closing


def test_36_a_bad_message_in_a_task_group_rings_no_alarm(caplog):
    """A reader in a task of its own closes with 1003 too."""
    assert play(read_and_write, [b"x"]).close == (1003, "Text expected")
    assert errors(caplog) == []


@pytest.mark.parametrize("accepted", [True, False])
def test_36_a_handler_that_exits_is_a_failure(accepted, caplog):
    """`sys.exit()` closes with 1011 and is in the log; the process ends only by the server."""

    async def script(ws):
        if accepted:
            await ws.accept()
        sys.exit("secret")

    assert play(script).close == (1011, "Internal server error")
    assert [record.exc_info is not None for record in errors(caplog)] == [True]


@pytest.mark.parametrize("where", ["before_websocket", "after_websocket"])
def test_36_a_hook_that_exits_is_a_failure(where, caplog):
    """As any exception of a hook."""

    def leave(*_):
        sys.exit(3)

    app = Sockets()
    app.ws_middlewares.append(type("Leaving", (WebSocketMiddleware,), {where: leave})())
    assert websocket(app, "/chat").close == (1011, "Internal server error")
    assert len(errors(caplog)) == 1


@pytest.fixture
def logged_in():
    """An application and the cookies of a client of it."""
    app = Sockets(allowed_origins=["https://Partner.example", "http://other.example:8080/"])
    return app, http(app, path="/put/user/alice").cookies


LONG = "x" * 60_000


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("https://evil.example", "site.example"),
        ("https://site.example.evil.example", "site.example"),
        ("https://evilsite.example", "site.example"),
        ("null", "site.example"),
        ("https://sub.site.example", "site.example"),
        ("http://partner.example", "site.example"),
        ("https://partner.example:444", "site.example"),
        ("http://other.example", "site.example"),
        ("file://", "site.example"),
        ("garbage", "site.example"),
        ("https://site.example@evil.example", "site.example"),
        ("https://example", "site.example"),
        ("https://ite.example", "site.example"),
        ("https://", "site.example"),
    ],
)
def test_36_a_foreign_origin_with_our_cookie_is_refused(logged_in, origin, host, caplog):
    """Another site's page doesn't get the session; the log says what to do."""
    app, cookies = logged_in
    dialogue = websocket(app, "/user", cookies=cookies, host=host, headers=[("Origin", origin)])
    assert (dialogue.accepted, dialogue.sent) == (False, [])
    assert "allowed_origins" in caplog.text


@pytest.mark.parametrize(
    ("origin", "host"),
    [(LONG, "site.example"), (f"https://{LONG}.example", "site.example"), ("https://evil.example", LONG)],
    ids=["no url", "url", "host"],
)
def test_36_a_long_origin_makes_no_long_record(logged_in, origin, host, caplog):
    """Who sends 60 kB of it, or of a host, can't fill the disk."""
    app, cookies = logged_in
    assert not websocket(app, "/user", cookies=cookies, host=host, headers=[("Origin", origin)]).accepted
    (record,) = caplog.records
    assert "allowed_origins" in record.getMessage()
    assert len(record.getMessage()) < 1000


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("https://site.example", "site.example"),
        ("https://SITE.example", "site.example"),
        ("https://site.example:8443", "site.example:8443"),
        ("http://localhost:8000", "localhost:8000"),
        ("http://[::1]:8000", "[::1]:8000"),
        ("https://partner.example", "site.example"),
        ("http://other.example:8080", "site.example"),
    ],
)
def test_36_our_own_and_allowed_origins_pass(logged_in, origin, host):
    """The same host, or one that `allowed_origins` names."""
    app, cookies = logged_in
    dialogue = websocket(app, "/user", cookies=cookies, host=host, headers=[("Origin", origin)])
    assert dialogue.sent == ["alice"]


def test_36_no_origin_passes(logged_in):
    """Clients that are no browsers send none."""
    app, cookies = logged_in
    assert websocket(app, "/user", cookies=cookies).sent == ["alice"]


def test_36_without_our_cookie_any_origin_passes(logged_in):
    """There is no session to steal."""
    app, _ = logged_in
    headers = [("Origin", "https://evil.example"), ("Cookie", "other=1")]
    assert websocket(app, "/chat", headers=headers).sent == ["chat"]


def test_36_the_cookie_is_found_in_any_cookie_header(logged_in):
    """Split cookie headers are no way around."""
    app, cookies = logged_in
    headers = [
        ("Origin", "https://evil.example"),
        ("Cookie", "a=1"),
        ("Cookie", f"session_id={cookies['session_id']}"),
    ]
    assert not websocket(app, "/user", headers=headers).accepted


class Within(App):
    """An application below another one."""

    async def ws_user(self, ws, user):
        await ws.accept()
        await ws.send_text(user)


class HandOn(WebSocketMiddleware):
    """Hands every connection on to another application."""

    def __init__(self, app):
        self.app = app

    async def before_websocket(self, request):
        request._subapp = self.app


PARTNER = [("Origin", "https://partner.example")]


@pytest.mark.parametrize("way", ["branch", "hook"])
def test_36_an_origin_that_the_outer_application_allows_passes_the_inner_one(way):
    """The session is the outer application's, and so is the word on who gets it."""

    class Outer(Sockets):
        inner = Within()

    app = Outer(allowed_origins=["https://partner.example"])
    cookies = http(app, path="/put/user/alice").cookies
    if way == "hook":
        app.ws_middlewares.append(HandOn(Within()))
    path = "/inner/user" if way == "branch" else "/user"
    assert websocket(app, path, cookies=cookies, headers=PARTNER).sent == ["alice"]
    assert not websocket(app, path, cookies=cookies, headers=[("Origin", "https://evil.example")]).accepted


def test_36_the_inner_application_may_allow_fewer():
    """Origins that it names itself are its own condition."""

    class Outer(Sockets):
        inner = Within(allowed_origins=["https://other.example"])

    app = Outer(allowed_origins=["https://partner.example", "https://other.example"])
    cookies = http(app, path="/put/user/alice").cookies
    assert not websocket(app, "/inner/user", cookies=cookies, headers=PARTNER).accepted
    assert websocket(app, "/inner/user", cookies=cookies, headers=[("Origin", "https://other.example")]).accepted


def test_36_an_application_without_origins_leaves_the_inner_one_its_own():
    """What the outer one refuses never gets there; what it lets in without a cookie of ours does."""

    class Outer(Sockets):
        inner = Within(allowed_origins=["https://partner.example"])

    app = Outer()
    cookies = http(app, path="/put/user/alice").cookies
    assert not websocket(app, "/inner/user", cookies=cookies, headers=PARTNER).accepted
    assert websocket(app, "/inner/user", query="user=bob", headers=PARTNER).sent == ["bob"]


# 37. Sessions.


def test_37_session_id_is_the_cookies():
    """`ws.session_id` is the id of the cookie."""
    app = Sockets()
    cookies = http(app, path="/put/user/alice").cookies
    assert websocket(app, "/id", cookies=cookies).sent == [cookies["session_id"]]


def test_37_session_id_is_fresh_without_a_cookie():
    """Another one each time."""
    app = Sockets()
    ids = {str(websocket(app, "/id").sent[0]) for _ in range(5)}
    assert len(ids) == 5
    assert min(map(len, ids)) >= 22


def test_37_an_unknown_cookie_is_not_the_session_id():
    """A planted id is not adopted."""
    assert websocket(Sockets(), "/id", cookies={"session_id": "planted"}).sent != ["planted"]


def test_37_accept_sets_the_cookie():
    """`accept(session_id=…)` sets it, with the attributes of HTTP's."""
    dialogue = websocket(Sockets(), "/put/user/alice")
    assert dialogue.accept is not None
    (name, value), *rest = dialogue.accept["headers"]
    assert (name, rest) == (b"set-cookie", [])
    assert value.decode().partition("; ")[2] == "Path=/; SameSite=Lax; HttpOnly; Secure"


def test_37_accept_without_session_id_sets_no_cookie():
    """Only when asked."""
    dialogue = websocket(Sockets(), "/chat")
    assert dialogue.accept is not None
    assert dialogue.accept["headers"] == []


class Filling(App):
    """Sockets that fill their session, before or after the accept."""

    async def ws_before(self, ws):
        self.request.session["seen"] = True
        await ws.accept()

    async def ws_rotated(self, ws):
        self.request.session["seen"] = True
        self.request.session.rotate()
        await ws.accept()

    async def ws_after(self, ws):
        await ws.accept()
        self.request.session["seen"] = True

    async def ws_rotated_after(self, ws):
        await ws.accept()
        self.request.session.rotate()

    async def look(self):
        return dict(self.request.session)

    async def put(self):
        self.request.session["user"] = "alice"


@pytest.mark.parametrize("path", ["/before", "/rotated"])
@pytest.mark.parametrize("known", [False, True])
def test_37_what_was_filled_before_the_accept_reaches_the_visitor(path, known):
    """The accept sets the cookie by itself, unless the visitor has it."""
    app = Filling()
    cookies = dict(http(app, path="/put").cookies) if known else {}
    dialogue = websocket(app, path, cookies=cookies)
    assert dialogue.accept is not None
    session_id = set_id(dialogue) if dialogue.accept["headers"] else cookies["session_id"]
    assert bool(dialogue.accept["headers"]) is (not known or path == "/rotated")
    user = {"user": "alice"} if known else {}
    assert http(app, path="/look", cookies={"session_id": session_id}).json() == {**user, "seen": True}
    assert len(configuration(app).session_backend.sessions) == 1  # type: ignore[attr-defined]


@pytest.mark.parametrize("path", ["/after", "/rotated_after"])
def test_37_what_cannot_reach_the_visitor_is_not_stored(path, caplog):
    """A session without a cookie that leads to it would only fill the store; a line in the log says so."""
    app = Filling()
    known = path == "/rotated_after"
    cookies = dict(http(app, path="/put").cookies) if known else {}
    websocket(app, path, cookies=cookies)
    assert configuration(app).session_backend.sessions == {}  # type: ignore[attr-defined]
    [record] = caplog.records
    assert record.getMessage().startswith("A WebSocket's session is not stored, since no cookie leads to it: fill or")


def test_37_the_cookies_secure_follows_the_rules_of_http():
    """Left out on loopback, for development."""
    dialogue = websocket(Sockets(), "/put/a/1", host="localhost:8000", client=("127.0.0.1", 5))
    assert dialogue.accept is not None
    assert b"Secure" not in dialogue.accept["headers"][0][1]


def set_id(dialogue):
    return dialogue.accept["headers"][0][1].decode().partition(";")[0].partition("=")[2]


def test_37_the_session_is_saved_after_the_handler():
    """HTTP requests with that cookie see it."""
    app = Sockets()
    session_id = set_id(websocket(app, "/put/user/alice"))
    assert http(app, path="/look", cookies={"session_id": session_id}).json() == {"user": "alice"}


def test_37_a_known_session_keeps_its_id():
    """The cookie's session is changed in place."""
    backend = InMemorySessionBackend()
    app = Sockets(backend)
    cookies = http(app, path="/put/user/alice").cookies
    assert set_id(websocket(app, "/put/a/1", cookies=cookies)) == cookies["session_id"]
    assert backend.sessions == {cookies["session_id"]: {"user": "alice", "a": "1"}}


def test_37_an_id_of_the_handlers_own():
    """`accept(session_id=…)` may give another one, under which the session is saved."""
    backend = InMemorySessionBackend()
    dialogue = websocket(Sockets(backend), "/other_id/my-own-session-id")
    assert set_id(dialogue) == "my-own-session-id"
    assert backend.sessions == {"my-own-session-id": {"moved": True}}


def test_37_an_id_that_would_split_the_header_is_refused():
    """A session id from outside cannot add headers."""
    dialogue = websocket(Sockets(), "/other_id/a%0D%0ASet-Cookie%3A%20x%3D1")
    assert b"\r" not in str(dialogue.messages).encode()


def test_37_the_session_is_saved_when_the_client_leaves():
    """A handler that ends by ConnectionClosed has done its work."""

    class Leaving(Sockets):
        async def ws_leaving(self, ws):
            self.request.session["seen"] = True
            await ws.accept(session_id=ws.session_id)
            await ws.receive_text()

    app = Leaving()
    session_id = set_id(websocket(app, "/leaving"))
    assert http(app, path="/look", cookies={"session_id": session_id}).json() == {"seen": True}


def test_37_after_an_exception_the_session_is_not_saved():
    """As for HTTP."""

    class Failing(Sockets):
        async def ws_failing(self, ws):
            self.request.session["seen"] = True
            await ws.accept(session_id=ws.session_id)
            raise RuntimeError

    backend = InMemorySessionBackend()
    websocket(Failing(backend), "/failing")
    assert backend.sessions == {}


async def breaks(ws):
    raise RuntimeError


async def closes(ws):
    await ws.close(1011, "broken")


@pytest.mark.parametrize("act", [breaks, closes])
@pytest.mark.parametrize("accepted", [True, False])
@pytest.mark.parametrize("where", ["here", "branch", "mount", "hook"])
def test_37_what_closes_with_1011_does_not_save_its_session(where, accepted, act):
    """In an application below another one as well, and whoever closes."""

    class Failing(App):
        async def ws_failing(self, ws):
            self.request.session["seen"] = True
            if accepted:
                await ws.accept()
            await act(ws)

    class Outer(App):
        branch = Failing()
        mount = Mount(Failing())

    backend = InMemorySessionBackend()
    backend.sessions["known"] = {"user": "alice"}
    app = Failing(backend) if where == "here" else Outer(backend)
    if where == "hook":
        app.ws_middlewares.append(HandOn(Failing()))
    path = f"/{where}/failing" if where in ("branch", "mount") else "/failing"
    dialogue = websocket(app, path, cookies={"session_id": "known"})
    assert dialogue.close is not None
    assert (dialogue.accepted, dialogue.close[0]) == (accepted, 1011)
    assert backend.sessions == {"known": {"user": "alice"}}


@pytest.mark.parametrize("where", ["branch", "hook"])
def test_37_what_closes_otherwise_saves_the_outer_session(where):
    """An application below shares the session, and a close of its own is no failure."""

    class Closing(App):
        async def ws_closing(self, ws):
            self.request.session["seen"] = True
            await ws.accept()
            await ws.close(4000)

    class Outer(App):
        branch = Closing()

    backend = InMemorySessionBackend()
    backend.sessions["known"] = {"user": "alice"}
    app = Outer(backend)
    if where == "hook":
        app.ws_middlewares.append(HandOn(Closing()))
    path = "/branch/closing" if where == "branch" else "/closing"
    assert websocket(app, path, cookies={"session_id": "known"}).close == (4000, "")
    assert backend.sessions == {"known": {"user": "alice", "seen": True}}


def test_37_after_a_hook_that_failed_the_session_is_not_saved():
    """It closes with 1011 as well."""

    class Failing(WebSocketMiddleware):
        async def after_websocket(self, request):
            raise RuntimeError

    backend = InMemorySessionBackend()
    app = Sockets(backend)
    app.ws_middlewares.append(Failing())
    websocket(app, "/put/a/1")
    assert backend.sessions == {}


def test_37_the_clients_own_1011_is_no_failure():
    """What the client closes with is about the client."""

    class Leaving(Sockets):
        async def ws_leaving(self, ws):
            self.request.session["seen"] = True
            await ws.accept(session_id=ws.session_id)
            await ws.receive_text()

    backend = InMemorySessionBackend()
    websocket(Leaving(backend), "/leaving", send=[{"type": "websocket.disconnect", "code": 1011}])
    assert list(backend.sessions.values()) == [{"seen": True}]


def test_37_an_untouched_session_is_not_stored():
    """Connecting alone stores nothing."""
    backend = InMemorySessionBackend()
    websocket(Sockets(backend), "/chat")
    assert backend.sessions == {}


@pytest.mark.parametrize("where", ["load", "save"])
def test_33_a_backend_that_raises_closes_with_1011(where, caplog):
    """Nothing hangs, nothing leaks."""

    class Broken(InMemorySessionBackend):
        async def load(self, session_id):
            if where == "load":
                raise ConnectionError("secret")
            return {"user": "alice"}

        async def save(self, session_id, data, timeout):
            raise ConnectionError("secret")

    dialogue = websocket(Sockets(Broken()), "/put/a/1", cookies={"session_id": "known"})
    assert dialogue.close is not None
    assert dialogue.close[0] == 1011
    assert "secret" not in str(dialogue.messages)
    assert len(errors(caplog)) == 1
