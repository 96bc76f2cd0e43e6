"""Worker processes for the tests of session backends."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]
TIMEOUT = 60


@contextmanager
def workers(*commands: tuple[str, ...]) -> Iterator[list["subprocess.Popen[str]"]]:
    """Worker processes that are ready to begin, and do so at once with each other; they are ended in the end."""
    with ExitStack() as ending:
        processes = [ending.enter_context(worker(command)) for command in commands]
        for process in processes:
            assert line_of(process) == "ready"
        for process in processes:
            tell(process, "go")
        yield processes


@contextmanager
def worker(command: tuple[str, ...]) -> Iterator["subprocess.Popen[str]"]:
    """A process of `session_worker`."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.batteries.session_worker", *command],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def tell(process: "subprocess.Popen[str]", line: str) -> None:
    """Write a line to a worker."""
    assert process.stdin is not None
    process.stdin.write(f"{line}\n")
    process.stdin.flush()


def line_of(process: "subprocess.Popen[str]") -> str:
    """The next line that a worker says; `""` if it has ended."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


def ended(processes: list["subprocess.Popen[str]"]) -> list[str]:
    """What the workers say to their ends, which must be good ones."""
    said = [process.communicate(timeout=TIMEOUT) for process in processes]
    assert [process.returncode for process in processes] == [0] * len(processes), [error for _, error in said]
    return [output for output, _ in said]
