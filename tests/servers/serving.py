"""The servers as the tests know them: how each is started, what it can do, and the process while it runs."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from http.client import HTTPMessage, parse_headers
from pathlib import Path
from typing import Self, TypeVar

import httpx
import pytest

PATIENCE = 10.0  # seconds; a bound on hangs, never a measure
HERE = Path(__file__).parent

T = TypeVar("T")


@dataclass(frozen=True)
class Kind:
    """A server by name, with what it does differently from the others (observed, not read in its manual)."""

    name: str
    options: tuple[str, ...]
    #: What `python -m` starts, if it is not the name.
    module: str = ""
    lifespan: bool = True
    websockets: bool = True
    #: The application learns the path as it was sent; without that `%2F` is a separator.
    keeps_raw_paths: bool = True
    #: The application is called when the headers are in, not when the whole body is.
    streams_bodies: bool = True
    #: A request that is in flight at SIGTERM gets its reply.
    drains: bool = True
    #: A connection that is open at SIGTERM without a request is heard out; without that it is closed.
    hears_newcomers: bool = False
    #: At SIGTERM open WebSockets are closed, then shutdown handlers run; without that the worker is killed with them.
    closes_open_sockets: bool = True
    #: At SIGTERM it waits for clients with an open WebSocket, and tells them nothing.
    waits_for_websockets: bool = False
    #: A handler whose client has left runs to its end; without that it is cancelled after a while.
    finishes_abandoned_requests: bool = True
    #: A startup that fails is told by the exit status; without that it is 0.
    tells_failed_startup: bool = True
    #: An application that fails in the middle of a reply ends the connection; without that the client waits on.
    cuts_failed_replies: bool = True
    #: The headers of `websocket.accept` are sent.
    sends_accept_headers: bool = True
    #: A handshake can be refused by a whole reply (the ASGI extension); without that it is a bare 403.
    refuses_by_replies: bool = True
    #: The handler's close reason is sent.
    sends_close_reason: bool = True
    #: The handler's close code is sent whatever it is; without that only 1000 and 3000 to 4999 are.
    sends_every_close_code: bool = True
    #: An empty WebSocket message reaches the application.
    delivers_empty_messages: bool = True
    #: The application learns the code that the client closed with.
    delivers_close_code: bool = True
    #: The code that stands for a client that vanished: 1006 by RFC 6455 §7.1.5, 1005 where the server lacks one.
    vanished: int = 1006

    def command(self, port: int) -> list[str]:
        """How a user starts it; `{port}` stands for the port."""
        return [sys.executable, "-m", self.module or self.name, *(option.format(port=port) for option in self.options)]


UVICORN = Kind("uvicorn", ("application:app", "--host", "127.0.0.1", "--port", "{port}"), vanished=1005)
HYPERCORN = Kind(
    "hypercorn",
    ("application:app", "--bind", "127.0.0.1:{port}"),
    tells_failed_startup=False,
    delivers_close_code=False,
    waits_for_websockets=sys.version_info >= (3, 12),  # whose asyncio.Server.wait_closed() waits for connections
)
DAPHNE = Kind(
    "daphne",
    ("application:app", "-b", "127.0.0.1", "-p", "{port}"),
    lifespan=False,
    streams_bodies=False,
    drains=False,
    cuts_failed_replies=False,
    sends_accept_headers=False,
    refuses_by_replies=False,
    sends_close_reason=False,
    sends_every_close_code=False,
    delivers_empty_messages=False,
)
GRANIAN = Kind(
    "granian",
    ("--interface", "asgi", "--host", "127.0.0.1", "--port", "{port}", "application:app"),
    sends_accept_headers=False,
    vanished=1005,
)
GRANIAN_RSGI = Kind(
    "granian-rsgi",
    ("--interface", "rsgi", "--host", "127.0.0.1", "--port", "{port}", "application:rsgi_app"),
    module="granian",
    websockets=False,
    keeps_raw_paths=False,
    cuts_failed_replies=False,
)
GUNICORN = Kind(
    "gunicorn",
    (
        *("--worker-class", "asgi", "--bind", "127.0.0.1:{port}", "--no-control-socket"),
        # What it waits for at most, shorter than its own 30 and 3 seconds.
        *("--graceful-timeout", "2", "--asgi-disconnect-grace-period", "1", "application:app"),
    ),
    hears_newcomers=True,
    closes_open_sockets=False,
    refuses_by_replies=False,
    finishes_abandoned_requests=False,
)
KINDS = (UVICORN, HYPERCORN, DAPHNE, GRANIAN, GRANIAN_RSGI, GUNICORN)


def with_two_workers(kind: Kind, **differences: bool) -> Kind:
    """The server with two worker processes; in what it is another one then."""
    options = (*kind.options, "--workers", "2")
    return replace(kind, name=f"{kind.name}-workers", module=kind.name, options=options, **differences)


WITH_WORKERS = (
    with_two_workers(UVICORN, tells_failed_startup=False),
    with_two_workers(HYPERCORN, drains=False),
    with_two_workers(GRANIAN),
    with_two_workers(GUNICORN),
)


def on(*kinds: Kind) -> pytest.MarkDecorator:
    """Run a test on these kinds only."""
    return pytest.mark.parametrize("kind", kinds, ids=lambda kind: kind.name, indirect=True)


with_websockets = on(*(kind for kind in KINDS if kind.websockets))


@dataclass
class Server:
    """A running server: where it listens, what it logged, what its application saw."""

    kind: Kind
    port: int
    process: subprocess.Popen[bytes]
    log_file: Path

    @property
    def url(self) -> str:
        """The address of the application."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def ws_url(self) -> str:
        """The address of the application for WebSockets."""
        return f"ws://127.0.0.1:{self.port}"

    def log(self) -> str:
        """Everything that the server and the application printed so far."""
        return self.log_file.read_text(errors="replace")

    def client(self, **options: object) -> httpx.Client:
        """An httpx client whose requests start at the application's root."""
        return httpx.Client(base_url=self.url, timeout=PATIENCE, trust_env=False, **options)  # type: ignore[arg-type]

    def get(self, path: str) -> httpx.Response:
        """The reply to one GET on a connection of its own."""
        with self.client() as client:
            return client.get(path)

    def wire(self) -> "Wire":
        """A bare connection, for what no client library sends."""
        return Wire(self.port)

    def saw(self, key: str, expected: str) -> str:
        """What the application noted under the key: as soon as it is what is expected, else at the end of patience."""
        return eventually(lambda: self.get(f"/look/{key}").text, expected)

    def logs(self, line: str) -> bool:
        """Whether the line stands in the log before patience ends."""
        return eventually(lambda: line in self.log(), expected=True)

    def terminate(self) -> None:
        """Ask the server to end, as an operating system or an orchestrator does."""
        self.process.send_signal(signal.SIGTERM)


