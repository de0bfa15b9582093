"""``close``: when `'close'` comes, what callbacks get, repeated calls, and closing by a signal."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

import gevent
import pytest
from gevent.event import AsyncResult, Event

import gnet

from ..harness.families import Family
from ..harness.listening import drain, ended, failure_of, happens, listening, trace
from ..harness.plain import PlainSocket
from ..harness.waiting import PATIENCE, tick

Serve = Callable[..., gnet.Server]


def connected(serve: Serve, connect: Any, *args: Any) -> tuple[Any, Any, Any]:
    """Return a server, the one socket it has accepted, and the peer of that."""
    server = listening(serve(drain), *args)
    with gnet.on(server, 'connection') as connections:
        peer = connect(server)
        (sock,) = next(connections)
    return server, sock, peer


# --- the normal case ----------------------------------------------------------------------------


def test_close_is_synchronous_and_its_events_come_on_a_tick(serve: Serve, family: Family) -> None:
    server = listening(serve(), family.listen_options)
    log: list[Any] = []
    tick(log.append, 'tick before')
    server.on('close', lambda: log.append('listener before'))
    assert server.close(lambda error: log.append(('callback', error))) is server
    server.on('close', lambda: log.append('listener after'))
    tick(log.append, 'tick after')
    assert (server.listening, server._handle, server.address()) == (False, None, family.path)
    log.append('returned')
    ended(server)
    gevent.idle()
    assert log == [
        'returned', 'tick before', 'listener before', ('callback', None), 'listener after',
        'tick after',
    ]


def test_nobody_can_connect_any_more(serve: Serve, connect: Any, family: Family) -> None:
    server = listening(serve(), family.listen_options)
    target = server.address()
    server.close()
    with pytest.raises((ConnectionRefusedError, FileNotFoundError)):
        connect(target)


def test_close_waits_for_the_last_connection_and_leaves_it_alone(
    serve: Serve, connect: Any, family: Family,
) -> None:
    server, sock, peer = connected(serve, connect, family.listen_options)
    log = trace(server)
    server.close(lambda error: log.append(error))
    gevent.idle()
    assert (log, server.get_connections()) == ([], 1)
    sock.write('still here')
    assert peer.recv_exactly(10) == b'still here'
    with happens(server, 'close'):
        peer.close()
    assert log == ['close', None]


def test_the_servers_close_comes_before_that_of_its_last_socket(
    serve: Serve, connect: Any,
) -> None:
    server, sock, peer = connected(serve, connect)
    log: list[str] = []
    sock.on('end', lambda: log.append("socket 'end'"))
    sock.on('close', lambda had_error: log.append("socket 'close'"))
    server.on('close', lambda: log.append("server 'close'"))
    server.close(lambda error: log.append('callback'))
    peer.end()
    ended(sock)
    assert log == ["socket 'end'", "server 'close'", 'callback', "socket 'close'"]


def test_the_same_when_the_connection_listener_destroys_it(serve: Serve, connect: Any) -> None:
    log: list[str] = []
    closed = Event()

    def refuse(sock: gnet.Socket) -> None:
        sock.on('close', lambda had_error: closed.set())
        server.close(lambda error: log.append('callback'))
        sock.destroy()

    server = listening(serve(refuse))
    with happens(server, 'close'):
        connect(server)
    assert log == ['callback']
    assert closed.wait(PATIENCE)


# --- repeated -----------------------------------------------------------------------------------


def test_close_of_an_idle_server_emits_close_each_time(serve: Serve) -> None:
    server = serve()
    log = trace(server)
    for _ in range(2):
        with happens(server, 'close'):
            server.close(lambda error: log.append((error.code, str(error))))
    assert log == ['close', ('ERR_SERVER_NOT_RUNNING', 'Server is not running.')] * 2


def test_a_second_close_while_the_first_is_pending(serve: Serve) -> None:
    server = listening(serve())
    log = trace(server)
    with happens(server, 'close', times=2):
        server.close(lambda error: log.append(('first', error)))
        server.close(lambda error: log.append(('second', error.code)))
    assert log == ['close', ('first', None), ('second', 'ERR_SERVER_NOT_RUNNING'), 'close']


def test_a_second_close_with_a_connection_open_emits_close_once(
    serve: Serve, connect: Any,
) -> None:
    server, sock, _peer = connected(serve, connect)
    log = trace(server)
    server.close(lambda error: log.append('first'))
    server.close(lambda error: log.append('second'))
    with happens(server, 'close'):
        sock.destroy()
    ended(sock)
    assert log == ['close', 'first', 'second']


@pytest.mark.parametrize('given', [5, 'x', None, {}])
def test_what_is_no_function_is_ignored_as_a_callback(serve: Serve, given: Any) -> None:
    server = listening(serve())
    server.close(given)
    ended(server)
    assert server.listener_count('close') == 0


def test_emit_close_if_drained_by_hand(serve: Serve, connect: Any) -> None:
    server = serve()
    log = trace(server)
    with happens(server, 'close'):
        server._emit_close_if_drained()
        assert log == []
    listening(server)
    server._emit_close_if_drained()
    gevent.idle()
    assert log == ['close', 'listening']


def test_a_closed_server_can_listen_again_and_serve(serve: Serve, connect: Any) -> None:
    server = serve(lambda sock: sock.end('hello'))
    for _ in range(2):
        listening(server)
        peer = connect(server)
        assert peer.recv_until_end() == b'hello'
        peer.close()
        server.close()
        ended(server)


def test_get_connections_counts_at_the_call_and_answers_on_a_tick(
    serve: Serve, connect: Any,
) -> None:
    server, sock, _peer = connected(serve, connect)
    answers: list[Any] = []
    answered = Event()
    assert server.get_connections(lambda *answer: answers.append(answer)) is server
    sock.destroy()
    server.get_connections(lambda *answer: (answers.append(answer), answered.set()))
    assert answers == []
    assert answered.wait(PATIENCE)
    assert answers == [(None, 1), (None, 0)]
    ended(sock)


@pytest.mark.parametrize('state', ['new', 'listening', 'closed'])
def test_get_connections_without_a_callback_returns_the_number(serve: Serve, state: str) -> None:
    server = serve()
    if state != 'new':
        listening(server)
    if state == 'closed':
        server.close()
        ended(server)
    assert server.get_connections() == 0


def test_get_connections_refuses_what_is_no_function(serve: Serve) -> None:
    with pytest.raises(TypeError) as caught:
        serve().get_connections(5)  # type: ignore[arg-type]
    assert caught.value.code == 'ERR_INVALID_ARG_TYPE'  # type: ignore[attr-defined]
    assert str(caught.value) == (
        'The "callback" argument must be of type function. Received type number (5)')


def test_connections_that_were_accepted_together_get_no_event_after_close(
    serve: Serve, native: Any,
) -> None:
    # The kernel resets what nobody has accepted. gnet accepts ahead, and does the same.
    counts: list[int] = []

    def only_one(sock: gnet.Socket) -> None:
        counts.append(server.get_connections())
        server.close()
        sock.end('served')

    server = listening(serve(only_one))
    address = server.address()[::2]
    peers = [PlainSocket(socket.AF_INET) for _ in range(3)]
    for peer in peers:
        peer.connect(address)  # the kernel alone completes it: the hub gets all three at once
    with happens(server, 'close'):
        outcomes = [native(outcome_of, peer) for peer in peers]
    assert outcomes == ['served', 'reset', 'reset']
    assert counts == [1]


def outcome_of(peer: PlainSocket) -> str:
    with peer:
        try:
            return str(peer.recv(100).decode())
        except ConnectionResetError:
            return 'reset'


# --- by a signal --------------------------------------------------------------------------------


@pytest.mark.parametrize('make', [Event, AsyncResult])
@pytest.mark.parametrize('options', [{}, {'host': '127.0.0.1'}], ids=['no host', 'host'])
def test_a_signal_that_is_set_closes_the_server(
    serve: Serve, make: Callable[[], Any], options: Any,
) -> None:
    signal = make()
    server = serve()
    log = trace(server)
    with happens(server, 'listening'):
        server.listen({'port': 0, 'signal': signal, **options})
    assert server.listener_count('close') == 2  # one of them lets go of the signal
    with happens(server, 'close'):
        signal.set(*([None] if make is AsyncResult else []))
    assert (log, server.listening) == (['listening', 'close'], False)
    assert server.listener_count('close') == 1


@pytest.mark.parametrize('options', [{}, {'host': '127.0.0.1'}], ids=['no host', 'host'])
def test_a_signal_that_is_set_already_closes_it_on_a_tick(serve: Serve, options: Any) -> None:
    signal = Event()
    signal.set()
    server = serve()
    log = trace(server)
    with happens(server, 'close'):
        server.listen({'port': 0, 'signal': signal, **options}, lambda: log.append('callback'))
        assert server.listening is (not options)
    gevent.idle()
    assert (log, server.listening) == (['close'], False)


def test_a_signal_leaves_connections_alone(serve: Serve, connect: Any) -> None:
    signal = Event()
    server, sock, peer = connected(serve, connect, {'port': 0, 'signal': signal})
    log = trace(server)
    signal.set()
    gevent.idle()
    assert (log, server.listening, sock.destroyed) == ([], False, False)
    with happens(server, 'close'):
        peer.close()


def test_a_signal_means_nothing_after_the_next_close(serve: Serve) -> None:
    signal = Event()
    server = listening(serve(), {'port': 0, 'signal': signal})
    server.close()
    ended(server)
    listening(server)
    signal.set()
    gevent.idle()
    assert server.listening


def test_a_signal_stays_in_force_when_listen_failed(serve: Serve) -> None:
    signal = Event()
    taken = listening(serve(), 0).address().port
    server = serve()
    failure_of(server, {'port': taken, 'signal': signal})
    listening(server)
    with happens(server, 'close'):
        signal.set()


def test_a_close_by_a_signal_may_block() -> None:
    signal = Event()
    log: list[str] = []

    class Sleepy(gnet.Server):
        def close(self, callback: Any = None) -> Any:
            gevent.sleep(0.001)
            log.append('slept')
            return super().close(callback)

    server = Sleepy()
    listening(server, {'port': 0, 'signal': signal})
    with happens(server, 'close'):
        signal.set()
    assert log == ['slept']
