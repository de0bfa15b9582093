"""The header of the PROXY protocol, versions 1 and 2: read piece by piece, and written. No I/O.

A load balancer puts it in front of all else that it sends, and says in it whose connection it is.
The numbers in the comments are sections of the specification, "The PROXY protocol, versions 1 & 2"
by Willy Tarreau, in the edition that comes with HAProxy 2.6 (``doc/proxy-protocol.txt``).
"""

from __future__ import annotations

import os
import socket
from enum import Enum
from typing import NamedTuple, Union

from ..addresses.ends import Address
from ..addresses.ip import number_or_none
from ..node.coded_errors import proxy_protocol_error
from ..node.spelling import NodeNames
from ..node.validators import MAX_PORT
from .tlvs import (
    ALPN,
    AUTHORITY,
    NETNS,
    SSL,
    UNIQUE_ID,
    ProxySSL,
    Tlvs,
    check_tlvs,
    checked_tlvs,
    pack_tlvs,
    read_ssl,
    read_tlvs,
    text_of,
    with_checksum,
)

__all__ = [
    'MAX_V1',
    'MAX_V2',
    'Command',
    'HeaderParser',
    'ProxyHeader',
]

#: Bytes of a header of version 1 at most, its CRLF included (2.1).
MAX_V1 = 107
_V1_START = b'PROXY '
_CRLF = b'\r\n'

#: How a header of version 2 begins; the version and the command, the family and the protocol, and
#: the length of the rest follow (2.2).
_SIGNATURE = b'\r\n\r\n\0\r\nQUIT\n'
_V2_FIXED = 16
MAX_V2 = _V2_FIXED + 0xFFFF
_V2 = 2

_UNSPEC, _INET, _INET6, _UNIX = range(4)
_FAMILIES = {_INET: ('IPv4', socket.AF_INET, 4), _INET6: ('IPv6', socket.AF_INET6, 16)}
#: Bytes of both addresses, with the ports.
_ADDRESSES_SIZE = {_INET: 12, _INET6: 36, _UNIX: 216}
_PATH_SIZE = 108
_TRANSPORTS = {0: None, 1: 'STREAM', 2: 'DGRAM'}

#: One end of a proxied connection: of TCP or UDP; the path of a unix socket; or not known.
End = Union[Address, str, None]


# no state: what a header says
class Command(Enum):
    """Whose connection it is (2.2)."""

    LOCAL = 0  # the proxy's own: a health check
    PROXY = 1  # that of a client


#: The bits of the commands. (The value of a member of an Enum is asked for by a call.)
_LOCAL, _PROXY = Command.LOCAL.value, Command.PROXY.value


class _Header(NamedTuple):
    version: int = _V2
    command: Command = Command.PROXY
    source: End = None
    destination: End = None
    transport: str | None = 'STREAM'
    tlvs: Tlvs = ()
    peer: Address | None = None


class ProxyHeader(_Header, NodeNames):
    """What a header says.

    Attributes:
        version: 1 or 2.
        command: :attr:`Command.PROXY`, or :attr:`Command.LOCAL` for a connection of the proxy's
            own, such as a health check.
        source: where the client is: an :class:`gnet.Address`, or the path of a unix socket. None
            for a connection of the proxy's own, and where the proxy does not know.
        destination: to which address of the proxy it has connected.
        transport: ``'STREAM'`` or ``'DGRAM'``: by what it has; None where that is not known.
        tlvs: all values of version 2, as pairs of a type and bytes, in their order.
        peer: who has sent the header: the proxy's address, where it was received by a server.
    """

    __slots__ = ()

    # Once more, because NodeNames gives a second spelling to what the class itself has.
    version: int = _Header.version
    command: Command = _Header.command
    source: End = _Header.source
    destination: End = _Header.destination
    transport: str | None = _Header.transport
    tlvs: Tlvs = _Header.tlvs
    peer: Address | None = _Header.peer

    def value(self, kind: int) -> bytes | None:
        """Return the first value of the type *kind*, or None."""
        return next((value for known, value in self.tlvs if known == kind), None)

    def _text(self, kind: int) -> str | None:
        value = self.value(kind)
        return None if value is None else text_of(value)

    @property
    def alpn(self) -> str | None:
        """The protocol that client and proxy have agreed upon, such as ``'h2'``; else None."""
        return self._text(ALPN)

    @property
    def authority(self) -> str | None:
        """The name of the host that the client has asked for (SNI); else None."""
        return self._text(AUTHORITY)

    @property
    def unique_id(self) -> bytes | None:
        """The proxy's name of this connection, 128 bytes at most; else None."""
        return self.value(UNIQUE_ID)

    @property
    def netns(self) -> str | None:
        """The name of the network namespace; else None."""
        return self._text(NETNS)

    @property
    def ssl(self) -> ProxySSL | None:
        """How the client has come by TLS; None where the proxy says nothing of it."""
        value = self.value(SSL)
        return None if value is None else read_ssl(value)

    @property
    def is_local(self) -> bool:
        """Whether the connection is the proxy's own, such as a health check."""
        return self.command is Command.LOCAL

    def to_bytes(self) -> bytes:
        """Return the header as it is sent.

        A value of the type CRC32C is made right, whatever it is. Version 1 has no word for
        anything but TCP, so it says ``UNKNOWN`` of the rest. Addresses of different families become
        IPv6 ones both.

        Raises:
            CodedValueError: ``ERR_PROXY_PROTOCOL``: a path, a value or all of it is too long, or
                something is none of what a header can say.
        """
        _check_written(self)
        return _write_v1(self) if self.version == 1 else _write_v2(self)


