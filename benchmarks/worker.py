"""The measuring half: runs in a peer's environment, and times bursts of requests when it is told to.

It reads one JSON order a line and answers each with one line:
`{"prepare": workload}` verifies the reply and says how many requests make a burst;
`{"run": workload, "requests": n}` says how many CPU seconds they took, those of worker threads included.
"""

import asyncio
import gc
import importlib
import json
import os
import platform
import sys
import time
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import TextIO

from workloads import BROWSER_HEADERS, WORKLOADS, Workload

BURST_SECONDS = 0.02
MOST_REQUESTS = 50_000
MESSAGE = "Hello, World!"


class HttpExchange:
    """The server's side of one request."""

    __slots__ = ("finished", "incoming", "sent")

    def __init__(self, messages: list[dict]) -> None:
        self.incoming = messages
        self.sent: list[dict] = []
        self.finished: asyncio.Future | None = None

    async def receive(self) -> dict:
        if self.incoming:
            return self.incoming.pop()
        # The client stays until it has the reply: after that, servers report a disconnect.
        if not self.is_complete():
            self.finished = asyncio.get_running_loop().create_future()
            await self.finished
        return {"type": "http.disconnect"}

    async def send(self, message: dict) -> None:
        self.sent.append(message)
        if self.finished is not None and self.is_complete() and not self.finished.done():
            self.finished.set_result(None)

    def is_complete(self) -> bool:
        return len(self.sent) > 1 and not self.sent[-1].get("more_body")

    def reply(self) -> tuple[int, bytes]:
        """Return status and body of a reply that is complete."""
        start, *parts = self.sent
        if start["type"] != "http.response.start" or not self.is_complete():
            message = f"not a complete reply: {[part['type'] for part in self.sent]}"
            raise ValueError(message)
        return start["status"], b"".join(part.get("body", b"") for part in parts)


class WebSocketExchange:
    """A client that sends a message, waits for the echo, sends the next one, and leaves after the last."""

    __slots__ = ("connected", "echo", "in_flight", "last", "left")

    def __init__(self, messages: int) -> None:
        self.connected = False
        self.in_flight = False
        self.left = messages
        self.echo: asyncio.Future | None = None
        self.last: dict = {}

    async def receive(self) -> dict:
        if not self.connected:
            self.connected = True
            return {"type": "websocket.connect"}
        if self.in_flight:
            self.echo = asyncio.get_running_loop().create_future()
            await self.echo
        if self.left == 0:
            return {"type": "websocket.disconnect", "code": 1000, "reason": ""}
        self.left -= 1
        self.in_flight = True
        return {"type": "websocket.receive", "text": MESSAGE}

    async def send(self, message: dict) -> None:
        if message["type"] != "websocket.send":
            return
        self.last = message
        self.in_flight = False
        if self.echo is not None and not self.echo.done():
            self.echo.set_result(None)


class HttpDriver:
    """Sends one workload's requests to an application, one after another."""

    def __init__(self, app, workload: Workload) -> None:
        self.app = app
        self.workload = workload
        self.scope = workload.scope()
        self.messages = workload.messages()
        self.last: HttpExchange

    async def burst(self, requests: int) -> None:
        app, scope, messages = self.app, self.scope, self.messages
        for _ in range(requests):
            exchange = HttpExchange(messages.copy())
            fresh = {**scope, "headers": scope["headers"].copy(), "state": {}}
            await app(fresh, exchange.receive, exchange.send)
        self.last = exchange

    def verify(self) -> None:
        status, body = self.last.reply()
        if status != 200 or not self.workload.check(body):  # noqa: PLR2004
            message = f"{self.workload.name}: {status} {body[:200]!r}"
            raise ValueError(message)

    async def log_in(self) -> None:
        """Get a session cookie, and find that the visits are counted with it."""
        await self.burst(1)
        cookies = [value for name, value in self.last.sent[0]["headers"] if name.lower() == b"set-cookie"]
        self.scope["headers"].append((b"cookie", b"; ".join(cookie.partition(b";")[0] for cookie in cookies)))
        first = self.last.reply()
        await self.burst(1)
        second = self.last.reply()
        if (first, second) != ((200, b"1"), (200, b"2")):
            message = f"visits are not counted: {first}, {second}"
            raise ValueError(message)


