"""Options of a connection: where it comes from, its settings, timeout, signal, block list."""

from __future__ import annotations

import errno
import pickle
import socket
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import gevent
import pytest
from gevent.event import Event

import gnet

from ..harness.connections import Connection
from ..harness.families import has_ipv6
from ..harness.plain import PlainSocket
from ..harness.waiting import PATIENCE, turn
from .hosts import Hosts, answers

Attempt = Callable[..., Connection]
MakeHosts = Callable[[dict[str, str]], Hosts]
Serve = Callable[..., gnet.Server]

HERE = '127.0.0.1'
NAME = 'x.test'

needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason='this machine has no ::1')


# --- where it comes from ------------------------------------------------------------------------


@pytest.fixture
def reserved() -> Iterator[int]:
    """A port that nobody else gets, but which may be bound with SO_REUSEADDR."""
    with PlainSocket(socket.AF_INET, socket.SOCK_STREAM) as plain:
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        plain.bind(('0.0.0.0', 0))
        yield plain.getsockname()[1]


def test_a_local_address_and_a_local_port(serve: Serve, attempt: Attempt, reserved: int) -> None:
    for options in (
        {'local_address': HERE, 'local_port': reserved}, {'localAddress': '127.0.0.2'},
        {'localAddress': HERE, 'localPort': 0},
    ):
        peers: list[tuple[str, int]] = []
        server = serve(
            lambda sock, peers=peers: peers.append((sock.remote_address, sock.remote_port)))
        c = attempt(None, port=server.address().port, host=HERE, **options)
        c.wait('ready')
        turn()
        address = options.get('localAddress', HERE)
        assert (c.sock.local_address, c.sock.local_family) == (address, 'IPv4')
        assert peers == [(address, c.sock.local_port)]
        if options.get('local_port'):
            assert c.sock.local_port == reserved
        c.sock.destroy()


def test_a_local_port_alone(serve: Serve, attempt: Attempt, reserved: int) -> None:
    c = attempt(None, serve().address().port, HERE, local_port=reserved)
    c.wait('ready')
    assert (c.sock.local_address, c.sock.local_port) == (HERE, reserved)


#: Options, error number, and what the text says after the code; P is the server's port.
BIND_FAILURES: list[tuple[dict[str, Any], int, str]] = [
    ({'local_address': '203.0.113.9'}, errno.EADDRNOTAVAIL, '203.0.113.9'),
    ({'local_address': '203.0.113.9', 'local_port': 4567}, errno.EADDRNOTAVAIL,
     '203.0.113.9:4567'),
    ({'local_address': HERE, 'local_port': 'P'}, errno.EADDRINUSE, f'{HERE}:P'),
    ({'local_port': 'P'}, errno.EADDRINUSE, '0.0.0.0:P'),
    ({'local_address': '::1'}, errno.EINVAL, '::1'),
    # In Node these wrap around, and fail or not for a port that nobody asked for.
    ({'local_port': 70000}, errno.EINVAL, '0.0.0.0:70000'),
    ({'local_port': -1}, errno.EINVAL, '0.0.0.0'),
    ({'local_port': float('inf')}, errno.EINVAL, '0.0.0.0:inf'),
]


@pytest.mark.parametrize(('options', 'number', 'where'), BIND_FAILURES, ids=str)
def test_a_bind_that_fails_is_no_attempt(
    serve: Serve, attempt: Attempt, options: dict[str, Any], number: int, where: str,
) -> None:
    port = serve().address().port
    given = {name: port if value == 'P' else value for name, value in options.items()}
    c = attempt(None, port=port, host=HERE, **given)
    trace = c.until_closed()
    error = c.sock.errored
    code = errno.errorcode[number]
    text = f'bind {code} {where.replace("P", str(port))}'
    assert trace == [f'error {code}: {text} {{closed}}', 'close True {closed}']
    assert (error.code, error.errno, error.syscall, str(error)) == (code, number, 'bind', text)
    assert error.address == given.get('local_address', '0.0.0.0')
    assert error.port == given.get('local_port')


