"""A greenlet waits: what the blocking names of a socket know beside its stream.

Each blocking call waits in the calling greenlet only. Bytes are taken where the hub has put them
(it reads ahead, up to the high-water mark) and are never offered to `'data'` listeners: this is the
second of a wire's two consumers. The calls themselves are in :mod:`gnet.sockets.blocking_reads`
and :mod:`gnet.sockets.blocking_writes`.
"""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

from gevent import getcurrent

from ..loop.agenda import WORK_BUDGET
from ..node.threads import get_ident
from ..streams.states import ACTIVE, FULL, HELD
from ..streams.wire import BULK_SIZE, MAX_READS, READ_SIZE
from .wait_limit import WaitLimit

if TYPE_CHECKING:
    from .socket_wire import SocketWire

__all__ = ['NOT_USED', 'Blocking', 'peek']


class Blocking:
    """The blocking side of one socket, from the first blocking name on.

    One object, :data:`NOT_USED`, serves all sockets that are used by events alone.
    """

    __slots__ = (
        'close_wanted', 'enders', 'io_refs', 'limit', 'more_likely', 'more_reads', 'more_until',
        'seconds', 'senders',
    )

    def __init__(self) -> None:
        #: What settimeout() was given: None waits for ever, 0.0 never.
        self.seconds: float | None = None
        #: Of that time, for the next call that has to wait; None while there is none to be used.
        self.limit: WaitLimit | None = None
        #: Greenlets that are blocked in a write.
        self.senders: int = 0
        #: Greenlets that are blocked until all is sent, and the FIN.
        self.enders: int = 0
        #: Open makefile() objects; close() waits for them, as in the standard library.
        self.io_refs: int = 0
        #: Whether close() was called.
        self.close_wanted: bool = False
        #: How often a reader may look into the kernel by itself, before others have their turn.
        self.more_reads: int = 0
        #: The time, of ``perf_counter()``, from which on they have it anyway.
        self.more_until: float = 0.0
        #: Whether the last read got all that it asked for: then looking costs more than reading.
        self.more_likely: bool = False

    def __del__(self) -> None:
        if self.limit is not None:
            self.limit.forget()

    def expect_more(self, size: int) -> None:
        """A large chunk of *size* bytes was handed over: more of the stream is likely to wait."""
        self.more_reads = MAX_READS
        self.more_likely = size == READ_SIZE
        self.more_until = perf_counter() + WORK_BUDGET

    def read_on(self, wire: SocketWire) -> bytes | None:
        """After a large chunk: return what more has arrived already; None for nothing."""
        self.more_reads -= 1
        chunk = None
        if perf_counter() < self.more_until:
            chunk = wire.read_on(READ_SIZE if self.more_likely else 0)
        size = 0 if chunk is None else len(chunk)
        self.more_likely = size == READ_SIZE
        if size < BULK_SIZE:
            self.more_reads = 0
        return chunk

    def set_seconds(self, seconds: float | None) -> None:
        """From the next call on, wait at most *seconds*; None for ever, 0 not at all."""
        self.seconds = seconds
        self.drop_limit()

    def drop_limit(self) -> None:
        """Forget the limit that is kept for the next wait: there may be none."""
        if self.limit is not None:
            self.limit.cancel()
            self.limit = None

    def wait_for_chunk(self, wire: SocketWire) -> bytes | None:
        """Block until the hub hands a chunk over, or (None) has something else to say.

        Raises:
            TimeoutError: it has not, within the time of ``settimeout``.
        """
        chunk: bytes | None = None
        loop = wire.schedule
        if self.seconds is None:
            wire.reader = getcurrent()
            try:
                chunk = loop.block()
            finally:
                wire.reader = None
            return chunk
        if get_ident() != loop.thread:
            loop.check_thread()
        limit, self.limit = self.limit, None
        if limit is None:
            limit = WaitLimit(loop, self.seconds)
        # What _begin_limit and _end_limit do, written out: a message costs a fifth less.
        wire.reader = limit.greenlet = getcurrent()
        limit.whose = self
        limit.last_active = loop.now()
        if not limit.armed:
            loop.idle_timers.arm(limit)
        if loop.held:
            loop.held += 1
        else:
            loop.hold()
        try:
            chunk = loop.block()
        finally:
            wire.reader = limit.greenlet = limit.whose = None
            if loop.held > 1:
                loop.held -= 1
            else:
                loop.release()
            if chunk is not None and self.limit is None and limit.seconds is self.seconds:
                self.limit = limit
            else:
                limit.cancel()
        return chunk

    def within_seconds(self, loop: Any, wait: Callable[[], Any]) -> Any:
        """Return what *wait* returns, which blocks on *loop*.

        Raises:
            TimeoutError: it takes longer than ``settimeout`` allows.
        """
        if self.seconds is None:
            return wait()
        limit = self._begin_limit(loop, getcurrent())
        in_time = False
        try:
            outcome = wait()
            in_time = True
            return outcome
        finally:
            self._end_limit(limit, in_time)

    # (wait_for_chunk() has a copy of these two, and of what they call.)

    def _begin_limit(self, loop: Any, waiting: Any) -> WaitLimit:
        limit, self.limit = self.limit, None
        if limit is None:
            assert self.seconds is not None
            limit = WaitLimit(loop, self.seconds)
        limit.begin(waiting, self)
        return limit

    def _end_limit(self, limit: WaitLimit, keep: bool) -> None:
        """A wait is over; *keep*: another one is likely to follow."""
        limit.end()
        if keep and self.limit is None and limit.seconds == self.seconds:
            self.limit = limit
        else:
            limit.cancel()

    def is_late(self, error: BaseException) -> bool:
        """Whether *error* says that this socket's peer has let somebody wait for too long."""
        return getattr(error, 'gnet_waited', None) is self


#: Never changed.
NOT_USED: Final = Blocking()

_MAY_READ = (ACTIVE, HELD, FULL)


def peek(wire: SocketWire, size: int) -> bytes:
    """Return the first *size* bytes of what has arrived, which stays there.

    What the kernel has is looked for, too, beyond the high-water mark if need be: a loop that peeks
    until there is enough gives the hub no turn to do so. What was shown is one chunk from now on,
    so that the read that follows gets as much.
    """
    while wire.arrived_size < size and wire.reading in _MAY_READ:
        more = wire.receive()
        if more is None:
            break
        wire.put_behind(more)
    chunks, missing = [], size
    while missing > 0 and wire.arrived:
        chunk = wire.arrived.popleft()
        wire.arrived_size -= len(chunk)
        chunks.append(chunk)
        missing -= len(chunk)
    if not chunks:
        return b''
    shown = chunks[0] if len(chunks) == 1 else b''.join(chunks)
    wire.give_back(shown)
    return bytes(shown[:size])
