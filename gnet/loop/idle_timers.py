"""Idle timers: `'timeout'` of sockets, at a cost per message of one comparison.

A socket notes the loop's time of its last activity and nothing else; one heap and one gevent timer
serve all sockets of a loop. When an entry comes due the socket is asked when it was last active:
either its idle period is over, or the entry goes back with the new due time. So 10,000 sockets with
timeouts cost one heap operation each per period, and no timer is started per message. The timers
never keep the program alive (as in Node).
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heapify, heappop, heappush
from itertools import count
from typing import Any

from .watchers import Watchers, close_watcher

__all__ = [
    'IdleTimer',
    'IdleTimers',
]

#: Cancelled entries stay in the heap until they come due, or until there are this many and they
#: are the greater part of it: so cancelling is cheap, and memory is bounded by what is in use.
_SWEEP_FROM = 256


class IdleTimer:
    """One socket's idle period. The socket itself sets ``last_active``, from ``loop.now()``."""

    __slots__ = ('armed', 'expired', 'in_flight', 'last_active', 'seconds')

    def __init__(
        self, expired: Callable[[IdleTimer], object], seconds: float, now: float,
    ) -> None:
        #: Called in the hub, with this timer, when the idle period is over: must not block or
        #: raise. None once cancelled.
        self.expired: Callable[[IdleTimer], object] | None = expired
        self.seconds: float = seconds
        self.last_active: float = now
        #: Whether it waits for its time. Not so after it fired, until the next activity.
        self.armed: bool = False
        #: Bytes of a write that the kernel had not taken when the period was last over.
        self.in_flight: int = 0


class IdleTimers:
    """The idle timers of one loop: its ``idle_timers``."""

    def __init__(self, watchers: Watchers) -> None:
        self._watchers = watchers
        self._heap: list[tuple[float, int, IdleTimer]] = []
        self._cancelled = 0
        self._tie_breaker = count()
        self._timer: Any = None
        self._due = 0.0

    def arm(self, timer: IdleTimer) -> None:
        """Have ``timer.expired`` called once the idle period is over."""
        timer.armed = True
        self._push(timer)
        if self._timer is None or self._heap[0][0] < self._due:
            self._schedule()

    def cancel(self, timer: IdleTimer) -> None:
        """Forget *timer*; it can not be armed again."""
        timer.expired = None
        if timer.armed:
            timer.armed = False
            self._cancelled += 1
            if self._cancelled >= _SWEEP_FROM and self._cancelled * 2 > len(self._heap):
                self._heap = [entry for entry in self._heap if entry[2].expired is not None]
                heapify(self._heap)
                self._cancelled = 0

    def now(self) -> float:
        """Return the loop's time."""
        return self._watchers.now()

    def forsake(self) -> None:
        """No time-out comes any more: this is a forked child."""
        self._heap.clear()
        close_watcher(self._timer)
        self._timer = None

    def _push(self, timer: IdleTimer) -> None:
        due = timer.last_active + timer.seconds
        heappush(self._heap, (due, next(self._tie_breaker), timer))

    def _schedule(self) -> None:
        close_watcher(self._timer)
        self._timer = None
        if self._heap:
            self._due = self._heap[0][0]
            self._timer = self._watchers.call_after(self._due - self._watchers.now(), self.expire)

    def next_due(self) -> float | None:
        """Return the loop's time at which there is something to do; None for never.

        It may be that of a timer that was cancelled, or whose period has begun anew.
        """
        return self._heap[0][0] if self._heap else None

    def expire(self) -> None:
        """Call all whose period is over by the loop's time. Runs in the hub."""
        now = self._watchers.now()
        while self._heap and self._heap[0][0] <= now:
            timer = heappop(self._heap)[2]
            if timer.expired is None:
                self._cancelled -= 1
            elif timer.last_active + timer.seconds > now:
                self._push(timer)
            else:
                timer.armed = False
                timer.expired(timer)
        self._schedule()
