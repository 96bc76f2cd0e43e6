"""The application's HTTP hooks: called in the order of its middlewares, before a handler and with every reply."""

from collections.abc import Callable, Mapping
from types import CoroutineType
from typing import Any

from micropie.core.basics.errors import FAILURES, UnusableResult, blaming
from micropie.core.pipeline.engine import Engine, is_awaitable
from micropie.core.pipeline.error_handlers import reply_to_error
from micropie.core.pipeline.error_replies import CAUGHT, log_failure, reraise_cancellation, server_error
from micropie.core.pipeline.middleware import HttpMiddleware, no_before_routing, no_before_sending
from micropie.core.replies.reply import (
    Reply,
    checked_status,
    close_unsent,
    header_pairs,
    hide_type,
    is_stream,
    replacing_body,
    show_type,
)
from micropie.core.requests.request import Request


async def answer_before_routing(engine: Engine, middlewares: list[HttpMiddleware], request: Request) -> Reply | None:
    """Call the hooks that come before everything else, in order until one answers, or raises what is the answer."""
    try:
        for middleware in middlewares:
            hook = getattr(middleware, "before_routing", no_before_routing)
            answer: Any = hook(request)
            if answer is not None and is_awaitable(answer):
                answer = await answer
            if answer:
                return _changed(Reply(200, None, []), answer, hook)
        check_session_unseen(request)
    except CAUGHT as error:
        reraise_cancellation(error)
        return await reply_to_error(engine, request, error)
    return None


def check_session_unseen(request: Request) -> None:
    """RuntimeError if a hook before routing has looked at the session, which would hide the visitor's own."""
    if request._session is not None and "session" not in request._preset:
        raise RuntimeError("before_routing() comes before the session is loaded: before_request() may look at it")


async def before_hooks(middlewares: list[HttpMiddleware], request: Request) -> Reply | None:
    """Call the hooks in order until one answers or raises; those that are not reached are taken out of the list."""
    reached = 0
    try:
        for middleware in middlewares:
            reached += 1
            short_cut: Any = middleware.before_request(request)
            if type(short_cut) is CoroutineType or (short_cut is not None and is_awaitable(short_cut)):  # PERF: 0.1 µs
                short_cut = await short_cut
            if short_cut:
                return _changed(Reply(200, None, []), short_cut, middleware.before_request)
    finally:
        if reached < len(middlewares):
            del middlewares[reached:]
    return None


async def after_hooks(engine: Engine, middlewares: list[HttpMiddleware], request: Request, reply: Reply) -> Reply:
    """Show the reply to each hook in order, and make the changes that it asks for; a bare 500 if one raises."""
    try:
        show_type(reply)
        for middleware in middlewares:
            change: Any = middleware.after_request(request, reply.status, reply.body, reply.headers)
            if type(change) is CoroutineType or (change is not None and is_awaitable(change)):
                change = await change
            if change:
                reply = await replaced(reply, change, middleware.after_request)
        reply.headers = hide_type(reply.headers)
    except CAUGHT as error:
        await close_unsent(reply.body)
        reraise_cancellation(error)
        return server_error(engine, request, error)
    return reply


def show_reply(middlewares: list[HttpMiddleware], request: Request, reply: Reply) -> None:
    """Show the reply to each middleware as it goes out; what one raises is logged, and changes nothing."""
    for middleware in middlewares:
        try:
            hook = getattr(middleware, "before_sending", no_before_sending)
            hook(request, reply.status, reply.body, reply.headers)
        except FAILURES as error:
            log_failure(request, error)


async def replaced(reply: Reply, change: Any, hook: Callable[..., Any]) -> Reply:
    """The changed reply; a stream that it does not send, and cannot contain, is closed."""
    changed = _changed(reply, change, hook)
    if is_stream(reply.body) and not is_stream(changed.body):
        await close_unsent(reply.body)
    return changed


def _changed(reply: Reply, change: Any, hook: Callable[..., Any]) -> Reply:
    """The reply with what the hook's dict names in place of its own."""
    with blaming(hook):
        if not isinstance(change, Mapping):
            wanted = "None is, or a dict of status_code, body, headers"
            raise UnusableResult(f"a {type(change).__name__} that a hook returns is no answer: {wanted}")
        status = checked_status(change["status_code"]) if "status_code" in change else reply.status
        headers = header_pairs(change["headers"]) if "headers" in change else reply.headers
        if "body" not in change:
            return Reply(status, reply.body, headers, reply.content_type)
        body, content_type = replacing_body(change["body"], reply.content_type)
        if content_type != reply.content_type:
            headers = hide_type(headers)
        return Reply(status, body, headers, content_type)
