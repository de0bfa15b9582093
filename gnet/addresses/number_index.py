"""The look-up structures of ``BlockList``: subnets and ranges of numbers.

They know nothing of addresses: a number has :data:`BITS` bits and is whatever the caller means.
Each holds equal entries as often as they were added, and ``in`` tells whether a number falls under
any of them.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter

__all__ = [
    'BITS',
    'RangeIndex',
    'SubnetIndex',
]

#: Length of the numbers in bits: that of an IPv6 address (RFC 4291 §2).
BITS = 128

#: New ranges are inserted one by one as long as there are at least this many ranges for each.
#: Measured with 100,000 ranges: an insertion, which shifts the lists, takes 20 µs; sorting all,
#: 140 ms, as long as 7,000 insertions. Half of that is left for slower memory.
_RANGES_PER_INSERTION = 32


class SubnetIndex:
    """Subnets: numbers that have some leading bits in common."""

    def __init__(self) -> None:
        #: For each length of what is left behind a prefix, the prefixes and how often each is here.
        #: There are at most BITS + 1 lengths, and few of them are in use.
        self._prefixes: dict[int, Counter[int]] = {}

    def __contains__(self, number: int) -> bool:
        return any(number >> rest in prefixes for rest, prefixes in self._prefixes.items())

    def add(self, number: int, length: int) -> None:
        """Add the subnet of *number* whose prefix has *length* bits, 0 to BITS."""
        rest = BITS - length
        prefixes = self._prefixes.setdefault(rest, Counter())
        prefixes[number >> rest] += 1

    def remove(self, number: int, length: int) -> None:
        """Take away one such subnet; there must be one."""
        rest = BITS - length
        prefixes = self._prefixes[rest]
        prefix = number >> rest
        prefixes[prefix] -= 1
        if not prefixes[prefix]:
            del prefixes[prefix]
        if not prefixes:
            del self._prefixes[rest]

    def clear(self) -> None:
        """Remove all."""
        self._prefixes.clear()


class RangeIndex:
    """Ranges of numbers; the limits belong to them, and a reversed one is empty.

    For look-ups overlapping ranges are merged into blocks, which is made up for at the next look-up
    after a change, so that adding many costs one sort.
    """

    def __init__(self) -> None:
        self._ranges: Counter[tuple[int, int]] = Counter()
        #: The blocks, in order: where each starts and where it ends.
        self._starts: list[int] = []
        self._ends: list[int] = []
        #: Ranges that are in no block yet. None: the blocks cannot be used.
        self._waiting: list[tuple[int, int]] | None = []

    def __contains__(self, number: int) -> bool:
        # None and a list with something in it both call for work; the empty list does not.
        if self._waiting or self._waiting is None:
            self._update()
        index = bisect_right(self._starts, number) - 1
        return index >= 0 and number <= self._ends[index]

    def add(self, low: int, high: int) -> None:
        """Add the range from *low* to *high*."""
        if low > high:
            return
        self._ranges[low, high] += 1
        if self._waiting is not None and self._ranges[low, high] == 1:
            self._waiting.append((low, high))

    def remove(self, low: int, high: int) -> None:
        """Take away one such range; there must be one, unless it is empty."""
        if low > high:
            return
        self._ranges[low, high] -= 1
        if not self._ranges[low, high]:
            del self._ranges[low, high]
            # What the range had covered alone cannot be told from its block.
            self._waiting = None

    def clear(self) -> None:
        """Remove all."""
        self._ranges.clear()
        self._starts.clear()
        self._ends.clear()
        self._waiting = []

    def _update(self) -> None:
        waiting = self._waiting
        if waiting is None or len(waiting) * _RANGES_PER_INSERTION > len(self._ranges):
            self._starts.clear()
            self._ends.clear()
            waiting = sorted(self._ranges)
        for low, high in waiting:
            self._insert(low, high)
        self._waiting = []

    def _insert(self, low: int, high: int) -> None:
        starts, ends = self._starts, self._ends
        if not starts or low > ends[-1]:
            starts.append(low)
            ends.append(high)
            return
        first = bisect_left(ends, low)
        behind = bisect_right(starts, high)
        if first < behind:
            low = min(low, starts[first])
            high = max(high, ends[behind - 1])
        starts[first:behind] = [low]
        ends[first:behind] = [high]
