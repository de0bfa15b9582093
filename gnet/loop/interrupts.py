"""Ctrl-C while the main greenlet waits: it ends the wait, and ``finally`` blocks are run.

Python calls the handler in whatever frame it is.

- In one of gevent's own, on the way to a callback, what it raises may be printed and lost (measured
  on libuv, in about 1 of 100 starts). So where the hub runs, it raises in the main greenlet; and so
  it does in a finalizer of gnet's, which is soon through, and which nothing gets out of but a text.
- In another greenlet, such as in a listener that never blocks, it raises right there. Usually that
  ends the greenlet, and by that the program; but not before its ``finally`` blocks have been run,
  which may wait. Or it is lost: where it hits a finalizer, or an ``except:`` of somebody's. (pywsgi
  has its connections closed by the finalizer of a file, and a Ctrl-C right after that was lost in 9
  of 15 runs.) As soon as it is seen to be lost, the main greenlet is interrupted.
"""

from __future__ import annotations

import signal
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import gevent

from .loop import Loop
from .watchers import close_watcher

__all__ = [
    'interrupted_by_ctrl_c',
]

#: Seconds after which it is looked again whether an interrupt was lost: nobody notices them after
#: a Ctrl-C, and they cost nothing.
_PAUSE = 0.05

#: Packages that call what the program wrote: a function of theirs may be the same for many calls.
_CALLERS = frozenset({'gevent', 'gnet'})


@contextmanager
def interrupted_by_ctrl_c(loop: Loop) -> Iterator[None]:
    """While the main greenlet waits in here, Ctrl-C ends the wait with KeyboardInterrupt.

    At the latest when the wait ends for another reason. The second one does so at once, whatever
    the first one has still to run.
    """
    if not loop.is_main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield  # the program has a handler of its own, or wants none
        return
    interrupts = _Interrupts(loop)
    handler = interrupts.handle
    signal.signal(signal.SIGINT, handler)
    try:
        yield
    finally:
        interrupts.stop()
        if signal.getsignal(signal.SIGINT) is handler:
            signal.signal(signal.SIGINT, signal.default_int_handler)
    if interrupts.have_come:
        raise KeyboardInterrupt


class _Interrupts:
    """Those that come while the greenlet that makes this waits."""

    def __init__(self, loop: Loop) -> None:
        self.have_come = False
        self._loop = loop
        self._main: Any = gevent.getcurrent()
        self._is_waiting = True
        #: The one that was raised in a greenlet.
        self._raised: _Raised | None = None
        self._timer: Any = None

    def handle(self, number: int, frame: FrameType | None) -> None:
        """The handler of SIGINT.

        Raises:
            KeyboardInterrupt: when called in a greenlet, outside of gnet's finalizers.
        """
        is_first, self.have_come = not self.have_come, True
        in_vain = gevent.getcurrent() is self._loop.hub or _is_in_finalizer(frame)
        if in_vain or not is_first:
            self._loop.from_hub(self._interrupt_main)
        if in_vain:
            return
        if not is_first:
            raise KeyboardInterrupt
        self._raised = _Raised(frame)
        self._loop.from_hub(self._look)
        # Not by a name of this frame: the traceback has it, and would keep what it belongs to.
        raise self._raised.make()

    def stop(self) -> None:
        """The main greenlet waits no more."""
        self._is_waiting = False
        self._raised = None
        close_watcher(self._timer)
        self._timer = None

    def _interrupt_main(self) -> None:
        if self._is_waiting:
            self._main.throw(KeyboardInterrupt)

    def _look(self) -> None:
        """Interrupt the main greenlet if what was raised is lost, else look again; in the hub."""
        if self._raised is None:
            return
        if self._raised.is_lost():
            self._interrupt_main()
            return
        close_watcher(self._timer)
        self._timer = self._loop.call_after(_PAUSE, self._look_soon)

    def _look_soon(self) -> None:
        # The timer, which will be closed, is not to be in the midst of its callback then. (In a
        # forked child nothing comes of this.)
        self._loop.from_hub(self._look)


class _Witness:
    """Lives as long as the exception that has it: those of Python's own have no weak references."""

    __slots__ = ('__weakref__',)


class _Raised:
    """A KeyboardInterrupt that is raised in the running greenlet.

    Args:
        frame: where.
    """

    def __init__(self, frame: FrameType | None) -> None:
        self._greenlet: Any = gevent.getcurrent()
        self._frame = _outermost_of_program(frame)
        self._witness: weakref.ref[_Witness] | None = None

    def make(self) -> KeyboardInterrupt:
        """Return the exception."""
        interrupt, witness = KeyboardInterrupt(), _Witness()
        interrupt.__dict__['witness'] = witness
        self._witness = weakref.ref(witness)
        return interrupt

    def is_lost(self) -> bool:
        """Return whether it does not end its greenlet any more; to be asked in another one.

        While it is on its way, and ``finally`` blocks are run, it exists. So it does when somebody
        has kept it, or when another exception has taken its place; but then the function is left
        that the program has running there.
        """
        if self._witness is None or self._witness() is None:
            return True
        running: FrameType | None = self._greenlet.gr_frame
        while running is not None:
            if running is self._frame:
                return False
            running = running.f_back
        return True


def _is_in_finalizer(frame: FrameType | None) -> bool:
    """Return whether it is in one of gnet's, and in nothing else that this has called."""
    while frame is not None and _package_of(frame) == 'gnet':
        if frame.f_code.co_name == '__del__':
            return True
        frame = frame.f_back
    return False


def _outermost_of_program(frame: FrameType | None) -> FrameType | None:
    """Return the frame below all others that are not those of gevent and gnet, else *frame*."""
    found, below = frame, frame
    while below is not None:
        if _package_of(below) not in _CALLERS:
            found = below
        below = below.f_back
    return found


def _package_of(frame: FrameType) -> str:
    return str(frame.f_globals.get('__name__')).partition('.')[0]
