"""`run(app)`: serves an application with the server that is installed, Granian or Uvicorn.

Uvicorn in one process is given the application itself. Whatever has worker processes, or reloads, imports it there by
its name, so that nothing opened here is shared; then the server's own command takes the place of this process.
What is wrong around us (no server, a port in use, no certificate) ends the program with one line.
"""

import asyncio
import errno
import os
import sys
from collections.abc import Iterator, Mapping
from types import FrameType
from typing import Any, NamedTuple

from micropie.core.basics.optional import lazy_import, require
from micropie.core.pipeline.debugger import DEV
from micropie.core.rsgi import RSGI

GRANIAN, UVICORN = "granian", "uvicorn"
SERVERS = (GRANIAN, UVICORN)  # the first of those installed that can do what is asked
MAX_PORT = 65535


class ImportPath(NamedTuple):
    """How a server's process imports an application: `module:name`, with `folder` first on its path."""

    module: str
    name: str
    folder: str


class ServeOptions(NamedTuple):
    """What is to be served, and how; see `run`."""

    app: Any
    named: ImportPath | None
    host: str
    port: int
    uds: str | None
    workers: int
    reload: bool
    dev: bool
    tls: tuple[str, str] | None  # certificate and key

    @property
    def needs_name(self) -> bool:
        """Whether other processes than this one import the application."""
        return self.reload or self.workers > 1


def run(
    app: Any,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    uds: str | None = None,
    workers: int = 1,
    reload: bool = False,
    dev: bool = False,
    tls_cert: str | None = None,
    tls_key: str | None = None,
    server: str | None = None,
) -> None:
    """Serve an application with Granian or Uvicorn, until Ctrl-C.

    `uds` is the path of a Unix socket, which stands for host and port; `server` is `"granian"` or `"uvicorn"`. `dev` is
    development mode: `reload`, and the debug pages for who is on this machine.

        if __name__ == "__main__":
            run(app)
    """
    refuse_import(sys._getframe(1))
    if (tls_cert is None) != (tls_key is None):
        raise ValueError("run() takes tls_cert and tls_key together: a certificate is of no use without its key")
    tls = None if tls_cert is None or tls_key is None else (tls_cert, tls_key)
    job = ServeOptions(app, name_of(app), host, port, uds, workers, reload or dev, dev, tls)
    refuse_nonsense(job, server)
    chosen = choose_server(job, server)
    refuse_unreadable(job.tls)
    refuse_taken(job)
    if chosen == UVICORN and not job.needs_name:
        serve_here(job)
    else:
        exec_server(command_of(chosen, job), {**os.environ, DEV: "1"} if job.dev else os.environ)


def refuse_import(caller: FrameType) -> None:
    """A module that is imported must not serve: every worker imports it."""
    module = caller.f_globals.get("__name__")
    if caller.f_code.co_name == "<module>" and module != "__main__":
        raise RuntimeError(f"run() is called while {module} is imported: put it under if __name__ == '__main__'")


def refuse_nonsense(job: ServeOptions, server: str | None) -> None:
    """ValueError or TypeError for what can never be served."""
    if not (callable(job.app) or isinstance(job.app, RSGI)):
        raise TypeError(f"run() takes an application, {job.app!r} is none")
    if server not in (None, *SERVERS):
        raise ValueError(f"run(server={server!r}): 'granian' or 'uvicorn' is wanted")
    if not 0 <= job.port <= MAX_PORT:
        raise ValueError(f"run(port={job.port!r}): a number from 0 to {MAX_PORT} is wanted")
    if job.workers < 1 or (job.reload and job.workers > 1):
        raise ValueError(f"run(workers={job.workers!r}, reload={job.reload!r}): 1 or more, and 1 with reload")


def stop_with(reason: str) -> SystemExit:
    """What ends the program with this line and status 1."""
    return SystemExit(f"micropie: {reason}")


def name_of(app: Any) -> ImportPath | None:
    """Where the application is found by another process: in the program itself, or in a module. None if nowhere."""
    for key, module in list(sys.modules.items()):  # `__main__` is among the first
        values = getattr(module, "__dict__", {})
        name = next((name for name, value in list(values.items()) if value is app), None)
        if name is not None and values.get("__file__"):
            return named_in(key, module, values["__file__"], name)
    return None


def named_in(key: str, module: Any, file: str, name: str) -> ImportPath:
    """Its name in that module, and the folder that the module is imported from."""
    path = path_of(file).resolve()
    if key == "__main__":
        spec = getattr(module, "__spec__", None)  # of `python -m package.app`
        key = path.stem if spec is None else spec.name
    depth = key.count(".") + (path.stem == "__init__")
    return ImportPath(key, name, str(path.parents[depth]))


def path_of(file: str) -> Any:
    """A path as an object."""
    return lazy_import("pathlib").Path(file)


def is_installed(package: str) -> bool:
    """Whether a package could be imported; it is not."""
    return lazy_import("importlib.util").find_spec(package) is not None


def choose_server(job: ServeOptions, server: str | None) -> str:
    """The server that is asked for, or the first that is installed and can do it."""
    wanted = SERVERS if server is None else (server,)
    installed = [one for one in wanted if is_installed(one)]
    if not installed:
        raise stop_with(f"no server is installed: pip install {' or '.join(wanted)}")
    obstacles = [(one, next(obstacles_of(one, job), None)) for one in installed]
    for one, obstacle in obstacles:
        if obstacle is None:
            return one
    raise stop_with("; ".join(str(obstacle) for _, obstacle in obstacles))


