"""Reads a request's body within its limits: whole for JSON and forms, piece by piece for uploads.

The clock runs only while we wait for the client, so a handler that takes its time costs nobody a time-out.
What the client owes is a rate, not an end: a steady sender of any size is served.
"""

import asyncio
import types
from collections import deque
from collections.abc import AsyncIterator, Callable, Generator
from typing import Any, NamedTuple

from micropie.core.errors import ClientGone, HTTPError
from micropie.core.headers import content_length, is_json, media_type
from micropie.core.multipart import FormLimits, MultipartForm
from micropie.core.optional import loads
from micropie.core.request import Request, parse_query
from micropie.core.types import Message, Receive, Scope

BODY_METHODS = frozenset(("POST", "PUT", "PATCH"))
MIN_RATE = 500  # bytes a second; slower than any network, faster than an attack that wants to last
MAX_BOUNDARY = 200  # characters; RFC 2046 §5.1.1 allows 70, and looking for a long one is slow
MULTIPART = "multipart/form-data"
LARGE = 16 * 1024  # bytes of JSON or a form: it may take milliseconds to convert them
TICK = 0.1  # seconds between two looks at the bodies that are waited for


class Limits(NamedTuple):
    """How much of a body is taken, in bytes, and how long it may take, in seconds."""

    max_body_size: int
    max_form_field_size: int
    max_form_parts: int
    max_upload_size: int | None
    body_timeout: float

    @property
    def form(self) -> FormLimits:
        """The limits of a multipart form."""
        return FormLimits(self.max_form_parts, self.max_form_field_size, self.max_body_size, self.max_upload_size)

    @property
    def multipart_size(self) -> int | None:
        """The size of a whole multipart body: its files and everything else."""
        return None if self.max_upload_size is None else self.max_upload_size + self.max_body_size


class Rate:
    """Whether `MIN_RATE` is kept over any `window` seconds of waiting.

    The receipts of the last bytes that are needed are kept; when the oldest of them leaves the window, the rate
    is broken. There are never more of them than bytes needed.
    """

    def __init__(self, window: float) -> None:
        self._window = window
        self._needed = MIN_RATE * window
        self._clock = 0.0
        self._receipts: deque[tuple[float, float]] = deque([(0.0, self._needed)])  # a first window for free
        self._total = self._needed

    def remaining(self) -> float:
        """Seconds of waiting that are left."""
        return self._receipts[0][0] + self._window - self._clock

    def waited(self, seconds: float, size: int) -> None:
        """After so many seconds so many bytes came."""
        self._clock += seconds
        if not size:
            return
        self._receipts.append((self._clock, size))
        self._total += size
        while self._total - self._receipts[0][1] >= self._needed:
            self._total -= self._receipts.popleft()[1]


class Body:
    """The bytes of a body as they arrive: at most `limit` of them, and not too slow."""

    is_over = False
    _rate: Rate | None = None
    _received = 0

    def __init__(self, receive: Receive, announced: int | None, limit: int | None, timeout: float) -> None:
        self._receive = receive
        self._announced = announced
        self._limit = limit
        self._timeout = timeout

    async def whole(self, first: bytes) -> bytes:
        """All of it, the first chunk included. `HTTPError` 408 or 413, `ClientGone`."""
        body = bytearray(first)  # not a list: a client may send its bytes one by one
        async for chunk in self.chunks():
            body += chunk
        return bytes(body)

    async def chunks(self) -> AsyncIterator[bytes]:
        """Chunk by chunk. `HTTPError` 408 or 413, `ClientGone`."""
        while not self.is_over:
            if chunk := await self.chunk():
                yield chunk

    async def chunk(self) -> bytes:
        """The next bytes; mostly all there are. `HTTPError` 408 or 413, `ClientGone`."""
        # PERF: an awaitable that is already done, as Uvicorn's for a small body, needs no clock; 5 µs.
        steps = self._receive().__await__()
        try:
            future = next(steps)
        except StopIteration as done:
            message: Message = done.value
            if self._rate is not None:
                self._rate.waited(0, len(message.get("body") or b""))
        else:
            message = await self._in_time(steps, future)
        if message["type"] == "http.disconnect":
            raise ClientGone
        chunk: bytes = message.get("body") or b""
        self._received += len(chunk)
        if self._limit is not None and self._received > self._limit:
            raise HTTPError(413)
        # PERF: Granian has another, empty message behind the last byte; waiting for it takes 5 µs.
        self.is_over = not message.get("more_body") or self._received == self._announced
        return chunk

    async def _in_time(self, steps: Any, future: Any) -> Message:
        loop = asyncio.get_running_loop()
        start = loop.time()
        wait = Wait(future, start + (self._timeout if self._rate is None else self._rate.remaining()))
        waits = _waits_of(loop)
        waits.add(wait)
        try:
            message = await _resume(steps, wait)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if not wait.over or (task and task.cancelling()):
                raise
            raise HTTPError(408, "Failed to receive body") from None
        finally:
            waits.discard(wait)
        if message.get("more_body"):  # else nothing is left to measure
            if self._rate is None:
                self._rate = Rate(self._timeout)
            self._rate.waited(loop.time() - start, len(message.get("body") or b""))
        return message


class Wait:
    """One wait for a client: what is waited for now, and until when by the loop's clock."""

    __slots__ = ("deadline", "future", "over")

    def __init__(self, future: Any, deadline: float) -> None:
        self.future = future
        self.deadline = deadline
        self.over = False


