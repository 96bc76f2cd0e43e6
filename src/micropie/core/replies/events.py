"""Objects of a stream: as server-sent events (WHATWG HTML, "Server-sent events"), or as lines of JSON.

Text and bytes in a stream go out as they are; any other chunk is an event, or a line, as the client accepts it.
"""

import asyncio
import contextlib
from typing import Any

from micropie.core.basics.errors import UnusableResult
from micropie.core.basics.json_codec import dumps
from micropie.core.basics.optional import lazy_pattern
from micropie.core.basics.types import HeaderPairs, Message, Send
from micropie.core.replies.reply import EVENTS, JSON_LINES, UNENCODABLE, shown

KEEP_ALIVE = 15.0  # seconds; some proxies close what is silent for 30
FOR_EVENTS: HeaderPairs = [("Cache-Control", "no-cache"), ("X-Accel-Buffering", "no")]  # the latter is nginx's
_LINE_END = "\r\n|\r|\n"
_COMMENT: Message = {"type": "http.response.body", "body": b":\n\n", "more_body": True}


class ServerSentEvent:
    """One event of a stream: `data`, text or any JSON value, with what a browser's `EventSource` makes of it.

    `event` is its type (`message` by default), `id` what a client that reconnects sends as `Last-Event-ID`, `retry` the
    seconds after which it does. Without data a browser takes note of the other two only. An event is not to be changed
    once it was sent. ValueError for a type or an id of several lines.

        async def clock(self):
            while True:
                yield ServerSentEvent({"time": time.time()}, event="tick")
                await asyncio.sleep(1)
    """

    __slots__ = ("_encoded", "data", "event", "id", "retry")

    def __init__(
        self,
        data: Any = None,
        *,
        event: str | None = None,
        id: str | None = None,  # noqa: A002 - the name in the format
        retry: float | None = None,
    ) -> None:
        for name, text in (("event", event), ("id", id)):
            if text is not None and any(character in text for character in "\r\n\0"):
                raise ValueError(f"the {name} of a server-sent event is one line without NUL, {text!r} is not")
        self.data: Any = data
        self.event: str | None = event
        self.id: str | None = id
        self.retry: float | None = retry
        self._encoded: bytes | None = None

    def __repr__(self) -> str:
        return f"ServerSentEvent({self.data!r}, event={self.event!r}, id={self.id!r})"

    def encode(self) -> bytes:
        """The event as it is sent; made once, since one event may go to many."""
        if self._encoded is None:
            retry = None if self.retry is None else round(self.retry * 1000)  # milliseconds there
            fields = [("event", self.event), ("id", self.id), ("retry", retry)]
            fields += (
                [("data", line) for line in lazy_pattern(_LINE_END).split(self._text())]
                if self.data is not None
                else []
            )
            lines = [f"{name}: {value}\n" for name, value in fields if value is not None]
            self._encoded = "".join([*lines, "\n"]).encode()
        return self._encoded

    def _text(self) -> str:
        return self.data if isinstance(self.data, str) else as_json(self.data).decode()


class ServerSentEvents(tuple[ServerSentEvent, ...]):
    """Events that are there at the same time, as one chunk of a stream: one write, where each would be one of its own.

    yield ServerSentEvents(ServerSentEvent(line) for line in lines)
    """

    __slots__ = ()


def event_bytes(chunk: Any) -> bytes:
    """An object as a server-sent event, or several of these."""
    if isinstance(chunk, ServerSentEvents):
        return b"".join([event.encode() for event in chunk])
    event = chunk if isinstance(chunk, ServerSentEvent) else ServerSentEvent(as_json(chunk).decode())
    return event.encode()


def json_line(chunk: Any) -> bytes:
    """An object as a line of JSON; of an event with a type or an id those stand beside its data."""
    if isinstance(chunk, ServerSentEvents):
        return b"".join(map(json_line, chunk))
    if isinstance(chunk, ServerSentEvent):
        named = {"event": chunk.event, "id": chunk.id, "data": chunk.data}
        told = {name: value for name, value in named.items() if value is not None}
        chunk = chunk.data if told.keys() <= {"data"} else told
    return as_json(chunk) + b"\n"


def as_json(value: Any) -> bytes:
    """A JSON text. `UnusableResult` for what is none, and for None, which generators yield by mistake."""
    try:
        if value is not None:
            return dumps(value)
    except UNENCODABLE as error:
        raise UnusableResult(f"a stream's chunks are str or bytes, or JSON values, {shown(value)} is none") from error
    return no_object(value)


def no_object(chunk: Any) -> bytes:
    """The answer to an object in a stream of another type."""
    raise UnusableResult(f"a stream's chunks are str or bytes, {shown(chunk)} is neither")


OBJECT_FORMS = {EVENTS: event_bytes, JSON_LINES: json_line}  # what objects become, by the media type of their stream


class KeptAlive:
    """A `send` for a stream of events, which says something when there has been nothing to say for 15 seconds.

    So no proxy takes the connection for dead, and a client that has left is noticed. `close` it in the end.
    """

    __slots__ = ("_comment", "_is_closed", "_is_sending", "_last", "_send", "_timer")

    def __init__(self, send: Send) -> None:
        self._send = send
        self._last = 0.0  # when something was said
        self._is_sending = self._is_closed = False
        self._timer: asyncio.TimerHandle | None = None
        self._comment: asyncio.Task[None] | None = None

    async def __call__(self, message: Message) -> None:
        """Send the message, behind a comment that is on its way."""
        if self._comment is not None:
            await asyncio.wait({self._comment})
        self._is_sending = True
        await self._send(message)
        self._is_sending = False
        self._last = asyncio.get_running_loop().time()
        if self._timer is None:
            self._look()

    def close(self) -> None:
        """Say nothing any more by itself; what is still to be sent may follow."""
        self._is_closed = True
        for waiting in (self._timer, self._comment):
            if waiting is not None:
                waiting.cancel()

    def _look(self) -> None:
        """Say something if nothing was said for a while; else look again.

        PERF: a timer that looks when something was said last, not a new one for each message.
        """
        if self._is_closed:
            return
        loop = asyncio.get_running_loop()
        left = KEEP_ALIVE if self._is_sending else self._last + KEEP_ALIVE - loop.time()
        if left > 0:
            self._timer = loop.call_later(left, self._look)
        else:
            self._comment = loop.create_task(self._send_comment(), name="a comment in a silent stream")

    async def _send_comment(self) -> None:
        try:
            with contextlib.suppress(OSError):  # the client has left, which others notice
                await self._send(_COMMENT)
        finally:  # what a hook raises for one comment does not silence the next
            self._comment = None
            self._last = asyncio.get_running_loop().time()
            self._look()
