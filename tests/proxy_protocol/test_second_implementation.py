"""Random headers, read and written beside the package proxy-protocol of PyPI."""

from __future__ import annotations

import os
import random
import socket
from ipaddress import ip_address
from typing import Any

import pytest

import gnet
from gnet.proxy_protocol import HeaderParser, ProxyHeader

from ..harness.programs import import_package

COUNT = int(os.environ.get('GNET_PROXY_HEADERS', '10000'))
TYPES = (1, 2, 4, 5, 0x30, 0xE0, 0xEF, 0xF7)


@pytest.fixture(scope='module', autouse=True)
def other() -> Any:
    return import_package('proxyprotocol', 'proxy-protocol')


@pytest.fixture(scope='module')
def versions(other: Any) -> dict[int, Any]:
    return {
        1: import_package('proxyprotocol.v1', 'proxy-protocol').ProxyProtocolV1(),
        2: import_package('proxyprotocol.v2', 'proxy-protocol').ProxyProtocolV2()}


def some_end(chance: random.Random, family: str) -> gnet.Address:
    size = 32 if family == 'IPv4' else 128
    number = chance.getrandbits(size) & chance.getrandbits(size) & -1 << chance.randrange(size)
    packed = number.to_bytes(size // 8, 'big')
    text = socket.inet_ntop(socket.AF_INET if size == 32 else socket.AF_INET6, packed)
    return gnet.Address(text, family, chance.randrange(65536))


def some_path(chance: random.Random) -> str:
    return ''.join(chance.choices('/abc.-', k=chance.randrange(109)))


def some_header(chance: random.Random) -> ProxyHeader:
    version = chance.choice((1, 2, 2))
    kind = chance.choice(('IPv4', 'IPv6', 'unix', None) if version == 2 else ('IPv4', 'IPv6', None))
    if kind is None:
        return ProxyHeader(version, transport=None)
    tlvs = {
        type_: chance.randbytes(chance.choice((0, 1, 7, 128))) if type_ not in (2, 0x30) else b'abc'
        for type_ in sorted(chance.sample(TYPES, chance.randrange(4)))} if version == 2 else {}
    ends: Any = [
        some_path(chance) if kind == 'unix' else some_end(chance, kind) for _ in range(2)]
    return ProxyHeader(
        version, source=ends[0], destination=ends[1], tlvs=tuple(tlvs.items()),
        transport=chance.choice(('STREAM', 'DGRAM')) if version == 2 else 'STREAM')


def read(data: bytes) -> ProxyHeader | None:
    """Return what gnet reads; None for no header, or not all of one."""
    parser = HeaderParser()
    try:
        taken = parser.feed(data)
    except gnet.CodedValueError:
        return None
    return parser.header if taken == len(data) else None


def ends(end: Any) -> Any:
    """Return one end in the form of gnet."""
    if not isinstance(end, tuple):
        return end
    address = ip_address(str(end[0]))
    system = socket.AF_INET if address.version == 4 else socket.AF_INET6
    return gnet.Address(
        socket.inet_ntop(system, address.packed), f'IPv{address.version}', end[1])


def path(text: str) -> str:
    """Return a path up to its first NUL, behind which the other one reads on."""
    return text if text.startswith('\0') else text.partition('\0')[0]


def same(header: ProxyHeader, result: Any) -> bool:
    """Whether both say the same."""
    if header.is_local or header.source is None:
        return not result.proxied or str(result.type) == 'ProxyResultType.UNKNOWN'
    if isinstance(header.source, str):
        return (path(result.source), path(result.dest)) == (header.source, header.destination)
    return (ends(result.source), ends(result.dest)) == (header.source, header.destination)


def test_what_one_writes_the_other_one_reads(versions: dict[int, Any]) -> None:
    for seed in range(COUNT // 2):
        chance = random.Random(seed)
        header = some_header(chance)
        written = header.to_bytes()
        assert read(written) == header, seed
        result = versions[header.version].unpack(written)
        assert same(header, result), seed
        # (Of version 1 it writes blanks that end nothing, where nothing is known.)
        if header.source is not None:
            again = versions[header.version].pack(result)
            told = read(again)
            assert told is not None, seed
            if header.version == 2:
                assert {**dict(told.tlvs), 3: b''} == {**dict(header.tlvs), 3: b''}, seed
            assert told._replace(tlvs=()) == header._replace(tlvs=()), seed


def test_what_gnet_reads_of_damaged_ones_the_other_one_reads_too(
    versions: dict[int, Any],
) -> None:
    # (Not the other way round: it takes more than the specification lets pass, such as values that
    # are cut, zeros before a number, and lines of any length.)
    read_all_the_same = 0
    for seed in range(COUNT // 2):
        chance = random.Random(seed)
        written = bytearray(some_header(chance).to_bytes())
        for _ in range(chance.randrange(1, 3)):
            # Most of what can be wrong is at the beginning.
            place = int(len(written) * chance.random() ** 2)
            written[place] ^= 1 << chance.randrange(8)
        data = bytes(written)
        header = read(data)
        if header is None or (header.version == 2 and header.source is None):
            continue  # of an unspecified one the other one reads the addresses
        read_all_the_same += 1
        try:
            result = versions[header.version].unpack(data)
        except UnicodeDecodeError:
            assert isinstance(header.source, str), seed  # a path that is not ASCII
        else:
            assert same(header, result), seed
    assert read_all_the_same > COUNT // 10
