"""MicroPie under load: what happens to others, and to memory, while much is going on at once.

    python benchmarks/load.py                                # all parts, about a minute
    python benchmarks/load.py sync stream --json result.json

Each part starts Uvicorn on 127.0.0.1, in an environment that is made on first use (see peers.py), and is bounded in
count and time. The clients are in this process, on the standard library alone. Memory is read from /proc: Linux only.
"""

import argparse
import asyncio
import gc
import json
import os
import platform
import resource
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median

import report
from peers import ROOT, Peer, prepare
from processes import HOST, cpu_seconds, free_port

HERE = Path(__file__).resolve().parent
MiB = 1 << 20
PACKAGES = ("uvicorn[standard]", "orjson", "multipart", "starlette", "python-multipart", "quart")
ENVIRONMENT = Peer("load", "", ("-e", str(ROOT), *PACKAGES), ("uvicorn", "uvloop", "starlette", "quart"))


# -- a server ---------------------------------------------------------------------------------------


class Server:
    """Uvicorn with one worker."""

    def __init__(self, app: str) -> None:
        self.port = free_port()
        command = [ENVIRONMENT.python, "-m", "uvicorn", f"apps.{app}:app", "--port", str(self.port)]
        self.process = subprocess.Popen([*command, "--log-level", "critical", "--no-access-log"], cwd=HERE)

    def connect(self, **keywords) -> socket.socket:
        return socket.create_connection((HOST, self.port), **keywords)

    def memory(self, field: str = "VmRSS") -> float:
        """Return its resident memory in MiB; `VmHWM` is the highest so far."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith(f"{field}:"):
                return round(int(line.split()[1]) / 1024, 1)
        raise LookupError(field)

    def cpu(self) -> float:
        """Return the CPU seconds it has used."""
        return cpu_seconds(self.process.pid)


@contextmanager
def serving(app: str) -> Iterator[Server]:
    """Run a server until the block is left."""
    server = Server(app)
    try:
        wait_until_up(server)
        yield server
    finally:
        server.process.kill()  # not all streams would end by themselves
        server.process.wait()


def wait_until_up(server: Server) -> None:
    deadline = time.monotonic() + 20
    while True:
        try:
            server.connect().close()
        except OSError:
            if time.monotonic() > deadline or server.process.poll() is not None:
                raise
            time.sleep(0.05)
        else:
            return


# -- sync: 64 clients of a handler that sleeps 20 ms, and one of another route ---------------------------


class Client:
    """A connection that is kept alive; `latencies` are the milliseconds of each request."""

    def __init__(self, server: Server, path: str) -> None:
        self._port = server.port
        self._request = f"GET {path} HTTP/1.1\r\nhost: {HOST}\r\n\r\n".encode()
        self.latencies: list[float] = []

    async def repeat(self, *, seconds: float, pause: float = 0) -> None:
        reader, writer = await asyncio.open_connection(HOST, self._port)
        end = time.perf_counter() + seconds
        while (start := time.perf_counter()) < end:
            writer.write(self._request)
            await read_reply(reader)
            self.latencies.append((time.perf_counter() - start) * 1000)
            await asyncio.sleep(pause)
        writer.close()
        await writer.wait_closed()


async def read_reply(reader: asyncio.StreamReader) -> None:
    head = await reader.readuntil(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200 "):
        raise ValueError(head)
    fields = dict(line.split(b": ", 1) for line in head.split(b"\r\n")[1:-2])
    await reader.readexactly(int(fields[b"content-length"]))


def percentiles(latencies: list[float]) -> dict[str, float]:
    ordered = sorted(latencies)
    return {
        "p50_ms": round(median(ordered), 2),
        "p99_ms": round(ordered[int(len(ordered) * 0.99)], 2),
        "max_ms": round(ordered[-1], 2),
    }


def measure_sync(*, clients: int = 64, seconds: float = 5) -> dict:
    with serving("load_micropie") as server:
        sleepers = [Client(server, "/sleep") for _ in range(clients)]
        alone, beside = Client(server, "/quick"), Client(server, "/quick")

        async def load() -> None:
            await alone.repeat(seconds=1, pause=0.005)
            crowd = (client.repeat(seconds=seconds) for client in sleepers)
            await asyncio.gather(*crowd, beside.repeat(seconds=seconds, pause=0.005))

        asyncio.run(load())
        counts = [len(client.latencies) for client in sleepers]
        return {
            "clients": clients,
            "requests_per_second": round(sum(counts) / seconds),
            "bound_per_second": round(32 / 0.02),
            "sleepers": percentiles([latency for client in sleepers for latency in client.latencies]),
            "fewest_and_most_per_client": [min(counts), max(counts)],
            "other_route_alone": percentiles(alone.latencies),
            "other_route_beside": percentiles(beside.latencies),
            "server_cpu_seconds": round(server.cpu(), 2),
            "server_mib": server.memory(),
        }


# -- stream: readers that take 8 KiB a second of an endless stream -------------------------------------


def measure_stream(*, readers: int = 1000, seconds: float = 12) -> dict:
    raise_file_limit(readers + 100)
    return {path: measure_readers(path, readers, seconds) for path in ("/stream", "/stream_sync")}


def measure_readers(path: str, readers: int, seconds: float) -> dict:
    """Return the memory before, when all buffers are full (after half of the time), and in the end."""
    with serving("load_micropie") as server, ExitStack() as stack:
        before, received = server.memory(), 0
        connections = [stack.enter_context(server.connect(timeout=10)) for _ in range(readers)]
        for connection in connections:
            connection.sendall(f"GET {path} HTTP/1.1\r\nhost: {HOST}\r\n\r\n".encode())
        rounds, memory = round(seconds * 2), []
        for _ in range(rounds):
            start = time.monotonic()
            received += sum(len(connection.recv(4096)) for connection in connections)
            time.sleep(max(0, start + 0.5 - time.monotonic()))
            memory.append(server.memory())
        return {
            "readers": readers,
            "received_mib": round(received / MiB, 1),
            "before_mib": before,
            "full_mib": memory[rounds // 2],
            "end_mib": memory[-1],
            "growth_mib": round(memory[-1] - memory[rounds // 2], 1),
        }


def raise_file_limit(wanted: int) -> None:
    """Allow this process and its servers as many open files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, max(hard, wanted)))


