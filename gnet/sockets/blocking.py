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
import socket as _stdlib
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from operator import index
from time import perf_counter
from typing import Any

from gevent import Timeout, getcurrent
from gevent.event import AsyncResult

from ..loop.agenda import WORK_BUDGET
from ..loop.loop import Loop
from ..node import coded_errors, system_errors
from ..streams.delivery import BULK_SIZE, MAX_READS, READ_SIZE, Chunk
from ..streams.states import (
    ACTIVE,
    CONNECTED,
    CONNECTING,
    ENDED,
    FAILED,
    FIN,
    FLOWING,
    FULL,
    GONE,
    HELD,
    NEW,
    NOT_ENDED,
    WRITABLE,
)
from ..streams.writable import BlockingRequest, WriteRequest
from .ownership import Handled

__all__ = [
    'Blocking',
]

_STOPPED = (HELD, FULL)

#: The stages in which a blocking read may wait: for the connection, or for data.
_READABLE = (CONNECTED, CONNECTING, FAILED)
_WRITABLE = (CONNECTED, CONNECTING)
_UNCONNECTED = (NEW, CONNECTING, FAILED)


def _check_send_flags(flags: int) -> None:
    if flags & ~getattr(_socket, 'MSG_NOSIGNAL', 0):
        raise OSError(errno.EOPNOTSUPP, 'flags are not supported')


