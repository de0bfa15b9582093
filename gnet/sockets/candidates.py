"""The addresses that a connection may be made to: read from a look-up, and put in order."""

from __future__ import annotations

import _socket
import socket
from collections.abc import Iterable, Mapping
from typing import Any

from ..addresses.ends import is_link_local
from ..node.records import NamedTuple
from ..node.validators import MAX_PORT
from ..node.values import truthy

__all__ = [
    'Candidate',
    'destination',
    'interleave',
    'pairs_of',
    'system_name',
]


class Candidate(NamedTuple):
    """An address to try."""

    address: str
    family: int


def interleave(candidates: Iterable[Candidate]) -> list[Candidate]:
    """Alternate between the families, beginning with that of the first; drop duplicates.

    RFC 8305, section 4; the resolver's order is kept within each family.
    """
    found = list(dict.fromkeys(candidates))
    first = [one for one in found if one.family == found[0].family]
    other = [one for one in found if one.family != found[0].family]
    mixed = []
    while first or other:
        for queue in (first, other):
            if queue:
                mixed.append(queue.pop(0))
    return mixed


def system_name(address: str, port: int, family: int) -> Any:
    """The form in which the system takes this address; a zone becomes its number.

    Raises gaierror when it is not of this family, OverflowError for what is no port.
    """
    if not 0 <= port <= MAX_PORT:
        raise OverflowError(port)
    return _socket.getaddrinfo(
        address, port, family, _socket.SOCK_STREAM, 0, _socket.AI_NUMERICHOST)[0][4]


def destination(address: str, port: int, family: int) -> Any:
    """The same for connect(2): a link-local address without a zone is that of the first link.

    The system refuses such an address, as it may be that of several machines; but on most machines
    there is one interface that it can mean, and Node (libuv) takes the first one.
    """
    name = system_name(address, port, family)
    if family == _socket.AF_INET6 and not name[3] and is_link_local(address):
        return (*name[:3], _first_link(name[0]))
    return name


def _first_link(address: str) -> int:
    """Return the number of the first interface that leads to *address*; 0 if none does."""
    for number, _ in socket.if_nameindex():
        probe = _socket.socket(_socket.AF_INET6, _socket.SOCK_DGRAM)
        try:
            # Of a socket for datagrams this sends nothing: it chooses an address to send from.
            probe.connect((address, 9, 0, number))
            if is_link_local(probe.getsockname()[0]):
                return number
        except OSError:
            continue  # an interface without IPv6, or one that is down
        finally:
            probe.close()
    return 0


def pairs_of(found: Any) -> list[tuple[Any, Any]]:
    """Read the list that a look-up function answered with: mappings, or pairs.

    What is neither becomes an address that is none, whose error names it.
    """
    if isinstance(found, Iterable) and not isinstance(found, (str, Mapping)):
        return [_pair(entry) for entry in found]
    return [(found, None)] if truthy(found) else []


def _pair(entry: Any) -> tuple[Any, Any]:
    if isinstance(entry, Mapping):
        return entry.get('address'), entry.get('family')
    if isinstance(entry, (list, tuple)) and len(entry) == 2:
        return entry[0], entry[1]
    return entry, None
