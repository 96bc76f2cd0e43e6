"""What a request costs through each test client, in process: ours, httpx's ASGITransport, Starlette's TestClient.

    python benchmarks/clients.py        in an environment with micropie, httpx and starlette: that of scripts/test

The application is the same, MicroPie's, so the figures are the clients'. Wall-clock time, because one of them waits
for a thread; the rounds take turns, and the median counts.
"""

import argparse
import asyncio
import statistics
import time
import warnings

import httpx

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # Starlette's advice to use another httpx
    from starlette.testclient import TestClient as StarletteClient

from micropie import App
from micropie.testing import TestClient

FILES = {"file": ("a.bin", b"x" * 100_000, "application/octet-stream")}


class Site(App):
    async def index(self):
        return "Hello"

    async def echo(self):
        return self.request.json()

    async def upload(self, file):
        return len(await file.read())

    async def visit(self):
        self.request.session["n"] = self.request.session.get("n", 0) + 1
        return self.request.session["n"]

    async def ws_echo(self, ws):
        await ws.accept()
        async for message in ws:
            await ws.send_text(message)


REQUESTS = {
    "get": ("GET", "/", {}),
    "json": ("POST", "/echo", {"json": {"a": 1}}),
    "session": ("GET", "/visit", {}),
    "upload": ("POST", "/upload", {"files": FILES}),
}


def micropie_async(what: str, count: int) -> float:
    async def main() -> float:
        async with TestClient(Site()) as client:
            return await awaited(client, what, count)

    return asyncio.run(main())


def httpx_async(what: str, count: int) -> float:
    async def main() -> float:
        transport = httpx.ASGITransport(app=Site())
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return await awaited(client, what, count)

    return asyncio.run(main())


async def awaited(client, what: str, count: int) -> float:
    method, path, options = REQUESTS[what]
    started = time.perf_counter()
    for _ in range(count):
        (await client.request(method, path, **options)).raise_for_status()
    return time.perf_counter() - started


def micropie_plain(what: str, count: int) -> float:
    with TestClient(Site()) as client:
        return plain(client, "websocket", what, count)


def starlette_plain(what: str, count: int) -> float:
    with StarletteClient(Site(), base_url="http://localhost") as client:
        return plain(client, "websocket_connect", what, count)


def plain(client, websocket: str, what: str, count: int) -> float:
    if what == "message":
        return messages(getattr(client, websocket), count)
    method, path, options = REQUESTS[what]
    started = time.perf_counter()
    for _ in range(count):
        client.request(method, path, **options).raise_for_status()
    return time.perf_counter() - started


def messages(connect, count: int) -> float:
    with connect("/echo") as ws:
        started = time.perf_counter()
        for _ in range(count):
            ws.send_text("a")
            ws.receive_text()
        return time.perf_counter() - started


PAIRS = {
    "in an event loop": (micropie_async, httpx_async, list(REQUESTS)),
    "in plain code": (micropie_plain, starlette_plain, [*REQUESTS, "message"]),
}


def measure(client, what: str, count: int) -> float:
    """Microseconds per request."""
    return client(what, count) / count * 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--count", type=int, default=200, help="requests in a round")
    options = parser.parse_args()
    print(f"{'':18}{'request':10}{'ours':>10}{'other':>10}{'other / ours':>14}")
    for place, (ours, other, workloads) in PAIRS.items():
        for what in workloads:
            figures = [
                [measure(client, what, options.count) for client in (ours, other)] for _ in range(options.rounds)
            ]
            mine, theirs = (statistics.median(column) for column in zip(*figures, strict=True))
            print(f"{place:18}{what:10}{mine:8.0f}µs{theirs:8.0f}µs{theirs / mine:14.1f}", flush=True)


if __name__ == "__main__":
    main()
