"""What was written goes to the wire: the queue, its callbacks, and what a failure leads to.

The verbs (``write``, ``cork``, ``end``) are in :mod:`gnet.streams.writable`; here is what they
cause, at once or when the wire takes more. The rules are Node's:

- Callbacks run on a tick each, in the order of the writes; `'drain'` comes before the callback of
  the write that emptied the queue, all callbacks before `'finish'`. One that blocks holds up none
  of the others.
- What goes out together is done together, with the last of it.
"""

from __future__ import annotations

import errno
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any

from ..node import coded_errors, system_errors
from .delivery import BLOCKING, HIGH_WATER_MARK
from .readable import Readable
from .states import (
    CONNECTED,
    CONNECTING,
    DROPPED,
    END_EMITTED,
    ENDING,
    GONE,
    LENT,
    NEW,
    OVER,
    QUEUED,
    SHUT,
    WRITABLE,
    WriteState,
)
from .wire import Schedule, Wire
from .write_request import (
    BlockingRequest,
    Callback,
    Failed,
    PutOff,
    Unsent,
    WriteRequest,
)

__all__ = ['Sending']

#: How many queued chunks one system call may gather. Linux allows 1024 (IOV_MAX); beyond a few
#: hundred the cost per chunk no longer falls.
MAX_GATHERED = 256

#: Chunks that are smaller than this, in bytes, on average are joined: to copy them costs less than
#: to have the kernel gather them (2-3 us of 7 less for 50 of 20 bytes; no difference at 2,000).
JOINED_SIZE = 2000


