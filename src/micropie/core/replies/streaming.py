"""A streamed reply as ASGI messages, watched for the client's leaving.

Its start waits for the first chunk, though not for long unless the request says so: until then another reply can still
say what went wrong.
"""

import asyncio
import contextlib
import types
from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from typing import Any, NamedTuple, Protocol

from micropie.core.basics.headers import parse_media_type
from micropie.core.basics.types import Send
from micropie.core.replies.asgi import stream_start
from micropie.core.replies.events import OBJECT_FORMS, KeptAlive, json_line, no_object
from micropie.core.replies.reply import EVENTS, JSON_LINES, Reply

_ALL_SENT = object()  # in place of what a pump waits for
_BREATHE = 64  # chunks; a stream that never waits still lets others run
_PATIENCE = 0.1  # seconds; whoever listens for events wants to know soon that somebody is there


class Forgettable(Protocol):
    """What happens later, unless it is forgotten."""

    def forget(self) -> None:
        """Let it not happen."""


class Surroundings(NamedTuple):
    """What a stream asks of the world around it; each of these takes whose stream it is.

    The client has left when `until_gone` returns. `form_of_objects` is what objects are written as. `at_stop` has a
    stream cut short if the server stops before it has come to its end, unless that is forgotten. `start_waits` tells
    whether the start is not to go out yet without a chunk.
    """

    until_gone: Callable[[Any], Awaitable[None]]
    form_of_objects: Callable[[Any, Reply], str | None]
    at_stop: "Callable[[Any, Stream], Forgettable]"
    start_waits: Callable[[Any], bool]


class Stream:
    """A streamed reply on its way: whether its start is out, and whether the client has left.

    `is_begun` tells whether something of it may be out, `is_steady` that there is nothing to do but to send chunks.
    When the client has left, or a stream of events is cut short since the server stops, it `is_over`, and what it is
    waiting for is cancelled: the `future` alone, once (`is_cancelled`), and by nobody else. Who cancels the task means
    the whole request.

    A stream that has to wait is watched: between `watch` and `stop` run the listener for the client's leaving, the
    timer of its start, and maybe that start's task. `stop` ends all three.
    """

    # PERF: what most streams leave alone stands on the class, 0.1 µs.
    is_cancelled = False
    _at_stop: Forgettable  # there while it is watched, and so are the next two
    _listener: asyncio.Task[None]
    _cancellations: int  # of the task, by others, before
    future: Any = None  # what it is waiting for
    _timer: asyncio.TimerHandle | None = None
    _sending: asyncio.Task[None] | None = None
    _error: Exception | None = None
    _encode: Callable[[Any], bytes] | None = None  # what objects become, when that is known

    def __init__(self, send: Send, reply: Reply, around: Surroundings, whose: Any) -> None:
        self.send = send
        self._reply = reply
        self._around = around
        self._whose = whose
        # PERF: and what most look at does not, 0.04 µs for each look.
        self.is_begun = self.is_steady = self.is_over = self.is_cut_short = False
        self._kept_alive: KeptAlive | None = None

    def send_start(self) -> Awaitable[None]:
        """Send the start now, or wait until it is sent: to be awaited. OSError if the client has left."""
        if self.is_begun:
            return self._start_sent()
        self.is_begun = True
        self.is_steady = not self.is_over
        return self.send(stream_start(self._reply))

    async def _start_sent(self) -> None:
        if self._sending is not None:
            await self._sending
            if self._error is not None:
                raise self._error
        self.is_steady = not self.is_over

    def encoded(self, chunk: Any) -> bytes:
        """The bytes of a chunk; the first object may still say what kind of stream it is."""
        if isinstance(chunk, str):
            return chunk.encode()
        if isinstance(chunk, bytes | bytearray | memoryview):
            return bytes(chunk)
        if self._encode is None:
            behind_text = self.is_steady
            self._encode = self._encoder() or (no_object if behind_text else self._json_lines())
        return self._encode(chunk)

    def watch(self) -> None:
        """Look out for the client's leaving, and send the start when no chunk has come for a while."""
        loop = asyncio.get_running_loop()
        if not self.is_begun:
            self._timer = loop.call_later(_PATIENCE, self._begin_unless_it_waits)
        task = asyncio.current_task()
        self._cancellations = task.cancelling() if task else 0
        self._at_stop = self._around.at_stop(self._whose, self)
        self._listener = loop.create_task(self._interrupt_when_gone(), name="a stream's look for its client's leaving")

    def stop(self) -> None:
        """Wait for nothing any more. An exception, whose traceback leads here, must not find itself."""
        self.future = self._error = None
        self._listener.cancel()
        self._at_stop.forget()
        del self._listener, self._at_stop  # which lead back here
        if self._timer is not None:
            self._timer.cancel()
        if self._sending is not None and not self.is_cut_short:  # then the end follows
            self._sending.cancel()

    def interrupt(self) -> None:
        """Cancel what the stream waits for, if the client has left or the server stops, and once."""
        if self.is_over and not self.is_cancelled and self.future is not None:
            self.is_cancelled = bool(self.future.cancel())

    def is_why(self) -> bool:
        """True if a cancellation is that of `interrupt`, and nobody else's."""
        task = asyncio.current_task()
        return self.is_cancelled and (task is None or task.cancelling() <= self._cancellations)

    async def _interrupt_when_gone(self) -> None:
        await self._around.until_gone(self._whose)
        self.is_over = True
        self.is_steady = False
        self.interrupt()

    def cut_short(self) -> None:
        """End a stream of events here, since the server stops: whole, so that a browser connects again."""
        if not self.is_begun:
            self._begin()
        own = next((value for name, value in self._reply.headers if name.lower() == "content-type"), "")
        if EVENTS in (self._reply.content_type, parse_media_type(own)[0]):
            self.is_over = self.is_cut_short = True
            self.is_steady = False
            self.interrupt()

    async def conclude(self) -> None:
        """Send what is missing of a stream that is over: the start, for those who look at it, or the end."""
        with contextlib.suppress(OSError):
            await self.send_start()
            if self.is_cut_short:
                await self.send({"type": "http.response.body", "body": b"", "more_body": False})

    def end(self) -> None:
        """Send nothing any more by itself."""
        if self._kept_alive is not None:
            self._kept_alive.close()

    def _encoder(self) -> Callable[[Any], bytes] | None:
        """What makes bytes of objects, if handler or client have said so."""
        form = self._around.form_of_objects(self._whose, self._reply)
        if form == EVENTS:
            self.send = self._kept_alive = KeptAlive(self.send)
        return None if form is None else OBJECT_FORMS.get(form, no_object)

    def choose_form(self) -> None:
        """Say what objects would be sent as, before there are any."""
        if not self.is_begun:
            self._encode = self._encoder()

    def _json_lines(self) -> Callable[[Any], bytes]:
        """What makes lines of JSON, which the reply's type says if it is not out."""
        if not self.is_begun:
            self._reply.content_type = JSON_LINES
        return json_line

    def _begin_unless_it_waits(self) -> None:
        if self._around.start_waits(self._whose):
            self._timer = asyncio.get_running_loop().call_later(_PATIENCE, self._begin_unless_it_waits)
        else:
            self._begin()

    def _begin(self) -> None:
        if not self.is_begun:
            self.choose_form()
            self.is_begun = True
            self._sending = asyncio.get_running_loop().create_task(self._send_alone())

    async def _send_alone(self) -> None:
        try:
            await self.send(stream_start(self._reply))
        except Exception as error:  # which concerns those who wait for it
            self._error = error


