"""Callbacks and listeners that block, or are ended, where Node calls several in one go.

In Node none of them takes time. Here one that does holds up no other, and nothing that follows.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from typing import Any

import gevent
import pytest
from gevent import GreenletExit
from gevent.event import AsyncResult, Event

import gnet
from gnet.loop.loop import get_loop

from ..harness.connections import Connection, code, connected
from ..harness.plain import PlainSocket
from ..harness.waiting import PATIENCE, turn, until

Serve = Callable[..., gnet.Server]
Callback = Callable[[Any], None]


@pytest.fixture(params=['blocks', 'is ended'])
def busy(request: Any) -> Iterator[Callback]:
    """A callback that does not return before the test is over, or at all."""
    over = Event()

    def blocks(_error: Any = None) -> None:
        over.wait()

    def is_ended(_error: Any = None) -> None:
        raise GreenletExit

    yield blocks if request.param == 'blocks' else is_ended
    over.set()
    turn()


def failing(sock: gnet.Socket) -> tuple[Event, list[Any]]:
    """Return what tells of `'close'`, and a list for the errors."""
    closed, errors = Event(), []
    sock.on('error', errors.append)
    sock.on('close', lambda had_error: closed.set())
    return closed, errors


def test_a_callback_of_a_failed_write_holds_up_no_other(busy: Callback) -> None:
    sock = gnet.Socket()
    closed, errors = failing(sock)
    told: list[Any] = []
    sock.write(b'fails')
    sock.write(b'is queued', busy)
    sock.write(b'is queued, too', told.append)
    assert closed.wait(PATIENCE)
    assert [*map(code, told)] == [*map(code, errors)] == ['ERR_SOCKET_CLOSED']


def test_a_failed_write_does_not_destroy_the_connection_after_the_one_it_was_of(
    serve: Serve,
) -> None:
    server = serve(lambda sock: sock.resume())
    sock = gnet.Socket()
    closed, _ = failing(sock)
    sock.write(b'fails')
    go_on = Event()
    sock.write(b'is queued', lambda error: go_on.wait())
    assert closed.wait(PATIENCE)
    sock.connect(server.address().port, '127.0.0.1')
    gnet.once(sock, 'connect', timeout=PATIENCE)
    go_on.set()
    turn()
    assert not sock.destroyed
    sock.destroy()


def test_a_callback_of_a_first_write_holds_up_no_other(serve: Serve, busy: Callback) -> None:
    everything: AsyncResult[bytes] = AsyncResult()
    server = serve(lambda sock: everything.set(b''.join(sock)))
    sock = gnet.Socket()
    told: AsyncResult[Any] = AsyncResult()
    sock.connect(server.address().port, '127.0.0.1')
    sock.cork()
    sock.write(b'one ', busy)
    sock.write(b'two', told.set)
    sock.uncork()
    assert told.get(timeout=PATIENCE) is None
    sock.end()
    assert everything.get(timeout=PATIENCE) == b'one two'
    sock.destroy()


def test_a_drain_listener_holds_up_no_callback_of_a_first_write(
    serve: Serve, busy: Callback,
) -> None:
    server = serve(lambda sock: sock.resume())
    sock = gnet.Socket({'writable_high_water_mark': 1})
    sock.on('drain', busy)
    told: AsyncResult[Any] = AsyncResult()
    sock.connect(server.address().port, '127.0.0.1')
    assert sock.write(b'more than one', told.set) is False
    assert told.get(timeout=PATIENCE) is None
    sock.destroy()


def test_first_writes_that_are_ended_are_no_reason_to_wait_with_finish(serve: Serve) -> None:
    server = serve(lambda sock: sock.resume())
    sock = gnet.Socket()
    sock.connect(server.address().port, '127.0.0.1')

    def is_ended(_error: Any) -> None:
        raise GreenletExit

    sock.cork()
    sock.write(b'one', is_ended)
    sock.write(b'two', is_ended)
    sock.uncork()
    gnet.once(sock, 'ready', timeout=PATIENCE)
    sock.end()
    gnet.once(sock, 'finish', timeout=PATIENCE)
    sock.destroy()


def test_a_callback_of_a_first_write_holds_up_no_other_when_connect_destroys(
    serve: Serve, busy: Callback,
) -> None:
    server = serve(lambda sock: sock.resume())
    sock = gnet.Socket()
    closed, _ = failing(sock)
    told: list[Any] = []
    sock.on('connect', sock.destroy)
    sock.connect(server.address().port, '127.0.0.1')
    sock.write(b'one', busy)
    sock.write(b'two', told.append)
    sock.end(told.append)
    assert closed.wait(PATIENCE)
    turn()
    assert [*map(code, told)] == ['ERR_SOCKET_CLOSED'] * 2


def test_close_comes_while_a_connect_listener_blocks_and_so_does_a_callback(
    serve: Serve, busy: Callback,
) -> None:
    server = serve(lambda sock: sock.resume())
    sock = gnet.Socket()
    closed, _ = failing(sock)
    told: list[Any] = []
    entered, over = Event(), Event()

    def at_work() -> None:
        entered.set()
        over.wait()

    sock.on('connect', at_work)
    sock.connect(server.address().port, '127.0.0.1')
    sock.write(b'one', busy)
    sock.write(b'two', told.append)
    assert entered.wait(PATIENCE)
    sock.destroy()
    assert closed.wait(PATIENCE)
    until(lambda: told)
    over.set()
    turn()
    assert [*map(code, told)] == ['ERR_SOCKET_CLOSED']


def test_a_sender_wakes_when_its_socket_is_destroyed_while_connect_is_listened_to(
    serve: Serve,
) -> None:
    over = Event()
    server = serve(lambda sock: over.wait())  # which reads nothing
    sock = gnet.Socket()
    sock.on('error', lambda error: None)
    entered = Event()

    def asking() -> None:
        entered.set()
        with pytest.raises(OSError, match='closed'):
            sock.recv(1)

    sock.on('connect', asking)
    sock.connect(server.address().port, '127.0.0.1')
    sock.write(b'a question')
    assert entered.wait(PATIENCE)
    told: AsyncResult[str] = AsyncResult()

    def send() -> None:
        try:
            sock.sendall(bytes(50_000_000))
        except OSError as error:
            told.set(code(error))

    gevent.spawn(send)
    until(lambda: sock.writable_length)
    sock.destroy()
    assert told.get(timeout=PATIENCE) == 'ERR_SOCKET_CLOSED'
    over.set()


def test_a_connect_listener_that_outlives_its_connection_takes_nothing_from_the_next(
    serve: Serve,
) -> None:
    everything: AsyncResult[bytes] = AsyncResult()

    def handler(sock: gnet.Socket) -> None:
        came = sock.recv(100)
        if came:
            everything.set(came)

    server = serve(handler)
    sock = gnet.Socket()
    again = Event()

    def connect_again(had_error: bool) -> None:
        sock.connect(server.address().port, '127.0.0.1')
        sock.write(b'to the second')
        again.set()

    @sock.once('connect')
    def destroying() -> None:
        sock.once('close', connect_again)
        sock.destroy()
        again.wait()

    sock.connect(server.address().port, '127.0.0.1')
    sock.write(b'to the first')
    assert again.wait(PATIENCE)
    assert everything.get(timeout=PATIENCE) == b'to the second'
    sock.destroy()


def test_writes_that_cause_each_other_do_not_hold_up_the_end_of_another_socket(
    serve: Serve, accept: Callable[..., Connection],
) -> None:
    ended = Event()
    server = serve(lambda sock: (b''.join(sock), ended.set()))
    busy_one = accept(lambda c: c.sock.resume())
    sock = busy_one.sock

    def once_more(error: Any = None) -> None:
        if not ended.is_set() and error is None:
            sock.write(b'', once_more)

    other = gnet.Socket()
    other.connect(server.address().port, '127.0.0.1')
    gnet.once(other, 'connect', timeout=PATIENCE)
    once_more()
    other.end()
    assert ended.wait(PATIENCE)
    sock.destroy()


def test_a_listener_of_drain_may_end_a_writer_whose_turn_it_is(hold: Callable[..., Any]) -> None:
    connection = hold()
    sock, peer = connection.sock, connection.peer
    assert sock.write(bytes(20_000_000)) is False
    writer = gevent.spawn(sock.sendall, b'more')
    until(lambda: sock._blocking.senders)
    sock.on('drain', lambda: writer.kill(block=False))
    peer.recv_exactly(20_000_004)
    writer.join(PATIENCE)
    assert isinstance(writer.value, GreenletExit)
    assert sock.writable_length == 0


def test_what_is_shut_is_shut_when_the_call_returns(
    accept: Callable[..., Connection],
) -> None:
    sock = accept().sock
    with PlainSocket(fileno=socket.dup(sock.fileno())) as same:
        sock.shutdown(socket.SHUT_WR)
        with pytest.raises(BrokenPipeError):
            same.send(b'too much')
    sock.destroy()


@pytest.mark.parametrize('way', ['to_socket', 'detach'])
def test_what_was_ended_is_ended_when_it_is_given_away(
    accept: Callable[..., Connection], way: str,
) -> None:
    connection = accept()
    sock = connection.sock
    sock.end(b'the last words')
    given = sock.to_socket() if way == 'to_socket' else PlainSocket(fileno=sock.detach())
    with given:
        assert connection.peer.recv_until_end() == b'the last words'


def test_after_a_failure_a_socket_that_never_waits_says_what_has_failed(
    hold: Callable[..., Any],
) -> None:
    connection = hold()
    sock = connection.sock
    sock.settimeout(0)
    sock.pause()
    connection.peer.reset()
    failures = []
    for _ in range(3):
        while True:
            try:
                sock.send(b'x')
            except OSError as error:
                failures.append(type(error))
                break
    assert BlockingIOError not in failures
    assert len({*failures}) == 1


def test_what_the_hub_is_to_call_soon_may_fail(hub_reports: list[Any]) -> None:
    loop = get_loop()
    called = Event()

    def fails() -> None:
        raise ValueError('not expected')

    loop.soon(fails)
    loop.soon(called.set)
    assert called.wait(PATIENCE)
    turn()
    assert len(hub_reports) == 1


def test_finish_is_not_emitted_after_close(serve: Serve) -> None:
    server = serve(lambda sock: sock.resume())
    connection = connected(server)
    called, go_on = Event(), Event()

    def ended(error: Any) -> None:
        called.set()
        go_on.wait()

    connection.sock.end(ended)
    assert called.wait(PATIENCE)
    connection.sock.destroy()
    connection.wait('close')
    go_on.set()
    turn()
    turn()
    assert connection.trace[-1].startswith('close')
