"""The PROXY protocol with HAProxy and nginx: in front of gnet, and behind it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import gnet
from gnet import tls
from gnet.proxy_protocol import ProxyHeader

from ..harness.authority import NAMES, authority
from ..harness.native import Native, Peer
from ..harness.tls_peers import TlsPeer, client_context
from ..harness.waiting import PATIENCE, until
from .proxies import Ports, haproxy, nginx

Connect = Callable[[Any], Peer]
TRUSTED = {'trusted': ['127.0.0.1', 'unix']}

SECTIONS = """
listen v1
    bind 127.0.0.1:{v1}
    server gnet 127.0.0.1:{gnet} send-proxy
listen v2
    bind 127.0.0.1:{v2}
    server gnet 127.0.0.1:{gnet} send-proxy-v2 proxy-v2-options crc32c
listen unix
    bind 127.0.0.1:{unix}
    server gnet unix@{directory}/gnet send-proxy-v2
listen tls-through
    bind 127.0.0.1:{through}
    server gnet 127.0.0.1:{gnet_tls} send-proxy-v2
listen tls-ended
    bind 127.0.0.1:{ended} ssl crt {directory}/own.pem ca-file {directory}/ca.pem \
verify optional alpn h2
    unique-id-format %rt-mine
    server gnet 127.0.0.1:{gnet} send-proxy-v2-ssl-cn proxy-v2-options \
ssl-cipher,cert-sig,cert-key,authority,crc32c,unique-id
frontend reader
    mode http
    bind 127.0.0.1:{reader} accept-proxy
    bind 127.0.0.1:{reader_tls} accept-proxy ssl crt {directory}/own.pem
    http-request return status 200 content-type text/plain lf-string \
"%[src] %[src_port] %[dst] %[dst_port] %[fc_pp_authority] %[fc_pp_unique_id]"
"""

CHECKED = """
listen v2
    bind 127.0.0.1:{v2}
    server gnet 127.0.0.1:{gnet} send-proxy-v2 check inter 200ms
listen v1
    bind 127.0.0.1:{v1}
    server gnet 127.0.0.1:{gnet} send-proxy check check-send-proxy inter 200ms
"""

SERVERS = """
server {{ listen 127.0.0.1:{front}; proxy_pass 127.0.0.1:{gnet}; proxy_protocol on; }}
server {{ listen 127.0.0.1:{unix}; proxy_pass unix:{directory}/gnet; proxy_protocol on; }}
server {{
    listen 127.0.0.1:{reader} proxy_protocol;
    return "$proxy_protocol_addr $proxy_protocol_port \
$proxy_protocol_server_addr $proxy_protocol_server_port";
}}
"""


class House:
    """gnet's servers, which stay for all tests of this file."""

    def __init__(self, directory: Path) -> None:
        own = authority().certify(*NAMES)
        (directory / 'own.pem').write_text(own.cert + own.key)
        (directory / 'ca.pem').write_text(authority().cert)
        self.plain = gnet.serve(tell, proxy_protocol=TRUSTED)
        self.unix = gnet.serve(tell, path=str(directory / 'gnet'), proxy_protocol=TRUSTED)
        (directory / 'gnet').chmod(0o666)
        self.tls = tls.serve(tell, proxy_protocol=TRUSTED, **own.options)

    def ports(self) -> dict[str, int]:
        return {'gnet': self.plain.address().port, 'gnet_tls': self.tls.address().port}

    @property
    def servers(self) -> tuple[gnet.Server, ...]:
        return self.plain, self.unix, self.tls

    def has_ended(self) -> bool:
        """Whether no connection is open."""
        return not any(server.get_connections() for server in self.servers)

    def close(self) -> None:
        for server in self.servers:
            server.stop(0)


