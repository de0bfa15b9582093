"""Connections that a proxy says whose they are: before `'connection'`, from trusted peers alone."""

from __future__ import annotations

import _socket
import logging
from collections.abc import Callable
from typing import Any

import gevent
import pytest

import gnet
from gnet.lifecycle import DropReason
from gnet.proxy_protocol import Command, ProxyHeader

from ..harness.families import Family
from ..harness.listening import happens, listening, trace
from ..harness.native import Peer
from ..harness.proxied import CLIENT, FRONT, HEADER, V1, V2, echo, is_cut, trusting
from ..harness.waiting import until

Serve = Callable[..., gnet.Server]
Connect = Callable[[Any], Peer]

V6 = ProxyHeader(
    source=gnet.Address('2001:db8::1', 'IPv6', 1), destination=gnet.Address('::1', 'IPv6', 2))

def far(sock: gnet.Socket) -> Any:
    return sock.remote_address, sock.remote_family, sock.remote_port


def near(sock: gnet.Socket) -> Any:
    return sock.local_address, sock.local_family, sock.local_port


# --- who the client is ------------------------------------------------------------------------


@pytest.mark.parametrize(
    'header', [V1, V2, HEADER._replace(tlvs=((3, bytes(4)),)).to_bytes()],
    ids=['v1', 'v2', 'checksum'])
def test_the_client_is_whom_the_header_says(
    serve: Serve, connect: Connect, family: Family, header: bytes,
) -> None:
    seen: list[gnet.Socket] = []
    server = listening(serve(seen.append, **trusting()), **family.listen_options)
    peer = connect(server)
    peer.sendall(header + b'hello')
    until(lambda: seen)
    [sock] = seen
    assert far(sock) == (CLIENT.address, CLIENT.family, CLIENT.port)
    assert near(sock) == (FRONT.address, FRONT.family, FRONT.port)
    assert sock.address() == FRONT
    assert (sock.getpeername(), sock.getsockname()) == (
        (CLIENT.address, CLIENT.port), (FRONT.address, FRONT.port))
    assert sock.proxy is not None
    assert (sock.proxy.command, sock.proxy.source) == (Command.PROXY, CLIENT)
    if family.host is None:
        assert sock.proxy.peer is None
    else:
        assert sock.proxy.peer == (family.host, sock.proxy.peer.family, peer.getsockname()[1])
    assert CLIENT.address in repr(sock)
    # The header is not the client's: what follows is all that is read.
    sock.once('data', sock.end)
    assert peer.recv_until_end() == b'hello'
    assert sock.bytes_read == 5
    peer.end()
    until(lambda: sock.destroyed)
    assert far(sock) == (CLIENT.address, CLIENT.family, CLIENT.port)
    assert sock.proxy.source == CLIENT


def test_what_else_it_says_is_there_in_blocking_style_too(serve: Serve, connect: Connect) -> None:
    def tell(sock: gnet.Socket) -> None:
        assert sock.proxy is not None
        said = sock.recv(100)
        sock.sendall(repr((sock.proxy.alpn, sock.proxy.unique_id, said)).encode())

    server = listening(serve(tell, **trusting()))
    peer = connect(server)
    peer.sendall(V2 + b'hello')
    assert peer.recv_until_end() == b"('h2', b'id', b'hello')"


def test_a_client_of_ipv6_comes_by_ipv4(serve: Serve, connect: Connect) -> None:
    seen: list[gnet.Socket] = []
    server = listening(serve(seen.append, **trusting()))
    peer = connect(server)
    peer.sendall(V6.to_bytes())
    until(lambda: seen)
    assert far(seen[0]) == ('2001:db8::1', 'IPv6', 1)
    assert near(seen[0]) == ('::1', 'IPv6', 2)
    assert seen[0].getpeername() == ('2001:db8::1', 1, 0, 0)


