"""Draws the pictures and writes the tables of docs/performance.md from benchmarks/results/*.json.

No figure on that page is typed by hand: a table stands between `<!-- figures: NAME -->` and `<!-- end -->`.
"""

import argparse
import json
import re
import sys
from collections.abc import Callable, Iterable
from http import HTTPStatus
from pathlib import Path

from drawing import Bar, Panel, picture

ROOT = Path(__file__).resolve().parent.parent
OURS, BASELINE, RIVAL = "micropie", "raw", "blacksheep"
HIGHLIGHTED = {OURS, "micropie-rsgi", "micropie-alone"}
TITLES = {
    "raw": "hand-written",
    "micropie": "MicroPie",
    "micropie-rsgi": "MicroPie, RSGI",
    "emmett55-rsgi": "Emmett55, RSGI",
    "micropie-alone": "MicroPie, alone",
    "micropie-0.29-alone": "MicroPie 0.29, alone",
    "micropie-0.32": "MicroPie 0.32",
    "micropie-0.29": "MicroPie 0.29",
    "starlette": "Starlette",
    "fastapi": "FastAPI",
    "quart": "Quart",
    "blacksheep": "BlackSheep",
    "litestar": "Litestar",
    "falcon": "Falcon",
    "muffin": "Muffin",
    "sanic": "Sanic",
    "emmett55": "Emmett55",
    "django": "Django",
    "robyn": "Robyn",
    "socketify": "socketify",
}
MARKED = re.compile(r"(<!-- figures: ([\w-]+) -->\n).*?(<!-- end -->)", re.DOTALL)

Reports = dict[str, dict]


# The pictures.

OVERHEAD_LIMIT, MESSAGE_LIMIT = 20, 2  # µs for a request and for a message; a bar that is longer ends in a point
SHARE_LIMIT = 1.4
README_WORKLOADS = {
    "json": "a JSON reply",
    "path": "a path parameter",
    "echo": "a JSON body, and back",
    "visits": "a counter in the session",
}
MORE_WORKLOADS = {
    "query": "a query parameter",
    "form": "a form with three fields",
    "typed": "a typed path, query and JSON body",
    "mw": "three middlewares",
    "stream": "a stream of five chunks",
    "fortunes": "a Jinja2 template",
    "ws": "a WebSocket message, on a scale of its own",
}


def overhead_panel(workload: str, explained: str, by_peer: dict[str, dict]) -> Panel:
    """Return the overheads on one workload, the smallest first."""
    found = sorted((result["overhead"], peer) for peer, result in compared(by_peer).items())
    bars = [
        Bar(TITLES[peer], value, number(value) + ("*" if by_peer[peer]["note"] else ""), ours=peer in HIGHLIGHTED)
        for value, peer in found
    ]
    return Panel(workload, explained, bars, MESSAGE_LIMIT if workload == "ws" else OVERHEAD_LIMIT)


def overhead(reports: Reports, workloads: dict[str, str]) -> str:
    results = reports["inprocess"]["results"]
    panels = [overhead_panel(name, explained, results[name]) for name, explained in workloads.items()]
    caption = "CPU time per request more than a hand-written ASGI application, in microseconds: shorter is better"
    notes = {f"* {r['note']}" for name in workloads for r in compared(results[name]).values() if r["note"]}
    return picture("What a framework adds to a request", caption, panels, sorted(notes))


def startup_picture(reports: Reports) -> str:
    results = reports["startup"]["results"]
    panels = []
    for row, title, explained in (("milliseconds", "start", "CPU ms"), ("megabytes", "memory", "MB")):
        found = sorted((result[row], peer) for peer, result in results.items())
        bars = [Bar(TITLES[peer], value, number(value), ours=peer in HIGHLIGHTED) for value, peer in found]
        panels.append(Panel(title, explained, bars, max(value for value, _ in found)))
    caption = "What a hello world adds to a process with nothing but asyncio: shorter is better"
    return picture("What a hello world costs before its first request", caption, panels, [])


def server_picture(reports: Reports) -> str:
    results = reports["server"]["results"]
    panels = [
        server_panel(workload, f"on {server.title()}", results[server][workload])
        for workload in next(iter(results.values()))
        for server in ("uvicorn", "granian")
    ]
    caption = "Requests per second as a share of the hand-written application's (the dotted line): longer is better"
    return picture("Throughput on real servers", caption, panels, [])


def server_panel(workload: str, explained: str, by_peer: dict[str, dict]) -> Panel:
    """Return the shares on one server and workload, the largest first."""
    found = sorted(((result["ratio"], peer) for peer, result in by_peer.items() if peer != BASELINE), reverse=True)
    bars = [Bar(TITLES[peer], value, f"{value:.2f}", ours=peer in HIGHLIGHTED) for value, peer in found]
    return Panel(workload, explained, bars, SHARE_LIMIT, mark=1.0)


