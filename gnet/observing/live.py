"""``gnet.live()``: what keeps this program alive, what does not, and where it waits.

Sockets and servers are in lists that there are anyway; all else is found by Python's collector,
when somebody asks (:mod:`gnet.observing.heap`). So nothing of this costs anything before. Nothing
is changed by it, either: it may be called anywhere, in a signal handler, in the hub, and in any
thread.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from time import time
from types import FrameType
from typing import Any, TextIO

from .heap import Place

__all__ = ['Kind', 'Live', 'LiveEntry', 'live', 'take']


class Kind(str, Enum):
    """What an entry is about."""

    SERVER = 'server'
    SOCKET = 'socket'
    PROCESS = 'process'
    HANDLER = 'handler'
    LISTENER = 'listener'
    GREENLET = 'greenlet'
    TIMER = 'timer'
    WATCHER = 'watcher'
    HOLD = 'hold'


@dataclass(frozen=True)
class LiveEntry:
    """One thing that lives in the program. What does not apply to it is None.

    Attributes:
        kind: a :class:`Kind`, which is a str.
        keeps_alive: whether the program would go on for this alone; None for a greenlet that waits
            for nothing that is known to do so (a lock, say: then something else has to come).
        referenced: what ``ref()`` and ``unref()`` have said of a server, a socket or a process.
        state: of a server ``'listening'``, ``'starting'`` or ``'closing'``; of a socket its
            ``ready_state``; of a greenlet ``'waiting'``, ``'running'`` or ``'starting'``.
        age: seconds since the server was told to listen, the connection was established (or asked
            for), the process was started; of a handler, that of its connection.
        name: of a greenlet, a timer or a watcher: what it is for. Of a process: its command.
        local: this end, such as ``'127.0.0.1:7000'``; of a unix socket its path.
        peer: the other end; of a unix socket ``'pid 123'`` where the system tells.
        server: of what was accepted: where its server listens.
        bytes_read: bytes received.
        bytes_written: bytes that were written, those still queued included.
        queued: of them, those that the peer has not taken yet (of a str, its characters).
        unread: bytes that have arrived, and that the program has not taken.
        connections: how many a server has open in this process.
        child: the number of a process that this one has started.
        where: the innermost line of the program's own code at which a greenlet is.
        stack: all lines, the innermost last.
        id: tells the entries of one process apart, as long as they live.
    """

    kind: Kind
    keeps_alive: bool | None
    referenced: bool | None = None
    state: str | None = None
    age: float | None = None
    name: str | None = None
    local: str | None = None
    peer: str | None = None
    server: str | None = None
    bytes_read: int | None = None
    bytes_written: int | None = None
    queued: int | None = None
    unread: int | None = None
    connections: int | None = None
    child: int | None = None
    where: Place | None = None
    stack: tuple[Place, ...] = ()
    id: int = 0

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON has it: without what is None, places as ``[file, line, function]``."""
        given = {name: value for name, value in vars(self).items() if value is not None}
        return {**given, 'kind': self.kind.value, 'keeps_alive': self.keeps_alive}


@dataclass(frozen=True)
class Live:
    """What :func:`live` has found; iterable, the oldest entry first.

    Attributes:
        pid: the process.
        taken: when, in seconds since 1970.
        entries: those whose age is known come first, the oldest one in front.
    """

    pid: int
    taken: float
    entries: tuple[LiveEntry, ...]

    def __iter__(self) -> Iterator[LiveEntry]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)

    def of(self, kind: Kind | str) -> list[LiveEntry]:
        """Return the entries of one kind, such as ``'handler'``."""
        return [each for each in self.entries if each.kind == kind]

    def lines(self) -> list[str]:
        """Return what :meth:`print` prints."""
        from .live_text import heading, line_of  # not for who only wants the records

        return [heading(self), *map(line_of, self.entries)]

    def print(self, file: TextIO | None = None) -> None:
        """Print one line for each entry, the oldest first, with ``*`` before what keeps it alive.

        Args:
            file: stderr by default.
        """
        print('\n'.join(self.lines()), file=sys.stderr if file is None else file)


def live(*, frame: FrameType | None = None) -> Live:
    """Return what lives in this process.

    Servers, sockets, child processes, handlers that have not returned (with the line where they
    wait), other greenlets, timers and watchers of gevent's, and what else holds a loop. It takes
    some 10 ms for each 100,000 objects that the program has, during which nothing else happens.

    Args:
        frame: where the calling greenlet is said to be; here by default. For signal handlers.

    Raises:
        CodedRuntimeError: ``ERR_FORKED_PROCESS`` in a forked child of a program that used gnet.
    """
    return take(sys._getframe(1) if frame is None else frame, _nothing)


def take(frame: FrameType, breathe: Callable[[], object]) -> Live:
    """Do what :func:`live` does, and call *breathe* again and again, which may let others run."""
    from .census import Census  # which needs all rooms: not before it is asked for

    found = Census(frame, breathe).take()
    found.sort(key=lambda each: (each.age is None, -(each.age or 0)))
    return Live(os.getpid(), time(), tuple(found))


def _nothing() -> None:
    """Nobody else has a turn: it is done in one go."""
