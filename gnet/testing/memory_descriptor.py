"""Both ends of a TCP connection in memory: what the kernel would have of it, without a kernel.

A :class:`MemoryDescriptor` has as much of the interface of ``_socket.socket`` as
:mod:`gnet.sockets` uses, and answers as a connection over the loopback does on Linux: what was sent
is there at once; a close with unread bytes is a reset; a reset comes behind what had arrived;
whoever writes to a peer that has gone is told so with the second write.
"""

from __future__ import annotations

import _socket
import errno
import os
import struct
from collections.abc import Callable
from typing import Any

from .traffic import Traffic

__all__ = ['MemoryDescriptor', 'Readiness', 'connected_descriptors']

_LINGER = (_socket.SOL_SOCKET, _socket.SO_LINGER)


class Readiness:
    """A watcher of one end, with the interface of gevent's: calls back as long as it is ready.

    As a poll does, with all others in between.
    """

    def __init__(self, is_ready: Callable[[], bool], traffic: Traffic) -> None:
        self._is_ready = is_ready
        self._traffic = traffic
        self._callback: Callable[[], object] | None = None
        self._is_due = False

    @property
    def active(self) -> bool:
        """Whether it was started."""
        return self._callback is not None

    def start(self, callback: Callable[[], object]) -> None:
        """Call *callback* in the hub while the end is ready."""
        self._callback = callback
        self.look()

    def stop(self) -> None:
        """Call back no more."""
        self._callback = None

    close = stop

    def look(self) -> None:
        """The state of the end may have changed."""
        if self._callback is not None and not self._is_due and self._is_ready():
            self._is_due = True
            self._traffic.call(self._fire)

    def _fire(self) -> None:
        self._is_due = False
        if self._callback is not None and self._is_ready():
            self._callback()
            self.look()


