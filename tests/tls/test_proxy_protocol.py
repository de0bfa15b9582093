"""The PROXY protocol in front of TLS, at both ends."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import Any

import pytest

import gnet
from gnet import tls
from gnet.proxy_protocol import HeaderParser, ProxyHeader

from ..harness.authority import authority
from ..harness.connections import Connection, target_of
from ..harness.families import Family
from ..harness.native import Peer
from ..harness.tls_peers import TlsPeer
from ..harness.waiting import until

TRUSTED = {'trusted': ['127.0.0.1', '::1', 'unix'], 'timeout': 5000}
HEADER = ProxyHeader(
    source=gnet.Address('192.0.2.1', 'IPv4', 12345), tlvs=((2, b'example.org'),),
    destination=gnet.Address('198.51.100.7', 'IPv4', 443)).to_bytes()


def hello(peer: TlsPeer) -> bytes:
    """Return what a client says first."""
    with pytest.raises(ssl.SSLWantReadError):
        peer.tls.do_handshake()
    said = peer.flight()
    assert said
    return said


def tell(sock: Any) -> None:
    sock.sendall(f'{sock.remote_address} {sock.local_port} {sock.proxy.authority}'.encode())


@pytest.mark.parametrize('at_once', [True, False])
def test_the_header_comes_before_the_handshake(
    serve_tls: Callable[..., Any], dial_tls: Callable[..., TlsPeer], family: Family, at_once: bool,
) -> None:
    server = serve_tls(tell, proxy_protocol=TRUSTED, target=family.listen_options)
    peer = dial_tls(server)
    if at_once:
        # In one segment with what the client says first.
        peer.peer.sendall(HEADER + hello(peer))
    else:
        peer.peer.sendall(HEADER)
    peer.shake()
    assert peer.recv_until_end() == b'192.0.2.1 443 example.org'


def test_who_wants_the_plain_connection_first_has_it_behind_the_header(
    serve_tls: Callable[..., Any], dial_tls: Callable[..., TlsPeer],
) -> None:
    server = serve_tls(tell, proxy_protocol=TRUSTED)
    plain: list[Any] = []
    server.on('connection', lambda sock: plain.append((sock.remote_address, sock.proxy.authority)))
    peer = dial_tls(server)
    peer.peer.sendall(HEADER)
    peer.shake()
    assert peer.recv_until_end() == b'192.0.2.1 443 example.org'
    assert plain == [('192.0.2.1', 'example.org')]


def test_a_client_without_a_header_is_dropped_before_the_handshake(
    serve_tls: Callable[..., Any], connect: Callable[[Any], Peer],
    dial_tls: Callable[..., TlsPeer],
) -> None:
    server = serve_tls(tell, proxy_protocol=TRUSTED)
    told: list[Any] = []
    server.on('tlsClientError', lambda *args: told.append(args))
    peer = dial_tls(server)
    peer.peer.sendall(hello(peer))
    with pytest.raises(ConnectionResetError):
        peer.peer.recv()
    until(lambda: not server.get_connections())
    assert told == []


def test_handshakes_that_wait_are_counted_by_the_clients_address(
    serve_tls: Callable[..., Any], connect: Callable[[Any], Peer],
) -> None:
    server = serve_tls(tell, proxy_protocol=TRUSTED, max_pending_handshakes_per_address=1)
    dropped: list[Any] = []
    server.on('drop', dropped.append)
    lines = [f'PROXY TCP4 192.0.2.{last} 198.51.100.7 1 443\r\n'.encode() for last in (1, 2, 1)]
    peers = []
    for line in lines:
        peers.append(connect(server))
        peers[-1].sendall(line)
        until(lambda: server.get_connections() == min(len(peers), 2))
    until(lambda: dropped)
    assert [ends.remote_address for ends in dropped] == ['192.0.2.1']


def test_a_client_sends_it_before_its_handshake(
    connect_tls: Callable[..., Connection],
) -> None:
    c = connect_tls(proxy_protocol={
        'source': ('192.0.2.1', 12345), 'destination': ('198.51.100.7', 443),
        'authority': 'example.org'})
    header = c.peer.peer.recv_exactly(len(HEADER))
    parser = HeaderParser()
    assert parser.feed(header) == len(HEADER)
    assert header == HEADER
    c.peer.shake()
    c.sock.end(b'hello')
    assert c.peer.recv_until_end() == b'hello'


def test_both_ends_are_gnets(serve_tls: Callable[..., Any]) -> None:
    server = serve_tls(tell, proxy_protocol=TRUSTED)
    with tls.connect(
        **target_of(server), ca=authority().cert, servername='localhost',
        proxy_protocol={'source': ('2001:db8::1', 1), 'destination': ('::1', 8443)},
    ) as sock:
        assert b''.join(sock) == b'2001:db8::1 8443 None'


def test_it_is_too_late_for_a_connection_that_exists() -> None:
    with pytest.raises(gnet.CodedTypeError, match=r"'options.proxyProtocol' is for connections to"):
        tls.connect(socket=gnet.Socket(), proxy_protocol=True)


