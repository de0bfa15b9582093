"""Conversations between two gnet sockets, and what each end emits in which order.

A conversation runs with its *near* end as the client and as the accepted socket, over TCP and over
a unix socket; what follows the opening must be the same. The fixture ``ends`` makes them.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

import pytest

import gnet

from ..harness.connections import Connection

Ends = Callable[..., 'Pair']

#: What a socket emits when it has ended itself before, and then the peer does; and the other way.
CLOSED_BY_PEER = ['readable {readOnly}', 'end {closed}', 'close False {closed}']
CLOSED_IN_TURN = [
    'readable {open}', 'end {writeOnly}', 'prefinish {closed}', 'finish {closed}',
    'close False {closed}',
]
ENDED = ['prefinish {readOnly}', 'finish {readOnly}']
RESET = ['error ECONNRESET: read ECONNRESET {closed}', 'close True {closed}']

#: What the kernels of two ends on one machine do not buffer.
MUCH = 20_000_000

TCP = ('client, tcp', 'server, tcp')
ALL = (*TCP, 'client, unix', 'server, unix')


class Pair(NamedTuple):
    near: Connection
    far: Connection
    server: gnet.Server


def story(c: Connection) -> list[str]:
    """Return the trace without the events of the opening, after a look at these."""
    if c.sock.server is not None:
        return c.trace
    attempt, connect, *rest = c.trace
    assert re.fullmatch(
        r"connectionAttempt ('127.0.0.1' \d+ 4|('.+'|\d+ characters) None None) {opening}", attempt)
    assert re.fullmatch(r'connect {\w+}', connect)
    # Between 'connect' and 'ready' is what the listener of 'connect' caused at once.
    ready = next(line for line in rest if line.startswith('ready'))
    return [line for line in rest if line is not ready]


def both(pair: Pair) -> tuple[list[str], list[str]]:
    """Wait until both ends are closed; return their stories."""
    pair.near.until_closed()
    pair.far.until_closed()
    return story(pair.near), story(pair.far)


everywhere = pytest.mark.parametrize('ends', ALL, indirect=True)
over_tcp = pytest.mark.parametrize('ends', TCP, indirect=True)
as_client = pytest.mark.parametrize('ends', ['client, tcp', 'client, unix'], indirect=True)


def flows(c: Connection) -> None:
    c.sock.resume()


def hears_errors(c: Connection) -> None:
    c.sock.on('error', lambda error: None)


def both_of(*setups: Callable[[Connection], object]) -> Callable[[Connection], None]:
    def setup(c: Connection) -> None:
        for one in setups:
            one(c)

    return setup
