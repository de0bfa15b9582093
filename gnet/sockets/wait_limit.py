"""The time that a blocking call may wait: what ``settimeout`` was given, on the loop's shared heap.

A socket keeps one limit and uses it again: a call that begins to wait notes the loop's time, and
one that is woken leaves the entry where it is. So a wait costs no timer and, but for the first of
each period, nothing of the heap either. Each further greenlet that waits on the same socket
meanwhile, in a write say, has one of its own.
"""

from __future__ import annotations

import socket as _stdlib
from typing import Any

from ..loop.idle_timers import IdleTimer

__all__ = ['WaitLimit']


class WaitLimit(IdleTimer):
    """An entry of the heap that interrupts a greenlet, if one still waits when its time is up."""

    __slots__ = ('_loop', 'greenlet', 'whose')

    # Of the base, and set here, too: without this, type checkers may differ about its type.
    last_active: float

    def __init__(self, loop: Any, seconds: float) -> None:
        super().__init__(_time_is_up, seconds, 0.0)
        self._loop = loop
        #: Who waits, and of what the error says to be (:meth:`.Blocking.is_late`). None while
        #: nobody does.
        self.greenlet: Any = None
        self.whose: object = None

    def begin(self, greenlet: Any, whose: object) -> None:
        """*greenlet* is about to wait, and the program lives on until it does not any more."""
        self._loop.hold()  # the heap's own timer does not
        self.greenlet = greenlet
        self.whose = whose
        self.last_active = self._loop.now()
        if not self.armed:
            self._loop.idle_timers.arm(self)

    def end(self) -> None:
        """It goes on."""
        self.greenlet = self.whose = None
        self._loop.release()

    def cancel(self) -> None:
        """Nobody will use it any more."""
        self._loop.idle_timers.cancel(self)

    def forget(self) -> None:
        """The same, in any thread: nobody has its socket any more."""
        self._loop.in_own_thread(self.cancel)

    def interrupt(self) -> None:
        """Raise TimeoutError in the greenlet that has waited for too long. Runs in the hub."""
        if self.greenlet is None or self.last_active + self.seconds > self._loop.now():
            return  # it has gone on since; should it wait again, this is armed anew
        late: Any = _stdlib.timeout('timed out')
        late.gnet_waited = self.whose
        self.greenlet.throw(late)


def _time_is_up(limit: IdleTimer) -> None:
    assert isinstance(limit, WaitLimit)
    if limit.greenlet is not None:
        # Not here: what a greenlet does when it is switched to would hold up the other timers, and
        # what one of greenlet's own lets escape would end them.
        limit._loop.from_hub(limit.interrupt)  # inside: it is the limit's own callback
