"""What is read from the kernel about a server process, and one measurement made of it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from .processes import TrialError

#: The kernel's name for "the CPU clock of that process", of which clock_getcpuclockid() makes an
#: identifier. In contrast to /proc/PID/stat it counts nanoseconds, and in contrast to
#: /proc/PID/schedstat all threads, those that have ended, too.
_SCHEDULER_CLOCK = 2


@dataclass(frozen=True)
class Sample:
    """One contestant in one case in one round."""

    #: What was done: requests, blocks, messages, connections.
    units: float
    #: How long that took, by the wall.
    seconds: float
    #: CPU time of the server, or None where memory is measured.
    cpu_us: float | None = None
    memory_bytes: float | None = None
    #: Latency, in microseconds.
    p50_us: float | None = None
    p99_us: float | None = None
    #: What went wrong on the wire, in the words of the load generator.
    trouble: str = ''

    @property
    def figure(self) -> float:
        """Return the main figure: microseconds of CPU, or else bytes, per unit."""
        total = self.memory_bytes if self.cpu_us is None else self.cpu_us
        return total / self.units

    @property
    def per_second(self) -> float | None:
        return None if self.cpu_us is None else self.units / self.seconds

    @property
    def busy(self) -> float | None:
        """Return the part of a core that the server used, 1.0 for all of it."""
        return None if self.cpu_us is None else self.cpu_us / self.seconds / 1e6


class Stopwatch:
    """The CPU time of a process and its children, and the time on the wall, since it was made."""

    def __init__(self, pid: int):
        self._clocks = [~each << 3 | _SCHEDULER_CLOCK for each in (pid, *_children(pid))]
        self._cpu = self._now()
        self._wall = time.monotonic_ns()

    def _now(self) -> int:
        return sum(map(time.clock_gettime_ns, self._clocks))

    def cpu_us(self) -> float:
        return (self._now() - self._cpu) / 1e3

    def seconds(self) -> float:
        return (time.monotonic_ns() - self._wall) / 1e9


def _children(pid: int) -> list[int]:
    """Return the processes that this one has started, and those that they have."""
    words = Path(f'/proc/{pid}/task').glob('*/children')
    found = [int(word) for file in words for word in file.read_text().split()]
    return [*found, *(each for child in found for each in _children(child))]


def anonymous_bytes(pid: int) -> int:
    """Return how much memory the process has for itself: its heap and stacks, no files."""
    # VmRSS and RssAnon of /proc/PID/status are summed up in steps, and off by some 100 KB.
    for line in Path(f'/proc/{pid}/smaps_rollup').read_text().splitlines():
        if line.startswith('Anonymous:'):
            return int(line.split()[1]) * 1024
    raise TrialError(f'the kernel does not tell the memory of process {pid}')
