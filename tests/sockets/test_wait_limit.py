"""The time of ``settimeout``: who it interrupts, and that waiting costs no timer of its own."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import gevent
import greenlet
import pytest

import gnet
from gnet.loop.idle_timers import IdleTimers
from gnet.loop.loop import get_loop

from ..harness.connections import Connection
from ..harness.waiting import PATIENCE, turn, until

Hold = Callable[..., Connection]

#: Seconds: soon over.
SOON = 0.03


@pytest.fixture
def armed(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The periods that were put into the heap."""
    periods: list[float] = []
    push = IdleTimers._push

    def noted(self: IdleTimers, timer: Any) -> None:
        periods.append(timer.seconds)
        push(self, timer)

    monkeypatch.setattr(IdleTimers, '_push', noted)
    return periods


def outcome(call: Callable[..., Any], *args: Any) -> Any:
    """Return what *call* returns, or the class of what it raises: in a greenlet, say."""
    try:
        return call(*args)
    except Exception as error:
        return type(error)


def outcome_of_all(call: Callable[..., Any], *args: Any) -> Any:
    """Return what *call* raises, itself: in a thread, say."""
    with pytest.raises(Exception) as caught:  # noqa: PT011  # whatever it is
        call(*args)
    return caught.value


@pytest.fixture
def pair() -> Iterator[tuple[Any, socket.socket]]:
    mine, peer = socket.socketpair()
    sock = gnet.Socket.from_socket(mine)
    yield sock, peer
    sock.destroy()
    peer.close()
    turn()


def test_any_number_of_waits_is_one_entry_of_the_heap(hold: Hold, armed: list[float]) -> None:
    c = hold()
    c.sock.settimeout(PATIENCE)
    for _ in range(20):
        reading = gevent.spawn(c.sock.recv, 10)
        turn()
        c.peer.sendall(b'x')
        assert reading.get(timeout=PATIENCE) == b'x'
    assert armed == [PATIENCE]


def test_iteration_and_files_share_it(hold: Hold, armed: list[float]) -> None:
    c = hold()
    c.sock.settimeout(PATIENCE)

    def read() -> list[bytes]:
        with c.sock.makefile('rb') as file:
            lines = [file.readline(), file.readline()]
        return [*lines, *c.sock]

    reading = gevent.spawn(read)
    for data in (b'a\n', b'b\n', b'c'):
        turn()
        c.peer.sendall(data)
        turn()
    c.peer.end()
    assert b''.join(reading.get(timeout=PATIENCE)) == b'a\nb\nc'
    assert armed == [PATIENCE]


def test_a_write_that_has_to_wait_uses_the_same_one(hold: Hold, armed: list[float]) -> None:
    c = hold()
    c.sock.settimeout(PATIENCE)
    reading = gevent.spawn(c.sock.recv, 10)
    turn()
    c.peer.sendall(b'x')
    reading.get(timeout=PATIENCE)
    big = bytes(4 << 20)
    for _ in range(2):
        writing = gevent.spawn(c.sock.sendall, big)
        assert len(c.peer.recv_exactly(len(big))) == len(big)
        writing.get(timeout=PATIENCE)
    assert armed == [PATIENCE]


def test_the_time_of_each_wait_counts_from_its_own_start(hold: Hold) -> None:
    c = hold()
    c.sock.settimeout(SOON)
    for _ in range(2):  # the second one finds the entry that was not used
        start = time.monotonic()
        with pytest.raises(socket.timeout):
            c.sock.recv(10)
        assert time.monotonic() - start >= SOON * 0.99
        c.peer.sendall(b'x')
        until(lambda: c.sock.recv(10, socket.MSG_PEEK))
        assert c.sock.recv(10) == b'x'


def test_a_reader_and_a_writer_each_have_their_own_time(hold: Hold) -> None:
    c = hold()
    c.sock.settimeout(PATIENCE)
    reading = gevent.spawn(c.sock.recv, 10)
    turn()
    c.sock.settimeout(SOON)
    writing = gevent.spawn(outcome, c.sock.sendall, bytes(32 << 20))
    assert writing.get(timeout=PATIENCE) is socket.timeout
    assert not reading.ready()  # it has begun with another time
    c.peer.sendall(b'x')
    assert reading.get(timeout=PATIENCE) == b'x'


@pytest.mark.parametrize(('first', 'then'), [(PATIENCE, SOON), (SOON, PATIENCE), (SOON, None)])
def test_a_new_time_holds_from_the_next_wait_on(hold: Hold, first: float, then: Any) -> None:
    c = hold()
    c.sock.settimeout(first)
    reading = gevent.spawn(c.sock.recv, 10)
    turn()
    c.peer.sendall(b'x')
    assert reading.get(timeout=PATIENCE) == b'x'
    c.sock.settimeout(then)
    reading = gevent.spawn(outcome, c.sock.recv, 10)
    if then == SOON:
        assert reading.get(timeout=PATIENCE) is socket.timeout
        return
    gevent.sleep(2 * SOON)  # for longer than the time that it had before
    assert not reading.ready()
    c.peer.sendall(b'y')
    assert reading.get(timeout=PATIENCE) == b'y'


