"""Names of events: which of them are the same, and the one that is no string."""

from __future__ import annotations

from collections.abc import Collection, Hashable
from typing import Final

from ..node.inspection import inspect
from ..node.values import UNDEFINED

__all__ = [
    'ErrorMonitor',
    'error_monitor',
    'in_order',
    'name_of',
]

#: JavaScript lists the property names below this number first, in ascending order.
_MAX_ARRAY_INDEX = 2**32 - 2


class ErrorMonitor:
    """The type of :data:`error_monitor`."""

    __slots__ = ()

    def __repr__(self) -> str:
        return 'Symbol(events.errorMonitor)'

    def __reduce__(self) -> str:
        return 'error_monitor'


#: The event whose listeners see every ``'error'`` first and do not count as handling it.
error_monitor: Final = ErrorMonitor()


def name_of(event: Hashable) -> Hashable:
    """Return the key of *event*: what JavaScript turns into a string becomes that string.

    Numbers, bools and None do (``on(5)`` is ``on('5')``); any other object is a name of its own.
    """
    if type(event) is str:
        return event
    if isinstance(event, str):
        # An Enum member that is a str hashes unlike the string it equals.
        return str.__str__(event)
    if event is None or event is UNDEFINED or isinstance(event, bool):
        return inspect(event)
    if isinstance(event, int):
        return int.__repr__(event)
    if isinstance(event, float):
        return _float_name(event)
    # So that no key is ever equal to a number, and emit may look a number up unconverted.
    from numbers import Number  # few names are of another class

    return str(event) if isinstance(event, Number) else event


def _float_name(value: float) -> str:
    if value != value or value in (float('inf'), float('-inf')):
        return inspect(value)
    if value == 0:
        return '0'
    # Python and JavaScript agree on the digits and differ in when they write an exponent, and how.
    mantissa, _, exponent = float.__repr__(value).partition('e')
    if not exponent:
        return mantissa.removesuffix('.0')
    power = int(exponent)
    if not 1e-6 <= abs(value) < 1e21:
        return f'{mantissa}e{power:+}'
    sign = '-' if value < 0 else ''
    digits = mantissa.lstrip('-').replace('.', '')
    plain = '0.' + '0' * (-power - 1) + digits if power < 0 else digits.ljust(power + 1, '0')
    return sign + plain


def _is_array_index(name: str) -> bool:
    """Tell whether JavaScript takes *name* for the index of an array."""
    if not (name.isascii() and name.isdecimal() and len(name) <= len(str(_MAX_ARRAY_INDEX))):
        return False
    return int(name) <= _MAX_ARRAY_INDEX and (name == '0' or name[0] != '0')


def in_order(events: Collection[Hashable]) -> list[Hashable]:
    """Return the names in the order of JavaScript's properties: array indexes, strings, others."""
    strings = [name for name in events if isinstance(name, str)]
    indexes = sorted(filter(_is_array_index, strings), key=int)
    rest = [name for name in strings if not _is_array_index(name)]
    return [*indexes, *rest, *(name for name in events if not isinstance(name, str))]
