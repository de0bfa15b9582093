"""The reading half of a stream: buffer, modes, and the events `'data'`, `'readable'`, `'end'`.

No I/O and no gevent here: :class:`Readable` is told what arrived (``_incoming``, ``_read_state``)
and asks for more through hooks, so that tests can drive it alone. The rules are Node's (its
``stream`` documentation and measurements), with two additions:

- Bytes wait in ``_incoming`` until a runner brings them into the stream (``_deliver``). Blocking
  readers take them from there without any event.
- Read events are serial. While a listener of one is blocked, what would cause the next one waits
  for its turn (``_delivery``, ``_in_turn``).

Modes (:class:`Flow`), Node's ``readableFlowing``:

===========  =========================================  ==========================================
mode         entered by                                 what happens to data
===========  =========================================  ==========================================
UNDECIDED    a new stream; the last 'readable'          buffered up to the high-water mark
             listener removed
FLOWING      a 'data' listener (unless paused),         emitted as 'data' (dropped if nobody
             ``resume()``, ``pipe()``                   listens)
PAUSED       ``pause()``, ``unpipe()``, a 'readable'    buffered; 'readable' says that ``read()``
             listener                                   has something
===========  =========================================  ==========================================
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from typing import Any, Union

from . import errors
from .emitter import EventEmitter
from .encodings import StreamDecoder, canonical, encode
from .states import GONE, Delivery, Flow, Reading, ReadState, Stage

__all__ = ['Readable']

#: Bytes buffered before reading stops; Node's default since v22.
HIGH_WATER_MARK = 65536

#: Node refuses to buffer more than this for one ``read(size)``: 1 GiB.
_MAX_READ_SIZE = 1 << 30

Chunk = Union[bytes, str]
Turn = tuple[Callable[..., object], tuple[Any, ...]]

_FLOWING = Flow.FLOWING
_RUNNING = Delivery.RUNNING
_IDLE = Delivery.IDLE
_ACTIVE = Reading.ACTIVE
#: The whole stream has arrived.
_AFTER_THE_LAST_CHUNK = (ReadState.ENDED, ReadState.END_EMITTED)


def as_bytes(chunk: Any) -> bytes:
    """Return a copy of the bytes-like *chunk*: its owner may go on to change or resize it.

    Raises:
        CodedTypeError: ``ERR_INVALID_ARG_TYPE`` for anything else.
    """
    if isinstance(chunk, bytes):
        return chunk
    try:
        return bytes(memoryview(chunk))
    except TypeError:
        raise errors.invalid_arg_type(
            'chunk', 'of type string or an instance of Buffer, TypedArray, or DataView', chunk,
        ) from None


class Readable(EventEmitter):
    """The reading half. See the module's text; :class:`gnet.Socket` is the one user."""

    __slots__ = (
        '_blocking_style', '_buffer', '_decoder', '_delivery', '_did_read', '_errored',
        '_explicitly_paused', '_flow', '_incoming', '_incoming_size', '_length', '_read_mark',
        '_read_state', '_readable_listened', '_readable_pending', '_readable_wanted', '_reading',
        '_resume_pending', '_stage', '_turns',
    )

    def __init__(self, high_water_mark: float = HIGH_WATER_MARK, **options: Any) -> None:
        super().__init__(**options)
        self._stage = Stage.NEW
        self._errored: Any = None
        self._read_mark = high_water_mark
        self._flow = Flow.UNDECIDED
        self._read_state = ReadState.OPEN
        #: Set by the transport, which has the watcher.
        self._reading = Reading.NOT_STARTED
        self._delivery = Delivery.IDLE
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
        self._readable_wanted = True
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

    def _holds_end(self) -> bool:
        """Whether the peer's end must not take effect yet."""
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

    def destroy(self, error: Any = None) -> Any:
        """Close at once."""
        raise NotImplementedError

    def _end_consumed(self) -> None:
        """Do what follows `'end'`: called right after it was emitted."""
        raise NotImplementedError

    # --- arrival ----------------------------------------------------------------------------------

    def _deliver(self) -> None:
        """Bring what arrived into the stream, chunk by chunk. Called in a runner."""
        if self._delivery is _RUNNING:
            return  # the turn that is being taken ends with a look at what has arrived
        self._delivery = _RUNNING
        try:
            while self._incoming and not self._blocking_style:
                chunk = self._incoming.popleft()
                self._incoming_size -= len(chunk)
                listeners = self._events.get('data')
                if (
                    listeners and self._flow is _FLOWING and not self._length
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
                if self._incoming and self._is_late():
                    break
            if (
                self._read_state is ReadState.FIN and not self._incoming
                and not self._blocking_style and not self._holds_end()
            ):
                self._push_end()
        finally:
            if self._reading is _ACTIVE and self._turns is None and not self._incoming:
                # Most turns: nothing else waits. _turn_over would find that, at the cost of calls.
                self._delivery = _IDLE
            else:
                self._turn_over()

    def _in_turn(self, callback: Callable[..., object], *arguments: Any) -> None:
        """Like :meth:`_tick`, for what emits read events: never while a listener of one blocks."""
        self._tick(self._take_turn, callback, arguments)

    def _take_turn(self, callback: Callable[..., object], arguments: tuple[Any, ...]) -> None:
        if self._delivery is _RUNNING:
            if self._turns is None:
                self._turns = deque()
            self._turns.append((callback, arguments))
            return
        self._delivery = _RUNNING
        try:
            callback(*arguments)
        finally:
            self._turn_over()

    def _turn_over(self) -> None:
        self._delivery = Delivery.IDLE
        turns, self._turns = self._turns, None
        for callback, arguments in turns or ():
            self._tick(self._take_turn, callback, arguments)
        self._delivered()

    def _push(self, data: bytes) -> None:
        chunk: Chunk = data if self._decoder is None else self._decoder.decode(data)
        if not chunk:
            return
        if self._flow is _FLOWING and not self._length and self.listener_count('data'):
            self._did_read = True
            self._emit_guarded('data', chunk)
            return
        self._append(chunk)
        if self._readable_wanted:
            self._schedule_readable()

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
        self._read_state = ReadState.ENDED
        if self._decoder is not None:
            rest = self._decoder.flush()
            if rest:
                self._append(rest)
        self._readable_wanted = False
        self._emit_readable()
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
            self._flow is not _FLOWING and not ended and self._length <= self._read_mark
        )
        self._pour()

    def _pour(self) -> None:
        """Emit what is buffered for as long as the mode is flowing."""
        while (
            self._flow is _FLOWING and self._stage not in GONE and self._take() is not None
        ):
            if self._length and self._is_late():
                self._in_turn(self._pour)
                return

    def _emit_end(self) -> None:
        if (
            self._read_state is ReadState.ENDED and not self._length and not self._incoming
            and self._stage not in GONE
        ):
            self._read_state = ReadState.END_EMITTED
            try:
                self._emit_guarded('end')
            finally:
                if self._read_state is ReadState.END_EMITTED:
                    # (Not if the listener has blocked until the stream was connected again.)
                    self._end_consumed()

    # --- consumption ------------------------------------------------------------------------------

    def read(self, size: float | None = None) -> Chunk | None:
        """Take data out of the buffer without blocking (Node's ``readable.read``).

        Args:
            size: how many bytes (characters after :meth:`set_encoding`) are wanted; None for all
                there is, as one chunk (the first chunk in flowing mode). 0 takes nothing and only
                sees to it that reading goes on. Fractions are cut off.

        Returns:
            The data, which `'data'` listeners get too; None when less than *size* is there. After
            the peer has ended, what is left is returned even if it is less.

        Raises:
            CodedValueError: ``ERR_OUT_OF_RANGE`` for more than 1 GiB.
            CodedRuntimeError: ``ERR_READING_IN_BLOCKING_STYLE``.
        """
        if self._blocking_style:
            self._use_events()
            while self._incoming:
                self._push_quietly(bytes(self._incoming.popleft()))
            self._incoming_size = 0
        if isinstance(size, float):
            # What JavaScript's parseInt makes of it.
            size = int(size) if math.isfinite(size) else None
        if size is not None:
            if size > _MAX_READ_SIZE:
                raise errors.out_of_range('size', '<= 1GiB', size)
            if size > self._read_mark:
                self._read_mark = 1 << (size - 1).bit_length()
        return self._take(size)

    def _take(self, size: int | None = None) -> Chunk | None:
        """:meth:`read` after validation; `'data'` listeners are called through the guard."""
        if size != 0:
            self._readable_pending = False
        ended = self._has_ended()
        if size == 0 and self._readable_wanted and (ended or self._is_full()):
            if self._length:
                self._schedule_readable()
            elif ended:
                self._in_turn(self._emit_end)
            return None
        count = self._readable_now(size)
        if count == 0 and ended:
            if not self._length:
                self._in_turn(self._emit_end)
            return None
        more_wanted = not ended and (
            self._readable_wanted or self._length - count < self._read_mark)
        chunk = self._cut(count) if count else None
        if more_wanted:
            self._want_data()
        if chunk is None:
            self._readable_wanted = self._length <= self._read_mark
        if not self._length:
            if not ended:
                self._readable_wanted = True
            elif size != count:
                self._in_turn(self._emit_end)
        if chunk is not None and self._errored is None and self._stage is not Stage.CLOSED:
            self._did_read = True
            self._emit_guarded('data', chunk)
        return chunk

    def _has_ended(self) -> bool:
        return self._read_state in _AFTER_THE_LAST_CHUNK

    def _is_full(self) -> bool:
        return self._length >= self._read_mark if self._read_mark else self._length > 0

    def _readable_now(self, size: int | None) -> int:
        """How many units a read of *size* gets at this moment."""
        if not self._length or not self._buffer:
            return 0
        if size is None:
            return len(self._buffer[0]) if self._flow is _FLOWING else self._length
        if size <= self._length:
            return max(size, 0)
        return self._length if self._has_ended() else 0

    def _cut(self, count: int) -> Chunk:
        """Remove *count* units from the front of the buffer and return them as one chunk."""
        buffer = self._buffer
        assert buffer
        self._length -= count
        parts: list[Any] = []
        while count:
            chunk = buffer.popleft()
            if len(chunk) > count:
                buffer.appendleft(chunk[count:])
                chunk = chunk[:count]
            parts.append(chunk)
            count -= len(chunk)
        if len(parts) == 1:
            only: Chunk = parts[0]
            return only
        joined: Chunk = parts[0][:0].join(parts)
        return joined

    def unshift(self, chunk: Any, encoding: str | None = None) -> bool:
        """Put *chunk* back in front of what is buffered; returns whether there is room for more.

        For a consumer that took too much: the next read or `'data'` begins with it. A stream that
        flows and has nothing buffered emits it at once.

        Args:
            chunk: bytes-like, or a ``str``.
            encoding: of a ``str``, utf8 by default.

        As in Node, a wrong type (``ERR_INVALID_ARG_TYPE``) and a call after `'end'`
        (``ERR_STREAM_UNSHIFT_AFTER_END_EVENT``) destroy the stream with that error.
        """
        try:
            given = self._as_buffered(chunk, encoding)
        except errors.CodedTypeError as error:
            self.destroy(error)
            return False
        if given and not self._put_back(given):
            return False
        return not self._has_ended() and (self._length < self._read_mark or not self._length)

    def _as_buffered(self, chunk: Any, encoding: str | None) -> Chunk:
        """Return *chunk* as the buffer has it: text if an encoding was set, else bytes."""
        data = encode(chunk, canonical(encoding or 'utf8')) if isinstance(chunk, str) else (
            as_bytes(chunk))
        if self._decoder is None:
            return data
        # A decoder of its own: the stream's holds back what came last from the peer.
        decoder = StreamDecoder(self._decoder.encoding)
        return decoder.decode(data) + decoder.flush()

    def _put_back(self, chunk: Chunk) -> bool:
        if self._read_state is ReadState.END_EMITTED:
            self.destroy(errors.state_error('ERR_STREAM_UNSHIFT_AFTER_END_EVENT'))
            return False
        if self._stage in GONE:
            return False
        if self._blocking_style and isinstance(chunk, bytes):
            if self._incoming is None:
                self._incoming = deque()
            self._incoming.appendleft(chunk)
            self._incoming_size += len(chunk)
        elif self._flow is _FLOWING and not self._length and self._events.get('data'):
            self._emit_guarded('data', chunk)
        else:
            if self._buffer is None:
                self._buffer = deque()
            self._buffer.appendleft(chunk)
            self._length += len(chunk)
            if self._readable_wanted:
                self._schedule_readable()
        return True

    # --- modes ------------------------------------------------------------------------------------

    def pause(self) -> Any:
        """Stop emitting `'data'`; returns the stream.

        What arrives is buffered up to the high-water mark, so the peer's end or reset is still
        noticed while there is room.
        """
        if self._flow is not Flow.PAUSED:
            self._flow = Flow.PAUSED
            self.emit('pause')
        self._explicitly_paused = True
        return self

    def resume(self) -> Any:
        """Let data flow, from the next tick on; without a `'data'` listener it is dropped.

        Returns the stream. `'resume'` is emitted when it starts.
        """
        if self._flow is not _FLOWING:
            self._use_events()
            self._start_flowing()
        self._explicitly_paused = False
        return self

    def _start_flowing(self) -> None:
        # A 'readable' listener keeps its stream from flowing, whatever is called.
        self._flow = Flow.PAUSED if self._readable_listened else _FLOWING
        if not self._resume_pending:
            self._resume_pending = True
            self._in_turn(self._resumed)

    def _resumed(self) -> None:
        self._take(0)
        self._resume_pending = False
        self._emit_guarded('resume')
        self._pour()
        self._want_data()

    def is_paused(self) -> bool:
        """Return whether ``pause()``, ``pause_on_connect`` or a `'readable'` listener holds it."""
        return self._explicitly_paused or self._flow is Flow.PAUSED

    def _listener_added(self, event: Any) -> None:
        if event == 'data':
            self._readable_listened = self.listener_count('readable') > 0
            if self._flow is not Flow.PAUSED:
                self.resume()
        elif event == 'readable' and not self._readable_listened:
            if self._read_state is ReadState.END_EMITTED:
                return
            self._use_events()
            self._readable_listened = self._readable_wanted = True
            self._flow = Flow.PAUSED
            self._readable_pending = False
            if self._length:
                self._schedule_readable()
            else:
                self._in_turn(self._take, 0)

    def _listener_removed(self, event: Any) -> None:
        if event == 'readable':
            self._in_turn(self._choose_mode)

    def _choose_mode(self) -> None:
        """Settle the mode after a `'readable'` listener went."""
        self._readable_listened = self.listener_count('readable') > 0
        if self._resume_pending and not self._explicitly_paused:
            self._flow = _FLOWING
        elif self.listener_count('data'):
            self.resume()
        elif not self._readable_listened:
            self._flow = Flow.UNDECIDED

    # --- encoding ---------------------------------------------------------------------------------

    def set_encoding(self, encoding: str | None = 'utf8') -> Any:
        """Deliver ``str`` instead of ``bytes`` from now on; returns the stream.

        Args:
            encoding: ``utf8`` (also for None and ``''``), ``latin1``, ``ascii``, ``utf16le``,
                ``hex``, ``base64`` or ``base64url``. Characters that arrive in pieces are held back
                until they are whole. It cannot be undone.

        Raises:
            CodedTypeError: ``ERR_UNKNOWN_ENCODING``.
        """
        decoder = StreamDecoder(encoding or 'utf8')
        buffered, self._buffer, self._length = self._buffer, None, 0
        text = ''.join(
            decoder.decode(chunk) if isinstance(chunk, bytes) else chunk for chunk in buffered or ()
        )
        if self._has_ended():
            text += decoder.flush()
        self._decoder = decoder
        if text:
            self._append(text)
        return self
