"""The three kinds of address that every test of sockets should see."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from typing import Any

from gnet.testing.addresses import address_of, family_of

from .plain import PlainSocket

__all__ = ['NAMES', 'Family', 'address_of', 'family_of', 'has_ipv6']

#: The ids of the ``family`` fixture.
NAMES = ('ipv4', 'ipv6', 'unix')


@dataclass(frozen=True)
class Family:
    """One kind of address: *host* for IP, *path* for unix sockets, the other one is None."""

    name: str
    host: str | None = None
    path: str | None = None

    @property
    def listen_options(self) -> dict[str, Any]:
        """Options of ``Server.listen``: a free port of the host, or the path."""
        return {'path': self.path} if self.host is None else {'host': self.host, 'port': 0}

    @property
    def bind_address(self) -> Any:
        """What a plain socket binds to for the same."""
        return self.path if self.host is None else (self.host, 0)

    @property
    def number(self) -> socket.AddressFamily:
        """The family in the standard library's terms."""
        return family_of(self.bind_address)

    def listener(self, backlog: int = 16) -> PlainSocket:
        """Return a listening plain socket of this family; the caller closes it."""
        plain = PlainSocket(self.number, socket.SOCK_STREAM)
        plain.bind(self.bind_address)
        plain.listen(backlog)
        return plain


def has_ipv6() -> bool:
    """Return whether this machine has the loopback address ``::1``."""
    try:
        with PlainSocket(socket.AF_INET6) as plain:
            plain.bind(('::1', 0))
    except OSError:
        return False
    return True
