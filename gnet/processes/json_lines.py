"""Messages as lines of JSON: how one is written, and how those of a peer are read."""

from __future__ import annotations

import json
from typing import Any

from ..node import coded_errors

__all__ = [
    'MAX_LINE',
    'Lines',
    'NoMessageError',
    'decode_message',
    'encode_message',
]

#: The longest line that is taken. A peer that never ends its line must not fill the memory; Python
#: needs some ten times as much for the objects of a message.
MAX_LINE = 1 << 28

#: Values nested in one another that everybody can decode.
SHALLOW = 300

#: Python limits how deep values are nested, by what is left of its stack. The other side stands
#: about ten frames deeper when it decodes than a program may when it sends.
DEPTH_MARGIN = 50
_encode = json.JSONEncoder(separators=(',', ':'), allow_nan=False).encode


class NoMessageError(Exception):
    """What a peer has sent is nothing that one of ours sends. Its receiver may find that, too."""


def encode_message(message: Any) -> bytes:
    """Return *message* as a line of JSON.

    Raises:
        CodedTypeError: ``ERR_INVALID_ARG_TYPE`` or ``ERR_INVALID_ARG_VALUE``: it is nothing that
            JSON has.
    """
    try:
        # ASCII, and so safe for lone surrogates as well.
        line = _encode(message)
        if line.count('[') + line.count('{') > SHALLOW:
            for _ in range(DEPTH_MARGIN):
                message = [message]
            _encode(message)  # raises if it is too deep
        if len(line) > MAX_LINE:
            raise ValueError(f'it is longer than {MAX_LINE} bytes')
        return line.encode('ascii') + b'\n'
    except (TypeError, ValueError, RecursionError) as error:
        if callable(message):
            raise coded_errors.invalid_arg_type(
                'message', 'one of type string, object, number, or boolean', message) from None
        raise coded_errors.not_json(str(error)) from None


def decode_message(line: bytes) -> Any:
    """Return the message that *line* is.

    Raises:
        NoMessageError: it is no JSON, or nested too deep.
    """
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as error:
        raise NoMessageError(f'{line[:60]!r} ({error})') from None


class Lines:
    """What a peer sends, piece by piece, as lines."""

    __slots__ = ('_begun', '_size')

    def __init__(self) -> None:
        #: The pieces of the line that has not ended yet, and how many bytes they have.
        self._begun: list[bytes] = []
        self._size = 0

    @property
    def is_begun(self) -> bool:
        """Whether the end of a line is still to come."""
        return self._size > 0

    def ended_by(self, chunk: bytes) -> list[bytes]:
        """Take *chunk*; return the lines that end in it.

        Raises:
            NoMessageError: the line that has begun is too long.
        """
        first, *lines = chunk.split(b'\n')
        if not lines:
            self._begun.append(first)
            self._size += len(first)
            if self._size > MAX_LINE:
                raise NoMessageError(f'more than {MAX_LINE} bytes without a line end')
            return lines
        if self._begun:
            self._begun.append(first)
            first = b''.join(self._begun)
        lines.insert(0, first)
        last = lines.pop()
        self._begun = [last] if last else []
        self._size = len(last)
        return lines

    def forget(self) -> None:
        """The line that has begun will not be waited for."""
        self._begun, self._size = [], 0