@pytest.mark.parametrize('header', [
    b'PROXY UNKNOWN\r\n', ProxyHeader(2, Command.LOCAL).to_bytes(),
    ProxyHeader(2, transport=None).to_bytes(),
], ids=['unknown', 'local', 'unspecified'])
def test_a_connection_of_the_proxys_own_has_its_real_ends(
    serve: Serve, connect: Connect, family: Family, header: bytes,
) -> None:
    seen: list[gnet.Socket] = []
    server = listening(serve(seen.append, **trusting()), **family.listen_options)
    peer = connect(server)
    peer.sendall(header)
    until(lambda: seen)
    [sock] = seen
    assert sock.proxy is not None
    assert sock.proxy.is_local is header.endswith(b'\x20\0\0\0')
    assert sock.getpeername() == peer.getsockname()
    assert sock.getsockname() == peer.getpeername()
    assert sock.remote_address == family.host
    assert sock.local_address == family.host


def test_a_client_of_a_unix_socket_has_no_address(serve: Serve, connect: Connect) -> None:
    seen: list[gnet.Socket] = []
    server = listening(serve(seen.append, **trusting()))
    connect(server).sendall(ProxyHeader(source='/a', destination='/b').to_bytes())
    until(lambda: seen)
    [sock] = seen
    assert sock.proxy is not None
    assert (sock.remote_address, sock.local_address, sock.getpeername()) == (None, None, '')
    assert (sock.proxy.source, sock.proxy.destination) == ('/a', '/b')
    assert sock.proxy.peer is not None


def test_without_the_option_a_header_is_what_a_client_says(serve: Serve, connect: Connect) -> None:
    seen: list[gnet.Socket] = []
    server = listening(serve(seen.append))
    peer = connect(server)
    peer.sendall(V1)
    until(lambda: seen)
    assert seen[0].proxy is None
    assert seen[0].remote_port == peer.getsockname()[1]


def test_it_comes_in_pieces(serve: Serve, connect: Connect, family: Family) -> None:
    server = listening(serve(echo, **trusting()), **family.listen_options)
    for header in (V1, V2):
        peer = connect(server)
        for place in range(len(header)):
            peer.sendall(header[place:place + 1])
            if place % 8 == 0:
                gevent.sleep(0)
        peer.sendall(b'hello')
        assert peer.recv_exactly(5) == b'hello'


def test_limits_and_block_lists_are_about_the_client(
    serve: Serve, connect: Connect, dropped: list[Any],
) -> None:
    refused = gnet.BlockList()
    refused.add_subnet('192.0.2.0', 24)
    server = listening(serve(block_list=refused, **trusting()))
    log = trace(server)
    peer = connect(server)
    with happens_dropped(dropped):
        peer.sendall(V2)
    assert log == []
    [(reason, ends)] = dropped
    assert reason is DropReason.BLOCK_LIST
    assert (ends.remote_address, ends.local_address) == (CLIENT.address, FRONT.address)
    server.block_list = None
    server.max_connections = 0
    dropped.clear()
    with happens(server, 'drop'):
        connect(server)
    # It is full: whose connection it would be is not waited for.
    assert [(reason, ends.remote_address) for reason, ends in dropped] == [
        (DropReason.MAX_CONNECTIONS, '127.0.0.1')]
    assert log == ['drop']


def test_what_one_address_may_have_is_about_the_client(
    serve: Serve, connect: Connect, dropped: list[Any],
) -> None:
    server = listening(serve(max_connections_per_address=1, **trusting()))
    came: list[str | None] = []
    server.on('connection', lambda sock: came.append(sock.remote_address))
    waiting = connect(server)
    until(lambda: server.get_connections() == 1)
    server.max_connections_per_address = 2  # those that wait are nobody's yet
    server.max_connections_per_address = 1
    for number, line in enumerate((V1, b'PROXY TCP4 192.0.2.2 198.51.100.7 1 2\r\n', V1), 1):
        connect(server).sendall(line)
        until(lambda: len(came) + len(dropped) == number)  # noqa: B023  # it is called here
    assert came == ['192.0.2.1', '192.0.2.2']
    [(reason, ends)] = dropped
    assert (reason.name, ends.remote_address, ends.network) == (
        'MAX_CONNECTIONS_PER_ADDRESS', '192.0.2.1', '192.0.2.1')
    waiting.sendall(b'PROXY TCP4 192.0.2.3 198.51.100.7 1 2\r\n')
    until(lambda: '192.0.2.3' in came)
    unix = connect(server)
    unix.sendall(ProxyHeader(source='/a', destination='/b').to_bytes())
    until(lambda: None in came)


