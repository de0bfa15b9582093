"""Idle timers: ``set_timeout`` and `'timeout'`."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from typing import Any

import gevent
import pytest

import gnet
from gnet.loop.idle_timers import IdleTimer, IdleTimers
from gnet.loop.loop import get_loop
from gnet.sockets.socket import TimeoutOverflowWarning

from ..harness.connections import Connection
from ..harness.waiting import PATIENCE, turn, until

Accept = Callable[..., Connection]

# --- arguments ----------------------------------------------------------------------------------


@pytest.mark.parametrize(('value', 'code', 'text'), [
    ('100', 'ERR_INVALID_ARG_TYPE', "must be of type number. Received type string ('100')"),
    (None, 'ERR_INVALID_ARG_TYPE', 'must be of type number. Received null'),
    (True, 'ERR_INVALID_ARG_TYPE', 'must be of type number. Received type boolean (true)'),
    ({}, 'ERR_INVALID_ARG_TYPE', 'must be of type number. Received an instance of Object'),
    (-1, 'ERR_OUT_OF_RANGE', 'It must be a non-negative finite number. Received -1'),
    (float('nan'), 'ERR_OUT_OF_RANGE', 'It must be a non-negative finite number. Received NaN'),
    (float('inf'), 'ERR_OUT_OF_RANGE',
     'It must be a non-negative finite number. Received Infinity'),
])
def test_what_is_no_time_is_refused(accept: Accept, value: Any, code: str, text: str) -> None:
    c = accept()
    with pytest.raises((TypeError, ValueError)) as caught:
        c.sock.set_timeout(value)
    assert caught.value.code == code  # type: ignore[union-attr]
    assert str(caught.value).endswith(text)
    assert c.sock.timeout is None


def test_a_callback_must_be_callable(accept: Accept) -> None:
    c = accept()
    with pytest.raises(TypeError, match='The "callback" argument must be of type function'):
        c.sock.set_timeout(100, 'x')
    assert c.sock.timeout is None


def test_the_property_says_what_was_given_in_milliseconds(accept: Accept) -> None:
    c = accept()
    for value in (250, 1.5, 0):
        assert c.sock.set_timeout(value) is c.sock
        assert c.sock.timeout == value


@pytest.mark.parametrize('value', [0, 'x', None, -1, 60_000])
def test_setting_the_property_changes_no_timer(accept: Accept, value: Any) -> None:
    c = accept(lambda c: c.sock.set_timeout(20))
    c.sock.timeout = value
    c.wait('timeout')
    assert c.sock.timeout == value
    c.sock.write('x')  # a new idle period
    c.wait('timeout', 2)
    c.sock.set_timeout(0)
    c.sock.timeout = 1
    assert c.sock._wire.idle_timer is None
    c.sock.destroy()
    c.sock.timeout = value
    assert c.sock.timeout == value


def test_setting_the_property_is_for_one_socket_alone(accept: Accept) -> None:
    c, other = accept(), accept()
    c.sock.timeout = 5
    assert other.sock.timeout is None
    assert c.sock.gettimeout() is None  # which is Python's, in seconds


def test_a_callback_is_a_once_listener_and_is_removed_with_zero(accept: Accept) -> None:
    c = accept()

    def callback() -> None:
        pass

    c.sock.set_timeout(60_000, callback)
    c.sock.set_timeout(60_000, callback)
    assert c.sock.listeners('timeout') == [callback, callback]
    c.sock.set_timeout(0, callback)
    assert c.sock.listeners('timeout') == [callback]


def test_more_than_25_days_are_cut_with_a_warning(accept: Accept) -> None:
    c = accept()
    with pytest.warns(TimeoutOverflowWarning, match='2147483648 does not fit into a 32-bit signed'):
        c.sock.set_timeout(2**31)
    assert c.sock.timeout == 2**31
    assert c.sock._wire.idle_timer.seconds == (2**31 - 1) / 1000
    c.sock.set_timeout(2**31 - 1)


# --- when it fires ------------------------------------------------------------------------------


def test_it_fires_once_per_idle_period_and_closes_nothing(accept: Accept) -> None:
    c = accept(lambda c: c.sock.set_timeout(20, c.noting('callback')))
    start = time.monotonic()
    c.wait('timeout')
    gevent.sleep(0.06)  # three more periods, in which nothing may happen
    assert c.trace == ['timeout {open}', 'callback']
    assert time.monotonic() - start >= 0.02
    c.peer.sendall(b'x')  # nobody reads it: an activity all the same
    c.wait('timeout', 2)
    c.sock.write(b'x')
    c.wait('timeout', 3)
    assert c.trace.count('callback') == 1


@pytest.mark.parametrize('activity', ['reading', 'writing', 'sendall'])
def test_activity_puts_it_off(accept: Accept, activity: str) -> None:
    c = accept(lambda c: c.sock.resume())
    acts: dict[str, Callable[[], object]] = {
        'reading': lambda: c.peer.sendall(b'x'),
        'writing': lambda: c.sock.write(b'x'),
        'sendall': lambda: c.sock.sendall(b'x'),
    }
    c.sock.set_timeout(150)
    for _ in range(8):
        gevent.sleep(0.05)
        acts[activity]()
    assert 'timeout' not in ' '.join(c.trace)
    c.wait('timeout')


def test_a_big_write_that_makes_progress_is_an_activity(accept: Accept) -> None:
    c = accept()
    # With its usual megabytes the kernel takes nothing for a long time, and then much.
    c.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
    c.sock.set_timeout(150)
    c.sock.write(bytes(50_000_000))
    for _ in range(8):
        gevent.sleep(0.05)
        c.peer.recv_exactly(500_000)
    assert c.trace == []
    c.wait('timeout')  # now it is stalled
    assert c.sock.writable_length


def test_zero_and_destroy_cancel_it(accept: Accept) -> None:
    def setup(c: Connection) -> None:
        c.sock.set_timeout(10)
        c.sock.set_timeout(0)

    cancelled = accept(setup)
    destroyed = accept(lambda c: c.sock.set_timeout(10))
    destroyed.sock.destroy()
    clock = accept(lambda c: c.sock.set_timeout(50))
    clock.wait('timeout')
    assert cancelled.trace == []
    assert destroyed.trace == ['close False {closed}']


def test_an_expiry_that_is_overtaken_is_not_announced(accept: Accept) -> None:
    """The event comes a tick after the expiry; what happens between counts."""
    c = accept()
    c.sock.set_timeout(60_000)
    timer = c.sock._wire.idle_timer
    timer.armed = False
    c.sock._idle_expired(timer)
    c.sock.write(b'x')
    turn()
    assert c.trace == []
    timer.armed = False
    c.sock._idle_expired(timer)
    c.sock.destroy()
    assert c.until_closed() == ['close False {closed}']


def test_end_does_not_cancel_it(accept: Accept) -> None:
    def setup(c: Connection) -> None:
        c.sock.set_timeout(20)
        c.sock.end()

    c = accept(setup)
    c.wait('timeout')
    assert c.sock.ready_state == 'readOnly'


def test_it_works_without_a_connection() -> None:
    sock: Any = gnet.Socket()
    fired: list[bool] = []
    sock.set_timeout(5, lambda: fired.append(True))
    until(lambda: fired)
    sock.destroy()


def test_a_time_counts_from_the_call_even_after_a_blocking_one(accept: Accept) -> None:
    c = accept()
    start = time.monotonic()
    while time.monotonic() - start < 0.1:
        pass  # the loop's own time is now behind
    start = time.monotonic()  # before the call: on a busy machine others may run right after it
    c.sock.set_timeout(80)
    c.wait('timeout')
    assert time.monotonic() - start >= 0.079


# --- many ---------------------------------------------------------------------------------------


class Owner:
    """Something with an idle timer."""

    def __init__(self) -> None:
        self.fired = 0

    def expired(self, timer: IdleTimer) -> None:
        self.fired += 1


@pytest.fixture
def timers() -> IdleTimers:
    return IdleTimers(get_loop())


def start(timers: IdleTimers, seconds: float) -> tuple[Owner, IdleTimer]:
    owner = Owner()
    timer = IdleTimer(owner.expired, seconds, get_loop().now())
    timers.arm(timer)
    return owner, timer


def test_thousands_fire_once_each(timers: IdleTimers) -> None:
    started = [start(timers, 0.001 * (1 + number % 20)) for number in range(3000)]
    until(lambda: all(owner.fired for owner, _ in started))
    turn()
    assert {owner.fired for owner, _ in started} == {1}
    assert timers._heap == []


def test_a_shorter_time_is_not_held_up_by_a_longer_one(timers: IdleTimers) -> None:
    long, _ = start(timers, 100)
    short, _ = start(timers, 0.005)
    until(lambda: short.fired)
    assert long.fired == 0


def test_cancelled_timers_do_not_pile_up(timers: IdleTimers) -> None:
    kept, _ = start(timers, 100)
    for _ in range(5000):
        timers.cancel(start(timers, 100)[1])
    assert len(timers._heap) < 600
    assert kept.fired == 0


def test_activity_moves_the_due_time_without_touching_the_heap(timers: IdleTimers) -> None:
    owner, timer = start(timers, 0.4)
    begin = time.monotonic()
    heap = list(timers._heap)
    while time.monotonic() - begin < 0.6:
        timer.last_active = get_loop().now()
        turn()
    assert owner.fired == 0
    assert len(timers._heap) == len(heap)
    until(lambda: owner.fired)


def test_a_timer_that_fired_can_be_armed_again(timers: IdleTimers) -> None:
    owner, timer = start(timers, 0.001)
    until(lambda: owner.fired == 1)
    timer.last_active = get_loop().now()
    timers.arm(timer)
    until(lambda: owner.fired == 2)


def test_there_is_one_set_of_timers_for_each_loop() -> None:
    assert get_loop().idle_timers is get_loop().idle_timers


# --- clients ------------------------------------------------------------------------------------


def test_it_fires_while_connecting(dial: Accept) -> None:
    full = dial()
    full.listener.listen(0)
    waiting: list[Connection] = []
    try:
        # The kernel holds a connection or two that nobody has accepted; then it answers no more.
        with gevent.Timeout(PATIENCE):
            while True:
                c = Connection(gnet.Socket())
                waiting.append(c)
                c.sock.set_timeout(40, c.noting('callback'))
                begin = time.monotonic()
                c.sock.connect(full.target)
                c.wait('timeout')
                if c.sock.connecting:
                    break
        assert time.monotonic() - begin >= 0.039
        assert c.trace[1:] == ['timeout {opening}', 'callback']
        assert (c.sock.timeout, c.sock.ready_state) == (40, 'opening')
    finally:
        for c in waiting:
            c.sock.destroy()


def test_the_option_timeout_is_that_of_gnet_connect_only(dial: Accept) -> None:
    listening = dial()
    timed = gnet.connect({**listening.target, 'timeout': 20})
    assert timed.timeout == 20
    gnet.once(timed, 'timeout', timeout=PATIENCE)
    assert timed.ready_state == 'open'
    timed.destroy()
    c = Connection(gnet.Socket({'timeout': 20}))
    assert c.sock.timeout is None
    c.sock.connect({**listening.target, 'timeout': 20})
    assert c.sock.timeout is None
    c.sock.destroy()


def test_connect_and_success_are_activities(dial: Accept) -> None:
    listening = dial()
    c = Connection(gnet.Socket())
    c.sock.set_timeout(60_000)
    timer = c.sock._wire.idle_timer
    moments = [timer.last_active]
    for step in (lambda: c.sock.connect(listening.target), lambda: c.wait('ready')):
        until(lambda: get_loop().now() > moments[-1])
        step()
        moments.append(timer.last_active)
    assert moments[0] < moments[1] < moments[2]
    c.sock.destroy()


def test_it_fires_once_on_a_client_until_something_arrives(dial: Accept) -> None:
    c = dial()
    c.wait('connect')  # an activity, too
    c.sock.set_timeout(30)
    c.wait('timeout')
    gevent.sleep(0.09)  # three more periods, in which nothing may happen
    assert sum(line.startswith('timeout') for line in c.trace) == 1
    c.peer.sendall(b'x')  # nobody reads it: an activity all the same
    c.wait('timeout', 2)
    assert c.sock.ready_state == 'open'


def test_a_stalled_write_fires_on_the_second_period(dial: Accept) -> None:
    c = dial(lambda c: c.sock.set_timeout(150))
    c.wait('ready')
    begin = time.monotonic()
    c.sock.write(bytes(50_000_000))
    c.wait('timeout')
    # Some of it went out at first, so that the first period does not count.
    assert 0.29 <= time.monotonic() - begin < 2
    assert c.sock.writable_length == 50_000_000


def test_a_write_of_a_client_that_makes_progress_rearms_it(dial: Accept) -> None:
    c = dial()
    c.wait('ready')
    # With its usual megabytes the kernel takes nothing for a long time, and then much.
    c.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
    c.sock.set_timeout(150)
    c.sock.write(bytes(50_000_000))
    for _ in range(8):
        gevent.sleep(0.05)
        c.peer.recv_exactly(500_000)
    assert not any(line.startswith('timeout') for line in c.trace)
    c.wait('timeout')  # now it is stalled


def test_destroy_cancels_it_and_a_reconnected_client_has_none(dial: Accept) -> None:
    c = dial(lambda c: c.sock.set_timeout(20))
    c.sock.destroy()
    c.until_closed()
    c.trace.clear()  # on a busy machine its time may have been over before
    c.sock.connect(c.target)
    c.wait('ready')
    clock = dial(lambda c: c.sock.set_timeout(60))
    clock.wait('timeout')
    assert not any(line.startswith('timeout') for line in c.trace)
    c.sock.destroy()
