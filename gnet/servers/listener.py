"""Listening sockets: made, bound and put into the listening state, or adopted.

Each function returns a :class:`Listener` or raises the error that Node would emit, syscall
``'listen'`` whichever call failed. No gevent here, and nothing that waits for the network.

The standard library's own socket class is used even under monkey-patching: what the hub accepts on
must be neither gevent's nor blocking.
"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable
from typing import Any

from ..addresses.ends import FAMILIES
from ..node.logs import Log
from ..node.originals import close_descriptor, original
from ..node.records import NamedTuple
from ..node.system_errors import NodeOSError, listen_error, system_error
from ..node.values import MAX_INT32

__all__ = [
    'HANDLE_KEY',
    'Listener',
    'adopt',
    'adopt_given',
    'bind_path',
    'bind_port',
    'receive',
]

_log = Log('gnet.server')
_Socket: Any = original('socket', 'socket')


#: Where Node hands no address to the system: every address, IPv6 and IPv4, else IPv4 alone.
ANY_IPV6 = '::'
ANY_IPV4 = '0.0.0.0'

#: Node's ``_connectionKey`` of a server that was given a listening handle, and a descriptor.
HANDLE_KEY = '-1:null:-1'
FD_KEY = 'null:null:null'
_V6 = 6

#: The descriptors of this process's listeners. To listen on one of them once more, by its number,
#: is Node's EEXIST: two owners would close it twice.
_owned: set[int] = set()

#: Those that this process was started with, and that a server listens on a duplicate of.
_taken: set[int] = set()


class _File(NamedTuple):
    """The file of a unix socket, as it was when it was bound."""

    #: Absolute: the working directory may be another one when it is removed.
    path: str
    device: int
    inode: int
    #: The process that has bound it. A forked child has the socket too, but not the file.
    pid: int

    def is_there(self) -> bool:
        """Whether it is still this one that has the name."""
        found = os.lstat(self.path)
        return (found.st_dev, found.st_ino) == (self.device, self.inode)


def _file_of(path: str) -> _File | None:
    """Return the file at *path*, which was bound right now; None if it is gone already."""
    try:
        # Not normalised: what '..' leads to depends on links.
        path = os.path.join(os.getcwd(), path)
        found = os.lstat(path)
    except OSError:
        return None
    return _File(path, found.st_dev, found.st_ino, os.getpid())


class Listener:
    """A listening socket and what goes with it when it is closed."""

    __slots__ = ('_fd', '_file', 'closers', 'key', 'path', 'socket')

    def __init__(
        self, sock: Any, key: str, path: str | None = None,
        closers: tuple[Callable[[], object], ...] = (), owns_path: bool = True,
    ) -> None:
        #: A non-blocking socket of the standard library.
        self.socket: Any = sock
        #: Node's ``_connectionKey``.
        self.key: str = key
        #: The path of a unix socket, with a leading NUL if abstract.
        self.path: str | None = path
        #: Called, in order, when the listener is closed.
        self.closers: list[Callable[[], object]] = list(closers)
        is_file = owns_path and path is not None and not path.startswith('\0')
        self._file = _file_of(path) if is_file else None  # type: ignore[arg-type]  # it is there
        self._fd = sock.fileno()
        _owned.add(self._fd)

    def relisten(self, backlog: int) -> None:
        """Tell the system another backlog.

        Raises:
            NodeOSError: the socket was closed, or is broken.
        """
        _listen(self.socket, backlog, None, -1)

    def close(self) -> None:
        """Remove a unix socket's file, if it is there still, and close what was adopted."""
        _owned.discard(self._fd)
        file, self._file = self._file, None
        if file is not None and file.pid == os.getpid():
            self._remove(file)
        while self.closers:
            self.closers.pop(0)()

    def _remove(self, file: _File) -> None:
        try:
            # Another server may have taken the name meanwhile. As long as this socket is open, the
            # system gives the number of its file to no other one.
            if file.is_there():
                os.unlink(file.path)
        except FileNotFoundError:
            pass  # somebody removed it before us: that is what was wanted
        except OSError as error:
            # No reason for close() to fail (Node's does not), but worth knowing.
            _log.warning('cannot remove the socket file %s: %s', file.path, error)


