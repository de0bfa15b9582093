"""Records that come together, or in parts: what is delivered, in which order; what waits."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from typing import Any

import gevent
import pytest
from gevent.event import Event

from gnet.tls.ciphertext_wire import CiphertextWire
from gnet.tls.engine import RECORD_SIZE

from ..harness.connections import Connection, code
from ..harness.tls_peers import TlsPeer
from ..harness.waiting import turn, until

Accept = Callable[..., Connection]
Serve = Callable[..., Any]
Dial = Callable[..., TlsPeer]

GARBAGE = b'\xff' * 100

#: Node's and gnet's high-water mark.
MARK = 65536


def test_what_came_before_a_broken_record_is_delivered_before_the_error(
    accept_tls: Accept,
) -> None:
    received: list[int] = []

    def setup(c: Connection) -> None:
        def listener(chunk: bytes) -> None:
            received.append(len(chunk))
            if len(received) == 1:
                # It is in the kernel when the listener returns: who reads on finds all of it.
                c.peer.peer.plain.sendall(c.peer.ciphertext(bytes(3 * RECORD_SIZE)) + GARBAGE)

        c.sock.on('data', listener)
        c.sock.on('error', lambda error: received.append(-1))

    c = accept_tls(setup)
    c.peer.sendall(bytes(RECORD_SIZE))
    c.until_closed()
    assert received == [RECORD_SIZE] * 4 + [-1]
    assert code(c.sock.errored).startswith('ERR_SSL_')


def test_what_came_before_a_broken_record_is_read_before_it_raises(accept_tls: Accept) -> None:
    received: list[Any] = []

    def setup(c: Connection) -> None:
        received.append(len(c.sock.recv(65536)))
        c.peer.peer.plain.sendall(c.peer.ciphertext(bytes(3 * RECORD_SIZE)) + GARBAGE)
        for _ in range(3):
            received.append(len(c.sock.recv(65536)))
        with pytest.raises(ssl.SSLError):
            c.sock.recv(65536)
        received.append('raised')

    c = accept_tls(setup)
    c.peer.sendall(bytes(RECORD_SIZE))
    until(lambda: 'raised' in received)
    assert received == [RECORD_SIZE] * 4 + ['raised']


@pytest.mark.parametrize('size', [1, 1000, RECORD_SIZE, 5 * RECORD_SIZE])
def test_an_end_behind_records_of_any_size_comes_after_them(accept_tls: Accept, size: int) -> None:
    received: list[int] = []

    def setup(c: Connection) -> None:
        c.sock.on('data', lambda chunk: received.append(len(chunk)))
        c.sock.on('end', lambda: received.append(-1))

    c = accept_tls(setup)
    for _ in range(10):
        c.peer.sendall(bytes(size))
    c.peer.end()
    c.until_closed()
    assert received[-1] == -1
    assert sum(received) + 1 == 10 * size
    assert max(received) <= RECORD_SIZE


def paused(c: Connection, received: list[int]) -> None:
    c.sock.pause()
    c.sock.on('data', lambda chunk: received.append(len(chunk)))
    c.go_on.wait()  # type: ignore[attr-defined]
    c.sock.resume()


def blocked_listener(c: Connection, received: list[int]) -> None:
    def listener(chunk: bytes) -> None:
        c.go_on.wait()  # type: ignore[attr-defined]
        received.append(len(chunk))

    c.sock.on('data', listener)


def blocking_handler(c: Connection, received: list[int]) -> None:
    received.append(len(c.sock.recv(1)))
    c.go_on.wait()  # type: ignore[attr-defined]
    for chunk in c.sock:
        received.append(len(chunk))


@pytest.mark.parametrize('setup', [paused, blocked_listener, blocking_handler])
@pytest.mark.parametrize('size', [1000, RECORD_SIZE, 4 * RECORD_SIZE])
def test_what_nobody_takes_is_decrypted_up_to_the_mark(
    accept_tls: Accept, setup: Callable[[Connection, list[int]], None], size: int,
) -> None:
    received: list[int] = []
    go_on = Event()

    def begin(c: Connection) -> None:
        c.go_on = go_on  # type: ignore[attr-defined]
        gevent.spawn(setup, c, received) if setup is paused else setup(c, received)

    c = accept_tls(begin)
    c.peer.peer.plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    count = 8 * MARK // size
    for _ in range(count):
        c.peer.sendall(bytes(size))
        turn()  # so that small ones are read one by one
    until(lambda: c.sock.bytes_read >= MARK)
    for _ in range(20):
        turn()
    assert c.sock.bytes_read <= MARK + 2 * RECORD_SIZE  # the listener has one
    go_on.set()
    until(lambda: sum(received) == count * size)


def test_tickets_come_from_a_server_that_says_nothing(serve_tls: Serve, dial_tls: Dial) -> None:
    server = serve_tls(lambda sock: sock.on('data', lambda chunk: None))
    peer = dial_tls(server).shake()
    assert peer.tls.version() == 'TLSv1.3'
    peer._in.write(peer._native(peer.peer.plain.recv, 65536))
    with pytest.raises(ssl.SSLWantReadError):
        peer.tls.read(1)  # takes them
    session = peer.tls.session
    assert session is not None
    assert session.has_ticket


@pytest.mark.parametrize('style', ['events', 'blocking'])
def test_a_short_connection_is_sent_in_three_pieces(
    serve_tls: Serve, dial_tls: Dial, monkeypatch: pytest.MonkeyPatch, style: str,
) -> None:
    def handler(sock: Any) -> None:
        if style == 'events':
            sock.on('data', sock.end)
        else:
            sock.sendall(sock.recv(100))

    sent: list[str] = []
    for name in ('send', 'send_last'):
        monkeypatch.setattr(CiphertextWire, name, noted(name, sent))
    peer = dial_tls(serve_tls(handler))
    while True:
        try:
            peer.tls.do_handshake()
            break
        except ssl.SSLWantReadError:
            peer.peer.sendall(peer.flight())
            peer.feed(peer.peer.recv(65536))
    peer.peer.sendall(peer.ciphertext(b'hello'))  # behind the end of the handshake
    assert peer.recv_until_end() == b'hello'
    # The server's handshake; its tickets, and the answer; the end, with the FIN.
    assert sent == ['send', 'send', 'send_last']


def noted(name: str, sent: list[str]) -> Any:
    send = getattr(CiphertextWire, name)

    def note(wire: Any, data: Any) -> int:
        sent.append(name)
        taken: int = send(wire, data)
        return taken

    return note
