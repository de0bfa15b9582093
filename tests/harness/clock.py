"""The loop's time in the hands of a test: idle timers are due when it says so."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from gnet.loop.loop import get_loop

from .waiting import turn

__all__ = ['Clock']


class Clock:
    """The time of the loop of this thread; the fixture ``clock`` puts it there."""

    def __init__(self) -> None:
        self.loop = get_loop()
        self.time = self.loop.now()

    def now(self) -> float:
        return self.time

    def go(self, msecs: float, steps: int = 20) -> None:
        """Let *msecs* go by, in some steps, and all that is due then happen."""
        for _ in range(steps):
            self.time += msecs / 1000 / steps
            self.loop.from_hub(self.loop.idle_timers.expire)
            turn()

    def until(self, condition: Callable[[], object]) -> None:
        """Let time go by until *condition()* is true: what fills kernels is not done at once."""
        for _ in range(1000):
            self.go(300, 1)
            if condition():
                return
        pytest.fail('in vain')
