"""The way of a request through the framework, step by step: HTTP first, then WebSocket.

    Request -> before hooks -> routing -> binding -> handler -> Reply -> after hooks -> session saved -> send

Each step is a function. `Application` is what they need of the `App`; they know nothing else of it.
"""

import asyncio
import contextlib
import functools
from collections.abc import AsyncIterable, Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import CoroutineType
from typing import Any, Protocol
from urllib.parse import quote, unquote

from micropie.core.asgi import send_bodyless, send_stream, send_stream_start, send_whole
from micropie.core.backends import COOKIE, SessionPolicy
from micropie.core.binding import SurplusSegments, bind
from micropie.core.body import Limits, Upload, has_body, multipart_boundary, read_body
from micropie.core.errors import ClientGone, ConnectionClosed, HTTPError, MissingDependency, log
from micropie.core.headers import cookie_header, encode_value, host_of
from micropie.core.lifespan import Handler, start, stop
from micropie.core.middleware import HttpMiddleware, WebSocketMiddleware
from micropie.core.reply import (
    BODYLESS,
    JSON,
    Reply,
    checked_status,
    encoded,
    error_reply,
    header_pairs,
    is_stream,
    status_line,
    to_reply,
    whole_body,
)
from micropie.core.request import RELATIVE_PATH, Request, WebSocketRequest, current_request
from micropie.core.routing import NO_WEBSOCKET, Route, Router
from micropie.core.session import new_session_id
from micropie.core.templates import Templates
from micropie.core.types import ASGIApp, Message, RawHeaders, Receive, Scope, Send
from micropie.core.websocket import NORMAL, WebSocket, checked_code
from micropie.core.workers import Workers

FAILURES = (Exception, asyncio.CancelledError)  # the latter only where `let_cancellation_pass` lets it
JSON_HEADER = ("Content-Type", JSON)
REFUSED, BROKEN = 1008, 1011  # WebSocket close codes (RFC 6455 §7.4.1)


@dataclass(slots=True)
class Parts:
    """What an application is made of."""

    router: Router
    sessions: SessionPolicy
    workers: Workers
    limits: Limits
    templates: Templates
    allowed_origins: frozenset[str]
    surplus_path_status: int
    sends_itself: bool  # `_send_response` is overridden
    state: dict[str, Any] = field(default_factory=dict)  # of the lifespan


class Application(Protocol):
    """What the steps need to know of the application."""

    middlewares: list[HttpMiddleware]
    ws_middlewares: list[WebSocketMiddleware]
    startup_handlers: list[Handler]
    shutdown_handlers: list[Handler]
    _started: bool
    _micropie: Parts

    def _parse_cookies(self, cookie_header: str) -> dict[str, str]: ...

    async def _send_response(self, send: Send, status_code: int, body: Any, extra_headers: Any = None) -> None: ...

    async def _send_websocket_close(self, send: Send, code: int, reason: str) -> None: ...


# -- lifespan -----------------------------------------------------------------------------------------


async def startup(app: Application) -> None:
    """Run the startup handlers, once."""
    if not app._started:
        await start(app.startup_handlers, app._micropie.state)
        app._started = True


async def shutdown(app: Application) -> None:
    """Run the shutdown handlers, and let the worker threads go."""
    app._started = False
    try:
        await stop(app.shutdown_handlers, app._micropie.state)
    finally:
        app._micropie.workers.shutdown()


# -- HTTP ---------------------------------------------------------------------------------------------


