"""The reading half of a stream: buffer, modes, and the events `'data'`, `'readable'`, `'end'`.

No I/O and no gevent here: :class:`Readable` is told what arrived (``_incoming``, ``_ended``) and
asks for more through hooks, so that tests can drive it alone. The rules are Node's (its ``stream``
documentation and measurements), with one addition: bytes wait in ``_incoming`` until a runner
brings them into the stream (``_deliver``), so while a listener is blocked the next chunk waits its
turn, and blocking readers take from there without any event.

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

from collections import deque
from collections.abc import Callable
from enum import Enum
from typing import Any, Union

from . import errors
from .encodings import StreamDecoder, canonical
from .events import EventEmitter

__all__ = ['Flow', 'Readable']

#: Bytes buffered before reading stops; Node's default since v22.
HIGH_WATER_MARK = 65536

#: Node refuses to buffer more than this for one ``read(size)``: 1 GiB.
_MAX_READ_SIZE = 1 << 30

Chunk = Union[bytes, str]


class Flow(Enum):
    """The mode of a readable stream; the values are Node's ``readableFlowing``."""

    UNDECIDED = None
    FLOWING = True
    PAUSED = False


class Stage(Enum):
    """The life of a stream and the connection under it."""

    NEW = 'no connection yet'
    CONNECTING = 'a connection is being made'
    OPEN = 'connected'
    DESTROYED = "closed; 'close' is still to come"
    CLOSED = "'close' was emitted"


class ReadState(Enum):
    """How far the reading half has come."""

    OPEN = 'more may arrive'
    FIN = 'the peer has ended; its last chunks wait to be brought into the stream'
    ENDED = 'all is in the stream, perhaps not yet consumed'
    END_EMITTED = "all was consumed, and 'end' has said so"


class Delivery(Enum):
    """Whether a runner has this stream: its read events are serial."""

    IDLE = 'nothing to deliver'
    QUEUED = 'waits for a runner'
    RUNNING = 'a runner is at it, perhaps blocked in a listener'


_FLOWING = Flow.FLOWING
_GONE = (Stage.DESTROYED, Stage.CLOSED)
_AFTER_THE_LAST_CHUNK = (ReadState.ENDED, ReadState.END_EMITTED)


