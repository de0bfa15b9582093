"""A client that only writes, and is closed: its server gets all, although it sends tickets."""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Callable
from typing import Any

import gevent
import pytest

import gnet
from gnet.tls import lingering

from ..harness.waiting import PATIENCE, until
from ..sockets.common import Connection
from .authority import authority

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


def by_destroy(sock: gnet.Socket) -> None:
    sock.sendall(bytes(SIZE))
    sock.destroy()


def by_destroy_soon(sock: gnet.Socket) -> None:
    sock.write(bytes(SIZE))
    sock.destroy_soon()


def when_written(sock: gnet.Socket) -> None:
    sock.write(bytes(SIZE), lambda error: sock.destroy())


def by_end(sock: gnet.Socket) -> None:
    sock.resume()  # it has blocked in the handshake
    sock.end(bytes(SIZE))


@pytest.mark.parametrize(
    'way', [by_close, by_with, by_destroy, by_destroy_soon, when_written, by_end])
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
    c.sock.destroy()
    assert not is_open(descriptor)
    c.shaking.get(timeout=PATIENCE)
    c.peer.close()


@pytest.mark.parametrize('way', [reset, say_no, fail, hear])
def test_it_goes_at_once_with_a_reset_an_error_or_when_something_was_heard(
    client: Callable[..., Connection], way: Callable[[Connection], None],
) -> None:
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
