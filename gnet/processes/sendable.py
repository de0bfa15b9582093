"""What can be sent to another process beside a message, as a descriptor with a type.

=================  ==================================  =============================================
type on the wire   sent for                            becomes
=================  ==================================  =============================================
``net.Server``     a listening ``gnet.Server``         a ``gnet.Server`` that listens; both accept
``net.Socket``     a connected ``gnet.Socket``         a ``gnet.Socket``; this one has no connection
``net.Native``     a stream socket of the standard     a ``gevent.socket.socket``
                   library or of gevent
``dgram.Native``   one for datagrams                   the same
=================  ==================================  =============================================

The names are Node's. What Node does not know is in the field ``gnet``, which it ignores.
"""

from __future__ import annotations

import _socket
import base64
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Union

import gevent.socket

from ..loop.copied_descriptors import CopiedSocket
from ..loop.loop import get_loop
from ..node import coded_errors
from ..node.originals import close_descriptor
from ..servers.internals import connections_of, handle_of
from ..servers.server import Server
from ..sockets import departure
from ..sockets.giving_away import unread_of
from ..sockets.socket import Socket

if TYPE_CHECKING:
    from ..loop.loop import Loop
    from .counting import ReceivedSockets

__all__ = [
    'Outgoing',
    'RawHandle',
    'RawSockets',
    'connection_of',
    'incoming',
    'key_of',
    'outgoing',
    'raw_socket',
    'raw_socket_of',
]

#: Node's ``_connectionKey`` of servers that have none of their own: all of them are counted as one.
_NO_KEY = 'null:null:null'


#: Has Python know that a descriptor does not block, without telling the kernel. Linux has it.
_NON_BLOCKING: int = getattr(_socket, 'SOCK_NONBLOCK', 0)
_FAMILIES = {
    int(family): family for family in (_socket.AF_INET, _socket.AF_INET6, _socket.AF_UNIX)}


class RawHandle:
    """A raw socket on its way: it stays the caller's, whatever becomes of the message.

    Of gnet's own, several may go with one message.
    """

    kind = 'net.Native'

    def __init__(self, *socks: Any) -> None:
        #: What has the descriptors.
        self.socks: tuple[Any, ...] = socks

    def fields(self) -> dict[str, Any]:
        """What goes into the message beside its kind."""
        return {}

    def delivered(self) -> None:
        """The other process has it."""

    def returned(self, error: BaseException, is_wanted: bool) -> None:
        """The other process never had it: undo, or, unless it *is_wanted* back, close."""


class _Copied(RawHandle):
    """A duplicate of a descriptor that stays in use here."""

    def __init__(self, sock: Any, kind: str, fields: dict[str, Any]) -> None:
        super().__init__(raw_socket(sock))
        self.kind = kind
        self._fields = fields

    def fields(self) -> dict[str, Any]:
        return self._fields

    def delivered(self) -> None:
        _close_all(self)

    def returned(self, error: BaseException, is_wanted: bool) -> None:
        _close_all(self)


class _Moved(RawHandle):
    """The connection of a :class:`gnet.Socket`."""

    kind = 'net.Socket'

    def __init__(self, owner: Socket) -> None:
        self._told = departure.told_of(owner)
        self._departed = departure.depart(owner)
        super().__init__(self._departed.sock)

    def fields(self) -> dict[str, Any]:
        departed = self._departed
        extra = {
            name: base64.b64encode(data).decode('ascii')
            for name, data in (
                ('unread', departed.unread), ('unsent', departed.unsent), ('proxy', self._told),
            ) if data
        }
        fields: dict[str, Any] = {'gnet': extra} if extra else {}
        if departed.was_ended:
            fields.setdefault('gnet', {})['ended'] = True
        counter = departed.counter
        if counter is not None and counter.server is None:
            fields.setdefault('gnet', {})['accepted'] = True  # by whom, is no longer known
        elif counter is not None:
            fields['key'] = key_of(counter.server)
        return fields

    def delivered(self) -> None:
        self._departed.done()

    def returned(self, error: BaseException, is_wanted: bool) -> None:
        self._departed.come_back(None if is_wanted else error)


class _MovedPlain(RawHandle):
    """A connected socket of the standard library or of gevent."""

    def __init__(self, owner: Any) -> None:
        # A duplicate: the owner may close it while the message waits.
        super().__init__(raw_socket(owner))
        self._owner = owner

    def delivered(self) -> None:
        _close_all(self)
        self._owner.close()

    def returned(self, error: BaseException, is_wanted: bool) -> None:
        _close_all(self)
        if not is_wanted:
            self._owner.close()


Outgoing = Union[RawHandle, None]


def _close_all(handle: RawHandle) -> None:
    for sock in handle.socks:
        sock.close()


class RawSockets(tuple[Any, ...]):
    """Those that came with one message of gnet's own, in order; None for what is no socket."""

    __slots__ = ()

    def close(self) -> None:
        """Close them: nobody takes them."""
        for sock in self:
            if sock is not None:
                sock.close()


def raw_socket(owner: Any) -> Any:
    """Return a raw socket on a duplicate of the descriptor of *owner*."""
    fd = os.dup(owner.fileno())
    try:
        return _socket.socket(fileno=fd)
    except OSError:
        close_descriptor(fd)
        raise


