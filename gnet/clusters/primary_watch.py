"""The end of a worker whose primary is gone, even if its hub is stuck.

A cluster worker ends when its channel is closed unexpectedly. It cannot while it is caught in code
that never lets the hub run. So a native thread, which needs no hub, waits for the end of the
primary, leaves the worker :data:`GRACE` seconds to end in the usual way, and then kills it. Only
code that never lets go of Python's global lock holds up this thread as well.

The thread sleeps in the kernel until the primary ends where there are process descriptors (Linux
5.3, Python 3.9); elsewhere it looks once a second. It takes no signals. A process that the worker
forks has no such thread, and is not the primary's.
"""

from __future__ import annotations

import os
import select
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from ..node.originals import close_descriptor, original

__all__ = [
    'SUPERVISED',
    'start',
]

#: Seconds that a worker has to end by itself: enough for exit functions, and short enough for
#: whoever starts the program again and needs its ports and memory.
GRACE = 5.0

#: Seconds between looks at the number of the parent, where it cannot be waited for.
LOOK_INTERVAL = 1.0

#: Set in the environment of workers of ``--workers``, which must not outlive their primary. One of
#: a program that forks for itself may, once it has disconnected.
SUPERVISED = 'GNET_SUPERVISED'


def start(channel: int, has_disconnected: Callable[[], bool]) -> bool:
    """Start the thread. Call it once, in a cluster worker, when its channel is open.

    Args:
        channel: the descriptor of the channel to the primary; -1 if it is closed already.
        has_disconnected: returns whether the primary has let go of this worker, or the worker of
            it. It is called in the thread, and must not need a hub.

    Returns:
        Whether this is a worker of ``--workers``.
    """
    supervised = os.environ.pop(SUPERVISED, None) is not None
    parent = os.getppid()
    descriptor = _process_descriptor(parent)
    poll = original('select', 'poll')
    if _is_hung_up(channel, poll()):
        # Its other end was closed before this process could look who its parent is.
        parent = 0

    def watch() -> None:
        _wait_for_end(parent, descriptor, poll)
        _sleep(GRACE, poll)
        if supervised or not has_disconnected():
            _say(poll)
            os.kill(os.getpid(), signal.SIGKILL)

    # The thread inherits the mask: each signal is the main thread's, whose poll it interrupts.
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        original('_thread', 'start_new_thread')(watch, ())
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    return supervised


def _process_descriptor(pid: int) -> int | None:
    """Return a descriptor that can be read when *pid* has ended; None where there are none."""
    if not hasattr(os, 'pidfd_open'):
        return None
    try:
        descriptor: int = os.pidfd_open(pid)
    except OSError:
        return None  # an older kernel, or one that was told to refuse
    os.register_at_fork(after_in_child=lambda: close_descriptor(descriptor))
    return descriptor


def _is_hung_up(channel: int, poll: Any) -> bool:
    if channel < 0:
        return True
    poll.register(channel, 0)
    return bool(poll.poll(0))


def _wait_for_end(parent: int, descriptor: int | None, poll: Callable[[], Any]) -> None:
    """Return when *parent* has ended: another process is this one's parent then."""
    ended = poll()
    if descriptor is not None:
        ended.register(descriptor, select.POLLIN)
    while os.getppid() == parent:
        if ended.poll(None if descriptor is not None else LOOK_INTERVAL * 1000):
            return


def _sleep(seconds: float, poll: Callable[[], Any]) -> None:
    poll().poll(seconds * 1000)


def _say(poll: Callable[[], Any]) -> None:
    """Write a line to stderr, unless that would block: killing is what matters."""
    if sys.__stderr__ is None:
        return  # the number may be that of another file
    with suppress(OSError, ValueError):
        fd = sys.__stderr__.fileno()
        writable = poll()
        writable.register(fd, select.POLLOUT)
        if writable.poll(0):
            os.write(fd, b'gnet: worker %d did not end in %g s after its primary and is killed\n'
                     % (os.getpid(), GRACE))
