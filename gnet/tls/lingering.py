"""After the end of a client that was never told anything: its descriptor stays a little longer.

With TLS 1.3 a server sends tickets of its own accord. A system that closes a connection with bytes
in it that nobody has read, or is sent some after that, resets it; and then the server loses what it
has not read yet. So who has only written, and has left in good order, sends its FIN, and reads away
what comes until the server ends, too. Nobody waits for that but the descriptor, and the end of the
program.

The descriptor is not the socket's any more: that is closed, as is the one below it (STARTTLS).
"""

from __future__ import annotations

import _socket
import resource
import struct
from typing import Any

from ..loop.idle_timers import IdleTimer
from ..sockets.wire import DescriptorWire
from ..streams.states import GREENLET
from ..streams.upper import Upper

__all__ = ['MOST', 'MOST_SECONDS', 'Lingering', 'can_linger']

#: Seconds that this takes at most: tickets come as soon as the server has the end of the handshake.
MOST_SECONDS = 2.0

#: Connections of one loop that linger at a time; beyond that the oldest is closed, whose tickets
#: have most likely come. That is a quarter of the descriptors that a process mostly may have
#: (1024); where it may have fewer, a quarter of those. What the program opens by itself, a file
#: say, is to find some.
MOST = 256
_PART = 4

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


def _most() -> int:
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]  # it may be changed at any time
    return MOST if limit == resource.RLIM_INFINITY else max(1, min(MOST, limit // _PART))


class Lingering(Upper):
    """Takes the descriptor out of *below*, and closes it by itself, a little later.

    What *below* was, is closed right after that by who has it. Callable in the thread of its loop
    only, and anywhere there.

    Attributes:
        wire: what has the descriptor now; of the kind of *below*, and as much a ref as that.
        since: the loop's time at which it began.
    """

    __slots__ = ('__weakref__', '_left', '_timer', 'since', 'wire')

    def __init__(self, below: Any) -> None:
        loop = below.schedule
        self._left = _MOST_BYTES
        self.since: float = loop.now()
        self._timer = IdleTimer(self._expired, MOST_SECONDS, self.since)
        self.wire: DescriptorWire = type(below)(loop)
        # (Not by the method of a subclass: in memory there is none that a program could have.)
        self.wire.open(self, DescriptorWire.take_out(below))
        self.wire.set_ref(below.ref)
        self.wire.reader = self
        self.wire.taker = GREENLET
        # Who was known to have the descriptor is gone.
        loop.close_in_child(self, Lingering.close)
        loop.dispensable.add(self, _most())
        try:
            self.wire.shut_down()
            self.wire.want()
        except OSError:
            self.close()  # the connection is broken: nobody is left to be spared
        else:
            loop.idle_timers.arm(self._timer)

    def __repr__(self) -> str:
        return '<gnet.tls.TLSSocket, closed>'

    def switch(self, chunk: bytes | None) -> None:
        """The wire has something; None for its end."""
        self._left -= 0 if chunk is None else len(chunk)
        if chunk is None or self._left < 0:
            self.close()
        else:
            self.wire.reader = self

    def destroy(self, error: BaseException | None = None) -> None:
        """The wire has failed."""
        self.close()

    def _expired(self, timer: IdleTimer) -> None:
        self.close()

    def close(self) -> None:
        """Close the descriptor now; does nothing the second time."""
        loop = self.wire.schedule
        loop.dispensable.remove(self)
        if self._timer.expired is not None:
            loop.idle_timers.cancel(self._timer)
        self.wire.reader = None
        self.wire.close()
