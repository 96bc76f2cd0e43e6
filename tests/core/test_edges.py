"""Edges of the protocol that few servers and clients show: odd awaitables, plain hooks, late failures."""

import asyncio
import contextvars
import gc
import logging
import sys
import time
import weakref
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from typing import Any

import pytest

from micropie import (
    App,
    ConnectionClosed,
    HTTPError,
    HttpMiddleware,
    Request,
    WebSocket,
    WebSocketMiddleware,
    current_request,
)
from tests.client import http
from tests.wire import lifespan, websocket, wire


def scope(**changes: Any) -> dict[str, Any]:
    """A minimal HTTP scope."""
    return {"type": "http", "method": "GET", "path": "/", "headers": [], **changes}


class Pending:
    """An awaitable as Granian's: its iterator has a `__next__`, and nothing else."""

    class Steps:
        """Waits for a future that nobody fulfils."""

        def __init__(self) -> None:
            self.future = asyncio.get_running_loop().create_future()
            self.future._asyncio_future_blocking = True

        def __next__(self):
            return self.future

    def __await__(self):
        return self.Steps()


def run_post(receive: Any, **limits: Any) -> list[dict[str, Any]]:
    """What an app sends for a POST whose body comes from `receive`."""

    class Echo(App):
        async def index(self):
            return self.request.body

    sent: list[dict[str, Any]] = []

    async def send(message):
        sent.append(message)

    asyncio.run(Echo(**limits)(scope(method="POST"), receive, send))
    return sent


def test_a_receive_that_is_no_coroutine_can_time_out():
    """Any awaitable will do, even one that can't be thrown into."""
    assert [m.get("status") for m in run_post(Pending, body_timeout=0.05)] == [408, None]


def test_a_receive_that_outlives_its_cancellation_is_heard():
    """A message that comes as the time is up still counts."""

    async def receive():
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            return {"type": "http.request", "body": b"late"}

    assert run_post(receive, body_timeout=0.05)[1]["body"] == b"late"


def test_closing_the_application_closes_its_stream():
    """A server that drops the coroutine of a request ends its generator too."""
    ended = []

    class Stream(App):
        async def index(self):
            try:
                yield "first"
                await asyncio.sleep(60)
            finally:
                ended.append(True)

    async def main():
        async def receive():
            await asyncio.sleep(60)

        async def send(message):
            pass

        serving = Stream()(scope(), receive, send)
        serving.send(None)
        serving.close()

    asyncio.run(main())
    assert ended == [True]


def test_a_header_may_be_any_text():
    """What ISO 8859-1 can't say goes out as UTF-8."""

    class Euro(App):
        async def index(self):
            return 200, "", [("X-Price", "5 €"), ("X-Name", "José")]

    headers = dict(wire(Euro()).messages[0]["headers"])
    assert (headers[b"x-price"], headers[b"x-name"]) == ("5 €".encode(), "José".encode("latin-1"))


def test_a_startup_handler_may_be_a_builtin():
    """A callable without a signature is called without arguments."""
    app = App()
    app.startup_handlers.append(dict)
    assert lifespan(app) == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


class Nothing(HttpMiddleware):
    """Looks on."""


def test_a_handlers_own_json_type_stands_once_behind_hooks():
    """Hooks see the handler's Content-Type, and no second one."""

    class Problem(App):
        async def index(self):
            return 400, {"title": "no"}, [("Content-Type", "application/problem+json")]

    app = Problem()
    app.middlewares.append(Nothing())
    assert http(app).headers.get_list("content-type") == ["application/problem+json"]


def test_sending_that_breaks_after_the_start_is_the_servers_to_see():
    """An override that fails midway leaves the reply unfinished."""

    class Broken(App):
        async def index(self):
            return "whole"

        async def _send_response(self, send, status_code, body, extra_headers=None):
            await send({"type": "http.response.start", "status": status_code, "headers": []})
            raise RuntimeError("midway")

    assert not wire(Broken(), raises=RuntimeError).is_complete


