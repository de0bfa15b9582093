"""Node's ``events`` module: the emitter, the functions around it, and the blocking waits."""

from __future__ import annotations

from typing import Any

from ..node.faces import show_as
from ..node.spelling import module_attribute
from .abort import add_abort_listener
from .emitter import EventEmitter
from .functions import get_event_listeners, get_max_listeners, listener_count, set_max_listeners
from .iterator import EventIterator, on
from .names import error_monitor
from .once import once
from .settings import (
    MaxListenersExceededWarning,
    get_capture_rejections,
    get_default_max_listeners,
    set_capture_rejections,
    set_default_max_listeners,
)

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

show_as(__name__, globals(), __all__)


def __getattr__(name: str) -> Any:
    return module_attribute(__name__, globals(), name)