def test_the_program_waits_for_it_although_nothing_else_keeps_it_alive(pair: Any) -> None:
    sock, _ = pair
    sock.unref()
    sock.settimeout(SOON)
    assert get_loop().held == 0
    with pytest.raises(socket.timeout):
        sock.recv(10)
    assert get_loop().held == 0


@pytest.mark.parametrize('read', [
    lambda sock: sock.recv(10), lambda sock: next(iter(sock)),
    lambda sock: sock.recv_into(bytearray(10)),
])
def test_nor_does_it_end_in_a_wait_that_finds_the_entry_of_the_one_before(
    pair: Any, read: Callable[[Any], Any],
) -> None:
    sock, peer = pair
    sock.unref()
    sock.settimeout(PATIENCE)
    loop = get_loop()
    for _ in range(3):
        reading = gevent.spawn(read, sock)
        turn()
        assert loop.held == 1
        peer.sendall(b'x')
        reading.get(timeout=PATIENCE)
        assert loop.held == 0


@pytest.mark.parametrize('read', [
    pytest.param(lambda sock: sock.recv(10), id='recv'),
    pytest.param(lambda sock: next(iter(sock), b''), id='iteration'),
])
@pytest.mark.parametrize(('end', 'expected'), [
    pytest.param(lambda c: c.peer.end(), b'', id='half-closed'),
    pytest.param(lambda c: c.peer.reset(), ConnectionResetError, id='reset'),
    pytest.param(lambda c: c.sock.destroy(), gnet.errors.NodeOSError, id='destroyed here'),
    pytest.param(lambda c: None, socket.timeout, id='silent'),
])
def test_a_wait_that_finds_the_entry_ends_as_the_first_one_does(
    hold: Hold, read: Callable[[Any], Any], end: Callable[[Any], object], expected: Any,
) -> None:
    c = hold()
    c.sock.settimeout(SOON if expected is socket.timeout else PATIENCE)
    reading = gevent.spawn(read, c.sock)
    turn()
    c.peer.sendall(b'x')
    assert reading.get(timeout=PATIENCE) == b'x'
    limit, held = c.sock._blocking.limit, get_loop().held
    assert limit is not None
    reading = gevent.spawn(outcome, read, c.sock)
    turn()
    end(c)
    got = reading.get(timeout=PATIENCE)
    assert got == expected if expected == b'' else issubclass(got, expected)
    assert limit.greenlet is None
    assert limit.expired is None  # it is used no more
    assert c.sock._blocking.limit is None
    assert get_loop().held <= held


def test_another_thread_is_refused_where_an_entry_is_there_already(pair: Any) -> None:
    sock, peer = pair
    sock.settimeout(PATIENCE)
    reading = gevent.spawn(sock.recv, 10)
    turn()
    peer.sendall(b'x')
    reading.get(timeout=PATIENCE)
    held = get_loop().held
    error = gevent.get_hub().threadpool.apply(outcome_of_all, (sock.recv, 10))
    assert error.code == 'ERR_FOREIGN_THREAD'
    assert get_loop().held == held
    reading = gevent.spawn(sock.recv, 10)
    turn()
    peer.sendall(b'y')
    assert reading.get(timeout=PATIENCE) == b'y'


def test_one_who_was_interrupted_and_fails_holds_up_no_other(
    hold: Hold, hub_reports: list[Any],
) -> None:
    sockets = [hold().sock for _ in range(3)]
    late: list[Any] = []

    def read(sock: Any) -> None:
        sock.settimeout(SOON)
        try:
            sock.recv(10)
        except socket.timeout:
            late.append(sock)
            raise ValueError('of the program') from None

    for sock in sockets:
        # One of greenlet's own: what it lets escape goes to the hub.
        get_loop().from_hub(greenlet.greenlet(read, gevent.get_hub()).switch, sock)
    until(lambda: len(late) == len(sockets))
    turn()
    assert [str(error) for _, error in hub_reports] == ['of the program'] * 3


def test_destroying_the_socket_takes_its_entry_out(hold: Hold) -> None:
    timers = get_loop().idle_timers
    cancelled: list[Any] = []
    cancel = timers.cancel
    c = hold()
    c.sock.settimeout(PATIENCE)
    reading = gevent.spawn(c.sock.recv, 10)
    turn()
    c.peer.sendall(b'x')
    reading.get(timeout=PATIENCE)
    timers.cancel = lambda timer: (cancelled.append(timer.seconds), cancel(timer))[1]  # type: ignore[method-assign]
    try:
        c.sock.destroy()
    finally:
        del timers.cancel
    assert cancelled == [PATIENCE]


@pytest.mark.parametrize(('seconds', 'error'), [
    (float('nan'), ValueError), (float('inf'), OverflowError), (1e12, OverflowError),
    ('1', TypeError),
])
def test_what_is_no_time_is_refused_as_by_the_standard_library(
    pair: Any, seconds: Any, error: type[Exception],
) -> None:
    sock, _ = pair
    with pytest.raises(error):
        sock.settimeout(seconds)
    assert sock.gettimeout() is None


def test_a_very_long_time_is_one(pair: Any) -> None:
    sock, peer = pair
    sock.settimeout(1e9)
    reading = gevent.spawn(sock.recv, 10)
    turn()
    peer.sendall(b'x')
    assert reading.get(timeout=PATIENCE) == b'x'
