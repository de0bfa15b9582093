"""The properties of an accepted socket through its life, and the methods that set options."""

from __future__ import annotations

import ipaddress
import socket
import sys
from collections.abc import Callable
from typing import Any

import pytest

import gnet
from gnet.streams.sending import JOINED_SIZE

from ..harness.connections import Connection
from ..harness.families import Family
from ..harness.waiting import turn, until

Accept = Callable[..., Connection]

#: Section 5 of the reference, by column: in the 'connection' listener, after own end(), in 'end'
#: (nothing was ended here), in 'close' (after both).
LIFE = {
    'connecting': (False, False, False, False),
    'pending': (False, False, False, True),
    'ready_state': ('open', 'readOnly', 'writeOnly', 'closed'),
    'destroyed': (False, False, False, True),
    'closed': (False, False, False, True),
    'readable': (True, True, False, False),
    'writable': (True, False, True, False),
    'readable_ended': (False, False, True, True),
    'writable_ended': (False, True, False, True),
    'writable_finished': (False, False, False, True),
    'readable_aborted': (False, False, False, False),
    'buffer_size': (0, 0, 0, None),
    'writable_length': (0, 0, 0, 0),
    'writable_need_drain': (False, False, False, False),
    'writable_corked': (0, 0, 0, 0),
    'errored': (None, None, None, None),
    'timeout': (None, None, None, None),
    'readable_encoding': (None, None, None, None),
    'readable_object_mode': (False, False, False, False),
    'writable_object_mode': (False, False, False, False),
    'readable_high_water_mark': (65536, 65536, 65536, 65536),
    'writable_high_water_mark': (65536, 65536, 65536, 65536),
    'allow_half_open': (False, False, False, False),
}



@pytest.mark.parametrize('name', LIFE)
def test_properties_through_the_life_of_a_socket(accept: Accept, name: str) -> None:
    new, ended, half, closed = LIFE[name]
    seen: dict[str, Any] = {}

    def setup(c: Connection) -> None:
        seen['new'] = getattr(c.sock, name)
        c.sock.on('end', lambda: seen.update(half=getattr(c.sock, name)))
        c.sock.on('close', lambda had_error: seen.update(closed=getattr(c.sock, name)))
        c.sock.resume()

    c = accept(setup)
    c.peer.end()
    c.until_closed()

    def end(c: Connection) -> None:
        c.sock.end()
        seen['ended'] = getattr(c.sock, name)

    accept(end)
    assert seen == {'new': new, 'ended': ended, 'half': half, 'closed': closed}


def test_every_property_has_nodes_spelling_too(accept: Accept) -> None:
    c = accept()
    assert c.sock.readyState == 'open'
    assert c.sock.readableHighWaterMark == 65536
    assert c.sock.writableNeedDrain is False
    assert c.sock.bytesRead == 0
    assert c.sock.remoteAddress == '127.0.0.1'
    assert c.sock.setNoDelay() is c.sock


@pytest.mark.parametrize('name', [
    'bytes_read', 'bytes_written', 'ready_state', 'pending', 'connecting', 'destroyed',
    'local_address', 'remote_port', 'writable_length', 'server', 'readable_flowing',
])
def test_properties_that_say_how_it_is_cannot_be_set(accept: Accept, name: str) -> None:
    c = accept()
    with pytest.raises(AttributeError):
        setattr(c.sock, name, 1)


def test_in_the_connection_listener_nothing_was_read(accept: Accept) -> None:
    def setup(c: Connection) -> None:
        sock = c.sock
        c.note(f'{sock.bytes_read} {sock.readable_flowing} {sock.server is not None}')

    assert accept(setup).trace == ['0 None True']


def test_addresses_of_both_ends(accept: Accept, family: Family) -> None:
    c = accept(target=family.listen_options)
    sock = c.sock
    if family.name == 'unix':
        assert sock.address() is None
        assert (sock.local_address, sock.local_port, sock.local_family) == (None, None, None)
        assert (sock.remote_address, sock.remote_port, sock.remote_family) == (None, None, None)
        assert repr(sock) == '<gnet.Socket open>'
        return
    name = {'ipv4': 'IPv4', 'ipv6': 'IPv6'}[family.name]
    local, remote = c.peer.getpeername(), c.peer.getsockname()
    assert sock.address() == (local[0], name, local[1])
    assert (sock.local_address, sock.local_port, sock.local_family) == (local[0], local[1], name)
    assert (sock.remote_address, sock.remote_port, sock.remote_family) == (
        remote[0], remote[1], name)
    assert repr(sock) == f'<gnet.Socket {remote[0]}:{remote[1]} open>'
    sock.destroy()
    assert sock.address() is None
    assert sock.local_address is None
    # Node forgets it unless it was read before; gnet never.
    assert sock.remote_address == remote[0]
    assert sock.remote_port == remote[1]


