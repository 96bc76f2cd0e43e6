"""The ends of the ASGI protocol, for tests that look at it itself: what is sent when, who leaves when, odd scopes.

The rules are those of `micropie.testing`. They are applied when the call is over, whatever the app did with an error
in between, so that an app that swallows exceptions cannot hide a violation.
"""

import asyncio
import json as jsonlib
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Iterable, Mapping, MutableMapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote, unquote, urlencode

from micropie.testing.asgi_rules import HttpRules, LifespanRules, WebSocketRules
from micropie.testing.asgi_types import ASGIApp
from micropie.testing.response import Headers
from tests.client import run, watching

Message = dict[str, Any]
HeaderPairs = Iterable[tuple[str | bytes, str | bytes]]
Body = bytes | Iterable[bytes] | AsyncIterable[bytes]

UNSET: Final[Any] = object()
"""`json=UNSET`: no JSON body; `None` is one."""


# What the app answered.


@dataclass
class Answer:
    """A checked reply to an HTTP request."""

    messages: list[Message]
    error: BaseException | None = None

    @property
    def started(self) -> bool:
        """Whether the reply began at all."""
        return bool(self.messages)

    @property
    def is_complete(self) -> bool:
        """Whether the reply has its final body message."""
        return self.started and ends_reply(self.messages[-1])

    @property
    def status_code(self) -> int:
        """The status."""
        return int(self._start["status"])

    @property
    def headers(self) -> Headers:
        """The header fields."""
        return Headers(list(self._start.get("headers", ())))

    @property
    def cookies(self) -> dict[str, str]:
        """The cookies set, without their attributes."""
        pairs = (line.partition(";")[0].partition("=") for line in self.headers.get_list("set-cookie"))
        return {name.strip(): value.strip() for name, _, value in pairs}

    @property
    def chunks(self) -> list[bytes]:
        """The body of each body message, empty ones too."""
        return [message.get("body", b"") for message in self.messages if message["type"] == "http.response.body"]

    @property
    def content(self) -> bytes:
        """The whole body."""
        return b"".join(self.chunks)

    @property
    def text(self) -> str:
        """The whole body, as UTF-8."""
        return self.content.decode()

    def json(self) -> Any:
        """The body's JSON value."""
        return jsonlib.loads(self.content)

    @property
    def _start(self) -> Message:
        assert self.started, "the app sent no reply"
        return self.messages[0]


@dataclass
class Dialogue:
    """What an app sent over a WebSocket, checked."""

    messages: list[Message]
    error: BaseException | None = None
    sent: list[str | bytes] = field(init=False)

    def __post_init__(self) -> None:
        self.sent = [payload(message) for message in self._of("websocket.send")]

    @property
    def accept(self) -> Message | None:
        """The accept message, if there was one."""
        found = self._of("websocket.accept")
        return found[0] if found else None

    @property
    def accepted(self) -> bool:
        """Whether the handshake was accepted."""
        return self.accept is not None

    @property
    def close(self) -> tuple[int, str] | None:
        """Code and reason of the app's own close, if it closed."""
        found = self._of("websocket.close")
        return (found[0].get("code", 1000), found[0].get("reason") or "") if found else None

    def _of(self, kind: str) -> list[Message]:
        return [message for message in self.messages if message["type"] == kind]


# HTTP.


def wire(app: ASGIApp, method: str = "GET", path: str = "/", **options: Any) -> Answer:
    """What `awire` does, in a loop of its own."""
    return run(awire(app, method, path, **options))


