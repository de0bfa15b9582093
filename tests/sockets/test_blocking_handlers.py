"""Handlers in blocking style: what becomes of the connection when they return, or do not."""

from __future__ import annotations

import _socket
import socket
import struct
from collections.abc import Callable
from contextlib import closing
from typing import Any

import gevent
import pytest
from gevent.event import Event

import gnet
from gnet.sockets import ownership as handling
from gnet.testing import memory_pair, settle

from ..harness.connections import code
from ..harness.waiting import PATIENCE, turn, until

Serve = Callable[..., gnet.Server]
Reports = list[tuple[object, BaseException]]


@pytest.fixture
def lingers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a peer that does nothing waited for for a short time only."""
    monkeypatch.setattr(handling, 'LINGER_SECONDS', 0.05)


def test_a_handler_that_returns_ends_its_connection(serve: Serve, connect: Any) -> None:
    def handler(sock: Any) -> None:
        sock.sendall(sock.recv(10))

    server = serve(handler)
    peer = connect(server)
    peer.sendall(b'abc')
    assert peer.recv_until_end() == b'abc'
    peer.close()
    until(lambda: not server._connections)


@pytest.mark.parametrize(('sent', 'ending', 'outcome'), [
    (b'request', None, b'request'),
    (b'', 'end', b''),
    (b'', 'reset', 'ECONNRESET'),
])
def test_the_first_read_finds_what_has_come_already_without_waiting_for_the_hub(
    serve: Serve, sent: bytes, ending: str | None, outcome: bytes | str,
) -> None:
    seen: list[Any] = []

    def handler(sock: Any) -> None:
        gevent.get_hub().loop.run_callback(seen.append, 'the hub')
        try:
            seen.append(sock.recv(100))
        except OSError as error:
            seen.append(code(error))

    server = serve(handler)
    address: Any = server.address()
    # The C class blocks natively: the server accepts nothing before all of this has come.
    with closing(_socket.socket()) as peer:
        peer.connect((address.address, address.port))
        peer.send(sent)
        if ending == 'end':
            peer.shutdown(socket.SHUT_WR)
        elif ending == 'reset':
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
            peer.close()
        until(lambda: len(seen) == 2)
    assert seen == [outcome, 'the hub']


def test_the_peer_gets_all_even_if_it_had_sent_what_was_not_read(
    serve: Serve, connect: Any,
) -> None:
    answer = bytes(range(256)) * 20_000
    returned = Event()

    def handler(sock: Any) -> None:
        sock.recv(1)
        sock.sendall(answer)
        returned.set()

    peer = connect(serve(handler, high_water_mark=1))
    peer.sendall(bytes(200_000))
    assert peer.recv_exactly(1000) == answer[:1000]
    assert peer.recv_until_end() == answer[1000:]


def test_what_was_only_queued_is_sent_too(serve: Serve, connect: Any) -> None:
    def handler(sock: Any) -> None:
        sock.recv(10)
        sock.write(bytes(20_000_000))

    peer = connect(serve(handler))
    peer.sendall(b'x')
    assert len(peer.recv_until_end()) == 20_000_000


def test_a_handler_that_used_no_blocking_name_leaves_it_open(serve: Serve, connect: Any) -> None:
    sockets: list[Any] = []

    def handler(sock: Any) -> None:
        sockets.append(sock)
        sock.write(b'hello')
        gevent.sleep(0)
        assert sock.fileno() > 0
        assert sock.getpeername()
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_TYPE) == socket.SOCK_STREAM
        sock.settimeout(5)

    peer = connect(serve(handler))
    assert peer.recv_exactly(5) == b'hello'
    turn()
    turn()
    assert sockets[0].ready_state == 'open'
    sockets[0].on('data', sockets[0].write)
    peer.sendall(b'x')
    assert peer.recv_exactly(1) == b'x'


@pytest.mark.parametrize('use', [
    lambda s: s.recv(1), lambda s: s.sendall(b'y'), lambda s: s.send(b'y'),
    lambda s: next(iter(s)), lambda s: s.recv_into(bytearray(1)), lambda s: s.makefile('rb'),
], ids=['recv', 'sendall', 'send', 'iteration', 'recv_into', 'makefile'])
def test_each_blocking_name_counts(serve: Serve, connect: Any, use: Any) -> None:
    kept: list[Any] = []
    peer = connect(serve(lambda sock: kept.append(use(sock))))
    peer.sendall(b'x')
    assert peer.recv_until_end() in (b'', b'y')
    if hasattr(kept[0], 'close'):
        kept[0].close()


def test_a_handler_that_raises_destroys_its_connection(
    serve: Serve, connect: Any, hub_reports: Reports,
) -> None:
    def handler(sock: Any) -> None:
        sock.recv(1)
        raise ValueError('x')

    server = serve(handler)
    peer = connect(server)
    peer.sendall(b'x')
    assert peer.recv() == b''
    until(lambda: not server._connections)
    turn()
    [(context, error)] = hub_reports
    assert str(error) == 'x'
    assert f':{peer.getsockname()[1]}' in repr(context)


def test_an_error_of_the_connection_that_a_handler_lets_through_is_no_report(
    serve: Serve, connect: Any, hub_reports: Reports,
) -> None:
    server = serve(lambda sock: sock.recv(10))
    peer = connect(server)
    until(lambda: server._connections)
    turn()
    peer.reset()
    until(lambda: not server._connections)
    turn()
    assert hub_reports == []


def test_a_killed_handler_closes_its_connection(serve: Serve, connect: Any) -> None:
    greenlets: list[Any] = []

    def handler(sock: Any) -> None:
        greenlets.append(gevent.getcurrent())
        sock.recv(10)

    peer = connect(serve(handler))
    until(lambda: greenlets)
    greenlets[0].kill()
    assert peer.recv() == b''


# --- the peer's end -----------------------------------------------------------------------------


def test_a_handler_may_answer_after_the_peers_end(serve: Serve, connect: Any) -> None:
    def handler(sock: Any) -> None:
        request = b''.join(sock)
        sock.sendall(request.upper())

    peer = connect(serve(handler))
    peer.sendall(b'abc')
    peer.end()
    assert peer.recv_until_end() == b'ABC'


@pytest.mark.parametrize('data', [b'', b'abc'])
def test_a_handler_that_has_not_begun_to_read_may_answer_too(
    serve: Serve, connect: Any, data: bytes,
) -> None:
    """It may be asking a database; the peer's end waits for it."""
    asked, answered = Event(), Event()

    def handler(sock: Any) -> None:
        asked.set()
        answered.wait(PATIENCE)
        sock.sendall(sock.recv(10).upper() + b'!')

    server = serve(handler)
    peer = connect(server)
    asked.wait(PATIENCE)
    if data:
        peer.sendall(data)
    peer.end()
    [sock] = server._counter.sockets
    until(lambda: sock.bytes_read == len(data))
    for _ in range(5):
        turn()
    answered.set()
    assert peer.recv_until_end() == data.upper() + b'!'


