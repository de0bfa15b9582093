"""The writing half of a stream: queue, back-pressure, and `'drain'`, `'prefinish'`, `'finish'`.

No I/O and no gevent here: :class:`Writable` sends and waits through hooks. The rules are Node's:

- A write goes to the kernel at once when nothing is queued; what the kernel does not take is *in
  flight* until it does, and later writes queue behind it, to be sent together.
- ``write()`` returns False when what is queued reaches the high-water mark; `'drain'` follows once,
  when the queue is completely empty. Nothing forces a caller to obey.
- Callbacks run on a tick, in the order of the writes; `'drain'` comes before the callback of the
  write that emptied the queue, all callbacks before `'finish'`.
- `'finish'` says: ended, everything in the kernel, FIN sent.
"""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Callable
from enum import Enum
from typing import Any, Optional, Union

from . import errors
from .encodings import canonical, encode
from .readable import HIGH_WATER_MARK, Readable, Stage

__all__ = ['Writable', 'WriteState']

#: How many queued chunks one system call may gather. Linux allows 1024 (IOV_MAX); beyond a few
#: hundred the cost per chunk no longer falls.
MAX_GATHERED = 256

Callback = Optional[Callable[[Optional[BaseException]], object]]
Bytes = Union[bytes, memoryview]


class WriteState(Enum):
    """How far the writing half has come."""

    OPEN = 'writes are taken'
    ENDING = 'end() was called; the queue is being sent'
    SHUT = 'everything was sent, and the FIN'
    FINISHED = "'finish' was emitted"


_OPEN = WriteState.OPEN
_CONNECTED = Stage.OPEN
_GONE = (Stage.DESTROYED, Stage.CLOSED)


class WriteRequest:
    """One chunk on its way to the kernel."""

    __slots__ = ('callback', 'data', 'units')

    def __init__(self, data: Bytes, units: int, callback: Callback) -> None:
        #: What is still to be sent.
        self.data = data
        #: What the whole chunk counts in ``writable_length``: characters of a str, else bytes.
        self.units = units
        self.callback = callback


