"""The first message of a client, read before OpenSSL sees it.

In it is the name that the client asks for, and its list of ALPN protocols: by them a server chooses
its context, and has as long for that as it takes. What is read here is given to OpenSSL afterwards,
all of it. Nothing is decided about who may connect: what this cannot read, OpenSSL refuses, with
the right alert.
"""

from __future__ import annotations

import struct

from ..node.records import NamedTuple

__all__ = [
    'ClientHello',
    'ClientHelloReader',
    'NoClientHello',
    'parse_client_hello',
]

_HANDSHAKE = 22
_CLIENT_HELLO = 1
_RECORD_HEADER = 5
_MESSAGE_HEADER = 4

#: Bytes in a record at most (RFC 8446 §5.1), and of a message that is waited for: Node's is 1600.
_LARGEST = 16384

#: Bytes of records that are kept for one message, headers included: so that one who sends a byte in
#: each record does not get six times as much.
_MOST = _LARGEST + 64 * _RECORD_HEADER

#: Bytes of a hello before its first field of any length.
_VERSION_AND_RANDOM = 2 + 32

#: The number of an extension, and the size of what is in it.
_EXTENSION = struct.Struct('>HH')

_SERVER_NAME, _ALPN, _SUPPORTED_VERSIONS = 0, 16, 43
_HOST_NAME = 0

_VERSIONS = {
    0x0300: 'SSLv3', 0x0301: 'TLSv1', 0x0302: 'TLSv1.1', 0x0303: 'TLSv1.2', 0x0304: 'TLSv1.3'}


class NoClientHello(ValueError):  # noqa: N818  # it is an answer, and not the program's error
    """What a client has sent is no ClientHello, or one that is too long. OpenSSL may have it."""


class ClientHello(NamedTuple):
    """What a client asks for.

    Attributes:
        server_name: the name, as it was sent; None without.
        alpn_protocols: what it offers, its dearest first; empty if it does not use ALPN.
        versions: that it speaks, such as ``'TLSv1.3'``; those that nobody knows are left out.
    """

    server_name: str | None
    alpn_protocols: tuple[str, ...]
    versions: tuple[str, ...]


class ClientHelloReader:
    """Puts a ClientHello together, from whatever pieces it arrives in.

    Attributes:
        received: all that was fed, to be given to OpenSSL.
    """

    __slots__ = ('_message', '_position', 'received')

    def __init__(self) -> None:
        self.received: bytearray = bytearray()
        self._message = bytearray()
        #: Where the next record begins in what was received.
        self._position = 0

    def feed(self, data: bytes | memoryview) -> ClientHello | None:
        """Take more of what the client has sent; return its hello, or None if that is not all yet.

        Raises:
            NoClientHello: it will never be one. Nothing more is to be fed.
        """
        self.received += data
        message = self._message
        while not _is_whole(message):
            if not self._take_record():
                if len(self.received) > _MOST:
                    raise NoClientHello('too many small records')
                return None
        return _read_hello(bytes(message))

    def _take_record(self) -> bool:
        received, start = self.received, self._position
        # Each byte is looked at when it comes: who does not speak TLS is not waited for.
        there = len(received) - start
        if there >= 1 and received[start] != _HANDSHAKE:
            raise NoClientHello('no handshake record')
        if there >= 2 and received[start + 1] != 3:
            raise NoClientHello('no version of TLS')
        if there < _RECORD_HEADER:
            return False
        length = received[start + 3] << 8 | received[start + 4]
        if not 0 < length <= _LARGEST:
            raise NoClientHello('no length of a record')
        if there >= _RECORD_HEADER + 1 and not self._message and (
                received[start + _RECORD_HEADER] != _CLIENT_HELLO):
            raise NoClientHello('another message')
        end = start + _RECORD_HEADER + length
        if len(received) < end:
            return False
        self._message += received[start + _RECORD_HEADER:end]
        self._position = end
        return True


def parse_client_hello(data: bytes) -> ClientHello | None:
    """Return what is in *data*, records from the first on; None if that is not all of it.

    Raises:
        NoClientHello: it is none.
    """
    return ClientHelloReader().feed(data)


