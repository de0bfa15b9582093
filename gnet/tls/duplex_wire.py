"""A wire on any duplex stream of Node's interface, by its events: for TLS on what is no socket.

It is asked for by ``on``, ``write``, ``end``, ``pause``, ``resume`` and ``destroy``, and nothing
else of it is known. It may block in each of them, so all are called in a runner; what it emits is
brought into the hub.
"""

from __future__ import annotations

import _socket
import errno
from collections import deque
from collections.abc import Callable
from typing import Any

from ..loop.idle_timers import IdleTimer
from ..loop.loop import Loop
from ..node import coded_errors
from ..streams.arrivals import Arrivals
from ..streams.states import ACTIVE, OVER, Reading

__all__ = ['DuplexWire', 'is_duplex']

_VERBS = ('destroy', 'end', 'off', 'on', 'pause', 'resume', 'write')

#: Bytes that wait to be written by a runner before no more are taken: a stream's usual mark.
_MARK = 65536


def is_duplex(value: object) -> bool:
    """Return whether *value* has the interface of a duplex stream."""
    return all(callable(getattr(value, name, None)) for name in _VERBS)


class NoDescriptor:
    """Stands where a wire on a descriptor has its socket."""

    family: int = _socket.AF_UNIX
    proto: int = 0

    def __init__(self, wire: DuplexWire) -> None:
        self._wire = wire

    def fileno(self) -> int:
        return -1

    def getsockname(self) -> str:
        return ''

    getpeername = getsockname

    def shutdown(self, how: int) -> None:
        if how != _socket.SHUT_RD:
            self._wire.shut_down()


