"""The option ``onread``: what arrives is read into the program's own buffer.

For programs that want no ``bytes`` object for each chunk. `'data'` is not emitted; `'end'`,
`'error'` and `'close'` are as always.
"""

from __future__ import annotations

from contextvars import Context
from typing import TYPE_CHECKING, Any

from ..options.socket import OnRead
from ..streams.states import CONNECTED, FIN, FULL, GONE, OVER

if TYPE_CHECKING:
    from .connector import Connectable

__all__ = [
    'BufferReader',
]


class BufferReader:
    """Reads a socket into a buffer, in the hub, and calls back, in a runner.

    One buffer's content is delivered at a time: while the callback blocks, nothing is read.
    """

    __slots__ = (
        '_buffer',
        '_callback',
        '_filled',
        '_made_by',
        '_socket',
        'context',
        'stopped',
    )

    def __init__(self, sock: Connectable, options: OnRead) -> None:
        self._socket = sock
        self.context: Context | None = None
        self._callback = options.callback
        self._made_by = options.buffer if callable(options.buffer) else None
        self._buffer = options.buffer() if self._made_by else options.buffer
        #: Bytes in the buffer that the callback has not seen the end of.
        self._filled = 0
        #: Whether a callback that returned False has stopped reading.
        self.stopped = False

    def on_readable(self) -> None:
        """In the hub: take what the kernel has, or wait until the callback has returned."""
        sock = self._socket
        if sock._sock is None:
            return
        try:
            if self._filled or self.stopped or sock._explicitly_paused:
                sock._stop_reading(FULL)
                return
            try:
                size = sock._sock.recv_into(self._buffer)
            except BlockingIOError:
                return
            except OSError as error:
                sock._read_failed(error)
                return
            sock._touch()
            if size:
                sock._bytes_read += size
                self._filled = size
                self.context = sock.context
                sock._loop.enqueue(self)
            else:
                sock._read_state = FIN
                sock._stop_reading(OVER)
                sock._queue_delivery()
        except BaseException as error:
            sock._failed_in_hub(error)

    def deliver(self) -> None:
        """Call back; runs in a runner."""
        sock = self._socket
        answer: Any = None
        if sock._stage in GONE:
            self._filled = 0  # or nothing would be read if it is connected again
            return
        try:
            answer = self._callback(self._filled, self._buffer)
            if self._made_by is not None:
                self._buffer = self._made_by()
        except BaseException as error:
            sock._listener_failed('onread', error)
        finally:
            self._filled = 0
        self.stopped = answer is False
        if not self.stopped and not sock._explicitly_paused:
            self.go_on()

    def go_on(self) -> None:
        """Read again where that was stopped."""
        self.stopped = False
        if self._socket._stage is CONNECTED and self._socket._reading is FULL:
            self._socket._start_reading()