class Sending(Readable):
    """The engine of the writing half. `Writable` has its verbs."""

    __slots__ = (
        '_begun', '_bytes_sent', '_corked', '_default_encoding', '_end_callbacks', '_ended_first',
        '_held', '_in_flight', '_needs_drain', '_pending_callbacks', '_queue', '_queued_bytes',
        '_queued_units', '_write_mark', '_write_state', 'allow_half_open',
    )

    _write_state: WriteState

    def __init__(
        self, loop: Schedule, wire: Wire, high_water_mark: float = HIGH_WATER_MARK,
        writable_high_water_mark: float | None = None, *, allow_half_open: bool = False,
        **options: Any,
    ) -> None:
        # By its name, here and below: super() would look through the chain of classes each time.
        Readable.__init__(self, loop, wire, high_water_mark, **options)
        #: Whether the writing half stays open when the peer has ended. May be changed any time.
        self.allow_half_open: bool = allow_half_open
        self._write_mark = (
            high_water_mark if writable_high_water_mark is None else writable_high_water_mark
        )
        # Empty whenever a connection is over: see _take_unsent().
        self._queue: deque[WriteRequest] | None = None
        #: What cork() holds back behind the queue, and is no request yet: see `Corked`.
        self._held: list[bytes] | None = None
        #: The requests at the head that the kernel has been offered; None while it takes all.
        self._in_flight: list[WriteRequest] | None = None
        self._end_callbacks: list[Callable[..., object]] | None = None
        #: Of a ``str`` that is written without one.
        self._default_encoding = 'utf8'

    def _be_new(self) -> None:
        Readable._be_new(self)  # inside: its own class
        self._write_state = WRITABLE
        #: How many at the head of the queue were begun with, and wait for the connection.
        self._begun = 0
        self._queued_units = 0
        self._queued_bytes = 0
        self._bytes_sent = 0
        self._corked = 0
        self._needs_drain = False
        #: Whether the FIN was sent before the peer's was seen: for who watches, see `lifecycle`.
        self._ended_first = False
        self._pending_callbacks = 0

    # --- the queue --------------------------------------------------------------------------------

    def _enqueue(self, request: WriteRequest) -> None:
        if self._held is not None:
            self._settle_held()
        if self._queue is None:
            self._queue = deque()
        self._queue.append(request)
        self._queued_units += request.units
        self._queued_bytes += len(request.data)
        self._pending_callbacks += 1

    def _can_write(self) -> bool:
        return self._write_state is WRITABLE and self._stage not in GONE

    def _flush(self) -> None:
        """Send what is queued, unless something is in flight or it is corked."""
        if not self._queue or self._in_flight is not None or (
            self._corked and self._write_state is WRITABLE
        ):
            return
        if self._stage is CONNECTED:
            self._begun = 0
            self._continue_sending(at_once=True)
        elif self._stage is CONNECTING and not self._begun:
            self._begun = len(self._queue)
            self.once('connect', self._send_first)
        elif self._stage is NEW and self._write_state is WRITABLE:
            self._fail_with(self._refusal(), 0, None)

    def _writable_again(self) -> None:
        """In the hub: the wire takes more."""
        try:
            self._continue_sending()
        except BaseException as error:
            self._wire.failed_in_hub(self, error)

    def _continue_sending(self, at_once: bool = False) -> None:
        """Send what the kernel takes now: runs in the hub when it said so, or in any caller.

        With *at_once*, a failure destroys the stream on a tick.
        """
        done: list[Callback] = []
        failure: OSError | None = None
        try:
            while self._in_flight or self._next_batch():
                if not self._send_batch(done):
                    self._sent_in_part()
                    break
            else:
                self._in_flight = None
                self._wire.watch_writable(None)
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
            self._failed_at_once(failure)
        elif failure is not None:
            self._sending_failed(failure)
        elif self._in_flight is None and not self._queue and (
            self._write_state is ENDING
        ):
            self._shut()

    def _failed_at_once(self, failure: OSError) -> None:
        """What is in flight has met a failure, in a call of the program's."""
        batch = self._in_flight or []
        for request in batch:
            self._pending_callbacks -= 1
            self._queued_units -= request.units  # as in Node, from now on
            request.units = 0  # it may be given up before the news of this has come
        self._fail_with(
            self._wire.own_failure(failure.errno or 0, 'write'), 0,
            *(request.callback for request in batch))

    def _sent_in_part(self) -> None:
        """Wait until the wire takes the rest of what is in flight.

        As in Node, whose libuv tries to send the rest at once: where the peer has gone, the first
        part was answered with a reset, and that is what the callback gets, even if a destroy()
        follows before the loop has polled.
        """
        batch = self._in_flight
        assert batch is not None
        if self._wire.is_broken():
            batch[0].failure = errno.EPIPE
        self._wire.watch_writable(self._writable_again)

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

    def _send_batch(self, done: list[Callback]) -> bool:
        """Offer what is in flight to the kernel once; return whether it took all of it."""
        batch = self._in_flight
        assert batch is not None
        chunks = [request.data for request in batch]
        size = sum(map(len, chunks))
        try:
            if len(batch) == 1:
                sent = self._wire.send(chunks[0])
            elif size < JOINED_SIZE * len(batch):
                sent = self._wire.send(b''.join(chunks))
            else:
                sent = self._wire.send_all(chunks)
        except BlockingIOError:
            if not size:
                return False  # not even an end is taken: TLS before its handshake is done
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

    def _count_sent(self, size: int) -> None:
        """*size* bytes of what is in flight go out although the wire did not say so at once."""
        self._bytes_sent += size
        self._queued_bytes -= size
        for request in self._in_flight or ():
            if not size:
                break
            part = min(size, len(request.data))
            request.data = memoryview(request.data)[part:]
            size -= part

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

    def _take_unsent(self) -> Unsent:
        """Give up what was not sent: requests in flight, queued ones, callbacks of ``end()``."""
        self._settle_held()
        in_flight = [] if self._in_flight is None else self._in_flight
        queued = list(self._queue or ())
        callbacks = self._end_callbacks or []
        self._in_flight = self._queue = self._end_callbacks = None
        self._queued_units = 0
        return in_flight, queued, callbacks

    # --- what follows -----------------------------------------------------------------------------

    def _written(self, callback: Callable[..., object]) -> None:
        """Say that a request is in the kernel; runs in a tick."""
        if self._needs_drain and self._is_drained():
            # As in Node, each write that is done looks whether 'drain' is due, which may block.
            self._call_all(deque([self._drained, partial(self._written, callback)]))
            return
        self._pending_callbacks -= 1
        try:
            self._call_guarded(callback, None)
        finally:
            if self._write_state is SHUT and not self._pending_callbacks:
                self._tick(self._finish)

    def _drained(self) -> None:
        if self._needs_drain and self._is_drained():
            self._needs_drain = False
            self._emit_guarded('drain')

    def _is_drained(self) -> bool:
        """Whether nothing is queued; what has failed counts no more, as in Node."""
        return not self._queued_units and self._can_write()

    def _call_all(self, calls: deque[Callable[[], object]]) -> None:
        """Make each call, here and now; one that blocks, or is ended, does not hold up others."""
        while calls:
            call = calls.popleft()
            if calls:
                self._tick(self._call_all, calls)
            call()

    def _send_first(self) -> None:
        """Send what was queued before there was a connection. `FirstWrites` has it."""
        raise NotImplementedError

    def _settle_held(self) -> None:
        """Put what cork() holds back into the queue. `Corked` has it."""
        raise NotImplementedError

    def _shut(self) -> None:
        """Everything is in the kernel: send the FIN. `Writable` has it."""
        raise NotImplementedError

    def _finish(self) -> None:
        """Say so, when the last callback was called. `Writable` has it."""
        raise NotImplementedError

    # --- failures ---------------------------------------------------------------------------------

    def _refusal(self, ending: bool = False) -> BaseException:
        """The error of a write, or of the chunk of an ``end()``, that the state does not allow."""
        if self._write_state is WRITABLE or self._write_state is DROPPED:
            if self._stage is NEW:
                return coded_errors.state_error('ERR_SOCKET_CLOSED')
            return coded_errors.stream_destroyed('write')
        if self._write_state is LENT and self._stage not in GONE:
            return coded_errors.state_error('ERR_SOCKET_IN_USE')
        if (
            self._read_state is END_EMITTED and not ending
            and not self.allow_half_open and self._wire.taker not in BLOCKING
        ):
            return system_errors.ended_by_other_party()
        return coded_errors.state_error('ERR_STREAM_WRITE_AFTER_END')

    def _write_failed(self, error: OSError, size: int, callback: Callback) -> None:
        """The kernel has refused *size* bytes."""
        self._fail_with(self._wire.own_failure(error.errno or 0, 'write'), size, callback)

    def _fail_with(self, failure: BaseException, size: int, *callbacks: Callback) -> None:
        """Writes with these *callbacks* have failed at once: the stream is destroyed, on a tick.

        They are answered there, also if a destroy() comes first.
        """
        self._settle_held()
        self._errored = failure
        self._queued_bytes += size  # they count as written
        self._in_flight = failed = Failed()  # writes to come queue behind it
        self._tick(self._failed_in_turn, failed, failure, callbacks)

    def _failed_in_turn(
        self, failed: Failed, failure: BaseException, callbacks: tuple[Callback, ...],
    ) -> None:
        if self._errored is failure and self._lets_arrived_pass(self._fail_next, failed, failure):
            failed.waits = True
            # At the head of the queue, where a destroy() that comes first finds them.
            first = [WriteRequest(b'', 0, each) for each in callbacks if each is not None]
            self._queue = deque([*first, *(self._queue or ())])
            self._pending_callbacks += len(first)
            return
        self._call_all(deque([
            *(partial(self._call_guarded, callback, failure)
              for callback in callbacks if callback is not None),
            partial(self._fail_next, failed, failure)]))

    def _fail_next(self, failed: Failed, failure: BaseException) -> None:
        """Answer those, and what was written since, and in those callbacks, and ends; then destroy.
        """
        failed.waits = False
        while self._stage not in GONE and self._errored is failure:  # nor connected again meanwhile
            size = 0
            callback: Callback
            if self._queue:
                request = self._queue.popleft()
                self._queued_units -= request.units
                self._pending_callbacks -= 1
                callback, size = request.callback, len(request.data)
            elif self._end_callbacks:
                callback = self._end_callbacks.pop(0)
            else:
                self.destroy(failure)
                return
            if callback is not None:
                # It goes on there should this one block, or be ended.
                self._tick(self._fail_next, failed, failure)
                self._call_guarded(callback, failure)
            if self._errored is failure:
                self._queued_bytes -= size  # they count as written no more
        self._call_all(failed.left)

    def _sending_failed(self, error: OSError) -> None:
        """The connection broke under what was in flight: its callbacks come before `'error'`."""
        if self._stage is not CONNECTED or self._lets_arrived_pass(self._sending_failed, error):
            return
        failure = self._wire.own_failure(error.errno or 0, 'write')
        batch, self._in_flight = self._in_flight, None
        for request in batch or ():
            self._pending_callbacks -= 1
            if request.callback is not None:
                self._tick(self._call_guarded, request.callback, failure)
        self.destroy(failure)

    def _lets_arrived_pass(self, follows: Callable[..., object], *arguments: Any) -> bool:
        """Whether an answer came before the connection broke: it has its turn, then *follows*."""
        wire = self._wire
        if not wire.arrived or wire.delivery is not QUEUED:
            return False
        wire.hold(OVER)
        wire.watch_writable(None)
        self._loop.enqueue(PutOff(partial(follows, *arguments), wire.context))
        return True
