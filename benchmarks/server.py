"""Requests per second and CPU per request on real servers, beside a hand-written application on the same server.

One worker process on one core, wrk with 64 connections on another. All servers of a comparison are up at the same
time and visited in turn, so what disturbs the machine disturbs all of them. A turn in which the server waited for its
core, since others had it, is repeated. Linux only. See README.md beside this file.
"""

import argparse
import ast
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

from peers import OWN, PEERS, Peer, prepare
from processes import HOST, Turn, Watch, free_port, with_children
from report import add_options, columns, cpu_model, machine, write
from workloads import BROWSER_HEADERS, WORKLOADS, Workload

HERE = Path(__file__).resolve().parent
BASELINE = "raw"
CONNECTIONS = 64
PATIENCE = 20  # seconds for a server to start
FAREWELL = 3  # seconds for a server to end; Robyn's goes on when it is asked to
DISTURBED = 0.02  # of a turn: if the server waited for longer, the turn is repeated
REPEATS = 4  # of one turn

COMMANDS = {
    "uvicorn": (
        *("-m", "uvicorn", "served:app", "--host", HOST, "--port", "{port}", "--loop", "uvloop"),
        *("--http", "httptools", "--no-access-log", "--log-level", "warning"),
        *("--interface", "asgi3"),  # Emmett55's application is taken for one of ASGI 2
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
OWN_COMMAND = ("own_server.py", HOST, "{port}")
OPTIONS = {"robyn": ("--log-level", "WARN", "--disable-openapi")}
OVER_RSGI = {"micropie-rsgi": "micropie", "emmett55-rsgi": "emmett55"}
"""Peers over Granian's own protocol; they too are compared with the hand-written application over ASGI."""

OWN_SERVER = ("sanic", "robyn", "socketify")
BOTH = ("raw", "micropie", "starlette", "blacksheep", "falcon", "muffin", "litestar", "fastapi", "django")
GROUPS = {
    "uvicorn": (*BOTH, "emmett55"),
    "granian": (*BOTH[:2], "micropie-rsgi", *BOTH[2:], "emmett55"),
    # Those with servers of their own; the others here are on Granian, as its documentation says for Emmett55.
    "own": ("raw", "micropie-rsgi", "emmett55-rsgi", *OWN_SERVER),
}
"""Who is compared on which server."""

DEFAULT_WORKLOADS = ("json", "path", "echo", "visits")
NAMES = tuple(dict.fromkeys(name for names in GROUPS.values() for name in names))
SERVED = {name: (PEERS | OWN)[OVER_RSGI.get(name, name)] for name in NAMES}
SERVABLE = tuple(name for name, workload in WORKLOADS.items() if name != "ws" and len(workload.body) == 1)


class Server:
    """One peer on one server, pinned to a core."""

    def __init__(self, server: str, name: str, workload: Workload, core: int) -> None:
        peer, interface = SERVED[name], "rsgi" if name in OVER_RSGI else "asgi"
        self.name = name
        self.core = core
        self.workload = workload
        self.headers = {n.decode(): v.decode() for n, v in BROWSER_HEADERS if n not in {b"host", b"connection"}}
        if workload.content_type:
            self.headers["content-type"] = workload.content_type.decode()
        self.port = free_port()
        environment = {**os.environ, "BENCH_APP": peer.app, "BENCH_WORKLOAD": workload.name, "PYTHONHASHSEED": "0"}
        environment["BENCH_INTERFACE"] = interface
        environment.pop("PYTHONPATH", None)
        own = server == "own" and name in OWN_SERVER
        parts = (*OWN_COMMAND, *OPTIONS.get(name, ())) if own else COMMANDS.get(server, COMMANDS["granian"])
        command = [peer.python, *(part.format(port=self.port, interface=interface) for part in parts)]
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
            self.process.wait(FAREWELL)
        except subprocess.TimeoutExpired:
            for pid in with_children(self.process.pid):
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
        """Let wrk ask for a while; return requests per second, and the server's microseconds per request."""
        script.write_text(
            f"wrk.method = {lua(self.workload.method)}\nwrk.body = {lua(b''.join(self.workload.body).decode())}\n"
            + "".join(f"wrk.headers[{lua(name)}] = {lua(value)}\n" for name, value in self.headers.items())
        )
        url = f"http://{HOST}:{self.port}{self.target()}"
        command = ["wrk", "-t", "1", "-c", str(CONNECTIONS), "-d", f"{seconds}s", "-s", script, url]
        watch = Watch(with_children(self.process.pid), self.core)
        ran = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=True,
            timeout=seconds + PATIENCE,
            preexec_fn=lambda: os.sched_setaffinity(0, {core}),
        )
        turn = watch.turn()
        trouble = re.search(r"Socket errors.*|Non-2xx.*", ran.stdout)
        if trouble:
            raise SystemExit(f"{self.name}: {self.workload.name}: {trouble[0]}")
        requests = int(re.search(r"(\d+) requests in", ran.stdout)[1])
        rate = float(re.search(r"Requests/sec:\s+([\d.]+)", ran.stdout)[1])
        return {"rate": rate, **per_request(turn, requests), "disturbed": turn.disturbed}

    def turn(self, options: argparse.Namespace, script: Path, repeats: int) -> dict:
        """Visit, again while others have the core, so often at most; return the visit that was disturbed least."""
        visits = []
        while len(visits) <= repeats:
            visits.append(self.visit(options.seconds, options.client_core, script))
            if visits[-1]["disturbed"] <= DISTURBED:
                break
        return min(visits, key=lambda visit: visit["disturbed"]) | {"repeated": len(visits) - 1}


def per_request(turn: Turn, requests: int) -> dict[str, float]:
    """Return what a request took of the server's core, and how long the server waited for it, in microseconds."""
    waited = min(turn.waited, turn.others)
    return {"cpu": turn.cpu / requests * 1e6, "waited": waited / requests * 1e6}


def missing(peer: Peer) -> tuple[str, ...]:
    """Return the workloads that a peer has nothing for, read from its module (`MISSING`), which only it can import."""
    for statement in ast.parse((HERE / "apps" / f"{peer.app}.py").read_text()).body:
        if isinstance(statement, ast.Assign) and getattr(statement.targets[0], "id", "") == "MISSING":
            return () if isinstance(statement.value, ast.IfExp) else ast.literal_eval(statement.value)
    raise SystemExit(f"{peer.app}: its module has no MISSING")


def lua(text: str) -> str:
    """Return a text as a literal of Lua, which wrk's scripts are written in."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\r", "\\r") + '"'


def compare(server: str, workload: Workload, options: argparse.Namespace) -> dict[str, dict]:
    """Return each peer's figures on one server and one workload."""
    peers = [name for name in GROUPS[server] if name in options.peers and workload.name not in missing(SERVED[name])]
    samples: dict[str, list[dict]] = {name: [] for name in peers}
    with ExitStack() as stack:
        script = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "requests.lua"
        up = [stack.enter_context(Server(server, name, workload, options.server_core)) for name in peers]
        for peer in up:
            peer.await_start()
        for peer in up:
            peer.verify()
            peer.visit(1, options.client_core, script)  # warms it up
        left = options.rounds * len(up)  # that may be repeated: a busy machine takes twice as long, and not for ever
        for number in range(options.rounds):
            print(f"{server}, {workload.name}, round {number + 1} of {options.rounds} ...", file=sys.stderr)
            for peer in up if number % 2 else reversed(up):
                sample = peer.turn(options, script, min(left, REPEATS))
                left -= sample["repeated"]
                samples[peer.name].append(sample)
        for peer in up:
            peer.verify()
    return {name: summary(samples[name], samples[BASELINE]) for name in peers}


def summary(samples: list[dict], baseline: list[dict]) -> dict:
    """Return the medians of the rates, and the least CPU time: what else the machine does can only add to that.

    Rates that are compared met the same machine, in the same round.
    """
    ratios = [ours["rate"] / raw["rate"] for ours, raw in zip(samples, baseline, strict=True)]
    cpu, raw_cpu = (min(sample["cpu"] for sample in each) for each in (samples, baseline))
    return {
        "rate": round(median(sample["rate"] for sample in samples)),
        "ratio": round(median(ratios), 3),
        "ratios": [round(min(ratios), 3), round(max(ratios), 3)],
        "cpu": round(cpu, 1),
        "share": round(raw_cpu / cpu, 3),
        "waited": round(median(sample["waited"] for sample in samples), 2),
        "repeated": sum(sample["repeated"] for sample in samples),
        "given_up": sum(sample["disturbed"] > DISTURBED for sample in samples),
    }


def table(results: dict[str, dict[str, dict[str, dict]]]) -> str:
    """Return a row for each server and workload: requests per second and what is in `cell`."""
    every = [by_peer for by_workload in results.values() for by_peer in by_workload.values()]
    peers = list(dict.fromkeys(peer for by_peer in every for peer in by_peer))
    rows = [["req/s, share by rate, by CPU; CPU µs, waited", *peers]]
    for server, by_workload in results.items():
        for workload, by_peer in by_workload.items():
            rows.append([f"{server} {workload}", *(cell(by_peer.get(peer)) for peer in peers)])
    return columns(rows)


def cell(result: dict | None) -> str:
    if result is None:
        return "-"
    given_up = "!" if result["given_up"] else ""
    figures = f"{result['rate']:,} {result['ratio']:.2f} {result['share']:.2f}"
    return f"{figures} {result['cpu']:5.1f} {result['waited']:4.1f}{given_up}"


def versions(peer: Peer) -> dict[str, str]:
    """Return the versions of what was compared, read from the peer's environment."""
    names = {name.lower() for name in (*peer.reported, "uvicorn", "granian", "uvloop")}
    found = (PathDistribution(path) for path in peer.home.glob("lib/python*/site-packages/*.dist-info"))
    return {one.metadata["name"]: one.version for one in found if one.metadata["name"].lower() in names}


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bench server", description=__doc__.partition("\n")[0])
    parser.add_argument("--servers", default=",".join(GROUPS), help="comma-separated; own: that of each peer")
    parser.add_argument("--peers", default=",".join(NAMES), help="comma-separated; raw is always there")
    parser.add_argument("--workloads", default=",".join(DEFAULT_WORKLOADS), help="comma-separated")
    parser.add_argument("--rounds", type=int, default=9, help="visits to each (9)")
    parser.add_argument("--seconds", type=int, default=1, help="of each visit (1)")
    parser.add_argument("--server-core", type=int, default=0, help="the core that servers run on (0)")
    parser.add_argument("--client-core", type=int, default=1, help="the core that wrk runs on (1)")
    add_options(parser, "server")
    options = parser.parse_args()
    options.peers = list(dict.fromkeys([BASELINE, *options.peers.split(",")]))
    options.servers, options.workloads = options.servers.split(","), options.workloads.split(",")
    for names, known in [(options.servers, GROUPS), (options.peers, SERVED), (options.workloads, SERVABLE)]:
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
    wanted = [name for server in options.servers for name in GROUPS[server] if name in options.peers]
    peers = list({SERVED[name].name: SERVED[name] for name in wanted}.values())
    for peer in peers:
        prepare(peer)
    results = {
        server: {name: compare(server, WORKLOADS[name], options) for name in options.workloads}
        for server in options.servers
    }
    print(table(results))
    given_up = sum(
        one["given_up"] for kind in results.values() for by_peer in kind.values() for one in by_peer.values()
    )
    if given_up:
        print(
            f"! {given_up} turns waited for more than {DISTURBED:.0%} of their time, repeated or not: others are busy"
        )
    python = platform.python_version()  # the environments are made with this one
    print(
        f"\nCPython {python}, {cpu_model()}, {options.rounds} rounds of {options.seconds} s, {CONNECTIONS} connections"
    )
    installed = {peer.name: versions(peer) for peer in peers}
    print(json.dumps(installed))
    report = {"python": python, "machine": machine(), "rounds": options.rounds, "seconds": options.seconds}
    write(options.json, {**report, "connections": CONNECTIONS, "versions": installed, "results": results})
    return 0


if __name__ == "__main__":
    sys.exit(main())
