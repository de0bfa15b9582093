"""A descriptor that a loop could do without: see gnet/loop/dispensable.py."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from gnet.loop.loop import get_loop
from gnet.node.originals import original

__all__ = ['Dispensed', 'close_now']

#: The patched one waits for libuv's next turn.
close_now: Callable[[int], None] = original('os', 'close')


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
            close_now(number)
