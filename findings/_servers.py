"""What the findings about servers share: how each is started, and a request in bytes."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

COMMANDS = {
    "uvicorn": "uvicorn app:app --port {port}",
    "hypercorn": "hypercorn app:app --bind 127.0.0.1:{port}",
    "granian": "granian --interface asgi --port {port} app:app",
    "gunicorn": "gunicorn --worker-class asgi --bind 127.0.0.1:{port} --no-control-socket app:app",
    "daphne": "daphne app:app -p {port}",
}


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def log_file(name: str, port: int) -> Path:
    """Where what the server prints is kept."""
    return Path(f"{name}-{port}.log")


def start(name: str, *options: str, port: int, **variables: str) -> subprocess.Popen[str]:
    """The server, with the application in app.py, in a session of its own."""
    command = [sys.executable, "-m", *COMMANDS[name].format(port=port).split(), *options]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1", **variables}
    # Through a file: nothing waits for whoever reads.
    with log_file(name, port).open("w") as output:
        return subprocess.Popen(
            command, stdout=output, stderr=subprocess.STDOUT, text=True, env=environment, start_new_session=True
        )


def log(name: str, port: int) -> list[str]:
    """The lines that the server and its application printed."""
    return log_file(name, port).read_text().splitlines()


@contextlib.contextmanager
def serving(name: str, *options: str) -> Iterator[tuple[int, subprocess.Popen[str]]]:
    """The port of the server and its process, as long as the context lasts."""
    port = free_port()
    process = start(name, *options, port=port)
    try:
        end = time.monotonic() + 20
        while process.poll() is None and time.monotonic() < end:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            time.sleep(0.1)
        yield port, process
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(10)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def ask(port: int, path: str = "/", method: str = "GET") -> bytes:
    """The whole reply to a request on a connection of its own."""
    with socket.create_connection(("127.0.0.1", port), 10) as connection:
        connection.sendall(f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode())
        return b"".join(iter(lambda: connection.recv(65536), b""))


@contextlib.contextmanager
def serving_redis(*options: str) -> Iterator[int]:
    """The port of a Redis server that keeps nothing, as long as the context lasts."""
    port = free_port()
    command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", *options]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        end = time.monotonic() + 10
        while time.monotonic() < end:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            time.sleep(0.05)
        yield port
    finally:
        process.terminate()
        process.wait(10)
