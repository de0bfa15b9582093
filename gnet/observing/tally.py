"""What is counted of one server: a :class:`Tally`."""

from __future__ import annotations

import re
import socket
from typing import Any

from .catalogue import CATALOGUE
from .histogram import Histogram
from .snapshot import Snapshot

__all__ = ['Tally', 'code_of', 'count']

#: How many codes of errors, or events, are told apart. A program may raise any number of classes.
_MAX_KEYS = 50

#: So many sockets that are gone may be kept until somebody looks.
_FEW = 1000

_CODE = re.compile(r'[A-Z][A-Z0-9_]{1,63}')


def count(table: dict[str, int], key: str) -> None:
    """Count one more of *key*; of ``other``, if too many are told apart already."""
    if key not in table and len(table) >= _MAX_KEYS:
        key = 'other'
    table[key] = table.get(key, 0) + 1


def code_of(error: BaseException) -> str:
    """Return Node's code of *error* (``ECONNRESET``), or the name of its class."""
    code = getattr(error, 'code', None)
    if isinstance(code, str) and _CODE.fullmatch(code):
        return code
    if type(error) is socket.timeout:
        return 'TimeoutError'  # which it is since Python 3.10: one name on all of them
    return type(error).__name__[:64]


class Tally:
    """The counts of a server, from its first day, or the first day of the metrics."""

    __slots__ = (
        '_look_at', 'accepted', 'dropped', 'durations', 'errors', 'failed', 'handshakes',
        'handshakes_failed', 'listener_failures', 'open', 'received', 'sent', 'waits',
    )

    def __init__(self) -> None:
        self.accepted: int = 0
        self.dropped: dict[str, int] = {}
        self.failed: dict[str, int] = {}
        self.listener_failures: dict[str, int] = {}
        self.errors: int = 0
        self.durations: Histogram = Histogram(CATALOGUE['gnet_connection_duration_seconds'].bounds)
        self.waits: Histogram = Histogram(CATALOGUE['gnet_handler_wait_seconds'].bounds)
        self.handshakes: Histogram = Histogram(CATALOGUE['gnet_handshake_duration_seconds'].bounds)
        self.handshakes_failed: int = 0
        #: Bytes of connections that are closed.
        self.received: int = 0
        self.sent: int = 0
        #: Those that are open, until what is published of their end; with the bytes that they had
        #: when they were last looked at.
        self.open: dict[Any, tuple[int, int]] = {}
        #: How many of these there may be before somebody looks whether all of them are.
        self._look_at = _FEW

    def opened(self, sock: Any) -> None:
        """*sock* is open."""
        self.open[sock] = (0, 0)
        if len(self.open) > self._look_at:
            # Those that were sent away would stay here for as long as nobody asks for metrics.
            self.look()
            self._look_at = max(_FEW, 2 * len(self.open))

    def closed(self, sock: Any, received: int, sent: int) -> None:
        """*sock* is closed, and has had so many bytes."""
        self.open.pop(sock, None)
        self.received += received
        self.sent += sent

    def look(self) -> tuple[int, int]:
        """Return the bytes received and sent until now, of open connections, too."""
        received, sent = self.received, self.sent
        gone = []
        for sock, before in self.open.items():
            if sock.opened_at:
                now = self.open[sock] = sock.bytes_read, sock.bytes_written
                received += now[0]
                sent += now[1]
            else:
                gone.append((sock, before))
        for sock, before in gone:
            # It was sent to another process, of which nothing is published. What was seen of it
            # counts here, as a total never falls.
            self.closed(sock, *before)
            received += before[0]
            sent += before[1]
        return received, sent

    def write(self, snapshot: Snapshot, label: str) -> None:
        """Put all of it into *snapshot*, for the server that is called *label*."""
        received, sent = self.look()
        for name, value in (
            ('gnet_connections_accepted', self.accepted),
            ('gnet_received_bytes', received),
            ('gnet_sent_bytes', sent),
            ('gnet_server_errors', self.errors),
            ('gnet_connection_duration_seconds', self.durations),
            ('gnet_handler_wait_seconds', self.waits),
        ):
            snapshot.put(name, (label,), value)
        done = self.handshakes.count
        if done or self.handshakes_failed:
            snapshot.put('gnet_handshake_duration_seconds', (label,), self.handshakes)
            snapshot.put('gnet_handshakes', (label, 'done'), done)
            snapshot.put('gnet_handshakes', (label, 'failed'), self.handshakes_failed)
        for name, table in (
            ('gnet_connections_dropped', self.dropped),
            ('gnet_connections_failed', self.failed),
            ('gnet_listener_failures', self.listener_failures),
        ):
            for key, number in table.items():
                snapshot.put(name, (label, key), number)
