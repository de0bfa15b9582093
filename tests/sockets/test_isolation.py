"""Listeners that block: what waits for them (their own socket's data), and what does not."""

from __future__ import annotations

import contextvars
import time
from collections.abc import Callable
from typing import Any

import gevent
import pytest
from gevent.event import Event

import gnet
from gnet.loop.loop import get_loop
from gnet.loop.runner import MAX_IDLE_RUNNERS, Runner
from gnet.sockets.departure import depart
from gnet.streams.wire import READ_SIZE

from ..harness.connections import Connection
from ..harness.waiting import PATIENCE, turn, until

Accept = Callable[..., Connection]
Serve = Callable[..., gnet.Server]


@pytest.fixture
def gate() -> Any:
    """Something to block at; it opens when the test is over."""
    gate = Event()
    yield gate
    gate.set()


# --- other sockets ------------------------------------------------------------------------------


def test_a_blocked_listener_delays_no_other_connection(accept: Accept, gate: Event) -> None:
    blocked = accept(lambda c: c.sock.on('data', lambda data: gate.wait()))
    echo = accept(lambda c: c.sock.pipe(c.sock))
    blocked.peer.sendall(b'x')
    until(lambda: blocked.sock.readable_did_read)
    for _ in range(3):
        echo.peer.sendall(b'y')
        assert echo.peer.recv_exactly(1) == b'y'


def test_a_blocked_connection_listener_delays_no_other_connection(
    serve: Serve, connect: Any, gate: Event,
) -> None:
    first: list[Any] = []

    def handler(sock: Any) -> None:
        if not first:
            first.append(sock)
            gate.wait()
        sock.end(b'hello')

    server = serve(handler)
    connect(server)
    until(lambda: first)
    assert connect(server).recv_until_end() == b'hello'


def test_many_may_be_blocked_at_once_and_runners_do_not_pile_up(
    serve: Serve, connect: Any,
) -> None:
    gate = Event()
    waiting: list[Any] = []

    def listener(data: bytes) -> None:
        waiting.append(gevent.getcurrent())
        gate.wait()

    server = serve(lambda sock: sock.on('data', listener))
    peers = [connect(server) for _ in range(30)]
    for peer in peers:
        peer.sendall(b'x')
    until(lambda: len(waiting) == 30)
    assert len(set(waiting)) == 30
    assert all(isinstance(greenlet, Runner) for greenlet in waiting)
    gate.set()
    until(lambda: all(greenlet.dead for greenlet in waiting))
    assert len(get_loop().parked) <= MAX_IDLE_RUNNERS


def test_short_sleeps_use_few_greenlets(accept: Accept) -> None:
    greenlets: list[Any] = []
    c = accept(lambda c: c.sock.on('data', lambda data: greenlets.append(gevent.getcurrent())))
    for number in range(20):
        c.peer.sendall(b'x')
        until(lambda number=number: len(greenlets) == number + 1)  # type: ignore[misc]
    assert len(set(greenlets)) <= 2


# --- the same socket ----------------------------------------------------------------------------


def test_the_next_data_waits_for_the_blocked_listener(accept: Accept) -> None:
    order: list[str] = []
    gate = Event()

    def listener(data: bytes) -> None:
        order.append(f'begin {data!r}')
        if data == b'1':
            gate.wait(PATIENCE)
        order.append(f'end {data!r}')

    def setup(c: Connection) -> None:
        c.sock.on('data', listener)
        c.sock.on('end', lambda: order.append('end'))

    c = accept(setup)
    c.peer.sendall(b'1')
    until(lambda: order)
    c.peer.sendall(b'2')
    c.peer.end()
    until(lambda: c.sock.bytes_read == 2)
    for _ in range(5):
        turn()
    assert order == ["begin b'1'"]
    gate.set()
    c.until_closed()
    assert order == ["begin b'1'", "end b'1'", "begin b'2'", "end b'2'", 'end']


def test_a_blocked_listener_of_buffered_data_keeps_the_order_too(accept: Accept) -> None:
    order: list[bytes] = []
    gate = Event()

    def listener(data: bytes) -> None:
        if not order:
            gate.wait(PATIENCE)
        order.append(data)

    c = accept(lambda c: c.sock.pause())
    c.peer.sendall(b'1')
    c.wait('readable')
    c.peer.sendall(b'2')
    c.wait('readable', 2)
    c.sock.on('data', listener)
    c.sock.resume()
    turn()
    c.peer.sendall(b'3')
    c.peer.end()
    until(lambda: c.sock.bytes_read == 3)
    turn()
    assert order == []
    gate.set()
    c.until_closed()
    assert order == [b'1', b'2', b'3']


