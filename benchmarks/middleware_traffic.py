"""What each middleware costs a request, in process, beside Starlette's equivalent: no server, no socket.

    python benchmarks/middleware_traffic.py            # all rows, a minute
    python benchmarks/middleware_traffic.py gzip

A row is one kind of request. Both applications answer it with and without the middleware, in short bursts by turns; the
cost is the difference of the fastest bursts. Needs the test dependencies. Where Starlette has no equivalent there is a
dash.
"""

import argparse
import asyncio
import gc
import logging
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from starlette.applications import Starlette
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import HTMLResponse
from starlette.routing import Route

from micropie import App
from micropie.middleware import AccessLogMiddleware, CompressionMiddleware, ETagMiddleware, RateLimitMiddleware

BURST, BURSTS = 200, 25
PAGE = "".join(f"<li>Pie number {number}, of {number % 7} apples</li>" for number in range(450))  # 17 kB
SMALL = "Hello"
HEADERS = [
    (b"host", b"example.com"),
    (b"user-agent", b"Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/140.0"),
    (b"accept", b"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
    (b"accept-language", b"de,en;q=0.7"),
    (b"connection", b"keep-alive"),
]
GZIP = (b"accept-encoding", b"gzip, deflate")
ASGIApp = Callable[..., Any]


class Site(App):
    async def index(self):
        return SMALL

    async def page(self):
        return PAGE


async def starlette_index(request):
    return HTMLResponse(SMALL)


async def starlette_page(request):
    return HTMLResponse(PAGE)


def micropie_with(*middlewares: Any) -> ASGIApp:
    app = Site()
    app.middlewares += middlewares
    return app


def starlette_with(*middlewares: Any) -> ASGIApp:
    app = Starlette(routes=[Route("/", starlette_index), Route("/page", starlette_page)])
    for middleware, options in middlewares:
        app.add_middleware(middleware, **options)
    return app


class Row(NamedTuple):
    """One kind of request, and the middleware in both frameworks; None where Starlette has none."""

    name: str
    path: str
    headers: list[tuple[bytes, bytes]]
    ours: Any
    theirs: Any


def rows() -> list[Row]:
    """Each row; middlewares of one kind stand together."""
    zipped, gzip, same = CompressionMiddleware(codings=["gzip"]), (GZipMiddleware, {}), {"compresslevel": 5}
    known = (b"if-none-match", b'"0", "1"')
    return [
        Row("compression: nothing to do", "/", HEADERS, zipped, gzip),
        Row("compression: not accepted", "/page", HEADERS, zipped, gzip),
        Row("compression: gzip of 17 kB", "/page", [*HEADERS, GZIP], zipped, gzip),
        Row("compression: gzip of 17 kB, both by level 5", "/page", [*HEADERS, GZIP], zipped, (GZipMiddleware, same)),
        Row(
            "compression: zstd of 17 kB",
            "/page",
            [*HEADERS, (b"accept-encoding", b"zstd")],
            CompressionMiddleware(),
            None,
        ),
        Row("ETag of 17 kB", "/page", [*HEADERS, known], ETagMiddleware(), None),
        Row("rate limit, in memory", "/", HEADERS, RateLimitMiddleware("900000/second"), None),
        Row("access log", "/", HEADERS, AccessLogMiddleware(), None),
    ]


async def ignore(_message: Any) -> None: ...


async def receive() -> Any:
    return {"type": "http.request", "body": b"", "more_body": False}


async def burst(app: ASGIApp, row: Row) -> float:
    """Microseconds a request."""
    scopes = [
        {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": row.path,
            "raw_path": row.path.encode(),
            "query_string": b"",
            "root_path": "",
            "headers": [*row.headers],
            "client": ("203.0.113.7", 4711),
            "server": ("127.0.0.1", 8000),
        }
        for _ in range(BURST)
    ]
    began = time.process_time()
    for scope in scopes:
        await app(scope, receive, ignore)
    return (time.process_time() - began) / BURST * 1e6


async def cost(row: Row) -> tuple[float, float | None]:
    """What the middleware adds, in microseconds: ours, and Starlette's."""
    pairs = [(micropie_with(), micropie_with(row.ours))]
    if row.theirs is not None:
        pairs.append((starlette_with(), starlette_with(row.theirs)))
    best = [[float("inf")] * 2 for _ in pairs]
    for _ in range(BURSTS):
        for number, pair in enumerate(pairs):
            for side, app in enumerate(pair):
                best[number][side] = min(best[number][side], await burst(app, row))
    added = [behind - bare for bare, behind in best]
    return added[0], added[1] if len(added) > 1 else None


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("words", nargs="*", help="of the rows' names; all rows without any")
    words = parser.parse_args().words
    log = logging.getLogger("micropie.access")
    log.addHandler(logging.NullHandler())
    log.propagate = False
    gc.disable()
    print("| µs a request | MicroPie | Starlette |\n|---|---|---|")
    for row in rows():
        if not words or any(word in row.name for word in words):
            ours, theirs = asyncio.run(cost(row))
            print(f"| {row.name} | {ours:.1f} | {'-' if theirs is None else f'{theirs:.1f}'} |")


if __name__ == "__main__":
    main()
