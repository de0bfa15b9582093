"""Watchers of descriptors, timers and child processes, alike on libev and libuv.

None of them keeps the program alive by itself: what does is counted, by :meth:`.Loop.hold`.
"""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import Any

import gevent.os

__all__ = [
    'READ',
    'WRITE',
    'Watchers',
    'close_watcher',
    'is_libuv',
]

#: gevent's event masks for io watchers (the same in libev and libuv).
READ = 1
WRITE = 2


def is_libuv(native: Any) -> bool:
    """Return whether *native*, a loop of gevent's, is one of libuv."""
    return 'libuv' in type(native).__module__


def close_watcher(watcher: Any) -> None:
    """Stop and close a watcher or timer for good; None is allowed."""
    if watcher is not None:
        watcher.stop()
        watcher.close()


class Watchers:
    """What makes watchers and timers: a part of :class:`.Loop`."""

    #: gevent's loop.
    native: Any
    #: Whether its watchers are libev's own, and not proxies of a handle behind them.
    has_plain_watchers: bool

    def io(self, fd: int, events: int) -> Any:
        """Return a watcher of *fd* that does not keep the program alive.

        Close it with :func:`close_watcher` before the descriptor is closed: a descriptor that goes
        away under a started watcher aborts the process (libev's and libuv's assertions).
        """
        watcher = self.native.io(fd, events, ref=False)
        # gevent's libuv watchers are proxies whose own ``ref`` has no effect; the handle behind
        # them, one per descriptor, has the real one.
        native = getattr(watcher, '_watcher_ref', None)
        if native is not None:
            native.ref = False
        return watcher

    def watch(self, fd: int, events: int, callback: Callable[[], object]) -> Any:
        """Return a watcher of :meth:`io` that was started: what both do, in one step."""
        watcher = self.native.io(fd, events, ref=False)
        if self.has_plain_watchers:
            watcher.start(callback)
        else:
            watcher._watcher_ref.ref = False
            watcher.start(self._call_and_restart, watcher, callback)
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
        timer = self.native.timer(max(seconds, 0.001), ref=False)
        # Counted from the real time: the loop's own is stale after a blocking call.
        timer.start(callback, *arguments, update=True)
        return timer

    def call_every(self, seconds: float, callback: Callable[[], object]) -> Any:
        """Call back in the hub every *seconds*, as :meth:`call_after` does once."""
        seconds = max(seconds, 0.001)
        timer = self.native.timer(seconds, repeat=seconds, ref=False)
        timer.start(callback, update=True)
        return timer

    #: Returns seconds of a clock that nobody sets and no blocking call leaves behind. The loop's
    #: own time is neither: libev's is that of the wall clock, and both are cached.
    now: staticmethod[[], float] = staticmethod(monotonic)

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
        self.native.update_now()
