"""The way of a WebSocket through the framework, step by step.

    handshake -> routing hooks -> origin -> session -> routing -> before hooks -> guards -> binding -> handler
    -> after hooks -> session -> close

The steps up to the handler are in `begin`, those after it in `end` and `close`. What goes wrong on the way becomes a
`Closing`: websocket_closing.py. The stages of the connection are in websockets/lifecycle.py.
"""

from collections.abc import AsyncGenerator, Awaitable, Generator, Iterable
from contextvars import Token
from typing import Any

from micropie.core.basics.errors import HTTPError, SurplusSegments, log, shortened
from micropie.core.basics.headers import host_of
from micropie.core.basics.threads import WorkerThreads
from micropie.core.basics.types import Receive, Scope, Send
from micropie.core.engine import Engine, is_awaitable
from micropie.core.failures.error_replies import CAUGHT
from micropie.core.handlers.binding import bind
from micropie.core.handlers.endpoint import Endpoint
from micropie.core.handlers.user_function import function_name
from micropie.core.hooks.middleware import WebSocketMiddleware, websocket_middlewares
from micropie.core.hooks.websocket_hooks import after_websocket_hooks, before_websocket_hooks, websocket_routing_hooks
from micropie.core.lifespan.going_away import GoingAway
from micropie.core.pipeline.end_of_request import end_request
from micropie.core.pipeline.guards import before_guards
from micropie.core.pipeline.mounts import (
    ALLOWED_ORIGINS,
    SubApp,
    mounted_subapp,
    serve_subapp_websocket,
    subapp_of_hook,
)
from micropie.core.pipeline.provide import provide
from micropie.core.pipeline.websocket_closing import DENIAL, closing_after, closing_with, send_close, send_denial
from micropie.core.pipeline.websocket_session import save_websocket_session
from micropie.core.requests.request import Request, WebSocketRequest, current_request
from micropie.core.requests.session import new_session_id
from micropie.core.requests.state import State
from micropie.core.routing.targets import NO_WEBSOCKET, MountedApp, NoHandler
from micropie.core.websockets.closing import ENDED, REFUSED, Closing
from micropie.core.websockets.handshake import Handshake
from micropie.core.websockets.websocket import WebSocket

INSTEAD = "await ws.send_text(…), ws.send_bytes(…) or ws.send_json(…) in its place"


class Connection(Handshake):
    """One connection on its way: its request, its socket, and what its steps leave to each other.

    PERF: it is the handshake that its socket asks, too: an object less of each connection.
    """

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
        return self.engine.sessions.cookie.header(session_id, self.request.scope)

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
            if not connection.ws.interruption.leave(error):
                connection.closing = await closing_after(engine, connection.request, error)
        finally:  # even if we are being cancelled
            await end(connection, token)
        await close(connection)
    finally:
        del connection.ws, connection.going_away  # no circle is left, for the garbage collector to come by
        if connection.request._closers is not None:
            await end_request(engine, connection.request)


async def begin(connection: Connection) -> Awaitable[Any] | Closing:
    """Everything up to the handler's call: the conversation, to be awaited; or how to close where there is none."""
    engine, request = connection.engine, connection.request
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
        entered = connection.entered = list[WebSocketMiddleware]()
        refusal = await before_websocket_hooks(middlewares, request, entered)
        if refusal is not None:
            return refusal
        if (app := request._subapp) is not None:
            return conversation_elsewhere(connection, subapp_of_hook(request, app))
        if request._ws_route_handler is not None or request._route_key() != key:
            target, segments = engine.router.find_again(request, (target, segments))
    answer = await before_guards(engine, request, target.guards, segments, []) if target.guards else None
    if answer is not None:
        return await closing_with(answer, REFUSED)
    if isinstance(target, MountedApp):
        return conversation_elsewhere(connection, mounted_subapp(request, target, segments))
    if isinstance(target, Endpoint):
        await provide(engine, request, target.plan.provided)
        return called_websocket_handler(target, request, connection.ws, segments)
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


def conversation_elsewhere(connection: Connection, subapp: SubApp) -> Awaitable[None]:
    """The conversation of another application, to be awaited."""
    return serve_subapp_websocket(connection.engine, connection.request, subapp, connection.ws, connection.send)


async def end(connection: Connection, token: Token[Request]) -> None:
    """The handler has ended: nothing else of the connection goes on, and the after hooks are called."""
    ws = connection.ws
    try:
        ws.interruption.leave(None)
        await connection.going_away.end()
        ws.release()
        await ws.settle()
        failed = await after_websocket_hooks(connection.entered, connection.request)
        connection.closing = failed or connection.closing
    finally:
        current_request.reset(token)
        connection.going_away.over()


async def close(connection: Connection) -> None:
    """Save the session, and close the connection, if it is open by now."""
    engine, request, ws = connection.engine, connection.request, connection.ws
    closing = await save_websocket_session(engine, request, ws, connection.closing)
    if ws.closed:
        return
    ws.note_closed(closing.code, closing.reason)  # for tasks that go on
    if closing.denial is not None and not ws.accepted and DENIAL in (request.scope.get("extensions") or ()):
        await send_denial(engine, request, connection.send, closing.denial)
    else:
        await send_close(engine, connection.send, closing)


def check_origin(engine: Engine, request: Request) -> None:
    """Refuse a handshake that another site's page makes with our session: browsers don't (RFC 6455 §10.2)."""
    origin = request.header("origin", "").lower()
    allowed = engine.allowed_origins or request.scope.get(ALLOWED_ORIGINS, ())
    if not origin or "*" in allowed or origin in allowed:
        return
    if not engine.sessions.cookie.ids_in(request._cookies()):
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
