"""`micropie run`: serves an application with the server that is installed."""

import argparse
import inspect

from micropie import run
from micropie.cli.arguments import (
    MAX_SHOWN,
    Commands,
    add_command_with_target,
    number_in,
    worker_count,
    workers_from_environment,
)
from micropie.cli.errors import UsageError
from micropie.cli.target import load

MAX_PORT = 65535
MAX_GRACEFUL_TIMEOUT = 1800  # seconds; Granian's limit
DEFAULTS = {name: one.default for name, one in inspect.signature(run).parameters.items() if name != "app"}


def add_run(commands: Commands) -> None:
    """Declare `micropie run`; its options are called like the keywords of `micropie.run`."""
    command = add_command_with_target(commands, serve, "run", "serve an application, with Granian or Uvicorn")
    command.add_argument("--host", default=DEFAULTS["host"], help="address to listen at (%(default)s)")
    command.add_argument("--port", type=port, default=DEFAULTS["port"], metavar="N", help="port (%(default)s)")
    elsewhere = command.add_mutually_exclusive_group()
    elsewhere.add_argument("--uds", metavar="PATH", help="Unix socket to listen at, instead of a port")
    elsewhere.add_argument(
        "--fd", type=file_descriptor, metavar="N", help="socket that the process was given (Uvicorn)"
    )
    several = command.add_mutually_exclusive_group()
    several.add_argument(
        "--workers", type=worker_count, metavar="N", help="processes that serve ($WEB_CONCURRENCY, or one)"
    )
    several.add_argument("--reload", action="store_true", help="start again when a file has changed")
    several.add_argument("--dev", action="store_true", help="that, and debug pages for who is on this machine")
    command.add_argument(
        "--reload-include",
        action="append",
        default=[],
        type=name_pattern,
        metavar="PATTERN",
        help="names of further files that reload watches, such as *.toml; repeatable",
    )
    command.add_argument("--tls-cert", metavar="FILE", help="certificate, for https")
    command.add_argument("--tls-key", metavar="FILE", help="its key")
    command.add_argument("--root-path", default="", metavar="PREFIX", help="prefix under which a proxy serves")
    command.add_argument(
        "--forwarded-allow-ips",
        metavar="LIST",
        help="proxies that are believed who the client is: addresses and networks with commas, * for all "
        "($FORWARDED_ALLOW_IPS, or those on this machine)",
    )
    command.add_argument(
        "--graceful-timeout",
        type=graceful_timeout,
        metavar="SECONDS",
        help="how long what is being served may take when the server stops (10; with --dev 1)",
    )
    command.add_argument("--server", choices=("granian", "uvicorn"), help="the server; else what is installed")


def port(text: str) -> int:
    """The value of `--port`."""
    if (number := number_in(text, 0, MAX_PORT)) is not None:
        return number
    raise argparse.ArgumentTypeError(f"{text[:MAX_SHOWN]!r} is no port: a number from 0 to {MAX_PORT} is wanted")


def file_descriptor(text: str) -> int:
    """The value of `--fd`."""
    if (number := number_in(text, 0)) is not None:
        return number
    raise argparse.ArgumentTypeError(f"{text[:MAX_SHOWN]!r} is no file descriptor: a number is wanted")


def name_pattern(text: str) -> str:
    """The value of `--reload-include`."""
    if text and "/" not in text:
        return text
    raise argparse.ArgumentTypeError(f"{text!r} is no pattern for names: one without / is wanted, such as *.toml")


def graceful_timeout(text: str) -> int:
    """The value of `--graceful-timeout`."""
    if (seconds := number_in(text, 1, MAX_GRACEFUL_TIMEOUT)) is not None:
        return seconds
    raise argparse.ArgumentTypeError(
        f"{text[:MAX_SHOWN]!r} is no such time: 1 to {MAX_GRACEFUL_TIMEOUT} seconds are wanted"
    )


def serve(options: argparse.Namespace) -> int:
    """Serve the application until Ctrl-C. `SystemExit` with a line for the user if it can't be served."""
    if (options.tls_cert is None) != (options.tls_key is None):
        raise UsageError("--tls-cert and --tls-key belong together: give both")
    if options.workers is None:
        options.workers = 1 if options.reload or options.dev else workers_from_environment()
    run(load(options.target).value, **{name: getattr(options, name) for name in DEFAULTS})
    return 0
