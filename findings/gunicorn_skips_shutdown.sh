#!/usr/bin/env bash
# SIGTERM while one WebSocket (or event stream) is open.
#
# Guess: the worker waits for `--graceful-timeout`, closes what is still open, then runs the lifespan's shutdown, as its code reads.
# Seen: the master's clock starts at the signal and the worker's up to a second later, when it looks; so the master kills the worker
# before it gets to the shutdown. Nor is the WebSocket told (1001 or 1012): its client is cut off after the whole timeout.
# It is a race that the worker wins about one time in ten, hence three tries.
source "$(dirname "$0")/_setup.sh"
packages gunicorn==27.0.1 uvicorn==0.54.0 websockets==17.4

cat >app.py <<'END'
async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            if message["type"] == "lifespan.shutdown":
                print("SHOP closed the database")
            await send({"type": message["type"] + ".complete"})
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        while (await receive())["type"] != "websocket.disconnect":
            pass
END
cat >try.py <<'END'
import time
from _servers import log, serving
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

def tried(name, *options):
    with serving(name, *options) as (port, process), connect(f"ws://127.0.0.1:{port}/", proxy=None) as socket:
        time.sleep(1)
        process.terminate()
        started = time.monotonic()
        try:
            socket.recv(timeout=20)
        except ConnectionClosed as closed:
            code = closed.rcvd.code if closed.rcvd else "no close frame"
        took = time.monotonic() - started
        process.wait(10)
        return "SHOP closed the database" in log(name, port), code, "at once" if took < 1 else "after the timeout"

print("uvicorn:", *tried("uvicorn"))
results = [tried("gunicorn", "--graceful-timeout", "3") for _ in range(3)]
print("gunicorn: shutdown skipped", any(not result[0] for result in results), *sorted({result[1:] for result in results}))
END
seen python try.py <<'END'
uvicorn: True 1012 at once
gunicorn: shutdown skipped True ('no close frame', 'after the timeout')
END
