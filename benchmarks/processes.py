"""What the benchmarks know of the processes that they start."""

import contextlib
import os
import socket
import time
from dataclasses import dataclass
from pathlib import Path

HOST = "127.0.0.1"
TICKS = os.sysconf("SC_CLK_TCK")


def free_port() -> int:
    """A port that nobody listens at."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return probe.getsockname()[1]


def cpu_seconds(pid: int) -> float:
    """The CPU time that a process has used, in seconds; in hundredths, as the kernel counts."""
    # The second field, the name, may contain anything, but it ends with the last parenthesis.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def with_children(pid: int) -> list[int]:
    """A process and its children, as far as they are there (Granian's worker is one)."""
    found = [pid]
    for one in found:
        for file in Path(f"/proc/{one}/task").glob("*/children"):
            with contextlib.suppress(OSError):  # its thread has ended just now
                found += map(int, file.read_text().split())
    return found


@dataclass(frozen=True)
class Turn:
    """What the processes of a server did for a while, in seconds."""

    wall: float
    cpu: float
    waited: float
    """Ready to run, while another had the core (the second field of /proc/PID/schedstat), summed over all threads."""
    others: float
    """The time for which the core was neither idle, nor theirs, nor answering interrupts."""

    @property
    def disturbed(self) -> float:
        """The part of the time for which they waited for others; threads that wait for their like are not disturbed."""
        return min(self.waited, self.others) / self.wall


def process_seconds(pid: int) -> float:
    """The CPU time that a process has used, its threads that have ended included, to the nanosecond."""
    return time.clock_gettime(~pid << 3 | 2)  # the id that clock_getcpuclockid(3) gives


class Watch:
    """Looks at the processes of a server, which are pinned to one core."""

    def __init__(self, pids: list[int], core: int) -> None:
        self.pids, self.core = pids, core
        self.began = self._look()
        self.waited = self._waited()

    def turn(self) -> Turn:
        """What has happened since."""
        wall, nobodys, cpu = (now - then for now, then in zip(self._look(), self.began, strict=True))
        waited = sum(now - self.waited.get(thread, 0.0) for thread, now in self._waited().items())
        return Turn(wall, cpu, waited, max(0.0, wall - nobodys - cpu))

    def _look(self) -> tuple[float, float, float]:
        lines = Path("/proc/stat").read_text().splitlines()
        fields = next(line.split() for line in lines if line.startswith(f"cpu{self.core} "))
        # Idle, waiting for a disk, and interrupts: sockets make the last, which the kernel counts for no process.
        nobodys = sum(map(int, fields[4:8])) / TICKS
        return time.perf_counter(), nobodys, sum(map(process_seconds, self.pids))

    def _waited(self) -> dict[Path, float]:
        """For how long each thread has waited so far; those that end take it with them."""
        found = {}
        for file in (file for pid in self.pids for file in Path(f"/proc/{pid}/task").glob("*/schedstat")):
            with contextlib.suppress(OSError):  # it has ended just now
                found[file] = int(file.read_text().split()[1]) / 1e9
        return found
