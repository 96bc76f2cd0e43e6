"""Processes of their own: a real server, or a script without some package."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

import micropie

ROOT = Path(__file__).parents[2]

SECONDS = 30
"""Longer than any of these processes may take; only a hang gets there."""

RUN_WITHOUT = """
import runpy, sys
module, without, *sys.argv[1:] = sys.argv[1:]
sys.modules.update(dict.fromkeys(without.split()))
runpy.run_module(module, run_name="__main__")
"""
"""`None` in `sys.modules` makes Python's import raise ModuleNotFoundError, as if the package were not there."""


def environment() -> dict[str, str]:
    """Let the child find this folder, and the very framework that the tests run on."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(Path(micropie.__file__).parents[1])])}


def output_of(module: str, *arguments: str, without: tuple[str, ...] = ()) -> str:
    """Run a module in a process that cannot import the packages of `without`, and give what it prints."""
    ended = subprocess.run(
        [sys.executable, "-c", RUN_WITHOUT, module, " ".join(without), *arguments],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


@dataclass
class Server:
    """A running server."""

    port: int

    @property
    def url(self) -> str:
        """Its address, without a trailing slash."""
        return f"http://127.0.0.1:{self.port}"

    def client(self) -> httpx.Client:
        """Give a client with a cookie jar."""
        return httpx.Client(base_url=self.url, timeout=SECONDS)


AFTER_A_REFUSAL = "ERROR:    ASGI callable returned without completing handshake.\n"
"""What Uvicorn 0.54 says of every handshake that is refused by a reply, though the reply is right."""


@contextmanager
def serving(application: str, log: Path, variables: Mapping[str, str] | None = None) -> Iterator[Server]:
    """Serve an application of `applications.py`, or `module:name`; a server that complains of anything is a failure."""
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.integrations.serve", application],
            env=environment() | dict(variables or {}),
            stdout=subprocess.PIPE,
            stderr=output,
            text=True,
        )
        try:
            assert process.stdout is not None
            port = process.stdout.readline()
            assert port, log.read_text()
            yield Server(int(port))
        finally:
            stop(process)
    assert log.read_text().replace(AFTER_A_REFUSAL, "") == ""


def stop(process: subprocess.Popen[str]) -> None:
    """End the server as an operator would, or else by force."""
    process.terminate()
    try:
        process.communicate(timeout=SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise
