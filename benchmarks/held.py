"""The bytes of MicroPie that a client holds while it waits, line by line: of a WebSocket, of a channel, of a stream.

    scripts/bench held                    # all of them, 2,000 clients each
    scripts/bench held socket --lines 30

The clients are driven in process, with the least that a server can be. Each allocation is that of the last line that
is not of the standard library: a timer is of the line that asks for it. What a driver and a handler that are written
by hand would hold too is left out: the scope, the task, the coroutines of the handler, of `receive` and of `send`.
"""

import argparse
import asyncio
import gc
import json
import sys
import sysconfig
import tracemalloc
from collections import Counter
from collections.abc import Awaitable, Callable
from functools import cache
from pathlib import Path

SOURCE = Path(__file__).resolve().parent.parent / "src"
sys.path.insert(0, str(SOURCE))

from micropie import App, ConnectionClosed  # noqa: E402
from micropie.channels import Channels, relay  # noqa: E402

PATIENCE = 30  # seconds
DEPTH = 12  # frames that are kept of each allocation
OURS = str(SOURCE / "micropie")
STANDARD = (sysconfig.get_path("stdlib"), "<")
WEBSOCKET = {
    "type": "websocket",
    "asgi": {"version": "3.0", "spec_version": "2.4"},
    "http_version": "1.1",
    "scheme": "ws",
    "root_path": "",
    "query_string": b"",
    "subprotocols": [],
    "extensions": {},
    "client": ("127.0.0.1", 50_000),
    "server": ("127.0.0.1", 8000),
}
HTTP = {**WEBSOCKET, "type": "http", "scheme": "http", "method": "GET"}
HEADERS = [(b"host", b"127.0.0.1:8000"), (b"accept", b"text/event-stream"), (b"user-agent", b"bench")]
Line = tuple[str, int]


class Site(App):
    """What the clients are connected to."""

    channels = Channels()

    # Plain functions, so that the coroutines, which count as what the line that calls them holds, are of these lines.

    def ws_socket(self, ws):
        return echo(ws)

    def ws_relay(self, ws):
        return relayed(ws, self.channels)

    def ws_messages(self, ws):
        return sent_on(ws, self.channels)

    async def events(self):
        return self.channels.stream("lobby")


async def echo(ws) -> None:
    await ws.accept()
    try:
        while True:
            await ws.send_text(await ws.receive_text())
    except ConnectionClosed:
        pass


async def relayed(ws, channels) -> None:
    await ws.accept()
    async with channels.subscribe("lobby") as messages:
        await relay(ws, messages)


async def sent_on(ws, channels) -> None:
    await ws.accept()
    async with channels.subscribe("lobby") as messages:
        async for message in messages:
            await ws.send_text(message.payload)


class Client:
    """A client that connects, says nothing more, and waits; the server's side of it."""

    __slots__ = ("begun", "is_socket", "left", "receiving", "scope", "task")

    def __init__(self, path: str, *, is_socket: bool) -> None:
        kind = WEBSOCKET if is_socket else HTTP
        self.scope = {**kind, "path": path, "raw_path": path.encode(), "headers": HEADERS.copy(), "state": {}}
        self.is_socket = is_socket
        self.receiving = False  # the first message has been given
        self.left: asyncio.Future[None] | None = None
        self.begun = asyncio.Event()

    def receive(self) -> Awaitable[dict]:
        return self.event()  # here, so that the coroutine is of this line

    async def event(self) -> dict:
        if not self.receiving:
            self.receiving = True
            return {"type": "websocket.connect"} if self.is_socket else {"type": "http.request"}
        if self.left is None:
            self.left = asyncio.get_running_loop().create_future()
        await self.left
        return {"type": "websocket.disconnect", "code": 1000} if self.is_socket else {"type": "http.disconnect"}

    async def send(self, _message: dict) -> None:
        self.begun.set()

    def leave(self) -> None:
        if self.left is None:
            self.left = asyncio.get_running_loop().create_future()
        if not self.left.done():
            self.left.set_result(None)


def serve(app: Callable, scope: dict, receive: Callable, send: Callable) -> Awaitable[None]:
    """Call the application, whose coroutine is MicroPie's."""
    return app(scope, receive, send)


CALL = (__file__, serve.__code__.co_firstlineno + 2)


async def connected(app: Callable, path: str, count: int, *, is_socket: bool) -> list[Client]:
    """Connect clients, and wait until they have what they get at first."""
    clients = [Client(path, is_socket=is_socket) for _ in range(count)]
    for client in clients:
        client.task = asyncio.create_task(serve(app, client.scope, client.receive, client.send))
    async with asyncio.timeout(PATIENCE):
        await asyncio.gather(*(client.begun.wait() for client in clients))
    return clients


async def left(clients: list[Client]) -> None:
    """Let the clients leave, and wait until nothing runs for them."""
    for client in clients:
        client.leave()
    await asyncio.wait([client.task for client in clients])


@cache
def line_of(trace: tracemalloc.Traceback) -> Line:
    """The last line of what led to an allocation that is not of the standard library."""
    frames = (frame for frame in reversed(trace) if not frame.filename.startswith(STANDARD))
    last = next(frames, None)
    return ("", 0) if last is None else (last.filename, last.lineno)


def allocated() -> tuple[Counter[Line], Counter[Line]]:
    """Bytes and blocks that are allocated now, by line."""
    gc.collect()
    sizes: Counter[Line] = Counter()
    blocks: Counter[Line] = Counter()
    for trace in tracemalloc.take_snapshot().traces:
        sizes[line := line_of(trace.traceback)] += trace.size
        blocks[line] += 1
    return sizes, blocks


async def held(path: str, count: int, *, is_socket: bool, rest: float = 1.2) -> dict[Line, tuple[float, float]]:
    """The bytes and blocks that each client holds once nothing has happened for `rest` seconds, by line of ours."""
    app = Site()
    warm = await connected(app, path, 10, is_socket=is_socket)  # what is made once is there by then
    tracemalloc.start(DEPTH)
    try:
        before, blocks_before = allocated()
        clients = await connected(app, path, count, is_socket=is_socket)
        await asyncio.sleep(rest)
        after, blocks_after = allocated()
    finally:
        tracemalloc.stop()
    await left([*warm, *clients])
    return {
        line: (round((size - before[line]) / count, 1), round((blocks_after[line] - blocks_before[line]) / count, 2))
        for line, size in after.items()
        if (line[0].startswith(OURS) or line == CALL) and size - before[line] > count
    }


CLIENTS: dict[str, Callable[[int], Awaitable[dict]]] = {
    "socket": lambda count: held("/socket", count, is_socket=True),
    "relay": lambda count: held("/relay", count, is_socket=True),
    "messages": lambda count: held("/messages", count, is_socket=True),
    "events": lambda count: held("/events", count, is_socket=False),
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/bench held", description=__doc__.partition("\n")[0])
    parser.add_argument("clients", nargs="*", metavar="|".join(CLIENTS), default=list(CLIENTS))
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--json", action="store_true", help="the sums only")
    parser.add_argument("--lines", type=int, default=0, help="how many lines to show, those that hold most")
    options = parser.parse_args()
    found = {name: asyncio.run(CLIENTS[name](options.count)) for name in options.clients}
    if options.json:
        print(json.dumps({name: round(sum(size for size, _ in lines.values())) for name, lines in found.items()}))
        return
    for name, lines in found.items():
        total, blocks = (round(sum(column)) for column in zip(*lines.values(), strict=True))
        print(f"{name:10}{total:7,} bytes in {blocks} blocks")
        for (file, number), (size, many) in sorted(lines.items(), key=lambda item: -item[1][0])[: options.lines]:
            text = Path(file).read_text().splitlines()[number - 1].strip()
            print(f"  {size:8.1f} {many:5.1f}  {Path(file).name}:{number}  {text}")


if __name__ == "__main__":
    main()