class HeaderParser:
    """Reads one header from the beginning of what a connection brings, in whatever pieces.

    ::

        parser = HeaderParser()
        while parser.header is None:
            chunk = receive()
            taken = parser.feed(chunk)
        rest = chunk[taken:]

    Args:
        max_size: bytes of a header of version 2 that are read at most; by default all that there
            can be, 65,551.
    """

    __slots__ = ('_data', '_max_size', '_size', 'header')

    def __init__(self, max_size: int = MAX_V2) -> None:
        self._data = bytearray()
        self._max_size = max_size
        #: Of a header of version 2, when it is known.
        self._size: int | None = None
        #: What it says, when it is complete.
        self.header: ProxyHeader | None = None

    @property
    def wanted(self) -> int:
        """How many bytes more there may be of it, by what is known so far; 0 when it is complete.

        Of version 1 it is never known how many there are: some may be no part of it.
        """
        if self.header is not None:
            return 0
        if self._size is None and self._data.startswith(b'\r'):
            return _V2_FIXED - len(self._data)
        return (MAX_V1 if self._size is None else self._size) - len(self._data)

    @property
    def has_begun(self) -> bool:
        """Whether there was any byte yet."""
        return bool(self._data)

    def feed(self, data: bytes) -> int:
        """Read *data*, and return how many bytes of it are the header's.

        Those behind it are what the client says.

        Raises:
            CodedValueError: ``ERR_PROXY_PROTOCOL``: this is no valid header, which shows as soon as
                it can. The connection is to be ended.
        """
        taken = 0
        while self.header is None and taken < len(data):
            taken += self._feed(data[taken:taken + self.wanted])
        return taken

    def _feed(self, data: bytes) -> int:
        known = self._data
        before = len(known)
        known += data
        # One byte decides (the ends of 2.1 and 2.2): the shortest line has fewer than 16.
        end = self._end_of_v1() if known[:1] == b'P' else self._end_of_v2()
        return len(data) if end is None else end - before

    def _end_of_v1(self) -> int | None:
        text = bytes(self._data)
        if not _V1_START.startswith(text[:len(_V1_START)]):
            raise proxy_protocol_error('it begins neither with "PROXY " nor with the signature')
        end = text.find(_CRLF)
        if end < 0:
            if len(text) >= MAX_V1:
                raise proxy_protocol_error(f'no CRLF within {MAX_V1} bytes')
            if b'\n' in text and not _is_unknown(text):
                raise proxy_protocol_error('a line ends with CRLF')
            return None
        self.header = _read_v1(text[:end])
        return end + len(_CRLF)

    def _end_of_v2(self) -> int | None:
        if self._size is None:
            data = bytes(self._data[:_V2_FIXED])
            if not _SIGNATURE.startswith(data[:len(_SIGNATURE)]):
                raise proxy_protocol_error('it begins neither with "PROXY " nor with the signature')
            _check_fixed(data[len(_SIGNATURE):])
            if len(data) < _V2_FIXED:
                return None
            self._size = _V2_FIXED + int.from_bytes(data[14:_V2_FIXED], 'big')
            if self._size > self._max_size:
                raise proxy_protocol_error(f'it has more than {self._max_size} bytes')
        if len(self._data) < self._size:
            return None  # and is not copied for each piece
        self.header = _read_v2(bytes(self._data[:self._size]))
        return self._size


