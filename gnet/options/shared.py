"""Options that servers and sockets share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..node.coded_errors import invalid_arg_type, invalid_arg_value
from ..node.validators import validate_number
from ..node.values import UNDEFINED, is_number, to_int32, to_number, truthy

if TYPE_CHECKING:
    from ..addresses.block_list import BlockList

__all__ = [
    'DEFAULT_HIGH_WATER_MARK',
    'block_list',
    'high_water_mark',
    'keep_alive_seconds',
]

#: Bytes that a stream buffers before it asks to stop: Node's default since v22.
DEFAULT_HIGH_WATER_MARK = 65536


def keep_alive_seconds(options: Mapping[str, Any]) -> int:
    """Return ``keep_alive_initial_delay`` (milliseconds, default 0) in whole seconds.

    Negative values count as 0. The quotient is truncated to 32 bits, as Node does: NaN and Infinity
    become 0, and beyond 68 years it may wrap into the negative.

    Raises:
        CodedTypeError: ``ERR_INVALID_ARG_TYPE`` when it is given and no number.
    """
    delay = options.get('keep_alive_initial_delay', UNDEFINED)
    if delay is UNDEFINED:
        return 0
    milliseconds = to_number(validate_number('options.keepAliveInitialDelay', delay))
    return to_int32(milliseconds / 1000) if milliseconds > 0 else 0


def block_list(options: Mapping[str, Any]) -> BlockList | None:
    """Return the option ``block_list``; None when there is none or a false value such as None.

    Raises:
        CodedTypeError: ``ERR_INVALID_ARG_TYPE`` when it is something else than a ``BlockList``.
    """
    given = options.get('block_list')
    if not truthy(given):
        return None
    from ..addresses.block_list import BlockList  # few programs have one

    if not isinstance(given, BlockList):
        # "an net.BlockList" is Node's wording.
        raise invalid_arg_type('options.blockList', 'an net.BlockList', given)
    return given


def high_water_mark(options: Mapping[str, Any], side: str) -> int:
    """Return a socket's high-water mark in bytes for *side*, ``'readable'`` or ``'writable'``.

    ``high_water_mark`` sets both sides and wins over ``readable_high_water_mark`` and
    ``writable_high_water_mark``. None counts as absent; the default is 65536. Ask for the readable
    side first: Node does, so an invalid common value is reported under that name.

    Raises:
        CodedTypeError: ``ERR_INVALID_ARG_VALUE`` when it is not an integer of 0 or more.
    """
    mark = options.get('high_water_mark')
    if mark is None or mark is UNDEFINED:
        mark = options.get(f'{side}_high_water_mark')
    if mark is None or mark is UNDEFINED:
        return DEFAULT_HIGH_WATER_MARK
    # NaN and Infinity have a remainder of NaN.
    if is_number(mark) and mark >= 0 and mark % 1 == 0:
        return int(mark)
    raise invalid_arg_value(f'options.{side}HighWaterMark', mark)