# --- who is not believed -----------------------------------------------------------------------


class happens_dropped:  # noqa: N801  # used like a function
    """``with happens_dropped(events):`` waits for one more."""

    def __init__(self, events: list[Any]) -> None:
        self._events, self._before = events, len(events)

    def __enter__(self) -> None: ...

    def __exit__(self, kind: Any, error: Any, traceback: Any) -> None:
        if error is None:
            until(lambda: len(self._events) > self._before)


def test_a_peer_that_is_not_trusted_is_dropped(
    serve: Serve, connect: Connect, family: Family, dropped: list[Any],
    caplog: pytest.LogCaptureFixture,
) -> None:
    server = listening(
        serve(proxy_protocol={'trusted': ['10.0.0.0/8', '2001:db8::/32']}), **family.listen_options)
    log = trace(server)
    for _ in range(3):
        peer = connect(server)
        assert is_cut(peer)
    until(lambda: len(dropped) == 3)
    assert log == []
    assert {reason for reason, _ in dropped} == {DropReason.UNTRUSTED_PROXY}
    ends = dropped[0][1]
    assert ends is None if family.host is None else ends.remote_address == family.host
    # One line, and not three.
    [line] = [record.getMessage() for record in caplog.records if record.levelno > logging.DEBUG]
    assert line.endswith(
        f'a connection from {family.host or "a unix socket"} is dropped: it is not trusted')
    assert server.get_connections() == 0


def test_an_ipv4_proxy_is_known_on_a_listener_of_both_families(
    serve: Serve, connect: Connect,
) -> None:
    server = listening(serve(echo, proxy_protocol={'trusted': ['127.0.0.1']}), 0, '::')
    peer = connect(('127.0.0.1', server.address().port))
    peer.sendall(V1 + b'hello')
    assert peer.recv_exactly(5) == b'hello'


@pytest.mark.parametrize('said', [
    b'GET / HTTP/1.1\r\n\r\n', b'\x16\x03\x01\x02\0', V1[:-2] + b'\n', V2[:12] + b'\x31',
    V2[:14] + b'\x3f\xf1', b'PROXY TCP4 1.2.3.4 ',
], ids=['http', 'tls', 'no CRLF', 'version', 'too long', 'ended'])
def test_what_is_no_header_is_dropped(
    serve: Serve, connect: Connect, dropped: list[Any], caplog: pytest.LogCaptureFixture,
    said: bytes,
) -> None:
    server = listening(serve(**trusting()))
    log = trace(server)
    for _ in range(2):
        peer = connect(server)
        peer.sendall(said)
        if said.endswith(b' '):
            peer.end()
        assert is_cut(peer)
    until(lambda: len(dropped) == 2)
    assert log == []
    assert [reason for reason, _ in dropped] == [DropReason.PROXY_HEADER] * 2
    assert dropped[0][1].remote_address == '127.0.0.1'
    assert len([record for record in caplog.records if record.levelno > logging.DEBUG]) == 1


@pytest.mark.parametrize('end', ['close', 'reset'])
@pytest.mark.parametrize('waits', [False, True])
def test_who_only_looks_whether_somebody_listens_is_no_news(
    serve: Serve, connect: Connect, dropped: list[Any], caplog: pytest.LogCaptureFixture,
    end: str, waits: bool,
) -> None:
    server = listening(serve(**trusting()))
    peer = connect(server)
    if waits:
        until(lambda: server.get_connections() == 1)
    getattr(peer, end)()
    until(lambda: dropped)
    assert dropped[0][0] is DropReason.PROXY_HEADER
    assert server.get_connections() == 0
    assert [record for record in caplog.records if record.levelno > logging.DEBUG] == []


def test_who_has_gone_before_a_worker_was_sent_the_connection_is_no_news(
    serve: Serve, dropped: list[Any], caplog: pytest.LogCaptureFixture,
) -> None:
    server = listening(serve(proxy_protocol={'trusted': ['127.0.0.1']}))
    near, far = _socket.socketpair()
    far.close()
    assert server._handle.intake.admit(near, None) is None
    assert near.fileno() < 0
    until(lambda: dropped)
    assert dropped == [(DropReason.PROXY_HEADER, None)]
    assert [record for record in caplog.records if record.levelno > logging.DEBUG] == []