class Blocking(Handled):
    """Reading and writing that waits."""

    __slots__ = ('_more_likely', '_more_reads', '_more_until', '_seconds', '_senders')

    def _prepare(self, loop: Loop, allow_half_open: bool) -> None:
        super()._prepare(loop, allow_half_open)
        #: What settimeout() was given: None waits for ever, 0.0 never.
        self._seconds: float | None = None
        #: Greenlets that are blocked in a write.
        self._senders = 0
        #: How often a reader may look into the kernel by itself, before others have their turn.
        self._more_reads = 0
        #: The time, of ``perf_counter()``, from which on they have it anyway.
        self._more_until = 0.0
        #: Whether the last read got all that it asked for: then looking costs more than reading.
        self._more_likely = False

    # --- how long to wait -------------------------------------------------------------------------

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
            CodedRuntimeError: another greenlet is blocked in a read (``ERR_CONCURRENT_READ``),
                events read the socket (``ERR_READING_IN_EVENT_STYLE``), or text is left that
                :meth:`set_encoding` made of what arrived before (``ERR_TEXT_IS_BUFFERED``).
        """
        if type(size) is not int:
            size = index(size)
        if size < 0:
            raise ValueError('negative buffersize in recv')
        if flags & ~_socket.MSG_PEEK:
            raise OSError(errno.EOPNOTSUPP, 'only MSG_PEEK is supported')
        if self._decoder is not None and self._buffer:
            raise coded_errors.state_error('ERR_TEXT_IS_BUFFERED')
        chunk: bytes | memoryview | None = None
        if (
            self._reading is ACTIVE and self._blocking_style and not self._incoming
            and self._reader is None and self._seconds is None and self._owner is None
            and not self._more_reads and not self._queue and self._linger_timer is None and size
        ):
            # The hot path: what _take_bytes would do, without its calls.
            self._reader = getcurrent()
            try:
                chunk = self._loop.block()
            finally:
                self._reader = None
            if chunk is not None and len(chunk) >= BULK_SIZE:
                self._expect_more(len(chunk))
        if chunk is None and size:
            chunk = self._take_bytes()
        if chunk is None:
            return b''
        if len(chunk) > size or flags:
            # A view: cutting bytes would copy the rest each time.
            self._give_back(chunk if flags else memoryview(chunk)[size:])
            return bytes(chunk[:size])
        return chunk if type(chunk) is bytes else bytes(chunk)

    def recv_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> int:
        """Like :meth:`recv`, into *buffer* (*nbytes* of it, all by default); return the count."""
        target = memoryview(buffer).cast('B')
        if target.readonly:
            raise TypeError('recv_into() needs a buffer that can be written to')
        if nbytes < 0:
            raise ValueError('negative buffersize in recv_into')
        if nbytes > len(target):
            raise ValueError('buffer too small for requested bytes')
        chunk = self.recv(nbytes or len(target), flags)
        target[:len(chunk)] = chunk
        return len(chunk)

    def __iter__(self) -> Iterator[Any]:
        """Iterate over what arrives, in chunks of the network's making, until the peer ends.

        Chunks are ``bytes``, or ``str`` where :meth:`set_encoding` was called.
        """
        switch = self._loop.block
        while True:
            if (
                self._reading is ACTIVE and self._blocking_style and not self._incoming
                and self._reader is None and self._seconds is None and self._owner is None
                and self._decoder is None and not self._more_reads and self._linger_timer is None
            ):
                # The hot path: what _take_bytes would do, without its calls.
                self._reader = getcurrent()
                try:
                    chunk = switch()
                finally:
                    self._reader = None
                if chunk is not None:
                    if len(chunk) >= BULK_SIZE:
                        self._expect_more(len(chunk))
                    yield chunk
                    continue
            chunk = self._next_chunk()
            if chunk is None:
                return
            yield chunk

    def _next_chunk(self) -> Chunk | None:
        if self._decoder is not None:
            return self._next_text()
        chunk = self._take_bytes()
        return bytes(chunk) if isinstance(chunk, memoryview) else chunk

    def _next_text(self) -> str | None:
        decoder = self._decoder
        assert decoder is not None
        if not self._blocking_style:
            self._begin_blocking()
        if self._buffer:
            text = self._buffer.popleft()
            self._length -= len(text)
            return str(text)
        while True:
            chunk = self._take_bytes()
            text = decoder.flush() if chunk is None else decoder.decode(bytes(chunk))
            if text:
                return text
            if chunk is None:
                return None

    def _take_bytes(self) -> bytes | memoryview | None:
        """Return the next chunk that arrived, blocking until there is one; None at the end."""
        if not self._blocking_style or self._owner is not None:
            self._begin_blocking()
        while True:
            if self._incoming:
                chunk = self._incoming.popleft()
                self._incoming_size -= len(chunk)
                if self._reading is not ACTIVE and self._reading in _STOPPED:
                    self._want_data()
                return chunk
            if self._read_state is not NOT_ENDED and not self._has_lost_data():
                self._end_seen()
                return None
            if (
                self._stage not in _READABLE or self._read_error is not None
                or self._linger_timer is not None
            ):
                raise self._blocked_error()
            if self._stage is CONNECTED and self._reading is not ACTIVE:
                self._start_reading()
            if self._reader is not None:
                raise coded_errors.state_error('ERR_CONCURRENT_READ')
            handed_over = self._wait_for_bytes()
            if handed_over is not None:
                return handed_over

    def _has_lost_data(self) -> bool:
        """Whether the socket was closed before all that came before the peer's end was read."""
        return self._stage in GONE and (self._read_state is FIN or self._length > 0)

    def _wait_for_bytes(self) -> bytes | None:
        """Block until the hub hands a chunk over, or (None) has something else to say."""
        chunk: bytes | None
        if self._seconds == 0:
            if self._stage is CONNECTED:
                # Nobody may ever let the hub have a turn: look into the kernel now.
                self._on_readable()
                if self._incoming or self._reading is not ACTIVE:
                    return None
            raise BlockingIOError(errno.EAGAIN, 'Resource temporarily unavailable')
        if self._queue:
            # In a listener of 'connect': what was written before may be what is answered.
            self._flush()
            if self._stage in GONE:
                return None
        if self._more_reads and self._reading is ACTIVE:
            self._more_reads -= 1
            chunk = None
            if perf_counter() < self._more_until and (self._more_likely or self._has_arrived()):
                chunk = self._receive()
            size = 0 if chunk is None else len(chunk)
            self._more_likely = size == READ_SIZE
            if size < BULK_SIZE:
                self._more_reads = 0
            if size or self._reading is not ACTIVE:
                return chunk
        self._reader = getcurrent()
        try:
            if self._seconds is None:
                chunk = self._loop.block()
            else:
                chunk = self._within_seconds(self._loop.block)
        finally:
            self._reader = None
        if chunk is not None and len(chunk) >= BULK_SIZE:
            self._expect_more(len(chunk))
        return chunk

    def _expect_more(self, size: int) -> None:
        """A large chunk of *size* bytes was handed over: more of the stream is likely to wait."""
        self._more_reads = MAX_READS
        self._more_likely = size == READ_SIZE
        self._more_until = perf_counter() + WORK_BUDGET

    def _give_back(self, chunk: bytes | memoryview) -> None:
        """Put *chunk* in front of what has arrived."""
        if self._incoming is None:
            self._incoming = deque()
        self._incoming.appendleft(chunk)
        self._incoming_size += len(chunk)

    def _begin_blocking(self) -> None:
        """Note that the socket is read by blocking calls from now on."""
        if self._linger_timer is not None:
            raise self._blocked_error()  # its handler has returned
        if self._flow is FLOWING or self._readable_listened:
            raise coded_errors.state_error('ERR_READING_IN_EVENT_STYLE')
        if not self._blocking_style:
            self._blocking_style = True
            # What was brought into the stream in Node's style is read first; but nothing is read
            # that was left when the socket was closed on this side.
            if self._stage is CONNECTED or self._read_error is not None:
                if self._length and self._read_state is ENDED:
                    self._read_state = FIN  # it comes after them again
                while self._buffer and self._decoder is None:
                    chunk = self._buffer.pop()
                    assert isinstance(chunk, bytes)
                    self._length -= len(chunk)
                    self._give_back(chunk)
        self._note_blocking_use()

    def _use_events(self) -> None:
        if self._reader is not None:
            raise coded_errors.state_error('ERR_READING_IN_BLOCKING_STYLE')
        if self._blocking_style:
            self._blocking_style = False
            if self._stage in GONE:
                self._drop_incoming()  # left for read(), but no 'data' comes any more
            elif self._incoming or self._read_state is FIN:
                self._queue_delivery()

    def _end_seen(self) -> None:
        """A blocking read has met the peer's end."""
        if self._read_state is FIN:
            self._read_state = ENDED
            self._in_turn(self._emit_end)

    def _blocked_error(self) -> BaseException:
        """What a blocking call of a broken or closed socket raises."""
        if self._read_error is not None:
            self.destroy(self._read_error)
        if self._stage in _UNCONNECTED:
            return system_errors.system_error(errno.ENOTCONN, 'read')
        error = self._errored
        if isinstance(error, system_errors.ConnectFailure):
            # Code for sockets looks for an OSError: the first, as Node's code does.
            first = error.errors[0].with_traceback(None)
            first.__cause__ = error.with_traceback(None)
            return first
        if isinstance(error, BaseException):
            # It may be raised any number of times: its traceback must not grow with each.
            return error.with_traceback(None)
        return system_errors.socket_closed()

    def _within_seconds(self, wait: Callable[[], Any]) -> Any:
        if self._seconds is None:
            return wait()
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
        if flags:
            _check_send_flags(flags)
        if (
            self._stage is not CONNECTED or self._write_state is not WRITABLE
            or self._in_flight is not None or self._queue or self._corked
        ):
            self._send_in_turn(memoryview(data).cast('B'))
            return
        try:
            sent = self._send(data)
        except BlockingIOError:
            sent = 0
        except OSError as error:
            self._write_failed(error, memoryview(data).nbytes, None)
            sent = -1
        if sent < 0:
            # Not up there: it would have that error, whose traceback has the frames that have the
            # socket, which has this one.
            raise self._blocked_error()
        self._bytes_sent += sent
        if sent != len(data):
            rest = memoryview(data).cast('B')[sent:]
            if rest:
                self._send_in_turn(rest)

    def send(self, data: Any, flags: int = 0) -> int:
        """Send *data* and return its length; with a timeout of 0, what the kernel takes at once.

        Raises:
            TimeoutError: nothing was sent within the time of :meth:`settimeout`. If something was,
                its length is returned instead.
            BlockingIOError: the kernel takes nothing, and that time is 0.
            OSError: as :meth:`sendall`.
        """
        if self._seconds == 0:
            _check_send_flags(flags)
            return self._send_at_once(data)
        self._note_blocking_use()
        _check_send_flags(flags)
        view, sent = memoryview(data).cast('B'), 0
        if self._stage is CONNECTED:
            with suppress(BlockingIOError):
                sent = self._send_at_once(view)
                if sent == len(view):
                    return sent
        try:
            return len(view) - self._send_in_turn(view[sent:], partly=True)
        except _stdlib.timeout:
            if not sent:
                raise
            return sent

    def _send_at_once(self, data: Any) -> int:
        self._note_blocking_use()
        if (
            self._stage is not CONNECTED or self._write_state is not WRITABLE
            or self._errored is not None  # a write has failed, and destroy() is about to come
        ):
            raise self._sending_error()
        if self._in_flight is not None or self._queue or self._corked:
            raise BlockingIOError(errno.EAGAIN, 'Resource temporarily unavailable')
        try:
            sent = self._send(data)
        except BlockingIOError:
            raise
        except OSError as error:
            self._write_failed(error, memoryview(data).nbytes, None)
            sent = -1
        if sent < 0:
            raise self._blocked_error()  # as in sendall()
        self._bytes_sent += sent
        return sent

    def _send_in_turn(self, data: memoryview, *, partly: bool = False) -> int:
        """Queue *data* behind what is queued, and block until it is in the kernel.

        With *partly*, being late is no failure if a part of it is. Returns how much is not.
        """
        if (
            self._stage not in _WRITABLE or self._write_state is not WRITABLE
            # A write has failed, and destroy() is about to come.
            or (self._stage is CONNECTED and self._errored is not None)
        ):
            raise self._sending_error()
        if self._seconds == 0:
            raise BlockingIOError(errno.EAGAIN, 'Resource temporarily unavailable')
        done: AsyncResult[BaseException | None] = AsyncResult()
        request = BlockingRequest(data, len(data), done.set)
        self._enqueue(request)
        # What it waits for would never happen while cork() holds it back.
        self._corked = 0
        self._senders += 1
        try:
            self._flush()
            error = self._within_seconds(done.get)
        except BaseException as reason:
            unsent = len(request.data)
            is_late = isinstance(reason, _stdlib.timeout) and self._stage not in GONE
            if is_late and not unsent and (data or not self._is_queued(request)):
                return 0  # it was sent, and only the news is late
            self._give_up(request)
            if is_late and partly and unsent < len(data):
                return unsent
            raise
        finally:
            self._senders -= 1
        if error is not None:
            raise self._blocked_error() if self._stage in GONE else error
        return 0

    def _sending_error(self) -> BaseException:
        if self._write_state is WRITABLE or self._stage in GONE:
            return self._blocked_error()
        return system_errors.system_error(errno.EPIPE, 'write')

    def _is_queued(self, request: WriteRequest) -> bool:
        # Told from this for an empty one, of whose data nothing is ever left (connect() waits so).
        queued = (*(self._in_flight or ()), *(self._queue or ()))
        return any(one is request for one in queued)

    def _give_up(self, request: WriteRequest) -> None:
        """Take back what of *request* is not sent: nobody waits for it any more."""
        request.callback = None
        if self._stage in GONE:
            return
        self._queued_bytes -= len(request.data)
        self._queued_units -= request.units
        request.data, request.units = b'', 0
        if self._in_flight is not None:
            self._continue_sending()  # past this one, to what comes after it

    def shutdown(self, how: int) -> None:
        """Close the reading (``SHUT_RD``), the writing (``SHUT_WR``) or both (``SHUT_RDWR``) half.

        Writes that are queued are sent first; the call blocks for that long.

        Raises:
            TimeoutError: they were not, within the time of :meth:`settimeout`.
            OSError: the socket is closed (``EBADF``), or the connection failed.
        """
        if how not in (_socket.SHUT_RD, _socket.SHUT_WR, _socket.SHUT_RDWR):
            raise OSError(errno.EINVAL, 'Invalid argument')
        self._note_blocking_use()
        if self._sock is None:
            raise self._blocked_error()
        if how != _socket.SHUT_WR:
            self._sock.shutdown(_socket.SHUT_RD)
        if how != _socket.SHUT_RD and self._write_state is WRITABLE:
            queued = bool(self._queued_units)
            done: AsyncResult[BaseException | None] = AsyncResult()
            self.end(done.set)
            # No later than this call returns: the program may go on with what the hub never sees.
            self._shut_now()
            error = self._within_seconds(done.get) if queued else None
            if error is not None:
                raise error
