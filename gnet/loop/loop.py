"""When things happen: one :class:`Loop` belongs to each hub, so to each thread that uses gnet.

It gives the rest of gnet what Node's event loop gives to ``net``:

- an **agenda** (:mod:`gnet.loop.agenda`), which it works off in the hub, once per loop turn;
- **runners** (:mod:`gnet.loop.runner`), which do that outside the hub, as listeners may block;
- **watchers and timers** (:mod:`gnet.loop.watchers`) that never keep the program alive by
  themselves, and :meth:`Loop.hold`, the one count of what does.

Everything that runs in the hub itself must not block and must not raise: an exception that escapes
an io callback stops that watcher for good.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable
from contextlib import ExitStack
from time import perf_counter
from typing import Any
from weakref import WeakKeyDictionary

import gevent

from ..node import coded_errors
from ..node.threads import get_ident
from . import agenda, forks
from .agenda import Agenda
from .dispensable import Dispensable
from .handler_greenlets import Handlers
from .idle_timers import IdleTimers
from .periods import Periods
from .reports import outlive_lost_reports
from .runner import Runner, RunnerState
from .watchers import Watchers, close_watcher, is_libuv

__all__ = [
    'Loop',
    'get_loop',
]

_RUNNING = RunnerState.RUNNING  # names of the module: see streams/states.py
_CAPTURED = RunnerState.CAPTURED


class Loop(Agenda, Watchers):
    """Ticks, work, watchers and life-time of one hub. Get it with :func:`get_loop`."""

    deadline: float
    wake_scheduled: bool

    def __init__(self, hub: Any) -> None:
        _import_what_may_be_needed()
        super().__init__(hub, self._work_off)
        #: The native thread that it belongs to; None if that is one of the parent process.
        self.thread: int | None = hub.thread_ident
        #: Blocks the calling greenlet until somebody switches to it, and returns what it is given.
        self.block: Any = hub.switch
        self.has_plain_watchers: bool = not is_libuv(self.native)
        if not self.has_plain_watchers:
            # The hub asks for this list whenever nothing is left to wait for, as at the end of
            # run(). gevent's libuv loop makes it from handles that may have been freed: a crash.
            self.native.debug = list
        outlive_lost_reports(hub)
        #: Runners that wait for the next turn.
        self.parked: list[Runner] = []
        #: The one that was woken last. A greenlet stays in its thread: who runs in this one need
        #: not ask which thread that is. None in a forked child.
        self.runner: Runner | None = None
        #: The greenlets of `'connection'` listeners.
        self.handlers: Handlers = Handlers(self.block, self.from_hub)
        #: How many open, ref'ed things keep the program alive.
        self.held: int = 0
        # An async watcher that is never sent: its ref, which may be changed while it is started, is
        # right on all loops. On libuv it would hold the loop even before it is started.
        self._anchor = self.native.async_(ref=False)
        self._anchor.start(_nothing)
        #: One heap for the time-outs of all its sockets.
        self.idle_timers: IdleTimers = IdleTimers(self)
        #: Those who take leave of their peers: see ``gnet/sockets/ownership.py``.
        self.lingering: Periods | None = None
        #: What is open although nobody has any more use for it.
        self.dispensable: Dispensable = Dispensable()
        #: True while the main greenlet waits in ``gnet.run()``: failures end that call.
        self.running: bool = False
        #: Whether one was reported instead.
        self.failed: bool = False
        #: What is open, with what closes it in a forked child.
        self._open: WeakKeyDictionary[Any, Callable[[Any], object]] = WeakKeyDictionary()
        #: In a forked child: the greenlet that has forked it.
        self._forked_by: Any = None
        forks.remember(self)

    # --- turns ------------------------------------------------------------------------------------

    def _work_off(self) -> None:
        """Let runners do what is waiting: runs in the hub."""
        # While this is set no second wake is scheduled: this one sees all that is added meanwhile.
        self.wake_scheduled = True
        parked = self.parked
        late = False
        now = perf_counter()
        self.deadline = now + agenda.WORK_BUDGET
        while True:
            while self.ticks or self.work:
                if (now or perf_counter()) >= self.deadline:
                    late = True
                    # Ticks, too: Node's starve all else for ever when they post themselves.
                    self._schedule_turn()
                    while self.ticks and self.work:
                        # What waits for the ticks comes after those here, not after theirs.
                        item = self.work.popleft()
                        self.ticks.append((item.deliver, (), item.context))
                    break
                now = 0.0  # which the runner takes; it looks, too, before each thing it does
                runner = parked.pop() if parked else Runner(self, parked)
                self.runner = runner
                runner.state = _RUNNING
                runner.switch()  # at once back from one that was killed: the next one goes on
                if runner.state is _RUNNING:
                    # It came back without parking: a listener blocked, or the runner ended.
                    runner.state = _CAPTURED
            if self._starts and not late:
                begin, arguments = self._starts.popleft()
                try:
                    begin(*arguments)
                except BaseException:
                    self.hub.handle_error(begin, *sys.exc_info())
                now = perf_counter()
                if now >= self.deadline:
                    late = True
                    self._schedule_turn()
                continue  # with its ticks: they come before the next start
            # (Ticks that cause each other must not hold up these for ever.)
            if self._soon and (late or not self.ticks):
                self._call_soon()
                if self.ticks and not late:
                    continue
            break
        self.wake_scheduled = False

    def _call_soon(self) -> None:
        callbacks, self._soon = self._soon, []
        for callback in callbacks:
            try:
                callback()
            except BaseException:
                self.hub.handle_error(callback, *sys.exc_info())

    # --- the hub ----------------------------------------------------------------------------------

    def from_hub(self, callback: Callable[..., object], *arguments: Any) -> None:
        """Call back in the hub, soon. *callback* must not block or raise."""
        self.native.run_callback(callback, *arguments)

    @property
    def main_greenlet(self) -> Any:
        """The greenlet that its thread has begun with, to which the hub goes when it is over."""
        return self.hub.parent

    @property
    def reporter(self) -> Any:
        """What prints a failure that nobody listens to: ``print_exception`` of the hub."""
        return self.hub.print_exception

    @reporter.setter
    def reporter(self, function: Any) -> None:
        self.hub.print_exception = function

    def in_own_thread(self, callback: Callable[..., object], *arguments: Any) -> None:
        """Call back now if this is the loop's thread, else soon in the hub. For finalizers."""
        if get_ident() == self.thread or not self.is_usable:
            callback(*arguments)
        else:
            self.native.run_callback_threadsafe(callback, *arguments)

    @property
    def is_usable(self) -> bool:
        """Whether its hub can run: it was not destroyed, nor is it the parent process's."""
        return self.thread is not None and bool(self.native.ptr)

    # --- whose it is ------------------------------------------------------------------------------

    def check_thread(self) -> None:
        """Raise if this is not the loop's thread.

        Where a call would cost too much, ``get_ident() != loop.thread`` is asked first.

        Raises:
            CodedRuntimeError: ``ERR_FOREIGN_THREAD``; or ``ERR_FORKED_PROCESS``, as no thread of a
                forked child is the loop's.
        """
        if get_ident() != self.thread:
            raise coded_errors.state_error(
                'ERR_FORKED_PROCESS' if self.is_forsaken else 'ERR_FOREIGN_THREAD')

    @property
    def is_forsaken(self) -> bool:
        """Whether this is a forked child, and the loop its parent's."""
        return self.thread is None

    def close_in_child(self, thing: Any, close: Callable[[Any], object]) -> None:
        """Have ``close(thing)`` called in a forked child, if *thing* is still there then.

        In there nothing comes of ticks and all else that *close* may ask of the loop.
        """
        self._open[thing] = close

    def opened(self) -> list[Any]:
        """Return what was noted by :meth:`close_in_child`, and is there still. In any thread."""
        return [thing for thing in (ref() for ref in self._open.keyrefs()) if thing is not None]

    def forsake(self) -> None:
        """Close all that is open, and do nothing any more: this is a forked child."""
        # First, as libuv would else stop the parent's watchers along with the copies of them.
        self.native.reinit()
        self.thread = self.runner = None
        self._forked_by = gevent.getcurrent()
        if isinstance(self._forked_by, Runner):
            # It ends when the listener that has forked returns, and does not park: on CPython 3.13,
            # a patched interpreter does not end before the greenlet that has forked.
            self._forked_by.state = RunnerState.CAPTURED
        self.running = False
        for queue in (self.ticks, self.work, self._starts):
            queue.clear()  # a runner may be in the middle of them
        dead: Any = self  # what was a method is none any more
        self._starts = deque(maxlen=0)
        dead.ticks, dead.work = deque(maxlen=0), deque(maxlen=0)
        self._soon.clear()
        self._later.clear()
        nothing: Any = _nothing
        dead.soon = dead.later = dead.from_hub = dead.hold = dead.release = nothing
        self._turn_scheduled = True  # or whoever is late would start the timer that is closed here
        dead.block = self.check_thread  # which raises
        with ExitStack() as closing:  # each, whatever another one raises
            closing.callback(close_watcher, self._next_turn)
            closing.callback(close_watcher, self._anchor)
            closing.callback(self.idle_timers.forsake)
            for thing, close in list(self._open.items()):
                closing.callback(close, thing)

    # --- life-time --------------------------------------------------------------------------------

    @property
    def is_main(self) -> bool:
        """Whether this is the loop of the main thread."""
        return bool(self.native.default)

    def hold(self) -> None:
        """Keep the program alive until :meth:`release`: one more open, ref'ed thing."""
        self.held += 1
        if self.held == 1:
            self._anchor.ref = True

    def release(self) -> None:
        """Undo one :meth:`hold`."""
        self.held -= 1
        if self.held == 0:
            self._anchor.ref = False

    # --- failures ---------------------------------------------------------------------------------

    def report(self, context: object, error: BaseException) -> None:
        """Report a failure that nobody listens to, once, through the hub's error handler.

        ``SystemExit`` and ``KeyboardInterrupt`` go on to the main greenlet and end the program.
        """
        if self._is_echo(error):
            return
        self.hub.handle_error(context, type(error), error, error.__traceback__)

    def fail(self, context: object, error: BaseException) -> None:
        """End ``gnet.run()`` with *error*: a failure of what the program itself started.

        Where the main greenlet is not in ``run()``, the failure is reported instead, and the exit
        hook does not serve on.
        """
        if self._is_echo(error):
            return
        if self.running:
            self.running = False
            self.hub.handle_system_error(type(error), error, error.__traceback__)
        else:
            self.failed = True
            self.report(context, error)

    def _is_echo(self, error: BaseException) -> bool:
        """Whether a copy of one of the parent's greenlets has woken in a forked child and failed.

        The parent's own goes on: that the copy could not is what is wanted.
        """
        return (
            self.is_forsaken and getattr(error, 'code', None) == 'ERR_FORKED_PROCESS'
            and gevent.getcurrent() is not self._forked_by)


def _nothing(*_arguments: object, **_keywords: object) -> None:
    """The callback of the anchor, which is never sent; and what a forsaken loop does."""


def _import_what_may_be_needed() -> None:
    """Import what cannot be read when there are no descriptors left, which is when it is needed.

    ``import gnet`` does not: a program that opens nothing has no use for it.
    """
    import logging  # noqa: F401  # that there are none


def get_loop() -> Loop:
    """Return the loop of the current thread's hub, making it on first use.

    Raises:
        CodedRuntimeError: ``ERR_FORKED_PROCESS``.
    """
    if forks.is_forked():
        raise coded_errors.state_error('ERR_FORKED_PROCESS')
    hub = gevent.get_hub()
    loop: Loop | None = hub.__dict__.get('_gnet_loop')
    if loop is None or loop.native is not hub.loop:
        loop = hub.__dict__['_gnet_loop'] = Loop(hub)
    return loop
