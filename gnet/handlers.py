"""Handlers that were written for other servers, on the connections of a gnet server.

::

    class Shout(socketserver.StreamRequestHandler):
        def handle(self):
            for line in self.rfile:
                self.wfile.write(line.upper())

    gnet.serve(gnet.from_socketserver(Shout), 7000)

The other way round, a WSGI application is served by :func:`gnet.wsgi.serve`.
"""

from __future__ import annotations

import socket
import socketserver
from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

from .node.coded_errors import CodedTypeError, invalid_arg_type
from .node.faces import show_as

__all__ = ['HandlersServer', 'from_socketserver']


class HandlersServer:
    """What a handler of ``socketserver`` finds as its ``server``.

    There is one for each gnet server, so what handlers put on it they find again.

    Attributes:
        RequestHandlerClass: the class of the handlers.
        server_address: where the server listens, as ``getsockname()`` has it; of one that is
            closed, where it did.
        server_name, server_port: the same, as :class:`http.server.HTTPServer` has it.
        address_family: an ``AF_…`` number.
        socket_type: ``SOCK_STREAM``.
        allow_reuse_address: True.
        request_queue_size: 511.
        timeout: None.
        gnet_server: the :class:`gnet.Server`.
    """

    socket_type = socket.SOCK_STREAM
    allow_reuse_address = True
    request_queue_size = 511
    timeout = None

    def __init__(
        self, handler_class: type[socketserver.BaseRequestHandler], sock: Any,
    ) -> None:
        """Make it for the server that has accepted *sock*."""
        self.RequestHandlerClass = handler_class
        self.gnet_server: Any = sock.server
        self.address_family: int = sock.family
        self._address: Any = None

    @property
    def server_address(self) -> Any:
        """Where the server listens."""
        address = None if self.gnet_server is None else self.gnet_server.address()
        if isinstance(address, str):
            self._address = address
        elif address is not None:
            self._address = (address.address, address.port)
            if address.family == 'IPv6':
                self._address += (0, 0)  # flow information, and a scope: neither is known
        return self._address

    @property
    def server_name(self) -> str:
        """The host of that. (``http.server`` looks up its name in DNS, and waits for that.)"""
        address = self.server_address
        return str(address[0]) if isinstance(address, tuple) else str(address or '')

    @property
    def server_port(self) -> int:
        """The port of that; 0 of a unix socket."""
        address = self.server_address
        return int(address[1]) if isinstance(address, tuple) else 0

    def shutdown(self) -> None:
        """Stop listening; connections go on. Unlike that of ``socketserver``, it does not wait."""
        if self.gnet_server is not None:
            self.gnet_server.close()

    def server_close(self) -> None:
        """As :meth:`shutdown`."""
        self.shutdown()

    def fileno(self) -> int:
        """Return -1: the listening socket is gnet's."""
        return -1


def from_socketserver(
    handler_class: type[socketserver.BaseRequestHandler], server: Any = None,
) -> Callable[[Any], None]:
    """Return a `'connection'` listener that has each connection handled by *handler_class*.

    ``request`` is the :class:`gnet.Socket`, which a handler may use as it uses a socket;
    ``client_address`` is what ``getpeername()`` says, so behind a proxy (``proxy_protocol``) it is
    the client's. Each handler has a greenlet of its own, as if by ``ThreadingMixIn``; what it calls
    must not block the thread: patch the program (``gnet --patch``) if it does. What a handler
    raises costs its connection.

    Args:
        handler_class: a subclass of :class:`socketserver.BaseRequestHandler`, such as
            ``StreamRequestHandler`` and ``http.server.BaseHTTPRequestHandler``.
        server: what handlers find as their ``server``, where yours read more of it than where it
            listens. None (the default) for a :class:`HandlersServer`.

    Raises:
        CodedTypeError: ``ERR_INVALID_ARG_TYPE``: it is no class of handlers;
            ``ERR_INVALID_ARG_VALUE``: it is one for datagrams.
    """
    if not (isinstance(handler_class, type)
            and issubclass(handler_class, socketserver.BaseRequestHandler)):
        raise invalid_arg_type(
            'handlerClass', 'a subclass of socketserver.BaseRequestHandler', handler_class)
    if issubclass(handler_class, socketserver.DatagramRequestHandler):
        raise CodedTypeError(
            'ERR_INVALID_ARG_VALUE',
            f"The argument 'handlerClass' is for datagrams, which gnet does not serve: "
            f'{handler_class.__qualname__}')
    facades: WeakKeyDictionary[Any, HandlersServer] = WeakKeyDictionary()

    def handle(sock: Any) -> None:
        facade = server
        if facade is None:
            owner = sock.server
            facade = None if owner is None else facades.get(owner)
            if facade is None:
                facade = HandlersServer(handler_class, sock)
                if owner is not None:
                    facades[owner] = facade
        handler_class(sock, sock.getpeername(), facade)

    handle.__name__ = handle.__qualname__ = handler_class.__name__
    return handle


show_as(__name__, globals(), __all__)
