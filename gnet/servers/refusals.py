"""What the log is told of connections that a limit has refused: a line for each episode.

An episode is that of one limit and one address. It is over when nothing of it was refused for
:data:`EPISODE_GAP` seconds. So who is refused a thousand times a second is one line, and one that
comes back the next day another.
"""

from __future__ import annotations

import logging
from collections.abc import Hashable
from typing import Any

from ..lifecycle import DropReason
from .connections import Connections

__all__ = ['EPISODE_GAP', 'MAX_EPISODES', 'Refusals']

_log = logging.getLogger('gnet.server')

#: Seconds; as the acceptor's, for accepting that fails.
EPISODE_GAP = 10.0

#: Addresses of which the log tells at the same time; of those beyond it is told in one line.
MAX_EPISODES = 32

_OTHERS = 'further addresses'


class Refusals:
    """Those of one server."""

    __slots__ = ('_connections', '_last')

    def __init__(self, connections: Connections) -> None:
        #: They know the loop, which is another one where the server listens in another thread.
        self._connections = connections
        #: When each episode had its last refusal.
        self._last: dict[Hashable, float] = {}

    def note(
        self, server: Any, reason: DropReason, network: str | None, is_sharing: bool = False,
    ) -> None:
        """A connection was refused.

        Args:
            server: what has refused it.
            reason: why.
            network: whose limit it was; None: that of all.
            is_sharing: whether there are too many addresses to know each.
        """
        if self._begins((reason, network)):
            _log.warning(
                '%r drops connections%s: %s', server, '' if network is None else f' of {network}',
                reason.value)
        if is_sharing and self._begins(_OTHERS):
            _log.warning(
                '%r: there are so many new addresses that some share the rate of one', server)

    def _begins(self, episode: Hashable) -> bool:
        """Whether this is the first of an episode that is told of."""
        now = self._connections.loop.now()
        last = self._last
        before = last.get(episode)
        if before is None and len(last) >= MAX_EPISODES:
            for old in [old for old, when in last.items() if now - when >= EPISODE_GAP]:
                del last[old]
            if len(last) >= MAX_EPISODES and isinstance(episode, tuple):
                episode = (episode[0], _OTHERS)  # there are few reasons: these have a place always
                before = last.get(episode)
        last[episode] = now
        return before is None or now - before >= EPISODE_GAP
