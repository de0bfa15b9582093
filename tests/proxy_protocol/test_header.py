"""The header of the PROXY protocol: what it says, in pieces, and each way in which it is none."""

from __future__ import annotations

import pickle

import pytest

import gnet
from gnet.proxy_protocol import Command, HeaderParser, ProxyHeader
from gnet.proxy_protocol.crc32c import crc32c
from gnet.proxy_protocol.header import MAX_V1, MAX_V2
from gnet.proxy_protocol.tlvs import pack_tlvs

SIGNATURE = b'\r\n\r\n\0\r\nQUIT\n'
V4 = bytes([192, 0, 2, 1, 198, 51, 100, 7]) + b'\x30\x39\x01\xbb'
CLIENT = gnet.Address('192.0.2.1', 'IPv4', 12345)
FRONT = gnet.Address('198.51.100.7', 'IPv4', 443)
CLIENT6 = gnet.Address('2001:db8::1', 'IPv6', 12345)
FRONT6 = gnet.Address('2001:db8::7', 'IPv6', 443)


def v2(block: bytes = V4, *, command: int = 0x21, family: int = 0x11, size: int = -1) -> bytes:
    """Return a header of version 2 as it is on the wire."""
    length = len(block) if size < 0 else size
    return SIGNATURE + bytes([command, family]) + length.to_bytes(2, 'big') + block


def tlv(kind: int, value: bytes) -> bytes:
    return bytes([kind]) + len(value).to_bytes(2, 'big') + value


def read(data: bytes) -> ProxyHeader:
    """Read *data*, which is one header and no more, at once and byte by byte."""
    at_once = HeaderParser()
    assert at_once.feed(data + b'GET /') == len(data)
    assert at_once.wanted == 0
    assert at_once.feed(b'more') == 0
    slowly = HeaderParser()
    for place in range(len(data)):
        assert slowly.header is None
        assert slowly.wanted > 0
        assert slowly.feed(data[place:place + 1]) == 1
    assert slowly.header == at_once.header
    assert at_once.header is not None
    return at_once.header


def feed(parser: HeaderParser, data: bytes, step: int) -> None:
    for place in range(0, len(data), step):
        parser.feed(data[place:place + step])


def refusals(data: bytes) -> list[str]:
    """Return the codes by which *data* is refused, at once and byte by byte."""
    codes = []
    for step in (len(data), 1):
        parser = HeaderParser()
        with pytest.raises(gnet.CodedValueError, match='No valid PROXY protocol header') as refused:
            feed(parser, data, step)
        assert parser.header is None
        codes.append(refused.value.code)
    return codes


# --- version 1 ------------------------------------------------------------------------------------


def test_a_line_of_version_1_says_both_ends() -> None:
    assert read(b'PROXY TCP4 192.0.2.1 198.51.100.7 12345 443\r\n') == ProxyHeader(
        1, Command.PROXY, CLIENT, FRONT)
    assert read(b'PROXY TCP6 2001:DB8::1 2001:db8:0::7 12345 443\r\n') == ProxyHeader(
        1, Command.PROXY, CLIENT6, FRONT6)


@pytest.mark.parametrize('line', [
    b'PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n',
    b'PROXY TCP4 0.0.0.0 0.0.0.0 0 0\r\n',
    b'PROXY TCP6 ' + b' '.join([b'ffff:' * 7 + b'ffff'] * 2) + b' 65535 65535\r\n',
    b'PROXY TCP6 ::ffff:192.0.2.1 :: 0 1\r\n',  # HAProxy, where the families differ
])
def test_the_longest_and_the_shortest_lines_are_read(line: bytes) -> None:
    header = read(line)
    assert header.source is not None
    assert header.to_bytes() == line


@pytest.mark.parametrize('line', [
    b'PROXY UNKNOWN\r\n',
    b'PROXY UNKNOWN ' + b' '.join([b'ffff:' * 7 + b'ffff'] * 2) + b' 65535 65535\r\n',
    b'PROXY UNKNOWN \xff\x00 whatever\n it \r says\r\n',
])
def test_of_an_unknown_connection_all_else_is_ignored(line: bytes) -> None:
    assert len(line) <= MAX_V1
    assert read(line) == ProxyHeader(1, Command.PROXY, None, None, None)