async def awire(
    app: ASGIApp,
    method: str = "GET",
    path: str = "/",
    *,
    query: str | bytes = "",
    headers: HeaderPairs = (),
    body: Body = b"",
    json: Any = UNSET,
    form: Mapping[str, Any] | Sequence[tuple[str, Any]] | None = None,
    cookies: Mapping[str, str] | None = None,
    host: str | None = "testserver",
    client: tuple[str, int] | None = ("203.0.113.7", 4711),
    disconnect: bool = False,
    leave_after: int | None = None,
    send_fails: bool = False,
    timeout: float = 10,
    scope: Mapping[str, Any] | None = None,
    raises: type[BaseException] | None = None,
) -> Answer:
    """Send one request and give the reply; any illegal step of the app is an AssertionError.

    `path` is percent-encoded as on the wire. A list body comes as one message a part; other iterables likewise,
    lazily, and without a content-length. `disconnect`: the client leaves mid-body, after the parts given.
    `leave_after`: it leaves when it has that many body messages of the reply. Then, and with `raises`, the reply may
    be unfinished. `send_fails`: once the client has left, `send` raises OSError (ASGI 2.4) instead of doing
    nothing (2.3). `scope` overrides entries of the scope; `raises` is the exception that must escape the app.
    """
    content_type, body = encode_body(body, json, form)
    pairs = header_pairs(headers, host, cookies)
    add_body_headers(pairs, method, content_type, body, complete=not disconnect)
    full_scope = {
        **base_scope("http", path, query, pairs, client),
        # From 2.4 on a server says by an OSError that the client has left; before, such sends do nothing.
        "asgi": {"version": "3.0", "spec_version": "2.4" if send_fails else "2.3"},
        "method": method.upper(),
        "scheme": "http",
        **(scope or {}),
    }
    ends = HttpWire(body, disconnect=disconnect, leave_after=leave_after, send_fails=send_fails)
    async with watching(), ends.feeding():
        error = await call(app(full_scope, ends.receive, ends.send), timeout, raises)
    may_stop_early = disconnect or leave_after is not None or raises is not None
    check_http(ends.messages, full_scope, unfinished=may_stop_early)
    return Answer(ends.messages, error)


class HttpWire:
    """The client's end of one HTTP request."""

    def __init__(self, body: Body, *, disconnect: bool, leave_after: int | None, send_fails: bool) -> None:
        self.messages: list[Message] = []
        self._body = body
        self._disconnect = disconnect
        self._leave_after = leave_after
        self._send_fails = send_fails
        self._incoming: asyncio.Queue[Message] = asyncio.Queue(maxsize=1)
        self._parts = None if isinstance(body, AsyncIterable) else iter_parts(body)
        self._over = asyncio.Event()
        self._given = 0
        if leave_after == 0:
            self._over.set()

    @asynccontextmanager
    async def feeding(self) -> AsyncIterator[None]:
        """Run an async body in a task of its own, so that a cancelled `receive` loses nothing of it."""
        if not isinstance(self._body, AsyncIterable):
            yield
            return
        feeder = asyncio.create_task(self._feed(self._body))
        try:
            yield
        finally:
            feeder.cancel()
            with suppress(asyncio.CancelledError):
                await feeder

    async def receive(self) -> Message:
        if self._over.is_set():
            return {"type": "http.disconnect"}
        if self._parts is None:
            return await self._next_fed()
        if self._given:
            await asyncio.sleep(0)  # the parts come from a network: each in a later turn of the loop
        for part, more in self._parts:
            self._given += 1
            return {"type": "http.request", "body": part, "more_body": more or self._disconnect}
        return await self._leave()

    async def send(self, message: MutableMapping[str, Any]) -> None:
        if self._over.is_set() and self._send_fails and not self._complete():
            raise OSError("the client has left")
        self.messages.append(snapshot(message))
        bodies = sum(sent["type"] == "http.response.body" for sent in self.messages)
        if self._complete() or (self._leave_after is not None and bodies >= self._leave_after):
            self._over.set()

    def _complete(self) -> bool:
        return bool(self.messages) and ends_reply(self.messages[-1])

    async def _leave(self) -> Message:
        if self._disconnect:
            self._over.set()
        await self._over.wait()
        return {"type": "http.disconnect"}

    async def _feed(self, body: AsyncIterable[bytes]) -> None:
        async for part in body:
            await self._incoming.put({"type": "http.request", "body": part, "more_body": True})
        if not self._disconnect:
            await self._incoming.put({"type": "http.request", "body": b"", "more_body": False})
        await self._incoming.put({"type": "http.disconnect"})

    async def _next_fed(self) -> Message:
        message = await self._incoming.get()
        return await self._leave() if message["type"] == "http.disconnect" else message


