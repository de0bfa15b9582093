"""What a server lets in, as options and properties: the limits checked.

Each has one rule, which the option of ``create_server`` and the property of the server share. Node
has none of these but ``maxConnections``; so nothing is converted here, and what is no limit raises.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any

from ..node.coded_errors import invalid_arg_value, out_of_range
from ..node.records import NamedTuple
from ..node.spelling import camel
from ..node.validators import validate_integer, validate_number
from ..node.values import MAX_INT32, UNDEFINED

__all__ = [
    'LIMIT_OPTIONS',
    'NO_LIMITS',
    'FullPolicy',
    'LimitOptions',
    'checked_limit',
    'full_policy',
    'limit_options',
]

#: Bits of an address of either version.
_IPV4_BITS, _IPV6_BITS = 32, 128

#: What one subscriber has of IPv6 at least (RFC 6177): a limit for one address of that is none.
_IPV6_SUBSCRIBER = 64


#: Connections per second: one in 31 years. The time that one takes must be a number to reckon with.
_LOWEST_RATE = 1e-9


# no state: what an option says
class FullPolicy(Enum):
    """What becomes of connections beyond ``max_connections``; the values are the option's."""

    DROP = 'drop'
    WAIT = 'wait'


class LimitOptions(NamedTuple):
    """The limits of a server; None is no limit.

    Attributes:
        max_connections_per_address: open connections of one address.
        connection_rate: new connections in a second.
        connection_rate_per_address: the same of one address.
        connection_burst: how many may come at once after a pause; None: those of one second.
        connection_burst_per_address: the same of one address.
        ipv4_prefix: how many bits of an IPv4 address make it the same one.
        ipv6_prefix: the same of IPv6.
    """

    max_connections_per_address: int | None = None
    connection_rate: float | None = None
    connection_rate_per_address: float | None = None
    connection_burst: int | None = None
    connection_burst_per_address: int | None = None
    ipv4_prefix: int = _IPV4_BITS
    ipv6_prefix: int = _IPV6_SUBSCRIBER

    @property
    def are_any(self) -> bool:
        """Whether there is a limit."""
        return not (
            self.max_connections_per_address is None and self.connection_rate is None
            and self.connection_rate_per_address is None)

    @classmethod
    def of(cls, fields: Any) -> LimitOptions | None:
        """Return what another process sent as such; None if it is none."""
        if not isinstance(fields, list) or len(fields) != len(_CHECKS):
            return None
        try:
            return cls(*(checked_limit(name, value) for name, value in zip(_CHECKS, fields)))
        except (TypeError, ValueError):
            return None


#: Without any.
NO_LIMITS = LimitOptions()

def _count(name: str, value: Any) -> int | None:
    return None if value is None else validate_integer(name, value, 1, MAX_INT32)


def _rate(name: str, value: Any) -> float | None:
    if value is None:
        return None
    if not _LOWEST_RATE <= validate_number(name, value) <= sys.float_info.max:
        raise out_of_range(name, f'>= {_LOWEST_RATE} and finite', value)
    return float(value)


def _prefix(bits: int) -> Callable[[str, Any], int]:
    return lambda name, value: validate_integer(name, value, 1, bits)


#: In the order of the fields.
_CHECKS: dict[str, Callable[[str, Any], Any]] = {
    'max_connections_per_address': _count,
    'connection_rate': _rate,
    'connection_rate_per_address': _rate,
    'connection_burst': _count,
    'connection_burst_per_address': _count,
    'ipv4_prefix': _prefix(_IPV4_BITS),
    'ipv6_prefix': _prefix(_IPV6_BITS),
}

#: The names of the options; ``max_connections`` is checked by nobody, as in Node.
LIMIT_OPTIONS = frozenset({*_CHECKS, 'max_connections', 'max_connections_policy'})


def checked_limit(name: str, value: Any, *, where: str = '') -> Any:
    """Return *value*, what the limit *name* (a field of :class:`LimitOptions`) is set to.

    Args:
        where: stands before the name in errors: ``'options.'``.

    Raises:
        CodedTypeError: ``ERR_INVALID_ARG_TYPE`` when it is no number (None is one where it stands
            for no limit).
        CodedValueError: ``ERR_OUT_OF_RANGE``.
    """
    return _CHECKS[name](where + camel(name), value)


def full_policy(name: str, value: Any) -> FullPolicy:
    """Return *value*, ``'drop'`` or ``'wait'``, as a :class:`FullPolicy`.

    Raises:
        CodedTypeError: ``ERR_INVALID_ARG_VALUE`` for anything else.
    """
    try:
        return FullPolicy(value)
    except ValueError:
        raise invalid_arg_value(name, value, "must be one of: 'drop', 'wait'") from None


def limit_options(options: Mapping[str, Any]) -> LimitOptions:
    """Return the limits among *options*; what is not there is no limit.

    Raises:
        CodedTypeError, CodedValueError: as :func:`checked_limit`.
    """
    return LimitOptions(**{
        name: checked_limit(name, options[name], where='options.')
        for name in _CHECKS if options.get(name, UNDEFINED) is not UNDEFINED})
