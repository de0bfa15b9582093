"""``connect``: whole traces of success and failure, options, and what may come between."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gevent
import pytest
from gevent.event import AsyncResult

import gnet
from gnet.node.coded_errors import state_error

from ..harness.connections import Connection
from ..harness.families import Family
from ..harness.native import Peer
from ..harness.plain import PlainSocket
from ..harness.waiting import PATIENCE, tick, turn, until
from .hosts import Hosts

Attempt = Callable[..., Connection]
MakeHosts = Callable[[dict[str, str]], Hosts]
Serve = Callable[..., gnet.Server]

HERE = '127.0.0.1'


def target(family: Family, server: Any) -> dict[str, Any]:
    if family.path is not None:
        return {'path': family.path}
    return {'host': family.host, 'port': server.address().port}


# --- success ------------------------------------------------------------------------------------


def test_a_connection_is_made_with_nodes_events(
    serve: Serve, attempt: Attempt, family: Family,
) -> None:
    server = serve(target=family.listen_options)
    c = attempt(
        lambda c: c.note(f'{c.sock.ready_state} {c.sock.pending}'), **target(family, server))
    assert (c.sock.ready_state, c.sock.pending, c.sock.connecting) == ('opening', True, True)
    if family.path is None:
        number = 4 if family.name == 'ipv4' else 6
        where = f"'{family.host}' {server.address().port} {number}"
        assert c.trace == ['open True']  # the attempt is made on the next tick
    else:
        where = f"'{family.path}' None None"
        assert c.trace[1:] == [f'connectionAttempt {where} {{opening}}']  # it was made at once
    c.wait('ready')
    assert c.trace == [
        'open True', f'connectionAttempt {where} {{opening}}', 'connect {open}', 'ready {open}']
    assert (c.sock.pending, c.sock.connecting) == (False, False)
    assert c.sock.auto_select_family_attempted_addresses is None


@pytest.mark.skipif(not hasattr(socket, 'SO_PEERCRED'), reason='abstract names are of Linux')
def test_an_abstract_name_is_connected_to(attempt: Attempt) -> None:
    name = f'\0gnet-{os.getpid()}-abstract'
    with PlainSocket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(name)
        listener.listen(1)
        c = attempt(None, name)
        c.wait('ready')
        assert c.trace[1:] == ['connect {open}', 'ready {open}']
        peer = listener.accept()[0]
        assert peer.getsockname() == os.fsencode(name)
        peer.close()
        c.sock.destroy()


def test_what_a_listener_of_connect_registers_hears_ready(serve: Serve, attempt: Attempt) -> None:
    def setup(c: Connection) -> None:
        c.sock.on('connect', lambda: tick_and_ready(c))

    def tick_and_ready(c: Connection) -> None:
        tick(c.note, 'tick')
        c.sock.on('ready', c.noting('heard'))

    c = attempt(setup, serve().address().port, HERE)
    c.wait('tick')
    # Nothing comes between the two.
    assert c.trace[1:] == ['connect {open}', 'ready {open}', 'heard', 'tick']


# --- failure ------------------------------------------------------------------------------------


@pytest.mark.parametrize('address', [HERE, '::1'])
def test_a_refused_connection(hosts: MakeHosts, attempt: Attempt, address: str) -> None:
    port = hosts({address: 'refuses'}).port
    c = attempt(lambda c: c.sock.on('connectionAttemptFailed', lambda *args: c.note(
        f'{c.sock.destroyed} {c.sock.connecting} {c.sock.pending}')), port, address)
    family = 4 if address == HERE else 6
    text = f'connect ECONNREFUSED {address}:{port}'
    assert c.until_closed() == [
        f"connectionAttempt '{address}' {port} {family} {{opening}}",
        f"connectionAttemptFailed '{address}' {port} {family} ECONNREFUSED: {text} {{open}}",
        'False False False',
        f'error ECONNREFUSED: {text} {{closed}}',
        'close True {closed}',
    ]
    error = c.sock.errored
    assert isinstance(error, ConnectionRefusedError)
    assert (error.code, error.syscall, error.address, error.port, error.errno, str(error)) == (
        'ECONNREFUSED', 'connect', address, port, errno.ECONNREFUSED, text)


def test_port_0_is_refused_and_the_error_has_no_port(attempt: Attempt) -> None:
    c = attempt(None, 0, HERE)
    error = failure_of(c)
    assert (str(error), error.address, error.port) == ('connect ECONNREFUSED 127.0.0.1', HERE, None)
    assert [line.split()[0] for line in c.until_closed()] == [
        'connectionAttempt', 'connectionAttemptFailed', 'error', 'close']


def failure_of(c: Connection) -> Any:
    """Wait for `'error'` and return what it has."""
    c.wait('error')
    return c.sock.errored


#: Name in a directory, the kind of file, the code, and the class of the error.
BAD_PATHS: list[tuple[str, str, str, type]] = [
    ('missing', 'nothing', 'ENOENT', FileNotFoundError),
    ('file', 'file', 'ECONNREFUSED', ConnectionRefusedError),
    ('', 'directory', 'ECONNREFUSED', ConnectionRefusedError),
    ('file/below', 'file', 'ENOTDIR', NotADirectoryError),
]


@pytest.mark.parametrize(('name', 'kind', 'code', 'of'), BAD_PATHS, ids=str)
def test_a_path_where_nobody_listens(
    attempt: Attempt, directory: Path, name: str, kind: str, code: str, of: type,
) -> None:
    if kind == 'file':
        (directory / 'file').touch()
    path = str(directory / name)
    c = attempt(None, path)
    assert c.sock.connecting
    error = failure_of(c)
    text = f'connect {code} {path}'
    assert c.until_closed() == [
        f'connectionAttempt {shortened(path)} None None {{opening}}',
        f'connectionAttemptFailed {shortened(path)} None None {code}: {text} {{open}}',
        f'error {code}: {text} {{closed}}', 'close True {closed}',
    ]
    assert isinstance(error, of)
    assert (error.syscall, error.address, error.port, error.errno) == (
        'connect', path, None, getattr(errno, code))


def shortened(path: str) -> str:
    return f'{len(path)} characters' if len(path) > 40 else repr(path)


@pytest.mark.parametrize('name', ['x' * 120, 'a\0b'], ids=['long', 'NUL'])
def test_a_path_that_cannot_be_one_destroys_at_once(
    attempt: Attempt, directory: Path, name: str,
) -> None:
    path = f'{directory}/{name}'
    c = attempt(None, path)
    assert (c.sock.destroyed, c.sock.connecting) == (True, False)
    assert c.trace == [f'connectionAttempt {shortened(path)} None None {{opening}}']
    error = failure_of(c)
    assert (str(error), error.code, error.errno, error.address) == (
        f'connect EINVAL {path} - Local (undefined:undefined)', 'EINVAL', errno.EINVAL, path)
    assert c.until_closed()[1:] == [f'error EINVAL: {error} {{closed}}', 'close True {closed}']


def test_an_address_that_the_system_refuses_at_once(attempt: Attempt) -> None:
    # The broadcast address: no route to it, or not allowed where there is one.
    c = attempt(None, 80, '255.255.255.255')
    error = failure_of(c)
    assert error.code in ('ENETUNREACH', 'EACCES')
    assert str(error) == f'connect {error.code} 255.255.255.255:80 - Local (0.0.0.0:0)'
    assert (error.address, error.port, error.syscall) == ('255.255.255.255', 80, 'connect')
    assert c.until_closed() == [
        "connectionAttempt '255.255.255.255' 80 4 {opening}",
        f'error {error.code}: {error} {{closed}}', 'close True {closed}',
    ]


def test_a_zone_that_does_not_exist(attempt: Attempt) -> None:
    c = attempt(None, 80, 'fe80::1%nope')
    assert failure_of(c).code == 'EINVAL'
    assert c.until_closed()[-1] == 'close True {closed}'


def test_a_peer_that_resets_before_connect_was_emitted(
    attempt: Attempt, plain_listener: Callable[..., PlainSocket],
) -> None:
    listener = plain_listener()
    port = listener.getsockname()[1]

    def reset() -> None:
        Peer(None, listener.accept()[0]).reset()  # type: ignore[arg-type]  # it is not to wait

    # A tick comes after connect(2), and before the loop looks at the descriptor.
    c = attempt(
        lambda c: c.sock.on('connectionAttempt', lambda *args: tick(reset)), port, HERE)
    text = f'ECONNRESET: connect ECONNRESET {HERE}:{port}'
    assert c.until_closed()[1:] == [
        f"connectionAttemptFailed '{HERE}' {port} 4 {text} {{open}}",
        f'error {text} {{closed}}', 'close True {closed}',
    ]


def test_a_unix_socket_whose_queue_is_full(attempt: Attempt, directory: Path) -> None:
    path = str(directory / 's')
    plain = [PlainSocket(socket.AF_UNIX, socket.SOCK_STREAM) for _ in range(4)]
    plain[0].bind(path)
    plain[0].listen(0)
    for one in plain[1:]:
        one.setblocking(False)
        one.connect_ex(path)
    c = attempt(None, path)
    assert [line.split()[0] for line in c.until_closed()] == [
        'connectionAttempt', 'connectionAttemptFailed', 'error', 'close']
    assert (str(c.sock.errored), c.sock.errored.errno) == (
        f'connect EAGAIN {path}', errno.EAGAIN)
    for one in plain:
        one.close()


def test_descriptors_may_be_exhausted(serve: Serve, attempt: Attempt, directory: Path) -> None:
    resource = pytest.importorskip('resource')
    server = serve()
    turn()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest = os.dup(0)
    os.close(lowest)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, hard))
    try:
        tcp = attempt(None, server.address().port, HERE)
        unix = attempt(None, str(directory / 's'))
        failures = [failure_of(tcp), failure_of(unix)]
        tcp.wait('close')
        unix.wait('close')
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert [(error.code, error.errno, error.syscall, error.port) for error in failures] == [
        ('EMFILE', errno.EMFILE, 'connect', server.address().port),
        ('EMFILE', errno.EMFILE, 'connect', None),
    ]
    assert [error.address for error in failures] == [HERE, str(directory / 's')]
    assert list(map(str, failures)) == [
        f'connect EMFILE {HERE}:{server.address().port}', f'connect EMFILE {directory / "s"}']
    tcp.sock.connect(server.address().port, HERE)
    tcp.wait('ready')


# --- before the connection is there -------------------------------------------------------------


def numbered(c: Connection) -> None:
    """Write three chunks, and end with a fourth; every callback is noted."""
    for name in 'abc':
        c.sock.write(name, c.noting(name))


def test_writes_before_the_connection_are_sent_in_order(serve: Serve, attempt: Attempt) -> None:
    received: list[bytes] = []
    server = serve(lambda sock: sock.on('data', received.append))

    def setup(c: Connection) -> None:
        c.sock.on('connect', lambda: c.note(f'before {c.sock.writable_length}'))

    c = attempt(setup, server.address().port, HERE)
    numbered(c)
    c.sock.on('connect', lambda: c.note(f'after {c.sock.writable_length}'))
    assert (c.sock.writable_length, c.sock.bytes_written) == (3, 3)
    c.wait('c ')
    assert c.trace[1:] == [
        'connect {open}', 'before 3', 'a None', 'after 0', 'ready {open}', 'b None', 'c None']
    until(lambda: b''.join(received) == b'abc')


def test_drain_comes_between_connect_and_ready(serve: Serve, attempt: Attempt) -> None:
    c = attempt(None, serve().address().port, HERE, sock={'high_water_mark': 3})
    assert (c.sock.write('abc'), c.sock.writable_need_drain) == (False, True)
    c.wait('ready')
    assert c.trace[1:] == ['connect {open}', 'drain {open}', 'ready {open}']


@pytest.mark.parametrize('chunk', [(), ('x',)])
def test_end_before_the_connection_is_there(
    serve: Serve, attempt: Attempt, chunk: tuple[str, ...],
) -> None:
    server = serve(lambda sock: sock.resume())
    c = attempt(None, server.address().port, HERE)
    c.sock.resume()
    c.sock.end(*chunk, c.noting('ended'))
    assert c.sock.ready_state == 'opening'
    trace = [line for line in c.until_closed() if not line.startswith('resume')]
    assert trace[1:] == [
        'connect {readOnly}', 'ready {readOnly}', 'prefinish {readOnly}', 'ended None',
        'finish {readOnly}', 'readable {readOnly}', 'end {closed}', 'close False {closed}',
    ]


def test_writes_of_a_connection_that_fails(hosts: MakeHosts, attempt: Attempt) -> None:
    port = hosts({HERE: 'refuses'}).port
    c = attempt(None, port, HERE)
    numbered(c)
    c.sock.end('d', c.noting('end'))
    trace = c.until_closed()
    c.wait('end')
    text = f'ECONNREFUSED: connect ECONNREFUSED {HERE}:{port}'
    assert trace[2:] == [
        f'error {text} {{closed}}', 'close True {closed}',
        'a ERR_SOCKET_CLOSED_BEFORE_CONNECTION: '
        'Socket closed before the connection was established',
        f'b {text}', f'c {text}', f'end {text}',
    ]


@pytest.mark.parametrize('error', [None, state_error('ERR_SOCKET_CLOSED')])
def test_destroy_while_connecting(serve: Serve, attempt: Attempt, error: Any) -> None:
    connected: list[Any] = []
    server = serve(connected.append)
    c = attempt(None, server.address().port, HERE)
    numbered(c)
    c.sock.destroy(error)
    assert (c.sock.destroyed, c.sock.connecting, c.sock.ready_state) == (True, False, 'closed')
    c.until_closed()
    c.wait('c ')
    first = 'ERR_SOCKET_CLOSED_BEFORE_CONNECTION'
    rest = first if error is None else 'ERR_SOCKET_CLOSED'
    head = [] if error is None else ['error ERR_SOCKET_CLOSED: Socket is closed {closed}']
    assert [line.split(':')[0] for line in c.trace] == [
        line.split(':')[0] for line in [
            *head, f'close {error is not None} {{closed}}', f'a {first}', f'b {rest}', f'c {rest}']]
    turn()
    assert connected == []


def test_a_socket_that_was_paused_before_reads_nothing(serve: Serve, attempt: Attempt) -> None:
    server = serve(lambda sock: sock.end('greeting'))
    c = attempt(lambda c: c.sock.pause(), server.address().port, HERE)
    c.wait('ready')
    for _ in range(3):
        turn()
    assert (c.sock.bytes_read, c.sock.ready_state) == (0, 'open')
    c.sock.resume()
    c.until_closed()
    assert "data b'greeting' {open}" in c.trace


# --- blocking callers ---------------------------------------------------------------------------


def test_blocking_connect_raises_what_goes_wrong(hosts: MakeHosts) -> None:
    made = hosts({HERE: 'refuses', '127.0.0.2': 'slow'})
    sock = gnet.Socket()
    with gevent.Timeout(PATIENCE):
        with pytest.raises(ConnectionRefusedError, match='connect ECONNREFUSED'):
            sock.connect((HERE, made.port))
        assert sock.connect_ex((HERE, made.port)) == errno.ECONNREFUSED
        sock.settimeout(0.05)
        with pytest.raises(socket.timeout):
            sock.connect(('127.0.0.2', made.port))
    assert sock.destroyed


# --- listeners of 'connect' ---------------------------------------------------------------------


def received_by(server: gnet.Server) -> AsyncResult[bytes]:
    """Return what is to be all that the first connection to *server* brings."""
    everything: AsyncResult[bytes] = AsyncResult()
    server.on('connection', lambda sock: everything.set(b''.join(sock)))
    return everything


def test_a_write_in_a_connect_listener_does_not_overtake_what_was_written_before(
    serve: Serve,
) -> None:
    server = serve()
    everything = received_by(server)
    sock = gnet.Socket()
    sock.on('connect', lambda: sock.end(b'second'))
    sock.connect(server.address().port, '127.0.0.1')
    sock.write(b'first ')
    assert everything.get(timeout=PATIENCE) == b'first second'
    gnet.once(sock, 'close', timeout=PATIENCE)


def test_sendall_in_a_connect_listener_does_not_overtake_what_was_written_before(
    serve: Serve,
) -> None:
    server = serve()
    everything = received_by(server)
    sock = gnet.Socket()

    def send() -> None:
        sock.sendall(b'second')
        sock.close()

    sock.on('connect', send)
    sock.connect(server.address().port, '127.0.0.1')
    sock.write(b'first ')
    assert everything.get(timeout=PATIENCE) == b'first second'


def test_what_was_written_before_is_sent_when_a_connect_listener_waits_for_the_answer(
    serve: Serve,
) -> None:
    answer: AsyncResult[bytes] = AsyncResult()
    server = serve(lambda peer: peer.sendall(peer.recv(100).upper()))
    sock = gnet.Socket()
    sock.on('connect', lambda: answer.set(sock.recv(100)))
    sock.connect(server.address().port, '127.0.0.1')
    sock.write(b'question')
    assert answer.get(timeout=PATIENCE) == b'QUESTION'
    sock.destroy()
