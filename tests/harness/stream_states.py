"""Watching the states of streams and wires against the tables beside them."""

from __future__ import annotations

from gnet.sockets import ownership
from gnet.sockets.socket import Socket
from gnet.streams import piping
from gnet.streams.arrivals import Arrivals
from gnet.streams.delivery import Delivery
from gnet.streams.sending import Sending
from gnet.streams.states import FOLLOWS

__all__ = ['MACHINES']

#: Where each state is kept.
MACHINES = (
    (Delivery, '_stage', FOLLOWS), (Delivery, '_flow', FOLLOWS), (Delivery, '_read_state', FOLLOWS),
    (Sending, '_write_state', FOLLOWS),
    (Arrivals, 'reading', FOLLOWS), (Arrivals, 'delivery', FOLLOWS), (Arrivals, 'taker', FOLLOWS),
    (Socket, '_blocking_user', ownership.FOLLOWS), (piping.Pipe, '_state', piping.FOLLOWS),
)
