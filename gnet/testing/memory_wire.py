"""The wire of a socket whose connection is in memory, and the class of that socket.

It is the wire on a descriptor (:mod:`gnet.sockets.wire`), watchers, idle time and all, but that
nobody polls: the other end tells. So what a test sees of it is what a program sees of a socket.
"""

from __future__ import annotations

from typing import Any

from ..loop.loop import Loop
from ..node import coded_errors
from ..sockets.buffer_wire import BufferWire
from ..sockets.ownership import Counter
from ..sockets.socket import Socket
from ..sockets.wire import DescriptorWire
from .memory_descriptor import MemoryDescriptor, Readiness
from .traffic import traffic_of

__all__ = ['MemorySocket']


class _InMemory(DescriptorWire):
    """What a wire on a :class:`.MemoryDescriptor` does otherwise."""

    __slots__ = ()

    def open(self, stream: Any, sock: MemoryDescriptor) -> None:
        """Carry *stream* on *sock* from now on."""
        super().open(stream, sock)
        # With these in place, none is made for a descriptor's number.
        traffic = traffic_of(self.schedule)
        self._read_watcher = Readiness(sock.can_read, traffic)
        self._write_watcher = Readiness(sock.can_write, traffic)
        sock.watch(self._read_watcher)
        sock.watch(self._write_watcher)

    def settle_hold(self) -> None:
        """It never keeps the program alive: nothing comes that the program does not bring about.

        So gevent tells at once (``LoopExit``) when all of a test waits for each other.
        """

    def begin_handled(self) -> None:
        """A 'connection' listener begins, and reading with it; see :meth:`settle_hold`."""
        self.handled = True
        self.want()

    def has_arrived(self) -> bool:
        """Whether bytes wait."""
        return self.sock is not None and self.sock.has_bytes()

    def is_broken(self) -> bool:
        """Whether the connection has failed, and nobody was told yet."""
        return self.sock is not None and self.sock.has_failed()

    def take_out(self) -> Any:
        """There is no descriptor that somebody else could have."""
        raise coded_errors.invalid_handle_type()


class MemoryWire(_InMemory):
    """What carries a socket in memory."""

    __slots__ = ()


class MemoryBufferWire(_InMemory, BufferWire):
    """The same with the option ``onread``."""

    __slots__ = ()


class MemorySocket(Socket):
    """A :class:`gnet.Socket` whose connection is in memory: see :func:`gnet.testing.memory_pair`.

    It cannot be sent to another process, or taken out (``detach``, ``to_socket``), and
    ``fileno()`` is -1.

    Args:
        options: of :class:`gnet.Socket`.
        descriptor: one end of a connection.
        counter: who counts it, as if a server had accepted it; None for one of the program's.
    """

    __slots__ = ()

    def __init__(
        self, options: dict[str, Any], descriptor: MemoryDescriptor, counter: Counter | None = None,
    ) -> None:
        super().__init__(options)
        if counter is None:
            self._adopt(descriptor)
        else:
            self._counter = counter
            self._owner = None
            self._remote = descriptor.getpeername()
            self._open(descriptor)
        self._apply_options()

    def _make_wire(self, loop: Loop, before: Any = None) -> Any:
        if before is not None:
            return super()._make_wire(loop, before)  # connect() leads out of memory
        onread = self._settings.onread
        return MemoryWire(loop) if onread is None else MemoryBufferWire(loop, onread, None)
