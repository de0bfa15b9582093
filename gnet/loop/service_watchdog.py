"""The service manager's watchdog: told from the hub that it turns, as long as it does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .loop import Loop
from .watchers import close_watcher

if TYPE_CHECKING:
    from ..systemd.service import Service

__all__ = [
    'begin',
]


class ServiceWatchdog:
    """A timer that says ``WATCHDOG=1`` twice in the time in which once is asked for."""

    def __init__(self, loop: Loop, service: Service, seconds: float) -> None:
        self._loop = loop
        self._service = service
        self._pause = seconds / 2
        self._timer: Any = None
        loop.close_in_child(self, ServiceWatchdog.close)
        self._turn()

    def _turn(self) -> None:
        close_watcher(self._timer)
        self._service.alive()
        self._timer = self._loop.call_after(self._pause, self._turn)

    def close(self) -> None:
        """Say nothing any more."""
        close_watcher(self._timer)
        self._timer = None


_begun: dict[Service, ServiceWatchdog] = {}


def begin(loop: Loop, service: Service) -> None:
    """Tell the watchdog, if there is one, from now on to the end of the process."""
    if service.watchdog is not None and service not in _begun and loop.is_main:
        _begun[service] = ServiceWatchdog(loop, service, service.watchdog)
