"""``gnet.call_from_thread()``: what another thread wants done, in the thread of a loop."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import TYPE_CHECKING, Any

from gevent import get_hub, monkey
from gevent.event import Event

from ..node import coded_errors
from . import forks
from .agenda import EXITS
from .loop import Loop

if TYPE_CHECKING:
    _AnyFuture = Future[Any]
else:
    _AnyFuture = Future

__all__ = ['ThreadCall', 'call_from_thread']


class ThreadCall(_AnyFuture):
    """A :class:`concurrent.futures.Future` whose failure is not lost if nobody asks for it."""

    def __init__(self, loop: Loop) -> None:
        super().__init__()
        self.gnet_loop = loop
        #: What it has failed with, until somebody might have seen it.
        self.gnet_unseen: BaseException | None = None
        self.gnet_is_watched: bool = False
        #: Where the locks of a future are gevent's: who waits, by the loops of their hubs, and what
        #: ends that. None elsewhere.
        self.gnet_waiters: list[tuple[Any, Event]] | None = None
        if monkey.is_module_patched('threading'):
            self.gnet_waiters = []
            super().add_done_callback(_wake_waiters)

    def set_exception(self, exception: BaseException | None) -> None:
        if not self.gnet_is_watched and not isinstance(exception, EXITS):
            self.gnet_unseen = exception
        super().set_exception(exception)

    def result(self, timeout: float | None = None) -> Any:
        self._watch()
        return super().result(self._waited(timeout))

    def exception(self, timeout: float | None = None) -> BaseException | None:
        self._watch()
        return super().exception(self._waited(timeout))

    def add_done_callback(self, fn: Callable[[Future[Any]], object]) -> None:
        self._watch()
        super().add_done_callback(fn)

    def _waited(self, timeout: float | None) -> float | None:
        """Wait where the locks of a future are gevent's; return how long the future shall wait.

        gevent before 26 does not always wake who waits for a lock that another thread releases.
        """
        waiters = self.gnet_waiters
        if waiters is None or timeout == 0 or self.done():
            return timeout
        over = Event()
        waiter = get_hub().loop, over
        waiters.append(waiter)
        try:
            if not self.done():  # asked again: what ends from here on knows of this waiter
                over.wait(timeout)
        finally:
            waiters.remove(waiter)  # its hub may be gone when the call ends
        return 0

    def _watch(self) -> None:
        self.gnet_is_watched = True
        self.gnet_unseen = None

    def __del__(self) -> None:
        error, loop = self.gnet_unseen, self.gnet_loop
        if error is not None:
            loop.in_own_thread(loop.fail, call_from_thread, error)


def _wake_waiters(call: Any) -> None:
    for native, over in tuple(call.gnet_waiters):
        native.run_callback_threadsafe(over.set)


def call_from_thread(function: Callable[..., Any], *args: Any) -> ThreadCall:
    """Have ``function(*args)`` called in the thread of a loop; for use in any other thread.

    ::

        gnet.call_from_thread(sock.write, b'news')
        count = gnet.call_from_thread(server.get_connections).result()

    A method of a socket or server is called in the thread that this belongs to, everything else in
    the main thread; if gnet is not used there, but in one other thread, in that. It is called soon,
    by a runner, as listeners are: it may block, which delays nobody. Calls of one thread begin in
    their order. The call does not wait, and does not keep the program alive: while nothing else
    does, ``gnet.run()`` may end before.

    Returns:
        A :class:`concurrent.futures.Future`: its ``result()`` blocks the calling thread, and
        returns or raises what *function* does. (In the loop's own thread, that would wait for
        itself.) If *function* raises, and the future is dropped without having been asked, the
        failure is the program's: it ends ``gnet.run()``, as one of a listener would.

    Raises:
        CodedRuntimeError: ``ERR_NO_LOOP``: gnet is not used in this process yet, or only in several
            threads besides the main one; ``ERR_FORKED_PROCESS``.
    """
    if not callable(function):
        raise coded_errors.invalid_arg_type('function', 'of type function', function)
    loop = _loop_of(function)
    call = ThreadCall(loop)
    loop.native.run_callback_threadsafe(loop.tick, _make, call, function, args)
    return call


def _loop_of(function: Any) -> Loop:
    if forks.is_forked():
        raise coded_errors.state_error('ERR_FORKED_PROCESS')
    while isinstance(function, partial):
        function = function.func
    loop: Loop | None = getattr(getattr(function, '__self__', None), '__gnet_loop__', None)
    if loop is None:
        loops: list[Loop] = forks.loops()
        those_of_main = [each for each in loops if each.is_main]
        if not those_of_main and len(loops) != 1:
            raise coded_errors.state_error('ERR_NO_LOOP')
        loop = (those_of_main or loops)[0]
    if not loop.is_usable:
        raise coded_errors.state_error('ERR_NO_LOOP')
    return loop


def _make(call: Any, function: Callable[..., Any], args: tuple[Any, ...]) -> None:
    """Make the call; runs in a runner."""
    if not call.set_running_or_notify_cancel():
        return
    try:
        result = function(*args)
    except BaseException as error:
        call.set_exception(error)
        if isinstance(error, EXITS):
            raise
    else:
        call.set_result(result)
    finally:
        # The traceback of its failure has this frame: the call shall go when its caller drops it.
        del call