@pytest.mark.parametrize('text', [
    b'GET / HTTP/1.1\r\n', b'\x16\x03\x01', b' PROXY', b'proxy ', b'PROXY\r\n', b'PROXY\t', b'PRO ',
    b'PROXY  TCP4 192.0.2.1 198.51.100.7 12345 443\r\n',
    b'PROXY TCP4  192.0.2.1 198.51.100.7 12345 443\r\n',
    b'PROXY TCP4 192.0.2.1 198.51.100.7 12345 443 \r\n',
    b'PROXY TCP4 192.0.2.1 198.51.100.7 12345 443 1\r\n',
    b'PROXY TCP4 192.0.2.1\t198.51.100.7 12345 443\r\n',
    b'PROXY TCP4 192.0.2.1 198.51.100.7 12345\r\n', b'PROXY TCP4\r\n', b'PROXY \r\n',
    b'PROXY TCP5 192.0.2.1 198.51.100.7 12345 443\r\n', b'PROXY UDP4 192.0.2.1 192.0.2.1 1 4\r\n',
    b'PROXY tcp4 192.0.2.1 198.51.100.7 12345 443\r\n', b'PROXY UNKNOWNS\r\n', b'PROXY UNKNOW\r\n',
    b'PROXY TCP4 192.0.2.1 198.51.100.7 12345 443\n', b'PROXY TCP4 192.0.2.1\n',
    b'PROXY TCP4 192.0.2.1 198.51.100.7 12345 443\r\r\n',
    b'PROXY TCP4 192.0.2.256 198.51.100.7 12345 443\r\n',
    b'PROXY TCP4 192.0.02.1 198.51.100.7 12345 443\r\n',
    b'PROXY TCP4 192.0.2 198.51.100.7 12345 443\r\n',
    b'PROXY TCP4 192.0.2.1. 198.51.100.7 12345 443\r\n',
    b'PROXY TCP4 2001:db8::1 198.51.100.7 12345 443\r\n',
    b'PROXY TCP4 192.0.2.1 2001:db8::1 12345 443\r\n',
    b'PROXY TCP4 ::ffff:192.0.2.1 198.51.100.7 12345 443\r\n',
    b'PROXY TCP4 localhost 198.51.100.7 12345 443\r\n',
    b'PROXY TCP4 192.0.2.\xb2 198.51.100.7 12345 443\r\n',
    b'PROXY TCP6 192.0.2.1 198.51.100.7 12345 443\r\n',
    b'PROXY TCP6 2001:db8::1 ::1::1 12345 443\r\n', b'PROXY TCP6 2001:db8::1 1:2:3:4:5:6:7 1 4\r\n',
    b'PROXY TCP6 2001:db8::1 12345:: 12345 443\r\n', b'PROXY TCP6 fe80::1%eth0 ::1 12345 443\r\n',
    b'PROXY TCP6 [::1] ::1 12345 443\r\n', b'PROXY TCP6 1:2:3:4:5:6:7:8:9 ::1 12345 443\r\n',
    b'PROXY TCP4 192.0.2.1 198.51.100.7 65536 443\r\n',
    b'PROXY TCP4 192.0.2.1 198.51.100.7 012 443\r\n', b'PROXY TCP4 192.0.2.1 198.51.100.7 -1 4\r\n',
    b'PROXY TCP4 192.0.2.1 198.51.100.7 +1 4\r\n', b'PROXY TCP4 192.0.2.1 198.51.100.7 0x1 4\r\n',
    b'PROXY TCP4 192.0.2.1 198.51.100.7 1 00\r\n', b'PROXY TCP4 192.0.2.1 198.51.100.7  443\r\n',
    b'PROXY TCP4 192.0.2.1 198.51.100.7 123450 443\r\n',
    b'PROXY TCP4 192.0.2.1 198.51.100.7 1 \xb2\r\n', b'PROXY TCP4 192.0.2.1 198.51.100.7 1 4_4\r\n',
    b'PROXY UNKNOWN ' + b'x' * (MAX_V1 - 14), b'PROXY TCP6 ' + b'f' * (MAX_V1 - 11),
    b'PROXY UNKNOWN ' + b'x' * (MAX_V1 - 15) + b'\r\n',
])
def test_what_is_no_line_of_version_1_is_refused(text: bytes) -> None:
    assert refusals(text) == ['ERR_PROXY_PROTOCOL'] * 2


