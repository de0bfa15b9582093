"""What has arrived on a wire and is nobody's yet. Each wire derives from :class:`Arrivals`.

The hub puts chunks in, and either lets a greenlet go on that is blocked in a read, or has a runner
call :meth:`Arrivals.deliver`. (The underscored names of the stream, those of `Carried`, are used
here, and in no other wire: this is the stream's own end of the seam.)
"""

from __future__ import annotations

import warnings
from collections import deque
from typing import Any, TypeVar
from weakref import ProxyTypes, proxy

from ..events.guarded import EXITS
from ..node import system_errors
from .states import (
    ACTIVE,
    DRAIN,
    EVENTS,
    HELD,
    IDLE,
    NOBODY_YET,
    NOT_STARTED,
    OVER,
    QUEUED,
    Delivering,
    Reading,
    Taker,
)
from .wire import Carried, Schedule

__all__ = ['BY_RUNNERS', 'Arrivals']

Failure = TypeVar('Failure', bound=BaseException)

#: Who have a runner take what has arrived.
BY_RUNNERS = (EVENTS, NOBODY_YET, DRAIN)


class Arrivals:
    """The receiving side of a wire: what has come, who takes it, and how far reading is."""

    __slots__ = (
        'arrived', 'arrived_size', 'bytes_read', 'context', 'delivery', 'ended', 'error',
        'failures', 'reader', 'reading', 'schedule', 'stream', 'taker',
    )

    #: Whether the program has stopped reading by other means than the stream's.
    stopped = False
    #: Whether it is telling the program, by other means than the stream's, what has come.
    telling = False
    #: Whether blocking calls may read it.
    can_block = True
    #: Whether the first of them looks for what has come, before it waits. (Where a read is more
    #: than that, as in TLS, it is left to the hub.)
    looks_first = False

    def __init__(self, schedule: Schedule) -> None:
        self.schedule: Schedule = schedule
        #: The stream that it carries, a weak proxy of it (see :meth:`keep_stream`), or what stands
        #: upon this. None while it is not open.
        self.stream: Carried | None = None
        #: The context variables in which the stream's listeners are called.
        self.context: Any = None
        self.arrived: deque[Any] | None = None
        self.arrived_size: int = 0
        self.bytes_read: int = 0
        self.ended: bool = False
        self.error: BaseException | None = None
        #: What this connection has failed with, in every way.
        self.failures: tuple[BaseException, ...] = ()
        self.reader: Any = None
        self.reading: Reading = NOT_STARTED
        self.delivery: Delivering = IDLE
        self.taker: Taker = EVENTS

    # --- whose it is ------------------------------------------------------------------------------

    def keep_stream(self, stream: Carried, keep: bool) -> None:
        """Keep *stream* in memory while this is open, as at first, or leave that to who has it.

        The loop has the wire while it reads. So a stream that is kept lives on although nobody
        refers to it, as in Node; one that is not is collected then, and this is closed.
        """
        if self.stream is not None and keep is (type(self.stream) in ProxyTypes):
            self.stream = stream if keep else proxy(stream, self._stream_collected)

    def _stream_collected(self, stream: Any) -> None:
        if self.stream is stream:
            self.stream = None
            self.forgotten()

    def forgotten(self) -> None:
        """Close: the stream was collected, in any thread; and say so."""
        self.schedule.in_own_thread(self.close)
        warnings.warn(f'unclosed {self!r}', ResourceWarning, stacklevel=3, source=self)

    # --- told by the wire, in the hub -------------------------------------------------------------

    def put(self, chunk: bytes) -> None:
        """*chunk* has arrived."""
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
            arrived = self.arrived = deque()
        arrived.append(chunk)
        if self.delivery is IDLE and self.taker in BY_RUNNERS:
            self.delivery = QUEUED
            self.schedule.enqueue(self)

    def end(self) -> None:
        """The peer has ended."""
        self.ended = True
        self.hold(OVER)
        if self.reader is not None:
            self._wake(self.reader)
        elif self.taker not in BY_RUNNERS:
            stream = self.stream
            assert stream is not None  # it is open
            stream._offer_end()  # inside: as below
        elif self.delivery is IDLE:  # announce(), without the call
            self.delivery = QUEUED
            self.schedule.enqueue(self)

    def fail(self, error: OSError) -> None:
        """Reading has failed: the stream is destroyed when it has had what came before."""
        self._fail(self.own_failure(error.errno or 0, 'read'))

    def fail_with(self, failure: BaseException) -> None:
        """The same with an error that is the stream's already."""
        self._fail(self.own(failure))

    def _fail(self, failure: BaseException) -> None:
        self.error = failure
        self.hold(OVER)
        if self.arrived and self.taker not in BY_RUNNERS:
            return  # blocking reads take that first
        if self.arrived and self.delivery is QUEUED:
            self.schedule.enqueue(_ReadFailure(self))
        else:
            # A listener that is blocked shall not hold up 'error' and 'close'.
            stream = self.stream
            assert stream is not None
            stream.destroy(failure)

    def own_failure(self, number: int, syscall: str) -> system_errors.NodeOSError:
        """Return the error of what has happened to this connection; it is known as such by now.

        The same error of another connection, which a listener lets through, is not of this one.
        """
        for known in self.failures:
            if (
                isinstance(known, system_errors.NodeOSError)
                and known.errno == number and known.syscall == syscall
            ):
                return known
        return self.own(system_errors.system_error(number, syscall))

    def own(self, failure: Failure) -> Failure:
        """Return *failure*, which is known as this connection's from now on."""
        self.failures = (*self.failures, failure)
        return failure

    def is_own(self, error: BaseException) -> bool:
        """Whether *error* is this connection's."""
        return any(failure is error for failure in self.failures)

    def is_full(self) -> bool:
        """Whether as much waits as the stream's high-water mark allows: then reading is held."""
        stream = self.stream
        assert stream is not None
        # inside: a wire knows its stream by these names alone; see the module's text
        if self.arrived_size + stream._length < stream._read_mark:
            return False
        self.hold(HELD)
        return True

    def hold(self, reading: Reading) -> None:
        """Stop reading ahead."""
        self.reading = reading

    def withdraw(self) -> int:
        """Forget what was offered: most wires make nothing of what they do not take."""
        return 0

    def failed_in_hub(self, stream: Carried | None, error: BaseException) -> None:
        """A callback of the hub failed, and not for what happened to the connection.

        *stream* is what it was called for: meanwhile this may be closed, and have none.
        """
        if self.stream is None and isinstance(error, ReferenceError):
            return  # another thread has just let go of the stream: this is about to be closed
        # Whatever escaped would stop the watcher for good, and the reason would be lost; with the
        # watcher left on, it would be found again and again. (But Ctrl-C is nobody's fault.)
        self.schedule.report(stream, error)
        if stream is not None and not isinstance(error, EXITS):
            stream.destroy(error)

    # --- whoever takes it -------------------------------------------------------------------------

    def announce(self) -> None:
        """Have a runner deliver what there is, if it is for runners."""
        if self.delivery is IDLE and self.taker in BY_RUNNERS:
            self.delivery = QUEUED
            self.schedule.enqueue(self)

    def deliver(self) -> None:
        """Make events of what has arrived. Called in a runner."""
        stream = self.stream
        if stream is not None:
            stream._deliver()  # inside: as above

    def close(self) -> None:
        """Let go of everything."""
        raise NotImplementedError

    def put_behind(self, chunk: bytes) -> None:
        """Put *chunk*, which somebody has read for later, behind what has arrived."""
        if self.arrived is None:
            self.arrived = deque()
        self.arrived.append(chunk)
        self.arrived_size += len(chunk)

    def give_back(self, chunk: bytes | memoryview) -> None:
        """Put *chunk* in front of what has arrived."""
        if self.arrived is None:
            self.arrived = deque()
        self.arrived.appendleft(chunk)
        self.arrived_size += len(chunk)

    def offer(self, chunk: bytes) -> None:
        """Like :meth:`give_back`, for a greenlet that is blocked in a read, too: it goes on."""
        self.give_back(chunk)
        if self.reader is not None:
            if self.reading is ACTIVE:
                self.hold(HELD)  # or what comes next might be handed over before it
            self.wake_reader()

    def take_all(self) -> list[Any]:
        """Return all that has arrived: it is the caller's."""
        taken = list(self.arrived or ())
        self.arrived = None
        self.arrived_size = 0
        return taken

    def wake_reader(self) -> None:
        """Let the blocked reader see that something has changed. Callable anywhere."""
        if self.reader is not None:
            self.schedule.from_hub(self._wake, self.reader)

    def _wake(self, reader: Any) -> None:
        # Meanwhile it may have left, by its timeout say; then it must not be switched to.
        if self.reader is reader:
            self.reader = None
            reader.switch(None)

    def go_on(self) -> None:
        """Read again where the program had stopped that; most wires cannot be stopped so."""

    # --- what other wires ask of the stream -------------------------------------------------------

    def is_paused(self) -> bool:
        """Whether ``pause()`` holds the stream."""
        stream = self.stream
        assert stream is not None
        return stream._explicitly_paused  # inside: as above

    @staticmethod
    def listener_failed(stream: Carried, event: str, error: BaseException) -> None:
        """What the program gave the wire to call has raised; raises it again if it ends all.

        *stream* is the one of then: what was called may have closed it.
        """
        stream._call_failed(event, error)  # inside: as above


class _ReadFailure:
    """Work for a runner: reading has failed, after what had arrived before."""

    __slots__ = ('_wire', 'context')

    def __init__(self, wire: Arrivals) -> None:
        self.context = wire.context
        self._wire = wire

    def deliver(self) -> None:
        wire = self._wire
        if wire.arrived and wire.delivery is QUEUED:
            wire.schedule.enqueue(self)  # what it received has not had its turn
        elif wire.stream is not None:
            wire.stream.destroy(wire.error)
