"""Schemathesis against examples/todo_api: what the document promises, the application keeps."""

import re
import subprocess
import sys
from pathlib import Path

from tests.integrations.serving import SECONDS, serving

SCHEMATHESIS = Path(sys.executable).with_name("schemathesis")

OPTIONS = ("--checks", "all", "--max-examples", "25", "--seed", "1", "--no-color", "--generation-database", "none")
"""Every check, in every phase; the same cases in each run."""


def test_schemathesis_finds_nothing(tmp_path):
    """Right and wrong requests, alone and in sequence."""
    with serving("tests.batteries.todo:app", tmp_path / "log") as server:
        run = subprocess.run(
            [SCHEMATHESIS, "run", f"{server.url}/openapi.json", *OPTIONS],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=2 * SECONDS,
            check=False,
        )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "Tested: 7" in run.stdout
    assert int(re.findall(r"(\d+) generated", run.stdout)[0]) > 100
    assert "warning" not in run.stdout.lower()
