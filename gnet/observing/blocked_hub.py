"""A hub that does not come round: seen by a native thread, and told once, with who blocks it.

Nothing else happens while a listener calculates, or calls what blocks in C: no connection is
served, no timer fires. The hub gives a sign of life at fixed intervals; a thread that needs no hub
waits for one that is overdue, and looks where the hub's thread is just then.

gevent's own monitor (``GEVENT_MONITOR_THREAD_ENABLE``) does not do for that: it traces each switch
of greenlets, all the time; sees nothing of a callback that blocks the hub itself, nor of greenlets
that only switch to each other; and tells the same thing again and again.
"""

from __future__ import annotations

import linecache
import math
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from time import monotonic, process_time
from typing import Any

from gevent import monkey

from .. import lifecycle
from ..loop.loop import Loop, get_loop
from ..loop.watchers import close_watcher
from ..node.coded_errors import out_of_range
from ..node.validators import validate_function, validate_number
from .heap import Place, places_of
from .plain_stderr import write_to_stderr

__all__ = ['LONGEST', 'SHORTEST', 'BlockedHub', 'HubWatch', 'watch_hub']

#: Signs of life in the time after which the hub is taken to be blocked: so exact is what is told.
SIGNS = 8

#: After how many times the seconds a hub that seems to wait for events is blocked all the same: a
#: callback that is written in C looks like that.
POLLS = 3

#: Seconds between two signs at least, and of what is watched for: a hub that has nothing else to do
#: wakes up for each.
SHORTEST = 0.005

#: Seconds; what waits for longer is no watch.
LONGEST = 3600

_start_thread: Callable[..., Any] = monkey.get_original('_thread', 'start_new_thread')
_allocate_lock: Callable[[], Any] = monkey.get_original('_thread', 'allocate_lock')


class _Watch(Enum):
    """What the thread that watches a hub knows of it."""

    WATCHING = 'it gives signs of life'
    BLOCKED = 'it does not: that was told'
    STOPPED = 'nobody looks any more'


#: Which may follow which.
FOLLOWS: dict[_Watch, set[_Watch]] = {
    _Watch.WATCHING: {_Watch.BLOCKED, _Watch.STOPPED},
    _Watch.BLOCKED: {_Watch.WATCHING, _Watch.STOPPED},
    _Watch.STOPPED: set(),
}


@dataclass(frozen=True)
class BlockedHub:
    """One time that a hub was blocked, as it was seen while it lasted.

    Attributes:
        seconds: for how long it had been blocked, at least.
        stack: where its thread was, the innermost line last.
    """

    seconds: float
    stack: tuple[Place, ...]

    def __str__(self) -> str:
        lines = [f'gnet: the hub of process {os.getpid()} is blocked for {self.seconds:.2f} s by '
                 '(most recent call last):']
        for file, number, function in self.stack:
            lines.append(f'  File "{file}", line {number}, in {function}')
            source = linecache.getline(file, number).strip()
            if source:
                lines.append(f'    {source}')
        return '\n'.join(lines)


