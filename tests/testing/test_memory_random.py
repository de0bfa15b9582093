"""Random calls on two sockets: in memory, each end sees what it sees over the kernel."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from typing import Any

import pytest

from gnet.testing import EventRecorder, connected_pair, memory_pair, settle

EVENTS = ('end', 'finish', 'error', 'close', 'data', 'drain', 'timeout')

#: More of them: ``GNET_RANDOM_SEEDS=1000:3000``.
FIRST, LAST = map(int, os.environ.get('GNET_RANDOM_SEEDS', '1:25').split(':'))

CALLS: dict[str, Callable[[Any, random.Random], Any]] = {
    'write': lambda sock, some: sock.write(bytes(some.randrange(1, 300))),
    'write_two': lambda sock, some: (sock.write(b'a'), sock.write(b'b')),
    'end': lambda sock, some: sock.end(),
    'end_with': lambda sock, some: sock.end(b'bye'),
    'pause': lambda sock, some: sock.pause(),
    'resume': lambda sock, some: sock.resume(),
    'destroy': lambda sock, some: sock.destroy(),
    'reset': lambda sock, some: sock.reset_and_destroy(),
    'cork': lambda sock, some: sock.cork(),
    'uncork': lambda sock, some: sock.uncork(),
    'settle': lambda sock, some: settle(),
}

#: What ends a connection comes more seldom, or there would be little else.
OFTEN = [name for name in CALLS if name not in ('destroy', 'reset', 'end', 'end_with')] * 3


def trace(ends: tuple[Any, Any], seed: int) -> list[Any]:
    """Make the calls of *seed*; return what each end has emitted, and how it is in the end."""
    some = random.Random(seed)
    recorders = [EventRecorder(end, *EVENTS) for end in ends]
    seen: list[Any] = []
    for _ in range(some.randrange(3, 15)):
        end = some.choice(ends)
        name = some.choice([*OFTEN, *CALLS])
        CALLS[name](end, some)
        seen.append(name)
        if some.random() < 0.7:
            settle()
            seen.append([recorder.lines() for recorder in recorders])
    for end in ends:
        end.uncork()
        end.resume()
    settle()
    seen += [recorder.lines() for recorder in recorders]
    seen += [(end.ready_state, end.bytes_read, end.destroyed) for end in ends]
    return seen


@pytest.mark.parametrize('seed', range(FIRST, LAST))
def test_each_end_sees_the_same(seed: int) -> None:
    # (Without no_delay, the kernel would keep the second of two short writes for a while.)
    options: dict[str, Any] = {'allow_half_open': bool(seed % 2), 'no_delay': True}
    with connected_pair(**options) as real:
        expected = trace(real, seed)
    with memory_pair(client_options=options, **options) as pair:
        assert trace((pair.client, pair.server), seed) == expected
