"""Node's ``events`` module: the emitter, the functions around it, and the blocking waits."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from .emitter import EventEmitter, Listener, check_emitter
from .emitter_settings import (
    MaxListenersExceededWarning,
    checked_limit,
    get_capture_rejections,
    get_default_max_listeners,
    set_capture_rejections,
    set_default_max_listeners,
    settings,
)
from .event_names import error_monitor
from .event_waiting import EventIterator, add_abort_listener, on, once
from .inspection import UNDEFINED
from .names import module_attribute

__all__ = [
    'EventEmitter',
    'EventIterator',
    'MaxListenersExceededWarning',
    'add_abort_listener',
    'error_monitor',
    'get_capture_rejections',
    'get_default_max_listeners',
    'get_event_listeners',
    'get_max_listeners',
    'listener_count',
    'on',
    'once',
    'set_capture_rejections',
    'set_default_max_listeners',
    'set_max_listeners',
]

_ANY_EMITTER = 'an instance of EventEmitter or EventTarget'


def __getattr__(name: str) -> Any:
    return module_attribute(__name__, globals(), name)


def set_max_listeners(n: Any = UNDEFINED, *emitters: EventEmitter) -> None:
    """Set the limit of each of *emitters*; without any, the default of the module.

    Raises:
        CodedTypeError, CodedValueError: as :meth:`EventEmitter.set_max_listeners`, and for what is
            no emitter; those before it have been set then.
    """
    limit = checked_limit('setMaxListeners', settings.max_listeners if n is UNDEFINED else n)
    if not emitters:
        settings.max_listeners = limit
    for emitter in emitters:
        check_emitter(emitter, 'eventTargets', _ANY_EMITTER)
        emitter.set_max_listeners(limit)


def get_max_listeners(emitter: EventEmitter) -> float:
    """Return the limit of *emitter*; CodedTypeError if it is none."""
    check_emitter(emitter, expected=_ANY_EMITTER)
    return emitter.get_max_listeners()


def get_event_listeners(emitter: EventEmitter, event: Hashable) -> list[Listener]:
    """Return ``emitter.listeners(event)``; CodedTypeError if it is no emitter."""
    check_emitter(emitter, expected=_ANY_EMITTER)
    return emitter.listeners(event)


def listener_count(emitter: EventEmitter, event: Hashable) -> int:
    """Return ``emitter.listener_count(event)``; CodedTypeError if it is no emitter."""
    check_emitter(emitter, expected=_ANY_EMITTER)
    return emitter.listener_count(event)
