"""Handshakes take turns: a few for each poll of the loop, so that others are not held up.

The server's part of one is 0.2 to 0.5 ms of arithmetic, in the hub. A burst of 64 back to back
would hold up everybody else for 25 ms.
"""

from __future__ import annotations

from collections import deque
from typing import Any, Protocol
from weakref import WeakKeyDictionary, ref

__all__ = ['STEPS_PER_TURN', 'Turns', 'turns_of']

#: Steps of handshakes between two polls, of which each has two or three, and one is dear: some 2 ms
#: at most, less than runners are allowed (``WORK_BUDGET``).
STEPS_PER_TURN = 8


class Shaking(Protocol):
    """What takes turns."""

    def take_turn(self) -> None:
        """Go on with the handshake. Called in the hub; must not raise."""


class Turns:
    """The turns of one loop."""

    def __init__(self, loop: Any) -> None:
        # Weakly, as who finds this by its loop must not keep that alive.
        self._loop = ref(loop)
        self._left = STEPS_PER_TURN
        self._waiting: deque[Shaking] = deque()
        self._is_scheduled = False

    def take(self, shaking: Shaking) -> bool:
        """Return whether *shaking* may go on now; else it is called when it may."""
        if not self._is_scheduled:
            self._is_scheduled = True
            self._later()
        if self._left and not self._waiting:
            self._left -= 1
            return True
        self._waiting.append(shaking)
        return False

    def _next(self) -> None:
        """All descriptors have been looked at. Runs in a runner."""
        loop = self._loop()
        if loop is not None:
            loop.from_hub(self._serve)

    def _later(self) -> None:
        loop = self._loop()
        if loop is not None:
            loop.later(self._next)

    def _serve(self) -> None:
        self._left = STEPS_PER_TURN
        while self._waiting and self._left:
            self._left -= 1
            self._waiting.popleft().take_turn()
        self._is_scheduled = self._left < STEPS_PER_TURN
        if self._is_scheduled:
            self._later()


_turns: WeakKeyDictionary[Any, Turns] = WeakKeyDictionary()


def turns_of(loop: Any) -> Turns:
    """Return the turns of *loop*."""
    turns = _turns.get(loop)
    if turns is None:
        turns = _turns[loop] = Turns(loop)
    return turns
