"""`micropie new`: writes a small application to start from, with its tests.

The files are in `starter`, each with `.txt` behind its name: there they are neither modules nor configuration.
"""

import argparse
import re
from collections.abc import Iterator
from pathlib import Path

from micropie.cli.arguments import Commands, add_command
from micropie.cli.errors import CommandError, UsageError
from micropie.cli.output import print_lines, printable
from micropie.cli.target import short_path

_STARTER = Path(__file__).resolve().parent / "starter"
_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")  # what a package may be called


def add_new(commands: Commands) -> None:
    """Declare `micropie new`."""
    command = add_command(commands, write_project, "new", "write a small application to start from, with its tests")
    command.add_argument("name", help="the new folder")


def write_project(options: argparse.Namespace) -> int:
    """Write the files of a new project, and print their names."""
    print_lines(new_project(options.name))
    return 0


def new_project(where: str) -> Iterator[str]:
    """Write the files of a new project into a new folder, and yield the lines to print."""
    folder = Path(where)
    if not _NAME.fullmatch(folder.name):
        raise UsageError(f"{folder.name!r} can't name a project: letters, digits, '-', '_' and '.' can")
    try:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise CommandError(f"{where} is there already: choose another name")
        yield from (printable(f"  {short_path(path)}") for path in write_starter(folder))
    except OSError as error:
        raise CommandError(f"{error.filename} can't be written: {error.strerror}") from None
    yield printable(f"Now: cd {where}, and micropie run --dev")


def write_starter(folder: Path) -> Iterator[Path]:
    """Write the files of the starter into a folder, and yield their paths."""
    for source in sorted(_STARTER.rglob("*.txt")):
        path = folder / source.relative_to(_STARTER).with_suffix("")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source.read_text(encoding="utf-8").replace("PROJECT", folder.name), encoding="utf-8")
        yield path
