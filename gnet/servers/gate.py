"""Connections that wait in the kernel while a server has as many as it may: :class:`Gate`.

That is ``max_connections_policy='wait'``. A peer that waits is connected, as far as it can tell;
its bytes wait, too. The kernel keeps as many as the backlog says, and lets others try again.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from enum import Enum
from typing import Any, Protocol

from ..node.values import to_number
from .connections import Connections

__all__ = ['Gate', 'GateState']


class Gated(Protocol):
    """What accepts, when it is let."""

    max_accept: int

    @property
    def started(self) -> bool: ...

    def start_accepting(self) -> None: ...

    def stop_accepting(self) -> None: ...


class GateState(Enum):
    """Whether connections are accepted."""

    OPEN = 'there is room'
    SHUT = 'there is none; it opens when a connection ends, or more are allowed'


#: Which may follow which.
FOLLOWS: dict[GateState, set[GateState]] = {
    GateState.OPEN: {GateState.OPEN, GateState.SHUT},
    GateState.SHUT: {GateState.OPEN, GateState.SHUT},
}


class Gate:
    """Has an acceptor accept no more than there is room for."""

    __slots__ = ('_acceptor', '_connections', '_on_their_way', 'state')

    def __init__(self, acceptor: Gated, connections: Connections) -> None:
        """Begin open.

        Args:
            acceptor: what accepts.
            connections: of the server; they know the limit.
        """
        self._acceptor = acceptor
        self._connections = connections
        #: Accepted, and not yet counted by the server.
        self._on_their_way = 0
        self.state: GateState = GateState.OPEN

    def room(self) -> int:
        """Return how many may be accepted now. If none may, none is until there is room."""
        room = self._room()
        if not room:
            self.state = GateState.SHUT
            self._connections.on_room = self._look
            self._acceptor.stop_accepting()
        return room

    def _room(self) -> int:
        most = self._acceptor.max_accept
        connections = self._connections
        if connections.limit is None:
            return most
        left = to_number(connections.limit) - connections.count - self._on_their_way
        if left >= most or math.isnan(left):  # NaN is no limit
            return most
        return math.ceil(left) if left > 0 else 0  # it may be -Infinity, which has no ceiling

    def start(self, hand_over: Callable[..., object], *accepted: Any) -> None:
        """Have a connection that was accepted handed over in its turn, and count it until then."""
        self._on_their_way += 1
        self._connections.loop.start(self._hand_over, hand_over, accepted)

    def _hand_over(self, hand_over: Callable[..., object], accepted: tuple[Any, ...]) -> None:
        self._on_their_way -= 1
        hand_over(*accepted)

    def _look(self) -> None:
        """There may be room again."""
        if self._room():
            self.dismiss()

    def dismiss(self) -> None:
        """Keep none waiting any more."""
        if self.state is GateState.SHUT:
            self.state = GateState.OPEN
            self._connections.on_room = None
            if self._acceptor.started:
                self._acceptor.start_accepting()
