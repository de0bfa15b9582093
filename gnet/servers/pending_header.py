"""A connection that was accepted from a proxy, until it has said whose it is.

Nothing is taken from the kernel but the header: it is looked at first (``MSG_PEEK``), and what
follows stays where it is, for whoever reads the connection then, TLS too. So the descriptor is as
one that was accepted from the client itself.
"""

from __future__ import annotations

import _socket
from collections.abc import Callable
from typing import Any

from ..loop.idle_timers import IdleTimer
from ..loop.loop import Loop
from ..loop.watchers import READ, close_watcher
from ..proxy_protocol.header import HeaderParser

__all__ = ['PendingHeader', 'read_header']


def read_header(sock: Any, parser: HeaderParser) -> bool:
    """Read what there is of a header, and return whether it is complete.

    Raises:
        CodedValueError: it is none (``ERR_PROXY_PROTOCOL``).
        EOFError: the peer has ended before.
        OSError: what recv(2) says.
    """
    while parser.header is None:
        try:
            seen = sock.recv(parser.wanted, _socket.MSG_PEEK)
        except BlockingIOError:
            return False
        if not seen:
            raise EOFError('it has ended before')
        taken = parser.feed(seen)
        while taken:
            taken -= len(sock.recv(taken))
    return True


class PendingHeader:
    """One such connection: a server counts it, and may destroy it. All of it happens in the hub.

    It keeps the program alive, as a connection does that reads.
    """

    __slots__ = (
        '_decided', '_destroyed', '_loop', '_timer', '_watcher', 'parser', 'remote', 'sock',
    )

    def __init__(
        self, loop: Loop, sock: Any, remote: Any, parser: HeaderParser, seconds: float,
        decided: Callable[[PendingHeader, BaseException | None], object],
        destroyed: Callable[[PendingHeader], object],
    ) -> None:
        """Wait for the rest.

        Args:
            loop: of this thread.
            sock: the connected, non-blocking socket of the system; it belongs to this, until
                :meth:`take_out`.
            remote: the peer's name.
            parser: which knows what has come already.
            seconds: the time that there is for it.
            decided: called in the hub when it is complete, or with why it will not be: a
                TimeoutError when the time is over.
            destroyed: called when somebody has ended it meanwhile.
        """
        self._loop = loop
        self.sock: Any = sock
        self.remote: Any = remote
        self.parser: HeaderParser = parser
        self._decided = decided
        self._destroyed = destroyed
        self._watcher = loop.io(sock.fileno(), READ)
        loop.start_io(self._watcher, self._on_readable)
        self._timer = IdleTimer(self._time_is_over, seconds, loop.now())
        loop.idle_timers.arm(self._timer)
        loop.hold()

    @property
    def accepted_at(self) -> float:
        """The loop's time when it was accepted."""
        return self._timer.last_active

    @property
    def waits(self) -> bool:
        """Whether it keeps the program alive; not so one that is decided, and about to go on."""
        return self._watcher is not None

    def __repr__(self) -> str:
        return f'<{type(self).__name__} {self.remote}>'

    def _on_readable(self) -> None:
        if self.sock is None:
            return  # a signal handler has ended it right before this was called
        try:
            is_complete = read_header(self.sock, self.parser)
        except BaseException as error:
            self._decide(error)
        else:
            if is_complete:
                self._decide(None)

    def _time_is_over(self, timer: IdleTimer) -> None:
        self._decide(TimeoutError('it has not come in time'))

    def _decide(self, error: BaseException | None) -> None:
        self._stop()
        self._decided(self, error)

    def _stop(self) -> None:
        watcher, self._watcher = self._watcher, None
        if watcher is not None:
            close_watcher(watcher)
            self._loop.idle_timers.cancel(self._timer)
            self._loop.release()

    def take_out(self) -> Any:
        """Return the socket, which is the caller's; None if this is destroyed."""
        self._stop()
        sock, self.sock = self.sock, None
        return sock

    @property
    def remote_address(self) -> None:
        """Whose it is is not known yet."""
        return None

    @property
    def destroyed(self) -> bool:
        """Whether it has no connection any more."""
        return self.sock is None

    def destroy(self, error: Any = None) -> None:
        """End the connection, as a server does that is stopped; only the first call counts."""
        sock = self.take_out()
        if sock is not None:
            sock.close()
            self._destroyed(self)

    def _forsake(self) -> None:
        """Close the copy of it in a forked child; what a server asks of each of its connections."""
        sock = self.take_out()
        if sock is not None:
            sock.close()
