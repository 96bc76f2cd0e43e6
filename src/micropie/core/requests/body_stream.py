"""The bytes of a body as they arrive: at most so many, and not too slowly.

The clock runs only while we wait for the client.
"""

import asyncio
import math
import types
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Generator
from typing import Any

from micropie.core.basics.errors import ClientGone, HTTPError
from micropie.core.basics.headers import content_length
from micropie.core.basics.types import Message, Receive
from micropie.core.requests.request import Request

MIN_RATE = 500  # bytes a second; slower than any network, faster than an attack that wants to last
TICK = 0.1  # seconds between two looks at the bodies that are waited for
BREATHE = 64  # messages; a server that always has one at hand still lets others run
TOO_SLOW = "Failed to receive body"


class MinimumRate:
    """The time that a client has left to keep `MIN_RATE` over any `window` seconds of waiting.

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


class BodyStream:
    """The bytes of a body as they arrive: at most `limit` of them, and not too slow."""

    is_over = False
    _rate: MinimumRate | None = None
    _received = 0
    _in_a_row = 0  # messages on which nobody had to wait

    def __init__(self, receive: Receive, announced: int | None, limit: int | None, timeout: float | None) -> None:
        self._receive = receive
        self._announced = announced
        self._limit = limit
        self._timeout = timeout

    async def whole(self, message: Message) -> bytes:
        """All of it, of which this is the first message. `HTTPError` 400, 408 or 413, `ClientGone`."""
        first = self._bytes_of(message)
        if self.is_over:  # PERF: as most are, and need neither a generator nor a copy, 0.5 µs
            return bytes(first)
        body = bytearray(first)  # not a list: a client may send its bytes one by one
        async for chunk in self.chunks():
            body += chunk
        return bytes(body)

    async def chunks(self) -> AsyncIterator[bytes]:
        """Chunk by chunk. `HTTPError` 400, 408 or 413, `ClientGone`."""
        while not self.is_over:
            if chunk := self._bytes_of(await self._message()):
                yield chunk

    async def _message(self) -> Message:
        # PERF: an awaitable that is already done, as Uvicorn's for a small body, needs no clock; 5 µs.
        messages: list[Message] = []
        steps = receiving(self._receive, messages)
        if (future := next(steps, IS_THERE)) is not IS_THERE:
            self._in_a_row = 0
            return await self.waited_for(messages, steps, future)
        message = messages[0]
        if self._rate is not None:
            self._rate.waited(0, len(message.get("body") or b""))
        self._in_a_row += 1
        if self._in_a_row == BREATHE:
            await self._breathe()
        return message

    def _bytes_of(self, message: Message) -> bytes:
        if message["type"] == "http.disconnect":
            raise ClientGone
        chunk: bytes = message.get("body") or b""
        self._received += len(chunk)
        if self._limit is not None and self._received > self._limit:
            raise HTTPError(413)
        # PERF: Granian has another, empty message behind the last byte; waiting for it takes 5 µs.
        self.is_over = not message.get("more_body") or self._received == self._announced
        if self.is_over and self._announced is not None and self._received < self._announced:
            raise HTTPError(400, "Incomplete body")  # some servers call it whole (RFC 9112 §8)
        return chunk

    async def waited_for(self, messages: list[Message], steps: Any, future: Any) -> Message:
        """The message of `receiving`, whose first step gave a future. `HTTPError` 408 if it takes too long."""
        if self._timeout is None:
            await _finish_awaiting(steps, PendingReceive(future, math.inf))
            return messages[0]
        loop = asyncio.get_running_loop()
        start = loop.time()
        wait = PendingReceive(future, start + (self._timeout if self._rate is None else self._rate.remaining()))
        waits = _timed_waits(loop)
        waits.add(wait)
        try:
            await _finish_awaiting(steps, wait)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if not wait.over or (task and task.cancelling()):
                raise
            raise HTTPError(408, TOO_SLOW) from None
        finally:
            waits.discard(wait)
        message = messages[0]
        if message.get("more_body"):  # else nothing is left to measure
            self._waited(loop.time() - start, len(message.get("body") or b""))
        return message

    async def _breathe(self) -> None:
        """Let others run where a server never makes us wait; if nothing comes all the same, that is waiting too."""
        self._in_a_row = 0
        loop = asyncio.get_running_loop()
        start = loop.time()
        await asyncio.sleep(0)
        if self._timeout is not None and self._waited(loop.time() - start, 0) < 0:
            raise HTTPError(408, TOO_SLOW)

    def _waited(self, seconds: float, size: int) -> float:
        """After so many seconds so many bytes came; the seconds that are left."""
        if self._rate is None:
            self._rate = MinimumRate(self._timeout or 0)
        self._rate.waited(seconds, size)
        return self._rate.remaining()


def announced_size(request: Request, limit: int | None) -> int | None:
    """The size of the body, if the request says it. `HTTPError` 413 if that is over the limit."""
    field = request._header_bytes
    size = content_length(field(b"content-length", b""))
    if size is not None:
        if limit is not None and size > limit:
            raise HTTPError(413)
        if field(b"transfer-encoding", b""):  # that says where the body ends, not the length (RFC 9112 §6.3)
            return None
    return size


class PendingReceive:
    """One wait for a client: what is waited for now, and until when by the loop's clock."""

    __slots__ = ("deadline", "future", "over")

    def __init__(self, future: Any, deadline: float) -> None:
        self.future = future
        self.deadline = deadline
        self.over = False


_waits: dict[asyncio.AbstractEventLoop, set[PendingReceive]] = {}  # of each loop that is looking after them


def _timed_waits(loop: asyncio.AbstractEventLoop) -> set[PendingReceive]:
    """The waits that are cancelled when their time is over, or up to `TICK` later."""
    # PERF: one timer for all of them, which mostly runs already; 5 µs a body against `asyncio.timeout`.
    if loop not in _waits:
        for ended in [other for other in list(_waits) if other.is_closed()]:
            del _waits[ended]
        _waits[loop] = set()
        loop.call_later(TICK, _cancel_overdue, loop)
    return _waits[loop]


def _cancel_overdue(loop: asyncio.AbstractEventLoop) -> None:
    now = loop.time()
    for wait in [wait for wait in _waits[loop] if wait.deadline <= now and wait.future is not None]:
        wait.over = wait.future.cancel() or wait.over
    if _waits[loop]:
        loop.call_later(TICK, _cancel_overdue, loop)
    else:
        del _waits[loop]


IS_THERE = object()  # in place of what would have to be waited for


@types.coroutine
def receiving(receive: Receive, messages: list[Message]) -> Generator[Any, Any, None]:
    """Append the next message, in steps."""
    # PERF: steps that end without a value raise nothing, 0.2 µs.
    message = receive()
    if type(message) is not types.CoroutineType:
        message = _in_coroutine(message)
    messages.append((yield from message))  # type: ignore[misc]


async def _in_coroutine(message: Awaitable[Message]) -> Message:
    """A coroutine round an awaitable of another kind: Granian's only has `__next__`."""
    return await message


@types.coroutine
def _finish_awaiting(steps: Any, wait: PendingReceive) -> Generator[Any, Any, None]:
    """Await the rest of the steps, of which the first gave `wait.future`."""
    try:
        while True:
            try:
                yield wait.future
            except BaseException as error:
                wait.future = steps.throw(error)
            else:
                wait.future = next(steps)
    except StopIteration:
        return
