"""``gnet.run()``: serve until nothing is left; and how Ctrl-C ends that."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import TracebackType

import gevent
from gevent.hub import Hub

from ..node.originals import close_descriptor
from .duty import Duty, program
from .interrupts import interrupted_by_ctrl_c
from .loop import Loop, get_loop
from .signals import note_handlers
from .watchers import READ, close_watcher, is_libuv

__all__ = [
    'expect_interrupts',
    'print_nothing_for',
    'run',
    'serving',
    'woken_by_signals',
]


def run(timeout: float | None = None) -> bool:
    """Serve until nothing is left that keeps the program alive.

    That is: until every ref'ed server is closed, every ref'ed socket is destroyed, and no other
    ref'ed gevent watcher, timer or thread-pool task is pending. Call it last, from the main
    greenlet of its thread.

    Args:
        timeout: seconds to serve at most; None (the default) for no limit.

    Returns:
        True when nothing was left, False when the time was over.

    Raises:
        KeyboardInterrupt: on Ctrl-C. When nobody catches it, Python ends with the status of SIGINT;
            no traceback is printed for it.
        RuntimeError: when called from another greenlet than the main one of the thread, or from
            within itself.
        Exception: the failure of something the program itself started (docs/lifetime.md), such as
            the ``'error'`` of a server that nobody listens to. It was raised where its traceback
            says.
    """
    loop = get_loop()
    hub = loop.hub
    if gevent.getcurrent() is not hub.parent:
        raise RuntimeError('gnet.run() must be called from the main greenlet of its thread')
    if 'NOTIFY_SOCKET' in os.environ:
        _tell_service(loop)
    if timeout is not None:
        # hub.join counts from the loop's cached time, which a blocking call leaves behind.
        loop.update_now()
    with serving(loop):
        finished = bool(hub.join(timeout))
    if not finished:
        program.duty = Duty.DONE
    return finished


def _tell_service(loop: Loop) -> None:
    """Tell the service manager that the program is ready, unless it is about to listen."""
    from ..systemd.service import get_service
    from .service_watchdog import begin

    service = get_service()
    if service is not None:
        begin(loop, service)
        if not service.is_awaited:
            service.ready('running')


@contextmanager
def serving(loop: Loop) -> Iterator[None]:
    """While the main greenlet waits in here, failures of the program and Ctrl-C end the wait."""
    hub = loop.hub
    if gevent.getcurrent() is not hub.parent:
        yield
        return
    if loop.is_main:
        note_handlers()
    not_errors = hub.NOT_ERROR
    hub.NOT_ERROR = (*not_errors, KeyboardInterrupt)  # the hub would print a traceback of its own
    loop.running = True
    try:
        with woken_by_signals(loop), interrupted_by_ctrl_c(loop):
            yield
    except BaseException as reason:
        program.duty = Duty.DONE
        if isinstance(reason, KeyboardInterrupt):
            print_nothing_for(reason)
        raise
    finally:
        loop.running = False
        hub.NOT_ERROR = not_errors


@contextmanager
def woken_by_signals(loop: Loop) -> Iterator[None]:
    """Let each signal wake the loop, so that none has to wait for the next event.

    Python only takes note of a signal; the handler is called before the next bytecode, and there is
    none until the poll returns. A signal interrupts the poll, but one that comes right before it
    would be overlooked: gevent has this gap with libev (measured: Ctrl-C right after the first line
    of output was lost in 1 of 5 to 25 starts). With libuv it wakes up every 0.3 s to look; there an
    exception that a handler raises on the way to an io callback would be lost instead.
    """
    if not loop.is_main or is_libuv(loop.native):
        yield
        return
    pipe = _SignalPipe(loop)
    # The parent's, in a forked child: it would read what the parent is to be woken by.
    loop.close_in_child(pipe, _SignalPipe.close)
    try:
        yield
    finally:
        pipe.close()


class _SignalPipe:
    """A pipe into which Python writes a byte for each signal, and whose other end is watched."""

    def __init__(self, loop: Loop) -> None:
        readable, writable = os.pipe()
        os.set_blocking(readable, False)
        os.set_blocking(writable, False)
        self._ends = [readable, writable]
        self._watcher = loop.io(readable, READ)
        self._watcher.start(self._drain)
        previous = signal.set_wakeup_fd(writable, warn_on_full_buffer=False)
        self._is_used = previous == -1
        if not self._is_used:  # somebody in this program has a use for it
            signal.set_wakeup_fd(previous)

    def _drain(self) -> None:
        """Read the bytes away."""
        # gevent looks for signals right before it calls back: then it may just have been closed.
        for readable in self._ends[:1]:
            # Libev may call for a descriptor that was closed with bytes in it and at once opened
            # again.
            with suppress(BlockingIOError):
                os.read(readable, 4096)

    def close(self) -> None:
        """Undo all; does nothing the second time."""
        if self._is_used:
            self._is_used = False
            signal.set_wakeup_fd(-1)
        close_watcher(self._watcher)
        self._watcher = None
        ends, self._ends = self._ends, []
        for end in ends:
            close_descriptor(end)


def expect_interrupts() -> None:
    """Let Ctrl-C be no error that a hub prints, in the whole process, before a hub is made.

    It reaches the main greenlet all the same. :func:`run` does this for the time it takes.
    """
    Hub.NOT_ERROR = (*Hub.NOT_ERROR, KeyboardInterrupt)


def print_nothing_for(interrupt: KeyboardInterrupt) -> None:
    """Keep Python from printing a traceback if *interrupt* turns out to be uncaught."""
    previous = sys.excepthook

    def quiet(
        kind: type[BaseException], error: BaseException, traceback: TracebackType | None,
    ) -> None:
        sys.excepthook = previous
        if error is not interrupt:
            previous(kind, error, traceback)

    sys.excepthook = quiet