@pytest.mark.parametrize('host', [HERE, pytest.param('::1', marks=needs_ipv6)])
@pytest.mark.parametrize('with_address', [True, False])
@pytest.mark.parametrize('with_port', [True, False])
def test_a_refusal_names_the_local_end_if_a_port_was_asked_for(
    hosts: MakeHosts, attempt: Attempt, reserved: int, host: str, with_port: bool,
    with_address: bool,
) -> None:
    port = hosts({host: 'refuses'}).port
    options: dict[str, Any] = {'local_port': reserved} if with_port else {}
    if with_address:
        options['local_address'] = host
    c = attempt(None, port=port, host=host, **options)
    c.wait('error')
    address = host if with_address else {HERE: '0.0.0.0', '::1': '::'}[host]
    local = f' - Local ({address}:{reserved})' if with_port else ''
    error = c.sock.errored
    assert str(error) == f'connect ECONNREFUSED {host}:{port}{local}'
    expected = (address, reserved) if with_port else (None, None)
    assert (error.local_address, error.local_port) == expected
    assert (error.localAddress, error.localPort) == expected
    again = pickle.loads(pickle.dumps(error))
    assert (again.local_address, again.local_port, str(again)) == (*expected, str(error))


def test_each_of_several_refusals_names_the_local_end(
    hosts: MakeHosts, attempt: Attempt, reserved: int,
) -> None:
    port = hosts({HERE: 'refuses', '127.0.0.2': 'refuses'}).port
    failed: list[Any] = []
    c = attempt(
        lambda c: c.sock.on('connectionAttemptFailed', lambda *args: failed.append(args[-1])),
        port=port, host=NAME, lookup=answers(HERE, '127.0.0.2'), local_port=reserved)
    c.wait('error')
    for errors in (failed, c.sock.errored.errors):
        assert [(each.local_address, each.local_port, str(each)) for each in errors] == [
            ('0.0.0.0', reserved,
             f'connect ECONNREFUSED {host}:{port} - Local (0.0.0.0:{reserved})')
            for host in (HERE, '127.0.0.2')]


def test_a_local_end_that_nobody_asked_for_is_in_the_text_alone(attempt: Attempt) -> None:
    c = attempt(None, port=80, host='255.255.255.255')
    c.wait('error')
    error = c.sock.errored
    assert str(error).endswith(' - Local (0.0.0.0:0)')
    assert (error.local_address, error.local_port) == (None, None)


@pytest.mark.parametrize('options', [
    {'path': '/no/such/path'},
    {'port': 1, 'host': HERE, 'local_address': '203.0.113.9', 'local_port': 5000},
])
def test_other_failures_have_no_local_end(attempt: Attempt, options: dict[str, Any]) -> None:
    c = attempt(None, **options)
    c.wait('error')
    assert (c.sock.errored.local_address, c.sock.errored.local_port) == (None, None)


def test_a_local_address_has_one_address_of_the_host_tried(
    hosts: MakeHosts, attempt: Attempt,
) -> None:
    port = hosts({HERE: 'refuses', '127.0.0.2': 'good'}).port
    c = attempt(None, port=port, host=NAME, lookup=answers(HERE, '127.0.0.2'), local_address=HERE)
    assert [line.split()[0] for line in c.until_closed()] == [
        'lookup', 'connectionAttempt', 'connectionAttemptFailed', 'error', 'close']


# --- settings of the system ---------------------------------------------------------------------


@pytest.mark.parametrize('address', [HERE, '::1'])
@pytest.mark.parametrize('how', ['options', 'methods'])
def test_settings_are_made_before_connect_is_emitted(
    hosts: MakeHosts, attempt: Attempt, address: str, how: str,
) -> None:
    seen: list[tuple[int, ...]] = []

    def setup(c: Connection) -> None:
        if how == 'methods':
            c.sock.set_no_delay().set_keep_alive(True, 5999).set_type_of_service(0x10)
        c.sock.on('connect', lambda: seen.append((
            c.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY),
            c.sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE),
            c.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE),
            c.sock.get_type_of_service(),
        )))

    options = {
        'noDelay': True, 'keepAlive': True, 'keepAliveInitialDelay': 5999, 'typeOfService': 0x10,
    } if how == 'options' else {}
    c = attempt(setup, hosts({address: 'good'}).port, address, sock=options)
    c.wait('ready')
    assert seen == [(1, 1, 5, 0x10)]
    # And again for the next connection of this socket.
    c.sock.destroy()
    c.sock.connect(c.sock.remote_port, address)
    c.wait('ready', 2)
    assert seen == [(1, 1, 5, 0x10)] * 2


