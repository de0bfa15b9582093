"""How long a program lives: ``gnet.run()``, and staying alive after the script's last line.

As in Node, a ref'ed listening server or open socket keeps the program alive when its script has
ended (Python's own rule for non-daemon threads). ``gnet.run()`` says so explicitly and is what a
script should use; a hook at the interpreter's exit covers scripts that do not. The hook is armed by
the first ``listen`` or ``connect``, never by importing gnet, and it steps aside

- after an uncaught exception, and after a failure of something that the program itself started, so
  that a failed script fails: the status is 1;
- when ``gnet.run()`` was left by an exception (a Ctrl-C that the script caught, say) or by its
  timeout: the script has decided, and ends;
- in a forked child, which inherited the parent's watchers but not its duties;
- in an interactive session;
- when switched off: ``gnet.set_stay_alive(False)``, or ``GNET_STAY_ALIVE=0`` in the environment.

``sys.exit(n)`` cannot be told from the end of the script by a hook: the program serves on until
nothing is left, and then exits with *n*. ``python -m gnet script.py`` can tell, and ends at once.
"""

from __future__ import annotations

import atexit
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from enum import Enum
from types import FrameType, TracebackType
from typing import Any, NoReturn

import gevent
from gevent import monkey
from gevent.hub import Hub

from .loop import READ, Loop, close_watcher, get_loop

__all__ = [
    'arm',
    'die_of_interrupt',
    'expect_interrupts',
    'print_nothing_for',
    'run',
    'set_stay_alive',
    'stays_alive',
]

_log = logging.getLogger('gnet')


class _Duty(Enum):
    """What a program that ends now owes to what it has opened."""

    NONE = 'nothing listened or connected yet'
    SERVE = 'it serves on'
    DONE = 'gnet.run() was left before nothing was left'


