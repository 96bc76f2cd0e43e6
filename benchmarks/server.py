"""Requests per second and CPU per request on real servers, beside a hand-written application on the same server.

One worker process on one core, wrk with 64 connections on another. All servers of a comparison are up at the same
time and visited in turn, so what disturbs the machine disturbs all of them. Linux only. See README.md beside this file.
"""

import argparse
import http.client
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from importlib.metadata import PathDistribution
from pathlib import Path
from statistics import median

from peers import PEERS, SERVERS, Peer, prepare
from processes import HOST, cpu_seconds, free_port
from report import add_options, columns, cpu_model, machine, write
from workloads import BROWSER_HEADERS, WORKLOADS, Workload

HERE = Path(__file__).resolve().parent
BASELINE = "raw"
CONNECTIONS = 64
PATIENCE = 20  # seconds for a server to start or to end

COMMANDS = {
    "uvicorn": (
        *("-m", "uvicorn", "served:app", "--host", HOST, "--port", "{port}", "--loop", "uvloop"),
        *("--http", "httptools", "--no-access-log", "--log-level", "warning"),
    ),
    "granian": (
        *("-m", "granian", "served:app", "--host", HOST, "--port", "{port}", "--loop", "uvloop"),
        *(
            "--interface",
            "{interface}",
            "--workers",
            "1",
            "--runtime-threads",
            "1",
            "--no-ws",
            "--log-level",
            "warning",
        ),
    ),
}
RSGI = "micropie-rsgi"
"""MicroPie over Granian's own protocol; it too is compared with the hand-written application over ASGI."""

DEFAULT_PEERS = ("raw", "micropie", RSGI, "starlette", "blacksheep")
DEFAULT_WORKLOADS = ("json", "path", "echo", "visits")
SERVED = {name: peer for name, peer in PEERS.items() if set(SERVERS) <= set(peer.packages)}
SERVED[RSGI] = PEERS["micropie"]
SERVABLE = tuple(name for name, workload in WORKLOADS.items() if name != "ws" and len(workload.body) == 1)


class Server:
    """One peer on one server, pinned to a core."""

    def __init__(self, server: str, name: str, workload: Workload, core: int) -> None:
        peer, interface = SERVED[name], "rsgi" if name == RSGI else "asgi"
        self.name = name
        self.workload = workload
        self.headers = {n.decode(): v.decode() for n, v in BROWSER_HEADERS if n not in {b"host", b"connection"}}
        if workload.content_type:
            self.headers["content-type"] = workload.content_type.decode()
        self.port = free_port()
        environment = {**os.environ, "BENCH_APP": peer.app, "BENCH_WORKLOAD": workload.name, "PYTHONHASHSEED": "0"}
        environment["BENCH_INTERFACE"] = interface
        environment.pop("PYTHONPATH", None)
        command = [peer.python, *(part.format(port=self.port, interface=interface) for part in COMMANDS[server])]
        self.process = subprocess.Popen(
            command,
            cwd=HERE,
            env=environment,
            stdout=sys.stderr,
            preexec_fn=lambda: os.sched_setaffinity(0, {core}),  # noqa: PLW1509 (there are no threads here)
        )

    def __enter__(self):
        return self

    def __exit__(self, *_exception):
        self.process.terminate()
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            for pid in self.pids():
                os.kill(pid, 9)
            self.process.wait(PATIENCE)

    def await_start(self) -> None:
        """Wait until the server answers, and answers rightly; a session is begun where there is one."""
        deadline = time.monotonic() + PATIENCE
        while self.process.poll() is None and time.monotonic() < deadline:
            try:
                self.verify()
            except ConnectionError:
                time.sleep(0.05)
            else:
                return
        raise SystemExit(f"{self.name}: the server did not start; its error stands above")

    def verify(self) -> None:
        """Make one request, and check the reply."""
        connection = http.client.HTTPConnection(HOST, self.port, timeout=PATIENCE)
        try:
            connection.request(self.workload.method, self.target(), b"".join(self.workload.body), self.headers)
            response = connection.getresponse()
            body = response.read()
            cookies = response.msg.get_all("set-cookie", [])
        finally:
            connection.close()
        if response.status != 200 or not self.workload.check(body):  # noqa: PLR2004
            raise SystemExit(f"{self.name}: {self.workload.name}: {response.status} {body[:200]!r}")
        if cookies and "cookie" not in self.headers:
            self.headers["cookie"] = "; ".join(cookie.partition(";")[0] for cookie in cookies)

    def target(self) -> str:
        query = self.workload.query.decode()
        return (self.workload.path or f"/{self.workload.name}") + (f"?{query}" if query else "")

    def visit(self, seconds: int, core: int, script: Path) -> dict:
        """Let wrk ask for a while; return requests per second and the server's CPU microseconds per request."""
        script.write_text(
            f"wrk.method = {lua(self.workload.method)}\nwrk.body = {lua(b''.join(self.workload.body).decode())}\n"
            + "".join(f"wrk.headers[{lua(name)}] = {lua(value)}\n" for name, value in self.headers.items())
        )
        url = f"http://{HOST}:{self.port}{self.target()}"
        command = ["wrk", "-t", "1", "-c", str(CONNECTIONS), "-d", f"{seconds}s", "-s", script, url]
        before = self.cpu_seconds()
        ran = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=True,
            timeout=seconds + PATIENCE,
            preexec_fn=lambda: os.sched_setaffinity(0, {core}),
        )
        cpu = self.cpu_seconds() - before
        trouble = re.search(r"Socket errors.*|Non-2xx.*", ran.stdout)
        if trouble:
            raise SystemExit(f"{self.name}: {self.workload.name}: {trouble[0]}")
        requests = int(re.search(r"(\d+) requests in", ran.stdout)[1])
        rate = float(re.search(r"Requests/sec:\s+([\d.]+)", ran.stdout)[1])
        return {"rate": rate, "cpu": cpu / requests * 1e6}

    def cpu_seconds(self) -> float:
        """Return what the server's processes have used so far."""
        return sum(map(cpu_seconds, self.pids()))

    def pids(self) -> list[int]:
        """Return the server's process and its children (Granian's worker is one)."""
        found = [self.process.pid]
        for pid in found:
            for file in Path(f"/proc/{pid}/task").glob("*/children"):
                found += map(int, file.read_text().split())
        return found


