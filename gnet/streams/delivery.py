"""What arrived becomes events, one turn at a time: the first of a wire's two consumers.

Bytes wait in the wire (:mod:`gnet.streams.wire`) until a runner brings them into the stream
(:meth:`Delivery._deliver`). Blocking readers take them from there without any event. Read events
are serial: while a listener of one is blocked, what would cause the next one waits for its turn
(:meth:`Delivery._in_turn`).

Copies for speed
================

A message costs 0.5 us in here and in the wire, and a call of Python 30 to 60 ns. So the usual way
is written out where it is gone, beside the general one. These pairs must agree:

===============================================  ================================================
written out in                                   what it would call
===============================================  ================================================
`Delivery._deliver`, the loop over listeners     `Delivery._push`, `EventEmitter.emit`
`Delivery._deliver`, after the loop: while the   `Delivery._turn_over`
wire still reads, and in the last lines
`Delivery._deliver`, its look at the end         `Delivery._holds_end`
`Delivery._push_end`                             `Delivery._emit_readable`, `Delivery._in_turn`,
                                                 `Delivery._emit_end`
`Arrivals.end`                                   `Arrivals.announce`
`Delivery._tick`                                 `Agenda.tick` (``gnet.loop``)
`Readable.resume`                                `Readable._start_flowing`, `Delivery._tick`
`Readable._resume_in_turn`                       `Readable._resumed`, `Delivery._take_turn`
`Readable._resume_next`                          `Readable._resume_in_turn`
``DescriptorWire.on_readable``                   `Arrivals.put`, `Agenda.enqueue`
``BlockingReads.recv`` and ``__iter__``          ``BlockingReads._take_bytes``
===============================================  ================================================

``tests/streams/test_reading.py`` and the random calls of ``tests/sockets`` run each scenario on
both ways and compare.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Union

from ..events.guarded import Guarded
from ..node import coded_errors
from .encodings import StreamDecoder
from .states import (
    ACTIVE,
    ASKED,
    CONNECTED,
    CONNECTING,
    END_EMITTED,
    ENDED,
    EVENTS,
    FLOWING,
    FULL,
    GONE,
    GREENLET,
    HELD,
    IDLE,
    NEW,
    NOBODY,
    NOBODY_YET,
    NOT_ENDED,
    NOT_STARTED,
    OVER,
    RUNNING,
    SILENT,
    UNDECIDED,
    Flow,
    ReadState,
    Stage,
    Taker,
)
from .wire import BULK_SIZE, MAX_READS, Schedule, Wire

__all__ = ['BLOCKING', 'HIGH_WATER_MARK', 'Chunk', 'Delivery']

#: Bytes buffered before reading stops; Node's default since v22.
HIGH_WATER_MARK = 65536

Chunk = Union[bytes, str]
Turn = tuple[Callable[..., object], tuple[Any, ...]]

#: The whole stream has arrived.
_AFTER_THE_LAST_CHUNK = (ENDED, END_EMITTED)

#: The takers of a stream that is read by blocking calls: then nothing is delivered.
BLOCKING = (GREENLET, NOBODY)


class Delivery(Guarded):
    """What arrives, on its way into the stream. `Readable` is the rest of the reading half."""

    __slots__ = (
        '_buffer', '_decoder', '_did_read', '_errored', '_explicitly_paused', '_flow', '_length',
        '_loop', '_pipes', '_read_mark', '_read_state', '_readable_listened', '_readable_pending',
        '_readable_wanted', '_resume_pending', '_stage', '_turns', '_wire',
    )

    _wire: Wire
    _stage: Stage
    _flow: Flow
    _read_state: ReadState

    def __init__(
        self, loop: Schedule, wire: Wire, high_water_mark: float = HIGH_WATER_MARK, **options: Any,
    ) -> None:
        if options:
            super().__init__(**options)
        self._loop: Schedule = loop
        #: What carries the stream: see ``streams/wire.py``. There always is one.
        self._wire = wire
        self._read_mark = high_water_mark
        self._flow = UNDECIDED
        self._decoder: StreamDecoder | None = None
        self._explicitly_paused = False
        self._readable_listened = False
        self._resume_pending = False
        #: Where it is piped to; see ``streams/piping.py``.
        self._pipes: list[Any] | None = None
        self._be_new()

    def _be_new(self) -> None:
        """Have no connection yet: what is of one connection, and of no other, as it is at first.

        The constructor calls it, and who has had a connection, before the next one. What it does
        not name outlasts a connection (listeners, the mode, the encoding, options), or is emptied
        with it.
        """
        self._stage = NEW
        self._errored: Any = None
        self._read_state = NOT_ENDED
        #: What waits for its turn while a listener is blocked.
        self._turns: deque[Turn] | None = None
        #: In the stream and not yet consumed; ``_length`` counts characters once decoded.
        self._buffer: deque[Chunk] | None = None
        self._length = 0
        self._did_read = False
        self._readable_wanted = False
        self._readable_pending = False

    # --- given by Readable and Duplex, below which this stands ------------------------------------

    def _settle_keeping(self) -> None:
        """See whether the wire still has to keep this stream, or from now on has to."""

    def _take(self, size: int | None = None) -> Chunk | None:
        """Take *size* units out of the buffer; 0 only sees to it that reading goes on."""
        raise NotImplementedError

    def _pour(self) -> None:
        """Emit what is buffered for as long as the mode is flowing."""
        raise NotImplementedError

    def _end_consumed(self) -> None:
        """Do what follows `'end'`: called right after it was emitted."""
        raise NotImplementedError

    def destroy(self, error: Any = None) -> Any:
        """Close at once."""
        raise NotImplementedError

    # --- when things happen -----------------------------------------------------------------------

    def _tick(self, callback: Callable[..., object], *arguments: Any) -> None:
        """Run *callback* when the current piece of work ends."""
        loop = self._loop
        loop.ticks.append((callback, arguments, self._wire.context))  # tick(), without the call
        if not loop.wake_scheduled:
            loop.schedule_wake()

    def _later(self, callback: Callable[..., object], *arguments: Any) -> None:
        """Like :meth:`_tick`, but at least one poll of all descriptors from now."""
        self._loop.later(callback, *arguments, context=self._wire.context)

    def _call_failed(self, event: str, error: BaseException) -> None:
        """What the wire has called for the program has raised."""
        self._listener_failed(event, error)

    def _tick_guarded(self, callback: Callable[..., object]) -> None:
        """Call *callback* on a tick; what it raises is a listener's failure."""
        self._tick(self._call_guarded, callback)

    # --- arrival ----------------------------------------------------------------------------------

    def _deliver(self) -> None:
        """Bring what arrived into the stream, chunk by chunk. Called in a runner, by the wire."""
        wire = self._wire
        if wire.delivery is RUNNING:
            return  # the turn that is being taken ends with a look at what has arrived
        wire.delivery = RUNNING
        reads = MAX_READS
        try:
            chunk: bytes | memoryview | None = None
            while True:
                if chunk is None:
                    # (EVENTS first: to find that two members are not equal costs 50 ns.)
                    if not wire.arrived or (wire.taker is not EVENTS and wire.taker in BLOCKING):
                        break
                    chunk = wire.arrived.popleft()
                    size = len(chunk)
                    wire.arrived_size -= size
                else:
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
                if wire.arrived:
                    # As in Node, the ticks of one chunk come before the next chunk.
                    if self._loop.ticks or self._loop.is_late():
                        break
                elif size >= BULK_SIZE and reads:
                    reads -= 1
                    chunk = self._read_on(size)  # unless it is late
                else:
                    break
        except BaseException:
            self._turn_over()
            raise
        wire = self._wire  # a listener may have blocked until the stream had another one
        if wire.reading is ACTIVE and self._turns is None and not wire.arrived:
            # Most turns: nothing else waits, and who still reads has not met the end. _turn_over
            # would find the same, at the cost of a call.
            wire.delivery = IDLE
            return
        try:
            if (
                wire.ended and self._read_state is NOT_ENDED and not wire.arrived
                and (wire.taker is EVENTS or wire.taker not in BLOCKING)
                # As _holds_end() says, without the call where nobody can still change his mind.
                and (
                    (wire.taker is not NOBODY_YET and self._stage is CONNECTED)
                    or not self._holds_end())
            ):
                self._push_end()
        finally:
            wire = self._wire
            if (
                self._turns is None and not wire.arrived and self._read_state is not NOT_ENDED
                and wire.reading is OVER and not wire.error
            ):
                wire.delivery = IDLE  # most ends: as above
            else:
                self._turn_over()

    def _read_on(self, size: int) -> bytes | None:
        """After a chunk of *size* bytes, take what more has come, if nothing else has its turn."""
        loop, wire = self._loop, self._wire
        if (
            wire.reading is ACTIVE and self._flow is FLOWING
            and not loop.ticks and not loop.is_late()  # as in _deliver()
        ):
            more: bytes | None = wire.read_on(size)
            return more
        return None

    def _holds_end(self) -> bool:
        """Whether the peer's end must not take effect yet.

        A 'connection' listener that is still at work and has not said how it reads may be about to,
        and so may a program that has begun with sendall(): the peer's end waits for it, as it would
        in the kernel.
        """
        return self._stage in GONE or (
            self._wire.taker is NOBODY_YET and self._flow is UNDECIDED
            and not self._events.get('end') and not self._events.get('readable')
        )

    def _in_turn(self, callback: Callable[..., object], *arguments: Any) -> None:
        """Like :meth:`_tick`, for what emits read events: never while a listener of one blocks."""
        self._tick(self._take_turn, callback, arguments)

    def _take_turn(self, callback: Callable[..., object], arguments: tuple[Any, ...]) -> None:
        if self._wire.delivery is RUNNING:
            if self._turns is None:
                self._turns = deque()
            self._turns.append((callback, arguments))
            return
        self._wire.delivery = RUNNING
        try:
            callback(*arguments)
        finally:
            self._turn_over()

    def _turn_over(self) -> None:
        """Do what follows the turn of a read event, also one whose greenlet was ended in it."""
        wire = self._wire
        wire.delivery = IDLE
        if self._turns is not None:
            turns, self._turns = self._turns, None
            for callback, arguments in turns:
                self._tick(self._take_turn, callback, arguments)
        if wire.arrived or (
            wire.ended and self._read_state is NOT_ENDED and not self._holds_end()
        ):
            wire.announce()  # it was late, or broken off by the end of its greenlet
        elif wire.reading is not ACTIVE:
            if wire.error is not None:
                self.destroy(wire.error)
            elif wire.reading is HELD:
                self._want_data()

    def _want_data(self) -> None:
        """Read from the wire if that is not going on and there is room."""
        wire = self._wire
        reading = wire.reading
        if reading is ACTIVE:
            return
        if reading is NOT_STARTED and self._stage in (NEW, CONNECTING):
            wire.reading = ASKED
        elif reading is not OVER:
            buffered = self._length + wire.arrived_size
            if (buffered < self._read_mark or not buffered) and self._stage is CONNECTED:
                wire.want()
        elif wire.ended and self._read_state is NOT_ENDED:
            wire.announce()

    def _use_events(self) -> None:
        """Events take what arrives from now on.

        Raises:
            CodedRuntimeError: ``ERR_READING_IN_BLOCKING_STYLE``: a greenlet is blocked in a read.
        """
        wire = self._wire
        if wire.reader is not None:
            raise coded_errors.state_error('ERR_READING_IN_BLOCKING_STYLE')
        if wire.taker in BLOCKING:
            wire.taker = self._taker_by_events()
            if self._stage in GONE:
                self._drop_arrived()  # left for read(), but no 'data' comes any more
            elif wire.arrived or (wire.ended and self._read_state is NOT_ENDED):
                wire.announce()

    def _taker_by_events(self) -> Taker:
        """Who takes what arrives when no greenlet does: NOBODY_YET if one still may."""
        return EVENTS

    def _drop_arrived(self) -> None:
        """After destroy() no 'data' comes; what a paused stream has buffered stays readable."""
        chunks = self._wire.take_all()
        if self._flow is not FLOWING:
            for chunk in chunks:
                self._push_quietly(bytes(chunk))

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
        if self._length >= self._read_mark and self._wire.reading in (ACTIVE, HELD):
            self._wire.hold(FULL)

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
        """The peer's end has its turn: everything before it is in the stream.

        (It has none once the stream was destroyed: see :meth:`_holds_end`.)
        """
        self._read_state = ENDED
        if self._decoder is not None:
            rest = self._decoder.flush()
            if rest:
                self._append(rest)
        self._readable_wanted = False
        events = self._events
        if self._length or 'readable' in events:
            self._emit_readable()
        elif (
            'end' in events or not self._plain_emit or self._loop.ticks
            or self._errored is not None
        ):  # what that would do, in fewer steps
            if self._errored is None:
                self._emit_guarded('readable')
            self._readable_pending = False
        else:
            # Nobody listens, and the tick of 'end' is what would come next: what _emit_end() does.
            self._readable_pending = False
            self._read_state = END_EMITTED
            self._end_consumed()
            return
        if not self._length:
            self._tick(self._take_turn, self._emit_end, ())  # _in_turn(), without the call

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
            self._read_state is ENDED and not self._length and not self._wire.arrived
            and self._stage not in SILENT and self._errored is None
        ):
            self._read_state = END_EMITTED
            try:
                self._emit_guarded('end')
            finally:
                if self._read_state is END_EMITTED:
                    # (Not if the listener has blocked until the stream was connected again.)
                    self._end_consumed()

    def _offer_end(self) -> None:
        """Blocking calls read, and the peer has ended: `'end'` may be due. Callable anywhere.

        Without a listener it comes when a read meets the end, as always.
        """
        if self._events.get('end'):
            self._in_turn(self._end_if_consumed)

    def _end_if_consumed(self) -> None:
        wire = self._wire
        if (
            wire.ended and wire.taker is GREENLET and not wire.arrived and not self._length
            and self._read_state is NOT_ENDED and self._stage is CONNECTED
        ):
            self._read_state = ENDED
            self._emit_end()

    def _has_ended(self) -> bool:
        return self._read_state in _AFTER_THE_LAST_CHUNK
