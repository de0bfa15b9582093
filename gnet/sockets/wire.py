"""The wire on a descriptor: two watchers, one ``recv`` per readiness, and an idle timer.

One read watcher is started once and stopped only when the buffer is full or the peer has ended. Its
callback, in the hub, takes what the kernel has (one bounded ``recv``) and either lets a blocked
reader go on or queues the wire for a runner, which calls the listeners. ``streams/wire.py`` has the
contract.

Who closes what
===============

:meth:`DescriptorWire.close` closes the watchers, then cancels the idle timer, then closes the
descriptor, then gives back the hold on the loop: a descriptor that goes away under a started
watcher aborts the process. Nobody else closes a connected descriptor; who takes it elsewhere
(``detach``, ``to_socket``, another process) calls :meth:`DescriptorWire.take_out`, which closes the
watchers first, too.
"""

from __future__ import annotations

import _socket
import errno
import select
from collections import deque
from collections.abc import Callable
from fcntl import ioctl
from termios import FIONREAD
from typing import TYPE_CHECKING, Any
from weakref import ProxyTypes

from ..loop.idle_timers import IdleTimer
from ..loop.loop import Loop
from ..loop.watchers import READ, WRITE, close_watcher
from ..node.originals import original
from ..streams.arrivals import BY_RUNNERS, Arrivals
from ..streams.states import (
    ACTIVE,
    DRAIN,
    EVENTS,
    GREENLET,
    IDLE,
    NOBODY,
    NOT_STARTED,
    OVER,
    QUEUED,
    RUNNING,
    Reading,
)
from ..streams.wire import READ_SIZE, Carried
from .forgotten import close_forgotten

if TYPE_CHECKING:
    from ..streams.states import Delivering

__all__ = ['MAX_SPARE_QUEUES', 'DescriptorWire']

#: The patched one would let others run.
_poll: Callable[[], Any] = original('select', 'poll')

#: Empty queues that are kept for connections to come, of 0.6 KB each: as many as there are handlers
#: in one loop turn of a busy server.
MAX_SPARE_QUEUES = 32

#: What FIONREAD says, an int in the machine's order, when no byte waits.
_NO_BYTES = bytes(4)


#: Families with protocols, each once: wires have them in common.
_KINDS: dict[tuple[int, int], tuple[int, int]] = {}


def _kind(family: int, proto: int) -> tuple[int, int]:
    kind = family, proto
    return _KINDS.setdefault(kind, kind)


#: Those of a ``socket.socket()``.
_TCP = _kind(_socket.AF_INET, 0)


