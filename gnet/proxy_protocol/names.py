"""What a header makes of the names of a connection's ends. No I/O."""

from __future__ import annotations

from typing import Any

from ..addresses.ends import Address, ProxiedName, address_of_peer
from .header import End, HeaderParser, ProxyHeader

__all__ = ['named_by', 'named_by_bytes']


def named_by(header: ProxyHeader, family: int, remote: Any) -> ProxiedName:
    """Return the name that a peer has from now on.

    Args:
        header: what it has told.
        family: of the socket, by the system's number.
        remote: the peer's own name, in the system's form.
    """
    told = header._replace(peer=address_of_peer(family, remote))
    if told.is_local or told.source is None:
        # The real ends of the connection count (2.1 and 2.2 of the specification).
        return ProxiedName(remote if isinstance(remote, tuple) else (), None, told)
    return ProxiedName(_system_name(told.source), _system_name(told.destination), told)


def named_by_bytes(data: bytes, family: int, remote: Any) -> Any:
    """The same by the bytes of a header; *remote* itself where there are none.

    Raises:
        CodedValueError: ``ERR_PROXY_PROTOCOL``.
    """
    parser = HeaderParser()
    parser.feed(data)
    return remote if parser.header is None else named_by(parser.header, family, remote)


def _system_name(end: End) -> tuple[Any, ...]:
    if not isinstance(end, Address):
        return ()  # a path, which is no name of TCP
    return (end.address, end.port) if end.family == 'IPv4' else (end.address, end.port, 0, 0)
