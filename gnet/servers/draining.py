"""Servers that are to end, and their connections, which may finish until a deadline.

That is what a worker does when its primary says so, and ``gnet script.py`` on SIGTERM.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from ..loop.loop import Loop
from ..loop.watchers import close_watcher
from .acceptor import Acceptor
from .internals import connections_of, handle_of, is_open
from .roster import roster
from .server import Server

__all__ = [
    'Drain',
    'open_servers',
]


class Drain:
    """Closes servers. All of it is done in the hub, and nothing blocks."""

    __slots__ = ('_closing', '_cut', '_done', '_loop', '_timer')

    def __init__(
        self, loop: Loop, done: Callable[[], object], cut: Callable[[int], object],
    ) -> None:
        """Prepare it; see :meth:`close` and :meth:`limit`.

        Args:
            loop: that of the servers.
            done: called when all have emitted `'close'`, or their connections were cut.
            cut: called before that with the number of connections, in a runner, when the deadline
                has come.
        """
        self._loop = loop
        self._done = done
        self._cut = cut
        #: What is waited for: servers, and for each call of :meth:`close`, that all of its servers
        #: have been told to.
        self._closing: set[Any] = set()
        self._timer: Any = None

    def close(self, servers: Iterable[Server], *, accept_rest: bool = False) -> None:
        """Close *servers*, those of an earlier call excepted, and wait for their connections.

        Args:
            servers: they may be none.
            accept_rest: first accept what waits in the kernel, where nobody else will.
        """
        told = object()
        self._closing.add(told)
        new = set(servers) - self._closing
        self._closing |= new
        for server in new:
            handle = handle_of(server)
            if isinstance(handle, Acceptor) and not handle.closed:
                # In turn with the connections that it has accepted already: closed at once, they
                # would be reset.
                (handle.accept_last if accept_rest else handle.stop_accepting)()
                self._loop.start(self._close, server)
            else:
                self._close(server)
        self._loop.start(self._has_closed, told)

    def _close(self, server: Server) -> None:
        # (The error that it was closed already is none here: its connections are waited for.)
        server.close(lambda *_error: self._has_closed(server))

    def _has_closed(self, server: object) -> None:
        if server in self._closing:
            self._closing.discard(server)
            if not self._closing:
                self.cancel()
                self._done()

    def limit(self, seconds: float) -> None:
        """Cut the connections that are left after *seconds*; the first call counts."""
        if self._timer is None and self._closing:
            self._timer = self._loop.call_after(seconds, self._loop.tick, self._time_is_up)

    def cancel(self) -> None:
        """There is no deadline any more."""
        close_watcher(self._timer)
        self._timer = None

    def _time_is_up(self) -> None:
        if self._timer is None:
            return  # it was cancelled meanwhile
        self.cancel()
        left = [sock for server in self._closing if isinstance(server, Server)
                for sock in connections_of(server).sockets]
        for sock in left:
            sock.destroy()
        self._cut(len(left))
        # Once they have emitted 'close'. Who knows what else the servers wait for, such as
        # connections that were sent to other processes.
        self._loop.later(self._has_been_cut)

    def _has_been_cut(self) -> None:
        if self._closing:
            self._closing.clear()
            self._done()


def open_servers(loop: Loop) -> list[Server]:
    """Return the servers of *loop* that listen, are about to, or have connections."""
    return [
        server for server in roster.all()
        if connections_of(server).loop is loop and is_open(server)]
