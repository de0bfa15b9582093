"""Handshakes that are cut off, reset, dripped, not begun, or none: each costs its connection alone.
"""

from __future__ import annotations

import logging
import ssl
import struct
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from gevent import monkey

from gnet.tls.engine import Engine

from ..harness.connections import Connection, code
from ..harness.native import Native, Peer
from ..harness.tls_peers import TlsPeer, client_context, server_context
from ..harness.waiting import PATIENCE, until

Serve = Callable[..., Any]
Dial = Callable[..., TlsPeer]
ConnectTls = Callable[..., Connection]

VERSIONS = pytest.mark.parametrize('version', ['TLSv1.2', 'TLSv1.3'])
ENDS = pytest.mark.parametrize('end', ['fin', 'reset'])

#: As this is in a native thread, gevent's would not do.
native_sleep: Any = monkey.get_original('time', 'sleep')

#: Where a handshake is left: after how many flights of the peer's, and how many bytes of the next.
STEPS = [(0, 0), (0, 1), (0, 5), (0, 100), (0, -1), (1, 0), (1, 1), (1, 30), (1, -1)]


def limits(version: str) -> dict[str, Any]:
    number = ssl.TLSVersion.TLSv1_2 if version == 'TLSv1.2' else ssl.TLSVersion.TLSv1_3
    return {'minimum_version': number, 'maximum_version': number}


class Watched:
    """A server, what it was told, and proof that it serves on."""

    def __init__(self, serve_tls: Serve, dial_tls: Dial, **options: Any) -> None:
        self._dial_tls = dial_tls
        self.refused: list[tuple[Any, Any]] = []
        self.accepted: list[Any] = []
        self.server = serve_tls(self._accept, **options)
        self.server.on('tlsClientError', lambda error, sock: self.refused.append((error, sock)))

    def _accept(self, sock: Any) -> None:
        self.accepted.append(sock)
        sock.on('error', lambda error: None)
        sock.pipe(sock)

    def refusal(self) -> Any:
        """Return the code with which the one connection was refused; it is closed then."""
        until(lambda: self.refused)
        [(error, sock)] = self.refused
        until(lambda: sock.closed)
        until(lambda: self.server.get_connections() == 0)
        assert self.accepted == []
        return code(error)

    def still_serves(self) -> None:
        peer = self._dial_tls(self.server).shake()
        peer.sendall(b'hello')
        assert peer.recv() == b'hello'
        peer.close()


@pytest.fixture
def watched(serve_tls: Serve, dial_tls: Dial) -> Callable[..., Watched]:
    return lambda **options: Watched(serve_tls, dial_tls, **options)


def leave(peer: TlsPeer, flights: int, size: int, end: str) -> None:
    """Do the handshake as far as that, and leave. A size of -1 is all of the flight but a byte."""
    for number in range(flights + 1):
        with suppress(ssl.SSLWantReadError):
            peer.tls.do_handshake()
        flight = peer.flight()
        if number < flights:
            peer.peer.sendall(flight)
            peer.feed(peer.peer.recv())
        else:
            peer.peer.sendall(flight[:size])
    if end == 'fin':
        peer.peer.end()
    else:
        peer.peer.reset()


@VERSIONS
@ENDS
@pytest.mark.parametrize(('flights', 'size'), STEPS)
def test_a_client_that_leaves_at_any_step_is_told_of_once(
    watched: Callable[..., Watched], dial_tls: Dial, flights: int, size: int, end: str,
    version: str,
) -> None:
    its = watched()
    leave(dial_tls(its.server, client_context(**limits(version))), flights, size, end)
    assert its.refusal() == 'ECONNRESET'
    its.still_serves()
    assert len(its.refused) == 1


@VERSIONS
@ENDS
@pytest.mark.parametrize(('flights', 'size'), STEPS[:5])
def test_a_server_that_leaves_at_any_step_is_an_error(
    connect_tls: ConnectTls, certified: Any, tmp_path: Any, flights: int, size: int, end: str,
    version: str,
) -> None:
    def setup(c: Connection) -> None:
        c.sock.on('error', lambda error: None)
        c.sock.write(b'a secret')

    c = connect_tls(setup, context=server_context(certified, tmp_path, **limits(version)))
    peer: Any = c.peer
    peer.feed(peer.peer.recv())
    leave(peer, flights, size, end)
    trace = c.until_closed()
    assert code(c.sock.errored) == 'ECONNRESET'
    assert not any(line.startswith('secure') for line in trace)
    assert trace[-1].startswith('close True')


# --- slowly ---------------------------------------------------------------------------------------


@VERSIONS
def test_a_handshake_that_comes_byte_by_byte_is_one(
    watched: Callable[..., Watched], dial_tls: Dial, native: Native, version: str,
) -> None:
    its = watched()
    peer = dial_tls(its.server, client_context(**limits(version)))
    native(drip, peer)
    peer.sendall(b'hello')
    assert peer.recv() == b'hello'
    assert its.refused == []