# -- sessions: requests that make sessions, while a million have expired ---------------------------------


def measure_sessions() -> dict:
    """Measure in a process of its own, without a server: it would hide a millisecond."""
    command = [ENVIRONMENT.python, HERE / "load.py", "--only-sessions"]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


def time_sessions(*, stored: int = 1_000_000, requests: int = 20_000) -> dict:
    from micropie import App, InMemorySessionBackend

    class Visits(App):
        async def index(self):
            self.request.session["visits"] = 1
            return ""

    backend = InMemorySessionBackend()
    app = Visits(backend)

    async def fill() -> None:
        for number in range(stored):
            await backend.save(f"{number:032x}", {"visits": number}, 3600)

    asyncio.run(fill())
    alive = asyncio.run(time_requests(app, requests))
    backend.last_access = dict.fromkeys(backend.last_access, 0.0)
    expired = asyncio.run(time_requests(app, requests))
    gc.disable()
    without_gc = asyncio.run(time_requests(app, requests))
    return {
        "stored": stored,
        "requests": requests,
        "all_alive": percentiles(alive),
        "all_expired": percentiles(expired),
        "all_expired_gc_off": percentiles(without_gc),
        "left": len(backend.sessions),
    }


async def time_requests(app, requests: int) -> list[float]:
    """Return the milliseconds of CPU of each request: what else the machine does must not look like a slow one."""
    latencies = []

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message) -> None:
        pass

    for _ in range(requests):
        scope = {"type": "http", "method": "GET", "path": "/", "headers": [], "query_string": b""}
        start = time.thread_time()
        await app(scope, receive, send)
        latencies.append((time.thread_time() - start) * 1000)
    return latencies


