"""Values of JavaScript: undefined, what is true, and what its numbers are."""

from __future__ import annotations

import math
import re
from enum import Enum
from typing import Final, Literal

__all__ = [
    'JS_BLANKS',
    'MAX_INT32',
    'UNDEFINED',
    'Undefined',
    'is_number',
    'js_number',
    'to_int32',
    'to_number',
    'truthy',
]


# no state: one value, of a type of its own
class Undefined(Enum):
    """The type of :data:`UNDEFINED`."""

    UNDEFINED = 'undefined'

    def __repr__(self) -> str:
        return self.value

    def __bool__(self) -> bool:
        return False


#: "Not given", where None is a value of its own (Node's ``null``).
UNDEFINED: Final[Literal[Undefined.UNDEFINED]] = Undefined.UNDEFINED

#: The largest C int: the highest descriptor, backlog and process id that a system call takes, and
#: the longest time in milliseconds that Node's timers count.
MAX_INT32 = 2**31 - 1

#: What JavaScript strips from a string before reading a number (ECMAScript's WhiteSpace and
#: LineTerminator). Python's str.strip() also takes U+001C..U+001F and U+0085, but not U+FEFF.
JS_BLANKS = (
    '\t\n\v\f\r \u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a'
    '\u2028\u2029\u202f\u205f\u3000\ufeff'
)
# Patterns are compiled when they are first used, not by "import gnet".
_JS_DECIMAL = r'[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?'
_JS_INFINITY = r'[+-]?Infinity'

# A prefixed number takes no sign: '-0x1' is no number in JavaScript, while Python's int() takes it.
_JS_PREFIXED = {
    'x': (16, r'0[xX]([0-9a-fA-F]+)'),
    'o': (8, r'0[oO]([0-7]+)'),
    'b': (2, r'0[bB]([01]+)'),
}


def is_number(value: object) -> bool:
    """Tell whether *value* is what JavaScript calls a number (so not a ``bool``)."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def truthy(value: object) -> bool:
    """Tell whether JavaScript takes *value* for true.

    False are None, "not given", ``False``, 0, NaN and ``''``. Unlike in Python, every container is
    true, an empty one too: an empty ``BlockList`` is given, and ``host=[]`` is an error rather than
    no host.
    """
    if value is None or value is UNDEFINED:
        return False
    if isinstance(value, float):
        return value != 0 and not math.isnan(value)
    if isinstance(value, (int, str)):
        return bool(value)
    return True


def js_number(text: str) -> float:
    """Convert *text* as JavaScript's ``Number(text)`` does; NaN when it is no number.

    Differs from Python: blanks alone are 0, ``'0x50'``, ``'0o7'``, ``'0b1'`` and ``'Infinity'`` are
    read, ``'1_000'``, ``'inf'`` and digits outside ASCII are not.
    """
    text = text.strip(JS_BLANKS)
    if not text:
        return 0.0
    if re.fullmatch(_JS_DECIMAL, text) or re.fullmatch(_JS_INFINITY, text):
        return float(text)
    base, pattern = _JS_PREFIXED.get(text[1:2].lower(), (0, ''))
    match = re.fullmatch(pattern, text) if pattern else None
    return _as_float(int(match[1], base)) if match is not None else math.nan


def to_number(value: object) -> float:
    """Convert *value* as JavaScript's arithmetic does: None is 0, ``True`` is 1, text is read.

    Anything else is NaN. (JavaScript reads a list by way of its text, so ``[5]`` is 5 there; gnet
    has no use for that.)
    """
    if value is None:
        return 0.0
    if isinstance(value, str):
        return js_number(value)
    if isinstance(value, (int, float)):
        return _as_float(value)
    return math.nan


def to_int32(value: float) -> int:
    """Truncate *value* to 32 bits with a sign, as JavaScript does; NaN and Infinity become 0."""
    if not math.isfinite(value):
        return 0
    return (int(value) + 2**31) % 2**32 - 2**31


def _as_float(value: float) -> float:
    # An int has no upper limit in Python; as a double, which is JavaScript's only number, the big
    # ones are infinite.
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf
