"""The option ``fd``, and the type of service."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import gnet

from ..harness.connections import Connection
from ..harness.families import Family
from ..harness.native import Native, Peer
from ..harness.plain import PlainSocket
from ..harness.waiting import turn

Dial = Callable[..., Connection]
Adopt = Callable[..., Connection]

CLOSED_IN_TURN = [
    'readable {open}', 'end {writeOnly}', 'prefinish {closed}', 'finish {closed}',
    'close False {closed}',
]


@pytest.fixture
def adopt(native: Native) -> Iterator[Adopt]:
    """``adopt(fd, **options)`` makes a socket of a descriptor; it is destroyed in the end."""
    made: list[Connection] = []

    def adopt(fd: int, **options: Any) -> Connection:
        made.append(Connection(gnet.Socket({'fd': fd, **options})))
        return made[-1]

    yield adopt
    for c in made:
        c.sock.destroy()


@pytest.fixture
def joined(
    native: Native, plain_listener: Callable[..., PlainSocket],
) -> Iterator[Callable[[Family], tuple[int, Peer]]]:
    """``joined(family)`` returns a connected descriptor, and the peer at its other end."""
    peers: list[Peer] = []

    def joined(family: Family) -> tuple[int, Peer]:
        listener = plain_listener(family)
        plain = PlainSocket(family.number, socket.SOCK_STREAM)
        native(plain.connect, listener.getsockname())
        peers.append(Peer(native, native(listener.accept)[0]))
        return plain.detach(), peers[-1]

    yield joined
    for peer in peers:
        peer.close()


# --- adopting -----------------------------------------------------------------------------------


def test_a_connected_descriptor_is_open_at_once_and_read(
    joined: Any, adopt: Adopt, family: Family,
) -> None:
    fd, peer = joined(family)
    c = adopt(fd)
    sock = c.sock
    assert (sock.ready_state, sock.pending, sock.connecting, sock.fileno()) == (
        'open', False, False, fd)
    if family.name == 'unix':
        assert (sock.address(), sock.remote_address) == (None, None)
    else:
        assert sock.remote_port == peer.getsockname()[1]
        assert sock.local_port == peer.getpeername()[1]
    peer.sendall(b'hello')
    c.wait('readable')  # though nobody listens
    sock.on('data', lambda data: sock.write(data))
    assert peer.recv_exactly(5) == b'hello'
    peer.end()
    assert c.until_closed() == [
        'readable {open}', 'resume {open}', "data b'hello' {open}", *CLOSED_IN_TURN,
    ]
    assert peer.recv() == b''


def test_a_number_alone_is_a_descriptor(joined: Any, family: Family) -> None:
    fd, peer = joined(family)
    sock: Any = gnet.Socket(fd)
    sock.sendall(b'x')
    assert peer.recv() == b'x'
    peer.sendall(b'y')
    assert sock.recv(1) == b'y'
    sock.close()
    assert peer.recv() == b''


def test_an_adopted_socket_can_be_half_open(joined: Any, adopt: Adopt, family: Family) -> None:
    fd, peer = joined(family)
    c = adopt(fd, allow_half_open=True)
    peer.end()
    c.wait('end')
    assert c.sock.ready_state == 'writeOnly'
    c.sock.end(b'late')
    assert peer.recv_until_end() == b'late'
    c.until_closed()


def test_options_are_applied_to_what_is_adopted(joined: Any, adopt: Adopt) -> None:
    fd, _ = joined(Family('ipv4', host='127.0.0.1'))
    sock = adopt(fd, no_delay=True, keep_alive=True, keep_alive_initial_delay=4000,
                 type_of_service=16, high_water_mark=7).sock
    assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 4
    assert sock.get_type_of_service() == 16
    assert sock.readable_high_water_mark == 7


@pytest.mark.parametrize(('options', 'state'), [
    ({'readable': False}, 'writeOnly'), ({'writable': False}, 'readOnly'),
    ({'readable': None, 'writable': 0}, 'open'), ({}, 'open'),
    ({'readable': False, 'writable': False}, 'closed'),
])
def test_only_false_itself_switches_a_side_off(
    joined: Any, adopt: Adopt, options: dict[str, Any], state: str,
) -> None:
    fd, _ = joined(Family('ipv4', host='127.0.0.1'))
    assert adopt(fd, **options).sock.ready_state == state


def test_a_socket_that_does_not_read_can_write_and_closes_when_it_ends(
    joined: Any, adopt: Adopt, family: Family,
) -> None:
    fd, peer = joined(family)
    c = adopt(fd, readable=False)
    peer.sendall(b'unheard')
    c.sock.end(b'hello', c.noting('ended'))
    assert c.until_closed() == [
        'prefinish {closed}', 'ended None', 'finish {closed}', 'close False {closed}',
    ]
    assert c.sock.bytes_read == 0
    assert peer.recv_exactly(5) == b'hello'


def test_a_socket_that_does_not_write_closes_at_the_end_of_the_peer(
    joined: Any, adopt: Adopt, family: Family,
) -> None:
    fd, peer = joined(family)
    c = adopt(fd, writable=False)
    c.sock.resume()
    peer.sendall(b'hello')
    peer.end()
    assert c.until_closed() == [
        'resume {readOnly}', *c.trace[1:-3], 'readable {readOnly}', 'end {closed}',
        'close False {closed}',
    ]
    assert c.sock.bytes_read == 5


# --- pipes --------------------------------------------------------------------------------------


@pytest.fixture
def pipe() -> tuple[int, int]:
    """Return the descriptors of a pipe; the test adopts or closes both."""
    return os.pipe()


def test_both_ends_of_a_pipe(pipe: tuple[int, int], adopt: Adopt) -> None:
    reader, writer = adopt(pipe[0], writable=False), adopt(pipe[1], readable=False)
    assert (reader.sock.ready_state, writer.sock.ready_state) == ('readOnly', 'writeOnly')
    chunks: list[bytes] = []
    reader.sock.on('data', chunks.append)
    size = 1_000_000  # more than a pipe holds
    writer.sock.write(bytes(size), writer.noting('written'))
    writer.sock.end(b'!', writer.noting('ended'))
    writer.until_closed()
    reader.until_closed()
    assert b''.join(chunks) == bytes(size) + b'!'
    assert [line for line in writer.trace if not line.startswith('drain')] == [
        'written None', 'prefinish {closed}', 'ended None', 'finish {closed}',
        'close False {closed}',
    ]
    assert reader.trace[-3:] == ['readable {readOnly}', 'end {closed}', 'close False {closed}']
    assert (reader.sock.bytes_read, writer.sock.bytes_written) == (size + 1, size + 1)


def test_a_pipe_in_blocking_style(pipe: tuple[int, int], adopt: Adopt) -> None:
    reader, writer = adopt(pipe[0], writable=False), adopt(pipe[1], readable=False)
    writer.sock.sendall(b'hello')
    writer.sock.close()
    assert reader.sock.recv(10) == b'hello'
    assert reader.sock.recv(10) == b''


def test_the_reading_end_of_a_pipe_needs_no_option(pipe: tuple[int, int], adopt: Adopt) -> None:
    c = adopt(pipe[0])
    c.sock.on('data', lambda data: None)
    os.write(pipe[1], b'hi')
    os.close(pipe[1])
    assert c.until_closed() == ['resume {open}', "data b'hi' {open}", *CLOSED_IN_TURN]


def test_writing_to_the_reading_end_of_a_pipe_fails(pipe: tuple[int, int], adopt: Adopt) -> None:
    c = adopt(pipe[0])
    c.sock.on('error', lambda error: None)
    assert c.sock.write(b'x', c.noting('written')) is False
    assert c.until_closed() == [
        'written EPIPE: write EPIPE', 'error EPIPE: write EPIPE {closed}', 'close True {closed}',
    ]
    os.close(pipe[1])


def test_the_writing_end_of_a_pipe_cannot_be_read(pipe: tuple[int, int], adopt: Adopt) -> None:
    c = adopt(pipe[1])
    c.sock.on('error', lambda error: None)
    assert c.sock.destroyed
    assert c.until_closed() == [
        'error ENOTCONN: read ENOTCONN {closed}', 'close True {closed}',
    ]
    with pytest.raises(OSError, match='Bad file descriptor'):
        os.fstat(pipe[1])
    os.close(pipe[0])


def test_a_pipe_without_reader_breaks(pipe: tuple[int, int], adopt: Adopt) -> None:
    c = adopt(pipe[1], readable=False)
    c.sock.on('error', lambda error: None)
    os.close(pipe[0])
    turn()  # where gevent has patched os.close, it waits for the loop
    c.sock.write(b'x', c.noting('written'))
    assert c.until_closed() == [
        'written EPIPE: write EPIPE', 'error EPIPE: write EPIPE {closed}', 'close True {closed}',
    ]


def test_a_pipe_has_no_addresses_and_cannot_be_reset(
    pipe: tuple[int, int], adopt: Adopt,
) -> None:
    sock = adopt(pipe[0], writable=False).sock
    os.close(pipe[1])
    assert (sock.address(), sock.local_address, sock.remote_address) == (None, None, None)
    assert sock.set_no_delay().set_keep_alive(True, 5000).set_type_of_service(8) is sock
    with pytest.raises(gnet.CodedTypeError, match='This handle type cannot be sent'):
        sock.reset_and_destroy()


# --- what is refused ----------------------------------------------------------------------------


def refused(fd: int) -> Any:
    with pytest.raises(gnet.CodedTypeError) as caught:
        gnet.Socket(fd=fd)
    assert caught.value.code == 'ERR_INVALID_FD_TYPE'
    return str(caught.value)


def test_a_file_is_refused_and_stays_open(tmp_path: Path) -> None:
    with open(tmp_path / 'file', 'wb') as file:
        assert refused(file.fileno()) == 'Unsupported fd type: FILE'
        os.fstat(file.fileno())


@pytest.mark.parametrize(('family', 'kind', 'name'), [
    (socket.AF_INET, socket.SOCK_DGRAM, 'UDP'), (socket.AF_INET6, socket.SOCK_DGRAM, 'UDP'),
])
def test_a_datagram_socket_is_refused_and_stays_open(family: Any, kind: Any, name: str) -> None:
    with PlainSocket(family, kind) as plain:
        assert refused(plain.fileno()) == f'Unsupported fd type: {name}'
        assert plain.type == kind
        os.fstat(plain.fileno())


def test_a_directory_and_a_number_that_is_closed_are_unknown(tmp_path: Path) -> None:
    fd = os.open(tmp_path, os.O_RDONLY)
    assert refused(fd) == 'Unsupported fd type: UNKNOWN'
    os.close(fd)
    turn()  # as above
    assert refused(fd) == 'Unsupported fd type: UNKNOWN'


def test_a_descriptor_can_be_adopted_once(joined: Any, adopt: Adopt, family: Family) -> None:
    fd, peer = joined(family)
    c = adopt(fd)
    with pytest.raises(OSError, match='open EEXIST') as caught:
        gnet.Socket(fd=fd)
    assert (caught.value.code, caught.value.syscall) == (  # type: ignore[attr-defined]
        'EEXIST', 'open')
    c.sock.write(b'still mine')
    assert peer.recv() == b'still mine'


def test_a_number_that_was_closed_may_be_adopted_again(joined: Any, adopt: Adopt) -> None:
    family = Family('ipv4', host='127.0.0.1')
    (fd, _), (other, peer) = joined(family), joined(family)
    first = adopt(fd)
    first.sock.destroy()
    os.dup2(other, fd)
    os.close(other)
    second = adopt(fd)
    second.sock.write(b'x')
    assert peer.recv() == b'x'


# --- type of service ----------------------------------------------------------------------------


def test_type_of_service_before_and_after_connect(dial: Dial, family: Family) -> None:
    sock: Any = gnet.Socket()
    assert sock.get_type_of_service() == 0
    assert sock.set_type_of_service(32) is sock
    assert sock.get_type_of_service() == 32
    c = dial(lambda c: c.sock.set_type_of_service(8), family=family)
    assert c.sock.get_type_of_service() == 8
    c.wait('ready')
    assert c.sock.get_type_of_service() == 8
    option = {
        'ipv4': (socket.IPPROTO_IP, socket.IP_TOS),
        'ipv6': (socket.IPPROTO_IPV6, socket.IPV6_TCLASS),
    }.get(family.name)
    if option is not None:
        assert c.sock.getsockopt(*option) == 8
    c.sock.set_type_of_service(16)
    assert c.sock.get_type_of_service() == 16
    if option is not None:
        assert c.sock.getsockopt(*option) == 16
    c.sock.destroy()
    assert c.sock.get_type_of_service() == 16
    assert c.sock.set_type_of_service(4).get_type_of_service() == 4


def test_type_of_service_is_in_force_in_connect(dial: Dial, family: Family) -> None:
    seen: list[int] = []
    c = dial(lambda c: c.sock.once('connect', lambda: seen.append(c.sock.get_type_of_service())),
             family=family, type_of_service=40)
    c.wait('ready')
    assert seen == [40]


@pytest.mark.parametrize(('value', 'code', 'text'), [
    ('x', 'ERR_INVALID_ARG_TYPE',
     'The "tos" argument must be of type number. Received type string (\'x\')'),
    (float('nan'), 'ERR_INVALID_ARG_TYPE',
     'The "tos" argument must be of type number. Received type number (NaN)'),
    (None, 'ERR_INVALID_ARG_TYPE', 'The "tos" argument must be of type number. Received null'),
    (-1, 'ERR_OUT_OF_RANGE',
     'The value of "tos" is out of range. It must be >= 0 && <= 255. Received -1'),
    (256, 'ERR_OUT_OF_RANGE',
     'The value of "tos" is out of range. It must be >= 0 && <= 255. Received 256'),
    (1.5, 'ERR_OUT_OF_RANGE',
     'The value of "tos" is out of range. It must be an integer. Received 1.5'),
])
@pytest.mark.parametrize('connected', [False, True])
def test_what_is_no_type_of_service_is_refused(
    dial: Dial, value: Any, code: str, text: str, connected: bool,
) -> None:
    sock: Any = gnet.Socket()
    if connected:
        c = dial()
        c.wait('ready')
        sock = c.sock
    with pytest.raises((gnet.CodedTypeError, gnet.CodedValueError)) as caught:
        sock.set_type_of_service(value)
    assert (caught.value.code, str(caught.value)) == (code, text)
    assert sock.get_type_of_service() == 0
