"""What a primary listens on for its workers: who shares it, and when it is closed."""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable
from functools import partial
from typing import Any, Union

from ..loop.loop import Loop
from ..loop.watchers import close_watcher
from ..servers.listener import Listener, adopt, adopt_given, bind_path, bind_port
from . import of_systemd
from .forked_worker import Line
from .protocol import PATH, Query
from .round_robin import RoundRobin
from .shared_listener import SharedListener

__all__ = ['PrimaryListeners']

#: Seconds that a listener is kept whose last worker has closed its server: others may be on their
#: way. After that, nobody shall wait for an answer that does not come.
ABANDONED_TIME = 2.0

Handle = Union[RoundRobin, SharedListener]


class PrimaryListeners:
    """The listeners of a primary, each by what a worker has asked for."""

    def __init__(self, loop: Callable[[], Loop]) -> None:
        """Have none yet.

        Args:
            loop: returns that of the primary, which is made on first use.
        """
        self._loop = loop
        self._handles: dict[Hashable, Handle] = {}
        self._last_number = 0
        self._keeps = False
        #: Timers of kept listeners whose last worker has closed its server.
        self._abandoned: set[Any] = set()

    def __len__(self) -> int:
        return len(self._handles)

    def get(self, query: Query) -> Handle | None:
        """Return the one that *query* asks for, if it is there already."""
        return self._handles.get(query.key)

    def find(self, line: Line, number: object) -> Handle | None:
        """Return the one that a worker knows by *number*; None if it does not share it."""
        return next((
            handle for handle in self._handles.values() if handle.id == number and line in handle
        ), None)

    def shared_by(self, line: Line | None) -> int:
        """Return how many a worker shares now."""
        return sum(line in handle for handle in self._handles.values())

    def open(self, query: Query, *, in_turn: bool) -> Handle:
        """Listen as *query* says.

        Args:
            query: what a worker has asked for.
            in_turn: give connections out in turn; else the listener itself is given out.

        Raises:
            NodeOSError, LookupFailure: the system refuses.
        """
        loop = self._loop()
        listener = loop.dispensable.open(_bind, query)
        self._last_number += 1
        handle = self._handles[query.key] = (
            RoundRobin(loop, self._last_number, listener) if in_turn
            else SharedListener(loop, self._last_number, listener)
        )
        return handle

    # --- when they are closed ---------------------------------------------------------------------

    def keep(self, keep: bool) -> None:
        """Say whether they stay open while they have no worker: connections wait for one."""
        self._keeps = keep
        if not keep:
            while self._abandoned:
                close_watcher(self._abandoned.pop())
            for key in list(self._handles):
                self._close_if_deserted(key)

    def leave(self, line: Line) -> None:
        """A worker is to have none of them any more."""
        for key, handle in list(self._handles.items()):
            if line in handle:
                handle.remove(line)
                self._close_if_deserted(key)

    def closed_by(self, line: Line, handle: Handle) -> None:
        """A worker says that it has closed its server on *handle*."""
        key = next(key for key, each in self._handles.items() if each is handle)
        handle.has_closed(line)
        self._close_if_deserted(key)
        self._close_if_abandoned(key)

    def finish(self, done: Callable[[], object]) -> None:
        """Accept nothing more; call *done* when the workers have all that was accepted."""
        for handle in self._handles.values():
            if isinstance(handle, SharedListener):
                handle.finish()
        left = {handle for handle in self._handles.values() if isinstance(handle, RoundRobin)}
        if not left:
            done()

        def finished(given_out: RoundRobin) -> None:
            left.discard(given_out)
            if not left:
                done()

        for given_out in list(left):
            given_out.finish(partial(finished, given_out))

    def _close_if_deserted(self, key: Hashable) -> None:
        if self._handles[key].is_deserted and not self._keeps:
            self._handles.pop(key).close()

    def _close_if_abandoned(self, key: Hashable) -> None:
        """Close what the last worker has closed itself, unless another one comes at once."""
        handle = self._handles.get(key)
        if handle is None or not handle.is_deserted:
            return

        def look_again() -> None:
            close_watcher(timer)
            self._abandoned.discard(timer)
            if self._handles.get(key) is handle and handle.is_deserted:
                self._handles.pop(key).close()

        timer = self._loop().call_after(ABANDONED_TIME, look_again)
        self._abandoned.add(timer)


def _bind(query: Query) -> Listener:
    if query.fd is not None:
        if of_systemd.is_given(query.fd):
            return adopt_given(query.fd, None)
        return adopt(query.fd, query.backlog)
    if query.type != PATH:
        return bind_port(
            query.address, query.port, query.backlog, version=query.type,
            ipv6_only=query.ipv6_only)
    assert query.address is not None
    return bind_path(
        _shorter(query.address), query.backlog, readable_all=query.readable_all,
        writable_all=query.writable_all)


def _shorter(path: str) -> str:
    """Return the shorter one of a path and its relative form: a socket's has 107 bytes at most."""
    if path.startswith('\0'):
        return path
    try:
        relative = os.path.relpath(path)
    except (OSError, ValueError):
        return path  # the working directory is gone, or the path has a NUL
    return relative if len(relative) < len(path) else path
