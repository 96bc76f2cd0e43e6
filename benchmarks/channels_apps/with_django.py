"""Django Channels with channels_redis: its Pub/Sub layer, which is the faster one and drops nothing."""

import os

import django
from django.conf import settings

settings.configure(
    SECRET_KEY="benchmark",
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    MIDDLEWARE=[],
    CHANNEL_LAYERS={
        "default": {
            "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
            "CONFIG": {"hosts": [os.environ["REDIS_URL"]]},
        }
    },
)
django.setup()

from channels.generic.websocket import AsyncWebsocketConsumer  # noqa: E402 - Django is to be set up before
from channels.layers import get_channel_layer  # noqa: E402
from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from django.core.asgi import get_asgi_application  # noqa: E402
from django.http import HttpResponse  # noqa: E402
from django.urls import path  # noqa: E402
from stamp import publish_all  # noqa: E402


class Lobby(AsyncWebsocketConsumer):
    groups = ("lobby",)

    async def lobby_message(self, event):
        await self.send(text_data=event["text"])


async def publish(request):
    layer = get_channel_layer()
    send = layer.group_send
    query = request.META["QUERY_STRING"]
    await publish_all(lambda text: send("lobby", {"type": "lobby.message", "text": text}), query)
    return HttpResponse("done")


urlpatterns = [path("publish", publish)]
app = ProtocolTypeRouter({"http": get_asgi_application(), "websocket": URLRouter([path("ws", Lobby.as_asgi())])})
