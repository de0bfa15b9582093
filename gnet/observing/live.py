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
from time import time
from types import FrameType
from typing import TextIO

from .entries import Kind, LiveEntry
from .live_text import heading, line_of

__all__ = ['Live', 'live', 'take']


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
        return [heading(self.pid, self.entries), *map(line_of, self.entries)]

    def print(self, file: TextIO | None = None) -> None:
        """Print one line for each entry, the oldest first, with ``*`` before what keeps it alive.

        Args:
            file: stderr by default.
        """
        print('\n'.join(self.lines()), file=sys.stderr if file is None else file)


def live(*, frame: FrameType | None = None) -> Live:
    """Return what lives in this process.

    Servers, sockets, child processes, handlers that have not returned (with the line where they
    wait), other greenlets, native threads, timers and watchers of gevent's, and what else holds a
    loop. It takes some 10 ms for each 100,000 objects that the program has, during which nothing
    else happens.

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
