"""The ends of a connection as values: :class:`Address`, and how the OS's form becomes one."""

from __future__ import annotations

import socket
from typing import Any, NamedTuple

from .names import NodeNames

__all__ = ['Address', 'Ends', 'address_of', 'ends_of']

_FAMILIES: dict[int, str] = {socket.AF_INET: 'IPv4', socket.AF_INET6: 'IPv6'}


class Address(NamedTuple):
    """An IP address and port; what ``address()`` of servers and sockets returns."""

    address: str
    family: str
    port: int


class _Ends(NamedTuple):
    local_address: str
    local_port: int
    local_family: str
    remote_address: str
    remote_port: int
    remote_family: str


class Ends(_Ends, NodeNames):
    """Both ends of a TCP connection that was dropped; what `'drop'` is emitted with."""

    __slots__ = ()

    # Once more, because NodeNames gives a second spelling to what the class itself has.
    local_address = _Ends.local_address
    local_port = _Ends.local_port
    local_family = _Ends.local_family
    remote_address = _Ends.remote_address
    remote_port = _Ends.remote_port
    remote_family = _Ends.remote_family


def address_of(family: int, name: Any) -> Address | None:
    """Turn *name*, a socket name in Python's form, into an :class:`Address`; None for unix sockets.

    The zone of an IPv6 address (``%eth0``) is left out, as in Node.
    """
    kind = _FAMILIES.get(family)
    if kind is None or not isinstance(name, tuple):
        return None
    return Address(name[0].partition('%')[0], kind, name[1])


def ends_of(sock: Any, remote: Any) -> Ends | None:
    """Return both ends of the TCP connection *sock*; None for unix sockets.

    Args:
        sock: a connected socket.
        remote: the name of its peer, from accept(2).
    """
    near, far = address_of(sock.family, sock.getsockname()), address_of(sock.family, remote)
    if near is None or far is None:
        return None
    return Ends(near.address, near.port, near.family, far.address, far.port, far.family)
