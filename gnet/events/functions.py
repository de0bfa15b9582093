"""Functions about emitters: limits and listeners of any."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from ..node.values import UNDEFINED
from .emitter import EventEmitter, Listener, check_emitter
from .settings import checked_limit, settings

__all__ = ['get_event_listeners', 'get_max_listeners', 'listener_count', 'set_max_listeners']

_ANY_EMITTER = 'an instance of EventEmitter or EventTarget'


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
