"""Watching the states of streams and wires against the tables beside them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from gnet.sockets import ownership
from gnet.sockets.socket import Socket
from gnet.streams.arrivals import Arrivals
from gnet.streams.delivery import Delivery
from gnet.streams.sending import Sending
from gnet.streams.states import FOLLOWS

from .transitions import watched

__all__ = ['MACHINES', 'watched_streams']

#: Where each state is kept.
MACHINES = (
    (Delivery, '_stage', FOLLOWS), (Delivery, '_flow', FOLLOWS), (Delivery, '_read_state', FOLLOWS),
    (Sending, '_write_state', FOLLOWS),
    (Arrivals, 'reading', FOLLOWS), (Arrivals, 'delivery', FOLLOWS), (Arrivals, 'taker', FOLLOWS),
    (Socket, '_blocking_user', ownership.FOLLOWS),
)


@contextmanager
def watched_streams() -> Iterator[list[str]]:
    """Within, the list gets a line for each step of a stream or wire that is not in its table."""
    with watched(*MACHINES) as wrong:
        yield wrong
