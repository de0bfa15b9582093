"""The Python side of a server: ``stop``, ``serve_forever``, ``with``, and iteration."""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable
from typing import Any

import gevent
import pytest

import gnet

from ..harness.families import Family
from ..harness.listening import drain, ended, happens, listening, trace
from ..harness.plain import PlainSocket
from ..harness.waiting import PATIENCE

Serve = Callable[..., gnet.Server]


def connected(server: Any, connect: Any) -> tuple[Any, Any]:
    """Return a new connection of *server*: its socket and its peer."""
    with gnet.on(server, 'connection') as connections:
        peer = connect(server)
        (sock,) = next(connections)
    return sock, peer


# --- stop ---------------------------------------------------------------------------------------


def test_stop_waits_for_the_connections_to_end(
    serve: Serve, connect: Any, family: Family,
) -> None:
    server = listening(serve(drain), family.listen_options)
    _sock, peer = connected(server, connect)
    log = trace(server)
    stopping = gevent.spawn(server.stop)
    gevent.idle()
    assert (server.listening, stopping.ready()) == (False, False)
    peer.close()
    assert stopping.get(timeout=PATIENCE) == 0
    assert log == ['close']


def test_stop_destroys_what_is_left_after_the_timeout(serve: Serve, connect: Any) -> None:
    server = listening(serve(drain))
    pairs = [connected(server, connect) for _ in range(3)]
    pairs[0][0].destroy()
    ended(pairs[0][0])
    assert server.stop(0.01) == 2
    assert all(sock.destroyed for sock, _peer in pairs)
    assert server.get_connections() == 0
    assert pairs[2][1].recv_until_end() == b''


@pytest.mark.parametrize('call', ['recv', 'sendall'])
def test_handlers_that_are_blocked_then_are_no_failures(
    serve: Serve, connect: Any, call: str,
) -> None:
    lives = gnet.EventEmitter()

    def handler(sock: gnet.Socket) -> None:
        lives.emit('begun')
        try:
            while True:
                sock.recv(1) if call == 'recv' else sock.sendall(bytes(1 << 20))
        finally:
            lives.emit('ended')

    server = listening(serve(handler))
    with happens(lives, 'begun', times=3):
        for _ in range(3):
            connect(server)
    with happens(lives, 'ended', times=3):
        assert server.stop(0.01) == 3
    # The test fails if the hub reports anything.


@pytest.mark.parametrize('timeout', [None, 0, 0.01, 5])
def test_stop_without_connections_returns_zero(serve: Serve, timeout: Any) -> None:
    server = listening(serve())
    log = trace(server)
    assert server.stop(timeout) == 0
    assert log == ['close']


def test_stop_of_a_server_that_never_listened(serve: Serve) -> None:
    assert serve().stop() == 0


def test_two_may_stop_a_server(serve: Serve, connect: Any) -> None:
    server = listening(serve(drain))
    connected(server, connect)
    stopping = [gevent.spawn(server.stop, timeout) for timeout in (None, 0.01)]
    assert [greenlet.get(timeout=PATIENCE) for greenlet in stopping] == [0, 1]


def test_stop_is_not_stuck_by_a_close_listener_that_raises(
    serve: Serve, hub_reports: list[Any],
) -> None:
    server = listening(serve())
    server.on('close', lambda: 1 / 0)
    assert server.stop() == 0
    assert [type(error) for context, error in hub_reports] == [ZeroDivisionError]


def test_stop_waits_for_unrefed_connections_too(serve: Serve, connect: Any) -> None:
    server = serve(drain)
    server.unref()
    listening(server)
    sock, peer = connected(server, connect)
    sock.unref()
    gevent.spawn_later(0.01, peer.close)
    # Nothing else keeps the main greenlet alive: it would get a LoopExit.
    assert server.stop() == 0


