"""What a test leaves behind: descriptors, greenlets, and holds on the loop.

A snapshot is taken before each test and compared with what is there after it. The loop first gets
some turns in which to finish what is being closed: turns, not seconds, so the check is as quick as
the closing is.
"""

from __future__ import annotations

import gc
import os
import socket
import sys
from typing import Any

import gevent
from gevent import socket as gevent_socket
from gevent import subprocess
from greenlet import greenlet as raw_greenlet

from .plain import PlainSocket

__all__ = ['CAN_LIST_DESCRIPTORS', 'Snapshot', 'holds', 'prepare']

_DESCRIPTORS = '/proc/self/fd'

#: Whether this system lists the descriptors of a process (Linux does).
CAN_LIST_DESCRIPTORS = os.path.isdir(_DESCRIPTORS)

#: Loop turns that closing may take. The longest chain known (end, FIN of the peer, close, 'close'
#: listeners, acceptor) takes about ten.
_TURNS = 50

#: As many objects are listed in 0.1 ms, which is done twice for each test; then they are set aside.
_MANY_OBJECTS = 2_000

#: The turn after which garbage is collected, for what only a cycle keeps open.
_TURN_OF_COLLECTION = 25


def prepare() -> None:
    """Take what exists now out of all later checks. Call it once, when all tests are imported.

    gevent opens some descriptors on first use (thread pool, resolver, child watcher): it is made to
    open them now.
    """
    hub = gevent.get_hub()
    hub.threadpool.apply(int)
    gevent_socket.getaddrinfo('127.0.0.1', 80)
    subprocess.check_call([sys.executable, '-S', '-c', ''])
    _take_a_turn()
    _set_aside()


def _set_aside() -> None:
    """Take all objects of now out of later checks and collections.

    With the hundred thousand of pytest and the tests, and the twenty that pytest keeps of each test
    that was run, a check would else cost 20 to 50 ms, and a collection 100.
    """
    gc.collect()
    gc.freeze()


class Snapshot:
    """The descriptors, greenlets and holds of this moment."""

    def __init__(self) -> None:
        if len(gc.get_objects()) > _MANY_OBJECTS:
            _set_aside()
        self._descriptors = _descriptors()
        self._greenlets = _greenlets()
        self._holds = holds()

    def leaks(self) -> list[str]:
        """Return a line for each thing that is there now, was not then, and does not go away."""
        for turn in range(_TURNS):
            # One turn in any case: a raw greenlet cannot be seen before it has begun.
            _take_a_turn()
            if self._is_clean():
                return []
            if turn == _TURN_OF_COLLECTION:
                gc.collect()
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
            lines.append(f'holds on the loop (Loop.hold without release): {more}')
        return lines


def _take_a_turn() -> None:
    """Let the loop poll once. ``gevent.sleep(0)`` does not: it only runs what is queued."""
    hub = gevent.get_hub()
    with hub.loop.timer(0) as timer:
        hub.wait(timer)


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
    plain = PlainSocket(fileno=os.dup(number))
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
    hub = gevent.get_hub()
    objects = gc.get_objects()
    # Which classes there are is asked first: of some thousand objects that takes a third of the
    # time of asking each.
    kinds = {kind for kind in set(map(type, objects)) if issubclass(kind, raw_greenlet)}
    return {
        thing for thing in (objects if kinds else ())
        if type(thing) in kinds and thing and thing.parent is hub and not _is_idle(thing)
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
        return f'{greenlet!r} (not begun)'
    while frame.f_back is not None and 'gevent' in frame.f_globals.get('__name__', ''):
        frame = frame.f_back
    return f'{greenlet!r} in {frame.f_code.co_name}, {frame.f_code.co_filename}:{frame.f_lineno}'


def holds() -> int:
    """Return how many things keep this thread's loop alive by gnet's own count."""
    module = sys.modules.get('gnet.loop.loop')
    return module.get_loop().held if module is not None else 0