_waits: dict[asyncio.AbstractEventLoop, set[Wait]] = {}  # of each loop that is looking after them


def _waits_of(loop: asyncio.AbstractEventLoop) -> set[Wait]:
    """The waits that are cancelled when their time is over, or up to `TICK` later."""
    # PERF: one timer for all of them, which mostly runs already; 5 µs a body against `asyncio.timeout`.
    if loop not in _waits:
        for ended in [other for other in list(_waits) if other.is_closed()]:
            del _waits[ended]
        _waits[loop] = set()
        loop.call_later(TICK, _look, loop)
    return _waits[loop]


def _look(loop: asyncio.AbstractEventLoop) -> None:
    now = loop.time()
    for wait in [wait for wait in _waits[loop] if wait.deadline <= now and wait.future is not None]:
        wait.over = wait.future.cancel() or wait.over
    if _waits[loop]:
        loop.call_later(TICK, _look, loop)
    else:
        del _waits[loop]


@types.coroutine
def _resume(steps: Any, wait: Wait) -> Generator[Any, Any, Message]:
    """Await the rest of an awaitable whose first step gave `wait.future`."""
    try:
        while True:
            try:
                yield wait.future
            except BaseException as error:
                if not isinstance(steps, Generator):  # Granian's awaitables only have __next__
                    raise
                wait.future = steps.throw(error)
            else:
                wait.future = next(steps)
    except StopIteration as done:
        return done.value  # type: ignore[no-any-return]


def has_body(request: Request) -> bool:
    """Whether there is a body to parse: other methods' bodies mean nothing (RFC 9110 §9.3.1)."""
    if request.method in BODY_METHODS:
        return True
    if request.method != "DELETE":
        return False
    return request._field(b"content-length", b"") not in (b"", b"0") or request._field(b"transfer-encoding", b"") != b""


async def take_body(request: Request, limits: Limits) -> None:
    """Read the body and parse it into the request: JSON, or a form.

    Of a multipart form only the boundary is taken: its handler reads along with it. What an outer application has read
    is left as it is.
    """
    if is_preset(request._outer):
        request.body_parsed = True
        return
    field = request._field
    kind, parameters = media_type(field(b"content-type", b""))
    if kind == MULTIPART:
        request._boundary, request._is_large = _boundary(parameters), True
        return
    body = _open(request._receive, field, limits.max_body_size, limits.body_timeout)
    raw = await body.chunk()
    request.body = raw = raw if body.is_over else await body.whole(raw)
    if len(raw) > LARGE:
        request._is_large = True
    if is_json(kind):
        try:
            request.get_json = loads(raw)
        except ValueError:
            raise HTTPError(400, "Bad JSON") from None
    else:
        request.body_params = _form(raw, limits)
    request.body_parsed = True


def is_preset(scope: Scope) -> bool:
    """Whether an outer application has left in the scope what it read of the body."""
    if "body_parsed" in scope:
        return bool(scope["body_parsed"])
    return "body_params" in scope or "get_json" in scope or "files" in scope


def _boundary(parameters: dict[str, str]) -> str:
    boundary = parameters.get("boundary")
    if not boundary:
        raise HTTPError(400, "Missing boundary")
    if len(boundary) > MAX_BOUNDARY:
        raise HTTPError(400, "Malformed multipart body")
    return boundary


class Upload:
    """A multipart form that a task of its own reads while the handler runs."""

    def __init__(self, request: Request, boundary: str, limits: Limits, *, blocking: bool) -> None:
        body = _open(request._receive, request._field, limits.multipart_size, limits.body_timeout)
        self.form = MultipartForm(limits.form, blocking=blocking)
        self._task = asyncio.create_task(self.form.read(body.chunks(), boundary))

    async def finished(self) -> bool:
        """Wait until all is read; whether the client is still there."""
        if not self._task.done():  # PERF: `wait` takes two rounds of the event loop even then, 20 µs
            await asyncio.wait([self._task])
        return not isinstance(self.form.error, ClientGone)

    async def discard(self) -> None:
        """Read the rest, within the limits, and keep nothing: a client that is still sending hears no answer."""
        self.form.discard()
        await self.finished()

    async def close(self) -> None:
        """Stop reading; what nobody has read is gone."""
        self.form.discard()
        self._task.cancel()
        await self.finished()


def _open(receive: Receive, field: Callable[[bytes, bytes], bytes], limit: int | None, timeout: float) -> Body:
    """The body, not read yet. `HTTPError` 413 if it says itself that it is too large."""
    size = content_length(field(b"content-length", b""))
    if size is not None:
        if limit is not None and size > limit:
            raise HTTPError(413)
        if field(b"transfer-encoding", b""):  # that says where the body ends, not the length (RFC 9112 §6.3)
            size = None
    return Body(receive, size, limit, timeout)


def _form(raw: bytes, limits: Limits) -> dict[str, list[str]]:
    if raw.count(b"&") >= limits.max_form_parts:
        raise HTTPError(413)
    fields = parse_query(raw.decode("utf-8", "replace")) if raw else {}
    if len(raw) > limits.max_form_field_size and _longest(fields) > limits.max_form_field_size:
        raise HTTPError(413)
    return fields


def _longest(fields: dict[str, list[str]]) -> int:
    return max((len(value.encode()) for values in fields.values() for value in values), default=0)
