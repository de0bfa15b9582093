"""How late the event loop is: a timer that looks how late it was called."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..loop.loop import Loop
from ..loop.watchers import close_watcher

__all__ = ['INTERVAL', 'HubLag']

#: Seconds between two looks: thirty of them for each time that Prometheus asks by default.
INTERVAL = 0.5


class HubLag:
    """Tells again and again by how many seconds the loop was late, until it is stopped."""

    def __init__(self, loop: Loop, tell: Callable[[float], object]) -> None:
        self._loop = loop
        self._tell = tell
        self._timer: Any = None
        self._due = 0.0
        loop.close_in_child(self, HubLag.stop)

    def start(self) -> None:
        """Look from now on."""
        self._due = self._loop.now() + INTERVAL
        self._timer = self._loop.call_after(INTERVAL, self._look)

    def _look(self) -> None:
        """Runs in the hub."""
        late = self._loop.now() - self._due
        self.stop()
        # A loop may take a timer for due a little before it is.
        self._tell(max(late, 0.0))
        self.start()

    def stop(self) -> None:
        """Look no more."""
        timer, self._timer = self._timer, None
        close_watcher(timer)
