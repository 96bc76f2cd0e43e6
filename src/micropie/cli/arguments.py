"""Arguments and output that several commands have in common."""

import argparse
import os
import sys
from collections.abc import Callable, Iterable
from typing import TypeAlias

from micropie.cli.errors import UsageError

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
RunCommand = Callable[[argparse.Namespace], int]

_TARGET = "module:name, a file, or a folder; the application of this folder if it is left out"


def add_command(commands: Commands, run: RunCommand, name: str, description: str) -> argparse.ArgumentParser:
    """Add a command; `run` is called with its options and returns the exit status."""
    made = commands.add_parser(name, help=description, description=f"{description[0].upper()}{description[1:]}.")
    made.set_defaults(command=run)
    return made


def add_command_with_target(
    commands: Commands, run: RunCommand, name: str, description: str
) -> argparse.ArgumentParser:
    """Add a command about an application, which is its first argument."""
    made = add_command(commands, run, name, description)
    made.add_argument("target", nargs="?", help=_TARGET)
    return made


def worker_count(text: str) -> int:
    """The value of `--workers`."""
    if text.isdecimal() and int(text):
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is no number of processes: 1 or more are wanted")


def workers_from_environment() -> int:
    """The number of processes in `$WEB_CONCURRENCY`, 1 if it is not set. `UsageError` if it is no number."""
    text = os.environ.get("WEB_CONCURRENCY", "") or "1"
    if text.isdecimal() and int(text):
        return int(text)
    raise UsageError(f"WEB_CONCURRENCY={text!r} is no number of processes: 1 or more are wanted")


def print_lines(lines: Iterable[str]) -> None:
    """Write lines on stdout."""
    for line in lines:
        sys.stdout.write(f"{line}\n")
