"""The accepting end of a server: :class:`Acceptor`, which is one of gevent's StreamServer.

From :class:`gevent.server.StreamServer` it has the listening socket's life. Its own are the accept
loop and what goes wrong in it: gevent's prints a traceback for each failed accept, forgets
``unref`` at each pause, and cannot drop; and where it spawns a greenlet for each connection, one
that nobody can tell from a new one is used again (:mod:`gnet.loop.handler_greenlets`).
"""

from __future__ import annotations

import _socket
import errno
import select
import socket as _stdlib
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from gevent import getcurrent
from gevent.server import StreamServer

from .. import lifecycle
from ..loop.dispensable import NONE_LEFT
from ..loop.loop import Loop
from ..loop.signals import is_called_by_signal
from ..loop.watchers import READ, close_watcher, is_libuv
from ..node import system_errors
from ..node.logs import Log
from ..node.originals import original
from ..sockets.descriptors import reset_on_close
from .connections import Connections
from .listener import Listener

if TYPE_CHECKING:
    from ..options.limits import LimitOptions
    from .connections import Limiter
    from .gate import Gate

__all__ = [
    'Accepting',
    'Acceptor',
    'Counting',
    'Handle',
    'own_limits',
    'reset',
]

_log = Log('gnet.server')

#: The patched one would let others run.
_poll: Callable[[], Any] = original('select', 'poll')

#: The connection was lost before it was accepted, or the packet filter refused it: the listener is
#: fine and the next accept may work. accept(2) on Linux hands on such errors of the new socket.
_PEER_FAULTS = frozenset(
    getattr(errno, name)
    for name in (
        'ECONNABORTED', 'EINTR', 'EPERM', 'EPROTO', 'ENETDOWN', 'ENOPROTOOPT', 'EHOSTDOWN',
        'ENONET', 'EHOSTUNREACH', 'EOPNOTSUPP', 'ENETUNREACH', 'ETIMEDOUT',
    )
    if hasattr(errno, name)  # some are only known to Linux
)

#: Out of descriptors or memory: what waits in the kernel's queue is accepted when there are some.
_EXHAUSTION = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


#: Connections that are still accepted when a listener is closed, so that they are served and not
#: reset: as many as Linux lets wait by default (``somaxconn``).
MAX_LAST = 4096


class Accepting(Protocol):
    """Who gets what an acceptor accepts."""

    @property
    def server(self) -> Any:
        """The server whose connections they become, in this process; else None."""

    #: While a connection is handed over: the loop's time when it was accepted, if anybody
    #: subscribes to what is published.
    accepted_at: float | None

    @property
    def admit(self) -> Callable[[Any, Any], Any]:
        """Called with a new socket and its remote name, in the hub; returns the connection.

        None if it was refused. If this raises, the socket is closed by the caller.
        """

    @property
    def serve(self) -> Callable[[Any], object]:
        """Called with an admitted connection, in a greenlet of its own."""

    @property
    def accept_failed(self) -> Callable[[BaseException], object]:
        """Called with an error that is neither a peer's nor will pass, in the hub."""


class Counting(Accepting, Protocol):
    """The same for a server of this process, which counts them."""

    @property
    def reads_headers(self) -> bool:
        """Whether it finds out by itself whose a connection is, when it has it."""

    @property
    def connections(self) -> Connections:
        """Who counts them."""

    @property
    def dropped(self) -> Callable[..., object]:
        """Called with both ends, the reason, and whose limit it was: it was closed elsewhere."""

    @property
    def serve_later(self) -> Callable[[Any], object]:
        """Like ``serve``, where something may have happened since ``admit``."""


class Handle(Protocol):
    """What a server has as ``_handle`` while it listens: an acceptor, or what stands for one."""

    @property
    def closed(self) -> bool: ...

    @property
    def started(self) -> bool: ...

    @property
    def listener(self) -> Any:
        """Where it listens: has a ``path``, None for TCP, and a ``key``."""

    @property
    def socket(self) -> Any:
        """Has a ``family``, and ``getsockname()``."""

    def start(self) -> None: ...

    def close(self) -> None: ...

    def set_ref(self, ref: bool) -> None: ...

    def has_ref(self) -> bool: ...

    def set_gate(self, gate: Gate | None) -> None:
        """Have *gate* say how many connections may come; None: as many as do."""

    def limiter(self, options: LimitOptions, before: Limiter | None) -> Limiter | None:
        """Return what limits the connections; *before* did so until now. None if nothing does."""


