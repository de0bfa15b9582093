"""What a socket is about, for those who look at a program from outside: nothing is changed by it.

It may be asked in any thread, and in a signal handler: what it reads may be about to change, and is
never half of something.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from ..streams.states import CONNECTED, FAILED, GONE
from .socket import Socket

if TYPE_CHECKING:
    from .socket_wire import SocketWire

__all__ = ['SocketFacts', 'facts_of']


class SocketFacts(NamedTuple):
    """What no public name of a socket says.

    Attributes:
        holds: whether it keeps the program alive now.
        referenced: whether it would, while something can happen by itself: ``ref()``, ``unref()``.
        since: the loop's time, in seconds, of its connection; while that is being made, of
            ``connect()``.
        target: where it is being connected to; None if it is not.
        unread: bytes that have arrived, and that the program has not taken.
        native: the socket of the system, or what stands for it; None if there is none yet.
    """

    holds: bool
    referenced: bool
    since: float
    target: str | None
    unread: int
    native: Any


# inside: a part of the class, whose names programs have no use for
def facts_of(sock: Socket) -> SocketFacts | None:
    """Return what there is to say; None if it has no connection, or has lent it to another one."""
    wire: SocketWire = sock._wire
    stage = sock._stage
    connector = sock._connector
    upper = wire.stream
    if stage in GONE or (upper is not None and upper != sock):  # (it may be a weak proxy)
        return None
    if connector is not None:
        # The attempts hold the program, whatever ref() says.
        return SocketFacts(True, wire.ref, connector.begun, connector.target, 0, None)
    if stage not in (CONNECTED, FAILED):
        return None
    return SocketFacts(
        wire.holds, wire.ref, sock.opened_at, None, sock.readable_length, wire.sock)
