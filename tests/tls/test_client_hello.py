"""The first message of a client, in whatever pieces and records it comes."""

from __future__ import annotations

import random
import ssl
import struct

import pytest

from gnet.tls.client_hello import (
    ClientHello,
    ClientHelloReader,
    NoClientHello,
    parse_client_hello,
)


def real_hello(name='www.example.org', protocols=('h2', 'http/1.1'), **settings):
    """Return what OpenSSL sends."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if protocols:
        context.set_alpn_protocols(list(protocols))
    # Python 3.9 offers older ones, too.
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    for setting, value in settings.items():
        setattr(context, setting, value)
    outgoing = ssl.MemoryBIO()
    end = context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname=name)
    with pytest.raises(ssl.SSLWantReadError):
        end.do_handshake()
    return outgoing.read()


def in_records(message, size):
    """Put a handshake message into records of *size* bytes each."""
    pieces = [message[place:place + size] for place in range(0, len(message), size)]
    return b''.join(b'\x16\x03\x01' + struct.pack('>H', len(piece)) + piece for piece in pieces)


def made_hello(*extensions, version=0x0303, tail=b''):
    """Return a hello with these extensions, ``(number, content)``; none at all without any."""
    listed = b''.join(
        struct.pack('>HH', kind, len(content)) + content for kind, content in extensions)
    body = struct.pack('>H', version) + bytes(32) + b'\0' + b'\0\2\x13\x01' + b'\1\0'
    if extensions:
        body += struct.pack('>H', len(listed)) + listed
    body += tail
    return in_records(b'\1' + len(body).to_bytes(3, 'big') + body, 16384)


def name_extension(name, kind=0):
    entry = bytes([kind]) + struct.pack('>H', len(name)) + name
    return 0, struct.pack('>H', len(entry)) + entry


def alpn_extension(*names):
    listed = b''.join(bytes([len(name)]) + name for name in names)
    return 16, struct.pack('>H', len(listed)) + listed


EXPECTED = ClientHello('www.example.org', ('h2', 'http/1.1'), ('TLSv1.3', 'TLSv1.2'))


def test_a_hello_of_openssl_is_read():
    assert parse_client_hello(real_hello()) == EXPECTED


def test_a_hello_without_name_and_protocols_has_none():
    assert parse_client_hello(real_hello(None, ())) == ClientHello(
        None, (), ('TLSv1.3', 'TLSv1.2'))
    assert parse_client_hello(real_hello('127.0.0.1', ())).server_name is None


def test_the_versions_are_those_that_the_client_speaks():
    only = {'maximum_version': ssl.TLSVersion.TLSv1_2}
    assert parse_client_hello(real_hello(**only)).versions == ('TLSv1.2',)
    only = {'minimum_version': ssl.TLSVersion.TLSv1_3}
    assert parse_client_hello(real_hello(**only)).versions == ('TLSv1.3',)
    # Values that nobody knows are there to keep servers tolerant (RFC 8701).
    hello = made_hello((43, b'\x04\x7a\x7a\x03\x04'))
    assert parse_client_hello(hello).versions == ('TLSv1.3',)
    assert parse_client_hello(made_hello(version=0x0301)).versions == ('TLSv1',)


@pytest.mark.parametrize('size', [1, 3, 4, 5, 100, 16384])
def test_it_may_come_in_many_records(size):
    message = real_hello()[5:]
    if size == 1:
        # As many records as that are refused, if the hello is a long one.
        message = made_hello(name_extension(b'a.example'))[5:]
        assert parse_client_hello(in_records(message, 1)).server_name == 'a.example'
    else:
        assert parse_client_hello(in_records(message, size)) == EXPECTED


@pytest.mark.parametrize('size', [1, 2, 7, 516])
@pytest.mark.parametrize('records', [50, 16384])
def test_it_may_come_in_many_pieces(size, records):
    stream = in_records(real_hello()[5:], records)
    reader = ClientHelloReader()
    answers = [reader.feed(stream[place:place + size]) for place in range(0, len(stream), size)]
    assert answers[-1] == EXPECTED
    assert set(answers[:-1]) == {None}
    assert bytes(reader.received) == stream


def test_what_follows_is_kept_for_openssl():
    stream = real_hello() + b'\x17\x03\x03\0\5early'
    reader = ClientHelloReader()
    assert reader.feed(stream) == EXPECTED
    assert bytes(reader.received) == stream


@pytest.mark.parametrize('data', [
    b'G', b'\xff', b'\x80', b'\x15', b'\x16\x02', b'\x16\x03\x01\0\0',
    b'\x16\x03\x01\x40\x01', b'\x16\x03\x01\xff\xff', b'\x16\x03\x01\0\x04\x02',
    b'\x16\x03\x01\0\x04\x01\x00\x40\x01', b'\x16\x03\x01\0\x04\x01\xff\xff\xff',
], ids=repr)
def test_what_is_no_hello_is_not_waited_for(data):
    with pytest.raises(NoClientHello):
        parse_client_hello(data)
    reader = ClientHelloReader()
    assert not any(reader.feed(data[place:place + 1]) for place in range(len(data) - 1))
    with pytest.raises(NoClientHello):
        reader.feed(data[-1:])


def test_an_endless_hello_is_not_kept():
    stream = in_records(b'\1\0\x3f\0' + bytes(0x3F00), 1)
    reader = ClientHelloReader()
    assert not any(reader.feed(stream[place:place + 6]) for place in range(0, 16_704, 6))
    with pytest.raises(NoClientHello):
        reader.feed(stream[16_704:16_710])


@pytest.mark.parametrize('hello', [
    made_hello(name_extension(b'')),
    made_hello(name_extension(b'a\0b')),
    made_hello(name_extension(b'b\xc3\xbccher')),
    made_hello(name_extension(b'a.example', kind=1)),
    made_hello((0, b'')),
    made_hello((0, b'\0\0')),
    made_hello((0, name_extension(b'a')[1] + b'x')),
    made_hello((0, b'\0\x20\0\0\1a')),
    made_hello(name_extension(b'a.example'), name_extension(b'b.example')),
    made_hello(alpn_extension()),
    made_hello(alpn_extension(b'')),
    made_hello((16, b'\0\3\5h2')),
    made_hello((43, b'\3\3\4\3')),
    made_hello((43, b'\0')),
    made_hello((5, b''), tail=b'x'),
    made_hello(tail=b'\0'),
    made_hello(tail=b'\0\1'),
], ids=range(17))
def test_a_damaged_hello_is_left_to_openssl(hello):
    with pytest.raises(NoClientHello):
        parse_client_hello(hello)


def test_protocols_may_be_any_bytes():
    hello = made_hello(alpn_extension(b'\xfa\xfa', b'h2'))
    assert parse_client_hello(hello).alpn_protocols == ('\xfa\xfa', 'h2')


def test_random_damage_is_refused_or_read_but_never_crashes():
    chance = random.Random(20)
    originals = [
        real_hello(), real_hello('a.b.c.example', ('x',)),
        in_records(real_hello()[5:], 90), made_hello(name_extension(b'a'), alpn_extension(b'h2')),
    ]
    read = refused = 0
    for _ in range(4_000):
        data = bytearray(chance.choice(originals))
        for _ in range(chance.randint(1, 4)):
            place = chance.randrange(len(data))
            kind = chance.randrange(4)
            if kind == 0:
                data[place] = chance.randrange(256)
            elif kind == 1:
                del data[place:place + chance.randint(1, 20)]
            elif kind == 2:
                data[place:place] = chance.randbytes(chance.randint(1, 20))
            else:
                data[place:place + 2] = struct.pack('>H', chance.choice([0, 1, 0xFFFF, 0x4000]))
            data = data or bytearray(1)
        try:
            hello = parse_client_hello(bytes(data))
        except NoClientHello:
            refused += 1
        else:
            read += hello is not None
            assert hello is None or isinstance(hello, ClientHello)
    assert read > 100
    assert refused > 100
