"""What a request with a session costs: MicroPie's backends beside Starlette, Litestar and Django, in process, one run.

    scripts/bench sessions                        # all stores, minutes; needs redis-server
    scripts/bench sessions sqlite --rounds 31

A GET with a valid cookie counts in its session: the row `visits` of inprocess.py. CPU time of the whole process, its
threads included, in µs a request; beside it what the same site without sessions takes for a page of text, and the
CPU time of the Redis server. The peers take turns in short bursts, one request after another or 16 at once, each with a
session of its own, and the median counts. All run in one environment, which is made on first use.
"""

import argparse
import asyncio
import gc
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

import report
from peers import ROOT, Peer, prepare

PACKAGES = (
    "aiosqlite", "brotli", "django", "django-cors-headers", "hiredis", "itsdangerous", "jinja2",
    "litestar[cryptography,jwt]", "redis>=8", "starlette", "starsessions", "time-machine",
)  # fmt: skip
REPORTED = ("starlette", "starsessions", "litestar", "django", "django-cors-headers", "redis", "hiredis", "aiosqlite")
ENVIRONMENT = Peer("batteries", "", ("-e", f"{ROOT}[argon2,compression]", *PACKAGES), REPORTED)
STORES = {
    "sqlite": {
        "MicroPie, SQLite": ("micropie", "sessions"),
        "starsessions, aiosqlite": ("starlette", "sqlite"),
        "Litestar, FileStore": ("litestar", "sqlite"),
        "Django, database (SQLite)": ("django", "sqlite"),
    },
    "redis": {
        "MicroPie, Redis": ("micropie", "redis"),
        "starsessions, Redis": ("starlette", "redis"),
        "Litestar, RedisStore": ("litestar", "redis"),
        "Django, cache (Redis)": ("django", "redis"),
    },
    "cookie": {
        "MicroPie, signed cookie": ("micropie", "cookie"),
        "Starlette, signed cookie": ("starlette", "cookie"),
        "Litestar, encrypted cookie": ("litestar", "cookie"),
        "Django, signed cookie": ("django", "cookie"),
    },
}
AT_ONCE = 16
BURST = 10  # requests of each client
LIMIT = 60  # seconds for a server to start


class RedisServer:
    """A Redis of our own, in memory only, and its CPU time."""

    def __init__(self, folder: Path) -> None:
        program = shutil.which("redis-server") or shutil.which("valkey-server")
        if program is None:
            raise SystemExit("sessions: redis-server not found; name other stores: sqlite cookie")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", str(folder)]
        self.process = subprocess.Popen([program, *options], stdout=subprocess.DEVNULL)
        self.url = f"redis://127.0.0.1:{port}/0"
        deadline = time.monotonic() + LIMIT
        while time.monotonic() < deadline:
            with socket.socket() as tried:
                if tried.connect_ex(("127.0.0.1", port)) == 0:
                    return
            time.sleep(0.05)
        raise SystemExit("sessions: redis-server does not start")

    def cpu(self) -> float:
        """Return the CPU seconds of its main thread, to the nanosecond: /proc/PID/stat counts in hundredths."""
        return int(Path(f"/proc/{self.process.pid}/schedstat").read_text().split()[0]) / 1e9


@contextmanager
def redis_server(folder: Path):
    server = RedisServer(folder)
    try:
        yield server
    finally:
        server.process.send_signal(signal.SIGTERM)
        server.process.wait(timeout=LIMIT)


# -- in the environment -----------------------------------------------------------------------------


class Client:
    """One visitor of a site, with a cookie that follows what the site says."""

    def __init__(self, app) -> None:
        self.app, self.cookies, self.count = app, {}, 0

    async def visit(self) -> None:
        from asking import ask

        answer = await ask(self.app, "/visits", cookies=self.cookies)
        self.cookies |= answer.cookies
        self.count += 1
        if answer.body != str(self.count).encode():
            message = f"{answer.status} {answer.body!r}, not {self.count}"
            raise AssertionError(message)

    async def look(self) -> None:
        from asking import ask

        await ask(self.app, "/", cookies=self.cookies)


