"""Waiting for the end of a server: ``stop()``, ``serve_forever()``, the callback of ``close()``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gevent
from gevent import getcurrent
from gevent.event import Event
from gevent.exceptions import LoopExit

from ..events.once_listener import OnceListener
from ..loop import exit_hook, running
from ..loop.loop import Loop
from ..loop.signals import is_called_by_signal
from ..node.logs import Log
from .connections import Connections

__all__ = [
    'CloseCallback',
    'Serving',
    'serve_forever',
    'stop',
]

_log = Log('gnet.server')


class CloseCallback(OnceListener):
    """The callback of ``close()`` as a listener of `'close'`, which has no argument of its own."""

    __slots__ = ()

    def __call__(self, *_args: Any) -> Any:
        return super().__call__(None)


class Serving:
    """The calls of ``serve_forever()`` that wait for a server."""

    __slots__ = ('_calls',)

    def __init__(self) -> None:
        self._calls: list[_Call] = []

    def begin(self) -> _Call:
        """One more waits, until :meth:`end`."""
        call = _Call()
        self._calls.append(call)
        return call

    def end(self, call: _Call) -> None:
        """*call* waits no more."""
        self._calls.remove(call)

    def closed(self) -> None:
        """The server has ended: so do they."""
        for call in self._calls:
            call.over.set()

    def fail(self, error: BaseException) -> bool:
        """Let them raise *error*; return whether there was one to do so."""
        waiting = [call for call in self._calls if not call.over.is_set()]
        for call in waiting:
            call.error = error
            call.over.set()
        return bool(waiting)


class _Call:
    """A call of ``serve_forever()``."""

    __slots__ = ('error', 'over')

    def __init__(self) -> None:
        self.over: Event = Event()
        #: What it ends with.
        self.error: BaseException | None = None


def stop(close: Callable[[], object], connections: Connections, timeout: float | None) -> int:
    """Call *close*, block until all *connections* have ended, and return how many were destroyed.

    Where nothing can wait, the same is done by a greenlet of its own, after which the program ends
    at the earliest, and 0 is returned at once.

    Args:
        close: closes their server.
        connections: what is waited for.
        timeout: seconds to wait; then the rest are destroyed, and those of worker processes left
            alone. None waits for as long as it takes.
    """
    if connections.loop.is_forsaken:
        return 0  # in a forked child, where there are none
    if _can_wait(connections.loop):
        return _stop(close, connections, timeout)
    # close(), too: who knows what was interrupted.
    exit_hook.end_after(gevent.spawn(_stop_alone, close, connections, timeout))
    return 0


def _can_wait(loop: Loop) -> bool:
    """Return whether the calling greenlet may be blocked.

    Not the hub; and not what a signal handler has interrupted, which may be the greenlet of one of
    the connections that would be waited for.
    """
    return getcurrent() is not loop.hub and not (loop.is_main and is_called_by_signal())


def _stop_alone(
    close: Callable[[], object], connections: Connections, timeout: float | None,
) -> None:
    cut = _stop(close, connections, timeout)
    if cut:  # nobody else would know
        _log.warning(
            '%r: %d of its connections were still open after %g s, and were cut',
            connections.server, cut, timeout)


def _stop(close: Callable[[], object], connections: Connections, timeout: float | None) -> int:
    drained = Event()
    told = drained.set
    connections.when_drained(told)
    loop = connections.loop
    loop.hold()  # the connections may be unref'ed, and they are waited for now
    try:
        close()
        if drained.wait(timeout):
            return 0
        rest = list(connections.sockets)
        for sock in rest:
            sock.destroy()
        if not connections.trackers:
            drained.wait()
        return len(rest)
    finally:
        loop.release()
        connections.forget(told)


def serve_forever(loop: Loop, serving: Serving, keep_alive: Callable[[bool], object]) -> None:
    """Block until *serving* is told that the server has ended; in the main greenlet, serve.

    Args:
        loop: that of the server.
        serving: who is told.
        keep_alive: called with whether the server keeps the program alive although it was unref'ed.

    Raises:
        Exception: what *serving* was told to fail with.
    """
    call = serving.begin()
    in_main = getcurrent() is loop.main_greenlet
    try:
        with running.serving(loop):
            if in_main:
                keep_alive(True)
            try:
                call.over.wait()
            except LoopExit:
                if not in_main:
                    raise
            if call.error is not None:
                raise call.error
    finally:
        serving.end(call)
        if in_main:
            keep_alive(False)
