"""The ends of a connection as values: :class:`Address`, and how the OS's form becomes one."""

from __future__ import annotations

import _socket
from typing import Any

from ..node.records import NamedTuple
from ..node.spelling import NodeNames

__all__ = [
    'FAMILIES',
    'TCP_FAMILIES',
    'VERSIONS',
    'Address',
    'Dropped',
    'Ends',
    'address_of',
    'ends_of',
    'host_of',
    'is_link_local',
]

#: The system's numbers of the families by the versions of IP, which are Node's numbers; and back.
FAMILIES: dict[int, int] = {4: _socket.AF_INET, 6: _socket.AF_INET6}
VERSIONS = {family: version for version, family in FAMILIES.items()}
TCP_FAMILIES = tuple(VERSIONS)

#: Node's names of the families.
_NAMES = {4: 'IPv4', 6: 'IPv6'}


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


class Dropped(Ends):
    """Both ends, and why the connection was dropped.

    Attributes:
        reason: a :class:`gnet.lifecycle.DropReason`.
        network: whose limit it was, as text: an address or a network (``'2001:db8::/64'``); None
            for a limit of all together.
    """

    #: With attributes of its own: a tuple can have no slots.
    reason: Any
    network: str | None


def address_of(family: int, name: Any) -> Address | None:
    """Turn *name*, a socket name in Python's form, into an :class:`Address`; None for unix sockets.

    A link-local IPv6 address has its zone (``fe80::1%eth0``), without which it leads nowhere; as in
    Node, others have none.
    """
    version = VERSIONS.get(family)
    if version is None or not isinstance(name, tuple):
        return None
    address = name[0].partition('%')[0]
    if len(name) == 4 and name[3] and is_link_local(address):
        address += f'%{_zone(name[3])}'
    return Address(address, _NAMES[version], name[1])


def host_of(name: Any) -> str | None:
    """Return the IP address in *name*, a socket name in Python's form; None if it has none."""
    return name[0] if isinstance(name, tuple) and isinstance(name[0], str) else None


def is_link_local(address: str) -> bool:
    """Return whether *address* is in fe80::/10 (RFC 4291, section 2.5.6)."""
    first = address.partition(':')[0].lower()
    return len(first) == 4 and first.startswith(('fe8', 'fe9', 'fea', 'feb'))


def _zone(number: int) -> str:
    try:
        return _socket.if_indextoname(number)
    except OSError:
        return str(number)  # the interface is gone


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