@pytest.mark.parametrize('begin', [
    lambda sock: sock.sendall(b'hello'), lambda sock: sock.send(b'hello'),
    lambda sock: gevent.spawn(sock.sendall, b'hello').get(timeout=PATIENCE),
    lambda sock: sock.write(b'hello'),
], ids=['sendall', 'send', 'sendall of a greenlet', 'write'])
def test_a_handler_that_greets_first_may_answer_too(
    serve: Serve, connect: Any, begin: Any,
) -> None:
    greeted, answered = Event(), Event()

    def handler(sock: Any) -> None:
        begin(sock)
        greeted.set()
        answered.wait(PATIENCE)
        assert sock.recv(10) == b''
        sock.sendall(b'bye')

    server = serve(handler)
    peer = connect(server)
    greeted.wait(PATIENCE)
    peer.end()
    [sock] = server._counter.sockets
    until(lambda: sock._wire.ended)
    for _ in range(5):
        turn()
    answered.set()
    assert peer.recv_until_end() == b'hellobye'


def test_a_handler_that_has_turned_to_events_and_back_may_answer_too(
    serve: Serve, connect: Any,
) -> None:
    begun, answered = Event(), Event()

    def handler(sock: Any) -> None:
        sock.recv(10)
        sock.read()
        begun.set()
        answered.wait(PATIENCE)
        sock.sendall(sock.recv(10) + b'bye')

    server = serve(handler)
    peer = connect(server)
    peer.sendall(b'x')
    begun.wait(PATIENCE)
    peer.end()
    [sock] = server._counter.sockets
    until(lambda: sock._wire.ended)
    for _ in range(5):
        turn()
    answered.set()
    assert peer.recv_until_end() == b'bye'


def test_an_end_comes_when_a_handler_that_has_only_greeted_returns(
    serve: Serve, connect: Any,
) -> None:
    greeted, returning = Event(), Event()

    def handler(sock: Any) -> None:
        sock.sendall(b'hello')
        greeted.set()
        returning.wait(PATIENCE)

    server = serve(handler)
    peer = connect(server)
    greeted.wait(PATIENCE)
    peer.end()
    for _ in range(5):
        turn()
    returning.set()
    assert peer.recv_until_end() == b'hello'
    until(lambda: not server._connections)


