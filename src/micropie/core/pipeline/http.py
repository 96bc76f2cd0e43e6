"""The way of an HTTP request, step by step: begin here.

    Request -> routing hooks -> route -> body -> session -> before hooks -> guards -> binding -> handler -> Reply
    -> after hooks -> session saved -> sending hooks -> sent

Each step is a function, mostly of another module: the folder's docstring says of which.
"""

from collections.abc import Awaitable
from types import CoroutineType
from typing import TYPE_CHECKING, Any

from micropie.core import late
from micropie.core.basics.errors import FAILURES, Unrouted, log
from micropie.core.basics.types import Send
from micropie.core.engine import Engine, call, is_awaitable
from micropie.core.failures.error_handlers import reply_to_error
from micropie.core.failures.error_replies import CAUGHT, reply_to_unhandled, reraise_cancellation, server_error
from micropie.core.handlers.binding import Arguments, bind
from micropie.core.handlers.endpoint import Endpoint, Guard
from micropie.core.hooks.hooks import (
    Hooks,
    answer_before_routing,
    answer_of,
    hooks_of,
    is_led_elsewhere,
    plain_reply,
    replaced,
    settled,
    show_reply,
    with_added_headers,
)
from micropie.core.hooks.middleware import mounted_send
from micropie.core.pipeline.end_of_request import end_request, note_exception
from micropie.core.pipeline.guards import after_guards, before_guards
from micropie.core.pipeline.sending import send_reply
from micropie.core.pipeline.whole_reply import Plain, Whole, messages_of
from micropie.core.replies.asgi import WholeMessages, whole_messages
from micropie.core.replies.reply import JSON_HEADER, Reply, close_unsent, is_stream, show_type, to_reply
from micropie.core.requests.body import has_body, take_body
from micropie.core.requests.request import Request, enter_request, leave_request
from micropie.core.routing.targets import ByVerb, Match, MountedApp, Target
from micropie.core.sessions.cookie import keep_private, set_session_cookie
from micropie.core.sessions.store import has_session

if TYPE_CHECKING:
    from micropie.core.requests.upload import Upload

Answered = tuple[Reply | None, WholeMessages | None]
NONE = b"none"  # in place of a header field that is not there


async def serve_http(  # noqa: C901, PLR0912 - the steps in their order, and what most requests can leave out
    engine: Engine, request: Request, send: Send, whole: Whole, plain: Plain
) -> None:
    """Answer one request, whatever it is and whatever happens."""
    # PERF: one coroutine for all steps, and others only where there is something to wait for; 0.1 µs each.
    reply = messages = None
    token: Any = enter_request(request)  # None once it is left
    try:
        try:
            if engine.app.middlewares:
                reply, messages = await answer_through_hooks(engine, hooks_of(engine), request, plain)
            else:
                target, segments = engine.router.find(request)
                # PERF: no look for what most requests have not, 0.1 µs.
                if (request.method != "GET" or engine.sessions.known.sessions) and (
                    waiting := take_incoming(engine, request, target)
                ) is not None:
                    await waiting
                if target.is_bare and not segments and request._closers is None:  # PERF: nothing to bind, 0.06 µs
                    result = await target.call()  # type: ignore[union-attr]
                else:
                    result = await call_handler(engine, request, target, segments)
                # PERF: no `Reply` for a plain result that nobody wants to change, 0.4 µs.
                if engine.sends_directly and request.method != "HEAD":
                    messages = plain(result, session := request._session)
                    if session is not None or request._stored_session is not None:
                        messages = messages if messages is not None and saved_at_once(engine, request) else None
                if messages is None and request._mount is None:
                    reply = to_reply(result)
                    if has_session(request):
                        reply = await with_saved_session(engine, request, reply)
        except CAUGHT as error:
            reply = await with_saved_session(engine, request, await reply_outside_guards(engine, request, error))
        if reply is not None and engine.sends_directly:
            messages = messages_of(engine, request, reply, whole)
        if messages is None:  # code of the application may run along
            await send_otherwise(engine, request, reply, send, whole)
        else:
            # Not later: with the reply a server may start a timer for the connection, which keeps the context as it is.
            leave_request(token)
            token = None
            start, rest = messages
            try:
                await send(start)
                await send(rest)
            except OSError:  # ASGI 2.4: the client has left
                log.debug("The client left before its reply")
    finally:
        if token is not None:
            leave_request(token)
        if request._closers is not None:
            await end_request(engine, request)


