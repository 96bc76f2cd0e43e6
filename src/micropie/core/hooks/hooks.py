"""The application's HTTP hooks: called in the order of its middlewares, before a handler and with every reply."""

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from types import CoroutineType
from typing import Any

from micropie.core.basics.errors import FAILURES, UnusableResult, blaming
from micropie.core.basics.types import HeaderPairs
from micropie.core.engine import Engine, is_awaitable
from micropie.core.failures.error_handlers import reply_to_error
from micropie.core.failures.error_replies import CAUGHT, log_failure, reraise_cancellation, server_error
from micropie.core.hooks.middleware import HttpMiddleware, defines
from micropie.core.replies.asgi import WholeMessages, add_ready_headers
from micropie.core.replies.ready_headers import ReadyPairs
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
        "change_replies",
        "last",
        "lead",
        "made_for",
        "middlewares",
        "only_add",
    )

    def __init__(self, middlewares: Iterable[HttpMiddleware]) -> None:
        self.middlewares = [*middlewares]
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
        self.change_replies = bool(self.after or self.last)
        self.only_add = not self.after  # to replies, which need not be shown to anybody

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


NO_HOOKS = Hooks(())
ELSEWHERE = object()  # in place of an answer: hooks have led the request there


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
                return _changed(Reply(200, None, []), answer, middleware.before_routing)
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


def before_hooks(hooks: Hooks, request: Request) -> Awaitable[Any] | None:
    """What to await for the answer of the before hooks: None if there is nothing to ask."""
    # PERF: no coroutine where there are only hooks before the routing, which have led the request nowhere, 0.1 µs.
    if hooks.before or request._subapp is not None or request._route_handler is not None:
        return answer_before_handler(hooks, request)
    return None


async def answer_before_handler(hooks: Hooks, request: Request) -> Any:
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
    engine: Engine,
    hooks: Hooks,
    request: Request,
    reply: Reply | None,
    messages: WholeMessages | None = None,
    result: Any = None,
) -> Reply | None:
    """Show the reply to each hook in order, and make the changes that it asks for; a bare 500 if one raises.

    Without a reply it is the plain one that these messages have made of this result; None says that they stay.
    """
    try:
        if reply is not None:
            show_type(reply)
            status, body, headers = reply.status, reply.body, reply.headers
        else:  # PERF: no `Reply` of what nobody changes, 0.5 µs
            status, headers = 200, [] if type(result) is str else [JSON_HEADER]
            body = plain_body(messages, result)
        reached = request._hooks_reached
        for step in hooks.after if reached is None else hooks.after_of(reached):
            change: Any = step.after_request(request, status, body, headers)
            if type(change) is CoroutineType or (change is not None and is_awaitable(change)):
                change = await change
            if change:
                reply = await replaced(reply or plain_reply(body, headers), change, step.after_request)
                status, body, headers = reply.status, reply.body, reply.headers
        headers = hide_type(headers)
        if reply is None and (headers or request._session is not None):
            reply = plain_reply(body, headers)
        elif reply is not None:
            reply.headers = headers
        if not hooks.last or reached is not None:
            return reply
        if reply is None:
            return add_to_plain(engine, hooks, request, messages, result)
        add_last_headers(hooks, request, reply)
    except CAUGHT as error:
        await close_unsent(body)
        reraise_cancellation(error)
        return with_added_headers(engine, request, server_error(engine, request, error))
    return reply


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


def plain_body(messages: Any, result: Any) -> str | bytes:
    """The body of a plain result, as hooks see it, which these messages have been made of."""
    body: str | bytes = result if type(result) is str else messages[1]["body"]
    return body


def add_to_plain(engine: Engine, hooks: Hooks, request: Request, messages: Any, result: Any) -> Reply | None:
    """Add them to the messages that have been made of a plain result; a reply in their place, if there is more to do.

    That is a bare 500 if a hook raises.
    """
    try:
        ready = last_headers(hooks, request)
    except CAUGHT as error:
        reraise_cancellation(error)
        return with_added_headers(engine, request, server_error(engine, request, error))
    if ready is not None:
        add_ready_headers(messages, ready)
    return None if request._session is None else plain_reply(plain_body(messages, result), ready or [])


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