class DescriptorWire(Arrivals):
    """What carries a socket's stream. It exists before there is a connection: see :meth:`open`."""

    __slots__ = (
        '_holds', '_kind', '_on_writable', '_read_watcher', '_write_watcher', 'handled',
        'idle_timer', 'ref', 'sock',
    )

    looks_first = True

    schedule: Loop
    # Of the base, and set here, too: without this, type checkers may differ about their types.
    arrived: deque[Any] | None
    arrived_size: int
    bytes_read: int
    context: Any
    delivery: Delivering
    ended: bool
    reader: Any
    reading: Reading
    stream: Carried | None

    def __init__(self, loop: Loop, stream: Carried | None = None, sock: Any = None) -> None:
        """Make one; with *stream* and *sock* it is open, as by :meth:`open`.

        (What the constructor of `Arrivals` does is written out: each connection has one.)
        """
        self.schedule = loop
        self.context = self.arrived = self.error = self.reader = None
        self.arrived_size = self.bytes_read = 0
        self.ended = False
        self.failures = ()
        self.reading = NOT_STARTED
        self.delivery = IDLE
        self.taker = EVENTS
        #: The connected, non-blocking ``_socket.socket``, or what has as much of its interface as
        #: is used here; None while there is none.
        self.sock: Any = sock
        self._read_watcher: Any = None
        self._write_watcher: Any = None
        self._on_writable: Callable[[], None] | None = None
        #: Of ``set_timeout``. It is there before the connection, and counts while it is made.
        self.idle_timer: IdleTimer | None = None
        #: Whether it keeps the program alive while something can happen by itself.
        self.ref: bool = True
        #: Whether a 'connection' listener is at work, which may block for any other reason.
        self.handled: bool = False
        self._holds = False
        self.stream = stream
        # Both in one slot: there is one for each idle connection.
        self._kind: tuple[int, int] = _TCP if sock is None else _kind(sock.family, sock.proto)

    def open(self, stream: Carried, sock: Any) -> None:
        """Carry *stream* on *sock* from now on."""
        self.stream = stream
        self.sock = sock
        self._kind = _kind(sock.family, sock.proto)

    @property
    def family(self) -> int:
        """Of the descriptor, also when it is closed; at first that of a ``socket.socket()``."""
        return self._kind[0]

    @property
    def proto(self) -> int:
        """The same."""
        return self._kind[1]

    def keep_stream(self, stream: Any, keep: bool) -> None:
        super().keep_stream(stream, keep)
        if self.idle_timer is not None and self.stream is not None:
            # inside: as below
            self.idle_timer.expired = stream._idle_expired if keep else self._idle_time_over

    keep_stream.__doc__ = Arrivals.keep_stream.__doc__

    def settle_hold(self) -> None:
        """Keep the program alive, or no longer: as in Node, while this reads or has to write.

        An open connection that does neither waits for the program, which has nothing to wait for.
        """
        holds = self.ref and self.sock is not None and (
            self.reading is ACTIVE or self._on_writable is not None or self.handled)
        if self._holds is not holds:
            self._holds = holds
            (self.schedule.hold if holds else self.schedule.release)()

    @property
    def holds(self) -> bool:
        """Whether it keeps the program alive now."""
        return self._holds

    def set_handled(self, handled: bool) -> None:
        """A 'connection' listener begins, or has returned."""
        self.handled = handled
        if not self._holds or self.reading is not ACTIVE:  # else it holds as before
            self.settle_hold()

    def begin_handled(self) -> None:
        """A 'connection' listener begins, and reading with it."""
        self.handled = True
        if self.ref and not self._holds:  # settle_hold(), without the call
            self._holds = True
            self.schedule.hold()
        self.want()

    def succeed(self, other: DescriptorWire) -> None:
        """Be the wire of the same stream's next connection, after *other*."""
        # That the connection before was closed is no matter of this one.
        taker = other.taker
        self.taker = GREENLET if taker is NOBODY else EVENTS if taker is DRAIN else taker
        if other.delivery is RUNNING:
            self.delivery = RUNNING  # a listener is blocked still
        self.ref = other.ref
        self.context = other.context
        self._kind = other._kind  # inside: its own class

    def set_ref(self, ref: bool) -> None:
        """Keep the program alive while this is open, or not."""
        if self.ref is not ref:
            self.ref = ref
            self.settle_hold()

    # --- reading ----------------------------------------------------------------------------------

    def want(self) -> None:
        """Read ahead from now on."""
        loop = self.schedule
        watcher = self._read_watcher
        if watcher is None:
            self._read_watcher = loop.watch(self.sock.fileno(), READ, self.on_readable)
        else:
            loop.start_io(watcher, self.on_readable)
        self.reading = ACTIVE
        if not self._holds:
            self.settle_hold()
        on_writable = self._on_writable
        if on_writable is not None:
            # libev calls back in the order of starting. As in Node, reading comes first: a reset
            # that a write meets costs what had arrived before.
            self._write_watcher.stop()
            loop.start_io(self._write_watcher, on_writable)

    def hold(self, reading: Reading) -> None:
        """Stop reading ahead; *reading* says why."""
        self.reading = reading
        if self._read_watcher is not None:
            self._read_watcher.stop()
        if self._holds:
            self.settle_hold()

    def on_readable(self) -> None:
        """In the hub: take what the kernel has. (What `Arrivals.put` does is written out.)"""
        sock, stream = self.sock, self.stream
        if sock is None:
            # gevent looks for signals right before it calls back: a Ctrl-C that it found there has
            # made the program close this socket.
            return
        try:
            if self.arrived_size and self.is_full():
                return
            try:
                chunk = sock.recv(READ_SIZE)
            except BlockingIOError:
                return
            except OSError as error:
                self.fail(error)
                return
            timer = self.idle_timer
            if timer is not None:  # touch(), without the call
                timer.last_active = self.schedule.now()
                if not timer.armed:
                    self.schedule.idle_timers.arm(timer)
            if not chunk:
                self.end()
                return
            size = len(chunk)
            self.bytes_read += size
            reader = self.reader
            if reader is not None:
                # Handed over: the greenlet that is blocked in a read goes on with it.
                self.reader = None
                reader.switch(chunk)
                return
            self.arrived_size += size
            arrived = self.arrived
            if arrived is None:
                spare = self.schedule.spare_queues
                if spare:
                    arrived = self.arrived = spare.pop()
                    # Should a signal handler have closed its wire right before the line below.
                    arrived.clear()
                else:
                    arrived = self.arrived = deque()
            arrived.append(chunk)
            if self.delivery is IDLE and (self.taker is EVENTS or self.taker in BY_RUNNERS):
                self.delivery = QUEUED
                loop = self.schedule
                loop.work.append(self)  # enqueue(), without the call
                if not loop.wake_scheduled:
                    loop.schedule_wake()
        except BaseException as error:
            self.failed_in_hub(stream, error)

    def end(self) -> None:
        """The peer has ended. (`Arrivals.end`, with the calls of `hold` and `enqueue` written out.)
        """
        if self.reader is not None or self.taker not in BY_RUNNERS:
            super().end()
            return
        self.ended = True
        self.reading = OVER
        if self._read_watcher is not None:
            self._read_watcher.stop()
        if self._holds and self._on_writable is None and not self.handled:
            self._holds = False  # settle_hold(), without the call
            self.schedule.release()
        if self.delivery is IDLE:
            self.delivery = QUEUED
            loop = self.schedule
            loop.work.append(self)
            if not loop.wake_scheduled:
                loop.schedule_wake()

    def receive(self) -> bytes | None:
        """Take what has arrived; None if that is no bytes. Called by whoever consumes it.

        (:meth:`on_readable` does the same for whoever may come, without this call.)
        """
        try:
            chunk: bytes = self.sock.recv(READ_SIZE)
        except BlockingIOError:
            return None
        except OSError as error:
            self.fail(error)
            return None
        self.touch()
        if chunk:
            self.bytes_read += len(chunk)
            return chunk
        self.ended = True
        self.hold(OVER)
        return None

    def read_on(self, size: int) -> bytes | None:
        """After a chunk of *size* bytes, return what more has arrived already; None for nothing."""
        return self.receive() if size == READ_SIZE or self.has_arrived() else None

    def has_arrived(self) -> bool:
        """Whether bytes wait in the kernel. Unlike a read, this meets no end and no failure."""
        return ioctl(self.sock.fileno(), FIONREAD, _NO_BYTES) != _NO_BYTES

    # --- writing ----------------------------------------------------------------------------------

    def send(self, data: Any) -> int:
        """Give the kernel what it takes of *data*."""
        if self.idle_timer is not None:
            self.touch()
        return self.sock.send(data)  # type: ignore[no-any-return]  # a name less for each write

    def send_all(self, chunks: list[Any]) -> int:
        """Like :meth:`send` for several chunks, in one system call."""
        self.touch()
        sent: int = self.sock.sendmsg(chunks)
        return sent

    def is_broken(self) -> bool:
        """Whether the kernel knows of an error; it is left for who reads or writes next."""
        poller = _poll()
        poller.register(self.sock.fileno(), 0)
        return any(mask & select.POLLERR for _, mask in poller.poll(0))

    def take_error(self) -> int:
        """Return the number of that error, 0 for none, and have the kernel forget it."""
        if not hasattr(self.sock, 'getsockopt'):
            return 0  # a pipe, which does not say
        number: int = self.sock.getsockopt(_socket.SOL_SOCKET, _socket.SO_ERROR)
        return number

    def watch_writable(self, callback: Callable[[], None] | None) -> None:
        """Call back in the hub while the kernel takes more, or (None) no longer."""
        watcher = self._write_watcher
        if callback is None:
            if self._on_writable is not None:
                watcher.stop()
                self._on_writable = None
                if self._holds:
                    self.settle_hold()
            return
        loop = self.schedule
        if watcher is None:
            if self._read_watcher is None:
                # libuv calls back in the order in which watchers were made: see want().
                self._read_watcher = loop.io(self.sock.fileno(), READ)
            watcher = self._write_watcher = loop.io(self.sock.fileno(), WRITE)
        if not watcher.active:
            self._on_writable = callback
            loop.start_io(watcher, callback)
            if not self._holds:
                self.settle_hold()

    def shut_down(self) -> None:
        """Send the FIN."""
        try:
            self.sock.shutdown(_socket.SHUT_WR)
        except OSError as error:
            # The peer is gone already; Node, too, takes that as done.
            if error.errno != errno.ENOTCONN:
                raise

    # --- closing ----------------------------------------------------------------------------------

    def close(self) -> None:
        """Close watchers, timer and descriptor, in this order, and let the program end."""
        if self._write_watcher is not None:
            self._close_watchers()
        elif self._read_watcher is not None:
            self._read_watcher.close()  # which stops it
            self._read_watcher = None
        self.reading = OVER
        if self.idle_timer is not None:
            self.set_idle_time(0, None)
        self.stream = None
        arrived = self.arrived
        if arrived is not None and not arrived:
            self.arrived = None
            spare = self.schedule.spare_queues
            if len(spare) < MAX_SPARE_QUEUES:
                spare.append(arrived)
        sock = self.sock
        if sock is not None:
            self.sock = None
            sock.close()
            if self._holds:
                self._holds = False
                self.schedule.release()

    def __del__(self) -> None:
        """The socket was forgotten while it was open, and both are collected together."""
        if getattr(self, 'sock', None) is not None:
            self.forgotten()

    def forgotten(self) -> None:
        """Close in the right order: nobody has the socket any more; and say so.

        Callable in any thread, as the last reference may go, and the collector run, in any.
        """
        sock, self.sock = self.sock, None
        if sock is not None:
            close_forgotten(
                self, sock, self._read_watcher, self._write_watcher, self.idle_timer, self._holds)

    def take_out(self) -> Any:
        """Return the socket: it is the caller's, and this wire has none any more."""
        self._close_watchers()
        self.reading = OVER
        self.set_idle_time(0, None)
        sock, self.sock = self.sock, None
        if self._holds:
            self.settle_hold()
        return sock

    def _close_watchers(self) -> None:
        if self._read_watcher is not None:
            close_watcher(self._read_watcher)
            self._read_watcher = None
        if self._write_watcher is not None:
            close_watcher(self._write_watcher)
            self._write_watcher = None
            self._on_writable = None

    # --- idle time --------------------------------------------------------------------------------

    def set_idle_time(self, seconds: float, expired: Callable[[IdleTimer], None] | None) -> None:
        """Have *expired* called in the hub after *seconds* without activity; 0 for never."""
        if self.idle_timer is not None:
            self.schedule.idle_timers.cancel(self.idle_timer)
            self.idle_timer = None
        if expired is not None and seconds:
            if type(self.stream) in ProxyTypes:
                expired = self._idle_time_over
            self.idle_timer = IdleTimer(expired, seconds, self.schedule.now())
            self.schedule.idle_timers.arm(self.idle_timer)

    def _idle_time_over(self, timer: IdleTimer) -> None:
        """What an idle timer calls that does not keep the stream, either."""
        stream: Any = self.stream
        if stream is not None:
            stream._idle_expired(timer)  # inside: what set_timeout() has given us

    def touch(self) -> None:
        """Note an activity: a new idle period begins."""
        timer = self.idle_timer
        if timer is not None:
            timer.last_active = self.schedule.now()
            if not timer.armed:
                self.schedule.idle_timers.arm(timer)