def drip(peer: TlsPeer) -> None:
    """Do the handshake, and send each byte by itself. Blocks."""
    plain = peer.peer.plain
    plain.setsockopt(6, 1, 1)  # TCP_NODELAY
    done = False
    while not done:
        try:
            peer.tls.do_handshake()
            done = True
        except ssl.SSLWantReadError:
            done = False
        for byte in peer.flight():
            plain.send(bytes([byte]))
        if not done:
            peer.feed(plain.recv(1))


@pytest.mark.parametrize('said', ['nothing', 'a byte', 'half a hello', 'a hello'])
def test_a_client_that_falls_silent_has_its_time(
    watched: Callable[..., Watched], dial_tls: Dial, caplog: Any, said: str,
) -> None:
    its = watched(handshake_timeout=80)
    peer = dial_tls(its.server)
    with suppress(ssl.SSLWantReadError):
        peer.tls.do_handshake()
    hello = peer.flight()
    size = {'nothing': 0, 'a byte': 1, 'half a hello': 200, 'a hello': len(hello)}[said]
    with caplog.at_level(logging.DEBUG):
        if size:
            peer.peer.sendall(hello[:size])
        answer = peer.peer.recv_until_end()
    assert bool(answer) is (said == 'a hello')
    assert its.refusal() == 'ERR_TLS_HANDSHAKE_TIMEOUT'
    # One line, and no traceback.
    assert [record.exc_info for record in caplog.records] in ([], [None])
    its.still_serves()


def test_a_client_that_drips_has_no_more_time(
    watched: Callable[..., Watched], dial_tls: Dial, native: Native,
) -> None:
    its = watched(handshake_timeout=150)
    peer = dial_tls(its.server)
    with suppress(ssl.SSLWantReadError):
        peer.tls.do_handshake()
    hello = peer.flight()

    def drip_until_refused() -> None:
        with suppress(OSError):
            for byte in hello:
                peer.peer.plain.send(bytes([byte]))
                # Far more than the limit for all of it, and far less than it for a byte.
                native_sleep(0.02)

    dripping = native.start(drip_until_refused)
    assert its.refusal() == 'ERR_TLS_HANDSHAKE_TIMEOUT'
    with suppress(OSError):  # it is closed already
        peer.peer.plain.shutdown(2)
    dripping.get(timeout=PATIENCE)


# --- what is no handshake -------------------------------------------------------------------------

_HEADER = b'\x16\x03\x01'


def record(payload: bytes, kind: int = 22) -> bytes:
    return bytes([kind]) + b'\x03\x01' + struct.pack('>H', len(payload)) + payload


#: What is said, and what the server says of it; None for what OpenSSL may call as it likes.
NO_HANDSHAKES: dict[str, tuple[bytes, str | None]] = {
    'a request of HTTP': (b'GET / HTTP/1.1\r\nHost: x\r\n\r\n', 'ERR_SSL_HTTP_REQUEST'),
    'a request to a proxy': (b'CONNECT x:443 HTTP/1.1\r\n\r\n', 'ERR_SSL_HTTPS_PROXY_REQUEST'),
    'a mail': (b'EHLO somebody.example\r\n', 'ERR_SSL_WRONG_VERSION_NUMBER'),
    'ssh': (b'SSH-2.0-OpenSSH_9.2\r\n', 'ERR_SSL_WRONG_VERSION_NUMBER'),
    'ones': (b'\xff' * 100, 'ERR_SSL_WRONG_VERSION_NUMBER'),
    'zeros': (bytes(100), 'ERR_SSL_WRONG_VERSION_NUMBER'),
    'a long record': (_HEADER + b'\xff\xff' + bytes(100), 'ERR_SSL_DATA_LENGTH_TOO_LONG'),
    'an empty record': (_HEADER + b'\0\0' + bytes(100), None),
    'another message': (record(b'\x02\0\0\x04' + bytes(4)), 'ERR_SSL_UNEXPECTED_MESSAGE'),
    'a long message': (record(b'\x01\xff\xff\xff' + bytes(100)), None),
    'a hello of nothing': (record(b'\x01\0\0\0'), None),
    'a hello of zeros': (record(b'\x01\0\0\x40' + bytes(64)), None),
    'data': (record(b'hello', 23), None),
    'an alert': (record(b'\x02\x28', 21), None),
    'a farewell': (record(b'\x01\0', 21), None),
    'a change of cipher': (record(b'\x01', 20), None),
    'a heartbeat': (record(b'\x01\x40\0', 24), None),
    'many farewells': (record(b'\x01\0', 21) * 5000, None),
    'many changes of cipher': (record(b'\x01', 20) * 5000, None),
    'many empty records': ((_HEADER + b'\0\0') * 20_000, None),
    'a message in records of a byte': (
        b''.join(record(bytes([byte])) for byte in b'\x01\0\xff\xff' + bytes(60_000)), None),
}


