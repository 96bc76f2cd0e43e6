"""Options of `run`, and how they are handed on to the process of a server."""

import os
from typing import Any, NamedTuple

from micropie.core.basics.background import GRACEFUL_TIMEOUT
from micropie.core.basics.optional import lazy_import
from micropie.core.run.import_path import ImportPath

SERVE_OPTIONS = "MICROPIE_SERVE_OPTIONS"  # the variable of the environment in which a server's processes find them
WORKERS = "MICROPIE_WORKERS"  # the variable that tells how many of them there are, for what is of one process each
MAX_GRACEFUL_TIMEOUT = 1800  # seconds; Granian's limit for a worker that it waits for
SOURCES = ("*.py", "*.html", "*.htm", "*.xml", "*.jinja", "*.jinja2", "*.j2")  # what reload watches: code and templates


class ServeOptions(NamedTuple):
    """The application that is to be served, and how; see `run`."""

    app: Any
    import_path: ImportPath | None
    is_rsgi: bool
    host: str
    port: int
    uds: str | None
    fd: int | None
    workers: int
    reload: bool
    reload_include: tuple[str, ...]
    dev: bool
    tls: tuple[str, str] | None  # certificate and key
    root_path: str
    forwarded_allow_ips: str
    graceful_timeout: int  # seconds

    @property
    def needs_import_path(self) -> bool:
        """True if other processes than this one import the application."""
        return self.reload or self.workers > 1

    @property
    def address(self) -> str:
        """Where it is served, for messages."""
        if self.fd is not None:
            return f"file descriptor {self.fd}"
        return f"port {self.port} of {self.host}" if self.uds is None else self.uds


def with_options(environment: dict[str, str], options: ServeOptions) -> dict[str, str]:
    """An environment that hands the options on, but for the application itself."""
    return {
        **environment,
        SERVE_OPTIONS: lazy_import("json").dumps(options._replace(app=None)),
        GRACEFUL_TIMEOUT: str(options.graceful_timeout),
        WORKERS: str(options.workers),
    }


def options_from_environment() -> ServeOptions:
    """The options that this process was started with."""
    options = ServeOptions(*lazy_import("json").loads(os.environ[SERVE_OPTIONS]))
    return options._replace(import_path=ImportPath(*options.import_path or ()))
