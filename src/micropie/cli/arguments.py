"""Arguments that several commands have in common."""

import argparse
import os
from collections.abc import Callable
from typing import NoReturn, TypeAlias

from micropie.cli.errors import UsageError
from micropie.cli.output import printable

Commands: TypeAlias = "argparse._SubParsersAction[Parser]"
RunCommand = Callable[[argparse.Namespace], int]

MAX_NUMBER = 999_999
MAX_SHOWN = 50  # characters of a wrong value
_TARGET = "module:name, a file, or a folder; the application of this folder if it is left out"


class Parser(argparse.ArgumentParser):
    """A parser whose messages are safe to show."""

    def error(self, message: str) -> NoReturn:
        """Exit with the status 2 and a message."""
        super().error(printable(message))


def add_command(commands: Commands, run: RunCommand, name: str, description: str) -> Parser:
    """Add a command; `run` is called with its options and returns the exit status."""
    made = commands.add_parser(name, help=description, description=f"{description[0].upper()}{description[1:]}.")
    made.set_defaults(command=run)
    return made


def add_command_with_target(commands: Commands, run: RunCommand, name: str, description: str) -> Parser:
    """Add a command about an application, which is its first argument."""
    made = add_command(commands, run, name, description)
    made.add_argument("target", nargs="?", help=_TARGET)
    return made


def number_in(text: str, least: int, most: int = MAX_NUMBER) -> int | None:
    """The decimal number that a text is, None if it is none or out of bounds."""
    digits = text if text.isdecimal() and len(text) <= len(str(most)) else ""  # int() refuses very many
    return int(digits) if digits and least <= int(digits) <= most else None


def worker_count(text: str) -> int:
    """The value of `--workers`."""
    if (count := number_in(text, 1)) is not None:
        return count
    raise argparse.ArgumentTypeError(f"{text[:MAX_SHOWN]!r} is no number of processes: 1 or more are wanted")


def workers_from_environment() -> int:
    """The number of processes in `$WEB_CONCURRENCY`, 1 if it is not set. `UsageError` if it is no number."""
    text = os.environ.get("WEB_CONCURRENCY", "") or "1"
    if (count := number_in(text, 1)) is not None:
        return count
    raise UsageError(f"WEB_CONCURRENCY={text[:MAX_SHOWN]!r} is no number of processes: 1 or more are wanted")
