"""The ends of a connection as values: :class:`Address`, and how the OS's form becomes one."""

from __future__ import annotations

import socket
from typing import Any, NamedTuple

from .names import NodeNames

__all__ = ['Address', 'Ends', 'address_of']

_FAMILIES = {socket.AF_INET: 'IPv4', socket.AF_INET6: 'IPv6'}


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


def address_of(family: int, name: Any) -> Address | None:
    """Turn *name*, a socket name in Python's form, into an :class:`Address`; None for unix sockets.

    The zone of an IPv6 address (``%eth0``) is left out, as in Node.
    """
    kind = _FAMILIES.get(family)
    if kind is None or not isinstance(name, tuple):
        return None
    return Address(name[0].partition('%')[0], kind, name[1])
