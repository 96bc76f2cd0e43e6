"""The way of a WebSocket through the framework, step by step.

    handshake -> routing hooks -> origin -> session -> routing -> before hooks -> guards -> binding -> handler
    -> after hooks -> session -> close

What goes wrong on the way is a close code and a reason, which tell the peer nothing of our insides. Before the
handshake is accepted it is a whole HTTP reply, where the server can send one.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from micropie.core.basics.errors import (
    INVALID_DATA,
    BadMessage,
    ConnectionClosed,
    HTTPError,
    SurplusSegments,
    log,
    shortened,
    sole_error,
)
from micropie.core.basics.headers import host_of
from micropie.core.basics.settings import is_whole
from micropie.core.basics.threads import WorkerThreads
from micropie.core.basics.types import Message, Receive, Scope, Send
from micropie.core.engine import Engine, is_awaitable
from micropie.core.failures.error_handlers import SERVER_ERRORS, first_answer
from micropie.core.failures.error_replies import (
    CAUGHT,
    note_failure,
    path_of_request,
    reply_to_unhandled,
    reraise_cancellation,
)
from micropie.core.handlers.binding import bind
from micropie.core.handlers.endpoint import Endpoint
from micropie.core.handlers.user_function import function_name
from micropie.core.hooks.hooks import check_session_unseen
from micropie.core.hooks.middleware import WebSocketMiddleware, no_before_routing, websocket_middlewares
from micropie.core.lifespan.going_away import GoingAway
from micropie.core.pipeline.end_of_request import end_request, note_exception
from micropie.core.pipeline.guards import before_guards
from micropie.core.pipeline.mounts import ALLOWED_ORIGINS, mounted_subapp, serve_subapp_websocket, subapp_of_hook
from micropie.core.pipeline.provide import provide
from micropie.core.pipeline.whole_reply import with_encoded_text
from micropie.core.replies.asgi import send_messages, whole_messages
from micropie.core.replies.error_forms import status_line
from micropie.core.replies.reply import Reply, close_unsent, is_stream, to_reply
from micropie.core.requests.request import Request, WebSocketRequest, current_request
from micropie.core.requests.session import Session, new_session_id
from micropie.core.requests.state import State
from micropie.core.routing.targets import NO_WEBSOCKET, MountedApp, NoHandler
from micropie.core.websockets.handshake import Handshake
from micropie.core.websockets.websocket import (
    NORMAL,
    PRIVATE_CODES,
    TOO_BIG,
    UNSUPPORTED,
    WebSocket,
    checked_code,
)

REFUSED, BROKEN = 1008, 1011  # close codes (RFC 6455 §7.4.1)
PROTOCOL_CODES = (REFUSED, UNSUPPORTED, INVALID_DATA, TOO_BIG)  # that not all servers send
DENIAL = "websocket.http.response"  # the ASGI extension "Websocket Denial Response"


class Closing(NamedTuple):
    """How a connection is closed; `denial` is what refuses it in place of that, where the server can send a reply."""

    code: int
    reason: str
    denial: Reply | HTTPError | None = None


FAILED = Closing(BROKEN, "Internal server error", HTTPError(500))
ENDED = Closing(NORMAL, "")
INSTEAD = "await ws.send_text(…), ws.send_bytes(…) or ws.send_json(…) in its place"


class Connection(Handshake):
    """One connection on its way: its request, its socket, and what its steps leave to each other."""

    __slots__ = ("closing", "engine", "entered", "going_away", "request", "send", "ws")

    def __init__(self, engine: Engine, scope: Scope, receive: Receive, send: Send) -> None:
        super().__init__()
        self.engine = engine
        self.send = send
        self.request = WebSocketRequest(scope, receive)
        self.ws = WebSocket(receive, send, handshake=self)
        self.going_away = GoingAway(engine, self.request, self.ws)
        self.entered: Iterable[WebSocketMiddleware] = ()  # whose after hooks are to be called
        self.closing = ENDED

    @property
    def subprotocols(self) -> tuple[str, ...]:
        """Those that the client offers."""
        return tuple(self.request.scope.get("subprotocols") or ())

    @property
    def threads(self) -> WorkerThreads:
        """For large messages."""
        return self.engine.body_threads

    @property
    def state(self) -> State:
        """The free attributes of the request."""
        return self.request.state

    def cookie(self, session_id: str) -> str:
        """The header that sets the session's cookie."""
        return self.engine.sessions.cookie(session_id, scope=self.request.scope)

    def session_id(self) -> str:
        """The id by which the client's session is stored; a fresh one if there is none."""
        return stored[0] if (stored := self.request._stored_session) else new_session_id()

    def id_to_give(self) -> str | None:
        """An id for a client whose session has values that none of its cookies leads to; None if there are none."""
        session = self.request._session
        if not session or "session" in self.request._preset or session.id is not None or session.backend.in_cookie:
            return None
        return new_session_id() if self.ws.session_id in session.retired else self.ws.session_id


