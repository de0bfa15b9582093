"""The blocking writes of ``gnet.Socket``: ``sendall``, ``send``, ``shutdown``.

Writes of several greenlets go out one after another, whole.
"""

from __future__ import annotations

import _socket
import errno
import socket as _stdlib
from contextlib import suppress
from typing import Any

from gevent.event import AsyncResult

from ..node import coded_errors, system_errors
from ..node.threads import get_ident
from ..streams.states import CONNECTED, CONNECTING, GONE, LENT, WRITABLE
from ..streams.write_request import BlockingRequest, WriteRequest
from .blocking_reads import BlockingReads

__all__ = ['BlockingWrites']

_WRITABLE = (CONNECTED, CONNECTING)


def _check_send_flags(flags: int) -> None:
    if flags & ~getattr(_socket, 'MSG_NOSIGNAL', 0):
        raise OSError(errno.EOPNOTSUPP, 'flags are not supported')


class BlockingWrites(BlockingReads):
    """Writing that waits. Without state of its own: :class:`gnet.Socket` has it."""

    __slots__ = ()

    def sendall(self, data: Any, flags: int = 0) -> None:
        """Return when the kernel has taken all of *data* (bytes-like, not copied).

        Raises:
            TimeoutError: it has not, within the time of :meth:`settimeout`; what was not sent by
                then is given up, and how much that is cannot be told.
            OSError: the connection failed (``BrokenPipeError``…), or was ended or closed here.
        """
        if get_ident() != self._loop.thread:  # as in write()
            self._loop.check_thread()
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
            sent = self._wire.send(data)
        except BlockingIOError:
            sent = 0
        except OSError as error:
            self._write_failed(error, memoryview(data).nbytes, None)
            sent = -1
        # (An array may have larger items: its length is not that in bytes.)
        if sent == (len(data) if type(data) is bytes else memoryview(data).nbytes):
            self._bytes_sent += sent
            return
        if sent < 0:
            # Not up there: it would have that error, whose traceback has the frames that have the
            # socket, which has this one.
            raise self._blocked_error()
        self._bytes_sent += sent
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
        if get_ident() != self._loop.thread:
            self._loop.check_thread()
        if self._blocking.seconds == 0:
            _check_send_flags(flags)
            return self._send_at_once(memoryview(data).cast('B'))
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

    def _send_at_once(self, data: memoryview) -> int:
        self._note_blocking_use()
        if (
            self._stage is not CONNECTED or self._write_state is not WRITABLE
            or self._errored is not None  # a write has failed, and destroy() is about to come
        ):
            raise self._sending_error()
        if self._in_flight is not None or self._queue or self._corked:
            raise BlockingIOError(errno.EAGAIN, 'Resource temporarily unavailable')
        is_full = False
        try:
            sent = self._wire.send(data)
        except BlockingIOError:
            sent, is_full = 0, True
        except OSError as error:
            self._write_failed(error, len(data), None)
            sent = -1
        if sent < 0:
            raise self._blocked_error()  # as in sendall()
        if sent != len(data):
            sent += self._wire.withdraw()  # the caller may come with something else next
            if is_full and not sent:
                raise BlockingIOError(errno.EAGAIN, 'Resource temporarily unavailable')
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
        if self._blocking.seconds == 0:
            raise BlockingIOError(errno.EAGAIN, 'Resource temporarily unavailable')
        done: AsyncResult[BaseException | None] = AsyncResult()
        request = BlockingRequest(data, len(data), done.set)
        self._enqueue(request)
        # What it waits for would never happen while cork() holds it back.
        self._corked = 0
        blocking = self._own_blocking()
        blocking.senders += 1
        try:
            self._flush()
            error = self._blocking.within_seconds(self._loop, done.get)
        except BaseException as reason:
            unsent = len(request.data)
            is_late = isinstance(reason, _stdlib.timeout)
            if (
                is_late and self._stage not in GONE
                and not unsent and (data or not self._is_queued(request))
            ):
                return 0  # it was sent, and only the news is late
            unsent = self._give_up(request)
            if is_late and partly and unsent < len(data):
                return unsent
            raise
        finally:
            blocking.senders -= 1
        if error is not None:
            raise self._blocked_error() if self._stage in GONE else error
        return 0

    def _sending_error(self) -> BaseException:
        if self._write_state is WRITABLE or self._stage in GONE:
            return self._blocked_error()
        if self._write_state is LENT:
            return coded_errors.state_error('ERR_SOCKET_IN_USE')
        if self._wire.ended:
            return self._wire.own_failure(errno.EPIPE, 'write')  # it was ended for its peer's end
        return system_errors.system_error(errno.EPIPE, 'write')

    def _is_queued(self, request: WriteRequest) -> bool:
        # Told from this for an empty one, of whose data nothing is ever left (connect() waits so).
        queued = (*(self._in_flight or ()), *(self._queue or ()))
        return any(one is request for one in queued)

    def _give_up(self, request: WriteRequest) -> int:
        """Take back what of *request* is not sent, and return how much that is.

        Nobody waits for it any more.
        """
        request.callback = None
        if self._stage in GONE:
            return len(request.data)
        if self._in_flight is not None:
            self._count_sent(self._wire.withdraw())
        unsent = len(request.data)
        self._queued_bytes -= unsent
        self._queued_units -= request.units
        request.data, request.units = b'', 0
        if self._in_flight is not None and self._errored is None:
            # (Else a write has failed, and destroy() is about to come.)
            self._continue_sending()  # past this one, to what comes after it
        return unsent

    def shutdown(self, how: int) -> None:
        """Close the reading (``SHUT_RD``), the writing (``SHUT_WR``) or both (``SHUT_RDWR``) half.

        What ``write()`` has queued is sent first: ``SHUT_WR`` blocks for that long. ``SHUT_RDWR``
        returns at once, and wakes who is blocked on the socket: a read has met the end, a write
        raises ``BrokenPipeError``, and what is queued is given up with it.

        Raises:
            TimeoutError: it was not sent within the time of :meth:`settimeout`.
            OSError: the socket is closed (``EBADF``), or the connection failed.
        """
        if how not in (_socket.SHUT_RD, _socket.SHUT_WR, _socket.SHUT_RDWR):
            raise OSError(errno.EINVAL, 'Invalid argument')
        self._note_blocking_use()
        if self._wire.sock is None:
            raise self._blocked_error()
        if self._write_state is LENT:
            raise coded_errors.state_error('ERR_SOCKET_IN_USE')
        if how == _socket.SHUT_RDWR and (self._blocking.senders or self._blocking.enders):
            self._wire.sock.shutdown(how)  # the hub meets EPIPE now, and tells them
            return
        if how != _socket.SHUT_WR:
            self._wire.sock.shutdown(_socket.SHUT_RD)
        if how == _socket.SHUT_RD or self._write_state is not WRITABLE:
            return
        if self._queued_units and how == _socket.SHUT_WR:
            error = self._end_and_wait()
            if error is not None:
                raise error
            return
        self.end()
        # No later than this call returns: the program may go on with what the hub never sees.
        self._shut_now()

    def _end_and_wait(self) -> BaseException | None:
        """End the writing half, and block until that is done; return what it has failed with."""
        done: AsyncResult[BaseException | None] = AsyncResult()
        self.end(done.set)  # if it was called already, this is told of the outcome
        blocking = self._own_blocking()
        blocking.enders += 1
        try:
            error: BaseException | None = blocking.within_seconds(self._loop, done.get)
        finally:
            blocking.enders -= 1
        return error