async def answer_through_hooks(  # noqa: C901, PLR0912 - PERF: no coroutine of its own for either loop, 0.2 µs each
    engine: Engine, hooks: Hooks, request: Request, plain: Plain
) -> Answered:
    """The reply, or the messages of a plain one that no hook changes; neither if another application answers."""
    result: Any = None
    messages: Any = None
    reply = reached = None
    try:
        early = answer_before_routing(engine, hooks, request) if hooks.before_routing else None
        if early is None or (result := await early) is None:
            target, segments = engine.router.find(request)
            if (request.method != "GET" or engine.sessions.known.sessions) and (
                waiting := take_incoming(engine, request, target)
            ) is not None:
                await waiting
            route_key = request._route_key() if hooks.lead else None
            for reached, middleware in hooks.before:  # noqa: B007 - it tells how many have been reached
                answer: Any = middleware.before_request(request)
                if type(answer) is CoroutineType or (answer is not None and is_awaitable(answer)):
                    answer = await answer
                if answer:
                    result = answer_of(middleware.before_request, answer)
                    break
            else:
                reached = None
                if route_key is not None and is_led_elsewhere(request, route_key):
                    result = await call_elsewhere(engine, request, (target, segments))
                elif target.is_bare and not segments and request._closers is None:
                    result = await target.call()  # type: ignore[union-attr]
                else:
                    result = await call_handler(engine, request, target, segments)
        if engine.sends_directly and not (hooks.before_sending or request.method == "HEAD" or has_session(request)):
            messages = plain(result, None)
        if messages is None and request._mount is None:
            reply = to_reply(result)
    except CAUGHT as error:
        reply = await reply_outside_guards(engine, request, error)
    if messages is None and reply is None:
        return None, None
    request._hooks_reached, body = reached, None
    try:
        if reply is not None:
            show_type(reply)
            status, body, headers = reply.status, reply.body, reply.headers
        else:  # PERF: no `Reply` of what nobody changes, 0.5 µs
            status, body = 200, result if type(result) is str else messages[1]["body"]
            headers = [] if type(result) is str else [JSON_HEADER]
        for step in hooks.after if reached is None else hooks.after_of(reached):
            change: Any = step.after_request(request, status, body, headers)
            if type(change) is CoroutineType or (change is not None and is_awaitable(change)):
                change = await change
            if change:
                reply = await replaced(reply or plain_reply(body, headers), change, step.after_request)
                status, body, headers = reply.status, reply.body, reply.headers
        reply = settled(hooks, request, reply, messages, body, headers)
    except CAUGHT as error:
        reply = await reply_to_failed_hook(engine, request, body, error)
    if reply is not None and (hooks.before_sending or has_session(request)):
        reply = await finished(engine, hooks, request, reply)
    return reply, messages


def take_incoming(engine: Engine, request: Request, target: Target) -> Awaitable[None] | None:
    """Read the body, within the limits of what the path leads to, and load the session that a cookie names.

    What of that is to be waited for, None if nothing is.
    """
    waiting = None
    if request.method != "GET" and target.limits is not None and has_body(request):
        waiting = take_body(request, target.limits, engine.body_threads)
        if request._header_bytes(b"cookie", NONE) is NONE:  # PERF: which knows all fields by now, 0.2 µs
            return waiting
    # PERF: no look for a cookie as long as there are no sessions, 0.3 µs.
    if not engine.sessions.known.sessions or not (cookie := request._cookies()) or "session" in request._preset:
        return waiting
    return engine.sessions.load(request, cookie) if waiting is None else load_behind(waiting, engine, request, cookie)


