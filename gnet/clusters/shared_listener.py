"""A listener that the workers of a cluster share: each of them accepts."""

from __future__ import annotations

import _socket
import os
from collections.abc import Hashable
from typing import Any

from ..loop.loop import Loop
from ..options.limits import LimitOptions
from ..servers.listener import Listener
from .protocol import name_of

__all__ = [
    'SharedListener',
]


class SharedListener:
    """A listener whose descriptor the workers have, too: the system decides who accepts."""

    def __init__(self, loop: Loop, handle_id: int, listener: Listener) -> None:
        loop.close_in_child(self, SharedListener._forsake)  # inside: its own
        self.id = handle_id
        self.name: tuple[int, Any] = name_of(listener.socket)
        self._listener = listener
        #: Each (compared by identity) with the copy of the descriptor that is sent to it.
        self._workers: dict[Hashable, Any] = {}

    def __contains__(self, worker: object) -> bool:
        return worker in self._workers

    @property
    def is_deserted(self) -> bool:
        """Whether no worker is left."""
        return not self._workers

    @property
    def is_finished(self) -> bool:
        """Whether only the workers have it still."""
        return bool(self._listener.socket.fileno() < 0)

    def copy_for(self, worker: Hashable) -> Any:
        """Return a duplicate to be sent to *worker*, and closed when it has it.

        A duplicate, for it may have to wait for longer than the handle lives.
        """
        copy = self._workers[worker] = _socket.socket(fileno=os.dup(self._listener.socket.fileno()))
        return copy

    def add(self, worker: Hashable) -> None:
        """*worker* accepts, too; it has its answer."""

    def remove(self, worker: Hashable) -> None:
        """*worker* is to accept no more."""
        self._workers.pop(worker, None)

    def has_closed(self, worker: Hashable) -> None:
        """*worker* accepts no more, and so has received its copy: the address is free at once."""
        copy = self._workers.pop(worker, None)
        if copy is not None:
            copy.close()

    def limit(self, worker: Hashable, options: LimitOptions) -> None:
        """Whoever accepts has the limits: each worker by itself."""

    def has_room(self, worker: Hashable) -> bool:
        """No connection is ever offered, so none is refused."""
        return False

    def finish(self) -> None:
        """Leave it to the workers: when the last one has closed its copy, connections are refused.

        Copies that are on their way still are closed by who gets them.
        """
        self._listener.socket.close()

    def _forsake(self) -> None:
        """In a forked child: close the copies of all descriptors."""
        for copy in self._workers.values():
            copy.close()
        self.close()

    def close(self) -> None:
        """Close the primary's descriptor."""
        self._listener.socket.close()
        self._listener.close()
