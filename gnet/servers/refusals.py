"""What the log is told of connections that a limit has refused: a line for each episode.

An episode is that of one limit and one address. It is over when nothing of it was refused for
:data:`EPISODE_GAP` seconds. So who is refused a thousand times a second is one line, and one that
comes back the next day another.
"""

from __future__ import annotations

from collections.abc import Hashable

from ..lifecycle import DropReason
from ..node.logs import Log

__all__ = ['EPISODE_GAP', 'MAX_EPISODES', 'Refusals']

_log = Log('gnet.server')

#: Seconds; as the acceptor's, for accepting that fails.
EPISODE_GAP = 10.0

#: Addresses of which the log tells at the same time; of those beyond it is told in one line.
MAX_EPISODES = 32

#: What stands for these, in the log and among the episodes.
_OTHERS = 'further addresses'


class Refusals:
    """Those of one server."""

    __slots__ = ('_last',)

    def __init__(self) -> None:
        #: When each episode had its last refusal.
        self._last: dict[Hashable, float] = {}

    def note(
        self, now: float, who: object, reason: DropReason, network: str | None,
        is_sharing: bool = False,
    ) -> None:
        """A connection was refused.

        Args:
            now: the time, by a clock that nobody sets.
            who: has refused it.
            reason: why.
            network: whose limit it was; None: that of all.
            is_sharing: whether there are too many addresses to know each.
        """
        if network is not None and (reason, network) not in self._last and self._is_full(now):
            network = _OTHERS
        if self._begins((reason, network), now):
            _log.warning(
                '%r drops connections%s: %s', who, '' if network is None else f' of {network}',
                reason.value)
        if is_sharing and self._begins(_OTHERS, now):
            _log.warning(
                '%r: there are so many new addresses that some share the rate of one', who)

    def _begins(self, episode: Hashable, now: float) -> bool:
        """Whether a refusal of now is the first one of *episode*."""
        before, self._last[episode] = self._last.get(episode), now
        return before is None or now - before >= EPISODE_GAP

    def _is_full(self, now: float) -> bool:
        """Whether no more addresses may be told of; those whose episodes are over are forgotten."""
        last = self._last
        if len(last) >= MAX_EPISODES:
            for episode in [one for one, when in last.items() if now - when >= EPISODE_GAP]:
                del last[episode]
        return len(last) >= MAX_EPISODES
