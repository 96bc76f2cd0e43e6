"""benchmarks/processes.py: how a benchmark of servers sees that others had the server's core."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
CORE = min(os.sched_getaffinity(0))
BUSY = "print(1, flush=True)\nwhile True: pass"
ASLEEP = "import time\nprint(1, flush=True)\ntime.sleep(60)"
WATCH = """
import json, sys, time
from processes import Watch
watch = Watch([int(sys.argv[1])], int(sys.argv[2]))
time.sleep(0.4)
turn = watch.turn()
print(json.dumps({"wall": turn.wall, "cpu": turn.cpu, "disturbed": turn.disturbed}))
"""
Start = Any


@pytest.fixture
def start() -> Iterator[Start]:
    """Give a function that runs a program on the core, until the test ends."""
    with ExitStack() as stack:

        def started(program: str) -> int:
            process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
            stack.callback(process.wait)
            stack.callback(process.kill)
            assert process.stdout is not None
            stack.callback(process.stdout.close)
            process.stdout.readline()
            os.sched_setaffinity(process.pid, {CORE})
            return process.pid

        yield started


def watched(pid: int) -> dict[str, float]:
    """What the benchmark says of a process after a while."""
    command = [sys.executable, "-c", WATCH, str(pid), str(CORE)]
    ran = subprocess.run(command, cwd=BENCHMARKS, stdout=subprocess.PIPE, check=True, timeout=60)
    found: dict[str, float] = json.loads(ran.stdout)
    return found


def test_a_server_that_shares_its_core_is_disturbed(start: Start) -> None:
    """Who wants the core while another has it waits, and has used less CPU time than has passed."""
    server = start(BUSY)
    start(BUSY)
    turn = watched(server)
    assert turn["disturbed"] > 0.1
    assert 0 < turn["cpu"] < turn["wall"] * 0.9


def test_a_server_with_nothing_to_do_is_not_disturbed(start: Start) -> None:
    """Who doesn't want the core waits for nobody, whatever others do on it."""
    server = start(ASLEEP)
    start(BUSY)
    turn = watched(server)
    assert turn["disturbed"] < 0.02
    assert turn["cpu"] < 0.02
