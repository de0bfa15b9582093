"""The loop room: ticks, work, runners, timers, and what keeps a program alive."""

from __future__ import annotations

import time
from typing import Any

import gevent
import pytest
from gevent.event import Event

from gnet.loop.loop import Loop, get_loop
from gnet.loop.runner import MAX_IDLE_RUNNERS, Runner, RunnerState
from gnet.loop.watchers import close_watcher

from ..harness.waiting import PATIENCE


class Work:
    """A piece of work that notes its name."""

    context = None

    def __init__(self, log: list[Any], name: Any) -> None:
        self.log = log
        self.name = name

    def deliver(self) -> None:
        self.log.append(self.name)


@pytest.fixture
def loop() -> Loop:
    return get_loop()


def settled(loop: Loop) -> None:
    """Wait until ticks and work that are queued now are done."""
    done = Event()
    loop.later(done.set)
    assert done.wait(PATIENCE)


# --- order --------------------------------------------------------------------------------------


def test_ticks_run_in_order_and_never_at_the_call(loop: Loop) -> None:
    log: list[int] = []
    for number in range(5):
        loop.tick(log.append, number)
    assert log == []
    settled(loop)
    assert log == [0, 1, 2, 3, 4]


def test_ticks_that_ticks_cause_come_before_the_next_piece_of_work(loop: Loop) -> None:
    log: list[Any] = []

    class Causing(Work):
        def deliver(self) -> None:
            super().deliver()
            loop.tick(lambda: (log.append('tick'), loop.tick(log.append, 'its tick')))

    loop.enqueue(Causing(log, 'first'))
    loop.enqueue(Work(log, 'second'))
    settled(loop)
    assert log == ['first', 'tick', 'its tick', 'second']


def test_later_comes_after_ticks_and_after_what_is_ready(loop: Loop) -> None:
    log: list[str] = []
    loop.later(log.append, 'later')
    loop.tick(log.append, 'tick')
    loop.enqueue(Work(log, 'work'))
    settled(loop)
    assert log == ['tick', 'work', 'later']


def test_what_is_started_begins_after_the_ticks_of_what_was_started_before(loop: Loop) -> None:
    log: list[str] = []

    def greenlet(name: str) -> None:
        log.append(name)
        loop.tick(log.append, f'tick of {name}')

    for name in ('a', 'b'):
        loop.start(loop.handlers.call, greenlet, name)
    settled(loop)
    settled(loop)
    assert log == ['a', 'tick of a', 'b', 'tick of b']


def test_a_start_that_fails_is_reported_and_the_next_one_begins(
    loop: Loop, hub_reports: list[Any],
) -> None:
    begun = Event()

    def fail() -> None:
        raise ValueError('x')

    loop.start(fail)
    loop.start(begun.set)
    assert begun.wait(PATIENCE)
    assert [str(error) for _, error in hub_reports] == ['x']


# --- runners ------------------------------------------------------------------------------------


def test_a_tick_that_blocks_captures_its_runner_and_others_go_on(loop: Loop) -> None:
    gate, done = Event(), Event()
    runners: list[Any] = []

    def block() -> None:
        runners.append(gevent.getcurrent())
        gate.wait()

    loop.tick(block)
    loop.tick(lambda: (runners.append(gevent.getcurrent()), done.set()))
    assert done.wait(PATIENCE)
    assert runners[0] is not runners[1]
    assert runners[0].state is RunnerState.CAPTURED
    gate.set()
    runners[0].join(PATIENCE)
    assert runners[0].dead  # it retires: somebody may have kept it to kill it


def test_idle_runners_are_few(loop: Loop) -> None:
    gate = Event()
    count = [0]

    def block() -> None:
        count[0] += 1
        gate.wait()

    for _ in range(50):
        loop.tick(block)
    settled(loop)
    assert count == [50]
    gate.set()
    settled(loop)
    assert len(loop.parked) <= MAX_IDLE_RUNNERS


def test_a_runner_has_a_name_and_is_a_greenlet(loop: Loop) -> None:
    seen: list[Any] = []
    loop.tick(lambda: seen.append(gevent.getcurrent()))
    settled(loop)
    assert isinstance(seen[0], gevent.Greenlet)
    assert seen[0].name == 'gnet runner'


def test_an_idle_runner_that_was_killed_is_replaced(loop: Loop) -> None:
    settled(loop)
    for runner in list(loop.parked):
        runner.kill()
    done: list[int] = []
    loop.tick(done.append, 1)
    settled(loop)
    assert done == [1]
    assert not any(runner.dead for runner in loop.parked)


