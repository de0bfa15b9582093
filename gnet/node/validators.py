"""Checks of single arguments, with Node's codes and texts; and JavaScript's idea of a number.

Every ``validate_…`` function raises at the call, as Node does, and returns the value, so that what
was checked is also what the type checker knows. Names are given in Node's spelling because they
appear in the text (``'options.keepAliveInitialDelay'``).

A *number* is an ``int`` or a ``float``. ``bool`` is a subclass of ``int`` in Python but no number
in JavaScript, so it is rejected everywhere here. All rules were measured on Node 24.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, cast

from .coded_errors import bad_port, invalid_arg_type, out_of_range
from .values import JS_BLANKS, is_number, js_number, to_number

__all__ = [
    'MAX_PORT',
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
        if value.strip(JS_BLANKS):
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
