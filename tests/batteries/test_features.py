"""docs/features.md: what it says of MicroPie is what a site on a real server answers."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_page_is_right_about_us():
    """Every cell of our column, asked again."""
    asked = subprocess.run(
        [sys.executable, ROOT / "benchmarks" / "answers.py", "--check"], capture_output=True, text=True, check=False
    )
    assert (asked.stdout, asked.returncode) == ("nothing\n", 0)
