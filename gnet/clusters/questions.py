"""What a primary asks its workers for, by name, and who answers in a worker.

The rooms above know the answers: they put a function into :data:`answers`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ['TURNS', 'Asked', 'answers']

#: Asks for nothing but the answer: whoever gives it has a hub that turns.
TURNS = 'turns'

#: In a worker, by the name of what is asked for: what answers. It is called, in a runner, with what
#: takes the answer (of values that JSON has), once, now or later; it must not block.
answers: dict[str, Callable[[Callable[[Any], object]], object]] = {
    TURNS: lambda answer: answer(True),
}


class Asked:
    """The questions to one worker that it has not answered yet."""

    __slots__ = ('_last', '_waiting')

    def __init__(self) -> None:
        self._last = 0
        self._waiting: dict[int, Callable[[Any], object]] = {}

    def add(self, answered: Callable[[Any], object]) -> int:
        """Note a question, and return its number."""
        self._last += 1
        self._waiting[self._last] = answered
        return self._last

    def answer(self, number: Any, value: Any) -> bool:
        """Give the answer to who has asked; return whether somebody has."""
        answered = self._waiting.pop(number, None) if type(number) is int else None
        if answered is None:
            return False
        answered(value)
        return True

    def give_up(self) -> None:
        """The worker is gone: None is its answer to all of them."""
        while self._waiting:
            self._waiting.popitem()[1](None)
