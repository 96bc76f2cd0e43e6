"""What every benchmark says beside its figures: the machine, and where its JSON goes."""

import argparse
import json
import os
import platform
from pathlib import Path

RESULTS = Path(__file__).resolve().parent / "results"


def cpu_model() -> str:
    """Return the processor's name, as far as the system tells it."""
    information = Path("/proc/cpuinfo")
    names = (
        [line for line in information.read_text().splitlines() if "model name" in line] if information.exists() else []
    )
    return names[0].partition(":")[2].strip() if names else platform.processor() or "unknown"


def machine() -> dict:
    return {"cpu": cpu_model(), "cores": os.cpu_count(), "system": platform.system()}


def columns(rows: list[list[str]]) -> str:
    """Return rows of texts as a table: the first column to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join([first.ljust(widths[0]), *(text.rjust(w) for text, w in zip(others, widths[1:], strict=True))])
        for first, *others in rows
    ]
    return "\n".join(lines)


def add_options(parser: argparse.ArgumentParser, name: str) -> None:
    """Add the two ways to keep a result to a benchmark's options."""
    file = RESULTS / f"{name}.json"
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the result to this file")
    parser.add_argument(
        "--save",
        dest="json",
        action="store_const",
        const=file,
        help=f"the same, to {file.relative_to(RESULTS.parent.parent)}: what the charts are drawn from",
    )


def write(file: Path | None, report: dict) -> None:
    """Write a report, if somebody wants it."""
    if file is not None:
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n")
