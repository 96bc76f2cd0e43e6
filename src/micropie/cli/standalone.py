"""`micropie standalone`: prints the whole core as one file, made of what is installed."""

import argparse
import io
import sys
from importlib.metadata import Distribution, PackageNotFoundError
from pathlib import Path

from micropie.cli.amalgamation import generate
from micropie.cli.arguments import Commands, add_command
from micropie.cli.errors import CommandError

_PACKAGE = Path(__file__).resolve().parents[1]


def add_standalone(commands: Commands) -> None:
    """Declare `micropie standalone`."""
    add_command(commands, print_one_file, "standalone", "print the whole framework as one file")


def print_one_file(_options: argparse.Namespace) -> int:
    """Print the one file, in UTF-8 as Python reads it, whatever the terminal's encoding is."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8")
    sys.stdout.write(generate(_PACKAGE, licence("micropie")))
    return 0


def licence(distribution: str) -> str:
    """The text of a distribution's licence, which goes where the code goes; of the checkout if none is installed."""
    try:
        files = Distribution.from_name(distribution).files or []
    except PackageNotFoundError:
        files = []
    for file in files:
        if file.name == "LICENSE":
            return file.read_text(encoding="utf-8")
    checkout = _PACKAGE.parents[1] / "LICENSE"
    if checkout.is_file():
        return checkout.read_text(encoding="utf-8")
    raise CommandError("the licence that belongs into the file is not there: install MicroPie with pip")