def test_a_timeout_that_hits_an_idle_runner_does_no_harm(
    loop: Loop, hub_reports: list[Any],
) -> None:
    settled(loop)
    for runner in list(loop.parked):
        gevent.get_hub().loop.run_callback(runner.throw, gevent.Timeout())
    gevent.sleep(0)
    settled(loop)
    settled(loop)


@pytest.mark.parametrize('error', [ValueError('x'), gevent.Timeout(), MemoryError()])
def test_what_a_tick_raises_is_reported_and_the_runner_goes_on(
    loop: Loop, hub_reports: list[Any], error: BaseException,
) -> None:
    def fail() -> None:
        raise error

    done = Event()
    loop.tick(fail)
    loop.tick(done.set)
    assert done.wait(PATIENCE)
    [(context, reported)] = hub_reports
    assert reported is error
    assert isinstance(context, Runner)


def test_a_greenlet_exit_ends_the_runner_quietly(loop: Loop, hub_reports: list[Any]) -> None:
    def leave() -> None:
        raise gevent.GreenletExit

    done = Event()
    loop.tick(leave)
    loop.tick(done.set)
    assert done.wait(PATIENCE)
    assert hub_reports == []


@pytest.mark.parametrize('kind', [SystemExit, KeyboardInterrupt])
def test_what_ends_the_program_reaches_the_main_greenlet(
    loop: Loop, kind: type[BaseException],
) -> None:
    def leave() -> None:
        raise kind(7)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gevent.get_hub(), 'print_exception', lambda *args: None)
        loop.tick(leave)
        with pytest.raises(kind) as caught:
            gevent.sleep(PATIENCE)
    assert caught.value.args == (7,)
    settled(loop)


# --- budgets ------------------------------------------------------------------------------------


def test_a_turn_of_work_is_cut_so_that_timers_have_theirs(loop: Loop) -> None:
    class Busy(Work):
        def deliver(self) -> None:
            end = time.perf_counter() + 0.001
            while time.perf_counter() < end:
                pass
            super().deliver()

    log: list[Any] = []
    for number in range(200):
        loop.enqueue(Busy(log, number))
    gevent.sleep(0.001)
    assert len(log) < 100
    settled_by = time.perf_counter() + PATIENCE
    while len(log) < 200 and time.perf_counter() < settled_by:
        gevent.sleep(0)
    assert log == list(range(200))


def test_ticks_that_post_themselves_leave_timers_their_turn(loop: Loop) -> None:
    over = False

    def again() -> None:
        if not over:
            loop.tick(again)

    loop.tick(again)
    start = time.perf_counter()
    gevent.sleep(0.005)
    over = True
    assert time.perf_counter() - start < 0.2
    settled(loop)


def test_ticks_that_were_cut_come_before_new_work(loop: Loop) -> None:
    log: list[Any] = []

    def busy(number: int) -> None:
        end = time.perf_counter() + 0.002
        while time.perf_counter() < end:
            pass
        log.append(number)

    for number in range(10):
        loop.tick(busy, number)
    loop.enqueue(Work(log, 'work'))
    settled(loop)
    assert log == [*range(10), 'work']


# --- timers -------------------------------------------------------------------------------------


def test_a_timer_counts_from_the_call_even_after_a_blocking_one(loop: Loop) -> None:
    """The loop's own time stands still while Python does not return to it: docs/gevent.md, T9."""
    fired = Event()
    begin = time.monotonic()
    while time.monotonic() - begin < 0.1:
        pass
    start = time.monotonic()
    timer = loop.call_after(0.05, fired.set)
    assert fired.wait(PATIENCE)
    assert time.monotonic() - start >= 0.049
    close_watcher(timer)


@pytest.mark.parametrize('seconds', [-1, 0, 0.0001])
def test_a_time_of_nothing_is_as_good_as_now(loop: Loop, seconds: float) -> None:
    fired = Event()
    timer = loop.call_after(seconds, fired.set)
    assert fired.wait(PATIENCE)
    close_watcher(timer)
    close_watcher(None)


def test_the_time_does_not_stand_still_in_a_blocking_call(loop: Loop) -> None:
    before = loop.now()
    begin = time.monotonic()
    while time.monotonic() - begin < 0.02:
        pass
    assert loop.now() - before >= 0.02


# --- one loop for each hub ----------------------------------------------------------------------


def test_each_thread_has_a_loop_of_its_own(loop: Loop, native: Any) -> None:
    def other() -> tuple[bool, bool]:
        mine = get_loop()
        result = mine is not loop, mine.is_main
        gevent.get_hub().destroy(destroy_loop=True)
        return result

    assert native(other) == (True, False)
    assert get_loop() is loop
    assert loop.is_main
