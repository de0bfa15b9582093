"""The wire of TLS upon a wire of lists: what is held, and what is read meanwhile."""

from __future__ import annotations

import errno
import ssl
from typing import Any

import pytest

from gnet.streams.states import Reading
from gnet.tls import sending
from gnet.tls.states import Incoming, Security
from gnet.tls.wire import TlsWire

from ..harness.fake_wire import FakeSchedule, FakeWire, TracedStream


class Answering:
    """An engine whose peer has it answer to all that it sends, and sends no data."""

    incoming = Incoming.RECEIVING
    has_all = False
    #: Of what it has received.
    pending = 0

    def __init__(self) -> None:
        self.fed = 0
        self.received = self
        self.unsent = ssl.MemoryBIO()

    def write(self, ciphertext: bytes) -> None:
        self.fed += len(ciphertext)
        self.unsent.write(ciphertext)

    feed = write

    def has_more(self) -> bool:
        return False

    def read(self) -> bytes | None:
        return None

    def take(self) -> bytes:
        return self.unsent.read()


def choked() -> tuple[TlsWire, FakeWire, Any, TracedStream]:
    """Return a wire whose peer has it answer, and takes no answer, and all that is about it."""
    schedule: Any = FakeSchedule()
    schedule.from_hub = lambda callback, *args: callback(*args)
    below = FakeWire(schedule)
    stream = TracedStream(traced=False)
    wire = TlsWire(schedule, below)
    below.stream = wire
    wire.attach(stream)
    engine: Any = Answering()
    wire._engine = engine
    for security in (Security.SHAKING, Security.CHECKING, Security.SECURE):
        wire.security = security
    wire.want()
    below.room = 0
    for _ in range(100):
        below.arrive(b'x' * 65536)
    return wire, below, engine, stream


def test_answers_that_nobody_takes_are_held_in_bounds() -> None:
    wire, below, engine, _ = choked()
    held = wire._held
    assert held is not None
    assert len(held) <= sending.HOLD_LIMIT + 65536
    assert below.reading is Reading.FULL
    assert below.unread  # is still below
    while below.on_writable is not None:
        below.room = 40_000  # in parts
        below.on_writable()
    assert engine.fed == 100 * 65536
    assert wire._held is None
    assert sum(map(len, below.kernel)) == engine.fed


@pytest.mark.parametrize('number', [errno.ECONNRESET, errno.EPIPE], ids=['reset', 'end'])
def test_a_peer_that_goes_without_taking_the_answers_is_noticed(number: int) -> None:
    wire, below, _, stream = choked()
    below.unread.clear()
    below.broken = OSError(number, 'gone')
    assert below.on_writable is not None
    below.on_writable()
    assert wire._held is None
    assert below.reading is Reading.ACTIVE  # so that it is
    if number == errno.ECONNRESET:
        below.end()  # all that the kernel says after it has spoken of the reset
        assert str(stream.errored) == 'read ECONNRESET'