# --- version 2 ------------------------------------------------------------------------------------


def test_a_header_of_version_2_says_both_ends() -> None:
    assert read(v2()) == ProxyHeader(2, Command.PROXY, CLIENT, FRONT, 'STREAM')
    assert read(v2(family=0x12)) == ProxyHeader(2, Command.PROXY, CLIENT, FRONT, 'DGRAM')
    near, far = (b'\x20\x01\x0d\xb8' + bytes(11) + last for last in (b'\1', b'\7'))
    assert read(v2(near + far + b'\x30\x39\x01\xbb', family=0x21)) == ProxyHeader(
        2, Command.PROXY, CLIENT6, FRONT6)


def test_unix_sockets_have_paths_and_abstract_names() -> None:
    block = b'/run/a'.ljust(108, b'\0') + b'\0abstract'.ljust(108, b'\0')
    assert read(v2(block, family=0x31)) == ProxyHeader(2, source='/run/a', destination='\0abstract')
    assert read(v2(b'/x'.ljust(108, b'x') + bytes(108), family=0x32)) == ProxyHeader(
        2, source='/' + 'x' * 107, destination='', transport='DGRAM')


@pytest.mark.parametrize('block', [b'', V4, bytes(300), b'\xff' * 7])
@pytest.mark.parametrize('family', [0x00, 0x11, 0x31, 0xFF])
def test_of_a_local_connection_all_else_is_ignored(family: int, block: bytes) -> None:
    header = read(v2(block, command=0x20, family=family))
    assert header == ProxyHeader(2, Command.LOCAL, None, None, None)
    assert header.is_local
    assert header.isLocal


@pytest.mark.parametrize('family', [0x00, 0x01, 0x02, 0x10, 0x20, 0x30])
@pytest.mark.parametrize('block', [b'', V4, b'\xff' * 250])
def test_of_an_unspecified_one_the_real_ends_count(family: int, block: bytes) -> None:
    assert read(v2(block, family=family)) == ProxyHeader(2, Command.PROXY, None, None, None)


def test_the_longest_header_is_read() -> None:
    value = b'x' * (0xFFFF - 12 - 3)
    header = HeaderParser()
    data = v2(V4 + tlv(0xE0, value))
    assert len(data) == MAX_V2
    assert header.feed(data[:60_000]) == 60_000
    assert header.wanted == MAX_V2 - 60_000
    assert header.feed(data[60_000:] + b'x') == MAX_V2 - 60_000
    assert header.header is not None
    assert header.header.value(0xE0) == value


def test_who_wants_no_more_than_so_many_bytes_says_so() -> None:
    parser = HeaderParser(max_size=31)
    assert parser.feed(v2(V4 + b'\x04\0\0')) == 31
    parser = HeaderParser(max_size=30)
    with pytest.raises(gnet.CodedValueError, match='it has more than 30 bytes'):
        parser.feed(v2(size=15)[:16])


