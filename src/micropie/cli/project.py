"""`micropie new`: a small application to start from, with its tests.

The files are in `starter`, each with `.txt` behind its name: there they are neither modules nor configuration.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from micropie.cli.loading import shown
from micropie.cli.refusal import Refusal, UsageRefusal

_STARTER = Path(__file__).resolve().parent / "starter"
_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")  # what a package may be called


def new_project(where: str) -> Iterator[str]:
    """Write the files of a new project into a new folder; the lines that the command prints."""
    folder = Path(where)
    if not _NAME.fullmatch(folder.name):
        raise UsageRefusal(f"{folder.name!r} can't name a project: letters, digits, '-', '_' and '.' can")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise Refusal(f"{where} is there already: choose another name")
    try:
        yield from (f"  {shown(path)}" for path in write_starter(folder))
    except OSError as error:
        raise Refusal(f"{error.filename} can't be written: {error.strerror}") from None
    yield f"Now: cd {where}, and micropie run --dev"


def write_starter(folder: Path) -> Iterator[Path]:
    """Write the files, and tell of each."""
    for source in sorted(_STARTER.rglob("*.txt")):
        path = folder / source.relative_to(_STARTER).with_suffix("")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source.read_text(encoding="utf-8").replace("PROJECT", folder.name), encoding="utf-8")
        yield path
