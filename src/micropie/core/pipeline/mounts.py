"""Another ASGI application answers: a before hook has named one (`request._subapp`), or the path leads to one.

It gets a copy of the scope with what is known of the request so far; the session stays ours to save.
"""

from collections.abc import Iterable
from typing import Any

from micropie.core.basics.errors import FAILURES, HTTPError
from micropie.core.basics.headers import encode_value
from micropie.core.basics.optional import lazy_import
from micropie.core.basics.types import ASGIApp, Message, RawHeaders, Receive, Scope, Send
from micropie.core.engine import Engine
from micropie.core.failures.error_handlers import reply_to_error
from micropie.core.failures.error_replies import spare_server, with_debug_page
from micropie.core.hooks.middleware import mounted_send
from micropie.core.replies.asgi import WatchedSend
from micropie.core.replies.reply import Reply, header_pairs
from micropie.core.requests.request import MOUNTED, RELATIVE_PATH, Request
from micropie.core.routing.targets import MountedApp
from micropie.core.sessions.cookie import set_session_cookie
from micropie.core.websockets.closing import NORMAL
from micropie.core.websockets.lifecycle import Lifecycle

CLIENT_ERRORS, FAILURE = range(400, 500), 500
ALLOWED_ORIGINS = "micropie.allowed_origins"  # in a scope: whose WebSockets an outer application of ours lets in


class SubApp:
    """Another application that answers: what of the scope differs for it, and whether our tree has it."""

    __slots__ = ("app", "changes", "is_mounted")

    def __init__(self, app: ASGIApp, changes: Scope, *, is_mounted: bool) -> None:
        self.app = app
        self.changes = changes
        self.is_mounted = is_mounted


def mounted_subapp(request: Request, target: MountedApp, params: list[str]) -> SubApp:
    """The application that the path leads to; the parameters are the identities above it, and the path below it."""
    scope, segments, rest = request.scope, request._segments(), params[target.identities :]
    mount = "/".join(segments[: len(segments) - len(rest)])
    if target.is_micropie:
        changes = below_path(scope, "/".join(rest), mount)
        changes[MOUNTED] = (*scope.get(MOUNTED, ()), target)
    else:
        changes = below_root(scope, mount)
    return SubApp(target.app, changes, is_mounted=True)


def subapp_of_hook(request: Request, app: Any) -> SubApp:
    """The application that a before hook has named by `request._subapp` and what belongs to it."""
    return SubApp(app, below_path(request.scope, request._subapp_path, request._subapp_mount_path), is_mounted=False)


def below_path(scope: Scope, path: str | None, mount: str | None) -> Scope:
    """The changes for an application that is given the path below its mount, as an `App` is."""
    changes: Scope = {}
    if path is not None:
        changes["path"] = "/" + path.removeprefix("/")
        changes["raw_path"] = raw_path_tail(scope.get("raw_path") or b"", changes["path"])
        changes[RELATIVE_PATH] = True
    if mount:
        changes["root_path"] = f"{scope.get('root_path') or ''}/{mount.strip('/')}"
    return changes


def below_root(scope: Scope, mount: str) -> Scope:
    """The changes for an application that is given the whole path, of which `root_path` is the beginning.

    So the ASGI specification has it ("HTTP Connection Scope"). A server, or an application around us, may have given us
    a path without it.
    """
    root, path = (scope.get("root_path") or "").rstrip("/"), scope["path"]
    changes: Scope = {"root_path": f"{root}/{mount}", RELATIVE_PATH: False}
    if scope.get(RELATIVE_PATH) or not f"{path}/".startswith(f"{root}/"):
        changes["path"] = root + path
        if raw := scope.get("raw_path"):
            changes["raw_path"] = lazy_import("urllib.parse").quote(root).encode() + raw
    return changes