@pytest.mark.parametrize('data', [
    b'\n', b'\0', b'\r\r', SIGNATURE[:11] + b'\r', b'\r\n\r\n\0\r\nQUIT\r',
    SIGNATURE + b'\x11', SIGNATURE + b'\x31', SIGNATURE + b'\x01', SIGNATURE + b'\xf1',  # version
    SIGNATURE + b'\x22', SIGNATURE + b'\x2f',  # command
    SIGNATURE + b'\x21\x41', SIGNATURE + b'\x21\xf1', SIGNATURE + b'\x21\x13',  # family, protocol
    SIGNATURE + b'\x21\x1f', SIGNATURE + b'\x21\x40', SIGNATURE + b'\x21\x03',
    SIGNATURE + b'\x21\x11\0\x0b', SIGNATURE + b'\x21\x11\0\0', SIGNATURE + b'\x21\x12\0\x0b',
    SIGNATURE + b'\x21\x21\0\x23', SIGNATURE + b'\x21\x22\0\x0c', SIGNATURE + b'\x21\x31\0\xd7',
    v2(V4 + b'\x01'), v2(V4 + b'\x01\x00'), v2(V4 + b'\x01\x00\x01'),  # values that are cut
    v2(V4 + tlv(1, b'h2') + b'\x04\xff\xffx'),
    v2(V4 + tlv(5, bytes(129))),
    v2(V4 + tlv(0x20, b'')), v2(V4 + tlv(0x20, b'\x01\0\0\0')),
    v2(V4 + tlv(0x20, b'\x01\0\0\0\0\x21\x00')),
    v2(V4 + tlv(0x20, b'\x01\0\0\0\0\x21\0\x09TLSv1.3')),
    v2(V4 + tlv(3, b'')), v2(V4 + tlv(3, b'\0\0\0')), v2(V4 + tlv(3, bytes(5))),
    v2(V4 + tlv(3, b'\1\2\3\4')), v2(V4 + tlv(3, bytes(4)) * 2),
])
def test_what_is_no_header_of_version_2_is_refused(data: bytes) -> None:
    assert refusals(data) == ['ERR_PROXY_PROTOCOL'] * 2


def test_it_is_refused_with_the_first_byte_that_is_wrong() -> None:
    for good, bad in ((SIGNATURE[:5], b'\n'), (b'PROX', b'I'), (SIGNATURE, b'\x10')):
        parser = HeaderParser()
        parser.feed(good)
        with pytest.raises(gnet.CodedValueError):
            parser.feed(bad)


# --- values ---------------------------------------------------------------------------------------


def test_what_a_proxy_says_beside_addresses() -> None:
    ssl = b'\x03\0\0\0\0' + b''.join(tlv(kind, value) for kind, value in (
        (0x21, b'TLSv1.3'), (0x22, 'Zoë'.encode()), (0x23, b'ECDHE'), (0x24, b'RSA-SHA256'),
        (0x25, b'RSA2048'), (0x2F, b'not known yet')))
    header = read(v2(V4 + tlv(1, b'h2') + tlv(2, b'example.org') + tlv(4, b'') + tlv(5, b'\0id')
                     + tlv(0x20, ssl) + tlv(0x30, b'blue') + tlv(0xEA, b'vpce')))
    assert (header.alpn, header.authority, header.unique_id, header.netns) == (
        'h2', 'example.org', b'\0id', 'blue')
    assert header.uniqueId == b'\0id'
    assert header.value(0xEA) == b'vpce'
    assert header.ssl == (
        True, True, False, True, 'TLSv1.3', 'Zoë', 'ECDHE', 'RSA-SHA256', 'RSA2048')
    assert [kind for kind, _ in header.tlvs] == [1, 2, 4, 5, 0x20, 0x30, 0xEA]


def test_what_a_proxy_does_not_say_is_none() -> None:
    header = read(v2())
    assert (header.alpn, header.authority, header.unique_id, header.netns) == (None,) * 4
    assert header.ssl is None
    bare = read(v2(V4 + tlv(0x20, b'\0\0\0\0\1'))).ssl
    assert bare == (False, False, False, False, None, None, None, None, None)
    # 0, which is no error, without a certificate.
    assert read(v2(V4 + tlv(0x20, b'\1\0\0\0\0'))).ssl == (
        True, False, False, False, None, None, None, None, None)


def test_a_name_that_is_no_text_costs_nobody_the_connection() -> None:
    assert read(v2(V4 + tlv(2, b'a\xff'))).authority == 'a\\xff'


