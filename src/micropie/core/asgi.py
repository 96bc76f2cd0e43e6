"""The ASGI end: sends a `Reply`, whole or streamed.

A stream is watched for the client's leaving. The trick that keeps this cheap: the whole stream is stepped by
hand once, and only if it really has to wait does a second task begin to listen for the disconnect.
"""

import asyncio
import contextlib
import functools
import types
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Generator
from typing import Any

from micropie.core.errors import log
from micropie.core.headers import checked_headers, encode_value
from micropie.core.reply import BODYLESS, HTML, JSON, Reply
from micropie.core.types import HeaderPairs, RawHeaders, Send

# PERF: header tuples made once, and lengths remembered: 1.2 µs a reply.
_CONTENT_TYPES = {kind: (b"content-type", kind.encode()) for kind in (HTML, JSON)}
_BREATHE = 64  # chunks; a stream that never waits still lets others run


@functools.lru_cache(4096)
def _content_length(size: int) -> tuple[bytes, bytes]:
    return b"content-length", b"%d" % size


# -- headers ------------------------------------------------------------------------------------------


def whole_headers(reply: Reply, size: int, method: str) -> RawHeaders:
    """The headers of a reply with a body of `size` bytes; of none, where the status has none."""
    headers = checked_headers(reply.headers)
    if reply.status in BODYLESS:
        return _encode(_without_length(headers))
    # The answer to HEAD may announce what GET would bring; other lengths are ours to say.
    announced = _own_length(headers) if method == "HEAD" else []
    headers = _with_type(headers, reply.content_type)
    return [*_encode(_without_length(headers)), *(_encode(announced) or [_content_length(size)])]


def stream_headers(reply: Reply) -> RawHeaders:
    """The headers of a streamed reply: how it is framed is the server's business."""
    if not reply.headers:
        return [_CONTENT_TYPES[reply.content_type]]
    headers = checked_headers(reply.headers)
    return _encode([*_without_length(_with_type(headers, reply.content_type)), *_own_length(headers)])


def _own_length(headers: HeaderPairs) -> HeaderPairs:
    """The one content length that a handler announces; a second one, or no number, would split messages apart."""
    lengths = [header for header in headers if header[0] == "content-length"]
    numbers = [header for header in lengths if header[1].isascii() and header[1].isdigit()]
    if len(lengths) > len(numbers[:1]):
        log.error("Of the reply's content lengths %r only one number goes out", [value for _, value in lengths])
    return numbers[:1]


def _without_length(headers: HeaderPairs) -> HeaderPairs:
    return [header for header in headers if header[0] != "content-length"]


def _with_type(headers: HeaderPairs, content_type: str) -> HeaderPairs:
    """The headers with exactly one content type: their own last one, else ours."""
    own = [value for name, value in headers if name == "content-type"]
    others = [header for header in headers if header[0] != "content-type"]
    return [("content-type", own[-1] if own else content_type), *others]


def _encode(headers: Any) -> RawHeaders:
    return [(name.encode(), encode_value(value)) for name, value in headers if name != "transfer-encoding"]


# -- a whole reply ------------------------------------------------------------------------------------


async def send_whole(send: Send, reply: Reply, body: bytes, method: str) -> None:
    """Send the reply to a request of that method in two messages. A client that is gone by now is nobody's error."""
    if reply.headers or method == "HEAD" or reply.status in BODYLESS:
        headers = whole_headers(reply, len(body), method)
        body = b"" if method == "HEAD" or reply.status in BODYLESS else body
    else:  # PERF: what most replies have, 0.1 µs
        headers = [_CONTENT_TYPES[reply.content_type], _content_length(len(body))]
    try:
        await send({"type": "http.response.start", "status": reply.status, "headers": headers})
        await send({"type": "http.response.body", "body": body, "more_body": False})
    except OSError:  # ASGI 2.4: the client has left
        log.debug("The client left before its reply")


async def send_bodyless(send: Send, reply: Reply) -> None:
    """Send the head of a streamed reply alone, as the answer to HEAD."""
    if await send_stream_start(send, reply):
        await _send_end(send)


# -- a streamed reply ---------------------------------------------------------------------------------


async def send_stream_start(send: Send, reply: Reply) -> bool:
    """Send the head of a streamed reply; whether there is a client for the rest."""
    try:
        await send({"type": "http.response.start", "status": reply.status, "headers": stream_headers(reply)})
    except OSError:
        return False
    return True


def send_stream(send: Send, chunks: AsyncIterator[Any], until_gone: Callable[[], Awaitable[None]]) -> Awaitable[None]:
    """Send the chunks as they come, and stop when the client leaves. The stream is closed in any case.

    A stream that raises leaves the reply unfinished, so that the client can't take it for whole.
    """
    watch = _Watch(until_gone)
    return _watched(_pump(send, chunks, watch), watch)


class _Watch:
    """Whether the client has left; when it does, what the stream is waiting for is cancelled."""

    __slots__ = ("_until_gone", "cancelled", "future", "gone")

    def __init__(self, until_gone: Callable[[], Awaitable[None]]) -> None:
        self._until_gone = until_gone
        self.future: Any = None
        self.gone = self.cancelled = False

    async def run(self) -> None:
        await self._until_gone()
        self.gone = True
        self.interrupt()

    def interrupt(self) -> None:
        if self.gone and not self.cancelled and self.future is not None:
            self.cancelled = bool(self.future.cancel())


async def _pump(send: Send, chunks: AsyncIterator[Any], watch: _Watch) -> None:
    sent = 0
    try:
        async for chunk in chunks:
            if watch.gone:
                return
            try:
                await send({"type": "http.response.body", "body": _chunk_bytes(chunk), "more_body": True})
            except OSError:  # ASGI 2.4: the client has left
                return
            sent += 1
            if sent % _BREATHE == 0:
                await asyncio.sleep(0)
        await _send_end(send)
    finally:
        await _close(chunks)


async def _send_end(send: Send) -> None:
    with contextlib.suppress(OSError):
        await send({"type": "http.response.body", "body": b"", "more_body": False})


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
def _watched(pump: Coroutine[Any, Any, None], watch: _Watch) -> Generator[Any, Any, None]:
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
