"""What ``connect(proxy_protocol=…)`` tells a server, in front of all else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

import gnet
from gnet.proxy_protocol import Command, HeaderParser, ProxyHeader
from gnet.testing import EventRecorder

from ..harness.connections import both_spellings, target_of
from ..harness.families import Family
from ..harness.native import Native, Peer
from ..harness.plain import PlainSocket
from ..harness.waiting import PATIENCE

V1 = b'PROXY TCP4 192.0.2.1 198.51.100.7 12345 443\r\n'
CLIENT = gnet.Address('192.0.2.1', 'IPv4', 12345)
FRONT = gnet.Address('198.51.100.7', 'IPv4', 443)
GIVEN = {'source': ('192.0.2.1', 12345), 'destination': ('198.51.100.7', 443)}


@pytest.fixture
def tells(native: Native, family: Family) -> Iterator[Callable[..., Any]]:
    """``tells(option)`` returns (header, what follows, the socket's own ends) of a connection."""
    listener = family.listener()
    listener.settimeout(PATIENCE)

    def tells(option: Any) -> tuple[ProxyHeader, bytes, Any]:
        sock = gnet.connect(**target_of(listener), proxy_protocol=option)
        sock.end(b'hello')
        plain, _ = native(listener.accept)
        with plain:
            ends = plain.getpeername(), plain.getsockname()
            said = Peer(native, plain).recv_until_end()
        parser = HeaderParser()
        taken = parser.feed(said)
        assert parser.header is not None
        assert sock.bytes_written == 5
        sock.destroy()
        return parser.header, said[taken:], ends

    yield tells
    listener.close()


@pytest.mark.parametrize('version', [1, 2])
def test_true_is_for_its_own_connection(
    tells: Callable[..., Any], family: Family, version: int,
) -> None:
    header, rest, (near, far) = tells(True if version == 2 else {'version': 1})
    assert rest == b'hello'
    assert (header.version, header.command) == (version, Command.PROXY)
    if family.host is not None:
        assert header.source == (near[0], header.source.family, near[1])
        assert header.destination == (far[0], header.destination.family, far[1])
    elif version == 2:
        assert (header.source, header.destination) == ('', family.path)
    else:
        assert (header.source, header.destination) == (None, None)


def test_what_is_given_is_told(tells: Callable[..., Any]) -> None:
    header, rest, _ = tells({**GIVEN, 'version': 1})
    assert (rest, header.to_bytes()) == (b'hello', V1)
    for option in both_spellings({
        **GIVEN, 'alpn': 'h2', 'authority': 'exämple.org', 'netns': 'blue', 'unique_id': b'\0',
        'tlvs': [(0xE0, b'mine')], 'checksum': True,
    }):
        header, rest, _ = tells(option)
        assert (rest, header.source, header.destination) == (b'hello', CLIENT, FRONT)
        assert (header.alpn, header.authority, header.netns, header.unique_id) == (
            'h2', 'exämple.org', 'blue', b'\0')
        assert header.value(0xE0) == b'mine'
        assert header.value(3) is not None


@pytest.mark.parametrize('given', [
    {'local': True}, {'source': '/run/a', 'destination': ''},
    {'source': gnet.Address('::1', 'IPv6', 5), 'destination': ('::2', 6, 0, 0)},
])
def test_what_else_may_be_told(tells: Callable[..., Any], given: Any) -> None:
    header, rest, _ = tells(given)
    assert rest == b'hello'
    if 'local' in given:
        assert header.is_local
    else:
        assert header.source == given['source']


def test_a_header_may_be_given(tells: Callable[..., Any]) -> None:
    for header in (
        ProxyHeader(1, source=CLIENT, destination=FRONT),
        ProxyHeader(2, Command.LOCAL, transport=None),
        ProxyHeader(source=CLIENT, destination=FRONT, tlvs=((0xE1, b'x'),)),
    ):
        told, rest, _ = tells(header)
        assert (told, rest) == (header, b'hello')


def test_a_socket_says_whose_client_it_is(
    serve: Callable[..., Any], connect: Callable[[Any], Peer], native: Native, family: Family,
) -> None:
    seen: list[tuple[Any, Any]] = []
    behind = serve(
        lambda sock: seen.append((sock.proxy.source, sock.proxy.destination)) or sock.end(),
        proxy_protocol={'trusted': ['127.0.0.1']})

    def relay(client: gnet.Socket) -> None:
        upstream = gnet.connect(**target_of(behind), proxy_protocol={'source': client})
        upstream.pipe(client)

    front = serve(relay, target=family.listen_options)
    peer = connect(front)
    assert peer.recv_until_end() == b''
    if family.host is None:
        assert seen == [('', '')]
    else:
        version = 'IPv4' if family.name == 'ipv4' else 'IPv6'
        assert seen == [tuple(
            gnet.Address(name[0], version, name[1])
            for name in (peer.getsockname(), peer.getpeername()))]
    # And so does a plain one.
    plain = PlainSocket(family.number)
    with plain:
        native(plain.connect, peer.getpeername())
        assert plain.getpeername() == peer.getpeername()
        with gnet.connect(**target_of(behind), proxy_protocol={'source': plain}) as sock:
            assert sock.recv(1) == b''
    if family.host is not None:
        assert peer.getpeername()[:2] in [
            (source.address, source.port) for source, _ in seen]


def test_a_proxy_behind_a_proxy_hands_on_whose_it_is(
    serve: Callable[..., Any], connect: Callable[[Any], Peer],
) -> None:
    trusted = {'trusted': ['127.0.0.1']}
    behind = serve(
        lambda sock: sock.end(f'{sock.remote_address} {sock.local_port}'), proxy_protocol=trusted)

    def relay(client: gnet.Socket) -> None:
        gnet.connect(**target_of(behind), proxy_protocol={'source': client}).pipe(client)

    front = serve(relay, proxy_protocol=trusted)
    peer = connect(front)
    peer.sendall(V1)
    assert peer.recv_until_end() == b'192.0.2.1 443'


def test_it_comes_first_whatever_a_listener_of_connect_writes(
    native: Native, plain_listener: Any,
) -> None:
    listener = plain_listener()
    sock = gnet.connect(**target_of(listener), proxy_protocol=GIVEN)
    sock.write(b'one ')
    sock.once('connect', lambda: sock.end(b'two'))
    plain, _ = native(listener.accept)
    with plain:
        said = Peer(native, plain).recv_until_end()
    assert said.endswith(b'\xc0\0\x02\x01\xc63d\x0709\x01\xbbone two')
    sock.destroy()


def test_each_connection_of_a_socket_is_told(native: Native, plain_listener: Any) -> None:
    listener = plain_listener()
    sock = gnet.Socket()
    for option, length in ((GIVEN, 28), (None, 0), (True, 28)):
        sock.connect({**target_of(listener), 'proxy_protocol': option})
        plain, _ = native(listener.accept)
        with plain:
            sock.end(b'x')
            assert len(Peer(native, plain).recv_until_end()) == length + 1
        sock.resume()
        gnet.once(sock, 'close', timeout=PATIENCE)


@pytest.fixture
def plain_listener() -> Iterator[Callable[[], PlainSocket]]:
    listeners: list[PlainSocket] = []

    def listen() -> PlainSocket:
        listeners.append(Family('ipv4', host='127.0.0.1').listener())
        listeners[-1].settimeout(PATIENCE)
        return listeners[-1]

    yield listen
    for listener in listeners:
        listener.close()


@pytest.mark.parametrize(('option', 'text'), [
    (7, 'The "options.proxyProtocol" property must be of type object. Received type number (7)'),
    ({'version': 3}, 'The value of "options.proxyProtocol.version" is out of range.'),
    ({'source': 5}, 'must be a socket, an address and a port, or a path. Received type number (5)'),
    ({'source': ('1.2.3.4', 5)}, '"options.proxyProtocol.destination" property must be a socket'),
    ({'source': ('localhost', 5), 'destination': ('::1', 6)}, 'must begin with an IP address'),
    ({'source': ('::1', -5), 'destination': ('::1', 6)}, '"options.proxyProtocol.source.port" is'),
    ({'destination': ('::1', 6)}, 'goes with a destination'),
    ({'local': 1}, '"options.proxyProtocol.local" property must be of type boolean'),
    ({'local': True, 'alpn': 'h2'}, 'is for a connection of nobody else'),
    ({'version': 1, 'alpn': 'h2'}, 'has addresses and nothing else'),
    ({'alpn': b'h2'}, '"options.proxyProtocol.alpn" property must be of type string'),
    ({'authority': 'a\udcff'}, "'options.proxyProtocol.authority' has no form in UTF-8"),
    ({'tlvs': 5}, '"options.proxyProtocol.tlvs" property must be a list of pairs'),
    ({'tlvs': [(3, b'')], 'checksum': True}, 'a checksum has 4 bytes, and there is one'),
    ({'source': '192.0.2.1', 'destination': '::1'}, 'goes with a port'),
    ({'unique_id': 'x'}, '"options.proxyProtocol.uniqueId" property must be of type bytes'),
    ({'unique_id': bytes(129)}, 'has more than 128 bytes'),
    ({'tlvs': [(256, b'')]}, 'must have pairs of a type, 0 to 255, and bytes'),
    ({'tlvs': [(1, bytes(4096))]}, 'makes more than 4096 bytes of header'),
    ({**GIVEN, 'tlvs': [(1, bytes(4096))]}, 'makes more than 4096 bytes of header'),
    ({'source': 'x' * 109, 'destination': ''}, 'a path has 108 bytes at most'),
    ({'source': gnet.Socket()}, 'has no connection'),
])
def test_what_makes_no_sense_is_refused_at_the_call(option: Any, text: str) -> None:
    with pytest.raises(gnet.CodedError) as refused:
        gnet.connect(1, proxy_protocol=option)
    assert text in str(refused.value)


def test_a_name_that_is_none_is_refused() -> None:
    with pytest.raises(TypeError, match="Did you mean 'version'"):
        gnet.connect(1, proxy_protocol={'vesion': 1})


@pytest.mark.parametrize('sent', [OSError(32, 'as the test wants it'), 5])
def test_a_header_that_cannot_be_sent_costs_the_connection(
    plain_listener: Any, monkeypatch: pytest.MonkeyPatch, sent: Any,
) -> None:
    class Sock:
        """A socket of the system that takes less than it is given."""

        def __init__(self, sock: Any) -> None:
            self._sock = sock

        def __getattr__(self, name: str) -> Any:
            return getattr(self._sock, name)

        def send(self, data: bytes) -> int:
            if isinstance(sent, OSError):
                raise sent
            return int(sent)

    established = gnet.Socket._established
    monkeypatch.setattr(
        gnet.Socket, '_established',
        lambda self, sock, remote: established(self, Sock(sock), remote))
    listener = plain_listener()
    sock = gnet.connect(**target_of(listener), proxy_protocol=True)
    events = EventRecorder(sock, 'error', 'connect', 'close')
    events.expect(
        ('error', 'EPIPE' if isinstance(sent, OSError) else 'ENOBUFS'), ('close', True))
