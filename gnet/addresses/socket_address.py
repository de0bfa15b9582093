"""IP addresses: what counts as one, and :class:`SocketAddress`, one together with its port.

Node's ``net.isIP``, ``net.isIPv4``, ``net.isIPv6`` and ``net.SocketAddress``. The rules were
measured on Node 24.

Inside gnet an address is also one number: its place among the IPv6 addresses, where an IPv4 address
stands at its IPv4-mapped place ``::ffff:a.b.c.d`` (RFC 4291 §2.5.5.2). That makes
``BlockList`` see both notations of an address as the same one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NoReturn
from urllib.parse import unquote

from ..node.coded_errors import invalid_address, invalid_arg_type, invalid_arg_value, out_of_range
from ..node.inspection import inspect
from ..node.keywords import check_keywords
from ..node.spelling import NodeNames, snake_options
from ..node.validators import MAX_PORT, validate_integer, validate_port
from ..node.values import UNDEFINED, Undefined
from .ip import IPV4_MAPPED_FIRST, canonical, number_or_none, parse_number

__all__ = [
    'SocketAddress',
]

_OPTIONS = frozenset({'address', 'family', 'flowlabel', 'port', 'options'})

#: Highest IPv6 flow label: the field has 20 bits (RFC 8200 §3).
_MAX_FLOWLABEL = 0xF_FFFF

#: What Node checks a flow label against first: any unsigned number of 32 bits.
_MAX_UINT32 = 0xFFFF_FFFF


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
        TypeError: a keyword is no option.
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
        **unknown: NoReturn,
    ) -> None:
        check_keywords('SocketAddress', unknown, _OPTIONS)
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
        self._address = canonical(number, self._family)

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
            number, family = number_or_none('ipv6', host[1:-1]), 'ipv6'
        else:
            number, family = _url_ipv4(unquote(host)), 'ipv4'
        if number is None:
            return None
        return cls(address=canonical(number, family), family=family, port=port)

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
    return address._number  # inside: a program has no use for it


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