def iter_parts(body: bytes | Iterable[bytes]) -> Iterable[tuple[bytes, bool]]:
    """Yield each part with whether another one follows; an empty body is one empty part."""
    if isinstance(body, bytes):
        yield body, False
        return
    parts = iter(body)
    part = next(parts, b"")
    for following in parts:
        yield part, True
        part = following
    yield part, False


def encode_body(
    body: Body,
    json: Any,
    form: Mapping[str, Any] | Sequence[tuple[str, Any]] | None,
) -> tuple[bytes | None, Body]:
    """Give the content type, if a shorthand decides it, and the body."""
    if json is not UNSET:
        return b"application/json", jsonlib.dumps(json).encode()
    if form is not None:
        return b"application/x-www-form-urlencoded", urlencode(form, doseq=True).encode()
    return None, body


def add_body_headers(
    pairs: list[tuple[bytes, bytes]],
    method: str,
    content_type: bytes | None,
    body: Body,
    *,
    complete: bool,
) -> None:
    """Describe the body as a client would, where the test did not."""
    names = {name for name, _ in pairs}
    if content_type is not None and b"content-type" not in names:
        pairs.append((b"content-type", content_type))
    if {b"content-length", b"transfer-encoding"} & names:
        return
    if not complete or not isinstance(body, (bytes, list, tuple)):
        pairs.append((b"transfer-encoding", b"chunked"))
        return
    length = len(body) if isinstance(body, bytes) else sum(map(len, body))
    if length or method.upper() in {"POST", "PUT", "PATCH"}:
        pairs.append((b"content-length", b"%d" % length))


# WebSocket.


def websocket(app: ASGIApp, path: str = "/", **options: Any) -> Dialogue:
    """What `awebsocket` does, in a loop of its own."""
    return run(awebsocket(app, path, **options))


async def awebsocket(
    app: ASGIApp,
    path: str = "/",
    *,
    query: str | bytes = "",
    headers: HeaderPairs = (),
    cookies: Mapping[str, str] | None = None,
    host: str | None = "testserver",
    client: tuple[str, int] | None = ("203.0.113.7", 4711),
    subprotocols: Iterable[str] = (),
    send: Iterable[str | bytes | Message] = (),
    timeout: float = 10,
    scope: Mapping[str, Any] | None = None,
    raises: type[BaseException] | None = None,
) -> Dialogue:
    """Hold one WebSocket dialogue: connect, the messages of `send`, disconnect with code 1000.

    In `send` a str is a text message, bytes a binary one, a dict goes as it is. Data waits until the app has
    accepted. Once the app has received the disconnect, its sends raise OSError, as ASGI 2.4 asks of servers.
    """
    full_scope = {
        **base_scope("websocket", path, query, header_pairs(headers, host, cookies), client),
        "scheme": "ws",
        "subprotocols": list(subprotocols),
        **(scope or {}),
    }
    wire = WebSocketWire(send)
    async with watching():
        error = await call(app(full_scope, wire.receive, wire.send), timeout, raises)
    check_websocket(wire.messages, full_scope, unfinished=wire.left or raises is not None)
    return Dialogue(wire.messages, error)


