"""A pie that all visitors bake together, over any number of workers."""

import asyncio
import os
import time
from contextlib import asynccontextmanager
from uuid import uuid4

import store
from micropie import WebSocket, dumps, methods, url_for
from micropie.channels import relay
from pages.page import Page
from settings import FLAVOURS, REDIS_URL, Flavour, channels


class Live(Page):
    """Choices come in by WebSocket or by a form, on any worker; all windows see them at once."""

    template = "live.html"
    title = "Live"
    lead = "One pie, baked by everybody who is here. What a window says to one worker, all windows hear from theirs."

    async def index(self):
        counts = await asyncio.to_thread(store.votes)
        return await self._page(counts=counts, has_redis=REDIS_URL != "memory:")

    async def ws_pie(self, ws: WebSocket):
        """Send what all windows choose; take what this one does."""
        await ws.accept()
        async with self._watching() as messages:
            await relay(ws, messages, receive=self._choose, encode=self._encode)

    async def events(self):
        """Stream the same to EventSource, or to curl."""
        return channels.stream("pie")

    @methods("POST")
    async def choose(self, flavour: Flavour):
        """Take a choice from a form, or from curl."""
        await self._choose(flavour)
        return self._redirect(url_for(self.index), status=303)

    async def _choose(self, flavour):
        if flavour in FLAVOURS:
            counts = await asyncio.to_thread(store.vote, flavour)
            news = {"flavour": flavour, "counts": counts, "took": os.getpid()}
            await channels.publish("pie", {**news, "at": time.time_ns()})

    @asynccontextmanager
    async def _watching(self):
        """Be a member of the channel; tell the others of coming and going."""
        try:
            member = f"{os.getpid()}-{uuid4()}"
            async with channels.subscribe("pie", member=member) as messages:
                await self._tell_who_is_here()
                yield messages
        finally:
            await self._tell_who_is_here()

    async def _tell_who_is_here(self):
        members = await channels.members("pie")
        workers = {member.partition("-")[0] for member in members}
        await channels.publish("pie", {"windows": len(members), "workers": len(workers)})

    def _encode(self, message):
        """Add which worker tells this window, and how long it took."""
        news = dict(message.data)
        if "at" in news:
            news |= {"told": os.getpid(), "ms": (time.time_ns() - news.pop("at")) / 1e6}
        return dumps(news).decode()
