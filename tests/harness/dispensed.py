"""A descriptor that a loop could do without: see gnet/loop/dispensable.py."""

from __future__ import annotations

import os
from typing import Any

from gnet.loop.loop import get_loop

__all__ = ['Dispensed']


class Dispensed:
    """What is open, and nobody needs; there are *most* at a time."""

    def __init__(self, most: int = 10) -> None:
        self._loop = get_loop()
        self.wire: Any = None
        self.since: float = self._loop.now()
        self.number: int | None = os.dup(0)
        self._loop.dispensable.add(self, most)

    def close(self) -> None:
        number, self.number = self.number, None
        if number is not None:
            self._loop.dispensable.remove(self)
            os.close(number)
