"""A client that only writes, and is closed: its server gets all, although it sends tickets."""

from __future__ import annotations

import _socket
import errno
import os
import resource
import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import gevent
import gevent.socket
import pytest
from gevent.event import Event

import gnet
from gnet import tls
from gnet.loop.dispensable import Dispensable
from gnet.loop.loop import get_loop
from gnet.tls import lingering

from ..harness.authority import authority
from ..harness.connections import Connection, target_of
from ..harness.native import Native
from ..harness.waiting import PATIENCE, until

Connect = Callable[..., Connection]

#: More than a server's kernel takes that is not read from: the rest is lost by a reset.
SIZE = 250_000


@pytest.fixture
def client(connect_tls: Connect) -> Callable[..., Connection]:
    """``client()`` returns a connection whose handshake is done; it has not seen tickets yet."""
    def client(said: bytes = b'', **options: Any) -> Connection:
        c = connect_tls(**options)
        c.peer.peer.plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
        c.shaking = gevent.spawn(c.peer.shake)
        c.sock.do_handshake()
        c.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 * SIZE)
        c.sock.write(said)
        return c

    return client


def is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


def by_close(sock: gnet.Socket) -> None:
    sock.sendall(bytes(SIZE))
    sock.close()


def by_with(sock: gnet.Socket) -> None:
    with sock:
        sock.sendall(bytes(SIZE))


def by_a_file(sock: gnet.Socket) -> None:
    with sock.makefile('wb') as file:
        sock.close()
        file.write(bytes(SIZE))


def by_destroy_soon(sock: gnet.Socket) -> None:
    sock.write(bytes(SIZE))
    sock.destroy_soon()


def when_finished(sock: gnet.Socket) -> None:
    sock.on('finish', sock.destroy)
    sock.end(bytes(SIZE))


def by_shutdown(sock: gnet.Socket) -> None:
    sock.sendall(bytes(SIZE))
    sock.shutdown(socket.SHUT_WR)
    sock.destroy()


def by_end(sock: gnet.Socket) -> None:
    sock.resume()  # it has blocked in the handshake
    sock.end(bytes(SIZE))


@pytest.mark.parametrize(
    'way',
    [by_close, by_with, by_a_file, by_destroy_soon, when_finished, by_shutdown, by_end])
def test_what_was_written_arrives(
    client: Callable[..., Connection], way: Callable[[gnet.Socket], None],
) -> None:
    c = client()
    way(c.sock)
    if way is not by_end:
        until(lambda: c.sock.destroyed)
    c.shaking.get(timeout=PATIENCE)
    assert len(c.peer.recv_until_end()) == SIZE
    c.peer.close()
    until(lambda: c.sock.destroyed)


def test_what_was_written_arrives_on_a_connection_that_began_in_plain_text(
    serve: Any, certified: Any,
) -> None:
    received: list[int] = []

    def handler(sock: gnet.Socket) -> None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
        secure = sock.start_tls(server_side=True, **certified.options)
        until(lambda: client.destroyed)
        received.extend(map(len, secure))
        received.append(-1)

    plain = gnet.connect(serve(handler).address().port)
    client = plain.start_tls(ca=authority().cert, server_hostname='localhost')
    client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 * SIZE)
    by_close(client)
    until(lambda: received and received[-1] == -1)
    assert sum(received) + 1 == SIZE
    until(lambda: plain.destroyed)


def test_what_was_written_arrives_through_tls_within_tls(serve_tls: Any, certified: Any) -> None:
    """The tickets of the inner server are in the descriptor of the outer one."""
    received: list[int] = []

    def handler(sock: gnet.Socket) -> None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
        secure = tls.start_tls(sock, server_side=True, **certified.options)
        until(lambda: below.destroyed)
        received.extend(map(len, secure))
        received.append(-1)

    below = tls.connect(target_of(serve_tls(handler)), ca=authority().cert, servername='localhost')
    below.do_handshake()
    client = tls.start_tls(below, ca=authority().cert, servername='localhost')
    client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 * SIZE)
    by_close(client)
    assert below.destroyed
    until(lambda: received and received[-1] == -1)
    assert sum(received) + 1 == SIZE


def test_its_descriptor_stays_until_the_server_has_ended(
    client: Callable[..., Connection],
) -> None:
    c = client(b'x')
    descriptor = c.sock.fileno()
    c.sock.close()
    until(lambda: c.sock.closed)
    c.shaking.get(timeout=PATIENCE)
    assert c.peer.recv_until_end() == b'x'
    assert is_open(descriptor)
    c.peer.end()
    until(lambda: not is_open(descriptor))


