"""A stream without a descriptor and without a hub, to drive the state rules by hand."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from gnet.node.coded_errors import state_error
from gnet.streams.duplex import Duplex
from gnet.streams.states import GONE, Delivery, Reading, ReadState, Stage

from ..sockets.common import shown

__all__ = ['FakeStream']


class FakeStream(Duplex):
    """What a socket does with its hooks, done with lists.

    ``arrive`` and ``arrive_end`` play the hub, ``run`` a runner. ``kernel`` is what was sent,
    ``room`` how many bytes it still takes.
    """

    def __init__(self, *args: Any, traced: bool = True, **options: Any) -> None:
        super().__init__(*args, **options)
        if traced:
            # Or the stream would call the listeners of 'data' itself, past the trace.
            self._plain_emit = False
        self._stage = Stage.OPEN
        # It was read from once, as every open connection that is not paused.
        self._reading, self._readable_wanted = Reading.ACTIVE, True
        self.trace: list[str] = []
        self.ticks: deque[tuple[Callable[..., object], tuple[Any, ...]]] = deque()
        self.laters: list[tuple[Callable[..., object], tuple[Any, ...]]] = []
        self.kernel: list[bytes] = []
        self.room: float = float('inf')
        self.watching = False
        self.wanted = 0
        self.late = False
        self.broken: OSError | None = None
        self.shut = False

    def emit(self, event: Any, *args: Any) -> bool:
        self.trace.append(' '.join([str(event), *map(shown, args)]))
        return super().emit(event, *args)

    def take_trace(self) -> list[str]:
        trace, self.trace = self.trace, []
        return trace

    def noting(self, name: str) -> Callable[..., None]:
        return lambda *args: self.trace.append(' '.join([name, *map(shown, args)]))

    # --- the hub and the runners ---

    def arrive(self, *chunks: bytes) -> None:
        if self._incoming is None:
            self._incoming = deque()
        self._incoming.extend(chunks)
        self._incoming_size += sum(map(len, chunks))
        self._announce()

    def arrive_end(self) -> None:
        self._read_state = ReadState.FIN
        self._reading = Reading.OVER  # as the transport says
        self._announce()

    def _announce(self) -> None:
        if self._delivery is Delivery.IDLE:
            self._delivery = Delivery.QUEUED

    def run(self) -> None:
        """Do all that a runner would do now."""
        while self.ticks or self._delivery is Delivery.QUEUED:
            if self.ticks:
                callback, args = self.ticks.popleft()
                callback(*args)
            else:
                self.deliver()

    def run_later(self) -> None:
        self.run()
        laters, self.laters = self.laters, []
        self.ticks.extend(laters)
        self.run()

    # --- hooks ---

    def _tick(self, callback: Callable[..., object], *arguments: Any) -> None:
        self.ticks.append((callback, arguments))

    def _soon(self, callback: Callable[[], object]) -> None:
        self.laters.append((callback, ()))

    def _send_when_connected(self) -> None:
        self.once('connect', self._send_first)

    def _emit_guarded(self, event: Any, *arguments: Any) -> None:
        self.emit(event, *arguments)

    def _call_guarded(self, callback: Callable[..., object], *arguments: Any) -> None:
        callback(*arguments)

    def _listener_failed(self, event: str, error: BaseException) -> None:
        raise error

    def _want_data(self) -> None:
        self.wanted += 1

    def _filled(self) -> None:
        self._reading = Reading.FULL

    def _holds_end(self) -> bool:
        return self._stage in GONE

    def _read_on(self, size: int) -> bytes | None:
        return None  # nothing more has arrived

    def _delivered(self) -> None:
        if self._incoming or (self._read_state is ReadState.FIN and not self._holds_end()):
            self._announce()

    def _is_late(self) -> bool:
        return self.late

    def _use_events(self) -> None:
        self._blocking_style = False

    def _end_consumed(self) -> None:
        self.trace.append('(end consumed)')

    def _send(self, data: Any) -> int:
        return self._into_kernel([data])

    def _send_gathered(self, chunks: list[Any]) -> int:
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

    def _watch_writable(self, on: bool) -> None:
        self.watching = on

    def _shut_down_writing(self) -> None:
        if self.broken is not None:
            raise self.broken
        self.shut = True

    def _refusal(self) -> BaseException:
        return state_error('ERR_STREAM_WRITE_AFTER_END')

    def destroy(self, error: Any = None) -> Any:
        self.trace.append(f'(destroy {shown(error)})')
        self._stage = Stage.DESTROYED
        self._tick(setattr, self, '_stage', Stage.MUTE)
        self._errored = error
        return self
