"""The blocking side of ``gnet.Socket``: the names and the units of :class:`socket.socket`.

Each call blocks the calling greenlet only. Bytes are taken where the hub has put them (it reads
ahead, up to the high-water mark) and are never offered to `'data'` listeners. A socket that is read
this way does not end by itself when its peer has ended, so a handler may still answer a request
that came with a FIN; it is closed by ``close()``, by ``with``, or when the `'connection'` listener
that used it returns.

One greenlet reads at a time; writes of several greenlets go out one after another, whole.
"""

from __future__ import annotations

import _socket
import errno
import io
import socket as _stdlib
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

from gevent import Timeout, getcurrent
from gevent.event import AsyncResult

from . import errors
from .readable import Flow, ReadState, Stage
from .transport import Reading, Transport
from .writable import WriteRequest, WriteState

__all__ = ['Blocking']


class Blocking(Transport):
    """What lets a ``gnet.Socket`` be handed to code that expects a ``socket.socket``."""

    __slots__ = ('_close_wanted', '_io_refs', '_seconds')

    def _prepare(self, *arguments: Any) -> None:
        super()._prepare(*arguments)
        #: What settimeout() was given: None waits for ever, 0.0 never.
        self._seconds: float | None = None
        #: Open makefile() objects; close() waits for them, as in the standard library.
        self._io_refs = 0
        self._close_wanted = False

    # --- reading ----------------------------------------------------------------------------------

    def recv(self, size: int, flags: int = 0) -> bytes:
        """Return at most *size* bytes as soon as there are any; ``b''`` once the peer has ended.

        Args:
            size: bytes at most.
            flags: ``MSG_PEEK`` leaves them to be read again; other flags are not supported.

        Raises:
            TimeoutError: none came within the time of :meth:`settimeout` (``socket.timeout``).
            BlockingIOError: there are none, and that time is 0.
            OSError: the connection failed (``ConnectionResetError``…), or was closed on this side
                (``ERR_SOCKET_CLOSED``), also while waiting.
            CodedRuntimeError: ``ERR_CONCURRENT_READ``, ``ERR_READING_IN_EVENT_STYLE``.
        """
        if size < 0:
            raise ValueError('negative buffersize in recv')
        if flags & ~_socket.MSG_PEEK:
            raise OSError(errno.EOPNOTSUPP, 'only MSG_PEEK is supported')
        incoming = self._await_incoming() if size else None
        if not incoming:
            return b''
        chunk = incoming[0]
        if flags:
            return bytes(chunk[:size])
        if len(chunk) <= size:
            return bytes(self._pop_incoming())
        # A view: cutting bytes would copy the rest each time.
        incoming[0] = memoryview(chunk)[size:]
        self._incoming_size -= size
        return bytes(chunk[:size])

    def recv_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> int:
        """Like :meth:`recv`, into *buffer* (*nbytes* of it, all by default); return the count."""
        target = memoryview(buffer).cast('B')
        chunk = self.recv(nbytes or len(target), flags)
        target[:len(chunk)] = chunk
        return len(chunk)

    def __iter__(self) -> Iterator[Any]:
        """Iterate over what arrives, in chunks of the network's making, until the peer ends.

        Chunks are ``bytes``, or ``str`` where :meth:`set_encoding` was called.
        """
        return self

    def __next__(self) -> Any:
        if self._decoder is not None:
            return self._next_text()
        if not self._await_incoming():
            raise StopIteration
        chunk = self._pop_incoming()
        return chunk if type(chunk) is bytes else bytes(chunk)

    def _next_text(self) -> str:
        decoder = self._decoder
        assert decoder is not None
        if self._buffer:
            self._length -= len(self._buffer[0])
            return str(self._buffer.popleft())
        while self._await_incoming():
            text = decoder.decode(bytes(self._pop_incoming()))
            if text:
                return text
        rest = decoder.flush()
        if rest:
            return rest
        raise StopIteration

    def _pop_incoming(self) -> bytes | memoryview:
        assert self._incoming is not None
        chunk = self._incoming.popleft()
        self._incoming_size -= len(chunk)
        if self._reading is Reading.FULL:
            self._want_data()
        return chunk

    def _await_incoming(self) -> deque[bytes | memoryview] | None:
        """Return the chunks that arrived, blocking until there are some; None at the end."""
        if not self._blocking_style or self._owner is not None:
            self._begin_blocking()
        while not self._incoming:
            if self._read_state is not ReadState.OPEN:
                self._end_seen()
                return None
            if self._stage is not Stage.OPEN or self._read_error is not None:
                raise self._blocked_error()
            if self._reading is not Reading.ACTIVE:
                self._start_reading()
            if self._reader is not None:
                raise errors.state_error('ERR_CONCURRENT_READ')
            self._reader = getcurrent()
            try:
                if self._seconds is None:
                    self._loop.hub.switch()
                else:
                    self._wait_seconds(self._loop.hub.switch)
            finally:
                self._reader = None
        return self._incoming

    def _begin_blocking(self) -> None:
        """Note that the socket is read by blocking calls from now on."""
        if self._flow is Flow.FLOWING:
            raise errors.state_error('ERR_READING_IN_EVENT_STYLE')
        if not self._blocking_style:
            self._blocking_style = True
            if self._buffer and self._decoder is None:
                # What was brought into the stream in Node's style is read first.
                self._incoming = self._incoming or deque()
                for chunk in reversed(self._buffer):
                    assert isinstance(chunk, bytes)
                    self._incoming.appendleft(chunk)
                self._incoming_size += self._length
                self._buffer, self._length = None, 0
        self._note_blocking_use()

    def _note_blocking_use(self) -> None:
        """The 'connection' listener that owns the socket uses it blockingly: it ends with it."""
        if self._owner is getcurrent():
            self._owner = None
            self._ends_with_owner = True

    def _check_event_style(self) -> None:
        if self._reader is not None:
            raise errors.state_error('ERR_READING_IN_BLOCKING_STYLE')
        if self._blocking_style:
            self._blocking_style = False
            if self._incoming or self._read_state is ReadState.FIN:
                self._queue_delivery()

    def _end_seen(self) -> None:
        """A blocking read has met the peer's end."""
        if self._read_state is ReadState.FIN:
            self._read_state = ReadState.ENDED
            self._tick(self._emit_end)

    def _blocked_error(self) -> BaseException:
        """What a blocking call of a broken or closed socket raises."""
        if self._read_error is not None:
            self.destroy(self._read_error)
        if self._stage is Stage.NEW:
            return errors.system_error(errno.ENOTCONN, 'read')
        if isinstance(self._errored, BaseException):
            return self._errored
        return errors.socket_closed()

    def _wait_seconds(self, wait: Callable[[], Any]) -> Any:
        if not self._seconds:
            raise BlockingIOError(errno.EAGAIN, 'Resource temporarily unavailable')
        with Timeout(self._seconds, _stdlib.timeout('timed out')):
            return wait()

    # --- writing ----------------------------------------------------------------------------------

    def sendall(self, data: Any, flags: int = 0) -> None:
        """Return when the kernel has taken all of *data* (bytes-like, not copied).

        Raises:
            TimeoutError: it has not, within the time of :meth:`settimeout`; what was not sent by
                then is given up, and how much that is cannot be told.
            OSError: the connection failed (``BrokenPipeError``…), or was ended or closed here.
        """
        if self._owner is not None:
            self._note_blocking_use()
        if (
            self._stage is not Stage.OPEN or self._in_flight is not None or self._corked
            or self._write_state is not WriteState.OPEN
        ):
            self._send_queued(memoryview(data).cast('B'))
            return
        try:
            sent = self._send(data)
        except BlockingIOError:
            sent = 0
        except OSError as error:
            self._write_failed(error, None)
            raise self._blocked_error() from None
        self._bytes_sent += sent
        if sent != len(data):
            rest = memoryview(data).cast('B')[sent:]
            if rest:
                self._send_queued(rest)

    def send(self, data: Any, flags: int = 0) -> int:
        """Send *data* and return its length; with a timeout of 0, what the kernel takes at once."""
        if self._seconds == 0:
            return self._send_at_once(data)
        self.sendall(data)
        return memoryview(data).nbytes

    def _send_at_once(self, data: Any) -> int:
        if self._stage is not Stage.OPEN or self._write_state is not WriteState.OPEN:
            raise self._sending_error()
        if self._in_flight is not None or self._corked:
            raise BlockingIOError(errno.EAGAIN, 'Resource temporarily unavailable')
        try:
            sent = self._send(data)
        except BlockingIOError:
            raise
        except OSError as error:
            self._write_failed(error, None)
            raise self._blocked_error() from None
        self._bytes_sent += sent
        return sent

    def _send_queued(self, data: memoryview) -> None:
        """Queue *data* behind what is queued, and block until it is in the kernel."""
        if self._stage is Stage.NEW or self.destroyed or self._write_state is not WriteState.OPEN:
            raise self._sending_error()
        done: AsyncResult = AsyncResult()
        request = WriteRequest(data, len(data), done.set)
        self._enqueue(request)
        try:
            if self._in_flight is None:
                self._flush()
            error = done.get() if self._seconds is None else self._wait_seconds(done.get)
        except BaseException:
            self._give_up(request)
            raise
        if error is not None:
            raise self._blocked_error() if error is self._errored else error

    def _sending_error(self) -> BaseException:
        if self.destroyed or self._stage is Stage.NEW:
            return self._blocked_error()
        return errors.system_error(errno.EPIPE, 'write')

    def _give_up(self, request: WriteRequest) -> None:
        """Take back what of *request* is not sent: nobody waits for it any more."""
        self._queued_bytes -= len(request.data)
        request.callback = None
        request.data = memoryview(b'')

    # --- closing ----------------------------------------------------------------------------------

    def shutdown(self, how: int) -> None:
        """Close the reading (``SHUT_RD``), the writing (``SHUT_WR``) or both (``SHUT_RDWR``) half.

        Writes that are queued are sent first; the call blocks for that long.
        """
        self._note_blocking_use()
        if self._sock is None:
            raise self._blocked_error()
        if how in (_socket.SHUT_RD, _socket.SHUT_RDWR):
            self._sock.shutdown(_socket.SHUT_RD)
        if how in (_socket.SHUT_WR, _socket.SHUT_RDWR) and self._write_state is WriteState.OPEN:
            queued = bool(self._queued_units)
            done: AsyncResult = AsyncResult()
            self.end(done.set)
            if queued:
                error = done.get()
                if error is not None:
                    raise error

    def close(self) -> None:
        """Close the connection; does nothing if it is closed.

        Waits, without blocking, for the objects of :meth:`makefile` to be closed, and for queued
        writes to be sent.
        """
        self._note_blocking_use()
        self._close_wanted = True
        if self._io_refs <= 0:
            self._close_now()

    def _close_now(self) -> None:
        if self._queued_units and self._stage is Stage.OPEN:
            self.destroy_soon()
        else:
            self.destroy()

    def destroy_soon(self) -> None:
        """Send what is queued and the FIN, then destroy without waiting for the peer's end."""
        if self._write_state is WriteState.OPEN:
            self.end()
        if self._write_state is WriteState.FINISHED:
            self.destroy()
        else:
            self.once('finish', self.destroy)

    def _decref_socketios(self) -> None:
        """Called by the file objects of :meth:`makefile` when they are closed."""
        self._io_refs -= 1
        if self._close_wanted and self._io_refs <= 0:
            self._close_now()

    def detach(self) -> int:
        """Give the descriptor away without closing it, and return its number; -1 if closed.

        The socket is destroyed. What was already read from the kernel stays here: take it with
        :meth:`read` first.
        """
        sock = self._sock
        if sock is None:
            return -1
        if self._incoming and not self._buffer and self._decoder is None:
            self._length, self._incoming_size = self._incoming_size, 0
            self._buffer, self._incoming = deque(map(bytes, self._incoming)), None
        fd: int = sock.detach()
        self.destroy()  # closes the watchers; there is no descriptor left to close
        return fd

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    # --- the rest of socket.socket ----------------------------------------------------------------

    def makefile(
        self, mode: str = 'r', buffering: int | None = None, *, encoding: str | None = None,
        errors: str | None = None, newline: str | None = None,
    ) -> Any:
        """Return a file object over the connection; the arguments are those of :func:`open`.

        Closing it leaves the socket open; :meth:`close` waits for it.
        """
        if not set(mode) <= {'r', 'w', 'b'}:
            raise ValueError(f'invalid mode {mode!r} (only r, w, b allowed)')
        self._note_blocking_use()
        writing = 'w' in mode
        reading = 'r' in mode or not writing
        raw_mode: Any = ('r' if reading else '') + ('w' if writing else '')
        raw = _stdlib.SocketIO(self, raw_mode)  # type: ignore[arg-type]  # it is duck-typed
        self._io_refs += 1
        size = io.DEFAULT_BUFFER_SIZE if buffering is None or buffering < 0 else buffering
        if not size:
            if 'b' not in mode:
                raise ValueError('unbuffered streams must be binary')
            return raw
        buffer: Any
        if reading and writing:
            buffer = io.BufferedRWPair(raw, raw, size)
        else:
            buffer = io.BufferedReader(raw, size) if reading else io.BufferedWriter(raw, size)
        if 'b' in mode:
            return buffer
        text: Any = io.TextIOWrapper(buffer, encoding, errors, newline)
        text.mode = mode
        return text

    def settimeout(self, seconds: float | None) -> None:
        """Let blocking calls wait at most *seconds*; None (the default) for ever, 0 not at all."""
        if seconds is not None and seconds < 0:
            raise ValueError('Timeout value out of range')
        self._seconds = seconds

    def gettimeout(self) -> float | None:
        """Return what :meth:`settimeout` was given."""
        return self._seconds

    def setblocking(self, flag: bool) -> None:
        """``settimeout(None)`` if *flag*, else ``settimeout(0)``."""
        self._seconds = None if flag else 0.0

    def getblocking(self) -> bool:
        """Return whether blocking calls wait at all."""
        return self._seconds != 0

    def _os_socket(self) -> Any:
        if self._sock is None:
            raise self._blocked_error()
        return self._sock

    def fileno(self) -> int:
        """Return the descriptor's number, -1 if there is none. Do not close it behind gnet's back."""
        return -1 if self._sock is None else int(self._sock.fileno())

    def getsockname(self) -> Any:
        """Return the local name in the standard library's form."""
        return self._os_socket().getsockname()

    def getpeername(self) -> Any:
        """Return the peer's name in the standard library's form."""
        return self._os_socket().getpeername()

    def getsockopt(self, level: int, option: int, buffer_size: int = 0) -> Any:
        """Return a socket option, as :meth:`socket.socket.getsockopt`."""
        if buffer_size:
            return self._os_socket().getsockopt(level, option, buffer_size)
        return self._os_socket().getsockopt(level, option)

    def setsockopt(self, *arguments: Any) -> None:
        """Set a socket option, as :meth:`socket.socket.setsockopt`."""
        self._os_socket().setsockopt(*arguments)

    @property
    def family(self) -> int:
        """The address family of the descriptor, an ``AF_…`` number."""
        return _stdlib.AddressFamily(self._os_socket().family)

    @property
    def type(self) -> int:
        """Always ``SOCK_STREAM``."""
        return _stdlib.SOCK_STREAM

    @property
    def proto(self) -> int:
        """The protocol number, 0 unless the descriptor was made with one."""
        return int(self._os_socket().proto)