def test_and_no_longer_than_a_while(
    client: Callable[..., Connection], monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lingering, 'MOST_SECONDS', 0.05)
    c = client(b'x')
    descriptor = c.sock.fileno()
    c.sock.close()
    until(lambda: not is_open(descriptor))


def test_and_not_if_more_comes_than_tickets(
    client: Callable[..., Connection], monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lingering, 'MOST_SECONDS', 100 * PATIENCE)
    c = client(b'x')
    descriptor = c.sock.fileno()
    c.sock.close()
    c.shaking.get(timeout=PATIENCE)
    c.peer.sendall(bytes(50_000))
    until(lambda: not is_open(descriptor))
    with pytest.raises((ConnectionResetError, BrokenPipeError)):
        c.peer.sendall(bytes(5_000_000))


def destroy(c: Connection) -> None:
    c.sock.destroy()


def destroy_when_written(c: Connection) -> None:
    c.sock.write(b'y', lambda error: c.sock.destroy())
    until(lambda: c.sock.destroyed)


def reset(c: Connection) -> None:
    c.sock.reset_and_destroy()


def say_no(c: Connection) -> None:
    c.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
    c.sock.close()


def fail(c: Connection) -> None:
    c.sock.on('error', lambda error: None)
    c.sock.destroy(ValueError('enough'))


def hear(c: Connection) -> None:
    c.peer.sendall(b'welcome')
    assert c.sock.recv(100) == b'welcome'
    c.sock.close()


def test_who_has_written_nothing_goes_at_once(client: Callable[..., Connection]) -> None:
    """There is nothing to be lost, and as with Node a server that writes learns of it."""
    c = client()
    descriptor = c.sock.fileno()
    c.sock.close()
    assert not is_open(descriptor)
    c.shaking.get(timeout=PATIENCE)
    c.peer.close()


@pytest.mark.parametrize('way', [destroy, destroy_when_written, reset, say_no, fail, hear])
def test_it_goes_at_once_if_it_is_destroyed_or_reset_or_has_heard_something(
    client: Callable[..., Connection], way: Callable[[Connection], None],
) -> None:
    """As with Node: of 200,000 bytes, its servers had 16,384 after destroy()."""
    c = client(b'x')
    c.shaking.get(timeout=PATIENCE)
    descriptor = c.sock.fileno()
    way(c)
    assert not is_open(descriptor)


def test_with_tls_1_2_nothing_comes_by_itself(client: Callable[..., Connection]) -> None:
    c = client(b'x', max_version='TLSv1.2')
    c.shaking.get(timeout=PATIENCE)
    descriptor = c.sock.fileno()
    c.sock.close()
    assert not is_open(descriptor)


def test_in_another_thread_it_takes_no_leave(
    client: Callable[..., Connection], native: Native,
) -> None:
    c = client()
    c.shaking.get(timeout=PATIENCE)
    for verb in (c.sock.destroy, c.sock.close, c.sock.destroy_soon):
        with pytest.raises(gnet.CodedRuntimeError, match='call_from_thread'):
            native(verb)
    c.sock.sendall(b'still here')
    assert c.peer.recv_exactly(10) == b'still here'


@pytest.mark.filterwarnings('ignore:.*multi-threaded.*:DeprecationWarning')
def test_a_forked_child_does_not_have_it(client: Callable[..., Connection]) -> None:
    c = client(b'x')
    c.shaking.get(timeout=PATIENCE)
    descriptor = c.sock.fileno()
    c.sock.close()
    assert is_open(descriptor)
    child = os.fork()
    if not child:
        os._exit(is_open(descriptor))  # and nothing else: this is the copy of a test
    assert os.waitpid(child, 0)[1] == 0
    assert is_open(descriptor)


# --- while it lingers -----------------------------------------------------------------------------


@pytest.fixture
def linger(client: Callable[..., Connection]) -> Callable[..., int]:
    """``linger(**options)`` has a client linger, and returns its descriptor."""
    def linger(*, ref: bool = True, **options: Any) -> int:
        c = client(b'x', **options)
        if not ref:
            c.sock.unref()
        descriptor: int = c.sock.fileno()
        c.sock.close()
        c.shaking.get(timeout=PATIENCE)
        assert is_open(descriptor)
        return descriptor

    return linger


