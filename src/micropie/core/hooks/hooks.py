"""The application's HTTP hooks: called in the order of its middlewares, before a handler and with every reply."""

from collections.abc import Callable, Iterable, Mapping
from types import CoroutineType
from typing import Any

from micropie.core.basics.errors import FAILURES, UnusableResult, blaming
from micropie.core.basics.types import HeaderPairs
from micropie.core.engine import Engine, is_awaitable
from micropie.core.failures.error_handlers import reply_to_error
from micropie.core.failures.error_replies import CAUGHT, log_failure, reraise_cancellation, server_error
from micropie.core.hooks.middleware import HttpMiddleware
from micropie.core.replies.reply import (
    HTML,
    JSON,
    JSON_HEADER,
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


class Hooks:
    """An application's middlewares, and which of them define which hook: one that is inherited does nothing.

    They are looked at once; a list with other middlewares gets other `Hooks`.
    """

    __slots__ = (
        "after",
        "before",
        "before_routing",
        "before_sending",
        "lead",
        "made_for",
        "middlewares",
    )

    def __init__(self, middlewares: Iterable[HttpMiddleware]) -> None:
        self.middlewares = [*middlewares]
        # Lists are compared by identity, item by item, unless an item has an equality of its own: then never the same.
        self.made_for = self.middlewares if all(type(one).__eq__ is object.__eq__ for one in self.middlewares) else None
        self.before_routing = defining(self.middlewares, "before_routing")
        self.before = [pair for pair in enumerate(self.middlewares, 1) if defining(pair[1:], "before_request")]
        self.after = defining(self.middlewares, "after_request")
        self.before_sending = defining(self.middlewares, "before_sending")
        self.lead = bool(self.before_routing or self.before)  # they may answer, or lead the request elsewhere

    def after_of(self, reached: int) -> list[HttpMiddleware]:
        """The middlewares with after hooks among so many that a request has reached."""
        return defining(self.middlewares[:reached], "after_request")


def defining(middlewares: Iterable[HttpMiddleware], name: str) -> list[HttpMiddleware]:
    """Those that define a hook. Any object with `before_request` and `after_request` is a middleware."""
    inherited = getattr(HttpMiddleware, name)
    is_optional = name in ("before_routing", "before_sending")
    return [
        one
        for one in middlewares
        if (hook := getattr(one, name, inherited if is_optional else None)) is not inherited
        and getattr(hook, "__func__", None) is not inherited
    ]


NO_HOOKS = Hooks(())
ELSEWHERE = object()  # in place of an answer: hooks have led the request there


def hooks_of(engine: Engine) -> Hooks:
    """The hooks of the application's middlewares, which may have changed since the last request."""
    middlewares = engine.app.middlewares
    # PERF: two lists are compared in 0.02 µs, their items' identities in 0.2 µs.
    if engine.hooks is None or engine.hooks.made_for != middlewares:
        engine.hooks = Hooks(middlewares)
    return engine.hooks


async def answer_before_routing(engine: Engine, hooks: Hooks, request: Request) -> Reply | None:
    """Call the hooks that come before everything else, in order until one answers, or raises what is the answer."""
    try:
        for middleware in hooks.before_routing:
            answer: Any = middleware.before_routing(request)
            if answer is not None and is_awaitable(answer):
                answer = await answer
            if answer:
                return _changed(Reply(200, None, []), answer, middleware.before_routing)
        check_session_unseen(request)
    except CAUGHT as error:
        reraise_cancellation(error)
        return await reply_to_error(engine, request, error)
    return None


def check_session_unseen(request: Request) -> None:
    """RuntimeError if a hook before routing has looked at the session, which would hide the visitor's own."""
    if request._session is not None and "session" not in request._preset:
        raise RuntimeError("before_routing() comes before the session is loaded: before_request() may look at it")


async def before_hooks(hooks: Hooks, request: Request) -> Any:
    """The answer of the first before hook that has one; `ELSEWHERE` if they have led the request there; else None.

    The after hooks of middlewares that are not reached are not called.
    """
    path, root, method = request._route_key()
    reached: int | None = None
    try:
        for reached, middleware in hooks.before:  # noqa: B007 - the `finally` wants to know
            short_cut: Any = middleware.before_request(request)
            if type(short_cut) is CoroutineType or (short_cut is not None and is_awaitable(short_cut)):  # PERF: 0.1 µs
                short_cut = await short_cut
            if short_cut:
                return _changed(Reply(200, None, []), short_cut, middleware.before_request)
        reached = None
    finally:
        if reached is not None:
            request._hooks_reached = reached
    scope = request._known_scope  # PERF: looked at in place, 0.1 µs
    is_led = scope is not None and (scope["path"] != path or scope.get("root_path") != root)
    if is_led or request.method != method or request._subapp is not None or request._route_handler is not None:
        return ELSEWHERE
    return None


async def after_hooks(
    engine: Engine, hooks: Hooks, request: Request, reply: Reply | None, plain_body: str | bytes | None = None
) -> Reply | None:
    """Show the reply to each hook in order, and make the changes that it asks for; a bare 500 if one raises.

    Without a reply it is a plain one with that body; None says that it stays as it is.
    """
    try:
        if reply is not None:
            show_type(reply)
            status, body, headers = reply.status, reply.body, reply.headers
        else:  # PERF: no `Reply` of what nobody changes, 0.5 µs
            status, body, headers = 200, plain_body, [] if type(plain_body) is str else [JSON_HEADER]
        for middleware in hooks.after if request._hooks_reached is None else hooks.after_of(request._hooks_reached):
            change: Any = middleware.after_request(request, status, body, headers)
            if type(change) is CoroutineType or (change is not None and is_awaitable(change)):
                change = await change
            if change:
                reply = await replaced(reply or plain_reply(body, headers), change, middleware.after_request)
                status, body, headers = reply.status, reply.body, reply.headers
        headers = hide_type(headers)
        if reply is None and (headers or request._session is not None):
            reply = plain_reply(body, headers)
        elif reply is not None:
            reply.headers = headers
    except CAUGHT as error:
        await close_unsent(body)
        reraise_cancellation(error)
        return server_error(engine, request, error)
    return reply


def show_reply(hooks: Hooks, request: Request, reply: Reply) -> None:
    """Show the reply to each middleware as it goes out; what one raises is logged, and changes nothing."""
    for middleware in hooks.before_sending:
        try:
            middleware.before_sending(request, reply.status, reply.body, [*reply.headers])  # a list may be shared
        except FAILURES as error:
            log_failure(request, error)


def plain_reply(body: Any, headers: HeaderPairs) -> Reply:
    """The reply that a plain result means: text, or else JSON."""
    return Reply(200, body, headers, HTML if type(body) is str else JSON)


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
