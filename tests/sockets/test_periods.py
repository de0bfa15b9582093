"""What connections that end share: one timer for all that take leave, and queues used again."""

from __future__ import annotations

import _socket
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from gnet.loop.idle_timers import IdleTimers, Periods
from gnet.loop.loop import get_loop
from gnet.sockets.socket import accept
from gnet.sockets.wire import MAX_SPARE_QUEUES

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


class Counter:
    """One that counts nothing."""

    server = None

    def destroyed(self, sock: Any) -> None:
        pass

    departed = returned = destroyed


def accepted(peers: list[Any]) -> Any:
    """Return the socket of a connection that was accepted, and has read something."""
    ours, theirs = socket.socketpair()
    peers.append(theirs)
    ours.setblocking(False)
    plain = _socket.socket(fileno=ours.detach())
    plain.setblocking(False)
    sock = accept(Counter(), get_loop(), plain, ('127.0.0.1', 7), 65536, False, False)
    got: list[bytes] = []
    sock.on('data', got.append)
    sock._wire.want()  # as a server has it do
    theirs.sendall(b'hello')
    until(lambda: got)
    assert got == [b'hello']
    return sock


@pytest.fixture
def peers() -> Iterator[list[Any]]:
    made: list[Any] = []
    yield made
    for peer in made:
        peer.close()


def test_a_queue_that_is_used_again_has_nothing_of_the_connection_before(peers: list[Any]) -> None:
    spare = get_loop().spare_queues
    spare.clear()
    kept = []
    for left in (b'left', b'', b''):
        sock = accepted(peers)
        if left:
            sock._wire.put_behind(left)
        sock.destroy()
        assert not any(spare)
        kept.append([id(queue) for queue in spare])
    assert kept[0] == []
    assert len(kept[1]) == 1
    assert kept[2] == kept[1]


def test_few_queues_are_kept(peers: list[Any]) -> None:
    for sock in [accepted(peers) for _ in range(MAX_SPARE_QUEUES + 5)]:
        sock.destroy()
    assert len(get_loop().spare_queues) == MAX_SPARE_QUEUES