def tell(sock: Any) -> None:
    """Say who the client is, when it has said something."""
    assert sock.recv(100)
    proxy = sock.proxy
    sock.sendall(json.dumps({
        'remote': [sock.remote_address, sock.remote_port],
        'local': [sock.local_address, sock.local_port],
        'version': proxy.version, 'kinds': [kind for kind, _ in proxy.tlvs],
        'authority': proxy.authority, 'alpn': proxy.alpn, 'ssl': proxy.ssl,
        'unique_id': proxy.unique_id and proxy.unique_id.decode(),
    }).encode())


@pytest.fixture(scope='module')
def house(directory: Path) -> Iterator[House]:
    house = House(directory)
    yield house
    house.close()


@pytest.fixture(autouse=True)
def _connections_end_with_the_test(house: House) -> Iterator[None]:
    yield
    until(house.has_ended)


@pytest.fixture(scope='module')
def balancer(directory: Path, house: House) -> Iterator[Ports]:
    """The ports of a HAProxy in front of gnet's servers, by the names of its sections."""
    ports = Ports('v1', 'v2', 'unix', 'through', 'ended', 'reader', 'reader_tls')
    with haproxy(directory, SECTIONS.format(directory=directory, **ports, **house.ports())):
        yield ports


@pytest.fixture(scope='module')
def other(directory: Path, house: House) -> Iterator[Ports]:
    """The same of an nginx."""
    ports = Ports('front', 'unix', 'reader')
    with nginx(directory, SERVERS.format(directory=directory, **ports, **house.ports())):
        yield ports


def answer(peer: Any) -> dict[str, Any]:
    peer.sendall(b'hello')
    told: dict[str, Any] = json.loads(peer.recv_until_end())
    return told


def is_about(told: dict[str, Any], peer: Any) -> bool:
    return told['remote'] == list(peer.getsockname()) and told['local'] == list(peer.getpeername())


@pytest.mark.parametrize(('section', 'version'), [('v1', 1), ('v2', 2), ('unix', 2)])
def test_behind_haproxy_the_client_is_the_client(
    balancer: Ports, connect: Connect, section: str, version: int,
) -> None:
    peer = connect(('127.0.0.1', balancer[section]))
    told = answer(peer)
    assert is_about(told, peer)
    assert told['version'] == version
    assert told['kinds'] == ([3] if section == 'v2' else [])  # a checksum of HAProxy's


@pytest.mark.parametrize('section', ['front', 'unix'])
def test_behind_nginx_too(other: Ports, connect: Connect, section: str) -> None:
    peer = connect(('127.0.0.1', other[section]))
    told = answer(peer)
    assert is_about(told, peer)
    assert told['version'] == 1


def test_tls_goes_through_haproxy(balancer: Ports, connect: Connect, native: Native) -> None:
    peer = connect(('127.0.0.1', balancer['through']))
    secure = TlsPeer(native, peer, client_context(), server_hostname='localhost').shake()
    told = answer(secure)
    assert is_about(told, peer)
    assert told['ssl'] is None


@pytest.mark.parametrize('certificate', [False, True])
def test_haproxy_ends_tls_and_says_what_it_was(
    balancer: Ports, connect: Connect, native: Native, tmp_path: Path, certificate: bool,
) -> None:
    context = client_context()
    context.set_alpn_protocols(['h2'])
    if certificate:
        own = authority().certify('client.example', purpose='client')
        path = tmp_path / 'client.pem'
        path.write_text(own.cert + own.key)
        context.load_cert_chain(path)
    peer = connect(('127.0.0.1', balancer['ended']))
    secure = TlsPeer(native, peer, context, server_hostname='localhost').shake()
    told = answer(secure)
    assert is_about(told, peer)
    assert (told['authority'], told['version'], told['alpn']) == ('localhost', 2, 'h2')
    assert told['unique_id'].endswith('-mine')
    assert 3 in told['kinds']
    encrypted, shown, in_session, verified, version, name, cipher, signature, key = told['ssl']
    assert (encrypted, shown, verified) == (True, certificate, certificate)
    assert in_session is certificate
    assert version == secure.tls.version()
    assert cipher == secure.tls.cipher()[0]
    assert (name is not None) is certificate
    assert signature
    assert key


