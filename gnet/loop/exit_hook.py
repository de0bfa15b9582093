"""Staying alive after the script's last line.

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

A server that is being stopped from where nothing can wait (a signal handler, say) has its time in
any case, also where the handler goes on with ``sys.exit()``: see :func:`end_after`.
"""

from __future__ import annotations

import atexit
import os
import signal
import sys
from collections.abc import Callable
from typing import Any, NoReturn

import gevent

from ..node.logs import Log
from .duty import Duty, program
from .loop import get_loop
from .running import run, serving

__all__ = [
    'arm',
    'die_of_interrupt',
    'end_after',
    'set_stay_alive',
    'stays_alive',
]

_log = Log('gnet')


def set_stay_alive(enabled: bool) -> None:
    """Switch the exit hook of this process on (the default) or off.

    Off, a script whose last line is reached ends even though it still has open servers.
    """
    program.stays_alive = enabled
    if program.process == os.getpid():
        _register()


def stays_alive() -> bool:
    """Return whether a program with open servers serves on after its last line."""
    return program.stays_alive and program.duty is not Duty.DONE


def arm() -> None:
    """Arm the exit hook: something was started that may keep the program alive."""
    if get_loop().is_main:
        program.duty = Duty.SERVE
        program.process = os.getpid()
        _register()


def end_after(greenlet: Any) -> None:
    """Have the program end no sooner than *greenlet*, unless it fails, or is interrupted.

    Also after ``sys.exit()``, and where the program does not serve on.
    """
    if get_loop().is_main:
        program.stopping.add(greenlet)
        greenlet.rawlink(program.stopping.discard)
        program.process = os.getpid()
        _register(always=True)


def _register(*, always: bool = False) -> None:
    if program.has_hook or not (program.stays_alive or always):
        return
    program.has_hook = True
    import threading  # which others than programs that serve have no use for

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
    if program.process != os.getpid() or failed or interactive:
        return
    status = _call(_finish_stopping)
    if status is None and program.stays_alive and program.duty is Duty.SERVE:
        if get_loop().failed:
            # While the main greenlet was busy elsewhere. That may have been after the last line: a
            # patched program lets the hub have a turn before it comes here.
            _exit_now(1)
        status = _call(run)
        later = _call(_finish_stopping)
        status = status if later is None else later
    if status is not None:
        _exit_now(status)


def _call(wait: Callable[[], object]) -> int | None:
    """Call *wait*; return the status that ``sys.exit()`` asks for meanwhile, or None."""
    try:
        wait()
    except KeyboardInterrupt:
        die_of_interrupt()
    except SystemExit as request:
        return _status_of(request)
    except BaseException:
        sys.excepthook(*sys.exc_info())
        _exit_now(1)
    return None


def _finish_stopping() -> None:
    """Give those their time that stop a server."""
    if not program.stopping:
        return
    with serving(get_loop()):
        gevent.joinall(list(program.stopping))


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
