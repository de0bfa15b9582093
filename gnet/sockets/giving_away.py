"""A descriptor given away as a socket: what was read before comes first."""

from __future__ import annotations

import _socket
import sys
from fcntl import ioctl
from termios import FIONREAD
from typing import Any

from ..node import coded_errors

__all__ = [
    'check_read_ahead',
    'take_unread',
    'unread_of',
    'with_unread',
]


#: Who reads from the descriptor itself.
_TLS = ('ssl', 'gevent.ssl')


class _Unread:
    """Mixed into a class of sockets: what another reader had taken from the kernel comes first."""

    unread: bytes = b''

    def getsockopt(self, *arguments: Any) -> Any:
        if self.unread:
            check_read_ahead()
        return super().getsockopt(*arguments)  # type: ignore[misc]  # of the socket's class

    def detach(self) -> int:
        if self.unread:
            raise coded_errors.state_error('ERR_READ_AHEAD')
        number: int = super().detach()  # type: ignore[misc]  # as above
        return number

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


def check_read_ahead() -> None:
    """Raise if who calls ``getsockopt()`` of a socket is about to speak TLS on its descriptor.

    This is the first thing that ssl asks of a socket, the standard library's and gevent's, whatever
    the version. When it asks for more it has the descriptor already, and would close it in failing.

    Raises:
        CodedRuntimeError: ``ERR_READ_AHEAD``.
    """
    if sys._getframe(2).f_globals.get('__name__') in _TLS:
        raise coded_errors.state_error('ERR_READ_AHEAD')


def unread_of(sock: Any) -> bytes:
    """Return what is left in *sock* of what was read before it was given away."""
    return sock.unread if isinstance(sock, _Unread) else b''


def take_unread(sock: Any) -> bytes:
    """Take it out."""
    unread = unread_of(sock)
    if unread:
        sock.unread = b''
    return unread


def with_unread(cls: type[Any], unread: bytes, family: int, proto: int, fd: int) -> Any:
    """Make a socket of class *cls* on *fd*; if there are *unread* bytes, it reads them first."""
    if unread:
        cls = type(cls.__name__, (_Unread, cls), {'__module__': cls.__module__})
    made = cls(family, _socket.SOCK_STREAM, proto, fileno=fd)
    if unread:
        made.unread = unread
    return made
