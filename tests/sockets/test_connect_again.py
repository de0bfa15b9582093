"""``connect`` out of order: twice, again, after ``destroy()``; and what is left behind: nothing."""

from __future__ import annotations

import errno
import gc
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gevent
import pytest
from gevent.event import AsyncResult, Event

import gnet

from ..harness.connections import Connection, connected, target_of
from ..harness.families import Family, address_of
from ..harness.leaks import holds
from ..harness.plain import PlainSocket
from ..harness.waiting import PATIENCE, turn, until
from .hosts import Hosts, answers

Attempt = Callable[..., Connection]
MakeHosts = Callable[[dict[str, str]], Hosts]
Serve = Callable[..., gnet.Server]

HERE = '127.0.0.1'
NAME = 'x.test'


def test_connect_twice_is_an_error_with_nodes_text(serve: Serve, attempt: Attempt) -> None:
    port = serve().address().port
    c = attempt(None, port, HERE)
    c.sock.connect(port, HERE)
    c.wait('error')
    error = c.sock.errored
    assert (error.code, error.errno, error.syscall) == ('EALREADY', errno.EALREADY, 'connect')
    assert str(error).startswith(f'connect EALREADY {HERE}:{port} - Local ({HERE}:')
    assert [line.split()[0] for line in c.until_closed()] == [
        'connectionAttempt', 'connectionAttempt', 'error', 'close']


def test_connect_on_an_open_socket_is_an_error(
    serve: Serve, attempt: Attempt, family: Family,
) -> None:
    server = serve(target=family.listen_options)
    c = attempt(None, **target_of(server))
    c.wait('ready')
    c.sock.connect(target_of(server))
    c.wait('error')
    error = c.sock.errored
    where = family.path or f'{family.host}:{server.address().port}'
    assert (str(error), error.errno) == (f'connect EISCONN {where}', errno.EISCONN)
    assert c.until_closed()[-2:] == [f'error EISCONN: {error} {{closed}}', 'close True {closed}']


def test_a_socket_connects_again_and_again_from_its_close(serve: Serve) -> None:
    times = 20
    server = serve(lambda sock: sock.on('data', sock.end))
    port = server.address().port
    sock = gnet.Socket(encoding='utf8')
    closes: list[tuple[Any, ...]] = []
    seen: list[str] = []
    sock.on('connect', lambda: sock.write('hello'))
    sock.on('data', seen.append)
    sock.on('end', lambda: seen.append('end'))

    def closed(had_error: bool) -> None:
        closes.append((had_error, sock.bytes_read, sock.bytes_written, sock.destroyed))
        if len(closes) < times:
            sock.connect(port, HERE)
            assert (sock.bytes_read, sock.bytes_written, sock.destroyed, sock.connecting) == (
                0, 0, False, True)

    sock.on('close', closed)
    sock.connect(port, HERE)
    until(lambda: len(closes) == times)
    assert closes == [(False, 5, 5, True)] * times
    assert seen == ['hello', 'end'] * times
    assert [sock.listener_count(event) for event in ('connect', 'data', 'close')] == [1, 1, 1]
    until(lambda: server.get_connections() == 0)


def test_a_socket_whose_connection_failed_connects_again(
    serve: Serve, hosts: MakeHosts, attempt: Attempt,
) -> None:
    bad, good = hosts({HERE: 'refuses'}).port, serve().address().port

    def setup(c: Connection) -> None:
        c.sock.once('close', lambda had_error: c.sock.connect(good, HERE))

    c = attempt(setup, bad, HERE)
    c.wait('ready')
    assert [line.split()[0] for line in c.trace] == [
        'connectionAttempt', 'connectionAttemptFailed', 'error', 'close', 'connectionAttempt',
        'connect', 'ready']
    assert c.sock.errored is None


@pytest.mark.parametrize('when', ['connecting', 'open'])
def test_connect_right_after_destroy_waits_for_close(
    serve: Serve, attempt: Attempt, when: str,
) -> None:
    port = serve().address().port
    c = attempt(None, port, HERE)
    if when == 'open':
        c.wait('ready')
    before = len(c.trace)
    assert c.sock.destroy().connect(port, HERE, c.noting('called')) is c.sock
    assert (c.sock.destroyed, c.sock.connecting) == (True, False)
    c.wait('ready', 2 if when == 'open' else 1)
    assert c.trace[before:] == [
        'close False {closed}', f"connectionAttempt '{HERE}' {port} 4 {{opening}}",
        'connect {open}', 'called', 'ready {open}',
    ]


