"""The application's HTTP hooks: which middleware defines which, and what their answers and changes make of a reply.

Those around a handler are called by `answer_through_hooks` in pipeline/http.py, in the order of the middlewares.
"""

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any

from micropie.core.basics.errors import FAILURES, UnusableResult, blaming
from micropie.core.basics.types import HeaderPairs
from micropie.core.engine import Engine, is_awaitable
from micropie.core.failures.error_handlers import reply_to_error
from micropie.core.failures.error_replies import CAUGHT, log_failure, reraise_cancellation
from micropie.core.hooks.middleware import HttpMiddleware, check_instances, defines
from micropie.core.replies.asgi import add_ready_headers
from micropie.core.replies.ready_headers import ReadyPairs
from micropie.core.replies.reply import (
    HTML,
    JSON,
    Reply,
    checked_status,
    close_unsent,
    header_pairs,
    hide_type,
    is_stream,
    replacing_body,
)
from micropie.core.requests.request import Request, RouteKey


class Hooks:
    """An application's middlewares, and which of them define which hook: one that is inherited does nothing.

    They are looked at once; a list with other middlewares gets other `Hooks`.
    """

    __slots__ = (
        "after",
        "before",
        "before_routing",
        "before_sending",
        "last",
        "lead",
        "made_for",
        "middlewares",
    )

    def __init__(self, middlewares: Iterable[HttpMiddleware]) -> None:
        self.middlewares = [*middlewares]
        check_instances(self.middlewares)
        # Lists are compared by identity, item by item, unless an item has an equality of its own: then never the same.
        self.made_for = self.middlewares if all(type(one).__eq__ is object.__eq__ for one in self.middlewares) else None
        self.before_routing = defining(self.middlewares, "before_routing")
        self.before = [pair for pair in enumerate(self.middlewares, 1) if defining(pair[1:], "before_request")]
        self.before_sending = defining(self.middlewares, "before_sending")
        self.after = after_steps(self.middlewares)
        # Those with headers for replies which no after hook sees: these may go out as they are, encoded already.
        self.last: list[HttpMiddleware] = []
        while self.after and isinstance(step := self.after[-1], AddingHeaders):
            self.last.insert(0, step.middleware)
            self.after.pop()
        self.lead = bool(self.before_routing or self.before)  # they may answer, or lead the request elsewhere

    def after_of(self, reached: int) -> "list[HttpMiddleware | AddingHeaders]":
        """The after hooks of so many middlewares that a request has reached."""
        return after_steps(self.middlewares[:reached])


class AddingHeaders:
    """The `reply_headers` of a middleware as an after hook."""

    __slots__ = ("middleware",)

    def __init__(self, middleware: HttpMiddleware) -> None:
        self.middleware = middleware

    def after_request(self, request: Request, _status: int, _body: Any, headers: list[Any]) -> None:
        """Add them to those of the reply."""
        if (added := self.middleware.reply_headers(request)) is not None:
            added.add_to(headers)


def after_steps(middlewares: Iterable[HttpMiddleware]) -> list[HttpMiddleware | AddingHeaders]:
    """The after hooks of middlewares, in order."""
    steps: list[HttpMiddleware | AddingHeaders] = []
    for middleware in middlewares:
        if defines(middleware, "reply_headers"):
            steps.append(AddingHeaders(middleware))
        if defines(middleware, "after_request"):
            steps.append(middleware)
    return steps


def defining(middlewares: Iterable[HttpMiddleware], name: str) -> list[HttpMiddleware]:
    """Those that define a hook."""
    return [one for one in middlewares if defines(one, name)]


def hooks_of(engine: Engine) -> Hooks:
    """The hooks of the application's middlewares, which may have changed since the last request."""
    middlewares = engine.app.middlewares
    # PERF: two lists are compared in 0.02 µs, their items' identities in 0.2 µs.
    if engine.hooks is None or engine.hooks.made_for != middlewares:
        engine.hooks = Hooks(middlewares)
    return engine.hooks


