"""What tests wait for: turns of gnet's loop, and conditions; never a guessed time."""

from __future__ import annotations

from collections.abc import Callable

import gevent
from gevent.event import Event

from ..loop.loop import get_loop
from .traffic import traffic_of

__all__ = ['PATIENCE', 'settle', 'turn', 'wait_until']

#: Seconds after which something that is waited for is given up.
PATIENCE = 10.0

#: Turns of the loop that all within one process takes. What needs more comes from outside.
_TURNS = 100

#: Turns without anything to do after which all is done: a greenlet may wake another one in one, and
#: on libuv, with gevent 24.2, a loop may see a turn later what has come by the kernel.
_QUIET_TURNS = 4


def turn() -> None:
    """Let the loop poll once, and all ticks run that are waiting then."""
    done = Event()
    get_loop().later(done.set)
    if not done.wait(PATIENCE):
        raise AssertionError(f'the loop made no turn within {PATIENCE:g} seconds')


def settle() -> None:
    """Let all happen that can happen now: events, greenlets that are ready, connections in memory.

    What comes from outside of the process, or after a time, is not waited for. A program that is
    never done, as its ticks cause each other, is left after 1000 turns.
    """
    loop = get_loop()
    traffic = traffic_of(loop)
    quiet = 0
    for _ in range(1000):
        turn()
        quiet = quiet + 1 if loop.is_idle and not traffic.is_due else 0
        if quiet == _QUIET_TURNS:
            return


def wait_until(condition: Callable[[], object], patience: float = PATIENCE) -> None:
    """Take turns of the loop until *condition()* is true.

    After some turns they come a millisecond apart, to leave the processor to whom is waited for.

    Args:
        condition: called after each turn.
        patience: seconds.

    Raises:
        AssertionError: it was in vain.
    """
    turns = 0
    with gevent.Timeout(patience, AssertionError(
            f'in vain for {patience:g} seconds: {condition}')):
        while not condition():
            turn()
            turns += 1
            if turns > _TURNS:
                gevent.sleep(0.001)