async def serve_websocket(engine: Engine, scope: Scope, receive: Receive, send: Send) -> None:
    """Serve one connection, whatever happens.

    PERF: as long as the handler runs, this coroutine waits for it, and no other does: 1.2 kB less of each connection.
    """
    connection = Connection(engine, scope, receive, send)
    token = current_request.set(connection.request)
    try:
        try:
            begun = await begin(connection)
            if isinstance(begun, Closing):
                connection.closing = begun
            else:
                await begun
        except CAUGHT as error:
            connection.closing = await closing_after(connection, error)
        finally:  # even if we are being cancelled
            try:
                await end(connection)
            finally:
                current_request.reset(token)
                connection.going_away.over()
        await close(connection)
    finally:
        del connection.ws, connection.going_away  # no circle is left, for the garbage collector to come by
        if connection.request._closers is not None:
            await end_request(engine, connection.request)


async def end(connection: Connection) -> None:
    """The handler has ended: nothing else of the connection goes on, and the after hooks are called."""
    ws = connection.ws
    ws.interruption.leave(None)
    await connection.going_away.end()
    ws.release()
    await ws.settle()
    await after_websocket_hooks(connection)


async def close(connection: Connection) -> None:
    """Save the session, and close the connection, if it is open by now."""
    engine, request, ws = connection.engine, connection.request, connection.ws
    closing = await save_websocket_session(engine, request, ws, connection.closing)
    if ws.closed:
        return
    if closing.denial is not None and not ws.accepted and DENIAL in (request.scope.get("extensions") or ()):
        await send_denial(engine, request, connection.send, closing.denial)
    else:
        await send_close(engine, connection.send, closing)


async def send_denial(engine: Engine, request: Request, send: Send, denial: Reply | HTTPError) -> None:
    """Refuse the handshake by a reply; a stream, which servers would collect, is not sent but for its status."""
    if isinstance(denial, Reply) and is_stream(denial.body):
        denial = HTTPError(denial.status, headers=denial.headers)
    reply = reply_to_unhandled(engine, request, denial) if isinstance(denial, HTTPError) else denial
    if isinstance(reply.body, str):
        reply = with_encoded_text(engine, request, reply)

    def send_part(message: Message) -> Awaitable[None]:
        return send({**message, "type": f"websocket.{message['type']}"})

    await send_messages(send_part, whole_messages(reply, reply.body or b"", request.method))


async def send_close(engine: Engine, send: Send, closing: Closing) -> None:
    """Close the connection, if the peer has not left by now; with a private code where the server refuses ours."""
    code, reason, _ = closing
    close = engine.app._send_websocket_close
    try:
        await close(send, code, reason)
    except OSError:
        return
    except Exception:  # Daphne sends 1000 and 3000 to 4999 only, and 1011 for an application that raises
        if code not in PROTOCOL_CODES:
            raise
        await close(send, code + PRIVATE_CODES, reason)


async def closing_after(connection: Connection, error: BaseException) -> Closing:
    """How to close after what the conversation, or a step before it, has raised."""
    engine, request = connection.engine, connection.request
    if connection.ws.interruption.leave(error):
        return ENDED
    note_exception(request, error)
    reraise_cancellation(error)
    told = sole_error(error)
    if isinstance(told, ConnectionClosed):  # as conversations end
        note_exception(request, None)
        return ENDED
    answer, told = await first_answer(engine, request, told, close_in_place)
    return closing_for_error(request, told) if answer is None else await closing_by(request, told, answer)


