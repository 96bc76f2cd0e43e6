"""An application whose requests end in every way, or do not end, when the server stops."""

import asyncio
import sys
import time
from contextlib import suppress

from micropie import RSGI, App, HttpMiddleware, ServerSentEvent, WebSocketMiddleware, spawn


class Asked(HttpMiddleware, WebSocketMiddleware):
    """Notes that a request has come."""

    async def before_request(self, request):
        sys.stdout.write("asked\n")
        sys.stdout.flush()  # the handler may block

    before_websocket = before_request


class Site(App):
    def __init__(self):
        super().__init__()
        self.middlewares.append(Asked())
        self.shutdown_handlers.append(self._say_goodbye)

    async def _say_goodbye(self):
        sys.stdout.write("goodbye\n")

    async def index(self):
        return "Hello"

    async def slow(self, seconds: float = 1.5):
        await asyncio.sleep(seconds)
        return "done"

    async def events(self):
        for number in range(10_000):
            yield ServerSentEvent(str(number))
            await asyncio.sleep(0.1)

    async def own_events(self):
        yield ServerSentEvent("hello")
        await self.request.stopping
        yield ServerSentEvent("goodbye")

    async def cleans_up(self):
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.2)
            sys.stdout.write("cleaned up\n")

    async def clings(self):
        while True:
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(60)

    async def blocks(self):
        time.sleep(60)  # noqa: ASYNC251 - as users do

    def blocks_a_thread(self):
        time.sleep(60)

    async def works_on(self):
        spawn(self._work())
        return "spawned"

    async def _work(self):
        await asyncio.sleep(1)
        sys.stdout.write("worked\n")

    async def ws_echo(self, ws):
        await ws.accept()
        async for message in ws:
            await ws.send_text(message)

    async def ws_waits(self, ws):
        await ws.accept()
        await asyncio.Event().wait()

    async def ws_parts(self, ws):
        await ws.accept()
        await self.request.stopping
        await ws.send_text("goodbye")
        await ws.close(1012, "again")


app = Site()
rsgi = RSGI(app)
