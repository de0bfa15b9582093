"""The time of gnet's loop in the hands of a test: an hour goes by in a millisecond."""

from __future__ import annotations

from collections.abc import Callable
from math import ceil, inf
from types import TracebackType
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

import gevent

from ..loop.loop import Loop, get_loop
from .waiting import settle

__all__ = ['Clock', 'clock_of']

Result = TypeVar('Result')


class Clock:
    """A clock that stands still until the test moves it::

        with gnet.testing.Clock() as clock:
            sock.set_timeout(3_600_000, timed_out)
            clock.advance(3600)

    It is the time of all sockets and servers of this thread, on real connections and in memory: of
    ``set_timeout``, ``settimeout``, ``read_timeout``, ``write_timeout``, ``lifetime``, of a
    handshake, and of a connection that takes leave. What gevent itself measures (``sleep``,
    ``Timeout``), and what gnet leaves to a timer of gevent's (the grace of a drain, the pause
    between two attempts to connect) goes by the real time.

    Use it in the thread of the sockets. A loop has one at a time: :func:`clock_of` finds it.
    """

    def __init__(self) -> None:
        self._loop = get_loop()
        self._began = self._time = 0.0
        self._depth = 0
        #: Whether run() moves it, and how many advance() do: the former waits for the latter.
        self._is_running = False
        self._advancing = 0

    def __enter__(self) -> Clock:
        known = _clocks.get(self._loop)
        if known is not None and known is not self:
            raise RuntimeError('this loop has a clock already: use clock_of()')
        self._depth += 1
        if known is None:
            # A whole number: sums of it and times that can be read are exact.
            self._began = self._time = float(ceil(self._loop.now()))
            _clocks[self._loop] = self
            self._loop.now = self._now
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.let_go()

    def let_go(self) -> None:
        """Undo one entry; with the last one, the time is the real one again."""
        self._depth -= 1
        if not self._depth:
            del _clocks[self._loop]
            del self._loop.now  # the class has the real one
            if self._loop.is_usable:  # else there is no time-out any more
                self._loop.from_hub(self._loop.idle_timers.expire)  # which sets the timer by that

    def forgotten(self) -> None:
        """Undo one entry of somebody who was collected, in any thread."""
        self._loop.in_own_thread(self.let_go)

    def _now(self) -> float:
        return self._time

    @property
    def time(self) -> float:
        """Seconds that have gone by on it."""
        return self._time - self._began

    def advance(self, seconds: float) -> None:
        """Let *seconds* go by, and all that is due then happen, one time-out after another.

        Returns when nothing is left to do but to wait.

        Raises:
            ValueError: *seconds* is less than 0, or no finite number.
        """
        if not 0 <= seconds < inf:
            raise ValueError(f'time goes on only, and never to its end: {seconds!r}')
        self._advancing += 1
        try:
            settle()
            target = self._time + seconds
            while True:
                due = self._loop.idle_timers.next_due()
                if due is None or due > target:
                    break
                self._go_to(due)
            self._go_to(target)
        finally:
            self._advancing -= 1

    def run(self, function: Callable[..., Result], *args: Any, **kwargs: Any) -> Result:
        """Call *function* in a greenlet, and let time go by from one time-out to the next.

        So ``clock.run(sock.recv, 100)`` raises TimeoutError after the time of ``settimeout``,
        at once; :attr:`time` tells how long that was. Called within such a function it only calls:
        time goes by already.

        Returns:
            What *function* returns; it raises what that raises.

        Raises:
            AssertionError: it waits for something that no time-out will end.
        """
        if self._is_running:
            return function(*args, **kwargs)
        caller = gevent.spawn(_outcome, function, args, kwargs)
        self._is_running = True
        try:
            settle()
            while not caller.ready():
                due = self._loop.idle_timers.next_due()
                if self._advancing:
                    settle()
                elif due is None:
                    raise AssertionError(f'{function!r} waits, and no time-out is set')
                else:
                    self._go_to(due)
        finally:
            self._is_running = False
            caller.kill()
        result, error = caller.get()
        if error is not None:
            raise error
        return result  # type: ignore[no-any-return]

    def _go_to(self, time: float) -> None:
        self._time = max(self._time, time)
        self._loop.from_hub(self._loop.idle_timers.expire)
        settle()


def _outcome(
    function: Callable[..., Any], args: Any, kwargs: Any,
) -> tuple[Any, BaseException | None]:
    try:
        return function(*args, **kwargs), None
    except BaseException as error:  # raised again, where the test waits
        return None, error


_clocks: WeakKeyDictionary[Loop, Clock] = WeakKeyDictionary()


def clock_of() -> Clock:
    """Return the clock that this thread's loop has, or one that it may get: both may be entered."""
    return _clocks.get(get_loop()) or Clock()