class DuplexWire(Arrivals):
    """What carries a stream upon a duplex stream, which belongs to it."""

    __slots__ = (
        '_duplex', '_is_full', '_is_scheduled', '_on_writable', '_shut_wanted', '_waiting',
        '_waiting_size', 'handled', 'idle_timer', 'ref', 'sock',
    )

    schedule: Loop
    family: int
    proto: int
    family, proto = _socket.AF_UNIX, 0

    # Of the base, and set here, too: without this, type checkers may differ about their types.
    reading: Reading
    stream: Any

    def __init__(self, loop: Loop, duplex: Any) -> None:
        super().__init__(loop)
        self._duplex = duplex
        self.sock: NoDescriptor | None = None
        self.idle_timer: IdleTimer | None = None
        self.ref: bool = True
        self.handled: bool = False
        #: What is to be written, by a runner.
        self._waiting: deque[bytes] = deque()
        self._waiting_size = 0
        self._is_scheduled = False
        #: Whether the last write() has asked to wait for 'drain'.
        self._is_full = False
        self._shut_wanted = False
        self._on_writable: Callable[[], None] | None = None

    def _events(self) -> tuple[tuple[str, Callable[..., object]], ...]:
        return (
            ('data', self._data), ('end', self._ended), ('close', self._closed),
            ('error', self._failed), ('drain', self._drained))

    def start(self) -> None:
        """Listen to the duplex stream."""
        self.sock = NoDescriptor(self)
        for event, listener in self._events():
            self._duplex.on(event, listener)

    def open(self, stream: Any, sock: Any) -> None:
        """There is no descriptor to be opened. See :meth:`start`."""
        raise coded_errors.invalid_handle_type()

    def succeed(self, other: Any) -> None:
        """There is one connection only."""
        raise coded_errors.invalid_handle_type()

    # --- what it emits: in any greenlet -----------------------------------------------------------

    def _data(self, chunk: Any) -> None:
        data = chunk.encode() if isinstance(chunk, str) else bytes(chunk)
        if data:
            self.schedule.from_hub(self._received, data)

    def _received(self, data: bytes) -> None:
        if self.stream is not None and self.reading is not OVER:
            self.touch()
            self.put(data)

    def _ended(self) -> None:
        self.schedule.from_hub(self._end_received)

    def _end_received(self) -> None:
        if self.stream is not None and not self.ended:
            self.end()

    def _failed(self, error: Any) -> None:
        failure = error if isinstance(error, BaseException) else coded_errors.unhandled_error(error)
        self.schedule.from_hub(self._lost, failure)

    def _closed(self, *_had_error: Any) -> None:
        self.schedule.from_hub(self._lost, None)

    def _lost(self, failure: BaseException | None) -> None:
        if self.stream is not None:
            self.stream.destroy(failure)

    def _drained(self) -> None:
        self.schedule.from_hub(self._has_room)

    def _has_room(self) -> None:
        self._is_full = False
        if self._on_writable is not None and self.stream is not None:
            self._on_writable()

    # --- reading ----------------------------------------------------------------------------------

    def want(self) -> None:
        """Let it emit."""
        self.reading = ACTIVE
        self.schedule.tick(self._call, 'resume')

    def hold(self, reading: Reading) -> None:
        """Have it pause."""
        self.reading = reading
        if reading is not OVER:
            self.schedule.tick(self._call, 'pause')

    def _call(self, verb: str) -> None:
        if self.stream is not None and (self.reading is ACTIVE) is (verb == 'resume'):
            getattr(self._duplex, verb)()

    def on_readable(self) -> None:
        """Nothing can be looked for: it emits, or it does not."""

    def receive(self) -> bytes | None:
        """As :meth:`on_readable`."""
        return None

    def read_on(self, size: int) -> bytes | None:
        """As :meth:`on_readable`."""
        return None

    def has_arrived(self) -> bool:
        """As :meth:`on_readable`."""
        return False

    # --- writing ----------------------------------------------------------------------------------

    def send(self, data: Any) -> int:
        """Have *data* written, if not too much waits for that."""
        if self._is_full or self._waiting_size >= _MARK:
            raise BlockingIOError(errno.EAGAIN, 'Resource temporarily unavailable')
        self.touch()
        self._waiting.append(bytes(data))
        self._waiting_size += len(data)
        self._schedule()
        return len(data)

    def send_all(self, chunks: list[Any]) -> int:
        """Like :meth:`send` for several chunks."""
        return self.send(b''.join(chunks))

    def _schedule(self) -> None:
        if not self._is_scheduled:
            self._is_scheduled = True
            self.schedule.tick(self._write_out)

    def _write_out(self) -> None:
        """Write what waits. Runs in a runner; writing may block there."""
        try:
            while self._waiting:
                data = self._waiting.popleft()
                self._waiting_size -= len(data)
                # One that has ended, as its peer has, would fail with what comes too late: most
                # often a farewell (close_notify).
                if getattr(self._duplex, 'writable', True) and self._duplex.write(data) is False:
                    self._is_full = True
        finally:
            self._is_scheduled = False
        if self._shut_wanted:
            self._shut_wanted = False
            self._duplex.end()
        if not self._is_full:
            self.schedule.from_hub(self._has_room)

    def is_broken(self) -> bool:
        """It would have said so."""
        return False

    def take_error(self) -> int:
        """Return 0: what fails is an `'error'` of its own."""
        return 0

    def watch_writable(self, callback: Callable[[], None] | None) -> None:
        """Call back in the hub when more can be taken."""
        self._on_writable = callback
        if callback is not None and not self._is_full and not self._waiting:
            self.schedule.from_hub(self._has_room)

    def shut_down(self) -> None:
        """End it, behind what waits."""
        self._shut_wanted = True
        self._schedule()

    # --- closing, and what a socket asks ----------------------------------------------------------

    def close(self) -> None:
        """Let go of everything, and destroy it when it has taken what waits."""
        self.reading = OVER
        self.stream = None
        self.sock = None
        self._on_writable = None
        self.set_idle_time(0, None)
        self.schedule.tick(self._let_go)

    def _let_go(self) -> None:
        if self._waiting:
            self._write_out()
        for event, listener in self._events():
            self._duplex.off(event, listener)
        self._duplex.destroy()

    def take_out(self) -> Any:
        """There is no descriptor."""
        raise coded_errors.invalid_handle_type()

    @property
    def holds(self) -> bool:
        """Whether it keeps the program alive: what it is on does, or does not."""
        return False

    def set_ref(self, ref: bool) -> None:
        """It is the duplex stream that keeps the program alive, or does not."""
        self.ref = ref

    def set_handled(self, handled: bool) -> None:
        """As :meth:`set_ref`."""
        self.handled = handled

    def set_idle_time(self, seconds: float, expired: Callable[[IdleTimer], None] | None) -> None:
        """Have *expired* called in the hub after *seconds* without activity; 0 for never."""
        if self.idle_timer is not None:
            self.schedule.idle_timers.cancel(self.idle_timer)
            self.idle_timer = None
        if expired is not None and seconds:
            self.idle_timer = IdleTimer(expired, seconds, self.schedule.now())
            self.schedule.idle_timers.arm(self.idle_timer)

    def touch(self) -> None:
        """Note an activity: a new idle period begins."""
        timer = self.idle_timer
        if timer is not None:
            timer.last_active = self.schedule.now()
            if not timer.armed:
                self.schedule.idle_timers.arm(timer)