def test_a_sub_application_that_breaks_after_the_start_is_the_servers_to_see():
    """The parent can't take back what was sent."""

    async def broken(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise RuntimeError("midway")

    class Mount(HttpMiddleware):
        async def before_request(self, request):
            request._subapp = broken

    app = App()
    app.middlewares.append(Mount())
    assert not wire(app, raises=RuntimeError).is_complete


def test_an_application_can_send_outside_of_a_request():
    """`_send_response` by itself streams, too, with nobody to listen for."""

    async def chunks() -> AsyncIterator[str]:
        yield "a"
        await asyncio.sleep(0.01)
        yield "b"

    sent = []

    async def send(message):
        sent.append(message)

    asyncio.run(App()._send_response(send, 200, chunks()))
    assert b"".join(m.get("body", b"") for m in sent) == b"ab"


async def silence() -> dict[str, Any]:
    """Receive nothing, for longer than any test."""
    await asyncio.sleep(60)
    raise AssertionError


class PlainHooks(WebSocketMiddleware):
    """Hooks that are no coroutines."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def before_websocket(self, request):
        self.seen.append("before")

    def after_websocket(self, request):
        self.seen.append("after")


def test_websocket_hooks_and_handlers_may_be_plain():
    """A handler without `async` may refuse by doing nothing; plain hooks run around it."""

    class Refusing(App):
        def ws_index(self, ws):
            self._asked = True

    app, hooks = Refusing(), PlainHooks()
    app.ws_middlewares.append(hooks)
    assert (websocket(app).close, hooks.seen, app._asked) == ((1000, ""), ["before", "after"], True)


def test_a_websocket_may_rotate_its_session():
    """The new id is one that the old one does not lead to."""

    class Rotating(App):
        async def index(self):
            self.request.session["user"] = "ann"
            return ""

        async def ws_index(self, ws):
            self.request.session.rotate()
            await ws.accept()

    app = Rotating()
    cookies = http(app).cookies
    websocket(app, cookies=cookies)
    sessions = app._micropie.sessions.backend.sessions  # type: ignore[attr-defined]
    assert cookies["session_id"] not in sessions
    assert list(sessions.values()) == [{"user": "ann"}]


def test_a_sub_application_hears_the_client_leave():
    """What the other application receives of a WebSocket is all that there is; nothing is sent after the close."""
    heard = []

    async def other(scope, receive, send):
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] != "websocket.disconnect":
            heard.append(message["type"])

    class Mount(WebSocketMiddleware):
        async def before_websocket(self, request):
            request._subapp = other

    app = App()
    app.ws_middlewares.append(Mount())
    dialogue = websocket(app, send=["hello"])
    assert (heard, dialogue.close) == (["websocket.connect", "websocket.receive"], None)


def connecting() -> Any:
    """A server's `receive` that has the handshake and then nothing more."""
    events = iter([{"type": "websocket.connect"}])

    async def receive() -> Any:
        return next(events, None) or await silence()

    return receive


@pytest.mark.parametrize("method", ["accept", "send_text", "send_bytes"])
def test_a_peer_that_is_gone_is_a_closed_connection(method):
    """A server that says so by an OSError makes it a ConnectionClosed, then and later."""

    events = iter([{"type": "websocket.connect"}])

    async def receive() -> dict[str, Any]:
        return next(events)  # and no more is asked for

    async def send(message: Any) -> None:
        if message["type"] != "websocket.accept" or method == "accept":
            raise ConnectionResetError

    async def main() -> None:
        ws = WebSocket(receive, send)
        if method != "accept":
            await ws.accept()
        arguments: Iterator[Any] = iter([] if method == "accept" else ["x" if method == "send_text" else b"x"])
        with pytest.raises(ConnectionClosed):
            await getattr(ws, method)(*arguments)
        with pytest.raises(ConnectionClosed):
            await ws.receive_text()

    asyncio.run(main())


def test_closing_a_connection_whose_peer_is_gone_is_silent():
    """There is nobody left to close it for."""

    async def send(message: Any) -> None:
        if message["type"] == "websocket.close":
            raise ConnectionResetError

    async def main() -> bool:
        ws = WebSocket(connecting(), send)
        await ws.accept()
        await ws.close()
        return ws.closed

    assert asyncio.run(main())


def test_a_close_that_the_server_refuses_leaves_the_connection_open():
    """Daphne, for one, sends only some of the codes: then another close is still possible."""
    sent = []

    async def send(message: Any) -> None:
        if message.get("code") == 1008:
            raise ValueError("invalid close code 1008")
        sent.append(message.get("code"))

    async def main() -> None:
        ws = WebSocket(connecting(), send)
        await ws.accept()
        with pytest.raises(ValueError, match="1008"):
            await ws.close(1008)
        await ws.close(1000)

    asyncio.run(main())
    assert sent == [None, 1000]


def refusing_codes(*refused: int) -> tuple[Any, list[Any]]:
    """A server's `send` that knows only some close codes, as Daphne's does, and the codes that it took."""
    sent: list[Any] = []

    async def send(message: Any) -> None:
        if message.get("code") in refused:
            raise ValueError("invalid close code")
        if message["type"] == "websocket.close":
            sent.append(message["code"])

    return send, sent


class Closing(App):
    """A socket that is closed in each of the ways that are ours."""

    async def ws_wrong(self, ws):
        await ws.accept()
        await ws.receive_bytes()

    async def ws_broken(self, ws):
        await ws.accept()
        await ws.receive_json()

    async def ws_refused(self, ws):
        await ws.accept()
        raise HTTPError(403)

    async def ws_fails(self, ws):
        await ws.accept()
        raise RuntimeError


async def closed_with(path: str, send: Any) -> None:
    """Serve a socket whose client sends one text."""
    events = iter([{"type": "websocket.connect"}, {"type": "websocket.receive", "text": "{"}])

    async def receive() -> Any:
        return next(events)

    await Closing()({"type": "websocket", "path": path, "headers": []}, receive, send)


@pytest.mark.parametrize(("path", "code"), [("/wrong", 4003), ("/broken", 4007), ("/refused", 4008)])
def test_a_server_that_refuses_our_close_code_gets_a_private_one(path, code):
    """The peer learns why all the same, and the server's log stays quiet."""
    send, sent = refusing_codes(1003, 1007, 1008, 1011)
    asyncio.run(closed_with(path, send))
    assert sent == [code]


def test_a_server_that_refuses_1011_is_told_by_an_exception():
    """It closes with that by itself then, which no application can."""
    send, sent = refusing_codes(1011)
    with pytest.raises(ValueError, match="invalid close code"):
        asyncio.run(closed_with("/fails", send))
    assert sent == []


def test_a_request_without_a_server_receives_nothing():
    """`Request(scope)` by itself is enough for everything but a body."""
    assert Request(scope(query_string=b"a=1")).query("a") == "1"
    assert Request.headers.__doc__ == "The header fields by lower-case name; repeated ones are joined."


def test_an_unknown_lifespan_event_is_passed_over():
    """What a later version of the protocol may send is no reason to fail."""
    events = iter(["lifespan.startup", "lifespan.reload", "lifespan.shutdown"])
    sent = []

    async def receive():
        return {"type": next(events)}

    async def send(message):
        sent.append(message["type"])

    asyncio.run(App()({"type": "lifespan"}, receive, send))
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


@pytest.mark.parametrize("moment", ["before", "during"])
def test_an_iterator_that_can_not_be_closed_is_logged(moment, caplog):
    """The client leaves; what closing raises in the worker thread reaches the log, and nobody else."""

    class Stuck:
        """An endless iterator whose end is a failure."""

        def __iter__(self):
            return self

        def __next__(self):
            time.sleep(0.01)
            return "x"

        def close(self):
            raise RuntimeError("stuck")

    class Stream(App):
        async def index(self):
            return Stuck()

    wire(Stream(), leave_after=0 if moment == "before" else 2)
    deadline = time.monotonic() + 10
    while not caplog.records and time.monotonic() < deadline:
        time.sleep(0.01)
    assert [record.getMessage() for record in caplog.records] == ["A stream's iterator could not be closed"]


@pytest.mark.parametrize(
    ("path", "subapp_path", "raw"),
    [
        ("/api/a%2Fb", "/a/b", b"/a%2Fb"),
        ("/api/a%2Fb/c", "a/b/c", b"/a%2Fb/c"),
        ("/x", "/a/x", b"/a/x"),
        ("/x", "/é", b"/%C3%A9"),
    ],
)
def test_a_sub_application_gets_a_raw_path_that_says_the_same(path, subapp_path, raw):
    """The tail of the client's own where it fits, with its `%2F`; else the new path, encoded."""
    scopes = []

    async def other(scope, receive, send):
        scopes.append(scope)
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    class Mount(HttpMiddleware):
        async def before_request(self, request):
            request._subapp, request._subapp_path = other, subapp_path

    app = App()
    app.middlewares.append(Mount())
    assert http(app, path=path).status_code == 204
    assert (scopes[0]["path"], scopes[0]["raw_path"]) == ("/" + subapp_path.removeprefix("/"), raw)


def test_what_a_server_keeps_of_the_context_keeps_no_request():
    """A server's timer for an idle connection, started with the reply, holds the context of that moment."""
    kept: list[contextvars.Context] = []
    requests: list[weakref.ref[Request]] = []

    class Site(App):
        async def index(self):
            requests.append(weakref.ref(self.request))
            return "x"

    async def server(scope, receive, send):
        async def keeping(message):
            kept.append(contextvars.copy_context())
            await send(message)

        await Site()(scope, receive, keeping)

    assert http(server, path="/").text == "x"
    gc.collect()
    assert [request() for request in requests] == [None]
    assert all(current_request not in context for context in kept)


class Opened:
    @classmethod
    async def __provide__(cls, request: Request) -> AsyncIterator["Opened"]:
        yield cls()


class Failing(App):
    def __init__(self, kind):
        super().__init__()
        self.kind = kind

    async def index(self):
        if self.kind == "json":
            return {"a": {1}}
        return self._sync() if self.kind == "sync" else self._async()

    async def provided(self, opened: Opened):
        return await self.index()

    async def _async(self):
        if self.kind == "late":
            await asyncio.sleep(0.15)
        yield "x"
        raise SystemExit if self.kind == "exit" else ArithmeticError

    def _sync(self):
        yield "x"
        raise ArithmeticError


@pytest.mark.parametrize("path", ["/", "/provided"])
@pytest.mark.parametrize("kind", ["async", "late", "sync", "exit", "json"])
def test_a_failure_leaves_nothing_to_the_garbage_collector(kind, path):
    """Granian, for one, ends a stream when nobody holds it any more: no exception may be held by its own frames."""
    held: list[weakref.ref[Any]] = []

    class Sending:
        async def __call__(self, message: Any) -> None:
            if kind == "late":
                raise RuntimeError("the server has a bug")

    async def exchange() -> None:
        sending = Sending()
        held.append(weakref.ref(sending))
        with suppress(Exception):
            await app({**scope(), "path": path}, asyncio.Event().wait, sending)  # type: ignore[arg-type]

    app = Failing(kind)
    logging.getLogger("micropie").propagate = False  # to pytest, which keeps all records
    gc.disable()
    try:
        asyncio.run(exchange())
        deadline = time.monotonic() + 10
        while held[0]() is not None and time.monotonic() < deadline:  # a thread may have to end first
            time.sleep(0.005)
        assert held[0]() is None
    finally:
        gc.enable()
        logging.getLogger("micropie").propagate = True


def test_an_exit_in_a_websocket_handler_closes_the_socket(caplog):
    """It is a failure like others: the server goes on."""

    class Site(App):
        async def ws_index(self, ws):
            await ws.accept()
            sys.exit("over")

    assert websocket(Site()).close == (1011, "Internal server error")
    assert "SystemExit: over" in caplog.text


def test_a_stream_that_is_left_is_closed_before_the_request_ends():
    """By us, not by the garbage collector: somebody may still hold it."""
    closed: list[bool] = []

    async def chunks():
        try:
            while True:
                yield "x"
        finally:
            closed.append(True)

    kept = chunks()

    class Site(App):
        async def index(self):
            return kept

    async def exchange():
        sent: list[Any] = []

        async def receive():
            await asyncio.Event().wait()
            raise AssertionError

        async def send(message):
            sent.append(message)
            if len(sent) > 2:
                raise OSError("the client has left")

        await Site()(scope(), receive, send)
        return list(closed)

    assert asyncio.run(exchange()) == [True]
