"""What a supervisor tells the service manager, and how it uses the watchdog.

A program with workers is ready when the first one listens. The watchdog is told as long as the
supervisor itself turns. Workers are asked, and one that does not answer in time is killed and so
replaced: the service goes on with the others, where systemd could only end all of it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from ..clusters.cluster import ListeningAddress
from ..loop.loop import get_loop
from ..loop.watchers import close_watcher
from .members import Member, Seat, counted, say

if TYPE_CHECKING:
    from ..systemd.service import Service

__all__ = [
    'Announcer',
]

#: Turns of half the watchdog's time that a worker may leave a question unanswered.
PATIENCE = 2


class Staff(Protocol):
    """Who has the workers."""

    seats: list[Seat]

    def after(self, seconds: float, handle: Callable[..., None], *arguments: Any) -> Any:
        """Call *handle* later, in turn; return the timer."""

    def ping(self, member: Member) -> None:
        """Have *member* answer."""


class Announcer:
    """Tells; does nothing where nobody has asked for it (``NOTIFY_SOCKET``)."""

    def __init__(self, staff: Staff) -> None:
        self._staff = staff
        self._service: Service | None = None
        #: Whether a worker has listened.
        self._is_ready = False
        self._reloads = False
        #: Of the watchdog's next turn.
        self._timer: Any = None

    def begin(self) -> None:
        """The supervisor begins."""
        if 'NOTIFY_SOCKET' in os.environ:
            from ..loop.service_watchdog import have_repeated
            from ..systemd.service import get_service

            self._service = get_service()
            if self._service is not None:
                have_repeated(get_loop(), self._service)
            self._turn()

    def end(self) -> None:
        """The supervisor ends."""
        close_watcher(self._timer)
        self._timer = None

    # --- stages -----------------------------------------------------------------------------------

    def listens(self) -> None:
        """A worker listens."""
        self._is_ready = True
        if self._service is not None and not self._reloads:
            self._service.ready(self._status())

    def changed(self) -> None:
        """Workers have come or gone."""
        if self._service is not None:
            self._service.show(self._status())

    def reloading(self) -> None:
        """The workers are about to be replaced."""
        self._reloads = True
        if self._service is not None:
            self._service.reloading('the workers are replaced')

    def reloaded(self) -> None:
        """They were, or were not."""
        self._reloads = False
        if self._service is not None and self._is_ready:
            self._service.ready(self._status())

    def stopping(self, status: str) -> None:
        """The program ends."""
        if self._service is not None:
            self._service.stopping(status)

    def _status(self) -> str:
        serving = self._serving()
        places = sorted({
            _place(address) for member in serving for address in member.addresses})
        where = f' on {", ".join(places)}' if places else ''
        return f'serving{where}, {counted(len(serving), "worker")}'

    def _serving(self) -> list[Member]:
        current = (seat.current for seat in self._staff.seats)
        return [
            member for member in current if member and member.listening_since is not None]

    # --- the watchdog -----------------------------------------------------------------------------

    def _turn(self) -> None:
        service = self._service
        if service is None or service.watchdog is None:
            return
        close_watcher(self._timer)
        service.alive()
        # Only those that serve: what a script does before may take its time.
        for member in self._serving():
            if member.unanswered == PATIENCE:
                say(f'worker {member.pid} has not answered for {service.watchdog:g} s '
                    'and is killed')
                member.signal('SIGKILL')
            elif member.unanswered == 0:
                self._staff.ping(member)
            member.unanswered += 1
        self._timer = self._staff.after(service.watchdog / PATIENCE, self._turn)


def _place(address: ListeningAddress) -> str:
    if address.fd is not None:
        return _given(address.fd)
    if address.address_type == -1:
        return str(address.address).replace('\0', '@').replace('\n', ' ')
    host = address.address or '*'
    return f'[{host}]:{address.port}' if ':' in host else f'{host}:{address.port}'


def _given(fd: int) -> str:
    """Return what systemd calls the descriptor *fd*, if it has passed it."""
    from ..systemd.activation import given

    names = (each.path or each.name for each in given() if each.fd == fd)
    return next(names, f'descriptor {fd}').replace('\0', '@')
