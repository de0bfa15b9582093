"""What gnet tells the service manager by itself: that this process is ready, reloads, stops.

There is one :class:`Service` a process, and none where ``NOTIFY_SOCKET`` is not set. It knows what
was told, so that nothing is told twice or out of turn; when, is known by

- the servers of this process (:mod:`gnet.servers.announcing`), and ``gnet.run()`` if there is none;
- the primary of a cluster, whose workers listen;
- the command, which drains, and replaces workers.
"""

from __future__ import annotations

import os
from enum import Enum
from time import monotonic

from . import notification

__all__ = [
    'Service',
    'ServiceStage',
    'get_service',
]

MICROSECONDS = 1_000_000


class ServiceStage(Enum):
    """What the service manager was told last."""

    STARTING = 'nothing yet'
    READY = 'it is ready'
    RELOADING = 'it reloads'
    STOPPING = 'it stops'


#: Which may follow which.
FOLLOWS: dict[ServiceStage, set[ServiceStage]] = {
    ServiceStage.STARTING: {ServiceStage.READY, ServiceStage.STOPPING},
    ServiceStage.READY: {ServiceStage.RELOADING, ServiceStage.STOPPING},
    ServiceStage.RELOADING: {ServiceStage.READY, ServiceStage.STOPPING},
    ServiceStage.STOPPING: set(),
}


class Service:
    """This process, as the service manager sees it."""

    def __init__(self, path: str, watchdog: float | None) -> None:
        """Prepare it.

        Args:
            path: where the service manager listens: ``NOTIFY_SOCKET``.
            watchdog: seconds after which it takes the service for hung that has not said
                ``WATCHDOG=1``; None if it does not look.
        """
        self._path = path
        self._stage = ServiceStage.STARTING
        self._status = ''
        self.watchdog = watchdog
        #: Whether somebody will say when it is ready, as it is about to listen.
        self.is_awaited = False

    def _enter(self, stage: ServiceStage, *assignments: str) -> bool:
        if stage not in FOLLOWS[self._stage]:
            return False
        self._stage = stage
        self._say(*assignments)
        return True

    def _say(self, *assignments: str) -> None:
        notification.send(self._path, assignments)

    def ready(self, status: str) -> None:
        """It serves, or serves again after a reload. *status* is for who looks at it."""
        if self._stage is ServiceStage.READY:
            if status != self._status:
                self._status = status
                self._say(f'STATUS={status}')
        elif self._enter(ServiceStage.READY, 'READY=1', f'STATUS={status}'):
            self._status = status

    def show(self, status: str) -> None:
        """It is ready, and something has changed; does nothing in another stage."""
        if self._stage is ServiceStage.READY:
            self.ready(status)

    def reloading(self, status: str) -> None:
        """It begins to reload; :meth:`ready` says that it is done."""
        now = int(monotonic() * MICROSECONDS)
        self._enter(
            ServiceStage.RELOADING, 'RELOADING=1', f'MONOTONIC_USEC={now}', f'STATUS={status}')

    def stopping(self, status: str) -> None:
        """It begins to end."""
        self._enter(ServiceStage.STOPPING, 'STOPPING=1', f'STATUS={status}')

    def alive(self) -> None:
        """It is not stuck."""
        self._say('WATCHDOG=1')


_services: dict[int, Service | None] = {}


def get_service() -> Service | None:
    """Return this process as a service; None if nobody has asked it to tell."""
    pid = os.getpid()
    if pid not in _services:
        # Not that of the process that has forked this one.
        path = None if _services else os.environ.get('NOTIFY_SOCKET')
        _services[pid] = Service(path, _watchdog(pid)) if path else None
    return _services[pid]


def _watchdog(pid: int) -> float | None:
    """Return the seconds of ``WATCHDOG_USEC``, if they are for this process."""
    if os.environ.get('WATCHDOG_PID', str(pid)) != str(pid):
        return None
    text = os.environ.get('WATCHDOG_USEC', '')
    if not (text.isascii() and text.isdigit()) or int(text) == 0:
        return None
    return int(text) / MICROSECONDS