def test_health_checks_of_haproxy_are_its_own(
    serve: Callable[..., gnet.Server], tmp_path: Path,
) -> None:
    checks: list[Any] = []

    def check(sock: gnet.Socket) -> None:
        checks.append((sock.proxy, sock.remote_address, sock.remote_port))
        sock.on('error', lambda error: None)
        sock.resume()

    server = serve(check, proxy_protocol=TRUSTED)
    ports = Ports('v1', 'v2')
    with haproxy(tmp_path, CHECKED.format(gnet=server.address().port, **ports)):
        until(lambda: len({proxy.version for proxy, _, _ in checks}) == 2)
    for proxy, address, port in checks:
        assert address == '127.0.0.1'
        assert proxy.peer.port == port
        if proxy.version == 2:
            assert proxy.is_local
        else:
            # As the specification recommends: version 1 has no word for it.
            assert (proxy.source.address, proxy.source.port) == (address, port)


GIVEN = {'source': ('192.0.2.1', 12345), 'destination': ('198.51.100.7', 443)}


def get(sock: Any) -> str:
    with sock:
        sock.settimeout(PATIENCE)
        sock.sendall(b'GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
        return b''.join(sock).decode().rpartition('\r\n\r\n')[2]


@pytest.mark.parametrize('option', [
    {'version': 1}, {'version': 2}, {'checksum': True},
    {'authority': 'example.org', 'unique_id': b'mine', 'tlvs': [(0xE0, bytes(300))]},
])
def test_haproxy_reads_what_gnet_writes(balancer: Ports, option: Any) -> None:
    sock = gnet.connect(balancer['reader'], proxy_protocol={**GIVEN, **option})
    words = get(sock).split(' ')
    assert words[:4] == ['192.0.2.1', '12345', '198.51.100.7', '443']
    assert words[4:] == [option.get('authority', ''), option.get('unique_id', b'').decode()]


def test_haproxy_reads_ipv6_and_ones_own(balancer: Ports) -> None:
    six = {'source': ('2001:db8::1', 1), 'destination': ('::1', 2)}
    for version in (1, 2):
        sock = gnet.connect(balancer['reader'], proxy_protocol={**six, 'version': version})
        assert get(sock).startswith('2001:db8::1 1 ::1 2')
    for option in (True, {'local': True}, {'local': True, 'version': 1}):
        sock = gnet.connect(balancer['reader'], '127.0.0.1', proxy_protocol=option)
        gnet.once(sock, 'connect', timeout=PATIENCE)
        near = sock.local_port
        assert get(sock).startswith(f'127.0.0.1 {near} 127.0.0.1 {balancer["reader"]}')


def test_haproxy_refuses_a_checksum_that_is_wrong(balancer: Ports) -> None:
    header = bytearray(ProxyHeader(
        source=gnet.Address('192.0.2.1', 'IPv4', 1), destination=gnet.Address('::1', 'IPv6', 2),
        tlvs=((3, bytes(4)),)).to_bytes())
    header[-1] ^= 1
    with gnet.connect(balancer['reader'], '127.0.0.1') as sock:
        sock.sendall(bytes(header) + b'GET / HTTP/1.0\r\n\r\n')
        sock.on('error', lambda error: None)
        with pytest.raises(ConnectionResetError):
            assert sock.recv(100) == b'that is its end'


def test_haproxy_reads_it_before_tls(balancer: Ports) -> None:
    sock = tls.connect(
        balancer['reader_tls'], ca=authority().cert, servername='localhost', proxy_protocol=GIVEN)
    assert get(sock).startswith('192.0.2.1 12345 198.51.100.7 443')


@pytest.mark.parametrize('version', [1, 2])
def test_nginx_reads_what_gnet_writes(other: Ports, version: int) -> None:
    option = {**GIVEN, 'version': version, **({'alpn': 'h2'} if version == 2 else {})}
    with gnet.connect(other['reader'], proxy_protocol=option) as sock:
        assert b''.join(sock) == b'192.0.2.1 12345 198.51.100.7 443'


