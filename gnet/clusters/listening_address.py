"""Where a worker listens, as the primary is told."""

from __future__ import annotations

from ..node.records import NamedTuple
from ..node.spelling import NodeNames

__all__ = ['ListeningAddress']


class _ListeningAddress(NamedTuple):
    address: str | None
    port: int
    address_type: int
    fd: int | None


class ListeningAddress(_ListeningAddress, NodeNames):
    """Where a worker listens: what `'listening'` is emitted with.

    Attributes:
        address: an IP address or a path; None for every address.
        port: the real port; -1 for unix sockets.
        address_type: 4, 6, or -1 for unix sockets.
        fd: a descriptor of the primary that the worker asked for, else None.
    """

    __slots__ = ()

    # Once more, because NodeNames gives a second spelling to what the class itself has.
    address_type: int = _ListeningAddress.address_type