class MemoryDescriptor:
    """One end of a connection in memory. It has no number: ``fileno()`` is -1.

    Args:
        local: its own name, as of ``getsockname()``.
        remote: the name of the other end.
        capacity: bytes that it holds of what the other end has sent, until they are read.
        piece: bytes that a read gets at most; None for all that it asks for.
    """

    proto = 0

    def __init__(self, local: Any, remote: Any, capacity: int, piece: int | None) -> None:
        self.family: int = _socket.AF_INET6 if len(local) == 4 else _socket.AF_INET
        self._local, self._remote = local, remote
        self._capacity, self._piece = capacity, piece
        self.arrived: bytearray = bytearray()
        self._options: dict[tuple[int, int], Any] = {}
        #: What has happened to the connection, and nobody was told yet: an error number, or 0.
        self._error = 0
        #: Whether the other end will send no more; whether this one will.
        self._has_fin = self._sent_fin = False
        #: Whether bytes that are sent lead nowhere; whether reading is over.
        self._is_dead = self._is_deaf = False
        #: Whether ``close()`` was called.
        self.is_closed: bool = False
        self._other = self
        self._watchers: list[Readiness] = []

    def join(self, other: MemoryDescriptor) -> None:
        """Connect it to *other*."""
        self._other, other._other = other, self  # inside: the ends of one connection

    def watch(self, readiness: Readiness) -> None:
        """Have *readiness* told of changes, until this is closed."""
        self._watchers.append(readiness)

    def changed(self) -> None:
        """Have the watchers look: what a poll would say may be another thing now."""
        for watcher in self._watchers:
            watcher.look()

    # --- what a poll would say --------------------------------------------------------------------

    def can_read(self) -> bool:
        """Whether ``recv()`` would return, or raise, at once."""
        return bool(self.arrived or self._error or self._has_fin or self._is_deaf)

    def can_write(self) -> bool:
        """Whether ``send()`` would."""
        return bool(
            self._error or self._sent_fin or self._is_dead or self._other.is_closed
            or len(self._other.arrived) < self._capacity)

    def has_bytes(self) -> bool:
        """Whether bytes wait to be read."""
        return bool(self.arrived)

    def has_failed(self) -> bool:
        """Whether an error waits to be told."""
        return self._error != 0

    # --- what a socket does -----------------------------------------------------------------------

    def fileno(self) -> int:
        return -1

    def getsockname(self) -> Any:
        return self._local

    def getpeername(self) -> Any:
        if self._is_over() or self.is_closed:
            raise _os_error(errno.ENOTCONN)
        return self._remote

    def recv(self, size: int, flags: int = 0) -> bytes:
        """Return what has arrived, up to *size* bytes; ``b''`` for the end."""
        if self.is_closed:
            raise _os_error(errno.EBADF)
        size = size if self._piece is None else min(size, self._piece)
        if self.arrived:
            data = bytes(self.arrived[:size])
            if not flags & _socket.MSG_PEEK:
                del self.arrived[:size]
                self._other.changed()
            return data
        if self._error and not self._has_fin:
            raise _os_error(self._take_error())
        if self._has_fin or self._is_deaf:
            return b''
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    def recv_into(self, buffer: Any, size: int = 0, flags: int = 0) -> int:
        view = memoryview(buffer).cast('B')
        data = self.recv(size or len(view), flags)
        view[:len(data)] = data
        return len(data)

    def send(self, data: Any, flags: int = 0) -> int:
        """Take what there is room for at the other end; return how many bytes that was."""
        if self.is_closed:
            raise _os_error(errno.EBADF)
        if self._error:
            raise _os_error(self._take_error())
        if self._sent_fin or self._is_dead:
            raise _os_error(errno.EPIPE)
        view = memoryview(data).cast('B')
        other = self._other
        if other.is_closed:
            # It is taken, and answered with a reset.
            if len(view):
                self.receive_reset()
            return len(view)
        if len(view) and other.refuses():
            # Likewise, and the connection is over for both.
            other.receive_reset()
            self.receive_reset()
            return len(view)
        room = self._capacity - len(other.arrived)
        if not room and len(view):
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        other.arrived += view[:room]
        other.changed()
        return min(room, len(view))

    def sendmsg(self, chunks: list[Any]) -> int:
        """Like :meth:`send`, for several chunks."""
        return self.send(b''.join(chunks))

    def shutdown(self, how: int) -> None:
        """Send a FIN, or read no more, or both."""
        if self._is_over():
            raise _os_error(errno.ENOTCONN)
        if how != _socket.SHUT_RD and not self._sent_fin:
            self._sent_fin = True
            self._other.receive_fin()
        if how != _socket.SHUT_WR:
            self._is_deaf = True
        self.changed()

    def close(self) -> None:
        """End the connection; with a reset if bytes are unread, or SO_LINGER says so."""
        if self.is_closed:
            return
        self.is_closed = True
        has_unread = bool(self.arrived)
        self.arrived.clear()
        self._watchers.clear()
        if has_unread or self._options.get(_LINGER) == struct.pack('ii', 1, 0):
            self._other.receive_reset()
        elif not self._sent_fin:
            self._sent_fin = True
            self._other.receive_fin()
        self._other.changed()  # who waits for room has none to wait for

    # --- what the other end does ------------------------------------------------------------------

    def receive_fin(self) -> None:
        """It will send no more."""
        self._has_fin = True
        self.changed()

    def refuses(self) -> bool:
        """Whether it is shut down in both directions: who sends to it then is answered by a reset.

        (As long as only reading is, Linux takes what comes.)
        """
        return self._sent_fin and self._is_deaf

    def receive_reset(self) -> None:
        """It has answered with a reset."""
        if not self._is_dead and not self.is_closed:
            self._is_dead = True
            self._error = errno.EPIPE if self._has_fin else errno.ECONNRESET
            self.changed()

    def _is_over(self) -> bool:
        """Whether there is no connection any more: neither end will send anything."""
        return self._is_dead or (self._sent_fin and self._has_fin)

    def _take_error(self) -> int:
        number, self._error = self._error, 0
        self._is_deaf = True
        return number

    # --- options ----------------------------------------------------------------------------------

    def getsockopt(self, level: int, option: int, size: int = 0) -> Any:
        """Return what was set, or 0."""
        if (level, option) == (_socket.SOL_SOCKET, _socket.SO_ERROR):
            return self._take_error()
        value = self._options.get((level, option), 0)
        return value.to_bytes(size, 'little') if size and isinstance(value, int) else value

    def setsockopt(self, level: int, option: int, value: Any, size: int = 0) -> None:
        """Remember *value*; of all options, a linger time of 0 alone changes something."""
        self._options[level, option] = value

    def setblocking(self, blocking: bool) -> None:
        """It never blocks."""

    def gettimeout(self) -> float:
        return 0.0


def connected_descriptors(
    left: Any, right: Any, capacity: int, piece: int | None,
) -> tuple[MemoryDescriptor, MemoryDescriptor]:
    """Return both ends of a connection between the names *left* and *right*."""
    ends = (MemoryDescriptor(left, right, capacity, piece),
            MemoryDescriptor(right, left, capacity, piece))
    ends[0].join(ends[1])
    return ends


def _os_error(number: int) -> OSError:
    return OSError(number, os.strerror(number))
