"""What a framework costs before the first request: time, memory, modules, disk.

A hello world is imported in a fresh process that has nothing but asyncio loaded, as under a server; each figure is
what that adds. The optional packages that MicroPie can use are installed beside it, but where it says "alone".
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from statistics import median

from peers import FRESH, prepare
from report import add_options, columns, cpu_model, machine, write

PROBE = Path(__file__).resolve().parent / "probe.py"

MICROPIE = """
from micropie import App

class Root(App):
    async def index(self):
        return "Hello, World!"

app = Root()
"""

STARLETTE = """
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

async def index(request):
    return PlainTextResponse("Hello, World!")

app = Starlette(routes=[Route("/", index)])
"""

FASTAPI = """
from fastapi import FastAPI

app = FastAPI()

@app.get("/")
async def index():
    return "Hello, World!"
"""

APPS = {
    "micropie": MICROPIE,
    "micropie-0.29": MICROPIE,
    "micropie-alone": MICROPIE,
    "micropie-0.29-alone": MICROPIE,
    "starlette": STARLETTE,
    "fastapi": FASTAPI,
}
ROWS = {
    "milliseconds": "import and app, CPU ms",
    "megabytes": "resident memory, MB",
    "modules": "modules loaded",
    "disk_kilobytes": "on disk, kB",
}


def probe(name: str) -> dict:
    """Start a hello world in a process of its own, and return what it added to it."""
    peer = FRESH[f"fresh-{name}"]
    environment = {"PATH": os.environ["PATH"], "PYTHONHASHSEED": "0"}
    command = [peer.python, PROBE, APPS[name], peer.reported[0]]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, env=environment)
    if ran.returncode:
        raise SystemExit(f"{name}: {ran.stderr}")
    return json.loads(ran.stdout)


def measure(names: list[str], rounds: int) -> dict[str, dict]:
    """Return the medians of each framework's figures; the first start, which compiles, is none of them."""
    samples: dict[str, list[dict]] = {name: [] for name in names}
    for number in range(rounds + 1):
        for name in names if number % 2 else reversed(names):
            samples[name].append(probe(name))
    return {
        name: {"version": figures[0]["version"], **{row: round(median(f[row] for f in figures[1:]), 2) for row in ROWS}}
        for name, figures in samples.items()
    }


def table(results: dict[str, dict]) -> str:
    rows = [["", *(f"{name} {result['version']}" for name, result in results.items())]]
    rows += [[title, *(f"{result[row]:g}" for result in results.values())] for row, title in ROWS.items()]
    return columns(rows)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bench startup", description=__doc__.partition("\n")[0])
    parser.add_argument("--peers", default=",".join(APPS), help="comma-separated")
    parser.add_argument("--rounds", type=int, default=15, help="starts of each (15)")
    add_options(parser, "startup")
    options = parser.parse_args()
    options.peers = options.peers.split(",")
    for name in options.peers:
        if name not in APPS:
            parser.error(f"{name!r} is none of {', '.join(APPS)}")
    return options


def main() -> int:
    options = arguments()
    for name in options.peers:
        prepare(FRESH[f"fresh-{name}"])
    results = measure(options.peers, options.rounds)
    python = probe(options.peers[0])["python"]
    print(table(results))
    print(f"\nCPython {python}, {cpu_model()}, median of {options.rounds} starts")
    write(options.json, {"python": python, "machine": machine(), "rounds": options.rounds, "results": results})
    return 0


if __name__ == "__main__":
    sys.exit(main())
