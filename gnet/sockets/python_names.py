"""What else a :class:`socket.socket` can do, so that code which expects one gets along.

None of these names blocks but ``sendfile``; those that do are in
:mod:`gnet.sockets.blocking_reads` and :mod:`gnet.sockets.blocking_writes`.
"""

from __future__ import annotations

import socket as _stdlib
from functools import partial
from typing import TYPE_CHECKING, Any

import gevent.socket

from ..addresses.ends import ProxiedName
from ..node import coded_errors
from ..node.keywords import check_keywords
from ..node.spelling import snake_options
from ..options.socket import SOCKET_OPTIONS, socket_options
from ..streams.delivery import BLOCKING
from ..streams.states import (
    CONNECTED,
    CONNECTING,
    FINISHED,
    GONE,
    GREENLET,
    LENT,
    NOBODY,
    PAUSED,
    WRITABLE,
)
from .blocking_writes import BlockingWrites
from .descriptors import adopt_socket
from .giving_away import check_read_ahead, take_unread, with_unread

if TYPE_CHECKING:
    from .connector import Connector
    from .socket_wire import SocketWire

__all__ = ['PythonNames']

#: Bytes read from a file at once by sendfile(): as much as the kernel buffers of a socket take in
#: a few steps, and little enough that reading it from a disk holds up the hub for a moment only.
FILE_BLOCK = 1 << 18

#: What settimeout() takes, as in the standard library, which counts nanoseconds in 64 bits.
MAX_SECONDS = 9_223_372_036