class Writable(Readable):
    """The writing half, on top of the reading one: together Node's Duplex stream."""

    __slots__ = (
        '_bytes_sent', '_corked', '_default_encoding', '_end_callbacks', '_in_flight',
        '_needs_drain', '_pending_callbacks', '_queue', '_queued_bytes', '_queued_units', '_send',
        '_write_mark', '_write_state',
    )

    def __init__(
        self, high_water_mark: float = HIGH_WATER_MARK,
        writable_high_water_mark: float | None = None, **options: Any,
    ) -> None:
        super().__init__(high_water_mark, **options)
        self._write_mark = (
            high_water_mark if writable_high_water_mark is None else writable_high_water_mark
        )
        self._write_state = WriteState.OPEN
        #: Sends without waiting and returns how many bytes were taken; raises OSError, and
        #: BlockingIOError when none were. Set when the stage becomes OPEN.
        self._send: Callable[[Bytes], int]
        self._queue: deque[WriteRequest] | None = None
        #: The requests at the head that the kernel has been offered; None while it takes all.
        self._in_flight: list[WriteRequest] | None = None
        self._queued_units = 0
        self._queued_bytes = 0
        self._bytes_sent = 0
        self._corked = 0
        self._needs_drain = False
        self._pending_callbacks = 0
        self._end_callbacks: list[Callback] | None = None
        self._default_encoding = 'utf8'

    # --- hooks ------------------------------------------------------------------------------------

    def _later(self, callback: Callable[..., object], *arguments: Any) -> None:
        """Run *callback* at least one poll from now."""
        raise NotImplementedError

    def _send_gathered(self, chunks: list[Bytes]) -> int:
        """Like ``_send`` for several chunks, in one system call."""
        raise NotImplementedError

    def _watch_writable(self, on: bool) -> None:
        """Have :meth:`_continue_sending` called when the kernel takes more, or no longer."""
        raise NotImplementedError

    def _shut_down_writing(self) -> None:
        """Send the FIN. Raises OSError."""
        raise NotImplementedError

    def _refusal(self) -> BaseException:
        """The error of a write that the present state does not allow."""
        raise NotImplementedError

    def _call_guarded(self, callback: Callable[..., object], *arguments: Any) -> None:
        """Call a user's callback from a runner: what it raises must go where failures go."""
        raise NotImplementedError

    def destroy(self, error: BaseException | None = None) -> Any:
        """Close at once."""
        raise NotImplementedError

    # --- writing ----------------------------------------------------------------------------------

    def write(self, chunk: Any, encoding: Any = None, callback: Callback = None) -> bool:
        """Send *chunk*, or queue what the kernel does not take; never blocks.

        Args:
            chunk: ``bytes`` or another bytes-like object (``bytearray``, ``memoryview``,
                ``array``), whose content is taken now, or a ``str``.
            encoding: of a ``str``: ``utf8`` (the default), ``latin1``, ``ascii``, ``utf16le``,
                ``hex``, ``base64`` or ``base64url``. May be left out before *callback*.
            callback: called once with None when the kernel has taken all of the chunk, or with
                the error that prevented it.

        Returns:
            False when the caller should wait for `'drain'` before it writes on, or the chunk was
            refused; True otherwise. A write after :meth:`end` or ``destroy()`` is refused: its
            callback gets the error, and after ``end()`` the stream is destroyed with it.

        Raises:
            CodedTypeError: for a chunk of another type (``ERR_INVALID_ARG_TYPE``), None
                (``ERR_STREAM_NULL_VALUES``) or an ``ERR_UNKNOWN_ENCODING``, in any state.
        """
        if type(chunk) is bytes and encoding is None:
            data, units = chunk, len(chunk)
        else:
            if callback is None and callable(encoding):
                encoding, callback = None, encoding
            data, units = self._encode(chunk, encoding)
        if callback is not None and not callable(callback):
            callback = None
        if self._write_state is not _OPEN or self._stage in _GONE:
            return self._refuse(callback)
        if self._in_flight is not None or self._corked or self._stage is not _CONNECTED:
            self._enqueue(WriteRequest(data, units, callback))
        else:
            try:
                sent = self._send(data)
            except BlockingIOError:
                sent = 0
            except OSError as error:
                self._write_failed(error, callback)
                return False
            self._bytes_sent += sent
            if sent == len(data):
                if callback is not None:
                    self._pending_callbacks += 1
                    self._tick(self._written, (callback,))
                return True
            request = WriteRequest(memoryview(data)[sent:], units, callback)
            self._in_flight = [request]
            self._queued_units += units
            self._queued_bytes += len(data) - sent
            self._pending_callbacks += 1
            self._watch_writable(True)
        if self._queued_units < self._write_mark:
            return True
        self._needs_drain = True
        return False

    def _enqueue(self, request: WriteRequest) -> None:
        if self._queue is None:
            self._queue = deque()
        self._queue.append(request)
        self._queued_units += request.units
        self._queued_bytes += len(request.data)
        self._pending_callbacks += 1

    def _encode(self, chunk: Any, encoding: Any) -> tuple[bytes, int]:
        """Return *chunk* as bytes, and what it counts in ``writable_length``."""
        if chunk is None:
            raise errors.null_chunk()
        name = self._default_encoding
        if encoding is not None:
            name = canonical(encoding)
        if isinstance(chunk, str):
            return encode(chunk, name), len(chunk)
        if isinstance(chunk, bytes):
            return chunk, len(chunk)
        if isinstance(chunk, (bytearray, memoryview, array)):
            # A copy: the caller may change or resize its object while the rest is queued.
            data = bytes(chunk)
            return data, len(data)
        raise errors.invalid_arg_type(
            'chunk', 'of type string or an instance of Buffer, TypedArray, or DataView', chunk,
        )

    def _refuse(self, callback: Callback) -> bool:
        error = self._refusal()
        if callback is not None:
            self._tick(self._call_guarded, callback, error)
        if not self.destroyed:
            self.destroy(error)
        return False

    def _write_failed(self, error: OSError, callback: Callback) -> None:
        failure = errors.system_error(error.errno or 0, 'write')
        if callback is not None:
            self._tick(self._call_guarded, callback, failure)
        self.destroy(failure)

    def _written(self, callbacks: tuple[Callback, ...]) -> None:
        """Say that requests are in the kernel; runs in a tick."""
        if (
            self._needs_drain and not self._queued_units and not self.destroyed
            and self._write_state is WriteState.OPEN
        ):
            self._needs_drain = False
            self._emit_guarded('drain')
        for callback in callbacks:
            self._pending_callbacks -= 1
            if callback is not None:
                self._call_guarded(callback, None)
        if self._write_state is WriteState.SHUT and not self._pending_callbacks:
            self._tick(self._finish)

    # --- sending the queue ------------------------------------------------------------------------

    def _continue_sending(self) -> None:
        """Send what the kernel takes now: runs in the hub when it said so, or in any caller."""
        done: list[Callback] = []
        try:
            while self._in_flight or self._next_batch():
                batch = self._in_flight
                assert batch is not None
                try:
                    if len(batch) == 1:
                        sent = self._send(batch[0].data)
                    else:
                        sent = self._send_gathered([request.data for request in batch])
                except BlockingIOError:
                    sent = 0
                self._bytes_sent += sent
                self._queued_bytes -= sent
                while batch and sent >= len(batch[0].data):
                    request = batch.pop(0)
                    sent -= len(request.data)
                    self._queued_units -= request.units
                    done.append(request.callback)
                if batch:
                    batch[0].data = memoryview(batch[0].data)[sent:]
                    self._watch_writable(True)
                    break
            else:
                self._in_flight = None
                self._watch_writable(False)
                if self._write_state is WriteState.ENDING:
                    self._shut()
        except OSError as error:
            self._sending_failed(error, done)
            return
        if done:
            self._tick(self._written, tuple(done))

    def _next_batch(self) -> bool:
        """Move what is queued, as far as one system call goes, into flight."""
        queue = self._queue
        if not queue or (self._corked and self._write_state is WriteState.OPEN):
            return False
        self._in_flight = [queue.popleft() for _ in range(min(len(queue), MAX_GATHERED))]
        return True

    def _sending_failed(self, error: OSError, done: list[Callback]) -> None:
        """The connection broke under what was in flight: its callbacks come before `'error'`."""
        if done:
            self._tick(self._written, tuple(done))
        failure = errors.system_error(error.errno or 0, 'write')
        batch, self._in_flight = self._in_flight, None
        for request in batch or ():
            self._pending_callbacks -= 1
            if request.callback is not None:
                self._tick(self._call_guarded, request.callback, failure)
        self.destroy(failure)

    def _take_unsent(self) -> tuple[list[WriteRequest], list[WriteRequest], list[Callback]]:
        """Give up what was not sent: requests in flight, queued ones, callbacks of ``end()``."""
        in_flight = self._in_flight or []
        queued = list(self._queue or ())
        callbacks = self._end_callbacks or []
        self._in_flight = self._queue = self._end_callbacks = None
        self._queued_units = 0
        return in_flight, queued, callbacks

    # --- corking ----------------------------------------------------------------------------------

    def cork(self) -> None:
        """Only queue until the matching :meth:`uncork`, to send many small chunks as one."""
        self._corked += 1

    def uncork(self) -> None:
        """Undo one :meth:`cork`; the last one sends what is queued in one system call."""
        if self._corked:
            self._corked -= 1
            if not self._corked:
                self._flush()

    def _flush(self) -> None:
        if self._queue and self._in_flight is None and self._stage is _CONNECTED:
            self._continue_sending()

    # --- ending -----------------------------------------------------------------------------------

    def end(self, chunk: Any = None, encoding: Any = None, callback: Callback = None) -> Any:
        """Send *chunk* if given, then what is queued, then the FIN; returns the stream.

        Reading goes on until the peer ends too. *encoding* and *chunk* may be left out before
        *callback*, which is called with None when the FIN was sent, just before `'finish'`, or
        with the error that prevented it.
        """
        if callable(chunk):
            chunk, encoding, callback = None, None, chunk
        elif callback is None and callable(encoding):
            encoding, callback = None, encoding
        if not callable(callback):
            callback = None
        refused = None
        if chunk is not None:
            state = self._write_state
            if state is not WriteState.OPEN or self.destroyed:
                self._encode(chunk, encoding)
                refused = self._refusal()
            else:
                self.write(chunk, encoding)
        if refused is None and self._write_state is WriteState.OPEN and self._errored is None:
            self._write_state = WriteState.ENDING
            self._corked = 0
            if callback is not None and not self.destroyed:
                self._add_end_callback(callback)
                callback = None
            self._flush()
            if not self._queued_units and self._in_flight is None:
                self._shut()
        elif refused is not None and not self.destroyed:
            self.destroy(refused)
        if callback is not None:
            self._answer_late_end(callback, refused)
        return self

    def _answer_late_end(self, callback: Callback, refused: BaseException | None) -> None:
        """Answer the callback of an ``end()`` that changed nothing."""
        assert callback is not None
        error = refused
        if error is None and self._write_state is WriteState.FINISHED:
            error = errors.state_error('ERR_STREAM_ALREADY_FINISHED')
        elif error is None and self.destroyed:
            error = errors.stream_destroyed('end')
        if error is None:
            self._add_end_callback(callback)
        else:
            self._tick(self._call_guarded, callback, error)

    def _add_end_callback(self, callback: Callback) -> None:
        if self._end_callbacks is None:
            self._end_callbacks = []
        self._end_callbacks.append(callback)

    def _shut(self) -> None:
        """Everything is in the kernel: send the FIN. May run in the hub."""
        if self._stage is not _CONNECTED:
            return
        try:
            self._shut_down_writing()
        except OSError as error:
            self.destroy(errors.system_error(error.errno or 0, 'shutdown'))
            return
        # Node hears of the completed shutdown in a later phase of its loop.
        self._later(self._shut_done)

    def _shut_done(self) -> None:
        if self.destroyed or self._write_state is not WriteState.ENDING:
            return
        self._write_state = WriteState.SHUT
        self._emit_guarded('prefinish')
        if not self._pending_callbacks:
            self._tick(self._finish)

    def _finish(self) -> None:
        if self.destroyed or self._write_state is not WriteState.SHUT:
            return
        self._write_state = WriteState.FINISHED
        callbacks, self._end_callbacks = self._end_callbacks, None
        for callback in callbacks or ():
            assert callback is not None
            self._call_guarded(callback, None)
        self._emit_guarded('finish')
        if self.readable_ended:
            self.destroy()

    # --- properties -------------------------------------------------------------------------------

    def set_default_encoding(self, encoding: str) -> Any:
        """Set the encoding of ``str`` chunks that come without one; returns the stream."""
        self._default_encoding = canonical(encoding)
        return self

    @property
    def bytes_written(self) -> int:
        """Bytes accepted by :meth:`write` so far, those still queued included."""
        return self._bytes_sent + self._queued_bytes

    @property
    def writable_length(self) -> int:
        """What is queued: a str counts its characters, other chunks their bytes, until all sent."""
        return self._queued_units

    @property
    def writable_high_water_mark(self) -> float:
        """The queued amount from which on :meth:`write` returns False."""
        return self._write_mark

    @property
    def writable_need_drain(self) -> bool:
        """Whether a write returned False and `'drain'` will follow."""
        return (
            self._needs_drain and not self.destroyed and self._write_state is WriteState.OPEN
        )

    @property
    def writable_corked(self) -> int:
        """How many :meth:`uncork` calls are missing."""
        return self._corked

    @property
    def writable_ended(self) -> bool:
        """Whether :meth:`end` was called."""
        return self._write_state is not WriteState.OPEN

    @property
    def writable_finished(self) -> bool:
        """Whether everything was sent, the FIN too; true from just before `'finish'` on."""
        return self._write_state is WriteState.FINISHED

    @property
    def writable(self) -> bool:
        """Whether :meth:`write` would be taken."""
        return (
            self._write_state is WriteState.OPEN and not self.destroyed and self._errored is None
        )
