"""Who listens for this process, if it is a worker: :class:`Primary`, and the door it comes in by.

``listen`` asks :func:`get_primary`. Where there is one, it says who shares a listener with others,
and who has one alone. Without one, each server listens by itself.
"""

from __future__ import annotations

from typing import Any, Protocol

from ..options.listen import ListenRequest
from .acceptor import Counting, Handle
from .listener import Listener

__all__ = [
    'Call',
    'Primary',
    'get_primary',
    'set_primary',
]


class Call(Protocol):
    """A call of ``listen()`` that waits for the primary: who wants to listen, and on what."""

    @property
    def request(self) -> ListenRequest: ...

    @property
    def intake(self) -> Counting:
        """Who gets the connections."""

    @property
    def is_stale(self) -> bool:
        """Whether nobody waits for it any more: the server was closed, or has listened anew."""

    def attach(self, handle: Handle, key: str) -> None:
        """Listen: *handle* brings the connections. *key* is Node's ``_connectionKey``."""

    def fail(self, error: BaseException) -> None:
        """Have the server emit `'error'`."""


class Primary(Protocol):
    """Who has the listeners that worker processes share."""

    def listen(self, call: Call, address: str | None, version: int) -> None:
        """Have *call* listen by way of the primary: attach a handle to it, or let it fail, later.

        Args:
            call: what was asked for, and by whom.
            address: the address that its host has; None if it named none.
            version: that of *address*, 4 or 6.
        """

    def listens_alone(self, server: Any, listener: Listener) -> None:
        """Be told of a server that does not share its listener."""


_primary: Primary | None = None


def set_primary(primary: Primary | None) -> None:
    """Say that this process is a worker, and who listens for its servers; None: it is none."""
    global _primary
    _primary = primary


def get_primary() -> Primary | None:
    """Return who listens for the servers of this process; None if they do so themselves."""
    return _primary