# --- timeout ------------------------------------------------------------------------------------


def test_the_timeout_option_tells_and_closes_nothing(hosts: MakeHosts) -> None:
    sock = gnet.connect(port=hosts({HERE: 'slow'}).port, host=HERE, timeout=10)
    c = Connection(sock)
    assert sock.timeout == 10
    c.wait('timeout')
    assert (sock.connecting, sock.destroyed) == (True, False)
    assert c.trace[-1] == 'timeout {opening}'
    sock.destroy()
    assert c.until_closed()[-1] == 'close False {closed}'


@pytest.mark.parametrize('timeout', [0, None, float('nan'), False])
def test_a_timeout_that_is_false_is_none(serve: Serve, timeout: Any) -> None:
    sock = gnet.connect(port=serve().address().port, host=HERE, timeout=timeout)
    assert sock.timeout is None
    sock.destroy()


def test_what_belongs_to_the_constructor_has_no_effect_in_the_method(
    serve: Serve, attempt: Attempt,
) -> None:
    signal = Event()
    signal.set()
    c = attempt(
        None, {
            'port': serve().address().port, 'host': HERE, 'timeout': 'x', 'signal': signal,
            'allow_half_open': 1, 'high_water_mark': 'x'})
    c.wait('ready')
    assert (c.sock.timeout, c.sock.allow_half_open) == (None, False)


# --- signal -------------------------------------------------------------------------------------

ABORTED = [
    'error ABORT_ERR: The operation was aborted {closed}', 'close True {closed}',
]


@pytest.mark.parametrize('moment', ['set already', 'before', 'same turn', 'connecting'])
def test_a_signal_ends_what_is_not_connected_yet(
    hosts: MakeHosts, attempt: Attempt, moment: str,
) -> None:
    made = hosts({HERE: 'slow', '127.0.0.2': 'good'})
    signal = Event()
    if moment == 'set already':
        signal.set()

    def setup(c: Connection) -> None:
        if moment == 'before':
            signal.set()

    host = HERE if moment == 'connecting' else '127.0.0.2'
    c = attempt(setup, made.port, host, sock={'signal': signal})
    if moment == 'connecting':
        c.wait('connectionAttempt')
        assert c.sock.connecting
    signal.set()
    trace = c.until_closed()
    turn()
    assert [line for line in trace if not line.startswith('connectionAttempt ')] == ABORTED
    if moment in ('set already', 'before'):
        assert trace == ABORTED
    assert isinstance(c.sock.errored, gnet.AbortError)
    assert c.sock.destroyed


def test_a_signal_ends_a_connection(serve: Serve, attempt: Attempt) -> None:
    signal = Event()
    c = attempt(None, serve().address().port, HERE, sock={'signal': signal})
    c.wait('ready')
    signal.set()
    assert c.until_closed()[-2:] == ABORTED


def test_a_signal_after_the_end_is_ignored(serve: Serve, attempt: Attempt) -> None:
    links: list[Any] = []
    signal = SimpleNamespace(ready=lambda: False, rawlink=links.append, unlink=links.remove)
    c = attempt(None, serve().address().port, HERE, sock={'signal': signal})
    c.wait('ready')
    assert len(links) == 1
    c.sock.destroy()
    assert links == []  # so the signal does not keep the socket
    assert c.until_closed()[-1] == 'close False {closed}'


def test_a_signal_holds_for_the_next_connection_too(serve: Serve, attempt: Attempt) -> None:
    port = serve().address().port
    signal = Event()
    c = attempt(None, port, HERE, sock={'signal': signal})
    c.wait('ready')
    c.sock.destroy()
    c.sock.connect(port, HERE)
    c.wait('ready', 2)
    signal.set()
    c.wait('error')
    c.wait('close', 2)
    assert c.trace[-2:] == ABORTED
    # And for a connection that is asked for after it was set.
    before = len(c.trace)
    c.sock.connect(port, HERE)
    c.wait('close', 3)
    assert c.trace[before:] == ABORTED


def test_a_signal_that_is_set_before_close_prevents_the_next_connection(
    serve: Serve, attempt: Attempt,
) -> None:
    port = serve().address().port
    signal = Event()
    c = attempt(None, port, HERE, sock={'signal': signal})
    c.wait('ready')
    before = len(c.trace)
    c.sock.destroy()
    c.sock.connect(port, HERE)
    signal.set()
    c.wait('close', 2)
    assert c.trace[before:] == ['close False {closed}', *ABORTED]


