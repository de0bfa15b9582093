"""Accepted connections: `'connection'`, counting, `'drop'`, ``max_connections``, block lists."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import gevent
import pytest
import zope.event
from gevent.event import Event

import gnet
from gnet import lifecycle
from gnet.loop import agenda

from ..harness.families import Family
from ..harness.listening import drain, ended, happens, listening, trace
from ..harness.plain import PlainSocket
from ..harness.waiting import PATIENCE, tick

Serve = Callable[..., gnet.Server]


@pytest.fixture
def visit() -> Iterator[Callable[[Any, int], None]]:
    """``visit(server, count)`` connects *count* peers at once; they are closed after the test."""
    peers: list[PlainSocket] = []

    def connect_all(server: Any, count: int) -> None:
        for _ in range(count):
            peers.append(PlainSocket())
            # The kernel alone completes it: the hub gets all of them in one turn.
            peers[-1].connect(server.address()[::2])

    yield connect_all
    for peer in peers:
        peer.close()


# --- order --------------------------------------------------------------------------------------


def test_the_ticks_of_a_connection_come_before_the_next_connection(
    serve: Serve, visit: Any, monkeypatch: pytest.MonkeyPatch,
) -> None:
    # On a busy machine 5 ms may be over between two lines: then others have their turn first.
    monkeypatch.setattr(agenda, 'WORK_BUDGET', 3600)
    log: list[str] = []

    def handler(sock: gnet.Socket) -> None:
        log.append('connection')
        tick(log.append, 'tick')
        drain(sock)

    server = listening(serve(handler))
    with happens(server, 'connection', times=3):
        visit(server, 3)
    gevent.idle()
    assert log == ['connection', 'tick'] * 3


def test_each_connection_sees_the_count_of_those_before_it(serve: Serve, visit: Any) -> None:
    counts: list[int] = []

    def handler(sock: gnet.Socket) -> None:
        counts.append(server._connections)
        drain(sock)

    server = listening(serve(handler))
    with happens(server, 'connection', times=3):
        visit(server, 3)
    assert counts == [1, 2, 3]


def test_the_count_goes_down_in_destroy(serve: Serve, connect: Any) -> None:
    counts: list[int] = []

    def handler(sock: gnet.Socket) -> None:
        sock.destroy()
        counts.append(server._connections)

    server = listening(serve(handler))
    with happens(server, 'connection'):
        connect(server)
    assert counts == [0]


def test_listeners_run_in_order_and_in_one_greenlet(serve: Serve, connect: Any) -> None:
    log: list[Any] = []

    def note(name: str) -> Callable[[gnet.Socket], None]:
        def listener(sock: gnet.Socket) -> None:
            log.append((name, gevent.getcurrent()))
            drain(sock)
        return listener

    server = serve(note('constructor'))
    server.on('connection', note('added'))
    server.prepend_listener('connection', note('prepended'))
    listening(server)
    with happens(server, 'connection'):
        connect(server)
    assert [name for name, _greenlet in log] == ['prepended', 'constructor', 'added']
    assert len({greenlet for _name, greenlet in log}) == 1
    assert isinstance(log[0][1], gevent.Greenlet)


def test_a_listener_that_sleeps_delays_nobody(serve: Serve, connect: Any) -> None:
    awake = Event()
    slept: list[bool] = []

    def handler(sock: gnet.Socket) -> None:
        if sock.recv(1) == b's':
            slept.append(awake.wait(PATIENCE))
        sock.sendall(b'done')

    server = listening(serve(handler))
    sleeper = connect(server)
    sleeper.sendall(b's')
    for _ in range(3):
        quick = connect(server)
        quick.sendall(b'q')
        assert quick.recv_until_end() == b'done'
    assert slept == []
    awake.set()
    assert sleeper.recv_until_end() == b'done'
    assert slept == [True]


def test_a_listener_that_sleeps_holds_up_the_next_listener_of_its_own_connection_alone(
    serve: Serve, connect: Any,
) -> None:
    log: list[str] = []
    asleep, awake, done = Event(), Event(), Event()

    def first(sock: gnet.Socket) -> None:
        log.append('first')
        asleep.set()
        awake.wait(PATIENCE)

    def second(sock: gnet.Socket) -> None:
        log.append('second')
        drain(sock)
        done.set()

    server = serve(first)
    server.on('connection', second)
    listening(server)
    connect(server)
    assert asleep.wait(PATIENCE)
    gevent.idle()
    assert log == ['first']
    awake.set()
    assert done.wait(PATIENCE)
    assert log == ['first', 'second']


def test_connection_may_be_emitted_by_hand(serve: Serve) -> None:
    got: list[Any] = []
    server = serve(got.append)
    assert server.emit('connection', 'anything') is True
    assert got == ['anything']


def test_without_a_listener_a_connection_is_open_and_counted(
    serve: Serve, connect: Any,
) -> None:
    server = listening(serve())
    counted = Event()
    zope.event.subscribers.append(
        lambda event: counted.set() if isinstance(event, lifecycle.ConnectionOpened) else None)
    try:
        connect(server)
        assert counted.wait(PATIENCE)
    finally:
        zope.event.subscribers.pop()
    assert server.get_connections() == 1


# --- drop ---------------------------------------------------------------------------------------


def test_drop_says_who_was_dropped(serve: Serve, connect: Any, family: Family) -> None:
    server = serve(drain)
    server.max_connections = 0
    listening(server, family.listen_options)
    records: list[Any] = []
    server.on('drop', lambda *args: records.append(args))
    with happens(server, 'drop'):
        peer = connect(server)
    assert peer.recv_until_end() == b''
    if family.path:
        assert records == [(None,)]  # Node passes no argument at all
    else:
        ((record,),) = records
        kind = 'IPv6' if ':' in family.host else 'IPv4'  # type: ignore[operator]
        assert record == (*server.address()[::2], kind, *peer.getsockname()[:2], kind)
        assert record._fields == (
            'local_address', 'local_port', 'local_family', 'remote_address', 'remote_port',
            'remote_family')
        assert record.remoteAddress == record.remote_address == family.host
    assert server.get_connections() == 0


def test_on_a_dual_stack_server_an_ipv4_peer_is_a_mapped_one(
    serve: Serve, connect: Any,
) -> None:
    server = serve()
    server.max_connections = 0
    listening(server, 0)
    with gnet.on(server, 'drop') as drops:
        connect(('127.0.0.1', server.address().port))
        (record,) = next(drops)
    assert (record.remote_address, record.remote_family) == ('::ffff:127.0.0.1', 'IPv6')


@pytest.mark.parametrize(('limit', 'served'), [
    (None, 3), (math.nan, 3), (math.inf, 3), ('x', 3), ({}, 3), (10, 3),
    (0, 0), (False, 0), ('0', 0), (-1, 0), ('', 0), (-math.inf, 0),
    (1, 1), (True, 1), ('1', 1), (1.5, 2), (2, 2), ('0x2', 2), ('2e0', 2),
], ids=str)
def test_max_connections_is_compared_as_in_javascript(
    serve: Serve, visit: Any, limit: Any, served: int,
) -> None:
    server = serve(drain)
    server.max_connections = limit
    listening(server)
    log = trace(server)
    decided = Event()
    for event in ('connection', 'drop'):
        server.on(event, lambda _data: decided.set() if len(log) == 3 else None)
    visit(server, 3)
    assert decided.wait(PATIENCE)
    assert sorted(log) == ['connection'] * served + ['drop'] * (3 - served)


def test_a_connection_that_ends_makes_room_for_another(serve: Serve, connect: Any) -> None:
    server = serve(lambda sock: sock.pipe(sock))
    server.max_connections = 1
    listening(server)
    for _ in range(3):
        peer = connect(server)
        peer.sendall(b'hello')
        assert peer.recv_exactly(5) == b'hello'
        with happens(server, 'drop'):
            assert connect(server).recv_until_end() == b''
        with gnet.on(server, 'connection'):
            (sock,) = server._counter.sockets
            peer.end()
            ended(sock)


def test_a_lower_limit_closes_nobody(serve: Serve, connect: Any) -> None:
    server = listening(serve(lambda sock: sock.pipe(sock)))
    peers = [connect(server) for _ in range(3)]
    for peer in peers:
        peer.sendall(b'1')
        assert peer.recv_exactly(1) == b'1'
    server.max_connections = 1
    with happens(server, 'drop'):
        connect(server)
    for peer in peers:
        peer.sendall(b'2')
        assert peer.recv_exactly(1) == b'2'


def test_close_in_a_drop_listener(serve: Serve, connect: Any) -> None:
    server = serve()
    server.max_connections = 0
    server.on('drop', lambda data: server.close())
    listening(server)
    with happens(server, 'close'):
        connect(server)


def test_a_drop_listener_that_raises_is_reported_and_ends_nothing(
    serve: Serve, connect: Any, hub_reports: list[Any],
) -> None:
    server = serve(lambda sock: sock.end('hello'))
    server.max_connections = 0
    server.on('drop', lambda data: 1 / 0)
    listening(server)
    assert connect(server).recv_until_end() == b''
    server.max_connections = 1
    assert connect(server).recv_until_end() == b'hello'
    assert [(type(error), context) for context, error in hub_reports] == [
        (ZeroDivisionError, server)]


# --- block list ---------------------------------------------------------------------------------


def rules(address: str, kind: str = 'ipv4') -> gnet.BlockList:
    found = gnet.BlockList()
    found.add_address(address, kind)
    return found


@pytest.mark.parametrize(('listen', 'target', 'blocked'), [
    ('127.0.0.1', '127.0.0.1', '127.0.0.1'), ('::', '127.0.0.1', '127.0.0.1'),
    ('::1', '::1', '::1'),
])
def test_a_blocked_peer_is_closed_silently(
    serve: Serve, connect: Any, listen: str, target: str, blocked: str,
) -> None:
    server = serve(block_list=rules(blocked, 'ipv6' if ':' in blocked else 'ipv4'))
    log = trace(server)
    listening(server, 0, listen)
    log.clear()
    assert connect((target, server.address().port)).recv_until_end() == b''
    gevent.idle()
    assert (log, server.get_connections()) == ([], 0)


def test_a_block_list_may_be_changed_any_time(serve: Serve, connect: Any) -> None:
    server = listening(serve(lambda sock: sock.end('hello')))
    found = gnet.BlockList()
    for block_list, answer in (
        (None, b'hello'), (found, b'hello'), (rules('127.0.0.1'), b''), (None, b'hello'),
    ):
        server.block_list = block_list
        assert connect(server).recv_until_end() == answer
    server.block_list = found
    found.add_address('127.0.0.1')
    assert connect(server).recv_until_end() == b''


def test_max_connections_comes_before_the_block_list(serve: Serve, connect: Any) -> None:
    server = serve(block_list=rules('127.0.0.1'))
    server.max_connections = 0
    listening(server)
    with happens(server, 'drop'):
        connect(server)


def test_a_block_list_means_nothing_to_unix_sockets(
    serve: Serve, connect: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    found = gnet.BlockList()
    found.add_subnet('0.0.0.0', 0)
    server = listening(serve(lambda sock: sock.end('hello'), block_list=found), 'x.sock')
    assert connect(server).recv_until_end() == b'hello'


def test_a_block_list_that_fails_refuses_its_peer_and_no_other(
    serve: Serve, connect: Any, hub_reports: list[Any],
) -> None:
    class Broken(gnet.BlockList):
        def check(self, *args: Any, **options: Any) -> bool:
            raise ZeroDivisionError

    server = listening(serve(lambda sock: sock.end('hello'), block_list=Broken()))
    assert connect(server).recv_until_end() == b''  # in doubt, closed
    server.block_list = None
    assert connect(server).recv_until_end() == b'hello'
    assert [type(error) for context, error in hub_reports] == [ZeroDivisionError]


def test_those_who_watch_hear_of_dropped_and_blocked_peers(serve: Serve, connect: Any) -> None:
    heard: list[Any] = []
    zope.event.subscribers.append(heard.append)
    try:
        server = serve(block_list=rules('127.0.0.1'))
        listening(server)
        connect(server).recv_until_end()
        server.max_connections = 0
        with happens(server, 'drop'):
            connect(server)
    finally:
        zope.event.subscribers.remove(heard.append)
    dropped = [event for event in heard if isinstance(event, lifecycle.ConnectionDropped)]
    assert [event.reason for event in dropped] == [
        lifecycle.DropReason.BLOCK_LIST, lifecycle.DropReason.MAX_CONNECTIONS]
    assert [event.data.remote_address for event in dropped] == ['127.0.0.1'] * 2