def send_stream(stream: Stream, chunks: AsyncIterator[Any]) -> Awaitable[None] | None:
    """Send the chunks as they come, until the client has left; what is to be waited for. They are closed in any case.

    What they raise leaves the reply unfinished, so that the client can't take it for whole; if it has not begun yet,
    nothing is sent.
    """
    pump = _pump(stream, chunks).__await__()
    # PERF: no task, no generator of ours before the pump has to wait, 3 µs; and its end raises nothing here, 0.2 µs.
    future = next(pump, _ALL_SENT)
    if future is _ALL_SENT:
        return None
    stream.future = future
    return _watched(pump, stream)


async def _pump(stream: Stream, chunks: AsyncIterator[Any]) -> None:
    send, left, is_exhausted = stream.send, _BREATHE, False
    try:
        async for chunk in chunks:
            # PERF: the usual chunk is encoded in place, 0.05 µs.
            body = chunk.encode() if type(chunk) is str else stream.encoded(chunk)
            try:
                if not stream.is_steady:
                    if stream.is_over:
                        return
                    await stream.send_start()
                    send = stream.send
                await send({"type": "http.response.body", "body": body, "more_body": True})
            except OSError:  # ASGI 2.4: the client has left
                return
            left -= 1
            if not left:
                left = _BREATHE
                await asyncio.sleep(0)
        is_exhausted = True
        try:
            if not stream.is_steady:
                stream.choose_form()
                await stream.send_start()
                send = stream.send
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        except OSError:
            pass
    finally:
        stream.end()
        if not is_exhausted:
            await _close(chunks)


async def _close(chunks: Any) -> None:
    """Close an async generator; other iterators have nothing to close."""
    if (aclose := getattr(chunks, "aclose", None)) is not None:
        await aclose()


@types.coroutine
def _watched(pump: Any, stream: Stream) -> Generator[Any, Any, None]:
    """Run the pump on in the current task, step by step; between two of them the stream may be interrupted.

    That cancels the future that the pump waits for, not the task: nothing is left to undo, and it works in tasks that
    aren't asyncio's. A cancellation from outside goes on.
    """
    stream.watch()
    try:
        while True:
            try:
                yield stream.future
            except GeneratorExit:
                _drop(pump)
                raise
            except BaseException as error:  # whatever it is, it is the pump's
                stream.future = pump.throw(error)
            else:
                stream.future = pump.send(None)
            stream.interrupt()
    except StopIteration:
        return
    except asyncio.CancelledError:
        if not stream.is_why():
            raise
    finally:
        stream.stop()


def _drop(pump: Any) -> None:
    """End a pump of which nobody awaits the rest.

    Not by `pump.close()`: before Python 3.13 an async generator that waits would seem to be running still.
    """
    with contextlib.suppress(asyncio.CancelledError, StopIteration):
        pump.throw(asyncio.CancelledError())
