"""Node's ``events`` module: the emitter, the functions around it, and the blocking waits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..node.faces import at_first_use, show_as
from .emitter import EventEmitter
from .names import error_monitor
from .settings import (
    MaxListenersExceededWarning,
    get_capture_rejections,
    get_default_max_listeners,
    set_capture_rejections,
    set_default_max_listeners,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from .abort import add_abort_listener
    from .functions import (
        get_event_listeners,
        get_max_listeners,
        listener_count,
        set_max_listeners,
    )
    from .iterator import EventIterator, on
    from .wait_once import once

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

#: Names that few programs use, and the files that are imported when they do.
_ROOMS = {
    'EventIterator': '.iterator',
    'add_abort_listener': '.abort',
    'get_event_listeners': '.functions',
    'get_max_listeners': '.functions',
    'listener_count': '.functions',
    'on': '.iterator',
    'once': '.wait_once',
    'set_max_listeners': '.functions',
}

show_as(__name__, globals(), (name for name in __all__ if name not in _ROOMS))

__getattr__: Callable[[str], Any] = at_first_use(__name__, globals(), _ROOMS)
