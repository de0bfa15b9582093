"""The hard time limit of a test.

It replaces the timer of pytest-timeout. That one raises in a signal handler, which gevent runs in
the hub, where the exception is printed and the test hangs on; or it uses a ``threading.Timer``,
which is a greenlet once threads are patched, so that a test that never yields is never stopped.
This one is a native thread in either case, and it shows the stacks of all greenlets.
"""

from __future__ import annotations

import os
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any

import gevent
import pytest_timeout
from gevent import monkey
from gevent.util import format_run_info

__all__ = ['start']

_allocate_lock: Any = monkey.get_original('_thread', 'allocate_lock')
_start_new_thread: Any = monkey.get_original('_thread', 'start_new_thread')

#: The status of a run that the watchdog ended: that of pytest for failed tests.
_STATUS = 1

#: Innermost calls shown of the test: those before are pytest's own.
_CALLS = 12


def start(item: Any, seconds: float) -> Callable[[], None]:
    """End the whole process when *item* takes more than *seconds*; return what calls that off."""
    finished = _allocate_lock()
    finished.acquire()
    hub = gevent.get_hub()

    def watch() -> None:
        if finished.acquire(timeout=seconds) or pytest_timeout.is_debugging():
            return
        _give_up(item, seconds, hub)

    _start_new_thread(watch, ())
    return lambda: finished.release() if finished.locked() else None


def _give_up(item: Any, seconds: float, hub: Any) -> None:
    """Print what the test wrote and where everything stands, and exit."""
    try:
        capture = item.config.pluginmanager.getplugin('capturemanager')
        if capture is not None:
            capture.suspend_global_capture(in_=True)
            for name, text in zip(('stdout', 'stderr'), capture.read_global_capture()):
                if text:
                    _write(f'\n--- captured {name} of the test ---\n{text}')
        item.config.get_terminal_writer().flush()
        _write('\n'.join(['', *format_run_info(), '']))
        # Not in what gevent formats: the main greenlet, in which the test runs.
        waiting = hub.parent.gr_frame
        if waiting is not None:
            _write('\nThe test waits here:\n' + ''.join(traceback.format_stack(waiting)[-_CALLS:]))
    finally:
        _write(f'\n*** {item.nodeid} took more than {seconds:g} seconds: giving up at '
               f'{time.strftime("%H:%M:%S")}\n')
        os._exit(_STATUS)


def _write(text: str) -> None:
    sys.stderr.flush()
    os.write(2, text.encode(errors='backslashreplace'))
