"""The workers of a primary, added up: :class:`Fleet`; and how each sends its counts: `Reports`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from ..loop.loop import Loop
from ..loop.watchers import close_watcher
from .snapshot import Snapshot

__all__ = ['INTERVAL', 'Fleet', 'Reports']

#: Seconds between two reports of a worker: what is lost with one that is killed. Prometheus asks
#: four times a minute by default.
INTERVAL = 1.0

#: The part of a worker's time that its reports may take at most. Looking at a hundred thousand open
#: connections takes some 50 ms.
_SHARE = 0.005


class Fleet:
    """Adds up what workers report. Implements `Observer` of ``clusters``.

    The counts of workers that have ended are kept, so that no total ever falls; but not what was
    open in them.
    """

    def __init__(self) -> None:
        self._alive: dict[int, Snapshot] = {}
        self._gone = Snapshot()
        self._restarts = 0
        #: How many have ended without having been told to, and were not replaced yet.
        self._missing = 0
        self._had_some = False

    def forked(self, worker: int) -> None:
        """A worker was started."""
        self._had_some = True
        self._alive[worker] = Snapshot()
        if self._missing:
            self._missing -= 1
            self._restarts += 1

    def reported(self, worker: int, values: Any) -> bool:
        """A worker has sent its counts; return whether they make sense."""
        snapshot = Snapshot.unpacked(values)
        if snapshot is None:
            return False
        if worker in self._alive:
            self._alive[worker] = snapshot
        return True

    def exited(self, worker: int, was_told: bool) -> None:
        """A worker has ended."""
        last = self._alive.pop(worker, None)
        if last is not None:
            self._gone.add(last, gauges=False)
            self._missing += not was_told

    def write(self, snapshot: Snapshot) -> None:
        """Put the sum into *snapshot*."""
        if not self._had_some:
            return
        snapshot.add(self._gone)
        for each in self._alive.values():
            snapshot.add(each)
        snapshot.put('gnet_workers', (), len(self._alive))
        snapshot.put('gnet_worker_restarts', (), self._restarts)


class Side(Protocol):
    """This process, as a worker."""

    before_leaving: Callable[[], object] | None

    def send(self, act: str, **fields: Any) -> None:
        """Send the primary a message."""


class Reports:
    """What a worker tells its primary, once a second, and when it leaves."""

    def __init__(self, loop: Loop, side: Side, take: Callable[[], Snapshot]) -> None:
        self._loop = loop
        self._side = side
        self._take = take
        self._timer: Any = None
        self._last: list[Any] | None = None
        loop.close_in_child(self, Reports.stop)

    def start(self) -> None:
        """Report from now on."""
        self._side.before_leaving = self.report
        self._wait(INTERVAL)

    def _wait(self, seconds: float) -> None:
        self._timer = self._loop.call_after(seconds, self._loop.tick, self._on_time)

    def _on_time(self) -> None:
        if self._timer is None:
            return  # it was stopped meanwhile
        close_watcher(self._timer)
        began = self._loop.now()
        try:
            self.report()
        finally:
            self._wait(max(INTERVAL, (self._loop.now() - began) / _SHARE))

    def report(self) -> None:
        """Tell it now, if anything has changed."""
        values = self._take().packed()
        if values != self._last:
            self._last = values
            self._side.send('metrics', values=values)

    def stop(self) -> None:
        """Report no more."""
        self._side.before_leaving = None
        timer, self._timer = self._timer, None
        close_watcher(timer)