class WebSocketWire:
    """The client's end of one WebSocket."""

    def __init__(self, messages: Iterable[str | bytes | Message]) -> None:
        self.messages: list[Message] = []
        self._incoming: deque[Message] = deque([{"type": "websocket.connect"}, *map(incoming, messages)])
        self._decided = asyncio.Event()
        self._disconnect: Message | None = None

    @property
    def left(self) -> bool:
        """Whether the app knows that the client is gone."""
        return self._disconnect is not None

    async def receive(self) -> Message:
        if self._incoming and self._incoming[0]["type"] == "websocket.receive":
            await self._decided.wait()
        if self._disconnect is None:
            self._disconnect = self._closed_by_app()
        if self._disconnect is not None:
            return self._disconnect
        message = self._incoming.popleft() if self._incoming else {"type": "websocket.disconnect", "code": 1000}
        if message["type"] == "websocket.disconnect":
            self._disconnect = message
        return message

    async def send(self, message: MutableMapping[str, Any]) -> None:
        if self._disconnect is not None:
            raise OSError("the client has left")
        self.messages.append(snapshot(message))
        self._decided.set()

    def _closed_by_app(self) -> Message | None:
        for message in self.messages:
            if message.get("type") == "websocket.close":
                return {"type": "websocket.disconnect", "code": message.get("code", 1000)}
        return None


def incoming(message: str | bytes | Message) -> Message:
    """Give the event that delivers a message."""
    if isinstance(message, str):
        return {"type": "websocket.receive", "text": message}
    if isinstance(message, bytes):
        return {"type": "websocket.receive", "bytes": message}
    return message


def payload(message: Message) -> str | bytes:
    """Give what a `websocket.send` carries."""
    text: str | None = message.get("text")
    data: bytes = message.get("bytes") or b""
    return data if text is None else text


# Lifespan.


def lifespan(app: ASGIApp, state: dict[str, Any] | None = None, **options: Any) -> list[str]:
    """Start the app up and shut it down; give the types of the messages that it sent."""
    return [message["type"] for message in lifespan_messages(app, state, **options)]


def lifespan_messages(app: ASGIApp, state: dict[str, Any] | None = None, **options: Any) -> list[Message]:
    """Do what `lifespan` does and give the whole messages."""
    return run(alifespan_messages(app, state, **options))


async def alifespan_messages(
    app: ASGIApp,
    state: dict[str, Any] | None = None,
    *,
    timeout: float = 10,
    raises: type[BaseException] | None = None,
) -> list[Message]:
    """Do what `lifespan_messages` does, inside a running loop."""
    ends = LifespanWire()
    ends.shut_down()
    async with watching():
        await call(app(lifespan_scope(state), ends.receive, ends.send), timeout, raises)
    ends.check_end(unfinished=raises is not None)
    return ends.messages


@asynccontextmanager
async def running(app: ASGIApp, state: dict[str, Any] | None = None, *, timeout: float = 10) -> AsyncIterator[None]:
    """Keep the app started inside the block: startup and shutdown must both succeed."""
    wire = LifespanWire()
    task = asyncio.create_task(call(app(lifespan_scope(state), wire.receive, wire.send), None, None))
    task.add_done_callback(lambda _: wire.started.set())
    try:
        async with asyncio.timeout(timeout):
            await wire.started.wait()
        if task.done():
            task.result()
        assert [message["type"] for message in wire.messages] == ["lifespan.startup.complete"], wire.messages
        yield
        wire.shut_down()
        async with asyncio.timeout(timeout):
            await task
        wire.check_end()
        assert wire.messages[-1]["type"] == "lifespan.shutdown.complete", wire.messages
    finally:
        task.cancel()
        await asyncio.wait({task})


