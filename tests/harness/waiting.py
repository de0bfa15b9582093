"""What tests wait for: turns of gnet's loop, and conditions. No test sleeps for a guessed time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gevent
from gevent.event import Event

from gnet.loop.loop import get_loop

__all__ = ['PATIENCE', 'PROCESS_PATIENCE', 'tick', 'turn', 'until']

#: Seconds after which something that is waited for is given up: well under the limit of a test, so
#: that the failure names what did not come.
PATIENCE = 10

#: The same where another process must do something, which may have to start first, beside others.
PROCESS_PATIENCE = 20

#: Turns of the loop that all within one process takes. What needs more comes from outside.
_TURNS = 100


def tick(callback: Callable[..., object], *args: Any) -> None:
    """Queue a tick, as Node's ``process.nextTick`` does."""
    get_loop().tick(callback, *args)


def turn() -> None:
    """Let the loop poll once, and all ticks run that are waiting then."""
    done = Event()
    get_loop().later(done.set)
    assert done.wait(PATIENCE)


def until(condition: Callable[[], object], patience: float = PATIENCE) -> None:
    """Take turns of the loop until *condition()* is true, for up to *patience* seconds.

    After some turns they come a millisecond apart, to leave the processor to whom is waited for.
    """
    turns = 0
    with gevent.Timeout(patience, AssertionError(f'in vain: {condition}')):
        while not condition():
            turn()
            turns += 1
            if turns > _TURNS:
                gevent.sleep(0.001)
