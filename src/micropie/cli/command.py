"""The commands and their options; what becomes of errors, and the exit status.

0: done; 1: it could not be done, or `check` found something; 2: a wrong option; 130: Ctrl-C.
"""

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import TypeAlias

from micropie import __version__
from micropie.cli.ink import Ink
from micropie.cli.loading import load_app
from micropie.cli.project import new_project
from micropie.cli.refusal import Refusal, UsageRefusal
from micropie.cli.review import review
from micropie.cli.serving import DEFAULTS, Options, serve, workers_by_environment
from micropie.cli.standalone import standalone
from micropie.cli.url_map import url_map
from micropie.openapi import openapi

MAX_PORT = 65535
INTERRUPTED = 130  # 128 + SIGINT, as shells count
_TARGET = "module:name, a file, or a folder; the application of this folder if it is left out"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; the exit status. `SystemExit` for a wrong option, and from `--help`."""
    options = parser().parse_args(arguments)
    command: Callable[[argparse.Namespace], int] = options.command
    try:
        return _flushed(command(options))
    except Refusal as refusal:
        return _told(str(refusal), refusal.status)
    except KeyboardInterrupt:
        return _told("interrupted", INTERRUPTED)
    except BrokenPipeError:  # `micropie routes | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nor does Python's exit find it broken
        return 1


def _flushed(status: int) -> int:
    sys.stdout.flush()
    return status


def _told(message: str, status: int) -> int:
    sys.stderr.write(f"{Ink(sys.stderr)('micropie:', 'red')} {message}\n")
    return status


def _print(lines: Iterable[str]) -> None:
    for line in lines:
        sys.stdout.write(f"{line}\n")


# -- options --------------------------------------------------------------------------------------------


def parser() -> argparse.ArgumentParser:
    """All commands."""
    whole = argparse.ArgumentParser(prog="micropie", description="Serve a MicroPie application, and see what is in it.")
    whole.add_argument("--version", action="version", version=f"MicroPie {__version__}")
    commands = whole.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_run(commands)
    _add_routes(commands)
    _add_check(commands)
    _add_openapi(commands)
    _add_new(commands)
    _add(commands, _standalone, "standalone", "print the whole framework as one file")
    return whole


Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
Run = Callable[[argparse.Namespace], int]


def _add(commands: Commands, run: Run, name: str, what: str) -> argparse.ArgumentParser:
    made = commands.add_parser(name, help=what, description=f"{what[0].upper()}{what[1:]}.")
    made.set_defaults(command=run)
    return made


def _add_with_target(commands: Commands, run: Run, name: str, what: str) -> argparse.ArgumentParser:
    made = _add(commands, run, name, what)
    made.add_argument("target", nargs="?", help=_TARGET)
    return made


def _add_run(commands: Commands) -> None:
    made = _add_with_target(commands, _run, "run", "serve an application, with Granian or Uvicorn")
    made.add_argument("--host", default=DEFAULTS["host"], help="address to listen at (%(default)s)")
    made.add_argument("--port", type=_port, default=DEFAULTS["port"], metavar="N", help="port (%(default)s)")
    made.add_argument("--uds", metavar="PATH", help="Unix socket to listen at, instead of a port")
    several = made.add_mutually_exclusive_group()
    several.add_argument("--workers", type=_count, metavar="N", help="processes that serve ($WEB_CONCURRENCY, or one)")
    several.add_argument("--reload", action="store_true", help="start again when a file has changed")
    several.add_argument("--dev", action="store_true", help="that, and debug pages for who is on this machine")
    made.add_argument("--tls-cert", metavar="FILE", help="certificate, for https")
    made.add_argument("--tls-key", metavar="FILE", help="its key")
    made.add_argument("--server", choices=("granian", "uvicorn"), help="the server; else what is installed")


def _run(options: argparse.Namespace) -> int:
    if (options.tls_cert is None) != (options.tls_key is None):
        raise UsageRefusal("--tls-cert and --tls-key belong together: give both")
    if options.workers is None:
        options.workers = 1 if options.reload or options.dev else workers_by_environment()
    serve(options.target, Options(*(getattr(options, name) for name in Options._fields)))
    return 0


def _port(text: str) -> int:
    if text.isdecimal() and int(text) <= MAX_PORT:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is no port: a number from 0 to {MAX_PORT} is wanted")


def _count(text: str) -> int:
    if text.isdecimal() and int(text):
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is no number of processes: 1 or more are wanted")


def _add_routes(commands: Commands) -> None:
    made = _add_with_target(commands, _routes, "routes", "list what an application answers")
    made.add_argument("--json", action="store_true", help="for programs")


def _routes(options: argparse.Namespace) -> int:
    _print(url_map(options.target, as_json=options.json, ink=Ink(sys.stdout)))
    return 0


def _add_check(commands: Commands) -> None:
    made = _add_with_target(commands, _check, "check", "look for mistakes in an application")
    made.add_argument(
        "--workers", type=_count, metavar="N", help="processes that will serve it ($WEB_CONCURRENCY, or one)"
    )


def _check(options: argparse.Namespace) -> int:
    found = review(options.target, workers=options.workers or workers_by_environment())
    _print(map(str, found))
    count = f"{len(found)} finding{'' if len(found) == 1 else 's'}" if found else "nothing found"
    sys.stderr.write(f"{Ink(sys.stderr)(count, 'red' if found else 'green')}\n")
    return 1 if found else 0


def _add_openapi(commands: Commands) -> None:
    made = _add_with_target(commands, _openapi, "openapi", "print the OpenAPI document of an application")
    made.add_argument("--title", help="its title; else the name of the class")
    made.add_argument("--api-version", default="1.0.0", metavar="VERSION", help="the API's version (%(default)s)")
    made.add_argument("--server", action="append", default=[], metavar="URL", help="where it is served; repeatable")


def _openapi(options: argparse.Namespace) -> int:
    app, _ = load_app(options.target)
    document = openapi(app, title=options.title, version=options.api_version, servers=options.server)
    _print([json.dumps(document, indent=2, ensure_ascii=False)])
    return 0


def _add_new(commands: Commands) -> None:
    made = _add(commands, _new, "new", "write a small application to start from, with its tests")
    made.add_argument("name", help="the new folder")


def _new(options: argparse.Namespace) -> int:
    _print(new_project(options.name))
    return 0


def _standalone(_options: argparse.Namespace) -> int:
    sys.stdout.write(standalone())
    return 0
