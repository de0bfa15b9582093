"""What only who looks after a worker is told: the supervisor of ``gnet --workers``."""

from __future__ import annotations

from enum import Enum

__all__ = ['News']


# no state: names of what is told
class News(Enum):
    """What only who looks after a worker is told: it is no event of the :class:`Worker`."""

    LEAVING = 'it is about to disconnect, of its own will'
    TERMINATED = 'it was sent SIGTERM, and wants to be told to disconnect'
    SERVES_ALONE = 'a server of it listens by itself'
    CLOSED = 'it has closed a server'
    HAS_CUT = 'it has destroyed connections at its deadline: how many'
