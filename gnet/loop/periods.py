"""Periods of one length: one entry of a dict for each, and one idle timer for all of them.

For what each connection begins and most of them cancel soon, as the time in which they may take
leave: a heap has an entry for each, which must be found its place, and stays when it is cancelled.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from .idle_timers import IdleTimer, IdleTimers

__all__ = ['Periods']


class Periods:
    """Those that are under way, each with whose it is.

    Args:
        timers: those of the loop.
        is_over: called in the hub with whose period is over: must not block or raise.
    """

    def __init__(self, timers: IdleTimers, is_over: Callable[[Any], object]) -> None:
        self._timers = timers
        self._is_over = is_over
        #: When each is over, and whose it is; the oldest first. By ``id``, as programs may have
        #: made theirs equal.
        self._under_way: OrderedDict[int, tuple[float, Any]] = OrderedDict()
        #: When the last of them is over.
        self._newest = 0.0
        self._timer: IdleTimer | None = None

    def begin(self, whose: Any, seconds: float, now: float) -> None:
        """Begin one of *seconds*, as all are. *whose* has none, and is kept until it is over."""
        due = now + seconds
        self._under_way[id(whose)] = due, whose
        if due < self._newest:
            self._put_in_order()
        else:
            self._newest = due
        if self._timer is None:
            oldest, _ = next(iter(self._under_way.values()))
            self._timer = IdleTimer(self._look, oldest - now, now)
            self._timers.arm(self._timer)

    def cancel(self, whose: Any) -> None:
        """Forget that of *whose*, if it has one."""
        self._under_way.pop(id(whose), None)
        if not self._under_way:
            self._cancel_timer()

    def _put_in_order(self) -> None:
        """The loop's time was put back, or this one is shorter. Only tests do that."""
        entries = sorted(self._under_way.items(), key=lambda entry: entry[1][0])
        self._under_way = OrderedDict(entries)
        self._newest = entries[-1][1][0]
        self._cancel_timer()

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timers.cancel(self._timer)
            self._timer = None

    def _look(self, timer: IdleTimer) -> None:
        """Runs in the hub, when the oldest was over at the time at which the timer was set."""
        now = self._timers.now()
        while self._timer is timer:
            if not self._under_way:
                self._timer = None
                break
            due, whose = next(iter(self._under_way.values()))
            if due > now:
                timer.last_active, timer.seconds = now, due - now
                self._timers.arm(timer)
                break
            self._under_way.popitem(last=False)
            self._is_over(whose)
