"""The blocking reads of ``gnet.Socket``: ``recv``, ``recv_into``, iteration.

A socket that is read this way does not end by itself when its peer has ended, so a handler may
still answer a request that came with a FIN; it is closed by ``close()``, by ``with``, or when its
`'connection'` listener returns. One greenlet reads at a time.
"""

from __future__ import annotations

import _socket
import errno
from collections.abc import Iterator
from operator import index
from typing import Any

from gevent import getcurrent
from greenlet import error as GreenletError  # noqa: N812  # a class, whatever its name says

from ..node import coded_errors, system_errors
from ..node.threads import get_ident
from ..streams.delivery import BLOCKING, Chunk
from ..streams.states import (
    ACTIVE,
    CONNECTED,
    CONNECTING,
    ENDED,
    FAILED,
    FLOWING,
    FULL,
    GONE,
    GREENLET,
    HELD,
    NEW,
    NOT_ENDED,
    OVER,
)
from ..streams.wire import BULK_SIZE
from .blocking import NOT_USED, Blocking, peek
from .ownership import BlockingUser, Owned

__all__ = ['BlockingReads']

_PROGRAM = BlockingUser.PROGRAM  # a name of the module: see streams/states.py
_STOPPED = (HELD, FULL)

#: The stages in which a blocking read may wait: for the connection, or for data.
_READABLE = (CONNECTED, CONNECTING, FAILED)
_UNCONNECTED = (NEW, CONNECTING, FAILED)


