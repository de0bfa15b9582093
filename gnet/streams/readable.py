"""The reading half of a stream: buffer, modes, and the events `'data'`, `'readable'`, `'end'`.

No I/O and no gevent here: what arrives comes from a wire (``streams/wire.py``), so that tests can
drive it alone. The rules are Node's (its ``stream`` documentation and measurements);
:mod:`gnet.streams.delivery` has what comes before them.

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
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any

from ..node import coded_errors
from ..node.threads import get_ident
from .delivery import BLOCKING, Chunk
from .encodings import StreamDecoder, as_bytes, canonical, encode
from .piping import Pipe
from .readable_state import ReadableState
from .states import (
    ACTIVE,
    END_EMITTED,
    FLOWING,
    FULL,
    GONE,
    GREENLET,
    IDLE,
    NOBODY,
    NOT_ENDED,
    NOT_STARTED,
    PAUSED,
    QUEUED,
    SILENT,
    UNDECIDED,
)

__all__ = ['OF_READING', 'Readable']

#: Events whose listeners change how a stream is read.
OF_READING = frozenset(('data', 'readable', 'end'))

#: Node refuses to buffer more than this for one ``read(size)``: 1 GiB.
_MAX_READ_SIZE = 1 << 30


class Readable(ReadableState):
    """The reading half. See the module's text; :class:`gnet.Socket` is the one user."""

    __slots__ = ()

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
        if get_ident() != self._loop.thread:
            self._loop.check_thread()
        if self._wire.taker in BLOCKING:
            self._use_events()
            for chunk in self._wire.take_all():
                self._push_quietly(bytes(chunk))
        if isinstance(size, float):
            # What JavaScript's parseInt makes of it.
            size = int(size) if math.isfinite(size) else None
        if size is not None:
            if size > _MAX_READ_SIZE:
                raise coded_errors.out_of_range('size', '<= 1GiB', size)
            if size > self._read_mark:
                self._read_mark = 1 << (size - 1).bit_length()
        if self._wire.stopped:
            self._wire.go_on()
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
            self._readable_wanted or not self._length or self._length - count < self._read_mark)
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
        if chunk is not None and self._stage not in SILENT:
            self._did_read = True
            self._emit_guarded('data', chunk)
        return chunk

    def _is_full(self) -> bool:
        return self._length >= self._read_mark if self._read_mark else self._length > 0

    def _readable_now(self, size: int | None) -> int:
        """How many units a read of *size* gets at this moment."""
        if not self._length or not self._buffer:
            return 0
        if size is None:
            return len(self._buffer[0]) if self._flow is FLOWING else self._length
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
        except coded_errors.CodedTypeError as error:
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
        if self._read_state is END_EMITTED:
            self.destroy(coded_errors.state_error('ERR_STREAM_UNSHIFT_AFTER_END_EVENT'))
            return False
        if self._stage in GONE or self._errored is not None:
            return False
        if self._wire.taker in BLOCKING and isinstance(chunk, bytes):
            self._wire.offer(chunk)
        elif (
            self._flow is FLOWING and not self._length and self._events.get('data')
            and self._wire.reading is not NOT_STARTED  # 'resume' is still to come
        ):
            self._did_read = True
            self._emit_guarded('data', chunk)
        else:
            if self._buffer is None:
                self._buffer = deque()
            self._buffer.appendleft(chunk)
            self._length += len(chunk)
            if self._readable_wanted:
                self._schedule_readable()
            self._in_turn(self._read_again)
        return True

    def _read_again(self) -> None:
        """What was put back has seen to it that reading goes on: as in Node, unless it does."""
        if self._wire.reading in (FULL, NOT_STARTED):
            self._read_more()

    def _pour(self) -> None:
        """Emit what is buffered for as long as the mode is flowing."""
        # As in Node, what was buffered is not held back by a destroy() that comes meanwhile.
        while self._flow is FLOWING and self._take() is not None:
            if self._length and self._loop.is_late():
                self._in_turn(self._pour)
                return

    # --- modes ------------------------------------------------------------------------------------

    def pause(self) -> Any:
        """Stop emitting `'data'`; returns the stream.

        What arrives is buffered up to the high-water mark, so the peer's end or reset is still
        noticed while there is room.
        """
        if get_ident() != self._loop.thread:
            self._loop.check_thread()
        if self._flow is not PAUSED:
            self._flow = PAUSED
            self.emit('pause')
        self._explicitly_paused = True
        return self

    def resume(self) -> Any:
        """Let data flow, from the next tick on; without a `'data'` listener it is dropped.

        Returns the stream. `'resume'` is emitted when it starts.
        """
        if get_ident() != self._loop.thread:
            self._loop.check_thread()
        if self._flow is not FLOWING:
            wire = self._wire
            taker = wire.taker  # (Not "in BLOCKING": as in Delivery._deliver.)
            if wire.reader is not None or taker is GREENLET or taker is NOBODY:
                self._use_events()
            # What _start_flowing() does, without its calls.
            self._flow = PAUSED if self._readable_listened else FLOWING
            self._settle_keeping()
            if not self._resume_pending:
                self._resume_pending = True
                loop = self._loop
                loop.ticks.append((self._resume_in_turn, (), wire.context))
                if not loop.wake_scheduled:
                    loop.schedule_wake()
        self._explicitly_paused = False
        if self._wire.stopped:
            self._wire.go_on()
        return self

    def _start_flowing(self) -> None:
        # A 'readable' listener keeps its stream from flowing, whatever is called.
        self._flow = PAUSED if self._readable_listened else FLOWING
        self._settle_keeping()
        if not self._resume_pending:
            self._resume_pending = True
            self._tick(self._resume_in_turn)

    def _resume_in_turn(self) -> None:
        wire = self._wire
        if (
            wire.reading is ACTIVE and not self._length and self._read_state is NOT_ENDED
            and (wire.delivery is QUEUED or (wire.delivery is IDLE and not wire.arrived))
            and 'resume' not in self._events and self._plain_emit
        ):
            # Most often: nothing was buffered, and nobody waits for this. What _take_turn() and
            # _resumed() do then, without their calls.
            self._readable_wanted = True
            self._resume_pending = False
        else:
            self._take_turn(self._resumed, ())

    def _resume_next(self) -> None:
        """Do what :meth:`resume` has put on a tick, if that is all that comes next.

        For a caller after whom the next tick runs at once: it costs a switch to a runner less.
        """
        ticks = self._loop.ticks
        if (
            len(ticks) == 1 and ticks[0][0] == self._resume_in_turn
            and 'resume' not in self._events and self._plain_emit
            and self._wire.reading is ACTIVE and not self._length and self._wire.delivery is IDLE
            and not self._wire.arrived and self._read_state is NOT_ENDED
        ):
            ticks.clear()
            self._readable_wanted = True
            self._resume_pending = False

    def _resumed(self) -> None:
        self._take(0)
        self._resume_pending = False
        self._emit_guarded('resume')
        self._pour()
        if self._flow is FLOWING:  # else what has been taken has seen to it, if there is room
            self._want_data()

    def is_paused(self) -> bool:
        """Return whether ``pause()``, ``pause_on_connect`` or a `'readable'` listener holds it."""
        return self._explicitly_paused or self._flow is PAUSED

    def _listener_wanted(self, event: Any) -> None:
        # For on(), add_listener() and once(): each connection comes by them.
        if get_ident() != self._loop.thread:
            self._loop.check_thread()
        # What _listener_added() would raise, before the listener is there.
        if self._wire.reader is not None and (
            (event == 'data' and self._flow is UNDECIDED)
            or (event == 'readable' and not self._readable_listened)
        ):
            raise coded_errors.state_error('ERR_READING_IN_BLOCKING_STYLE')

    def _listener_added(self, event: Any) -> None:
        if event == 'data':
            if 'readable' in self._events:
                self._readable_listened = True  # one that was added after 'end'
            if self._flow is not PAUSED:
                self.resume()
        elif event == 'readable' and not self._readable_listened:
            if self._read_state is END_EMITTED:
                return
            self._use_events()
            self._readable_listened = self._readable_wanted = True
            self._flow = PAUSED
            self._readable_pending = False
            if self._length:
                self._schedule_readable()
            else:
                self._in_turn(self._take, 0)
        elif event == 'end' and self._wire.ended and self._read_state is NOT_ENDED:
            # It was held for somebody who was at work, or nobody was there to be told.
            self._wire.announce()
            self._offer_end()

    def _listener_removed(self, event: Any) -> None:
        if event == 'readable':
            self._in_turn(self._choose_mode)

    def _choose_mode(self) -> None:
        """Settle the mode after a `'readable'` listener went."""
        self._readable_listened = self.listener_count('readable') > 0
        if self._resume_pending and not self._explicitly_paused:
            self._flow = FLOWING
        elif self.listener_count('data'):
            if self._wire.taker not in BLOCKING:  # put in front, it has not been noticed
                self.resume()
        elif not self._readable_listened:
            self._flow = UNDECIDED

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
        decoder = StreamDecoder('utf8' if encoding in (None, '') else encoding)
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

    # --- piping -----------------------------------------------------------------------------------

    def pipe(self, destination: Any, options: Any = None, *, end: bool = True) -> Any:
        """Write what arrives here to *destination*, at the pace it takes; returns *destination*.

        Args:
            destination: another socket, or any object with ``write(chunk)`` and ``end()``. If it
                is an emitter, ``write`` returning False waits for its `'drain'`.
            options: the next one as a mapping, as in Node.
            end: whether `'end'` here ends *destination* too.
        """
        if isinstance(options, Mapping):
            end = options.get('end', end) is not False
        Pipe(self, destination, end)
        return destination

    def unpipe(self, destination: Any = None) -> Any:
        """Undo :meth:`pipe` for *destination*, or for all; returns the socket, now paused."""
        pipes = self._pipes or []
        if destination is not None:
            for pipe in pipes:
                if pipe.destination is destination:
                    pipe.close()
                    break
        elif pipes:
            self._pipes = None
            self.pause()
            with ExitStack() as all_of_them:  # also if a listener of 'unpipe' raises
                for pipe in reversed(pipes):
                    all_of_them.callback(pipe.part)
        return self
