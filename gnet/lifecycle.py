# mypy: allow-subclassing-any
# (zope.interface has no types; everything here that derives from Any is one of its interfaces.)
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

import logging
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any

import zope.event as zope_event  # type: ignore[import-untyped]
from zope.interface import (  # type: ignore[import-untyped]
    Attribute,
    Interface,
    implementer,
)

__all__ = [
    'ConnectionClosed',
    'ConnectionDropped',
    'ConnectionOpened',
    'ConnectionSecured',
    'DropReason',
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

_log = logging.getLogger('gnet.lifecycle')


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


class DropReason(Enum):
    """Why a server closed a connection that it had accepted, without a ``'connection'`` event."""

    MAX_CONNECTIONS = 'the server had max_connections open connections'
    BLOCK_LIST = 'the address of the peer is in the block list'
    PENDING_HANDSHAKES = 'as many TLS handshakes as may be were not done'


# --- interfaces ---------------------------------------------------------------------------------


class ILifecycleEvent(Interface):
    """The root of all events that gnet publishes."""


class IServerListening(ILifecycleEvent):
    """A server has begun to listen."""

    server = Attribute('The server.')
    address = Attribute('What its address() returned then: a named tuple, or the path.')


class IServerClosed(ILifecycleEvent):
    """A server is closed, and so are all of its connections."""

    server = Attribute('The server.')


class IServerError(ILifecycleEvent):
    """A server failed: what its ``'error'`` listeners are told."""

    server = Attribute('The server.')
    error = Attribute('The exception.')


class IConnectionOpened(ILifecycleEvent):
    """A server has accepted a connection and keeps it."""

    server = Attribute('The server.')
    socket = Attribute('The connection.')


class IConnectionClosed(ILifecycleEvent):
    """A connection is closed for good; its descriptor is gone."""

    server = Attribute('The server that accepted it; None for a connection to somewhere else.')
    socket = Attribute('The connection. Its addresses can still be read.')
    bytes_read = Attribute('How many bytes were received.')
    bytes_written = Attribute('How many bytes were handed to the operating system.')
    duration = Attribute('Seconds from the moment it was open, as a float.')
    error = Attribute('The exception that destroyed it; None if it ended well.')


class IConnectionDropped(ILifecycleEvent):
    """A server closed a new connection at once instead of keeping it."""

    server = Attribute('The server.')
    data = Attribute("Both addresses: the record of the 'drop' event. None for unix sockets.")
    reason = Attribute('A DropReason.')


class IConnectionSecured(ILifecycleEvent):
    """The TLS handshake of a connection is done, and its peer is whom it should be."""

    server = Attribute('The server that accepted it; None for a connection to somewhere else.')
    socket = Attribute('The connection.')
    protocol = Attribute("The version of TLS, such as 'TLSv1.3'.")
    cipher = Attribute("The name of the cipher suite, as OpenSSL's.")
    servername = Attribute('The name that the client has asked for; None without.')
    alpn_protocol = Attribute('What was agreed upon by ALPN; None for nothing.')
    session_reused = Attribute('Whether it was a short handshake, of an earlier session.')
    duration = Attribute('Seconds that the handshake took, as a float.')


class IHandshakeFailed(ILifecycleEvent):
    """A TLS handshake has come to nothing."""

    server = Attribute('The server that accepted the connection; None for one to somewhere else.')
    socket = Attribute('The connection.')
    error = Attribute('The exception that says why.')
    duration = Attribute('Seconds from its beginning, as a float.')


class IHubBlocked(ILifecycleEvent):
    """A hub that is watched (``gnet.watch_hub``) was blocked, and goes on."""

    duration = Attribute('Seconds that it was blocked, as a float.')
    stack = Attribute('Where its thread was: a list of lines, the innermost last.')


class IListenerFailed(ILifecycleEvent):
    """A listener or a callback raised an exception."""

    emitter = Attribute('The server or socket whose event it was.')
    event = Attribute("The name of the event; 'callback' for a function given to a method.")
    error = Attribute('The exception.')


# --- events -------------------------------------------------------------------------------------
# eq=False: an event is something that happened, not a value; it can be put in a set.


@implementer(IServerListening)
@dataclass(eq=False)
class ServerListening:
    """Implementation of :class:`IServerListening`.

    Published by the server in a runner, right before it emits ``'listening'``.
    """

    server: Any
    address: Any


@implementer(IServerClosed)
@dataclass(eq=False)
class ServerClosed:
    """Implementation of :class:`IServerClosed`.

    Published by the server in a runner, right before it emits ``'close'``.
    """

    server: Any


@implementer(IServerError)
@dataclass(eq=False)
class ServerError:
    """Implementation of :class:`IServerError`.

    Published by the server right before it emits ``'error'``, whether or not anybody listens to
    that: in a runner for a ``listen`` that failed or an accept(2) that cannot be tried again, in
    the greenlet that failed for a captured rejection.
    """

    server: Any
    error: BaseException


@implementer(IConnectionOpened)
@dataclass(eq=False)
class ConnectionOpened:
    """Implementation of :class:`IConnectionOpened`.

    Published by the server in the greenlet of the connection, right before it emits
    ``'connection'``.
    """

    server: Any
    socket: Any


@implementer(IConnectionClosed)
@dataclass(eq=False)
class ConnectionClosed:
    """Implementation of :class:`IConnectionClosed`.

    Published by the socket in a runner, right after the listeners of ``'close'``; once in the life
    of each connection, however it ended.
    """

    server: Any
    socket: Any
    bytes_read: int
    bytes_written: int
    duration: float
    error: BaseException | None


@implementer(IConnectionDropped)
@dataclass(eq=False)
class ConnectionDropped:
    """Implementation of :class:`IConnectionDropped`.

    Published by the server in a runner, right before it emits ``'drop'``. Node emits nothing for a
    peer in the block list; this is published all the same.
    """

    server: Any
    data: Any
    reason: DropReason


@implementer(IConnectionSecured)
@dataclass(eq=False)
class ConnectionSecured:
    """Implementation of :class:`IConnectionSecured`.

    Published by the socket right before ``'secureConnection'`` of its server, in the greenlet of
    the connection; or right before ``'secureConnect'``, in a runner.
    """

    server: Any
    socket: Any
    protocol: str
    cipher: str
    servername: str | None
    alpn_protocol: str | None
    session_reused: bool
    duration: float


@implementer(IHandshakeFailed)
@dataclass(eq=False)
class HandshakeFailed:
    """Implementation of :class:`IHandshakeFailed`.

    Published by the socket in a runner, right after its ``'close'`` listeners.
    """

    server: Any
    socket: Any
    error: BaseException
    duration: float


@implementer(IHubBlocked)
@dataclass(eq=False)
class HubBlocked:
    """Implementation of :class:`IHubBlocked`.

    Published in a runner, when the hub goes on; once for each time that it was blocked.
    """

    duration: float
    stack: list[str]


@implementer(IListenerFailed)
@dataclass(eq=False)
class ListenerFailed:
    """Implementation of :class:`IListenerFailed`.

    Published by the server or socket in the greenlet in which the listener ran, before it does what
    the failure leads to: a connection destroyed, ``gnet.run()`` ended, or a report.
    """

    emitter: Any
    event: str
    error: BaseException
