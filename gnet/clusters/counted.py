"""The connections of a worker that its primary counts: it is told when one has ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from ..lifecycle import DropReason
    from ..servers.connections import Place

__all__ = ['Counted']


class _Side(Protocol):
    """The way to the primary."""

    def send(self, act: str, **fields: Any) -> None:
        """Send it a message."""


class Counted:
    """Stands for the limits in a worker: a `Limiter` that refuses nobody."""

    __slots__ = ('_number', '_side')

    #: What was not counted has no number.
    counts_addresses = True

    #: The primary knows that.
    is_sharing = False

    def __init__(self, side: _Side) -> None:
        self._side = side
        #: Of the connection that the server is given now, until it has it; None if the primary has
        #: not counted that.
        self._number: int | None = None

    def offer(self, number: int) -> None:
        """The server is about to be given the connection of that number."""
        self._number = number

    def withdraw(self) -> None:
        """It was given, or the server has dropped it for reasons of its own."""
        number, self._number = self._number, None
        if number is not None:
            self.release(number)

    def key_of(self, _address: str | None) -> int | None:
        """Return the number of the connection; the server has it now."""
        number, self._number = self._number, None
        return number

    @staticmethod
    def name_of(_key: int | None) -> str | None:
        """Return nothing: nobody is refused."""
        return None

    @staticmethod
    def refuse(_key: int | None) -> DropReason | None:
        """Refuse nobody."""
        return None

    def release(self, key: int) -> None:
        """Tell the primary that one has ended."""
        self._side.send('released', n=key)

    @staticmethod
    def place_of(_address: str | None) -> Place | None:
        """Count nothing: the primary has not."""
        return None

    @staticmethod
    def recount(sockets: dict[Any, Place | None]) -> None:
        """Leave it as it is."""
