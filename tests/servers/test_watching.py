"""What is published of connections: how long they waited, and who ended them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import zope.event

import gnet
from gnet import lifecycle
from gnet.lifecycle import EndedBy

from ..harness.families import Family
from ..harness.listening import drain, listening
from ..harness.native import Peer
from ..harness.plain import PlainSocket
from ..harness.waiting import until

Serve = Callable[..., gnet.Server]
Connect = Callable[..., Peer]

#: Seconds that a listener is busy: far more than it takes to come from one connection to the next.
BUSY = 0.05


@pytest.fixture
def published() -> Iterator[list[Any]]:
    """The lifecycle events that are published during the test."""
    events: list[Any] = []
    zope.event.subscribers.append(events.append)
    yield events
    zope.event.subscribers.remove(events.append)


def of(events: list[Any], kind: type) -> list[Any]:
    return [event for event in events if isinstance(event, kind)]


def say_goodbye(sock: gnet.Socket) -> None:
    drain(sock)
    sock.end(b'bye')


def closed(events: list[Any]) -> Any:
    until(lambda: of(events, lifecycle.ConnectionClosed))
    [event] = of(events, lifecycle.ConnectionClosed)
    return event


def test_a_connection_tells_how_long_it_has_waited_for_its_listeners(
    serve: Serve, published: list[Any],
) -> None:
    def busy(sock: gnet.Socket) -> None:
        drain(sock)
        end = time.monotonic() + BUSY
        while time.monotonic() < end:
            pass

    server = listening(serve(busy))
    peers = [PlainSocket(), PlainSocket()]
    for peer in peers:  # the kernel has both before the loop looks
        peer.connect(server.address()[::2])
    until(lambda: len(of(published, lifecycle.ConnectionOpened)) == 2)
    for peer in peers:
        peer.close()
    first, second = of(published, lifecycle.ConnectionOpened)
    assert 0 <= first.waited < second.waited
    assert second.waited >= BUSY


def test_who_subscribes_late_is_not_told_of_an_earlier_wait(
    serve: Serve, connect: Connect,
) -> None:
    events: list[Any] = []
    server = listening(serve(drain))
    connect(server)
    until(lambda: server.get_connections() == 1)
    zope.event.subscribers.append(events.append)
    try:
        connect(server)
        until(lambda: of(events, lifecycle.ConnectionOpened))
    finally:
        zope.event.subscribers.remove(events.append)
    [opened] = of(events, lifecycle.ConnectionOpened)
    assert 0 <= opened.waited < 10


def test_the_peer_has_ended_first(
    serve: Serve, connect: Connect, published: list[Any], family: Family,
) -> None:
    server = listening(serve(drain), family.listen_options)
    connect(server).close()
    event = closed(published)
    assert (event.ended_by, event.error) == (EndedBy.PEER, None)


def test_the_peer_has_ended_before_a_blocking_handler_returned(
    serve: Serve, connect: Connect, published: list[Any],
) -> None:
    def read_all(sock: gnet.Socket) -> None:
        while sock.recv(100):
            pass

    server = listening(serve(read_all))
    connect(server).close()
    assert closed(published).ended_by is EndedBy.PEER


def test_this_side_has_ended_first_though_the_peer_has_followed(
    serve: Serve, connect: Connect, published: list[Any], family: Family,
) -> None:
    server = listening(serve(say_goodbye), family.listen_options)
    peer = connect(server)
    assert peer.recv(3) == b'bye'
    assert peer.recv(1) == b''
    peer.close()
    assert closed(published).ended_by is EndedBy.HERE


def test_this_side_has_destroyed_it(
    serve: Serve, connect: Connect, published: list[Any],
) -> None:
    server = listening(serve(lambda sock: sock.destroy()))
    connect(server)
    assert closed(published).ended_by is EndedBy.HERE


def test_an_error_has_ended_it(serve: Serve, connect: Connect, published: list[Any]) -> None:
    error = ValueError('enough')

    def handler(sock: gnet.Socket) -> None:
        sock.on('error', lambda error: None)
        sock.destroy(error)

    server = listening(serve(handler))
    connect(server)
    event = closed(published)
    assert (event.ended_by, event.error) == (EndedBy.ERROR, error)


def test_a_socket_that_connects_again_begins_anew(
    serve: Serve, published: list[Any],
) -> None:
    def end_of_it() -> Any:
        until(lambda: [
            each for each in of(published, lifecycle.ConnectionClosed) if each.socket is sock])
        return [each for each in published if getattr(each, 'socket', None) is sock][-1]

    ends_itself = listening(serve(say_goodbye))
    sock = gnet.connect(ends_itself.address().port, '127.0.0.1', allow_half_open=True)
    sock.on('connect', sock.end)
    sock.resume()
    end_of_it()
    sock.off('connect', sock.end)
    del published[:]
    sock.connect(ends_itself.address().port, '127.0.0.1')
    sock.resume()
    sock.on('end', sock.destroy)
    assert end_of_it().ended_by is EndedBy.PEER
