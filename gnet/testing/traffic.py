"""What is on its way between ends in memory: so that a test can tell when nothing is."""

from __future__ import annotations

from collections.abc import Callable
from weakref import WeakKeyDictionary

from ..loop.loop import Loop

__all__ = ['Traffic', 'traffic_of']


class Traffic:
    """Callbacks of the hub for connections in memory, of one loop, counted."""

    def __init__(self, from_hub: Callable[..., object]) -> None:
        self._from_hub = from_hub
        #: How many are still to come.
        self.due = 0

    def call(self, callback: Callable[[], object]) -> None:
        """Call *callback* in the hub, soon."""
        self.due += 1
        self._from_hub(self._call, callback)

    def _call(self, callback: Callable[[], object]) -> None:
        self.due -= 1
        callback()


_of_loops: WeakKeyDictionary[Loop, Traffic] = WeakKeyDictionary()


def traffic_of(loop: Loop) -> Traffic:
    """Return the one of *loop*."""
    traffic = _of_loops.get(loop)
    if traffic is None:
        traffic = _of_loops[loop] = Traffic(loop.native.run_callback)
    return traffic