def test_a_blocked_last_listener_holds_back_the_end(accept: Accept, gate: Event) -> None:
    c = accept(lambda c: c.sock.pause())
    c.peer.sendall(b'1')
    c.wait('readable')
    c.peer.end()
    c.wait('readable', 2)
    c.sock.on('data', lambda data: gate.wait())
    c.sock.resume()
    c.wait('data')
    for _ in range(3):
        turn()
    assert 'end' not in ' '.join(c.trace)
    gate.set()
    c.wait('end')


def test_a_blocked_reader_is_real_back_pressure(accept: Accept, native: Any) -> None:
    gate = Event()
    seen: list[int] = []

    def listener(data: bytes) -> None:
        if not seen:
            gate.wait(PATIENCE)
        seen.append(len(data))

    size = 20_000_000
    c = accept(lambda c: c.sock.on('data', listener))
    sending = native.start(c.peer.plain.sendall, bytes(size))
    mark = c.sock.readable_high_water_mark
    until(lambda: c.sock.readable_length >= mark)
    for _ in range(10):
        turn()
    assert c.sock.readable_length < mark + READ_SIZE
    assert not sending.ready()
    gate.set()
    sending.get(PATIENCE)
    until(lambda: sum(seen) == size)


def test_writes_and_their_callbacks_go_on_while_a_reader_is_blocked(
    accept: Accept, gate: Event,
) -> None:
    c = accept(lambda c: c.sock.on('data', lambda data: gate.wait()))
    c.peer.sendall(b'x')
    c.wait('data')
    assert c.sock.write(bytes(20_000_000), c.noting('written')) is False
    assert len(c.peer.recv_exactly(20_000_000)) == 20_000_000
    c.wait('written None')
    c.wait('drain')
    c.sock.end()
    c.wait('finish')


@pytest.mark.parametrize('how', ['destroy', 'reset'])
def test_close_is_not_held_up_by_a_blocked_reader(accept: Accept, how: str, gate: Event) -> None:
    def setup(c: Connection) -> None:
        c.sock.on('error', lambda error: None)
        c.sock.on('data', lambda data: gate.wait())

    c = accept(setup)
    c.peer.sendall(b'x')
    c.wait('data')
    c.peer.sendall(b'y')
    until(lambda: c.sock.bytes_read == 2)
    if how == 'destroy':
        c.sock.destroy()
    else:
        c.peer.reset()
    c.wait('close')
    gate.set()
    turn()
    assert sum(line.startswith('data') for line in c.trace) == 1


def test_a_reset_right_behind_data_is_not_held_up_either(accept: Accept, gate: Event) -> None:
    """Both may be found in one poll: the listener of the data blocks, 'close' comes."""
    def setup(c: Connection) -> None:
        c.sock.on('error', lambda error: None)
        c.sock.on('data', lambda data: gate.wait())

    for _ in range(5):
        c = accept(setup)
        c.peer.sendall(b'x')
        c.peer.reset()
        c.wait('close')
        assert c.trace[1] == "data b'x' {open}"


def test_a_blocked_write_callback_holds_up_no_other(accept: Accept, gate: Event) -> None:
    c = accept()
    c.sock.write(b'1', lambda error: gate.wait())
    c.sock.write(b'2', c.noting('second'))
    c.wait('second')
    c.sock.write(bytes(20_000_000), lambda error: gate.wait())
    sending = gevent.spawn(c.sock.sendall, b'3')
    c.peer.recv_exactly(20_000_003)
    sending.get(timeout=PATIENCE)


# --- fairness -----------------------------------------------------------------------------------


def test_listeners_that_keep_busy_do_not_starve_timers(serve: Serve, connect: Any) -> None:
    over = False

    def busy(data: bytes) -> None:
        end = time.perf_counter() + 0.001
        while time.perf_counter() < end:
            pass

    def handler(sock: Any) -> None:
        sock.on('data', lambda data: (busy(data), over or sock.write(data)))

    server = serve(handler)
    peers = [connect(server) for _ in range(20)]
    for peer in peers:
        peer.sendall(b'x')

    def echo(peer: Any) -> None:
        peer.plain.setblocking(False)
        while not over:
            gevent.socket.wait_read(peer.plain.fileno(), timeout=PATIENCE)
            peer.plain.send(peer.plain.recv(10))

    greenlets = [gevent.spawn(echo, peer) for peer in peers]
    late: list[float] = []
    for _ in range(10):
        start = time.perf_counter()
        gevent.sleep(0.01)
        late.append(time.perf_counter() - start - 0.01)
    over = True
    gevent.killall(greenlets)
    # 20 sockets are ready all the time, with 20 ms of work: a turn is cut after 5 ms.
    assert sorted(late)[5] < 0.1


