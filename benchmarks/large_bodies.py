"""The largest bodies that MicroPie's defaults allow, 16 MiB: what they cost, and how long other clients wait meanwhile.

    python benchmarks/large_bodies.py                          # all bodies and peers, about five minutes
    python benchmarks/large_bodies.py brackets form --rounds 1

Each peer is served by Uvicorn with one worker, in an environment that is made on first use (see peers.py). One client
posts the body, another one asks for a small page all the time. Everything is bounded in count and listens on 127.0.0.1.
"""

import argparse
import asyncio
import os
import platform
import sys
import time
from collections.abc import Iterable
from http import HTTPStatus
from typing import NamedTuple

import load
import report
from load import MiB, Server, serving
from peers import ROOT, Peer, prepare
from processes import HOST

SIZE = 16 * MiB
JSON, FORM = "application/json", "application/x-www-form-urlencoded"
PACKAGES = ("uvicorn[standard]", "orjson", "multipart", "starlette", "python-multipart", "fastapi", "msgspec", "attrs")
REPORTED = ("uvicorn", "orjson", "starlette", "fastapi", "pydantic", "msgspec", "attrs")
ENVIRONMENT = Peer("large", "", ("-e", str(ROOT), *PACKAGES), REPORTED)
PEERS = ("micropie", "starlette", "fastapi")
PAUSE = 0.002  # seconds between two questions of the other client


class Body(NamedTuple):
    path: str
    content_type: str
    content: bytes


def filled(begin: bytes, items: Iterable[bytes], end: bytes, separator: bytes = b",") -> bytes:
    """Return as many items between the two as fit into the size."""
    taken, size = [], len(begin) + len(end)
    for item in items:
        size += len(item) + len(separator)
        if size > SIZE:
            break
        taken.append(item)
    return begin + separator.join(taken) + end


def records() -> bytes:
    pies = (b'{"id":%d,"name":"A pie, number %d","price":%d.5}' % (n, n, n % 100) for n in range(SIZE))
    return filled(b"[", pies, b"]")


def bodies() -> dict[str, Body]:
    """Return each body; those of JSON are of one kind of value all through."""
    deep = b"[" * 199 + b"]" * 199
    found = {
        "bytes": Body("/raw", "application/octet-stream", os.urandom(SIZE)),
        "brackets": Body("/json", JSON, filled(b"[", (deep for _ in range(SIZE)), b"]")),
        "points": Body(
            "/json",
            JSON,
            filled(b"[", (b"[%d.123456,%d.654321]" % (n, n) for n in range(10**6, 10**6 + 500_000)), b"]"),
        ),
        "members": Body("/json", JSON, filled(b"{", (b'"%d":1' % n for n in range(SIZE)), b"}")),
        "numbers": Body("/json", JSON, filled(b"[", (b"1" for _ in range(SIZE)), b"]")),
        "records": Body("/json", JSON, records()),
        "form": Body("/form", FORM, filled(b"", (b"f%d=" % n + b"%41" * 5580 for n in range(1000)), b"", b"&")),
    }
    typed = ("dataclass", "typeddict", "attrs", "msgspec", "pydantic")
    return {**found, **{f"records, {name}": Body(f"/{name}", JSON, records()) for name in typed}}


def post(server: Server, body: Body) -> tuple[int, float]:
    """Return the status of the reply and the seconds until it is there."""
    lines = [f"POST {body.path} HTTP/1.1", f"host: {HOST}", f"content-length: {len(body.content)}"]
    head = "\r\n".join([*lines, f"content-type: {body.content_type}", "connection: close", "", ""]).encode()
    with server.connect(timeout=120) as connection:
        start = time.perf_counter()
        connection.sendall(head + body.content)
        reply = b"".join(iter(lambda: connection.recv(65_536), b""))
        return int(reply.split(b" ", 2)[1]), time.perf_counter() - start


class Waiting(load.Client):
    """A client of a small page; `latencies` are what it waits."""

    async def until(self, other: asyncio.Future) -> None:
        while not other.done():
            await self.repeat(seconds=0.05, pause=PAUSE)


async def measure_once(server: Server, body: Body) -> dict:
    posting = asyncio.ensure_future(asyncio.to_thread(post, server, body))
    client = Waiting(server, "/quick")
    await client.until(posting)
    status, seconds = await posting
    mebibytes = len(body.content) / MiB
    return {"status": status, "ms_per_mib": seconds / mebibytes * 1000, "longest_wait_ms": max(client.latencies)}


def measure(server: Server, body: Body, rounds: int) -> dict | None:
    """Return the least of each figure: what else the machine does only adds to them. None if there is no such page."""
    status, _ = post(server, body._replace(content=b"[]"))
    if status == HTTPStatus.NOT_FOUND:
        return None
    found = [asyncio.run(measure_once(server, body)) for _ in range(rounds)]
    least = {name: round(min(each[name] for each in found), 1) for name in ("ms_per_mib", "longest_wait_ms")}
    return {"status": found[0]["status"], **least}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bodies", nargs="*", help="the names of some; all of them if none is named")
    parser.add_argument("--peers", default=",".join(PEERS), help="of %(default)s")
    parser.add_argument("--rounds", type=int, default=3)
    report.add_options(parser, "large_bodies")
    options = parser.parse_args()
    every = bodies()
    if unknown := set(options.bodies) - set(every):
        parser.error(f"no such body: {', '.join(sorted(unknown))}")
    prepare(ENVIRONMENT)
    load.ENVIRONMENT = ENVIRONMENT
    results: dict[str, dict[str, dict]] = {name: {} for name in options.bodies or every}
    for peer in options.peers.split(","):
        with serving(f"large_{peer}") as server:
            for name, by_peer in results.items():
                print(f"{peer}: {name} ...", file=sys.stderr)
                if (found := measure(server, every[name], options.rounds)) is not None:
                    by_peer[peer] = found
    rows = [["", *options.peers.split(",")]]
    for name, by_peer in results.items():
        rows.append([name, *(cell(by_peer.get(peer)) for peer in options.peers.split(","))])
    print("ms per MiB, the longest wait of another client in ms, the status")
    print(report.columns(rows))
    about = {"python": platform.python_version(), "rounds": options.rounds, "versions": load.environment()["versions"]}
    report.write(options.json, {"machine": report.machine(), **about, "results": results})


def cell(found: dict | None) -> str:
    return "-" if found is None else f"{found['ms_per_mib']:.1f}  {found['longest_wait_ms']:.0f}  {found['status']}"


if __name__ == "__main__":
    main()
