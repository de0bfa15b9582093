"""What carries a stream: a descriptor, its watchers, and where failures go.

:class:`Transport` joins the stream (:mod:`gnet.streams`: states and events, no I/O) to a connected
descriptor. One read watcher is started once and stopped only when the buffer is full or the peer
has ended. Its callback, in the hub, takes what the kernel has (one bounded ``recv``) and either
lets a blocked reader go on or queues the socket for a runner, which calls the listeners.
"""

from __future__ import annotations

import _socket
import errno
import logging
from collections import deque
from collections.abc import Callable
from contextvars import Context
from fcntl import ioctl
from termios import FIONREAD
from typing import TYPE_CHECKING, Any

from .. import lifecycle
from ..events.names import error_monitor
from ..loop.idle_timers import IdleTimer, idle_timers
from ..loop.loop import EXITS, READ, WRITE, Loop, close_watcher
from ..node import coded_errors, system_errors
from ..node.values import truthy
from ..streams.delivery import READ_SIZE
from ..streams.duplex import Duplex
from ..streams.states import (
    ACTIVE,
    ASKED,
    CLOSED,
    CONNECTED,
    CONNECTING,
    DESTROYED,
    END_EMITTED,
    ENDED,
    FIN,
    FINISHED,
    FLOWING,
    FULL,
    GONE,
    HELD,
    IDLE,
    MUTE,
    NEW,
    NOT_STARTED,
    OVER,
    QUEUED,
    WRITABLE,
    Reading,
)
from ..streams.writable import WriteRequest

if TYPE_CHECKING:
    from .connecting import Connecting

__all__ = [
    'Transport',
]

_log = logging.getLogger('gnet.socket')

#: What FIONREAD says, an int in the machine's order, when no byte waits.
_NO_BYTES = bytes(4)


