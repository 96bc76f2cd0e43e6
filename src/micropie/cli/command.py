"""The command `micropie`: its parser, its exit status, and how errors are told.

The exit status is 0 when all is done; 1 if it could not be done, or `check` found something; 2 for a wrong option; 130
after Ctrl-C.
"""

import argparse
import os
import sys
from collections.abc import Callable, Sequence

from micropie import __version__
from micropie.cli.arguments import Parser
from micropie.cli.check.check import add_check
from micropie.cli.errors import CommandError
from micropie.cli.new import add_new
from micropie.cli.openapi import add_openapi
from micropie.cli.output import tell
from micropie.cli.routes import add_routes
from micropie.cli.run import add_run
from micropie.cli.standalone import add_standalone

INTERRUPTED = 130  # 128 + SIGINT, as shells count
COMMANDS = (add_run, add_routes, add_check, add_openapi, add_new, add_standalone)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command that `arguments` say; its exit status. `SystemExit` for a wrong option, and from `--help`.

    sys.exit(main(["routes", "app:app"]))
    """
    options = parser().parse_args(arguments)
    command: Callable[[argparse.Namespace], int] = options.command
    try:
        status = command(options)
        sys.stdout.flush()
    except CommandError as error:
        tell(str(error))
        return error.status
    except KeyboardInterrupt:
        tell("interrupted")
        return INTERRUPTED
    except BrokenPipeError:  # `micropie routes | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nor does Python's exit find it broken
        return 1
    return status


def parser() -> Parser:
    """The parser of the command line, with all commands."""
    whole = Parser(prog="micropie", description="Serve a MicroPie application, and see what is in it.")
    whole.add_argument("--version", action="version", version=f"MicroPie {__version__}")
    commands = whole.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for add_to in COMMANDS:
        add_to(commands)
    return whole
