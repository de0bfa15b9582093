"""``gnet.Server``: listens, and emits each connection as a :class:`gnet.Socket`."""

from __future__ import annotations

import logging
from collections.abc import Hashable
from typing import Any

from gevent import GreenletExit, getcurrent

from .. import lifecycle
from ..addresses.block_list import BlockList
from ..addresses.ends import Ends, address_of, ends_of
from ..loop.agenda import EXITS
from ..node.values import is_number, to_number
from ..options import server, shapes, shared
from ..sockets.socket import Socket
from .connections import Closing

__all__ = [
    'Server',
    'create_server',
]

_log = logging.getLogger('gnet.server')

#: What a blocking call raises when its socket is destroyed on this side meanwhile.
_DESTROYED_UNDER_IT = frozenset({'ERR_SOCKET_CLOSED', 'ECANCELED'})


class Server(Closing):
    """A server for TCP and unix sockets, as Node's ``net.Server``.

    ==================  ==================  ========================================================
    event               arguments           when
    ==================  ==================  ========================================================
    ``'listening'``     ``()``              bound and listening, a tick after ``listen()``
    ``'connection'``    ``(sock)``          for each accepted connection, in a greenlet of its own
    ``'drop'``          ``(data)``          instead, when there are ``max_connections`` already;
                                            a record of both ends, None for a unix socket
    ``'error'``         ``(err)``           ``listen`` or accepting failed; `'close'` does not
                                            follow by itself
    ``'close'``         ``()``              closed, and all connections have ended
    ==================  ==================  ========================================================

    A `'connection'` listener may block: it delays nobody else. If it used the blocking names of its
    socket, the socket is ended when it returns, and destroyed if it raises; one that only
    registered listeners leaves it open. What it raises costs that connection and no more.

    An `'error'` that nobody listens to, and what a listener of another event raises, end
    ``gnet.run()`` with that exception.
    """

    __slots__ = (
        '_block_list', '_drop_max_connection', '_max_connections', 'allow_half_open',
        'high_water_mark', 'keep_alive', 'keep_alive_initial_delay', 'no_delay',
        'pause_on_connect',
    )

    def __init__(self, *args: Any, **keywords: Any) -> None:
        """Make a server; :meth:`listen` starts it.

        Args:
            args: ``(options, listener)``, ``(listener)`` or nothing. *options* is a mapping in
                Python's or Node's spelling, and is not modified; *listener* is added to
                `'connection'`.
            keywords: the options, which win over the mapping:

                - allow_half_open: keep writing possible when the peer has ended (default False).
                - pause_on_connect: read nothing before ``resume()`` or a read (False).
                - no_delay: switch Nagle's algorithm off on each connection (False).
                - keep_alive: have the kernel probe idle connections (False).
                - keep_alive_initial_delay: milliseconds before its first probe (0: the system's).
                - high_water_mark: bytes buffered for each connection and direction (65536).
                - block_list: a :class:`gnet.BlockList` of peers that are refused silently.

        Raises:
            CodedTypeError: ``ERR_INVALID_ARG_TYPE``.
        """
        given, listener = shapes.split_server_arguments(args, keywords)
        super().__init__()
        if listener is not None:
            self.on('connection', listener)
        chosen = server.server_options(given)
        self.allow_half_open = chosen.allow_half_open
        self.pause_on_connect = chosen.pause_on_connect
        self.no_delay = chosen.no_delay
        self.keep_alive = chosen.keep_alive
        #: In whole seconds, as Node stores it; the option is in milliseconds.
        self.keep_alive_initial_delay = chosen.keep_alive_initial_delay
        #: For the connections to come. What is no number of bytes (NaN, Infinity, a fraction)
        #: stands for the default; Node ends the process at the next connection then.
        self.high_water_mark = chosen.high_water_mark
        self._block_list = chosen.block_list
        self._max_connections: Any = None
        self._drop_max_connection: Any = False

    def __repr__(self) -> str:
        where: Any = 'not listening'
        if self._handle is not None:
            # Another server may have it, and have closed it.
            where = 'closed by another server' if self._handle.closed else self.address()
        return f'<gnet.{type(self).__name__} {where}, {self._connections} connections>'

    # --- state ------------------------------------------------------------------------------------

    @property
    def max_connections(self) -> Any:
        """Connections at which further ones are dropped; None (the default) for no limit.

        May be changed any time; connections that exist are not closed. Compared as in JavaScript:
        ``False`` is 0, ``'1'`` is 1, and NaN is no limit. A worker of a cluster passes further ones
        on to other workers instead; if all are full, they wait.
        """
        return self._max_connections

    @max_connections.setter
    def max_connections(self, value: Any) -> None:
        self._max_connections = value
        if self._on_room is not None:
            self._on_room()

    @property
    def drop_max_connection(self) -> Any:
        """In a worker of a cluster: drop beyond ``max_connections`` instead of passing on."""
        return self._drop_max_connection

    @drop_max_connection.setter
    def drop_max_connection(self, value: Any) -> None:
        self._drop_max_connection = value
        if self._on_room is not None:
            self._on_room()

    def _is_full(self) -> bool:
        limit = self._max_connections
        return limit is not None and self._connections >= to_number(limit)

    @property
    def block_list(self) -> BlockList | None:
        """The :class:`gnet.BlockList` of peers that are refused silently, or None. May be changed.

        Raises:
            CodedTypeError: ``ERR_INVALID_ARG_TYPE`` when it is set to something else. (Node notices
                at the next connection, and ends the process.)
        """
        return self._block_list

    @block_list.setter
    def block_list(self, value: BlockList | None) -> None:
        self._block_list = shared.block_list({'block_list': value})

    # --- connections, in the hub ------------------------------------------------------------------

    def _admit(self, sock: Any, remote: Any) -> Socket | None:
        if self._is_full():
            data = ends_of(sock, remote)
            sock.close()
            self._loop.tick(self._emit_drop, data, lifecycle.DropReason.MAX_CONNECTIONS)
            return None
        if self._block_list is not None:
            peer = address_of(sock.family, remote)
            if peer is not None and self._block_list.check(peer.address, peer.family):
                data = ends_of(sock, remote)
                sock.close()
                self._loop.tick(
                    lifecycle.publish, lifecycle.ConnectionDropped, self, data,
                    lifecycle.DropReason.BLOCK_LIST,
                )
                return None
        mark = self.high_water_mark
        if type(mark) is not int or mark < 0:
            mark = _usable_mark(mark)
        connection = Socket._accepted(
            self, self._loop, sock, remote, mark, bool(self.allow_half_open))
        self._connections += 1
        self._sockets[connection] = None
        try:
            if self.no_delay or self.keep_alive:
                self._set_options(connection)
        except BaseException:
            connection.destroy()  # a property was set to what is none: counted, it must end
            raise
        if self.pause_on_connect:
            connection._pause_at_birth()
        return connection

    def _set_options(self, connection: Socket) -> None:
        try:
            if self.no_delay:
                connection.set_no_delay(True)
            if self.keep_alive:
                connection.set_keep_alive(True, self.keep_alive_initial_delay * 1000)
        except OSError as error:
            # The connection is good without them. The peer may be gone (macOS says EINVAL then), or
            # the system does not take such a long delay (Linux: 32767 s). Node ignores it, too.
            _log.debug('%r: setting the options of %r: %s', self, connection, error)

    # --- connections, in their own greenlet -------------------------------------------------------

    def _serve(self, sock: Socket) -> None:
        """Emit `'connection'`: what its listeners do happens in this greenlet."""
        sock._begin(getcurrent())
        try:
            lifecycle.publish(lifecycle.ConnectionOpened, self, sock)
            if not sock.destroyed:  # by stop(), before it could begin
                self.emit('connection', sock)
        except GreenletExit:
            sock.destroy()  # somebody killed the handler
        except EXITS:
            sock.destroy()
            raise
        except BaseException as error:
            # Who destroyed the socket under its listener, as stop() does, knows that.
            if not (sock.destroyed and getattr(error, 'code', None) in _DESTROYED_UNDER_IT):
                self._handler_failed(error, sock)
        sock._owner_returned()

    def _handler_failed(self, error: BaseException, sock: Socket) -> None:
        lifecycle.publish(lifecycle.ListenerFailed, self, 'connection', error)
        try:
            self.capture_rejection(error, 'connection', sock)
        except BaseException:
            sock.destroy(error)
            raise

    def capture_rejection(self, error: BaseException, event: Hashable, *args: Any) -> None:
        """Route what a listener, or a greenlet that it returned, failed with. May be overridden.

        A `'connection'` listener costs its connection: the socket is destroyed with the error.
        Anything else is an `'error'` of the server.

        Args:
            error: what was raised.
            event: the event whose listener it was.
            args: the arguments of that event.
        """
        if event != 'connection' or not args:
            lifecycle.publish(lifecycle.ServerError, self, error)
            self._route_error(super().capture_rejection, error, event, *args)
        elif isinstance(args[0], Socket):
            args[0]._fail(error)
        else:
            args[0].destroy(error)  # emitted by hand

    # --- emitting, in a runner --------------------------------------------------------------------

    def _emit_drop(self, data: Ends | None, reason: lifecycle.DropReason) -> None:
        lifecycle.publish(lifecycle.ConnectionDropped, self, data, reason)
        try:
            self.emit('drop', data)
        except EXITS:
            raise
        except BaseException as error:
            # Brought about by a peer: it must not end the program.
            lifecycle.publish(lifecycle.ListenerFailed, self, 'drop', error)
            self._loop.report(self, error)


def _usable_mark(mark: Any) -> int:
    """Return the high-water mark that *mark* stands for: the default if it is no whole number."""
    if is_number(mark) and mark >= 0 and mark % 1 == 0:
        return int(mark)
    return shared.DEFAULT_HIGH_WATER_MARK


def create_server(*args: Any, **keywords: Any) -> Server:
    """Make a :class:`Server`; the arguments are the same: ``(options, listener)``, or keywords."""
    return Server(*args, **keywords)