def test_an_ipv4_peer_of_an_ipv6_server_is_shown_as_mapped(accept: Accept) -> None:
    c = accept(target={'port': 0})
    if c.sock.server.address().family != 'IPv6':
        pytest.skip('this machine has no IPv6')
    port = c.sock.server.address().port
    sockets: list[Any] = []
    c.sock.server.on('connection', sockets.append)
    with socket.socket() as plain:
        plain.setblocking(False)
        plain.connect_ex(('127.0.0.1', port))
        until(lambda: sockets)
    mapped = ipaddress.ip_address(sockets[0].remote_address)
    assert str(mapped.ipv4_mapped) == '127.0.0.1'  # type: ignore[union-attr]
    assert sockets[0].remote_family == 'IPv6'


def test_bytes_are_counted_where_they_enter_and_leave(accept: Accept) -> None:
    c = accept(lambda c: c.sock.pause())
    c.peer.sendall(b'hello')
    c.wait('readable')
    assert (c.sock.bytes_read, c.sock.readable_length) == (5, 5)
    assert not c.sock.readable_did_read
    c.sock.read(2)
    assert (c.sock.bytes_read, c.sock.readable_length) == (5, 3)
    assert c.sock.readable_did_read
    c.sock.write('é')
    assert (c.sock.bytes_written, c.sock.writable_length) == (2, 0)
    c.sock.destroy()
    assert (c.sock.bytes_read, c.sock.bytes_written) == (5, 2)


def test_high_water_marks_of_accepted_sockets_are_the_servers(accept: Accept) -> None:
    c = accept(high_water_mark=10)
    assert (c.sock.readable_high_water_mark, c.sock.writable_high_water_mark) == (10, 10)
    c.peer.sendall(b'0123456789abc')
    c.wait('readable')
    c.peer.sendall(b'more')
    turn()
    turn()
    assert c.sock.bytes_read == 13
    c.sock.resume()
    until(lambda: c.sock.bytes_read == 17)


def test_a_socket_of_ones_own_has_no_connection(hub_reports: list[Any]) -> None:
    sock: Any = gnet.Socket()
    assert sock.pending
    assert (sock.ready_state, sock.destroyed, sock.server) == ('open', False, None)
    assert sock.address() is None
    assert (sock.remote_address, sock.buffer_size, sock.fileno()) == (None, None, -1)
    assert repr(sock) == '<gnet.Socket open>'
    seen: list[Any] = []
    sock.on('error', lambda error: seen.append(error.code))
    sock.on('close', seen.append)
    assert sock.write(b'', lambda error: seen.append(str(error))) is False
    until(lambda: len(seen) == 3)
    assert seen == ['Socket is closed', 'ERR_SOCKET_CLOSED', True]


def test_a_socket_of_ones_own_can_be_ended_and_destroyed() -> None:
    sock: Any = gnet.Socket()
    seen: list[Any] = []
    sock.on('finish', lambda: seen.append('finish'))
    sock.on('close', seen.append)
    sock.end(lambda error: seen.append(error))
    until(lambda: len(seen) == 2)
    assert seen == [None, 'finish']
    assert sock.ready_state == 'readOnly'
    assert not sock.destroyed
    sock.destroy()
    until(lambda: len(seen) == 3)
    assert seen[-1] is False


def test_a_reset_of_a_socket_without_connection_is_an_error() -> None:
    sock: Any = gnet.Socket()
    seen: list[Any] = []
    sock.on('error', lambda error: seen.append(error.code))
    assert sock.reset_and_destroy() is sock
    until(lambda: seen)
    assert seen == ['ERR_SOCKET_CLOSED']


# --- options of the connection ------------------------------------------------------------------


