"""An application on several worker processes of a server, one of which a test may end."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

import micropie
from tests.batteries.redis_server import free_port

ROOT = Path(__file__).parents[2]
PATIENCE = 30  # seconds


@dataclass
class Workers:
    """Some workers of one server."""

    port: int
    process: "subprocess.Popen[bytes]"
    host: str = "127.0.0.1"

    @property
    def url(self) -> str:
        """Where they answer."""
        return f"http://{self.host}:{self.port}"

    def pids(self) -> list[int]:
        """The processes that answer `/pid`, as many asks tell."""
        with httpx.Client(trust_env=False, headers={"Connection": "close"}) as client:
            return sorted({int(client.get(f"{self.url}/pid").text) for _ in range(60)})

    def pids_if_up(self) -> list[int]:
        """Those; none while a worker does not answer."""
        try:
            return self.pids()
        except httpx.HTTPError:
            return []

    def wait_until_all_are_up(self, count: int) -> None:
        """Return when so many workers have answered: until then some have all clients, and others none."""
        deadline, seen = time.monotonic() + PATIENCE, set(self.pids())
        while len(seen) < count:
            assert time.monotonic() < deadline, f"{seen} answer, not {count} workers"
            seen.update(self.pids())

    def kill_one(self) -> None:
        """End a worker at once, as a lack of memory does."""
        os.kill(self.pids()[0], signal.SIGKILL)

    def restart(self, kind: str) -> None:
        """Let all workers be replaced one after another: both servers do it at SIGHUP."""
        assert kind in ("uvicorn", "granian")
        self.process.send_signal(signal.SIGHUP)


def wait_until_gone(pids: Iterable[int]) -> None:
    """Return when none of the processes is there any more."""
    while any(Path(f"/proc/{pid}").exists() for pid in pids):
        time.sleep(0.1)


@contextmanager
def workers_of(
    kind: str,
    app: str,
    log: Path,
    *,
    count: int,
    folder: Path = ROOT,
    port: int | None = None,
    host: str = "127.0.0.1",
    within: Sequence[str] = (),
    **variables: str,
) -> Iterator[Workers]:
    """Serve `module:name` on so many workers of Uvicorn or Granian; `within` is what runs their command."""
    port = port or free_port()
    options = {
        "uvicorn": ["--timeout-graceful-shutdown", "2", "--timeout-worker-healthcheck", "30"],
        "granian": ["--interface", "asgi", "--respawn-failed-workers", "--workers-kill-timeout", "2"],
    }[kind]
    command = [*within, sys.executable, "-m", kind, app, "--host", host, "--port", str(port), "--workers", str(count)]
    paths = [str(ROOT), str(Path(micropie.__file__).parents[1])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), **variables}
    with (
        log.open("wb") as output,
        subprocess.Popen(
            [*command, *options], cwd=folder, env=environment, stdout=output, stderr=output, start_new_session=True
        ) as process,
    ):
        try:
            wait_until_ready(port, process, log, host)
            yield Workers(port, process, host)
        finally:
            os.killpg(process.pid, signal.SIGKILL)  # the session that it was started in


def wait_until_ready(port: int, process: "subprocess.Popen[bytes]", log: Path, host: str = "127.0.0.1") -> None:
    """Return when a worker answers."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            httpx.get(f"http://{host}:{port}/", trust_env=False)
        except httpx.HTTPError:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
        else:
            return
