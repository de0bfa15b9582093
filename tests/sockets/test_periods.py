"""What connections that end share: one timer for all that take leave, and queues used again."""

from __future__ import annotations

from typing import Any

import pytest

from gnet.loop.idle_timers import IdleTimers, Periods
from gnet.loop.loop import get_loop
from gnet.sockets.wire import MAX_SPARE_QUEUES
from gnet.testing import memory_pair, settle

from ..harness.waiting import turn, until


class Equal:
    """One of those that a program has made equal to all others, and that are in no set."""

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        return True


@pytest.fixture
def timers() -> IdleTimers:
    return IdleTimers(get_loop())


def armed(timers: IdleTimers) -> int:
    return sum(timer.expired is not None for _, _, timer in timers._heap)


def test_each_is_over_once_in_the_order_in_which_they_began(timers: IdleTimers) -> None:
    over: list[Any] = []
    periods, owners = Periods(timers, over.append), [Equal() for _ in range(50)]
    now = get_loop().now()
    for number, owner in enumerate(owners):
        periods.begin(owner, 0.005, now + number / 10_000)
    assert armed(timers) == 1
    until(lambda: len(over) >= len(owners))
    turn()
    assert [id(owner) for owner in over] == [id(owner) for owner in owners]
    assert armed(timers) == 0


def test_one_that_is_cancelled_is_never_over_and_the_last_one_leaves_no_timer(
    timers: IdleTimers,
) -> None:
    over: list[Any] = []
    periods, first, second, third = Periods(timers, over.append), Equal(), Equal(), Equal()
    now = get_loop().now()
    for owner, began in ((first, now), (second, now), (third, now + 100)):
        periods.begin(owner, 0.005, began)
    periods.cancel(first)
    until(lambda: over)
    assert [id(owner) for owner in over] == [id(second)]
    assert armed(timers) == 1
    periods.cancel(third)
    assert armed(timers) == 0


def test_whose_period_is_over_may_begin_another_one(timers: IdleTimers) -> None:
    owner, count = Equal(), 0

    def again(whose: Any) -> None:
        nonlocal count
        count += 1
        if count < 3:
            periods.begin(whose, 0.001, get_loop().now())

    periods = Periods(timers, again)
    periods.begin(owner, 0.001, get_loop().now())
    until(lambda: count == 3)
    assert armed(timers) == 0


def test_whose_period_is_over_may_cancel_all_others(timers: IdleTimers) -> None:
    over: list[Any] = []
    first, second = Equal(), Equal()

    def end(whose: Any) -> None:
        over.append(whose)
        periods.cancel(second)
        periods.begin(first, 100, get_loop().now())

    periods, now = Periods(timers, end), get_loop().now()
    periods.begin(first, 0.001, now)
    periods.begin(second, 100, now)
    until(lambda: over)
    assert armed(timers) == 1
    periods.cancel(first)
    assert armed(timers) == 0


def test_a_queue_that_is_used_again_has_nothing_of_the_connection_before() -> None:
    spare = get_loop().spare_queues
    spare.clear()
    kept = []
    for left in (b'left', b'', b''):
        got: list[bytes] = []
        one, other = memory_pair()
        other.on('data', got.append)
        one.write(b'hello')
        settle()
        assert got == [b'hello']
        if left:
            other._wire.put_behind(left)
        other.destroy()
        one.destroy()
        settle()
        assert not any(spare)
        kept.append([id(queue) for queue in spare])
    assert kept[0] == []
    assert len(kept[1]) == 1
    assert kept[2] == kept[1]


def test_few_queues_are_kept() -> None:
    spare = get_loop().spare_queues
    pairs = [memory_pair() for _ in range(MAX_SPARE_QUEUES)]
    for one, other in pairs:
        for end in (one, other):
            end.on('data', id)
            end.write(b'x')
    settle()
    for pair in pairs:
        for end in pair:
            end.destroy()
    settle()
    assert len(spare) == MAX_SPARE_QUEUES
