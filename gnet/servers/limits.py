"""Who may connect how often, and how many connections of one address there may be: `Limits`.

An *address* is what one peer has: of IPv4 all bits, of IPv6 the first 64, unless the server says
otherwise (``ipv4_prefix``, ``ipv6_prefix``). An IPv4-mapped one counts as IPv4. A unix socket has
none, so only what is said of all connections holds for it.

Who takes a connection asks three things, and keeps what the second one returns::

    key = limits.key_of(text)               # of the peer; of the client, if a proxy has said who
    reason = limits.refuse(key)             # None: counted in
    limits.release(key)                     # when it has ended, if limits.counts_addresses

Memory. Open connections are counted for each address that has some, which is no more than there are
connections. Rates are buckets of tokens, each one number: when it is full again
(:class:`_Buckets`). There are :data:`MAX_KNOWN` of them at most for addresses of their own, in
two generations, so that a full one is forgotten without being looked for. If more new addresses
come than that while none is full again, those that come after them share :data:`SHARED` buckets, by
a hash that nobody outside can know: nobody is let in unasked, and who was known before keeps a
bucket of its own. A line of the log says so.
"""

from __future__ import annotations

import os
import socket
from array import array
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..addresses.ip import IPV4_MAPPED_FIRST, IPV4_MAPPED_LAST, canonical
from ..lifecycle import DropReason
from ..options.limits import LimitOptions

if TYPE_CHECKING:
    from .connections import Place

__all__ = ['MAX_KNOWN', 'SHARED', 'Limits']

#: Addresses in one generation: new ones, and those of the generation before that came again. Four
#: times as many of one number each are 3 MB.
_MAX_NEW = 8192
_MAX_YOUNG = 2 * _MAX_NEW

#: Addresses that have a bucket of their own at the same time.
MAX_KNOWN = 2 * _MAX_YOUNG

#: Buckets for those beyond: half a megabyte, which is there from the first one on. A power of two.
SHARED = 65536

#: Seconds by which a bucket may seem emptier than it is: sums of floats are not exact.
_SLACK = 1e-9


class Limits:
    """The limits of one server, and how much of them is used."""

    __slots__ = (
        '_buckets', '_counts', '_interval', '_ipv4_shift', '_ipv6_shift', '_now', '_of_one',
        '_options', '_tolerance', '_whole',
    )

    def __init__(self, options: LimitOptions, now: Callable[[], float]) -> None:
        """Begin with nothing used.

        Args:
            options: the limits.
            now: returns the time in seconds, by a clock that nobody sets.
        """
        self._now = now
        #: How many connections each address has, while some are counted.
        self._counts: dict[int, int] = {}
        #: When the bucket of all is full again.
        self._whole = 0.0
        self._buckets: _Buckets | None = None
        self._options = LimitOptions()
        self.configure(options)

    def configure(self, options: LimitOptions) -> None:
        """Have other limits from now on. What is used stays so; only a rate begins anew."""
        before, self._options = self._options, options
        self._ipv4_shift = 32 - options.ipv4_prefix
        self._ipv6_shift = 128 - options.ipv6_prefix
        self._of_one = options.max_connections_per_address
        self._interval, self._tolerance = _pace(options.connection_rate, options.connection_burst)
        rate, burst = options.connection_rate_per_address, options.connection_burst_per_address
        if rate is None:
            self._buckets = None
        elif self._buckets is None or (rate, burst) != (
            before.connection_rate_per_address, before.connection_burst_per_address
        ):
            self._buckets = _Buckets(*_pace(rate, burst))
        if options.connection_rate != before.connection_rate:
            self._whole = 0.0

    @property
    def counts_addresses(self) -> bool:
        """Whether :meth:`release` is to be called for the connections that are let in."""
        return self._of_one is not None

    def key_of(self, address: str | None) -> int | None:
        """Return the number by which the peer at *address* is known here.

        Args:
            address: as text, perhaps with a zone; None where there is none, as of a unix socket.
        """
        if address is None:
            return None
        if ':' not in address:
            number = int.from_bytes(socket.inet_pton(socket.AF_INET, address), 'big')
            return number >> self._ipv4_shift
        packed = socket.inet_pton(socket.AF_INET6, address.partition('%')[0])
        number = int.from_bytes(packed, 'big')
        if IPV4_MAPPED_FIRST <= number <= IPV4_MAPPED_LAST:
            return (number - IPV4_MAPPED_FIRST) >> self._ipv4_shift
        return ~(number >> self._ipv6_shift)  # below zero, so that it is no IPv4 address

    def name_of(self, key: int | None) -> str | None:
        """Return what *key* stands for: an address, or a network such as ``2001:db8::/64``."""
        if key is None:
            return None
        if key < 0:
            prefix = self._options.ipv6_prefix
            text = canonical(~key << self._ipv6_shift, 'ipv6')
            return text if prefix == 128 else f'{text}/{prefix}'
        prefix = self._options.ipv4_prefix
        text = canonical(key << self._ipv4_shift, 'ipv4')
        return text if prefix == 32 else f'{text}/{prefix}'

    def refuse(self, key: int | None) -> DropReason | None:
        """Return why the peer *key* gets no connection now; None: it gets one, which is counted.

        One that is refused is not counted anywhere: who is refused all the time gets in at the same
        pace as who comes as often as it may.
        """
        now = self._now()
        buckets = self._buckets
        if key is not None:
            if self.has_most(key):
                return DropReason.MAX_CONNECTIONS_PER_ADDRESS
            if buckets is not None and buckets.is_empty(key, now):
                return DropReason.CONNECTION_RATE_PER_ADDRESS
        if self._interval:
            whole = max(self._whole, now)
            if whole - now > self._tolerance:
                return DropReason.CONNECTION_RATE
            self._whole = whole + self._interval
        if key is not None:
            if buckets is not None:
                buckets.take(key, now)
            self._count(key)
        return None

    def has_most(self, key: int | None) -> bool:
        """Whether the peer *key* has as many open connections as one address may."""
        return (
            self._of_one is not None and key is not None
            and self._counts.get(key, 0) >= self._of_one)

    def _count(self, key: int | None) -> None:
        if key is not None and self._of_one is not None:
            self._counts[key] = self._counts.get(key, 0) + 1

    def release(self, key: int) -> None:
        """A connection of *key* that was counted has ended."""
        left = self._counts.get(key, 0) - 1
        if left > 0:
            self._counts[key] = left
        else:
            self._counts.pop(key, None)

    def place_of(self, address: str | None) -> Place | None:
        """Count a connection of the peer at *address* that is there already."""
        key = self.key_of(address) if self.counts_addresses else None
        if key is None:
            return None
        self._count(key)
        return self, key

    def recount(self, sockets: dict[Any, Place | None]) -> None:
        """Count those that are open as the limits are now; their places are set."""
        self._counts.clear()
        for sock, place in sockets.items():
            if place is not None and place[0] is not self:
                place[0].release(place[1])
            sockets[sock] = self.place_of(sock.remote_address)

    @property
    def is_sharing(self) -> bool:
        """Whether there are, or were lately, so many addresses that some share a bucket."""
        return self._buckets is not None and self._buckets.is_sharing


