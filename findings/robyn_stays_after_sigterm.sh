#!/usr/bin/env bash
# A server is told to stop by SIGTERM: by systemd, by `docker stop`, by Kubernetes.
#
# Guess: it stops, after what is being served.
# Seen: Robyn's workers stop, and its process stays: connections are taken and never answered, until it is killed. Each deploy takes the whole
# patience of the supervisor, and the shutdown handler is never called. SIGINT, Ctrl-C, ends it as it should.
source "$(dirname "$0")/_setup.sh"
packages robyn==0.88.0

cat >app.py <<'END'
import sys

from robyn import Robyn

app = Robyn(__file__)


@app.shutdown_handler
def stopped():
    print("the shutdown handler was called", flush=True)


@app.get("/text")
async def text():
    return "Hello"


port = int(sys.argv.pop())
app.start("127.0.0.1", port, _check_port=False)
END
cat >try.py <<'END'
import http.client
import signal
import subprocess
import sys
import time

from _servers import free_port


def status(port):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/text")
        return connection.getresponse().status
    except OSError:
        return None
    finally:
        connection.close()


for name in "SIGTERM", "SIGINT":
    port = free_port()
    with open(f"{name}.log", "w") as log:
        process = subprocess.Popen([sys.executable, "app.py", str(port)], stdout=log, stderr=subprocess.STDOUT)
    while status(port) is None:
        time.sleep(0.1)
    process.send_signal(getattr(signal, name))
    try:
        process.wait(10)
        print(f"{name}: it has ended")
    except subprocess.TimeoutExpired:
        print(f"{name}: ten seconds later it is there, and {'answers' if status(port) else 'answers nobody'}")
        process.kill()
        process.wait()
    if "handler was called" in open(f"{name}.log").read():
        print("  the shutdown handler was called")
END
seen python try.py <<'END'
SIGTERM: ten seconds later it is there, and answers nobody
SIGINT: it has ended
  the shutdown handler was called
END
