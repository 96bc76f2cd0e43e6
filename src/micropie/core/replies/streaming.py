"""A streamed reply as ASGI messages, watched for the client's leaving.

Its start waits for the first chunk, though not for long: until then another reply can still say what went wrong.
"""

import asyncio
import contextlib
import types
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Generator
from typing import Any, TypeVar

from micropie.core.basics.types import Send
from micropie.core.replies.asgi import stream_start
from micropie.core.replies.reply import Reply

Whose = TypeVar("Whose")
_BREATHE = 64  # chunks; a stream that never waits still lets others run
_PATIENCE = 0.1  # seconds; whoever listens for events wants to know soon that somebody is there


class StreamStart:
    """The start of a streamed reply, to be sent once; `is_begun` tells whether something of it may be out."""

    # PERF: what most streams leave as it is stands on the class, 0.1 µs.
    is_begun = False
    _timer: asyncio.TimerHandle | None = None
    _sending: asyncio.Task[None] | None = None
    _error: Exception | None = None

    def __init__(self, send: Send, reply: Reply) -> None:
        self._send = send
        self._reply = reply

    async def send(self) -> None:
        """Send it now, or wait until it is sent. OSError if the client has left."""
        if not self.is_begun:
            self.is_begun = True
            await self._send(stream_start(self._reply))
        elif self._sending is not None:
            await self._sending
            if self._error is not None:
                raise self._error

    async def send_unheard(self) -> None:
        """Send it if it is not out, though the client has left: others may look at what is sent."""
        with contextlib.suppress(OSError):
            await self.send()

    def send_soon(self) -> None:
        """Send it when no chunk has come for a while."""
        self._timer = asyncio.get_running_loop().call_later(_PATIENCE, self._begin)

    def stop(self) -> None:
        """Wait no longer to send it."""
        for waiting in (self._timer, self._sending):
            if waiting is not None:
                waiting.cancel()

    def _begin(self) -> None:
        if not self.is_begun:
            self.is_begun = True
            self._sending = asyncio.get_running_loop().create_task(self._send_alone())

    async def _send_alone(self) -> None:
        try:
            await self._send(stream_start(self._reply))
        except Exception as error:  # which concerns those who wait for it
            self._error = error


def send_stream(
    start: StreamStart,
    send: Send,
    chunks: AsyncIterator[Any],
    until_gone: Callable[[Whose], Awaitable[None]],
    whose: Whose,
) -> Awaitable[None]:
    """Send the chunks as they come, and stop when `until_gone(whose)` returns. The stream is closed in any case.

    A stream that raises leaves the reply unfinished, so that the client can't take it for whole; if it has not begun
    yet, nothing is sent.
    """
    watch = _Watch(until_gone, whose)
    return _watched(_pump(start, send, chunks, watch), watch, start)


class _Watch:
    """Whether the client has left; when it does, what the stream is waiting for is cancelled.

    `is_steady` as long as there is nothing to do but to send chunks.
    """

    __slots__ = ("_until_gone", "_whose", "cancelled", "future", "gone", "is_steady")

    def __init__(self, until_gone: Callable[[Whose], Awaitable[None]], whose: Whose) -> None:
        self._until_gone: Callable[[Any], Awaitable[None]] = until_gone
        self._whose = whose
        self.future: Any = None
        self.gone = self.cancelled = self.is_steady = False

    async def run(self) -> None:
        await self._until_gone(self._whose)
        self.gone = True
        self.is_steady = False
        self.interrupt()

    def interrupt(self) -> None:
        if self.gone and not self.cancelled and self.future is not None:
            self.cancelled = bool(self.future.cancel())


async def _pump(start: StreamStart, send: Send, chunks: AsyncIterator[Any], watch: _Watch) -> None:
    in_a_row, is_exhausted = 0, False
    try:
        async for chunk in chunks:
            # PERF: the usual chunk is encoded in place, 0.05 µs.
            body = chunk.encode() if type(chunk) is str else _chunk_bytes(chunk)
            try:
                if not watch.is_steady:
                    if watch.gone:
                        return
                    await start.send()
                    watch.is_steady = not watch.gone
                await send({"type": "http.response.body", "body": body, "more_body": True})
            except OSError:  # ASGI 2.4: the client has left
                return
            in_a_row += 1
            if in_a_row == _BREATHE:
                in_a_row = 0
                await asyncio.sleep(0)
        is_exhausted = True
        try:
            if not watch.is_steady:
                await start.send()
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        except OSError:
            pass
    finally:
        if not is_exhausted:
            await _close(chunks)


def _chunk_bytes(chunk: Any) -> bytes:
    if isinstance(chunk, str):
        return chunk.encode()
    if isinstance(chunk, bytes | bytearray | memoryview):
        return bytes(chunk)
    raise TypeError(f"A stream's chunks are str or bytes, {chunk!r} is neither")


async def _close(chunks: Any) -> None:
    """Close an async generator; other iterators have nothing to close."""
    if (aclose := getattr(chunks, "aclose", None)) is not None:
        await aclose()


@types.coroutine
def _watched(pump: Coroutine[Any, Any, None], watch: _Watch, start: StreamStart) -> Generator[Any, Any, None]:
    """Run the pump in the current task; when the client leaves, cancel what it waits for.

    The future is cancelled, not the task: nothing is left to undo, and it works in tasks that aren't asyncio's.
    A cancellation from outside is told from ours, and goes on.
    """
    try:
        # PERF: no task before the pump has to wait; 3 µs for streams that never do.
        watch.future = pump.send(None)
    except StopIteration:
        return
    task = asyncio.current_task()
    cancellations = task.cancelling() if task else 0
    listener = asyncio.get_running_loop().create_task(watch.run())
    if not start.is_begun:
        start.send_soon()
    try:
        while True:
            try:
                yield watch.future
            except GeneratorExit:  # we are dropped
                # Not pump.close(): before Python 3.13 an async generator that waits would seem to be running still.
                with contextlib.suppress(asyncio.CancelledError, StopIteration):
                    pump.throw(asyncio.CancelledError())
                raise
            except BaseException as error:  # whatever it is, it is the pump's
                watch.future = pump.throw(error)
            else:
                watch.future = pump.send(None)
            watch.interrupt()
    except StopIteration:
        return
    except asyncio.CancelledError:
        if not watch.cancelled or (task and task.cancelling() > cancellations):
            raise
    finally:
        listener.cancel()
        start.stop()
