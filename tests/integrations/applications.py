"""The applications that the servers of these tests run."""

import os
from typing import Any

import socketio  # type: ignore[import-untyped]
from servestatic import ServeStaticASGI  # type: ignore[import-untyped]

from micropie import App, HttpMiddleware, WebSocketMiddleware


def socket_io_server() -> Any:
    """Make a Socket.IO server whose events answer in each of the three ways: acknowledge, emit, broadcast."""
    sio = socketio.AsyncServer(async_mode="asgi")

    @sio.event
    async def connect(sid, environ, auth):
        if auth == {"token": "wrong"}:
            raise socketio.exceptions.ConnectionRefusedError("no entry")
        visitor = environ["asgi.scope"].get("session") or {}
        await sio.save_session(sid, {"name": visitor.get("name", "nobody")})

    @sio.event
    async def acknowledged(sid, data):
        return data

    @sio.event
    async def echoed(sid, data):
        await sio.emit("echo", data, to=sid)

    @sio.event
    async def whoami(sid):
        return (await sio.get_session(sid))["name"]

    @sio.event
    async def goodbye(sid):
        await sio.eio.disconnect(sio.manager.eio_sid_from_sid(sid, "/"))

    return sio


class Site(App):
    """Ordinary routes, and one that speaks to the Socket.IO clients."""

    sio: Any = None

    async def index(self):
        return "ordinary"

    async def greet(self, name):
        return f"Hello, {name}!"

    async def add(self, a, b):
        return {"sum": int(a) + int(b)}

    async def login(self, name):
        self.request.session["name"] = name
        return "logged in"

    async def announce(self, text):
        await self.sio.emit("news", text)
        return "announced"

    async def started(self):
        return {"started": self._started}

    async def ws_echo(self, ws):
        await ws.accept()
        async for message in ws:
            await ws.send_text(f"Echo: {message}")


class WrappedSite(Site):
    """What stands behind `socketio.ASGIApp`."""

    sio = socket_io_server()


class MountedSite(Site):
    """What hands everything below /socket.io/ over, by a middleware for each protocol."""

    sio = socket_io_server()


class OverriddenSite(Site):
    """What hands the WebSockets over by overriding a documented method."""

    sio = socket_io_server()

    async def _asgi_app_websocket(self, scope, receive, send):
        if scope["path"].startswith("/socket.io/"):
            await socketio.ASGIApp(self.sio)(scope, receive, send)
        else:
            await super()._asgi_app_websocket(scope, receive, send)


class SocketIO(HttpMiddleware, WebSocketMiddleware):
    """Hands requests below /socket.io/ over."""

    def __init__(self, sio: Any) -> None:
        self.app = socketio.ASGIApp(sio)

    async def before_request(self, request):
        if request.scope["path"].startswith("/socket.io/"):
            request._subapp = self.app

    before_websocket = before_request


wrapped = socketio.ASGIApp(WrappedSite.sio, WrappedSite())

mounted = MountedSite()
mounted.middlewares.append(SocketIO(mounted.sio))
mounted.ws_middlewares.append(SocketIO(mounted.sio))

overridden = OverriddenSite()
overridden.middlewares.append(SocketIO(overridden.sio))

static = ServeStaticASGI(Site(), root=os.environ.get("STATIC_ROOT"), prefix="static", index_file=True)
