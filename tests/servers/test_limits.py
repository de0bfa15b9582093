"""The tables of limits by themselves, by a clock of the test: who is let in, and what they take."""

from __future__ import annotations

import tracemalloc
from typing import Any

import pytest

from gnet.lifecycle import DropReason
from gnet.options.limits import LimitOptions
from gnet.servers.limits import MAX_KNOWN, SHARED, Limits

OF_ONE = DropReason.MAX_CONNECTIONS_PER_ADDRESS
RATE = DropReason.CONNECTION_RATE
RATE_OF_ONE = DropReason.CONNECTION_RATE_PER_ADDRESS


class Clock:
    """Seconds that pass when the test says so. (The kit's are those of a loop: here is none.)"""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def limits(clock: Clock, **options: Any) -> Limits:
    return Limits(LimitOptions(**options), clock)


def let_in(of: Limits, address: str | None, tries: int) -> int:
    """Return how many of so many at once are let in."""
    key = of.key_of(address)
    return sum(of.refuse(key) is None for _ in range(tries))


# --- what one address is ------------------------------------------------------------------------


@pytest.mark.parametrize(('one', 'other'), [
    ('192.0.2.1', '::ffff:192.0.2.1'), ('2001:db8::1', '2001:db8::ffff:0:0:1'),
    ('fe80::1', 'fe80::2%lo'), ('::1', '::2'),
])
def test_these_are_one_address(clock: Clock, one: str, other: str) -> None:
    of = limits(clock)
    assert of.key_of(one) == of.key_of(other)


@pytest.mark.parametrize(('one', 'other'), [
    ('192.0.2.1', '192.0.2.2'), ('2001:db8::1', '2001:db8:0:1::1'), ('0.0.0.0', '::'),
    ('0.0.0.1', '::1:0:0:0:0'), ('::ffff:0.0.0.0', '::'), ('255.255.255.255', 'ffff::'),
])
def test_these_are_two(clock: Clock, one: str, other: str) -> None:
    of = limits(clock)
    assert of.key_of(one) != of.key_of(other)


@pytest.mark.parametrize(('prefixes', 'address', 'name'), [
    ({}, '192.0.2.7', '192.0.2.7'),
    ({}, '::ffff:192.0.2.7', '192.0.2.7'),
    ({'ipv4_prefix': 24}, '192.0.2.7', '192.0.2.0/24'),
    ({'ipv4_prefix': 1}, '192.0.2.7', '128.0.0.0/1'),
    ({}, '2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'),
    ({'ipv6_prefix': 128}, '2001:db8::1', '2001:db8::1'),
    ({'ipv6_prefix': 32}, '2001:db8:1::1', '2001:db8::/32'),
    ({}, 'fe80::1%lo', 'fe80::/64'),
    ({}, None, None),
])
def test_a_network_is_named(
    clock: Clock, prefixes: dict[str, int], address: str | None, name: str | None,
) -> None:
    of = limits(clock, **prefixes)
    assert of.name_of(of.key_of(address)) == name


# --- by number ----------------------------------------------------------------------------------


def test_one_address_has_so_many_and_another_one_too(clock: Clock) -> None:
    of = limits(clock, max_connections_per_address=3)
    assert [let_in(of, address, 5) for address in ('192.0.2.1', '192.0.2.2')] == [3, 3]
    assert of.refuse(of.key_of('192.0.2.1')) is OF_ONE


def test_one_that_ends_makes_room_for_another(clock: Clock) -> None:
    of = limits(clock, max_connections_per_address=3)
    let_in(of, '192.0.2.1', 3)
    of.release(of.key_of('::ffff:192.0.2.1'))
    assert let_in(of, '192.0.2.1', 3) == 1


def test_what_has_no_address_is_limited_by_the_rate_of_all_alone(clock: Clock) -> None:
    of = limits(
        clock, max_connections_per_address=1, connection_rate_per_address=1, connection_rate=5)
    assert let_in(of, None, 10) == 5
    assert of.refuse(None) is RATE


# --- by time ------------------------------------------------------------------------------------


@pytest.mark.parametrize('name', ['connection_rate', 'connection_rate_per_address'])
@pytest.mark.parametrize(('rate', 'burst', 'at_once', 'in_ten_seconds'), [
    (10, None, 10, 110), (10, 1, 1, 101), (10, 50, 50, 150), (0.5, None, 1, 6), (0.5, 4, 4, 9),
    (2.9, None, 2, 31), (1 / 3, None, 1, 4),
])
def test_a_bucket_has_its_burst_and_is_filled_at_its_rate(
    clock: Clock, name: str, rate: float, burst: int | None, at_once: int, in_ten_seconds: int,
) -> None:
    of = limits(clock, **{name: rate, name.replace('rate', 'burst'): burst})
    total = let_in(of, '192.0.2.1', 200)
    assert total == at_once
    for _ in range(1000):
        clock.now += 0.01
        total += let_in(of, '192.0.2.1', 2)
    assert total in (in_ten_seconds, in_ten_seconds - 1)  # the last token may be due right now
    clock.now += 3600
    assert let_in(of, '192.0.2.1', 200) == at_once