class _Hook:
    """The exit hook of this process."""

    #: What set_stay_alive() says.
    enabled = os.environ.get('GNET_STAY_ALIVE') != '0'
    #: Whether the interpreter knows of the hook; a forked child inherits that.
    registered = False
    duty = _Duty.NONE
    #: The process that has the duty; a child that it forks has not.
    process: int | None = None


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
        Exception: the failure of something the program itself started (``docs/errors.md``), such as
            the ``'error'`` of a server that nobody listens to. It was raised where its traceback
            says.
    """
    loop = get_loop()
    hub = loop.hub
    if gevent.getcurrent() is not hub.parent:
        raise RuntimeError('gnet.run() must be called from the main greenlet of its thread')
    if timeout is not None:
        # hub.join counts from the loop's cached time, which a blocking call leaves behind.
        loop.update_now()
    with serving(loop):
        finished = bool(hub.join(timeout))
    if not finished:
        _Hook.duty = _Duty.DONE
    return finished


@contextmanager
def serving(loop: Loop) -> Iterator[None]:
    """While the main greenlet waits in here, failures of the program and Ctrl-C end the wait."""
    hub = loop.hub
    if gevent.getcurrent() is not hub.parent:
        yield
        return
    not_errors = hub.NOT_ERROR
    hub.NOT_ERROR = (*not_errors, KeyboardInterrupt)  # the hub would print a traceback of its own
    loop.running = True
    try:
        with _woken_by_signals(loop), _interrupted_in_main(loop):
            yield
    except BaseException as reason:
        _Hook.duty = _Duty.DONE
        if isinstance(reason, KeyboardInterrupt):
            print_nothing_for(reason)
        raise
    finally:
        loop.running = False
        hub.NOT_ERROR = not_errors


@contextmanager
def _interrupted_in_main(loop: Loop) -> Iterator[None]:
    """Have Ctrl-C raised in the main greenlet if it comes while the hub runs.

    Python calls the handler in whatever frame it is. In one of gevent's own, on the way to a
    callback, the exception may be printed and lost (measured on libuv, in about 1 of 100 starts).
    """
    if not loop.is_main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield  # the program has a handler of its own, or wants none
        return

    main: Any = gevent.getcurrent()

    def interrupt(number: int, frame: FrameType | None) -> None:
        if gevent.getcurrent() is not loop.hub:
            raise KeyboardInterrupt  # such as in a listener that never blocks
        loop.from_hub(main.throw, KeyboardInterrupt)

    signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        if signal.getsignal(signal.SIGINT) is interrupt:
            signal.signal(signal.SIGINT, signal.default_int_handler)


@contextmanager
def _woken_by_signals(loop: Loop) -> Iterator[None]:
    """Let each signal wake the loop, so that none has to wait for the next event.

    Python only takes note of a signal; the handler is called before the next bytecode, and there is
    none until the poll returns. A signal interrupts the poll, but one that comes right before it
    would be overlooked: gevent has this gap with libev (measured: Ctrl-C right after the first line
    of output was lost in 1 of 5 to 25 starts). With libuv it wakes up every 0.3 s to look; there an
    exception that a handler raises on the way to an io callback would be lost instead.
    """
    if not loop.is_main or 'libuv' in type(loop.hub.loop).__module__:
        yield
        return
    readable, writable = os.pipe()
    os.set_blocking(readable, False)
    os.set_blocking(writable, False)
    watched = [readable]
    watcher = loop.io(readable, READ)
    watcher.start(_drain, watched)
    previous = signal.set_wakeup_fd(writable, warn_on_full_buffer=False)
    if previous != -1:  # somebody in this program has a use for it
        signal.set_wakeup_fd(previous)
    try:
        yield
    finally:
        if previous == -1:
            signal.set_wakeup_fd(-1)
        close_watcher(watcher)
        watched.clear()
        # Not gevent's, which leaves watchers behind that would keep the program alive.
        close = monkey.get_original('os', 'close')
        close(readable)
        close(writable)


def _drain(watched: list[int]) -> None:
    """Read away the bytes that Python wrote, one for each signal."""
    # gevent looks for signals right before it calls back: then *watched* may just have been closed.
    for readable in watched:
        # Libev may call for a descriptor that was closed with bytes in it and at once opened again.
        with suppress(BlockingIOError):
            os.read(readable, 4096)


def set_stay_alive(enabled: bool) -> None:
    """Switch the exit hook of this process on (the default) or off.

    Off, a script whose last line is reached ends even though it still has open servers.
    """
    _Hook.enabled = enabled
    if _Hook.process == os.getpid():
        _register()


def stays_alive() -> bool:
    """Return whether a program with open servers serves on after its last line."""
    return _Hook.enabled and _Hook.duty is not _Duty.DONE


def arm() -> None:
    """Arm the exit hook: something was started that may keep the program alive."""
    if get_loop().is_main:
        _Hook.duty = _Duty.SERVE
        _Hook.process = os.getpid()
        _register()


def _register() -> None:
    if _Hook.registered or not _Hook.enabled:
        return
    _Hook.registered = True
    register: Callable[[Callable[[], None]], object]
    register = getattr(threading, '_register_atexit', atexit.register)
    try:
        # The hook of threading runs earlier than atexit's: threads, executors and name look-ups
        # still work in it. Importing concurrent.futures first makes its own hook run after ours
        # (LIFO).
        import concurrent.futures.thread  # noqa: F401

        register(_serve_on)
    except RuntimeError:
        # The program is ending: this is some other exit function, and nothing serves on after it.
        _log.debug('gnet is first used while the program ends', exc_info=True)


def expect_interrupts() -> None:
    """Let Ctrl-C be no error that a hub prints, in the whole process, before a hub is made.

    It reaches the main greenlet all the same. :func:`run` does this for the time it takes.
    """
    Hub.NOT_ERROR = (*Hub.NOT_ERROR, KeyboardInterrupt)


def die_of_interrupt() -> NoReturn:
    """End this process at once by SIGINT, as an uncaught Ctrl-C ends a Python program."""
    _exit_functions()
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGINT)
    os._exit(128 + signal.SIGINT)  # only where SIGINT is blocked


def _serve_on() -> None:
    """The exit hook."""
    failed = getattr(sys, 'last_exc', None) or getattr(sys, 'last_type', None)
    interactive = hasattr(sys, 'ps1') or sys.flags.interactive
    if (
        not _Hook.enabled or _Hook.duty is not _Duty.SERVE or _Hook.process != os.getpid()
        or failed or interactive
    ):
        return
    if get_loop().failed:
        # While the main greenlet was busy elsewhere. That may have been after the last line: a
        # patched program lets the hub have a turn before it comes here.
        _exit_now(1)
    try:
        run()
    except KeyboardInterrupt:
        die_of_interrupt()
    except SystemExit as request:
        _exit_now(_status_of(request))
    except BaseException:
        sys.excepthook(*sys.exc_info())
        _exit_now(1)


def _status_of(request: SystemExit) -> int:
    if request.code is None:
        return 0
    if isinstance(request.code, int):
        return request.code
    print(request.code, file=sys.stderr)
    return 1


def _exit_now(status: int) -> NoReturn:
    """Exit with *status*: an exception raised in an exit hook would be printed and ignored."""
    _exit_functions()
    os._exit(status)


def _exit_functions() -> None:
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        if stream is not None and not stream.closed:
            stream.flush()


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
