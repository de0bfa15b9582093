"""The limits of a server whose connections are given to workers: the primary asks them.

It sees all connections, so they hold for all workers together. What was refused, a worker is told,
which emits `'drop'`; of what was counted, the worker that has it says when it has ended
(:mod:`gnet.clusters.counted`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from ..addresses.ends import ends_of, host_of
from ..lifecycle import DropReason
from ..servers.limits import Limits
from ..servers.refusals import Refusals

if TYPE_CHECKING:
    from ..loop.loop import Loop
    from ..options.limits import LimitOptions

__all__ = ['PrimaryLimits', 'Told']

#: Drops that may be on their way to one worker. Beyond that it is told of none: a flood must not
#: fill the memory of the primary with what a worker that hangs is to be told.
MAX_TOLD = 64


class Told(Protocol):
    """A worker, as far as it is told what was refused."""

    #: How many drops are on their way to it.
    dropped: int

    def send_dropped(self, fields: dict[str, Any]) -> None:
        """Have it emit `'drop'`."""


class PrimaryLimits:
    """Those of one listener."""

    __slots__ = (
        '_handle_id', '_limits', '_loop', '_name', '_of_workers', '_refusals', 'are_any',
    )

    def __init__(self, loop: Loop, handle_id: int, name: Any) -> None:
        """Begin without any.

        Args:
            loop: that of the primary.
            handle_id: by what the workers know the listener.
            name: where it listens, for the log.
        """
        self._loop = loop
        self._handle_id = handle_id
        self._name = name
        #: Whether :meth:`decide` is to be asked.
        self.are_any: bool = False
        #: None until there were some.
        self._limits: Limits | None = None
        #: What each worker has said they are; the one that was the last to say so comes last.
        self._of_workers: dict[Told, LimitOptions] = {}
        self._refusals = Refusals()

    def __repr__(self) -> str:
        return f'<listener of a cluster {self._name}>'

    def configure(self, worker: Told, options: LimitOptions) -> None:
        """Have the limits that *worker* says from now on. What was not counted stays so."""
        self._of_workers.pop(worker, None)
        self._of_workers[worker] = options
        self._configure(options)

    def forget(self, worker: Told) -> None:
        """*worker* is gone. What those have said who are left holds; if nobody is, what did."""
        if self._of_workers.pop(worker, None) is not None and self._of_workers:
            self._configure(next(reversed(self._of_workers.values())))

    def _configure(self, options: LimitOptions) -> None:
        self.are_any = options.are_any
        if self._limits is not None:
            self._limits.configure(options)  # also if none is left: what was counted may end later
        elif self.are_any:
            self._limits = Limits(options, self._loop.now)

    def decide(
        self, sock: Any, remote: Any, workers: Iterable[Told],
    ) -> tuple[bool, Callable[[], object] | None]:
        """Decide on a new connection.

        Args:
            sock: the socket of the system; closed if it is refused.
            remote: its peer's name.
            workers: of whom one is told then.

        Returns:
            Whether it is refused; and what to call when it has ended, if anything.
        """
        limits = self._limits
        assert limits is not None
        key = limits.key_of(host_of(remote))
        reason = limits.refuse(key)
        if reason is None:
            if key is None or not limits.counts_addresses:
                return False, None
            return False, partial(limits.release, key)
        network = None if reason is DropReason.CONNECTION_RATE else limits.name_of(key)
        self._refusals.note(self._loop.now(), self, reason, network, limits.is_sharing)
        ends = ends_of(sock, remote)
        sock.close()
        worker = min(workers, key=lambda worker: worker.dropped, default=None)
        if worker is not None and worker.dropped < MAX_TOLD:
            worker.send_dropped({
                'id': self._handle_id, 'reason': reason.name, 'ends': ends, 'network': network})
        return True, None