def test_the_reason_says_whose_rate_it_was(clock: Clock) -> None:
    of = limits(clock, connection_rate=3, connection_rate_per_address=2)
    one, other = of.key_of('192.0.2.1'), of.key_of('192.0.2.2')
    assert [of.refuse(one) for _ in range(3)] == [None, None, RATE_OF_ONE]
    assert [of.refuse(other) for _ in range(2)] == [None, RATE]


def test_who_is_refused_takes_no_token_of_the_others(clock: Clock) -> None:
    of = limits(
        clock, connection_rate=10, connection_rate_per_address=2, max_connections_per_address=5)
    assert let_in(of, '192.0.2.1', 1000) == 2
    assert sum(let_in(of, f'192.0.2.{number}', 1) for number in range(2, 50)) == 8


def test_a_clock_that_stands_or_leaps_lets_nobody_in_unasked(clock: Clock) -> None:
    of = limits(clock, connection_rate_per_address=1, connection_burst_per_address=3)
    assert let_in(of, '192.0.2.1', 10) == 3
    assert let_in(of, '192.0.2.1', 10) == 0
    clock.now += 1e9
    assert let_in(of, '192.0.2.1', 10) == 3


# --- changed live -------------------------------------------------------------------------------


def test_a_limit_that_is_changed_holds_at_once(clock: Clock) -> None:
    of = limits(clock, max_connections_per_address=2)
    assert let_in(of, '192.0.2.1', 9) == 2
    of.configure(LimitOptions(max_connections_per_address=5))
    assert let_in(of, '192.0.2.1', 9) == 3
    of.configure(LimitOptions(connection_rate_per_address=1))
    assert let_in(of, '192.0.2.1', 9) == 1
    of.configure(LimitOptions(connection_rate=4))
    assert let_in(of, '192.0.2.1', 9) == 4


def test_another_limit_leaves_the_buckets_alone(clock: Clock) -> None:
    of = limits(clock, connection_rate=5, connection_rate_per_address=3)
    assert let_in(of, '192.0.2.1', 9) == 3
    of.configure(LimitOptions(5, 5, 3))
    assert [let_in(of, address, 9) for address in ('192.0.2.1', '192.0.2.2')] == [0, 2]


# --- memory -------------------------------------------------------------------------------------


def addresses(count: int) -> list[int]:
    """Keys of so many IPv6 networks, none of which is near another one."""
    return [~(number * 0x9E3779B97F4A7C15 % 2**64) for number in range(1, count + 1)]


def test_fifty_thousand_addresses_take_no_more_than_some_megabytes(clock: Clock) -> None:
    of = limits(clock, connection_rate_per_address=1, max_connections_per_address=1)
    keys = addresses(50_000)
    tracemalloc.start()
    try:
        for key in keys:
            of.refuse(key)
            of.release(key)
            clock.now += 1e-5
        taken, _most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert of.is_sharing
    assert taken < 5e6


def test_beyond_the_table_nobody_is_let_in_unasked(clock: Clock) -> None:
    of = limits(clock, connection_rate_per_address=0.001, connection_burst_per_address=1)
    keys = addresses(2 * SHARED)
    let = [key for key in keys if of.refuse(key) is None]
    assert len(let) <= MAX_KNOWN + SHARED
    assert not any(of.refuse(key) is None for key in keys)


def test_who_is_known_before_a_flood_keeps_a_bucket_of_its_own(clock: Clock) -> None:
    of = limits(clock, connection_rate_per_address=1, connection_burst_per_address=10)
    good = of.key_of('192.0.2.1')
    for key in addresses(60_000):
        of.refuse(key)
        clock.now += 1e-4
        if not key % 50:  # far less often than it may
            of.refuse(good)
    assert of.is_sharing
    clock.now += 2
    assert of.refuse(good) is None


def test_a_flood_that_is_over_leaves_nothing(clock: Clock) -> None:
    of = limits(clock, connection_rate_per_address=1)
    for key in addresses(MAX_KNOWN):
        of.refuse(key)
    assert of.is_sharing
    for _ in range(3):
        clock.now += 5
        of.refuse(of.key_of('192.0.2.1'))
    assert not of.is_sharing


def test_debts_outlive_the_turn_of_a_generation(clock: Clock) -> None:
    of = limits(clock, connection_rate_per_address=1, connection_burst_per_address=4)
    rounds = [0] * 20
    for key in addresses(MAX_KNOWN):  # with them, the rest share buckets
        of.refuse(key)
    for number in range(len(rounds)):
        rounds[number] = let_in(of, '192.0.2.1', 50)
        clock.now += 1
    # The bucket may be another one's, too: at most what its own would give.
    assert sum(rounds) <= 4 + 20
