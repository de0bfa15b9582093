"""What carries a stream: a descriptor, its watchers, and where failures go.

:class:`Transport` joins the stream (:mod:`gnet.readable`, :mod:`gnet.writable`: states and events,
no I/O) to a connected descriptor. One read watcher is started once and stopped only when the buffer
is full or the peer has ended. Its callback, in the hub, takes what the kernel has (one bounded
``recv``) and either lets a blocked reader go on or queues the socket for a runner, which calls the
listeners.
"""

from __future__ import annotations

import _socket
import errno
import logging
import sys
from collections import deque
from collections.abc import Callable
from contextvars import Context
from enum import Enum
from typing import TYPE_CHECKING, Any

from . import errors, lifecycle
from .events import error_monitor
from .idle import IdleTimer, idle_timers
from .loop import EXITS, READ, WRITE, Loop, close_watcher
from .readable import Delivery, Flow, ReadState, Stage
from .writable import Writable, WriteRequest, WriteState

if TYPE_CHECKING:
    from .server import Server

__all__ = ['Transport']

#: Bytes asked of the kernel in one ``recv``: Node's chunk size, which bounds those of `'data'`.
READ_SIZE = 65536

#: How long a peer may keep its half open after a blocking handler has returned; nginx's default
#: for the same purpose (lingering_time).
LINGER_SECONDS = 30

_log = logging.getLogger('gnet.socket')


class Reading(Enum):
    """What the read watcher is doing."""

    NOT_STARTED = 'nothing was asked for yet (no connection, or pause_on_connect)'
    ACTIVE = 'the hub reads what arrives'
    FULL = 'stopped: as much is buffered as the high-water mark allows'
    OVER = 'the peer has ended, or the socket is closed'


