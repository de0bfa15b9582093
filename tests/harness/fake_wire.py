"""A wire without a descriptor and a schedule without a hub, to drive the rules of a stream by hand.

:class:`FakeWire` is a wire as ``gnet/streams/wire.py`` says, made of lists; :class:`FakeSchedule`
is what a stream needs of the loop. :class:`TracedStream` is the real stream on both, with a trace
of what it emits.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from gnet.node.threads import get_ident
from gnet.streams.arrivals import Arrivals
from gnet.streams.duplex import Duplex
from gnet.streams.states import Reading, Stage

from .connections import shown

__all__ = ['FakeSchedule', 'FakeWire', 'TracedStream']


class FakeSchedule:
    """What the loop does, done with lists, when :meth:`run` says so."""

    def __init__(self) -> None:
        self.thread = get_ident()
        self.runner = None
        self.ticks: deque[tuple[Callable[..., object], tuple[Any, ...], Any]] = deque()
        self.work: deque[Any] = deque()
        self.wake_scheduled = False
        self.spare_queues: list[deque[Any]] = []
        self.laters: list[tuple[Callable[..., object], tuple[Any, ...], Any]] = []
        self.late = False

    def check_thread(self) -> None:
        raise AssertionError('there is one thread')

    def schedule_wake(self) -> None:
        self.wake_scheduled = True

    def enqueue(self, item: Any) -> None:
        self.work.append(item)

    def soon(self, callback: Callable[[], object]) -> None:
        self.laters.append((callback, (), None))

    def later(self, callback: Callable[..., object], *arguments: Any, context: Any = None) -> None:
        self.laters.append((callback, arguments, context))

    def from_hub(self, callback: Callable[..., object], *arguments: Any) -> None:
        raise AssertionError('no greenlet is blocked in these tests')

    def in_own_thread(self, callback: Callable[..., object], *arguments: Any) -> None:
        callback(*arguments)

    def is_late(self) -> bool:
        return self.late

    def report(self, context: object, error: BaseException) -> None:
        raise error

    def run(self) -> None:
        """Do all that a runner would do now."""
        while self.ticks or self.work:
            if self.ticks:
                callback, args, _context = self.ticks.popleft()
                callback(*args)
            else:
                self.work.popleft().deliver()

    def run_later(self) -> None:
        """Do that, and what comes a poll later."""
        self.run()
        laters, self.laters = self.laters, []
        self.ticks.extend(laters)
        self.run()


class FakeWire(Arrivals):
    """``arrive`` and ``arrive_end`` play the peer. ``kernel`` is what was sent, ``room`` how many
    bytes it still takes.
    """

    def __init__(self, schedule: FakeSchedule) -> None:
        super().__init__(schedule)
        # It was read from once, as every open connection that is not paused.
        self.reading = Reading.ACTIVE
        #: What the peer has sent and was not read.
        self.unread: deque[bytes] = deque()
        self.kernel: list[bytes] = []
        self.room: float = float('inf')
        self.on_writable: Callable[[], None] | None = None
        self.wanted = 0
        self.broken: OSError | None = None
        #: What the peer has answered to a part of what was sent.
        self.failed = 0
        self.shut = False
        self.closed = False

    @property
    def watching(self) -> bool:
        return self.on_writable is not None

    # --- the peer ---

    def arrive(self, *chunks: bytes) -> None:
        self.unread.extend(chunks)
        self._read()

    def _read(self) -> None:
        """Put in what the peer has sent, as long as there is room: then reading is HELD."""
        while self.unread and self.reading is Reading.ACTIVE:
            if self.arrived_size and self.is_full():
                return
            self.put(self.unread.popleft())

    def arrive_end(self) -> None:
        self.end()

    # --- what a stream asks of it ---

    def want(self) -> None:
        self.wanted += 1
        self.reading = Reading.ACTIVE
        self._read()

    def read_on(self, size: int) -> bytes | None:
        return None  # nothing more has arrived

    def withdraw(self) -> int:
        return 0

    def is_broken(self) -> bool:
        return self.failed != 0

    def take_error(self) -> int:
        number, self.failed = self.failed, 0
        return number

    def send(self, data: Any) -> int:
        return self._into_kernel([data])

    def send_all(self, chunks: list[Any]) -> int:
        return self._into_kernel(chunks)

    def _into_kernel(self, chunks: list[Any]) -> int:
        if self.broken is not None:
            raise self.broken
        data = b''.join(chunks)
        if data and not self.room:
            raise BlockingIOError
        taken = int(min(len(data), self.room))
        self.room -= taken
        self.kernel.append(data[:taken])
        return taken

    def watch_writable(self, callback: Callable[[], None] | None) -> None:
        self.on_writable = callback

    def shut_down(self) -> None:
        if self.broken is not None:
            raise self.broken
        self.shut = True

    def close(self) -> None:
        self.reading = Reading.OVER
        self.closed = True
        self.stream = None


class TracedStream(Duplex):
    """A connected stream on a fake wire. What listeners raise comes out where it is raised."""

    def __init__(
        self, *args: Any, traced: bool = True, stage: Stage = Stage.OPEN, **options: Any,
    ) -> None:
        self.schedule = FakeSchedule()
        self.wire = FakeWire(self.schedule)
        super().__init__(self.schedule, self.wire, *args, **options)
        self.wire.stream = self
        # If it is, the stream calls the listeners of 'data' itself, past the trace, and leaves out
        # what nobody listens to.
        self._plain_emit = not traced and not self._capture_rejections
        if stage is not self._stage:
            self._stage = stage
        self._readable_wanted = True
        self.trace: list[str] = []

    def emit(self, event: Any, *args: Any) -> bool:
        self.trace.append(' '.join([str(event), *map(shown, args)]))
        return super().emit(event, *args)

    def _failed(self, error: BaseException) -> None:
        raise error

    def _unheard(self, error: BaseException) -> None:
        self.trace.append(f'(unheard {shown(error)})')

    def _end_consumed(self) -> None:
        self.trace.append('(end consumed)')
        super()._end_consumed()

    def destroy(self, error: Any = None) -> Any:
        self.trace.append(f'(destroy {shown(error)})')
        return super().destroy(error)

    def take_trace(self) -> list[str]:
        trace, self.trace = self.trace, []
        return trace

    def noting(self, name: str) -> Callable[..., None]:
        return lambda *args: self.trace.append(' '.join([name, *map(shown, args)]))

    def run(self) -> None:
        self.schedule.run()

    def run_later(self) -> None:
        self.schedule.run_later()
