"""Where both ends of a connection are: as the system says, or as a proxy has told."""

from __future__ import annotations

import _socket
from typing import TYPE_CHECKING

from ..addresses.ends import Address, ProxiedName, address_of_near_end, address_of_peer
from .lending import Lender

if TYPE_CHECKING:
    from ..proxy_protocol.header import ProxyHeader

__all__ = ['Addressed']


class Addressed(Lender):
    """A socket that tells its addresses. Without state of its own: :class:`gnet.Socket` has it."""

    __slots__ = ()

    def address(self) -> Address | None:
        """Return the local end as ``(address, family, port)``.

        None for a unix socket, and while there is no connection.
        """
        sock = self._wire.sock
        return None if sock is None else address_of_near_end(sock, self._remote)

    @property
    def local_address(self) -> str | None:
        """The local IP address; None for unix sockets and without a connection."""
        local = self.address()
        return local.address if local else None

    @property
    def local_port(self) -> int | None:
        """The local port; None for unix sockets and without a connection."""
        local = self.address()
        return local.port if local else None

    @property
    def local_family(self) -> str | None:
        """``'IPv4'`` or ``'IPv6'``; None for unix sockets and without a connection."""
        local = self.address()
        return local.family if local else None

    def _peer(self) -> Address | None:
        remote = self._remote
        if not isinstance(remote, tuple):
            return None
        return address_of_peer(
            _socket.AF_INET6 if len(remote) == 4 else _socket.AF_INET, remote)

    @property
    def remote_address(self) -> str | None:
        """The peer's IP address, also after the connection is closed; None for unix sockets."""
        peer = self._peer()
        return peer.address if peer else None

    @property
    def remote_port(self) -> int | None:
        """The peer's port, also after the connection is closed; None for unix sockets."""
        peer = self._peer()
        return peer.port if peer else None

    @property
    def remote_family(self) -> str | None:
        """``'IPv4'`` or ``'IPv6'``; None for unix sockets."""
        peer = self._peer()
        return peer.family if peer else None

    @property
    def proxy(self) -> ProxyHeader | None:
        """What the header of the PROXY protocol has told, also after the connection is closed.

        None where none was read: see *proxy_protocol* of :func:`gnet.create_server`.
        """
        remote = self._remote
        return remote.header if type(remote) is ProxiedName else None