def test_checksums() -> None:
    assert crc32c(b'') == 0
    assert crc32c(b'123456789') == 0xE3069283
    assert crc32c(bytes(32)) == 0x8A9136AA  # RFC 3720, B.4
    header = ProxyHeader(source=CLIENT, destination=FRONT, tlvs=(
        (1, b'h2'), (3, bytes(4)), (0x30, b'blue')))
    data = header.to_bytes()
    told = read(data)
    assert told.alpn == 'h2'
    assert told.value(3) not in (None, bytes(4))
    # (But for the byte that says that there is one.)
    for place in {*range(16, len(data))} - {data.index(b'\x03\x00\x04')}:
        damaged = bytearray(data)
        damaged[place] ^= 1
        with pytest.raises(gnet.CodedValueError):
            read(bytes(damaged))


# --- writing --------------------------------------------------------------------------------------


@pytest.mark.parametrize('header', [
    ProxyHeader(1, source=CLIENT, destination=FRONT),
    ProxyHeader(1, source=CLIENT6, destination=FRONT6),
    ProxyHeader(1, transport=None),
    ProxyHeader(2, source=CLIENT, destination=FRONT, tlvs=((1, b'h2'), (0xE0, b''))),
    ProxyHeader(2, source=CLIENT6, destination=FRONT6, transport='DGRAM'),
    ProxyHeader(2, source='/run/a', destination='\0abstract', tlvs=((5, b'x' * 128),)),
    ProxyHeader(2, source='', destination='x' * 108),
    ProxyHeader(2, Command.LOCAL, transport=None),
    ProxyHeader(2, transport=None),
])
def test_what_is_written_is_read(header: ProxyHeader) -> None:
    assert read(header.to_bytes()) == header
    assert pickle.loads(pickle.dumps(header)) == header


def test_ends_of_different_families_become_ipv6() -> None:
    header = ProxyHeader(source=CLIENT, destination=FRONT6)
    mapped = gnet.Address('::ffff:192.0.2.1', 'IPv6', 12345)
    assert read(header.to_bytes()) == header._replace(source=mapped)
    assert read(header._replace(version=1).to_bytes()).source == mapped


@pytest.mark.parametrize('header', [
    ProxyHeader(1, Command.LOCAL), ProxyHeader(1, source='/a', destination='/b'),
    ProxyHeader(1, source=CLIENT, destination=FRONT, transport='DGRAM'),
])
def test_version_1_has_no_word_for_it(header: ProxyHeader) -> None:
    assert header.to_bytes() == b'PROXY UNKNOWN\r\n'


def test_a_zone_stays_on_its_machine() -> None:
    near = gnet.Address('fe80::1%lo', 'IPv6', 1)
    header = ProxyHeader(1, source=near, destination=FRONT6)
    assert header.to_bytes() == b'PROXY TCP6 fe80::1 2001:db8::7 1 443\r\n'


@pytest.mark.parametrize('header', [
    ProxyHeader(source='x' * 109, destination=''),
    ProxyHeader(source=gnet.Address('nowhere', 'IPv4', 1), destination=FRONT),
    ProxyHeader(source=CLIENT, destination=FRONT, tlvs=((1, bytes(65536)),)),
    ProxyHeader(source=CLIENT, destination=FRONT, tlvs=((1, bytes(40_000)), (2, bytes(40_000)))),
])
def test_what_no_header_can_say_is_refused(header: ProxyHeader) -> None:
    with pytest.raises(gnet.CodedValueError, match='No valid PROXY protocol header'):
        header.to_bytes()


def test_one_end_of_each_kind_is_not_said() -> None:
    header = ProxyHeader(source='/a', destination=FRONT, tlvs=((1, b'h2'),))
    assert read(header.to_bytes()) == ProxyHeader(2, Command.PROXY, None, None, None)


def test_values_are_put_together_as_they_come() -> None:
    assert pack_tlvs([(1, b'h2'), (4, b'')]) == b'\x01\x00\x02h2\x04\x00\x00'
