"""A forked child has copies of all that its parent has open, and uses none of them.

fork(2) copies the program in the middle of everything: watchers that would accept the parent's
clients, listeners that are blocked half-way through an answer, and on libuv the very poll set of
the parent, from which a watcher that is stopped here would be taken out over there. So in a child,
before it goes on:

1. the native loops are told (:meth:`.Loop.forsake`), and have poll sets of their own from then on;
2. what gnet has open is closed, in this process, without a word to peers or listeners;
3. the loops do nothing any more, and :func:`.get_loop` makes no new one: who wants to use gnet in
   another process starts a fresh interpreter, or forks before gnet is used.

A child that is about to be another program (``subprocess``) is left alone: the descriptors that are
not meant for that are closed by exec, and those that are have to be there.
"""

from __future__ import annotations

import os
import sys
from typing import Any, Protocol
from weakref import WeakKeyDictionary

__all__ = [
    'Forsaken',
    'is_forked',
    'loops',
    'remember',
]

#: Who forks in order to become another program; both have a function of this name that does so.
_STARTERS = ('subprocess', 'gevent.subprocess')
_STARTS_IN = '_execute_child'

#: Frames between that function and fork(2), at most: gevent's ``fork_and_watch``, ``fork_gevent``.
_FRAMES_BETWEEN = 3


class Forsaken(Protocol):
    """A loop of this process, as seen from here."""

    @property
    def is_usable(self) -> bool:
        """Whether it can run: its hub was not destroyed."""

    def forsake(self) -> None:
        """Close all, and do nothing any more: this is a forked child."""


#: (As keys: a copy of them can be taken while another thread adds one.)
_loops: WeakKeyDictionary[Any, None] = WeakKeyDictionary()
_forked = False


def remember(loop: Forsaken) -> None:
    """Note that this process has *loop*."""
    _loops[loop] = None


def loops() -> list[Any]:
    """Return the loops of this process that can run. In any thread."""
    known = [ref() for ref in _loops.keyrefs()]
    return [loop for loop in known if loop is not None and loop.is_usable]


def is_forked() -> bool:
    """Return whether this process was forked by one that used gnet."""
    return _forked


def _in_child() -> None:
    global _forked
    used = loops()
    if not used or _is_about_to_exec():
        return
    _forked = True
    for loop in used:
        loop.forsake()


def _is_about_to_exec() -> bool:
    frame = sys._getframe(2)  # who has called fork(), which has no frame of its own
    for _ in range(_FRAMES_BETWEEN):
        if frame.f_code.co_name == _STARTS_IN and frame.f_globals.get('__name__') in _STARTERS:
            return True
        if frame.f_back is None:
            return False
        frame = frame.f_back
    return False


if hasattr(os, 'register_at_fork'):
    os.register_at_fork(after_in_child=_in_child)