def close_in_place(result: Any, _: Exception) -> Closing | Reply:
    """The code and reason of an `_on_error`'s result; or a reply, as for HTTP, which says as much."""
    if isinstance(result, Mapping) and "code" in result and result.keys() <= {"code", "reason"}:
        return Closing(checked_code(result["code"]), str(result.get("reason") or ""))
    if isinstance(result, tuple) and is_whole(result[0], NORMAL):
        code, reason = result
        return Closing(checked_code(code), str(reason))
    return to_reply(result)


async def closing_by(request: Request, error: BaseException, answer: Closing | Reply) -> Closing:
    """How to close with what an `_on_error` has answered; the log is told of a failure that it closes with 1011."""
    if isinstance(answer, Reply):
        answer = await closing_with(answer, BROKEN if answer.status in SERVER_ERRORS else REFUSED)
    if answer.code == BROKEN and not isinstance(error, HTTPError):
        note_failure(request, error)
    return answer


async def closing_with(reply: Reply, code: int) -> Closing:
    """How to close with a reply in the place of an open connection."""
    await close_unsent(reply.body)
    return Closing(code, status_line(reply.status), reply)


def closing_for_error(request: Request, error: BaseException) -> Closing:
    """The close code and reason that an exception stands for; what the peer must not know goes to the log."""
    if isinstance(error, HTTPError):
        return Closing(REFUSED, status_line(error.status) if error.detail is None else str(error.detail), error)
    if isinstance(error, BadMessage):  # whoever connects can send one: no failure of ours
        log.info("WEBSOCKET %r is closed with %d: %s", shortened(path_of_request(request)), error.code, error)
        return Closing(error.code, error.reason)
    note_failure(request, error)
    return FAILED


async def begin(connection: Connection) -> Awaitable[Any] | Closing:
    """Everything up to the handler's call: the conversation, to be awaited; or how to close where there is none."""
    engine, request, ws = connection.engine, connection.request, connection.ws
    middlewares = websocket_middlewares(engine.app)
    refusal = await websocket_routing_hooks(middlewares, request)
    if refusal is not None:
        return refusal
    check_origin(engine, request)
    if (cookie := request._cookies()) and "session" not in request._preset:
        await engine.sessions.load_waiting(request, cookie)
    target, segments = engine.router.find_websocket(request)
    if middlewares:
        key = request._route_key()
        refusal = await before_websocket_hooks(middlewares, connection)
        if refusal is not None:
            return refusal
        if (app := request._subapp) is not None:
            return serve_subapp_websocket(engine, request, subapp_of_hook(request, app), ws, connection.send)
        if request._ws_route_handler is not None or request._route_key() != key:
            target, segments = engine.router.find_again(request, (target, segments))
    answer = await before_guards(engine, request, target.guards, segments, []) if target.guards else None
    if answer is not None:
        return await closing_with(answer, REFUSED)
    if isinstance(target, MountedApp):
        subapp = mounted_subapp(request, target, segments)
        return serve_subapp_websocket(engine, request, subapp, ws, connection.send)
    if isinstance(target, Endpoint):
        await provide(engine, request, target.plan.provided)
        return called_websocket_handler(target, request, ws, segments)
    raise HTTPError(404, target.reason if isinstance(target, NoHandler) else NO_WEBSOCKET)


def called_websocket_handler(
    endpoint: Endpoint, request: WebSocketRequest, ws: WebSocket, segments: list[str]
) -> Awaitable[Any] | Closing:
    """Bind the handler's arguments, and call it with the socket: the conversation, to be awaited, unless it is over."""
    try:
        args, kwargs = bind(endpoint.plan, request, segments)
    except SurplusSegments:
        raise HTTPError(404, NO_WEBSOCKET) from None
    ws.limit(endpoint.limits)
    result: Any = endpoint.handler(ws, *args, **kwargs)
    if is_awaitable(result):
        ws.interruption.enter()
        conversation: Awaitable[Any] = result
        return conversation
    if isinstance(result, Generator | AsyncGenerator):
        raise TypeError(f"{function_name(endpoint.handler)} yields, which a WebSocket handler can't: {INSTEAD}")
    return ENDED


