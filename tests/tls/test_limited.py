"""Slow and greedy peers of TLS connections: the same limits, on what is secured."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from gnet import tls

from ..harness.authority import authority
from ..harness.clock import Clock
from ..harness.connections import Connection, code
from ..harness.native import Native, Peer
from ..harness.tls_peers import TlsPeer, client_context
from ..harness.waiting import until

Accept = Callable[..., Connection]

#: More bytes than the kernel takes for a peer that does not read.
MUCH = 32 << 20


def reading(c: Connection) -> None:
    c.sock.on('data', lambda chunk: None)


def test_one_that_says_nothing_after_the_handshake_is_given_up(
    accept_tls: Accept, clock: Clock,
) -> None:
    c = accept_tls(reading, read_timeout=1000)
    clock.go(700)
    c.peer.sendall(b'x')
    until(lambda: c.sock.bytes_read == 1)
    clock.go(900)
    assert not c.sock.destroyed
    clock.go(600)
    assert code(c.sock.errored) == 'ERR_READ_TIMEOUT'


def test_a_blocked_read_raises_it(accept_tls: Accept, clock: Clock) -> None:
    outcome: list[Any] = []

    def handler(c: Connection) -> None:
        try:
            c.sock.recv(10)
        except TimeoutError as error:
            outcome.append(code(error))

    accept_tls(handler, read_timeout=1000)
    clock.go(1600)
    assert outcome == ['ERR_READ_TIMEOUT']


def test_one_that_takes_nothing_is_given_up(accept_tls: Accept, clock: Clock) -> None:
    c = accept_tls(reading, write_timeout=1000)
    c.sock.write(bytes(MUCH))
    clock.go(900)
    assert not c.sock.destroyed
    clock.until(lambda: c.sock.destroyed)
    assert code(c.sock.errored) == 'ERR_WRITE_TIMEOUT'


def test_a_program_that_writes_on_is_stopped(accept_tls: Accept) -> None:
    c = accept_tls(reading, max_buffered=1 << 18)
    while not c.sock.destroyed:
        c.sock.write(bytes(1 << 16))
    assert code(c.sock.errored) == 'ERR_BUFFER_FULL'


def test_the_handshake_is_a_part_of_its_life(
    serve_tls: Any, connect: Any, clock: Clock,
) -> None:
    refused: list[Any] = []
    server = serve_tls(lambda sock: None, lifetime=1000)
    server.on('tlsClientError', lambda error, sock: refused.append(code(error)))
    peer = connect(server)
    peer.sendall(b'\x16')  # the first byte of a record, and no more
    until(lambda: server.get_connections() == 1)
    clock.go(1200)
    assert peer.recv_until_end() == b''
    until(lambda: refused)
    assert refused == ['ERR_LIFETIME']


@pytest.mark.parametrize('style', ['start_tls', 'TLSSocket'])
def test_a_connection_that_turns_to_tls_keeps_its_limits(
    serve: Any, connect: Any, native: Native, certified: Any, clock: Clock, style: str,
) -> None:
    made: list[Any] = []

    def handler(sock: Any) -> None:
        if style == 'start_tls':
            made.append(sock.start_tls(server_side=True, **certified.options))
        else:
            made.append(tls.TLSSocket(sock, is_server=True, **certified.options))
        made[0].on('error', lambda error: None)
        made[0].on('data', made[0].write)

    server = serve(handler, lifetime=10_000, read_timeout=1000)
    plain: Peer = connect(server)
    clock.go(600)
    peer = TlsPeer(native, plain, client_context(), server_hostname='localhost').shake()
    peer.sendall(b'x')
    assert peer.recv_exactly(1) == b'x'
    secure = made[0]
    assert (secure.lifetime, secure.read_timeout) == (10_000, 1000)
    secure.read_timeout = None
    clock.go(9000)
    assert not secure.destroyed
    clock.go(600)  # since it was accepted
    assert code(secure.errored) == 'ERR_LIFETIME'


def test_a_client_has_them_too(connect_tls: Any, clock: Clock) -> None:
    c = connect_tls(ca=authority().cert, servername='localhost', read_timeout=1000)
    c.sock.on('data', lambda chunk: None)
    assert c.sock.read_timeout == 1000
    errors: list[Any] = []
    c.sock.on('error', lambda error: errors.append(code(error)))
    clock.until(lambda: errors)
    assert errors == ['ERR_READ_TIMEOUT']
