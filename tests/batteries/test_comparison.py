"""docs/comparison.md: what it says of MicroPie is so."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "comparison.md"


def said_wrong(page):
    """Ask MicroPie what the page says of it; give the exit status and the rows that are not so."""
    command = [sys.executable, ROOT / "benchmarks" / "defaults.py", "--check", "--page", page]
    ran = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False, timeout=120)
    return ran.returncode, ran.stdout.splitlines()


def test_the_page_is_right_about_micropie():
    """Each cell of MicroPie's column is what a site answers today."""
    assert said_wrong(PAGE) == (0, [])


def test_a_cell_that_is_wrong_is_named(tmp_path):
    """A cell that says something else is reported, with what should stand there."""
    page = tmp_path / "comparison.md"
    page.write_text(PAGE.read_text().replace("| none is lost |", "| all are lost |"))
    assert said_wrong(page) == (1, ["Sessions: | 20 writers of one session at once | none is lost |"])