def check_origin(engine: Engine, request: Request) -> None:
    """Refuse a handshake that another site's page makes with our session: browsers don't (RFC 6455 §10.2)."""
    origin = request.header("origin", "").lower()
    allowed = engine.allowed_origins or request.scope.get(ALLOWED_ORIGINS, ())
    if not origin or "*" in allowed or origin in allowed:
        return
    if not engine.sessions.ids_in(request._cookies()):
        return
    host = request.header("host", "")
    origin_host = host_of(origin.partition("://")[2])
    if not origin_host or origin_host != host_of(host):
        log.warning(
            "A WebSocket handshake from %r with a session cookie for %r is refused: if that site is yours, "
            "name it in App(allowed_origins=[...])",
            shortened(origin),
            shortened(host),
        )
        raise HTTPError(403, "Origin not allowed")


async def websocket_routing_hooks(
    middlewares: Sequence[WebSocketMiddleware], request: WebSocketRequest
) -> Closing | None:
    """Call the hooks that come before everything else, in order until one refuses."""
    for middleware in middlewares:
        refusal = await refusal_by(getattr(middleware, "before_routing", no_before_routing), request)
        if refusal is not None:
            return refusal
    check_session_unseen(request)
    return None


async def before_websocket_hooks(middlewares: Sequence[WebSocketMiddleware], connection: Connection) -> Closing | None:
    """Call the hooks in order until one refuses."""
    connection.entered = entered = []
    for middleware in middlewares:
        entered.append(middleware)
        refusal = await refusal_by(middleware.before_websocket, connection.request)
        if refusal is not None:
            return refusal
    return None


async def refusal_by(hook: Callable[[WebSocketRequest], Any], request: WebSocketRequest) -> Closing | None:
    """How to close if a hook refuses the connection."""
    refusal = hook(request)
    if is_awaitable(refusal):
        refusal = await refusal
    if not refusal:
        return None
    return Closing(checked_code(refusal.get("code") or REFUSED), str(refusal.get("reason") or "Middleware rejected"))


async def after_websocket_hooks(connection: Connection) -> None:
    """Call every entered hook, even if others raise."""
    for middleware in connection.entered:
        try:
            result: Any = middleware.after_websocket(connection.request)
            if is_awaitable(result):
                await result
        except CAUGHT as error:
            reraise_cancellation(error)
            note_failure(connection.request, error)
            connection.closing = FAILED


async def save_websocket_session(engine: Engine, request: Request, ws: WebSocket, closing: Closing) -> Closing:
    """Save the session under the socket's id, unless the connection closes with 1011."""
    untouched = request._session is None and request._stored_session is None
    is_broken = closing.code == BROKEN or (ws.close_code == BROKEN and not ws.peer_left)
    if is_broken or untouched or "session" in request.scope:
        return closing
    session = request.session
    if engine.sessions.backend.in_cookie:
        return closing_of_session_in_cookie(request, session, closing)
    if ws.gave_cookie and session.id != ws.session_id:
        session.rotate()  # accept() gave the client another id
    if session and session.id is None and not ws.gave_cookie:
        log.warning(
            "A WebSocket's session is not stored, since no cookie leads to it: fill or rotate it before ws.accept(), "
            "or give the cookie by ws.accept(session_id=ws.session_id)"
        )
        session.clear()
    try:
        await engine.sessions.save(request, ws.session_id)
    except CAUGHT as error:
        reraise_cancellation(error)
        return closing_for_error(request, error)
    return closing


def closing_of_session_in_cookie(request: Request, session: Session, closing: Closing) -> Closing:
    """How to close when there is no reply that could carry the session's cookie: as a failure if it has changed."""
    if not session.changed and not session.retired:
        return closing
    reason = "A WebSocket can't change a session that is kept in its cookie: change it in an HTTP request"
    return closing_for_error(request, TypeError(reason))
