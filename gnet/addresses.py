"""IP addresses: what counts as one, and :class:`SocketAddress`, one together with its port.

Node's ``net.isIP``, ``net.isIPv4``, ``net.isIPv6`` and ``net.SocketAddress``. The rules were
measured on Node 24.

Inside gnet an address is also one number: its place among the IPv6 addresses, where an IPv4 address
stands at its IPv4-mapped place ``::ffff:a.b.c.d`` (RFC 4291 §2.5.5.2). That makes
``BlockList`` see both notations of an address as the same one.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Mapping
from ipaddress import IPv6Address
from typing import Any
from urllib.parse import unquote

from .errors import invalid_address, invalid_arg_type, invalid_arg_value, out_of_range
from .inspection import UNDEFINED, Undefined, inspect
from .names import NodeNames, snake_options
from .validators import MAX_PORT, validate_integer, validate_port

__all__ = ['SocketAddress', 'is_ip', 'is_ipv4', 'is_ipv6']

#: The first of the IPv4-mapped addresses, ``::ffff:0.0.0.0``, as a number.
IPV4_MAPPED_FIRST = 0xFFFF << 32
#: The last of them, ``::ffff:255.255.255.255``.
IPV4_MAPPED_LAST = IPV4_MAPPED_FIRST | 0xFFFF_FFFF

#: Highest IPv6 flow label: the field has 20 bits (RFC 8200 §3).
_MAX_FLOWLABEL = 0xF_FFFF
#: What Node checks a flow label against first: any unsigned number of 32 bits.
_MAX_UINT32 = 0xFFFF_FFFF

#: A zone (``%eth0``) as Node's isIP takes it. RFC 4007 §11.2 would allow more characters.
_ZONE = re.compile(r'[0-9A-Za-z.:-]+')


# --- what is an address -------------------------------------------------------------------------


def is_ip(value: object) -> int:
    """Tell which kind of IP address *value* is: 4, 6, or 0 for none.

    The whole text must be the address: no blanks, brackets, ports, prefix lengths, or leading zeros
    in an IPv4 part. An IPv6 address may name a zone (``'fe80::1%eth0'``).

    Args:
        value: text, or an object with a text form of its own, such as an
            ``ipaddress.IPv4Address``. Bytes are read as ASCII (Node does so with a Buffer).
            Anything else (None, a number, a list) is no address.
    """
    text = _text_of(value)
    if _number('ipv4', text) is not None:
        return 4
    return 6 if _is_ipv6_text(text) else 0


def is_ipv4(value: object) -> bool:
    """Tell whether *value* is an IPv4 address, by the rules of :func:`is_ip`."""
    return _number('ipv4', _text_of(value)) is not None


def is_ipv6(value: object) -> bool:
    """Tell whether *value* is an IPv6 address, by the rules of :func:`is_ip`."""
    return _is_ipv6_text(_text_of(value))


def _text_of(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, (bytes, bytearray)):
        # No address has a byte above 127, so any superset of ASCII that takes every byte will do.
        return value.decode('latin-1')
    # Without a __str__ of its own, str() would only give the programmer's view, and of a list or
    # an int it can be very long.
    return '' if type(value).__str__ is object.__str__ else str(value)


def _is_ipv6_text(text: str) -> bool:
    address, percent, zone = text.partition('%')
    if percent and not _ZONE.fullmatch(zone):
        return False
    return _number('ipv6', address) is not None


# --- text and number ----------------------------------------------------------------------------


def _number(family: str, text: str) -> int | None:
    try:
        if family == 'ipv4':
            return IPV4_MAPPED_FIRST | int.from_bytes(socket.inet_pton(socket.AF_INET, text), 'big')
        return int.from_bytes(socket.inet_pton(socket.AF_INET6, text), 'big')
    # ValueError: a NUL inside, or half of a surrogate pair.
    except (OSError, ValueError):
        return None


def parse_number(text: str, family: str) -> int | None:
    """Return the place of an address among the IPv6 addresses, or None when *text* is none.

    Args:
        text: the address. Of an IPv6 address the zone, whatever it is, is left out.
        family: ``'ipv4'`` or ``'ipv6'``; for any other family there are no addresses.
    """
    if family == 'ipv4':
        return _number(family, text)
    if family == 'ipv6':
        return _number(family, text.partition('%')[0])
    return None


def _canonical(number: int, family: str) -> str:
    # inet_ntop(3) would do on glibc, but macOS and musl write some IPv6 addresses differently from
    # Node. So does ipaddress, depending on its version, with those that end in a dotted address.
    high, low = number >> 32, number & 0xFFFF_FFFF
    dotted = '.'.join(map(str, low.to_bytes(4, 'big')))
    if family == 'ipv4':
        return dotted
    if high == 0xFFFF:
        return '::ffff:' + dotted
    # The old IPv4-compatible form (RFC 4291 §2.5.5.1), except for the likes of '::1'.
    if high == 0 and low >> 16:
        return '::' + dotted
    return str(IPv6Address(number))


# --- an address and a port ----------------------------------------------------------------------


class SocketAddress(NodeNames):
    """An IP address with a port, as Node's ``net.SocketAddress``; it cannot be changed.

    Two of them are equal when all four properties are.

    Args:
        options: the arguments below as a mapping, or another SocketAddress. Keywords win.
        address: an address of the family; a zone is dropped. Default: ``'127.0.0.1'``, or
            ``'::'``. The default looks for exactly ``family='ipv4'``: in any other case of letters
            an IPv4 address must be given, as in Node.
        family: ``'ipv4'`` (default) or ``'ipv6'``, in any case of letters.
        port: 0 (default) to 65535; text in JavaScript's number syntax will do.
        flowlabel: the IPv6 flow label, 0 (default) to 1048575. With IPv4 it reads back as 0.

    Raises:
        CodedTypeError: ``ERR_INVALID_ARG_TYPE`` or ``ERR_INVALID_ARG_VALUE`` for an argument of the
            wrong kind, None included.
        CodedValueError: ``ERR_SOCKET_BAD_PORT``; ``ERR_OUT_OF_RANGE`` for the flow label (where
            Node, above 20 bits, ends the process).
        CodedRuntimeError: ``ERR_INVALID_ADDRESS`` when *address* is none of that family.
    """

    __slots__ = ('_address', '_family', '_flowlabel', '_number', '_port')

    def __init__(
        self,
        options: Mapping[str, Any] | SocketAddress | Undefined = UNDEFINED,
        *,
        address: str | Undefined = UNDEFINED,
        family: str | Undefined = UNDEFINED,
        port: int | str | Undefined = UNDEFINED,
        flowlabel: int | Undefined = UNDEFINED,
    ) -> None:
        if options is not UNDEFINED:
            given = _options(options)
            address = given.get('address', UNDEFINED) if address is UNDEFINED else address
            family = given.get('family', UNDEFINED) if family is UNDEFINED else family
            port = given.get('port', UNDEFINED) if port is UNDEFINED else port
            flowlabel = given.get('flowlabel', UNDEFINED) if flowlabel is UNDEFINED else flowlabel
        if family is UNDEFINED:
            family = 'ipv4'
        self._family = family.lower() if isinstance(family, str) else ''
        if self._family not in ('ipv4', 'ipv6'):
            raise invalid_arg_value('options.family', family)
        if address is UNDEFINED:
            address = '127.0.0.1' if family == 'ipv4' else '::'
        if not isinstance(address, str):
            raise invalid_arg_type('options.address', 'of type string', address)
        self._port = 0 if port is UNDEFINED else validate_port('options.port', port)
        self._flowlabel = 0 if flowlabel is UNDEFINED else _flowlabel(flowlabel)
        if self._family == 'ipv4':
            self._flowlabel = 0
        number = parse_number(address, self._family)
        if number is None:
            raise invalid_address()
        self._number = number
        self._address = _canonical(number, self._family)

    @property
    def address(self) -> str:
        """The address in canonical form: lower case, ``::`` for the longest run of zeros."""
        return self._address

    @property
    def port(self) -> int:
        """The port, 0 to 65535."""
        return self._port

    @property
    def family(self) -> str:
        """``'ipv4'`` or ``'ipv6'``."""
        return self._family

    @property
    def flowlabel(self) -> int:
        """The IPv6 flow label, 0 to 1048575."""
        return self._flowlabel

    @classmethod
    def parse(cls, text: str) -> SocketAddress | None:
        """Read ``'1.2.3.4:80'``, ``'1.2.3.4'``, ``'[::1]:80'`` or ``'[::1]'``; None if it is none.

        Node reads *text* as the part of a URL behind ``http://``, and so does this. Hence the port
        80, the default of ``http``, is read as 0; ``'127.1'`` and ``'0x7f.1'`` are addresses; a
        user name before ``@`` and a path behind the port are passed over. Digits outside ASCII,
        which a URL may use, are not read.

        Raises:
            CodedTypeError: ``ERR_INVALID_ARG_TYPE`` when *text* is no string.
        """
        if not isinstance(text, str):
            raise invalid_arg_type('input', 'of type string', text)
        parts = _split_url(text)
        if parts is None:
            return None
        host, port = parts
        if host.startswith('['):
            number, family = _number('ipv6', host[1:-1]), 'ipv6'
        else:
            number, family = _url_ipv4(unquote(host)), 'ipv4'
        if number is None:
            return None
        return cls(address=_canonical(number, family), family=family, port=port)

    @staticmethod
    def is_socket_address(value: object) -> bool:
        """Tell whether *value* is a SocketAddress."""
        return isinstance(value, SocketAddress)

    def to_json(self) -> dict[str, Any]:
        """Return the four properties: ``address``, ``port``, ``family``, ``flowlabel``."""
        return {
            'address': self._address, 'port': self._port,
            'family': self._family, 'flowlabel': self._flowlabel,
        }

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, SocketAddress):
            return NotImplemented
        return self.to_json() == other.to_json()

    def __hash__(self) -> int:
        return hash((self._address, self._port, self._flowlabel))

    def __repr__(self) -> str:
        return f'{type(self).__name__} {inspect(self.to_json())}'


def number_of(address: SocketAddress) -> int:
    """Return the place of *address* among the IPv6 addresses."""
    return address._number


def _options(options: object) -> Mapping[str, Any]:
    if isinstance(options, SocketAddress):
        return options.to_json()
    if not isinstance(options, Mapping):
        raise invalid_arg_type('options', 'of type object', options)
    return snake_options(options)


def _flowlabel(value: object) -> int:
    number = validate_integer('options.flowlabel', value, 0, _MAX_UINT32)
    if number > _MAX_FLOWLABEL:
        # Node has no text for this: it aborts. This one names the limit that holds.
        raise out_of_range('options.flowlabel', f'>= 0 && <= {_MAX_FLOWLABEL}', value)
    return number


# --- the URL syntax that parse() takes over -----------------------------------------------------

#: What a URL is stripped of at its end, and what is dropped from within (WHATWG URL §4.4).
_C0_OR_SPACE = ''.join(map(chr, range(0x21)))
_TAB_OR_NEWLINE = {ord(character): None for character in '\t\n\r'}
_AUTHORITY_END = re.compile(r'[/\\?#]')
_HOST_AND_PORT = re.compile(r'(\[[^\]]*\]|[^:\[\]]+)(?::0*([0-9]{0,5}))?')
_DEFAULT_PORT = 80

#: The numbers of an IPv4 address in a URL: hexadecimal, octal, decimal (WHATWG URL §3.5).
_URL_NUMBERS = (
    (16, re.compile(r'0[xX]([0-9a-fA-F]*)')),
    (8, re.compile(r'0([0-7]*)')),
    # The highest is 4294967295, so more digits are out of range; int() would refuse thousands.
    (10, re.compile(r'([1-9][0-9]{0,9})')),
)


def _split_url(text: str) -> tuple[str, int] | None:
    """Return host and port of what stands behind ``http://`` in a URL; None if it is malformed."""
    text = text.rstrip(_C0_OR_SPACE).translate(_TAB_OR_NEWLINE).lstrip('/\\')
    authority = _AUTHORITY_END.split(text, maxsplit=1)[0]
    match = _HOST_AND_PORT.fullmatch(authority.rpartition('@')[2])
    if match is None:
        return None
    port = int(match[2] or 0)
    if port > MAX_PORT:
        return None
    return match[1], 0 if port == _DEFAULT_PORT else port


def _url_ipv4(host: str) -> int | None:
    parts = host.split('.')
    if len(parts) > 1 and not parts[-1]:
        parts.pop()
    if len(parts) > 4:
        return None
    value = 0
    for index, part in enumerate(parts):
        number = _url_number(part)
        # The last number fills all bytes that the earlier ones have left.
        size = 1 if index < len(parts) - 1 else 4 - index
        if number is None or number >= 256 ** size:
            return None
        value = value << 8 * size | number
    return IPV4_MAPPED_FIRST | value


def _url_number(text: str) -> int | None:
    for base, pattern in _URL_NUMBERS:
        match = pattern.fullmatch(text)
        if match is not None:
            return int(match[1] or '0', base)
    return None