async def load_behind(body: Awaitable[None], engine: Engine, request: Request, cookie: str) -> None:
    """Wait for the body, then load the session."""
    await body
    await engine.sessions.load_waiting(request, cookie)


async def call_elsewhere(engine: Engine, request: Request, match: Match) -> Any:
    """The result of another handler than the path has led to; None for another application, which is noted."""
    if request._subapp is not None:
        request._mount = late.subapp_of_hook(request, request._subapp)
        return None
    return await call_handler(engine, request, *await found_again(engine, request, match))


async def finished(engine: Engine, hooks: Hooks, request: Request, reply: Reply) -> Reply:
    """The reply with the cookie of its session, which is saved, if it has one; the sending hooks have seen it."""
    reply = await with_saved_session(engine, request, reply)
    show_reply(hooks, request, reply)
    return reply


def send_otherwise(engine: Engine, request: Request, reply: Reply | None, send: Send, whole: Whole) -> Awaitable[None]:
    """Send what is not whole, or not ours: a stream, a reply by the application's own way, that of a mounted one."""
    if reply is None:
        return send_from_subapp(engine, request, send)
    return (late.send_streamed if engine.sends_directly else engine.send_reply)(engine, request, reply, send, whole)


async def send_from_subapp(engine: Engine, request: Request, send: Send) -> None:
    """Let another application send; if it fails before, an error by a `send` as it was given one."""
    failed = await late.serve_subapp(engine, request, send)
    if failed is not None:
        await send_reply(engine, request, failed, mounted_send(engine.app, request, send), whole_messages)


async def reply_outside_guards(engine: Engine, request: Request, error: BaseException) -> Reply:
    """The reply to what went wrong before a branch's guards were reached: one of the branch's all the same."""
    note_exception(request, error)
    reraise_cancellation(error)
    error = await error_with_session(engine, request, error)
    reply = await reply_to_error(engine, request, error)
    return reply if request._target is None else await after_guards(engine, request, request._target.guards, reply)


async def reply_to_failed_hook(engine: Engine, request: Request, body: Any, error: BaseException) -> Reply:
    """A bare 500 in place of a reply, whose after hook has raised; its body is closed."""
    await close_unsent(body)
    reraise_cancellation(error)
    return with_added_headers(engine, request, server_error(engine, request, error))


async def error_with_session(engine: Engine, request: Request, error: BaseException) -> BaseException:
    """The error of a request, whose session is there by now for those who see the reply; the backend's if it is not."""
    if has_session(request) or "session" in request._preset or request._failure:
        return error
    try:
        await engine.sessions.load_waiting(request, request._cookies())
    except CAUGHT as failure:
        reraise_cancellation(failure)
        return failure
    return error


async def found_again(engine: Engine, request: Request, match: Match) -> Match:
    """The match behind hooks that have led the request elsewhere; its body is read if nobody has yet."""
    target, segments = engine.router.find_again(request, match)
    if target.limits is not None and not (request.body_parsed or request._upload is not None) and has_body(request):
        waiting = take_body(request, target.limits, engine.body_threads)
        if waiting is not None:
            await waiting
    return target, segments


def call_handler(engine: Engine, request: Request, target: Any, segments: list[str]) -> Awaitable[Any]:
    """The result of what the path leads to, a `Target`, to be awaited."""
    # PERF: no coroutine of ours round that of the handler, 0.1 µs; one look tells whether there is more to do.
    if target.is_direct and not request._is_large:
        plan = target.plan
        if plan.plain and len(segments) == plan.size:  # PERF: as `bind` has it, 0.1 µs
            return target.call(*segments)  # type: ignore[no-any-return]
        args, kwargs = bind(plan, request, segments)
        return target.call(*args, **kwargs)  # type: ignore[no-any-return]
    return (call_behind_guards if target.guards else call_target)(engine, request, target, segments)