async def serve_http(app: Application, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer one request, whatever it is and whatever happens."""
    request = Request(scope, receive)
    token = current_request.set(request)
    try:
        outcome = await answer(app, request)
        if isinstance(outcome, Reply):
            await deliver(app, request, outcome, send)
        else:
            await hand_off(app, request, outcome, send)
    finally:
        current_request.reset(token)
        if request._upload is not None:
            await request._upload.close()


async def answer(app: Application, request: Request) -> Reply | ASGIApp:
    """The reply, past the after hooks; or the application that a before hook has named to answer."""
    entered = app.middlewares  # until the first hook runs, all of them see what goes wrong
    try:
        if request.method != "GET" and has_body(request):
            await take_body(app, request)
        if cookie := cookie_to_read(request):
            await app._micropie.sessions.load(request, cookie)
        reply = None
        if app.middlewares:
            entered = []
            reply = await before_hooks(app.middlewares, entered, request)
        if reply is None:
            if request._subapp is not None:
                return request._subapp
            reply = await handle(app, request)
    except FAILURES as error:
        let_cancellation_pass(error)
        reply = reply_to_error(app, request, error)
    return await after_hooks(entered, request, reply) if entered else reply


def let_cancellation_pass(error: BaseException) -> None:
    """Raise a cancellation of the current task again; if only what it waited for was cancelled, that is a failure."""
    task = asyncio.current_task()
    if isinstance(error, asyncio.CancelledError) and (task is None or task.cancelling()):
        raise error


async def take_body(app: Application, request: Request) -> None:
    """Read the body; of a multipart form only the boundary, since the handler reads along with it."""
    if is_preset(request.scope):
        request.body_parsed = True
    elif (boundary := multipart_boundary(request)) is not None:
        request._boundary = boundary
    else:
        await read_body(request, app._micropie.limits)


def is_preset(scope: Scope) -> bool:
    """Whether an outer application has left in the scope what it read of the body."""
    known = "body_params" in scope or "get_json" in scope or "files" in scope
    return bool(scope.get("body_parsed", known))


def cookie_to_read(request: Request) -> str:
    """The Cookie header, unless there is none, or an outer application has loaded the session."""
    # PERF: a bare loop over the raw pairs, 0.3 µs for ten headers; decoding them would cost 2 µs.
    for name, _ in request._raw_headers:
        if name == b"cookie":
            return "" if "session" in request.scope else cookie_header(request._raw_headers)
    return ""


async def before_hooks(
    middlewares: list[HttpMiddleware], entered: list[HttpMiddleware], request: Request
) -> Reply | None:
    """Call the hooks in order until one answers; `entered` tells how far it went, even if one raises."""
    for middleware in list(middlewares):
        entered.append(middleware)
        short_cut: Any = middleware.before_request(request)
        if is_awaitable(short_cut):
            short_cut = await short_cut
        if short_cut:
            return _changed(Reply(200, None, []), short_cut)
    return None


async def handle(app: Application, request: Request) -> Reply:
    """What the handler that the path names makes of its arguments."""
    route, segments = app._micropie.router.find(request)
    if request._boundary is not None:
        return await handle_upload(app, request, route, segments, request._boundary)
    args, kwargs = bind(route.plan, request, segments)
    if route.is_coroutine:
        return to_reply(await route.handler(*args, **kwargs))
    return to_reply(await call(app, route, args, kwargs))


def is_awaitable(value: Any) -> bool:
    """Whether a user's function, which may be `async def` or not, has to be awaited."""
    # PERF: 0.05 µs; inspect.isawaitable takes 0.4 µs.
    return type(value) is CoroutineType or hasattr(type(value), "__await__")


async def call(app: Application, route: Route, args: list[Any], kwargs: dict[str, Any]) -> Any:
    """The result of any handler: in a thread if it may block, awaited if it can be."""
    if route.in_thread:
        result = await app._micropie.workers.run(route.handler, args, kwargs)
    else:
        result = route.handler(*args, **kwargs)
    return await result if is_awaitable(result) else result


async def handle_upload(app: Application, request: Request, route: Route, segments: list[str], boundary: str) -> Reply:
    """The same for a multipart form, which is read while the handler runs.

    A handler that names no field gets the whole form, and so does one that can't wait for it.
    """
    upload = request._upload = Upload(request, boundary, app._micropie.limits, blocking=route.blocking)
    request.files, request.body_params = upload.form.files, upload.form.fields
    try:
        await upload.form.until([] if route.blocking else route.plan.outstanding(request, segments))
        args, kwargs = bind(route.plan, request, segments)
        reply = to_reply(await call(app, route, args, kwargs))
    except Exception:
        await upload.discard()
        raise
    if not is_stream(reply.body):  # a stream may still read the files
        await upload.discard()
    return reply


def reply_to_error(app: Application, request: Request, error: BaseException) -> Reply:
    """What the client is told of an exception; what it must not know goes to the log."""
    if isinstance(error, SurplusSegments):
        error = HTTPError(app._micropie.surplus_path_status)
    if isinstance(error, HTTPError):
        try:
            return error_reply(error)
        except (TypeError, ValueError) as wrong:
            error = wrong
    return failure(request, error)


def failure(request: Request, error: BaseException) -> Reply:
    """A bare 500, after which the session is not saved."""
    request._failed = True
    log_failure(request, error)
    return error_reply(HTTPError(500))


def log_failure(request: Request, error: BaseException) -> None:
    """One record in the log: with the traceback, unless all that is wrong is a package that is not installed."""
    if isinstance(error, MissingDependency):
        log.error("%s %r: %s", request.method, request.scope["path"], error)
    else:
        log.error("%s %r failed", request.method, request.scope["path"], exc_info=error)


async def after_hooks(middlewares: list[HttpMiddleware], request: Request, reply: Reply) -> Reply:
    """Show the reply to each hook in order, and make the changes that it asks for; a bare 500 if one raises."""
    try:
        name_json(reply)
        for middleware in list(middlewares):
            change: Any = middleware.after_request(request, reply.status, reply.body, reply.headers)
            if is_awaitable(change):
                change = await change
            if change:
                reply = await replaced(reply, change)
        # Hooks may have appended anything; what we named for them goes out by itself.
        reply.headers = [pair for pair in header_pairs(reply.headers) if pair is not JSON_HEADER]
    except FAILURES as error:
        await close_unsent(reply.body)
        let_cancellation_pass(error)
        return failure(request, error)
    return reply


async def replaced(reply: Reply, change: Any) -> Reply:
    """The changed reply; a stream that it does not send, and cannot contain, is closed."""
    changed = _changed(reply, change)
    if is_stream(reply.body) and not is_stream(changed.body):
        await close_unsent(reply.body)
    return changed


def _changed(reply: Reply, change: Any) -> Reply:
    """The reply with what a hook's dict names in place of its own."""
    if not isinstance(change, Mapping):
        raise TypeError(f"A hook returned {change!r}: a dict of status_code, body and headers, or None, will do")
    status = checked_status(change["status_code"]) if "status_code" in change else reply.status
    headers = header_pairs(change["headers"]) if "headers" in change else reply.headers
    if "body" not in change:
        return Reply(status, reply.body, headers, reply.content_type)
    body, content_type = encoded(change["body"])
    # What the handler said of its content stands; what we said of the JSON that was there does not.
    return Reply(status, body, [header for header in headers if header is not JSON_HEADER], content_type)


def name_json(reply: Reply) -> None:
    """Show the type of a JSON body among the headers, to code that looks for it there."""
    if reply.content_type != JSON:
        return
    if not reply.headers or not any(name.lower() == "content-type" for name, _ in reply.headers):
        reply.headers.append(JSON_HEADER)


async def deliver(app: Application, request: Request, reply: Reply, send: Send) -> None:
    """Save the session, then send the reply."""
    try:
        if type(reply.body) is str and not app._micropie.sends_itself:
            reply.body = reply.body.encode()  # if it can't be, a 500 is still possible
        if (request._session is not None or request._session_id is not None) and not request._failed:
            set_session_cookie(reply, await app._micropie.sessions.save(request))
    except FAILURES as error:
        await close_unsent(reply.body)
        let_cancellation_pass(error)
        reply = failure(request, error)
    if app._micropie.sends_itself:
        await send_by_override(app, request, reply, send)
    elif type(reply.body) is bytes:  # PERF: a step less for most replies
        await send_whole(send, reply, reply.body, head=request.method == "HEAD")
    else:
        await send_reply(app, request, reply, send)


def set_session_cookie(reply: Reply, cookie: str | None) -> None:
    """Add the cookie, and keep caches from handing it to others (RFC 9111 §3.5, RFC 9110 §12.5.5)."""
    if cookie is None:
        return
    names = {name.lower(): value.lower() for name, value in reply.headers}
    reply.headers.append(("Set-Cookie", cookie))
    if "cache-control" not in names:
        reply.headers.append(("Cache-Control", "private"))
    if not {"*", "cookie"} & {field.strip() for field in names.get("vary", "").split(",")}:
        reply.headers.append(("Vary", "Cookie"))


async def send_reply(app: Application, request: Request, reply: Reply, send: Send) -> None:
    """Send a whole body, or stream it."""
    body, head = reply.body, request.method == "HEAD"
    if not is_stream(body):
        await send_whole(send, reply, whole_body(body), head=head)
    elif head or reply.status in BODYLESS:
        await close_unsent(body)
        await send_bodyless(send, reply)
    else:
        await stream_reply(app, request, reply, send)


async def stream_reply(app: Application, request: Request, reply: Reply, send: Send) -> None:
    """Stream the body; when it breaks, that is logged, and raised so that the server cuts the reply off."""
    body = reply.body
    if not await send_stream_start(send, reply):
        await close_unsent(body)
        return
    chunks = aiter(body) if isinstance(body, AsyncIterable) else app._micropie.workers.iterate(body)
    try:
        await send_stream(send, chunks, functools.partial(until_gone, request))
    except ClientGone:
        pass  # the stream was reading the upload that broke off
    except Exception as error:
        log_failure(request, error)
        raise


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


async def send_by_override(app: Application, request: Request, reply: Reply, send: Send) -> None:
    """Leave the sending to the application's own `_send_response`; a 500 if it fails before it has sent anything."""
    name_json(reply)
    outgoing = Outgoing(send)
    try:
        await app._send_response(outgoing, reply.status, reply.body, reply.headers)
        outgoing.check_started()
    except Exception as error:
        if outgoing.started:
            raise
        await send_reply(app, request, failure(request, error), send)


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


# -- another application answers ----------------------------------------------------------------------


async def hand_off(app: Application, request: Request, subapp: ASGIApp, send: Send) -> None:
    """Let the application that a before hook has named answer; our session is saved when its reply starts."""

    async def save_session(message: Message) -> None:
        cookie = await app._micropie.sessions.save(request)
        message["headers"] = with_session_cookie(message.get("headers") or [], cookie)

    outgoing = Outgoing(send, save_session)
    try:
        await subapp(subapp_scope(request), replayed(request), outgoing)
        outgoing.check_started()
    except Exception as error:
        if outgoing.started:
            raise
        await send_reply(app, request, failure(request, error), send)


def subapp_scope(request: Request) -> Scope:
    """A copy of the scope for the other application: its own path, and what is known of the request so far."""
    scope = dict(request.scope)
    if request._subapp_path is not None:
        scope["path"] = "/" + request._subapp_path.removeprefix("/")
        scope["raw_path"] = raw_tail(scope.get("raw_path") or b"", scope["path"])
        scope[RELATIVE_PATH] = True
    if request._subapp_mount_path:
        scope["root_path"] = f"{scope.get('root_path') or ''}/{request._subapp_mount_path.strip('/')}"
    known = {"session": request.session, "body_params": request.body_params, "body_parsed": request.body_parsed}
    return {**scope, **known, "get_json": request.get_json, "files": request.files}


def raw_tail(raw: bytes, path: str) -> bytes:
    """The end of the raw path that says the same as `path`, where `%2F` is no separator; else `path`, encoded."""
    segments = raw.split(b"/")
    end = len(path)  # of what the segments so far do not say
    for position in range(len(segments) - 1, -1, -1):
        text = "/" + unquote(segments[position].decode("latin-1"))
        if not path.endswith(text, 0, end):
            break
        end -= len(text)
        if end == 0:
            return b"/" + b"/".join(segments[position:])
    return quote(path).encode()


def replayed(request: Request) -> Receive:
    """The request's `receive`, in front of it the body that was read already."""
    messages = [{"type": "http.request", "body": request.body, "more_body": False}] if request.body_parsed else []

    async def receive() -> Message:
        return messages.pop() if messages else await request._receive()

    return receive


def with_session_cookie(headers: Iterable[tuple[bytes, bytes]], cookie: str | None) -> RawHeaders:
    """ASGI headers with what the session's cookie asks for."""
    pairs = list(headers)
    reply = Reply(200, None, header_pairs(pairs))
    set_session_cookie(reply, cookie)
    return pairs + [(name.lower().encode(), encode_value(value)) for name, value in reply.headers[len(pairs) :]]


# -- WebSocket ----------------------------------------------------------------------------------------

Closing = tuple[int, str]
FAILED: Closing = BROKEN, "Internal server error"


async def serve_websocket(app: Application, scope: Scope, receive: Receive, send: Send) -> None:
    """Serve one connection: refuse it, or run its handler; then the after hooks, the session, the close."""
    request = WebSocketRequest(scope, receive)
    ws = WebSocket(receive, send, cookie=functools.partial(app._micropie.sessions.cookie, scope=scope))
    token = current_request.set(request)
    entered: list[WebSocketMiddleware] = []
    closing = FAILED
    try:
        closing = await outcome(request, converse(app, request, ws, entered, send))
    finally:  # even if we are being cancelled
        closing = await after_websocket_hooks(entered, request, closing)
        current_request.reset(token)
    closing = await save_websocket_session(app, request, ws, closing)
    if not ws.closed:
        with contextlib.suppress(OSError):  # gone by now
            await app._send_websocket_close(send, *closing)


async def outcome(request: Request, conversation: Awaitable[Closing]) -> Closing:
    """How to close after the conversation, whatever it raised; what the peer must not know goes to the log."""
    try:
        return await conversation
    except ConnectionClosed:
        return NORMAL, ""
    except SurplusSegments:
        return REFUSED, NO_WEBSOCKET
    except HTTPError as error:
        return REFUSED, status_line(error.status) if error.detail is None else str(error.detail)
    except FAILURES as error:
        let_cancellation_pass(error)
        request._failed = True  # the session is not saved
        log_failure(request, error)
        return FAILED


async def converse(
    app: Application, request: WebSocketRequest, ws: WebSocket, entered: list[WebSocketMiddleware], send: Send
) -> Closing:
    """Everything up to the handler's end; how to close then."""
    check_origin(app, request)
    if cookie := cookie_to_read(request):
        await app._micropie.sessions.load(request, cookie)
    ws.session_id = request._session_id or new_session_id()
    refusal = await before_websocket_hooks(app.ws_middlewares, entered, request)
    if refusal is not None:
        return refusal
    if request._subapp is not None:
        await hand_off_websocket(request, request._subapp, ws, send)
        return NORMAL, ""
    route, segments = app._micropie.router.find_websocket(request)
    args, kwargs = bind(route.plan, request, segments)
    result = route.handler(ws, *args, **kwargs)
    if is_awaitable(result):
        await result
    return NORMAL, ""


async def hand_off_websocket(request: Request, subapp: ASGIApp, ws: WebSocket, send: Send) -> None:
    """Let the application that a before hook has named converse; `ws` learns whether the connection is closed."""

    async def watched_receive() -> Message:
        message = await request._receive()
        ws.closed = ws.closed or message["type"] == "websocket.disconnect"
        return message

    async def watched_send(message: Message) -> None:
        # A refusal may also be a whole HTTP reply (the ASGI extension "WebSocket Denial Response").
        ws.closed = ws.closed or message["type"] in ("websocket.close", "websocket.http.response.start")
        await send(message)

    await subapp(subapp_scope(request), watched_receive, watched_send)


def check_origin(app: Application, request: Request) -> None:
    """Refuse a handshake that another site's page makes with our session: browsers don't (RFC 6455 §10.2)."""
    origin = request._fields.get(b"origin", b"").decode("latin-1").lower()
    if not origin or "*" in app._micropie.allowed_origins or origin in app._micropie.allowed_origins:
        return
    if COOKIE not in app._parse_cookies(cookie_header(request._raw_headers)):
        return
    host = request._fields.get(b"host", b"").decode("latin-1")
    origin_host = host_of(origin.partition("://")[2])
    if not origin_host or origin_host != host_of(host):
        log.warning(
            "A WebSocket handshake from %r with a session cookie for %r is refused: if that site is yours, "
            "name it in App(allowed_origins=[...])",
            origin,
            host,
        )
        raise HTTPError(403, "Origin not allowed")


async def before_websocket_hooks(
    middlewares: list[WebSocketMiddleware], entered: list[WebSocketMiddleware], request: WebSocketRequest
) -> Closing | None:
    """Call the hooks in order until one refuses."""
    for middleware in list(middlewares):
        entered.append(middleware)
        refusal: Any = middleware.before_websocket(request)
        if is_awaitable(refusal):
            refusal = await refusal
        if refusal:
            return checked_code(refusal.get("code") or REFUSED), str(refusal.get("reason") or "Middleware rejected")
    return None


async def after_websocket_hooks(
    entered: list[WebSocketMiddleware], request: WebSocketRequest, closing: Closing
) -> Closing:
    """Call every entered hook, even if others raise."""
    for middleware in entered:
        try:
            result: Any = middleware.after_websocket(request)
            if is_awaitable(result):
                await result
        except FAILURES as error:
            let_cancellation_pass(error)
            log_failure(request, error)
            closing = FAILED
    return closing


async def save_websocket_session(app: Application, request: Request, ws: WebSocket, closing: Closing) -> Closing:
    """Save the session under the socket's id, unless the handler failed."""
    untouched = request._session is None and request._session_id is None
    if request._failed or untouched or "session" in request.scope:
        return closing
    session, new_id = request.session, None
    if ws.session_id not in session.retired:
        new_id = ws.session_id
        if session.id != new_id:
            session.rotate()  # accept() gave the client another id
    try:
        await app._micropie.sessions.save(request, new_id)
    except FAILURES as error:
        let_cancellation_pass(error)
        log_failure(request, error)
        return FAILED
    return closing