@contextmanager
def no_descriptor_left() -> Iterator[None]:
    """What is opened meanwhile has the number of something that was closed, or fails."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest = os.dup(0)
    os.close(lowest)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_beyond_so_many_the_oldest_goes(
    linger: Callable[..., int], monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lingering, 'MOST', 2)
    descriptors = [linger() for _ in range(3)]
    assert list(map(is_open, descriptors)) == [False, True, True]


@pytest.mark.parametrize(('limit', 'most'), [
    (4096, 256), (1024, 256), (400, 100), (3, 1), (resource.RLIM_INFINITY, 256)])
def test_no_more_than_a_quarter_of_the_descriptors(
    linger: Callable[..., int], monkeypatch: pytest.MonkeyPatch, limit: int, most: int,
) -> None:
    monkeypatch.setattr(resource, 'getrlimit', lambda which: (limit, limit))
    allowed: list[int] = []
    add = Dispensable.add

    def note(self: Any, thing: Any, most: int) -> None:
        allowed.append(most)
        add(self, thing, most)

    monkeypatch.setattr(Dispensable, 'add', note)
    linger()
    assert allowed == [most]


def test_the_oldest_gives_way_to_who_is_accepted(linger: Callable[..., int], serve: Any) -> None:
    linger(), linger()
    first, second = get_loop().dispensable
    peers: list[int] = []
    server = serve(lambda sock: peers.append(sock.remote_port))
    peer = _socket.socket()
    peer.connect(('127.0.0.1', server.address().port))  # which lets nobody have a turn
    with no_descriptor_left():
        until(lambda: peers)
    assert peers == [peer.getsockname()[1]]
    assert list(get_loop().dispensable) == [second]
    assert first.wire.sock is None
    peer.close()


def test_they_give_way_to_who_is_connected(linger: Callable[..., int], serve: Any) -> None:
    server = serve(lambda sock: sock.end('welcome'))
    for _ in range(3):
        linger()
    with no_descriptor_left(), gnet.connect(server.address().port, '127.0.0.1') as sock:
        assert b''.join(sock) == b'welcome'
    assert len(get_loop().dispensable) == 1  # there were two ends


def test_they_give_way_to_who_listens(linger: Callable[..., int]) -> None:
    linger(), linger()
    server = gnet.Server()
    with no_descriptor_left():
        server.listen(0, '127.0.0.1')
        until(lambda: server.listening)
    assert len(get_loop().dispensable) == 1
    server.close()


def test_they_give_way_to_a_look_up(
    linger: Callable[..., int], serve: Any, monkeypatch: pytest.MonkeyPatch,
) -> None:
    def getaddrinfo(*asked: Any) -> Any:
        if len(get_loop().dispensable):
            raise OSError(errno.EMFILE, 'Too many open files')
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, '', ('127.0.0.1', 0))]

    monkeypatch.setattr(gevent.socket, 'getaddrinfo', getaddrinfo)
    server = serve(lambda sock: sock.end('welcome'))
    linger(), linger()
    with gnet.connect(server.address().port, 'host.example') as sock:
        assert b''.join(sock) == b'welcome'


@pytest.mark.parametrize('ref', [True, False])
def test_it_keeps_the_program_alive_and_is_told_of(
    linger: Callable[..., int], *, ref: bool,
) -> None:
    descriptor = linger(ref=ref)
    entry, = (each for each in gnet.live().of('socket') if each.state == 'lingering')
    assert (entry.keeps_alive, entry.referenced) == (ref, ref)
    ends = socket.socket(fileno=os.dup(descriptor))
    assert (entry.local, entry.peer) == tuple(
        f'{host}:{port}' for host, port in (ends.getsockname(), ends.getpeername()))
    ends.close()
    assert gnet.live().of('hold') == []


def test_the_socket_below_is_closed_and_free(serve: Any, certified: Any) -> None:
    received: list[bytes] = []
    let_go = Event()

    def handler(sock: gnet.Socket) -> None:
        if not received:
            secure = sock.start_tls(server_side=True, **certified.options)
            received.append(b''.join(secure))
            let_go.wait(PATIENCE)
        else:
            sock.sendall(sock.recv(100))

    port = serve(handler).address().port
    below = gnet.connect(port, '127.0.0.1')
    above = below.start_tls(ca=authority().cert, server_hostname='localhost')
    ends: list[Any] = []
    for sock in (above, below):
        sock.on('close', lambda had_error, sock=sock: ends.append((sock, had_error)))
    above.sendall(b'in secret')
    descriptor = below.fileno()
    above.close()
    for sock in (above, below):
        assert (sock.destroyed, sock.ready_state, sock.fileno()) == (True, 'closed', -1)
        with pytest.raises(OSError, match='closed'):
            sock.sendall(b'too late')
    until(lambda: len(ends) == 2)
    assert dict(ends) == {above: False, below: False}
    until(lambda: received)
    below.destroy()
    assert is_open(descriptor)
    below.connect(port, '127.0.0.1')
    below.sendall(b'in plain text')
    assert below.recv(100) == b'in plain text'
    below.close()
    assert received == [b'in secret']
    assert is_open(descriptor)
    let_go.set()
    until(lambda: not is_open(descriptor))
