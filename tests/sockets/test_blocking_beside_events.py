"""Blocking reads and events on one socket, and two readers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gevent
import pytest
from gevent.event import AsyncResult

import gnet

from ..harness.connections import Connection, code
from ..harness.families import Family
from ..harness.waiting import PATIENCE, turn, until

Accept = Callable[..., Connection]
Hold = Callable[..., Connection]


# --- two readers, two styles --------------------------------------------------------------------


def test_two_greenlets_cannot_read_at_once(hold: Hold) -> None:
    c = hold()
    reading = gevent.spawn(c.sock.recv, 10)
    until(lambda: c.sock._wire.reader is not None)
    with pytest.raises(RuntimeError, match='already blocked in a read') as caught:
        c.sock.recv(10)
    assert code(caught.value) == 'ERR_CONCURRENT_READ'
    c.peer.sendall(b'x')
    assert reading.get(timeout=PATIENCE) == b'x'


@pytest.mark.parametrize('start', [
    lambda s: s.on('data', print), lambda s: s.resume(), lambda s: s.pipe(s),
    lambda s: s.on('readable', print),
], ids=['data', 'resume', 'pipe', 'readable'])
def test_blocking_reads_are_refused_while_events_read(
    hold: Hold, start: Callable[[Any], object],
) -> None:
    c = hold()
    start(c.sock)
    with pytest.raises(RuntimeError, match='Events read the socket') as caught:
        c.sock.recv(10)
    assert code(caught.value) == 'ERR_READING_IN_EVENT_STYLE'
    with pytest.raises(RuntimeError, match='Events read the socket'):
        next(iter(c.sock))


@pytest.mark.parametrize('start', [
    lambda s: s.on('data', print), lambda s: s.resume(), lambda s: s.pipe(s),
    lambda s: s.on('readable', print), lambda s: s.read(),
], ids=['data', 'resume', 'pipe', 'readable', 'read'])
def test_events_are_refused_while_a_greenlet_is_blocked_in_a_read(
    hold: Hold, start: Callable[[Any], object],
) -> None:
    c = hold()
    reading = gevent.spawn(c.sock.recv, 10)
    until(lambda: c.sock._wire.reader is not None)
    with pytest.raises(RuntimeError, match='blocked in a read') as caught:
        start(c.sock)
    assert code(caught.value) == 'ERR_READING_IN_BLOCKING_STYLE'
    c.peer.sendall(b'x')
    assert reading.get(timeout=PATIENCE) == b'x'


ADDING = {
    'on': lambda s, event: s.on(event, print), 'once': lambda s, event: s.once(event, print),
    'add_listener': lambda s, event: s.add_listener(event, print),
    'addListener': lambda s, event: s.addListener(event, print),
    '@on': lambda s, event: s.on(event)(print), '@once': lambda s, event: s.once(event)(print),
    'gnet.on': lambda s, event: gnet.on(s, event),
    'gnet.once': lambda s, event: gnet.once(s, event, timeout=PATIENCE),
}


@pytest.mark.parametrize('add', ADDING.values(), ids=ADDING)
@pytest.mark.parametrize('event', ['data', 'readable'])
def test_a_listener_that_is_refused_is_not_there(
    hold: Hold, family: Family, add: Callable[[Any, str], object], event: str,
) -> None:
    c = hold(target=family.listen_options)
    before = c.sock.event_names()
    reading = gevent.spawn(c.sock.recv, 10)
    until(lambda: c.sock._wire.reader is not None)
    announced: list[Any] = []
    c.sock.on('newListener', lambda *args: announced.append(args))
    with pytest.raises(RuntimeError, match='blocked in a read'):
        add(c.sock, event)
    assert announced == []
    c.sock.remove_all_listeners('newListener')
    assert c.sock.event_names() == before
    c.peer.sendall(b'x')
    assert reading.get(timeout=PATIENCE) == b'x'
    # The next read is a blocking one again.
    reading = gevent.spawn(c.sock.recv, 10)
    c.peer.sendall(b'y')
    assert reading.get(timeout=PATIENCE) == b'y'


@pytest.mark.parametrize('event', ['data', 'readable'])
def test_a_listener_is_refused_that_is_announced_while_a_read_begins(
    hold: Hold, event: str,
) -> None:
    def read(*_args: Any) -> None:
        readings.append(gevent.spawn(c.sock.recv, 10))
        until(lambda: c.sock._wire.reader is not None)

    readings: list[Any] = []
    c = hold()
    c.sock.on('newListener', read)
    with pytest.raises(RuntimeError, match='blocked in a read'):
        c.sock.on(event, print)
    assert c.sock.listener_count(event) == 0
    c.peer.sendall(b'x')
    assert [reading.get(timeout=PATIENCE) for reading in readings] == [b'x']


@pytest.mark.parametrize('verb', ['prepend_listener', 'prepend_once_listener'])
@pytest.mark.parametrize('event', ['data', 'readable'])
def test_a_listener_that_is_put_in_front_is_not_noticed_and_there(
    hold: Hold, verb: str, event: str,
) -> None:
    c = hold()
    reading = gevent.spawn(c.sock.recv, 10)
    until(lambda: c.sock._wire.reader is not None)
    getattr(c.sock, verb)(event, print)
    assert c.sock.listeners(event) == [print]
    c.peer.sendall(b'x')
    assert reading.get(timeout=PATIENCE) == b'x'


def test_events_may_follow_blocking_reads(hold: Hold) -> None:
    c = hold()
    c.peer.sendall(b'head body')
    assert c.sock.recv(5) == b'head '
    seen: list[bytes] = []
    c.sock.on('data', seen.append)
    until(lambda: seen == [b'body'])
    c.peer.sendall(b' more')
    until(lambda: seen == [b'body', b' more'])
    c.peer.end()
    c.until_closed()


def test_blocking_reads_may_follow_events(hold: Hold) -> None:
    c = hold()
    seen: list[bytes] = []
    c.sock.on('data', seen.append)
    c.peer.sendall(b'head')
    until(lambda: seen)
    c.sock.pause()
    c.peer.sendall(b'body')
    assert c.sock.recv(2) == b'bo'
    assert c.sock.recv(10) == b'dy'
    assert seen == [b'head']


def test_read_and_unshift_go_with_blocking_reads(hold: Hold) -> None:
    c = hold()
    c.peer.sendall(b'abcdef')
    assert c.sock.recv(2) == b'ab'
    c.sock.unshift(b'ab')
    assert c.sock.recv(3) == b'ab'
    assert c.sock.recv(1) == b'c'
    assert c.sock.read() == b'def'
    c.peer.sendall(b'g')
    assert c.sock.recv(1) == b'g'


def test_a_read_that_begins_before_the_delivery_gets_all_in_order(hold: Hold) -> None:
    """Data that was queued for the events is taken over by a blocking read that comes first."""
    c = hold()
    seen: list[bytes] = []

    def take() -> None:
        # What arrives now is queued for a runner; read a part of it before that has its turn.
        while not c.sock._wire.arrived:
            gevent.sleep(0)
        seen.append(c.sock.recv(3))

    taking = gevent.spawn(take)
    c.peer.sendall(b'abcdef')
    taking.get(timeout=PATIENCE)
    seen.append(c.sock.recv(100))
    assert b''.join(seen) == b'abcdef'
    c.peer.sendall(b'ghi')
    assert c.sock.recv(100) == b'ghi'


def test_the_end_is_not_lost_between_the_styles(hold: Hold) -> None:
    c = hold()
    c.sock.pause()
    c.peer.sendall(b'abc')
    c.peer.end()
    c.wait('readable', 2)
    assert c.sock.recv(1) == b'a'
    c.sock.resume()
    # (How often 'readable' comes in between is nothing that Node could tell.)
    assert [line for line in c.until_closed()[3:] if line != 'readable {open}'] == [
        'resume {open}', "data b'bc' {open}", 'end {writeOnly}',
        'prefinish {closed}', 'finish {closed}', 'close False {closed}',
    ]


def test_a_data_listener_may_read_on_in_blocking_style(accept: Accept) -> None:
    done: AsyncResult[list[bytes]] = AsyncResult()

    def listener(first: bytes) -> None:
        c.sock.pause()
        done.set([first, c.sock.recv(2), c.sock.recv(100)])

    c = accept()
    c.sock.on('data', listener)
    c.peer.sendall(b'a')
    until(lambda: c.sock.bytes_read == 1)
    c.peer.sendall(b'bcd')
    assert done.get(timeout=PATIENCE) == [b'a', b'bc', b'd']


def test_no_data_comes_after_close_when_blocking_reads_give_way_to_events(
    accept: Callable[..., Connection],
) -> None:
    connection = accept(lambda c: c.sock.pause())
    sock, peer = connection.sock, connection.peer
    sock.on('error', lambda error: None)
    peer.sendall(b'left')
    until(lambda: sock.readable_length == 4)
    peer.reset()
    connection.wait('close')
    assert sock.recv(1) == b'l'
    sock.on('data', lambda chunk: None)
    sock.resume()
    turn()
    turn()
    assert not any(line.startswith('data') for line in connection.trace)
    assert sock.read() is None  # as in Node, it has flowed to nobody


def test_a_data_listener_put_in_front_does_not_disturb_a_blocked_read(
    accept: Callable[..., Connection],
) -> None:
    connection = accept()
    sock = connection.sock
    reader = gevent.spawn(sock.recv, 10)
    until(lambda: sock._wire.reader is not None)
    sock.prepend_listener('data', lambda data: None)
    sock.off('readable', lambda: None)
    turn()
    connection.peer.sendall(b'for recv')
    assert reader.get(timeout=PATIENCE) == b'for recv'
    sock.destroy()


# --- the peer's end, after a change of style ----------------------------------------------------


def test_a_program_that_read_in_both_styles_may_still_answer_an_end(
    dial: Callable[..., Connection],
) -> None:
    c = dial()
    c.peer.sendall(b'hello')
    assert c.sock.recv(3) == b'hel'
    until(lambda: c.sock.readable_length == 2)
    assert c.sock.read() == b'lo'
    c.peer.end()
    until(lambda: c.sock._wire.ended)
    turn()
    c.sock.sendall(b'answer')
    assert c.sock.recv(10) == b''
    c.sock.close()
    assert c.peer.recv_until_end() == b'answer'


def test_a_handler_may_still_answer_an_end_if_another_greenlet_read_in_both_styles(
    accept: Accept,
) -> None:
    done: AsyncResult[bytes] = AsyncResult()
    other_is_done: AsyncResult[None] = AsyncResult()

    def setup(c: Connection) -> None:
        def other() -> None:
            assert c.sock.recv(2) == b'he'
            until(lambda: c.sock.readable_length == 3)
            assert c.sock.read() == b'llo'
            other_is_done.set(None)

        gevent.spawn(other)
        other_is_done.get(timeout=PATIENCE)
        until(lambda: c.sock._wire.ended)
        turn()
        c.sock.sendall(b'answer')
        done.set(c.sock.recv(10))

    c = accept(setup)
    c.peer.sendall(b'hello')
    other_is_done.get(timeout=PATIENCE)
    c.peer.end()
    assert done.get(timeout=PATIENCE) == b''
    assert c.peer.recv_until_end() == b'answer'
