"""Clients of `channel_site` over WebSockets and as event streams, which come back where their connection ends."""

import asyncio
import contextlib
import json
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import websockets

BROKEN = (OSError, httpx.HTTPError, websockets.WebSocketException, asyncio.TimeoutError)

TOGETHER = 10  # messages


class Listener:
    """What one client has heard: the numbers of each channel, in order; and how often it has come back."""

    def __init__(self, port: int) -> None:
        self.heard: dict[str, list[int]] = {"a": [], "b": []}
        self.notices: list[tuple[str, Any]] = []
        self.connections = 0
        self.is_connected = asyncio.Event()
        self.port = port
        self.position: str | None = None

    async def run(self) -> None:
        """Listen, and come back, until cancelled."""
        while True:
            with contextlib.suppress(*BROKEN):
                await self.listen()
            self.is_connected.clear()
            await asyncio.sleep(random.uniform(0.05, 0.3))

    def begin(self, position: str) -> None:
        """The server has let us in; where we stand."""
        self.position = position
        self.connections += 1
        self.is_connected.set()

    def hear(self, said: dict[str, Any], position: str) -> None:
        """Note a message."""
        self.heard[said["channel"]].append(said["number"])
        self.position = position

    async def listen(self) -> None:
        """Connect once, and hear until the connection ends."""
        raise NotImplementedError


class SocketListener(Listener):
    """A client with a WebSocket."""

    async def listen(self) -> None:
        """By WebSocket; the first message says where we stand."""
        query = f"?since={self.position}" if self.position else ""
        url = f"ws://127.0.0.1:{self.port}/room{query}"
        async with websockets.connect(url, compression=None, proxy=None, ping_interval=None, close_timeout=1) as ws:
            self.begin(json.loads(await ws.recv())["position"])
            async for text in ws:
                said = json.loads(text)
                self.hear(said, said["position"])


class EventListener(Listener):
    """A client with an event stream."""

    async def listen(self) -> None:
        """As a browser does."""
        headers = {"Accept": "text/event-stream"} | ({"Last-Event-ID": self.position} if self.position else {})
        async with (
            httpx.AsyncClient(trust_env=False, timeout=httpx.Timeout(10, read=60)) as client,
            client.stream("GET", f"http://127.0.0.1:{self.port}/events", headers=headers) as reply,
        ):
            event: dict[str, str] = {}
            async for line in reply.aiter_lines():
                name, _, value = line.partition(": ")
                if line:
                    event[name] = value
                else:
                    self.take(event)
                    event = {}

    def take(self, event: dict[str, str]) -> None:
        """Note an event: a message, a notice, or where we stand."""
        if "event" in event:
            self.notices.append((event["event"], json.loads(event["data"])["missed"]))
        elif "data" in event:
            self.hear(json.loads(event["data"]), event["id"])
        elif "id" in event:
            self.begin(event["id"])


@asynccontextmanager
async def listeners(port: int, sockets: int, streams: int) -> AsyncIterator[list[Listener]]:
    """Clients that are connected."""
    found: list[Listener] = [SocketListener(port) for _ in range(sockets)]
    found += [EventListener(port) for _ in range(streams)]
    tasks = []
    try:
        for start in range(0, len(found), 50):
            some = found[start : start + 50]
            tasks += [asyncio.create_task(one.run()) for one in some]
            await asyncio.wait_for(asyncio.gather(*(one.is_connected.wait() for one in some)), 60)
        yield found
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def publish(port: int, channel: str, numbers: range, pause: float = 0) -> list[int]:
    """Publish numbers, some in one request, on workers as they come; those that are known to be published."""
    known: list[int] = []
    async with httpx.AsyncClient(trust_env=False, timeout=20, headers={"Connection": "close"}) as client:
        for start in range(numbers.start, numbers.stop, TOGETHER):
            some = range(start, min(start + TOGETHER, numbers.stop))
            with contextlib.suppress(*BROKEN):
                reply = await client.post(f"http://127.0.0.1:{port}/publish/{channel}/{some.start}/{some.stop}")
                if reply.is_success:
                    known += some
            await asyncio.sleep(pause)
    return known


async def until_heard(clients: list[Listener], channel: str, number: int, patience: float = 60) -> None:
    """Wait until all clients have heard a number."""
    async with asyncio.timeout(patience):
        for one in clients:
            while number not in one.heard[channel][-50:]:  # noqa: ASYNC110 - an event for each number is more to read
                await asyncio.sleep(0.05)
