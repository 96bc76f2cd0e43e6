"""docs/command-line.md shows what the command really prints."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.batteries.commands import PATIENCE

PAGE = (Path(__file__).parents[2] / "docs" / "command-line.md").read_text(encoding="utf-8")
SHOWN = re.findall(r"```console\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
SHELL = f"""
micropie() {{ '{sys.executable}' -m micropie "$@"; }}
python() {{ '{sys.executable}' "$@"; }}
"""


@pytest.mark.parametrize("shown", SHOWN)
def test_output_is_real(project, shown):
    """What stands below a command is what it prints."""
    project.write(app=re.findall(r"```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)[0])
    for command, printed in re.findall(r"^\$ (.*?)\n(.*?)(?=^\$ |\Z)", shown, re.DOTALL | re.MULTILINE):
        outcome = subprocess.run(
            ["bash", "-c", SHELL + command],
            cwd=project.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert outcome.stdout.replace(str(project.folder), "/home/ann/pies") == printed, command


def test_every_option_is_described(project):
    """Each command has a part, and each option is in it."""
    commands = re.search(r"^commands:\n(.*)", project.call("--help").out, re.DOTALL | re.MULTILINE)
    assert commands is not None
    for name in re.findall(r"^    (\w+) ", commands[1], re.MULTILINE):
        part = PAGE.partition(f"\n## micropie {name}\n")[2].partition("\n## ")[0]
        assert part
        options = set(re.findall(r"--[a-z-]+", project.call(name, "--help").out)) - {"--help"}
        assert [option for option in options if f"`{option}" not in part] == []
