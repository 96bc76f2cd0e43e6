"""The way of an HTTP request through the framework, step by step.

    Request -> before hooks -> routing -> binding -> handler -> Reply -> after hooks -> session saved -> send

Each step is a function; hooks and guards are modules of their own, and the last two steps are in `delivery`.
"""

from collections.abc import Awaitable
from typing import Any

from micropie.core.basics.errors import Unrouted
from micropie.core.basics.types import ASGIApp, Send
from micropie.core.handlers.binding import Arguments, bind
from micropie.core.handlers.endpoint import Endpoint, Guard
from micropie.core.pipeline.engine import Application, call
from micropie.core.pipeline.error_replies import CAUGHT, reply_to_error, reraise_cancellation, server_error
from micropie.core.pipeline.guards import after_guard, before_guards
from micropie.core.pipeline.hooks import after_hooks, before_hooks
from micropie.core.pipeline.mounts import HandedOver, enter_mount, serve_subapp
from micropie.core.pipeline.sending import SendWhole, as_current_request
from micropie.core.replies.reply import Reply, close_unsent, is_stream, to_reply
from micropie.core.requests.body import Limits, Upload, has_body, take_body
from micropie.core.requests.request import Request, current_request
from micropie.core.routing.router import Router, without_slash
from micropie.core.routing.targets import ByVerb, MountedApp, Target
from micropie.core.sessions.store import set_session_cookie


async def serve_http(app: Application, request: Request, send: Send, send_whole: SendWhole) -> None:
    """Answer one request, whatever it is and whatever happens."""
    token = current_request.set(request)
    try:
        try:
            reply = await make_reply(app, request)
            if isinstance(reply, Reply) and (request._session is not None or request._session_id is not None):
                reply = await with_saved_session(app, request, reply)
        finally:
            # Not later: with the reply a server may start a timer for the connection, which keeps the context as it is.
            current_request.reset(token)
        if isinstance(reply, Reply):
            await app._micropie.send_reply(app, request, reply, send, send_whole)
        else:
            await as_current_request(request, serve_subapp(app, request, reply, send))
    finally:
        if request._upload is not None:
            await request._upload.close()


async def make_reply(app: Application, request: Request) -> Reply | ASGIApp:
    """The reply, past the after hooks; or the application that a before hook has named to answer."""
    entered = app.middlewares  # until the first hook runs, all of them see what goes wrong
    try:
        if request.method == "GET" or not has_body(request):
            cookie = request._cookies()
        else:
            await app._micropie.take_body(request, app._micropie.limits)
            # PERF: the headers are in a dict by now, 0.3 µs.
            cookie = request._cookies() if request._header_bytes(b"cookie", b"") else ""
        if cookie and "session" not in request._preset:
            await app._micropie.sessions.load(request, cookie)
        if entered:
            entered = list(entered)
            short_cut = await before_hooks(entered, request)
            if short_cut is None:
                if request._subapp is not None:
                    return request._subapp
                if request._body_left:
                    await take_late_body(app, request)
            reply = short_cut or to_reply(await call_handler(app, request))
        else:
            reply = to_reply(await call_handler(app, request))
    except HandedOver as handed:
        return handed.app
    except CAUGHT as error:
        reraise_cancellation(error)
        reply = reply_to_error(app, request, error)
    return await after_hooks(app, entered, request, reply) if entered else reply


async def take_own_body(router: Router, request: Request, limits: Limits) -> None:
    """Read the body, unless it belongs to an application below us: that one reads it, within limits of its own."""
    if router.leads_elsewhere(request):
        request._body_left = True
    else:
        await take_body(request, limits)


async def take_late_body(app: Application, request: Request) -> None:
    """Read the body that was left to another application, if a before hook has led the request to us after all."""
    if request._subapp is None and not app._micropie.router.leads_elsewhere(request):
        request._body_left = False
        await take_body(request, app._micropie.limits)


