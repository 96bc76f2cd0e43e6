"""Starlette with broadcaster, as broadcaster's README has it."""

import os
from contextlib import asynccontextmanager

import anyio
from broadcaster import Broadcast
from stamp import publish_all
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute

broadcast = Broadcast(os.environ["REDIS_URL"])


async def publish(request):
    await publish_all(lambda text: broadcast.publish("lobby", text), request.url.query)
    return PlainTextResponse("done")


async def connected(websocket):
    await websocket.accept()
    async with anyio.create_task_group() as group:

        async def receive():
            async for _ in websocket.iter_text():
                pass
            group.cancel_scope.cancel()

        group.start_soon(receive)
        async with broadcast.subscribe("lobby") as subscriber:
            async for event in subscriber:
                await websocket.send_text(event.message)


@asynccontextmanager
async def lifespan(_):
    async with broadcast:
        yield


app = Starlette(routes=[Route("/publish", publish), WebSocketRoute("/ws", connected)], lifespan=lifespan)