def eventually(ask: Callable[[], T], expected: T) -> T:
    """The answer once it is the expected one, or the last answer when patience has ended."""
    end = time.monotonic() + PATIENCE
    while (answer := ask()) != expected and time.monotonic() < end:
        time.sleep(0.05)
    return answer


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    return port


@contextlib.contextmanager
def started(kind: Kind, folder: Path, *, at: Path = HERE, **variables: str) -> Iterator[Server]:
    """Start the server beside its application, in a session of its own: so its workers end with it, come what may."""
    port = free_port()
    log_file = folder / f"{kind.name}-{port}.log"
    # The server imports what this process imports: the same packages, the same form of micropie.
    imports = os.pathsep.join(filter(None, sys.path))
    environment = {**os.environ, "PYTHONPATH": imports, "PYTHONUNBUFFERED": "1", **variables}
    with (
        log_file.open("wb") as log,
        subprocess.Popen(
            kind.command(port), cwd=at, env=environment, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        ) as process,
    ):
        try:
            yield Server(kind, port, process, log_file)
        finally:
            end(process)


@contextlib.contextmanager
def serving(kind: Kind, folder: Path) -> Iterator[Server]:
    """Run the server as long as the context lasts."""
    with started(kind, folder) as server:
        wait_until_ready(server)
        yield server


def wait_until_ready(server: Server) -> None:
    """Return when the port takes connections; raise with the log when the server ended or never came up."""
    end = time.monotonic() + 2 * PATIENCE
    while server.process.poll() is None and time.monotonic() < end:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", server.port), timeout=1):
            return
        time.sleep(0.02)
    raise RuntimeError(f"{server.kind.name} did not start:\n{server.log()}")


def end(process: subprocess.Popen[bytes]) -> None:
    """End the server politely, then its whole session by force."""
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(PATIENCE)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)  # the session that it was started in: its id is the server's pid


@dataclass
class Answer:
    """A reply as it came over the wire."""

    status: int
    headers: HTTPMessage
    body: bytes


class Wire:
    """One TCP connection that sends what it is told and reads replies one by one."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        self.file = self.socket.makefile("rb")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Leave, without a word."""
        self.file.close()
        self.socket.close()

    def send(self, data: bytes) -> None:
        """Send the bytes as they are."""
        self.socket.sendall(data)

    def reply(self, method: str = "GET") -> Answer:
        """The next reply, framed as RFC 9112 §6.3 says."""
        start = self.file.readline()
        if not start:
            raise ConnectionError("the server closed the connection instead of replying")
        status, headers = int(start.split(b" ", 2)[1]), parse_headers(self.file)
        return Answer(status, headers, b"" if method == "HEAD" else self._body(headers))

    def _body(self, headers: HTTPMessage) -> bytes:
        if headers.get("transfer-encoding", "").lower() == "chunked":
            return b"".join(self._chunks())
        if "content-length" in headers:
            return self.file.read(int(headers["content-length"]))
        return self.file.read()

    def _chunks(self) -> Iterator[bytes]:
        while size := int(self.file.readline(), 16):
            yield self.file.read(size)
            self.file.readline()
        self.file.readline()

    def ended(self) -> bool:
        """Whether the server closes the connection without another byte."""
        return self.file.read(1) == b""


def request(line: str, *headers: str, body: bytes = b"") -> bytes:
    """A request in bytes: the request line, `Host`, the headers, the body as it is."""
    return "\r\n".join([f"{line} HTTP/1.1", "Host: 127.0.0.1", *headers, "", ""]).encode("latin-1") + body
