"""MicroPie."""

import asyncio
import time

from micropie import App, methods
from micropie.openapi import Docs


class Site(App):
    docs = Docs()

    async def text(self):
        return "Hello"

    async def returns_none(self):
        return None

    async def returns_int(self):
        return 7

    async def returns_list(self):
        return [1, 2]

    async def returns_set(self):
        return {1}

    async def returns_dict(self):
        return {"n": 1}

    @methods("GET")
    async def only(self):
        return "only GET"

    async def number(self, n: int):
        return n + 1

    async def field(self, name: str):
        return name

    @methods("POST")
    async def post(self, count: int):
        return {"count": count}

    async def fail(self):
        raise RuntimeError("secret words")

    async def sleep(self):
        await asyncio.sleep(0.4)
        return "slept"

    def block(self):
        time.sleep(0.4)
        return "blocked"

    async def stream(self):
        for n in range(2):
            yield f"{n}\n"
            await asyncio.sleep(0.4)

    async def visits(self):
        self.request.session["n"] = n = self.request.session.get("n", 0) + 1
        return str(n)

    async def ws_ws(self, ws):
        await ws.accept()
        await ws.send_text(await ws.receive_text())


async def started():
    print("STARTED", flush=True)


async def stopped():
    print("STOPPED", flush=True)


app = Site()
app.startup_handlers.append(started)
app.shutdown_handlers.append(stopped)
