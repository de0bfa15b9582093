"""One look at a peer now and then, from the loop's shared heap: is it silent, does it take nothing?

Nothing is noted when bytes come or go. A look compares the counters that there are with those of
the look before; there are :data:`LOOKS` in the shortest time that is limited. So who is limited
costs a microsecond a look, and a message costs nothing.
"""

from __future__ import annotations

import select
from collections.abc import Callable
from fcntl import ioctl
from sys import byteorder
from termios import TIOCOUTQ
from typing import Any
from weakref import ref

from ..loop.idle_timers import IdleTimer
from ..node.originals import original
from ..options.peer_limits import PeerLimits

__all__ = ['PeerWatch']

#: Looks in the time of a limit. What began right after a look is found a quarter of it late.
LOOKS = 4

#: Seconds between two looks, at least: timers count milliseconds.
_SHORTEST = 0.001

_NEVER = float('inf')

#: The patched one would let others run.
_poll: Callable[[], Any] = original('select', 'poll')


class PeerWatch(IdleTimer):
    """The entry of the heap for one connection, and what the last look has found.

    It does not keep the socket: one that nobody has any more is collected, as any other.
    """

    __slots__ = (
        '_excused_read', '_excused_sent', '_loop', '_outgoing', '_read', '_sent', '_silent_since',
        '_stuck_since', 'began', 'look', 'sock',
    )

    # Of the base, and set here, too: without this, type checkers may differ about their types.
    last_active: float
    seconds: float

    def __init__(
        self, sock: Any, loop: Any, look: Callable[[Any, PeerWatch], None], began: float | None,
    ) -> None:
        """Make one; :meth:`look_again` starts it.

        Args:
            sock: whose peer it is.
            loop: of this thread.
            look: called in the hub with both when it is time, while *sock* is there.
            began: the loop's time when the connection began, from which its lifetime counts; None
                for now.
        """
        now = loop.now()
        super().__init__(_look, 0.0, now)
        self.sock: ref[Any] = ref(sock)
        self.look: Callable[[Any, PeerWatch], None] = look
        self._loop = loop
        self.began: float = now if began is None else began
        #: The loop's time since when it has been silent, or has taken nothing; None while it is
        #: not asked to speak, or nothing is to be sent.
        self._silent_since: float | None = None
        self._stuck_since: float | None = None
        #: Bytes, at the last look: read, sent, and in the kernel on their way.
        self._read = self._sent = self._outgoing = 0
        #: What the two were when it was excused for a hub that was blocked.
        self._excused_read = self._excused_sent = -1

    def look_again(self, limits: PeerLimits) -> None:
        """Have a look when it is time for the next one."""
        msecs = min(limits.read_timeout or _NEVER, limits.write_timeout or _NEVER)
        seconds = msecs / 1000 / LOOKS
        if limits.lifetime is not None:
            seconds = min(seconds, self.left_of(limits.lifetime))
        self.seconds = max(seconds, _SHORTEST)
        self.last_active = self._loop.now()
        self._loop.idle_timers.arm(self)

    def cancel(self) -> None:
        """Look no more."""
        self._loop.idle_timers.cancel(self)

    def forget(self) -> None:
        """The same, in any thread: nobody has the socket any more."""
        self._loop.in_own_thread(self.cancel)

    def left_of(self, lifetime: float) -> float:
        """Return for how many seconds the connection may still live; *lifetime* is milliseconds."""
        now: float = self._loop.now()
        return self.began + lifetime / 1000 - now

    def silent_for(self, is_asked: bool, read: int) -> float:
        """Return for how many seconds the peer has been silent, although it is asked to speak.

        Args:
            is_asked: whether somebody waits for what it says.
            read: bytes that have come from it in all.
        """
        now: float = self._loop.now()
        if not is_asked:
            self._silent_since = None
        elif self._silent_since is None or read != self._read:
            self._silent_since = now
        self._read = read
        return 0 if self._silent_since is None else now - self._silent_since

    def is_unheard(self, sock: Any) -> bool:
        """Whether the peer has said something that the hub had no time for: it is not silent.

        Only once for each that has come from it: TLS may have to leave bytes where they are, for as
        long as the peer takes nothing.
        """
        unheard = self._excused_read != self._read and _is_ready(sock, select.POLLIN)
        if unheard:
            self._silent_since, self._excused_read = self._loop.now(), self._read
        return unheard

    def is_unserved(self, sock: Any) -> bool:
        """Whether the kernel takes more, and the hub had no time for that: the peer has read.

        Only once for each that was sent, likewise.
        """
        unserved = self._excused_sent != self._sent and _is_ready(sock, select.POLLOUT)
        if unserved:
            self._stuck_since, self._excused_sent = self._loop.now(), self._sent
        return unserved

    def stuck_for(self, is_sending: bool, sent: int, sock: Any) -> float:
        """Return for how many seconds the peer has taken nothing of what is to be sent.

        Args:
            is_sending: whether something waits to be sent.
            sent: bytes that the kernel has taken in all.
            sock: the socket of the system, which knows how many of them are still on their way: a
                slow peer takes those for a long time before the kernel has room for more.
        """
        if not is_sending:
            self._stuck_since = None
            return 0
        now: float = self._loop.now()
        outgoing = _outgoing(sock)
        if self._stuck_since is None or sent != self._sent or outgoing < self._outgoing:
            self._stuck_since = now
        self._sent, self._outgoing = sent, outgoing
        return now - self._stuck_since


def _look(watch: IdleTimer) -> None:
    assert isinstance(watch, PeerWatch)
    sock = watch.sock()
    if sock is not None:
        watch.look(sock, watch)


def _outgoing(sock: Any) -> int:
    """Return how many bytes are in the kernel that the peer has not taken."""
    number = _number_of(sock)
    if number < 0:
        return 0  # only what is sent tells
    try:
        answer = ioctl(number, TIOCOUTQ, bytes(4))
    except OSError:
        return 0  # a pipe: likewise
    return int.from_bytes(answer, byteorder)


def _is_ready(sock: Any, event: int) -> bool:
    """Return whether the hub is about to be told so of *sock*, the socket of the system."""
    number = _number_of(sock)
    if number < 0:
        # No poll knows; a connection in memory (gnet.testing) does by itself.
        ask = getattr(sock, 'can_read' if event == select.POLLIN else 'can_write', None)
        return ask is not None and bool(ask())
    poller = _poll()
    poller.register(number, event)
    return bool(poller.poll(0))


def _number_of(sock: Any) -> int:
    """Return the number of the descriptor; -1 for a stream that is none, as in memory."""
    return -1 if sock is None else int(sock.fileno())
