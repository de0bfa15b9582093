"""SIGHUP: the workers are replaced one by one. The old one drains as soon as the new one is ready.

If a new one is never ready, the old ones stay. A SIGHUP in the middle of this starts anew
afterwards.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from ..loop.watchers import close_watcher
from .members import Member, Role, Seat, say

__all__ = [
    'Reload',
]

#: Seconds that a new worker has to be ready in a reload, after which it is taken to hang.
START_PATIENCE = 60.0


class Staff(Protocol):
    """Who has the workers."""

    seats: list[Seat]

    def after(self, seconds: float, handle: Callable[..., None], *arguments: Any) -> Any:
        """Call *handle* later, in turn; return the timer."""

    def fork(self, seat: Seat, role: Role) -> Member | None:
        """Start a worker; None, after a line about it, if the system cannot."""

    def restart(self, seat: Seat, last: Member | None, reason: str) -> None:
        """Start a worker in *seat*, after a while if the last one was not there for long."""

    def retire(self, member: Member) -> None:
        """Let *member* finish what is open."""

    def servers_of(self, member: Member) -> int:
        """Return how many listeners *member* shares now."""

    def reloading(self) -> None:
        """A reload begins."""

    def reloaded(self) -> None:
        """It is over, well or not."""


class Reload:
    """The replacing of all workers, when it goes on and when not."""

    def __init__(self, staff: Staff) -> None:
        self._staff = staff
        #: How many were begun: who has a lower one is to be replaced.
        self.generation: int = 0
        #: The worker that is to take another one's seat.
        self.new: Member | None = None
        #: The seats whose workers are still to be replaced; None when there is no reload.
        self._left: list[Seat] | None = None
        self._again = False

    def is_for(self, seat: Seat) -> bool:
        """Whether a worker for *seat* is on its way."""
        return self.new is not None and self.new.seat is seat

    def forget(self) -> None:
        """The program ends: nobody is waited for any more."""
        self.new = None

    def begin(self) -> None:
        """Replace all that are there now."""
        if self._left is not None:
            self._again = True
            return
        self.generation += 1
        self._left = list(self._staff.seats)
        say('SIGHUP: the workers are replaced')
        self._staff.reloading()
        self._go_on()

    def _go_on(self) -> None:
        while self._left:
            seat = self._left.pop(0)
            if seat.over or (seat.current and seat.current.generation == self.generation):
                continue
            close_watcher(seat.timer)
            seat.timer = None
            new = self.new = self._staff.fork(seat, Role.NEW)
            if new is None:
                self.give_up('no worker was started')
            else:
                new.timer = self._staff.after(START_PATIENCE, self._hangs, new)
            return
        say('the workers were replaced')
        self._end()

    def look_whether_ready(self) -> None:
        """Something has changed: go on if the new worker is ready."""
        new = self.new
        if new is None or new.role is not Role.NEW or not new.online or (
            len(new.addresses) < self._servers_needed()
        ):
            return
        close_watcher(new.timer)
        new.timer = self.new = None
        old = new.seat.current
        new.role = Role.CURRENT
        new.seat.current = new
        if old is not None:
            self._staff.retire(old)
        self._go_on()

    def _servers_needed(self) -> int:
        """Return how many servers a worker has that has come up to the others.

        To the least of them: one may have more, by its number or for a while.
        """
        current = (seat.current for seat in self._staff.seats)
        counts = (self._staff.servers_of(member) for member in current if member)
        return min((count for count in counts if count), default=0)

    def _hangs(self, member: Member) -> None:
        if member is self.new:
            member.signal('SIGKILL')
            self.new = None
            member.role = Role.RETIRING
            self.give_up(
                f'worker {member.pid} was not ready in {START_PATIENCE:g} s and is killed')

    def give_up(self, reason: str) -> None:
        """End the reload. Workers that were not replaced yet go on."""
        say(f'{reason}; the other workers stay')
        self.new = None
        for seat in self._staff.seats:
            if seat.current is None and seat.timer is None and not seat.over:
                self._staff.restart(seat, None, 'a worker is missing')
        self._end()

    def _end(self) -> None:
        self._left = None
        self._staff.reloaded()
        if self._again:
            self._again = False
            self.begin()
