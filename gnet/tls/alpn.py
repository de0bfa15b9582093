"""ALPN: protocols by name, as they are given, as they are on the wire, and which one it will be."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..node.coded_errors import (
    CodedTypeError,
    CodedValueError,
    invalid_arg_type,
    invalid_arg_value,
)
from ..node.inspection import received
from ..node.values import UNDEFINED

__all__ = [
    'alpn_protocols',
    'convert_alpn_protocols',
    'select_alpn',
]

#: Bytes of a name: the field of its length has 8 bits (RFC 7301 §3.1).
_LONGEST = 255


def convert_alpn_protocols(protocols: Any, out: Any = None) -> bytes | None:
    """Return protocols as they are on the wire: each with its length before it.

    Args:
        protocols: a list of str; or bytes, which are in that form already, and are checked.
        out: a mapping or an object, whose ``ALPNProtocols`` becomes the result, as in Node.

    Returns:
        The bytes. None for anything else, which Node passes over; then *out* is left alone.

    Raises:
        CodedTypeError: ``ERR_INVALID_ARG_VALUE`` for an empty name, and for bytes that end in the
            middle of one; ``ERR_INVALID_ARG_TYPE`` for what is no str in the list.
        CodedValueError: ``ERR_OUT_OF_RANGE`` for a name of more than 255 bytes.
    """
    if isinstance(protocols, (list, tuple)):
        wire = b''.join(_with_length(index, each) for index, each in enumerate(protocols))
    elif isinstance(protocols, (bytes, bytearray, memoryview)):
        wire = bytes(protocols)
        _split(wire)
    else:
        return None
    if isinstance(out, dict):
        out['ALPNProtocols'] = wire
    elif out is not None:
        out.ALPNProtocols = wire
    return wire


def alpn_protocols(given: Any) -> tuple[str, ...]:
    """Return the option ``alpn_protocols``: the names, the dearest first.

    Raises:
        CodedTypeError: ``ERR_INVALID_ARG_TYPE`` for what is neither a list nor bytes; and as
            :func:`convert_alpn_protocols`.
        CodedValueError: ``ERR_OUT_OF_RANGE``.
    """
    if given is None or given is UNDEFINED:
        return ()
    wire = convert_alpn_protocols(given)
    if wire is None:
        raise invalid_arg_type(
            'options.ALPNProtocols', 'an instance of Array, Buffer, TypedArray, or DataView', given)
    names = _split(wire)
    # The ssl module takes ASCII only; nothing else is registered with IANA.
    if not all(name and name.isascii() for name in names):
        raise invalid_arg_value('options.ALPNProtocols', given, 'must be names in ASCII')
    return tuple(name.decode('ascii') for name in names)


def select_alpn(own: Sequence[str], offered: Sequence[str]) -> str | None:
    """Return what a server chooses of what a client has *offered*: the first of its *own*.

    None if they have none in common: RFC 7301 has the server refuse the handshake then.
    """
    there = frozenset(offered)
    return next((name for name in own if name in there), None)


def _with_length(index: int, name: Any) -> bytes:
    if isinstance(name, (bytes, bytearray, memoryview)):
        raise CodedTypeError('ERR_INVALID_ARG_TYPE', 'argument must be a string')
    if not isinstance(name, str):
        raise CodedTypeError(
            'ERR_INVALID_ARG_TYPE', 'The "string" argument must be of type string or an instance '
            f'of Buffer or ArrayBuffer. Received {received(name)}')
    if not name:
        raise invalid_arg_value(f'protocols[{index}]', name, 'must be a non-empty string')
    content = name.encode()
    if len(content) > _LONGEST:
        raise CodedValueError(
            'ERR_OUT_OF_RANGE',
            f'The byte length of the protocol at index {index} exceeds the maximum length. '
            f'It must be <= {_LONGEST}. Received {len(content)}')
    return bytes([len(content)]) + content


def _split(wire: bytes) -> list[bytes]:
    names, start = [], 0
    while start < len(wire):
        end = start + 1 + wire[start]
        if end > len(wire):
            raise invalid_arg_value('ALPNProtocols', wire, 'contains truncated protocol')
        names.append(wire[start + 1:end])
        start = end
    return names
