"""Metrics of this process and its workers: on or off, and what they are asked for."""

from __future__ import annotations

from enum import Enum

import zope.event as zope_event  # type: ignore[import-untyped]

from ..clusters.cluster import primary_side, worker_side
from ..loop.foreign_calls import call_from_thread
from ..loop.loop import Loop, get_loop
from ..node.threads import get_ident
from .catalogue import CATALOGUE
from .fleet import Fleet, Reports
from .histogram import Histogram
from .hub_lag import HubLag
from .recorder import Recorder
from .server_labels import ServerLabels
from .snapshot import Snapshot

__all__ = ['Metrics', 'labels', 'metrics']

#: Seconds that another thread waits for the loop's.
_PATIENCE = 10.0

#: What servers are called, in metrics and in logs.
labels: ServerLabels = ServerLabels()


class Counting(Enum):
    """Whether anything is counted."""

    OFF = 'nothing is'
    ON = 'what happens is'


#: Which may follow which.
FOLLOWS: dict[Counting, set[Counting]] = {
    Counting.OFF: {Counting.ON}, Counting.ON: {Counting.OFF}}


class Metrics:
    """What counts in this process, while it is on."""

    def __init__(self) -> None:
        self.counting: Counting = Counting.OFF
        self._loop: Loop | None = None
        self._recorder: Recorder
        self._lag: HubLag
        self._lags: Histogram
        self._fleet: Fleet | None = None
        self._reports: Reports | None = None

    def start(self) -> None:
        """Count from now on; nothing, if it is on."""
        if self.counting is Counting.ON:
            return
        loop = get_loop()
        self.counting = Counting.ON
        self._loop = loop
        self._recorder = Recorder(labels)
        self._recorder.take_stock()
        zope_event.subscribers.append(self._recorder)
        self._lags = Histogram(CATALOGUE['gnet_hub_lag_seconds'].bounds)
        self._lag = HubLag(loop, self._lags.observe)
        self._lag.start()
        side = worker_side()
        if side is not None:
            self._reports = Reports(loop, side, self._own)
            self._reports.start()
        else:
            primary = primary_side()
            self._fleet = Fleet()
            for number in primary.workers:
                self._fleet.forked(number)
            primary.observer = self._fleet

    def stop(self) -> None:
        """Count no more, and forget all counts; nothing, if it is off."""
        if self.counting is Counting.OFF:
            return
        self.counting = Counting.OFF
        if self._recorder in zope_event.subscribers:  # the program may have changed the list
            zope_event.subscribers.remove(self._recorder)
        self._lag.stop()
        if self._reports is not None:
            self._reports.stop()
        if self._fleet is not None:
            primary_side().observer = None
        self._fleet = self._reports = self._loop = None

    def _own(self) -> Snapshot:
        snapshot = Snapshot()
        self._recorder.write(snapshot)
        snapshot.put('gnet_hub_lag_seconds', (), self._lags)
        return snapshot

    def snapshot(self) -> Snapshot:
        """Return the values of now, those of the workers added; none if it is off.

        In another thread than that of the loop it waits for that one.
        """
        if self._loop is None:
            return Snapshot()
        if get_ident() != self._loop.thread:
            snapshot: Snapshot = call_from_thread(self.snapshot).result(_PATIENCE)
            return snapshot
        snapshot = self._own()
        if self._fleet is not None:
            self._fleet.write(snapshot)
        return snapshot


#: The one there is.
metrics: Metrics = Metrics()
