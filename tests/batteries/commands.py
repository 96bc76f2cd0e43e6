"""The command line as the tests use it: a folder with an application, and the command, here or as a process."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest

from micropie.cli import main

PATIENCE = 20.0  # seconds; a bound on hangs, never a measure

SITE = """\
from micropie import App


class Site(App):
    async def index(self):
        return "Hello"


app = Site()
"""


class Outcome(NamedTuple):
    """What a command printed, and its exit status."""

    status: int
    out: str
    err: str


class Project:
    """A folder with files, which is the working directory."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self._capsys = capsys

    def write(self, **files: str) -> None:
        """Write modules, by their paths without `.py`."""
        for name, text in files.items():
            path = self.folder / f"{name}.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")

    def call(self, *arguments: str) -> Outcome:
        """Run the command in this process."""
        self._capsys.readouterr()
        try:
            status = main(arguments)
        except SystemExit as exit_:
            if isinstance(exit_.code, str):
                sys.stderr.write(f"{exit_.code}\n")
            status = exit_.code if isinstance(exit_.code, int) else 1
        out, err = self._capsys.readouterr()
        return Outcome(status, out, err)

    def run(self, *arguments: str, environment: Mapping[str, str] = {}) -> Outcome:
        """Run the command as a process."""
        done = subprocess.run(
            [sys.executable, "-m", "micropie", *arguments],
            cwd=self.folder,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        return Outcome(done.returncode, done.stdout, done.stderr)


@contextmanager
def serving(
    project: Project,
    *command: str,
    ready: Callable[[], bool],
    environment: Mapping[str, str] = {},
    fds: Sequence[int] = (),
    stop: signal.Signals = signal.SIGINT,
) -> Iterator["subprocess.Popen[str]"]:
    """A server as a process, once it is ready; stopped as Ctrl-C does, with all that it has started."""
    process = subprocess.Popen(
        [sys.executable, *command],
        cwd=project.folder,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        pass_fds=fds,
    )
    try:
        wait_until(lambda: process.poll() is not None or ready())
        assert process.poll() is None, process.communicate()[0]
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(stop)
        try:
            process.communicate(timeout=PATIENCE)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.communicate()


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait for something that other processes do."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)


def free_port() -> int:
    """A port that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def text_at(url: str, uds: Path | None = None) -> str | None:
    """What a server answers; None if there is none."""
    if uds is not None:
        return text_from(uds)
    try:
        return httpx.get(url, verify=False, timeout=PATIENCE).text
    except httpx.TransportError:
        return None


def text_from(uds: Path) -> str | None:
    """The same over a Unix socket."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(PATIENCE)
        try:
            connection.connect(str(uds))
            connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            return connection.makefile("rb").read().decode().partition("\r\n\r\n")[2]
        except OSError:
            return None
