"""The last steps of an HTTP request: the session is saved, and the reply is sent."""

from collections.abc import AsyncIterable, Awaitable, Callable
from types import AsyncGeneratorType
from typing import Any

from micropie.core.application import Application
from micropie.core.asgi import send_bodyless, send_stream, stream_start
from micropie.core.errors import ClientGone, log
from micropie.core.failures import FAILURES, failure, let_cancellation_pass, log_failure
from micropie.core.reply import (
    BODYLESS,
    JSON,
    Reply,
    header_pairs,
    is_stream,
)
from micropie.core.request import Request, current_request
from micropie.core.types import HeaderPairs, Message, Send

JSON_HEADER = ("Content-Type", JSON)
SendWhole = Callable[..., Awaitable[None]]  # a protocol's `send_whole`


async def with_saved_session(app: Application, request: Request, reply: Reply) -> Reply:
    """The reply with the cookie of the session, which is saved unless the request failed; a 500 if it can't be."""
    if request._failed:
        return reply
    try:
        cookie = await app._micropie.sessions.save(request)
    except FAILURES as error:
        await close_unsent(reply.body)
        let_cancellation_pass(error)
        return failure(app, request, error)
    if cookie is not None:
        set_session_cookie(reply, cookie)
    return reply


def name_json(reply: Reply) -> None:
    """Show the type of a JSON body among the headers, to code that looks for it there."""
    if reply.content_type != JSON:
        return
    if not reply.headers or not any(name.lower() == "content-type" for name, _ in reply.headers):
        reply.headers.append(JSON_HEADER)


def without_json_header(headers: HeaderPairs) -> HeaderPairs:
    """The headers, to which hooks may have appended anything, without what we named for them: it goes out by itself."""
    # PERF: mostly ours is all there is, 0.5 µs.
    if len(headers) == 1 and headers[0] is JSON_HEADER:
        return []
    return [pair for pair in header_pairs(headers) if pair is not JSON_HEADER]


def set_session_cookie(reply: Reply, cookie: str) -> None:
    """Add the cookie, and keep caches from handing it to others (RFC 9111 §3.5, RFC 9110 §12.5.5)."""
    names = {name.lower(): value.lower() for name, value in reply.headers}
    reply.headers.append(("Set-Cookie", cookie))
    if "cache-control" not in names:
        reply.headers.append(("Cache-Control", "private"))
    if not {"*", "cookie"} & {field.strip() for field in names.get("vary", "").split(",")}:
        reply.headers.append(("Vary", "Cookie"))


def send_reply(app: Application, request: Request, reply: Reply, send: Send, send_whole: SendWhole) -> Awaitable[None]:
    """Send a whole body by the protocol's own way, or stream it."""
    # PERF: no coroutine of ours round the sending, 0.1 µs.
    if type(reply.body) is str:
        reply = with_encoded_text(app, request, reply)
    if type(reply.body) is bytes:
        return send_whole(send, reply, reply.body, request.method)
    if not is_stream(reply.body):
        return send_whole(send, reply, b"", request.method)
    if request.method == "HEAD" or reply.status in BODYLESS:
        return within(request, send_head(send, reply))
    return stream_reply(app, request, reply, send)


def with_encoded_text(app: Application, request: Request, reply: Reply) -> Reply:
    """The reply with its text as bytes; a 500 if that can't be."""
    try:
        reply.body = reply.body.encode()
    except UnicodeEncodeError as error:
        return with_encoded_text(app, request, failure(app, request, error))
    return reply


async def within(request: Request, sending: Awaitable[None]) -> None:
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


async def stream_reply(app: Application, request: Request, reply: Reply, send: Send) -> None:
    """Stream the body; when it breaks, that is logged, and raised so that the server cuts the reply off."""
    body = reply.body
    token = current_request.set(request)  # PERF: not by `within`, 0.1 µs
    try:
        try:
            await send(stream_start(reply))
        except OSError:  # ASGI 2.4: the client has left
            await close_unsent(body)
            return
        # PERF: the usual stream is known by its type, 0.2 µs.
        is_async = type(body) is AsyncGeneratorType or isinstance(body, AsyncIterable)
        chunks = aiter(body) if is_async else app._micropie.workers.iterate(body)
        await send_stream(send, chunks, until_gone, request)
    except ClientGone:
        pass  # the stream was reading the upload that broke off
    except Exception as error:
        log_failure(app, request, error)
        raise
    finally:
        current_request.reset(token)


async def close_unsent(body: Any) -> None:
    """Close a stream that nobody will read; what that raises is logged."""
    try:
        if hasattr(body, "aclose"):
            await body.aclose()
        elif hasattr(body, "close"):
            body.close()
    except Exception:
        log.exception("A stream that was not sent could not be closed")


async def until_gone(request: Request) -> None:
    """Wait until the client leaves. What it still sends is the upload's to read."""
    if request._upload is None or await request._upload.finished():
        while (await request._receive())["type"] != "http.disconnect":
            pass


def send_by_override(
    app: Application, request: Request, reply: Reply, send: Send, send_whole: SendWhole
) -> Awaitable[None]:
    """Send by the application's own `_send_response`; a 500 if that fails before it has sent anything."""
    return within(request, _send_by_override(app, request, reply, send, send_whole))


async def _send_by_override(
    app: Application, request: Request, reply: Reply, send: Send, send_whole: SendWhole
) -> None:
    name_json(reply)
    outgoing = Outgoing(send)
    try:
        await app._send_response(outgoing, reply.status, reply.body, reply.headers)
        outgoing.check_started()
    except Exception as error:
        if outgoing.started:
            raise
        await send_reply(app, request, failure(app, request, error), send, send_whole)


class Outgoing:
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