def test_a_handler_may_stop_its_own_server_with_a_timeout(serve: Serve, connect: Any) -> None:
    result: list[int] = []

    def handler(sock: gnet.Socket) -> None:
        sock.recv(5)
        result.append(server.stop(0.01))

    server = listening(serve(handler))
    peer = connect(server)
    with happens(server, 'close'):
        peer.sendall(b'stop!')
    gevent.idle()
    assert result == [1]


# --- with ---------------------------------------------------------------------------------------


def test_with_waits_for_the_connections(serve: Serve, connect: Any) -> None:
    def echo(sock: gnet.Socket) -> None:
        for chunk in sock:
            sock.sendall(chunk)

    with serve(echo) as server:
        listening(server)
        peer = connect(server)
        peer.sendall(b'hello')
        assert peer.recv_exactly(5) == b'hello'
        gevent.spawn(peer.end)
    assert (server.listening, server.get_connections()) == (False, 0)


def test_after_an_exception_with_ends_the_connections(serve: Serve, connect: Any) -> None:
    server = serve(drain)
    with pytest.raises(ZeroDivisionError), server:  # noqa: PT012
        listening(server)
        sock, _peer = connected(server, connect)
        raise ZeroDivisionError
    assert (server.listening, sock.destroyed) == (False, True)


# --- serve_forever ------------------------------------------------------------------------------


@pytest.mark.parametrize('state', ['new', 'closed'])
def test_serve_forever_needs_a_listening_server(serve: Serve, state: str) -> None:
    server = serve()
    if state == 'closed':
        listening(server)
        server.close()
        ended(server)
    with pytest.raises(RuntimeError) as caught:
        server.serve_forever()
    assert caught.value.code == 'ERR_SERVER_NOT_RUNNING'  # type: ignore[attr-defined]


@pytest.mark.parametrize('host', [None, '127.0.0.1', 'localhost'])
@pytest.mark.parametrize('where', ['main', 'greenlet'])
def test_serve_forever_returns_when_the_server_is_closed_and_drained(
    serve: Serve, connect: Any, host: str | None, where: str,
) -> None:
    log: list[str] = []
    server = serve(drain)
    server.on('close', lambda: log.append('close'))
    server.listen(0, host or '')

    def visit() -> None:
        if not server.listening:
            gnet.once(server, 'listening', timeout=PATIENCE)
        sock, peer = connected(server, connect)
        server.close()
        gevent.idle()
        assert (log, sock.destroyed) == ([], False)
        peer.close()

    visitor = gevent.spawn(visit)
    if where == 'main':
        server.serve_forever()
    else:
        gevent.spawn(server.serve_forever).get(timeout=PATIENCE)
    visitor.get(timeout=PATIENCE)
    assert log == ['close']


@pytest.mark.parametrize('where', ['main', 'greenlet'])
@pytest.mark.parametrize('host', ['', '127.0.0.1'], ids=['no host', 'host'])
def test_serve_forever_raises_that_the_port_is_taken(
    serve: Serve, where: str, host: str,
) -> None:
    port = listening(serve(), 0, host).address().port
    call = call_here if where == 'main' else call_in_a_greenlet
    with pytest.raises(OSError, match='listen EADDRINUSE'):
        call(lambda: serve().listen(port, host).serve_forever())


def call_here(function: Callable[[], Any]) -> Any:
    return function()


def call_in_a_greenlet(function: Callable[[], Any]) -> Any:
    """Call *function* there, and return or raise what it does here: nothing is reported."""
    def call() -> Any:
        try:
            return function(), None
        except Exception as error:
            return None, error

    value, error = gevent.spawn(call).get(timeout=PATIENCE)
    if error is not None:
        raise error
    return value


def test_serve_forever_raises_what_a_listener_of_the_server_raises(serve: Serve) -> None:
    server = serve()
    server.on('listening', lambda: 1 / 0)
    server.listen(0)
    with pytest.raises(ZeroDivisionError):
        server.serve_forever()
    assert server.listening  # as in Node


