"""The accepting end of a server: :class:`Acceptor`, the one file that knows gevent's StreamServer.

From :class:`gevent.server.StreamServer` it has the listening socket's life, and the greenlet in
which each connection is handled. Its own are the accept loop and what goes wrong in it: gevent's
prints a traceback for each failed accept, forgets ``unref`` at each pause, and cannot drop.
"""

from __future__ import annotations

import _socket
import errno
import logging
import sys
from typing import Any, Protocol

from gevent.server import StreamServer

from . import errors
from .binding import Listener
from .loop import READ, Loop, close_watcher

__all__ = ['Acceptor']

_log = logging.getLogger('gnet.server')

#: The connection was lost before it was accepted, or the packet filter refused it: the listener is
#: fine and the next accept may work. accept(2) on Linux hands on such errors of the new socket.
_PEER_FAULTS = frozenset({
    errno.ECONNABORTED, errno.EINTR, errno.EPERM, errno.EPROTO, errno.ENETDOWN, errno.ENOPROTOOPT,
    errno.EHOSTDOWN, errno.ENONET, errno.EHOSTUNREACH, errno.EOPNOTSUPP, errno.ENETUNREACH,
    errno.ETIMEDOUT,
})
#: Out of descriptors or memory: what waits in the kernel's queue is accepted when there are some.
_EXHAUSTION = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


class Accepting(Protocol):
    """What an acceptor needs of its server."""

    def _admit(self, sock: Any, remote: Any) -> Any:
        """Return the ``gnet.Socket`` for a new connection, or None to refuse it. In the hub."""

    def _serve(self, sock: Any) -> None:
        """Handle an admitted connection. In a greenlet of its own."""

    def _accept_failed(self, error: BaseException) -> None:
        """Be told of an error that is neither a peer's nor will pass. In the hub."""


class Acceptor(StreamServer):
    """Accepts connections for a server, which has it as ``_handle`` while it listens."""

    #: Seconds to wait after an accept that failed for want of descriptors or memory; doubled for
    #: each that follows, up to ``max_delay``, and reset by a success (gevent's defaults).
    min_delay = 0.01
    max_delay = 1

    def __init__(self, loop: Loop, listener: Listener, server: Accepting) -> None:
        super().__init__(listener.socket)
        self.gnet_loop = loop
        self.listener = listener
        self.server = server
        self._ref = True
        self._exhausted = False
        self._family = listener.socket.family

    # --- life -------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start accepting; keeps the program alive from now on unless :meth:`set_ref` says no."""
        super().start()
        if self._ref:
            self.gnet_loop.hold()

    def close(self) -> None:
        """Stop accepting and close the listening socket, at once, without blocking."""
        if self.closed:
            return
        held = self.started and self._ref
        super().close()
        if held:
            self.gnet_loop.release()
        self.listener.close()

    def set_ref(self, ref: bool) -> None:
        """Say whether this listener keeps the program alive; pauses of accepting change nothing."""
        if ref is not self._ref:
            self._ref = ref
            if self.started:
                (self.gnet_loop.hold if ref else self.gnet_loop.release)()

    def has_ref(self) -> bool:
        """Return whether this listener keeps the program alive while it is open."""
        return self._ref

    def start_accepting(self) -> None:
        """Accept what comes; called by ``start`` and after a pause."""
        if self._watcher is None:
            self._watcher = self.gnet_loop.io(self.socket.fileno(), READ)
            self._watcher.start(self._do_read)

    def stop_accepting(self) -> None:
        """Leave what comes in the kernel's queue."""
        close_watcher(self._watcher)
        close_watcher(self._timer)
        self._watcher = self._timer = None

    # --- accepting, in the hub --------------------------------------------------------------------

    def _do_read(self) -> None:
        try:
            for _ in range(self.max_accept):
                accepted = self.do_read()
                if accepted is None:
                    return
                self.do_handle(*accepted)
        except OSError as error:
            self._accept_failed(error)
        except BaseException:
            # Whatever escaped would stop the watcher for good, and the reason would be lost.
            self.gnet_loop.hub.handle_error(self, *sys.exc_info())

    def do_read(self) -> Any:
        """Accept one connection: ``(socket, remote name)``, or None when there is none left."""
        while True:
            try:
                fd, remote = self.socket._accept()
            except BlockingIOError:
                self._exhausted = False  # all who waited were accepted: the episode is over
                return None
            except OSError as error:
                if error.errno not in _PEER_FAULTS:
                    raise
                _log.debug('%s: accept: %s', self, error)
                continue
            # Not gevent's class: its two watchers and weak references cost 6 us a connection.
            sock = _socket.socket(self._family, _socket.SOCK_STREAM, 0, fd)
            sock.setblocking(False)
            self.delay = self.min_delay
            return sock, remote

    def do_handle(self, *accepted: Any) -> None:
        """Have a greenlet handle the connection, in turn with what others of this turn cause."""
        sock = self.server._admit(*accepted)
        if sock is not None:
            self.gnet_loop.start(self._spawn, self.server._serve, sock)

    def handle(self, sock: Any, address: Any) -> None:
        """StreamServer wants one; :meth:`do_handle` gives connections to the server instead."""
        raise AssertionError('an Acceptor hands connections to its server')

    def _accept_failed(self, error: OSError) -> None:
        if error.errno in _EXHAUSTION:
            if not self._exhausted:
                self._exhausted = True
                _log.warning(
                    '%s: accept: %s; new connections wait until there are some free',
                    self, errors.system_error(error.errno or 0, 'accept'),
                )
            self._pause()
        else:
            self.server._accept_failed(errors.system_error(error.errno or 0, 'accept'))
            if self.started:
                self._pause()

    def _pause(self) -> None:
        self.stop_accepting()
        self._timer = self.gnet_loop.call_after(self.delay, self._resume)
        self.delay = min(self.max_delay, self.delay * 2)

    def _resume(self) -> None:
        close_watcher(self._timer)
        self._timer = None
        if self.started:
            self.start_accepting()
