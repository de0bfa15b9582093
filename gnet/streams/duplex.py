"""Both halves of a stream together: one end ends the other, and ``destroy`` ends both.

The order of a destroy
======================

1. the stage is DESTROYED: nothing is taken any more;
2. the wire is closed: its watchers, then its descriptor (``sockets/wire.py``);
3. what has arrived is dropped, or kept for ``read()`` if nothing flows; a blocked reader wakes;
4. what was not sent is given up, and the callbacks of it are answered, on ticks or in the closing
   phase, as Node does;
5. `'error'`, if there is one, on a tick;
6. `'close'`, after at least one poll if there ever was a connection.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import Any

from ..events.names import error_monitor
from ..node import coded_errors
from ..node.values import truthy
from .delivery import BLOCKING
from .states import (
    CLOSED,
    CONNECTED,
    CUT,
    DESTROYED,
    ENDED,
    ENDING,
    FINISHED,
    GONE,
    MUTE,
    NEW,
)
from .wire import Wire
from .writable import Writable
from .write_request import Failed, WriteRequest

__all__ = ['Duplex']


class Duplex(Writable):
    """A stream that can be read and written. :class:`gnet.Socket` is the public class.

    Its owner gives it a loop and a wire, and says what to do about failures: ``_failed`` (a
    listener or callback has raised) and ``_unheard`` (an `'error'` that nobody listens to). The
    other five that it may answer are in ``docs/architecture.md``, "What a Socket is".
    """

    __slots__ = ()

    def _unheard(self, error: BaseException) -> None:
        """Do what an `'error'` leads to that nobody listens to."""
        self._failed(error)

    # --- life -------------------------------------------------------------------------------------

    @property
    def destroyed(self) -> bool:
        """Whether the stream was destroyed, by its owner, by an error, or after both ends."""
        return self._stage in GONE

    @property
    def closed(self) -> bool:
        """Like :attr:`destroyed`: true at once, before `'close'` is emitted."""
        return self._stage in GONE

    @property
    def errored(self) -> Any:
        """The error that the stream was destroyed with, else None."""
        return self._errored

    # --- one end and the other --------------------------------------------------------------------

    def _end_consumed(self) -> None:
        if self._write_state is FINISHED:
            self.destroy()
        elif not self.allow_half_open and not self._is_for_blocking_calls():
            if self._loop.ticks:
                self._tick(self._end_in_turn)
            else:
                self._end_in_turn()  # it is what would come next

    def _is_for_blocking_calls(self) -> bool:
        """Whether blocking calls use the stream: then it does not end because its peer has."""
        return self._wire.taker in BLOCKING

    def _end_in_turn(self) -> None:
        """The peer has ended: end too, unless that has happened meanwhile."""
        if self._can_write():
            self.end()

    # --- closing ----------------------------------------------------------------------------------

    def destroy(self, error: Any = None) -> Any:
        """Close the descriptor at once and forget what is queued; returns the stream.

        The peer sees the end, or a reset if it had sent something that was not read. Whoever is
        blocked on the stream wakes with an error. `'close'` follows, never in the same turn.

        Args:
            error: what `'error'` is emitted with before `'close'`; falsy for none. If the stream
                is destroyed already, nothing happens: the first error wins.
        """
        before = self._stage
        if before is not CONNECTED and before in GONE:
            return self
        # What is corked waits for uncork(), and not for the connection.
        begun = self._begun
        self._stage = DESTROYED
        error = error if error is not None and truthy(error) else None
        if self._errored is None:
            self._errored = error
        wire = self._wire
        if self._write_state is ENDING and (self._in_flight or self._queue):
            self._write_state = CUT
        if self._in_flight and self._in_flight[0].failure:
            self._in_flight[0].failure = wire.take_error() or self._in_flight[0].failure
        wire.close()
        if wire.arrived:
            self._drop_arrived()
        if wire.reader is not None:
            wire.wake_reader()
        if begun and before is CONNECTED:
            begun = 0  # in a listener of 'connect': _send_first() follows, and answers them
        elif (
            begun or self._queued_units or self._in_flight is not None or self._queue
            or self._end_callbacks
        ):
            if begun:
                self.off('connect', self._send_first)
            self._begun = 0
            unsent = self._take_unsent()
            if not begun:
                self._fail_writes(*unsent)
        if error is not None:
            self._tick(self._emit_error, error)
        elif self._length or self._read_state is ENDED:
            self._tick(self._mute)
        if before is NEW:
            self._tick(self._emit_close, error is not None)
        else:
            self._loop.later(self._emit_close, error is not None, context=wire.context)
        if begun:
            self._fail_unconnected(begun, *unsent[1:])
        return self

    def _mute(self) -> None:
        if self._stage is DESTROYED:
            self._stage = MUTE

    def _emit_error(self, error: Any) -> None:
        self._mute()
        if self._events.get('error'):
            self._emit_guarded('error', error)
            return
        if self._events.get(error_monitor):
            self._emit_guarded(error_monitor, error)
        self._unheard(
            error if isinstance(error, BaseException) else coded_errors.unhandled_error(error))

    def _emit_close(self, had_error: bool) -> None:
        self._stage = CLOSED
        if self._begun:
            # A listener of 'connect' is at work still.
            self._tick(self._call_all, self._take_begun())
        self._emit_guarded('close', had_error)

    # --- what was not sent ------------------------------------------------------------------------

    def _fail_writes(
        self, in_flight: list[WriteRequest], queued: list[WriteRequest],
        callbacks: list[Callable[..., object]],
    ) -> None:
        """Answer the callbacks of what was not sent, in order."""
        answer, error = self._tick, self._errored
        if isinstance(in_flight, Failed):
            if not in_flight.waits:
                answer = in_flight.leave
        elif in_flight:
            # Node learns of these from the kernel, in its closing phase.
            answer = self._later
            failure = in_flight[0].failure
            cancelled = (
                self._wire.own_failure(failure, 'write') if failure else self._cut_short())
            error = error or cancelled
            answer(self._drop_end, self._wire)
            for request in in_flight:
                if request.callback is not None:
                    answer(self._call_guarded, request.callback, cancelled)
        self._answer(
            answer, queued, callbacks, error or coded_errors.stream_destroyed('write'),
            error or coded_errors.stream_destroyed('end'))
        if queued:
            answer(self._forget, self._wire, sum(len(request.data) for request in queued))

    def _cut_short(self) -> BaseException:
        """The error of what was being sent when the stream was destroyed."""
        return self._wire.own_failure(errno.ECANCELED, 'write')

    def _forget(self, wire: Wire, size: int) -> None:
        """As in Node, what was queued counts as written no more; what it had begun with does."""
        if self._wire is wire and self._stage in GONE:  # as in _drop_end()
            self._queued_bytes -= size

    def _fail_unconnected(
        self, begun: int, queued: list[WriteRequest], callbacks: list[Callable[..., object]],
    ) -> None:
        """Answer the callbacks of what waited for a connection that was not made: after `'close'`.

        As in Node, what was *begun* with learns of that, and what comes after it of the reason.
        """
        first = coded_errors.state_error('ERR_SOCKET_CLOSED_BEFORE_CONNECTION')
        wire = self._wire
        self._later(self._drop_end, wire)
        self._answer(self._later, queued[:begun], [], first, first)
        self._later(self._forget_queued, wire, sum(len(request.data) for request in queued[:begun]))
        reason = self._errored or first
        self._answer(self._later, queued[begun:], callbacks, reason, reason)

    def _forget_queued(self, wire: Wire, begun: int) -> None:
        if self._wire is wire and self._stage in GONE:  # as above
            self._queued_bytes = begun

    def _answer(
        self, when: Callable[..., None], requests: list[WriteRequest],
        end_callbacks: list[Callable[..., object]], of_writes: Any, of_ends: Any,
    ) -> None:
        """Call the callbacks of writes and of ends that are settled: *when* is a tick, or later."""
        for request in requests:
            if request.callback is not None:
                when(self._call_guarded, request.callback, of_writes)
        for callback in end_callbacks:
            when(self._call_guarded, callback, of_ends)
