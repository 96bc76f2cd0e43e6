"""Litestar's channels with its Redis backend, and its own WebSocket handler."""

import os

from litestar import Litestar, Request, get
from litestar.channels import ChannelsPlugin
from litestar.channels.backends.redis import RedisChannelsPubSubBackend
from redis.asyncio import Redis
from stamp import publish_all

channels = ChannelsPlugin(
    RedisChannelsPubSubBackend(redis=Redis.from_url(os.environ["REDIS_URL"])),
    channels=["ws"],
    create_ws_route_handlers=True,
)


@get("/publish")
async def publish(request: Request) -> str:
    await publish_all(lambda text: channels.wait_published(text, "ws"), request.scope["query_string"].decode())
    return "done"


app = Litestar([publish], plugins=[channels])
