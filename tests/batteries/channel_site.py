"""The application of the proofs on real servers: what is published on any worker reaches all subscribers."""

import logging
import os

from micropie import App, dumps
from micropie.channels import Channels, redis, relay

logging.basicConfig(format="%(levelname)s %(name)s %(message)s")


for name in ("BEAT", "SILENCE"):  # of a test that does not want to wait so long
    setattr(redis, name, float(os.environ.get(name, getattr(redis, name))))


class Site(App):
    """`/publish` sends numbers to a channel; `/room` and `/events` have what is said in all of them."""

    channels = Channels(os.environ["REDIS_URL"], history=int(os.environ.get("HISTORY", "100000")), queue_size=20_000)

    def index(self):
        return "ready"

    def pid(self):
        return str(os.getpid())

    async def publish(self, channel: str, start: int, stop: int):
        for number in range(start, stop):
            await self.channels.publish(channel, {"channel": channel, "number": number})

    async def ws_room(self, ws, since: str | None = None):
        await ws.accept()
        async with self.channels.subscribe("a", "b", since=since) as messages:
            await ws.send_json({"position": messages.position})
            await relay(ws, messages, encode=lambda one: dumps({**one.data, "position": messages.position}).decode())

    async def events(self):
        return self.channels.stream("a", "b")


app = Site()
