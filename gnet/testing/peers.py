"""The other end as a plain socket, which does what no library would do.

Nothing of gnet is in it: a socket of the standard library, non-blocking, on which a greenlet waits
by gevent's hub. So it is the same in a monkey-patched process, and the server under test goes on
meanwhile.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Callable
from types import TracebackType
from typing import Any

import gevent
from gevent.socket import wait_read, wait_write

from ..node.originals import original
from .addresses import address_of, family_of
from .waiting import PATIENCE

__all__ = ['Listener', 'Peer']

#: A linger time of zero: close() sends a reset, and throws away what is unsent.
_NO_LINGER = struct.pack('ii', 1, 0)


def _plain_socket(*args: Any, **kwargs: Any) -> Any:
    plain = original('socket', 'socket')(*args, **kwargs)
    plain.setblocking(False)
    return plain


class Peer:
    """A connected socket of the standard library, with the manners that a test wants.

    A call raises TimeoutError when the other end has done nothing for :attr:`patience` seconds.
    What is not here is had of :attr:`plain`.

    ::

        with gnet.testing.Peer(server) as peer:
            peer.drip(b'GET / HTTP/1.0\\r\\n\\r\\n')    # one byte at a time
            peer.end()                                  # half close
            assert peer.recv_until_end().startswith(b'HTTP/1.1 200')

    Args:
        target: a server that listens, a host and a port, a port of 127.0.0.1, or a path.
        receive_buffer: bytes that the kernel keeps for a peer that does not read; the system
            rounds up. By default as the system has it, some megabytes at most.
        patience: seconds.

    Raises:
        OSError: it could not connect.
    """

    def __init__(
        self, target: Any, *, receive_buffer: int | None = None, patience: float = PATIENCE,
    ) -> None:
        address = address_of(target)
        plain = _plain_socket(family_of(address))
        try:
            if receive_buffer is not None:  # before it connects, or the window is open already
                plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
            _connect(plain, address, patience)
        except BaseException:
            plain.close()
            raise
        self._take(plain, patience)

    def _take(self, plain: Any, patience: float) -> None:
        #: The socket: non-blocking, unpatched.
        self.plain: Any = plain
        self.patience = patience
        if plain.family != socket.AF_UNIX:
            # Each send is a segment of its own.
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    @classmethod
    def on(cls, plain: Any, patience: float = PATIENCE) -> Peer:
        """Return one on *plain*, a connected socket of the standard library, which it closes."""
        plain.setblocking(False)
        self = cls.__new__(cls)
        self._take(plain, patience)
        return self

    # --- saying something -------------------------------------------------------------------------

    def sendall(self, data: bytes) -> None:
        """Send *data*, and wait until the kernel has taken it."""
        view = memoryview(data)
        while view:
            view = view[self._when_ready(wait_write, self.plain.send, view):]

    def drip(self, data: bytes, pause: float = 0.0, size: int = 1) -> None:
        """Send *data* slowly: *size* bytes, then *pause* seconds for the other end, and so on.

        With a pause of 0 the hub has a turn in between.
        """
        for start in range(0, len(data), size):
            self.sendall(data[start:start + size])
            gevent.sleep(pause)

    def flood(self, data: bytes = bytes(65536), limit: int = 1 << 26, quiet: float = 0.1) -> int:
        """Send *data* again and again, until the other end has taken nothing for *quiet* seconds.

        Returns:
            How many bytes were taken. *limit* is where it gives up: who takes so much has no
            back-pressure.
        """
        sent = 0
        try:
            while sent < limit:
                try:
                    sent += self.plain.send(data)
                except BlockingIOError:
                    wait_write(self.plain.fileno(), quiet, _Quiet())
        except _Quiet:
            pass  # as expected
        return sent

    def end(self) -> None:
        """Half close: send a FIN, and go on reading."""
        self.plain.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """Close with a reset (RST). On a unix socket, as :meth:`close`."""
        self.plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        self.plain.close()

    def close(self) -> None:
        """Close; the kernel sends a reset if something is unread. Called twice, it does nothing."""
        self.plain.close()

    # --- listening --------------------------------------------------------------------------------
    # (Never to read takes no method.)

    def recv(self, size: int = 65536) -> bytes:
        """Wait for something; return up to *size* bytes of it; ``b''`` after a FIN."""
        data: bytes = self._when_ready(wait_read, self.plain.recv, size)
        return data

    def recv_exactly(self, size: int) -> bytes:
        """Return *size* bytes, or fewer if a FIN comes first."""
        data = bytearray()
        while len(data) < size:
            chunk = self.recv(size - len(data))
            if not chunk:
                break
            data += chunk
        return bytes(data)

    def recv_until(self, mark: bytes) -> bytes:
        """Return what comes up to *mark*, with it; or before a FIN. Nothing behind it is read."""
        data = bytearray()
        while not data.endswith(mark):
            byte = self.recv(1)
            if not byte:
                break
            data += byte
        return bytes(data)

    def recv_until_end(self) -> bytes:
        """Return all that comes before a FIN."""
        chunks: list[bytes] = []
        while True:
            chunk = self.recv()
            if not chunk:
                return b''.join(chunks)
            chunks.append(chunk)

    def is_reset(self) -> bool:
        """Wait for the end of the connection; return whether it was a reset. The rest is dropped.
        """
        try:
            self.recv_until_end()
        except ConnectionResetError:
            return True
        return False

    def _when_ready(
        self, wait: Callable[..., Any], call: Callable[[Any], Any], argument: Any,
    ) -> Any:
        while True:
            try:
                return call(argument)
            except BlockingIOError:
                wait(self.plain.fileno(), self.patience, _late(self.patience))

    def __enter__(self) -> Peer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


class Listener:
    """A plain socket that listens: the server that a client of yours meets, with :class:`Peer`'s
    manners.

    Args:
        host: a numeric address; 127.0.0.1 by default.
        path: of a unix socket, in place of it. The file is removed at the end.
        backlog: connections that wait to be accepted.
        patience: seconds that :meth:`accept` waits, and its peers do.
    """

    def __init__(
        self, host: str = '127.0.0.1', *, path: Any = None, backlog: int = 16,
        patience: float = PATIENCE,
    ) -> None:
        path = None if path is None else os.fspath(path)
        self._path: str | bytes | None = path
        self.patience = patience
        #: The socket: non-blocking, unpatched.
        self.plain: Any = _plain_socket(family_of(path or (host, 0)))
        try:
            self.plain.bind(path or (host, 0))
            self.plain.listen(backlog)
        except BaseException:
            self.plain.close()
            raise

    def address(self) -> Any:
        """Return its host and port, or its path."""
        name = self.plain.getsockname()
        return name[:2] if isinstance(name, tuple) else name

    @property
    def port(self) -> int:
        """Its port."""
        number: int = self.plain.getsockname()[1]
        return number

    def accept(self) -> Peer:
        """Wait for a connection, and return it; the caller closes it."""
        while True:
            try:
                descriptor, _ = self.plain._accept()
            except BlockingIOError:
                wait_read(self.plain.fileno(), self.patience, _late(self.patience))
            else:
                return Peer.on(
                    _plain_socket(self.plain.family, fileno=descriptor), self.patience)

    def close(self) -> None:
        """Listen no more. Called twice, it does nothing."""
        if self.plain.fileno() != -1:
            self.plain.close()
            if self._path is not None:
                os.unlink(self._path)

    def __enter__(self) -> Listener:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


class _Quiet(Exception):  # noqa: N818 - it is what is waited for
    """Nothing more is taken."""


def _late(patience: float) -> TimeoutError:
    return TimeoutError(f'the other end has said nothing for {patience:g} seconds')


def _connect(plain: Any, address: Any, patience: float) -> None:
    number = plain.connect_ex(address)
    if number in (errno.EINPROGRESS, errno.EAGAIN):
        wait_write(plain.fileno(), patience, _late(patience))
        number = plain.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if number:
        raise OSError(number, f'{os.strerror(number)}: {address!r}')
