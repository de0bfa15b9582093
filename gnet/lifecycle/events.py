"""The events of :mod:`gnet.lifecycle`, each an interface and a class with plain attributes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from .drop_reason import DropReason

if TYPE_CHECKING:
    # zope.interface has no types of its own.
    from collections.abc import Callable
    from typing import TypeVar

    ClassT = TypeVar('ClassT', bound=type)

    class Interface:
        """The root of all interfaces."""

    def Attribute(text: str) -> Any:  # noqa: N802  # as zope.interface has it
        """Describe an attribute."""

    def implementer(*interfaces: type) -> Callable[[ClassT], ClassT]:
        """Say that a class has what *interfaces* describe."""
        raise NotImplementedError
else:
    from zope.interface import Attribute, Interface, implementer

__all__ = [
    'ConnectionClosed',
    'ConnectionDropped',
    'ConnectionOpened',
    'ConnectionSecured',
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
]

# What follows says that it is of the module that programs import it from, interfaces included.
__name__ = 'gnet.lifecycle'


# no state: what an event says, when all is over
class EndedBy(Enum):
    """Who ended a connection first."""

    PEER = 'the peer has ended, and this side followed'
    HERE = 'this side has ended, or destroyed it'
    ERROR = 'an error has destroyed it'


# --- interfaces ---------------------------------------------------------------------------------


class ILifecycleEvent(Interface):
    """The root of all events that gnet publishes."""


class IServerListening(ILifecycleEvent):
    """A server has begun to listen."""

    server: Any = Attribute('The server.')
    address: Any = Attribute('What its address() returned then: a named tuple, or the path.')


class IServerClosed(ILifecycleEvent):
    """A server is closed, and so are all of its connections."""

    server: Any = Attribute('The server.')


class IServerError(ILifecycleEvent):
    """A server failed: what its ``'error'`` listeners are told."""

    server: Any = Attribute('The server.')
    error: Any = Attribute('The exception.')


class IConnectionOpened(ILifecycleEvent):
    """A server has accepted a connection and keeps it."""

    server: Any = Attribute('The server.')
    socket: Any = Attribute('The connection.')
    waited: Any = Attribute(
        'Seconds from accept(2) to now, as a float; in a worker, from its arrival there. 0.0 for '
        'a connection to somewhere else.')


class IConnectionClosed(ILifecycleEvent):
    """A connection is closed for good; its descriptor is gone."""

    server: Any = Attribute('The server that accepted it; None for a connection to somewhere else.')
    socket: Any = Attribute('The connection. Its addresses can still be read.')
    bytes_read: Any = Attribute('How many bytes were received.')
    bytes_written: Any = Attribute('How many bytes were handed to the operating system.')
    duration: Any = Attribute('Seconds from the moment it was open, as a float.')
    error: Any = Attribute('The exception that destroyed it; None if it ended well.')
    ended_by: Any = Attribute('An EndedBy: who ended it first.')


class IConnectionDropped(ILifecycleEvent):
    """A server closed a new connection at once instead of keeping it."""

    server: Any = Attribute('The server.')
    data: Any = Attribute("Both addresses: the record of the 'drop' event. None for unix sockets.")
    reason: Any = Attribute('A DropReason.')
    network: Any = Attribute(
        "Whose limit it was, as text: an address, or a network such as '2001:db8::/64'. None for "
        'what is no limit of one address.')


class IConnectionSecured(ILifecycleEvent):
    """The TLS handshake of a connection is done, and its peer is whom it should be."""

    server: Any = Attribute('The server that accepted it; None for a connection to somewhere else.')
    socket: Any = Attribute('The connection.')
    protocol: Any = Attribute("The version of TLS, such as 'TLSv1.3'.")
    cipher: Any = Attribute("The name of the cipher suite, as OpenSSL's.")
    servername: Any = Attribute('The name that the client has asked for; None without.')
    alpn_protocol: Any = Attribute('What was agreed upon by ALPN; None for nothing.')
    session_reused: Any = Attribute('Whether it was a short handshake, of an earlier session.')
    duration: Any = Attribute('Seconds that the handshake took, as a float.')


class IHandshakeFailed(ILifecycleEvent):
    """A TLS handshake has come to nothing."""

    server: Any = Attribute(
        'The server that accepted the connection; None for one to somewhere else.')
    socket: Any = Attribute('The connection.')
    error: Any = Attribute('The exception that says why.')
    duration: Any = Attribute('Seconds from its beginning, as a float.')


class IHubBlocked(ILifecycleEvent):
    """A hub that is watched (``gnet.watch_hub``) was blocked, and goes on."""

    duration: Any = Attribute('Seconds that it was blocked, as a float.')
    stack: Any = Attribute('Where its thread was: a list of lines, the innermost last.')


class IListenerFailed(ILifecycleEvent):
    """A listener or a callback raised an exception."""

    emitter: Any = Attribute('The server or socket whose event it was.')
    event: Any = Attribute("The name of the event; 'callback' for a function given to a method.")
    error: Any = Attribute('The exception.')


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
    ``'connection'``; of TLS, in a runner, when the handshake begins.
    """

    server: Any
    socket: Any
    waited: float


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
    ended_by: EndedBy


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
    network: str | None = None


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
