"""``from_socket``, and ``detach``: connections that come from elsewhere, or go there."""

from __future__ import annotations

import errno
import os
import socket
import ssl
from collections.abc import Callable, Iterator
from typing import Any

import gevent
import gevent.socket
import pytest
from gevent.event import Event

import gnet
from gnet.testing import EventRecorder

from ..harness.connections import Connection, code
from ..harness.families import Family
from ..harness.native import Native, Peer
from ..harness.plain import PlainSocket
from ..harness.waiting import until

Hold = Callable[..., Connection]
Pair = Callable[..., 'tuple[Any, Peer]']


@pytest.fixture
def pair(native: Native) -> Iterator[Pair]:
    """``pair(family, cls)`` returns a connected socket of class *cls*, and its peer."""
    made: list[Any] = []

    def pair(family: Family | None = None, cls: Any = PlainSocket) -> tuple[Any, Peer]:
        if family is None:
            ends = [PlainSocket(fileno=end.detach()) for end in socket.socketpair()]
        else:
            with family.listener() as listener:
                ends = [PlainSocket(family.number)]
                ends[0].connect(listener.getsockname())
                ends.append(listener.accept()[0])
        made.extend(ends)
        ours, theirs = ends
        if cls is not PlainSocket:
            ours = cls(ours.family, ours.type, ours.proto, fileno=ours.detach())
            made.append(ours)
        return ours, Peer(native, theirs)

    yield pair
    for each in made:
        each.close()


@pytest.fixture
def from_socket() -> Iterator[Callable[..., Any]]:
    """``Socket.from_socket``; what it returns is destroyed after the test."""
    made: list[Any] = []

    def from_socket(sock: Any, **options: Any) -> Any:
        made.append(gnet.Socket.from_socket(sock, **options))
        return made[-1]

    yield from_socket
    for each in made:
        each.destroy()


# --- from_socket --------------------------------------------------------------------------------


@pytest.mark.parametrize('cls', [PlainSocket, gevent.socket.socket], ids=['stdlib', 'gevent'])
def test_a_connected_socket_is_adopted(
    pair: Pair, from_socket: Any, family: Family, cls: Any,
) -> None:
    plain, peer = pair(family, cls)
    names = plain.getsockname(), plain.getpeername()
    sock = from_socket(plain)
    assert plain.fileno() == -1
    assert (sock.getsockname(), sock.getpeername()) == names
    assert (sock.family, sock.ready_state) == (family.number, 'open')
    assert sock.remote_address == family.host
    sock.sendall(b'there')
    assert peer.recv_exactly(5) == b'there'
    peer.sendall(b'back')
    assert sock.recv(10) == b'back'
    sock.close()
    assert peer.recv() == b''


def test_a_socket_of_a_socketpair_is_adopted(pair: Pair, from_socket: Any) -> None:
    plain, peer = pair()
    with from_socket(plain) as sock:
        peer.sendall(b'one\ntwo')
        peer.end()
        with sock.makefile('rb') as lines:
            assert list(lines) == [b'one\n', b'two']
        sock.sendall(b'done')
    assert peer.recv_until_end() == b'done'


def test_an_adopted_socket_emits_events(pair: Pair, from_socket: Any) -> None:
    plain, peer = pair()
    events = EventRecorder(
        from_socket(plain, encoding='utf8'), 'data', 'connect', 'ready', 'end', 'close')
    peer.sendall('é'.encode())
    events.expect(('data', 'é'))
    peer.end()
    events.expect('end', ('close', False))
    assert peer.recv() == b''


@pytest.mark.parametrize('seconds', [None, 0.0, 0.05, 7.5])
def test_its_timeout_is_taken_over(pair: Pair, from_socket: Any, seconds: float | None) -> None:
    plain, peer = pair()
    plain.settimeout(seconds)
    sock = from_socket(plain)
    assert sock.gettimeout() == seconds
    if seconds == 0:
        with pytest.raises(BlockingIOError):
            sock.recv(1)
    elif seconds == 0.05:
        with pytest.raises(socket.timeout):
            sock.recv(1)
    peer.sendall(b'x')
    until(lambda: sock.bytes_read)
    assert sock.recv(1) == b'x'


def test_what_the_kernel_has_is_kept(pair: Pair, from_socket: Any) -> None:
    plain, peer = pair()
    peer.sendall(b'first,second')
    peer.end()
    assert plain.recv(6) == b'first,'
    sock = from_socket(plain)
    assert sock.recv(100) == b'second'
    assert sock.recv(100) == b''
    sock.sendall(b'answer')
    sock.close()
    assert peer.recv_until_end() == b'answer'