class HubWatch:
    """What watches one hub; :func:`watch_hub` returns it.

    Attributes:
        seconds: after how many it is taken to be blocked.
        count: how often it was.
        blocked_seconds: how long that was in all, as far as it is over.
        lag: by how many seconds the last sign of life came late.
    """

    def __init__(
        self, loop: Loop, seconds: float, report: Callable[[BlockedHub], object],
        lag: Callable[[float], object] | None,
    ) -> None:
        self.seconds = seconds
        self.count: int = 0
        self.blocked_seconds: float = 0.0
        self.lag: float = 0.0
        self._loop = loop
        self._report = report
        self._tell_lag = lag
        self._interval = max(seconds / SIGNS, SHORTEST)
        self._state = _Watch.WATCHING
        self._told: BlockedHub | None = None
        #: When the sign of life was to come that is missing now.
        self._missing_since = 0.0
        #: When the next sign of life is to come. Infinite until the hub runs for the first time:
        #: until then it is the script that is being run.
        self._due = math.inf
        self._timer: Any = loop.call_every(self._interval, self._live)
        loop.from_hub(self._begin)
        loop.close_in_child(self, HubWatch.stop)
        #: Released to end the thread, which waits for it.
        self._stop = _allocate_lock()
        self._stop.acquire()
        _start_thread(self._watch, ())

    def stop(self) -> None:
        """Look no more. Does nothing the second time."""
        if self._state is not _Watch.STOPPED:
            self._state = _Watch.STOPPED
            close_watcher(self._timer)
            self._timer = None
            self._stop.release()

    # --- the hub ----------------------------------------------------------------------------------

    def _begin(self) -> None:
        """The hub runs: also what blocks it before the first sign of life is to be told."""
        self._due = min(self._due, monotonic() + self._interval)

    def _live(self) -> None:
        """Give a sign of life: runs in the hub."""
        now, due = monotonic(), self._due
        self._due = now + self._interval
        self.lag = max(0.0, now - due) if due is not math.inf else 0.0
        if self._state is _Watch.BLOCKED:
            self._state = _Watch.WATCHING
            told, self._told = self._told, None
            assert told is not None
            duration = now - self._missing_since
            self.blocked_seconds += duration
            if self._report is _write:
                write_to_stderr(
                    f'gnet: the hub of process {os.getpid()} goes on after {duration:.2f} s\n')
            if lifecycle.has_subscribers():
                self._loop.tick(
                    lifecycle.publish, lifecycle.HubBlocked, duration, [*map(str, told.stack)])
        if self._tell_lag is not None:
            try:
                self._tell_lag(self.lag)
            except Exception as error:
                self._loop.report(self, error)

    # --- the thread -------------------------------------------------------------------------------

    def _watch(self) -> None:
        pause = self.seconds
        while True:
            began, used = monotonic(), process_time()
            if self._stop.acquire(True, pause):
                return
            now, due = monotonic(), self._due
            late = now - due
            overslept = now - began - pause
            if late < self.seconds:
                # Not before that can it be overdue. (An infinite time is no pause.)
                pause = min(self.seconds - late, self.seconds + self._interval)
            elif self._state is not _Watch.WATCHING:
                pause = self._interval
            elif overslept > self.seconds / 2 and process_time() - used < overslept / 4:
                # The whole process was stopped (SIGSTOP), or the machine had no time for it: that
                # is nobody's fault in here. What holds Python's global lock uses the processor.
                pause = self.seconds
            elif late < self.seconds * POLLS and self._is_in_poll():
                # It has nothing to do but that, and the machine lets others run.
                pause = self._interval
            else:
                self._is_blocked(due, late)
                pause = self._interval

    def _is_in_poll(self) -> bool:
        """Whether the hub waits for events, or does something that has no frame of Python."""
        frame = sys._current_frames().get(self._loop.thread or 0)
        return frame is not None and frame.f_code.co_name == 'run' and (
            str(frame.f_globals.get('__name__')).startswith('gevent.'))

    def _is_blocked(self, due: float, late: float) -> None:
        frame = sys._current_frames().get(self._loop.thread or 0)
        told = BlockedHub(late, places_of(frame))
        del frame
        self.count += 1
        # In this order: the hub may look at any moment.
        self._told, self._missing_since = told, due
        if self._state is _Watch.WATCHING:
            self._state = _Watch.BLOCKED
        try:
            self._report(told)
        except Exception as error:
            # The program's function: nobody is there in this thread who could be told otherwise.
            write_to_stderr(f'gnet: what was to report a blocked hub has failed: {error!r}\n')


def watch_hub(
    seconds: float = 0.2, report: Callable[[BlockedHub], object] | None = None, *,
    lag: Callable[[float], object] | None = None,
) -> HubWatch:
    """Tell of each time that the hub of this thread is blocked for longer than *seconds*.

    Once for each time, while it lasts, with the stack that blocks it, on stderr; and a line with
    the whole time when the hub goes on, which is also published: :class:`.lifecycle.HubBlocked`.
    That the whole process was stopped counts for nothing. The hub is watched from its first turn
    on, which a script leaves to it when it waits for the first time.

    Args:
        seconds: 0.005 at least. The hub gives a sign of life eight times in that time.
        report: called with a :class:`BlockedHub` instead of writing to stderr, **in another native
            thread**: it must not use gnet or gevent.
        lag: called in the hub, at each sign of life, with the seconds by which it came late; must
            not block.

    Returns:
        What watches; it has a ``stop()``, and does not keep the program alive.

    Raises:
        CodedTypeError: ``ERR_INVALID_ARG_TYPE``.
        CodedValueError: ``ERR_OUT_OF_RANGE``.
        CodedRuntimeError: ``ERR_FORKED_PROCESS``.
    """
    number = validate_number('seconds', seconds)
    if not SHORTEST <= number <= LONGEST:
        raise out_of_range('seconds', f'>= {SHORTEST} && <= {LONGEST}', seconds)
    for name, function in (('report', report), ('lag', lag)):
        if function is not None:
            validate_function(name, function)
    return HubWatch(get_loop(), number, _write if report is None else report, lag)


def _write(told: BlockedHub) -> None:
    write_to_stderr(f'{told}\n')
