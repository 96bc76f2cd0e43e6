"""What each guard of `micropie.middleware` costs a request, beside Starlette's equivalent, in process.

    python benchmarks/middleware.py        in an environment with micropie, starlette and uvicorn: that of scripts/test

CPU time, µs: what a request with ten headers costs more than without any middleware. `alone` is the guard by itself, so
the price of having hooks at all is in it; `beside` is what it adds to an application that has a middleware already,
one that does nothing. Short bursts take turns, and the fastest of each counts.
"""

import argparse
import asyncio
import gc
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware as StarletteCORS
from starlette.middleware.trustedhost import TrustedHostMiddleware as StarletteTrustedHost
from starlette.responses import JSONResponse
from starlette.routing import Route
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware as UvicornProxyHeaders

from micropie import App, HttpMiddleware
from micropie.middleware import (
    CORSMiddleware,
    CSRFMiddleware,
    ProxyHeadersMiddleware,
    SecurityHeadersMiddleware,
    TrustedHostMiddleware,
)

sys.path.insert(0, str(Path(__file__).resolve().parent))
from workloads import WORKLOADS

FRIEND = "https://friend.example"
SECURITY = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "strict-origin-when-cross-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Content-Security-Policy": "frame-ancestors 'none'",
}


class Site(App):
    async def json(self):
        return {"message": "Hello, World!"}


class Idle(HttpMiddleware):
    def before_request(self, request):
        return None

    def after_request(self, request, status_code, response_body, extra_headers):
        return None


class StarletteSecurity:
    """As Starlette's documentation writes such a middleware; it has none of its own."""

    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        async def send_with_headers(message):
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY.items():
                    headers.setdefault(name, value)
            await send(message)

        await self.app(scope, receive, send_with_headers)


class StarletteIdle:
    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        await self.app(scope, receive, send)


def micropie_app(*middlewares: HttpMiddleware) -> Any:
    app = Site()
    app.middlewares += middlewares
    return app


def starlette_app(*middlewares: Middleware) -> Any:
    async def json(_request):
        return JSONResponse({"message": "Hello, World!"})

    return Starlette(routes=[Route("/json", json)], middleware=list(middlewares))


HOSTS = [next(value.decode() for name, value in WORKLOADS["json"].scope()["headers"] if name == b"host").split(":")[0]]
ORIGIN = [(b"origin", FRIEND.encode())]
FORWARDED = [(b"x-forwarded-for", b"198.51.100.1"), (b"x-forwarded-proto", b"https")]

# Name, our middleware, Starlette's or None, headers of the request beside the ten.
ROWS: list[tuple[str, HttpMiddleware, Middleware | None, list[tuple[bytes, bytes]]]] = [
    ("nothing", Idle(), Middleware(StarletteIdle), []),
    ("hosts", TrustedHostMiddleware(HOSTS), Middleware(StarletteTrustedHost, HOSTS), []),
    ("cors, no origin", CORSMiddleware([FRIEND]), Middleware(StarletteCORS, [FRIEND]), []),
    ("cors, a friend", CORSMiddleware([FRIEND]), Middleware(StarletteCORS, [FRIEND]), ORIGIN),
    ("csrf, GET", CSRFMiddleware(), None, []),
    (
        "proxies, nobody's",
        ProxyHeadersMiddleware(["10.0.0.0/8"]),
        Middleware(UvicornProxyHeaders, ["10.0.0.0/8"]),
        [],
    ),
    ("proxies, a proxy's", ProxyHeadersMiddleware("*"), Middleware(UvicornProxyHeaders, "*"), FORWARDED),
    ("security headers", SecurityHeadersMiddleware(), Middleware(StarletteSecurity), []),
]


async def seconds(app: Any, extra: list[tuple[bytes, bytes]], requests: int) -> float:
    """The CPU time of one request."""
    scope = WORKLOADS["json"].scope()
    headers = [*scope["headers"], *extra]
    sent: list[Any] = []

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):
        sent.append(message)

    begin = time.process_time()
    for _ in range(requests):
        sent.clear()
        await app({**scope, "headers": headers.copy(), "state": {}}, receive, send)
    took = time.process_time() - begin
    if sent[0]["status"] != 200:  # noqa: PLR2004
        raise ValueError(sent)
    return took / requests


def variants() -> dict[tuple[str, str], tuple[Any, list[tuple[bytes, bytes]]]]:
    """The applications by row and column, with the headers that they are asked with."""
    found = {}
    for name, ours, theirs, extra in ROWS:
        found[name, "bare"] = micropie_app(), extra
        found[name, "alone"] = micropie_app(ours), extra
        found[name, "idle"] = micropie_app(Idle()), extra
        found[name, "beside"] = micropie_app(Idle(), ours), extra
        found[name, "starlette bare"] = starlette_app(), extra
        if theirs is not None:
            found[name, "starlette"] = starlette_app(theirs), extra
    return found


async def measured(rounds: int, requests: int) -> dict[tuple[str, str], float]:
    """The fastest of each, in µs."""
    apps = variants()
    times = dict.fromkeys(apps, float("inf"))
    for app, extra in apps.values():
        await seconds(app, extra, 200)
    gc.disable()
    for turn in range(rounds):
        for key in list(apps)[:: -1 if turn % 2 else 1]:
            times[key] = min(times[key], 1e6 * await seconds(*apps[key], requests))
        gc.collect()
    return times


def rows(found: dict[tuple[str, str], float]) -> list[str]:
    """The table."""
    of: Callable[[str, str, str], str] = lambda row, more, less: (  # noqa: E731 - reads like the table
        f"{found[row, more] - found[row, less]:10.2f}" if (row, more) in found else f"{'-':>10}"
    )
    lines = [f"{'µs':20}{'alone':>10}{'beside':>10}{'Starlette':>10}"]
    for row in dict.fromkeys(row for row, _ in found):
        columns = of(row, "alone", "bare"), of(row, "beside", "idle"), of(row, "starlette", "starlette bare")
        lines.append(f"{row:20}{''.join(columns)}")
    return lines


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=80)
    parser.add_argument("--requests", type=int, default=150, help="in a round")
    arguments = parser.parse_args()
    print("\n".join(rows(asyncio.run(measured(arguments.rounds, arguments.requests)))))
