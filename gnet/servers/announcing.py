"""What the service manager is told of the servers of this process: that they listen.

It is imported where ``NOTIFY_SOCKET`` is set; :mod:`gnet.systemd.service` has the rest.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..addresses.ends import Address
from ..loop import service_watchdog
from ..systemd.service import get_service

__all__ = [
    'about_to_listen',
    'decided',
]

#: Servers that a status names; further ones are counted.
NAMED = 3


def about_to_listen(server: Any) -> None:
    """*server* was told to listen: the process is not ready before it does."""
    service = get_service()
    if service is not None:
        service.is_awaited = True
        service_watchdog.begin(server.__gnet_loop__, service)


def decided(servers: Iterable[Any], is_undecided: Any) -> None:
    """A server listens, or has failed to: if none is left that is about to, the process is ready.

    Args:
        servers: all there are.
        is_undecided: tells whether one of them is about to listen.
    """
    service = get_service()
    if service is None or any(map(is_undecided, servers)):
        return
    places = sorted(filter(None, map(_place, servers)))
    if places:
        rest = len(places) - NAMED
        more = f' and {rest} more' if rest > 0 else ''
        service.ready(f'serving on {", ".join(places[:NAMED])}{more}')


def _place(server: Any) -> str | None:
    """Return where *server* listens; None if it does not."""
    try:
        address: Any = server.address() if server.listening else None
    except OSError:
        return None  # another server has taken its listener over, and has closed it
    if address is None:
        return None
    if isinstance(address, Address):
        host = f'[{address.address}]' if address.family == 'IPv6' else address.address
        return f'{host}:{address.port}'
    # One line, and an abstract name as it is mostly written.
    return str(address).replace('\0', '@').replace('\n', ' ')
