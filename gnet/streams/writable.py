"""The writing half of a stream: queue, back-pressure, and `'drain'`, `'prefinish'`, `'finish'`.

No I/O and no gevent here: :class:`Writable` sends and waits through hooks. The rules are Node's:

- A write goes to the kernel at once when nothing is queued; what the kernel does not take is *in
  flight* until it does, and later writes queue behind it, to be sent together.
- ``write()`` returns False when what is queued reaches the high-water mark; `'drain'` follows once,
  when the queue is completely empty. Nothing forces a caller to obey.
- Callbacks run on a tick each, in the order of the writes; `'drain'` comes before the callback of
  the write that emptied the queue, all callbacks before `'finish'`. One that blocks holds up none
  of the others.
- `'finish'` says: ended, everything in the kernel, FIN sent.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any, Optional, Union

from ..node import coded_errors, system_errors
from ..node.values import truthy
from .delivery import HIGH_WATER_MARK
from .encodings import as_bytes, canonical, encode
from .readable import Readable
from .states import (
    CLOSED,
    CONNECTED,
    CONNECTING,
    END_EMITTED,
    ENDING,
    FINISHED,
    GONE,
    NEW,
    SHUT,
    WRITABLE,
)

__all__ = [
    'BlockingRequest',
    'Writable',
    'WriteRequest',
]

#: How many queued chunks one system call may gather. Linux allows 1024 (IOV_MAX); beyond a few
#: hundred the cost per chunk no longer falls.
MAX_GATHERED = 256

#: Chunks that are smaller than this, in bytes, on average are joined: to copy them costs less than
#: to have the kernel gather them (2-3 us of 7 less for 50 of 20 bytes; no difference at 2,000).
JOINED_SIZE = 2000
Callback = Optional[Callable[[Optional[BaseException]], object]]
Bytes = Union[bytes, memoryview]


def _nothing(_error: BaseException | None) -> None:
    """The callback of a write that has none."""


class WriteRequest:
    """One chunk on its way to the kernel."""

    __slots__ = ('callback', 'data', 'units')

    def __init__(self, data: Bytes, units: int, callback: Callback) -> None:
        #: What is still to be sent; empty when all was, or the request was given up.
        self.data = data
        #: What the whole chunk counts in ``writable_length``: characters of a str, else bytes.
        self.units = units
        self.callback = callback


class BlockingRequest(WriteRequest):
    """One that a greenlet is blocked in."""

    __slots__ = ()


#: Requests in flight, queued ones, callbacks of ``end()``.
Unsent = tuple[list[WriteRequest], list[WriteRequest], list[Callable[..., object]]]


class Writable(Readable):
    """The writing half, on top of the reading one: together Node's Duplex stream."""

    __slots__ = (
        '_begun', '_bytes_sent', '_corked', '_default_encoding', '_end_callbacks', '_in_flight',
        '_needs_drain', '_pending_callbacks', '_queue', '_queued_bytes', '_queued_units',
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
        self._write_state = WRITABLE
        self._queue: deque[WriteRequest] | None = None
        #: The requests at the head that the kernel has been offered; None while it takes all.
        self._in_flight: list[WriteRequest] | None = None
        #: How many at the head of the queue were begun with, and wait for the connection.
        self._begun = 0
        self._queued_units = 0
        self._queued_bytes = 0
        self._bytes_sent = 0
        self._corked = 0
        self._needs_drain = False
        self._pending_callbacks = 0
        self._end_callbacks: list[Callable[..., object]] | None = None
        self._default_encoding = 'utf8'

    # --- hooks ------------------------------------------------------------------------------------

    def _soon(self, callback: Callable[[], object]) -> None:
        """Call *callback* in the hub, when what waits for runners is done, before the next poll."""
        raise NotImplementedError

    def _send(self, data: Bytes) -> int:
        """Send without waiting; return how many bytes were taken.

        Raises OSError, and BlockingIOError when none were. Called when there is a connection.
        """
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

    def _send_when_connected(self) -> None:
        """Have :meth:`_send_first` called when the connection is there, once."""
        raise NotImplementedError

    def _refusal(self, ending: bool = False) -> BaseException:
        """The error of a write, or of the chunk of an ``end()``, that the state does not allow."""
        raise NotImplementedError

    def _call_guarded(self, callback: Callable[..., object], *arguments: Any) -> None:
        """Call a user's callback from a runner: what it raises must go where failures go."""
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
        if (
            self._stage is not CONNECTED or self._write_state is not WRITABLE
            or self._in_flight is not None or self._queue or self._corked
        ):
            if self._write_state is not WRITABLE or self._stage in GONE:
                return self._refuse(callback)
            if self._stage is NEW and not self._corked and self._errored is None:
                self._fail_with(self._refusal(), 0, callback)
                return False
            self._enqueue(WriteRequest(data, units, callback))
            if self._errored is not None:
                return False  # a write before it has failed
            if self._stage is CONNECTING:
                self._flush()
        else:
            try:
                sent = self._send(data)
            except BlockingIOError:
                sent = 0
            except OSError as error:
                self._write_failed(error, len(data), callback)
                return False
            self._bytes_sent += sent
            if sent == len(data):
                if callback is not None:
                    self._pending_callbacks += 1
                    self._tick(self._written, callback)
                return True
            request = WriteRequest(memoryview(data)[sent:], units, callback)
            self._in_flight = [request]
            self._queued_units += units
            self._queued_bytes += len(data) - sent
            self._pending_callbacks += 1
            self._watch_writable(True)
        if self._queued_units < self._write_mark or not self._queued_units:
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

    def set_default_encoding(self, encoding: str) -> Any:
        """Set the encoding of ``str`` chunks that come without one; returns the stream."""
        self._default_encoding = canonical(encoding)
        return self

    def _encode(self, chunk: Any, encoding: Any) -> tuple[bytes, int]:
        """Return *chunk* as bytes, and what it counts in ``writable_length``."""
        if chunk is None:
            raise coded_errors.null_chunk()
        is_text = isinstance(chunk, str)
        name = self._default_encoding
        # Node takes what is false in JavaScript for none, and 'buffer' for bytes.
        if truthy(encoding) and (is_text or encoding != 'buffer'):
            name = canonical(encoding)
        if is_text:
            return encode(chunk, name), len(chunk)
        data = as_bytes(chunk)
        return data, len(data)

    def _refuse(self, callback: Callback) -> bool:
        error = self._refusal()
        if callback is not None:
            self._tick(self._call_guarded, callback, error)
        self.destroy(error)
        return False

    def _write_failed(self, error: OSError, size: int, callback: Callback) -> None:
        """The kernel has refused *size* bytes."""
        self._fail_with(system_errors.system_error(error.errno or 0, 'write'), size, callback)

    def _fail_with(self, failure: BaseException, size: int, callback: Callback) -> None:
        """A write has failed at once: the stream is destroyed, but on a tick."""
        self._errored = failure
        self._queued_bytes += size  # they count as written
        self._in_flight = []  # writes to come queue behind it
        if callback is not None:
            self._tick(self._call_guarded, callback, failure)
        self._tick(self._fail_next, failure)

    def _fail_next(self, failure: BaseException) -> None:
        """Answer what was written since, and in those callbacks; then destroy. Runs in a tick."""
        while self._queue and self._stage not in GONE and self._errored is failure:
            request = self._queue.popleft()
            self._queued_units -= request.units
            self._pending_callbacks -= 1
            if request.callback is not None:
                # It goes on there should this one block, or be ended.
                self._tick(self._fail_next, failure)
                self._call_guarded(request.callback, failure)
        if self._errored is failure:  # else it was connected again meanwhile
            self.destroy(failure)

    def _call_all(self, calls: deque[Callable[[], object]]) -> None:
        """Make each call, here and now; one that blocks, or is ended, does not hold up others."""
        while calls:
            call = calls.popleft()
            if calls:
                self._tick(self._call_all, calls)
            call()

    def _written(self, callback: Callable[..., object]) -> None:
        """Say that a request is in the kernel; runs in a tick."""
        self._pending_callbacks -= 1
        try:
            self._call_guarded(callback, None)
        finally:
            if self._write_state is SHUT and not self._pending_callbacks:
                self._tick(self._finish)

    def _drained(self) -> None:
        if self._needs_drain and not self._queued_units and self._can_write():
            self._needs_drain = False
            self._emit_guarded('drain')

    def _can_write(self) -> bool:
        return self._write_state is WRITABLE and self._stage not in GONE

    # --- sending the queue ------------------------------------------------------------------------

    def _continue_sending(self, at_once: bool = False) -> None:
        """Send what the kernel takes now: runs in the hub when it said so, or in any caller.

        With *at_once*, a failure destroys the stream on a tick.
        """
        done: list[Callback] = []
        failure: OSError | None = None
        try:
            while self._in_flight or self._next_batch():
                if not self._send_batch(done):
                    self._watch_writable(True)
                    break
            else:
                self._in_flight = None
                self._watch_writable(False)
        except OSError as error:
            failure = error
        if self._needs_drain and not self._queued_units:
            self._tick(self._drained)
        for callback in done:
            if callback is None:
                self._pending_callbacks -= 1
            else:
                self._tick(self._written, callback)
        if failure is not None and at_once:
            self._errored = system_errors.system_error(failure.errno or 0, 'write')
            self._tick(self._sending_failed, failure)
        elif failure is not None:
            self._sending_failed(failure)
        elif self._in_flight is None and not self._queue and (
            self._write_state is ENDING
        ):
            self._shut()

    def _send_batch(self, done: list[Callback]) -> bool:
        """Offer what is in flight to the kernel once; return whether it took all of it."""
        batch = self._in_flight
        assert batch is not None
        chunks = [request.data for request in batch]
        size = sum(map(len, chunks))
        try:
            if len(batch) == 1:
                sent = self._send(chunks[0])
            elif size < JOINED_SIZE * len(batch):
                sent = self._send(b''.join(chunks))
            else:
                sent = self._send_gathered(chunks)
        except BlockingIOError:
            sent = 0
        self._bytes_sent += sent
        self._queued_bytes -= sent
        if sent < size:
            for position, request in enumerate(batch):
                left = len(request.data) - sent
                if left > 0:
                    request.data = memoryview(request.data)[sent:]
                    self._release_senders(position, done)
                    return False
                sent = -left
                request.data = b''
        # As in Node, what goes out together is done together, with the last of it.
        for request in batch:
            request.data = b''
            self._queued_units -= request.units
            request.units = 0  # it may be given up before the news of this has come
            done.append(request.callback)
        batch.clear()
        return True

    def _release_senders(self, count: int, done: list[Callback]) -> None:
        """Let go on whom the first *count* requests block: they wait for their own bytes alone."""
        batch = self._in_flight
        assert batch is not None
        for request in batch[:count]:
            if isinstance(request, BlockingRequest) and request.callback is not None:
                batch.remove(request)
                self._queued_units -= request.units
                request.units = 0
                done.append(request.callback)

    def _next_batch(self) -> bool:
        """Move what is queued, as far as one system call goes, into flight."""
        queue = self._queue
        if not queue or (self._corked and self._write_state is WRITABLE):
            return False
        if len(queue) <= MAX_GATHERED:
            self._in_flight = [*queue]
            queue.clear()
        else:
            self._in_flight = [queue.popleft() for _ in range(MAX_GATHERED)]
        return True

    def _sending_failed(self, error: OSError) -> None:
        """The connection broke under what was in flight: its callbacks come before `'error'`."""
        failure = system_errors.system_error(error.errno or 0, 'write')
        batch, self._in_flight = self._in_flight, None
        for request in batch or ():
            self._pending_callbacks -= 1
            if request.callback is not None:
                self._tick(self._call_guarded, request.callback, failure)
        self.destroy(failure)

    def _take_unsent(self) -> Unsent:
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
        if not self._queue or self._in_flight is not None or (
            self._corked and self._write_state is WRITABLE
        ):
            return
        if self._stage is CONNECTED:
            self._begun = 0
            self._continue_sending(at_once=True)
        elif self._stage is CONNECTING and not self._begun:
            self._begun = len(self._queue)
            self._send_when_connected()
        elif self._stage is NEW and self._write_state is WRITABLE:
            self._fail_with(self._refusal(), 0, None)

    def _send_first(self) -> None:
        """The connection is there: send what was queued before, in a listener of `'connect'`.

        As in Node, that is what was begun with: the first write, or what was corked and uncorked
        then. Its callbacks are called right here (all others on a tick each), after `'drain'` if
        that is due.
        """
        if self._begun and self._stage in GONE:
            self._call_all(self._take_begun())
            return
        if self._stage is not CONNECTED:
            return  # a listener of 'connect' has blocked for longer than the connection was there
        begun, self._begun = self._begun, 0
        queue = self._queue
        if not begun or not queue or self._in_flight is not None:
            return
        batch = [queue.popleft() for _ in range(min(begun, len(queue), MAX_GATHERED))]
        callbacks = [request.callback for request in batch]
        for request in batch:
            request.callback = None
        self._pending_callbacks += len(batch)  # their own, until they were called
        self._in_flight = [*batch]
        self._continue_sending()
        if self._stage in GONE:
            # Before 'error', which is on a tick.
            self._call_all(deque(
                partial(self._call_guarded, callback, self._errored)
                for callback in callbacks if callback is not None))
            return
        if self._in_flight and any(request is batch[-1] for request in self._in_flight):
            for request, callback in zip(batch, callbacks):
                request.callback = callback
            self._pending_callbacks -= len(batch)
            return
        self._call_all(deque([
            self._drained, *(partial(self._written, each or _nothing) for each in callbacks)]))

    def _take_begun(self) -> deque[Callable[[], object]]:
        """Return calls that answer what waited for a connection that `'connect'` has destroyed."""
        begun, self._begun = self._begun, 0
        _, queued, callbacks = self._take_unsent()
        self._queued_bytes = 0  # as in Node, they count as written no more
        closed = coded_errors.state_error('ERR_SOCKET_CLOSED')
        answers = [
            *((request.callback, closed) for request in queued[:begun]),
            *((request.callback, self._errored or closed) for request in queued[begun:]),
            *((callback, self._errored or closed) for callback in callbacks),
        ]
        return deque(
            partial(self._call_guarded, callback, error)
            for callback, error in answers if callback is not None)

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
        if chunk is not None and (self._write_state is not WRITABLE or self._stage in GONE):
            self._corked = 0
            self._encode(chunk, encoding)
            refusal = self._refusal(ending=True)
            self.destroy(refusal)
            if callback is not None:
                # After 'error', if there is one.
                self._tick(self._call_guarded, callback, refusal)
            return self
        changes = self._write_state is WRITABLE and self._errored is None
        if callback is not None:
            if self._stage in GONE or self._write_state is FINISHED:
                self._tick(self._call_guarded, callback, self._end_refusal())
            else:
                self._add_end_callback(callback)
        if chunk is not None:
            try:
                self.write(chunk, encoding)
            except coded_errors.CodedTypeError:
                if callback is not None:
                    self._end_callbacks.pop()  # type: ignore[union-attr]  # it was added above
                raise
        self._corked = 0
        if self._queue:
            self._flush()
        if changes and self._write_state is WRITABLE and self._errored is None:
            self._write_state = ENDING
            if self._in_flight is None and not self._queue:
                self._shut()
        return self

    def _end_refusal(self) -> BaseException:
        """What the callback of an ``end()`` gets that comes too late."""
        if self._write_state is FINISHED:
            return coded_errors.state_error('ERR_STREAM_ALREADY_FINISHED')
        return coded_errors.stream_destroyed('end')

    def _add_end_callback(self, callback: Callable[..., object]) -> None:
        if self._end_callbacks is None:
            self._end_callbacks = []
        self._end_callbacks.append(callback)

    def _shut(self) -> None:
        """Everything is in the kernel: send the FIN. May run in the hub."""
        if self._stage is NEW:
            self._shut_done()  # there is nobody to tell
        elif self._stage is CONNECTED and self._write_state is ENDING:
            # As in Node: a destroy() that follows at once may still reset the connection.
            self._soon(self._shut_now)

    def _shut_now(self) -> None:
        """Send the FIN now, if all else was sent. Runs in the hub, or in any caller."""
        if (
            self._stage is not CONNECTED or self._write_state is not ENDING
            or self._in_flight is not None or self._queue
        ):
            return
        try:
            self._shut_down_writing()
        except OSError as error:
            self.destroy(system_errors.system_error(error.errno or 0, 'shutdown'))
            return
        self._tick(self._shut_done)

    def _shut_done(self) -> None:
        if self._stage in GONE or self._write_state is not ENDING:
            return
        self._write_state = SHUT
        try:
            self._emit_guarded('prefinish')
        finally:
            if not self._pending_callbacks:
                self._tick(self._finish)

    def _finish(self) -> None:
        # Also after a destroy() in a listener of 'prefinish': the FIN is sent all the same.
        if self._stage is CLOSED or self._write_state is not SHUT:
            return
        self._write_state = FINISHED
        callbacks, self._end_callbacks = self._end_callbacks, None
        try:
            for callback in callbacks or ():
                self._call_guarded(callback, None)
            if self._is_finished():
                self._emit_guarded('finish')
        finally:
            if self._is_finished() and self._read_state is END_EMITTED:
                self.destroy()

    def _is_finished(self) -> bool:
        # Not so if a callback has blocked until the stream was closed, or even connected again.
        return self._write_state is FINISHED and self._stage is not CLOSED
