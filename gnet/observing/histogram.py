"""How often a value was how large: a :class:`Histogram`."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import accumulate

__all__ = ['Histogram']


class Histogram:
    """Counts values by the first bound that they do not exceed.

    Args:
        bounds: upper bounds, rising; what is larger than the last one is counted, too.
        counts: to begin with: one for each bound, and one more; none counted by default.
        total: the sum of what these have counted.
    """

    __slots__ = ('bounds', 'counts', 'total')

    def __init__(
        self, bounds: Sequence[float], counts: Sequence[int] | None = None, total: float = 0.0,
    ) -> None:
        self.bounds: Sequence[float] = bounds
        self.counts: list[int] = [0] * (len(bounds) + 1) if counts is None else [*counts]
        #: The sum of all values.
        self.total: float = total

    def observe(self, value: float) -> None:
        """Count *value*."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    def add(self, other: Histogram) -> None:
        """Count what *other* has counted, whose bounds are the same."""
        self.counts = [mine + its for mine, its in zip(self.counts, other.counts)]
        self.total += other.total

    def copy(self) -> Histogram:
        """Return one that counts on by itself."""
        return Histogram(self.bounds, self.counts, self.total)

    @property
    def count(self) -> int:
        """How many values were counted."""
        return sum(self.counts)

    def buckets(self) -> Iterator[tuple[float, int]]:
        """Give each bound, and how many values do not exceed it; infinity is the last one."""
        return zip((*self.bounds, math.inf), accumulate(self.counts))
