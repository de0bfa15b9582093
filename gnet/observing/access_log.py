"""One line for each connection of a server, at its end; and for those that were dropped."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import zope.event as zope_event  # type: ignore[import-untyped]

from .. import lifecycle
from ..lifecycle import EndedBy
from ..loop.loop import Loop, get_loop
from ..loop.watchers import close_watcher
from .log_formats import Fields
from .server_labels import ServerLabels, address_text
from .tally import code_of

__all__ = ['MAX_DROPS', 'WINDOW', 'AccessLog']

#: Lines about connections that were dropped for one reason, and the seconds that these are for.
#: What comes beyond that is counted, and told in one line when the time is over.
MAX_DROPS = 5
WINDOW = 10.0

#: How addresses begin that are all addresses.
_EVERYWHERE = ('0.0.0.0:', '[::]:')


@dataclass
class _Facts:
    """What of a connection cannot be asked for any more when it is closed."""

    local: str | None = None
    tls: str | None = None
    sni: str | None = None


class _Drops:
    """Those of one reason, within the last seconds."""

    def __init__(self) -> None:
        self.told = 0
        self.untold = 0
        self.timer: Any = None


class AccessLog:
    """A subscriber of :mod:`gnet.lifecycle` that writes to a logger, on the level INFO.

    Args:
        logger: where the lines go.
        labels: what servers are called.
    """

    def __init__(self, logger: logging.Logger, labels: ServerLabels) -> None:
        self._logger = logger
        self._labels = labels
        self._loop: Loop = get_loop()
        self._facts: WeakKeyDictionary[Any, _Facts] = WeakKeyDictionary()
        self._drops: dict[lifecycle.DropReason, _Drops] = {}
        self._lines: dict[type, Callable[[Any], None]] = {
            lifecycle.ServerListening: self._listens,
            lifecycle.ConnectionOpened: self._opened,
            lifecycle.ConnectionSecured: self._secured,
            lifecycle.ConnectionClosed: self._closed,
            lifecycle.ConnectionDropped: self._dropped,
        }
        self._loop.close_in_child(self, AccessLog.stop)

    def start(self) -> None:
        """Write from now on."""
        zope_event.subscribers.append(self)

    def stop(self) -> None:
        """Write no more."""
        if self in zope_event.subscribers:  # the program may have changed the list
            zope_event.subscribers.remove(self)
        for drops in self._drops.values():
            close_watcher(drops.timer)
        self._drops.clear()

    def __call__(self, event: Any) -> None:
        """Take an event."""
        line = self._lines.get(type(event))
        server = None if line is None else event.server
        if line is not None and server is not None and server not in self._labels.hidden and (
            self._logger.isEnabledFor(logging.INFO)
        ):
            line(event)

    def _say(self, event: str, **values: Any) -> None:
        # What info() does, but for looking who has called it.
        logger = self._logger
        logger.handle(logger.makeRecord(
            logger.name, logging.INFO, __file__, 0, Fields(event, values), (), None))

    # --- events -----------------------------------------------------------------------------------

    def _listens(self, event: lifecycle.ServerListening) -> None:
        self._labels.listens(event.server)

    def _opened(self, event: lifecycle.ConnectionOpened) -> None:
        if self._labels.address(event.server).startswith(_EVERYWHERE):
            self._facts_of(event.socket).local = address_text(event.socket.address())

    def _secured(self, event: lifecycle.ConnectionSecured) -> None:
        facts = self._facts_of(event.socket)
        facts.tls, facts.sni = event.protocol, event.servername

    def _facts_of(self, sock: Any) -> _Facts:
        return self._facts.setdefault(sock, _Facts())

    def _closed(self, event: lifecycle.ConnectionClosed) -> None:
        sock = event.socket
        facts = self._facts.pop(sock, None) or _Facts()
        address = sock.remote_address
        peer = None if address is None else (address, sock.remote_port)
        server = self._labels.of(event.server)
        self._say(
            'connection', peer=address_text(peer) or 'unix',
            local=facts.local or self._labels.address(event.server) or server,
            server=server, duration=round(event.duration, 6), received=event.bytes_read,
            sent=event.bytes_written, reason=_reason(event), tls=facts.tls, sni=facts.sni)

    def _dropped(self, event: lifecycle.ConnectionDropped) -> None:
        reason = event.reason
        drops = self._drops.get(reason)
        if drops is None:
            drops = self._drops[reason] = _Drops()
            drops.timer = self._loop.call_after(WINDOW, self._window_over, reason)
        if drops.told >= MAX_DROPS:
            drops.untold += 1
            return
        drops.told += 1
        data = event.data
        peer = None if data is None else address_text((data.remote_address, data.remote_port))
        self._say(
            'dropped', peer=peer or 'unix', server=self._labels.of(event.server),
            reason=reason.name.lower(), network=event.network)

    def _window_over(self, reason: lifecycle.DropReason) -> None:
        """Runs in the hub: the rest is for a runner."""
        drops = self._drops.pop(reason)
        close_watcher(drops.timer)
        if drops.untold:
            self._loop.tick(lambda: self._say(
                'dropped', more=drops.untold, reason=reason.name.lower()))


def _reason(event: lifecycle.ConnectionClosed) -> str:
    if event.error is not None:
        return code_of(event.error)
    return 'peer' if event.ended_by is EndedBy.PEER else 'local'