def test_an_end_that_waited_for_the_handler_comes_when_it_returns(
    serve: Serve, connect: Any,
) -> None:
    returning = Event()
    sockets: list[Any] = []

    def handler(sock: Any) -> None:
        sockets.append(sock)
        returning.wait(PATIENCE)

    server = serve(handler)
    peer = connect(server)
    peer.end()
    until(lambda: sockets)
    for _ in range(5):
        turn()
    assert sockets[0].ready_state == 'open'
    returning.set()
    assert peer.recv() == b''
    until(lambda: not server._connections)


def test_an_end_does_not_wait_for_a_handler_that_listens_to_it(
    serve: Serve, connect: Any,
) -> None:
    ended, returning = Event(), Event()

    def handler(sock: Any) -> None:
        sock.on('end', ended.set)
        returning.wait(PATIENCE)

    peer = connect(serve(handler))
    peer.end()
    assert ended.wait(PATIENCE)
    assert peer.recv() == b''
    returning.set()


# --- lingering ----------------------------------------------------------------------------------


@pytest.mark.usefixtures('lingers')
def test_a_peer_that_never_ends_is_not_waited_for_for_ever(serve: Serve, connect: Any) -> None:
    server = serve(lambda sock: sock.sendall(b'bye'))
    peer = connect(server)
    assert peer.recv_until_end() == b'bye'
    until(lambda: not server._connections)


@pytest.mark.usefixtures('lingers')
def test_a_peer_that_never_reads_is_not_waited_for_for_ever(serve: Serve, connect: Any) -> None:
    errors: list[Any] = []

    def handler(sock: Any) -> None:
        sock.on('error', errors.append)
        sock.sendall(b'x')
        sock.write(bytes(20_000_000))

    server = serve(handler)
    connect(server)
    until(lambda: errors)
    assert code(errors[0]) == 'ETIMEDOUT'
    until(lambda: not server._connections)


@pytest.mark.usefixtures('lingers')
def test_a_peer_that_reads_slowly_gets_all(serve: Serve, connect: Any) -> None:
    size = 8_000_000

    def handler(sock: Any) -> None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
        sock.sendall(b'x')
        sock.write(bytes(size))

    server = serve(handler)
    peer = connect(server)
    received = 0
    while received < size + 1:
        gevent.sleep(0.01)
        received += len(peer.recv_exactly(500_000))
    assert peer.recv() == b''


def test_a_peer_that_has_read_slowly_has_time_to_end_too() -> None:
    def handler(sock: Any) -> None:
        sock.write(bytes(1 << 20))
        sock.recv(1)

    with memory_pair(handler, capacity=65536, client_options={'allow_half_open': True}) as pair:
        pair.client.pause()
        pair.client.write(b'x')
        pair.clock.advance(25)
        pair.client.resume()
        settle()
        assert pair.client.readable_ended
        pair.clock.advance(29)
        assert not pair.server.destroyed
        pair.clock.advance(31)
        assert pair.server.destroyed
        assert pair.server.errored is None


def test_who_has_returned_does_not_wait_for_a_peer_by_any_other_limit() -> None:
    with memory_pair(
        lambda sock: sock.sendall(b'bye'), client_options={'allow_half_open': True},
        read_timeout=5000,
    ) as pair:
        pair.clock.advance(29)
        assert not pair.server.destroyed
        pair.clock.advance(2)
        assert pair.server.destroyed
        assert pair.server.errored is None


def test_in_event_style_a_peer_that_does_not_end_is_waited_for_until_a_limit_says_so() -> None:
    def handler(sock: Any) -> None:
        sock.resume()
        sock.end(b'bye')

    half_open = {'allow_half_open': True}
    with memory_pair(handler, client_options=half_open) as pair:
        pair.clock.advance(24 * 3600)
        assert not pair.server.destroyed
    with memory_pair(handler, client_options=half_open, read_timeout=5000) as pair:
        errors: list[Any] = []
        pair.server.on('error', errors.append)
        pair.clock.advance(10)
        assert [code(error) for error in errors] == ['ERR_READ_TIMEOUT']


@pytest.mark.usefixtures('lingers')
def test_a_peer_that_sends_for_ever_is_not_listened_to_for_ever(
    serve: Serve, connect: Any,
) -> None:
    server = serve(lambda sock: sock.sendall(b'x'))
    peer = connect(server)
    assert peer.recv_exactly(1) == b'x'

    def send_for_ever() -> None:
        while True:
            peer.sendall(b'y' * 1000)

    with pytest.raises((BrokenPipeError, ConnectionResetError)):
        send_for_ever()
    until(lambda: not server._connections)