def lua(text: str) -> str:
    """Return a text as a literal of Lua, which wrk's scripts are written in."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\r", "\\r") + '"'


def compare(server: str, workload: Workload, options: argparse.Namespace) -> dict[str, dict]:
    """Return each peer's figures on one server and one workload."""
    peers = [name for name in options.peers if name != RSGI or server == "granian"]
    samples: dict[str, list[dict]] = {name: [] for name in peers}
    with ExitStack() as stack:
        script = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "requests.lua"
        up = [stack.enter_context(Server(server, name, workload, options.server_core)) for name in peers]
        for peer in up:
            peer.await_start()
        for peer in up:
            peer.verify()
            peer.visit(1, options.client_core, script)  # warms it up
        for number in range(options.rounds):
            print(f"{server}, {workload.name}, round {number + 1} of {options.rounds} ...", file=sys.stderr)
            for peer in up if number % 2 else reversed(up):
                samples[peer.name].append(peer.visit(options.seconds, options.client_core, script))
        for peer in up:
            peer.verify()
    return {name: summary(samples[name], samples[BASELINE]) for name in peers}


def summary(samples: list[dict], baseline: list[dict]) -> dict:
    """Return the medians; a ratio is taken within a round, where both met the same machine."""
    ratios = [ours["rate"] / raw["rate"] for ours, raw in zip(samples, baseline, strict=True)]
    return {
        "rate": round(median(sample["rate"] for sample in samples)),
        "ratio": round(median(ratios), 3),
        "ratios": [round(min(ratios), 3), round(max(ratios), 3)],
        "cpu": round(median(sample["cpu"] for sample in samples), 1),
    }


def table(results: dict[str, dict[str, dict[str, dict]]]) -> str:
    """Return a row for each server and workload: requests per second, ratio to raw, CPU µs per request."""
    every = [by_peer for by_workload in results.values() for by_peer in by_workload.values()]
    peers = list(max(every, key=len))
    rows = [["req/s, ratio, CPU µs", *peers]]
    for server, by_workload in results.items():
        for workload, by_peer in by_workload.items():
            rows.append([f"{server} {workload}", *(cell(by_peer.get(peer)) for peer in peers)])
    return columns(rows)


def cell(result: dict | None) -> str:
    return f"{result['rate']:,} {result['ratio']:.3f} {result['cpu']:5.1f}" if result else "-"


def versions(server: str, peer: Peer) -> dict[str, str]:
    """Return the versions of what was compared, read from the peer's environment."""
    names = {name.lower() for name in (*peer.reported, server, "uvloop")}
    found = (PathDistribution(path) for path in peer.home.glob("lib/python*/site-packages/*.dist-info"))
    return {one.metadata["name"]: one.version for one in found if one.metadata["name"].lower() in names}


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bench server", description=__doc__.partition("\n")[0])
    parser.add_argument("--servers", default=",".join(COMMANDS), help="comma-separated")
    parser.add_argument("--peers", default=",".join(DEFAULT_PEERS), help="comma-separated; raw is always there")
    parser.add_argument("--workloads", default=",".join(DEFAULT_WORKLOADS), help="comma-separated")
    parser.add_argument("--rounds", type=int, default=7, help="visits to each (7)")
    parser.add_argument("--seconds", type=int, default=1, help="of each visit (1)")
    parser.add_argument("--server-core", type=int, default=0, help="the core that servers run on (0)")
    parser.add_argument("--client-core", type=int, default=1, help="the core that wrk runs on (1)")
    add_options(parser, "server")
    options = parser.parse_args()
    options.peers = list(dict.fromkeys([BASELINE, *options.peers.split(",")]))
    options.servers, options.workloads = options.servers.split(","), options.workloads.split(",")
    for names, known in [(options.servers, COMMANDS), (options.peers, SERVED), (options.workloads, SERVABLE)]:
        for name in names:
            if name not in known:
                parser.error(f"{name!r} is none of {', '.join(known)}")
    if not {options.server_core, options.client_core} <= os.sched_getaffinity(0):
        parser.error("two cores are needed, one for the servers and one for wrk")
    if shutil.which("wrk") is None:
        parser.error("wrk is needed: apt-get install wrk, or brew install wrk, or https://github.com/wg/wrk")
    return options


def main() -> int:
    options = arguments()
    peers = list({SERVED[name].name: SERVED[name] for name in options.peers}.values())
    for peer in peers:
        prepare(peer)
    results = {
        server: {name: compare(server, WORKLOADS[name], options) for name in options.workloads}
        for server in options.servers
    }
    print(table(results))
    python = platform.python_version()  # the environments are made with this one
    print(
        f"\nCPython {python}, {cpu_model()}, {options.rounds} rounds of {options.seconds} s, {CONNECTIONS} connections"
    )
    installed = {p.name: {k: v for s in options.servers for k, v in versions(s, p).items()} for p in peers}
    print(json.dumps(installed))
    report = {"python": python, "machine": machine(), "rounds": options.rounds, "seconds": options.seconds}
    write(options.json, {**report, "connections": CONNECTIONS, "versions": installed, "results": results})
    return 0


if __name__ == "__main__":
    sys.exit(main())