def test_its_options_are_those_of_the_constructor(
    pair: Pair, from_socket: Any, family: Family,
) -> None:
    sock = from_socket(pair(family)[0], noDelay=True, keep_alive=True, allow_half_open=True)
    assert sock.allow_half_open is True
    if family.host is not None:
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1


def test_a_signal_destroys_it(pair: Pair, from_socket: Any) -> None:
    plain, peer = pair()
    signal, failures = Event(), []
    sock = from_socket(plain, signal=signal)
    sock.on('error', failures.append)
    signal.set()
    until(lambda: failures)
    assert code(failures[0]) == 'ABORT_ERR'
    assert sock.destroyed
    assert peer.recv() == b''


def test_a_signal_that_is_set_already_closes_it(pair: Pair, from_socket: Any) -> None:
    plain, peer = pair()
    signal, failures = Event(), []
    signal.set()
    sock = from_socket(plain, signal=signal)
    sock.on('error', failures.append)
    assert (plain.fileno(), sock.fileno(), sock.destroyed) == (-1, -1, True)
    until(lambda: failures)
    assert peer.recv() == b''


# --- what it refuses, and leaves as it was ------------------------------------------------------


def a_number(pair: Pair) -> Any:
    return 5


def nothing(pair: Pair) -> Any:
    return None


def of_gnet(pair: Pair) -> Any:
    return gnet.Socket()


def not_connected(pair: Pair) -> Any:
    return PlainSocket()


def listening(pair: Pair) -> Any:
    plain = PlainSocket()
    plain.bind(('127.0.0.1', 0))
    plain.listen()
    return plain


def closed(pair: Pair) -> Any:
    plain, _ = pair()
    plain.close()
    return plain


def udp(pair: Pair) -> Any:
    plain = PlainSocket(socket.AF_INET, socket.SOCK_DGRAM)
    plain.bind(('127.0.0.1', 0))
    plain.connect(plain.getsockname())
    return plain


def encrypted(pair: Pair) -> Any:
    plain, _ = pair()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    return context.wrap_socket(plain, server_side=True, do_handshake_on_connect=False)


def with_a_file(pair: Pair) -> Any:
    plain, _ = pair()
    plain.file = plain.makefile('rb')
    return plain


@pytest.mark.parametrize(('make', 'expected'), [
    (a_number, 'ERR_INVALID_ARG_TYPE'), (nothing, 'ERR_INVALID_ARG_TYPE'),
    (of_gnet, 'ERR_INVALID_ARG_TYPE'), (encrypted, 'ERR_INVALID_ARG_TYPE'),
    (udp, 'ERR_INVALID_FD_TYPE'), (not_connected, errno.ENOTCONN), (listening, errno.ENOTCONN),
    (closed, errno.EBADF), (with_a_file, 'ValueError'),
])
def test_what_is_no_connected_stream_is_refused_and_left_alone(
    pair: Pair, make: Any, expected: Any,
) -> None:
    given = make(pair)
    before = given.fileno() if hasattr(given, 'fileno') else None
    with pytest.raises((TypeError, ValueError, OSError)) as caught:
        gnet.Socket.from_socket(given)
    error: Any = caught.value
    assert (error.errno if isinstance(expected, int) else code(error)) == expected
    if before is not None:
        assert given.fileno() == before
        if hasattr(given, 'file'):
            given.file.close()
        given.close()


def test_a_socket_is_adopted_when_its_file_is_closed(pair: Pair, from_socket: Any) -> None:
    plain, peer = pair()
    with plain.makefile('wb') as file:
        file.write(b'by file, ')
    from_socket(plain).sendall(b'by socket')
    assert peer.recv_exactly(18) == b'by file, by socket'


# --- there and back, and detach -----------------------------------------------------------------


def test_there_and_back_nothing_is_lost(hold: Hold, from_socket: Any) -> None:
    c = hold(pause_on_connect=True)
    c.peer.sendall(b'one ')
    plain = c.sock.to_socket()
    assert plain.recv(2) == b'on'
    sock = from_socket(plain)
    c.peer.sendall(b'two')
    c.peer.end()
    assert b''.join(sock) == b'e two'


def test_a_detached_descriptor_can_be_adopted(hold: Hold, from_socket: Any) -> None:
    c = hold(pause_on_connect=True)
    c.peer.sendall(b'kept in the kernel')
    sock = from_socket(PlainSocket(fileno=c.sock.detach()))
    assert sock.recv(100) == b'kept in the kernel'
    sock.sendall(b'x')
    assert c.peer.recv_exactly(1) == b'x'


def test_what_was_read_ahead_of_detach_is_not_in_the_descriptor(hold: Hold) -> None:
    c = hold()
    c.peer.sendall(b'read ahead')
    until(lambda: c.sock.bytes_read == 10)
    os.close(c.sock.detach())
    assert c.sock.read() == b'read ahead'
