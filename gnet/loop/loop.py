"""The loop room: the file that deals with gevent's hub (with ``lifetime``, for its end).

One :class:`Loop` belongs to each hub (so to each thread that uses gnet) and gives the rest of gnet
what Node's event loop gives to ``net``:

- **ticks**, Node's ``process.nextTick``: a FIFO that is drained when the running piece of work
  ends, before any newly ready socket is served;
- **work**: sockets with something to deliver, served in turn;
- **runners**, the greenlets that do both. The hub wakes one once per loop turn. When a listener
  blocks, its runner is *captured*: the hub goes on with another one, and the captured runner
  retires as soon as that listener has returned. So no listener runs in the hub, none delays
  another's socket, and no greenlet is spawned per event (10-17 us each on CPython 3.11+);
- **later**: what must come at least one poll of the descriptors after now (Node's closing phase);
- **watchers and timers** that never keep the program alive by themselves, and :meth:`Loop.hold`,
  the one count of what does.

Everything that runs in the hub itself must not block and must not raise: an exception that escapes
an io callback stops that watcher for good.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable
from contextvars import Context
from enum import Enum
from time import monotonic, perf_counter
from typing import Any, Protocol

import gevent
import gevent.os
from gevent import Greenlet, GreenletExit

from .handler_greenlets import Handlers

__all__ = [
    'Deliverable',
    'Loop',
    'Runner',
    'get_loop',
]

#: Idle runners kept for the next turn. One is in use at a time unless listeners block; what more is
#: made during a burst of blocking listeners retires by itself.
MAX_IDLE_RUNNERS = 8

#: Seconds of listeners' work after which timers and descriptors get their turn. The value is that
#: of ``sys.getswitchinterval()``, by which gevent bounds its own callbacks.
WORK_BUDGET = 0.005

#: gevent's event masks for io watchers (the same in libev and libuv).
READ = 1
WRITE = 2

#: What ends a program or a greenlet, rather than being the failure of a listener.
EXITS = (GreenletExit, KeyboardInterrupt, SystemExit)


class Deliverable(Protocol):
    """A piece of work for a runner: something with events to deliver."""

    context: Context | None

    def deliver(self) -> None:
        """Emit what is waiting. Called in a runner; may block."""


class RunnerState(Enum):
    """What a runner is doing."""

    PARKED = 'waits in the pool for the hub to wake it'
    RUNNING = 'was woken by the hub in this turn'
    CAPTURED = 'a listener blocked: the hub went on without it'


_RUNNING = RunnerState.RUNNING  # names of the module: see states.py
_CAPTURED = RunnerState.CAPTURED


class Runner(Greenlet):  # type: ignore[type-arg]  # not subscriptable at run time
    """A greenlet that takes ticks and work until there is none, then parks."""

    def __init__(self, loop: Loop) -> None:
        super().__init__()
        self.name = 'gnet runner'
        self.gnet_loop = loop
        self.state = RunnerState.PARKED

    def _run(self) -> None:
        loop = self.gnet_loop
        ticks, work, hub = loop.ticks, loop.work, loop.hub
        last_context: Context | None = None
        item: Deliverable | None
        while True:
            while True:
                if perf_counter() >= loop._deadline:
                    break
                if ticks:
                    callback, arguments, context = ticks.popleft()
                    item = None
                elif work:
                    item = work.popleft()
                    context = item.context
                else:
                    break
                if context is not last_context:
                    # Variables that a socket's listeners set are seen by that socket's alone.
                    # Unlike Context.run, this may overlap with a listener that is still blocked.
                    self.gr_context = last_context = context
                try:
                    if item is None:
                        callback(*arguments)
                    else:
                        item.deliver()
                except GreenletExit:
                    return
                except BaseException:
                    hub.handle_error(self, *sys.exc_info())
                if self.state is _CAPTURED:
                    return
            if len(loop._idle) >= MAX_IDLE_RUNNERS:
                return
            # A parked runner must not keep alive what it did last.
            item = context = None
            callback = arguments = None  # type: ignore[assignment]
            if last_context is not None:
                self.gr_context = last_context = None
            self.state = RunnerState.PARKED
            loop._idle.append(self)
            hub.switch()


class Loop:
    """Ticks, work, watchers and life-time of one hub. Get it with :func:`get_loop`."""

    def __init__(self, hub: Any) -> None:
        self.hub = hub
        #: Blocks the calling greenlet until somebody switches to it, and returns what it is given.
        self.block = hub.switch
        self._loop = hub.loop
        if 'libuv' in type(hub.loop).__module__:
            # The hub asks for this list whenever nothing is left to wait for, as at the end of
            # run(). gevent's libuv loop makes it from handles that may have been freed: a crash.
            hub.loop.debug = list
        self.ticks: deque[tuple[Callable[..., object], tuple[Any, ...], Context | None]] = deque()
        self.work: deque[Deliverable] = deque()
        self._starts: deque[tuple[Callable[..., object], tuple[Any, ...]]] = deque()
        self._soon: list[Callable[[], object]] = []
        self._later: list[tuple[Callable[..., object], tuple[Any, ...], Context | None]] = []
        self._idle: list[Runner] = []
        #: The greenlets of `'connection'` listeners.
        self.handlers = Handlers(self.block, self.from_hub)
        self._deadline = 0.0
        self.wake_scheduled = False
        self._turn_scheduled = False
        # With a delay of zero this fires after the next poll, on libev and on libuv.
        self._next_turn = self._loop.timer(0)
        self._held = 0
        # An async watcher that is never sent: its ref, which may be changed while it is started, is
        # right on all loops. On libuv it would hold the loop even before it is started.
        self._anchor = self._loop.async_(ref=False)
        self._anchor.start(_nothing)
        #: Kept for :mod:`gnet.loop.idle_timers`, which has one set of timers for each loop.
        self.idle_timers: Any = None
        #: True while the main greenlet waits in ``gnet.run()``: failures end that call.
        self.running = False
        #: Whether one was reported instead.
        self.failed = False

    # --- ticks, work, greenlets ------------------------------------------------------------------

    def tick(
        self, callback: Callable[..., object], *arguments: Any, context: Context | None = None,
    ) -> None:
        """Run ``callback(*arguments)`` in a runner when the running piece of work ends."""
        self.ticks.append((callback, arguments, context))
        if not self.wake_scheduled:
            self.wake_scheduled = True
            self._loop.run_callback(self._wake)

    def enqueue(self, item: Deliverable) -> None:
        """Let a runner call ``item.deliver()``. The caller sees to it that it waits only once."""
        self.work.append(item)
        if not self.wake_scheduled:
            self.wake_scheduled = True
            self._loop.run_callback(self._wake)

    def start(self, begin: Callable[..., object], *arguments: Any) -> None:
        """Call ``begin(*arguments)`` in the hub, after the ticks of what was started before."""
        self._starts.append((begin, arguments))
        self.schedule_wake()

    def soon(self, callback: Callable[[], object]) -> None:
        """Call *callback* in the hub when all ticks and work are done, before the next poll.

        It must not block.
        """
        self._soon.append(callback)
        self.schedule_wake()

    def later(
        self, callback: Callable[..., object], *arguments: Any, context: Context | None = None,
    ) -> None:
        """Like :meth:`tick`, but at least one poll of all descriptors from now."""
        self._later.append((callback, arguments, context))
        self._schedule_turn()

    def is_late(self) -> bool:
        """Whether a runner has worked long enough: timers and descriptors should have a turn."""
        return perf_counter() >= self._deadline

    def schedule_wake(self) -> None:
        if not self.wake_scheduled:
            self.wake_scheduled = True
            self._loop.run_callback(self._wake)

    def _schedule_turn(self) -> None:
        if not self._turn_scheduled:
            self._turn_scheduled = True
            self._next_turn.start(self._turn)

    def _turn(self) -> None:
        """Start a loop turn: runs in the hub, after a poll."""
        self._next_turn.stop()
        self._turn_scheduled = False
        later, self._later = self._later, []
        if self.ticks or self.work:
            # On libuv a timer may come before the callbacks that were asked for earlier.
            self._wake()
        self.ticks.extend(later)
        self._wake()

    def _wake(self) -> None:
        """Let runners do what is waiting: runs in the hub."""
        # While this is set no second wake is scheduled: this one sees all that is added meanwhile.
        self.wake_scheduled = True
        idle = self._idle
        late = False
        self._deadline = perf_counter() + WORK_BUDGET
        while True:
            while self.ticks or self.work:
                if perf_counter() >= self._deadline:
                    late = True
                    # Ticks, too: Node's starve all else for ever when they post themselves.
                    self._schedule_turn()
                    while self.ticks and self.work:
                        # What waits for the ticks comes after those here, not after theirs.
                        item = self.work.popleft()
                        self.ticks.append((item.deliver, (), item.context))
                    break
                runner = idle.pop() if idle else Runner(self)
                if runner.dead:
                    continue
                runner.state = _RUNNING
                runner.switch()
                if runner.state is _RUNNING:
                    # It came back without parking: a listener blocked, or the runner ended.
                    runner.state = _CAPTURED
            if self._starts and not late:
                begin, arguments = self._starts.popleft()
                try:
                    begin(*arguments)
                except BaseException:
                    self.hub.handle_error(begin, *sys.exc_info())
                if perf_counter() >= self._deadline:
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
        self._loop.run_callback(callback, *arguments)

    # --- watchers and timers ----------------------------------------------------------------------

    def io(self, fd: int, events: int) -> Any:
        """Return a watcher of *fd* that does not keep the program alive.

        Close it with :func:`close_watcher` before the descriptor is closed: a descriptor that goes
        away under a started watcher aborts the process (libev's and libuv's assertions).
        """
        watcher = self._loop.io(fd, events, ref=False)
        # gevent's libuv watchers are proxies whose own ``ref`` has no effect; the handle behind
        # them, one per descriptor, has the real one.
        native = getattr(watcher, '_watcher_ref', None)
        if native is not None:
            native.ref = False
        return watcher

    def start_io(self, watcher: Any, callback: Callable[[], object]) -> None:
        """Call back in the hub whenever the descriptor is ready, until *watcher* is stopped."""
        if hasattr(watcher, '_watcher_ref'):
            watcher.start(self._call_and_restart, watcher, callback)
        else:
            watcher.start(callback)

    def _call_and_restart(self, watcher: Any, callback: Callable[[], object]) -> None:
        """The callback on libuv, which stops its handle when it meets an error (a reset, say).

        gevent's watcher does not notice. One read may have taken only what came before the reset:
        without a fresh start, the reset itself would never be heard of.
        """
        callback()
        native = watcher._watcher_ref
        if watcher.active and native is not None and not native.active:
            watcher.stop()
            self.start_io(watcher, callback)

    def call_after(self, seconds: float, callback: Callable[..., object], *arguments: Any) -> Any:
        """Call back in the hub after *seconds*; the timer does not keep the program alive.

        Cancel it with :func:`close_watcher`, which must also be called after it fired.
        """
        # libuv counts milliseconds, and gevent warns of less.
        timer = self._loop.timer(max(seconds, 0.001), ref=False)
        # Counted from the real time: the loop's own is stale after a blocking call.
        timer.start(callback, *arguments, update=True)
        return timer

    #: Returns seconds of a clock that nobody sets and no blocking call leaves behind. The loop's
    #: own time is neither: libev's is that of the wall clock, and both are cached.
    now = staticmethod(monotonic)

    @staticmethod
    def unref_child(pid: int) -> None:
        """Undo that ``gevent.subprocess`` keeps the program alive for the process *pid*."""
        # The watchers are gevent's own affair; without this, unref() would have no effect.
        watcher = gevent.os._watched_children.get(pid)  # type: ignore[attr-defined]
        # On libuv, what holds is the async watcher within.
        holder = getattr(watcher, '_async', watcher)
        if hasattr(holder, 'ref'):
            holder.ref = False

    def update_now(self) -> None:
        """Make the loop's own time exact: needed before gevent counts from it."""
        self._loop.update_now()

    # --- life-time --------------------------------------------------------------------------------

    @property
    def is_main(self) -> bool:
        """Whether this is the loop of the main thread."""
        return bool(self._loop.default)

    def hold(self) -> None:
        """Keep the program alive until :meth:`release`: one more open, ref'ed thing."""
        self._held += 1
        if self._held == 1:
            self._anchor.ref = True

    def release(self) -> None:
        """Undo one :meth:`hold`."""
        self._held -= 1
        if self._held == 0:
            self._anchor.ref = False

    # --- failures ---------------------------------------------------------------------------------

    def report(self, context: object, error: BaseException) -> None:
        """Report a failure that nobody listens to, once, through the hub's error handler.

        ``SystemExit`` and ``KeyboardInterrupt`` go on to the main greenlet and end the program.
        """
        self.hub.handle_error(context, type(error), error, error.__traceback__)

    def fail(self, context: object, error: BaseException) -> None:
        """End ``gnet.run()`` with *error*: a failure of what the program itself started.

        Where the main greenlet is not in ``run()``, the failure is reported instead, and the exit
        hook does not serve on.
        """
        if self.running:
            self.running = False
            self.hub.handle_system_error(type(error), error, error.__traceback__)
        else:
            self.failed = True
            self.report(context, error)


def _nothing() -> None:
    """The callback of the anchor, which is never sent."""


def close_watcher(watcher: Any) -> None:
    """Stop and close a watcher or timer for good; None is allowed."""
    if watcher is not None:
        watcher.stop()
        watcher.close()


def get_loop() -> Loop:
    """Return the loop of the current thread's hub, making it on first use."""
    hub = gevent.get_hub()
    loop: Loop | None = hub.__dict__.get('_gnet_loop')
    if loop is None or loop._loop is not hub.loop:
        loop = hub.__dict__['_gnet_loop'] = Loop(hub)
    return loop
