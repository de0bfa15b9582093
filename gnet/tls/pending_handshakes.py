"""Handshakes that are not done, counted: a server may have a limit, and one for each address.

A connection costs next to nothing before its handshake is done, but a descriptor and 10 KB. Who
opens many and says nothing can be kept from taking all there are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from ..node.validators import validate_integer
from ..node.values import MAX_INT32, UNDEFINED

__all__ = ['PENDING_OPTIONS', 'PendingHandshakes']

#: The names of the options.
PENDING_OPTIONS = frozenset({'max_pending_handshakes', 'max_pending_handshakes_per_address'})


class PendingHandshakes:
    """Those of one server.

    Args:
        options: of the server, in ``snake_case``.

    Raises:
        CodedTypeError, CodedValueError: ``ERR_INVALID_ARG_TYPE``, ``ERR_OUT_OF_RANGE``.
    """

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._limit = _limit('options.maxPendingHandshakes', options.get('max_pending_handshakes'))
        self._limit_of_one = _limit(
            'options.maxPendingHandshakesPerAddress',
            options.get('max_pending_handshakes_per_address'))
        self._addresses: dict[Any, str | None] = {}
        self._of_address: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._addresses)

    def is_full(self, remote: Any) -> bool:
        """Whether there are as many as there may be: of all, or of the address of *remote*."""
        if self._limit is not None and len(self._addresses) >= self._limit:
            return True
        address = _address(remote)
        return self._limit_of_one is not None and address is not None and (
            self._of_address[address] >= self._limit_of_one)

    def add(self, handshake: Any, remote: Any) -> None:
        """Count *handshake*, with the peer *remote*."""
        address = self._addresses[handshake] = _address(remote)
        if self._limit_of_one is not None and address is not None:
            self._of_address[address] += 1

    def discard(self, handshake: Any) -> None:
        """Count it no more; once is enough."""
        address = self._addresses.pop(handshake, None)
        if address is not None and address in self._of_address:
            self._of_address[address] -= 1
            if not self._of_address[address]:
                del self._of_address[address]


def _address(remote: Any) -> str | None:
    """Return the IP address of a peer's name; None of a unix socket."""
    return remote[0] if isinstance(remote, tuple) and remote else None


def _limit(name: str, value: Any) -> int | None:
    if value is None or value is UNDEFINED:
        return None
    return validate_integer(name, value, 1, MAX_INT32)
