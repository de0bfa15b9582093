"""The writing half of a stream: ``write``, ``cork`` and ``end``, and what they promise.

No I/O and no gevent here: what is sent goes to a wire (``streams/wire.py``). The rules are Node's:

- A write goes to the kernel at once when nothing is queued; what the kernel does not take is *in
  flight* until it does, and later writes queue behind it, to be sent together.
- ``write()`` returns False when what is queued reaches the high-water mark; `'drain'` follows once,
  when the queue is completely empty. Nothing forces a caller to obey.
- `'finish'` says: ended, everything in the kernel, FIN sent.

What they cause is in :mod:`gnet.streams.sending`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..node import coded_errors, system_errors
from ..node.threads import get_ident, getcurrent
from ..node.values import truthy
from .corked import Corked
from .encodings import as_bytes, canonical, encode
from .states import (
    CLOSED,
    CONNECTED,
    CONNECTING,
    DROPPED,
    END_EMITTED,
    ENDING,
    FINISHED,
    GONE,
    NEW,
    SHUT,
    WRITABLE,
)
from .write_request import Callback, Failed, WriteRequest

__all__ = ['Writable']


class Writable(Corked):
    """The writing half, on top of the reading one: together Node's Duplex stream."""

    __slots__ = ()

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
        # The one question that each write costs; and the second one, outside of listeners alone.
        if getcurrent() is not self._loop.runner and get_ident() != self._loop.thread:
            self._loop.check_thread()
        if type(chunk) is bytes and encoding is None:
            data = chunk
            size = units = len(chunk)
        else:
            if callback is None and callable(encoding):
                encoding, callback = None, encoding
            data, units = self._encode(chunk, encoding)
            size = len(data)
        if callback is not None and not callable(callback):
            callback = None
        if (
            self._corked or self._stage is not CONNECTED or self._write_state is not WRITABLE
            or self._in_flight is not None or self._queue
        ):
            held = self._held
            if held is not None and callback is None and (data is chunk or size == units):
                # What _enqueue() would do, without a request for each: see Corked.
                held.append(data)
                self._queued_units = queued = self._queued_units + units
                if queued < self._write_mark:
                    return True
                return self._mark_reached()
            if self._write_state is not WRITABLE or self._stage in GONE:
                return self._refuse(callback)
            if self._stage is NEW and not self._corked and self._errored is None:
                self._fail_with(self._refusal(), 0, callback)
                return False
            if (
                self._corked and callback is None and 0 < units == size
                and self._stage is CONNECTED and self._errored is None
            ):
                self._settle_held()
                self._hold_back(data)
            else:
                self._enqueue(WriteRequest(data, units, callback))
            if self._errored is not None:  # a write before it has failed
                if self._queued_units >= self._write_mark:
                    self._needs_drain = True
                return False
            if self._stage is CONNECTING:
                self._flush()
        else:
            try:
                sent = self._wire.send(data)
            except BlockingIOError:
                sent = 0
            except OSError as error:
                self._write_failed(error, size, callback)
                return False
            self._bytes_sent += sent
            if sent == size:
                if callback is not None:
                    self._pending_callbacks += 1
                    self._tick(self._written, callback)
                return True
            request = WriteRequest(memoryview(data)[sent:], units, callback)
            self._in_flight = [request]
            self._queued_units += units
            self._queued_bytes += size - sent
            self._pending_callbacks += 1
            self._sent_in_part()
        if self._queued_units < self._write_mark or not self._queued_units:
            return True
        return self._mark_reached()

    def _mark_reached(self) -> bool:
        """What write() returns when the high-water mark is reached."""
        self._needs_drain = True
        return False

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

    # --- ending -----------------------------------------------------------------------------------

    def end(self, chunk: Any = None, encoding: Any = None, callback: Callback = None) -> Any:
        """Send *chunk* if given, then what is queued, then the FIN; returns the stream.

        Reading goes on until the peer ends too. *encoding* and *chunk* may be left out before
        *callback*, which is called with None when the FIN was sent, just before `'finish'`, or
        with the error that prevented it.
        """
        if get_ident() != self._loop.thread:
            self._loop.check_thread()
        if callable(chunk):
            chunk, encoding, callback = None, None, chunk
        elif callback is None and encoding is not None and callable(encoding):
            encoding, callback = None, encoding
        if callback is not None and not callable(callback):
            callback = None
        if chunk is not None and (
            self._write_state is not WRITABLE
            or (self._stage is not CONNECTED and self._stage in GONE)
        ):
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
        if self._held is not None:
            self._settle_held()
        if self._queue:
            self._flush()
        if changes and self._write_state is WRITABLE and self._errored is None:
            self._write_state = ENDING
            if self._in_flight is None and not self._queue:
                if self._stage is CONNECTED:
                    self._loop.soon(self._shut_in_hub)  # _shut(), without the call
                else:
                    self._shut()
        elif callback is not None and isinstance(self._in_flight, Failed):
            self._tick(
                self._end_failed, self._in_flight, self._errored,
                self._end_callbacks.pop())  # type: ignore[union-attr]  # it was added above
        return self

    def _end_refusal(self) -> BaseException:
        """What the callback of an ``end()`` gets that comes too late."""
        if self._write_state is FINISHED:
            return coded_errors.state_error('ERR_STREAM_ALREADY_FINISHED')
        return coded_errors.stream_destroyed('end')

    def _end_failed(
        self, failed: Failed, failure: BaseException, callback: Callable[..., object],
    ) -> None:
        """Answer an ``end()`` that came after a write had failed: on a tick of its own, as in Node.
        """
        if failed.waits and self._in_flight is failed:
            self._add_end_callback(callback)
        else:
            self._call_guarded(callback, failure)

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
            self._loop.soon(self._shut_in_hub)

    def _shut_in_hub(self) -> None:
        events = self._events
        # Whether nobody is told of it, and the ticks of _shut_done() and _finish() are what would
        # come next. (A callback of what was sent that is still to come is on a tick.)
        quietly = (
            not self._loop.ticks and self._end_callbacks is None
            and self._plain_emit and 'finish' not in events and 'prefinish' not in events
        )
        if self._shut_now(quietly) and quietly:
            self._write_state = SHUT
            if self._read_state is END_EMITTED:
                self._tick(self._finish)  # which destroys, and not in the hub
            else:
                self._write_state = FINISHED

    def _shut_now(self, quietly: bool = False) -> bool:
        """Send the FIN now, if all else was sent. Runs in the hub, or in any caller.

        *quietly*: what follows is left to the caller, if this returns True.
        """
        if (
            self._stage is not CONNECTED or self._write_state is not ENDING
            or self._in_flight is not None or self._queue
        ):
            return False
        try:
            self._wire.shut_down()
        except BlockingIOError:
            self._wire.watch_writable(self._writable_again)  # which comes back to here
            return False
        except OSError as error:
            self.destroy(system_errors.system_error(error.errno or 0, 'shutdown'))
            return False
        self._ended_first = not self._wire.ended
        if not quietly:
            self._tick(self._shut_done)
        return True

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

    # --- state ------------------------------------------------------------------------------------

    @property
    def bytes_written(self) -> int:
        """Bytes accepted by :meth:`write` so far, those still queued included."""
        self._settle_held()
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
            self._needs_drain and self._stage not in GONE and self._write_state is WRITABLE
        )

    @property
    def writable_ended(self) -> bool:
        """Whether :meth:`end` was called."""
        return self._write_state is not WRITABLE and self._write_state is not DROPPED

    @property
    def writable_finished(self) -> bool:
        """Whether everything was sent, the FIN too; true from just before `'finish'` on."""
        return self._write_state is FINISHED

    @property
    def writable_object_mode(self) -> bool:
        """Always False: a socket carries bytes."""
        return False

    @property
    def writable(self) -> bool:
        """Whether :meth:`write` would be taken."""
        return (
            self._write_state is WRITABLE and self._stage not in GONE and self._errored is None
        )
