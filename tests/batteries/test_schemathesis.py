"""Schemathesis against examples/todo_api, and against a richer application: what the document promises is kept."""

import re
import subprocess
import sys
from pathlib import Path

from tests.integrations.serving import SECONDS, serving

SCHEMATHESIS = Path(sys.executable).with_name("schemathesis")

OPTIONS = ("--seed", "1", "--no-color", "--generation-database", "none")
"""The same cases in each run."""


def examined(application: str, tmp_path: Path, *options: str) -> str:
    """What Schemathesis reports of an application, of which it finds nothing wrong."""
    with serving(application, tmp_path / "log") as server:
        run = subprocess.run(
            [SCHEMATHESIS, "run", f"{server.url}/openapi.json", *OPTIONS, *options],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=3 * SECONDS,
            check=False,
        )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "warning" not in run.stdout.lower()
    return run.stdout


def test_schemathesis_finds_nothing(tmp_path):
    """Right and wrong requests, alone and in sequence: every check, in every phase."""
    report = examined("tests.batteries.quiet:todo", tmp_path, "--checks", "all", "--max-examples", "25")
    assert "Tested: 7" in report
    assert int(re.findall(r"(\d+) generated", report)[0]) > 100


def test_schemathesis_finds_nothing_in_a_rich_document(tmp_path):
    """Unions, generic records, files, forms and streams. That more is taken than the document says is no fault."""
    report = examined(
        "tests.batteries.quiet:shop",
        tmp_path,
        *("--checks", "all", "--exclude-checks", "negative_data_rejection", "--max-examples", "5"),
        *("--header", "Authorization: Bearer kite"),
    )
    assert "Tested: 14" in report
    assert int(re.findall(r"(\d+) generated", report)[0]) > 200