async def call_target(engine: Engine, request: Request, target: Target, segments: list[str]) -> Any:
    """The result of whatever a path can lead to, once its guards have let the request pass."""
    if isinstance(target, Endpoint):
        if target.plan.provided:
            await late.provide(engine, request, target.plan.provided)
        if (upload := request._upload) is not None:
            return await call_with_upload(engine, request, target, segments, upload)
        args, kwargs = await bind_arguments(engine, request, target, segments)
        return await call(engine, target, args, kwargs)
    if isinstance(target, MountedApp):
        request._mount = late.mounted_subapp(request, target, segments)
        return None
    if isinstance(target, ByVerb):
        return method_not_allowed(target, request.method, segments)
    raise Unrouted(404)


async def bind_arguments(engine: Engine, request: Request, endpoint: Endpoint, segments: list[str]) -> Arguments:
    """The handler's arguments; a large body is converted in a thread, so that others are served meanwhile."""
    if request._is_large and endpoint.plan.slots:
        arguments: Arguments = await engine.body_threads.run(bind, (endpoint.plan, request, segments), {})
        return arguments
    return bind(endpoint.plan, request, segments)


def method_not_allowed(choice: ByVerb, verb: str, segments: list[str]) -> Reply:
    """The answer to OPTIONS, which names the verbs; `Unrouted` with 405 for others (RFC 9110 §9.3.7 and §15.5.6)."""
    if not choice.verbs:
        raise Unrouted(404)
    allow = [("Allow", choice.allow(segments))]
    if verb == "OPTIONS":
        return Reply(204, None, allow)
    raise Unrouted(405, headers=allow)


async def call_behind_guards(engine: Engine, request: Request, target: Target, segments: list[str]) -> Reply:
    """The reply from between the guards of the branch: in through `_before`, outermost first, out through `_after`."""
    entered: list[Guard] = []
    try:
        reply = await before_guards(engine, request, target.guards, segments, entered)
        if reply is None:
            reply = to_reply(await call_target(engine, request, target, segments))
    except CAUGHT as error:
        note_exception(request, error)
        reraise_cancellation(error)
        reply = await reply_to_error(engine, request, error)
    return reply if request._mount is not None else await after_guards(engine, request, entered, reply)


async def call_with_upload(
    engine: Engine, request: Request, endpoint: Endpoint, segments: list[str], upload: "Upload"
) -> Reply:
    """The reply of a handler that runs while a multipart form is read.

    A handler that names no field gets the whole form, and so does one that can't wait for it.
    """
    form = upload.start(blocking=endpoint.blocking)
    request.files, request.body_params = form.files, form.fields
    try:
        await form.until([] if endpoint.blocking else endpoint.plan.outstanding(request, segments))
        args, kwargs = bind(endpoint.plan, request, segments)
        reply = to_reply(await call(engine, endpoint, args, kwargs))
    except FAILURES:
        await upload.discard()
        raise
    if not is_stream(reply.body):  # a stream may still read the files
        await upload.discard()
    return reply


def saved_at_once(engine: Engine, request: Request) -> bool:
    """True if the session is saved by now, behind a handler that has not failed; False if it takes a wait, or can't."""
    try:
        return engine.sessions.save_at_once(request)
    except FAILURES:  # `with_saved_session` meets it again, and says what becomes of it
        return False


async def with_saved_session(engine: Engine, request: Request, reply: Reply) -> Reply:
    """The reply with the cookie of its session, if it has one, which is saved unless the request failed.

    An error in its place if it can't be.
    """
    if request._failure or not has_session(request):
        return reply
    try:
        cookie = None if engine.sessions.save_at_once(request) else await engine.sessions.save(request)
    except CAUGHT as error:
        await close_unsent(reply.body)
        reraise_cancellation(error)
        return with_added_headers(engine, request, reply_to_unhandled(engine, request, error))
    if cookie is not None:
        set_session_cookie(reply, cookie)
    elif request._session is not None:  # what the reply says may depend on it
        keep_private(reply)
    return reply
