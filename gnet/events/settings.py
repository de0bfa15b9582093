"""What holds for all emitters: the limit of listeners and its warning, and capture of rejections.

The defaults are Node's; the functions stand for properties of its ``events`` module.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Hashable
from typing import Any, Protocol

from ..node.coded_errors import out_of_range
from ..node.inspection import inspect
from ..node.validators import validate_boolean, validate_number
from .names import name_of

__all__ = [
    'MaxListenersExceededWarning',
    'checked_limit',
    'get_capture_rejections',
    'get_default_max_listeners',
    'set_capture_rejections',
    'set_default_max_listeners',
    'settings',
    'warn_of_leak',
]


class Settings:
    """The values that the functions below get and set."""

    __slots__ = ('capture_rejections', 'max_listeners')

    def __init__(self) -> None:
        self.capture_rejections: bool = False
        self.max_listeners: float = 10


settings: Settings = Settings()


def get_default_max_listeners() -> float:
    """Return the limit of every emitter without one of its own (10 unless it was set)."""
    return settings.max_listeners


def set_default_max_listeners(n: float) -> None:
    """Set that limit, for existing emitters too. 0 and infinity mean unlimited.

    Raises:
        CodedTypeError: *n* is not a number (``ERR_INVALID_ARG_TYPE``).
        CodedValueError: *n* is negative or NaN (``ERR_OUT_OF_RANGE``).
    """
    settings.max_listeners = checked_limit('defaultMaxListeners', n)


def get_capture_rejections() -> bool:
    """Return whether emitters made from now on capture rejections (False unless it was set)."""
    return settings.capture_rejections


def set_capture_rejections(value: bool) -> None:
    """Set whether emitters made from now on capture rejections, whatever their own option says.

    Raises:
        CodedTypeError: *value* is not a bool (``ERR_INVALID_ARG_TYPE``).
    """
    settings.capture_rejections = validate_boolean('EventEmitter.captureRejections', value)


def checked_limit(name: str, n: Any) -> float:
    """Return *n*, a number of listeners: 0 or more, and infinity.

    Raises:
        CodedTypeError: ``ERR_INVALID_ARG_TYPE``.
        CodedValueError: ``ERR_OUT_OF_RANGE``.
    """
    number = validate_number(name, n)
    if not number >= 0:  # NaN is not
        raise out_of_range(name, '>= 0', n)
    return number


class Limited(Protocol):
    """What may have too many listeners: an emitter."""

    def get_max_listeners(self) -> float:
        """Return its limit."""


class MaxListenersExceededWarning(RuntimeWarning):
    """More listeners of one event than the emitter's limit: probably a leak.

    A ``RuntimeWarning``, because Python shows those by default and a ``ResourceWarning`` not.

    Attributes:
        emitter: the emitter.
        type: the event, as it was given to the method that added the listener.
        count: how many listeners it has now.
    """

    def __init__(self, emitter: Limited, event: Hashable, count: int) -> None:
        super().__init__(
            f'Possible EventEmitter memory leak detected. {count} {name_of(event)} listeners added'
            f' to [{emitter.__class__.__name__}]. MaxListeners is '
            f'{inspect(emitter.get_max_listeners())}. Use emitter.setMaxListeners() to increase '
            'limit',
        )
        self.emitter: Any = emitter
        self.type = event
        self.count = count


def warn_of_leak(message: MaxListenersExceededWarning) -> None:
    """Issue *message* for the line outside gnet that added the listener."""
    package = __name__.partition('.')[0]
    frame = sys._getframe()
    level = 1
    while frame.f_back and frame.f_globals.get('__name__', '').partition('.')[0] == package:
        frame = frame.f_back
        level += 1
    warnings.warn(message, stacklevel=level)
