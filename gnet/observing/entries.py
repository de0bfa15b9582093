"""One thing that lives in a program, as :func:`gnet.live` tells of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any

from .heap import Place

__all__ = ['Kind', 'LiveEntry']


# no state: kinds of things
class Kind(str, Enum):
    """What an entry is about."""

    SERVER = 'server'
    SOCKET = 'socket'
    PROCESS = 'process'
    HANDLER = 'handler'
    LISTENER = 'listener'
    GREENLET = 'greenlet'
    THREAD = 'thread'
    TIMER = 'timer'
    WATCHER = 'watcher'
    HOLD = 'hold'

    def __str__(self) -> str:
        # As of any str, and on each Python the same in print() and in an f-string.
        return self.value


@dataclass(frozen=True)
class LiveEntry:
    """One thing that lives in the program. What does not apply to it is None.

    Attributes:
        kind: a :class:`Kind`, which is a str.
        keeps_alive: whether the program would go on for this alone; None for a greenlet that waits
            for nothing that is known to do so (a lock, say: then something else has to come), and
            for a thread of an executor, which ends with its work.
        referenced: what ``ref()`` and ``unref()`` have said of a server, a socket or a process.
        state: of a server ``'listening'``, ``'starting'`` or ``'closing'``; of a socket its
            ``ready_state``, or ``'awaiting header'`` as long as its proxy has not said whose it is
            (its peer is the proxy then, and there are no counts of bytes), or ``'lingering'`` if it
            was closed, and only its descriptor is left for a moment (docs/tls.md); of a greenlet
            ``'waiting'``, ``'running'`` or ``'starting'``; of what could not be asked, as it is in
            the middle of its making, ``'unreadable'``.
        age: seconds since the server was told to listen, the connection was established (or asked
            for), the process was started; of a handler, that of its connection; of what lingers,
            since it was closed.
        name: of a greenlet, a timer or a watcher: what it is for. Of a thread: its name. Of a
            process: its command.
        local: this end, such as ``'127.0.0.1:7000'``; of a unix socket its path.
        peer: the other end; of a unix socket ``'pid 123'`` where the system tells.
        server: of what was accepted: where its server listens.
        bytes_read: bytes received.
        bytes_written: bytes that were written, those still queued included.
        queued: of them, those that the peer has not taken yet (of a str, its characters).
        unread: bytes that have arrived, and that the program has not taken.
        connections: how many a server has open in this process.
        child: the number of a process that this one has started.
        where: the innermost line of the program's own code at which a greenlet or thread is.
        stack: all lines, the innermost last.
        id: tells the entries of one process apart, as long as they live.
    """

    kind: Kind
    keeps_alive: bool | None
    referenced: bool | None = None
    state: str | None = None
    age: float | None = None
    name: str | None = None
    local: str | None = None
    peer: str | None = None
    server: str | None = None
    bytes_read: int | None = None
    bytes_written: int | None = None
    queued: int | None = None
    unread: int | None = None
    connections: int | None = None
    child: int | None = None
    where: Place | None = None
    stack: tuple[Place, ...] = ()
    id: int = 0

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON has it: without what is None, places as ``[file, line, function]``."""
        given = {name: value for name, value in vars(self).items() if value is not None}
        return {**given, 'kind': self.kind.value, 'keeps_alive': self.keeps_alive}
