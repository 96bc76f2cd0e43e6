#!/usr/bin/env bash
# A client sends JSON that was cut off on its way, and Emmett55's handler reads a member of it.
#
# Guess: a 400, or an exception in the handler.
# Seen: the body reads as if it were empty, the member is None, and the client gets its 200. A dict that a handler returns goes out in
# Python's own notation, which no JSON parser takes, unless the route says otherwise.
source "$(dirname "$0")/_setup.sh"
packages emmett55==1.3.0

cat >app.py <<'END'
import tempfile

from emmett55 import App, request

app = App(__name__, root_path=tempfile.mkdtemp())


@app.route("/post", methods="post")
async def post():
    return {"count": (await request.body_params).count}
END
cat >try.py <<'END'
import http.client
import subprocess
import time

from _servers import free_port

port = free_port()
process = subprocess.Popen(
    ["emmett55", "-a", "app.py", "serve", "--port", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
)


def post(body):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("POST", "/post", body, {"Content-Type": "application/json"})
    response = connection.getresponse()
    return response.status, response.read().decode()


for _ in range(200):
    try:
        print(*post('{"count": 1}'))
        break
    except OSError:
        time.sleep(0.1)
print(*post('{"count": 1'))
process.terminate()
process.wait()
END
seen python try.py <<'END'
200 {'count': 1}
200 {'count': None}
END
