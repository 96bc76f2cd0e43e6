"""`micropie run`: serves an application with the server that is installed."""

import inspect
import os
from typing import NamedTuple

from micropie import run
from micropie.cli.loading import load
from micropie.cli.refusal import UsageRefusal

DEFAULTS = {name: one.default for name, one in inspect.signature(run).parameters.items()}


class Options(NamedTuple):
    """The options of the command, by the names that `micropie.run` has for them."""

    host: str
    port: int
    uds: str | None
    workers: int
    reload: bool
    dev: bool
    tls_cert: str | None
    tls_key: str | None
    server: str | None


def serve(target: str | None, options: Options) -> None:
    """Serve the application until Ctrl-C. `SystemExit` with a line for the user if it can't be served."""
    run(load(target).value, **options._asdict())


def workers_by_environment() -> int:
    """The number of processes that the host asks for."""
    text = os.environ.get("WEB_CONCURRENCY", "") or "1"
    if text.isdecimal() and int(text):
        return int(text)
    raise UsageRefusal(f"WEB_CONCURRENCY={text!r} is no number of processes: 1 or more are wanted")
