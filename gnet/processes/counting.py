"""Counting the connections of a server that were sent to another process.

Where they were accepted, the server has a :class:`SentSockets` for each process that it sent some
to, and asks it (see :mod:`gnet.servers.connections`). Where they are, a :class:`ReceivedSockets`
counts and answers. The messages are Node's, so each end may be Node:

====================================  ====================================================
``NODE_SOCKET_GET_COUNT`` *key*       how many are open? Answer: ``NODE_SOCKET_COUNT``
``NODE_SOCKET_NOTIFY_CLOSE`` *key*    tell when there are none; ``NODE_SOCKET_ALL_CLOSED``
====================================  ====================================================

*key* names the server: its ``_connection_key``. Answers come in the order of the questions.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

from ..events.emitter import EventEmitter
from ..loop.loop import Loop
from ..node import coded_errors

__all__ = [
    'ReceivedSockets',
    'SentSockets',
    'Tallies',
]

Callback = Callable[..., object]


class Asked(Protocol):
    """The other process: a :class:`gnet.processes.peer.Peer`."""

    loop: Loop

    @property
    def connected(self) -> bool:
        """Whether messages can be sent."""

    def send(self, message: dict[str, Any]) -> bool:
        """Send a message of gnet's own."""


class SentSockets(EventEmitter):
    """The tracker of the connections of one server that were sent to one process.

    Emits `'exit'` when that process has ended: it has none of them any more.
    """

    def __init__(self, peer: Asked, key: str) -> None:
        super().__init__()
        self._peer = peer
        self._key = key
        #: Who waits for which answer.
        self._asking: dict[str, deque[Callback]] = {
            'NODE_SOCKET_COUNT': deque(), 'NODE_SOCKET_ALL_CLOSED': deque(),
        }

    def get_connections(self, callback: Callback) -> None:
        """Call back with ``(err, count)``; *err* if the channel is closed before the answer."""
        self._ask('NODE_SOCKET_GET_COUNT', 'NODE_SOCKET_COUNT', callback)

    def close(self, callback: Callback) -> None:
        """Call back with ``(err)`` when the other process has none of them any more."""
        self._ask('NODE_SOCKET_NOTIFY_CLOSE', 'NODE_SOCKET_ALL_CLOSED', callback)

    def _ask(self, question: str, answer: str, callback: Callback) -> None:
        if self._peer.connected:
            self._asking[answer].append(callback)
            # As in Node, who waits for an answer is alive: the channel of a child may be unref'ed.
            self._peer.loop.hold()
            self._peer.send({'cmd': question, 'key': self._key})
        else:
            callback(coded_errors.state_error('ERR_CHILD_CLOSED_BEFORE_REPLY'), None)

    def answered(self, message: dict[str, Any]) -> None:
        """Take a message from the other process about this server."""
        waiting = self._asking.get(message['cmd'])
        if waiting:
            count = message.get('count')
            self._peer.loop.release()
            waiting.popleft()(None, count if isinstance(count, int) else 0)

    def disconnected(self) -> None:
        """No answers come any more."""
        for waiting in self._asking.values():
            while waiting:
                self._peer.loop.release()
                waiting.popleft()(coded_errors.state_error('ERR_CHILD_CLOSED_BEFORE_REPLY'), None)


class ReceivedSockets:
    """Stands for a server of another process, for the connections that it has sent here."""

    is_elsewhere = True

    def __init__(self, peer: Asked, key: str) -> None:
        self._peer = peer
        self._key = key
        self._connections = 0
        #: How many times the other process wants to be told when there are none.
        self._to_be_told = 0

    def add(self) -> None:
        """One more has arrived."""
        self._connections += 1

    def count(self) -> None:
        """Answer how many there are."""
        self._peer.send(
            {'cmd': 'NODE_SOCKET_COUNT', 'key': self._key, 'count': self._connections})

    def notify_close(self) -> None:
        """Tell when there are none, which may be now."""
        self._to_be_told += 1
        self._tell()

    def _tell(self) -> None:
        while self._to_be_told and not self._connections:
            self._to_be_told -= 1
            if self._peer.connected:
                self._peer.send({'cmd': 'NODE_SOCKET_ALL_CLOSED', 'key': self._key})

    # --- what a socket tells who counts it (`Counter` of ``sockets``) -----------------------------

    @property
    def server(self) -> None:
        """The server of this process that accepted it: none did."""
        return None

    def destroyed(self, _sock: Any) -> None:
        """It has ended."""
        self._connections -= 1
        self._tell()

    #: It is sent on to yet another process, which that one does not count.
    departed = destroyed

    def returned(self, _sock: Any) -> None:
        """It was not sent on after all."""
        self._connections += 1


class Tallies:
    """What is counted together with one other process: a part of a channel's end.

    Attributes:
        sent: by key, the trackers of servers here.
        received: by key, what stands for servers there.
    """

    __slots__ = ('_peer', 'received', 'sent')

    def __init__(self, peer: Asked) -> None:
        self._peer = peer
        self.sent: dict[str, SentSockets] = {}
        self.received: dict[str, ReceivedSockets] = {}

    def track(self, key: str) -> SentSockets | None:
        """Return a tracker for the server with this key; None if it has one already."""
        if key in self.sent:
            return None
        tracker = self.sent[key] = SentSockets(self._peer, key)
        return tracker

    def received_from(self, key: str) -> ReceivedSockets:
        """Return what counts the connections of that server of the other process."""
        received = self.received.get(key)
        if received is None:
            received = self.received[key] = ReceivedSockets(self._peer, key)
        return received

    def take(self, command: str, message: dict[str, Any]) -> None:
        """Take a question of the other process, or an answer."""
        key = message.get('key')
        if not isinstance(key, str):
            return
        if command == 'NODE_SOCKET_GET_COUNT':
            self.received_from(key).count()
        elif command == 'NODE_SOCKET_NOTIFY_CLOSE':
            self.received_from(key).notify_close()
        elif key in self.sent:
            self.sent[key].answered(message)

    def disconnected(self) -> None:
        """The channel is closed: no answers come any more."""
        for tracker in self.sent.values():
            tracker.disconnected()

    def exited(self, code: int | None, signal: str | None) -> None:
        """The other process has ended."""
        for tracker in self.sent.values():
            tracker.emit('exit', code, signal)