def bind_port(
    address: str | None, port: int, backlog: int, *, version: int = _V6, ipv6_only: bool = False,
    reuse_port: bool = False,
) -> Listener:
    """Listen on a TCP port.

    Args:
        address: an IP address, perhaps with a zone; None for every address of the machine. That is
            ``::`` for IPv6 and IPv4, or ``0.0.0.0`` where ``::`` can not be bound. A port that is
            in use is no reason to fall back.
        port: 0 for any free one.
        backlog: connections that wait to be accepted; the system bounds it.
        version: 4 or 6, the kind of *address*.
        ipv6_only: with IPv6, leave IPv4 alone.
        reuse_port: share the port with others that ask for it (SO_REUSEPORT).

    Raises:
        NodeOSError: ``EADDRINUSE``, ``EACCES``, ``EADDRNOTAVAIL``…
    """
    if address is not None:
        key = f'{version}:{address}:{port}'
        sock = _bind_tcp(address, port, version, ipv6_only, reuse_port)
    else:
        key = f'{_V6}:{ANY_IPV6}:{port}'
        try:
            address = ANY_IPV6
            sock = _bind_tcp(address, port, _V6, ipv6_only, reuse_port)
        except NodeOSError as error:
            if error.errno == errno.EADDRINUSE:
                raise
            address, key = ANY_IPV4, f'4:{ANY_IPV4}:{port}'
            sock = _bind_tcp(address, port, 4, False, reuse_port)
    try:
        _listen(sock, backlog, address, port)
    except NodeOSError:
        sock.close()
        raise
    return Listener(sock, key)


def _bind_tcp(address: str, port: int, version: int, ipv6_only: bool, reuse_port: bool) -> Any:
    sock = None
    try:
        sock = _Socket(FAMILIES[version], socket.SOCK_STREAM)
        sock.setblocking(False)
        # An address in TIME_WAIT is no obstacle (Node, always).
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if reuse_port:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if version == _V6:
            # Said either way: the default of the system may be changed by its administrator.
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(ipv6_only))
        # Numeric, so that nothing is looked up: the patched getaddrinfo() would block in here.
        host, _, zone = address.partition('%')
        sock.bind((host, port, 0, _scope_of(zone)) if version == _V6 else (address, port))
    except OSError as error:
        if sock is not None:
            sock.close()
        raise listen_error(error.errno or errno.EINVAL, address, port) from None
    return sock


def _scope_of(zone: str) -> int:
    """The number of an IPv6 *zone*, an interface's name or number; 0 (none) if there is no such.

    With 0 a link-local address can not be bound (EINVAL), and for others it means nothing: in Node,
    too, ``::1%nosuch`` is ``::1``.
    """
    if not zone:
        return 0
    try:
        return socket.if_nametoindex(zone)
    except OSError:
        number = int(zone) if zone.isascii() and zone.isdigit() else 0
        return number if number < 2**32 else 0


def bind_path(
    path: str, backlog: int, *, readable_all: bool = False, writable_all: bool = False,
) -> Listener:
    """Listen on a unix socket.

    An existing file is never removed first: whatever it is, that is ``EADDRINUSE``.

    Args:
        path: relative to the working directory or absolute; 107 bytes at most on Linux. With a
            leading NUL, an abstract name, which is no file.
        backlog: connections that wait to be accepted.
        readable_all: give the file exactly mode 0444, whatever the umask.
        writable_all: exactly 0222; with both, 0666.

    Raises:
        NodeOSError: ``EADDRINUSE``, ``EACCES`` (also for a missing directory, as in Node),
            ``EINVAL`` for a path that is too long or has a NUL in it.
    """
    sock = None
    try:
        name = os.fsencode(path)
        sock = _Socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.setblocking(False)
        if b'\0' in name and not path.startswith('\0'):
            raise OSError(errno.EINVAL, 'NUL in path')
        sock.bind(name)
    except UnicodeEncodeError:
        # Half of a surrogate pair: such a name can not exist.
        raise listen_error(errno.EINVAL, path, -1) from None
    except OSError as error:
        if sock is not None:
            sock.close()
        # Python's own check of the length comes without a number; libuv calls a missing directory
        # EACCES.
        number = error.errno or errno.EINVAL
        number = errno.EACCES if number == errno.ENOENT else number
        raise listen_error(number, path, -1) from None
    listener = Listener(sock, f'-1:{path}:-1', path)
    mode = (0o444 if readable_all else 0) | (0o222 if writable_all else 0)
    try:
        if mode:
            os.chmod(path, mode)
    except OSError as error:
        sock.close()
        listener.close()
        raise system_error(error.errno or 0, 'uv_pipe_chmod') from error
    try:
        _listen(sock, backlog, path, -1)
    except NodeOSError:
        sock.close()
        listener.close()
        raise
    return listener


