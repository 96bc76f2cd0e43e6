"""Clients of `channel_site` over WebSockets and as event streams, which come back where their connection ends.

They are bare protocols: hundreds of them on one core must take less time than the workers that they listen to.
"""

import asyncio
import contextlib
import random
from array import array
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import httpx

from micropie import loads

BROKEN = (OSError, httpx.HTTPError, asyncio.TimeoutError)
TOGETHER = 10  # messages
TEXT, CLOSE, PING = 1, 8, 9  # opcodes (RFC 6455 §5.2)
PONG = b"\x8a\x80\0\0\0\0"
HANDSHAKE = (
    "GET /room{query} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)
REQUEST = "GET /events HTTP/1.0\r\nHost: localhost\r\nAccept: text/event-stream\r\n{last}\r\n"


class Listener(asyncio.Protocol):
    """What one client has heard: the numbers of each channel, in order; and how often it has come back."""

    def __init__(self, port: int, host: str = "127.0.0.1") -> None:
        self.heard = {"a": array("q"), "b": array("q")}
        self.notices: list[tuple[str, Any]] = []
        self.connections = 0
        self.is_connected = asyncio.Event()
        self.port = port
        self.host = host
        self.position: str | None = None
        self._lost = asyncio.Event()
        self._is_open = False
        self._data = b""
        self.transport: Any = None

    async def run(self) -> None:
        """Listen, and come back, until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            self._data, self._is_open = b"", False
            self._lost.clear()
            with contextlib.suppress(*BROKEN):
                await loop.create_connection(lambda: self, self.host, self.port)
                try:
                    await self._lost.wait()
                finally:
                    self.transport.abort()
            self.is_connected.clear()
            await asyncio.sleep(random.uniform(0.05, 0.3))

    def connection_made(self, transport: Any) -> None:
        """Ask to be let in."""
        self.transport = transport
        transport.write(self.hello())

    def connection_lost(self, _error: Exception | None) -> None:
        """Come back."""
        self._lost.set()

    def data_received(self, data: bytes) -> None:
        """Take what has come, behind the head."""
        self._data += data
        if not self._is_open:
            head, found, rest = self._data.partition(b"\r\n\r\n")
            if not found:
                return
            if head.split(b" ", 2)[1] not in (b"101", b"200"):  # a 503, say
                self.transport.abort()
                return
            self._is_open, self._data = True, rest
        self._data = self.take(self._data)

    def begin(self, position: str) -> None:
        """The server has let us in; where we stand."""
        self.position = position
        self.connections += 1
        self.is_connected.set()

    def hear(self, said: dict[str, Any], position: str) -> None:
        """Note a message."""
        self.heard[said["channel"]].append(said["number"])
        self.position = position

    def hello(self) -> bytes:
        """The request."""
        raise NotImplementedError

    def take(self, data: bytes) -> bytes:
        """Note what is whole, and give back what is not."""
        raise NotImplementedError


class SocketListener(Listener):
    """A client with a WebSocket; the first message says where we stand."""

    def hello(self) -> bytes:
        """The handshake."""
        return HANDSHAKE.format(query=f"?since={self.position}" if self.position else "").encode()

    def take(self, data: bytes) -> bytes:
        """Frames of a server, which are whole messages without a mask (RFC 6455 §5.2)."""
        place = 0
        while len(data) >= place + 2:
            length, begin = data[place + 1], place + 2
            if length == 126:
                length, begin = int.from_bytes(data[begin : begin + 2], "big"), begin + 2
            if len(data) < begin + length:
                break
            self._take_frame(data[place] & 15, data[begin : begin + length])
            place = begin + length
        return data[place:]

    def _take_frame(self, opcode: int, content: bytes) -> None:
        if opcode == PING:
            self.transport.write(PONG[:1] + bytes([0x80 | len(content)]) + PONG[2:] + content)
        elif opcode == CLOSE:
            self.transport.abort()
        else:
            assert opcode == TEXT
            said = loads(content)
            if "number" in said:
                self.hear(said, said["position"])
            else:
                self.begin(said["position"])


class EventListener(Listener):
    """A client with an event stream; by HTTP/1.0, where it comes without chunks."""

    def hello(self) -> bytes:
        """The request, as a browser that reconnects has it."""
        return REQUEST.format(last=f"Last-Event-ID: {self.position}\r\n" if self.position else "").encode()

    def take(self, data: bytes) -> bytes:
        """Whole events."""
        *events, rest = data.split(b"\n\n")
        for event in events:
            self._take_event(dict(fields_of(event.decode())))
        return rest

    def _take_event(self, event: dict[str, str]) -> None:
        """Note an event: a message, a notice, or where we stand."""
        if "event" in event:
            self.notices.append((event["event"], loads(event["data"].encode())["missed"]))
        elif "data" in event:
            self.hear(loads(event["data"].encode()), event["id"])
        elif "id" in event:
            self.begin(event["id"])


def fields_of(event: str) -> Iterator[tuple[str, str]]:
    """The names and values of an event's lines."""
    for line in event.split("\n"):
        name, _, value = line.partition(": ")
        yield name, value


@asynccontextmanager
async def listeners(port: int, sockets: int, streams: int, host: str = "127.0.0.1") -> AsyncIterator[list[Listener]]:
    """Clients that are connected."""
    found: list[Listener] = [SocketListener(port, host) for _ in range(sockets)]
    found += [EventListener(port, host) for _ in range(streams)]
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


async def publish(port: int, channel: str, numbers: range, pause: float = 0, host: str = "127.0.0.1") -> list[int]:
    """Publish numbers, some in one request, on workers as they come; those that are known to be published."""
    known: list[int] = []
    async with httpx.AsyncClient(trust_env=False, timeout=20, headers={"Connection": "close"}) as client:
        for start in range(numbers.start, numbers.stop, TOGETHER):
            some = range(start, min(start + TOGETHER, numbers.stop))
            with contextlib.suppress(*BROKEN):
                reply = await client.post(f"http://{host}:{port}/publish/{channel}/{some.start}/{some.stop}")
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
