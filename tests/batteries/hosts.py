"""Two application hosts and one with Redis, between which the network can be cut, without a word, and heal.

They are network namespaces where those can be made, which takes root and `ip`; else processes with proxies between
them that pass nothing on while the network is cut.
"""

import asyncio
import contextlib
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from tests.batteries.redis_server import RedisServer
from tests.batteries.worker_processes import Workers, workers_of

SITE = "tests.batteries.channel_site:app"


@dataclass
class Host:
    """An application host, and what cuts it from the one with Redis."""

    workers: Workers
    cut: Callable[[], None]
    heal: Callable[[], None]
    log: Path

    def open_files(self) -> int:
        """How many files and sockets the application has open."""
        return len(list(Path(f"/proc/{self.workers.process.pid}/fd").iterdir()))


@dataclass
class Hosts:
    """The two hosts, and Redis."""

    one: Host
    two: Host
    redis: RedisServer


def ip(*words: str) -> None:
    """Change the network."""
    subprocess.run(["ip", *words], check=True, capture_output=True)


def can_make_namespaces() -> bool:
    """True for root with iproute2, if the machine allows it; a chroot lets namespaces be made, and not be used."""
    name = f"mp{os.getpid()}x"
    try:
        with ExitStack() as stack:
            ip("netns", "add", name)
            stack.callback(ip, "netns", "del", name)
            ip("-n", name, "link", "set", "lo", "up")
    except (OSError, subprocess.CalledProcessError):
        return False
    return True


WAYS = ("namespaces", "proxies") if can_make_namespaces() else ("proxies",)


@asynccontextmanager
async def hosts(way: str, folder: Path, **variables: str) -> AsyncIterator[Hosts]:
    """Three hosts that run."""
    if way == "namespaces":
        with namespaces(folder, variables) as found:
            yield found
    else:
        async with proxies(folder, variables) as found:
            yield found


@contextmanager
def namespaces(folder: Path, variables: dict[str, Any]) -> Iterator[Hosts]:
    """Namespaces with a cable between each two that talk, and one from us to each."""
    prefix, net = f"mp{os.getpid()}", f"198.18.{os.getpid() % 250}"  # a range for tests (RFC 2544)
    with ExitStack() as stack:
        for host in "abr":
            ip("netns", "add", prefix + host)
            stack.callback(ip, "netns", "del", prefix + host)
            ip("-n", prefix + host, "link", "set", "lo", "up")
        for number, host in enumerate("abr"):
            ip("link", "add", f"{prefix}-{host}", "type", "veth", "peer", "name", "us", "netns", prefix + host)
            stack.callback(ip, "link", "del", f"{prefix}-{host}")  # that of a namespace goes later
            ip("addr", "add", f"{net}.{4 * number + 1}/30", "dev", f"{prefix}-{host}")
            ip("link", "set", f"{prefix}-{host}", "up")
            ip("-n", prefix + host, "addr", "add", f"{net}.{4 * number + 2}/30", "dev", "us")
            ip("-n", prefix + host, "link", "set", "us", "up")
        for number, host in enumerate("ab", 3):
            veth = ("type", "veth", "peer", "name", "redis", "netns", prefix + host)
            ip("-n", f"{prefix}r", "link", "add", f"app-{host}", *veth)
            for where, device, last in ((f"{prefix}r", f"app-{host}", 1), (prefix + host, "redis", 2)):
                ip("-n", where, "addr", "add", f"{net}.{4 * number + last}/30", "dev", device)
                ip("-n", where, "link", "set", device, "up")
        redis = RedisServer(folder, host=f"{net}.10", bind="0.0.0.0", within=within(f"{prefix}r"))
        redis.start("--protected-mode", "no")
        stack.callback(redis.kill)
        found = []
        for number, host in enumerate("ab"):
            log = folder / f"{host}.log"
            url = f"redis://{net}.{4 * (number + 3) + 1}:{redis.port}/0"
            serving = workers_of(
                "uvicorn",
                SITE,
                log,
                count=1,
                host=f"{net}.{4 * number + 2}",
                within=within(prefix + host),
                **variables,
                REDIS_URL=url,
            )
            workers = stack.enter_context(serving)
            cable = ("-n", f"{prefix}r", "link", "set", f"app-{host}")
            found.append(Host(workers, partial(ip, *cable, "down"), partial(ip, *cable, "up"), log))
        yield Hosts(found[0], found[1], redis)


def within(namespace: str) -> tuple[str, ...]:
    """What runs a command in a namespace."""
    return (shutil.which("ip") or "ip", "netns", "exec", namespace)


class CutProxy:
    """A proxy in front of Redis, which passes nothing on while it is cut, and says nothing of that."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._passable = asyncio.Event()
        self._passable.set()
        self._serving: set[asyncio.Task[None]] = set()

    def cut(self) -> None:
        """Pass nothing on."""
        self._passable.clear()

    def heal(self) -> None:
        """Pass on what has waited, and all else."""
        self._passable.set()

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[int]:
        """The port where it listens."""
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            server.close()
            for task in self._serving:
                task.cancel()
            await asyncio.gather(*self._serving, return_exceptions=True)

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._serving.add(asyncio.ensure_future(self._serve(reader, writer)))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError), contextlib.closing(writer):
            await self._passable.wait()
            from_redis, to_redis = await asyncio.open_connection("127.0.0.1", self._port)
            with contextlib.closing(to_redis):
                ways = [self._pass(reader, to_redis), self._pass(from_redis, writer)]
                tasks = [asyncio.ensure_future(way) for way in ways]
                try:
                    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    for task in tasks:
                        task.cancel()
                    await asyncio.gather(*tasks, return_exceptions=True)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1 << 16):
            await self._passable.wait()
            writer.write(data)


@asynccontextmanager
async def proxies(folder: Path, variables: dict[str, Any]) -> AsyncIterator[Hosts]:
    """Processes of this host, with a proxy before Redis for each application."""
    redis = RedisServer(folder)
    redis.start()
    async with contextlib.AsyncExitStack() as stack:
        stack.callback(redis.kill)
        found = []
        for name in "ab":
            proxy = CutProxy(redis.port)
            port = await stack.enter_async_context(proxy.listening())
            log = folder / f"{name}.log"
            url = f"redis://127.0.0.1:{port}/0"
            workers = stack.enter_context(workers_of("uvicorn", SITE, log, count=1, **variables, REDIS_URL=url))
            found.append(Host(workers, proxy.cut, proxy.heal, log))
        yield Hosts(found[0], found[1], redis)
