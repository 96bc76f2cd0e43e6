#!/usr/bin/env bash
# An application refuses a WebSocket by a reply of its own, as servers that offer `websocket.http.response` let it (ASGI, "WebSocket Denial
# Response"): 401 with a text.
#
# Guess: that is an answer like any other, and the server's log has an access line at most.
# Seen: the client gets it, and Uvicorn writes at ERROR that the callable returned without completing the handshake, each time: whoever knocks rings
# the alarm. With `websocket.close` in its place (a bare 403) it does not; nor do its other two implementations, Hypercorn and Granian.
source "$(dirname "$0")/_setup.sh"
packages uvicorn==0.54.0 wsproto==1.3.2 hypercorn==0.18.0 granian==2.8.9 websockets==17.4

cat >app.py <<'END'
async def app(scope, receive, send):
    if scope["type"] != "websocket":
        return
    await receive()
    if scope["path"] == "/close":
        await send({"type": "websocket.close", "code": 1008})
        return
    await send({"type": "websocket.http.response.start", "status": 401, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "websocket.http.response.body", "body": b"Log in first", "more_body": False})
END
cat >try.py <<'END'
import asyncio

import websockets
from _servers import log, serving

RUNS = ("uvicorn", "--ws", "websockets-sansio"), ("uvicorn", "--ws", "wsproto"), ("uvicorn", "--ws", "websockets"), ("hypercorn",), ("granian",)


async def status_of(port, path):
    try:
        async with websockets.connect(f"ws://127.0.0.1:{port}/{path}"):
            return "accepted"
    except websockets.InvalidStatus as refused:
        return refused.response.status_code


for name, *options in RUNS:
    seen = []
    for path in "close", "reply":
        with serving(name, *options) as (port, _):
            status = asyncio.run(status_of(port, path))
        errors = sum("without completing handshake" in line for line in log(name, port))
        seen.append(f"{path}: {status}, {errors} errors")
    print(" ".join([name, *options[1:]]) + ":", "; ".join(seen))
END
seen python try.py <<'END'
uvicorn websockets-sansio: close: 403, 0 errors; reply: 401, 1 errors
uvicorn wsproto: close: 403, 0 errors; reply: 401, 0 errors
uvicorn websockets: close: 403, 0 errors; reply: 401, 0 errors
hypercorn: close: 403, 0 errors; reply: 401, 0 errors
granian: close: 403, 0 errors; reply: 401, 0 errors
END
