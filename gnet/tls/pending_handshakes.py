"""Handshakes that are not done, counted: a server may have a limit, and one for each address.

A connection costs next to nothing before its handshake is done, but a descriptor and 10 KB. Who
opens many and says nothing can be kept from taking all there are.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..addresses.ends import host_of
from ..node.validators import validate_integer
from ..node.values import MAX_INT32, UNDEFINED
from ..options.limits import LimitOptions

if TYPE_CHECKING:
    from ..servers.connections import Connections, Place
    from ..servers.limits import Limits

__all__ = ['PENDING_OPTIONS', 'PendingHandshakes']

#: The names of the options.
PENDING_OPTIONS = frozenset({'max_pending_handshakes', 'max_pending_handshakes_per_address'})


class PendingHandshakes:
    """Those of one server.

    Args:
        options: of the server, in ``snake_case``.
        connections: of the server; they know how many bits of an address make it the same one.

    Raises:
        CodedTypeError, CodedValueError: ``ERR_INVALID_ARG_TYPE``, ``ERR_OUT_OF_RANGE``.
    """

    def __init__(self, options: Mapping[str, Any], connections: Connections) -> None:
        self._limit = _limit('options.maxPendingHandshakes', options.get('max_pending_handshakes'))
        self._limit_of_one = _limit(
            'options.maxPendingHandshakesPerAddress',
            options.get('max_pending_handshakes_per_address'))
        self._connections = connections
        self._places: dict[Any, Place | None] = {}
        #: What counts those of each address, and by how many bits.
        self._limits: Limits | None = None
        self._prefixes = (0, 0)

    def __len__(self) -> int:
        return len(self._places)

    def is_full(self) -> bool:
        """Whether there are as many as there may be of all together."""
        return self._limit is not None and len(self._places) >= self._limit

    def of_one(self) -> Limits | None:
        """Return what counts those of each address; None if there may be any number."""
        if self._limit_of_one is None:
            return None
        options = self._connections.limit_options
        prefixes = options.ipv4_prefix, options.ipv6_prefix
        if self._limits is None or prefixes != self._prefixes:
            from ..servers.limits import Limits
            self._prefixes = prefixes
            self._limits = Limits(
                LimitOptions(
                    max_connections_per_address=self._limit_of_one, ipv4_prefix=prefixes[0],
                    ipv6_prefix=prefixes[1]),
                self._connections.loop.now)
        return self._limits

    def add(self, handshake: Any, remote: Any) -> None:
        """Count *handshake*, with the peer *remote*."""
        limits = self.of_one()
        self._places[handshake] = None if limits is None else limits.place_of(host_of(remote))

    def discard(self, handshake: Any) -> None:
        """Count it no more; once is enough."""
        place = self._places.pop(handshake, None)
        if place is not None:
            place[0].release(place[1])


def _limit(name: str, value: Any) -> int | None:
    if value is None or value is UNDEFINED:
        return None
    return validate_integer(name, value, 1, MAX_INT32)
