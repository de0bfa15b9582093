"""``BlockList``: which addresses are refused, by address, range and subnet.

Node's ``net.BlockList``, with the members of its newest releases; the rules were measured on Node
24. A server asks :meth:`BlockList.check` once for each connection, so a check takes a look-up in a
dictionary for the addresses, one for each length of prefix in use for the subnets, and a binary
search for the ranges, however many rules there are.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, ClassVar

from ..node.coded_errors import invalid_arg_type, invalid_arg_value
from ..node.inspection import inspect
from ..node.spelling import NodeNames
from ..node.validators import validate_integer
from .ip import IPV4_MAPPED_FIRST, IPV4_MAPPED_LAST, parse_number
from .number_index import BITS, RangeIndex, SubnetIndex
from .rule_texts import RuleTexts
from .socket_address import SocketAddress, number_of

__all__ = [
    'BlockList',
]

#: Longest prefix of each family: the bits of an address.
_PREFIX_LIMITS = {'ipv4': 32, 'ipv6': BITS}
_FAMILY_NAMES = {'ipv4': 'IPv4', 'ipv6': 'IPv6'}

#: Plain decimal without leading zeros. Node takes no number for an integer that JavaScript cannot
#: hold exactly; up to 15 digits it always can.
_PREFIX_LENGTH = re.compile(r'0|-?[1-9][0-9]{0,14}')

#: Items of a list that Node's ``util.inspect`` shows.
_MAX_SHOWN = 100

# The texts of the rules, to read them back. The dot in an IPv6 address is for the mapped ones,
# which Node 24 misreads. The end of a range may be of another family than its start.
_IPV4_TEXT = r'[0-9]{1,3}(?:\.[0-9]{1,3}){3}'
_IPV6_TEXT = r'[0-9A-Fa-f:.]+(?:%[0-9A-Za-z.:_]+)?'
_RULE_TEXTS = tuple(
    (kind, family, re.compile(f'{kind}: {name} ({text}){rest}'))
    for family, name, text in (('ipv4', 'IPv4', _IPV4_TEXT), ('ipv6', 'IPv6', _IPV6_TEXT))
    for kind, rest in (('Address', ''), ('Subnet', '/([0-9]{1,3})'), ('Range', f'-({_IPV6_TEXT})'))
)


class BlockList(NodeNames):
    """Rules about addresses, and whether an address falls under one of them.

    Wherever an address is expected, it is text together with *family* (``'ipv4'``, the default, or
    ``'ipv6'``, in any case of letters), or a :class:`SocketAddress`, which has its own family and
    whose port does not matter.

    An IPv4 rule also applies to the IPv4-mapped form of an address (``::ffff:a.b.c.d``, however it
    is written), and a rule about mapped addresses to the plain IPv4 address. Of two equal
    addresses one is kept; equal subnets and ranges are all kept, and each removal takes one away.

    ``copy.copy`` gives a second handle on the same rules, as Node's structured clone does;
    ``copy.deepcopy`` gives a list of its own. A list is true also while it is empty.

    All methods that take an address raise:

    - CodedTypeError: ``ERR_INVALID_ARG_TYPE`` for an argument of the wrong type,
      ``ERR_INVALID_ARG_VALUE`` for an unknown family.
    - CodedRuntimeError: ``ERR_INVALID_ADDRESS`` when the text is no address of the family.
    """

    #: The networks that are not reachable from the internet (RFC 1918, RFC 4193), loopback and
    #: link-local ones, for :meth:`add_cidrs`.
    PRIVATE_RANGES: ClassVar[tuple[str, ...]] = (
        '10.0.0.0/8',
        '172.16.0.0/12',
        '192.168.0.0/16',
        '127.0.0.0/8',
        '::1/128',
        '169.254.0.0/16',
        'fe80::/10',
        'fc00::/7',
    )

    def __init__(self) -> None:
        # Nothing of this is ever bound anew: copies share it.
        self._addresses: dict[int, str] = {}
        self._subnets = SubnetIndex()
        self._subnet_texts = RuleTexts()
        self._ranges = RangeIndex()
        #: Ranges with an end that is not IPv4-mapped. Node applies them only to what is checked as
        #: IPv6, while a subnet of that kind applies to plain IPv4 addresses as well.
        self._ipv6_ranges = RangeIndex()
        self._range_texts = RuleTexts()

    # --- addresses ---

    def add_address(self, address: str | SocketAddress, family: str = 'ipv4') -> None:
        """Refuse one address."""
        self._add_address(_resolve('address', address, family))

    def add_addresses(
        self, addresses: Sequence[str | SocketAddress], family: str = 'ipv4',
    ) -> None:
        """Refuse every address of a list or tuple; if one is invalid, none is added."""
        _require_array('addresses', addresses)
        _require_text('family', family)
        resolved = [
            _resolve(f'addresses[{index}]', address, family)
            for index, address in enumerate(addresses)
        ]
        for address in resolved:
            self._add_address(address)

    def remove_address(self, address: str | SocketAddress, family: str = 'ipv4') -> None:
        """Undo :meth:`add_address`, by either notation; one without a rule is passed over."""
        self._addresses.pop(number_of(_resolve('address', address, family)), None)

    def _add_address(self, address: SocketAddress) -> None:
        # The text of the notation used last, as in Node.
        self._addresses[number_of(address)] = f'Address: {_describe(address)}'

    # --- ranges ---

    def add_range(
        self, start: str | SocketAddress, end: str | SocketAddress, family: str = 'ipv4',
    ) -> None:
        """Refuse the addresses from *start* to *end*, both included.

        A range with an end outside the IPv4-mapped addresses does not apply to plain IPv4
        addresses. Ends of two families, which only :class:`SocketAddress` can give, make a range of
        the IPv4-mapped addresses between them, if any.

        Raises:
            CodedTypeError: ``ERR_INVALID_ARG_VALUE`` when *end* comes before *start*.
        """
        first, last = _resolve('start', start, family), _resolve('end', end, family)
        comparable = first.family == last.family or (_is_mapped(first) and _is_mapped(last))
        if comparable and number_of(first) > number_of(last):
            raise invalid_arg_value('start', first, 'must come before end')
        self._range_texts.add(_range_text(first, last))
        index, low, high = self._place(first, last)
        index.add(low, high)

    def remove_range(
        self, start: str | SocketAddress, end: str | SocketAddress, family: str = 'ipv4',
    ) -> None:
        """Undo one :meth:`add_range` with the same ends; a range without a rule is passed over."""
        first, last = _resolve('start', start, family), _resolve('end', end, family)
        if self._range_texts.remove(_range_text(first, last)):
            index, low, high = self._place(first, last)
            index.remove(low, high)

    def _place(self, first: SocketAddress, last: SocketAddress) -> tuple[RangeIndex, int, int]:
        """Return the index in which a range belongs, and its limits there."""
        low, high = number_of(first), number_of(last)
        if _is_mapped(first) and _is_mapped(last):
            return self._ranges, low, high
        if first.family != last.family:
            # Only a mapped address can be compared with an IPv4 one.
            low, high = max(low, IPV4_MAPPED_FIRST), min(high, IPV4_MAPPED_LAST)
        return self._ipv6_ranges, low, high

    # --- subnets ---

    def add_subnet(
        self, network: str | SocketAddress, prefix: int, family: str = 'ipv4',
    ) -> None:
        """Refuse a subnet.

        Args:
            network: any address of it; the rule keeps it as it is given.
            prefix: how many leading bits the addresses have in common, 0 to 32, or 128 for IPv6.
            family: the family of *network*.

        Raises:
            CodedValueError: ``ERR_OUT_OF_RANGE`` for a prefix that is no such number.
        """
        address, length = _resolve_subnet(network, prefix, family)
        self._subnet_texts.add(_subnet_text(address, length))
        self._subnets.add(number_of(address), _ipv6_prefix(address, length))

    def remove_subnet(
        self, network: str | SocketAddress, prefix: int, family: str = 'ipv4',
    ) -> None:
        """Undo one :meth:`add_subnet` with the same address; one without a rule is passed over."""
        address, length = _resolve_subnet(network, prefix, family)
        if self._subnet_texts.remove(_subnet_text(address, length)):
            self._subnets.remove(number_of(address), _ipv6_prefix(address, length))

    def add_cidr(self, cidr: str) -> None:
        """Refuse the subnet written as ``'10.0.0.0/8'`` or ``'fc00::/7'``.

        Raises:
            CodedTypeError: ``ERR_INVALID_ARG_VALUE`` without a slash, or when no plain decimal
                number comes behind it.
            CodedValueError: ``ERR_OUT_OF_RANGE`` for a prefix length that the family has not.
        """
        self.add_subnet(*_split_cidr('cidr', cidr))

    def add_cidrs(self, cidrs: Sequence[str]) -> None:
        """Refuse every subnet of a list or tuple.

        The form of all texts is checked before the first is added; an invalid address or a prefix
        length out of range only ends the work, as in Node.
        """
        _require_array('cidrs', cidrs)
        parts = [_split_cidr(f'cidrs[{index}]', cidr) for index, cidr in enumerate(cidrs)]
        for network, prefix, family in parts:
            self.add_subnet(network, prefix, family)

    def remove_cidr(self, cidr: str) -> None:
        """Undo one :meth:`add_cidr`; a subnet without a rule is passed over."""
        self.remove_subnet(*_split_cidr('cidr', cidr))

    # --- all rules ---

    def check(self, address: str | SocketAddress, family: str = 'ipv4') -> bool:
        """Tell whether a rule applies to an address.

        Text that is no address of the family, and an unknown family, fall under no rule and are no
        error.

        After a change to the ranges, the next check brings their order up to date: a moment for a
        few new ones, a sort of all ranges after many or after a removal.

        Raises:
            CodedTypeError: ``ERR_INVALID_ARG_TYPE`` when an argument is no text.
        """
        if isinstance(address, SocketAddress):
            family = address.family
            number: int | None = number_of(address)
        else:
            _require_text('address', address)
            _require_text('family', family)
            family = family.lower()
            number = parse_number(address, family)
        if number is None:
            return False
        return (
            number in self._addresses
            or number in self._subnets
            or number in self._ranges
            or (family == 'ipv6' and number in self._ipv6_ranges)
        )

    def clear(self) -> None:
        """Remove every rule."""
        self._addresses.clear()
        self._subnets.clear()
        self._subnet_texts.clear()
        self._ranges.clear()
        self._ipv6_ranges.clear()
        self._range_texts.clear()

    @property
    def size(self) -> int:
        """How many rules there are."""
        return len(self._addresses) + len(self._subnet_texts) + len(self._range_texts)

    @property
    def rules(self) -> list[str]:
        """The rules as a new list of texts: addresses, then subnets, then ranges, newest first.

        For example ``'Address: IPv4 1.2.3.4'``, ``'Subnet: IPv6 fc00::/7'`` and
        ``'Range: IPv4 1.2.3.4-1.2.3.9'``.
        """
        return [
            *reversed(list(self._addresses.values())),
            *self._subnet_texts.newest_first(),
            *self._range_texts.newest_first(),
        ]

    def to_json(self) -> list[str]:
        """Return :attr:`rules`, which :meth:`from_json` reads."""
        return self.rules

    def from_json(self, data: Sequence[str] | str) -> None:
        """Add rules from their texts; those that are there already stay.

        A text that is no rule is passed over, as in Node. An invalid rule (an impossible address, a
        prefix out of range, a reversed range) raises as the method that adds it would, and the
        rules before it stay.

        Args:
            data: a list or tuple of the texts that :attr:`rules` gives, or the same as JSON text.

        Raises:
            json.JSONDecodeError: a ValueError; the text is no JSON (Node's ``SyntaxError``).
            CodedTypeError: ``ERR_INVALID_ARG_TYPE`` for anything but texts.
        """
        import json  # few programs read a list from text

        parsed: Any = json.loads(data) if isinstance(data, str) else data
        if not isinstance(parsed, (list, tuple)) or not all(isinstance(t, str) for t in parsed):
            raise invalid_arg_type('data', 'of type string or string[]', parsed)
        for text in parsed:
            self._add_rule(text.strip())

    def _add_rule(self, text: str) -> None:
        for kind, family, pattern in _RULE_TEXTS:
            match = pattern.fullmatch(text)
            if match is None:
                continue
            address = SocketAddress(address=match[1], family=family)
            if kind == 'Address':
                self.add_address(address)
            elif kind == 'Subnet':
                self.add_subnet(address, int(match[2]))
            else:
                self.add_range(address, match[2], 'ipv6' if ':' in match[2] else 'ipv4')

    @staticmethod
    def is_block_list(value: object) -> bool:
        """Tell whether *value* is a BlockList."""
        return isinstance(value, BlockList)

    def __repr__(self) -> str:
        shown: list[Any] = self.rules
        if len(shown) > _MAX_SHOWN:
            shown[_MAX_SHOWN:] = [_Ellipsis(len(shown) - _MAX_SHOWN)]
        return f'{type(self).__name__} {inspect({"rules": shown})}'


def _require_text(name: str, value: object) -> None:
    if not isinstance(value, str):
        raise invalid_arg_type(name, 'of type string', value)


def _require_array(name: str, value: object) -> None:
    if not isinstance(value, (list, tuple)):
        raise invalid_arg_type(name, 'an instance of Array', value)


def _resolve(name: str, address: str | SocketAddress, family: str) -> SocketAddress:
    if isinstance(address, SocketAddress):
        return address
    _require_text(name, address)
    _require_text('family', family)
    return SocketAddress(address=address, family=family)


def _resolve_subnet(
    network: str | SocketAddress, prefix: int, family: str,
) -> tuple[SocketAddress, int]:
    address = _resolve('network', network, family)
    return address, validate_integer('prefix', prefix, 0, _PREFIX_LIMITS[address.family])


def _split_cidr(name: str, cidr: str) -> tuple[str, int, str]:
    """Return the arguments of ``add_subnet`` for ``'10.0.0.0/8'``."""
    _require_text(name, cidr)
    network, slash, length = cidr.rpartition('/')
    if not slash:
        raise invalid_arg_value(
            'cidr', cidr, 'must contain a prefix length (e.g. "10.0.0.0/8")',
        )
    if not _PREFIX_LENGTH.fullmatch(length):
        raise invalid_arg_value('cidr', cidr, 'prefix length must be a valid integer')
    return network, int(length), 'ipv6' if ':' in network else 'ipv4'


def _is_mapped(address: SocketAddress) -> bool:
    return IPV4_MAPPED_FIRST <= number_of(address) <= IPV4_MAPPED_LAST


def _ipv6_prefix(address: SocketAddress, length: int) -> int:
    """Return the length of a prefix among the IPv6 addresses, where the IPv4 ones share 96 bits."""
    return length + BITS - _PREFIX_LIMITS[address.family]


def _describe(address: SocketAddress) -> str:
    return f'{_FAMILY_NAMES[address.family]} {address.address}'


def _subnet_text(network: SocketAddress, length: int) -> str:
    return f'Subnet: {_describe(network)}/{length}'


def _range_text(first: SocketAddress, last: SocketAddress) -> str:
    return f'Range: {_describe(first)}-{last.address}'


class _Ellipsis:
    """Stands in an inspected list for the items that are not shown."""

    def __init__(self, count: int) -> None:
        self._count = count

    def __repr__(self) -> str:
        return f'... {self._count} more item{"" if self._count == 1 else "s"}'
