"""Runners: the greenlets in which listeners are called.

The hub wakes one once per loop turn. When a listener blocks, its runner is *captured*: the hub goes
on with another one, and the captured runner retires as soon as that listener has returned. So no
listener runs in the hub, none delays another's socket, and no greenlet is spawned per event (10-17
us each on CPython 3.11+).
"""

from __future__ import annotations

import sys
from contextvars import Context
from enum import Enum
from time import perf_counter
from typing import TYPE_CHECKING, Any

from gevent import Greenlet, GreenletExit

from .agenda import Agenda, Deliverable

if TYPE_CHECKING:
    _AnyGreenlet = Greenlet[..., Any]
else:
    _AnyGreenlet = Greenlet  # not subscriptable at run time

__all__ = [
    'MAX_IDLE_RUNNERS',
    'Runner',
    'RunnerState',
]

#: Idle runners kept for the next turn. One is in use at a time unless listeners block; what more is
#: made during a burst of blocking listeners retires by itself.
MAX_IDLE_RUNNERS = 8


class RunnerState(Enum):
    """What a runner is doing."""

    PARKED = 'waits in the pool for the hub to wake it'
    RUNNING = 'was woken by the hub in this turn'
    CAPTURED = 'a listener blocked: the hub went on without it'


#: Which may follow which.
FOLLOWS: dict[RunnerState, set[RunnerState]] = {
    RunnerState.PARKED: {RunnerState.RUNNING},
    RunnerState.RUNNING: {RunnerState.PARKED, RunnerState.CAPTURED},
    RunnerState.CAPTURED: set(),  # it ends with that listener
}

_CAPTURED = RunnerState.CAPTURED  # a name of the module: see streams/states.py


class Runner(_AnyGreenlet):
    """A greenlet that takes ticks and work until there is none, then parks.

    Args:
        agenda: what is to be done.
        parked: the runners that wait for the next turn, which this one joins.
    """

    def __init__(self, agenda: Agenda, parked: list[Runner]) -> None:
        super().__init__()
        self.name = 'gnet runner'
        self.state: RunnerState = RunnerState.PARKED
        self._agenda = agenda
        self._parked = parked

    def _run(self) -> None:
        agenda, parked = self._agenda, self._parked
        ticks, work, hub = agenda.ticks, agenda.work, agenda.hub
        last_context: Context | None = None
        item: Deliverable | None
        while True:
            while True:
                # (The clock is asked only where something is left to do.)
                if ticks:
                    if perf_counter() >= agenda.deadline:
                        break
                    callback, arguments, context = ticks.popleft()
                    item = None
                elif work:
                    if perf_counter() >= agenda.deadline:
                        break
                    item = work.popleft()
                    context = item.context
                else:
                    break
                if context is not last_context:
                    # Variables that a socket's listeners set are seen by that socket's alone.
                    # Unlike Context.run, this may overlap with a listener that is still blocked.
                    self.gr_context = last_context = context
                try:
                    if item is None:
                        callback(*arguments)
                    else:
                        item.deliver()
                except GreenletExit:
                    return
                except BaseException:
                    hub.handle_error(self, *sys.exc_info())
                if self.state is _CAPTURED:
                    return
            if len(parked) >= MAX_IDLE_RUNNERS:
                return
            # A parked runner must not keep alive what it did last.
            item = context = None
            callback = arguments = None  # type: ignore[assignment]
            if last_context is not None:
                self.gr_context = last_context = None
            self.state = RunnerState.PARKED
            parked.append(self)
            hub.switch()
