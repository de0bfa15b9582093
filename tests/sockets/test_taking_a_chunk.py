"""What `DescriptorWire.on_readable` writes out does the same as `Arrivals.put`, in each state."""

from __future__ import annotations

import itertools
import socket
from collections import deque
from collections.abc import Iterator
from typing import Any

import pytest

from gnet.sockets.wire import DescriptorWire
from gnet.streams.arrivals import Arrivals
from gnet.streams.states import Delivering, Taker

from ..harness.fake_wire import FakeSchedule

STATES = list(itertools.product(Taker, Delivering, (None, b'before'), (False, True)))


class Reader:
    """Who is blocked in a read, as a wire sees it."""

    def __init__(self) -> None:
        self.chunks: list[bytes | None] = []

    def switch(self, chunk: bytes | None) -> None:
        self.chunks.append(chunk)


class Unread:
    """A stream, as a wire sees it, that has buffered nothing."""

    _length = 0
    _read_mark = 65536


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    with ours, theirs:
        yield ours, theirs


@pytest.mark.parametrize(('taker', 'delivery', 'before', 'blocked'), STATES)
def test_a_chunk_is_taken_alike(
    pair: tuple[Any, Any], taker: Taker, delivery: Delivering, before: bytes | None, blocked: bool,
) -> None:
    ours, theirs = pair
    outcomes = []
    for wire, arrive in (
        (DescriptorWire(FakeSchedule()), None),  # type: ignore[arg-type]
        (Arrivals(FakeSchedule()), Arrivals.put),
    ):
        wire.stream = Unread()
        if taker is Taker.NOBODY:
            wire.taker = Taker.GREENLET  # it follows that alone
        wire.taker, wire.delivery = taker, delivery
        if before is not None:
            wire.arrived, wire.arrived_size, wire.bytes_read = deque([before]), len(before), 6
        reader = wire.reader = Reader() if blocked else None
        if arrive is None:
            assert isinstance(wire, DescriptorWire)
            wire.sock = ours
            theirs.sendall(b'chunk')
            wire.on_readable()
            wire.sock = None  # the test's own: a wire that is collected would say that it is open
        else:
            arrive(wire, b'chunk')
        schedule = wire.schedule
        outcomes.append((
            wire.arrived, wire.arrived_size, wire.bytes_read, wire.delivery, wire.taker,
            wire.reader, reader and reader.chunks, [item is wire for item in schedule.work],
        ))
    assert outcomes[0] == outcomes[1]
    assert outcomes[0][2] == len(before or b'') + 5
    if blocked:
        assert outcomes[0][6] == [b'chunk']