TIE = 0.03
"""The part of a cost by which runs differ on a quiet machine."""

PICTURES: dict[str, Callable[[Reports], str]] = {
    "overhead.svg": lambda reports: overhead(reports, README_WORKLOADS),
    "overhead-more.svg": lambda reports: overhead(reports, MORE_WORKLOADS),
    "startup.svg": startup_picture,
    "server.svg": server_picture,
}


# The tables.


def compared(by_peer: dict[str, dict]) -> dict[str, dict]:
    """Return the frameworks' results on one workload, where there are some."""
    return {peer: result for peer, result in by_peer.items() if "overhead" in result and peer != BASELINE}


def number(value: float) -> str:
    """Return a figure with about as many digits as it is worth."""
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 1 else f"{value:.2f}"  # noqa: PLR2004


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Return a table in Markdown: the first column to the left, the others to the right."""
    head = list(head)
    lines = [head, ["---", *["--:"] * (len(head) - 1)], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def inprocess_table(reports: Reports) -> str:
    """Return the overheads: peers as rows, the smallest of each workload bold (one with a note did something else)."""
    results = reports["inprocess"]["results"]
    smallest = {
        name: min(result["overhead"] for result in compared(by_peer).values() if not result["note"])
        for name, by_peer in results.items()
    }
    rows = []
    for peer in next(iter(results.values())):
        cells = [inprocess_cell(peer, by_peer[peer], smallest[name]) for name, by_peer in results.items()]
        rows.append([TITLES[peer], *cells])
    head = ["µs", *(f"`{name}`" for name in results)]
    return table(head, rows) + "\n\n" + "\n".join(footnotes(results))


def footnotes(results: dict[str, dict[str, dict]]) -> list[str]:
    """Return what the stars mean, once for all peers that it is true of."""
    peers: dict[tuple[str, str], list[str]] = {}
    for name, by_peer in results.items():
        for peer, result in by_peer.items():
            if result.get("note") and peer != BASELINE:
                peers.setdefault((name, result["note"]), []).append(TITLES[peer])
    return [f"- \\* `{name}`, {', '.join(titles)}: {note}" for (name, note), titles in peers.items()]


def inprocess_cell(peer: str, result: dict, smallest: float) -> str:
    if "cost" not in result:
        return "-"
    if peer == BASELINE:
        return f"*{number(result['cost'])}*"
    text = number(result["overhead"])
    if result["note"]:
        return text + "\\*"
    return f"**{text}**" if result["overhead"] == smallest else text


def behind(reports: Reports) -> str:
    """Return what is slower here than elsewhere, by the cost that the table shows; less than 3 % is a tie."""
    lines = []
    for name, by_peer in reports["inprocess"]["results"].items():
        ours = by_peer[OURS]
        ahead = sorted(
            (result["overhead"], TITLES[peer] + ("\\*" if result["note"] else ""))
            for peer, result in compared(by_peer).items()
            if result["cost"] < ours["cost"] * (1 - TIE)
        )
        if ahead:
            peers = ", ".join(f"{title} {number(value)}" for value, title in ahead)
            lines.append(f"- `{name}`: {number(ours['overhead'])} µs here; {peers}")
    return "\n".join(lines) or "Nothing in this run."


def pythons_table(reports: Reports) -> str:
    """Return our overheads and another's, on each Python that both were measured on."""
    runs = reports["pythons"]
    names = [name for name in reports["inprocess"]["results"] if all(name in run["results"] for run in runs.values())]
    rows = [[python_title(file, run), *(duel(run["results"][name]) for name in names)] for file, run in runs.items()]
    return table([f"CPython; MicroPie, {TITLES[RIVAL]}", *(f"`{name}`" for name in names)], rows)


def python_title(file: str, run: dict) -> str:
    """Return the version, and whose build it is if the file's name says that: `3.11-debian`."""
    whose = file.partition("-")[2]
    return run["python"] + (f" ({whose.title()})" if whose else "")


def duel(by_peer: dict[str, dict]) -> str:
    """Return both overheads, the smaller one bold; one with a note did something else."""
    ours, theirs = by_peer[OURS], by_peer[RIVAL]
    texts = [number(result["overhead"]) for result in (ours, theirs)]
    if theirs["note"]:
        texts[1] += "\\*"
    else:
        smaller = int(theirs["overhead"] < ours["overhead"])
        texts[smaller] = f"**{texts[smaller]}**"
    return ", ".join(texts)