class LifespanWire:
    """The server's end of the lifespan protocol."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.started = asyncio.Event()
        self._rules = LifespanRules()
        self._violations: list[AssertionError] = []
        self._ending = asyncio.Event()
        self._events = iter(("lifespan.startup", "lifespan.shutdown"))

    def shut_down(self) -> None:
        """Let the shutdown event out, once startup is answered."""
        self._ending.set()

    async def receive(self) -> Message:
        event = next(self._events, None)
        assert event is not None, "the app waits for an event after lifespan.shutdown"
        if event == "lifespan.shutdown":
            assert self.messages, "the app asked for another event before it answered lifespan.startup"
            await self._ending.wait()
        self._rules.asked = event
        return {"type": event}

    async def send(self, message: MutableMapping[str, Any]) -> None:
        self.messages.append(snapshot(message))
        self.started.set()
        try:
            self._rules.check(message)
        except AssertionError as violation:
            self._violations.append(violation)

    def check_end(self, *, unfinished: bool = False) -> None:
        """Check that all was legal, and that each event has its answer."""
        assert not self._violations, self._violations
        assert unfinished or not self._rules.asked, f"the app did not answer {self._rules.asked}: {self.messages!r}"


def lifespan_scope(state: dict[str, Any] | None) -> dict[str, Any]:
    """Give the scope; a server without lifespan state leaves the key out."""
    scope: dict[str, Any] = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}}
    return scope if state is None else {**scope, "state": state}


# Scopes.


def base_scope(
    kind: str,
    path: str,
    query: str | bytes,
    headers: list[tuple[bytes, bytes]],
    client: tuple[str, int] | None,
) -> dict[str, Any]:
    """Give what HTTP and WebSocket scopes have in common."""
    assert "?" not in path, f"give the query by `query=`, not in the path {path!r}"
    raw_path = quote(path, safe=ASCII).encode()
    return {
        "type": kind,
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "path": unquote(raw_path.decode()),
        "raw_path": raw_path,
        "query_string": query.encode() if isinstance(query, str) else query,
        "root_path": "",
        "headers": headers,
        "client": client,
        "server": ("testserver", 80),
    }


ASCII = "".join(map(chr, range(128)))


def header_pairs(
    headers: HeaderPairs,
    host: str | None,
    cookies: Mapping[str, str] | None,
) -> list[tuple[bytes, bytes]]:
    """Give the request's headers as a server passes them on: bytes, names in lower case."""
    pairs = [(as_bytes(name).lower(), as_bytes(value)) for name, value in headers]
    if host is not None and all(name != b"host" for name, _ in pairs):
        pairs.insert(0, (b"host", as_bytes(host)))
    if cookies:
        pairs.append((b"cookie", as_bytes("; ".join(f"{name}={value}" for name, value in cookies.items()))))
    return pairs


def as_bytes(text: str | bytes) -> bytes:
    """Encode as headers are decoded."""
    return text.encode("latin-1") if isinstance(text, str) else text


# The call.


async def call(
    called: Awaitable[Any],
    limit: float | None,
    raises: type[BaseException] | None,
) -> BaseException | None:
    """Give the exception that was expected; any other, and its absence, is a failure."""
    try:
        async with asyncio.timeout(limit) as clock:
            await called
    except BaseException as error:
        if clock.expired():
            raise AssertionError(f"the app did not end within {limit} s") from error
        if raises is not None and isinstance(error, raises):
            return error
        if isinstance(error, Exception):  # a cancellation from outside is the caller's own
            raise AssertionError(f"an exception escaped the app: {error!r}") from error  # noqa: TRY004  nothing of a wrong type
        raise
    assert raises is None, f"the app did not raise {raises!r}"
    return None


# What is legal.


def snapshot(message: MutableMapping[str, Any]) -> Message:
    """Copy a message as it is now: what the app does with its lists later changes nothing."""
    copied = dict(message)
    if "headers" in copied:
        copied["headers"] = [tuple(pair) for pair in copied["headers"]]
    return copied


def ends_reply(message: Message) -> bool:
    """Tell whether a message is the last one of a reply."""
    is_body = message.get("type") == "http.response.body" and not message.get("more_body", False)
    return is_body or message.get("type") == "http.response.pathsend"


def check_http(messages: list[Message], scope: Mapping[str, Any], *, unfinished: bool = False) -> None:
    """Check the messages of one reply."""
    rules = HttpRules(scope["method"])
    for message in messages:
        rules.check(message)
    if not unfinished:
        rules.check_end()


def check_websocket(messages: list[Message], scope: Mapping[str, Any], *, unfinished: bool = False) -> None:
    """Check the app's side of a dialogue. `unfinished`: nothing needs to be closed, since the client left, say."""
    rules = WebSocketRules(list(scope.get("subprotocols") or ()))
    for message in messages:
        rules.check(message)
    if not unfinished:
        rules.check_end()