class WebSocketDriver:
    """Sends messages over one connection; its cost is shared by all of them."""

    def __init__(self, app, workload: Workload) -> None:
        self.app = app
        self.workload = workload
        self.last: WebSocketExchange

    async def burst(self, messages: int) -> None:
        scope = self.workload.scope()
        del scope["method"]
        headers = [*BROWSER_HEADERS, (b"upgrade", b"websocket"), (b"sec-websocket-version", b"13")]
        scope |= {"type": "websocket", "scheme": "ws", "subprotocols": [], "headers": headers}
        self.last = WebSocketExchange(messages)
        await self.app(scope, self.last.receive, self.last.send)

    def verify(self) -> None:
        text = self.last.last.get("text") or ""
        if self.last.left or self.last.in_flight or not self.workload.check(text.encode()):
            message = f"ws: {self.last.left} messages not echoed; the last echo: {self.last.last}"
            raise ValueError(message)


async def settle() -> None:
    """Let the loop finish what a request left to it (a cancelled task, say): that is part of its cost."""
    await asyncio.sleep(0)
    await asyncio.sleep(0)


async def start(app) -> None:
    """Run the application's startup; an application without a lifespan may raise, at once or when it is awaited."""
    ready = asyncio.Event()
    messages = [{"type": "lifespan.startup"}]

    async def receive() -> dict:
        return messages.pop() if messages else await asyncio.get_running_loop().create_future()

    async def send(_message: dict) -> None:
        ready.set()

    scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": {}}

    async def run() -> None:
        await app(scope, receive, send)

    lifespan = asyncio.ensure_future(run())
    started = asyncio.ensure_future(ready.wait())
    await asyncio.wait([lifespan, started], return_when=asyncio.FIRST_COMPLETED)
    started.cancel()
    _running.append(lifespan)


_running: list[asyncio.Future] = []


class Worker:
    """Answers the orders for one module of `apps/`."""

    def __init__(self, module: ModuleType) -> None:
        self.module = module
        self.drivers: dict[str, HttpDriver | WebSocketDriver] = {}
        self.started: set[int] = set()

    async def answer(self, order: dict) -> dict:
        if "prepare" in order:
            return await self.prepare(order["prepare"])
        return {"cpu": await self.run(order["run"], order["requests"])}

    async def prepare(self, name: str) -> dict:
        """Verify one workload, warm it up, and find how many requests take the time of a burst."""
        if name in self.module.MISSING:
            return {"missing": True}
        app = self.module.APPS.get(name) or self.module.APPS["default"]
        if id(app) not in self.started:
            self.started.add(id(app))
            await start(app)
        workload = WORKLOADS[name]
        driver = WebSocketDriver(app, workload) if name == "ws" else HttpDriver(app, workload)
        self.drivers[name] = driver
        if name == "visits":
            await driver.log_in()
        await asyncio.wait_for(driver.burst(1), timeout=10)
        driver.verify()
        requests, cpu = 4, 0.0
        while cpu < BURST_SECONDS / 2 and requests < MOST_REQUESTS:
            requests *= 2
            cpu = await self.run(name, requests)
        requests = max(1, min(MOST_REQUESTS, round(requests * BURST_SECONDS / cpu)))
        return {"requests": requests, "note": self.module.NOTES.get(name)}

    async def run(self, name: str, requests: int) -> float:
        driver = self.drivers[name]
        gc.collect()
        gc.disable()
        start = time.process_time()
        await driver.burst(requests)
        await settle()
        cpu = time.process_time() - start
        gc.enable()
        driver.verify()
        return cpu


async def serve(app: str, packages: list[str], answers: TextIO) -> None:
    """Answer orders until the input ends."""
    worker = Worker(importlib.import_module(f"apps.{app}"))
    gc.collect()
    gc.freeze()
    greeting = {"python": platform.python_version(), "versions": {name: version(name) for name in packages}}
    print(json.dumps(greeting), file=answers, flush=True)
    for line in sys.stdin:  # blocks the loop on purpose: nothing runs between two bursts
        try:
            answer = await worker.answer(json.loads(line))
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), file=answers, flush=True)
    for task in _running:
        task.cancel()


if __name__ == "__main__":
    # Answers go to the real standard output; what a framework prints goes to standard error.
    with os.fdopen(os.dup(1), "w") as real_output:
        os.dup2(2, 1)
        os.chdir(Path(__file__).parent / "apps")  # where `templates` is
        asyncio.run(serve(sys.argv[1], sys.argv[2:], real_output))
