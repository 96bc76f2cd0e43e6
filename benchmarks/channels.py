"""Channels beside Litestar's, broadcaster on Starlette, Django Channels and python-socketio, each with Redis behind it.

    python benchmarks/channels.py                          # all of them, about five minutes
    python benchmarks/channels.py micropie litestar --subscribers 200 --idle 1000
    python benchmarks/channels.py micropie --path /lines   # what waits goes as one message; /events: server-sent events
    python benchmarks/channels.py micropie --server granian

Uvicorn, or what `--server` names, with one worker on one core; on the other one the subscribers, which are bare sockets
that count messages, and a Redis server that is started for this. Needs redis-server, two cores, Linux, and `ulimit -n`
beyond `--idle`. Measured for each framework, on a server of its own:

fan-out     messages of 100 bytes that reach all subscribers, times these, for each second; published as fast as it goes
p99         of the time from publication to arrival, while half of that is published, evenly
memory      of the server's process, that each idle subscriber adds
"""

import argparse
import asyncio
import json
import os
import platform
import resource
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from peers import ROOT, Peer, prepare
from processes import HOST, cpu_seconds, free_port

HERE = Path(__file__).resolve().parent
SERVER_CORE, CLIENT_CORE = 0, 1
PINNED = (
    "litestar==2.25.0",
    "starlette==1.10.0",
    "broadcaster[redis]==0.3.1",
    "django==5.2.19",
    "channels==4.3.2",
    "channels-redis==4.3.0",
    "python-socketio==5.18.1",
    "uvicorn[standard]==0.54.0",
    "granian==2.8.9",
    "wsproto==1.3.2",
    "websockets==17.4",
    "redis==8.1.0",
    "hiredis==3.5.0",
)
ENVIRONMENT = Peer("channels", "", ("-e", str(ROOT), "orjson", *PINNED), ())
FRAMEWORKS = ("micropie", "litestar", "starlette", "django", "socketio")
QUIET = ["--no-access-log", "--log-level", "warning"]
UVICORN = ["-m", "uvicorn", "--ws-ping-interval", "3600", "--backlog", "4096", *QUIET]
SERVERS = {
    "uvicorn": UVICORN,  # with websockets, by its sans-I/O interface
    "uvicorn-wsproto": [*UVICORN, "--ws", "wsproto"],
    "uvicorn-websockets": [*UVICORN, "--ws", "websockets"],  # by its older interface
    "granian": ["-m", "granian", "--interface", "asgi", "--backlog", "4096", "--backpressure", "20000", *QUIET],
}
MARK = b"^"  # not "~", which is 126, the byte in a frame's head that says that a longer length follows
STAMP = 20  # digits behind it
PATIENCE = 5  # seconds without a message, after which those that are missing have been dropped


class Subscriber(asyncio.Protocol):
    """A WebSocket or an event stream that counts messages, and notes how long the last ones took."""

    count = 0
    delays: list[float] | None = None  # for all subscribers, if they are wanted
    closed = False

    def __init__(self, framework: str, path: str) -> None:
        self.is_socketio = framework == "socketio"
        self.path = "/socket.io/?EIO=4&transport=websocket" if self.is_socketio else path
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.head = b""

    def connection_made(self, transport) -> None:
        self.transport = transport
        lines = [f"GET {self.path} HTTP/1.1", f"Host: {HOST}"]
        if self.path == "/events":
            lines += ["Accept: text/event-stream"]
        else:
            lines += ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"]
            lines += ["Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="]
        transport.write("\r\n".join([*lines, "", ""]).encode())

    def data_received(self, data: bytes) -> None:
        if not self.ready.done():
            self._begin(data)
            return
        self.count += data.count(MARK)
        if Subscriber.delays is not None:
            now = time.monotonic_ns()
            place = data.find(MARK)
            while 0 <= place < len(data) - STAMP:
                if (stamp := data[place + 1 : place + 1 + STAMP]).isdigit():  # not a byte of a frame's length
                    Subscriber.delays.append(now - int(stamp))
                place = data.find(MARK, place + 1)

    def _begin(self, data: bytes) -> None:
        self.head += data
        if b"\r\n\r\n" not in self.head:
            return
        status = self.head.split(b" ", 2)[1]
        if status not in (b"101", b"200"):
            self.ready.set_exception(RuntimeError(self.head[:300].decode()))
        elif not self.is_socketio or b"40{" in self.head:
            self.ready.set_result(None)
        elif b"0{" in self.head and not self.closed:
            self.transport.write(b"\x81\x82\0\0\0\x0040")  # join the default namespace
            self.head = self.head.replace(b"0{", b"")

    def connection_lost(self, _error: Exception | None) -> None:
        self.closed = True
        if not self.ready.done():
            self.ready.set_exception(ConnectionError("closed before it was open"))