class PythonNames(BlockingWrites):
    """What lets a ``gnet.Socket`` be handed to code that expects a ``socket.socket``."""

    __slots__ = ()

    _connector: Connector | None
    _remote: Any

    # --- how long to wait -------------------------------------------------------------------------

    def settimeout(self, seconds: float | None) -> None:
        """Let blocking calls wait at most *seconds*; None (the default) for ever, 0 not at all.

        A call that waits already keeps the time that it has begun with.

        Raises:
            ValueError: it is negative, or NaN.
            OverflowError: it is longer than 292 years.
        """
        if seconds is not None:
            if seconds != seconds:
                raise ValueError('Invalid value NaN (not a number)')
            if seconds < 0:
                raise ValueError('Timeout value out of range')
            if seconds > MAX_SECONDS:
                raise OverflowError('timestamp out of range')
        self._own_blocking().set_seconds(seconds)

    def gettimeout(self) -> float | None:
        """Return what :meth:`settimeout` was given."""
        return self._blocking.seconds

    def setblocking(self, flag: bool) -> None:
        """``settimeout(None)`` if *flag*, else ``settimeout(0)``."""
        self._own_blocking().set_seconds(None if flag else 0.0)

    def getblocking(self) -> bool:
        """Return whether blocking calls wait at all."""
        return self._blocking.seconds != 0

    # --- closing ----------------------------------------------------------------------------------

    def close(self) -> None:
        """Close the connection; does nothing if it is closed.

        Waits, without blocking, for the objects of :meth:`makefile` to be closed, and for what
        ``write()`` has queued to be sent, as long as the peer takes it. Greenlets that are blocked
        on the socket wake at once with ``ERR_SOCKET_CLOSED``; if one is blocked in a write, what is
        queued is given up with it.
        """
        self._note_blocking_use()
        blocking = self._own_blocking()
        blocking.close_wanted = True
        if blocking.io_refs <= 0:
            self._close_now()

    @property
    def _closed(self) -> bool:
        """Whether :meth:`close` was called; the standard library has it, and paramiko asks."""
        return self._blocking.close_wanted or self._stage in GONE

    def _close_now(self) -> None:
        if not self._queued_units or self._blocking.senders or self._stage is not CONNECTED:
            self.destroy()
        elif self._lingering is None:
            self._linger()
            wire = self._wire
            wire.wake_reader()
            if wire.taker is GREENLET:
                wire.taker = NOBODY
            self.destroy_soon()

    def destroy_soon(self) -> None:
        """Send what is queued and the FIN, then destroy without waiting for the peer's end."""
        if self._stage in GONE:
            return
        if self._write_state is WRITABLE:
            self.end()
        if self._write_state is FINISHED:
            self.destroy()
        else:
            self.once('finish', self.destroy)

    def _decref_socketios(self) -> None:
        """Called by the file objects of :meth:`makefile` when they are closed."""
        blocking = self._own_blocking()
        blocking.io_refs -= 1
        if blocking.close_wanted and blocking.io_refs <= 0:
            self._close_now()

    def detach(self) -> int:
        """Give the descriptor away without closing it, and return its number.

        -1 if there is no connection; one that is being made is given up.

        The socket is destroyed. What was already read from the kernel stays here: ``read()``
        returns it.

        Raises:
            CodedRuntimeError: ``ERR_SOCKET_IN_USE``: TLS is spoken on the connection.
        """
        if self._wire.sock is None:
            if self._connector is not None:
                self.destroy()
            return -1
        if self._write_state is LENT:
            raise coded_errors.state_error('ERR_SOCKET_IN_USE')
        self._flow = PAUSED
        self._shut_now()  # what was ended stays so
        sock = self._wire.take_out()
        self.destroy()  # there is no descriptor left to close
        # (None: sending the FIN has failed, and that has closed it.)
        return -1 if sock is None else int(sock.detach())

    @classmethod
    def from_socket(cls, sock: Any, **options: Any) -> Any:
        """Adopt a connected socket of the standard library or gevent; return it as a gnet one.

        Args:
            sock: it has no descriptor any more when this returns.
            options: as of the constructor, but for *fd*.

        Its timeout becomes that of :meth:`settimeout`. The counterpart is :meth:`to_socket`.

        Raises:
            CodedTypeError: ``ERR_INVALID_ARG_TYPE`` for what is no socket, or one of :mod:`ssl` or
                gnet; ``ERR_INVALID_FD_TYPE`` when it is no stream.
            OSError: it is closed (``EBADF``), or not connected (``ENOTCONN``).
            ValueError: objects of its ``makefile()`` are open.
            TypeError: for a keyword that is no option.
        """
        check_keywords('from_socket', options, SOCKET_OPTIONS - {'fd'})
        given = snake_options(options)
        # As in the constructor: a signal that is set already closes what was adopted.
        signal = socket_options(given).signal
        self: Any = cls(**{**given, 'fd': None, 'signal': None})
        seconds = sock.gettimeout() if hasattr(sock, 'gettimeout') else None
        unread = take_unread(sock)
        try:
            adopted = adopt_socket(sock)
        except BaseException:
            if unread:
                sock.unread = unread
            raise
        self._adopt(adopted)
        self._bring(unread)
        self._apply_options()
        if seconds is not None:
            self._own_blocking().set_seconds(seconds)
        if signal is not None:
            self._destroy_on(signal)
        return self

    def to_socket(self, cls: type[Any] = gevent.socket.socket) -> Any:
        """Give the connection away as a socket of class *cls*, and destroy this one; blocks.

        Nothing is lost: what ``write()`` has queued is sent first, and what was received and not
        yet read is what the new socket's ``recv``, ``recv_into`` and ``makefile`` return first
        (``select`` does not see it. ``wrap_socket()`` of ``ssl``, and ``detach()``, raise
        ``ERR_READ_AHEAD`` as long as there is some; with ``pause_on_connect``, or ``pause()``
        before ``connect``, there is none). The time of :meth:`settimeout` stays.

        Args:
            cls: :class:`gevent.socket.socket` by default, whose calls block their greenlet only;
                :class:`socket.socket` for code in other threads.

        Raises:
            OSError: the socket is closed, or its connection has failed.
            CodedRuntimeError: as :meth:`recv`.
            ValueError: objects of :meth:`makefile` are open, which may have read ahead.
        """
        if self._blocking.io_refs and not self._is_closed_here():
            raise ValueError('objects of makefile() are open: close them first')
        self._begin_giving_away()
        while self._stage is CONNECTING or self._queued_units:
            self._wait_until_sent()
            self._begin_giving_away()  # others may have read and written meanwhile
        self._shut_now()  # what was ended stays so
        wire = self._wire
        if wire.sock is None or wire.error is not None:
            raise self._blocked_error()
        unread = b''.join(wire.arrived or ())
        sock = wire.take_out()
        try:
            made = with_unread(cls, unread, wire.family, wire.proto, sock.fileno())
        except BaseException:
            sock.close()
            self.destroy()  # what was read stays here: read() returns it
            raise
        sock.detach()
        wire.take_all()
        self.destroy()
        made.settimeout(self._blocking.seconds)
        return made

    def _begin_giving_away(self) -> None:
        self._begin_blocking()
        if self._is_closed_here():
            raise self._blocked_error()
        if self._wire.reader is not None:
            raise coded_errors.state_error('ERR_CONCURRENT_READ')
        if self._decoder is not None and self._buffer:
            raise coded_errors.state_error('ERR_TEXT_IS_BUFFERED')

    def _wait_until_sent(self) -> None:
        if self._write_state is WRITABLE:
            self.sendall(b'')
            return
        error = self._end_and_wait()
        if error is not None:
            raise self._blocked_error() if self._stage in GONE else error

    def sendfile(self, file: Any, offset: int = 0, count: int | None = None) -> int:
        """Send a file, opened in binary mode, from *offset* on; return how many bytes that was.

        Args:
            file: anything with ``read``; and ``seek``, unless the offset is 0.
            offset: where to begin, whatever the file's position is; a file that cannot seek is
                read on.
            count: bytes to send; None for all up to its end.

        The file's position is behind what was sent, also when this raises, as for
        :meth:`socket.socket.sendfile`.

        Raises:
            ValueError: for a text file, a count that is no positive integer, or with a timeout of
                0.
            TimeoutError: nothing could be sent for the time of :meth:`settimeout`.
            OSError: as :meth:`sendall`.
        """
        if 'b' not in getattr(file, 'mode', 'b'):
            raise ValueError('file should be opened in binary mode')
        if count is not None and (not isinstance(count, int) or count <= 0):
            raise ValueError(f'count must be a positive integer (got {count!r})')
        if self._blocking.seconds == 0:
            raise ValueError('non-blocking sockets are not supported')
        can_seek = file.seekable() if hasattr(file, 'seekable') else hasattr(file, 'seek')
        if offset or can_seek:
            file.seek(offset)
        sent = 0
        try:
            while count is None or sent < count:
                size = FILE_BLOCK if count is None else min(FILE_BLOCK, count - sent)
                block = file.read(size)
                if not block:
                    break
                rest = memoryview(block)
                while rest:
                    # Not sendall(), which cannot tell how much it had sent when it fails.
                    done = self.send(rest)
                    sent += done
                    rest = rest[done:]
        finally:
            if can_seek:
                file.seek(offset + sent)
        return sent

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    # --- files, names and options -----------------------------------------------------------------

    def makefile(
        self, mode: str = 'r', buffering: int | None = None, *, encoding: str | None = None,
        errors: str | None = None, newline: str | None = None,
    ) -> Any:
        """Return a file object over the connection; the arguments are those of :func:`open`.

        Closing it leaves the socket open; :meth:`close` waits for it. What it has read ahead and
        nobody has taken is the socket's again by that: the next read, in whatever style, begins
        with it, and :meth:`to_socket` takes it along.

        ``close`` of a text file that has made text of more than was taken, and cannot tell of which
        bytes (with ``'utf-16'``, say), raises a CodedRuntimeError: ``ERR_TEXT_IS_BUFFERED``.
        """
        if not set(mode) <= {'r', 'w', 'b'}:
            raise ValueError(f'invalid mode {mode!r} (only r, w, b allowed)')
        if buffering == 0 and 'b' not in mode:
            raise ValueError('unbuffered streams must be binary')
        from .files import Raw, open_file  # when there is one to open

        self._note_blocking_use()
        writing = 'w' in mode
        reading = 'r' in mode or not writing
        raw_mode: Any = ('r' if reading else '') + ('w' if writing else '')
        raw = Raw(self, raw_mode)
        self._own_blocking().io_refs += 1
        if buffering == 0:
            return raw
        return open_file(
            raw, mode, buffering, encoding, errors, newline, partial(self._read_ahead, self._wire))

    def _read_ahead(self, wire: SocketWire, data: bytes | None) -> None:
        """A file of *wire* is closed, and has read *data* ahead; None for text of unknown bytes."""
        if self._wire is not wire or self._blocking.close_wanted or self._is_closed_here():
            return  # nobody reads that any more
        if data is None:
            raise coded_errors.state_error('ERR_TEXT_IS_BUFFERED')
        if wire.taker in BLOCKING:
            wire.offer(data)
        else:
            self.unshift(data)

    def _os_socket(self) -> Any:
        if self._wire.sock is None:
            raise self._blocked_error()
        return self._wire.sock

    def fileno(self) -> int:
        """Return the descriptor's number, -1 if there is none. It must not be closed by others."""
        sock = self._wire.sock
        return -1 if sock is None else int(sock.fileno())

    def getsockname(self) -> Any:
        """Return the local name in the standard library's form."""
        name = self._os_socket().getsockname()
        remote = self._remote
        if type(remote) is ProxiedName and remote.near is not None:
            return remote.near or ''  # a name of TCP, or none that could be told
        return name

    def getpeername(self) -> Any:
        """Return the peer's name in the standard library's form."""
        name = self._os_socket().getpeername()
        remote = self._remote
        if type(remote) is ProxiedName and remote.near is not None:
            return tuple(remote) or ''  # as above
        return name

    def getsockopt(self, level: int, option: int, buffer_size: int = 0) -> Any:
        """Return a socket option, as :meth:`socket.socket.getsockopt`."""
        if self._length or self._wire.arrived_size:
            check_read_ahead()
        if buffer_size:
            return self._os_socket().getsockopt(level, option, buffer_size)
        return self._os_socket().getsockopt(level, option)

    def setsockopt(self, *arguments: Any) -> None:
        """Set a socket option, as :meth:`socket.socket.setsockopt`."""
        self._os_socket().setsockopt(*arguments)

    @property
    def family(self) -> int:
        """The address family, an ``AF_…`` number; also after the socket is closed."""
        return _stdlib.AddressFamily(self._wire.family)

    @property
    def type(self) -> int:
        """Always ``SOCK_STREAM``."""
        return _stdlib.SOCK_STREAM

    @property
    def proto(self) -> int:
        """The protocol number, 0 unless the descriptor was made with one; also after closing."""
        return self._wire.proto
