"""What is open for politeness only: who finds no descriptor left has those of these.

A TLS client that was closed keeps its descriptor a little longer, for instance
(:mod:`gnet.tls.lingering`). That is worth less than any connection that is wanted now.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from typing import Any, Protocol, TypeVar

__all__ = ['NONE_LEFT', 'Dispensable', 'Dispensed']

Made = TypeVar('Made')

#: The process, or the whole system, has no descriptor left.
NONE_LEFT = (errno.EMFILE, errno.ENFILE)


class Dispensed(Protocol):
    """What can be let go of, in the thread of its loop.

    Attributes:
        wire: what has its descriptor.
        since: the loop's time at which it became that.
    """

    wire: Any
    since: float

    def close(self) -> None:
        """Close its descriptor at once, and be :meth:`Dispensable.remove`d."""


class Dispensable:
    """What a loop could do without, the oldest first: its ``dispensable``."""

    __slots__ = ('_things',)

    def __init__(self) -> None:
        self._things: dict[Dispensed, None] = {}

    def __len__(self) -> int:
        return len(self._things)

    def __iter__(self) -> Iterator[Dispensed]:
        """Return what there is now; in any thread."""
        return iter(list(self._things))

    def add(self, thing: Dispensed, most: int) -> None:
        """Remember *thing*, the newest; if there are *most* already, the oldest is closed."""
        while len(self._things) >= most:
            self.give_way()
        self._things[thing] = None

    def remove(self, thing: Dispensed) -> None:
        """Forget *thing*, which is closed."""
        self._things.pop(thing, None)

    def give_way(self) -> bool:
        """Close the oldest; return whether there was one."""
        for thing in self._things:
            self.remove(thing)
            thing.close()
            return True
        return False

    def clear(self) -> None:
        """Close all."""
        while self._things:
            self.give_way()

    def give_way_to(self, error: BaseException) -> bool:
        """If *error* says that no descriptor is left, close the oldest: then it may be tried again.

        Returns:
            Whether a descriptor is free now.
        """
        return isinstance(error, OSError) and error.errno in NONE_LEFT and self.give_way()

    def open(self, opener: Callable[..., Made], *arguments: Any) -> Made:
        """Return ``opener(*arguments)``, which opens a descriptor, if need be instead of these.

        Raises:
            OSError: what *opener* raises, with none of these left if it is for want of descriptors.
        """
        while True:
            try:
                return opener(*arguments)
            except OSError as error:
                if not self.give_way_to(error):
                    raise
