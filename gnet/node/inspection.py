"""Values as Node's error texts show them.

Node names the offending value in its errors in two ways: as a type (:func:`received`, in
``ERR_INVALID_ARG_TYPE``) and as the ``util.inspect`` form (:func:`inspect`, in
``ERR_INVALID_ARG_VALUE`` and ``ERR_UNHANDLED_ERROR``). A ``dict`` shows as an Object, a ``list`` or
``tuple`` as an Array, ``None`` as ``null``. Measured on Node 24.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import Any

from .spelling import camel
from .values import UNDEFINED

__all__ = [
    'inspect',
    'received',
]

#: Node's ``util.inspect``: the columns of one line, and how deep nested objects are shown.
_BREAK_LENGTH = 80
_MAX_DEPTH = 2

#: JavaScript class names of the Python types that play their part.
_NODE_CLASS_NAMES: dict[type, str] = {
    dict: 'Object', list: 'Array', tuple: 'Array', bytes: 'Buffer', bytearray: 'Buffer',
}
_FUNCTIONS = (FunctionType, BuiltinFunctionType, MethodType)
_ESCAPES = {'\b': '\\b', '\t': '\\t', '\n': '\\n', '\f': '\\f', '\r': '\\r', '\\': '\\\\'}


def received(value: object) -> str:
    """Return the tail of an ``ERR_INVALID_ARG_TYPE`` text for *value*, without "Received "."""
    if value is UNDEFINED or value is None:
        return inspect(value)
    if isinstance(value, bool):
        return f'type boolean ({inspect(value)})'
    if isinstance(value, (int, float)):
        return f'type number ({inspect(value)})'
    if isinstance(value, str):
        text = value if len(value) <= 28 else value[:25] + '...'
        if "'" in text:
            quoted = text.replace('\\', '\\\\').replace('"', '\\"')
            return f'type string ("{quoted}")'
        return f"type string ('{text}')"
    if isinstance(value, (*_FUNCTIONS, type)):
        return f'function {_function_name(value)}'
    return f'an instance of {_class_name(value)}'


def inspect(value: object, depth: int = 0) -> str:
    """Return *value* in the form of Node's ``util.inspect``."""
    if value is UNDEFINED:
        return 'undefined'
    if value is None:
        return 'null'
    if isinstance(value, bool):
        return 'true' if value else 'false'
    if isinstance(value, (int, float)):
        return _inspect_number(value)
    if isinstance(value, str):
        return _inspect_string(value)
    if isinstance(value, type):
        return f'[class {value.__name__}]'
    if isinstance(value, _FUNCTIONS):
        name = _function_name(value)
        return f'[Function: {name}]' if name else '[Function (anonymous)]'
    if isinstance(value, Mapping):
        if depth > _MAX_DEPTH:
            return '[Object]'
        return _join(
            [f'{_inspect_key(key)}: {inspect(item, depth + 1)}' for key, item in value.items()],
            '{', '}', depth,
        )
    if isinstance(value, (list, tuple)):
        if depth > _MAX_DEPTH:
            return '[Array]'
        return _join([inspect(item, depth + 1) for item in value], '[', ']', depth)
    if isinstance(value, BaseException):
        return f'[{type(value).__name__}: {value}]' if str(value) else f'[{type(value).__name__}]'
    if type(value).__repr__ is not object.__repr__:
        return repr(value)
    return f'{_class_name(value)} {{}}'


def _class_name(value: object) -> str:
    return _NODE_CLASS_NAMES.get(type(value), type(value).__name__)


def _function_name(value: Any) -> str:
    name: str = getattr(value, '__name__', '')
    return '' if name == '<lambda>' else name


def _inspect_number(value: float) -> str:
    if isinstance(value, int):
        return str(value)
    if value != value:
        return 'NaN'
    if value in (float('inf'), float('-inf')):
        return 'Infinity' if value > 0 else '-Infinity'
    if value.is_integer() and abs(value) < 1e21:
        return str(int(value)) if value or str(value)[0] != '-' else '-0'
    return repr(value)


def _inspect_string(value: str) -> str:
    quote = "'"
    if "'" in value:
        quote = '"' if '"' not in value else '`' if '`' not in value and '${' not in value else "'"
    body = ''.join(_escape(character, quote) for character in value)
    return quote + body + quote


def _escape(character: str, quote: str) -> str:
    if character == quote:
        return '\\' + character
    known = _ESCAPES.get(character)
    if known is not None:
        return known
    if character < ' ' or '\x7f' <= character <= '\x9f':
        return f'\\x{ord(character):02X}'
    return character


def _inspect_key(key: object) -> str:
    if isinstance(key, str):
        key = camel(key)
        return key if re.fullmatch(r'[A-Za-z_$][A-Za-z_$0-9]*', key) else _inspect_string(key)
    return str(key)


def _join(parts: list[str], left: str, right: str, depth: int) -> str:
    """Put *parts* on one line where Node does, else one to a line."""
    if not parts:
        return left + right
    # Node counts the separators twice and ten columns for what stands before the value.
    length = sum(map(len, parts)) + 2 * len(parts) + len(left) + 10
    if length <= _BREAK_LENGTH and not any('\n' in part for part in parts):
        return f'{left} {", ".join(parts)} {right}'
    indent = '  ' * (depth + 1)
    return f'{left}\n{indent}' + f',\n{indent}'.join(parts) + f'\n{indent[2:]}{right}'
