"""A server with limits, from the outside: who is served, who is dropped, and who is told."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import zope.event

import gnet
from gnet import lifecycle
from gnet.lifecycle import DropReason
from gnet.loop.loop import get_loop
from gnet.servers import refusals
from gnet.servers.draining import Drain

from ..harness.families import Family
from ..harness.listening import drain, ended, happens, listening
from ..harness.native import Native
from ..harness.plain import PlainSocket
from ..harness.waiting import tick, turn, until

Serve = Callable[..., gnet.Server]


def greet(sock: gnet.Socket) -> None:
    sock.write('h')
    drain(sock)


@pytest.fixture
def come(native: Native) -> Iterator[Callable[..., bool]]:
    """``come(server, source)`` connects from an address; returns whether it is served. It stays."""
    peers: list[PlainSocket] = []

    def visit(server: Any, source: str) -> bool:
        peer = PlainSocket()
        peers.append(peer)
        peer.bind((source, 0))
        peer.connect(('127.0.0.1', server.address().port))
        try:
            return bool(peer.recv(1))
        except ConnectionResetError:
            return False

    yield lambda server, source='127.0.0.1': native(visit, server, source)
    for peer in peers:
        peer.close()


@pytest.fixture
def dropped() -> Iterator[list[Any]]:
    """Why and whose connections were dropped, as those who watch hear it."""
    heard: list[Any] = []

    def watch(event: Any) -> None:
        if isinstance(event, lifecycle.ConnectionDropped):
            heard.append((event.reason, event.network))

    zope.event.subscribers.append(watch)
    yield heard
    zope.event.subscribers.remove(watch)


def records_of(server: Any) -> list[Any]:
    found: list[Any] = []
    server.on('drop', found.append)
    return found


# --- who is dropped, and who is told ------------------------------------------------------------


def test_each_address_has_so_many_connections(
    serve: Serve, come: Callable[..., bool], dropped: list[Any],
) -> None:
    server = listening(serve(greet, max_connections_per_address=2))
    records = records_of(server)
    served = [come(server, source) for source in ('127.0.0.1', '127.0.0.2') for _ in range(3)]
    assert served == [True, True, False] * 2
    until(lambda: len(records) == 2)
    reason = DropReason.MAX_CONNECTIONS_PER_ADDRESS
    assert dropped == [(reason, '127.0.0.1'), (reason, '127.0.0.2')]
    assert [(record.reason, record.network) for record in records] == dropped
    assert records[1].remote_address == '127.0.0.2'
    assert records[1].localPort == server.address().port


def test_an_ipv4_peer_of_a_server_for_both_is_known_by_its_ipv4_address(
    serve: Serve, come: Callable[..., bool], dropped: list[Any],
) -> None:
    server = listening(serve(greet, max_connections_per_address=1), 0)
    assert [come(server) for _ in range(2)] == [True, False]
    until(lambda: dropped)
    assert dropped[0][1] == '127.0.0.1'


def test_one_limit_holds_for_a_whole_network(
    serve: Serve, come: Callable[..., bool], dropped: list[Any],
) -> None:
    server = listening(serve(greet, max_connections_per_address=1, ipv4_prefix=24))
    assert [come(server, source) for source in ('127.0.0.1', '127.0.0.9', '127.0.1.1')] == [
        True, False, True]
    until(lambda: dropped)
    assert dropped == [(DropReason.MAX_CONNECTIONS_PER_ADDRESS, '127.0.0.0/24')]


def test_a_rate_of_each_address(
    serve: Serve, come: Callable[..., bool], dropped: list[Any],
) -> None:
    # One in a hundred seconds: however slow the test is, the bucket stays empty.
    server = listening(serve(
        greet, connection_rate_per_address=0.01, connection_burst_per_address=2))
    served = [come(server, source) for source in ('127.0.0.1', '127.0.0.2') for _ in range(3)]
    assert served == [True, True, False] * 2
    until(lambda: len(dropped) == 2)
    assert dropped[0] == (DropReason.CONNECTION_RATE_PER_ADDRESS, '127.0.0.1')


def test_a_rate_of_all_holds_for_each_family(
    serve: Serve, connect: Any, family: Family, dropped: list[Any],
) -> None:
    server = serve(
        lambda sock: sock.end('hello'), connectionRate=0.01, connectionBurst=2,
        max_connections_per_address=100)
    listening(server, family.listen_options)
    records = records_of(server)
    assert [connect(server).recv_until_end() for _ in range(3)] == [b'hello', b'hello', b'']
    until(lambda: dropped and records)
    assert dropped == [(DropReason.CONNECTION_RATE, None)]
    if family.path:
        assert records == [None]
    else:
        assert (records[0].reason, records[0].network) == dropped[0]


def test_ipv6_peers_are_known_by_their_network(
    serve: Serve, connect: Any, dropped: list[Any],
) -> None:
    server = listening(serve(greet, max_connections_per_address=1), 0, '::1')
    assert connect(server).recv_exactly(1) == b'h'
    with happens(server, 'drop'):
        assert connect(server).recv_until_end() == b''
    assert dropped == [(DropReason.MAX_CONNECTIONS_PER_ADDRESS, '::/64')]


def test_a_record_says_so_of_max_connections_too(serve: Serve, connect: Any) -> None:
    server = listening(serve(max_connections=0))
    with gnet.on(server, 'drop') as drops:
        connect(server)
        (record,) = next(drops)
    assert (record.reason, record.network) == (DropReason.MAX_CONNECTIONS, None)


def test_who_is_in_the_block_list_takes_no_token(
    serve: Serve, come: Callable[..., bool],
) -> None:
    rules = gnet.BlockList()
    rules.add_address('127.0.0.2')
    server = listening(serve(
        greet, connection_rate=0.01, connection_burst=1, block_list=rules))
    assert [come(server, source) for source in ('127.0.0.2', '127.0.0.2', '127.0.0.1')] == [
        False, False, True]


# --- what is counted ----------------------------------------------------------------------------


@pytest.mark.parametrize('end', ['end', 'destroy', 'reset_and_destroy'])
def test_a_connection_that_ends_makes_room_for_another_of_its_address(
    serve: Serve, connect: Any, end: str,
) -> None:
    server = listening(serve(greet, max_connections_per_address=1))
    for _ in range(3):
        with gnet.on(server, 'connection') as connections:
            peer = connect(server)
            (sock,) = next(connections)
        assert peer.recv_exactly(1) == b'h'
        with happens(server, 'drop'):
            assert connect(server).recv_until_end() == b''
        getattr(sock, end)()
        peer.close()
        if not sock.closed:
            ended(sock)


def test_one_that_fails_to_begin_is_not_counted(
    serve: Serve, come: Callable[..., bool], hub_reports: list[Any],
) -> None:
    class Broken:
        def __bool__(self) -> bool:
            raise ZeroDivisionError

    server = listening(serve(greet, max_connections_per_address=1))
    server.allow_half_open = Broken()  # type: ignore[assignment]
    assert not come(server)
    server.allow_half_open = False
    assert come(server)
    assert [type(error) for _context, error in hub_reports] == [ZeroDivisionError]


def test_limits_are_changed_at_any_time(serve: Serve, come: Callable[..., bool]) -> None:
    server = listening(serve(greet))
    assert come(server)
    assert come(server)
    server.max_connections_per_address = 2  # those that are open are counted
    assert not come(server)
    assert come(server, '127.0.0.2')
    server.ipv4_prefix = 8
    server.maxConnectionsPerAddress = 4  # type: ignore[attr-defined]
    assert [come(server, source) for source in ('127.0.0.3', '127.0.0.4')] == [True, False]
    server.max_connections_per_address = None
    assert come(server)
    server.connection_rate, server.connection_burst = 0.01, 1
    assert [come(server) for _ in range(2)] == [True, False]
    server.connection_rate = None
    assert come(server)


def test_those_of_before_a_limit_are_counted_down_too(
    serve: Serve, connect: Any, come: Callable[..., bool],
) -> None:
    server = listening(serve(greet))
    with gnet.on(server, 'connection') as connections:
        connect(server)
        (sock,) = next(connections)
    server.max_connections_per_address = 1
    assert not come(server)
    sock.destroy()
    assert come(server)


def test_limits_that_are_set_before_listen_hold(serve: Serve, come: Callable[..., bool]) -> None:
    server = serve(greet)
    server.max_connections_per_address = 1
    listening(server)
    assert [come(server) for _ in range(2)] == [True, False]
    server.close()
    listening(server)
    assert not come(server)  # the first one is still open, and counted


def test_properties_say_what_was_set(serve: Serve) -> None:
    server = serve(
        max_connections=7, max_connections_policy='wait', max_connections_per_address=3,
        connection_rate=2.5, connection_rate_per_address=0.5, connection_burst=9,
        connection_burst_per_address=4, ipv4_prefix=24, ipv6_prefix=56)
    assert (
        server.max_connections, server.max_connections_policy, server.max_connections_per_address,
        server.connection_rate, server.connection_rate_per_address, server.connection_burst,
        server.connection_burst_per_address, server.ipv4_prefix, server.ipv6_prefix,
    ) == (7, 'wait', 3, 2.5, 0.5, 9, 4, 24, 56)
    assert server.connectionBurstPerAddress == 4  # type: ignore[attr-defined]


@pytest.mark.parametrize(('name', 'value', 'code'), [
    ('connection_rate', 0, 'ERR_OUT_OF_RANGE'), ('ipv6_prefix', 129, 'ERR_OUT_OF_RANGE'),
    ('max_connections_per_address', '3', 'ERR_INVALID_ARG_TYPE'),
    ('max_connections_policy', 'close', 'ERR_INVALID_ARG_VALUE'),
])
def test_what_is_no_limit_is_refused_at_once_and_changes_nothing(
    serve: Serve, name: str, value: Any, code: str,
) -> None:
    server = serve()
    before = getattr(server, name)
    with pytest.raises(gnet.CodedError) as caught:
        setattr(server, name, value)
    assert caught.value.code == code
    assert getattr(server, name) == before


# --- the log ------------------------------------------------------------------------------------


def test_the_log_has_one_line_for_an_episode(
    serve: Serve, come: Callable[..., bool], caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server = listening(serve(greet, max_connections_per_address=1))
    for source in ('127.0.0.1', '127.0.0.2'):
        assert come(server, source)
    with caplog.at_level(logging.WARNING, 'gnet.server'):
        for source in ('127.0.0.1', '127.0.0.2') * 3:
            assert not come(server, source)
        assert len(caplog.records) == 2
        assert caplog.messages[0].endswith(
            ' drops connections of 127.0.0.1: the address had max_connections_per_address '
            'open connections')
        monkeypatch.setattr(refusals, 'EPISODE_GAP', 0)
        assert not come(server)
    assert len(caplog.records) == 3


def test_of_many_addresses_the_log_has_few_lines(
    serve: Serve, come: Callable[..., bool], caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(refusals, 'MAX_EPISODES', 3)
    server = listening(serve(
        greet, connection_rate_per_address=0.01, connection_burst_per_address=1))
    with caplog.at_level(logging.WARNING, 'gnet.server'):
        for number in range(1, 9):
            source = f'127.0.0.{number}'
            assert [come(server, source), come(server, source)] == [True, False]
    assert len(caplog.records) == 4
    assert ' of further addresses: ' in caplog.messages[-1]


# --- those beyond max_connections wait ----------------------------------------------------------


class Visitors:
    """Peers whose connections the kernel alone makes."""

    def __init__(self) -> None:
        self.open: list[PlainSocket] = []

    def come(self, family: Family, address: Any, count: int) -> None:
        for _ in range(count):
            peer = PlainSocket(family.number)
            self.open.append(peer)
            peer.connect(family.path or address[::2])

    def leave(self) -> None:
        while self.open:
            self.open.pop(0).close()


@pytest.fixture
def visitors() -> Iterator[Visitors]:
    made = Visitors()
    yield made
    made.leave()


def test_those_beyond_the_limit_wait_until_others_have_ended(
    serve: Serve, family: Family, visitors: Visitors,
) -> None:
    most: list[int] = []
    served: list[gnet.Socket] = []

    def handler(sock: gnet.Socket) -> None:
        served.append(sock)
        most.append(server.get_connections())
        drain(sock)

    server = serve(handler, max_connections=3, max_connections_policy='wait')
    dropped = records_of(server)
    listening(server, **family.listen_options)
    visitors.come(family, server.address(), 10)
    until(lambda: len(served) == 3)
    for count in range(4, 11):
        served.pop(0).destroy()
        until(lambda count=count: len(most) == count)  # type: ignore[misc]
    assert (max(most), dropped) == (3, [])


def test_a_raised_limit_a_changed_policy_and_no_limit_let_them_in(
    serve: Serve, visitors: Visitors,
) -> None:
    server = serve(drain, max_connections=1, max_connections_policy='wait')
    listening(server)

    def there(count: int) -> None:
        until(lambda: server.get_connections() == count)

    visitors.come(Family('ipv4', '127.0.0.1'), server.address(), 5)
    there(1)
    server.max_connections = 2
    there(2)
    server.max_connections_policy = 'drop'
    with happens(server, 'drop', times=3):
        pass
    visitors.leave()
    there(0)
    server.max_connections_policy = 'wait'
    visitors.come(Family('ipv4', '127.0.0.1'), server.address(), 5)
    there(2)
    server.max_connections = None
    there(5)


def test_even_a_limit_below_all_numbers_has_them_wait(serve: Serve, visitors: Visitors) -> None:
    server = serve(drain, max_connections=-math.inf, max_connections_policy='wait')
    listening(server)
    visitors.come(Family('ipv4', '127.0.0.1'), server.address(), 1)
    turn()
    turn()
    assert server.get_connections() == 0
    server.max_connections = 1
    until(lambda: server.get_connections() == 1)


def test_a_drain_does_not_drop_those_who_wait(serve: Serve, visitors: Visitors) -> None:
    server = serve(drain, max_connections=1, max_connections_policy='wait')
    dropped = records_of(server)
    listening(server)
    visitors.come(Family('ipv4', '127.0.0.1'), server.address(), 3)
    until(lambda: server.get_connections() == 1)
    done: list[bool] = []
    draining = Drain(get_loop(), lambda: done.append(True), lambda count: None)
    tick(lambda: draining.close([server], accept_rest=True))
    until(lambda: not server.listening)
    for waiting in visitors.open[1:]:
        with pytest.raises(ConnectionResetError):
            waiting.recv(1)
    assert (dropped, done) == ([], [])
    visitors.leave()
    until(lambda: done)


def test_a_server_that_is_full_can_be_closed_and_listen_again(
    serve: Serve, visitors: Visitors,
) -> None:
    server = serve(drain, max_connections=1, max_connections_policy='wait')
    listening(server)
    visitors.come(Family('ipv4', '127.0.0.1'), server.address(), 2)
    until(lambda: server.get_connections() == 1)
    server.close()
    visitors.leave()
    ended(server)
    listening(server)
    visitors.come(Family('ipv4', '127.0.0.1'), server.address(), 1)
    until(lambda: server.get_connections() == 1)


def test_another_server_that_takes_over_has_its_own_limit(
    serve: Serve, visitors: Visitors,
) -> None:
    first = listening(serve(drain, max_connections=0, max_connections_policy='wait'))
    visitors.come(Family('ipv4', '127.0.0.1'), first.address(), 2)
    second = serve(drain)
    tick(second.listen, first)
    until(lambda: second.get_connections() == 2)
    assert first.get_connections() == 0
