"""What ``cork()`` holds back: a list of bytes, which is joined once.

A request for each small write would cost more than all else that happens to it. So bytes that come
without a callback, while the stream is corked, are only appended to a list (in ``write()``, which
has that written out); they become a request when something else is queued behind them, or the
stream is uncorked, ended or destroyed.

While there is such a list, the stream is connected, writable and corked, and no write has failed:
whatever changes one of these settles it first. Its bytes count in ``writable_length`` already.
"""

from __future__ import annotations

from collections import deque

from ..node.threads import get_ident
from .first_writes import FirstWrites
from .sending import JOINED_SIZE
from .write_request import WriteRequest

__all__ = ['Corked']


class Corked(FirstWrites):
    """Corking, of the writing half. `Writable` has its other verbs."""

    __slots__ = ()

    def cork(self) -> None:
        """Only queue until the matching :meth:`uncork`, to send many small chunks as one."""
        if get_ident() != self._loop.thread:
            self._loop.check_thread()
        self._corked += 1

    def uncork(self) -> None:
        """Undo one :meth:`cork`; the last one sends what is queued in one system call."""
        if get_ident() != self._loop.thread:
            self._loop.check_thread()
        if self._corked:
            self._corked -= 1
            if not self._corked:
                if self._held is not None:
                    self._send_held()
                else:
                    self._flush()

    @property
    def writable_corked(self) -> int:
        """How many :meth:`uncork` calls are missing."""
        return self._corked

    def _hold_back(self, data: bytes) -> None:
        """Begin a list with *data*: some bytes without a callback."""
        self._held = [data]
        self._queued_units += len(data)

    def _settle_held(self) -> None:
        """Put what is held back into the queue, small pieces as one request."""
        held, self._held = self._held, None
        if held is None:
            return
        size = sum(map(len, held))
        if size < JOINED_SIZE * len(held):
            held = [b''.join(held)]
        self._queued_bytes += size
        self._pending_callbacks += len(held)
        if self._queue is None:
            self._queue = deque()
        self._queue.extend([WriteRequest(data, len(data), None) for data in held])

    def _send_held(self) -> None:
        """Send what was held back: at once, where it is all that there is to send."""
        held = self._held
        assert held is not None
        if (
            self._queue or self._in_flight is not None
            or self._queued_units >= JOINED_SIZE * len(held)
        ):
            self._settle_held()
            self._flush()
            return
        # What _continue_sending() would do with one request.
        self._held = None
        data = b''.join(held)
        size = len(data)
        failure: OSError | None = None
        try:
            sent = self._wire.send(data)
        except BlockingIOError:
            sent = 0
        except OSError as error:
            sent, failure = 0, error
        self._bytes_sent += sent
        if sent == size:
            self._queued_units = 0
            if self._needs_drain:
                self._tick(self._drained)
            return
        self._queued_bytes += size - sent
        self._pending_callbacks += 1
        self._in_flight = [WriteRequest(memoryview(data)[sent:], size, None)]
        if failure is None:
            self._sent_in_part()
        else:
            self._failed_at_once(failure)
