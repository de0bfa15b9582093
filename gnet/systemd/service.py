"""What gnet tells the service manager by itself: that this process is ready, reloads, stops.

There is one :class:`Service` a process, and none where ``NOTIFY_SOCKET`` is not set. It knows what
was told, so that nothing is told twice or out of turn; when, is known by

- the servers of this process (:mod:`gnet.servers.announcing`), and ``gnet.run()`` if there is none;
- the primary of a cluster, whose workers listen;
- the command, which drains, and replaces workers.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from enum import Enum
from time import monotonic

from ..node.originals import close_descriptor
from . import notification
from .notification import Outcome

__all__ = [
    'Service',
    'ServiceStage',
    'get_service',
]

MICROSECONDS = 1_000_000

#: Seconds after which something is said again for which the service manager had no room, at first
#: and at most. It is shared by all services: when a machine starts, it may be full for a while.
FIRST_PAUSE = 0.05
LONGEST_PAUSE = 1.0

#: What may wait to be said. More are there only if nobody listens, and the last ones matter.
ROOM = 16


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
        #: Open from now on: what keeps a watchdog quiet must not need one when there are none left.
        self._fd: int | None = None
        with suppress(OSError):  # there are none already: it is tried again for each message
            self._fd = notification.open_socket()
        self._stage = ServiceStage.STARTING
        self._status = ''
        self.watchdog = watchdog
        #: Whether somebody will say when it is ready, as it is about to listen.
        self.is_awaited = False
        #: ``call_after(seconds, callback)`` of who has a loop, for any thread; without it, nothing
        #: is repeated before something else is said.
        self.call_after: Callable[[float, Callable[[], None]], object] | None = None
        self._unsaid: deque[tuple[str, ...]] = deque(maxlen=ROOM)
        self._pause = FIRST_PAUSE
        self._will_repeat = False

    def _enter(self, stage: ServiceStage, *assignments: str) -> bool:
        if stage not in FOLLOWS[self._stage]:
            return False
        self._stage = stage
        self._say(*assignments)
        return True

    def _say(self, *assignments: str) -> None:
        self._unsaid.append(assignments)
        if not self._will_repeat:
            self._say_all()

    def _say_all(self) -> None:
        """Say, in its order, what is there to be said. (In any thread: each takes its message.)"""
        self._will_repeat = False
        while self._unsaid:
            message = self._unsaid.popleft()
            if notification.send(self._path, message, self._fd) is Outcome.FULL:
                self._unsaid.appendleft(message)
                if self.call_after is not None:
                    self._will_repeat = True
                    self.call_after(self._pause, self._say_all)
                    self._pause = min(2 * self._pause, LONGEST_PAUSE)
                return
        self._pause = FIRST_PAUSE

    def forget(self) -> None:
        """Have nothing more to say: this is a forked child."""
        self._unsaid.clear()
        fd, self._fd = self._fd, None
        if fd is not None:
            close_descriptor(fd)

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
        """It is not stuck. This is not repeated: it soon comes anew."""
        if not self._unsaid:
            notification.send(self._path, ('WATCHDOG=1',), self._fd)


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
