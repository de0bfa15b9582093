"""The workers of ``--workers``, as their primary sees them: seats, and who is in them."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from enum import Enum
from typing import Any

__all__ = [
    'KILL_GRACE',
    'Member',
    'Role',
    'Seat',
    'counted',
    'say',
    'say_by',
    'say_cut',
    'status_of',
]

#: Seconds that a worker has to end after its time is over, before it is killed: enough for exit
#: functions.
KILL_GRACE = 5.0

#: Seconds after its first 'listening' that a worker must have lived to be restarted at once, so
#: that one which always dies costs no more than one start a second.
STABLE_TIME = 1.0

#: Seconds before the first restart of one that has not, doubled each time up to the last: quick
#: where it was an accident, and of no weight where it is not.
FIRST_DELAY = 0.1
LAST_DELAY = 10.0


class Role(Enum):
    """What a worker is there for."""

    CURRENT = 'it serves in its seat'
    NEW = 'it will, when it is ready'
    RETIRING = 'it finishes what is open'


#: Which may follow which.
FOLLOWS: dict[Role, set[Role]] = {
    Role.NEW: {Role.CURRENT, Role.RETIRING},
    Role.CURRENT: {Role.RETIRING},
    Role.RETIRING: set(),
}


class Seat:
    """One of the N workers, through all restarts."""

    def __init__(self) -> None:
        self.current: Member | None = None
        #: Whether the script has simply ended here.
        self.over = False
        #: How many restarts were delayed since a worker lived for long enough.
        self.delays: int = 0
        #: Of the restart that is due.
        self.timer: Any = None

    def restart_delay(self, last: Member | None, now: float) -> float:
        """Return how many seconds to wait before the worker after *last* is started."""
        if last is not None and last.listening_since is not None and (
            now - last.listening_since >= STABLE_TIME
        ):
            self.delays = 0
            return 0.0
        # (Bounded: two to the power of days of failures is no float.)
        delay: float = min(FIRST_DELAY * 2 ** min(self.delays, 32), LAST_DELAY)
        self.delays += 1
        return delay


class Member:
    """One worker process."""

    def __init__(self, worker: Any, seat: Seat, role: Role, generation: int) -> None:
        self.worker = worker
        self.seat = seat
        self.role = role
        self.generation = generation
        self.online = False
        #: The addresses that it has listened on.
        self.addresses: set[Any] = set()
        self.listening_since: float | None = None
        #: How many connections it had to cut.
        self.cut = 0
        #: Turns of the watchdog since it was asked; 0 if it has answered.
        self.unanswered = 0
        #: Of what will be done if it does not end, or is not ready, in time.
        self.timer: Any = None

    @property
    def pid(self) -> int:
        pid: int = self.worker.process.pid
        return pid

    def signal(self, name: str) -> None:
        self.worker.process.kill(name)


def status_of(code: int | None, signal_name: str | None) -> int:
    """Return the status with which a shell reports the end of a process."""
    if signal_name is None:
        return code or 0
    with suppress(AttributeError):
        return 128 + int(getattr(signal, signal_name))
    return 128


def counted(number: int, noun: str) -> str:
    return f'{number} {noun}' if number == 1 else f'{number} {noun}s'


#: What says lines in the place of stderr, if anything does.
_teller: Callable[[str], object] | None = None


def say_by(teller: Callable[[str], object]) -> None:
    """Have lines of :func:`say` told by *teller* from now on."""
    global _teller
    _teller = teller


def say(line: str) -> None:
    """Tell whoever operates the program."""
    if _teller is not None:
        _teller(line)
        return
    # Without a terminal or log to write to, the program goes on.
    with suppress(OSError, ValueError):
        if sys.stderr is not None:
            sys.stderr.write(f'gnet: {line}\n')
            sys.stderr.flush()


def say_cut(whose: str, count: int, seconds: float) -> None:
    """Tell how many connections were not ended in the time that they had; if there were any."""
    if count:
        were = 'was' if count == 1 else 'were'
        say(f'{counted(count, "connection")}{whose} {were} still open after {seconds:g} s and '
            f'{were} cut')
