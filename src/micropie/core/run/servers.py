"""The two servers: Uvicorn in this process, and both of them in a process of their own.

Such a process takes the place of this one and imports the application by its name, so that nothing that was opened here
is shared. It runs the server by the server's own functions, `serve_with_uvicorn` or `serve_with_granian`.
"""

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Mapping
from functools import partial
from types import FrameType
from typing import Any

from micropie.core.basics.background import GRACEFUL_TIMEOUT
from micropie.core.basics.optional import is_installed, lazy_import, require
from micropie.core.run.arrivals import patient_protocol
from micropie.core.run.import_path import ImportPath, path_of
from micropie.core.run.options import MAX_GRACEFUL_TIMEOUT, SOURCES, ServeOptions, options_from_environment
from micropie.core.run.served import STARTUP_FAILURE, behind_proxy, served
from micropie.core.run.stop_bound import CANCELLING, BoundedASGI, StopBound

GRANIAN, UVICORN = "granian", "uvicorn"
KILLING = 2  # seconds behind the time of a stop, until a worker that has not ended itself is killed
TERMINATED = 143  # 128 + SIGTERM, as shells count


def serve_here(options: ServeOptions) -> None:
    """Serve with Uvicorn, in this process."""
    uvicorn = require(UVICORN, "Servers", "all")
    bound = StopBound(options.graceful_timeout, partial(remove_socket, options))
    app = BoundedASGI(behind_proxy(options.app, options), bound)
    server = stoppable(uvicorn.Server)(uvicorn_config(app, options))
    os.environ[GRACEFUL_TIMEOUT] = str(options.graceful_timeout)
    try:
        server.run(None if options.fd is None else [inherited_socket(options.fd)])
    except (KeyboardInterrupt, asyncio.CancelledError):  # it raises Ctrl-C again when all is shut down
        if not server.started:
            raise SystemExit(TERMINATED) if server.is_terminated else KeyboardInterrupt from None
    except SystemExit:  # versions differ in how they say that they could not start
        pass
    finally:
        del os.environ[GRACEFUL_TIMEOUT]
        bound.end()
    remove_socket(options)
    if not server.started:  # it has said why
        raise SystemExit(1)


def stoppable(server_class: Any) -> Any:
    """Uvicorn's server, which stops also while the application is starting, and returns when it is terminated."""

    class Server(server_class):  # type: ignore[misc]  # the core knows Uvicorn at run time only
        is_terminated = False

        async def serve(self, sockets: Any = None) -> None:
            self.serving: Any = asyncio.current_task()
            await super().serve(sockets)

        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            if not self.started:
                self.serving.get_loop().call_soon_threadsafe(self.serving.cancel)
            if sig == signal.SIGTERM:  # which Uvicorn would raise again in the end, and a socket's path would stay
                self.is_terminated = self.should_exit = True
            else:
                super().handle_exit(sig, frame)

    return Server


def uvicorn_config(app: Any, options: ServeOptions) -> Any:
    """Uvicorn's configuration. The proxy's headers are ours to read."""
    certificate, key = options.tls or (None, None)
    return lazy_import("uvicorn").Config(
        app,
        factory=isinstance(app, str),
        http=patient_protocol,
        host=options.host,
        port=options.port,
        uds=options.uds,
        workers=options.workers,
        ssl_certfile=certificate,
        ssl_keyfile=key,
        proxy_headers=False,
        timeout_graceful_shutdown=options.graceful_timeout + CANCELLING,
        reload=options.reload,
        reload_dirs=[source_folder(options)] if options.reload else None,
        reload_includes=watched(options) if options.reload and is_installed("watchfiles") else None,  # else *.py
    )


def watched(options: ServeOptions) -> list[str]:
    """Patterns of the names of files that reload watches."""
    return [*SOURCES, *options.reload_include]


def source_folder(options: ServeOptions) -> str:
    """The folder that reload watches: that which the application is imported from."""
    return (options.import_path or ImportPath("", "", ".")).folder


def inherited_socket(fd: int) -> Any:
    """The socket that this process was given as a file descriptor."""
    return lazy_import("socket").socket(fileno=fd)


def remove_socket(options: ServeOptions) -> None:
    """Remove the path of a Unix socket."""
    if options.uds is not None:
        path_of(options.uds).unlink(missing_ok=True)


