"""The session of a WebSocket, which is saved when its handler has ended: no reply that could carry a cookie follows."""

from micropie.core.basics.errors import log
from micropie.core.engine import Engine
from micropie.core.failures.error_replies import CAUGHT, reraise_cancellation
from micropie.core.pipeline.websocket_closing import closing_for_error
from micropie.core.requests.request import Request
from micropie.core.requests.session import Session
from micropie.core.sessions.store import has_session
from micropie.core.websockets.closing import BROKEN, Closing
from micropie.core.websockets.websocket import WebSocket


async def save_websocket_session(engine: Engine, request: Request, ws: WebSocket, closing: Closing) -> Closing:
    """Save the session under the socket's id, unless the connection closes with 1011."""
    is_broken = closing.code == BROKEN or (ws.close_code == BROKEN and not ws.peer_left)
    if is_broken or not has_session(request) or "session" in request.scope:
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
