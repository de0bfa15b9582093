"""Turns of the loop, of which a scenario takes many."""

from __future__ import annotations

from gevent.event import Event

from gnet.loop.loop import get_loop
from gnet.loop.watchers import close_watcher

__all__ = ['PATIENCE', 'take_turns']

#: Seconds after which what is waited for is given up.
PATIENCE = 8


def take_turns(count: int) -> None:
    """Let the loop poll *count* times, and all ticks run that are waiting after each.

    The caller is not woken before, and neither is a greenlet of gnet's for the turns before the
    last: a scenario takes a hundred, and there are thousands.
    """
    loop = get_loop()
    done = Event()
    # As of Loop.later(): it fires after the next poll.
    next_turn = loop.native.timer(0)
    left = count

    def take() -> None:
        nonlocal left
        next_turn.stop()
        loop._wake()
        left -= 1
        begin()

    def begin() -> None:
        if left > 1:
            next_turn.start(take)
        else:
            loop.later(done.set)

    begin()
    came = done.wait(PATIENCE)
    close_watcher(next_turn)
    assert came, f'the loop made no {count} turns within {PATIENCE} seconds'