def startup_table(reports: Reports) -> str:
    results = reports["startup"]["results"]
    head = ["", "import and app, CPU ms", "resident memory, MB", "modules", "on disk, kB"]
    rows = [
        [
            TITLES[peer],
            f"{r['milliseconds']:.1f}",
            f"{r['megabytes']:.1f}",
            f"{r['modules']:g}",
            f"{r['disk_kilobytes']:.0f}",
        ]
        for peer, r in results.items()
    ]
    return table(head, rows)


SERVERS = {
    "uvicorn": "On Uvicorn",
    "granian": "On Granian",
    "own": "On servers of their own (hand-written, MicroPie and Emmett55: Granian)",
}


def server_tables(reports: Reports) -> str:
    """Return a table for each server: peers as rows, and what a request takes of the server's core."""
    return "\n\n".join(
        f"{SERVERS[server]}:\n\n{server_table(by_workload)}"
        for server, by_workload in reports["server"]["results"].items()
    )


def server_table(by_workload: dict[str, dict[str, dict]]) -> str:
    peers = dict.fromkeys(peer for by_peer in by_workload.values() for peer in by_peer)
    rows = [
        [TITLES[peer], *(server_cell(peer, by_peer.get(peer)) for by_peer in by_workload.values())] for peer in peers
    ]
    return table(["", *(f"`{workload}`" for workload in by_workload)], rows)


def server_cell(peer: str, result: dict | None) -> str:
    if result is None:
        return "-"
    share = f"{result['rate']:,}/s" if peer == BASELINE else f"{result['share']:.2f}"
    # Results from before the waiting was measured have none.
    waited = "" if result["waited"] is None else f" + {number(result['waited'])}"
    return f"{share} ({number(result['cpu'])}{waited} µs)" + ("\\*" if result["given_up"] else "")


def server_note(reports: Reports) -> str:
    """Say how far the machine was quiet."""
    every = [
        one for kind in reports["server"]["results"].values() for by_peer in kind.values() for one in by_peer.values()
    ]
    if any(one["waited"] is None for one in every):
        return "These figures are older than the look at how long a server waits for its core."
    repeated, given_up = (sum(one[key] for one in every) for key in ("repeated", "given_up"))
    text = f"{repeated} turns were repeated, since others had the core for more than 2 % of their time; "
    if not given_up:
        return text + "none of those is counted."
    return text + (
        f"\\*: {given_up} such turns are counted all the same, as no repetition was better. "
        "Figures with it are those of a busy machine."
    )


def instructions_table(reports: Reports) -> str:
    figures = reports["instructions"]
    kinds = next(iter(figures.values()))
    rows = [[f"Python {version}", *map(str, counts.values())] for version, counts in figures.items()]
    return table(["", *(f"`{kind}`" for kind in kinds)], rows)


def load_list(reports: Reports) -> str:
    """Return what each part of the load benchmark found, a line each."""
    load = reports["load"]
    sync, sessions = load["sync"], load["sessions"]
    readers = " and ".join(f"{number(found['growth_mib'])} MiB" for found in load["stream"].values())
    uploads = ", ".join(
        f"{TITLES[peer]} {found['mib_per_second']:,} MiB/s in {found['peak_mib'] - found['before_mib']:.1f} MiB"
        for peer, found in load["upload"].items()
    )
    handlers = (
        f"{sync['clients']} clients on a handler that sleeps 20 ms get {sync['requests_per_second']:,} requests "
        f"a second of the {sync['bound_per_second']:,} that the pool allows; another route's p99 beside them is "
        f"{sync['other_route_beside']['p99_ms']:.1f} ms."
    )
    streams = (
        f"1,000 on a stream: once their buffers are full, memory grows by {readers} (an async and a sync generator)."
    )
    stored = (
        f"With {sessions['stored']:,} in memory the slowest request that cleans up takes "
        f"{sessions['all_expired']['max_ms']:.2f} ms."
    )
    parts = {"Sync handlers.": handlers, "Slow readers.": streams, "Sessions.": stored}
    parts["Uploads"] = f"of 128 MiB, with the memory that they take: {uploads}."
    return "\n".join(f"- **{title}** {text}" for title, text in parts.items())


def idle_list(reports: Reports) -> str:
    """Return what connections hold while nothing happens."""
    http, sockets = reports["idle"]["http"], reports["idle"]["websocket"]
    objects = ", ".join(f"{count:,} {kind}" for kind, count in http["objects"].items()) or "no object of MicroPie"
    each = sockets["bytes_each"]
    return (
        f"- **Idle connections.** {http['connections']:,} that were answered once, and are kept alive, hold {objects}: "
        "no request, no session. (Uvicorn keeps the scope of each one's last request.)\n"
        f"- **Live WebSockets.** Each of {sockets['sockets']:,} that have echoed a message and wait holds "
        f"{each['micropie'] / 1000:.1f} kB of MicroPie's beside {each['server'] / 1000:.1f} kB of the server's."
    )