def obstacles_of(server: str, job: ServeOptions) -> Iterator[str]:
    """Why a server cannot do it."""
    if server == UVICORN and isinstance(job.app, RSGI):
        yield "Uvicorn does not know RSGI: pip install granian, or serve the application itself"
    if job.named is None and (server == GRANIAN or job.needs_name):
        yield f"{server.title()} imports the application here, so it needs a name at the top level of a module"
    if server == GRANIAN and job.reload and not is_installed("watchfiles"):
        yield "Granian needs the package watchfiles to reload: pip install watchfiles"


def serve_here(job: ServeOptions) -> None:
    """Serve with Uvicorn, in this process."""
    uvicorn = require(UVICORN, "Servers", "all")
    certificate, key = job.tls or (None, None)
    config = uvicorn.Config(
        job.app, host=job.host, port=job.port, uds=job.uds, workers=1, ssl_certfile=certificate, ssl_keyfile=key
    )
    server = interruptible(uvicorn.Server)(config)
    try:
        server.run()
    except (KeyboardInterrupt, asyncio.CancelledError):  # it raises Ctrl-C again when all is shut down
        if not server.started:
            raise KeyboardInterrupt from None
    except SystemExit:  # versions differ in how they say that they could not start
        pass
    if job.uds is not None:
        path_of(job.uds).unlink(missing_ok=True)
    if not server.started:  # it has said why
        raise SystemExit(1)


def interruptible(server_class: Any) -> Any:
    """Uvicorn's server, which Ctrl-C stops also while the application is starting."""

    class Server(server_class):  # type: ignore[misc]  # the core knows Uvicorn at run time only
        async def serve(self, sockets: Any = None) -> None:
            self.serving: Any = asyncio.current_task()
            await super().serve(sockets)

        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            if not self.started:
                self.serving.get_loop().call_soon_threadsafe(self.serving.cancel)
            super().handle_exit(sig, frame)

    return Server


def command_of(server: str, job: ServeOptions) -> list[str]:
    """The command that does it."""
    module, name, folder = job.named or ImportPath("", "", "")
    where = ["--uds", job.uds] if job.uds is not None else ["--host", job.host, "--port", str(job.port)]
    how = ["--workers", str(job.workers)]
    if server == UVICORN:
        target = [f"{module}:{name}", "--app-dir", folder]
        tls = ["--ssl-certfile", "--ssl-keyfile"]
        how += ["--reload", "--reload-dir", folder] if job.reload else []
    else:
        # Granian looks in the working directory first, unless it is given a path.
        path = module if path_of(folder) == path_of(".").resolve() else path_of(folder).joinpath(*module.split("."))
        target = [f"{path}:{name}", "--interface", "rsgi" if isinstance(job.app, RSGI) else "asgi"]
        tls = ["--ssl-certificate", "--ssl-keyfile"]
        how += ["--reload", "--reload-paths", folder] if job.reload else []
    secured = [word for pair in zip(tls, job.tls or (), strict=False) for word in pair]
    return [sys.executable, "-m", server, *target, *where, *how, *secured]


def exec_server(command: list[str], environment: Mapping[str, str]) -> None:
    """Let a command take the place of this process: signals and the exit status are its own."""
    sys.stdout.flush()
    sys.stderr.flush()
    _BECOME.get(os.name, os.execve)(command[0], command, environment)


def wait_for(_program: str, command: list[str], environment: Mapping[str, str]) -> None:
    """The same where processes can't be replaced."""
    raise SystemExit(lazy_import("subprocess").call(command, env=environment))


_BECOME = {"nt": wait_for}


def refuse_unreadable(tls: tuple[str, str] | None) -> None:
    """End the program if certificate and key are not there, not readable, or no pair."""
    if tls is None:
        return
    for file in tls:
        try:
            path_of(file).open("rb").close()
        except OSError as error:
            raise stop_with(f"{file} can't be read: {error.strerror}") from None
    ssl = lazy_import("ssl")
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(*tls, password=lambda: b"")
    except (ssl.SSLError, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        raise stop_with(f"{tls[0]} and {tls[1]} are no certificate with its key: {reason}") from None


def refuse_taken(job: ServeOptions) -> None:
    """End the program if the address is in use, not ours to use, or none at all."""
    socket = lazy_import("socket")
    try:
        if job.uds is not None:
            refuse_taken_path(socket, job.uds)
        else:
            refuse_taken_port(socket, job.host, job.port)
    except OSError as error:
        where = f"port {job.port} of {job.host}" if job.uds is None else job.uds
        reason = "it is in use" if error.errno == errno.EADDRINUSE else error.strerror
        raise stop_with(f"{where} can't be listened at: {reason}") from None


def refuse_taken_port(socket: Any, host: str, port: int) -> None:
    """OSError if nobody can listen there."""
    absent: list[OSError] = []
    addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    for family, _, _, _, address in addresses:
        try:
            probe_address(socket, family, address)
        except OSError as error:
            if error.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                raise
            absent.append(error)  # a name may have an IPv6 address where there is no IPv6
    if len(absent) == len(addresses):
        raise absent[-1]


def probe_address(socket: Any, family: int, address: Any) -> None:
    """Listen at an address, or nearly."""
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        if os.name == "posix":  # elsewhere it would allow what is in use
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(address)


def refuse_taken_path(socket: Any, path: str) -> None:
    """OSError if nobody can listen there. What a dead server has left there is removed."""
    file = path_of(path)
    if file.exists() and not file.is_socket():
        raise OSError(errno.EEXIST, "there is a file of that name")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(path)
        except (ConnectionRefusedError, FileNotFoundError):
            file.unlink(missing_ok=True)
        else:
            raise OSError(errno.EADDRINUSE, "")
        probe.bind(path)
    file.unlink()