@pytest.mark.parametrize('said', NO_HANDSHAKES)
@pytest.mark.parametrize('chooses', [False, True], ids=['by table', 'by callback'])
def test_what_is_no_handshake_is_refused(
    watched: Callable[..., Watched], connect: Callable[[Any], Peer], native: Native, caplog: Any,
    said: str, chooses: bool,
) -> None:
    data, expected = NO_HANDSHAKES[said]
    its = watched(**({'sni_callback': lambda name, answer: answer(None, None)} if chooses else {}))
    peer = connect(its.server)

    def talk() -> bytes:
        with suppress(OSError):
            peer.plain.sendall(data)
        with suppress(OSError):
            peer.plain.shutdown(1)
        received = b''
        with suppress(OSError):
            while chunk := peer.plain.recv(65536):
                received += chunk
        return received

    with caplog.at_level(logging.DEBUG):
        answer = native(talk)
    refusal = its.refusal()
    assert refusal == expected or (
        expected is None and (refusal == 'ECONNRESET' or refusal.startswith('ERR_SSL_'))), refusal
    # An alert, or nothing.
    assert answer == b'' or (answer[0] == 21 and len(answer) == 7), answer
    assert [entry.exc_info for entry in caplog.records] in ([], [None])
    its.still_serves()


def test_what_is_no_handshake_is_refused_before_it_ends(
    watched: Callable[..., Watched], connect: Callable[[Any], Peer],
) -> None:
    """Nobody waits for the rest of what cannot become a hello."""
    for data in (b'G', b'\x16\x05', b'\x16\x03\x01\xff\xff', record(b'\x02\0\0\x04' + bytes(4))):
        its = watched()
        peer = connect(its.server)
        peer.sendall(data + bytes(5))
        peer.recv_until_end()
        assert its.refusal().startswith('ERR_SSL_')


@pytest.mark.parametrize('said', [
    b'HTTP/1.1 400 Bad Request\r\n\r\n', b'220 mail.example ready\r\n', b'\xff' * 100,
    b'\x16\x03\x03\xff\xff' + bytes(100), record(b'\x01\0\0\x40' + bytes(64)),
    record(b'\x02\x28', 21), record(b'hello', 23), record(b'\x02\0\0\x04' + bytes(4)),
])
def test_a_server_that_does_not_speak_tls_is_an_error(connect_tls: ConnectTls, said: bytes) -> None:
    c = connect_tls(lambda c: c.sock.on('error', lambda error: None))
    c.peer.peer.sendall(said)
    trace = c.until_closed()
    assert code(c.sock.errored).startswith('ERR_SSL_')
    assert not any(line.startswith(('secure', 'data')) for line in trace)
    c.peer.close()


def test_silent_clients_hold_up_nobody(
    watched: Callable[..., Watched], connect: Callable[[Any], Peer],
) -> None:
    its = watched()
    silent = [connect(its.server) for _ in range(50)]
    its.still_serves()
    assert its.server.get_connections() >= len(silent)


def test_a_full_server_is_empty_again_when_silent_clients_have_had_their_time(
    watched: Callable[..., Watched], connect: Callable[[Any], Peer],
) -> None:
    its = watched(handshake_timeout=100)
    silent = [connect(its.server) for _ in range(50)]
    until(lambda: len(its.refused) == len(silent))
    until(lambda: its.server.get_connections() == 0)
    its.still_serves()


def test_many_handshakes_at_once_do_not_hold_up_others(
    watched: Callable[..., Watched], dial_tls: Dial, connect: Callable[[Any], Peer],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of 64 that are there before it, only some are gone on with before somebody else's data."""
    its = watched()
    busy = dial_tls(its.server).shake()
    until(lambda: its.accepted)
    order: list[str] = []
    its.accepted[0].on('data', lambda data: order.append('data'))
    shake = Engine.shake

    def noted(engine: Engine) -> bool:
        order.append('handshake')
        return shake(engine)

    monkeypatch.setattr(Engine, 'shake', noted)
    new = dial_tls(its.server)
    with suppress(ssl.SSLWantReadError):
        new.tls.do_handshake()
    hello = new.flight()
    others = [new.peer, *(connect(its.server) for _ in range(63))]
    until(lambda: its.server.get_connections() == 65)
    # Straight to the kernel: the loop finds all of them at once.
    for other in others:
        other.plain.send(hello)
    busy.peer.plain.send(busy.ciphertext(b'hello'))
    until(lambda: order.count('handshake') >= len(others))
    assert order.index('data') <= 24
