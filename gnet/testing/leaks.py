"""What a test leaves behind: descriptors, greenlets, and holds on the loop.

A snapshot is taken before and compared with what is there afterwards. The loop first gets some
turns in which to finish what is being closed: turns, not seconds, so the check is as quick as the
closing is.
"""

from __future__ import annotations

import gc
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from greenlet import greenlet as raw_greenlet

from ..loop.bare_hub import is_child, make_hub, take_a_turn
from ..node.originals import original

__all__ = ['CAN_LIST_DESCRIPTORS', 'Snapshot', 'check_leaks', 'holds', 'take_a_turn']

_DESCRIPTORS = '/proc/self/fd'

#: Whether this system lists the descriptors of a process (Linux does).
CAN_LIST_DESCRIPTORS = os.path.isdir(_DESCRIPTORS)

#: Loop turns that closing may take. The longest chain known (end, FIN of the peer, close, 'close'
#: listeners, acceptor) takes about ten.
_TURNS = 50

#: The turn after which garbage is collected, for what only a cycle keeps open; and what lingers is
#: closed: the test has closed it, and it would take up to two seconds.
_TURN_OF_COLLECTION = 25


@contextmanager
def check_leaks() -> Iterator[Snapshot]:
    """Raise at the end of the block if it has left something open::

        with gnet.testing.check_leaks():
            ...

    What counts are descriptors of the process (where the system lists them), greenlets of this
    thread's hub that have not ended, and what keeps gnet's loop alive (open servers and sockets).
    What gevent opens once and keeps (its thread pool, its resolver) counts, too, if the block is
    the first to use it: use it before. Two looks at all objects of the process take some 10 ms for
    each 100,000 of them.

    Raises:
        AssertionError: a line for each thing that is left, with the line where a greenlet waits,
            and the addresses of a socket.
    """
    before = Snapshot()
    yield before
    before.check()


class Snapshot:
    """The descriptors, greenlets and holds of this moment."""

    def __init__(self) -> None:
        make_hub()  # in a test that is the first of all it would else be the test's
        self._descriptors = _descriptors()
        self._greenlets = _greenlets()
        self._holds = holds()
        self._taken_at = _time()

    def check(self) -> None:
        """Raise an AssertionError of :meth:`leaks`, if there are any."""
        left = self.leaks()
        if left:
            raise AssertionError('left behind:\n  ' + '\n  '.join(left))

    def leaks(self) -> list[str]:
        """Return a line for each thing that is there now, was not then, and does not go away."""
        for turn in range(_TURNS):
            # One turn in any case: a raw greenlet cannot be seen before it has begun.
            take_a_turn()
            if self._is_clean():
                return []
            if turn == _TURN_OF_COLLECTION:
                gc.collect()
                _let_go()
        return self._differences()

    def _is_clean(self) -> bool:
        # The cheap questions first.
        return (
            holds() <= self._holds
            and _descriptors().items() <= self._descriptors.items()
            and _greenlets() <= self._greenlets
        )

    def _differences(self) -> list[str]:
        descriptors = _descriptors().items() - self._descriptors.items()
        lines = [f'descriptor {number}: {_describe(number, target)}'
                 for number, target in sorted(descriptors)]
        lines += [f'greenlet: {_where(greenlet)}' for greenlet in _greenlets() - self._greenlets]
        more = holds() - self._holds
        if more > 0:
            lines.append(f'{more} of what keeps the loop alive: servers, sockets, blocked calls')
            lines += self._younger()
        return lines

    def _younger(self) -> list[str]:
        """Return a line for each thing that keeps the loop alive and began after this moment."""
        from ..observing.live import live
        from ..observing.live_text import line_of

        entries = live()
        seconds = _time() - self._taken_at + 0.001  # sums of times are not exact
        return [
            f'  {line_of(entry).lstrip("* ")}' for entry in entries
            if entry.keeps_alive and entry.age is not None and entry.age <= seconds]


def _descriptors() -> dict[int, str]:
    """Return the open descriptors with what they lead to, which tells a reused number apart."""
    found = {}
    for name in os.listdir(_DESCRIPTORS) if CAN_LIST_DESCRIPTORS else ():
        try:
            found[int(name)] = os.readlink(f'{_DESCRIPTORS}/{name}')
        except FileNotFoundError:
            continue  # the descriptor by which the directory was read
    return found


def _describe(number: int, target: str) -> str:
    """Add the addresses of a socket to its inode."""
    if not target.startswith('socket:'):
        return target
    plain = original('socket', 'socket')(fileno=os.dup(number))
    try:
        local = plain.getsockname()
        try:
            remote = plain.getpeername()
        except OSError:
            remote = 'no peer'
        kind = socket.AddressFamily(plain.family).name
        return f'{target} {kind} {local or "unnamed"} - {remote or "unnamed"}'
    finally:
        plain.close()


def _greenlets() -> set[Any]:
    """Return the started, unfinished greenlets of this thread's hub, without gnet's idle ones."""
    objects = gc.get_objects()
    # Which classes there are is asked first: of some thousand objects that takes a third of the
    # time of asking each.
    kinds = {kind for kind in set(map(type, objects)) if issubclass(kind, raw_greenlet)}
    return {
        thing for thing in (objects if kinds else ())
        if type(thing) in kinds and thing and is_child(thing) and not _is_idle(thing)
    }


def _is_idle(greenlet: Any) -> bool:
    """Whether gnet keeps it, for what is to come."""
    runners = sys.modules.get('gnet.loop.runner')
    handlers = sys.modules.get('gnet.loop.handler_greenlets')
    if runners is not None and isinstance(greenlet, runners.Runner):
        return greenlet.state is runners.RunnerState.PARKED
    return (
        handlers is not None and isinstance(greenlet, handlers.Handler) and greenlet.is_idle())


def _where(greenlet: Any) -> str:
    """Name a greenlet and the line at which it waits."""
    frame = greenlet.gr_frame
    if frame is None:
        return f'{greenlet!r} (not begun, or in no Python code)'
    while frame.f_back is not None and 'gevent' in frame.f_globals.get('__name__', ''):
        frame = frame.f_back
    return f'{greenlet!r} in {frame.f_code.co_name}, {frame.f_code.co_filename}:{frame.f_lineno}'


def holds() -> int:
    """Return how many things keep this thread's loop alive by gnet's own count."""
    module = sys.modules.get('gnet.loop.loop')
    return module.get_loop().held if module is not None else 0


def _let_go() -> None:
    """Close what is open for politeness only."""
    module = sys.modules.get('gnet.loop.loop')
    if module is not None:
        module.get_loop().dispensable.clear()


def _time() -> float:
    """Return the time of gnet's loop, by which ages are told; 0 while there is none."""
    module = sys.modules.get('gnet.loop.loop')
    return module.get_loop().now() if module is not None else 0.0