class BlockingReads(Owned):
    """Reading that waits. Without state of its own: :class:`gnet.Socket` has it."""

    __slots__ = ()

    _blocking: Blocking

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
        if flags and flags & ~_socket.MSG_PEEK:
            raise OSError(errno.EOPNOTSUPP, 'only MSG_PEEK is supported')
        if self._decoder is not None and self._buffer:
            raise self._text_is_buffered()
        if flags and size:
            return self._peek(size)
        handed: bytes | None = None
        if self._owner is not None and size:
            # Here, so that also a handler's first read waits below: further down, each idle
            # connection has the frames of three functions more.
            if get_ident() != self._loop.thread:
                self._loop.check_thread()
            self._begin_blocking()
            first = self._look_first()
            if first is not None:
                if len(first) <= size:
                    return first
                self._wire.give_back(first)
        wire, blocking = self._wire, self._blocking
        if (
            wire.taker is GREENLET and wire.reading is ACTIVE and not wire.arrived
            and wire.reader is None and not self._queue and not blocking.more_reads and size
        ):
            # The hot path: what _take_bytes would do, without its calls.
            if blocking.seconds is None:
                wire.reader = getcurrent()
                try:
                    handed = self._loop.block()
                except GreenletError:
                    self._loop.check_thread()  # another thread has no such hub to switch to
                    raise
                finally:
                    wire.reader = None
            elif blocking.limit is not None:
                handed = blocking.wait_for_chunk(wire)
            if handed is not None:
                received = len(handed)
                if received >= BULK_SIZE:
                    self._own_blocking().expect_more(received)
                if received <= size:
                    return handed
        chunk: bytes | memoryview | None = handed
        if chunk is None and size:
            chunk = self._take_bytes()
        if chunk is None:
            return b''
        if len(chunk) > size:
            # A view: cutting bytes would copy the rest each time.
            self._wire.give_back(memoryview(chunk)[size:])
            return bytes(chunk[:size])
        return chunk if type(chunk) is bytes else bytes(chunk)

    def _peek(self, size: int) -> bytes:
        chunk = self._take_bytes()
        if chunk is None:
            return b''
        self._wire.give_back(chunk)
        return peek(self._wire, size)

    def recv_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> int:
        """Like :meth:`recv`, into *buffer* (*nbytes* of it, all by default); return the count."""
        view = buffer if type(buffer) is memoryview else memoryview(buffer)
        target = view.cast('B')
        if target.readonly:
            raise TypeError('recv_into() needs a buffer that can be written to')
        size = len(target)
        if nbytes:
            if nbytes < 0:
                raise ValueError('negative buffersize in recv_into')
            if nbytes > size:
                raise ValueError('buffer too small for requested bytes')
            size = nbytes
        elif not size:
            self._loop.check_thread()  # recv() asks only where it may change something
        chunk = self.recv(size, flags)
        size = len(chunk)
        target[:size] = chunk
        return size

    def __iter__(self) -> Iterator[Any]:
        """Iterate over what arrives, in chunks of the network's making, until the peer ends.

        Chunks are ``bytes``, or ``str`` where :meth:`set_encoding` was called.
        """
        self._loop.check_thread()
        switch = self._loop.block
        while True:
            if self._owner is not None and self._decoder is None:
                self._begin_blocking()  # here, as in recv()
                first = self._look_first()
                if first is not None:
                    yield first
                    continue
            wire, blocking = self._wire, self._blocking
            if (
                wire.taker is GREENLET and wire.reading is ACTIVE and not wire.arrived
                and wire.reader is None and self._decoder is None and not blocking.more_reads
                and (blocking.seconds is None or blocking.limit is not None)
            ):
                # The hot path: what _take_bytes would do, without its calls.
                if blocking.seconds is None:
                    wire.reader = getcurrent()
                    try:
                        chunk = switch()
                    finally:
                        wire.reader = None
                else:
                    chunk = blocking.wait_for_chunk(wire)
                if chunk is not None:
                    if len(chunk) >= BULK_SIZE:
                        self._own_blocking().expect_more(len(chunk))
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
        if self._wire.taker not in BLOCKING:
            self._begin_blocking()
        if self._buffer:
            if self._is_closed_here():
                raise self._blocked_error()
            text = self._buffer.popleft()
            self._length -= len(text)
            if self._wire.ended and not self._length:
                self._offer_end()
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
        if get_ident() != self._loop.thread:
            self._loop.check_thread()
        if self._wire.taker not in BLOCKING or self._owner is not None:
            self._begin_blocking()
        while True:
            wire = self._wire
            if wire.arrived:
                chunk: bytes | memoryview = wire.arrived.popleft()
                wire.arrived_size -= len(chunk)
                if wire.reading is not ACTIVE:
                    if wire.reading in _STOPPED:
                        self._want_data()
                    elif wire.ended and not wire.arrived:
                        self._offer_end()
                return chunk
            if (wire.ended or self._read_state is not NOT_ENDED) and not self._has_lost_data():
                self._end_seen()
                return None
            if (
                self._stage not in _READABLE or wire.error is not None
                or self._lingering is not None
            ):
                raise self._blocked_error()
            if self._stage is CONNECTED and wire.reading is not ACTIVE and wire.reading is not OVER:
                wire.want()  # (over: sending has failed, of which a runner is about to tell)
            if wire.reader is not None:
                raise coded_errors.state_error('ERR_CONCURRENT_READ')
            handed_over = self._wait_for_bytes()
            if handed_over is not None:
                return handed_over

    def _is_closed_here(self) -> bool:
        """Whether the socket was closed on this side: then blocking calls read nothing more."""
        return self._stage in GONE and self._wire.error is None

    def _text_is_buffered(self) -> BaseException:
        """What a read of bytes raises where text is left."""
        if self._is_closed_here():
            return self._blocked_error()
        return coded_errors.state_error('ERR_TEXT_IS_BUFFERED')

    def _has_lost_data(self) -> bool:
        """Whether the socket was closed before all that came before the peer's end was read."""
        return self._stage in GONE and (
            (self._read_state is NOT_ENDED and self._wire.ended) or self._length > 0)

    def _wait_for_bytes(self) -> bytes | None:
        """Block until the hub hands a chunk over, or (None) has something else to say."""
        wire = self._wire
        if self._blocking.seconds == 0:
            if self._stage is CONNECTED and wire.reading is ACTIVE:
                # Nobody may ever let the hub have a turn: look into the kernel now.
                wire.on_readable()
                if wire.arrived or wire.reading is not ACTIVE:
                    return None
            raise BlockingIOError(errno.EAGAIN, 'Resource temporarily unavailable')
        if self._queue:
            # In a listener of 'connect': what was written before may be what is answered.
            self._flush()
            if self._stage in GONE:
                return None
        blocking = self._blocking
        if blocking.more_reads and wire.reading is ACTIVE:
            chunk = blocking.read_on(wire)
            if chunk or wire.reading is not ACTIVE:
                return chunk
        chunk = blocking.wait_for_chunk(wire)
        if chunk is not None and len(chunk) >= BULK_SIZE:
            self._own_blocking().expect_more(len(chunk))
        return chunk

    def _look_first(self) -> bytes | None:
        """Return what has come by the first blocking read of an accepted connection, or None.

        Most clients ask as soon as they are connected: to wait for the hub to find that is some
        8 % of a short connection.
        """
        wire = self._wire
        if (
            self._counter is None or not wire.looks_first or wire.bytes_read or wire.arrived
            or wire.reading is not ACTIVE or wire.reader is not None or self._queue
        ):
            return None
        chunk = wire.receive()
        if chunk is not None and len(chunk) >= BULK_SIZE:
            self._own_blocking().expect_more(len(chunk))
        return chunk

    def _own_blocking(self) -> Blocking:
        """Return the blocking side to be changed: a socket's own, from the first time on."""
        if self._blocking is NOT_USED:
            self._blocking = Blocking()
        return self._blocking

    def _begin_blocking(self) -> None:
        """Note that the socket is read by blocking calls from now on."""
        wire = self._wire
        by_events = self._flow is FLOWING or self._readable_listened or not wire.can_block
        # (It lingers: its handler has returned. That made it flow, too.)
        if self._lingering is not None or (by_events and self._stage in GONE):
            raise self._blocked_error()
        if by_events:
            raise coded_errors.state_error('ERR_READING_IN_EVENT_STYLE')
        if wire.taker not in BLOCKING:
            wire.taker = GREENLET
            # What was brought into the stream in Node's style is read first; but nothing is read
            # that was left when the socket was closed on this side.
            if self._stage is CONNECTED or wire.error is not None:
                if self._length and self._read_state is ENDED:
                    self._read_state = NOT_ENDED  # the end comes after them again
                while self._buffer and self._decoder is None:
                    chunk = self._buffer.pop()
                    assert isinstance(chunk, bytes)
                    self._length -= len(chunk)
                    wire.give_back(chunk)
        if self._owner is not None:
            self._note_blocking_use()
        if self._blocking_user is _PROGRAM:
            self._settle_keeping()

    def _end_seen(self) -> None:
        """A blocking read has met the peer's end."""
        if self._read_state is NOT_ENDED:
            self._read_state = ENDED
            self._in_turn(self._emit_end)

    def _blocked_error(self) -> BaseException:
        """What a blocking call of a broken or closed socket raises."""
        if self._wire.error is not None:
            self.destroy(self._wire.error)
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
