"""What is published of TLS connections, what is counted of them, and what is logged."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import zope.event

from gnet import lifecycle, tls

from ..harness.authority import authority
from ..harness.connections import code, refused, target_of
from ..harness.native import Peer
from ..harness.plain import PlainSocket
from ..harness.tls_peers import TlsPeer
from ..harness.waiting import until

Serve = Callable[..., Any]
Dial = Callable[..., TlsPeer]


@pytest.fixture
def published() -> Iterator[list[Any]]:
    """The lifecycle events that are published during the test."""
    events: list[Any] = []
    kept = zope.event.subscribers[:]
    zope.event.subscribers[:] = [events.append]
    yield events
    zope.event.subscribers[:] = kept


def kinds(events: list[Any], socket: Any) -> list[str]:
    return [type(event).__name__ for event in events if event.socket is socket]


def of(events: list[Any], kind: type) -> list[Any]:
    return [event for event in events if isinstance(event, kind)]


def test_a_connection_tells_how_it_is_secured(serve_tls: Serve, published: list[Any]) -> None:
    server = serve_tls(lambda sock: sock.pipe(sock), alpn_protocols=['echo'])
    sock = tls.connect(
        target_of(server), ca=authority().cert, servername='localhost', alpn_protocols=['echo'])
    sock.sendall(b'x')
    assert sock.recv(1) == b'x'
    sock.close()
    until(lambda: len(of(published, lifecycle.ConnectionClosed)) == 2)
    secured = of(published, lifecycle.ConnectionSecured)
    assert {event.server for event in secured} == {None, server}
    for event in secured:
        assert (event.protocol, event.servername, event.alpn_protocol) == (
            'TLSv1.3', 'localhost', 'echo')
        assert event.cipher.startswith('TLS_')
        assert event.session_reused is False
        assert 0 < event.duration < 10
        assert kinds(published[1:], event.socket) == [
            'ConnectionOpened', 'ConnectionSecured', 'ConnectionClosed']


def test_a_handshake_that_fails_is_told_at_both_ends(
    serve_tls: Serve, published: list[Any],
) -> None:
    server = serve_tls()
    sock = tls.connect(target_of(server), servername='localhost')
    with pytest.raises(tls.TLSCertificateError):
        sock.do_handshake()
    until(lambda: len(of(published, lifecycle.HandshakeFailed)) == 2)
    failed = {event.server: event for event in of(published, lifecycle.HandshakeFailed)}
    assert code(failed[None].error) == 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'
    assert code(failed[server].error) == 'ERR_SSL_TLSV1_ALERT_UNKNOWN_CA'
    for event in failed.values():
        assert kinds(published[1:], event.socket) == [
            'ConnectionOpened', 'ConnectionClosed', 'HandshakeFailed']


def test_a_handshake_that_fails_is_one_line_of_the_log(
    serve_tls: Serve, connect: Callable[[Any], Peer], caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level('DEBUG', logger='gnet.tls')
    server = serve_tls()
    peer = connect(server)
    peer.sendall(b'GET / HTTP/1.0\r\n\r\n')
    assert peer.recv() == b''
    until(lambda: server.get_connections() == 0 and caplog.records)
    assert len(caplog.records) == 1
    assert caplog.records[0].getMessage().endswith('http request')


# --- how many may be pending --------------------------------------------------------------------


def test_no_more_handshakes_are_pending_than_may_be(
    serve_tls: Serve, connect: Callable[[Any], Peer], dial_tls: Dial, published: list[Any],
) -> None:
    server = serve_tls(lambda sock: sock.end(b'served'), max_pending_handshakes=2)
    silent = [connect(server), connect(server)]
    until(lambda: server.get_connections() == 2)
    with pytest.raises((ssl.SSLError, OSError)):
        dial_tls(server).shake()
    assert [event.reason for event in of(published, lifecycle.ConnectionDropped)] == [
        lifecycle.DropReason.PENDING_HANDSHAKES]
    silent[0].close()
    until(lambda: server.get_connections() == 1)
    assert dial_tls(server).shake().recv() == b'served'
    assert dial_tls(server).shake().recv() == b'served'  # those that are done do not count


def test_one_address_may_have_its_own_limit(
    serve_tls: Serve, connect: Callable[[Any], Peer], dial_tls: Dial,
) -> None:
    server = serve_tls(
        lambda sock: sock.end(b'served'), target={'host': '::', 'port': 0},
        maxPendingHandshakesPerAddress=1)
    connect(('127.0.0.1', server.address().port))
    until(lambda: server.get_connections() == 1)
    with pytest.raises((ssl.SSLError, OSError)):
        dial_tls(('127.0.0.1', server.address().port)).shake()
    assert dial_tls(('::1', server.address().port)).shake().recv() == b'served'


def test_of_pending_handshakes_one_address_is_what_the_server_says(
    serve_tls: Serve, connect: Callable[[Any], Peer], published: list[Any],
    caplog: pytest.LogCaptureFixture,
) -> None:
    server = serve_tls(max_pending_handshakes_per_address=1, ipv4_prefix=24)
    connect(server)
    until(lambda: server.get_connections() == 1)

    def come(source: str) -> None:
        peer.bind((source, 0))
        peer.connect(('127.0.0.1', server.address().port))

    with PlainSocket() as peer:
        come('127.0.0.2')
        until(lambda: of(published, lifecycle.ConnectionDropped))
    [event] = of(published, lifecycle.ConnectionDropped)
    assert (event.reason, event.network, event.data.network) == (
        lifecycle.DropReason.PENDING_HANDSHAKES, '127.0.0.0/24', '127.0.0.0/24')
    assert [' drops connections of 127.0.0.0/24: ' in said for said in caplog.messages] == [True]
    server.ipv4_prefix = 32
    with PlainSocket() as peer:
        come('127.0.0.3')
        until(lambda: server.get_connections() == 2)


def test_the_limits_of_a_server_come_before_the_handshake(
    serve_tls: Serve, connect: Callable[[Any], Peer], dial_tls: Dial, published: list[Any],
) -> None:
    server = serve_tls(lambda sock: sock.write(b'served'), max_connections_per_address=1)
    first = dial_tls(server).shake()
    assert first.recv() == b'served'
    for _ in range(2):
        with pytest.raises((ssl.SSLError, OSError)):
            dial_tls(server).shake()
    assert [(event.reason, event.network) for event in of(
        published, lifecycle.ConnectionDropped)] == [
            (lifecycle.DropReason.MAX_CONNECTIONS_PER_ADDRESS, '127.0.0.1')] * 2
    first.close()
    until(lambda: server.get_connections() == 0)
    # So is one whose handshake comes to nothing.
    stranger = connect(server)
    stranger.sendall(b'GET / HTTP/1.0\r\n\r\n')
    assert stranger.recv() == b''
    until(lambda: server.get_connections() == 0)
    assert dial_tls(server).shake().recv() == b'served'


@pytest.mark.parametrize('value', [0, -1, 1.5])
def test_a_limit_is_a_whole_number(value: Any) -> None:
    assert refused(tls.create_server, max_pending_handshakes=value)[1] == 'ERR_OUT_OF_RANGE'
