"""The end of a program with workers: by SIGTERM, by SIGINT, or since its script is broken."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Any, Protocol

from ..clusters.primary_listeners import PrimaryListeners
from ..loop.watchers import close_watcher
from .members import Member, Role, counted, say

__all__ = [
    'Ending',
    'Phase',
]

#: Seconds that connections which were accepted before SIGTERM wait for a worker that has room. Most
#: are given out at once; the time of those that are open is not to be used up.
HAND_OUT_TIME = 1.0

#: Seconds between Ctrl-C and interrupting the workers that are still there. The terminal interrupts
#: them as well, and twice would break into their ``finally`` blocks; libuv takes up to 0.3 seconds.
INTERRUPT_PAUSE = 0.5


class Phase(Enum):
    """What the primary is about."""

    STARTING = 'no worker has listened yet'
    SERVING = 'workers that end are restarted'
    FAILED = 'the script is broken: the other workers are ended'
    DRAINING = 'SIGTERM came: the workers finish what is open'
    INTERRUPTED = 'SIGINT came: the workers are interrupted'
    KILLING = 'a second signal came: the workers were killed'


#: Which may follow which.
FOLLOWS: dict[Phase, set[Phase]] = {
    Phase.STARTING: {Phase.SERVING, Phase.FAILED, Phase.DRAINING, Phase.INTERRUPTED},
    Phase.SERVING: {Phase.DRAINING, Phase.INTERRUPTED},
    Phase.FAILED: {Phase.INTERRUPTED, Phase.KILLING},
    Phase.DRAINING: {Phase.INTERRUPTED, Phase.KILLING},
    Phase.INTERRUPTED: {Phase.KILLING},
    Phase.KILLING: {Phase.KILLING},
}


class Staff(Protocol):
    """Who has the workers."""

    members: list[Member]

    def put(self, handle: Callable[..., None], *arguments: Any) -> None:
        """Call *handle* in its turn."""

    def after(self, seconds: float, handle: Callable[..., None], *arguments: Any) -> Any:
        """Call *handle* later, in turn; return the timer."""

    def stopping(self, phase: Phase) -> None:
        """Nothing is started any more."""

    def retire(self, member: Member) -> None:
        """Let *member* finish what is open."""

    def interrupt(self, member: Member) -> None:
        """Have *member* end by SIGINT, in time."""


class Ending:
    """How far the program is, and what ends it."""

    def __init__(self, staff: Staff, listeners: PrimaryListeners, drain_timeout: float) -> None:
        """Nothing has begun.

        Args:
            staff: who has the workers.
            listeners: what they listen on.
            drain_timeout: seconds that connections have to finish.
        """
        self._staff = staff
        self._listeners = listeners
        self._drain_timeout = drain_timeout
        self.phase: Phase = Phase.STARTING
        #: What to exit with.
        self.status: int = 0
        self.interrupted: bool = False
        #: Connections that were cut in the end.
        self.cut: int = 0
        #: Until the next step.
        self._timer: Any = None

    @property
    def has_begun(self) -> bool:
        """Whether the program ends."""
        return self.phase not in (Phase.STARTING, Phase.SERVING)

    def serves(self) -> None:
        """A worker listens."""
        if self.phase is Phase.STARTING:
            self.phase = Phase.SERVING

    def has_cut(self, count: int) -> None:
        """A worker has cut so many connections."""
        if self.has_begun:
            self.cut += count

    def over(self) -> None:
        """Nothing is to follow."""
        close_watcher(self._timer)

    def _enter(self, phase: Phase) -> None:
        """Begin to end: nothing is started any more."""
        self.phase = phase
        self._staff.stopping(phase)
        if phase is not Phase.DRAINING:
            self._listeners.keep(False)

    def fail(self, status: int) -> None:
        """The script is broken: end with *status*."""
        self._enter(Phase.FAILED)
        self.status = status
        for member in self._staff.members:
            member.signal('SIGKILL')  # none has ever listened: there is nothing to be finished

    # --- SIGTERM ----------------------------------------------------------------------------------

    def terminate(self) -> None:
        """SIGTERM came."""
        if self.has_begun:
            self._kill_all()
            return
        self._enter(Phase.DRAINING)
        members = self._staff.members
        self.cut = sum(member.cut for member in members)
        say(f'SIGTERM: {counted(len(members), "worker")} may finish what is open, for '
            f'{self._drain_timeout:g} s')
        # First of all, what was accepted goes to those who will drain.
        self._listeners.finish(lambda: self._staff.put(self._drain))
        self._timer = self._staff.after(min(HAND_OUT_TIME, self._drain_timeout), self._drain)

    def _drain(self) -> None:
        """Nothing is left to be given to the workers, or none of them takes it."""
        if self.phase is not Phase.DRAINING:
            return
        close_watcher(self._timer)
        self._timer = None
        self._listeners.keep(False)
        for member in self._staff.members:
            if member.role is not Role.RETIRING:
                self._staff.retire(member)

    # --- SIGINT -----------------------------------------------------------------------------------

    def interrupt(self) -> None:
        """SIGINT came."""
        self.interrupted = True
        if self.phase in (Phase.INTERRUPTED, Phase.KILLING):
            self._kill_all()
            return
        self._enter(Phase.INTERRUPTED)
        close_watcher(self._timer)
        self._timer = self._staff.after(INTERRUPT_PAUSE, self._interrupt_all)

    def _interrupt_all(self) -> None:
        if self.phase is Phase.INTERRUPTED:
            for member in self._staff.members:
                self._staff.interrupt(member)

    def _kill_all(self) -> None:
        self.phase = Phase.KILLING
        members = self._staff.members
        if members:
            were = 'was' if len(members) == 1 else 'were'
            say(f'{counted(len(members), "worker")} {were} killed')
        for member in members:
            member.signal('SIGKILL')
