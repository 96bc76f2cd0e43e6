"""How many bytecode instructions of ours a request takes: a figure that no busy machine changes.

The instructions executed in MicroPie's own frames are counted, not those of the handler, the driver, the standard
library or C code. Run it with the tests' environment (`.venv/bin/python` after `scripts/test`).
"""

import argparse
import asyncio
import json
import os
import platform
import sys
from pathlib import Path
from statistics import median_low

HERE = Path(__file__).resolve().parent
SOURCE = HERE.parent / "src"
sys.path[:0] = [str(HERE), str(SOURCE)]

import orjson  # noqa: F401, E402  (MicroPie takes it when it is there, which changes the count)
from apps.micropie import APPS  # noqa: E402
from worker import HttpDriver, settle  # noqa: E402
from workloads import WORKLOADS  # noqa: E402

FIGURES = HERE / "instructions.json"
COUNTED = ("json", "path", "query", "echo", "typed", "visits", "mw", "stream")
WARM_UP, REQUESTS = 20, 21
TOLERANCE = 0.01
VERSION = ".".join(platform.python_version_tuple()[:2])
UPDATE = "python benchmarks/instructions.py --update"


class Counter:
    """Counts the instructions executed in the frames of files below a folder.

    Python 3.12 and newer count a function only once it has been entered with its instructions asked for before: run
    what is to be counted under a counter first.
    """

    def __init__(self, folder: Path) -> None:
        self.prefix = str(folder) + os.sep
        self.count = 0

    def __enter__(self):
        sys.settrace(self.enter)
        return self

    def __exit__(self, *_exception):
        sys.settrace(None)

    def enter(self, frame, _event, _argument):
        """Follow a frame of ours; a coroutine's is entered each time that it goes on."""
        if not frame.f_code.co_filename.startswith(self.prefix):
            return None
        frame.f_trace_lines = False
        frame.f_trace_opcodes = True
        return self.step

    def step(self, _frame, event, _argument):
        self.count += event == "opcode"
        return self.step


async def instructions(workload: str) -> int:
    """Return how many instructions a request takes once everything is warm.

    The median of several, so that what happens once in a while (a look at old sessions, say) doesn't count.
    """
    driver = HttpDriver(APPS.get(workload, APPS["default"]), WORKLOADS[workload])
    if workload == "visits":
        await driver.log_in()
    with Counter(SOURCE / "micropie"):
        await driver.burst(WARM_UP)
    counts = []
    for _ in range(REQUESTS):
        with Counter(SOURCE / "micropie") as counter:
            await driver.burst(1)
            await settle()
        counts.append(counter.count)
    driver.verify()
    return median_low(counts)


def complaints(counts: dict[str, int], figures: dict[str, dict[str, int]]) -> list[str]:
    """Return what is worse than the committed figures of this Python version."""
    if VERSION not in figures:
        return [] if is_newer(VERSION, figures) else [f"Python {VERSION} has no figures; add them: {UPDATE}"]
    return [
        f"{workload}: {count} instructions per request, committed are {figures[VERSION][workload]} on Python {VERSION}"
        for workload, count in counts.items()
        if count > figures[VERSION][workload] * (1 + TOLERANCE)
    ]


def is_newer(version: str, figures: dict[str, dict[str, int]]) -> bool:
    """Return whether a version came out after all that have figures."""
    return all(parts(version) > parts(known) for known in figures)


def parts(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


def update(counts: dict[str, int], file: Path, figures: dict[str, dict[str, int]]) -> None:
    """Write the counts as this version's figures; those of other versions stay."""
    everything = sorted({**figures, VERSION: counts}.items(), key=lambda item: parts(item[0]))
    file.write_text(json.dumps(dict(everything), indent=1) + "\n")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bench instructions", description=__doc__.partition("\n")[0])
    parser.add_argument("--update", action="store_true", help="write the counts as this Python version's figures")
    parser.add_argument("--figures", type=Path, default=FIGURES, metavar="FILE", help="the committed figures")
    return parser.parse_args()


def main() -> int:
    options = arguments()
    figures = json.loads(options.figures.read_text()) if options.figures.exists() else {}
    counts = {workload: asyncio.run(instructions(workload)) for workload in COUNTED}
    if options.update:
        update(counts, options.figures, figures)
    known = figures.get(VERSION, {})
    for workload, count in counts.items():
        print(f"{workload:8}{count:6}  committed: {known.get(workload, 'nothing')}")
    if options.update:
        print("The page of the docs shows them: scripts/bench charts")
        return 0
    if VERSION not in figures and is_newer(VERSION, figures):
        print(f"Python {VERSION} is newer than all that have figures: nothing to compare with; add them: {UPDATE}")
    worse = complaints(counts, figures)
    if worse:
        print(
            *worse, f"If that is worth it, say why in the commit, and update each version's figures: {UPDATE}", sep="\n"
        )
    return bool(worse)


if __name__ == "__main__":
    os.chdir(HERE / "apps")  # where `templates` is
    sys.exit(main())
