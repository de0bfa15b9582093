"""Random calls on two sockets: in memory, each end sees what it sees over the kernel."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from typing import Any

import gevent
import pytest

from gnet.testing import EventRecorder, clock_of, connected_pair, memory_pair, settle

#: What is recorded of each end; and `'data'`, where that is how it is read.
EVENTS = ('end', 'finish', 'error', 'close', 'drain', 'timeout')

#: More of them: ``GNET_RANDOM_SEEDS=1000:3000``.
FIRST, LAST = map(int, os.environ.get('GNET_RANDOM_SEEDS', '1:37').split(':'))

#: Bytes that a connection in memory holds: as the kernel's, more than what is written here.
CAPACITY = 1 << 22


class End:
    """One end, and what has come of its calls."""

    def __init__(self, sock: Any, some: random.Random, is_flowing: bool) -> None:
        self.sock = sock
        self.some = some
        self.events = EventRecorder(sock, *EVENTS, *(['data'] if is_flowing else []))
        self.outcomes: list[str] = []

    def call(self, name: str) -> None:
        """Make one of the calls below."""
        CALLS[name](self)

    def apart(self, call: Callable[..., Any], *args: Any) -> None:
        """Make a call that may block."""
        def run() -> None:
            try:
                self.outcomes.append(repr(call(*args)))
            except (OSError, RuntimeError) as error:  # the latter if somebody is blocked in it
                self.outcomes.append(repr(error))

        gevent.spawn(run)

    def write(self, size: int) -> None:
        """Write, and note the call of the callback."""
        self.sock.write(bytes(size), lambda err=None: self.outcomes.append(f'{size}: {err!r}'))

    def shut_down(self) -> None:
        """The same by Python's name."""
        try:
            self.sock.shutdown(self.some.randrange(3))
        except (OSError, RuntimeError) as error:  # the latter if it was written to after its end
            self.outcomes.append(repr(error))


CALLS: dict[str, Callable[[End], Any]] = {
    'write': lambda end: end.write(end.some.randrange(1, 300)),
    'write_two': lambda end: (end.write(1), end.write(2)),
    'write_much': lambda end: end.write(end.some.choice([20_000, 150_000])),
    'end': lambda end: end.sock.end(),
    'end_with': lambda end: end.sock.end(b'bye'),
    'pause': lambda end: end.sock.pause(),
    'resume': lambda end: end.sock.resume(),
    'destroy': lambda end: end.sock.destroy(),
    'destroy_soon': lambda end: end.sock.destroy_soon(),
    'reset': lambda end: end.sock.reset_and_destroy(),
    'cork': lambda end: end.sock.cork(),
    'uncork': lambda end: end.sock.uncork(),
    'set_timeout': lambda end: end.sock.set_timeout(end.some.choice([0, 1000, 5000])),
    'settimeout': lambda end: end.sock.settimeout(end.some.choice([None, 1, 5])),
    'recv': lambda end: end.apart(end.sock.recv, end.some.choice([1, 10, 1000])),
    'sendall': lambda end: end.apart(end.sock.sendall, bytes(end.some.choice([1, 10, 1000]))),
    'shutdown': End.shut_down,
    'advance': lambda end: clock_of().advance(end.some.choice([0.5, 2, 10])),
}

#: Who uses events does not block, and the other way round.
STYLES = {
    True: CALLS.keys() - {'recv', 'sendall', 'settimeout', 'shutdown'},
    False: {'recv', 'sendall', 'settimeout', 'shutdown', 'write', 'end', 'destroy', 'reset',
            'advance'},
}

#: What ends a connection comes more seldom, or there would be little else.
SELDOM = {'destroy', 'destroy_soon', 'reset', 'end', 'end_with', 'shutdown'}


def trace(sockets: Any, seed: int) -> list[Any]:
    """Make the calls of *seed*; return what each end has seen, and how it is in the end."""
    some = random.Random(seed)
    is_flowing = seed % 3 != 0
    ends = [End(sock, some, is_flowing) for sock in sockets]
    names = sorted(STYLES[is_flowing])
    often = [name for name in names if name not in SELDOM] * 3
    seen: list[Any] = []
    for _ in range(some.randrange(3, 15)):
        end = some.choice(ends)
        name = some.choice([*often, *names])
        end.call(name)
        # After each, or which of both ends is first would be a matter of the poll.
        settle()
        seen += [name, *([*end.events.lines(), *end.outcomes] for end in ends)]
    for end in ends:
        end.sock.uncork()
        if is_flowing:
            end.sock.resume()
    settle()
    clock_of().advance(100)
    for end in ends:
        seen += [end.events.lines(), list(end.outcomes), end.sock.ready_state, end.sock.bytes_read,
                 end.sock.destroyed]
    return seen


@pytest.mark.parametrize('seed', range(FIRST, LAST))
def test_each_end_sees_the_same(seed: int) -> None:
    some = random.Random(-seed)
    # (Without no_delay, the kernel would keep the second of two short writes for a while.)
    options: dict[str, Any] = {'allow_half_open': bool(seed % 2), 'no_delay': True}
    for name in ('read_timeout', 'write_timeout', 'lifetime'):
        if some.random() < 0.2:
            options[name] = some.choice([1500, 4000])
    with clock_of(), connected_pair(**options) as real:
        expected = trace(real, seed)
    with memory_pair(client_options=options, capacity=CAPACITY, **options) as pair:
        assert trace((pair.client, pair.server), seed) == expected
