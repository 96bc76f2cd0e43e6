"""A reply is streamed, in the form that its objects have for this client, until it ends, or the client has left."""

import asyncio
from collections.abc import AsyncIterable
from operator import attrgetter
from types import AsyncGeneratorType

from micropie.core.basics.background import Background
from micropie.core.basics.errors import ClientGone, log, shortened
from micropie.core.basics.headers import is_about_content, parse_media_type
from micropie.core.basics.types import Send
from micropie.core.engine import Engine
from micropie.core.failures.error_handlers import reply_to_error
from micropie.core.failures.error_replies import (
    CAUGHT,
    method_of_request,
    note_failure,
    path_of_request,
    reply_to_unhandled,
    reraise_cancellation,
    spare_server,
    with_debug_page,
)
from micropie.core.hooks.middleware import streamed_send
from micropie.core.pipeline.end_of_request import note_exception
from micropie.core.pipeline.whole_reply import Whole, messages_of
from micropie.core.replies.asgi import send_bodyless, send_by_server, send_messages
from micropie.core.replies.changed_stream import LaterShaped, Shaped
from micropie.core.replies.events import FOR_EVENTS
from micropie.core.replies.file_body import FileBody
from micropie.core.replies.reply import BODYLESS, EVENTS, JSON_LINES, Reply
from micropie.core.replies.streaming import Stream, Surroundings, send_stream
from micropie.core.requests.after_reply import AtStop
from micropie.core.requests.request import Request
from micropie.core.requests.session import Session

_PAUSE = 0.1  # seconds


async def send_streamed(engine: Engine, request: Request, reply: Reply, send: Send, whole: Whole) -> None:
    """Stream the body; of a reply that has none, send the head alone.

    What goes wrong before the first chunk is answered as if the handler had raised it.
    """
    hooked = streamed_send(engine.app, request, send) if engine.app.middlewares else send
    if request.method == "HEAD" or reply.status in BODYLESS:
        await send_bodyless(hooked, reply)
        return
    if type(reply.body) is FileBody and hooked is send and (by_server := reply.body.as_message(request.scope)):
        await send_by_server(send, reply, by_server)
        return
    body, stream = reply.body, Stream(hooked, reply, AROUND_STREAM, request)
    if request._session is not None and "session" not in request._preset:
        request._session.settle()
    try:
        # PERF: the usual stream is known by its type, 0.2 µs.
        is_async = type(body) is AsyncGeneratorType or isinstance(body, AsyncIterable)
        chunks = aiter(body) if is_async else engine.threads.iterate(body)
        if (waiting := send_stream(stream, chunks)) is not None:
            await waiting
        if stream.is_cut_short or not stream.is_begun:
            await stream.conclude()
    except ClientGone:  # the stream was reading the upload that broke off
        await stream.conclude()
    except CAUGHT as error:
        note_exception(request, error)
        reraise_cancellation(error)
        if stream.is_begun:
            note_failure(request, error)
            spare_server(error)
            raise
        failed = await reply_to_failed_stream(engine, request, error)
        await send_instead(engine, request, in_place_of(reply, failed), send, whole)
    finally:
        if request._session is not None and "session" not in request._preset:  # else an outer application saves it
            warn_of_lost_changes(request, request._session)


async def send_instead(engine: Engine, request: Request, reply: Reply, send: Send, whole: Whole) -> None:
    """Send what is answered in place of a stream: mostly whole, but an `_on_error` may return a stream, too."""
    reply = with_debug_page(request, reply)
    messages = messages_of(engine, request, reply, whole)
    if messages is None:
        await send_streamed(engine, request, reply, send, whole)
    else:
        await send_messages(send, messages)


def form_of_objects(request: Request, reply: Reply) -> str | None:
    """The media type that the objects of a stream are written as: the handler's, else the client's; None of neither.

    One that the client names becomes that of the reply, and so does that of lines if only objects can come.
    """
    own = next((value for name, value in reply.headers if name.lower() == "content-type"), None)
    if own is not None:
        return parse_media_type(own)[0]
    accept = request._header_once(b"accept", b"")
    if b"text/event-stream" in accept:  # an EventSource names nothing else
        reply.content_type = EVENTS
        reply.headers = [*FOR_EVENTS, *reply.headers]
        return EVENTS
    if b"application/x-ndjson" in accept or isinstance(reply.body, Shaped | LaterShaped):
        reply.content_type = JSON_LINES
        return JSON_LINES
    return None


async def reply_to_failed_stream(engine: Engine, request: Request, error: BaseException) -> Reply:
    """The reply to an exception from before the first chunk; if that is a stream and fails too, nobody is asked."""
    if request._stream_failed:
        return reply_to_unhandled(engine, request, error)
    request._stream_failed = True
    return await reply_to_error(engine, request, error)


def in_place_of(reply: Reply, other: Reply) -> Reply:
    """The other reply, with those of the first one's headers that are not about its content, such as cookies."""
    names = {name.lower() for name, _ in other.headers} - {"vary"}  # which may depend on both
    kept = [pair for pair in reply.headers if not (is_about_content(pair[0]) or pair[0].lower() in names)]
    other.headers = [*kept, *other.headers, ("Cache-Control", "no-store")]
    return other


def warn_of_lost_changes(request: Request, session: Session) -> None:
    """Tell the log of changes to the session that came with the stream, when it was saved already."""
    if session.changed or session.retired:
        log.warning(
            "%s %r changed its session while its reply was streamed, which is not saved: change it before that, in a "
            "handler that returns the generator",
            method_of_request(request),
            shortened(path_of_request(request)),
        )


async def until_gone(request: Request) -> None:
    """Wait until the client leaves. What it still sends is the upload's to read."""
    if request._upload is not None and not await request._upload.finished():
        return
    is_over = False
    while (message := await request._receive())["type"] != "http.disconnect":
        # Behind the body there is nothing but a disconnect to receive. Who has others at once must not hold us up.
        await asyncio.sleep(_PAUSE if is_over else 0)
        is_over = is_over or not message.get("more_body")


class CutShort(AtStop):
    """Has a stream cut short when the server stops."""

    __slots__ = ("_stream",)

    def __init__(self, request: Request, stream: Stream) -> None:
        self._stream = stream
        super().__init__(Background() if request._router is None else request._router.background, request)

    def stop(self) -> None:
        """End the stream, if it is one of events."""
        self._stream.cut_short()


AROUND_STREAM = Surroundings(until_gone, form_of_objects, CutShort, attrgetter("start_waits"))
