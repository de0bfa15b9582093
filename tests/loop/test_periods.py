"""Periods: what all connections that take leave share."""

from __future__ import annotations

from typing import Any

import pytest

from gnet.loop.idle_timers import IdleTimers
from gnet.loop.loop import get_loop
from gnet.loop.periods import Periods

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


def test_a_clock_that_was_put_back_holds_up_none(timers: IdleTimers) -> None:
    over: list[Any] = []
    periods, late, soon, cancelled = Periods(timers, over.append), Equal(), Equal(), Equal()
    now = get_loop().now()
    periods.begin(late, 0.005, now + 3600)
    periods.begin(cancelled, 0.005, now + 1)
    periods.begin(soon, 0.005, now)
    periods.cancel(cancelled)
    periods.cancel(cancelled)  # nor does it matter that it has none
    until(lambda: over)
    assert [id(owner) for owner in over] == [id(soon)]
    assert armed(timers) == 1
    periods.cancel(late)
    assert armed(timers) == 0