def answer_before_routing(engine: Engine, hooks: Hooks, request: Request) -> Awaitable[Reply | None] | None:
    """Call the hooks that come before everything else, in order until one answers, or raises what is the answer.

    What of that is to be waited for; None if all is done, and no hook has answered.
    """
    # PERF: no coroutine as long as there is nothing to wait for, 0.2 µs.
    try:
        rest = iter(hooks.before_routing)
        for middleware in rest:
            answer: Any = middleware.before_routing(request)
            if answer is not None:
                return answer_from(engine, request, middleware, answer, rest)
        if request._session is not None:
            check_session_unseen(request)
    except CAUGHT as error:
        return reply_to_raised(engine, request, error)
    return None


async def answer_from(
    engine: Engine, request: Request, middleware: HttpMiddleware, answer: Any, rest: Iterator[HttpMiddleware]
) -> Reply | None:
    """The answer of a middleware, whose hook has returned it, or else of the rest of them."""
    try:
        while True:
            if answer is not None and is_awaitable(answer):
                answer = await answer
            if answer:
                return answer_of(middleware.before_routing, answer)
            if (following := next(rest, None)) is None:
                break
            middleware, answer = following, following.before_routing(request)
        check_session_unseen(request)
    except CAUGHT as error:
        reraise_cancellation(error)
        return await reply_to_error(engine, request, error)
    return None


async def reply_to_raised(engine: Engine, request: Request, error: BaseException) -> Reply:
    """The reply to an exception that was raised before there was something to wait for."""
    try:
        raise error  # an `_on_error` may ask Python which one it is about
    except CAUGHT:
        reraise_cancellation(error)
        return await reply_to_error(engine, request, error)


def check_session_unseen(request: Request) -> None:
    """RuntimeError if a hook before routing has looked at the session, which would hide the visitor's own."""
    if request._session is not None and "session" not in request._preset:
        raise RuntimeError("before_routing() comes before the session is loaded: before_request() may look at it")


def answer_of(hook: Callable[..., Any], answer: Any) -> Reply:
    """The reply that a hook has returned before there was one."""
    return _changed(Reply(200, None, []), answer, hook)


def is_led_elsewhere(request: Request, route_key: RouteKey) -> bool:
    """True if hooks have led the request to another handler or application than its route had been then."""
    if request._subapp is not None or request._route_handler is not None:
        return True
    path, root, method = route_key
    scope = request._known_scope  # PERF: one that nobody has seen is the same, 0.1 µs
    is_led = scope is not None and (scope["path"] != path or scope.get("root_path") != root)
    return is_led or request.method != method


def settled(
    hooks: Hooks,
    request: Request,
    reply: Reply | None,
    messages: Any,
    body: Any,
    headers: HeaderPairs,
) -> Reply | None:
    """The reply with these headers, which the after hooks have left, and those that are added last.

    None if it is that of the messages still, which have got what is added.
    """
    headers = hide_type(headers)
    if reply is not None:
        reply.headers = headers
    elif headers or request._session is not None:
        reply = plain_reply(body, headers)
    if not hooks.last or request._hooks_reached is not None:
        return reply
    if reply is not None:
        add_last_headers(hooks, request, reply)
        return reply
    ready = last_headers(hooks, request)
    if ready is not None:
        add_ready_headers(messages, ready)
    return None if request._session is None else plain_reply(body, ready or [])


def with_added_headers(engine: Engine, request: Request, reply: Reply) -> Reply:
    """A reply in place of one that has passed the after hooks, with what the `reply_headers` of middlewares add."""
    for middleware in defining(engine.app.middlewares[: request._hooks_reached], "reply_headers"):
        with suppress(*FAILURES):  # it may be what this reply is about
            AddingHeaders(middleware).after_request(request, reply.status, reply.body, reply.headers)
    return reply


def last_headers(hooks: Hooks, request: Request) -> ReadyPairs | None:
    """The headers that are added to a reply when all after hooks have seen it."""
    found = None
    for middleware in hooks.last:
        if (added := middleware.reply_headers(request)) is not None:
            found = added.pairs if found is None else found.plus(added)
    return found


def add_last_headers(hooks: Hooks, request: Request, reply: Reply) -> None:
    """Add them to those of a reply."""
    if not reply.headers:  # PERF: encoded already, 2 µs
        reply.headers = last_headers(hooks, request) or reply.headers
        return
    for middleware in hooks.last:
        if (added := middleware.reply_headers(request)) is not None:
            added.add_to(reply.headers)


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
