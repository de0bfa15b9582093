"""Handlers in blocking style that leave reading and writing to greenlets, or to events."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gevent
import pytest
from gevent.event import AsyncResult, Event
from gevent.queue import Queue

import gnet

from ..harness.connections import code
from ..harness.families import Family
from ..harness.waiting import PATIENCE, turn, until

Serve = Callable[..., gnet.Server]
Reports = list[tuple[object, BaseException]]


def read_by_iteration(sock: Any, queue: Queue[Any]) -> None:
    for chunk in sock:
        queue.put(chunk)
    queue.put(None)


def read_by_recv(sock: Any, queue: Queue[Any]) -> None:
    while True:
        chunk = sock.recv(10)
        queue.put(chunk or None)
        if not chunk:
            return


def read_by_a_file(sock: Any, queue: Queue[Any]) -> None:
    with sock.makefile('rb', 0) as file:
        read_by_iteration(iter(lambda: file.read(10), b''), queue)


@pytest.mark.parametrize('read', [read_by_iteration, read_by_recv, read_by_a_file])
def test_a_handler_that_leaves_all_to_greenlets_and_joins_them_ends_its_connection(
    serve: Serve, connect: Any, family: Family, read: Any,
) -> None:
    def write(sock: Any, queue: Queue[Any]) -> None:
        for chunk in iter(queue.get, None):
            sock.sendall(chunk)

    def handler(sock: Any) -> None:
        queue: Queue[Any] = Queue()
        gevent.joinall([gevent.spawn(read, sock, queue), gevent.spawn(write, sock, queue)])

    server = serve(handler, target=family.listen_options)
    peer = connect(server)
    peer.sendall(b'abc')
    assert peer.recv_exactly(3) == b'abc'
    peer.end()
    assert peer.recv_until_end() == b''
    until(lambda: not server._connections)


def test_a_greenlet_that_only_writes_counts(serve: Serve, connect: Any) -> None:
    def handler(sock: Any) -> None:
        gevent.spawn(sock.sendall, b'hello').join()

    server = serve(handler)
    assert connect(server).recv_until_end() == b'hello'


def test_a_greenlet_does_not_count_where_events_read(serve: Serve, connect: Any) -> None:
    def handler(sock: Any) -> None:
        sock.on('data', sock.write)
        gevent.spawn(sock.sendall, b'hello').join()

    peer = connect(serve(handler))
    assert peer.recv_exactly(5) == b'hello'
    peer.sendall(b'x')
    assert peer.recv_exactly(1) == b'x'
    peer.end()
    assert peer.recv_until_end() == b''


def test_a_greenlet_that_begins_when_the_handler_has_returned_has_it_for_itself(
    serve: Serve, connect: Any,
) -> None:
    def use(sock: Any) -> None:
        with sock:
            sock.sendall(sock.recv(10))
            sock.sendall(sock.recv(10))

    server = serve(lambda sock: gevent.spawn(use, sock))
    peer = connect(server)
    for data in (b'one', b'two'):
        peer.sendall(data)
        assert peer.recv_exactly(3) == data
    assert peer.recv_until_end() == b''
    until(lambda: not server._connections)


def test_a_greenlet_that_gets_a_socket_of_its_own_goes_on(serve: Serve, connect: Any) -> None:
    used, returned = Event(), Event()

    def use(plain: Any) -> None:
        with plain:
            used.set()
            returned.wait(PATIENCE)
            turn()
            plain.sendall(plain.recv(10))

    def handler(sock: Any) -> None:
        assert sock.recv(1) == b'a'
        gevent.spawn(use, sock.to_socket())
        used.wait(PATIENCE)

    server = serve(handler)
    peer = connect(server)
    peer.sendall(b'abc')
    until(lambda: not server._connections)
    returned.set()
    assert peer.recv_until_end() == b'bc'


def test_a_greenlet_that_reads_on_is_told_that_the_socket_is_closed(
    serve: Serve, connect: Any,
) -> None:
    failed: AsyncResult[Any] = AsyncResult()

    def read(sock: Any) -> None:
        try:
            sock.recv(10)
        except OSError as error:
            failed.set(error)

    def handler(sock: Any) -> None:
        gevent.spawn(read, sock)
        until(lambda: sock._wire.reader is not None)
        sock.sendall(b'x')

    peer = connect(serve(handler))
    assert code(failed.get(timeout=PATIENCE)) == 'ERR_SOCKET_CLOSED'
    assert peer.recv_until_end() == b'x'


def test_a_greenlet_that_reads_while_the_handler_works_shares_the_socket(
    serve: Serve, connect: Any,
) -> None:
    def copy(sock: Any, queue: list[bytes], more: Event) -> None:
        for chunk in sock:
            queue.append(chunk)
            more.set()
        more.set()

    def handler(sock: Any) -> None:
        queue: list[bytes] = []
        more = Event()
        reader = gevent.spawn(copy, sock, queue, more)
        while not reader.ready() or queue:
            more.wait(PATIENCE)
            more.clear()
            while queue:
                sock.sendall(queue.pop(0))

    peer = connect(serve(handler))
    peer.sendall(b'abc')
    assert peer.recv_exactly(3) == b'abc'
    peer.end()
    assert peer.recv_until_end() == b''


def test_a_handler_that_hands_over_to_events_leaves_it_open(serve: Serve, connect: Any) -> None:
    def handler(sock: Any) -> None:
        assert sock.recv(4) == b'head'
        sock.on('data', sock.write)

    peer = connect(serve(handler))
    peer.sendall(b'headbody')
    assert peer.recv_exactly(4) == b'body'
    peer.sendall(b'more')
    assert peer.recv_exactly(4) == b'more'
    peer.end()
    assert peer.recv_until_end() == b''


def test_a_handler_that_only_greets_leaves_it_to_its_listeners(serve: Serve, connect: Any) -> None:
    def handler(sock: Any) -> None:
        sock.on('data', sock.write)
        sock.sendall(b'hello')

    peer = connect(serve(handler))
    assert peer.recv_exactly(5) == b'hello'
    peer.sendall(b'x')
    assert peer.recv_exactly(1) == b'x'


def test_a_handler_that_ends_itself_gets_its_callback(serve: Serve, connect: Any) -> None:
    done: AsyncResult[Any] = AsyncResult()

    def handler(sock: Any) -> None:
        sock.recv(10)
        sock.recv(10)
        sock.end(b'bye', done.set)

    peer = connect(serve(handler))
    peer.sendall(b'x')
    peer.end()
    assert peer.recv_until_end() == b'bye'
    assert done.get(timeout=PATIENCE) is None