def test_a_blocking_call_raises_that_it_was_aborted(hosts: MakeHosts) -> None:
    signal = Event()
    sock = gnet.Socket(signal=signal)
    gevent.get_hub().loop.run_callback(signal.set)
    with gevent.Timeout(PATIENCE), pytest.raises(gnet.AbortError):
        sock.connect((HERE, hosts({HERE: 'slow'}).port))
    assert sock.destroyed


# --- block list ---------------------------------------------------------------------------------


@pytest.fixture
def ban() -> gnet.BlockList:
    rules = gnet.BlockList()
    rules.add_subnet('127.0.0.0', 8)
    rules.add_address('::1', 'ipv6')
    return rules


BLOCKED = f'ERR_IP_BLOCKED: IP({HERE}) is blocked by net.BlockList'
LOOKUP = f"lookup None '{HERE}' 4 '{NAME}' {{opening}}"

#: The way to the address, and whether the socket is destroyed when connect() returns.
PATHS: dict[str, tuple[dict[str, Any], list[str], bool]] = {
    'an address': ({'host': HERE}, [], False),
    'one address of a name': (
        {'host': NAME, 'lookup': answers(HERE), 'auto_select_family': False}, [LOOKUP], True),
    'the only address of a name': ({'host': NAME, 'lookup': answers(HERE)}, [LOOKUP], True),
}


@pytest.mark.parametrize('way', PATHS)
def test_a_blocked_address_is_not_connected_to(
    serve: Serve, attempt: Attempt, ban: gnet.BlockList, way: str,
) -> None:
    options, head, at_once = PATHS[way]
    connected: list[Any] = []
    port = serve(connected.append).address().port
    c = attempt(None, port=port, **options, sock={'blockList': ban})
    assert c.sock.destroyed is at_once
    assert c.until_closed() == [
        *head, f"connectionAttempt '{HERE}' {port} 4 {{opening}}", f'error {BLOCKED} {{closed}}',
        'close True {closed}']
    turn()
    assert connected == []
    assert c.sock.errored.code == 'ERR_IP_BLOCKED'


def test_a_blocked_address_among_several(
    hosts: MakeHosts, attempt: Attempt, ban: gnet.BlockList,
) -> None:
    port = hosts({HERE: 'good', '127.0.0.2': 'good'}).port
    other = gnet.BlockList()
    other.add_address(HERE)
    look_up = answers(HERE, '127.0.0.2')
    failed = f"connectionAttemptFailed '{HERE}' {port} 4 {BLOCKED} {{opening}}"
    c = attempt(None, port=port, host=NAME, lookup=look_up, sock={'block_list': other})
    c.wait('ready')
    # Without a 'connectionAttempt'.
    assert c.trace[2:] == [
        failed, f"connectionAttempt '127.0.0.2' {port} 4 {{opening}}", 'connect {open}',
        'ready {open}']
    assert c.sock.auto_select_family_attempted_addresses == [f'127.0.0.2:{port}']
    c = attempt(None, port=port, host=NAME, lookup=look_up, sock={'block_list': ban})
    assert c.sock.destroyed
    trace = c.until_closed()
    second = BLOCKED.replace(HERE, '127.0.0.2')
    assert trace[2:4] == [
        failed, f"connectionAttemptFailed '127.0.0.2' {port} 4 {second} {{opening}}"]
    assert [line.split()[0] for line in trace[4:]] == ['error', 'close']
    assert isinstance(c.sock.errored, gnet.ConnectFailure)
    assert c.sock.errored.code == 'ERR_IP_BLOCKED'


def test_a_blocked_ipv6_address(hosts: MakeHosts, attempt: Attempt, ban: gnet.BlockList) -> None:
    port = hosts({'::1': 'good'}).port
    c = attempt(None, port, '::1', sock={'block_list': ban})
    assert c.until_closed()[1:] == [
        'error ERR_IP_BLOCKED: IP(::1) is blocked by net.BlockList {closed}', 'close True {closed}']


def test_a_block_list_is_not_for_paths(attempt: Attempt, ban: gnet.BlockList) -> None:
    c = attempt(None, '/no/such/socket', sock={'block_list': ban})
    c.wait('error')
    assert c.sock.errored.code == 'ENOENT'
