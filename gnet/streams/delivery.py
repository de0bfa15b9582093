"""The first part of the reading half of a stream: how what arrived becomes events.

Bytes wait in ``_incoming`` until a runner brings them into the stream (``deliver``). Blocking
readers take them from there without any event. Read events are serial: while a listener of one is
blocked, what would cause the next one waits for its turn (``_delivery``, ``_in_turn``).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Union

from ..events.emitter import EventEmitter
from .encodings import StreamDecoder
from .states import (
    ACTIVE,
    END_EMITTED,
    ENDED,
    FIN,
    FLOWING,
    GONE,
    IDLE,
    NEW,
    NOT_ENDED,
    NOT_STARTED,
    RUNNING,
    SILENT,
    UNDECIDED,
)

__all__ = [
    'BULK_SIZE',
    'HIGH_WATER_MARK',
    'MAX_READS',
    'READ_SIZE',
    'Arrival',
    'Chunk',
]

#: Bytes buffered before reading stops; Node's default since v22.
HIGH_WATER_MARK = 65536

#: Bytes asked of the kernel at once: Node's chunk size, which bounds those of `'data'`.
READ_SIZE = 65536

#: When a read gets as many bytes, there is a stream of them, and more is likely to wait: it is read
#: without another look at all descriptors, which costs 5-10 us where few are ready; a read in vain
#: costs 1. (libuv, and so Node, reads on after READ_SIZE bytes alone. Measured with one connection
#: that sends 64 KiB blocks: 23 us of CPU a block so, 13 from a quarter of it on.)
BULK_SIZE = 16384

#: How often that is done before others have their turn: what libuv allows itself.
MAX_READS = 32
Chunk = Union[bytes, str]
Turn = tuple[Callable[..., object], tuple[Any, ...]]

#: The whole stream has arrived.
_AFTER_THE_LAST_CHUNK = (ENDED, END_EMITTED)


class Arrival(EventEmitter):
    """What arrives, on its way into the stream. `Readable` is the rest."""

    __slots__ = (
        '_blocking_style', '_buffer', '_decoder', '_delivery', '_did_read', '_errored',
        '_explicitly_paused', '_flow', '_incoming', '_incoming_size', '_length', '_read_mark',
        '_read_state', '_readable_listened', '_readable_pending', '_readable_wanted', '_reading',
        '_resume_pending', '_stage', '_turns',
    )

    def __init__(self, high_water_mark: float = HIGH_WATER_MARK, **options: Any) -> None:
        if options:
            super().__init__(**options)
        self._stage = NEW
        self._errored: Any = None
        self._read_mark = high_water_mark
        self._flow = UNDECIDED
        self._read_state = NOT_ENDED
        #: Set by the transport, which has the watcher.
        self._reading = NOT_STARTED
        self._delivery = IDLE
        #: What waits for its turn while a listener is blocked.
        self._turns: deque[Turn] | None = None
        #: Whether the last read was a blocking one: then bytes stay where such reads find them.
        self._blocking_style = False
        #: Arrived and not yet seen by the stream; memoryviews are rests of a partly read chunk.
        self._incoming: deque[bytes | memoryview] | None = None
        self._incoming_size = 0
        #: In the stream and not yet consumed; ``_length`` counts characters once decoded.
        self._buffer: deque[Chunk] | None = None
        self._length = 0
        self._decoder: StreamDecoder | None = None
        self._did_read = False
        self._explicitly_paused = False
        self._readable_wanted = False
        self._readable_pending = False
        self._readable_listened = False
        self._resume_pending = False

    # --- hooks ------------------------------------------------------------------------------------

    def _tick(self, callback: Callable[..., object], *arguments: Any) -> None:
        """Run *callback* when the current piece of work ends."""
        raise NotImplementedError

    def _emit_guarded(self, event: Any, *arguments: Any) -> None:
        """Emit from a runner: what a listener raises must go where such failures go."""
        raise NotImplementedError

    def _want_data(self) -> None:
        """Read from the source if that is not going on and there is room."""
        raise NotImplementedError

    def _filled(self) -> None:
        """What arrived has filled the buffer: stop reading until somebody takes from it."""
        raise NotImplementedError

    def _holds_end(self) -> bool:
        """Whether the peer's end must not take effect yet."""
        raise NotImplementedError

    def _read_on(self, size: int) -> bytes | None:
        """After a read of *size* bytes, return what more has arrived already; None for nothing.

        Also if something else should have its turn first. As in Node, an end or a failure is met
        here only if *size* was all that was asked for; else the next poll finds it.
        """
        raise NotImplementedError

    def _delivered(self) -> None:
        """Do what follows the turn of a read event, also one whose greenlet was ended in it."""
        raise NotImplementedError

    def _is_late(self) -> bool:
        """Whether timers and other streams should have their turn before the next chunk."""
        raise NotImplementedError

    def _use_events(self) -> None:
        """Events take what arrives from now on; raises if a greenlet is blocked in a read."""
        raise NotImplementedError

    def _listener_failed(self, event: str, error: BaseException) -> None:
        """Route what a listener of *event* raised; raises it again if it ends the program."""
        raise NotImplementedError

    def _pour(self) -> None:
        """Emit what is buffered for as long as the mode is flowing."""
        raise NotImplementedError

    def _take(self, size: int | None = None) -> Chunk | None:
        """Take *size* units out of the buffer; 0 only sees to it that reading goes on."""
        raise NotImplementedError

    def destroy(self, error: Any = None) -> Any:
        """Close at once."""
        raise NotImplementedError

    def _end_consumed(self) -> None:
        """Do what follows `'end'`: called right after it was emitted."""
        raise NotImplementedError

    # --- arrival ----------------------------------------------------------------------------------

    def deliver(self) -> None:
        """Bring what arrived into the stream, chunk by chunk. Called in a runner."""
        if self._delivery is RUNNING:
            return  # the turn that is being taken ends with a look at what has arrived
        self._delivery = RUNNING
        reads = MAX_READS
        try:
            chunk: bytes | memoryview | None = None
            while True:
                if chunk is None:
                    if not self._incoming or self._blocking_style:
                        break
                    chunk = self._incoming.popleft()
                    self._incoming_size -= len(chunk)
                size = len(chunk)
                listeners = self._events.get('data')
                if (
                    listeners and self._flow is FLOWING and not self._length
                    and self._decoder is None and self._plain_emit and type(chunk) is bytes
                ):
                    # The hot path: what _push would do, without its calls.
                    self._did_read = True
                    try:
                        for listener in listeners:
                            listener(chunk)
                    except BaseException as error:
                        self._listener_failed('data', error)
                else:
                    self._push(bytes(chunk))
                chunk = None  # its memory is used again
                if self._incoming:
                    if self._is_late():
                        break
                elif size >= BULK_SIZE and reads:
                    reads -= 1
                    chunk = self._read_on(size)  # unless it is late
                else:
                    break
            if (
                self._read_state is FIN and not self._incoming
                and not self._blocking_style and not self._holds_end()
            ):
                self._push_end()
        finally:
            if self._reading is ACTIVE and self._turns is None and not self._incoming:
                # Most turns: nothing else waits. _turn_over would find that, at the cost of a call.
                self._delivery = IDLE
            else:
                self._turn_over()

    def _in_turn(self, callback: Callable[..., object], *arguments: Any) -> None:
        """Like :meth:`_tick`, for what emits read events: never while a listener of one blocks."""
        self._tick(self._take_turn, callback, arguments)

    def _take_turn(self, callback: Callable[..., object], arguments: tuple[Any, ...]) -> None:
        if self._delivery is RUNNING:
            if self._turns is None:
                self._turns = deque()
            self._turns.append((callback, arguments))
            return
        self._delivery = RUNNING
        try:
            callback(*arguments)
        finally:
            self._turn_over()

    def _turn_over(self) -> None:
        self._delivery = IDLE
        if self._turns is not None:
            turns, self._turns = self._turns, None
            for callback, arguments in turns:
                self._tick(self._take_turn, callback, arguments)
        if self._reading is not ACTIVE or self._incoming:
            self._delivered()

    def _push(self, data: bytes) -> None:
        chunk: Chunk = data if self._decoder is None else self._decoder.decode(data)
        if not chunk:
            return
        if self._flow is FLOWING and not self._length and self.listener_count('data'):
            self._did_read = True
            self._emit_guarded('data', chunk)
            return
        self._append(chunk)
        if self._readable_wanted:
            self._schedule_readable()
        elif self._length < self._read_mark:
            self._in_turn(self._read_more)
        if self._length >= self._read_mark:
            self._filled()

    def _read_more(self) -> None:
        if self._length < self._read_mark:
            self._take(0)

    def _push_quietly(self, data: bytes) -> None:
        """Bring *data* into the stream without any event."""
        chunk = data if self._decoder is None else self._decoder.decode(data)
        if chunk:
            self._append(chunk)

    def _append(self, chunk: Chunk) -> None:
        if self._buffer is None:
            self._buffer = deque()
        self._buffer.append(chunk)
        self._length += len(chunk)

    def _push_end(self) -> None:
        """The peer's end has its turn: everything before it is in the stream."""
        self._read_state = ENDED
        if self._decoder is not None:
            rest = self._decoder.flush()
            if rest:
                self._append(rest)
        self._readable_wanted = False
        if self._length or 'readable' in self._events:
            self._emit_readable()
        else:  # most often; what that would do, in fewer steps
            if self._stage not in GONE and self._errored is None:
                self._emit_guarded('readable')
            self._readable_pending = False
        if not self._length:
            self._in_turn(self._emit_end)

    def _schedule_readable(self) -> None:
        self._readable_wanted = False
        if not self._readable_pending:
            self._readable_pending = True
            self._in_turn(self._emit_readable)

    def _emit_readable(self) -> None:
        ended = self._has_ended()
        if self._stage not in GONE and self._errored is None and (self._length or ended):
            self._emit_guarded('readable')
            self._readable_pending = False
        self._readable_wanted = (
            self._flow is not FLOWING and not ended and self._length <= self._read_mark
        )
        self._pour()

    def _emit_end(self) -> None:
        if (
            self._read_state is ENDED and not self._length and not self._incoming
            and self._stage not in SILENT and self._errored is None
        ):
            self._read_state = END_EMITTED
            try:
                self._emit_guarded('end')
            finally:
                if self._read_state is END_EMITTED:
                    # (Not if the listener has blocked until the stream was connected again.)
                    self._end_consumed()

    def _has_ended(self) -> bool:
        return self._read_state in _AFTER_THE_LAST_CHUNK
