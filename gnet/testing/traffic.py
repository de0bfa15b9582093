"""What is on its way between ends in memory: it arrives when the loop polls, as from a kernel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

from ..loop.loop import Loop

__all__ = ['Traffic', 'traffic_of']


class Traffic:
    """What a poll of one loop will find, for connections in memory."""

    def __init__(self, native: Any) -> None:
        self._due: list[Callable[[], object]] = []
        # One that is sent is found by a poll, and keeps the loop alive until then.
        self._watcher = native.async_(ref=False)

    @property
    def is_due(self) -> bool:
        """Whether something is on its way."""
        return bool(self._due)

    def call(self, callback: Callable[[], object]) -> None:
        """Call *callback* in the hub, when the loop polls next."""
        self._due.append(callback)
        if len(self._due) == 1:
            self._watcher.start(self._arrive)
            self._watcher.ref = True
            self._watcher.send()

    def _arrive(self) -> None:
        self._watcher.ref = False
        self._watcher.stop()
        due, self._due = self._due, []
        for callback in due:
            callback()


_of_loops: WeakKeyDictionary[Loop, Traffic] = WeakKeyDictionary()


def traffic_of(loop: Loop) -> Traffic:
    """Return the one of *loop*."""
    traffic = _of_loops.get(loop)
    if traffic is None:
        traffic = _of_loops[loop] = Traffic(loop.native)
    return traffic
