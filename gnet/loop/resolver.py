"""Looking a name up: once written, for ``listen`` and for ``connect``.

The resolver is gevent's, which asks getaddrinfo(3) in a thread (or what ``GEVENT_RESOLVER`` names).
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextvars import Context
from typing import Any

import gevent.socket
from gevent import Greenlet

from ..addresses.ends import VERSIONS
from ..node import system_errors
from .loop import Loop

__all__ = [
    'Found',
    'look_up',
]

#: These can start no thread in an exit hook (gh-113964), where a script that ends with its listen()
#: or connect() has the name looked up: the resolver's thread is then started by the call.
_NO_THREADS_AT_EXIT = (3, 12, 0) <= sys.version_info[:3] < (3, 12, 3)

#: Addresses and their versions, 4 or 6, in the resolver's order.
Found = list[tuple[str, int]]


def look_up(
    loop: Loop, host: str, answered: Callable[[Any, Any], object], *,
    family: int = 0, hints: int = 0, context: Context | None = None,
) -> Any:
    """Look *host* up, and call ``answered(error, found)`` on a tick of *loop*.

    Args:
        loop: that of the calling thread.
        host: a name; an IP address needs no look-up.
        answered: *error* is None, and *found* a :data:`Found` with at least one entry. Or *found*
            is None, and *error* a :class:`~gnet.node.system_errors.LookupFailure` with Node's text,
            or another system error (``EMFILE``).
        family: the system's number of the only family that is wanted; 0 for any.
        hints: flags of getaddrinfo(3).
        context: what *answered* is called in.

    Returns:
        What has ``kill(block=False)``: nothing is called any more then, unless the tick is on its
        way.
    """
    if _NO_THREADS_AT_EXIT:
        pool = loop.hub.threadpool
        pool.size = max(pool.size, 1)
    return Greenlet.spawn(_ask, loop, host, answered, family, hints, context)


def _ask(
    loop: Loop, host: str, answered: Callable[[Any, Any], object], family: int, hints: int,
    context: Context | None,
) -> None:
    """Ask the resolver; runs in a greenlet of its own."""
    failure: Exception | None = None
    found: Found | None = None
    try:
        # The resolver does this too, but in its thread, whose failures gevent reports.
        host.encode('idna')
        entries = loop.dispensable.open(
            gevent.socket.getaddrinfo, host, None, family, gevent.socket.SOCK_STREAM, 0, hints)
        if not entries:
            raise gevent.socket.gaierror(gevent.socket.EAI_NONAME, 'no address')
        found = [(str(entry[4][0]), VERSIONS[entry[0]]) for entry in entries]
    except Exception as error:
        # Also a name that can not be put into the form that the DNS has for it, and what keeps the
        # resolver from asking: no descriptors, no thread.
        failure = system_errors.lookup_error(system_errors.without_frames(error), host)
    loop.tick(answered, failure, found, context=context)
