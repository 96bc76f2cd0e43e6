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


SUMMARY = """
import json, sys
from server import summary
quiet = {"waited": 0.0, "repeated": 0, "disturbed": 0.0}
visits = [{"rate": rate, "cpu": cpu, **quiet} for rate, cpu in json.load(sys.stdin)]
print(json.dumps(summary(visits[:3], visits[3:])))
"""


def test_costs_are_the_least_of_the_rounds() -> None:
    """What others do on the machine can only add to CPU time; rates are compared within a round."""
    ours, raw = [(90, 12.0), (80, 15.0), (50, 18.0)], [(100, 10.8), (100, 11.0), (100, 20.0)]
    command = [sys.executable, "-c", SUMMARY]
    visits = json.dumps([*ours, *raw])
    ran = subprocess.run(
        command, cwd=BENCHMARKS, input=visits, text=True, stdout=subprocess.PIPE, check=True, timeout=60
    )
    found = json.loads(ran.stdout)
    assert (found["cpu"], found["share"]) == (12.0, 0.9)
    assert (found["rate"], found["ratio"], found["ratios"]) == (80, 0.8, [0.5, 0.9])


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
