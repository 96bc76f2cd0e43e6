"""A reply is sent: whole, streamed, or by the application's own `_send_response`."""

from collections.abc import AsyncIterable, Awaitable, Callable
from types import AsyncGeneratorType

from micropie.core.basics.errors import ClientGone
from micropie.core.basics.types import Message, Send
from micropie.core.pipeline.engine import Engine
from micropie.core.pipeline.error_replies import log_failure, server_error, with_debug_page
from micropie.core.replies.asgi import send_bodyless, stream_start
from micropie.core.replies.reply import BODYLESS, JSON, Reply, close_unsent, is_stream
from micropie.core.replies.streaming import send_stream
from micropie.core.requests.request import Request, current_request

JSON_HEADER = ("Content-Type", JSON)
SendWhole = Callable[..., Awaitable[None]]  # a protocol's `send_whole`
SendReply = Callable[[Engine, Request, Reply, Send, SendWhole], Awaitable[None]]


def show_json_type(reply: Reply) -> None:
    """Show the type of a JSON body among the headers, to code that looks for it there."""
    if reply.content_type != JSON:
        return
    if not reply.headers or not any(name.lower() == "content-type" for name, _ in reply.headers):
        reply.headers.append(JSON_HEADER)


def send_reply(engine: Engine, request: Request, reply: Reply, send: Send, send_whole: SendWhole) -> Awaitable[None]:
    """Send a whole body by the protocol's own way, or stream it."""
    # PERF: no coroutine of ours round the sending, 0.1 µs.
    if type(reply.body) is str:
        reply = with_encoded_text(engine, request, reply)
    if type(reply.body) is bytes:
        return send_whole(send, reply, reply.body, request.method)
    if not is_stream(reply.body):
        return send_whole(send, reply, b"", request.method)
    if request.method == "HEAD" or reply.status in BODYLESS:
        return as_current_request(request, send_head(send, reply))
    return stream_reply(engine, request, reply, send)


def showing_debug_pages(send: SendReply) -> SendReply:
    """A step that sends a reply, or the debug page in its place; for applications in development mode."""

    def send_shown(engine: Engine, request: Request, reply: Reply, to: Send, send_whole: SendWhole) -> Awaitable[None]:
        return send(engine, request, with_debug_page(request, reply), to, send_whole)

    return send_shown


def send_failure(
    engine: Engine, request: Request, error: BaseException, send: Send, send_whole: SendWhole
) -> Awaitable[None]:
    """Send the 500 of what went wrong behind the hooks."""
    return send_reply(engine, request, with_debug_page(request, server_error(engine, request, error)), send, send_whole)


def with_encoded_text(engine: Engine, request: Request, reply: Reply) -> Reply:
    """The reply with its text as bytes; a 500 if that can't be."""
    try:
        reply.body = reply.body.encode()
    except UnicodeEncodeError as error:
        return with_encoded_text(engine, request, with_debug_page(request, server_error(engine, request, error)))
    return reply


async def as_current_request(request: Request, sending: Awaitable[None]) -> None:
    """Send while `self.request` is this request, since code of the application runs along."""
    token = current_request.set(request)
    try:
        await sending
    finally:
        current_request.reset(token)


async def send_head(send: Send, reply: Reply) -> None:
    """Send the head of a streamed reply alone; the stream is closed, unread."""
    await close_unsent(reply.body)
    await send_bodyless(send, reply)


async def stream_reply(engine: Engine, request: Request, reply: Reply, send: Send) -> None:
    """Stream the body; when it breaks, that is logged, and raised so that the server cuts the reply off."""
    body = reply.body
    token = current_request.set(request)  # PERF: not by `as_current_request`, 0.1 µs
    try:
        try:
            await send(stream_start(reply))
        except OSError:  # ASGI 2.4: the client has left
            await close_unsent(body)
            return
        # PERF: the usual stream is known by its type, 0.2 µs.
        is_async = type(body) is AsyncGeneratorType or isinstance(body, AsyncIterable)
        chunks = aiter(body) if is_async else engine.threads.iterate(body)
        await send_stream(send, chunks, until_gone, request)
    except ClientGone:
        pass  # the stream was reading the upload that broke off
    except Exception as error:
        log_failure(request, error)
        raise
    finally:
        current_request.reset(token)


async def until_gone(request: Request) -> None:
    """Wait until the client leaves. What it still sends is the upload's to read."""
    if request._upload is None or await request._upload.finished():
        while (await request._receive())["type"] != "http.disconnect":
            pass


def send_by_override(
    engine: Engine, request: Request, reply: Reply, send: Send, send_whole: SendWhole
) -> Awaitable[None]:
    """Send by the application's own `_send_response`; a 500 if that fails before it has sent anything."""
    return as_current_request(request, _send_by_override(engine, request, reply, send, send_whole))


async def _send_by_override(engine: Engine, request: Request, reply: Reply, send: Send, send_whole: SendWhole) -> None:
    reply.headers = [*reply.headers]
    show_json_type(reply)
    outgoing = WatchedSend(send)
    try:
        await engine.app._send_response(outgoing, reply.status, reply.body, reply.headers)
        outgoing.check_started()
    except Exception as error:
        if outgoing.started:
            raise
        await send_failure(engine, request, error, send, send_whole)


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
