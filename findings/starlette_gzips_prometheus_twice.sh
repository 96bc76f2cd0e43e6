#!/usr/bin/env bash
# Starlette's GZipMiddleware around an application that has Prometheus' `make_asgi_app()` mounted.
#
# Guess: the metrics are compressed once: the middleware leaves alone what has a Content-Encoding.
# Seen: prometheus_client writes `Content-Encoding`, with capitals, which ASGI forbids and all servers take; Starlette looks for
# `content-encoding`, as ASGI says. So the body is compressed twice, and has the header twice.
source "$(dirname "$0")/_setup.sh"
packages starlette==1.10.0 prometheus_client==0.26.0

cat >try.py <<'END'
import asyncio, gzip
from prometheus_client import make_asgi_app
from starlette.middleware.gzip import GZipMiddleware

async def reply(app):
    sent = []
    scope = {"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": [(b"accept-encoding", b"gzip")]}

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):
        sent.append(message)

    await app(scope, receive, send)
    return sent[0]["headers"], b"".join(message["body"] for message in sent[1:])

for name, app in {"alone": make_asgi_app(), "in Starlette's": GZipMiddleware(make_asgi_app())}.items():
    headers, body = asyncio.run(reply(app))
    layers = 0
    while body.startswith(b"\x1f\x8b"):
        body, layers = gzip.decompress(body), layers + 1
    encodings = [name.decode() for name, _ in headers if name.lower() == b"content-encoding"]
    print(f"{name}: compressed {layers} time(s), {encodings}")
END
seen python try.py <<'END'
alone: compressed 1 time(s), ['Content-Encoding']
in Starlette's: compressed 2 time(s), ['Content-Encoding', 'content-encoding']
END
