#!/usr/bin/env bash
# A client says `Accept-Encoding: gzip;q=0, identity`: anything but gzip (RFC 9110 §12.5.3). Another one opens a stream of events whose first
# event comes a second later.
#
# Guess: the first gets its page as it is, the second the headers at once.
# Seen: Starlette's GZipMiddleware looks for the four letters anywhere in the field and compresses for the first; and it keeps the start of every stream,
# so that a browser does not know that it is connected, until the first chunk is there. Django and Litestar compress for the first, too.
source "$(dirname "$0")/_setup.sh"
packages starlette==1.10.0 django==5.2.19 litestar==2.24.0 httpx==0.28.1

cat >try.py <<'END'
import asyncio
import time

import httpx
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route


async def page(request):
    return PlainTextResponse("x" * 5000)


async def events():
    await asyncio.sleep(1)
    yield b"data: 1\n\n"


async def stream(request):
    return StreamingResponse(events(), media_type="text/plain")


app = Starlette(routes=[Route("/", page), Route("/stream", stream)], middleware=[Middleware(GZipMiddleware)])


async def starlette():
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x") as client:
        answer = await client.get("/", headers={"accept-encoding": "gzip;q=0, identity"})
        print("starlette:", answer.headers.get("content-encoding", "as it is"))
    started = []
    scope = {"type": "http", "method": "GET", "path": "/stream", "headers": [(b"accept-encoding", b"gzip")], "query_string": b""}

    async def receive():
        await asyncio.Event().wait()

    async def send(message):
        if message["type"] == "http.response.start":
            started.append(time.monotonic())

    begin = time.monotonic()
    await app(scope, receive, send)
    print("starlette: the start of a stream comes", "with its first chunk" if started[0] - begin > 0.9 else "at once")


def django():
    from django.conf import settings

    settings.configure(ALLOWED_HOSTS=["*"], MIDDLEWARE=["django.middleware.gzip.GZipMiddleware"], ROOT_URLCONF=__name__, SECRET_KEY="x")
    import django
    from django.test import Client

    django.setup()
    answer = Client().get("/", headers={"accept-encoding": "gzip;q=0, identity"})
    print("django:", answer.headers.get("Content-Encoding", "as it is"))


def litestar():
    from litestar import Litestar, get
    from litestar.config.compression import CompressionConfig
    from litestar.testing import TestClient

    @get("/", media_type="text/plain")
    async def index() -> str:
        return "x" * 5000

    with TestClient(Litestar([index], compression_config=CompressionConfig(backend="gzip"))) as client:
        answer = client.get("/", headers={"accept-encoding": "gzip;q=0, identity"})
        print("litestar:", answer.headers.get("content-encoding", "as it is"))


def view(request):
    from django.http import HttpResponse

    return HttpResponse("x" * 5000)


from django.urls import path  # noqa: E402

urlpatterns = [path("", view)]
if __name__ == "__main__":
    asyncio.run(starlette())
    django()
    litestar()
END
seen python try.py <<'END'
starlette: gzip
starlette: the start of a stream comes with its first chunk
django: gzip
litestar: gzip
END
