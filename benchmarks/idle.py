"""What connections hold while nothing happens on them: idle ones that were answered, and live WebSockets.

    scripts/bench idle                          # 10,000 connections and 1,000 WebSockets
    python benchmarks/idle.py --here --connections 200 --sockets 100     # with the Uvicorn of this environment

Uvicorn serves `apps/census.py`, which counts the objects of MicroPie that the garbage collector knows, and by
tracemalloc the bytes that each side has asked for. A third of the connections asks for a page, a third posts JSON, a
third counts in a session (of one cookie: what sessions store is not a connection's). Everything is on 127.0.0.1.
"""

import argparse
import http.client
import json
import platform
import resource
import socket
import subprocess
import sys
import time
from collections import Counter
from contextlib import ExitStack, contextmanager
from pathlib import Path

import report
from load import ENVIRONMENT
from peers import prepare
from processes import HOST, free_port

HERE = Path(__file__).resolve().parent
PATIENCE = 60  # seconds
TEXT = b"Hello, World!"
UPGRADE = (
    "upgrade: websocket\r\nconnection: upgrade\r\n"
    "sec-websocket-version: 13\r\nsec-websocket-key: MTIzNDU2Nzg5MDEyMzQ1Ng==\r\n"
)
FIELDS = {"index": "", "echo": "content-type: application/json\r\ncontent-length: 10\r\n", "visits": ""}
BODIES = {"echo": '{"a": [1]}'}


@contextmanager
def serving(python: Path | str):
    """Run Uvicorn until the block is left; give its port."""
    port = free_port()
    command = [python, "-m", "uvicorn", "apps.census:app", "--port", str(port), "--no-access-log"]
    command += ["--log-level", "critical", "--http", "httptools", "--timeout-keep-alive", "600"]
    process = subprocess.Popen(command, cwd=HERE)
    try:
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                ask(port, "/")
            except OSError:
                if time.monotonic() > deadline or process.poll() is not None:
                    raise
                time.sleep(0.05)
            else:
                break
        yield port
    finally:
        process.terminate()
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def ask(port: int, path: str) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection(HOST, port, timeout=120)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        response.text = response.read().decode()
    finally:
        connection.close()
    return response


def census(port: int, what: str) -> dict:
    return json.loads(ask(port, f"/{what}").text)


def connected(port: int, head: str, status: bytes, body: str = "") -> socket.socket:
    """Send a request on a new connection, and read until the whole reply is there."""
    connection = socket.create_connection((HOST, port), timeout=PATIENCE)
    connection.sendall(f"{head}\r\n{body}".encode())
    received = b""
    while b"\r\n\r\n" not in received or (b"content-length" in received and not whole(received)):
        received += connection.recv(65_536) or b"\r\n\r\n"
    if not received.startswith(b"HTTP/1.1 " + status):
        raise ValueError(received)
    return connection


def whole(received: bytes) -> bool:
    head, _, body = received.partition(b"\r\n\r\n")
    length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length"))
    return len(body) >= int(length.partition(b":")[2])


def idle_connections(port: int, number: int) -> dict:
    """Return what so many connections hold that were answered once, and are kept alive."""
    cookie = ask(port, "/visits").msg["set-cookie"].partition(";")[0]
    kinds = list(FIELDS)

    def head(kind: str) -> str:
        method = "POST" if kind in BODIES else "GET"
        return f"{method} /{kind} HTTP/1.1\r\nhost: {HOST}\r\ncookie: {cookie}\r\n{FIELDS[kind]}"

    for kind in kinds:
        connected(port, head(kind), b"200", BODIES.get(kind, "")).close()
    census(port, "objects")
    before = census(port, "objects")
    with ExitStack() as stack:
        for count in range(number):
            kind = kinds[count % len(kinds)]
            stack.enter_context(connected(port, head(kind), b"200", BODIES.get(kind, "")))
        after = census(port, "objects")
    more = Counter(after["objects"])
    more.subtract(before["objects"])
    return {
        "connections": number,
        "objects": {kind: count for kind, count in more.items() if count > 0},
        "scopes_of_the_server": after["scopes"] - before["scopes"],
    }


def live_sockets(port: int, number: int) -> dict:
    """Return what so many WebSockets hold that have sent a message, got its echo, and wait for the next."""
    head = f"GET /chat HTTP/1.1\r\nhost: {HOST}\r\n{UPGRADE}"
    frame = bytes([0x81, 0x80 | len(TEXT), 0, 0, 0, 0]) + TEXT
    census(port, "trace")
    with ExitStack() as stack:

        def opened() -> None:
            connection = stack.enter_context(connected(port, head, b"101"))
            connection.sendall(frame)
            if (echo := connection.recv(1024)) != bytes([0x81, len(TEXT)]) + TEXT:
                raise ValueError(echo)

        for _ in range(10):  # what is made once is there by then
            opened()
        census(port, "bytes")
        before = census(port, "bytes")
        for _ in range(number):
            opened()
        after = census(port, "bytes")
    return {
        "sockets": number,
        "bytes_each": {owner: round((after[owner] - before.get(owner, 0)) / number) for owner in sorted(after)},
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/bench idle", description=__doc__.partition("\n")[0])
    parser.add_argument("--connections", type=int, default=10_000)
    parser.add_argument("--sockets", type=int, default=1_000)
    parser.add_argument("--here", action="store_true", help="use the Uvicorn that is installed beside this Python")
    report.add_options(parser, "idle")
    options = parser.parse_args()
    if not options.here:
        prepare(ENVIRONMENT)
    python = sys.executable if options.here else ENVIRONMENT.python
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # the server inherits it
    with serving(python) as port:
        result = {"http": idle_connections(port, options.connections)}
    with serving(python) as port:
        result["websocket"] = live_sockets(port, options.sockets)
    print(json.dumps(result, indent=1))
    report.write(options.json, {"python": platform.python_version(), "machine": report.machine(), **result})


if __name__ == "__main__":
    main()
