"""What was written before there was a connection: sent with it, or answered where there is none.

As in Node, that is what was begun with: the first write, or what was corked and uncorked then. All
else waits behind it in the queue.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial

from ..node import coded_errors
from .sending import MAX_GATHERED, Sending
from .states import CONNECTED, DROPPED, GONE, WRITABLE
from .wire import Wire

__all__ = ['FirstWrites']


def _nothing(_error: BaseException | None) -> None:
    """The callback of a write that has none."""


class FirstWrites(Sending):
    """What the writing half does when its connection is there."""

    __slots__ = ()

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
        self._drop_end(self._wire)
        closed = coded_errors.state_error('ERR_SOCKET_CLOSED')
        answers = [
            *((request.callback, closed) for request in queued[:begun]),
            *((request.callback, self._errored or closed) for request in queued[begun:]),
            *((callback, self._errored or closed) for callback in callbacks),
        ]
        return deque(
            partial(self._call_guarded, callback, error)
            for callback, error in answers if callback is not None)

    def _drop_end(self, wire: Wire) -> None:
        """As in Node, the stream has failed by that: who calls ``end()`` now is too late.

        It may come when there is a new connection already, or even the end of one: then that
        failure is none of its.
        """
        if self._wire is wire and self._stage in GONE and self._write_state is WRITABLE:
            self._write_state = DROPPED