def test_destroy_takes_back_a_connect_that_waits_for_close(serve: Serve, attempt: Attempt) -> None:
    port = serve().address().port
    c = attempt(None, port, HERE)
    c.sock.destroy()
    c.sock.connect(port, HERE)
    c.sock.destroy()
    c.until_closed()
    turn()
    assert c.trace == ['close False {closed}']


def test_what_the_connection_before_has_lost_is_not_lost_by_the_next(serve: Serve) -> None:
    port = serve().address().port
    sock = gnet.Socket()
    closes: list[tuple[int, bool]] = []

    def closed(had_error: bool) -> None:
        closes.append((sock.bytes_written, sock.writable_ended))
        if len(closes) == 1:
            sock.connect(port, HERE)
            sock.destroy()

    sock.on('close', closed)
    sock.connect(port, HERE)
    sock.write('lost')
    sock.destroy()
    until(lambda: len(closes) == 2)
    turn()
    sock.end()
    assert closes == [(4, False), (0, False)]
    assert (sock.bytes_written, sock.writable_ended) == (0, True)


DESTROYED_IN: dict[str, list[str]] = {
    'connectionAttempt': ['connectionAttempt', 'close False {closed}'],
    'connectionAttemptFailed': [
        'connectionAttempt', 'connectionAttemptFailed', 'close False {closed}'],
    'connect': ['connectionAttempt', 'connect', 'ready', 'close False {closed}'],
    'ready': ['connectionAttempt', 'connect', 'ready', 'close False {closed}'],
}


@pytest.mark.parametrize('event', DESTROYED_IN)
def test_destroy_in_a_listener(hosts: MakeHosts, attempt: Attempt, event: str) -> None:
    port = hosts({HERE: 'refuses' if 'Failed' in event else 'good'}).port
    c = attempt(lambda c: c.sock.on(event, lambda *args: c.sock.destroy()), port, HERE)
    trace = c.until_closed()
    assert [line if line.startswith('close') else line.split()[0] for line in trace] == (
        DESTROYED_IN[event])


def test_destroy_in_the_attempt_at_a_path(attempt: Attempt, serve: Serve, directory: Path) -> None:
    path = str(directory / 's')
    connected: list[Any] = []
    serve(connected.append, target={'path': path})
    c = attempt(lambda c: c.sock.on('connectionAttempt', lambda *args: c.sock.destroy()), path)
    assert [line.split()[0] for line in c.until_closed()] == ['connectionAttempt', 'close']
    turn()
    assert connected == []


# --- halves -------------------------------------------------------------------------------------


@pytest.mark.parametrize(('options', 'state', 'received'), [
    ({'readable': False}, 'writeOnly', []), ({'writable': False}, 'readOnly', [b'greeting']),
])
def test_a_half_that_is_not_wanted_stays_closed_in_each_connection(
    serve: Serve, attempt: Attempt, options: dict[str, Any], state: str, received: list[bytes],
) -> None:
    port = serve(lambda sock: sock.write('greeting')).address().port
    seen: list[bytes] = []
    c = attempt(lambda c: c.sock.on('data', seen.append), port, HERE, sock=options)
    for count in (1, 2):
        c.wait('ready', count)
        assert c.trace[-1] == f'ready {{{state}}}'
        for _ in range(5):
            turn()
        assert seen == received * count
        c.sock.destroy()
        c.sock.connect(port, HERE)


# --- what is left behind ------------------------------------------------------------------------


def raising(*args: Any) -> None:
    raise ValueError('boom')


#: Options of connect, GOOD, REFUSING and PATH being filled in.
ENDS: dict[str, dict[str, Any]] = {
    'connected': {'port': 'GOOD', 'host': HERE},
    'refused': {'port': 'REFUSING', 'host': HERE},
    'no such path': {'path': 'PATH'},
    'a path that is none': {'path': '/x' * 100},
    'no such port': {'port': 'GOOD', 'host': HERE, 'local_port': 70000},
    'no such name': {'port': 'GOOD', 'host': 'name.invalid'},
    'no name': {'port': 'GOOD', 'host': 'a..b'},
    'look-up failed': {'port': 'GOOD', 'host': NAME, 'lookup': answers(error=OSError('boom'))},
    'look-up raised': {'port': 'GOOD', 'host': NAME, 'lookup': raising},
    'all refused': {'port': 'REFUSING', 'host': NAME, 'lookup': answers(HERE, '127.0.0.2')},
    'no bind': {
        'port': 'GOOD', 'host': NAME, 'lookup': answers(HERE, '127.0.0.2'), 'local_port': 70000},
    'the second': {
        'port': 'GOOD', 'host': NAME, 'lookup': answers('127.0.0.2', HERE)},
    'the resolver': {'port': 'GOOD', 'host': 'localhost'},
}


