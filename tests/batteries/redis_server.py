"""A Redis or Valkey server of a test's own, and a proxy in front of it that is slow or loses answers."""

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

PATIENCE = 10  # seconds for the server to start


class RedisServer:
    """A server that a test may end, freeze and start again."""

    def __init__(
        self, folder: Path, *, host: str = "127.0.0.1", bind: str = "127.0.0.1", within: Sequence[str] = ()
    ) -> None:
        program = shutil.which("redis-server") or shutil.which("valkey-server")
        assert program, "redis-server is not installed: scripts/test installs it, or apt-get install redis-server"
        self.port = free_port()
        self.url = f"redis://{host}:{self.port}/0"
        self._host = host
        self._command = [*within, program, "--port", str(self.port), "--bind", bind, "--dir", str(folder)]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *options: str) -> None:
        """Start it, with nothing stored."""
        command = [*self._command, "--save", "", "--appendonly", "no", *options]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + PATIENCE
        while b"PONG" not in self.ask("PING"):
            assert time.monotonic() < deadline, "the server does not start"
            time.sleep(0.02)

    def kill(self) -> None:
        """End it at once."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def freeze(self) -> None:
        """Let it answer nothing, and keep its connections."""
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGCONT)

    def ask(self, *words: str) -> bytes:
        """What it answers to a command, as on the wire."""
        try:
            with socket.create_connection((self._host, self.port), timeout=PATIENCE) as connection:
                connection.sendall(" ".join(words).encode() + b"\r\nQUIT\r\n")
                return b"".join(iter(lambda: connection.recv(1 << 16), b""))
        except OSError:
            return b""


@contextmanager
def running_redis(folder: Path) -> Iterator[RedisServer]:
    """A server that runs, and is ended in the end."""
    server = RedisServer(folder)
    server.start()
    try:
        yield server
    finally:
        server.kill()


def free_port() -> int:
    """A port that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Proxy:
    """Passes on what comes; answers come `delay` seconds later, or not at all."""

    def __init__(self) -> None:
        self.delay = 0.0
        self.loses_answer_to: bytes | None = None  # a command: its connection breaks in place of the answer
        self.asked: list[bytes] = []

    async def serve(self, port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve a connection."""
        from_server, to_server = await asyncio.open_connection("127.0.0.1", port)
        answering = asyncio.ensure_future(self._answer(from_server, writer))
        try:
            while sent := await reader.read(1 << 16):
                self.asked.append(sent)
                to_server.write(sent)
                if self.loses_answer_to is not None and self.loses_answer_to in sent:
                    await asyncio.sleep(0.1)  # the server does it
                    return
        finally:
            answering.cancel()
            to_server.close()
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while answer := await reader.read(1 << 16):
            if self.loses_answer_to is None or not any(self.loses_answer_to in sent for sent in self.asked[-1:]):
                asyncio.get_running_loop().call_later(self.delay, writer.write, answer)


@asynccontextmanager
async def proxied(server: RedisServer) -> AsyncIterator[tuple[Proxy, str]]:
    """A proxy in front of a server, and its URL."""
    proxy = Proxy()
    serving: set[asyncio.Task[None]] = set()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving.add(asyncio.ensure_future(proxy.serve(server.port, reader, writer)))

    listening = await asyncio.start_server(connected, "127.0.0.1", 0)
    try:
        yield proxy, f"redis://127.0.0.1:{listening.sockets[0].getsockname()[1]}/0"
    finally:
        listening.close()
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)
