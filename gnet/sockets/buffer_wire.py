"""The option ``onread``: a wire that reads into the program's own buffer.

For programs that want no ``bytes`` object for each chunk. `'data'` is not emitted; `'end'`,
`'error'` and `'close'` are as always.
"""

from __future__ import annotations

from typing import Any

from ..loop.loop import Loop
from ..options.socket import OnRead
from ..streams.states import FULL
from .wire import DescriptorWire

__all__ = ['BufferWire']


class BufferWire(DescriptorWire):
    """Reads into a buffer, in the hub, and calls back, in a runner.

    One buffer's content is delivered at a time: while the callback blocks, nothing is read.
    """

    __slots__ = ('_buffer', '_callback', '_filled', '_made_by', 'stopped', 'telling')

    can_block = False
    looks_first = False

    # Of the base, and set here, too: without this, type checkers may differ about its type.
    bytes_read: int

    def __init__(self, loop: Loop, options: OnRead, before: BufferWire | None = None) -> None:
        """Make one; *before* is that of the socket's connection before, whose buffer is used."""
        super().__init__(loop)
        self._callback = options.callback
        self._made_by = options.buffer if callable(options.buffer) else None
        self._buffer: Any
        if before is not None:
            self._buffer = before._buffer  # inside: it is of the same class
        else:
            self._buffer = options.buffer() if self._made_by else options.buffer
        #: Bytes in the buffer that the callback has not seen the end of.
        self._filled = 0
        #: Whether it is at work on them.
        self.telling: bool = False
        #: Whether a callback that returned False has stopped reading.
        self.stopped: bool = False

    def on_readable(self) -> None:
        """In the hub: take what the kernel has, or wait until the callback has returned."""
        stream = self.stream
        if self.sock is None:
            return
        try:
            if self._filled or self.stopped or self.is_paused():
                self.hold(FULL)
                return
            try:
                size = self.sock.recv_into(self._buffer)
            except BlockingIOError:
                return
            except OSError as error:
                self.fail(error)
                return
            self.touch()
            if size:
                self.bytes_read += size
                self._filled = size
                self.schedule.enqueue(self)
            else:
                self.end()
        except BaseException as error:
            self.failed_in_hub(stream, error)

    def deliver(self) -> None:
        """Call back with what was read; or let the end have its turn. Runs in a runner."""
        if not self._filled:
            super().deliver()
            return
        stream = self.stream
        if stream is None:
            return
        answer = None
        self.telling = True
        try:
            answer = self._callback(self._filled, self._buffer)
            if self._made_by is not None:
                self._buffer = self._made_by()
        except BaseException as error:
            self.listener_failed(stream, 'onread', error)
        finally:
            self._filled = 0
            self.telling = False
        self.stopped = answer is False
        if not self.stopped and self.stream is not None and not self.is_paused():
            self.go_on()

    def take_all(self) -> list[Any]:
        """Return all that has arrived, also what the callback was not told of yet."""
        taken = super().take_all()
        if self._filled and not self.telling:
            taken.append(bytes(memoryview(self._buffer).cast('B')[:self._filled]))
            self._filled = 0
        return taken

    def give_back(self, chunk: bytes | memoryview) -> None:
        """Put *chunk* in front of what has arrived: into the buffer, where it came from."""
        target = memoryview(self._buffer).cast('B')
        if self._filled or self.telling or len(chunk) > len(target):
            super().give_back(chunk)
            return
        target[:len(chunk)] = chunk
        self._filled = len(chunk)
        self.schedule.enqueue(self)

    def want(self) -> None:
        """Read ahead from now on, unless the callback has stopped that."""
        if not self.stopped:
            super().want()

    def go_on(self) -> None:
        """Read again where that was stopped."""
        self.stopped = False
        if self.sock is not None and self.reading is FULL:
            self.want()
