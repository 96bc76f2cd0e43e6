"""The blocks of a page, and the files that they are."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"

#: How a block names its file in its first line: in Python and configurations, in a template, in CSS, in JavaScript.
NAMED = re.compile(r"\A(?:# |\{# |/\* |// |<!-- )([\w./-]+\.\w+|Dockerfile)(?: #\}| \*/| -->)?\n")


class Block(NamedTuple):
    """A fenced block."""

    language: str
    text: str

    @property
    def file(self) -> str | None:
        """The file that it is; None for one that is only shown, or typed."""
        named = NAMED.match(self.text)
        return named[1] if named and self.language not in {"bash", "console"} else None


def blocks(page: Path) -> Iterator[Block]:
    """The blocks of a page, in order."""
    for found in re.finditer(r"^```([\w+]*)\n(.*?)^```$", page.read_text("utf-8"), re.DOTALL | re.MULTILINE):
        yield Block(found[1], found[2])


def write_files(page: Path, folder: Path) -> None:
    """Write the files that a page shows into a folder; a file that is shown twice is replaced."""
    for block in blocks(page):
        if block.file is not None:
            path = folder / block.file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text, "utf-8")


def typed(block: Block) -> Iterator[tuple[str, str]]:
    """Each command of a block, and what stands below it."""
    if block.language == "bash":
        yield from ((line, "") for line in block.text.splitlines())
    elif block.language == "console":
        yield from re.findall(r"^\$ (.*?)\n(.*?)(?=^\$ |\Z)", block.text, re.DOTALL | re.MULTILINE)
