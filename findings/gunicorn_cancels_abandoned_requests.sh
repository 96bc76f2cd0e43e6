#!/usr/bin/env bash
# A client sends an order, and leaves before the reply.
#
# Guess: the application finishes what it does, as on every other server; who wants to know of the client asks `receive()`.
# Seen: gunicorn's ASGI worker cancels the application 3 seconds after the client has left, between any two awaits: the card is
# charged, the parcel is never sent. `--asgi-disconnect-grace-period` is that time; 0 is at once, there is no "never".
source "$(dirname "$0")/_setup.sh"
packages gunicorn==27.0.1 uvicorn==0.54.0 hypercorn==0.18.0 granian==2.8.9

cat >app.py <<'END'
import asyncio

async def app(scope, receive, send):
    if scope["type"] != "http":
        raise RuntimeError("HTTP only")
    print("SHOP charged the card")
    try:
        await asyncio.sleep(5)
        print("SHOP sent the parcel")
    except asyncio.CancelledError:
        print("SHOP cancelled")
        raise
END
cat >try.py <<'END'
import socket, time
from _servers import log, serving

for name in "uvicorn", "hypercorn", "granian", "gunicorn":
    with serving(name) as (port, _):
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(b"POST /orders HTTP/1.1\r\nHost: shop\r\nContent-Length: 0\r\n\r\n")
            time.sleep(1)
        time.sleep(6)
        print(f"{name}:", *(line.removeprefix("SHOP") for line in log(name, port) if line.startswith("SHOP")))
END
seen python try.py <<'END'
uvicorn:  charged the card  sent the parcel
hypercorn:  charged the card  sent the parcel
granian:  charged the card  sent the parcel
gunicorn:  charged the card  cancelled
END
