"""gevent's hub as it is, for who has to look at it where gnet has no loop, and is to make none.

A check for what a test leaves behind looks before anything was used, ``gnet doctor`` at a process
that serves nothing. All others have a :class:`.Loop`, and ask that.
"""

from __future__ import annotations

from typing import Any

import gevent
from gevent.hub import Hub

__all__ = [
    'facts',
    'is_child',
    'is_hub',
    'make_hub',
    'take_a_turn',
]


def make_hub() -> None:
    """Have this thread's hub be there."""
    gevent.get_hub()


def is_hub(greenlet: Any) -> bool:
    """Return whether *greenlet* is a hub, of any thread."""
    return isinstance(greenlet, Hub)


def is_child(greenlet: Any) -> bool:
    """Return whether *greenlet* is one of this thread's hub: what it raises ends up there."""
    return greenlet.parent is gevent.get_hub()


def take_a_turn() -> None:
    """Let the loop poll once. ``gevent.sleep(0)`` does not: it only runs what is queued."""
    hub: Any = gevent.get_hub()
    with hub.loop.timer(0) as timer:
        hub.wait(timer)


def facts() -> dict[str, Any]:
    """Return what this thread's hub is made of, by names for people.

    Raises:
        ImportError: ``GEVENT_LOOP`` or ``GEVENT_RESOLVER`` names what is not there.
    """
    hub: Any = gevent.get_hub()
    native = hub.loop
    return {
        'loop': f'{type(native).__module__}.{type(native).__name__}',
        # What the loop asks the system by.
        'backend': getattr(native, 'backend', None),
        'resolver': f'{type(hub.resolver).__module__}.{type(hub.resolver).__name__}',
        'threads of its pool': hub.threadpool.maxsize,
    }
