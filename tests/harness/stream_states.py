"""Watching the states of streams and wires against the table of ``gnet/streams/states.py``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from gnet.streams.arrivals import Arrivals
from gnet.streams.delivery import Delivery
from gnet.streams.sending import Sending
from gnet.streams.states import FOLLOWS

from .transitions import watch

__all__ = ['MACHINES', 'watched_streams']

#: Where each state is kept.
MACHINES = (
    (Delivery, '_stage'), (Delivery, '_flow'), (Delivery, '_read_state'),
    (Sending, '_write_state'),
    (Arrivals, 'reading'), (Arrivals, 'delivery'), (Arrivals, 'taker'),
)


@contextmanager
def watched_streams() -> Iterator[list[str]]:
    """Within, the list gets a line for each step of a stream or wire that is not in the table."""
    wrong: list[str] = []
    undo = [watch(owner, name, FOLLOWS, wrong.append) for owner, name in MACHINES]
    try:
        yield wrong
    finally:
        for each in undo:
            each()
