"""The clock that a test moves: what is due comes in order, at its time; then it is the real one."""

from __future__ import annotations

import socket

import pytest

from gnet.loop.loop import get_loop
from gnet.testing import Clock, clock_of, memory_pair


def test_time_outs_come_in_order_and_each_sees_its_own_time() -> None:
    with memory_pair() as pair:
        clock, came = pair.clock, []
        for sock, minutes in ((pair.client, 50), (pair.server, 20)):
            sock.set_timeout(minutes * 60_000)
            sock.on('timeout', lambda sock=sock: came.append((sock is pair.client, clock.time)))
        clock.advance(3600)
        assert came == [(False, 1200), (True, 3000)]
        assert clock.time == 3600


def test_a_time_out_that_begins_another_one_does_so_from_its_own_time() -> None:
    with memory_pair() as pair:
        came: list[float] = []

        def timed_out() -> None:
            came.append(pair.clock.time)
            pair.client.set_timeout(600_000, timed_out)

        pair.client.set_timeout(600_000, timed_out)
        pair.clock.advance(1800)
        assert came == [600, 1200, 1800]


def test_it_stands_still_and_never_goes_back() -> None:
    loop = get_loop()
    with Clock() as clock:
        assert loop.now() == loop.now()
        with pytest.raises(ValueError, match='time goes on only'):
            clock.advance(-1)
        clock.advance(0)
        assert clock.time == 0


def test_a_loop_has_one() -> None:
    with Clock() as clock:
        assert clock_of() is clock
        with pytest.raises(RuntimeError, match='has a clock already'), Clock():
            pass
        with clock_of():
            clock.advance(5)
        assert clock.time == 5
    assert clock_of() is not clock


def test_what_a_function_returns_and_raises_is_that_of_run() -> None:
    with Clock() as clock:
        assert clock.run(divmod, 7, 2) == (3, 1)
        with pytest.raises(ZeroDivisionError):
            clock.run(divmod, 7, 0)
        assert clock.time == 0


def test_run_within_run_and_advance_within_run_have_one_time() -> None:
    with memory_pair() as pair:
        clock = pair.clock
        pair.client.set_timeout(10_000_000)  # what run() would go on to
        pair.server.settimeout(100)

        def inner() -> float:
            with pytest.raises(socket.timeout):
                clock.run(pair.server.recv, 1)
            return clock.time

        def advances() -> float:
            clock.advance(50)
            return clock.time

        assert clock.run(inner) == 100
        assert clock.run(advances) == 150


@pytest.mark.parametrize('wrong', [float('nan'), float('inf')])
def test_time_has_no_end(wrong: float) -> None:
    with Clock() as clock:
        with pytest.raises(ValueError, match='never to its end'):
            clock.advance(wrong)
        assert clock.time == 0
