"""Checks of single arguments, with Node's codes and texts; and JavaScript's idea of a number.

Every ``validate_…`` function raises at the call, as Node does, and returns the value, so that what
was checked is also what the type checker knows. Names are given in Node's spelling because they
appear in the text (``'options.keepAliveInitialDelay'``).

A *number* is an ``int`` or a ``float``. ``bool`` is a subclass of ``int`` in Python but no number
in JavaScript, so it is rejected everywhere here. All rules were measured on Node 24.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any, cast

from .errors import bad_port, invalid_arg_type, out_of_range
from .inspection import UNDEFINED

__all__ = [
    'is_number',
    'js_number',
    'to_int32',
    'to_number',
    'truthy',
    'validate_boolean',
    'validate_function',
    'validate_integer',
    'validate_msecs',
    'validate_number',
    'validate_port',
    'validate_signal',
]

#: Highest number of a TCP port: the field has 16 bits (RFC 9293).
MAX_PORT = 65535

# What JavaScript strips from a string before reading a number (ECMAScript's WhiteSpace and
# LineTerminator). Python's str.strip() also takes U+001C..U+001F and U+0085, but not U+FEFF.
_JS_BLANKS = (
    '\t\n\v\f\r \u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a'
    '\u2028\u2029\u202f\u205f\u3000\ufeff'
)
_JS_DECIMAL = re.compile(r'[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?')
_JS_INFINITY = re.compile(r'[+-]?Infinity')
# A prefixed number takes no sign: '-0x1' is no number in JavaScript, while Python's int() takes it.
_JS_PREFIXED = {
    'x': (16, re.compile(r'0[xX]([0-9a-fA-F]+)')),
    'o': (8, re.compile(r'0[oO]([0-7]+)')),
    'b': (2, re.compile(r'0[bB]([01]+)')),
}


# --- JavaScript's values ------------------------------------------------------------------------


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
    text = text.strip(_JS_BLANKS)
    if not text:
        return 0.0
    if _JS_DECIMAL.fullmatch(text) or _JS_INFINITY.fullmatch(text):
        return float(text)
    base, pattern = _JS_PREFIXED.get(text[1:2].lower(), (0, None))
    match = pattern.fullmatch(text) if pattern is not None else None
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


# --- validators ---------------------------------------------------------------------------------


def validate_number(name: str, value: object) -> float:
    """Return *value*, a number of any size; NaN and Infinity are numbers too.

    Raises:
        CodedTypeError: ``ERR_INVALID_ARG_TYPE`` for anything else.
    """
    if not is_number(value):
        raise invalid_arg_type(name, 'of type number', value)
    return cast('float', value)


def validate_integer(name: str, value: object, lowest: int, highest: int) -> int:
    """Return *value* as an int; a float without a fraction will do. Both limits are included.

    Raises:
        CodedTypeError: ``ERR_INVALID_ARG_TYPE`` when it is no number.
        CodedValueError: ``ERR_OUT_OF_RANGE`` when it has a fraction or is beyond a limit.
    """
    number = validate_number(name, value)
    if isinstance(number, float) and not number.is_integer():
        raise out_of_range(name, 'an integer', value)
    if not lowest <= number <= highest:
        raise out_of_range(name, f'>= {lowest} && <= {highest}', value)
    return int(number)


def validate_boolean(name: str, value: object) -> bool:
    """Return *value*, which must be exactly ``True`` or ``False``.

    Raises:
        CodedTypeError: ``ERR_INVALID_ARG_TYPE`` for anything else.
    """
    if not isinstance(value, bool):
        raise invalid_arg_type(name, 'of type boolean', value)
    return value


def validate_function(name: str, value: object) -> Callable[..., Any]:
    """Return *value*, which must be callable.

    Raises:
        CodedTypeError: ``ERR_INVALID_ARG_TYPE`` for anything else.
    """
    if not callable(value):
        raise invalid_arg_type(name, 'of type function', value)
    return value


def validate_port(name: str, value: object) -> int:
    """Return *value* as a port, 0 to 65535; a number or its text in JavaScript's syntax.

    ``80``, ``80.0``, ``'80'``, ``'0x50'``, ``' +80 '`` and ``'8e1'`` are one port. Text of blanks
    alone is none, although it is the number 0 in JavaScript.

    Raises:
        CodedValueError: ``ERR_SOCKET_BAD_PORT`` for everything else.
    """
    number = math.nan
    if isinstance(value, str):
        if value.strip(_JS_BLANKS):
            number = js_number(value)
    elif is_number(value):
        number = to_number(value)
    # The comparison is also false for NaN.
    if not (0 <= number <= MAX_PORT and number.is_integer()):
        raise bad_port(name, value)
    return int(number)


def validate_msecs(value: object) -> float:
    """Return *value*, milliseconds of a timeout: finite, not negative, fractions allowed.

    Raises:
        CodedTypeError: ``ERR_INVALID_ARG_TYPE`` when it is no number.
        CodedValueError: ``ERR_OUT_OF_RANGE`` when it is negative, NaN or infinite.
    """
    number = validate_number('msecs', value)
    if not 0 <= number < math.inf:
        raise out_of_range('msecs', 'a non-negative finite number', value)
    return number


def validate_signal(name: str, value: object) -> Any:
    """Return *value*, a gevent ``Event`` or whatever else calls back through ``rawlink``.

    It plays the part of Node's ``AbortSignal``, which the text goes on naming.

    Raises:
        CodedTypeError: ``ERR_INVALID_ARG_TYPE`` for anything else.
    """
    if not callable(getattr(value, 'rawlink', None)):
        raise invalid_arg_type(name, 'an instance of AbortSignal', value)
    return value
