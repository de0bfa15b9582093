"""Queues of connections that have ended are used by the next ones, which see nothing of it."""

from __future__ import annotations

import _socket
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from gnet.loop.loop import get_loop
from gnet.sockets.socket import accept
from gnet.sockets.wire import MAX_SPARE_QUEUES

from ..harness.waiting import until


class Counter:
    """One that counts nothing."""

    server = None

    def destroyed(self, sock: Any) -> None:
        pass

    departed = returned = destroyed


def accepted(peers: list[Any]) -> Any:
    """Return the socket of a connection that was accepted, and has read something."""
    ours, theirs = socket.socketpair()
    peers.append(theirs)
    ours.setblocking(False)
    plain = _socket.socket(fileno=ours.detach())
    plain.setblocking(False)
    sock = accept(Counter(), get_loop(), plain, ('127.0.0.1', 7), 65536, False, False)
    got: list[bytes] = []
    sock.on('data', got.append)
    sock._wire.want()  # as a server has it do
    theirs.sendall(b'hello')
    until(lambda: got)
    assert got == [b'hello']
    return sock


@pytest.fixture
def peers() -> Iterator[list[Any]]:
    made: list[Any] = []
    yield made
    for peer in made:
        peer.close()


def test_a_queue_that_is_used_again_has_nothing_of_the_connection_before(peers: list[Any]) -> None:
    spare = get_loop().spare_queues
    spare.clear()
    kept = []
    for left in (b'left', b'', b''):
        sock = accepted(peers)
        if left:
            sock._wire.put_behind(left)
        sock.destroy()
        assert not any(spare)
        kept.append([id(queue) for queue in spare])
    assert kept[0] == []
    assert len(kept[1]) == 1
    assert kept[2] == kept[1]


def test_few_queues_are_kept(peers: list[Any]) -> None:
    for sock in [accepted(peers) for _ in range(MAX_SPARE_QUEUES + 5)]:
        sock.destroy()
    assert len(get_loop().spare_queues) == MAX_SPARE_QUEUES


def test_what_came_into_one_after_its_connection_is_no_other_connections(peers: list[Any]) -> None:
    # A signal handler may destroy a socket between any two lines of what its wire does.
    spare = get_loop().spare_queues
    spare.clear()
    accepted(peers).destroy()
    spare[0].append(b'of the one before')
    accepted(peers).destroy()  # which sees its own bytes, and nothing else