class Transport(Duplex):
    """A stream over a descriptor. :class:`gnet.Socket` is the public class."""

    __slots__ = (
        '_bytes_read',
        '_connecting',
        '_counter',
        '_family',
        '_idle_timer',
        '_loop',
        '_proto',
        '_read_error',
        '_read_watcher',
        '_reader',
        '_ref',
        '_sock',
        '_write_watcher',
        'allow_half_open',
        'context',
        'opened_at',
    )

    def _prepare(self, loop: Loop, allow_half_open: bool) -> None:
        self._loop = loop
        self.context: Context | None = None
        self._sock: Any = None
        #: Who counts it, if the program has not opened it itself.
        self._counter: Any = None
        #: The ``connect()`` that is going on.
        self._connecting: Connecting | None = None
        self._read_watcher: Any = None
        self._write_watcher: Any = None
        #: What reading failed with; it takes effect after what had arrived before.
        self._read_error: BaseException | None = None
        self._bytes_read = 0
        self._family, self._proto = _socket.AF_INET, 0  # of a socket.socket() without arguments
        self._ref = True
        self._idle_timer: IdleTimer | None = None
        #: The greenlet that is blocked in a read.
        self._reader: Any = None
        #: Whether the writing half stays open when the peer has ended. May be changed any time.
        self.allow_half_open = allow_half_open
        #: The loop's time, in seconds, when the connection was established.
        self.opened_at = 0.0

    def _open(self, sock: Any) -> None:
        """Take over a connected, non-blocking ``_socket.socket``."""
        self._sock = sock
        self._family, self._proto = sock.family, sock.proto
        self._stage = CONNECTED
        self.opened_at = self._loop.now()
        if self._ref:
            self._loop.hold()

    # --- hooks of the stream ----------------------------------------------------------------------

    def _tick(self, callback: Callable[..., object], *arguments: Any) -> None:
        loop = self._loop
        loop.ticks.append((callback, arguments, self.context))  # tick(), without the call
        if not loop.wake_scheduled:
            loop.schedule_wake()

    def _later(self, callback: Callable[..., object], *arguments: Any) -> None:
        self._loop.later(callback, *arguments, context=self.context)

    def _soon(self, callback: Callable[[], object]) -> None:
        self._loop.soon(callback)

    def _send(self, data: Any) -> int:
        if self._idle_timer is not None:
            self._touch()
        sent: int = self._sock.send(data)
        return sent

    def _send_gathered(self, chunks: list[Any]) -> int:
        self._touch()
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
        watcher = self._write_watcher
        if not on:
            if watcher is not None:
                watcher.stop()
            return
        if watcher is None:
            if self._read_watcher is None:
                # libuv calls back in the order in which watchers were made: see _start_watching.
                self._read_watcher = self._loop.io(self._sock.fileno(), READ)
            watcher = self._write_watcher = self._loop.io(self._sock.fileno(), WRITE)
        if not watcher.active:
            self._loop.start_io(watcher, self._on_writable)

    def _want_data(self) -> None:
        reading = self._reading
        if reading is ACTIVE:
            return
        if reading is NOT_STARTED and self._stage in (NEW, CONNECTING):
            self._reading = ASKED
        elif reading is not OVER:
            buffered = self._length + self._incoming_size
            if (buffered < self._read_mark or not buffered) and self._stage is CONNECTED:
                self._start_reading()
        elif self._read_state is FIN:
            self._queue_delivery()

    def _filled(self) -> None:
        if self._reading in (ACTIVE, HELD):
            self._stop_reading(FULL)

    def _delivered(self) -> None:
        if self._incoming or (self._read_state is FIN and not self._holds_end()):
            self._queue_delivery()  # it was late, or broken off by the end of its greenlet
        elif self._read_error is not None:
            self.destroy(self._read_error)
        elif self._reading is HELD:
            self._want_data()

    def _queue_delivery(self) -> None:
        if self._delivery is IDLE and not self._blocking_style:
            self._delivery = QUEUED
            self._loop.enqueue(self)

    def _is_late(self) -> bool:
        return self._loop.is_late()

    def _read_on(self, size: int) -> bytes | None:
        loop = self._loop
        if (
            self._reading is ACTIVE and self._flow is FLOWING
            # As in Node, the ticks of one chunk come before the next chunk.
            and not loop.ticks and not loop.is_late()
            and (size == READ_SIZE or self._has_arrived())
        ):
            return self._receive()
        return None

    def _has_arrived(self) -> bool:
        """Whether bytes wait in the kernel. Unlike a read, this meets no end and no failure."""
        return ioctl(self._sock.fileno(), FIONREAD, _NO_BYTES) != _NO_BYTES

    @property
    def server(self) -> Any:
        """The server that accepted this connection, in this process; else None."""
        raise NotImplementedError

    def _tells_by_raising(self) -> bool:
        """Whether blocking calls are how the program hears of this socket's failures."""
        raise NotImplementedError

    def _end_consumed(self) -> None:
        if self._write_state is FINISHED:
            self.destroy()
        elif not self.allow_half_open and not self._blocking_style:
            self._tick(self._end_in_turn)

    def _end_in_turn(self) -> None:
        """The peer has ended: end too, unless that has happened meanwhile."""
        if self._can_write():
            self.end()

    def _refusal(self, ending: bool = False) -> BaseException:
        if self._write_state is WRITABLE:
            if self._stage is NEW:
                return coded_errors.state_error('ERR_SOCKET_CLOSED')
            return coded_errors.stream_destroyed('write')
        if (
            self._read_state is END_EMITTED and not ending
            and not self.allow_half_open and not self._blocking_style
        ):
            return system_errors.ended_by_other_party()
        return coded_errors.state_error('ERR_STREAM_WRITE_AFTER_END')

    # --- in the hub -------------------------------------------------------------------------------

    def _start_reading(self) -> None:
        self._start_watching(self._on_readable)

    def _start_watching(self, on_readable: Callable[[], None]) -> None:
        watcher = self._read_watcher
        if watcher is None:
            watcher = self._read_watcher = self._loop.io(self._sock.fileno(), READ)
        self._loop.start_io(watcher, on_readable)
        self._reading = ACTIVE
        writer = self._write_watcher
        if writer is not None and writer.active:
            # libev calls back in the order of starting. As in Node, reading comes first: a reset
            # that a write meets costs what had arrived before.
            writer.stop()
            self._loop.start_io(writer, self._on_writable)

    def _stop_reading(self, reading: Reading) -> None:
        self._reading = reading
        if self._read_watcher is not None:
            self._read_watcher.stop()

    def _on_readable(self) -> None:
        sock = self._sock
        if sock is None:
            # gevent looks for signals right before it calls back: a Ctrl-C that it found there has
            # made the program close this socket.
            return
        try:
            waiting = self._incoming_size
            if waiting and waiting + self._length >= self._read_mark:
                self._stop_reading(HELD)
                return
            try:
                chunk = sock.recv(READ_SIZE)
            except BlockingIOError:
                return
            except OSError as error:
                self._read_failed(error)
                return
            timer = self._idle_timer
            if timer is not None:  # _touch(), without the call
                timer.last_active = self._loop.now()
                if not timer.armed:
                    idle_timers(self._loop).arm(timer)
            if chunk:
                size = len(chunk)
                self._bytes_read += size
                reader = self._reader
                if reader is not None:
                    # Handed over: the greenlet that is blocked in a read goes on with it.
                    self._reader = None
                    reader.switch(chunk)
                    return
                self._incoming_size += size
                incoming = self._incoming
                if incoming is None:
                    incoming = self._incoming = deque()
                incoming.append(chunk)
            else:
                self._read_state = FIN
                self._stop_reading(OVER)
                if self._reader is not None:
                    self._wake_if_waiting(self._reader)
                    return
            if self._delivery is IDLE and not self._blocking_style:
                self._delivery = QUEUED
                loop = self._loop
                loop.work.append(self)  # enqueue(), without the call
                if not loop.wake_scheduled:
                    loop.schedule_wake()
        except BaseException as error:
            self._failed_in_hub(error)

    def _receive(self) -> bytes | None:
        """Take what has arrived; None if that is no bytes. Called by whoever consumes it.

        (:meth:`_on_readable` does the same for whoever may come, without this call.)
        """
        try:
            chunk: bytes = self._sock.recv(READ_SIZE)
        except BlockingIOError:
            return None
        except OSError as error:
            self._read_failed(error)
            return None
        self._touch()
        if chunk:
            self._bytes_read += len(chunk)
            return chunk
        self._read_state = FIN
        self._stop_reading(OVER)
        return None

    def _read_failed(self, error: OSError) -> None:
        failure = self._read_error = system_errors.system_error(error.errno or 0, 'read')
        self._stop_reading(OVER)
        if self._incoming and self._blocking_style:
            return  # blocking reads take that first
        if self._incoming and self._delivery is QUEUED:
            self._loop.enqueue(_ReadFailure(self))
        else:
            # A listener that is blocked shall not hold up 'error' and 'close'.
            self.destroy(failure)

    def _on_writable(self) -> None:
        try:
            self._continue_sending()
        except BaseException as error:
            self._failed_in_hub(error)

    def _sending_failed(self, error: OSError) -> None:
        if self._incoming and self._delivery is QUEUED:
            # An answer that came before the connection broke: it has its turn first.
            self._stop_reading(OVER)
            self._watch_writable(False)
            self._loop.enqueue(_WriteFailure(self, error))
        else:
            super()._sending_failed(error)

    def _failed_in_hub(self, error: BaseException) -> None:
        """A callback of a watcher failed, and not for what happened to the connection."""
        # Whatever escaped would stop the watcher for good, and the reason would be lost; with the
        # watcher left on, it would be found again and again. (But Ctrl-C is nobody's fault.)
        self._loop.report(self, error)
        if not isinstance(error, EXITS):
            self.destroy(error)

    def _wake_blocked(self) -> None:
        """The blocked reader shall see that something has changed. Callable anywhere."""
        if self._reader is not None:
            self._loop.from_hub(self._wake_if_waiting, self._reader)

    def _wake_if_waiting(self, reader: Any) -> None:
        """Let the blocked reader go on; runs in the hub."""
        # Meanwhile it may have left, by its timeout say; then it must not be switched to.
        if self._reader is reader:
            self._reader = None
            reader.switch(None)

    # --- failures ---------------------------------------------------------------------------------

    def _emit_guarded(self, event: Any, *arguments: Any) -> None:
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
        if self._counter is None:
            self._loop.fail(self, error)
        else:
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        """A listener of this accepted connection raised: it costs the connection."""
        if error is self._errored:
            # A blocked listener let through what the connection had failed with. The traceback has
            # the frames that have the socket that has the error: a cycle for each reset.
            error.__traceback__ = None
        elif self._stage not in GONE:
            self.destroy(error)
        elif not system_errors.is_socket_closed(error):
            # (Closed on this side, by a timeout or by stop(): a blocked listener was told, and
            # did what such a listener should. That is no failure.)
            self._loop.report(self, error)

    def _mute(self) -> None:
        if self._stage is DESTROYED:
            self._stage = MUTE

    def _emit_error(self, error: Any) -> None:
        self._mute()
        if self._events.get('error'):
            self._emit_guarded('error', error)
            return
        if self._events.get(error_monitor):
            self._emit_guarded(error_monitor, error)
        if not isinstance(error, BaseException):
            error = coded_errors.unhandled_error(error)
        if self._counter is None:
            if not self._tells_by_raising():
                self._loop.fail(self, error)
        elif isinstance(error, system_errors.NodeOSError) and error.syscall in ('read', 'write'):
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
        if self._stage in GONE:
            return self
        was_connecting = self._connecting is not None
        # What is corked waits for uncork(), and not for the connection.
        begun = self._begun
        had_connection = self._sock is not None
        self._stage = DESTROYED
        error = error if error is not None and truthy(error) else None
        if self._errored is None:
            self._errored = error
        self._close_descriptor()
        if self._incoming:
            self._drop_incoming()
        if self._reader is not None:
            self._wake_blocked()
        if begun and had_connection:
            begun = 0  # in a listener of 'connect': _send_first() follows, and answers them
        elif (
            begun or self._queued_units or self._in_flight is not None or self._queue
            or self._end_callbacks
        ):
            self._begun = 0
            unsent = self._take_unsent()
            if not begun:
                self._fail_writes(*unsent)
        if error is not None:
            self._tick(self._emit_error, error)
        elif self._length or self._read_state is ENDED:
            self._tick(self._mute)
        if self._counter is not None:
            self._counter.destroyed(self)
        closing = self._later if had_connection or was_connecting else self._tick
        closing(self._emit_close, error is not None)
        if begun:
            self._fail_unconnected(begun, *unsent)
        return self

    def _close_descriptor(self) -> None:
        """Close watchers, timers and descriptor, in this order."""
        self._close_watchers()
        self._reading = OVER
        if self._idle_timer is not None:
            idle_timers(self._loop).cancel(self._idle_timer)
            self._idle_timer = None
        if self._sock is not None:
            sock, self._sock = self._sock, None
            sock.close()
            if self._ref:
                self._loop.release()

    def _close_watchers(self) -> None:
        if self._read_watcher is not None:
            close_watcher(self._read_watcher)
            self._read_watcher = None
        if self._write_watcher is not None:
            close_watcher(self._write_watcher)
            self._write_watcher = None

    def _drop_incoming(self) -> None:
        """After destroy() no 'data' comes; what a paused stream has buffered stays readable."""
        if self._incoming:
            if self._flow is not FLOWING:
                for chunk in self._incoming:
                    self._push_quietly(bytes(chunk))
            self._incoming.clear()
            self._incoming_size = 0

    def _fail_writes(
        self, in_flight: list[WriteRequest], queued: list[WriteRequest],
        callbacks: list[Callable[..., object]],
    ) -> None:
        """Answer the callbacks of what was not sent, in order."""
        answer, error = self._tick, self._errored
        if in_flight:
            # Node learns of these from the kernel, in its closing phase.
            answer = self._later
            cancelled = system_errors.system_error(errno.ECANCELED, 'write')
            error = error or cancelled
            for request in in_flight:
                if request.callback is not None:
                    answer(self._call_guarded, request.callback, cancelled)
        elif queued:
            self._tick(self._forget_corked)
        for request in queued:
            if request.callback is not None:
                answer(
                    self._call_guarded, request.callback,
                    error or coded_errors.stream_destroyed('write'))
        for callback in callbacks:
            answer(self._call_guarded, callback, error or coded_errors.stream_destroyed('end'))

    def _forget_corked(self) -> None:
        # As in Node, they count as written no more; what it had begun with does.
        self._queued_bytes = 0

    def _fail_unconnected(
        self, begun: int, _in_flight: list[WriteRequest], queued: list[WriteRequest],
        callbacks: list[Callable[..., object]],
    ) -> None:
        """Answer the callbacks of what waited for a connection that was not made: after `'close'`.

        As in Node, what was *begun* with learns of that, and what comes after it of the reason.
        """
        first = coded_errors.state_error('ERR_SOCKET_CLOSED_BEFORE_CONNECTION')
        for request in queued[:begun]:
            if request.callback is not None:
                self._later(self._call_guarded, request.callback, first)
        self._later(self._forget_queued, sum(len(request.data) for request in queued[:begun]))
        for request in queued[begun:]:
            if request.callback is not None:
                self._later(self._call_guarded, request.callback, self._errored or first)
        for callback in callbacks:
            self._later(self._call_guarded, callback, self._errored or first)

    def _forget_queued(self, begun: int) -> None:
        # As above; unless there is a new connection already.
        if self._stage in GONE:
            self._queued_bytes = begun

    def _emit_close(self, had_error: bool) -> None:
        self._stage = CLOSED
        if self._begun:
            # A listener of 'connect' is at work still.
            self._tick(self._call_all, self._take_begun())
        if not (self.opened_at and lifecycle.has_subscribers()):
            self._emit_guarded('close', had_error)
            return
        # Taken now: a listener may connect again.
        told = (
            self.server, self, self._bytes_read, self._bytes_sent,
            self._loop.now() - self.opened_at, self._errored,
        )
        try:
            self._emit_guarded('close', had_error)
        finally:
            lifecycle.publish(lifecycle.ConnectionClosed, *told)

    # --- idle time --------------------------------------------------------------------------------

    def _set_idle_timer(self, seconds: float) -> None:
        """Have :meth:`_idle_expired` called after *seconds* without activity; 0 for never."""
        timers = idle_timers(self._loop)
        if self._idle_timer is not None:
            timers.cancel(self._idle_timer)
            self._idle_timer = None
        if seconds:
            self._idle_timer = IdleTimer(self, seconds, self._loop.now())
            timers.arm(self._idle_timer)

    def _idle_expired(self, timer: IdleTimer) -> None:
        raise NotImplementedError

    def _touch(self) -> None:
        """Note an activity: a new idle period begins."""
        timer = self._idle_timer
        if timer is not None:
            timer.last_active = self._loop.now()
            if not timer.armed:
                idle_timers(self._loop).arm(timer)


class _ReadFailure:
    """Work for a runner: a socket's reading has failed, after what it had received before."""

    __slots__ = ('_socket', 'context')

    def __init__(self, socket: Transport) -> None:
        self.context = socket.context
        self._socket = socket

    def deliver(self) -> None:
        socket = self._socket
        if socket._incoming and socket._delivery is QUEUED:
            socket._loop.enqueue(self)  # what it received has not had its turn
        else:
            socket.destroy(socket._read_error)


class _WriteFailure:
    """Work for a runner: a socket's writing has failed, after what it had received before."""

    __slots__ = ('_error', '_socket', 'context')

    def __init__(self, socket: Transport, error: OSError) -> None:
        self.context = socket.context
        self._socket = socket
        self._error = error

    def deliver(self) -> None:
        if self._socket._stage is CONNECTED:
            self._socket._sending_failed(self._error)