def call_handler(app: Application, request: Request) -> Awaitable[Any]:
    """What the handler that the path names returns, to be awaited."""
    # PERF: no coroutine of ours round that of the handler, 0.1 µs; one look tells whether there is more to do.
    target: Any
    target, segments = app._micropie.router.find(request)
    if target.is_bare and not segments and not request._is_large:
        return target.call()  # type: ignore[no-any-return]
    if target.is_direct and not request._is_large:
        args, kwargs = bind(target.plan, request, segments)
        return target.call(*args, **kwargs)  # type: ignore[no-any-return]
    return (call_behind_guards if target.guards else call_target)(app, request, target, segments)


async def call_target(app: Application, request: Request, target: Target, segments: list[str]) -> Any:
    """The same for whatever a path can lead to, once its guards have let the request pass."""
    if isinstance(target, ByVerb):
        chosen = target.choose(request)
        if chosen is None:
            return method_not_allowed(target, request.method)
        target = chosen
        segments = without_slash(target, segments)
    if isinstance(target, Endpoint):
        if request._boundary is not None:
            return await call_with_upload(app, request, target, segments, request._boundary)
        args, kwargs = await bind_arguments(app, request, target, segments)
        return await call(app, target, args, kwargs)
    if isinstance(target, MountedApp):
        enter_mount(request, target, segments)
        raise HandedOver(target.app)
    raise Unrouted(404)


async def bind_arguments(app: Application, request: Request, endpoint: Endpoint, segments: list[str]) -> Arguments:
    """The handler's arguments; a large body is converted in a thread, so that others are served meanwhile."""
    if request._is_large and endpoint.plan.slots:
        arguments: Arguments = await app._micropie.workers.run(bind, (endpoint.plan, request, segments), {})
        return arguments
    return bind(endpoint.plan, request, segments)


def method_not_allowed(choice: ByVerb, verb: str) -> Reply:
    """The answer to OPTIONS, which names the verbs; `Unrouted` with 405 for others (RFC 9110 §9.3.7 and §15.5.6)."""
    if not choice.verbs:
        raise Unrouted(404)
    allow = [("Allow", choice.allow)]
    if verb == "OPTIONS":
        return Reply(204, None, allow)
    raise Unrouted(405, headers=allow)


async def call_behind_guards(app: Application, request: Request, target: Target, segments: list[str]) -> Reply:
    """The same between the guards of the branch: in through `_before`, outermost first, out through `_after`."""
    entered: list[Guard] = []
    try:
        reply = await before_guards(app, target.guards, entered)
        if reply is None:
            reply = to_reply(await call_target(app, request, target, segments))
    except HandedOver:
        raise
    except CAUGHT as error:
        reraise_cancellation(error)
        reply = reply_to_error(app, request, error)
    for guard in reversed(entered):
        if guard.after is not None:
            reply = await after_guard(app, request, guard.after, reply)
    return reply


async def call_with_upload(
    app: Application, request: Request, endpoint: Endpoint, segments: list[str], boundary: str
) -> Reply:
    """The same for a multipart form, which is read while the handler runs.

    A handler that names no field gets the whole form, and so does one that can't wait for it.
    """
    upload = request._upload = Upload(request, boundary, app._micropie.limits, blocking=endpoint.blocking)
    request.files, request.body_params = upload.form.files, upload.form.fields
    try:
        await upload.form.until([] if endpoint.blocking else endpoint.plan.outstanding(request, segments))
        args, kwargs = bind(endpoint.plan, request, segments)
        reply = to_reply(await call(app, endpoint, args, kwargs))
    except Exception:
        await upload.discard()
        raise
    if not is_stream(reply.body):  # a stream may still read the files
        await upload.discard()
    return reply


async def with_saved_session(app: Application, request: Request, reply: Reply) -> Reply:
    """The reply with the cookie of the session, which is saved unless the request failed; a 500 if it can't be."""
    if request._failed:
        return reply
    try:
        cookie = await app._micropie.sessions.save(request)
    except CAUGHT as error:
        await close_unsent(reply.body)
        reraise_cancellation(error)
        return server_error(app, request, error)
    if cookie is not None:
        set_session_cookie(reply, cookie)
    return reply
