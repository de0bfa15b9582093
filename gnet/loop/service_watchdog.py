"""What a service needs of a loop: the watchdog is told that it turns, as long as it does."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .loop import Loop
from .watchers import close_watcher

if TYPE_CHECKING:
    from ..systemd.service import Service

__all__ = [
    'begin',
    'have_repeated',
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
    if not loop.is_main:
        return
    have_repeated(loop, service)
    if service.watchdog is not None and service not in _begun:
        _begun[service] = ServiceWatchdog(loop, service, service.watchdog)


def have_repeated(loop: Loop, service: Service) -> None:
    """Have repeated by *loop* what the service manager has no room for."""
    if service.call_after is not None:
        return

    def call_after(seconds: float, callback: Callable[[], None]) -> None:
        loop.in_own_thread(start, seconds, callback)

    def start(seconds: float, callback: Callable[[], None]) -> None:
        def fire() -> None:
            close_watcher(timer)
            callback()

        timer = loop.call_after(seconds, fire)

    service.call_after = call_after
    loop.close_in_child(service, type(service).forget)
