"""What a :class:`gnet.Socket` asks of its wire beyond what every stream does.

``gnet/streams/wire.py`` has the contract of a stream. A socket has a descriptor besides, perhaps
some wires further down; this is what it does with it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from ..loop.idle_timers import IdleTimer
from ..loop.loop import Loop
from ..streams.wire import Bytes, Carried, Wire

__all__ = ['Borrower', 'SocketWire']


class Borrower(Carried, Protocol):
    """A wire upon the wire of another socket, which has lent it: see :mod:`gnet.sockets.lending`.
    """

    def lender_returned(self) -> None:
        """The handler of that socket has returned: it was for the one above."""


class SocketWire(Wire, Protocol):
    """What carries a socket: :class:`.wire.DescriptorWire`, or a wire upon one."""

    schedule: Loop
    #: The socket, or the `Borrower` that it has lent this to; None once the wire is closed.
    stream: Carried | None
    #: All bytes that have come, those that nobody has taken yet included.
    bytes_read: int

    @property
    def handled(self) -> bool:
        """Whether a 'connection' listener is at work, which may block for any other reason."""

    @property
    def can_block(self) -> bool:
        """Whether blocking calls may read it."""

    @property
    def looks_first(self) -> bool:
        """Whether the first blocking read may call :meth:`receive` before it waits."""

    @property
    def stopped(self) -> bool:
        """Whether the program reads nothing now, by other means than ``pause()``: `onread`."""

    @property
    def telling(self) -> bool:
        """Whether the callback of `onread` is at work."""

    @property
    def sock(self) -> Any:
        """The socket of the system; None while there is no connection."""

    @property
    def family(self) -> int:
        """Of the descriptor, also when it is closed."""

    @property
    def proto(self) -> int:
        """Likewise."""

    @property
    def ref(self) -> bool:
        """Whether it keeps the program alive while something can happen by itself."""

    @property
    def holds(self) -> bool:
        """Whether it keeps the program alive now."""

    @property
    def idle_timer(self) -> IdleTimer | None:
        """Of ``set_timeout``."""

    def open(self, stream: Carried, sock: Any) -> None:
        """Carry *stream* on *sock*, which is connected and non-blocking, from now on."""

    def succeed(self, other: Any) -> None:
        """Be the wire of the same stream's next connection, after *other*."""

    def take_out(self) -> Any:
        """Return the socket of the system: it is the caller's.

        Raises:
            CodedTypeError: what goes on there cannot be continued by somebody else.
        """

    def set_ref(self, ref: bool) -> None:
        """Keep the program alive while this is open, or not."""

    def set_handled(self, handled: bool) -> None:
        """A 'connection' listener begins, or has returned."""

    def begin_handled(self) -> None:
        """A 'connection' listener begins, and :meth:`want`, in one step."""

    def set_idle_time(self, seconds: float, expired: Callable[[IdleTimer], None] | None) -> None:
        """Have *expired* called in the hub after *seconds* without activity; 0 for never."""

    def touch(self) -> None:
        """Note an activity: a new idle period begins."""

    def keep_stream(self, stream: Carried, keep: bool) -> None:
        """Keep *stream* in memory while this is open, or leave that to who has it."""

    def own(self, failure: Any) -> Any:
        """Return *failure*, and note it as this connection's."""

    def is_own(self, error: BaseException) -> bool:
        """Whether *error* is this connection's."""

    # --- for the blocking side ---

    def on_readable(self) -> None:
        """Take what has come; the same as the hub does, for whoever cannot wait for it."""

    def receive(self) -> bytes | None:
        """Take what has arrived; None if that is no bytes."""

    def has_arrived(self) -> bool:
        """Whether bytes have come that nobody has taken, as far as that is known."""

    def give_back(self, chunk: Bytes) -> None:
        """Put *chunk* in front of what has arrived."""

    def put_behind(self, chunk: bytes) -> None:
        """Put *chunk*, which somebody has read for later, behind what has arrived."""

    def withdraw(self) -> int:
        """The rest of what was offered last will not be offered again.

        Returns how many bytes of it go out all the same, as something has been made of them.
        """
