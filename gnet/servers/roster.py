"""The servers of this process: what has to be closed when it is to end."""

from __future__ import annotations

import os
from collections.abc import Callable
from time import monotonic
from typing import Any
from weakref import WeakKeyDictionary

__all__ = [
    'Roster',
    'roster',
]


class Roster:
    """The servers that were ever told to listen, as long as there are references to them."""

    def __init__(self) -> None:
        #: Each with the time of its last ``listen()``, in seconds, by the clock of loops.
        self.servers: WeakKeyDictionary[Any, float] = WeakKeyDictionary()
        #: Called once, when a server is told to listen: from then on the process has something that
        #: should not be cut off.
        self.when_first: Callable[[], object] | None = None

    def add(self, server: Any) -> None:
        """*server* is about to listen."""
        self.servers[server] = monotonic()
        if 'NOTIFY_SOCKET' in os.environ:
            from .announcing import about_to_listen

            about_to_listen(server)
        tell, self.when_first = self.when_first, None
        if tell is not None:
            tell()

    def all(self) -> list[Any]:
        """Return the servers. In any thread: while another one adds some."""
        return [server for server in (ref() for ref in self.servers.keyrefs())
                if server is not None]

    def decided(self, is_undecided: Callable[[Any], bool]) -> None:
        """A server of it listens, or has failed to. *is_undecided*: whether one is about to."""
        if 'NOTIFY_SOCKET' in os.environ:
            from .announcing import decided

            decided(self.all(), is_undecided)


#: The one there is.
roster: Roster = Roster()