class Transport(Writable):
    """A stream over a descriptor. :class:`gnet.Socket` is the public class."""

    __slots__ = (
        '_blocking_style', '_bytes_read', '_context', '_ended_in_turn', '_ends_with_owner',
        '_idle_timer', '_linger_timer', '_loop', '_owner', '_read_error', '_read_watcher', '_reader', '_reading',
        '_ref', '_server', '_sock', '_write_watcher', 'allow_half_open', 'opened_at',
    )

    def _prepare(self, loop: Loop, allow_half_open: bool) -> None:
        self._loop = loop
        self._context: Context | None = None
        self._sock: Any = None
        self._server: Server | None = None
        self._reading = Reading.NOT_STARTED
        self._read_watcher: Any = None
        self._write_watcher: Any = None
        self._read_error: BaseException | None = None
        self._bytes_read = 0
        self._ref = True
        self._idle_timer: IdleTimer | None = None
        self._linger_timer: Any = None
        self._ended_in_turn = False
        #: Whether the last read was a blocking one: then bytes stay where such reads find them.
        self._blocking_style = False
        #: The greenlet that is blocked in a read.
        self._reader: Any = None
        #: The greenlet of the 'connection' listeners, until they return or read blockingly.
        self._owner: Any = None
        #: Whether those listeners did, so that the socket ends when they return.
        self._ends_with_owner = False
        #: Whether the writing half stays open when the peer has ended. May be changed any time.
        self.allow_half_open = allow_half_open
        #: The loop's time, in seconds, when the connection was established.
        self.opened_at = 0.0

    def _open(self, sock: Any) -> None:
        """Take over a connected, non-blocking ``_socket.socket``."""
        self._sock = sock
        self._send = sock.send
        self._stage = Stage.OPEN
        self.opened_at = self._loop.now()
        if self._ref:
            self._loop.hold()

    # --- the greenlet of the 'connection' listeners ------------------------------------------------

    def _pause_at_birth(self) -> None:
        """Read nothing before ``resume()`` or a read (``pause_on_connect``)."""
        self._flow = Flow.PAUSED
        self._explicitly_paused = True

    def _begin(self, owner: Any) -> None:
        """The 'connection' listeners are about to run, in the greenlet *owner*."""
        self._owner = owner
        self._context = owner.gr_context
        if self._stage is Stage.OPEN and not self._explicitly_paused:
            self._start_reading()

    def _owner_returned(self) -> None:
        """They have returned: end the connection if they used it blockingly."""
        self._owner = None
        if not self._ends_with_owner:
            if self._read_state is ReadState.FIN:
                self._queue_delivery()
        elif self._read_state is not ReadState.OPEN and not self._queued_units and not (
            self._events.get('finish') or self._events.get('prefinish')
        ):
            self.destroy()  # both ends are done: no need for the steps of a graceful end
        elif not self.destroyed:
            self._end_gracefully()

    def _end_gracefully(self) -> None:
        """End, and wait for the peer to do so, but not for ever; what it still sends is dropped.

        Closing at once would make the kernel reset the connection if anything is unread, and the
        peer might lose the answer.
        """
        self._blocking_style = False
        self.end()
        self.resume()
        self._linger_timer = self._loop.call_after(LINGER_SECONDS, self.destroy)

    # --- hooks of the stream ----------------------------------------------------------------------

    def _tick(self, callback: Callable[..., object], *arguments: Any) -> None:
        self._loop.tick(callback, *arguments, context=self._context)

    def _later(self, callback: Callable[..., object], *arguments: Any) -> None:
        self._loop.later(callback, *arguments, context=self._context)

    def _send_gathered(self, chunks: list[Any]) -> int:
        sent: int = self._sock.sendmsg(chunks)
        return sent

    def _shut_down_writing(self) -> None:
        try:
            self._sock.shutdown(_socket.SHUT_WR)
        except OSError as error:
            # The peer is gone already; Node, too, takes that as done.
            if error.errno != errno.ENOTCONN:
                raise

    def _watch_writable(self, on: bool) -> None:
        if self._idle_timer is not None:
            self._touch()
        watcher = self._write_watcher
        if not on:
            if watcher is not None:
                watcher.stop()
            return
        if watcher is None:
            watcher = self._write_watcher = self._loop.io(self._sock.fileno(), WRITE)
        if not watcher.active:
            watcher.start(self._on_writable)

    def _want_data(self) -> None:
        reading = self._reading
        if reading is Reading.ACTIVE:
            return
        if reading is not Reading.OVER:
            room = self._length + self._incoming_size < self._read_mark or not self._length
            if room and self._stage is Stage.OPEN:
                self._start_reading()
        elif self._read_state is ReadState.FIN:
            self._queue_delivery()

    def _delivered(self) -> None:
        if self._incoming:
            self._queue_delivery()  # the delivery was broken off by the end of its greenlet
        elif self._read_error is not None:
            self.destroy(self._read_error)
        elif self._reading is Reading.FULL:
            self._want_data()

    def _queue_delivery(self) -> None:
        if self._delivery is Delivery.IDLE and not self._blocking_style:
            self._delivery = Delivery.QUEUED
            self._loop.enqueue(self)

    def _holds_end(self) -> bool:
        # A 'connection' listener that is still at work and has not said how it reads may be about
        # to: the peer's end waits for it, as it would in the kernel.
        return self.destroyed or (
            self._owner is not None and self._flow is Flow.UNDECIDED
            and not self._events.get('end') and not self._events.get('readable')
        )

    def _end_consumed(self) -> None:
        if self._write_state is WriteState.FINISHED:
            self.destroy()
        elif not self.allow_half_open and not self._blocking_style:
            self._tick(self._end_in_turn)

    def _end_in_turn(self) -> None:
        """The peer has ended: end too, unless that has happened meanwhile."""
        if self._write_state is WriteState.OPEN and not self.destroyed:
            self._ended_in_turn = True
            self.end()

    def _refusal(self) -> BaseException:
        if self._stage is Stage.NEW:
            return errors.state_error('ERR_SOCKET_CLOSED')
        if self._write_state is WriteState.OPEN:
            return errors.stream_destroyed('write')
        if self._ended_in_turn:
            return errors.ended_by_other_party()
        return errors.state_error('ERR_STREAM_WRITE_AFTER_END')

    # --- in the hub -------------------------------------------------------------------------------

    def _start_reading(self) -> None:
        watcher = self._read_watcher
        if watcher is None:
            watcher = self._read_watcher = self._loop.io(self._sock.fileno(), READ)
        watcher.start(self._on_readable)
        self._reading = Reading.ACTIVE

    def _stop_reading(self, reading: Reading) -> None:
        self._reading = reading
        if self._read_watcher is not None:
            self._read_watcher.stop()

    def _on_readable(self) -> None:
        if (self._incoming_size or self._length) and (
            self._incoming_size + self._length >= self._read_mark
        ):
            self._stop_reading(Reading.FULL)
            return
        try:
            chunk = self._sock.recv(READ_SIZE)
        except BlockingIOError:
            return
        except OSError as error:
            self._read_failed(error)
            return
        if self._idle_timer is not None:
            self._touch()
        if chunk:
            size = len(chunk)
            self._bytes_read += size
            self._incoming_size += size
            incoming = self._incoming
            if incoming is None:
                incoming = self._incoming = deque()
            incoming.append(chunk)
        else:
            self._read_state = ReadState.FIN
            self._stop_reading(Reading.OVER)
        if self._reader is not None:
            self._wake_reader()
        elif self._delivery is Delivery.IDLE and not self._blocking_style:
            self._delivery = Delivery.QUEUED
            self._loop.enqueue(self)

    def _read_failed(self, error: OSError) -> None:
        failure = errors.system_error(error.errno or 0, 'read')
        self._stop_reading(Reading.OVER)
        if self._delivery is Delivery.QUEUED or (self._blocking_style and self._incoming):
            self._read_error = failure  # what arrived before it comes first
        else:
            self.destroy(failure)

    def _on_writable(self) -> None:
        try:
            self._continue_sending()
        except BaseException:
            # Whatever escaped would stop the watcher for good, and the reason would be lost.
            self._loop.hub.handle_error(self, *sys.exc_info())

    def _wake_reader(self) -> None:
        """Let the blocked reader go on; runs in the hub."""
        reader, self._reader = self._reader, None
        try:
            reader.switch()
        except BaseException:
            self._loop.hub.handle_error(self, *sys.exc_info())

    def _wake_blocked(self) -> None:
        """The socket was closed: the blocked reader shall see it. Callable anywhere."""
        if self._reader is not None:
            self._loop.from_hub(self._wake_if_waiting, self._reader)

    def _wake_if_waiting(self, reader: Any) -> None:
        # Meanwhile it may have left, by its timeout say; then it must not be switched to.
        if self._reader is reader:
            self._wake_reader()

    # --- failures ---------------------------------------------------------------------------------

    def _emit_guarded(self, event: str, *arguments: Any) -> None:
        try:
            self.emit(event, *arguments)
        except BaseException as error:
            self._listener_failed(event, error)

    def _call_guarded(self, callback: Callable[..., object], *arguments: Any) -> None:
        try:
            callback(*arguments)
        except BaseException as error:
            self._listener_failed('callback', error)

    def _listener_failed(self, event: str, error: BaseException) -> None:
        if isinstance(error, EXITS):
            raise error
        lifecycle.publish(lifecycle.ListenerFailed, self, event, error)
        if self._server is None:
            self._loop.fail(self, error)
        else:
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        """A listener of this accepted connection raised: it costs the connection."""
        if not self.destroyed:
            self.destroy(error)
        elif error is not self._errored:
            self._loop.report(self, error)

    def _emit_error(self) -> None:
        error = self._errored
        if self._events.get('error'):
            self._emit_guarded('error', error)
            return
        if self._events.get(error_monitor):
            self._emit_guarded(error_monitor, error)  # type: ignore[arg-type]  # the one symbol
        if not isinstance(error, BaseException):
            error = errors.unhandled_error(error)
        if self._server is None:
            self._loop.fail(self, error)
        elif isinstance(error, errors.NodeOSError) and error.syscall in ('read', 'write'):
            # The peer's doing, any number of times: no traceback for each.
            _log.info('%s: %s', self, error)
        else:
            self._loop.report(self, error)

    # --- closing ----------------------------------------------------------------------------------

    def destroy(self, error: Any = None) -> Any:
        """Close the descriptor at once and forget what is queued; returns the socket.

        The peer sees the end, or a reset if it had sent something that was not read. Whoever is
        blocked on the socket wakes with an error. `'close'` follows, never in the same turn.

        Args:
            error: what `'error'` is emitted with before `'close'`; falsy for none. If the socket
                is destroyed already, nothing happens: the first error wins.
        """
        if self._stage is Stage.DESTROYED or self._stage is Stage.CLOSED:
            return self
        had_connection = self._sock is not None
        self._stage = Stage.DESTROYED
        error = self._errored = error or None
        self._close_descriptor()
        self._drop_incoming()
        self._wake_blocked()
        in_flight, queued, callbacks = self._take_unsent()
        if in_flight:
            self._later(self._fail_writes, in_flight, queued, callbacks)
        elif queued or callbacks:
            self._tick(self._fail_writes, (), queued, callbacks)
        if error is not None:
            self._tick(self._emit_error)
        if self._server is not None:
            self._server._connection_destroyed(self)
        (self._later if had_connection else self._tick)(self._emit_close)
        return self

    def _close_descriptor(self) -> None:
        """Close watchers, timers and descriptor, in this order."""
        close_watcher(self._read_watcher)
        close_watcher(self._write_watcher)
        close_watcher(self._linger_timer)
        self._read_watcher = self._write_watcher = self._linger_timer = None
        self._reading = Reading.OVER
        if self._idle_timer is not None:
            idle_timers(self._loop).cancel(self._idle_timer)
            self._idle_timer = None
        if self._sock is not None:
            sock, self._sock = self._sock, None
            del self._send
            sock.close()
            if self._ref:
                self._loop.release()

    def _drop_incoming(self) -> None:
        """After destroy() no 'data' comes; what a paused stream has buffered stays readable."""
        if self._incoming and not self._blocking_style:
            if self._flow is not Flow.FLOWING and self._decoder is None:
                for chunk in self._incoming:
                    self._append(bytes(chunk))
            self._incoming.clear()
            self._incoming_size = 0

    def _fail_writes(
        self, in_flight: list[WriteRequest], queued: list[WriteRequest],
        callbacks: list[Callable[..., object]],
    ) -> None:
        """Answer the callbacks of what was not sent, in order."""
        error = self._errored
        if in_flight:
            cancelled = errors.system_error(errno.ECANCELED, 'write')
            error = error or cancelled
            for request in in_flight:
                if request.callback is not None:
                    self._call_guarded(request.callback, cancelled)
        for request in queued:
            if request.callback is not None:
                self._call_guarded(request.callback, error or errors.stream_destroyed('write'))
        for callback in callbacks:
            self._call_guarded(callback, error or errors.stream_destroyed('end'))

    def _emit_close(self) -> None:
        self._stage = Stage.CLOSED
        self._emit_guarded('close', self._errored is not None)
        lifecycle.publish(
            lifecycle.ConnectionClosed, self._server, self, self._bytes_read, self._bytes_sent,
            self._loop.now() - self.opened_at, self._errored,
        )

    # --- idle time --------------------------------------------------------------------------------

    def _touch(self) -> None:
        """Note an activity: a new idle period begins."""
        timer = self._idle_timer
        if timer is not None:
            timer.last_active = self._loop.now()
            if not timer.armed:
                idle_timers(self._loop).arm(timer)
