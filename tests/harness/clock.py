"""The loop's time in the hands of a test: the clock of ``gnet.testing``, in Node's milliseconds."""

from __future__ import annotations

from collections.abc import Callable

import pytest

import gnet.testing

__all__ = ['Clock']


class Clock(gnet.testing.Clock):
    """The time of the loop of this thread; the fixture ``clock`` puts it there."""

    def go(self, msecs: float) -> None:
        """Let *msecs* go by, and all that is due then happen."""
        self.advance(msecs / 1000)

    def jump(self, msecs: float) -> None:
        """Let *msecs* go by at once, as when the hub was blocked: what is due comes before a poll.
        """
        self._go_to(self._time + msecs / 1000)

    def until(self, condition: Callable[[], object]) -> None:
        """Let time go by until *condition()* is true: what fills kernels is not done at once."""
        for _ in range(1000):
            self.go(300)
            if condition():
                return
        pytest.fail('in vain')
