"""A whole reply as ASGI messages, and a `send` that knows whether a reply has begun."""

import contextlib
import functools
from collections.abc import Awaitable, Callable
from typing import Any

from micropie.core.basics.errors import log
from micropie.core.basics.headers import encoded_fields
from micropie.core.basics.json_codec import dumps
from micropie.core.basics.types import Message, RawHeaders, Send
from micropie.core.replies.ready_headers import ReadyPairs
from micropie.core.replies.reply import (
    BODYLESS,
    EVENTS,
    HTML,
    JSON,
    JSON_LINES,
    PLAIN_TYPES,
    PRIVATE,
    RESET_CONTENT,
    UNENCODABLE,
    Reply,
    check_result,
    close_unsent,
)

# PERF: header tuples made once, and lengths remembered: 1.2 µs a reply.
_CONTENT_TYPES = {kind: (b"content-type", kind.encode()) for kind in (*PLAIN_TYPES, EVENTS, JSON_LINES)}
_FRAMING = frozenset((b"content-length", b"transfer-encoding"))

_JSON, _HTML = _CONTENT_TYPES[JSON], _CONTENT_TYPES[HTML]
WholeMessages = tuple[Message, Message]  # of a whole reply: its start, and its body


@functools.lru_cache(4096)
def _content_length(size: int) -> tuple[bytes, bytes]:
    return b"content-length", b"%d" % size


def whole_headers(reply: Reply, size: int, method: str) -> RawHeaders:
    """The headers of a reply with a body of `size` bytes; of none, where the status has none."""
    fields = encoded_fields(reply.headers)
    if reply.status in BODYLESS:
        described = [field for field in fields if field[0] not in _FRAMING]
        return [*described, _content_length(0)] if reply.status == RESET_CONTENT else described
    # The answer to HEAD may announce what GET would bring; other lengths are ours to say.
    announced = _own_length(fields) if method == "HEAD" else []
    return [*_with_type(fields, reply.content_type), *(announced or [_content_length(size)])]


def stream_headers(reply: Reply) -> RawHeaders:
    """The headers of a streamed reply: how it is framed is the server's business."""
    if not reply.headers:
        return [_CONTENT_TYPES[reply.content_type]]
    fields = encoded_fields(reply.headers)
    return [*_with_type(fields, reply.content_type), *_own_length(fields)]


def _own_length(fields: RawHeaders) -> RawHeaders:
    """The one content length that a handler announces; a second one, or no number, would split messages apart."""
    lengths = [field for field in fields if field[0] == b"content-length"]
    numbers = [field for field in lengths if field[1].isdigit()]
    if len(lengths) > len(numbers[:1]):
        told = [value.decode("latin-1") for _, value in lengths]
        log.error("Of the reply's content lengths %r only one number goes out", told)
    return numbers[:1]


def _with_type(fields: RawHeaders, content_type: str) -> RawHeaders:
    """The fields with exactly one content type, their own last one or else ours, and without what frames the body."""
    kind, others = (b"content-type", content_type.encode()), []
    for field in fields:
        if field[0] == b"content-type":
            kind = field
        elif field[0] not in _FRAMING:
            others.append(field)
    return [kind, *others]


def plain_messages(result: Any, session: object | None) -> WholeMessages | None:
    """The two messages of a result that is `plain`, if it is; no cache may give to others what a session is behind."""
    # PERF: not by `plain`, 0.1 µs.
    kind = type(result)
    if kind is dict or kind is list:
        try:
            body, field = dumps(result), _JSON
        except UNENCODABLE as error:
            check_result(error, result)
            raise
    elif kind is str and result.isascii():
        body, field = result.encode(), _HTML
    else:
        return None
    headers = [field, _content_length(len(body))]
    if session is not None:
        headers += PRIVATE.fields
    start = {"type": "http.response.start", "status": 200, "headers": headers}
    return start, {"type": "http.response.body", "body": body, "more_body": False}


def whole_messages(reply: Reply, body: bytes, method: str) -> WholeMessages:
    """The two messages of a reply to a request of that method."""
    own: Any = reply.headers
    if (own and type(own) is not ReadyPairs) or method == "HEAD" or reply.status in BODYLESS:
        headers = whole_headers(reply, len(body), method)
        body = b"" if method == "HEAD" or reply.status in BODYLESS else body
    else:  # PERF: what most replies have, 0.1 µs
        headers = [_CONTENT_TYPES[reply.content_type], _content_length(len(body)), *(own.fields if own else ())]
    start = {"type": "http.response.start", "status": reply.status, "headers": headers}
    return start, {"type": "http.response.body", "body": body, "more_body": False}


def add_ready_headers(messages: WholeMessages, ready: ReadyPairs) -> None:
    """Add headers to the messages of a plain reply, which are ASGI's, or RSGI's with texts in them."""
    start, _ = messages
    if "headers" in start:
        start["headers"] += ready.fields
    else:
        start["text_headers"] = [*start["text_headers"], *ready.texts()]


async def send_messages(send: Send, messages: WholeMessages) -> None:
    """Send a whole reply. A client that is gone by now is nobody's error."""
    start, rest = messages
    try:
        await send(start)
        await send(rest)
    except OSError:  # ASGI 2.4: the client has left
        log.debug("The client left before its reply")


async def send_bodyless(send: Send, reply: Reply) -> None:
    """Send the head of a streamed reply alone, as the answer to HEAD or by its status; the stream is closed, unread."""
    await close_unsent(reply.body)
    headers = whole_headers(reply, 0, "") if reply.status in BODYLESS else stream_headers(reply)
    with contextlib.suppress(OSError):
        await send({"type": "http.response.start", "status": reply.status, "headers": headers})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def send_by_server(send: Send, reply: Reply, message: Message) -> None:
    """Send the head of a streamed reply, and a message that lets the server send its body."""
    with contextlib.suppress(OSError):
        await send(stream_start(reply))
        await send(message)


def stream_start(reply: Reply) -> Message:
    """The first message of a streamed reply."""
    return {"type": "http.response.start", "status": reply.status, "headers": stream_headers(reply)}


class WatchedSend:
    """A `send` that knows whether the reply has started, and may do something right before."""

    def __init__(self, send: Send, before_start: Callable[[Message], Awaitable[None]] | None = None) -> None:
        self.started = False
        self._send = send
        self._before_start = before_start

    async def __call__(self, message: Message) -> None:
        """Send the message."""
        if message["type"] == "http.response.start":
            if self._before_start is not None:
                await self._prepare(self._before_start, message)
            self.started = True
        await self._send(message)

    @staticmethod
    async def _prepare(before_start: Callable[[Message], Awaitable[None]], message: Message) -> None:
        try:
            await before_start(message)
        except OSError as error:  # not to be taken for a client that has left
            raise RuntimeError("The reply could not be prepared") from error

    def check_started(self) -> None:
        """RuntimeError if nothing was sent."""
        if not self.started:
            raise RuntimeError("Nothing was sent: a reply has at least a start")
