"""The counted price of a request: `benchmarks/instructions.py` and the figures beside it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "instructions.py"
FIGURES = SCRIPT.with_suffix(".json")
VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"


def counted(*arguments):
    """Run the script; give its exit status and its lines."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "COV"))}
    ran = subprocess.run(
        [sys.executable, SCRIPT, *arguments],
        capture_output=True, text=True, check=False, timeout=60, env=environment,
    )  # fmt: skip
    return ran.returncode, (ran.stdout + ran.stderr).splitlines()


@pytest.fixture
def figures(tmp_path):
    """Give a file with figures of this version that were just made."""
    file = tmp_path / "figures.json"
    status, lines = counted("--update", "--figures", file)
    assert status == 0, lines
    return file


def changed(file, change):
    """Write figures in which this version's are changed."""
    known = json.loads(file.read_text())
    known[VERSION] = change(known[VERSION])
    file.write_text(json.dumps(known))


def test_requests_cost_no_more_than_committed():
    """No kind of request takes over 1 % more instructions than the committed figure of this Python version.

    A version without figures passes when it is newer than all that have them: the script checks that.
    """
    status, lines = counted()
    assert status == 0, "\n".join(lines)


def test_figures_are_whole():
    """Every version's figures name the same kinds of requests, and each of them runs code of ours."""
    known = json.loads(FIGURES.read_text())
    kinds = ["json", "path", "query", "echo", "typed", "visits", "mw", "stream"]
    assert [list(counts) for counts in known.values()] == [kinds] * len(known)
    assert min(count for counts in known.values() for count in counts.values()) > 50


def test_counts_repeat(figures):
    """What was just counted is counted again, to the instruction."""
    known = json.loads(figures.read_text())[VERSION]
    _, lines = counted("--figures", figures)
    assert [line.split() for line in lines] == [[kind, str(n), "committed:", str(n)] for kind, n in known.items()]


def test_more_is_a_failure(figures):
    """A count that is over 1 % above its figure fails, and the message says what to do."""
    changed(figures, lambda known: {**known, "json": int(known["json"] / 1.02)})
    status, lines = counted("--figures", figures)
    assert status == 1
    assert lines[-2].startswith("json: ")
    assert lines[-1].endswith("python benchmarks/instructions.py --update")


def test_a_little_more_is_none(figures):
    """A count that is within 1 % of its figure passes."""
    changed(figures, lambda known: {kind: round(count * 0.995) for kind, count in known.items()})
    assert counted("--figures", figures)[0] == 0


@pytest.mark.parametrize(("known", "status"), [("3.9", 0), ("99.0", 1)])
def test_unknown_version(tmp_path, known, status):
    """A Python version without figures passes if it is newer than all that have them, and says so."""
    file = tmp_path / "figures.json"
    file.write_text(json.dumps({known: {"json": 1}}))
    code, lines = counted("--figures", file)
    assert code == status
    assert any(f"Python {VERSION}" in line and "--update" in "".join(lines) for line in lines)


def test_other_versions_stay(figures):
    """An update writes this version's figures and keeps the others'."""
    known = json.loads(figures.read_text())
    figures.write_text(json.dumps({"3.9": {"json": 1}, VERSION: {"json": 1}}))
    counted("--update", "--figures", figures)
    assert json.loads(figures.read_text()) == {"3.9": {"json": 1}, **known}
