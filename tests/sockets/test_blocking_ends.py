"""The peer's end in blocking style: `'end'` tells who waits elsewhere, who may still answer."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

import pytest
from gevent.event import Event

import gnet

from ..harness.connections import Connection
from ..harness.families import Family
from ..harness.waiting import PATIENCE, turn, until

Serve = Callable[..., gnet.Server]


def take_nothing(sock: Any) -> None:
    sock.sendall(b'')


def take_all(sock: Any) -> None:
    assert sock.recv(10) == b'abc'


def take_by_iteration(sock: Any) -> None:
    assert next(iter(sock)) == b'abc'


def take_text(sock: Any) -> None:
    sock.set_encoding('utf8')
    assert next(iter(sock)) == 'abc'


def take_a_line(sock: Any) -> None:
    with sock.makefile('rb') as file:
        assert file.read(3) == b'abc'


TAKE = pytest.mark.parametrize(
    'take', [take_nothing, take_all, take_by_iteration, take_text, take_a_line])
LATE = pytest.mark.parametrize('late', [False, True], ids=['before', 'late'])


@TAKE
@LATE
def test_who_waits_elsewhere_hears_of_the_end_and_may_answer(
    serve: Serve, connect: Any, family: Family, take: Any, late: bool,
) -> None:
    ready = Event()

    def handler(sock: Any) -> None:
        ended = Event()
        if not late:
            sock.on('end', ended.set)
        take(sock)
        ready.set()
        if late:
            until(lambda: sock._wire.ended)
            turn()
            sock.on('end', ended.set)
        assert ended.wait(PATIENCE)
        turn()
        assert sock.ready_state == 'writeOnly'
        assert sock.recv(10) == b''
        sock.sendall(b'bye')

    server = serve(handler, target=family.listen_options)
    peer = connect(server)
    if take is not take_nothing:
        peer.sendall(b'abc')
    assert ready.wait(PATIENCE)
    peer.end()
    assert peer.recv_until_end() == b'bye'
    until(lambda: not server._connections)


@LATE
def test_a_client_hears_of_the_end_too(
    dial: Callable[..., Connection], family: Family, late: bool,
) -> None:
    c = dial(family=family)
    ended = Event()
    if not late:
        c.sock.on('end', ended.set)
    c.peer.sendall(b'abc')
    assert c.sock.recv(10) == b'abc'
    c.peer.end()
    if late:
        until(lambda: c.sock._wire.ended)
        c.sock.on('end', ended.set)
    assert ended.wait(PATIENCE)
    turn()
    c.sock.sendall(b'bye')
    c.sock.close()
    assert c.peer.recv_until_end() == b'bye'


@pytest.mark.parametrize('read', [
    lambda sock: sock.recv(2), lambda sock: sock.recv_into(bytearray(2)),
    lambda sock: sock.recv(2, socket.MSG_PEEK) and sock.recv(2),
], ids=['recv', 'recv_into', 'MSG_PEEK'])
def test_the_end_comes_when_all_before_it_was_consumed(
    hold: Callable[..., Connection], read: Any,
) -> None:
    c = hold()
    c.sock.on('end', lambda: None)
    c.peer.sendall(b'abcde')
    read(c.sock)
    c.peer.end()
    until(lambda: c.sock._wire.ended)
    read(c.sock)
    turn()
    assert 'end' not in str(c.trace)
    assert not c.sock.readable_ended
    read(c.sock)
    c.wait('end')
    assert c.sock.recv(2) == b''
    turn()
    assert sum(line.startswith('end') for line in c.trace) == 1


def test_the_end_waits_for_text_that_is_left(hold: Callable[..., Connection]) -> None:
    c = hold()
    c.sock.pause()
    c.sock.set_encoding('utf8')
    c.sock.on('end', lambda: None)
    c.peer.sendall(b'one')
    until(lambda: c.sock.readable_length == 3)
    c.peer.sendall(b'two')
    until(lambda: c.sock.readable_length == 6)
    turn()
    texts = iter(c.sock)
    assert next(texts) == 'one'
    c.peer.end()
    until(lambda: c.sock._wire.ended)
    turn()
    assert not c.sock.readable_ended
    assert next(texts) == 'two'
    c.wait('end')
    assert list(texts) == []


def test_nobody_is_told_of_an_end_who_does_not_listen(hold: Callable[..., Connection]) -> None:
    c = hold()
    c.peer.sendall(b'abc')
    assert c.sock.recv(10) == b'abc'
    c.peer.end()
    until(lambda: c.sock._wire.ended)
    for _ in range(3):
        turn()
    assert not c.sock.readable_ended
    assert c.sock.recv(10) == b''


def test_the_end_waits_for_a_data_listener_that_is_blocked_in_a_read(
    accept: Callable[..., Connection],
) -> None:
    """Read events are serial: also where one of their listeners has turned to blocking style."""
    read, over = Event(), Event()

    def listener(chunk: bytes) -> None:
        c.sock.remove_all_listeners('data')
        c.sock.pause()
        assert c.sock.recv(10) == b'two'
        read.set()
        over.wait(PATIENCE)
        assert not c.sock.readable_ended

    c = accept(lambda c: c.sock.on('data', listener).on('end', lambda: None))
    c.peer.sendall(b'one')
    until(lambda: c.sock._wire.reader)
    c.peer.sendall(b'two')
    assert read.wait(PATIENCE)
    c.peer.end()
    until(lambda: c.sock._wire.ended)
    turn()
    over.set()
    c.wait('end')
    c.sock.destroy()
