"""How slow and how greedy a peer may be: the options of servers and sockets for that, checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..node.coded_errors import out_of_range
from ..node.records import NamedTuple
from ..node.spelling import camel
from ..node.validators import validate_number
from ..node.values import MAX_INT32, UNDEFINED

__all__ = [
    'PEER_LIMITS',
    'UNLIMITED',
    'PeerLimits',
    'buffer_limit',
    'peer_limits',
    'time_limit',
]


class PeerLimits(NamedTuple):
    """What a peer is allowed; None is no limit. Times are in milliseconds.

    Attributes:
        read_timeout: of silence while the program wants to read.
        write_timeout: during which it takes nothing of what is to be sent.
        lifetime: of the connection, whatever happens on it.
        max_buffered: bytes that ``write()`` may have queued.
    """

    read_timeout: float | None = None
    write_timeout: float | None = None
    lifetime: float | None = None
    max_buffered: int | None = None

    @property
    def has_times(self) -> bool:
        """Whether there is one that a clock has to be looked at for."""
        return not (self.read_timeout is self.write_timeout is self.lifetime is None)


#: The names of the options.
PEER_LIMITS = frozenset({'lifetime', 'max_buffered', 'read_timeout', 'write_timeout'})

UNLIMITED = PeerLimits()


def peer_limits(options: Mapping[str, Any], high_water_mark: Any) -> PeerLimits | None:
    """Return the limits in *options*, which are in ``snake_case``; None if there is none.

    Args:
        options: of a server or a socket.
        high_water_mark: of what it writes, in bytes.

    Raises:
        CodedTypeError: ``ERR_INVALID_ARG_TYPE``.
        CodedValueError: ``ERR_OUT_OF_RANGE``.
    """
    times = {
        name: time_limit(f'options.{camel(name)}', options.get(name))
        for name in ('read_timeout', 'write_timeout', 'lifetime')}
    limits = PeerLimits(
        max_buffered=buffer_limit(
            'options.maxBuffered', options.get('max_buffered'), high_water_mark),
        **times)
    return None if limits == UNLIMITED else limits


def time_limit(name: str, value: Any) -> float | None:
    """Return *value*, milliseconds, up to 25 days; None for None and for 0, which are no limit.

    Raises:
        CodedTypeError: ``ERR_INVALID_ARG_TYPE`` when it is no number.
        CodedValueError: ``ERR_OUT_OF_RANGE``.
    """
    if value is None or value is UNDEFINED:
        return None
    msecs = validate_number(name, value)
    if not 0 <= msecs <= MAX_INT32:
        raise out_of_range(name, f'>= 0 && <= {MAX_INT32}', value)
    return msecs or None


def buffer_limit(name: str, value: Any, high_water_mark: Any) -> int | None:
    """Return *value*, a number of bytes; None for None, which is no limit.

    A program that does what ``write()`` tells it queues as much as the high-water mark, and
    perhaps one chunk more: no limit may be below that mark.

    Raises:
        CodedTypeError: ``ERR_INVALID_ARG_TYPE`` when it is no number.
        CodedValueError: ``ERR_OUT_OF_RANGE`` when it is below *high_water_mark*, or no whole
            number.
    """
    if value is None or value is UNDEFINED:
        return None
    size = validate_number(name, value)
    if isinstance(size, float) and not size.is_integer():
        raise out_of_range(name, 'an integer', value)
    if size < high_water_mark:
        raise out_of_range(name, f'>= {high_water_mark}, the high-water mark', value)
    return int(size)