# --- reading --------------------------------------------------------------------------------------


def _is_unknown(text: bytes) -> bool:
    return text[len(_V1_START):].startswith(b'UNKNOWN')


def _read_v1(line: bytes) -> ProxyHeader:
    """Read a line, without its CRLF."""
    words = line.split(b' ')
    if words[1] == b'UNKNOWN':
        # What follows is to be ignored, and the connection's real ends count.
        return ProxyHeader(1, Command.PROXY, None, None, None)
    if words[1] not in (b'TCP4', b'TCP6'):
        raise proxy_protocol_error('its protocol is none of TCP4, TCP6 and UNKNOWN')
    if len(words) != 6:
        raise proxy_protocol_error('it has two addresses and two ports, with one space before each')
    family = _INET if words[1] == b'TCP4' else _INET6
    near, far = (_text_address(family, word) for word in words[2:4])
    from_port, to_port = (_text_port(word) for word in words[4:])
    name = _FAMILIES[family][0]
    return ProxyHeader(
        1, Command.PROXY, Address(near, name, from_port), Address(far, name, to_port))


def _text_address(family: int, word: bytes) -> str:
    name, system, _ = _FAMILIES[family]
    if number_or_none(name.lower(), word.decode('latin-1')) is None:
        raise proxy_protocol_error(f'an address is no {name} address')
    return socket.inet_ntop(system, socket.inet_pton(system, word.decode('ascii')))


def _text_port(word: bytes) -> int:
    if not word.isdigit() or len(word) > 5 or (word[:1] == b'0' and len(word) > 1) or (
        int(word) > MAX_PORT
    ):
        raise proxy_protocol_error('a port is no number from 0 to 65535, without zeros before it')
    return int(word)


def _check_fixed(rest: bytes) -> None:
    """Look at what follows the signature, as far as it is there."""
    if not rest:
        return
    version, command = rest[0] >> 4, rest[0] & 0x0F
    if version != _V2:
        raise proxy_protocol_error(f'its version is {version}')
    if command > _PROXY:
        raise proxy_protocol_error(f'its command is {command}')
    if len(rest) < 2 or command == _LOCAL:
        return  # of a LOCAL one all else is ignored
    family, transport = rest[1] >> 4, rest[1] & 0x0F
    if family > _UNIX or transport not in _TRANSPORTS:
        raise proxy_protocol_error(f'its family and protocol are {rest[1]:#04x}')
    if len(rest) < 4 or not family or not transport:
        return
    length, least = int.from_bytes(rest[2:4], 'big'), _ADDRESSES_SIZE[family]
    if length < least:
        raise proxy_protocol_error(f'its length is {length}, and its addresses need {least}')


def _read_v2(data: bytes) -> ProxyHeader:
    """Read a header that is complete, and whose fixed part is right."""
    if data[12] & 0x0F == _LOCAL:
        # The block is to be discarded, the family included.
        return ProxyHeader(_V2, Command.LOCAL, None, None, None)
    family, transport = data[13] >> 4, data[13] & 0x0F
    if not family or not transport:
        # Nobody knows how long the addresses are that are to be ignored.
        return ProxyHeader(_V2, Command.PROXY, None, None, None)
    end = _V2_FIXED + _ADDRESSES_SIZE[family]
    source, destination = _read_ends(family, data[_V2_FIXED:end])
    tlvs: Tlvs = ()
    if len(data) > end:
        tlvs = read_tlvs(data[end:])
        check_tlvs(tlvs, data)
    return ProxyHeader(
        _V2, Command.PROXY, source, destination, _TRANSPORTS[transport], tlvs)