async def burst(clients, what, server) -> tuple[float, float, float]:
    """Return the CPU time, the server's, and the time by the clock: µs a request."""

    async def all_of(client) -> None:
        for _ in range(BURST * (AT_ONCE // len(clients))):
            await getattr(client, what)()

    gc.collect()
    began = time.process_time(), server.cpu() if server else 0, time.perf_counter()
    await asyncio.gather(*map(all_of, clients))
    ended = time.process_time(), server.cpu() if server else 0, time.perf_counter()
    return tuple((end - begin) / (BURST * AT_ONCE) * 1e6 for begin, end in zip(began, ended, strict=True))


async def measured(stores: list[str], rounds: int, folder: Path, server) -> dict:
    from importlib import import_module

    sites = {}
    for store in stores:
        for name, (framework, battery) in STORES[store].items():
            place = {"redis": server.url if server else ""}.get(store, str(folder / f"{framework}.sessions"))
            site = import_module(f"sites.{framework}_site")
            bare = site.made("none")
            sites[name] = store, bare, site.made(battery, place)
    samples: dict = {name: {} for name in sites}
    clients = {name: [Client(app) for _ in range(AT_ONCE)] for name, (_store, _bare, app) in sites.items()}
    for number in range(rounds + 2):
        for name, (store, bare, _app) in sites.items():
            its = server if store == "redis" else None
            turns = {
                "page": ([Client(bare)], "look"),
                "alone": (clients[name][:1], "visit"),
                "at once": (clients[name], "visit"),
            }
            for turn, (who, what) in turns.items():
                figures = await burst(who, what, its)
                if number > 1:  # the first are for warming up
                    samples[name].setdefault(turn, []).append(figures)
    return {
        name: {
            turn: dict(zip(("cpu", "server", "clock"), map(median, zip(*found, strict=True)), strict=True))
            for turn, found in turns.items()
        }
        for name, turns in samples.items()
    }


def inside(stores: list[str], rounds: int) -> dict:
    from importlib.metadata import version

    from sites import django_site

    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        server = stack.enter_context(redis_server(folder)) if "redis" in stores else None
        django_site.configure(folder, server.url if server else "")
        figures = asyncio.run(measured(stores, rounds, folder, server))
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "machine": report.machine(),
        "python": sys.version.split()[0],
        "versions": {package: version(package) for package in REPORTED},
        "stores": {store: {name: figures[name] for name in STORES[store]} for store in stores},
    }


# -- outside ----------------------------------------------------------------------------------------


def table(result: dict) -> str:
    """Return the figures as a table in Markdown."""
    lines = ["| µs of CPU time a request | no session | one after another | 16 at once | Redis | by the clock |"]
    lines.append("|---|--:|--:|--:|--:|--:|")
    for peers in result["stores"].values():
        for name, its in peers.items():
            server = f"{its['alone']['server']:.0f}" if its["alone"]["server"] else "-"
            cpu = " | ".join(f"{its[turn]['cpu']:.0f}" for turn in ("page", "alone", "at once"))
            lines.append(f"| {name} | {cpu} | {server} | {its['alone']['clock']:.0f} |")
    versions = ", ".join(f"{name} {number}" for name, number in result["versions"].items())
    lines.append(f"\nMeasured on {result['date']}, CPython {result['python']}, {result['machine']['cpu']}; {versions}.")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("stores", nargs="*", default=list(STORES), help=f"of {', '.join(STORES)}")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    report.add_options(parser, "sessions")
    options = parser.parse_args()
    if unknown := set(options.stores) - set(STORES):
        parser.error(f"no such store: {', '.join(sorted(unknown))}")
    if options.inside:
        print(json.dumps(inside(options.stores, options.rounds)), flush=True)
        os._exit(0)  # aiosqlite's thread would go on
    prepare(ENVIRONMENT)
    command = [ENVIRONMENT.python, __file__, *options.stores, "--rounds", str(options.rounds), "--inside"]
    output = subprocess.run(command, stdout=subprocess.PIPE, check=True, env={**os.environ, "PYTHONHASHSEED": "0"})
    result = json.loads(output.stdout)
    print(table(result))
    report.write(options.json, result)


if __name__ == "__main__":
    main()
