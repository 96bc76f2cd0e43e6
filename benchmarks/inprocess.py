"""CPU time per request of each framework, in process: no server, no socket, no client.

Every peer has a process of its own, all of them are alive at once, and they run short bursts in turn: what
disturbs the machine disturbs all of them. See README.md beside this file.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from statistics import quantiles

from peers import PEERS, Peer, prepare
from report import add_options, columns, cpu_model, machine, write
from workloads import UPLOAD_SIZE, WORKLOADS

HERE = Path(__file__).resolve().parent
BASELINE = "raw"


class Runner:
    """A peer's process, and the pipe to it."""

    def __init__(self, peer: Peer) -> None:
        self.name = peer.name
        command = [peer.python, HERE / "worker.py", peer.app, *peer.reported]
        environment = {**os.environ, "PYTHONHASHSEED": "0"}
        environment.pop("PYTHONPATH", None)
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )
        self.greeting = self._read()

    def __enter__(self):
        return self

    def __exit__(self, *_exception):
        self.process.stdin.close()
        self.process.wait(timeout=10)

    def ask(self, **order) -> dict:
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        return self._read()

    def _read(self) -> dict:
        line = self.process.stdout.readline()
        if not line:
            message = f"{self.name}: the worker ended; its error stands above"
            raise SystemExit(message)
        return json.loads(line)


def measure(workloads: list[str], runners: list[Runner], rounds: int, statistic: str) -> dict[str, dict[str, dict]]:
    """Return, for each workload and peer, the CPU microseconds per request."""
    results, turns, samples = {}, [], {}
    for workload in workloads:
        print(f"verifying {workload} ...", file=sys.stderr)
        results[workload] = {runner.name: runner.ask(prepare=workload) for runner in runners}
        turns += [(workload, runner) for runner in runners if "requests" in results[workload][runner.name]]
    for number in range(rounds):
        print(f"round {number + 1} of {rounds} ...", file=sys.stderr)
        # There and back again, so that nobody always follows the same neighbour.
        for workload, runner in turns if number % 2 else reversed(turns):
            result = results[workload][runner.name]
            answer = runner.ask(run=workload, requests=result["requests"])
            if "error" in answer:
                result["error"] = answer["error"]
            else:
                samples.setdefault((workload, runner.name), []).append(answer["cpu"] / result["requests"] * 1e6)
    for (workload, peer), values in samples.items():
        results[workload][peer] |= summary(values, statistic)
    for by_peer in results.values():
        add_overheads(by_peer)
    return results


def summary(values: list[float], statistic: str) -> dict:
    """Return what the samples come to in microseconds; `cost` is the figure that the table shows."""
    low, middle, high = quantiles(values, n=4) if len(values) > 1 else values * 3
    median, fastest = round(middle, 3), round(min(values), 3)
    cost = fastest if statistic == "fastest" else median
    return {"cost": cost, "median": median, "quartiles": [round(low, 3), round(high, 3)], "fastest": fastest}


def add_overheads(results: dict[str, dict]) -> None:
    """Add to each peer's result what it costs more than the hand-written application."""
    for result in results.values():
        if "cost" in result and "cost" in results[BASELINE]:
            result["overhead"] = round(result["cost"] - results[BASELINE]["cost"], 3)


def cell(peer: str, result: dict) -> str:
    """Return one entry of the table: the overhead, and for the baseline its whole cost."""
    if "error" in result:
        return "wrong"
    if "missing" in result:
        return "-"
    value = result["cost"] if peer == BASELINE else result.get("overhead", result["cost"])
    return f"{value:.2f}" + ("*" if result["note"] else "")


def table(results: dict[str, dict]) -> str:
    """Return the workloads as rows and the peers as columns."""
    peers = list(next(iter(results.values())))
    rows = [["µs", *peers]]
    for workload, by_peer in results.items():
        rows.append([workload, *(cell(peer, result) for peer, result in by_peer.items())])
        if workload == "upload":
            # Bytes per microsecond are megabytes per second.
            speeds = [
                f"{UPLOAD_SIZE / by_peer[peer]['cost']:.0f}" if "cost" in by_peer[peer] else "-" for peer in peers
            ]
            rows.append(["  MB/s", *speeds])
    return columns(rows)


def remarks(results: dict[str, dict]) -> list[str]:
    """Return a line for each note and each wrong reply."""
    lines = []
    for workload, by_peer in results.items():
        lines += [f"* {workload}, {peer}: {result['note']}" for peer, result in by_peer.items() if result.get("note")]
        lines += [
            f"wrong: {workload}, {peer}: {result['error']}" for peer, result in by_peer.items() if "error" in result
        ]
    return lines


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bench inprocess", description=__doc__.partition("\n")[0])
    parser.add_argument("--peers", default=",".join(PEERS), help="comma-separated; raw, the baseline, is always there")
    parser.add_argument("--workloads", default=",".join(WORKLOADS), help="comma-separated")
    parser.add_argument("--rounds", type=int, default=15, help="bursts of each peer on each workload (15)")
    parser.add_argument(
        "--fastest",
        dest="statistic",
        action="store_const",
        const="fastest",
        default="median",
        help="show each fastest burst instead of the medians: steadier while the machine is busy",
    )
    add_options(parser, "inprocess")
    options = parser.parse_args()
    options.peers = list(dict.fromkeys([BASELINE, *options.peers.split(",")]))
    options.workloads = options.workloads.split(",")
    for name, known in [*((p, PEERS) for p in options.peers), *((w, WORKLOADS) for w in options.workloads)]:
        if name not in known:
            parser.error(f"{name!r} is none of {', '.join(known)}")
    return options


def main() -> int:
    options = arguments()
    peers = [PEERS[name] for name in options.peers]
    for peer in peers:
        prepare(peer)
    began = time.monotonic()
    with ExitStack() as stack:
        runners = [stack.enter_context(Runner(peer)) for peer in peers]
        results = measure(options.workloads, runners, options.rounds, options.statistic)
    versions = {runner.name: runner.greeting["versions"] for runner in runners}
    python = runners[0].greeting["python"]
    lines = remarks(results)
    print(table(results), *lines, sep="\n")
    seconds = time.monotonic() - began
    print(f"\nCPython {python}, {cpu_model()}, {options.statistic} of {options.rounds} rounds, {seconds:.0f} s")
    print(", ".join(f"{peer} {versions[peer].get(PEERS[peer].app, '')}".strip() for peer in versions))
    report = {"python": python, "machine": machine(), "rounds": options.rounds, "versions": versions}
    write(options.json, {**report, "cost": options.statistic, "unit": "µs", "results": results})
    return any(line.startswith("wrong") for line in lines)


if __name__ == "__main__":
    sys.exit(main())
