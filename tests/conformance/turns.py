"""Turns of the loop, of which a scenario takes many."""

from __future__ import annotations

from gevent.event import Event

from gnet.loop.loop import get_loop

__all__ = ['PATIENCE', 'take_turns']

#: Seconds after which what is waited for is given up.
PATIENCE = 8


def take_turns(count: int) -> None:
    """Let the loop poll *count* times, and all ticks run that are waiting after each.

    The caller is not woken before: a scenario takes a hundred turns, and there are thousands.
    """
    loop = get_loop()
    done = Event()

    def next_turn(left: int) -> None:
        if left:
            loop.later(next_turn, left - 1)
        else:
            done.set()

    next_turn(count)
    assert done.wait(PATIENCE), f'the loop made no {count} turns within {PATIENCE} seconds'
