"""An in-process ASGI server for the tests: it drives an app and refuses every illegal answer.

The sequence of messages is checked when the call is over, whatever the app did with an error in between, so a
framework that swallows exceptions cannot hide a violation. Nothing here imports micropie.
"""

import asyncio
import json as jsonlib
import re
from collections import deque
from collections.abc import (
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Coroutine,
    Iterable,
    Mapping,
    MutableMapping,
    Sequence,
)
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar
from urllib.parse import quote, unquote, urlencode
from weakref import WeakKeyDictionary, WeakSet

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[dict[str, Any], Receive, Send], Awaitable[Any]]
HeaderPairs = Iterable[tuple[str | bytes, str | bytes]]
Body = bytes | Iterable[bytes] | AsyncIterable[bytes]

UNSET: Final[Any] = object()
"""`json=UNSET`: no JSON body; `None` is one."""

TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9a-z]+")
"""A header name as ASGI wants it: a token (RFC 9110 §5.6.2) in lower case."""

MAX_REASON_BYTES = 123
"""A close frame has 125 bytes, two of them the code (RFC 6455 §5.5)."""

UNSENDABLE_CODES = {1004, 1005, 1006, 1015}
"""Close codes that never go over the wire (RFC 6455 §7.4.1)."""

TURNS_TO_END = 5
"""Turns of the loop that a task gets to end which its owner has cancelled."""

T = TypeVar("T")


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
    def complete(self) -> bool:
        """Whether the reply has its final body message."""
        return self.started and ends_reply(self.messages[-1])

    @property
    def status(self) -> int:
        """The status code."""
        return int(self._start["status"])

    @property
    def headers(self) -> list[tuple[str, str]]:
        """The header pairs in the order sent."""
        pairs = self._start.get("headers", ())
        return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in pairs]

    def header(self, name: str) -> str | None:
        """Give the only value of a header; that it stands twice is an error."""
        values = self.header_all(name)
        assert len(values) <= 1, f"header {name!r} stands {len(values)} times: {values!r}"
        return values[0] if values else None

    def header_all(self, name: str) -> list[str]:
        """Give all values of a header, in order."""
        return [value for key, value in self.headers if key == name.lower()]

    @property
    def cookies(self) -> dict[str, str]:
        """The cookies set, without their attributes."""
        pairs = (line.partition(";")[0].partition("=") for line in self.header_all("set-cookie"))
        return {name.strip(): value.strip() for name, _, value in pairs}

    @property
    def chunks(self) -> list[bytes]:
        """The body of each body message, empty ones too."""
        return [message.get("body", b"") for message in self.messages if message["type"] == "http.response.body"]

    @property
    def body(self) -> bytes:
        """The whole body."""
        return b"".join(self.chunks)

    @property
    def text(self) -> str:
        """The whole body, as UTF-8."""
        return self.body.decode()

    def json(self) -> Any:
        """The body's JSON value."""
        return jsonlib.loads(self.body)

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


