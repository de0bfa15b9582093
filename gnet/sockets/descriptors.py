"""Descriptors that were opened elsewhere, as a socket takes them over; and giving one back."""

from __future__ import annotations

import _socket
import errno
import fcntl
import os
import stat
import weakref
from array import array
from typing import Any

from ..addresses.ends import TCP_FAMILIES
from ..node import coded_errors, system_errors
from ..node.originals import close_descriptor

__all__ = [
    'adopt_descriptor',
    'adopt_socket',
    'remember',
    'reset_on_close',
]

_STREAM_FAMILIES = (*TCP_FAMILIES, _socket.AF_UNIX)

#: SO_LINGER: on, for no time.
_NO_LINGER = array('i', [1, 0]).tobytes()

#: The sockets that were made with ``fd``, by its number.
_adopted: weakref.WeakValueDictionary[int, Any] = weakref.WeakValueDictionary()


class Pipe:
    """A pipe (or FIFO) with as much of a socket's interface as a transport uses."""

    family: int = _socket.AF_UNIX
    type: int = _socket.SOCK_STREAM
    proto: int = 0

    def __init__(self, fd: int) -> None:
        self._fd = fd
        access = fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_ACCMODE
        self.is_readable: bool = access != os.O_WRONLY
        self.is_writable: bool = access != os.O_RDONLY
        os.set_blocking(fd, False)

    def fileno(self) -> int:
        return self._fd

    def recv(self, size: int) -> bytes:
        return os.read(self._fd, size)

    def recv_into(self, buffer: Any) -> int:
        return os.readv(self._fd, [buffer])

    def send(self, data: Any) -> int:
        return self.sendmsg([data])

    def sendmsg(self, chunks: list[Any]) -> int:
        if not self.is_writable:
            raise OSError(errno.EPIPE, os.strerror(errno.EPIPE))  # as Node has it
        return os.writev(self._fd, chunks)

    def shutdown(self, how: int) -> None:
        """A pipe has one direction: closing it is its end."""

    def getsockname(self) -> str:
        return ''

    getpeername = getsockname

    def detach(self) -> int:
        fd, self._fd = self._fd, -1
        return fd

    def close(self) -> None:
        if self._fd >= 0:
            close_descriptor(self.detach())


def adopt_descriptor(fd: int) -> Any:
    """Return what a transport needs for the connected descriptor *fd*, which belongs to it then.

    Raises:
        CodedTypeError: ``ERR_INVALID_FD_TYPE`` for what is no stream.
        OSError: ``EEXIST`` when another socket of gnet has adopted it.
    """
    owner = _adopted.get(fd)
    if owner is not None and owner.fileno() == fd:
        raise system_errors.system_error(errno.EEXIST, 'open')
    try:
        mode = os.fstat(fd).st_mode
    except OSError:
        raise coded_errors.invalid_fd_type('UNKNOWN') from None
    if stat.S_ISFIFO(mode):
        return Pipe(fd)
    if not stat.S_ISSOCK(mode):
        # Node's words; a device is a file, too.
        is_file = stat.S_ISREG(mode) or stat.S_ISCHR(mode)
        kind = 'TTY' if os.isatty(fd) else 'FILE' if is_file else 'UNKNOWN'
        raise coded_errors.invalid_fd_type(kind)
    sock = _socket.socket(fileno=fd)
    if sock.family not in _STREAM_FAMILIES or sock.type != _socket.SOCK_STREAM:
        kind = 'UDP' if sock.type == _socket.SOCK_DGRAM else 'UNKNOWN'
        sock.detach()
        raise coded_errors.invalid_fd_type(kind)
    sock.setblocking(False)
    return sock


def remember(fd: int, owner: Any) -> None:
    """Note that *owner* has adopted *fd*."""
    _adopted[fd] = owner


def adopt_socket(sock: Any) -> Any:
    """Take the descriptor out of a connected socket of the standard library or gevent.

    Nothing is changed when this raises.

    Raises:
        CodedTypeError: ``ERR_INVALID_ARG_TYPE`` for what is no such socket; one of :mod:`ssl` is
            none, because its encryption would be lost; nor is one of gnet, which has read ahead.
        CodedTypeError: ``ERR_INVALID_FD_TYPE`` when it is no stream.
        CodedRuntimeError: ``ERR_READ_AHEAD``: what was read before is to be taken out first.
        OSError: it is closed, or not connected (``ENOTCONN``).
        ValueError: objects of its ``makefile()`` are open.
    """
    if not all(hasattr(sock, name) for name in ('detach', 'fileno', 'getpeername')) or (
        hasattr(sock, 'do_handshake') or hasattr(sock, 'to_socket')
    ):
        raise coded_errors.invalid_arg_type('sock', 'an instance of socket.socket', sock)
    sock.getpeername()
    if getattr(sock, '_io_refs', 0):
        raise ValueError('objects of makefile() are open: close them first')
    if sock.type != _socket.SOCK_STREAM or sock.family not in _STREAM_FAMILIES:
        raise coded_errors.invalid_fd_type('UDP' if sock.type == _socket.SOCK_DGRAM else 'UNKNOWN')
    adopted = _socket.socket(sock.family, sock.type, sock.proto, fileno=sock.detach())
    adopted.setblocking(False)
    return adopted


def reset_on_close(sock: Any) -> None:
    """Let close(2) reset the TCP connection *sock* instead of ending it."""
    sock.setsockopt(_socket.SOL_SOCKET, _socket.SO_LINGER, _NO_LINGER)
