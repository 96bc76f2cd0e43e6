"""A whole reply as the messages of a protocol; one whose text can't be encoded is a 500."""

from collections.abc import Callable
from typing import Any

from micropie.core.engine import Engine
from micropie.core.failures.error_replies import server_error, with_debug_page
from micropie.core.hooks.hooks import with_added_headers
from micropie.core.replies.asgi import WholeMessages
from micropie.core.replies.reply import Reply, is_stream
from micropie.core.requests.request import Request
from micropie.core.requests.session import Session

Whole = Callable[[Reply, bytes, str], WholeMessages]  # a protocol's `whole_messages`
Plain = Callable[[Any, Session | None], WholeMessages | None]  # its `plain_messages`


def messages_of(engine: Engine, request: Request, reply: Reply, whole: Whole) -> WholeMessages | None:
    """The messages of a whole reply; None for a stream."""
    if type(reply.body) is str:
        reply = with_encoded_text(engine, request, reply)
    if type(reply.body) is bytes:
        return whole(reply, reply.body, request.method)
    return None if is_stream(reply.body) else whole(reply, b"", request.method)


def with_encoded_text(engine: Engine, request: Request, reply: Reply) -> Reply:
    """The reply with its text as bytes; a 500 if that can't be."""
    try:
        reply.body = reply.body.encode()
    except UnicodeEncodeError as error:
        failed = with_added_headers(engine, request, server_error(engine, request, error))
        return with_encoded_text(engine, request, with_debug_page(request, failed))
    return reply