class Spy:
    """Stands in for the OS socket, and notes the options that are set."""

    def __init__(self, real: Any) -> None:
        self._real = real
        self.calls: list[tuple[int, int, Any]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def setsockopt(self, *args: Any) -> None:
        self.calls.append(args)  # type: ignore[arg-type]
        self._real.setsockopt(*args)


def spied(c: Connection) -> Spy:
    spy = c.sock._wire.sock = Spy(c.sock._wire.sock)
    return spy


def test_no_delay_is_set_when_it_changes(accept: Accept) -> None:
    c = accept()
    spy = spied(c)
    option = socket.IPPROTO_TCP, socket.TCP_NODELAY
    c.sock.set_no_delay(False)
    assert spy.calls == []
    for enable, expected in [(True, 1), (True, 1), ('yes', 1), ([], 1), (0, 0), (False, 0)]:
        c.sock.set_no_delay(enable)
        assert bool(spy.getsockopt(*option)) == bool(expected)
    c.sock.set_no_delay()
    assert [call[2] for call in spy.calls] == [True, False, True]


@pytest.mark.skipif(not sys.platform.startswith('linux'), reason='options and defaults of Linux')
@pytest.mark.parametrize(('args', 'expected'), [
    ((), (0, None)),
    ((True,), (1, None)),
    ((True, 999), (1, None)),
    ((True, 5000), (1, (5, 1, 10))),
    ((True, 5999.9, 2500, 3), (1, (5, 2, 3))),
    ((True, -5000), (1, None)),
    ((True, 'x'), (1, None)),
    ((True, '7000'), (1, (7, 1, 10))),
    ((True, float('inf')), (1, None)),
    (({'enable': True, 'initialDelay': 9000, 'interval': 4000, 'count': 2},), (1, (9, 4, 2))),
    (({'initial_delay': 9000},), (0, None)),
    ((False, 9000), (0, None)),
])
def test_keep_alive(accept: Accept, args: tuple[Any, ...], expected: Any) -> None:
    c = accept()
    sock = c.sock

    def numbers() -> tuple[int, ...]:
        return tuple(sock.getsockopt(socket.IPPROTO_TCP, option) for option in (
            socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT))

    untouched = numbers()
    assert sock.set_keep_alive(*args) is sock
    assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == expected[0]
    assert numbers() == (expected[1] or untouched)


def test_keep_alive_that_is_set_already_costs_no_call(accept: Accept) -> None:
    c = accept()
    spy = spied(c)
    c.sock.set_keep_alive(False)
    assert spy.calls == []
    c.sock.set_keep_alive(True, 5000)
    count = len(spy.calls)
    c.sock.set_keep_alive(True, 5000)
    assert len(spy.calls) == count
    c.sock.set_keep_alive(False)
    assert spy.calls[count:] == [(socket.SOL_SOCKET, socket.SO_KEEPALIVE, False)]


def test_numbers_that_the_system_refuses_are_ignored(accept: Accept) -> None:
    c = accept()
    assert c.sock.set_keep_alive(True, 10**12, 1000, 10**6) is c.sock
    assert c.sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1


def test_options_of_tcp_are_ignored_on_unix_sockets(accept: Accept, tmp_path: Any) -> None:
    c = accept(target={'path': str(tmp_path / 's')})
    spy = spied(c)
    c.sock.set_no_delay()
    c.sock.set_keep_alive(True, 5000)
    assert spy.calls == []


@pytest.mark.parametrize(('size', 'calls'), [
    (1, [('send', 3)]), (JOINED_SIZE, [('sendmsg', [JOINED_SIZE] * 3)]),
], ids=['small chunks are joined', 'large ones are gathered'])
def test_what_was_corked_is_sent_with_one_call(
    accept: Accept, size: int, calls: list[Any],
) -> None:
    c = accept()
    seen: list[Any] = []

    class Noting(Spy):
        def send(self, data: bytes) -> int:
            seen.append(('send', len(data)))
            return int(self._real.send(data))

        def sendmsg(self, chunks: list[Any]) -> int:
            seen.append(('sendmsg', [*map(len, chunks)]))
            return int(self._real.sendmsg(chunks))

    c.sock._wire.sock = Noting(c.sock._wire.sock)
    c.sock.cork()
    for letter in 'abc':
        c.sock.write(letter * size)
    c.sock.uncork()
    assert seen == calls
    assert c.peer.recv_exactly(3 * size) == b''.join(letter * size for letter in (b'a', b'b', b'c'))
    assert c.sock.writable_length == 0
