"""The applications that the servers of these tests run."""

import os
from typing import Any

import socketio
from servestatic import ServeStaticASGI

from micropie import App, HttpMiddleware


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
    """An application with Socket.IO inside: a middleware hands over HTTP, an override the WebSockets."""

    sio = socket_io_server()
    socket_io = socketio.ASGIApp(sio)

    async def _asgi_app_websocket(self, scope, receive, send):
        if scope["path"].startswith("/socket.io/"):
            await self.socket_io(scope, receive, send)
        else:
            await super()._asgi_app_websocket(scope, receive, send)


class SocketIOMiddleware(HttpMiddleware):
    """Hands requests below /socket.io/ over."""

    async def before_request(self, request):
        if request.scope["path"].startswith("/socket.io/"):
            request._subapp = MountedSite.socket_io
            request._subapp_path = request.scope["path"]


wrapped = socketio.ASGIApp(WrappedSite.sio, WrappedSite())

mounted = MountedSite()
mounted.middlewares.append(SocketIOMiddleware())

static = ServeStaticASGI(Site(), root=os.environ.get("STATIC_ROOT"), prefix="static", index_file=True)
