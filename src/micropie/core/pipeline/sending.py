"""A reply is sent: whole, streamed, or by the application's own `_send_response`."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from micropie.core import late
from micropie.core.basics.errors import FAILURES
from micropie.core.basics.types import Send
from micropie.core.engine import Engine
from micropie.core.failures.error_replies import server_error, spare_server, with_debug_page
from micropie.core.hooks.hooks import with_added_headers
from micropie.core.pipeline.whole_reply import Whole, messages_of
from micropie.core.replies.asgi import WatchedSend, send_messages
from micropie.core.replies.reply import Reply, show_type
from micropie.core.requests.request import Request, current_request

Sent = TypeVar("Sent")
SendReply = Callable[[Engine, Request, Reply, Send, Whole], Awaitable[None]]


def send_reply(engine: Engine, request: Request, reply: Reply, send: Send, whole: Whole) -> Awaitable[None]:
    """Send a whole body in the protocol's own messages, or stream it."""
    messages = messages_of(engine, request, reply, whole)
    if messages is not None:
        return send_messages(send, messages)
    return late.send_streamed(engine, request, reply, send, whole)


def showing_debug_pages(send: SendReply) -> SendReply:
    """A step that sends a reply, or the debug page in its place; for applications in development mode."""

    def send_shown(engine: Engine, request: Request, reply: Reply, to: Send, whole: Whole) -> Awaitable[None]:
        return send(engine, request, with_debug_page(request, reply), to, whole)

    return send_shown


async def as_current_request(request: Request, sending: Awaitable[Sent]) -> Sent:
    """Send while `self.request` is this request, since code of the application runs along."""
    token = current_request.set(request)
    try:
        return await sending
    finally:
        current_request.reset(token)


async def send_by_override(engine: Engine, request: Request, reply: Reply, send: Send, whole: Whole) -> None:
    """Send by the application's own `_send_response`; a 500 if that fails before it has sent anything."""
    reply.headers = [*reply.headers]
    show_type(reply)
    outgoing = WatchedSend(send)
    try:
        await engine.app._send_response(outgoing, reply.status, reply.body, reply.headers)
        outgoing.check_started()
    except FAILURES as error:
        if outgoing.started:
            spare_server(error)
            raise
        failed = with_added_headers(engine, request, server_error(engine, request, error))
        await send_reply(engine, request, with_debug_page(request, failed), send, whole)
