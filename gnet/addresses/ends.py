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
    'ProxiedName',
    'address_of',
    'address_of_near_end',
    'address_of_peer',
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


class ProxiedName(tuple):  # type: ignore[type-arg]  # as the system has them: of two or four
    """The name of a peer in Python's form, as who stands between has told it. Empty if not of TCP.

    Attributes:
        near: the name of this end, as the peer knows it; empty if not of TCP. None: as the system
            says.
        header: all that was told.
    """

    near: tuple[Any, ...] | None
    header: Any

    def __new__(cls, name: Any, near: tuple[Any, ...] | None, header: Any) -> ProxiedName:
        made = super().__new__(cls, name)
        made.near, made.header = near, header
        return made

    def __getnewargs__(self) -> tuple[Any, ...]:
        return tuple(self), self.near, self.header


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
    if isinstance(name, tuple) and name and isinstance(name[0], str):
        return name[0]
    return None  # of a unix socket, or of one behind a proxy


def is_link_local(address: str) -> bool:
    """Return whether *address* is in fe80::/10 (RFC 4291, section 2.5.6)."""
    first = address.partition(':')[0].lower()
    return len(first) == 4 and first.startswith(('fe8', 'fe9', 'fea', 'feb'))


def _zone(number: int) -> str:
    try:
        return _socket.if_indextoname(number)
    except OSError:
        return str(number)  # the interface is gone


def address_of_peer(family: int, name: Any) -> Address | None:
    """Like :func:`address_of`, for the *name* of a peer, which may be a :class:`ProxiedName`."""
    return address_of(_family_of(name) if type(name) is ProxiedName else family, name)


def address_of_near_end(sock: Any, remote: Any) -> Address | None:
    """Return the local end of the connection *sock*, whose peer's name is *remote*."""
    if type(remote) is ProxiedName and remote.near is not None:
        return address_of(_family_of(remote.near), remote.near)
    return address_of(sock.family, sock.getsockname())


def _family_of(name: tuple[Any, ...]) -> int:
    return {2: _socket.AF_INET, 4: _socket.AF_INET6}.get(len(name), _socket.AF_UNIX)


def ends_of(sock: Any, remote: Any) -> Ends | None:
    """Return both ends of the TCP connection *sock*; None for unix sockets.

    Args:
        sock: a connected socket.
        remote: the name of its peer, from accept(2), or a :class:`ProxiedName`.
    """
    near, far = address_of_near_end(sock, remote), address_of_peer(sock.family, remote)
    if near is None or far is None:
        return None
    return Ends(near.address, near.port, near.family, far.address, far.port, far.family)