class Server:
    """A framework's application on Uvicorn, with one worker on one core."""

    def __init__(self, framework: str, redis_url: str, core: int = SERVER_CORE, kind: str = "uvicorn") -> None:
        self.framework = framework
        self.port = free_port()
        self.process = subprocess.Popen(
            [ENVIRONMENT.python, *SERVERS[kind], f"with_{framework}:app", "--port", str(self.port)],
            cwd=HERE / "channels_apps",
            env={**os.environ, "REDIS_URL": redis_url},
            preexec_fn=lambda: os.sched_setaffinity(0, {core}),  # noqa: PLW1509 - no threads here
        )
        deadline = time.monotonic() + 30
        while True:
            with socket.socket() as probe:
                if probe.connect_ex((HOST, self.port)) == 0:
                    return
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError("the server does not start")
                time.sleep(0.05)

    @property
    def pid(self) -> int:
        """The process that serves, which may be a worker of the one that was started."""
        pid = self.process.pid
        workers = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return int(workers[-1]) if workers else pid

    def memory(self) -> int:
        """Bytes that are resident and its own."""
        lines = Path(f"/proc/{self.pid}/smaps_rollup").read_text().splitlines()
        return 1024 * sum(
            int(line.split()[1]) for line in lines if line.startswith(("Private_Dirty:", "Private_Clean:"))
        )

    def cpu(self) -> float:
        """CPU seconds that it has used."""
        return cpu_seconds(self.pid)


@contextmanager
def serving(framework: str, redis_url: str, kind: str) -> Iterator[tuple[Server, Server]]:
    """The server that is measured, and one on the other core that publishes, as another worker would."""
    server, publisher = Server(framework, redis_url, kind=kind), Server(framework, redis_url, CLIENT_CORE)
    try:
        yield server, publisher
    finally:
        for one in (server, publisher):
            one.process.terminate()  # so that its worker ends too
            try:
                one.process.wait(10)
            except subprocess.TimeoutExpired:
                os.kill(one.pid, signal.SIGKILL)
                one.process.kill()
                one.process.wait()


@contextmanager
def redis_server() -> Iterator[str]:
    program = shutil.which("redis-server") or shutil.which("valkey-server")
    assert program, "redis-server is needed"
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        command = [program, "--port", str(port), "--bind", HOST, "--dir", folder, "--save", "", "--appendonly", "no"]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            time.sleep(0.5)
            yield f"redis://{HOST}:{port}/0"
        finally:
            process.kill()
            process.wait()


async def connect(server: Server, count: int, path: str) -> list[Subscriber]:
    """Connect so many subscribers, some at a time."""
    loop = asyncio.get_running_loop()
    subscribers: list[Subscriber] = []
    while len(subscribers) < count:
        some = min(100, count - len(subscribers))
        made = [
            loop.create_connection(lambda: Subscriber(server.framework, path), HOST, server.port) for _ in range(some)
        ]
        fresh = [protocol for _, protocol in await asyncio.gather(*made)]
        await asyncio.wait_for(asyncio.gather(*(one.ready for one in fresh)), 60)
        subscribers += fresh
    await asyncio.sleep(1)  # they are subscribed by then
    return subscribers