class Readable(EventEmitter):
    """The reading half. See the module's text; :class:`gnet.Socket` is the one user."""

    __slots__ = (
        '_buffer', '_decoder', '_delivery', '_did_read', '_encoding', '_errored',
        '_explicitly_paused', '_flow', '_incoming', '_incoming_size', '_length', '_read_mark',
        '_read_state', '_readable_listened', '_readable_pending', '_readable_wanted',
        '_resume_pending', '_stage',
    )

    def __init__(self, high_water_mark: float = HIGH_WATER_MARK, **options: Any) -> None:
        super().__init__(**options)
        self._stage = Stage.NEW
        self._errored: Any = None
        self._read_mark = high_water_mark
        self._flow = Flow.UNDECIDED
        self._read_state = ReadState.OPEN
        self._delivery = Delivery.IDLE
        #: Arrived and not yet seen by the stream; memoryviews are rests of a partly read chunk.
        self._incoming: deque[bytes | memoryview] | None = None
        self._incoming_size = 0
        #: In the stream and not yet consumed; ``_length`` counts characters once decoded.
        self._buffer: deque[Chunk] | None = None
        self._length = 0
        self._encoding: str | None = None
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

    def _emit_guarded(self, event: str, *arguments: Any) -> None:
        """Emit from a runner: what a listener raises must go where such failures go."""
        raise NotImplementedError

    def _want_data(self) -> None:
        """Read from the source if that is not going on and there is room."""
        raise NotImplementedError

    def _holds_end(self) -> bool:
        """Whether the peer's end must not take effect yet."""
        raise NotImplementedError

    def _delivered(self) -> None:
        """Do what follows a delivery, also one that was broken off by the end of its greenlet."""
        raise NotImplementedError

    def _end_consumed(self) -> None:
        """Do what follows `'end'`: called right after it was emitted."""
        raise NotImplementedError

    # --- arrival ----------------------------------------------------------------------------------

    def _deliver(self) -> None:
        """Bring what arrived into the stream, chunk by chunk. Called in a runner."""
        self._delivery = Delivery.RUNNING
        try:
            while self._incoming:
                chunk = self._incoming.popleft()
                self._incoming_size -= len(chunk)
                listeners = self._events.get('data')
                if (
                    listeners and self._flow is _FLOWING and not self._length
                    and self._decoder is None and type(chunk) is bytes
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
            if self._read_state is ReadState.FIN and not self._holds_end():
                self._push_end()
        finally:
            self._delivery = Delivery.IDLE
            self._delivered()

    def _listener_failed(self, event: str, error: BaseException) -> None:
        """Route what a listener of *event* raised; raises it again if it ends the program."""
        raise NotImplementedError

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
                if self._flow is _FLOWING and not self._length and self.listener_count('data'):
                    self._emit_guarded('data', rest)
                else:
                    self._append(rest)
        self._readable_wanted = False
        self._emit_readable()
        if not self._length:
            self._tick(self._emit_end)

    def _schedule_readable(self) -> None:
        self._readable_wanted = False
        if not self._readable_pending:
            self._readable_pending = True
            self._tick(self._emit_readable)

    def _emit_readable(self) -> None:
        ended = self._has_ended()
        if not self.destroyed and self._errored is None and (self._length or ended):
            self._emit_guarded('readable')
            self._readable_pending = False
        self._readable_wanted = (
            self._flow is not _FLOWING and not ended and self._length <= self._read_mark
        )
        self._pour()

    def _pour(self) -> None:
        """Emit what is buffered for as long as the mode is flowing."""
        while self._flow is _FLOWING and self._take() is not None:
            pass

    def _emit_end(self) -> None:
        if (
            self._read_state is ReadState.ENDED and not self._length and not self._incoming
            and self._errored is None and self._stage is not Stage.CLOSED
        ):
            self._read_state = ReadState.END_EMITTED
            self._emit_guarded('end')
            self._end_consumed()

    # --- consumption ------------------------------------------------------------------------------

    def read(self, size: int | None = None) -> Chunk | None:
        """Take data out of the buffer without blocking (Node's ``readable.read``).

        Args:
            size: how many bytes (characters after :meth:`set_encoding`) are wanted; None for all
                there is, as one chunk (the first chunk in flowing mode). 0 takes nothing and only
                sees to it that reading goes on.

        Returns:
            The data, which `'data'` listeners get too; None when less than *size* is there. After
            the peer has ended, what is left is returned even if it is less.

        Raises:
            CodedValueError: ``ERR_OUT_OF_RANGE`` for more than 1 GiB.
        """
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
                self._tick(self._emit_end)
            return None
        count = self._readable_now(size)
        if count == 0 and ended:
            if not self._length:
                self._tick(self._emit_end)
            return None
        if not ended and (self._readable_wanted or self._length - count < self._read_mark):
            self._want_data()
        if count <= 0:
            self._readable_wanted = self._length <= self._read_mark
            if not self._length and not ended:
                self._readable_wanted = True
            return None
        chunk = self._cut(count)
        if not self._length:
            if not ended:
                self._readable_wanted = True
            elif size != count:
                self._tick(self._emit_end)
        if self._errored is None and self._stage is not Stage.CLOSED:
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

    def unshift(self, chunk: Chunk) -> bool:
        """Put *chunk* back in front of what is buffered; returns whether there is room for more.

        For a consumer that took too much: the next read or `'data'` begins with it. Bytes are
        decoded first where an encoding is set.
        """
        if self._decoder is not None and isinstance(chunk, bytes):
            chunk = self._decoder.decode(chunk)
        if chunk:
            if self._buffer is None:
                self._buffer = deque()
            self._buffer.appendleft(chunk)
            self._length += len(chunk)
            if self._readable_wanted:
                self._schedule_readable()
        return not self._has_ended() and self._length < self._read_mark

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
            self._check_event_style()
            # A 'readable' listener keeps its stream from flowing, whatever is called.
            self._flow = Flow.PAUSED if self._readable_listened else _FLOWING
            if not self._resume_pending:
                self._resume_pending = True
                self._tick(self._resumed)
        self._explicitly_paused = False
        return self

    def _resumed(self) -> None:
        self._take(0)
        self._resume_pending = False
        self._emit_guarded('resume')
        self._pour()
        self._want_data()

    def is_paused(self) -> bool:
        """Return whether :meth:`pause` (or ``pause_on_connect``) holds the stream."""
        return self._explicitly_paused or (
            self._flow is Flow.PAUSED and not self._readable_listened
        )

    def _check_event_style(self) -> None:
        """Raise if a greenlet is blocked in a read: hook for streams that have such reads."""

    def _listener_added(self, event: Any) -> None:
        if event == 'data':
            self._readable_listened = self.listener_count('readable') > 0
            if self._flow is not Flow.PAUSED:
                self.resume()
        elif event == 'readable' and not self._readable_listened:
            if self._read_state is ReadState.END_EMITTED:
                return
            self._check_event_style()
            self._readable_listened = self._readable_wanted = True
            self._flow = Flow.PAUSED
            self._readable_pending = False
            if self._length:
                self._schedule_readable()
            else:
                self._tick(self._take, 0)

    def _listener_removed(self, event: Any) -> None:
        if event == 'readable':
            self._tick(self._choose_mode)

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
            encoding: ``utf8`` (also for None), ``latin1``, ``ascii``, ``utf16le``, ``hex``,
                ``base64`` or ``base64url``. Characters that arrive in pieces are held back until
                they are whole. It cannot be undone.

        Raises:
            CodedTypeError: ``ERR_UNKNOWN_ENCODING``.
        """
        name = canonical('utf8' if encoding is None else encoding)
        decoder = StreamDecoder(name)
        buffered, self._buffer, self._length = self._buffer, None, 0
        text = ''.join(
            decoder.decode(chunk) if isinstance(chunk, bytes) else chunk for chunk in buffered or ()
        )
        self._encoding, self._decoder = name, decoder
        if text:
            self._append(text)
        return self

    # --- properties -------------------------------------------------------------------------------

    @property
    def destroyed(self) -> bool:
        """Whether the stream was destroyed, by its owner, by an error, or after both ends."""
        return self._stage in _GONE

    @property
    def closed(self) -> bool:
        """Like :attr:`destroyed`: true at once, before `'close'` is emitted."""
        return self._stage in _GONE

    @property
    def errored(self) -> Any:
        """The error that the stream was destroyed with, else None."""
        return self._errored

    @property
    def readable_flowing(self) -> bool | None:
        """Node's name of the mode: None undecided, True flowing, False paused."""
        return self._flow.value

    @property
    def readable_length(self) -> int:
        """What is buffered, in bytes (in characters after :meth:`set_encoding`)."""
        return self._length + self._incoming_size

    @property
    def readable_high_water_mark(self) -> float:
        """The amount of buffered data at which reading stops, in bytes."""
        return self._read_mark

    @property
    def readable_encoding(self) -> str | None:
        """The encoding set by :meth:`set_encoding`, else None."""
        return self._encoding

    @property
    def readable_ended(self) -> bool:
        """Whether `'end'` was emitted."""
        return self._read_state is ReadState.END_EMITTED

    @property
    def readable_did_read(self) -> bool:
        """Whether data was ever delivered."""
        return self._did_read

    @property
    def readable_aborted(self) -> bool:
        """Whether the stream was destroyed or failed before `'end'`."""
        return (self.destroyed or self._errored is not None) and not self.readable_ended

    @property
    def readable(self) -> bool:
        """Whether data or `'end'` may still come."""
        return not self.destroyed and self._read_state is not ReadState.END_EMITTED
