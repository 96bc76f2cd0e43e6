"""`micropie run`: serves an application with the server that is installed."""

import argparse
import inspect

from micropie import run
from micropie.cli.arguments import Commands, add_command_with_target, worker_count, workers_from_environment
from micropie.cli.errors import UsageError
from micropie.cli.target import load

MAX_PORT = 65535
DEFAULTS = {name: one.default for name, one in inspect.signature(run).parameters.items() if name != "app"}


def add_run(commands: Commands) -> None:
    """Declare `micropie run`; its options are called like the keywords of `micropie.run`."""
    command = add_command_with_target(commands, serve, "run", "serve an application, with Granian or Uvicorn")
    command.add_argument("--host", default=DEFAULTS["host"], help="address to listen at (%(default)s)")
    command.add_argument("--port", type=port, default=DEFAULTS["port"], metavar="N", help="port (%(default)s)")
    command.add_argument("--uds", metavar="PATH", help="Unix socket to listen at, instead of a port")
    several = command.add_mutually_exclusive_group()
    several.add_argument(
        "--workers", type=worker_count, metavar="N", help="processes that serve ($WEB_CONCURRENCY, or one)"
    )
    several.add_argument("--reload", action="store_true", help="start again when a file has changed")
    several.add_argument("--dev", action="store_true", help="that, and debug pages for who is on this machine")
    command.add_argument("--tls-cert", metavar="FILE", help="certificate, for https")
    command.add_argument("--tls-key", metavar="FILE", help="its key")
    command.add_argument("--server", choices=("granian", "uvicorn"), help="the server; else what is installed")


def port(text: str) -> int:
    """The value of `--port`."""
    if text.isdecimal() and int(text) <= MAX_PORT:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is no port: a number from 0 to {MAX_PORT} is wanted")


def serve(options: argparse.Namespace) -> int:
    """Serve the application until Ctrl-C. `SystemExit` with a line for the user if it can't be served."""
    if (options.tls_cert is None) != (options.tls_key is None):
        raise UsageError("--tls-cert and --tls-key belong together: give both")
    if options.workers is None:
        options.workers = 1 if options.reload or options.dev else workers_from_environment()
    run(load(options.target).value, **{name: getattr(options, name) for name in DEFAULTS})
    return 0