async def publish(server: Server, subscribers: list[Subscriber], count: int, every: float = 0) -> tuple[float, float]:
    """Publish messages: the seconds until all subscribers have had all of them, and the part of them that came."""
    for one in subscribers:
        one.count = 0
    began = time.monotonic()
    _, writer = await asyncio.open_connection(HOST, server.port)
    writer.write(f"GET /publish?count={count}&every={every} HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
    wanted, had, changed = count * len(subscribers), -1, began
    while time.monotonic() - changed < PATIENCE:  # what has not come by then has been dropped
        await asyncio.sleep(0.01)
        now_had = sum(one.count for one in subscribers)
        if now_had != had:
            had, changed = now_had, time.monotonic()
        if had >= wanted:
            break
    writer.close()
    return changed - began, had / wanted


async def measure(framework: str, redis_url: str, options: argparse.Namespace) -> dict[str, float]:
    """The figures of a framework."""
    figures: dict[str, float] = {}
    with serving(framework, redis_url, options.server) as (server, publisher):
        subscribers = await connect(server, options.subscribers, options.path)
        await publish(publisher, subscribers, 10)
        rates, costs, arrived = [], [], 1.0
        for _ in range(options.rounds):
            used = server.cpu()
            seconds, part = await publish(publisher, subscribers, options.messages)
            delivered = part * options.messages * len(subscribers)
            rates.append(delivered / seconds)
            costs.append((server.cpu() - used) / delivered)
            arrived = min(arrived, part)
        figures["deliveries_per_second"] = round(max(rates))
        figures["cpu_us"] = round(min(costs) * 1e6, 2)
        figures["arrived"] = round(arrived, 4)
        rate = statistics.median(rates) / len(subscribers) / 2  # messages a second
        Subscriber.delays = []
        await publish(publisher, subscribers, max(20, int(rate * options.seconds)), 1 / rate)
        delays = sorted(Subscriber.delays)
        Subscriber.delays = None
        figures["half_load"] = round(rate * len(subscribers))
        figures["p50_ms"] = round(delays[len(delays) // 2] / 1e6, 1)
        figures["p99_ms"] = round(delays[int(len(delays) * 0.99)] / 1e6, 1)
        for one in subscribers:
            one.transport.abort()
    if options.idle:
        with serving(framework, redis_url, options.server) as (server, publisher):
            for one in await connect(server, 50, options.path):  # what the first ones load is not theirs
                one.transport.abort()
            await asyncio.sleep(1)
            before = server.memory()
            subscribers = await connect(server, options.idle, options.path)
            await asyncio.sleep(2)
            assert not any(one.closed for one in subscribers)
            figures["idle_kB"] = round((server.memory() - before) / options.idle / 1000, 2)
            figures["process_MB"] = round(server.memory() / 1e6, 1)
            _, part = await publish(publisher, subscribers, 1)
            figures["idle_reached"] = round(part, 4)
            for one in subscribers:
                one.transport.abort()
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("frameworks", nargs="*", default=FRAMEWORKS)
    parser.add_argument("--subscribers", type=int, default=1000)
    parser.add_argument("--messages", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5, help="of the half load")
    parser.add_argument("--idle", type=int, default=10_000)
    parser.add_argument(
        "--path", default="/ws", help="/events: server-sent events, /lines: joined texts; of MicroPie only"
    )
    parser.add_argument("--server", choices=SERVERS, default="uvicorn")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    prepare(ENVIRONMENT)
    if Path(sys.executable) != ENVIRONMENT.python:  # the subscribers need its uvloop
        os.execv(ENVIRONMENT.python, [str(ENVIRONMENT.python), *sys.argv])
    import uvloop

    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    os.sched_setaffinity(0, {CLIENT_CORE})
    result = {"python": platform.python_version(), "packages": PINNED, "figures": {}}
    with redis_server() as url:
        for framework in options.frameworks:
            figures = uvloop.run(measure(framework, url, options))
            print(f"{framework:10}", "  ".join(f"{name} {value:,}" for name, value in figures.items()), flush=True)
            result["figures"][framework] = figures
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
