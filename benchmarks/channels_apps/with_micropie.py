"""MicroPie with its channels on Redis: `/publish`, and WebSockets at `/ws` and `/lines`, events at `/events`."""

import os

from stamp import publish_all

from micropie import App
from micropie.channels import Channels, relay


class Site(App):
    channels = Channels(os.environ["REDIS_URL"])

    async def publish(self):
        await publish_all(
            lambda text: self.channels.publish("lobby", text), self.request.scope["query_string"].decode()
        )
        return "done"

    async def ws_ws(self, ws):
        await ws.accept()
        async with self.channels.subscribe("lobby") as messages:
            await relay(ws, messages)

    async def ws_lines(self, ws):
        await ws.accept()
        async with self.channels.subscribe("lobby") as messages:
            await relay(ws, messages, separator="\n")

    async def events(self):
        return self.channels.stream("lobby")


app = Site()
