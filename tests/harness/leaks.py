"""What a test leaves behind, as ``gnet.testing`` looks for it; made cheap for some thousand tests.
"""

from __future__ import annotations

import gc
import sys

import gevent
from gevent import socket as gevent_socket
from gevent import subprocess

from gnet.loop.loop import get_loop
from gnet.testing import leaks
from gnet.testing.leaks import CAN_LIST_DESCRIPTORS, holds, take_a_turn

__all__ = ['CAN_LIST_DESCRIPTORS', 'Snapshot', 'holds', 'prepare']

#: As many objects are listed in 0.1 ms, which is done twice for each test; then they are set aside.
_MANY_OBJECTS = 2_000


def prepare() -> None:
    """Take what exists now out of all later checks. Call it once, when all tests are imported.

    gevent opens some descriptors on first use (thread pool, resolver, child watcher): it is made to
    open them now.
    """
    hub = gevent.get_hub()
    hub.threadpool.apply(int)
    gevent_socket.getaddrinfo('127.0.0.1', 80)
    subprocess.check_call([sys.executable, '-S', '-c', ''])
    take_a_turn()
    _set_aside()


def _set_aside() -> None:
    """Take all objects of now out of later checks and collections.

    With the hundred thousand of pytest and the tests, and the twenty that pytest keeps of each test
    that was run, a check would else cost 20 to 50 ms, and a collection 100.

    Greenlets that gnet keeps to use them again end before: what they do later would not be seen.
    """
    loop = get_loop()
    for idle in (*loop.handlers.idle(), *loop.parked):
        loop.from_hub(idle.throw)
    take_a_turn()
    gc.collect()
    gc.freeze()


class Snapshot(leaks.Snapshot):
    """The descriptors, greenlets and holds of this moment."""

    def __init__(self) -> None:
        if len(gc.get_objects()) > _MANY_OBJECTS:
            _set_aside()
        super().__init__()