def serve_with_uvicorn() -> None:
    """Serve with Uvicorn's worker processes, or its reloader, by the environment's options.

    `SystemExit` with the status 1 if a worker can't start.
    """
    options = options_from_environment()
    uvicorn = require(UVICORN, "Servers", "all")
    supervisors = lazy_import("uvicorn.supervisors")
    supervisor_class = impatient(supervisors.ChangeReload if options.reload else supervisors.Multiprocess, options)
    config = uvicorn_config(f"{served.__module__}:{served.__qualname__}", options)
    with config.bind_socket() if options.fd is None else inherited_socket(options.fd) as listener:
        supervisor = supervisor_class(config, sockets=[listener], **target_of(supervisor_class, uvicorn.Server(config)))
        supervisor.run()
    remove_socket(options)
    workers = [] if options.reload else supervisor.processes
    if any(worker.process.exitcode == STARTUP_FAILURE for worker in workers):  # it has said why
        raise SystemExit(1)


def impatient(supervisor_class: Any, options: ServeOptions) -> Any:
    """Uvicorn's supervisor, which kills the workers that it waits for in a stop and that do not end themselves.

    One that is held up by C code, which lets no Python run meanwhile, can't. Nobody else is let in meanwhile: the
    system would go on connecting clients as long as the supervisor has the listening socket, and cut them off at last.
    """

    class Supervisor(supervisor_class):  # type: ignore[misc]  # the core knows Uvicorn at run time only
        def kill_in_time(self) -> None:
            workers = [self.process] if options.reload else [worker.process for worker in self.processes]
            for worker in workers:
                timer = threading.Timer(options.graceful_timeout + KILLING, worker.kill)
                timer.daemon = True
                timer.start()

        def restart(self) -> None:
            self.kill_in_time()
            super().restart()

        def shutdown(self) -> None:
            self.kill_in_time()
            super().shutdown()

        def join_all(self) -> None:
            self.kill_in_time()
            for listener in self.sockets:
                listener.close()
            super().join_all()

    return Supervisor


def target_of(supervisor_class: Any, server: Any) -> dict[str, Any]:
    """The argument that Uvicorn's reloader takes, and in older versions its supervisor of workers."""
    takes_it = "target" in lazy_import("inspect").signature(supervisor_class).parameters
    return {"target": server.run} if takes_it else {}


def serve_with_granian() -> None:
    """Serve with Granian, by the environment's options. `SystemExit` with the status 1 if a worker can't start."""
    options = options_from_environment()
    granian = require(GRANIAN, "Servers", "all")
    certificate, key = options.tls or (None, None)
    reload = {
        "reload": True,
        "reload_paths": [path_of(source_folder(options))],
        "reload_ignore_patterns": [pattern_of_others(watched(options))],
        "reload_ignore_worker_failure": True,
    }
    server = granian.Granian(
        served.__qualname__,
        address=options.host,
        port=options.port,
        uds=None if options.uds is None else path_of(options.uds),
        interface=lazy_import("granian.constants").Interfaces("rsgi" if options.is_rsgi else "asgi"),
        workers=options.workers,
        http1_settings=lazy_import("granian.http").HTTP1Settings(),
        http2_settings=lazy_import("granian.http").HTTP2Settings(),
        ssl_cert=None if certificate is None else path_of(certificate),
        ssl_key=None if key is None else path_of(key),
        workers_kill_timeout=min(options.graceful_timeout + KILLING, MAX_GRACEFUL_TIMEOUT),
        # One that dies is replaced, as with Uvicorn; not again and again: Granian ends if that dies within seconds.
        **(reload if options.reload else {"respawn_failed_workers": options.workers > 1}),
    )
    server.serve(target_loader=served, wrap_loader=False)


def pattern_of_others(patterns: list[str]) -> str:
    """A regular expression for the names that none of these patterns for files match."""
    translate = lazy_import("fnmatch").translate
    return f"^(?!{'|'.join(map(translate, patterns))})"


def command_of(server: str, options: ServeOptions) -> list[str]:
    """The command that serves: a new interpreter that finds modules where this one does."""
    serve = serve_with_uvicorn if server == UVICORN else serve_with_granian
    path = [source_folder(options), *sys.path]
    code = f"import sys; sys.path[:] = {path!r}; from {serve.__module__} import {serve.__qualname__} as serve; serve()"
    return [sys.executable, "-c", code]


def exec_server(command: list[str], environment: Mapping[str, str]) -> None:
    """Let a command take the place of this process: signals and the exit status are its own."""
    sys.stdout.flush()
    sys.stderr.flush()
    _BECOME.get(os.name, os.execve)(command[0], command, environment)


def wait_for(_program: str, command: list[str], environment: Mapping[str, str]) -> None:
    """Run a command to its end and exit with its status, where processes can't be replaced."""
    raise SystemExit(lazy_import("subprocess").call(command, env=environment))


_BECOME = {"nt": wait_for}
