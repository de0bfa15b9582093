"""What servers are called in metrics and logs: their address, or a name that the program gives."""

from __future__ import annotations

from typing import Any
from weakref import WeakKeyDictionary, WeakSet

from ..node import coded_errors
from ..servers.server import Server

__all__ = ['ServerLabels', 'address_text']

#: Characters of a name: it stands in each line.
_MAX_NAME = 100


def address_text(address: Any) -> str:
    """Return ``127.0.0.1:80``, ``[::1]:80``, or a path; empty for None."""
    if address is None:
        return ''
    if isinstance(address, str):
        return address.replace('\0', '@', 1) if address.startswith('\0') else address
    host = f'[{address[0]}]' if ':' in address[0] else address[0]
    return f'{host}:{address[-1]}'


class ServerLabels:
    """The names of servers. A server that has listened keeps its address when it is closed."""

    def __init__(self) -> None:
        self._names: WeakKeyDictionary[Any, str] = WeakKeyDictionary()
        self._addresses: WeakKeyDictionary[Any, str] = WeakKeyDictionary()
        #: Servers of gnet's own, of which nobody wants to read.
        self.hidden: WeakSet[Any] = WeakSet()

    def name(self, server: Any, name: Any) -> None:
        """Call *server* so from now on.

        Raises:
            CodedTypeError: ``ERR_INVALID_ARG_TYPE`` for what is no server, or no text;
                ``ERR_INVALID_ARG_VALUE`` for an empty name, or one of over 100 characters.
        """
        if not isinstance(server, Server):
            raise coded_errors.invalid_arg_type('server', 'an instance of Server', server)
        if not isinstance(name, str):
            raise coded_errors.invalid_arg_type('name', 'of type string', name)
        if not name or len(name) > _MAX_NAME:
            raise coded_errors.invalid_arg_value(
                'name', name, f'must have 1 to {_MAX_NAME} characters')
        self._names[server] = name

    def listens(self, server: Any) -> None:
        """*server* listens: note where."""
        self._addresses[server] = address_text(server.address())

    def address(self, server: Any) -> str:
        """Return where *server* listens, or did; empty if it never has."""
        address = self._addresses.get(server)
        if address is None and server.listening:
            self.listens(server)
            address = self._addresses[server]
        return address or ''

    def of(self, server: Any) -> str:
        """Return what *server* is called; ``none`` for one that has never listened."""
        return self._names.get(server) or self.address(server) or 'none'