def _is_whole(message: bytearray) -> bool:
    if len(message) < _MESSAGE_HEADER:
        return False
    length = int.from_bytes(message[1:_MESSAGE_HEADER], 'big')
    if length > _LARGEST:
        raise NoClientHello('too long')
    return len(message) >= _MESSAGE_HEADER + length


class _Bytes:
    """Reads fields, one after another; what is not there is no ClientHello."""

    __slots__ = ('data', 'position')

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.position = 0

    def take(self, count: int) -> bytes:
        end = self.position + count
        if end > len(self.data):
            raise NoClientHello('cut off')
        taken = self.data[self.position:end]
        self.position = end
        return taken

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), 'big')

    def vector(self, size: int) -> bytes:
        """Take what has its length before it, in so many bytes."""
        return self.take(self.number(size))

    def is_at_end(self) -> bool:
        return self.position == len(self.data)


def _read_hello(message: bytes) -> ClientHello:
    # By positions, and not by a call for each field, of which there are sixty: that took 20 us.
    end = _MESSAGE_HEADER + int.from_bytes(message[1:_MESSAGE_HEADER], 'big')
    message = message[:end]
    position = _MESSAGE_HEADER + _VERSION_AND_RANDOM
    try:
        position += 1 + message[position]  # the session's id
        position += 2 + (message[position] << 8 | message[position + 1])  # ciphers
        position += 1 + message[position]  # methods of compression
    except IndexError:
        raise NoClientHello('cut off') from None
    name: str | None = None
    protocols: tuple[str, ...] = ()
    versions: tuple[int, ...] = (message[_MESSAGE_HEADER] << 8 | message[_MESSAGE_HEADER + 1],)
    if position != end:
        if position + 2 > end:
            raise NoClientHello('cut off')
        size = message[position] << 8 | message[position + 1]
        position += 2
        if position + size != end:
            raise NoClientHello('cut off' if position + size > end else 'something behind it')
    seen = set()
    while position < end:
        if position + _EXTENSION.size > end:
            raise NoClientHello('cut off')
        kind, size = _EXTENSION.unpack_from(message, position)
        start = position + _EXTENSION.size
        position = start + size
        if position > end:
            raise NoClientHello('cut off')
        if kind in seen:
            raise NoClientHello('an extension twice')
        seen.add(kind)
        if kind == _SERVER_NAME:
            name = _server_name(_Bytes(message[start:position]))
        elif kind == _ALPN:
            protocols = _protocols(_Bytes(message[start:position]))
        elif kind == _SUPPORTED_VERSIONS:
            versions = _versions(message[start:position])
    return ClientHello(
        name, protocols, tuple([_VERSIONS[each] for each in versions if each in _VERSIONS]))


def _whole(content: _Bytes, size: int) -> _Bytes:
    """Return the list that *content* consists of."""
    listed = _Bytes(content.vector(size))
    if not content.is_at_end() or listed.is_at_end():
        raise NoClientHello('no list')
    return listed


def _server_name(content: _Bytes) -> str:
    names = _whole(content, 2)
    if names.number(1) != _HOST_NAME:
        raise NoClientHello('another kind of name')
    name = names.vector(2)
    # RFC 6066 has one name of each kind, in ASCII. OpenSSL refuses NUL as well.
    if not names.is_at_end() or not name or not name.isascii() or b'\0' in name:
        raise NoClientHello('no name')
    return name.decode('ascii')


def _protocols(content: _Bytes) -> tuple[str, ...]:
    names = _whole(content, 2)
    found = []
    while not names.is_at_end():
        name = names.vector(1)
        if not name:
            raise NoClientHello('a protocol without a name')
        # Any bytes will do (RFC 8701 has clients send some that nobody knows).
        found.append(name.decode('latin-1'))
    return tuple(found)


def _versions(content: bytes) -> tuple[int, ...]:
    count, rest = divmod(len(content) - 1, 2)
    if count < 1 or rest or content[0] != 2 * count:
        raise NoClientHello('no list')
    return struct.unpack(f'>{count}H', content[1:])