def http(
    app: App,
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
    return run(
        ahttp(
            app,
            method,
            path,
            query=query,
            headers=headers,
            body=body,
            json=json,
            form=form,
            cookies=cookies,
            host=host,
            client=client,
            disconnect=disconnect,
            leave_after=leave_after,
            send_fails=send_fails,
            timeout=timeout,
            scope=scope,
            raises=raises,
        ),
    )


async def ahttp(
    app: App,
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
    """Do what `http` does, inside a running loop."""
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
    wire = HttpWire(body, disconnect=disconnect, leave_after=leave_after, send_fails=send_fails)
    async with wire.feeding():
        error = await call(app, full_scope, wire.receive, wire.send, timeout, raises)
    may_stop_early = disconnect or leave_after is not None or raises is not None
    check_http(wire.messages, full_scope, unfinished=may_stop_early)
    return Answer(wire.messages, error)


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
        DRIVERS.add(feeder)
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


def websocket(
    app: App,
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
    return run(
        awebsocket(
            app,
            path,
            query=query,
            headers=headers,
            cookies=cookies,
            host=host,
            client=client,
            subprotocols=subprotocols,
            send=send,
            timeout=timeout,
            scope=scope,
            raises=raises,
        ),
    )


async def awebsocket(
    app: App,
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
    """Do what `websocket` does, inside a running loop."""
    full_scope = {
        **base_scope("websocket", path, query, header_pairs(headers, host, cookies), client),
        "scheme": "ws",
        "subprotocols": list(subprotocols),
        **(scope or {}),
    }
    wire = WebSocketWire(send)
    error = await call(app, full_scope, wire.receive, wire.send, timeout, raises)
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


def lifespan(
    app: App,
    state: dict[str, Any] | None = None,
    *,
    timeout: float = 10,
    raises: type[BaseException] | None = None,
) -> list[str]:
    """Start the app up and shut it down; give the types of the messages that it sent."""
    return [message["type"] for message in lifespan_messages(app, state, timeout=timeout, raises=raises)]


def lifespan_messages(
    app: App,
    state: dict[str, Any] | None = None,
    *,
    timeout: float = 10,
    raises: type[BaseException] | None = None,
) -> list[Message]:
    """Do what `lifespan` does and give the whole messages."""
    return run(alifespan_messages(app, state, timeout=timeout, raises=raises))


async def alifespan_messages(
    app: App,
    state: dict[str, Any] | None = None,
    *,
    timeout: float = 10,
    raises: type[BaseException] | None = None,
) -> list[Message]:
    """Do what `lifespan_messages` does, inside a running loop."""
    wire = LifespanWire()
    wire.shut_down()
    await call(app, lifespan_scope(state), wire.receive, wire.send, timeout, raises)
    check_lifespan(wire.messages, unfinished=raises is not None)
    return wire.messages


@asynccontextmanager
async def running(app: App, state: dict[str, Any] | None = None, *, timeout: float = 10) -> AsyncIterator[None]:
    """Keep the app started inside the block: startup and shutdown must both succeed."""
    wire = LifespanWire()
    task = asyncio.create_task(call(app, lifespan_scope(state), wire.receive, wire.send, None, None))
    DRIVERS.add(task)
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
        check_lifespan(wire.messages)
        assert wire.messages[-1]["type"] == "lifespan.shutdown.complete", wire.messages
    finally:
        task.cancel()
        await asyncio.wait({task})


class LifespanWire:
    """The server's end of the lifespan protocol."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.started = asyncio.Event()
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
        return {"type": event}

    async def send(self, message: MutableMapping[str, Any]) -> None:
        self.messages.append(snapshot(message))
        self.started.set()


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


# The call, and what it must not leave behind.


@dataclass
class Watch:
    """The calls that run on a loop at the same time, and the tasks that were there before the first of them."""

    before: set[asyncio.Task[Any]]
    calls: int = 0


WATCHES: WeakKeyDictionary[asyncio.AbstractEventLoop, Watch] = WeakKeyDictionary()

DRIVERS: WeakSet[asyncio.Task[Any]] = WeakSet()
"""Tasks that run a driver or belong to it: never the app's leavings."""


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run it in a new loop; what the loop complains of (a lost exception, say) is a failure."""
    complaints: list[dict[str, Any]] = []

    async def main() -> T:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
        return await coroutine

    result = asyncio.run(main())
    assert not complaints, f"the event loop complains: {complaints!r}"
    return result


async def call(
    app: App,
    scope: dict[str, Any],
    receive: Receive,
    send: Send,
    limit: float | None,
    raises: type[BaseException] | None,
) -> BaseException | None:
    """Call the app, and check that it ends in time, raises what it should, and leaves no task behind.

    Of calls that run at the same time the last to end checks the tasks of all.
    """
    loop, driver = asyncio.get_running_loop(), asyncio.current_task()
    assert driver is not None
    DRIVERS.add(driver)
    watch = WATCHES.setdefault(loop, Watch(asyncio.all_tasks()))
    watch.calls += 1
    try:
        error = await outcome(app(scope, receive, send), limit, raises)
    finally:
        watch.calls -= 1
        if not watch.calls:
            del WATCHES[loop]
    if not watch.calls:
        await check_tasks(watch.before)
    return error


async def outcome(
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


async def check_tasks(before: set[asyncio.Task[Any]]) -> None:
    """Check that no task is left: at once, and after the turns that cancelled tasks and finalisers need."""
    left = [task for task in leavings(before) if not task.cancelling()]
    for _ in range(TURNS_TO_END):
        await asyncio.sleep(0)
    left.extend(leavings(before).difference(left))
    assert not left, f"the app left tasks behind: {left!r}"


def leavings(before: set[asyncio.Task[Any]]) -> set[asyncio.Task[Any]]:
    """Give the tasks that are neither older than the call nor the driver's."""
    return {task for task in asyncio.all_tasks() if task not in before and task not in DRIVERS}


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
    """Check the messages of one reply: a start, then bodies, the last one final."""
    if unfinished and not messages:
        return
    assert messages, "the app sent no reply"
    start, *bodies = messages
    assert start.get("type") == "http.response.start", f"a reply starts with http.response.start, not {start!r}"
    check_status(start)
    check_headers(start.get("headers", ()))
    for message in bodies:
        check_body(message, scope)
    for message in bodies[:-1]:
        assert not ends_reply(message), f"messages after the final one: {messages!r}"
    finished = bool(bodies) and ends_reply(bodies[-1])
    assert finished or unfinished, f"the reply has no final body message: {messages!r}"
    check_length(start, bodies, scope, finished=finished)


def check_status(start: Message) -> None:
    """Check that the status is a number of three digits that HTTP knows."""
    status = start.get("status")
    assert type(status) is int, f"the status is no int: {status!r}"
    assert 100 <= status <= 599, f"the status is out of range: {status!r}"


def check_headers(pairs: Iterable[Any]) -> None:
    """Check that headers are pairs of bytes: a lower-case token, and a value that cannot split the header."""
    for pair in pairs:
        assert len(pair) == 2, f"a header is a pair, not {pair!r}"
        name, value = pair
        assert isinstance(name, bytes), f"a header name is bytes, not {name!r}"
        assert isinstance(value, bytes), f"a header value is bytes, not {value!r}"
        assert TOKEN.fullmatch(name), f"a header name is a token in lower case, not {name!r}"
        assert not set(value) & set(b"\r\n\0"), f"a header value has no CR, LF or NUL: {name!r}: {value!r}"


def check_body(message: Message, scope: Mapping[str, Any]) -> None:
    """Check one message after the start; types beyond the protocol need the server's extension."""
    kind = message.get("type")
    if kind != "http.response.body":
        assert kind in scope.get("extensions", ()), f"not a legal message here: {message!r}"
        return
    assert isinstance(message.get("body", b""), bytes), f"a body is bytes, not {message!r}"
    assert isinstance(message.get("more_body", False), bool), f"more_body is a bool, not {message!r}"


def check_length(start: Message, bodies: list[Message], scope: Mapping[str, Any], *, finished: bool) -> None:
    """Check content-length against the bytes sent, and that replies without a body have none."""
    lengths = [value for name, value in start.get("headers", ()) if name == b"content-length"]
    assert len(lengths) <= 1, f"more than one content-length: {lengths!r}"
    sent = sum(len(message.get("body", b"")) for message in bodies)
    bodiless = start["status"] in {204, 304} or start["status"] < 200
    if scope["method"] == "HEAD" or bodiless:
        assert not sent, f"a body of {sent} bytes where none may be: {scope['method']} {start['status']}"
        # RFC 9110 §8.6: 204 has no content-length at all; for HEAD and 304 it speaks of the reply to a GET.
        assert not (lengths and bodiless and start["status"] != 304), f"content-length with status {start['status']}"
    elif lengths and all(message["type"] == "http.response.body" for message in bodies):
        assert re.fullmatch(rb"[0-9]+", lengths[0]), f"content-length is no number: {lengths[0]!r}"
        promised = int(lengths[0])
        assert sent <= promised if not finished else sent == promised, f"{promised} bytes promised, {sent} sent"


def check_websocket(messages: list[Message], scope: Mapping[str, Any], *, unfinished: bool = False) -> None:
    """Check the app's side of a dialogue: accept, sends, close; or a refusal before accept.

    `unfinished`: the client left, or the app raised, so that nothing needs to be closed.
    """
    if messages and messages[0].get("type") == "websocket.http.response.start":
        check_denial(messages, scope)
        return
    state = "connecting"
    for message in messages:
        steps = WEBSOCKET_STEPS[state]
        assert message.get("type") in steps, f"not legal while {state}: {message!r} in {messages!r}"
        WEBSOCKET_CHECKS[message["type"]](message)
        state = steps[message["type"]]
    assert state == "closed" or unfinished, f"the app ended and left the socket {state}: {messages!r}"


def check_denial(messages: list[Message], scope: Mapping[str, Any]) -> None:
    """Check a refusal by an HTTP reply, which only servers with the extension take."""
    assert "websocket.http.response" in scope.get("extensions", ()), "the server has no websocket.http.response"
    plain = [{**message, "type": message["type"].removeprefix("websocket.")} for message in messages]
    check_http(plain, {"method": "GET"})


def check_accept(message: Message) -> None:
    """Check an accept: the subprotocol goes in its key, never in the headers."""
    assert isinstance(message.get("subprotocol"), str | None), f"a subprotocol is a str: {message!r}"
    headers = message.get("headers", ())
    check_headers(headers)
    assert all(name != b"sec-websocket-protocol" for name, _ in headers), f"subprotocol as a header: {message!r}"


def check_send(message: Message) -> None:
    """Check a data message: text or bytes, exactly one of them."""
    text, data = message.get("text"), message.get("bytes")
    assert (text is None) != (data is None), f"exactly one of text and bytes: {message!r}"
    assert isinstance(text, str | None), f"text is a str: {message!r}"
    assert isinstance(data, bytes | None), f"bytes are bytes: {message!r}"


def check_close(message: Message) -> None:
    """Check a close: a code that may be sent, and a reason that fits in the frame."""
    code, reason = message.get("code", 1000), message.get("reason")
    assert type(code) is int, f"a close code is an int: {message!r}"
    assert 1000 <= code <= 4999, f"a close code is between 1000 and 4999: {message!r}"
    assert code not in UNSENDABLE_CODES, f"a close code that cannot be sent: {message!r}"
    assert isinstance(reason, str | None), f"a reason is a str: {message!r}"
    assert len((reason or "").encode()) <= MAX_REASON_BYTES, f"a reason has at most 123 bytes: {message!r}"


WEBSOCKET_STEPS: Mapping[str, Mapping[str, str]] = {
    "connecting": {"websocket.accept": "open", "websocket.close": "closed"},
    "open": {"websocket.send": "open", "websocket.close": "closed"},
    "closed": {},
}
"""State of the socket, type of the message, next state."""

WEBSOCKET_CHECKS: Mapping[str, Callable[[Message], None]] = {
    "websocket.accept": check_accept,
    "websocket.send": check_send,
    "websocket.close": check_close,
}


def check_lifespan(messages: list[Message], *, unfinished: bool = False) -> None:
    """Check that each event has one answer, and that a failed startup is the end."""
    kinds = [message.get("type") for message in messages]
    assert kinds in LEGAL_LIFESPANS or (unfinished and kinds in ([], LEGAL_LIFESPANS[1][:1])), (
        f"not a legal lifespan: {messages!r}"
    )
    for message in messages:
        assert isinstance(message.get("message", ""), str), f"a message is a str: {message!r}"


LEGAL_LIFESPANS: Sequence[list[Any]] = (
    ["lifespan.startup.failed"],
    ["lifespan.startup.complete", "lifespan.shutdown.complete"],
    ["lifespan.startup.complete", "lifespan.shutdown.failed"],
)
