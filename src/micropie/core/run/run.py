"""`run(app)`: serves an application with the server that is installed, Granian or Uvicorn.

Uvicorn in one process is given the application itself. Whatever has worker processes, or reloads, imports it there by
its name: a new process takes the place of this one.
What is wrong around us (no server, a port in use, no certificate) ends the program with one line.
"""

import os
import sys
from collections.abc import Iterable, Iterator
from types import FrameType
from typing import Any

from micropie.core.basics.optional import is_installed
from micropie.core.failures.debugger import DEV
from micropie.core.requests.proxies import LOCAL_PROXIES, TrustedProxies
from micropie.core.run.import_path import import_path_of
from micropie.core.run.listening import refuse_taken, refuse_unreadable, stop_with
from micropie.core.run.options import MAX_GRACEFUL_TIMEOUT, ServeOptions, with_options
from micropie.core.run.servers import GRANIAN, UVICORN, command_of, exec_server, serve_here

SERVERS = (GRANIAN, UVICORN)  # the first of those installed that can do what is asked
MAX_PORT = 65535


def run(
    app: Any,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    uds: str | None = None,
    fd: int | None = None,
    workers: int = 1,
    reload: bool = False,
    reload_include: Iterable[str] = (),
    dev: bool = False,
    tls_cert: str | None = None,
    tls_key: str | None = None,
    root_path: str = "",
    forwarded_allow_ips: str | None = None,
    graceful_timeout: int | None = None,
    server: str | None = None,
) -> None:
    """Serve an application with Granian or Uvicorn, until Ctrl-C.

    `uds` is the path of a Unix socket, `fd` a socket that this process was given; either stands for `host` and `port`.
    `workers` is the number of processes. `tls_cert` and `tls_key` are the files of a certificate and its key, for
    HTTPS. `reload` starts again when code or a template has changed, or a file whose name matches one of
    `reload_include`. `dev` is development mode: `reload`, and the debug pages for who is on this machine.

    `root_path` is the prefix under which a proxy serves the application. `forwarded_allow_ips` are the proxies whose
    `X-Forwarded-For` and `X-Forwarded-Proto` are believed: addresses and networks with commas between them, `*` for
    all; else `$FORWARDED_ALLOW_IPS`, or those on this machine. `graceful_timeout` is how long, in seconds, what is
    being served may take when the server stops: 10, in development mode 1.

    `server` is `"granian"` or `"uvicorn"`, else the one that is installed.

        if __name__ == "__main__":
            run(app)
    """
    refuse_import(sys._getframe(1))
    if (tls_cert is None) != (tls_key is None):
        raise ValueError("run() takes tls_cert and tls_key together: a certificate is of no use without its key")
    if graceful_timeout is None:
        graceful_timeout = 1 if dev else 10
    options = ServeOptions(
        app,
        import_path_of(app),
        hasattr(app, "__rsgi__"),
        host,
        port,
        uds,
        fd,
        workers,
        reload or dev,
        tuple(reload_include),
        dev,
        None if tls_cert is None or tls_key is None else (tls_cert, tls_key),
        normalised_root_path(root_path),
        trusted_proxies(forwarded_allow_ips),
        graceful_timeout,
    )
    refuse_nonsense(options, server)
    chosen = choose_server(options, server)
    refuse_unreadable(options.tls)
    refuse_taken(options)
    if chosen == UVICORN and not options.needs_import_path:
        serve_here(options)
    else:
        environment = {**os.environ, DEV: "1"} if options.dev else dict(os.environ)
        exec_server(command_of(chosen, options), with_options(environment, options))


def refuse_import(caller: FrameType) -> None:
    """A module that is imported must not serve: every worker imports it."""
    module = caller.f_globals.get("__name__")
    if caller.f_code.co_name == "<module>" and module != "__main__":
        raise RuntimeError(f"run() is called while {module} is imported: put it under if __name__ == '__main__'")


def normalised_root_path(text: str) -> str:
    """The prefix with a slash before and none behind, `""` for none."""
    stripped = text.strip("/")
    return f"/{stripped}" if stripped else ""


def trusted_proxies(given: str | None) -> str:
    """The proxies that are believed: those that are given, or in the environment. Ends the program if they are none."""
    text = os.environ.get("FORWARDED_ALLOW_IPS", LOCAL_PROXIES) if given is None else given
    try:
        TrustedProxies(text)
    except ValueError as error:
        raise stop_with(f"the trusted proxies {text!r} are neither addresses and networks nor *: {error}") from None
    return text


def refuse_nonsense(options: ServeOptions, server: str | None) -> None:
    """ValueError or TypeError for what can never be served."""
    if not (callable(options.app) or options.is_rsgi):
        raise TypeError(f"run() takes an application, {options.app!r} is none")
    if server not in (None, *SERVERS):
        raise ValueError(f"run(server={server!r}): 'granian' or 'uvicorn' is wanted")
    if not 0 <= options.port <= MAX_PORT:
        raise ValueError(f"run(port={options.port!r}): a number from 0 to {MAX_PORT} is wanted")
    if options.workers < 1 or (options.reload and options.workers > 1):
        raise ValueError(f"run(workers={options.workers!r}, reload={options.reload!r}): 1 or more, and 1 with reload")
    if options.uds is not None and options.fd is not None:
        raise ValueError("run() takes uds or fd, not both: the application is served at one address")
    if any("/" in pattern for pattern in options.reload_include):
        raise ValueError(f"run(reload_include={options.reload_include!r}): patterns for names are wanted, without /")
    if not 1 <= options.graceful_timeout <= MAX_GRACEFUL_TIMEOUT:
        raise ValueError(
            f"run(graceful_timeout={options.graceful_timeout!r}): 1 to {MAX_GRACEFUL_TIMEOUT} seconds are wanted"
        )


def choose_server(options: ServeOptions, server: str | None) -> str:
    """The server that is asked for, or the first that is installed and can do it."""
    wanted = SERVERS if server is None else (server,)
    installed = [one for one in wanted if is_installed(one)]
    if not installed:
        raise stop_with(f"no server is installed: pip install {' or '.join(wanted)}")
    obstacles = [(one, next(obstacles_of(one, options), None)) for one in installed]
    for one, obstacle in obstacles:
        if obstacle is None:
            return one
    raise stop_with("; ".join(str(obstacle) for _, obstacle in obstacles))


def obstacles_of(server: str, options: ServeOptions) -> Iterator[str]:
    """Why a server cannot do it."""
    if options.is_rsgi and server == UVICORN:
        yield "Uvicorn does not know RSGI: pip install granian, or serve the application itself"
    if options.is_rsgi and options.root_path:
        yield "RSGI has no root path: serve the application itself, or let the proxy take the prefix off"
    if options.import_path is None and (server == GRANIAN or options.needs_import_path):
        yield f"{server.title()} imports the application here, so it needs a name at the top level of a module"
    if server == GRANIAN and options.fd is not None:
        yield "Granian can't listen at a file descriptor: pip install uvicorn"
    if server == GRANIAN and options.reload and not is_installed("watchfiles"):
        yield "Granian needs the package watchfiles to reload: pip install watchfiles"
