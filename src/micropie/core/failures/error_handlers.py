"""The `_on_error` of a request's branches: asked of what goes wrong, the innermost first, the application's last.

A result in place of an exception is a reply like a handler's. One of status 500 or more does not make an answer of a
failure: the log is told of it, and the session is not saved.
"""

from collections.abc import Callable
from typing import Any, TypeVar

from micropie.core.basics.errors import HTTPError, blaming
from micropie.core.basics.headers import is_about_content
from micropie.core.engine import Engine, call_guard
from micropie.core.failures.error_replies import (
    CAUGHT,
    note_failure,
    reply_to_unhandled,
    reraise_cancellation,
    told_error,
)
from micropie.core.replies.reply import Reply, header_pairs, to_reply
from micropie.core.requests.request import Request

SERVER_ERRORS = range(500, 600)
Answer = TypeVar("Answer")


async def reply_to_error(engine: Engine, request: Request, error: BaseException) -> Reply:
    """The reply to an exception: that of an `_on_error` which has one, else of what the client may know."""
    reply, error = await first_answer(engine, request, error, reply_in_place)
    if reply is None:
        return reply_to_unhandled(engine, request, error)
    if reply.status in SERVER_ERRORS and not isinstance(error, HTTPError):
        note_failure(request, error)
    return reply


async def first_answer(
    engine: Engine, request: Request, error: BaseException, read: Callable[[Any, Exception], Answer]
) -> tuple[Answer | None, BaseException]:
    """The first result but None, as `read` understands it, and the exception that it is for; or None, and what is left.

    An `_on_error` that raises hands its exception on to the next one.
    """
    target = request._target
    for handler in engine.router.root.rules.error_handlers if target is None else target.error_handlers:
        error = told_error(engine, error)
        if not isinstance(error, Exception):  # a cancellation, or the end of the process
            break
        try:
            result = await call_guard(engine, handler, error)
            if result is not None:
                with blaming(handler.handler):
                    return read(result, error), error
        except CAUGHT as raised:
            reraise_cancellation(raised)
            if raised is not error and raised.__context__ is None:  # as in a thread
                raised.__context__ = error
            error = raised
    return None, error


def reply_in_place(result: Any, error: Exception) -> Reply:
    """The reply that a result means. One of the error's own status keeps its headers, as 405 its `Allow`."""
    reply = to_reply(result)
    if isinstance(error, HTTPError) and error.status == reply.status:
        named = {name.lower() for name, _ in reply.headers}
        kept = [pair for pair in header_pairs(error.headers) if pair[0].lower() not in named]
        reply.headers = [*(pair for pair in kept if not is_about_content(pair[0])), *reply.headers]
    return reply
