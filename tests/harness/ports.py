"""Free ports, for programs that have to be told one."""

from __future__ import annotations

import random
import socket
from contextlib import suppress

from .families import has_ipv6
from .plain import PlainSocket

__all__ = ['free_port']

#: Not where the system takes its own from, 32768 and above (``ip_local_port_range``): between the
#: choice and its use, another test would often be given it for a connection.
_PORTS = range(10_000, 30_000)

# Not the generator that tests seed: two runs side by side would choose the same.
_random = random.SystemRandom()


def free_port() -> int:
    """Return a port that nobody has on any address of this machine, and soon nobody will have.

    Raises:
        OSError: none of a hundred that were tried was free.
    """
    for _ in range(99):
        port = _random.choice(_PORTS)
        with suppress(OSError):
            return _bound(port)
    return _bound(_random.choice(_PORTS))


def _bound(port: int) -> int:
    """Return *port* if it is free."""
    with PlainSocket() as ipv4:
        ipv4.bind(('0.0.0.0', port))
    if has_ipv6():
        with PlainSocket(socket.AF_INET6) as ipv6:
            ipv6.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            ipv6.bind(('::', port))
    return port