def _pace(rate: float | None, burst: int | None) -> tuple[float, float]:
    """Return the seconds for a token, and how many the bucket may be away from full for one more.

    ``(0, 0)`` stands for no limit.
    """
    if rate is None:
        return 0.0, 0.0
    interval = 1 / rate
    size = max(1, int(rate)) if burst is None else burst
    return interval, (size - 1) * interval + _SLACK


class _Buckets:
    """A bucket of tokens for each address, of which only the time is kept when it is full again.

    The same as counting tokens, in one number and without a timer (the generic cell rate algorithm,
    ITU-T I.371). A bucket whose time has come is as good as none. So each generation lives for as
    long as an empty bucket takes to be full; what was not used since the generation before is full.
    """

    __slots__ = (
        '_interval', '_life', '_old', '_secret', '_shared', '_shared_until', '_since',
        '_tolerance', '_young',
    )

    def __init__(self, interval: float, tolerance: float) -> None:
        self._interval = interval
        self._tolerance = tolerance
        self._life = interval + tolerance
        self._young: dict[int, float] = {}
        self._old: dict[int, float] = {}
        #: When the young generation began.
        self._since = 0.0
        #: While there are some that are not full, and when all of them will be.
        self._shared: Any = None
        self._shared_until = 0.0
        self._secret = os.urandom(8)

    @property
    def is_sharing(self) -> bool:
        return self._shared is not None

    def is_empty(self, key: int, now: float) -> bool:
        """Whether *key* has no token left."""
        if now - self._since > self._life:
            self._turn(now)
        return self._full_at(key) - now > self._tolerance

    def take(self, key: int, now: float) -> None:
        """Take a token of *key*, which has one; right after :meth:`is_empty`."""
        full_at = max(self._full_at(key), now) + self._interval
        young = self._young
        if key in young or len(young) < (_MAX_YOUNG if key in self._old else _MAX_NEW):
            young[key] = full_at
            return
        if self._shared is None:
            self._shared = array('d', bytes(8 * SHARED))
        self._shared[self._place(key)] = full_at
        self._shared_until = max(self._shared_until, full_at)

    def _full_at(self, key: int) -> float:
        full_at = self._young.get(key)
        if full_at is None:
            full_at = self._old.get(key, 0.0)
            if self._shared is not None:  # also those who have a place of their own meanwhile
                full_at = max(full_at, self._shared[self._place(key)])
        return full_at

    def _place(self, key: int) -> int:
        return hash((self._secret, key)) % SHARED

    def _turn(self, now: float) -> None:
        """Begin a generation."""
        is_long_ago = now - self._since > 2 * self._life
        self._old = {} if is_long_ago else self._young
        self._young = {}
        self._since = now
        if self._shared_until <= now:
            self._shared = None