@pytest.mark.parametrize('written', [False, True], ids=['', 'with writes'])
@pytest.mark.parametrize('way', ENDS)
def test_a_closed_socket_is_freed_and_holds_nothing(
    hosts: MakeHosts, directory: Path, way: str, written: bool,
) -> None:
    good = hosts({HERE: 'good', '127.0.0.2': 'refuses'}).port
    bad = hosts({HERE: 'refuses', '127.0.0.2': 'refuses'}).port
    filled = {'GOOD': good, 'REFUSING': bad, 'PATH': str(directory / 'missing')}
    options = {
        name: filled.get(value, value) if isinstance(value, str) else value
        for name, value in ENDS[way].items()
    }
    signal = Event()
    turn()
    held = holds()

    def once() -> weakref.ref[Any]:
        sock: Any = gnet.Socket(signal=signal)
        over = Event()
        sock.on('error', lambda error: None)
        sock.on('close', lambda had_error: over.set())
        try:
            sock.connect(options)
        except ValueError:
            assert way == 'look-up raised'
        if written and not sock.destroyed:
            sock.write('x', lambda error: None)
        until(lambda: sock.destroyed or not sock.pending)
        sock.destroy()
        assert over.wait(5)
        return weakref.ref(sock)

    gc.collect()
    gc.disable()
    try:
        reference = once()
        for _ in range(3):
            turn()
        assert reference() is None
    finally:
        gc.enable()
    assert holds() == held


# --- accepted sockets, and listeners that block -------------------------------------------------


def test_an_accepted_socket_that_is_connected_again_is_counted_once_by_its_server(
    serve: Serve,
) -> None:
    other = serve(lambda sock: sock.resume())
    accepted: AsyncResult[Any] = AsyncResult()
    server = serve(accepted.set)
    with PlainSocket() as peer:
        peer.connect(address_of(server))
        sock = accepted.get(timeout=PATIENCE)
        assert sock.server is server
        sock.destroy()
        sock.connect(other.address().port, '127.0.0.1')
        gnet.once(sock, 'connect', timeout=PATIENCE)
        assert sock.server is None
        sock.destroy()
        gnet.once(sock, 'close', timeout=PATIENCE)
    assert server.get_connections() == 0
    with gevent.Timeout(PATIENCE):
        server.stop(0)


def test_an_accepted_socket_that_its_handler_connected_again_is_not_ended_with_the_handler(
    serve: Serve,
) -> None:
    other = serve(lambda sock: sock.resume())
    accepted: AsyncResult[Any] = AsyncResult()

    def handler(sock: Any) -> None:
        sock.recv(1)
        sock.destroy()
        sock.connect(other.address().port, '127.0.0.1')
        gnet.once(sock, 'connect', timeout=PATIENCE)
        accepted.set(sock)

    server = serve(handler)
    with PlainSocket() as peer:
        peer.connect(address_of(server))
        peer.sendall(b'x')
        sock = accepted.get(timeout=PATIENCE)
        turn()
        assert sock.ready_state == 'open'
        sock.destroy()


@pytest.mark.parametrize('ending', ['closed', 'connected again'])
def test_ready_is_not_emitted_after_close(serve: Serve, ending: str) -> None:
    server = serve(lambda sock: sock.resume())
    connection = connected(server)
    sock = connection.sock
    go_on = Event()
    sock.once('connect', go_on.wait)
    connection.wait('connect {')
    sock.destroy()
    connection.wait('close')
    if ending == 'connected again':
        sock.connect(server.address().port, '127.0.0.1')
        connection.wait('ready')
    go_on.set()
    turn()
    turn()
    assert sum(line.startswith('ready') for line in connection.trace) == (
        ending == 'connected again')
    sock.destroy()
    connection.wait('close', 1 + (ending == 'connected again'))


def test_an_end_listener_that_blocks_while_its_socket_is_connected_again_ends_nothing(
    serve: Serve,
) -> None:
    server = serve(lambda sock: sock.resume())
    go_on = Event()
    connection = connected(server)
    sock = connection.sock
    sock.resume()
    sock.once('end', go_on.wait)
    until(lambda: server.get_connections() == 1)
    for peer in list(server._counter.sockets):
        peer.end()
    connection.wait('end')
    sock.destroy()
    connection.wait('close')
    sock.connect(server.address().port, '127.0.0.1')
    connection.wait('ready')
    go_on.set()
    turn()
    turn()
    assert sock.ready_state == 'open'
    sock.destroy()
    connection.wait('close', 2)