def adopt(given: Any, backlog: int) -> Listener:
    """Listen on what somebody else made.

    Args:
        given: the number of a descriptor, which belongs to the listener from now on; or a socket
            of the standard library or of gevent, or another object with ``fileno()``: gnet accepts
            on a duplicate, and closes *given* (if it has ``close()``) together with the listener.
            It need not be in the listening state yet.
        backlog: connections that wait to be accepted.

    Raises:
        NodeOSError: ``EINVAL`` if it is no stream socket, ``EEXIST`` for a number that another
            listener of this process was made from.
    """
    if isinstance(given, (int, float)):
        return _adopt_number(given, backlog)
    copy = None
    try:
        copy = os.dup(given.fileno())
        sock = _Socket(fileno=copy)
    except (OSError, ValueError):
        # Closed (files raise ValueError then), or no socket.
        if copy is not None:
            close_descriptor(copy)
        raise listen_error(errno.EINVAL, None, -1) from None
    try:
        _check_and_listen(sock, backlog, -1)
    except NodeOSError:
        sock.close()
        raise
    close = getattr(given, 'close', None)
    return Listener(sock, HANDLE_KEY, closers=(close,) if close is not None else ())


def adopt_given(fd: int, path: str | None) -> Listener:
    """Listen on a duplicate of what systemd has opened, and goes on having.

    Args:
        fd: the descriptor, of a stream socket that listens. Its backlog stays as it is.
        path: of a unix socket; its file stays where it is.

    Raises:
        NodeOSError: ``EADDRINUSE`` if another server listens on it.
    """
    if fd in _taken:
        raise listen_error(errno.EADDRINUSE, None, None)
    copy = None
    try:
        copy = os.dup(fd)
        sock = _Socket(fileno=copy)
    except OSError as error:  # there are too many, or the program has closed it
        if copy is not None:
            close_descriptor(copy)
        raise listen_error(error.errno or errno.EINVAL, None, None) from None
    sock.setblocking(False)
    _taken.add(fd)
    return Listener(
        sock, FD_KEY, path, closers=(lambda: _taken.discard(fd),), owns_path=False)


def receive(sock: Any, key: str, path: str | None) -> Listener:
    """Return the listener of another process, which has bound it, on a raw socket of this one."""
    return Listener(_Socket(fileno=sock.detach()), key, path, owns_path=False)


def _adopt_number(number: float, backlog: int) -> Listener:
    if number > MAX_INT32 or number != int(number):
        raise listen_error(errno.EINVAL, None, None)
    fd = int(number)
    if fd in _owned:
        raise listen_error(errno.EEXIST, None, None)
    try:
        sock = _Socket(fileno=fd)
    except OSError:
        raise listen_error(errno.EINVAL, None, None) from None
    try:
        _check_and_listen(sock, backlog, None)
    except NodeOSError:
        sock.detach()  # refused: the descriptor is still the caller's
        raise
    return Listener(sock, FD_KEY)


def _check_and_listen(sock: Any, backlog: int, port: int | None) -> None:
    if sock.type != socket.SOCK_STREAM:
        raise listen_error(errno.EINVAL, None, port)
    _listen(sock, backlog, None, port)
    # The hub accepts until there is no more; on a blocking socket the last accept would hang it.
    sock.setblocking(False)


def _listen(sock: Any, backlog: int, address: str | None, port: int | None) -> None:
    # Python would make 0 of a negative number, the system makes the greatest possible of it.
    try:
        sock.listen(backlog if backlog >= 0 else MAX_INT32)
    except OSError as error:
        raise listen_error(error.errno or errno.EINVAL, address, port) from None
