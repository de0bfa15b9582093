"""A connection whose descriptor another process has, too: the kernel must be told to forget it.

Closing a descriptor takes it out of a poll set of epoll only if it was the last one of the
connection. libev relies on that: it never says that a descriptor is to be forgotten. So where
another process still has a copy, the kernel goes on telling of a connection that is closed here,
and libev, which does not know it, makes its poll set anew, with all that is in there: a few
microseconds for each open connection. (libuv tells the kernel.)
"""

from __future__ import annotations

import _socket
import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ..node.originals import original

if TYPE_CHECKING:
    from .loop import Loop

__all__ = ['CopiedSocket', 'forget']

#: A monkey-patched program has none in its module any more. Elsewhere there is none.
_epoll: Any = original('select', 'epoll') if sys.platform == 'linux' else None


def forget(loop: Loop, fd: int) -> None:
    """Have the kernel tell *loop* nothing more of *fd*, whose watchers were closed.

    It stays open, and may be watched again.
    """
    native = loop.native
    if not loop.is_usable or native.backend != 'epoll':
        return
    try:
        poll = _epoll.fromfd(os.dup(native.fileno()))  # it is closed by what is made of it
    except OSError:
        return  # there is no descriptor left: what follows is slow, and no more
    with suppress(FileNotFoundError):  # nothing was watched yet
        poll.unregister(fd)
    poll.close()


class CopiedSocket(_socket.socket):
    """One of which another process has a copy."""

    __slots__ = ('_loop',)

    def __init__(self, loop: Loop, family: int, kind: int, fd: int) -> None:
        """Make one.

        Args:
            loop: who watches it.
            family: of the socket.
            kind: its type.
            fd: the descriptor; it belongs to this from now on.
        """
        super().__init__(family, kind, 0, fd)
        self._loop: Any = loop

    def close(self) -> None:
        """Close this copy, and hear no more of the connection."""
        fd = self.fileno()
        if fd >= 0:
            forget(self._loop, fd)
        super().close()