# -- upload: one large file ----------------------------------------------------------------------------


def measure_upload(*, mebibytes: int = 128, rounds: int = 5) -> dict:
    """All servers are up, and are visited in turn."""
    with ExitStack() as stack:
        hosts = [
            Host(peer, stack.enter_context(serving(f"load_{peer}"))) for peer in ("micropie", "starlette", "quart")
        ]
        for _ in range(rounds):
            for host in hosts:
                host.measure(mebibytes)
        return {host.peer: host.result() for host in hosts}


class Host:
    """A server that takes uploads, and what they cost it; a small one has warmed it up."""

    def __init__(self, peer: str, server: Server) -> None:
        self.peer = peer
        self._server = server
        upload(server, 1)
        self._before = server.memory()
        self._rates: list[float] = []
        self._costs: list[float] = []

    def measure(self, mebibytes: int) -> None:
        cpu = self._server.cpu()
        self._rates.append(mebibytes / upload(self._server, mebibytes))
        self._costs.append((self._server.cpu() - cpu) / mebibytes * 1000)

    def result(self) -> dict:
        return {
            "mib_per_second": round(median(self._rates)),
            "fastest_mib_per_second": round(max(self._rates)),
            "cpu_ms_per_mib": round(median(self._costs), 2),
            "before_mib": self._before,
            "peak_mib": self._server.memory("VmHWM"),
        }


def upload(server: Server, mebibytes: int) -> float:
    """Send a file; return the seconds until the right answer is there."""
    head = b'--b\r\ncontent-disposition: form-data; name="file"; filename="f.bin"\r\n\r\n'
    tail, piece = b"\r\n--b--\r\n", os.urandom(MiB)
    length = len(head) + mebibytes * MiB + len(tail)
    lines = ["POST /upload HTTP/1.1", f"host: {HOST}", f"content-length: {length}", "connection: close"]
    lines += ["content-type: multipart/form-data; boundary=b", "", ""]
    with server.connect(timeout=60) as connection:
        start = time.perf_counter()
        connection.sendall("\r\n".join(lines).encode() + head)
        for _ in range(mebibytes):
            connection.sendall(piece)
        connection.sendall(tail)
        reply = b"".join(iter(lambda: connection.recv(65_536), b""))
        seconds = time.perf_counter() - start
    if not reply.endswith(f"\r\n\r\n{mebibytes * MiB}".encode()):
        raise ValueError(reply)
    return seconds


# -- the command ---------------------------------------------------------------------------------------

PARTS = {"sync": measure_sync, "stream": measure_stream, "sessions": measure_sessions, "upload": measure_upload}


def environment() -> dict:
    """Return what the figures depend on."""
    code = (
        f"import importlib.metadata as m, json; print(json.dumps({{n: m.version(n) for n in {ENVIRONMENT.reported}}}))"
    )
    versions = subprocess.run([ENVIRONMENT.python, "-c", code], check=True, stdout=subprocess.PIPE).stdout
    return {"python": platform.python_version(), "processors": os.cpu_count(), "versions": json.loads(versions)}


def show(result: dict, indent: str = "") -> None:
    for name, value in result.items():
        if isinstance(value, dict):
            print(f"{indent}{name}")
            show(value, indent + "  ")
        else:
            print(f"{indent}{name:<28} {value}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", help=f"of {', '.join(PARTS)}; all of them if none is named")
    report.add_options(parser, "load")
    parser.add_argument("--only-sessions", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.only_sessions:
        print(json.dumps(time_sessions()))
        return
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    prepare(ENVIRONMENT)
    result = {"environment": environment()}
    for name in options.parts or PARTS:
        print(f"measuring {name} ...", file=sys.stderr)
        result[name] = PARTS[name]()
    show(result)
    report.write(options.json, {"machine": report.machine(), **result})


if __name__ == "__main__":
    main()