def connection_of(loop: Loop, fd: int, family: Any) -> Any:
    """Return a non-blocking raw socket on *fd*, which belongs to it; None if it is no socket.

    Args:
        loop: who will watch it.
        fd: the descriptor of a connection; where it comes from, it is non-blocking already.
        family: of that connection, as gnet's primary says: it saves four system calls.
    """
    if _NON_BLOCKING and family in _FAMILIES:
        return CopiedSocket(loop, _FAMILIES[family], _socket.SOCK_STREAM | _NON_BLOCKING, fd)
    sock = raw_socket_of(fd)
    return sock and _copied(loop, sock)


def _copied(loop: Loop, sock: Any) -> Any:
    """Return *sock* as one that another process has, too."""
    copied = CopiedSocket(loop, sock.family, sock.type, sock.detach())
    copied.setblocking(False)
    return copied


def raw_socket_of(fd: int) -> Any:
    """Return a non-blocking raw socket on *fd*, which belongs to it; None if it is no socket."""
    try:
        sock = _socket.socket(fileno=fd)
    except OSError:
        close_descriptor(fd)
        return None
    sock.setblocking(False)
    return sock


def key_of(server: Any) -> str:
    """Return the name by which both processes count the connections of *server*."""
    return connections_of(server).key or _NO_KEY


def outgoing(
    handle: Any, keep_open: bool, track: Callable[[Server], object],
) -> Outgoing:
    """Return *handle* as something to be sent; None if it has no descriptor (as in Node).

    Args:
        handle: a server or socket, of gnet, of the standard library or of gevent.
        keep_open: whether a connection stays open here, too.
        track: called with the server of a connection that is sent.

    Raises:
        CodedTypeError: ``ERR_INVALID_HANDLE_TYPE`` for anything else.
        CodedRuntimeError: a greenlet is blocked on the socket, or has made text of its bytes; or a
            plain socket has bytes that were read before ``to_socket()`` (``ERR_READ_AHEAD``).
    """
    if isinstance(handle, Server):
        acceptor = handle_of(handle)
        if acceptor is None or acceptor.closed:
            return None
        if acceptor.socket.fileno() < 0:
            # The primary's, which this worker does not have.
            raise coded_errors.invalid_handle_type()
        return _Copied(acceptor.socket, 'net.Server', {})
    if isinstance(handle, Socket):
        if not departure.can_depart(handle):
            return None
        server = handle.server
        if server is not None:
            track(server)
        if not keep_open:
            return _Moved(handle)
        fields: dict[str, Any] = {} if server is None else {'key': key_of(server)}
        told = departure.told_of(handle)
        if told:
            fields['gnet'] = {'proxy': base64.b64encode(told).decode('ascii')}
        return _Copied(handle, 'net.Socket', fields)
    if not (hasattr(handle, 'fileno') and hasattr(handle, 'getsockopt')) or (
        hasattr(handle, 'do_handshake')
    ):
        raise coded_errors.invalid_handle_type()
    if handle.fileno() < 0:
        return None
    if unread_of(handle):
        raise coded_errors.state_error('ERR_READ_AHEAD')
    if handle.type == _socket.SOCK_DGRAM:
        return _Copied(handle, 'dgram.Native', {})
    if keep_open or handle.getsockopt(_socket.SOL_SOCKET, _socket.SO_ACCEPTCONN):
        return _Copied(handle, 'net.Native', {})
    return _MovedPlain(handle)


def incoming(
    kind: Any, fd: int, message: dict[str, Any], received_from: Callable[[str], ReceivedSockets],
    deliver: Callable[[Any], object],
) -> None:
    """Make of the descriptor *fd* what it was, and call ``deliver(handle)``, perhaps later.

    Args:
        kind: the type on the wire.
        fd: belongs to what is made of it.
        message: the message that it came with.
        received_from: returns who counts the sockets of a server of the other process.
        deliver: None is delivered for what is of no known type, or not what it says.
    """
    sock = raw_socket_of(fd)
    if sock is None:
        deliver(None)
    elif kind == 'net.Server':
        _bring_server(sock, deliver)
    elif kind == 'net.Socket':
        _bring_socket(_copied(get_loop(), sock), message, received_from, deliver)
    elif kind in ('net.Native', 'dgram.Native', 'dgram.Socket'):
        deliver(gevent.socket.socket(sock.family, sock.type, sock.proto, fileno=sock.detach()))
    else:
        sock.close()
        deliver(None)


def _bring_server(sock: Any, deliver: Callable[[Any], object]) -> None:
    server = Server()

    def listening() -> None:
        server.off('error', failed)
        deliver(server)

    def failed(_error: BaseException) -> None:
        server.off('listening', listening)
        sock.close()
        deliver(None)

    server.once('listening', listening)
    server.once('error', failed)
    server.listen(sock)


def _bring_socket(
    sock: Any, message: dict[str, Any], received_from: Callable[[str], ReceivedSockets],
    deliver: Callable[[Any], object],
) -> None:
    extra = message.get('gnet')
    extra = extra if isinstance(extra, dict) else {}
    key = '' if extra.get('accepted') is True else message.get('key')
    counted = None
    if isinstance(key, str):
        counted = received_from(key)
        counted.add()
    connection = Socket()
    deliver(connection)
    departure.arrive(
        connection, sock, counted, _bytes_of(extra.get('unread')), _bytes_of(extra.get('unsent')),
        extra.get('ended') is True, _bytes_of(extra.get('proxy')))


def _bytes_of(text: Any) -> bytes:
    try:
        return base64.b64decode(text, validate=True) if isinstance(text, str) else b''
    except ValueError:
        return b''