def test_ticks_that_post_themselves_do_not_starve_timers_and_sockets(accept: Accept) -> None:
    """Node's process.nextTick does; a write callback that writes again would, too."""
    c = accept(lambda c: c.sock.pipe(c.sock))
    other = accept()
    rounds = 0

    def again(error: Any = None) -> None:
        nonlocal rounds
        rounds += 1
        if not other.sock.destroyed:
            other.sock.write(b'', again)

    again()
    start = time.perf_counter()
    gevent.sleep(0.01)
    assert time.perf_counter() - start < 0.2
    c.peer.sendall(b'x')
    assert c.peer.recv_exactly(1) == b'x'
    other.sock.destroy()
    assert rounds > 100


def test_many_small_chunks_that_waited_are_not_delivered_in_one_go(accept: Accept) -> None:
    gate = Event()
    seen: list[bytes] = []

    def listener(data: bytes) -> None:
        if not seen:
            gate.wait(PATIENCE)
        seen.append(data)
        end = time.perf_counter() + 0.002
        while time.perf_counter() < end:
            pass

    c = accept(lambda c: c.sock.on('data', listener))
    for number in range(100):
        c.peer.sendall(b'x')
        until(lambda number=number: c.sock.bytes_read == number + 1)  # type: ignore[misc]
    gate.set()
    gevent.sleep(0.001)
    assert 0 < len(seen) < 50
    until(lambda: len(seen) == 100)


# --- context variables --------------------------------------------------------------------------

variable: contextvars.ContextVar[str] = contextvars.ContextVar('variable', default='unset')


def test_a_sockets_listeners_see_the_variables_of_its_connection_listener(
    serve: Serve, connect: Any,
) -> None:
    seen: dict[str, list[str]] = {}
    count = iter('abc')

    def handler(sock: Any) -> None:
        name = next(count)
        seen[name] = []
        note = lambda *args: seen[name].append(variable.get())  # noqa: E731
        note()
        variable.set(name)
        sock.on('data', lambda data: (note(), sock.write(data, note)))
        sock.on('end', note)
        sock.on('finish', note)
        sock.on('close', note)

    server = serve(handler)
    peers = [connect(server) for _ in range(3)]
    until(lambda: len(seen) == 3)
    for peer in peers:
        peer.sendall(b'x')
    for peer in peers:
        peer.recv_exactly(1)
        peer.end()
    until(lambda: not server._connections)
    turn()
    assert seen == {name: ['unset', *[name] * 5] for name in 'abc'}
    assert variable.get() == 'unset'


def test_what_a_listener_sets_is_seen_by_the_next_one_of_the_socket_only(
    accept: Accept, gate: Event,
) -> None:
    seen: list[str] = []

    def setter(data: bytes) -> None:
        seen.append(variable.get())
        variable.set(data.decode())
        if data == b'block':
            gate.wait()

    first = accept(lambda c: c.sock.on('data', setter))
    second = accept(lambda c: c.sock.on('data', setter))
    for peer, data in ((first, b'1'), (second, b'2'), (first, b'block'), (second, b'3')):
        count = len(seen) + 1
        peer.peer.sendall(data)
        until(lambda count=count: len(seen) == count)  # type: ignore[misc]
    assert seen == ['unset', 'unset', '1', '2']


def test_a_connection_that_comes_back_from_another_process_has_its_variables(
    accept: Accept,
) -> None:
    variable = contextvars.ContextVar('variable', default='none')
    seen: list[tuple[bytes, str]] = []

    def setup(c: Connection) -> None:
        variable.set('of the connection')
        c.sock.on('data', lambda data: seen.append((data, variable.get())))

    c = accept(setup)
    turn()
    depart(c.sock).come_back(None)
    c.peer.sendall(b'x')
    until(lambda: seen)
    assert seen == [(b'x', 'of the connection')]
