"""What is to be done: ticks, work, starts, and until when runners may go on with it.

Apart from :mod:`gnet.loop.loop`, so that a runner can know its agenda, and the loop its runners.

- **ticks**, Node's ``process.nextTick``: a FIFO that is drained when the running piece of work
  ends, before any newly ready socket is served;
- **work**: sockets with something to deliver, served in turn;
- **starts**: what begins in the hub, each after the ticks of the one before;
- **soon**: what the hub does when all ticks and work are done, before the next poll;
- **later**: what must come at least one poll of the descriptors after now (Node's closing phase).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextvars import Context
from time import perf_counter
from typing import Any, Protocol

from gevent import GreenletExit

__all__ = [
    'EXITS',
    'WORK_BUDGET',
    'Agenda',
    'Deliverable',
]

#: Seconds of listeners' work after which timers and descriptors get their turn. The value is that
#: of ``sys.getswitchinterval()``, by which gevent bounds its own callbacks.
WORK_BUDGET = 0.005

#: What ends a program or a greenlet, rather than being the failure of a listener.
EXITS = (GreenletExit, KeyboardInterrupt, SystemExit)


class Deliverable(Protocol):
    """A piece of work for a runner: something with events to deliver."""

    context: Context | None

    def deliver(self) -> None:
        """Emit what is waiting. Called in a runner; may block."""


class Agenda:
    """The queues of one loop.

    ``ticks``, ``work`` and ``wake_scheduled`` are open, because a call costs more than what it
    would do here: who appends to a queue sees to it that a wake is scheduled.

    Args:
        hub: gevent's.
        wake: does what is waiting; called in the hub.
    """

    def __init__(self, hub: Any, wake: Callable[[], None]) -> None:
        self.hub = hub
        #: gevent's loop.
        self.native: Any = hub.loop
        self.ticks: deque[tuple[Callable[..., object], tuple[Any, ...], Context | None]] = deque()
        self.work: deque[Deliverable] = deque()
        #: Empty queues of connections that have ended, for the next ones: to make one, and to free
        #: it, is 2 or 3 % of a short connection. See ``MAX_SPARE_QUEUES``.
        self.spare_queues: list[deque[Any]] = []
        #: Whether a wake will come that sees what is added now.
        self.wake_scheduled: bool = False
        #: Until when runners may go on, by ``perf_counter()``.
        self.deadline: float = 0.0
        self._wake = wake
        self._starts: deque[tuple[Callable[..., object], tuple[Any, ...]]] = deque()
        self._soon: list[Callable[[], object]] = []
        self._later: list[tuple[Callable[..., object], tuple[Any, ...], Context | None]] = []
        self._turn_scheduled = False
        # With a delay of zero this fires after the next poll, on libev and on libuv.
        self._next_turn = self.native.timer(0)

    def tick(
        self, callback: Callable[..., object], *arguments: Any, context: Context | None = None,
    ) -> None:
        """Run ``callback(*arguments)`` in a runner when the running piece of work ends."""
        self.ticks.append((callback, arguments, context))
        if not self.wake_scheduled:
            self.wake_scheduled = True
            self.native.run_callback(self._wake)

    def enqueue(self, item: Deliverable) -> None:
        """Let a runner call ``item.deliver()``. The caller sees to it that it waits only once."""
        self.work.append(item)
        if not self.wake_scheduled:
            self.wake_scheduled = True
            self.native.run_callback(self._wake)

    def start(self, begin: Callable[..., object], *arguments: Any) -> None:
        """Call ``begin(*arguments)`` in the hub, after the ticks of what was started before."""
        self._starts.append((begin, arguments))
        if not self.wake_scheduled:
            self.schedule_wake()

    def soon(self, callback: Callable[[], object]) -> None:
        """Call *callback* in the hub when all ticks and work are done, before the next poll.

        It must not block.
        """
        self._soon.append(callback)
        if not self.wake_scheduled:
            self.schedule_wake()

    def later(
        self, callback: Callable[..., object], *arguments: Any, context: Context | None = None,
    ) -> None:
        """Like :meth:`tick`, but at least one poll of all descriptors from now."""
        self._later.append((callback, arguments, context))
        if not self._turn_scheduled:
            self._schedule_turn()

    @property
    def is_idle(self) -> bool:
        """Whether nothing is in any of the queues."""
        return not (self.ticks or self.work or self._starts or self._soon or self._later)

    def is_late(self) -> bool:
        """Whether a runner has worked long enough: timers and descriptors should have a turn."""
        return perf_counter() >= self.deadline

    def schedule_wake(self) -> None:
        if not self.wake_scheduled:
            self.wake_scheduled = True
            self.native.run_callback(self._wake)

    def _schedule_turn(self) -> None:
        if not self._turn_scheduled:
            self._turn_scheduled = True
            self._next_turn.start(self._turn)

    def _turn(self) -> None:
        """Start a loop turn: runs in the hub, after a poll."""
        self._next_turn.stop()
        self._turn_scheduled = False
        later, self._later = self._later, []
        if self.ticks or self.work:
            # On libuv a timer may come before the callbacks that were asked for earlier.
            self._wake()
        self.ticks.extend(later)
        self._wake()
