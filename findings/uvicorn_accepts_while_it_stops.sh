#!/usr/bin/env bash
# A server with two workers is told to stop while one of them still answers a slow request; a newcomer connects.
#
# Guess: the newcomer is refused, as with one worker, so that a balancer goes elsewhere at once.
# Seen: Uvicorn's parent keeps the listening socket until all workers have ended, so that the system accepts newcomers for nobody. They wait as long as the slow
# request takes, and are cut off then without an answer. Granian and gunicorn refuse them.
source "$(dirname "$0")/_setup.sh"
packages uvicorn==0.54.0 granian==2.8.9 gunicorn==27.0.1

cat >app.py <<'END'
import asyncio


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while (await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
        await send({"type": "lifespan.shutdown.complete"})
        return
    if scope["path"] == "/slow":
        await asyncio.sleep(4)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"4")]})
    await send({"type": "http.response.body", "body": b"done"})
END
cat >try.py <<'END'
import http.client
import signal
import threading
import time

from _servers import free_port, start


def asked(port, path):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request("GET", path)
        return f"answered {connection.getresponse().status}"
    except ConnectionRefusedError:
        return "refused at once"
    except (OSError, http.client.HTTPException):
        return "accepted, and cut off without an answer"
    finally:
        connection.close()


for name, *options in ("uvicorn",), ("uvicorn", "--workers", "2"), ("granian", "--workers", "2"), ("gunicorn", "--workers", "2"):
    port = free_port()
    process = start(name, *options, port=port)
    while not asked(port, "/").startswith("answered"):
        time.sleep(0.1)
    slow = []
    asking = threading.Thread(target=lambda: slow.append(asked(port, "/slow")))
    asking.start()
    time.sleep(0.5)
    process.send_signal(signal.SIGTERM)
    time.sleep(1.5)
    began = time.monotonic()
    said = asked(port, "/")
    waited = "" if time.monotonic() - began < 1 else ", after more than a second"
    asking.join()
    print(f"{name} {options[1] if options else 1}: who comes while it stops is {said}{waited}; who was there {slow[0]}")
    process.wait(20)
END
seen python try.py <<'END'
uvicorn 1: who comes while it stops is refused at once; who was there answered 200
uvicorn 2: who comes while it stops is accepted, and cut off without an answer, after more than a second; who was there answered 200
granian 2: who comes while it stops is refused at once; who was there answered 200
gunicorn 2: who comes while it stops is refused at once; who was there answered 200
END
