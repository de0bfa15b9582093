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
from typing import Any, NamedTuple

import gevent
import pytest_timeout
from gevent import monkey
from gevent.util import format_run_info

__all__ = ['start']

_sleep: Any = monkey.get_original('time', 'sleep')
_start_new_thread: Any = monkey.get_original('_thread', 'start_new_thread')

#: Seconds between looks at the test that runs. One thread looks at all of them: one for each would
#: often take more than the test.
_LOOK_INTERVAL = 0.5

#: The status of a run that the watchdog ended: that of pytest for failed tests.
_STATUS = 1

#: Innermost calls shown of the test: those before are pytest's own.
_CALLS = 12


class _Limit(NamedTuple):
    item: Any
    seconds: float
    #: On the clock of ``time.monotonic``.
    deadline: float
    hub: Any


#: Those of the tests that run, which is one or none; in a list, by which the thread sees it.
_running: list[_Limit] = []

#: The process that has a thread which looks at them.
_watched: set[int] = set()


def start(item: Any, seconds: float) -> Callable[[], None]:
    """End the whole process when *item* takes more than *seconds*; return what calls that off."""
    _running[:] = [_Limit(item, seconds, time.monotonic() + seconds, gevent.get_hub())]
    if os.getpid() not in _watched:
        _watched.add(os.getpid())
        _start_new_thread(_watch, ())
    return _running.clear


def _watch() -> None:
    while True:
        _sleep(_LOOK_INTERVAL)
        for limit in tuple(_running):
            if time.monotonic() > limit.deadline and not pytest_timeout.is_debugging():
                _give_up(limit.item, limit.seconds, limit.hub)


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