async def serve_subapp(engine: Engine, request: Request, send: Send) -> Reply | None:
    """Let the other application answer; the reply that is still to be sent, if it fails before it has begun its own.

    Our session is saved when its reply starts, unless that is a 500.
    """
    subapp = request._mount
    assert subapp is not None  # noqa: S101 - for the type checker: the path or a hook has led to it

    async def save_session(message: Message) -> None:
        if message.get("status") == FAILURE:
            return
        cookie = await engine.sessions.save(request)
        if cookie is not None:
            message["headers"] = with_session_cookie(message.get("headers") or [], cookie)

    outgoing = WatchedSend(send, save_session)
    if request._is_large:  # its members become texts
        await engine.body_threads.run(getattr, (request, "body_params"), {})
    try:
        hooked = mounted_send(engine.app, request, outgoing)
        await subapp.app(subapp_scope(request, subapp), replaying_receive(request), hooked)
        outgoing.check_started()
    except FAILURES as error:
        if outgoing.started:
            spare_server(error)
            raise
        told = refusal_of_other(error) if subapp.is_mounted else error
        return with_debug_page(request, await reply_to_error(engine, request, told))
    return None


def refusal_of_other(error: BaseException) -> BaseException:
    """The `HTTPError` that an exception of a mounted part stands for; itself if it is a failure.

    A part of another framework, such as Starlette's `StaticFiles`, leaves it to a middleware there to make it a 404.
    """
    status = getattr(error, "status_code", None)
    if not isinstance(status, int) or status not in CLIENT_ERRORS:
        return error
    refusal = HTTPError(status, headers=getattr(error, "headers", None))
    refusal.__cause__ = error
    return refusal


async def serve_subapp_websocket(engine: Engine, request: Request, subapp: SubApp, ws: Lifecycle, send: Send) -> None:
    """Let the other application converse; `ws` learns whether the connection is closed, and how."""

    async def watched_receive() -> Message:
        message = await request._receive()
        if message["type"] == "websocket.disconnect":
            ws.note_disconnect(message)
        return message

    async def watched_send(message: Message) -> None:
        if message["type"] == "websocket.close":
            ws.note_closed(message.get("code", NORMAL))
        # A refusal may also be a whole HTTP reply (the ASGI extension "WebSocket Denial Response").
        elif message["type"] == "websocket.http.response.start":
            ws.note_closed(None)
        await send(message)

    scope = subapp_scope(request, subapp)
    if engine.allowed_origins:
        scope[ALLOWED_ORIGINS] = engine.allowed_origins
    await subapp.app(scope, watched_receive, watched_send)


def subapp_scope(request: Request, subapp: SubApp) -> Scope:
    """A copy of the scope for the other application: its own path, and what is known of the request so far."""
    ours = {MOUNTED, "endpoint", "route"}
    scope = {name: value for name, value in request.scope.items() if name not in ours}
    known = {"session": request.session, "body_params": request.body_params, "body_parsed": request.body_parsed}
    read = {"get_json": request.get_json, "files": request.files, "state": vars(request.state)}
    return {**scope, **subapp.changes, **known, **read}


def raw_path_tail(raw: bytes, path: str) -> bytes:
    """The end of the raw path that says the same as `path`, where `%2F` is no separator; else `path`, encoded."""
    segments = raw.split(b"/")
    end = len(path)  # of what the segments so far do not say
    for position in range(len(segments) - 1, 0, -1):
        text = "/" + lazy_import("urllib.parse").unquote(segments[position].decode("latin-1"))
        if not path.endswith(text, 0, end):
            break
        end -= len(text)
        if end == 0:
            return b"/" + b"/".join(segments[position:])
    return bytes(lazy_import("urllib.parse").quote(path), "ascii")


def replaying_receive(request: Request) -> Receive:
    """The request's `receive`, in front of it the body that was read already."""
    messages = [{"type": "http.request", "body": request.body, "more_body": False}] if request.body_parsed else []

    async def receive() -> Message:
        return messages.pop() if messages else await request._receive()

    return receive


def with_session_cookie(headers: Iterable[tuple[bytes, bytes]], cookie: str) -> RawHeaders:
    """ASGI headers with what the session's cookie asks for."""
    pairs = list(headers)
    reply = Reply(200, None, header_pairs(pairs))
    set_session_cookie(reply, cookie)
    return pairs + [(name.lower().encode(), encode_value(value)) for name, value in reply.headers[len(pairs) :]]
