#!/usr/bin/env bash
# A client has connected, and its first request is on its way, when the server is told to stop. A proxy that opens a connection for each request is such a client all day.
#
# Guess: "graceful" means that whoever was let in is answered.
# Seen: only gunicorn hears the request. Uvicorn, Granian, Hypercorn and Daphne take a connection without a request for an idle one, and close it: under load some clients in each stop, for
# whom a proxy has no answer but 502. What is in flight Uvicorn, Granian and Hypercorn do finish.
source "$(dirname "$0")/_setup.sh"
packages uvicorn==0.54.0 granian==2.8.9 hypercorn==0.18.0 daphne==4.2.3 gunicorn==27.0.1

cat >app.py <<'END'
async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while (await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
        await send({"type": "lifespan.shutdown.complete"})
        return
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"4")]})
    await send({"type": "http.response.body", "body": b"done"})
END
cat >try.py <<'END'
import contextlib
import signal
import socket
import time

from _servers import serving

GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


def is_refused(port):
    with contextlib.suppress(ConnectionResetError):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            return True
    return False


for name in ("uvicorn", "granian", "hypercorn", "daphne", "gunicorn"):
    with serving(name) as (port, process):
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.settimeout(10)
            time.sleep(0.5)  # the server has accepted it
            process.send_signal(signal.SIGTERM)
            while not is_refused(port):
                time.sleep(0.01)
            try:
                client.sendall(GET)
                answer = client.recv(100)
            except ConnectionError:
                answer = b""
        print(f"{name}: the request of who had connected before is {'answered' if answer.startswith(b'HTTP/1.1 200') else 'cut off'}")
END
seen python try.py <<'END'
uvicorn: the request of who had connected before is cut off
granian: the request of who had connected before is cut off
hypercorn: the request of who had connected before is cut off
daphne: the request of who had connected before is cut off
gunicorn: the request of who had connected before is answered
END