class Acceptor(StreamServer):
    """Accepts connections for a server, which has it as ``_handle`` while it listens."""

    # The members of StreamServer that have no type there; and one that has, and is set here.
    _timer: Any
    _watcher: Any
    socket: Any
    delay: float

    #: Seconds to wait after an accept that failed for want of descriptors or memory; doubled for
    #: each that follows, up to ``max_delay``, and reset by a success (gevent's defaults).
    min_delay: float = 0.01
    max_delay: int = 1

    #: Seconds without such a failure after which the next one is logged again. Accepting is tried
    #: at least every ``max_delay``, so a lasting shortage is one episode; and a server that stays
    #: at its limit, where each client that leaves lets one in, does not log a line for each.
    episode_gap = 10

    #: Whether a connection is given over after the listeners of the one before, and their ticks. So
    #: a server decides on it (``max_connections``) when it has dealt with those before, as Node
    #: does, which accepts one at a time.
    in_turn = True

    def __init__(self, loop: Loop, listener: Listener, intake: Accepting) -> None:
        super().__init__(listener.socket)
        self.gnet_loop = loop
        self.listener = listener
        #: Who gets the connections; another server takes this acceptor over by setting it.
        self.intake = intake
        #: What keeps connections waiting while there are ``max_connections``; None: nothing does.
        self.gate: Gate | None = None
        self._is_closed = False  # what ``closed`` says, without the call
        self._ref = True
        self._exhausted_at: float | None = None
        self._family = listener.socket.family
        loop.close_in_child(self, Acceptor.close)

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
        self._is_closed = True
        loop = self.gnet_loop
        if is_libuv(loop.native) and getcurrent() is loop.hub and is_called_by_signal():
            # The signal may have interrupted gevent right before it looks for the watcher that it
            # was called for, and which it must find.
            loop.from_hub(self._close)
        else:
            self._close()

    def _close(self) -> None:
        if self.closed:
            return
        held = self.started and self._ref
        super().close()
        if held:
            self.gnet_loop.release()
        self.set_gate(None)
        self.listener.close()

    def set_gate(self, gate: Gate | None) -> None:
        """Have *gate* say how many may be accepted; None: as many as come."""
        before, self.gate = self.gate, gate
        if before is not None:
            before.dismiss()

    def set_ref(self, ref: bool) -> None:
        """Say whether this listener keeps the program alive; pauses of accepting change nothing."""
        if ref is not self._ref:
            self._ref = ref
            if self.started:
                (self.gnet_loop.hold if ref else self.gnet_loop.release)()

    def has_ref(self) -> bool:
        """Return whether this listener keeps the program alive while it is open."""
        return self._ref

    def limiter(self, options: LimitOptions, before: Limiter | None) -> Limiter | None:
        """Return what limits the connections: it is asked here, for each."""
        return own_limits(self.gnet_loop, options, before)

    def start_accepting(self) -> None:
        """Accept what comes; called by ``start`` and after a pause."""
        if self._watcher is None:
            self._watcher = self.gnet_loop.io(self.socket.fileno(), READ)
            self.gnet_loop.start_io(self._watcher, self._do_read)

    def stop_accepting(self) -> None:
        """Leave what comes in the kernel's queue."""
        close_watcher(self._watcher)
        close_watcher(self._timer)
        self._watcher = self._timer = None

    def accept_last(self) -> None:
        """Accept what waits in the kernel's queue by now, and nothing that comes later.

        Those for whom the gate has no room stay there, and are reset when this is closed.
        """
        self.stop_accepting()
        gate = self.gate
        start: Callable[..., object] = self.gnet_loop.start if gate is None else gate.start
        for accepted in self.waiting(gate):
            start(self.hand_over, *accepted)

    def waiting(self, gate: Gate | None = None) -> Iterator[tuple[Any, Any]]:
        """Accept what waits, as far as *gate* has room; each ``(socket, remote name)``.

        One that its peer has given up meanwhile is no reason to leave those behind it.
        """
        for _ in range(MAX_LAST):
            if gate is not None and not gate.room():
                return
            try:
                accepted = self.do_read()
            except OSError as error:
                if error.errno not in _PEER_FAULTS and not self._makes_room(error):
                    return  # a BlockingIOError when there are no more
            else:
                yield accepted

    # --- accepting, in the hub --------------------------------------------------------------------

    def _do_read(self) -> None:
        in_turn = self.in_turn
        hand_over: Callable[[Any, Any], None] = self.hand_over
        if in_turn and lifecycle.has_subscribers():
            hand_over = partial(self._hand_over_since, self.gnet_loop.now())
        start: Callable[..., object] = self.gnet_loop.start
        count, gate = self.max_accept, self.gate
        try:
            if gate is not None:
                count, start = gate.room(), gate.start
            # A peer's fault counts as one of these too: one that never ends must not hold the hub.
            for _ in range(count):
                try:
                    sock, remote = self.do_read()
                except BlockingIOError:
                    return
                except OSError as error:
                    if self._is_closed:
                        return  # a signal handler has closed it, in the midst of this
                    if error.errno not in _PEER_FAULTS:
                        if self._makes_room(error):
                            continue
                        self._accept_failed(error)
                        return
                    _log.debug('%s: accept: %s', self, error)
                else:
                    if in_turn:
                        start(hand_over, sock, remote)
                    else:
                        hand_over(sock, remote)
        except BaseException as error:
            if self._is_closed and isinstance(error, AttributeError):
                return  # it has no socket any more: closed by a signal handler
            # Whatever escaped would stop the watcher for good, and the reason would be lost.
            self.gnet_loop.report(self, error)

    def do_read(self) -> tuple[Any, Any]:
        """Accept one connection: ``(socket, remote name)``.

        Raises:
            OSError: what accept(2) says; a BlockingIOError when there is none.
        """
        fd, remote = self.socket._accept()  # accept() makes a slower socket
        # Not gevent's class: its two watchers and weak references cost 6 us a connection.
        sock = _socket.socket(self._family, _socket.SOCK_STREAM, 0, fd)
        sock.setblocking(False)
        self.delay = self.min_delay
        return sock, remote

    def hand_over(self, sock: Any, remote: Any) -> None:
        """Give the server what was accepted; in the hub."""
        if self._is_closed:
            # No 'connection' after close(): it fares like those in the kernel's queue.
            reset(sock)
            return
        intake = self.intake
        try:
            connection = intake.admit(sock, remote)
        except BaseException:
            sock.close()
            raise
        if connection is not None:
            self.gnet_loop.handlers.call(intake.serve, connection)

    def _hand_over_since(self, accepted_at: float, sock: Any, remote: Any) -> None:
        self.intake.accepted_at = accepted_at
        try:
            self.hand_over(sock, remote)
        finally:
            self.intake.accepted_at = None

    def handle(self, sock: Any, address: Any) -> None:
        """StreamServer wants one; an acceptor gives connections to its :attr:`intake` instead."""
        raise AssertionError('an Acceptor hands connections to its intake')

    def _makes_room(self, error: OSError) -> bool:
        """Return whether somebody waits for whom there is a descriptor now, though there was none.

        accept(2) looks for a descriptor first, and says EMFILE also where nobody waits.
        """
        dispensable = self.gnet_loop.dispensable
        if not len(dispensable):
            return False
        poller = _poll()
        poller.register(self.socket.fileno(), select.POLLIN)
        return bool(poller.poll(0)) and dispensable.give_way_to(error)

    def _accept_failed(self, error: OSError) -> None:
        if error.errno in NONE_LEFT and len(self.gnet_loop.dispensable):
            return  # nobody waits: see _makes_room()
        failure = system_errors.system_error(error.errno or 0, 'accept')
        if error.errno in _EXHAUSTION:
            now, last = self.gnet_loop.now(), self._exhausted_at
            if last is None or now - last >= self.episode_gap:
                _log.warning(
                    '%s: %s; new connections wait until there are some free', self, failure)
            self._exhausted_at = now
        else:
            self.intake.accept_failed(failure)
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


def own_limits(loop: Loop, options: LimitOptions, before: Limiter | None) -> Limiter | None:
    """Return what limits connections in this process; *before* did so until now."""
    if not options.are_any:
        return None
    from .limits import Limits  # most servers need none

    if isinstance(before, Limits):
        before.configure(options)
        return before
    return Limits(options, loop.now)


def reset(sock: Any) -> None:
    """Close a connection that nobody has served: its peer sees a reset, if it is TCP."""
    if sock.family != _stdlib.AF_UNIX:
        reset_on_close(sock)
    sock.close()