def test_a_failure_of_another_server_ends_serve_forever_in_the_main_greenlet(
    serve: Serve,
) -> None:
    server, other = listening(serve()), serve()
    other.listen(server.address().port, '127.0.0.1')
    with pytest.raises(OSError, match='EADDRINUSE'):
        server.serve_forever()
    assert server.listening


def test_an_error_listener_may_try_again_while_serve_forever_waits(serve: Serve) -> None:
    taken = listening(serve(), 0).address().port
    server = serve()

    def again(error: Any) -> None:
        gevent.spawn_later(0.01, server.listen, 0)

    server.on('error', again)
    server.on('listening', server.close)
    server.listen(taken)
    server.serve_forever()


def test_serve_forever_ends_when_nobody_tries_again(serve: Serve) -> None:
    taken = serve()
    taken.unref()
    listening(taken, 0)
    server = serve()
    log = trace(server)
    server.listen(taken.address().port)
    server.serve_forever()
    assert log == ['EADDRINUSE']


def test_in_the_main_greenlet_serve_forever_keeps_an_unrefed_server_alive(
    serve: Serve, native: Any,
) -> None:
    server = serve(lambda sock: (sock.end(), server.close()))
    server.unref()
    listening(server)
    address = server.address()[::2]

    def visit() -> None:
        with PlainSocket(socket.AF_INET) as plain:
            plain.connect(address)
            plain.recv(1)

    timer = gevent.get_hub().loop.timer(0.05, ref=False)
    timer.start(native.start, visit)
    server.serve_forever()
    assert not server.listening
    timer.close()
    listening(server)
    assert gnet.run(PATIENCE) is True  # unref'ed again


def test_a_server_that_listens_again_in_its_close_handler_is_served_on(serve: Serve) -> None:
    log: list[str] = []
    server = serve()

    def again() -> None:
        log.append('close')
        if len(log) < 3:
            server.listen(0, server.close)

    server.on('close', again)
    server.listen(0, server.close)
    server.serve_forever()
    assert log == ['close'] * 3


def test_ctrl_c_ends_serve_forever_with_the_status_of_sigint(start_script: Any) -> None:
    running = start_script("""
        import gnet
        server = gnet.create_server().listen(0)
        server.on('listening', lambda: print('listening', flush=True))
        server.serve_forever()
    """)
    running.wait_for('listening')
    running.send_signal(signal.SIGINT)
    finished = running.wait()
    assert (finished.status, finished.stderr) == (-signal.SIGINT, '')


# --- iteration ----------------------------------------------------------------------------------


def test_connections_can_be_iterated_over(
    serve: Serve, connect: Any, family: Family,
) -> None:
    server = listening(serve(), family.listen_options)
    with gnet.on(server, 'connection', close=['close']) as connections:
        for number in range(2):
            peer = connect(server)
            peer.sendall(b'hello %d' % number)
            peer.end()
            (sock,) = next(connections)
            with sock:
                assert b''.join(sock) == b'hello %d' % number
                sock.sendall(b'answer')
            assert peer.recv_until_end() == b'answer'
            peer.close()
        server.close()
        assert list(connections) == []


def test_what_came_before_anybody_looked_is_still_there(serve: Serve, connect: Any) -> None:
    server = listening(serve())
    with gnet.on(server, 'connection') as connections:
        peer = connect(server)
        peer.sendall(b'first')
        gevent.idle()
        peer.sendall(b'second')
        peer.end()
        gevent.idle()
        (sock,) = next(connections)
    with sock:
        assert b''.join(sock) == b'firstsecond'


def test_once_gives_one_connection(serve: Serve, connect: Any) -> None:
    server = listening(serve())
    visitor = gevent.spawn(connect, server)
    (sock,) = gnet.once(server, 'connection', timeout=PATIENCE)
    assert sock.server is server
    visitor.get(timeout=PATIENCE)
    sock.destroy()
    ended(sock)