def large_bodies_table(reports: Reports) -> str:
    """Return what each of the largest bodies costs each framework, and what others wait meanwhile."""
    results = reports["large_bodies"]["results"]
    peers = list(max(results.values(), key=len))
    rows = [[name, *(large_body_cell(by_peer.get(peer)) for peer in peers)] for name, by_peer in results.items()]
    return table(["16 MiB of", *(TITLES[peer] for peer in peers)], rows)


def large_body_cell(found: dict | None) -> str:
    if found is None:
        return "-"
    refused = "" if found["status"] == HTTPStatus.OK else f" ({found['status']})"
    return f"{found['ms_per_mib']:.0f} ms, {found['longest_wait_ms']:,.0f} ms{refused}"


def machine(reports: Reports, name: str) -> str:
    """Return where and how a report was made."""
    report = reports[name]
    host = report["machine"]
    return (
        f"{host['cpu']}, {host['cores']} cores, {host['system']}, CPython {report['python']}, {report['rounds']} rounds"
    )


def versions(reports: Reports) -> str:
    """Return each peer's packages with their versions."""
    found = reports["inprocess"]["versions"]
    return (
        "; ".join(
            f"{TITLES[peer]}: " + ", ".join(f"{package} {version}" for package, version in packages.items())
            for peer, packages in found.items()
        )
        + "."
    )


def server_versions(reports: Reports) -> str:
    """Return the versions of the servers, and of those that are nowhere else."""
    installed = reports["server"]["versions"]
    others = {peer: packages for peer, packages in installed.items() if peer not in reports["inprocess"]["versions"]}
    servers = {name: installed[BASELINE][name] for name in ("uvicorn", "granian", "uvloop")}
    return ", ".join(f"{name} {number}" for one in (servers, *others.values()) for name, number in one.items()) + "."


FIGURES: dict[str, Callable[[Reports], str]] = {
    "inprocess": inprocess_table,
    "pythons": pythons_table,
    "behind": behind,
    "startup": startup_table,
    "server": server_tables,
    "server-note": server_note,
    "load": load_list,
    "idle": idle_list,
    "large-bodies": large_bodies_table,
    "large-bodies-machine": lambda reports: machine(reports, "large_bodies") + ", the least of them.",
    "instructions": instructions_table,
    "versions": versions,
    "server-versions": server_versions,
    "inprocess-machine": lambda reports: (
        machine(reports, "inprocess") + f", the {reports['inprocess']['cost']} of each."
    ),
    "startup-machine": lambda reports: machine(reports, "startup") + ", medians.",
    "server-machine": lambda reports: (
        machine(reports, "server")
        + f" of {reports['server']['seconds']} s, {reports['server']['connections']} connections: "
        + "medians of the rates, the least CPU times."
    ),
}


def written(page: str, reports: Reports) -> str:
    """Return the page with the figures of these reports."""
    return MARKED.sub(lambda found: f"{found[1]}{FIGURES[found[2]](reports)}\n{found[3]}", page)


def outcome(root: Path) -> dict[Path, str]:
    """Return each file that is made from the results, and what it should contain."""
    folder = root / "benchmarks" / "results"
    reports = {file.stem: json.loads(file.read_text("utf-8")) for file in folder.glob("*.json")}
    reports["pythons"] = {
        file.stem: json.loads(file.read_text("utf-8")) for file in sorted(folder.glob("pythons/*.json"))
    }
    reports["instructions"] = json.loads((root / "benchmarks" / "instructions.json").read_text("utf-8"))
    docs = root / "docs"
    page = docs / "performance.md"
    files = {docs / "images" / name: draw(reports) for name, draw in PICTURES.items()}
    return {**files, page: written(page.read_text("utf-8"), reports)}


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bench charts", description=__doc__.partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing; fail if something is not up to date")
    parser.add_argument("--root", type=Path, default=ROOT, metavar="FOLDER", help="the checkout")
    return parser.parse_args()


def main() -> int:
    options = arguments()
    files = outcome(options.root)
    stale = [file for file, text in files.items() if not file.exists() or file.read_text("utf-8") != text]
    if options.check:
        for file in stale:
            print(f"{file.relative_to(options.root)} is not what the results give: run scripts/bench charts")
        return bool(stale)
    for file in stale:
        file.parent.mkdir(exist_ok=True)
        file.write_text(files[file], "utf-8")
        print(f"wrote {file.relative_to(options.root)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
