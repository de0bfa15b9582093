"""After the end of a client that was never told anything: its descriptor stays a little longer.

With TLS 1.3 a server sends tickets of its own accord. A system that closes a connection with bytes
in it that nobody has read, or is sent some after that, resets it; and then the server loses what it
has not read yet. So who has only written, and is closed, sends its FIN, and reads away what comes
until the server ends, too. Nobody waits for that but the descriptor, and the end of the program.
"""

from __future__ import annotations

import _socket
import struct
from collections.abc import Callable
from typing import Any

from ..loop.idle_timers import IdleTimer
from ..sockets.wire import DescriptorWire
from ..streams.states import ACTIVE, GREENLET

__all__ = ['MOST_SECONDS', 'Lingering', 'can_linger']

#: Seconds that this takes at most: tickets come as soon as the server has the end of the handshake.
MOST_SECONDS = 2.0

#: Bytes that are read away: of a server that sends more than tickets nobody wants anything, and it
#: is to learn that.
_MOST_BYTES = 16384

#: What SO_LINGER is by default: off.
_OFF = struct.pack('ii', 0, 0)


def can_linger(below: Any) -> bool:
    """Return whether *below* is on a descriptor that a reset may come from, and shall not."""
    return (
        isinstance(below, DescriptorWire) and below.sock is not None and not below.ended
        and below.sock.getsockopt(_socket.SOL_SOCKET, _socket.SO_LINGER, len(_OFF)) == _OFF)


class Lingering:
    """Takes the place of the stream of *below*, until *close* is called, which closes it.

    Callable in the thread of its loop only, and anywhere there.
    """

    __slots__ = ('__weakref__', '_below', '_close', '_left', '_timer')

    def __init__(self, below: Any, close: Callable[[], object]) -> None:
        self._below = below
        self._close = close
        self._left = _MOST_BYTES
        loop = below.schedule
        # Who was known to have the descriptor is gone.
        loop.close_in_child(self, Lingering._over)  # inside: its own
        self._timer = IdleTimer(self._expired, MOST_SECONDS, loop.now())
        below.set_idle_time(0, None)
        below.stream = below.reader = self
        below.taker = GREENLET
        try:
            below.shut_down()
            if below.reading is not ACTIVE:
                below.want()
        except OSError:
            self._over()  # the connection is broken: nobody is left to be spared
        else:
            loop.idle_timers.arm(self._timer)

    def __repr__(self) -> str:
        return '<gnet.tls.TLSSocket, closed>'

    def switch(self, chunk: bytes | None) -> None:
        """The wire has something; None for its end."""
        self._left -= 0 if chunk is None else len(chunk)
        if chunk is None or self._left < 0:
            self._over()
        else:
            self._below.reader = self

    def destroy(self, error: BaseException | None = None) -> None:
        """The wire has failed."""
        self._over()

    def _expired(self, timer: IdleTimer) -> None:
        self._over()

    def _over(self) -> None:
        below, close = self._below, self._close
        self._close = _nothing
        if self._timer.expired is not None:
            below.schedule.idle_timers.cancel(self._timer)
        if below.reader is self:
            below.reader = None
        close()


def _nothing() -> None:
    """It is closed already."""