def test_who_resets_in_the_middle_of_a_header_is_news(
    serve: Serve, connect: Connect, dropped: list[Any], caplog: pytest.LogCaptureFixture,
) -> None:
    server = listening(serve(**trusting()))
    peer = connect(server)
    peer.sendall(V1[:9])
    until(lambda: [each for each in server._counter.sockets if each.parser.has_begun])
    peer.reset()
    until(lambda: dropped)
    [line] = [record.getMessage() for record in caplog.records if record.levelno > logging.DEBUG]
    assert 'a connection from 127.0.0.1 is dropped: ' in line


def test_a_header_that_does_not_come_in_time(
    serve: Serve, connect: Connect, family: Family, dropped: list[Any],
    caplog: pytest.LogCaptureFixture,
) -> None:
    server = listening(serve(**trusting(timeout=50)), **family.listen_options)
    log = trace(server)
    peers = [connect(server), connect(server)]
    peers[0].sendall(V1[:20])
    assert all(is_cut(peer) for peer in peers)
    until(lambda: len(dropped) == 2)
    assert [reason for reason, _ in dropped] == [DropReason.PROXY_TIMEOUT] * 2
    assert log == []
    assert server.get_connections() == 0
    [line] = [record.getMessage() for record in caplog.records if record.levelno > logging.DEBUG]
    assert line.endswith('its header has not come within 0.05 s')


def test_the_time_counts_for_the_header_alone(serve: Serve, connect: Connect) -> None:
    server = listening(serve(echo, **trusting(timeout=30)))
    peer = connect(server)
    peer.sendall(V1)
    gevent.sleep(0.1)  # more than its time: nothing comes of it
    peer.sendall(b'hello')
    assert peer.recv_exactly(5) == b'hello'


# --- the option --------------------------------------------------------------------------------


def test_serve_has_it_in_both_spellings(connect: Connect) -> None:
    for option in ('proxy_protocol', 'proxyProtocol'):
        with gnet.serve(echo, **{option: {'trusted': ['127.0.0.1'], 'maxPending': 5}}) as server:
            peer = connect(server)
            peer.sendall(V1 + b'hello')
            assert peer.recv_exactly(5) == b'hello'
            peer.end()


@pytest.mark.parametrize(('given', 'text'), [
    (True, 'The "options.proxyProtocol" property must be of type object. Received type boolean'),
    ({}, 'The "options.proxyProtocol.trusted" property must be a list of addresses. Received'),
    ({'trusted': '10.0.0.0/8'}, 'must be a list of addresses. Received type string'),
    ({'trusted': []}, "The property 'options.proxyProtocol.trusted' must name who is believed"),
    ({'trusted': ['example.org']}, "must have addresses, as '10.0.0.1' or '10.0.0.0/8', or 'unix'"),
    ({'trusted': ['10.0.0.0/33']}, "must have addresses, as '10.0.0.1' or '10.0.0.0/8', or 'unix'"),
    ({'trusted': ['fe80::1%lo']}, 'must have addresses without a zone'),
    ({'trusted': ['::1'], 'timeout': 0}, '"options.proxyProtocol.timeout" is out of range'),
    ({'trusted': ['::1'], 'timeout': '1'}, 'property must be of type number'),
    ({'trusted': ['::1'], 'max_pending': 0}, '"options.proxyProtocol.maxPending" is out of range'),
])
def test_what_makes_no_sense_is_refused(given: Any, text: str) -> None:
    with pytest.raises(gnet.CodedError) as refused:
        gnet.create_server(proxy_protocol=given)
    assert text in str(refused.value)
    assert refused.value.code in (
        'ERR_INVALID_ARG_TYPE', 'ERR_INVALID_ARG_VALUE', 'ERR_OUT_OF_RANGE')


def test_a_name_that_is_none_is_refused() -> None:
    with pytest.raises(TypeError, match="Did you mean 'trusted'"):
        gnet.create_server(proxy_protocol={'trust': ['::1']})
