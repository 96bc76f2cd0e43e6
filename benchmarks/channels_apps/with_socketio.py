"""python-socketio with its Redis manager."""

import os

import socketio
from stamp import publish_all

server = socketio.AsyncServer(
    async_mode="asgi", client_manager=socketio.AsyncRedisManager(os.environ["REDIS_URL"]), ping_interval=3600
)


async def publish(scope, receive, send):
    await publish_all(lambda text: server.emit("message", text), scope["query_string"].decode())
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"4")]})
    await send({"type": "http.response.body", "body": b"done"})


app = socketio.ASGIApp(server, publish)
