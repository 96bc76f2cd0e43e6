#!/usr/bin/env bash
# A path has a handler for GET alone. It is asked by POST, by OPTIONS and by HEAD.
#
# Guess: 405 with `Allow`, as RFC 9110 §15.5.6 demands, and HEAD as GET without the body (§9.3.2): probes of load balancers use it.
# Seen: BlackSheep and Robyn answer 404 to all three; FastAPI and Litestar refuse HEAD. A client can't tell a wrong method from a wrong address.
source "$(dirname "$0")/_setup.sh"
packages blacksheep==2.6.4 robyn==0.88.0 fastapi==0.165.0 litestar==2.25.0 uvicorn==0.54.0

cat >blacksheep_app.py <<'END'
from blacksheep import Application, get

app = Application()


@get("/text")
async def text():
    return "Hello"
END
cat >fastapi_app.py <<'END'
from fastapi import FastAPI

app = FastAPI()


@app.get("/text")
async def text():
    return "Hello"
END
cat >litestar_app.py <<'END'
from litestar import Litestar, get


@get("/text")
async def text() -> str:
    return "Hello"


app = Litestar([text])
END
cat >robyn_app.py <<'END'
import sys

from robyn import Robyn

app = Robyn(__file__)


@app.get("/text")
async def text():
    return "Hello"


port = int(sys.argv.pop())
app.start("127.0.0.1", port, _check_port=False)
END
cat >try.py <<'END'
import http.client
import subprocess
import sys
import time

from _servers import free_port


def ask(port, method):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request(method, "/text")
    response = connection.getresponse()
    response.read()
    connection.close()
    return f"{method} {response.status}{'' if response.status != 405 or response.getheader('Allow') else ' without Allow'}"


for name in "blacksheep", "robyn", "fastapi", "litestar":
    port = free_port()
    own = [f"{name}_app.py", str(port)]
    command = own if name == "robyn" else ["-m", "uvicorn", f"{name}_app:app", "--port", str(port), "--log-level", "critical"]
    process = subprocess.Popen([sys.executable, *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for _ in range(200):
        try:
            ask(port, "GET")
            break
        except OSError:
            time.sleep(0.1)
    print(f"{name}:", ", ".join(ask(port, method) for method in ("GET", "POST", "OPTIONS", "HEAD")))
    process.kill()
    process.wait()
END
seen python try.py <<'END'
blacksheep: GET 200, POST 404, OPTIONS 404, HEAD 404
robyn: GET 200, POST 404, OPTIONS 404, HEAD 404
fastapi: GET 200, POST 405, OPTIONS 405, HEAD 405
litestar: GET 200, POST 405, OPTIONS 204, HEAD 405
END
