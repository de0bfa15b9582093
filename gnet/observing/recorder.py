"""Counts what is published of servers and connections: the :class:`Recorder`.

All of it comes from events that are published once or twice for a connection, and from counts that
connections have anyway. Nothing here is called for a message.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

from .. import lifecycle
from ..servers.internals import connections_of
from ..servers.roster import roster
from ..servers.server import Server
from ..sockets.socket import Socket
from .server_labels import ServerLabels
from .snapshot import Snapshot
from .tally import Tally, code_of, count

__all__ = ['MAX_SERVERS', 'Recorder']

#: How many servers are told apart: a program may listen on a new port again and again.
MAX_SERVERS = 200


class Recorder:
    """A subscriber of :mod:`gnet.lifecycle`.

    Args:
        labels: what servers are called.
    """

    def __init__(self, labels: ServerLabels) -> None:
        self._labels = labels
        #: By what servers are called: two that have the same name are counted together.
        self._tallies: dict[str, Tally] = {}
        self._of_server: WeakKeyDictionary[Any, Tally] = WeakKeyDictionary()
        #: Of what belongs to no server, by the event.
        self._failures_elsewhere: dict[str, int] = {}
        self._records: dict[type, Callable[[Any], None]] = {
            lifecycle.ServerListening: self._listens,
            lifecycle.ServerError: self._server_failed,
            lifecycle.ConnectionOpened: self._opened,
            lifecycle.ConnectionClosed: self._closed,
            lifecycle.ConnectionDropped: self._dropped,
            lifecycle.ConnectionSecured: self._secured,
            lifecycle.HandshakeFailed: self._handshake_failed,
            lifecycle.ListenerFailed: self._listener_failed,
        }

    def take_stock(self) -> None:
        """Begin with what there is: servers that listen, and their open connections."""
        for server in roster.all():
            if server.listening:
                tally = self._tally(server)
                if tally is not None:
                    # (The others wait for a header of a proxy, and are to be opened.)
                    tally.open.update({
                        each: (0, 0) for each in connections_of(server).sockets
                        if isinstance(each, Socket)})

    def __call__(self, event: Any) -> None:
        """Take an event."""
        record = self._records.get(type(event))
        # (None: a connection that the program itself has made.)
        if record is not None and getattr(event, 'server', event) is not None:
            record(event)

    def _tally(self, server: Any) -> Tally | None:
        """Return what is counted of *server*; None if nothing is."""
        tally = self._of_server.get(server)
        if tally is None and server not in self._labels.hidden:
            label = self._labels.of(server)
            if label not in self._tallies and len(self._tallies) >= MAX_SERVERS:
                label = 'other'
            tally = self._tallies.setdefault(label, Tally())
            self._of_server[server] = tally
        return tally

    # --- events -----------------------------------------------------------------------------------

    def _listens(self, event: lifecycle.ServerListening) -> None:
        self._labels.listens(event.server)
        self._of_server.pop(event.server, None)  # it may have listened elsewhere before
        self._tally(event.server)

    def _server_failed(self, event: lifecycle.ServerError) -> None:
        tally = self._tally(event.server)
        if tally is not None:
            tally.errors += 1

    def _opened(self, event: lifecycle.ConnectionOpened) -> None:
        tally = self._tally(event.server)
        if tally is not None:
            tally.accepted += 1
            tally.waits.observe(event.waited)
            tally.opened(event.socket)

    def _closed(self, event: lifecycle.ConnectionClosed) -> None:
        tally = self._tally(event.server)
        if tally is not None:
            if event.socket not in tally.open:  # its server has listened elsewhere since
                tally = next(
                    (each for each in self._tallies.values() if event.socket in each.open), tally)
            tally.closed(event.socket, event.bytes_read, event.bytes_written)
            tally.durations.observe(event.duration)
            if event.error is not None:
                count(tally.failed, code_of(event.error))

    def _dropped(self, event: lifecycle.ConnectionDropped) -> None:
        tally = self._tally(event.server)
        if tally is not None:
            count(tally.dropped, event.reason.name.lower())

    def _secured(self, event: lifecycle.ConnectionSecured) -> None:
        tally = self._tally(event.server)
        if tally is not None:
            tally.handshakes.observe(event.duration)

    def _handshake_failed(self, event: lifecycle.HandshakeFailed) -> None:
        tally = self._tally(event.server)
        if tally is not None:
            tally.handshakes_failed += 1

    def _listener_failed(self, event: lifecycle.ListenerFailed) -> None:
        emitter = event.emitter
        name = event.event if isinstance(event.event, str) else 'errorMonitor'  # the only symbol
        server = emitter if isinstance(emitter, Server) else getattr(emitter, 'server', None)
        if not isinstance(server, Server):
            count(self._failures_elsewhere, name)
            return
        tally = self._tally(server)
        if tally is not None:
            count(tally.listener_failures, name)

    # --- all of it --------------------------------------------------------------------------------

    def write(self, snapshot: Snapshot) -> None:
        """Put all counts into *snapshot*. Half a microsecond or so for each open connection."""
        labels: dict[int, str] = {}
        for label, tally in self._tallies.items():
            tally.write(snapshot, label)
            labels[id(tally)] = label
            snapshot.put('gnet_connections_open', (label,), 0)
        for server, tally in list(self._of_server.items()):
            number = len(connections_of(server).sockets)
            snapshot.put('gnet_connections_open', (labels[id(tally)],), number)
        for event, number in self._failures_elsewhere.items():
            snapshot.put('gnet_listener_failures', ('', event), number)
