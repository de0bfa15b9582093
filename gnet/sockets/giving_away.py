"""A descriptor given away as a socket: what was read before comes first."""

from __future__ import annotations

import _socket
import sys
from fcntl import ioctl
from termios import FIONREAD
from typing import Any

__all__ = [
    'with_unread',
]


class _Unread:
    """Mixed into a class of sockets: what another reader had taken from the kernel comes first."""

    unread: bytes = b''

    def _take(self, size: int, flags: int) -> bytes:
        if flags & _socket.MSG_PEEK:
            if len(self.unread) < size:
                self.unread += self._waiting(size - len(self.unread))
            return self.unread[:size]
        taken, self.unread = self.unread[:size], self.unread[size:]
        return taken

    def _waiting(self, size: int) -> bytes:
        """Take what more the kernel has by now: a loop that peeks waits for that."""
        fd = self.fileno()  # type: ignore[attr-defined]  # of the socket's class
        # Asked first: a read might wait, or meet a failure that belongs behind what is unread.
        waiting = int.from_bytes(ioctl(fd, FIONREAD, bytes(4)), sys.byteorder)
        if not waiting:
            return b''
        more: bytes = super().recv(min(size, waiting))  # type: ignore[misc]  # as above
        return more

    def recv(self, bufsize: int, flags: int = 0) -> bytes:
        if self.unread and bufsize > 0:
            return self._take(bufsize, flags)
        data: bytes = super().recv(bufsize, flags)  # type: ignore[misc]  # of the socket's class
        return data

    def recv_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> int:
        target = memoryview(buffer).cast('B')
        if self.unread and len(target):
            taken = self._take(nbytes or len(target), flags)[:len(target)]
            target[:len(taken)] = taken
            return len(taken)
        size: int = super().recv_into(buffer, nbytes, flags)  # type: ignore[misc]  # as above
        return size

    def recvfrom(self, bufsize: int, flags: int = 0) -> tuple[bytes, Any]:
        return self.recv(bufsize, flags), None

    def recvfrom_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> tuple[int, Any]:
        return self.recv_into(buffer, nbytes, flags), None

    def recvmsg(self, bufsize: int, ancbufsize: int = 0, flags: int = 0) -> Any:
        if self.unread and bufsize > 0:
            return self._take(bufsize, flags), [], 0, None
        return super().recvmsg(bufsize, ancbufsize, flags)  # type: ignore[misc]  # as above


def with_unread(cls: type[Any], unread: bytes, family: int, proto: int, fd: int) -> Any:
    """Make a socket of class *cls* on *fd*; if there are *unread* bytes, it reads them first."""
    if unread:
        cls = type(cls.__name__, (_Unread, cls), {'__module__': cls.__module__})
    made = cls(family, _socket.SOCK_STREAM, proto, fileno=fd)
    if unread:
        made.unread = unread
    return made
