"""What happens to servers and connections, published through :mod:`zope.event`.

This is for those who watch a program rather than write it: metrics, logs, health checks. They need
no reference to the server and change nothing by being there::

    import zope.event
    from gnet import lifecycle

    def watch(event):
        if lifecycle.IConnectionClosed.providedBy(event):
            print(event.socket.remote_address, event.bytes_read, event.duration)

    zope.event.subscribers.append(watch)

As in :mod:`gevent.events`, each event is an interface and a class with plain attributes. All
interfaces extend :class:`ILifecycleEvent`, so one test tells gnet's events from everybody else's.

Events are published in greenlets, in the one that each class names, and never in the hub: a
subscriber may block, which holds up what that greenlet does next and nothing else. A subscriber
that raises harms neither the publisher nor the other subscribers: the exception goes to the logger
``gnet.lifecycle`` with its traceback. While nobody subscribes no event is even built.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import zope.event as zope_event  # type: ignore[import-untyped]

from ..node.faces import at_first_use, show_as
from ..node.logs import Log
from .drop_reason import DropReason

if TYPE_CHECKING:
    from .events import (
        ConnectionClosed,
        ConnectionDropped,
        ConnectionOpened,
        ConnectionSecured,
        EndedBy,
        HandshakeFailed,
        HubBlocked,
        IConnectionClosed,
        IConnectionDropped,
        IConnectionOpened,
        IConnectionSecured,
        IHandshakeFailed,
        IHubBlocked,
        ILifecycleEvent,
        IListenerFailed,
        IServerClosed,
        IServerError,
        IServerListening,
        ListenerFailed,
        ServerClosed,
        ServerError,
        ServerListening,
    )

__all__ = [
    'ConnectionClosed',
    'ConnectionDropped',
    'ConnectionOpened',
    'ConnectionSecured',
    'DropReason',
    'EndedBy',
    'HandshakeFailed',
    'HubBlocked',
    'IConnectionClosed',
    'IConnectionDropped',
    'IConnectionOpened',
    'IConnectionSecured',
    'IHandshakeFailed',
    'IHubBlocked',
    'ILifecycleEvent',
    'IListenerFailed',
    'IServerClosed',
    'IServerError',
    'IServerListening',
    'ListenerFailed',
    'ServerClosed',
    'ServerError',
    'ServerListening',
    'publish',
]


_log = Log('gnet.lifecycle')


def has_subscribers() -> bool:
    """Return whether :func:`publish` would do anything now."""
    return bool(zope_event.subscribers)


def publish(make: Callable[..., object], *args: Any) -> None:
    """Build the event ``make(*args)`` and give it to each subscriber, if there is any.

    Subscribers are called in the order of ``zope.event.subscribers`` as it is now: what one of them
    adds or removes counts from the next event on. Unlike ``zope.event.notify``, one that raises
    does not keep the event from the rest. What is no failure of a subscriber passes to the caller:
    ``SystemExit``, ``KeyboardInterrupt``, ``GreenletExit`` and a ``gevent.Timeout``.

    Args:
        make: a class of this module, or a function that returns such an event.
        args: its arguments. What is costly to find out belongs into *make*, which is not called
            while nobody subscribes.
    """
    subscribers = zope_event.subscribers
    if not subscribers:
        return
    event = make(*args)
    for subscriber in tuple(subscribers):
        try:
            subscriber(event)
        except Exception:
            _log.exception('The subscriber %r failed to handle %r', subscriber, event)


show_as(__name__, globals(), ['DropReason', 'publish'])

# The events are imported by the first one who asks for one of them: a subscriber, or who has a
# subscriber to tell. That is why has_subscribers() is asked before one of their names is used.
if not TYPE_CHECKING:  # to which it would say that any name is there
    __getattr__ = at_first_use(
        __name__, globals(), dict.fromkeys(set(__all__) - {'DropReason', 'publish'}, '.events'))