def _read_ends(family: int, data: bytes) -> tuple[End, End]:
    if family == _UNIX:
        return _read_path(data[:_PATH_SIZE]), _read_path(data[_PATH_SIZE:])
    name, system, size = _FAMILIES[family]
    ports = 2 * size
    near = socket.inet_ntop(system, data[:size])
    far = socket.inet_ntop(system, data[size:ports])
    return (
        Address(near, name, data[ports] << 8 | data[ports + 1]),
        Address(far, name, data[ports + 2] << 8 | data[ports + 3]))


def _read_path(data: bytes) -> str:
    """Return a path, or an abstract name, which begins with a NUL; nothing if it has none."""
    if data[:1] == b'\0':
        return os.fsdecode(data.rstrip(b'\0'))
    return os.fsdecode(data.partition(b'\0')[0])


# --- writing --------------------------------------------------------------------------------------


def _check_written(header: ProxyHeader) -> None:
    """Look at what a program may have set to anything."""
    if header.version not in (1, _V2):
        raise proxy_protocol_error(f'its version is {header.version!r}')
    if not isinstance(header.command, Command):
        raise proxy_protocol_error(f'its command is {header.command!r}')
    if header.transport not in _TRANSPORTS.values():
        raise proxy_protocol_error(f'its transport is {header.transport!r}')
    for end in (header.source, header.destination):
        if isinstance(end, Address):
            if type(end.port) is not int or not 0 <= end.port <= MAX_PORT:
                raise proxy_protocol_error(f'its port is {end.port!r}')
        elif end is not None and not isinstance(end, str):
            raise proxy_protocol_error(f'{end!r} is no Address, and no path')


def _write_v1(header: ProxyHeader) -> bytes:
    near, far = header.source, header.destination
    if not (
        isinstance(near, Address) and isinstance(far, Address) and header.transport == 'STREAM'
        and header.command is Command.PROXY
    ):
        return b'PROXY UNKNOWN\r\n'
    family = _common_family(near, far)
    words = [_pack_address(family, end) for end in (near, far)]
    system = _FAMILIES[family][1]
    texts = (socket.inet_ntop(system, word) for word in words)
    name = 'TCP4' if family == _INET else 'TCP6'
    return f'PROXY {name} {" ".join(texts)} {near.port} {far.port}\r\n'.encode('ascii')


def _write_v2(header: ProxyHeader) -> bytes:
    tlvs = checked_tlvs(header.tlvs)
    if header.command is Command.LOCAL:
        return _SIGNATURE + bytes([_V2 << 4, 0, 0, 0])
    near, far = header.source, header.destination
    if isinstance(near, Address) and isinstance(far, Address):
        family = _common_family(near, far)
        ends = (
            _pack_address(family, near) + _pack_address(family, far)
            + near.port.to_bytes(2, 'big') + far.port.to_bytes(2, 'big'))
    elif isinstance(near, str) and isinstance(far, str):
        family, ends = _UNIX, _pack_path(near) + _pack_path(far)
    else:
        # Not known, or one of each. What follows would be taken for addresses.
        family, ends, tlvs = _UNSPEC, b'', ()
    numbers = {name: number for number, name in _TRANSPORTS.items()}
    kind = family << 4 | numbers[header.transport] if family else 0
    rest = ends + pack_tlvs(tlvs)
    if len(rest) > 0xFFFF:
        raise proxy_protocol_error(f'a header has {MAX_V2} bytes at most')
    fixed = bytes([_V2 << 4 | _PROXY, kind])
    return with_checksum(_SIGNATURE + fixed + len(rest).to_bytes(2, 'big') + rest, tlvs)


def _common_family(near: Address, far: Address) -> int:
    return _INET if near.family == far.family == 'IPv4' else _INET6


def _pack_address(family: int, end: Address) -> bytes:
    text = end.address.partition('%')[0]  # a zone means something on its own machine
    number = number_or_none(end.family.lower(), text)
    if number is None:
        raise proxy_protocol_error(f'{end.address} is no {end.family} address')
    # (The number of an IPv4 address is that of its IPv6 form, ::ffff:1.2.3.4.)
    return number.to_bytes(16, 'big')[-_FAMILIES[family][2]:]


def _pack_path(path: str) -> bytes:
    encoded = os.fsencode(path)
    if len(encoded) > _PATH_SIZE:
        raise proxy_protocol_error(f'a path has {_PATH_SIZE} bytes at most')
    return encoded.ljust(_PATH_SIZE, b'\0')
