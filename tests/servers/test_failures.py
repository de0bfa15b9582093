"""What a failure costs: that of a listener of a connection, of a server, an unhandled `'error'`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gevent
import pytest
from gevent import monkey
from gevent.event import Event

import gnet
from gnet import events, lifecycle
from gnet.testing import EventRecorder

from ..harness.listening import failure_of, happens, listening
from ..harness.waiting import PATIENCE

Serve = Callable[..., gnet.Server]


@pytest.fixture
def capture() -> Any:
    """Rejections are captured in what is made during the test."""
    events.set_capture_rejections(True)
    yield
    events.set_capture_rejections(False)


def answers(connect: Any, server: Any) -> bool:
    """Whether the server goes on: a connection made now is served."""
    peer = connect(server)
    peer.sendall(b'echo')
    answer = peer.recv_exactly(4)
    peer.close()
    return bool(answer == b'echo')


def fails_on(first_byte: bytes, failure: Callable[[], object]) -> Callable[[Any], None]:
    """A blocking handler that echoes, and fails for those who begin with *first_byte*."""
    def handler(sock: gnet.Socket) -> None:
        for chunk in sock:
            if chunk.startswith(first_byte):
                failure()
            sock.sendall(chunk)
    return handler


# --- a 'connection' listener --------------------------------------------------------------------


def test_a_listener_that_raises_costs_its_connection_and_no_other(
    serve: Serve, connect: Any, hub_reports: list[Any],
) -> None:
    server = listening(serve(fails_on(b'x', lambda: 1 / 0)))
    other = connect(server)
    other.sendall(b'before')
    assert other.recv_exactly(6) == b'before'
    peer = connect(server)
    port = peer.getsockname()[1]
    peer.sendall(b'x')
    assert peer.recv_until_end() == b''
    other.sendall(b'after')
    assert other.recv_exactly(5) == b'after'
    assert answers(connect, server)
    # Once, and with the peer's address, since nobody listened.
    ((context, error),) = hub_reports
    assert isinstance(error, ZeroDivisionError)
    assert f'127.0.0.1:{port}' in repr(context)


def test_the_error_goes_to_the_sockets_listeners_if_there_are_any(
    serve: Serve, connect: Any,
) -> None:
    heard = EventRecorder()

    def handler(sock: gnet.Socket) -> None:
        heard.listen(sock, 'error', 'close')
        raise ZeroDivisionError

    server = listening(serve(handler))
    heard.listen(server, 'error', label='server')
    connect(server)
    heard.expect(('error', ZeroDivisionError), ('close', True))
    assert server.get_connections() == 0


def test_a_listener_that_raises_before_it_reads_costs_its_connection(
    serve: Serve, connect: Any, hub_reports: list[Any],
) -> None:
    def handler(sock: gnet.Socket) -> None:
        raise ZeroDivisionError

    server = listening(serve(handler))
    assert connect(server).recv_until_end() == b''
    assert [type(error) for context, error in hub_reports] == [ZeroDivisionError]


def test_the_listeners_after_one_that_raises_are_not_called(
    serve: Serve, connect: Any, hub_reports: list[Any],
) -> None:
    called: list[str] = []
    server = serve(lambda sock: 1 / 0)
    server.on('connection', lambda sock: called.append('second'))
    listening(server)
    assert connect(server).recv_until_end() == b''
    assert (called, len(hub_reports)) == ([], 1)


def test_a_timeout_that_escapes_costs_its_connection(
    serve: Serve, connect: Any, hub_reports: list[Any],
) -> None:
    def handler(sock: gnet.Socket) -> None:
        timeouts.append(gevent.Timeout.start_new(0.001))
        sock.recv(1)

    timeouts: list[gevent.Timeout] = []
    server = listening(serve(handler))
    assert connect(server).recv_until_end() == b''
    assert [error for context, error in hub_reports] == timeouts
    timeouts[0].close()  # on libuv, one that is freed unclosed leaves the loop a dangling pointer
    assert server.get_connections() == 0


@pytest.mark.parametrize('style', ['blocking', 'events'])
def test_a_listener_that_is_killed_ends_its_connection_quietly(
    serve: Serve, connect: Any, style: str,
) -> None:
    handlers: list[Any] = []
    begun = Event()

    def handler(sock: gnet.Socket) -> None:
        handlers.append(gevent.getcurrent())
        begun.set()
        if style == 'blocking':
            sock.recv(1)
        else:
            gevent.sleep(PATIENCE)

    server = listening(serve(handler))
    peer = connect(server)
    assert begun.wait(PATIENCE)
    handlers[0].kill()
    assert peer.recv_until_end() == b''
    assert server.get_connections() == 0


def test_those_who_watch_hear_of_a_failed_listener(
    serve: Serve, connect: Any, hub_reports: list[Any],
) -> None:
    import zope.event

    heard: list[Any] = []
    zope.event.subscribers.append(heard.append)
    try:
        server = listening(serve(lambda sock: 1 / 0))
        connect(server).recv_until_end()
    finally:
        zope.event.subscribers.remove(heard.append)
    (failed,) = [event for event in heard if isinstance(event, lifecycle.ListenerFailed)]
    assert (failed.emitter, failed.event) == (server, 'connection')
    assert isinstance(failed.error, ZeroDivisionError)
    assert len(hub_reports) == 1


@pytest.mark.parametrize('code', [7, 'bye', None])
def test_a_listener_that_exits_ends_the_program(
    start_script: Any, connect: Any, code: Any,
) -> None:
    running = start_script(f"""
        import sys, gnet
        server = gnet.create_server(lambda sock: sys.exit({code!r}))
        server.listen(0, '127.0.0.1', lambda: print(server.address().port, flush=True))
        gnet.run()
        print('not reached')
    """)
    connect(('127.0.0.1', int(running.read_line())))
    finished = running.wait()
    assert finished.status == (code if isinstance(code, int) else 0 if code is None else 1)
    assert 'not reached' not in finished.stdout
    assert finished.stderr == ('bye\n' if code == 'bye' else '')


# --- capture_rejection --------------------------------------------------------------------------


def test_somebodys_own_capture_rejection_decides(serve: Serve, connect: Any) -> None:
    class Polite(gnet.Server):
        def capture_rejection(self, error: BaseException, event: Any, *args: Any) -> None:
            caught.append((type(error), event))
            args[0].end('sorry')

    caught: list[Any] = []
    with Polite(lambda sock: 1 / 0) as server:
        listening(server)
        peer = connect(server)
        assert peer.recv_until_end() == b'sorry'
        peer.close()
    assert caught == [(ZeroDivisionError, 'connection')]


def test_a_capture_rejection_that_fails_costs_the_connection_too(
    connect: Any, hub_reports: list[Any],
) -> None:
    class Broken(gnet.Server):
        def captureRejection(self, error: BaseException, event: Any, *args: Any) -> None:  # noqa: N802
            raise KeyError(event)

    with Broken(lambda sock: 1 / 0) as server:
        listening(server)
        assert connect(server).recv_until_end() == b''
    assert sorted(type(error).__name__ for context, error in hub_reports) == [
        'KeyError', 'ZeroDivisionError']


@pytest.mark.usefixtures('capture')
def test_a_captured_greenlet_of_a_connection_listener_costs_the_connection(
    serve: Serve, connect: Any, hub_reports: list[Any],
) -> None:
    def handler(sock: gnet.Socket) -> Any:
        heard.listen(sock, 'error', 'close')
        return gevent.spawn(lambda: 1 / 0)

    server = serve(handler)
    heard = EventRecorder()
    heard.listen(server, 'error', label='server')
    connect(listening(server))
    heard.expect(('error', ZeroDivisionError), ('close', True))
    assert len(hub_reports) == 1  # gevent's own report of the greenlet


@pytest.mark.usefixtures('capture')
def test_a_captured_greenlet_of_any_other_listener_is_an_error_of_the_server(
    serve: Serve, hub_reports: list[Any],
) -> None:
    server = serve()
    server.on('listening', lambda: gevent.spawn(lambda: 1 / 0))
    assert isinstance(failure_of(server, 0), ZeroDivisionError)
    assert len(hub_reports) == 1


@pytest.mark.usefixtures('capture')
def test_a_captured_failure_that_nobody_hears_ends_run(
    serve: Serve, hub_reports: list[Any],
) -> None:
    server = serve()
    server.on('listening', lambda: gevent.spawn(lambda: 1 / 0))
    server.listen(0)
    with pytest.raises(ZeroDivisionError):
        gnet.run()
    assert len(hub_reports) == 1


def test_the_option_of_the_constructor_is_ignored_as_in_node(
    serve: Serve, connect: Any, hub_reports: list[Any],
) -> None:
    server = serve({'captureRejections': True}, lambda sock: gevent.spawn(lambda: 1 / 0))
    listening(server)
    with happens(server, 'connection'):
        connect(server)
    gevent.idle()
    assert server.get_connections() == 1
    assert len(hub_reports) == 1


def test_an_object_that_was_emitted_by_hand_is_destroyed(serve: Serve) -> None:
    class Thing:
        def destroy(self, error: BaseException) -> None:
            destroyed.append(error)

    destroyed: list[Any] = []
    error = ValueError('no')
    serve().capture_rejection(error, 'connection', Thing())
    assert destroyed == [error]


# --- the server's own failures ------------------------------------------------------------------


@pytest.mark.parametrize('event', ['listening', 'close'])
def test_a_listener_of_the_server_that_raises_ends_run(serve: Serve, event: str) -> None:
    server = serve()
    server.on(event, lambda: 1 / 0)
    server.listen(0)
    if event == 'close':
        server.close()
    with pytest.raises(ZeroDivisionError):
        gnet.run()
    assert server.listening is (event == 'listening')


@pytest.mark.parametrize('host', ['', '127.0.0.1', 'no.such.invalid'])
def test_an_unhandled_error_ends_run(serve: Serve, host: str) -> None:
    port = listening(serve(), 0).address().port
    serve().listen(port, host)
    with pytest.raises(OSError, match=r'EADDRINUSE|ENOTFOUND'):
        gnet.run()


def test_an_unhandled_error_is_reported_once_where_main_is_not_in_run(
    serve: Serve, hub_reports: list[Any],
) -> None:
    port = listening(serve(), 0).address().port
    server = serve()
    server.listen(port)
    gevent.idle()
    ((context, error),) = hub_reports
    assert (context, error.code) == (server, 'EADDRINUSE')


def test_an_error_monitor_alone_is_nobody_who_listens(
    serve: Serve, hub_reports: list[Any],
) -> None:
    seen: list[Any] = []
    port = listening(serve(), 0).address().port
    server = serve()
    server.on(gnet.error_monitor, lambda error: seen.append(error.code))
    server.listen(port)
    gevent.idle()
    assert seen == ['EADDRINUSE']
    assert [error.code for context, error in hub_reports] == ['EADDRINUSE']


def test_an_error_listener_that_raises_ends_run_with_its_own_error(serve: Serve) -> None:
    port = listening(serve(), 0).address().port
    server = serve()
    server.on('error', lambda error: 1 / 0)
    server.listen(port)
    with pytest.raises(ZeroDivisionError):
        gnet.run()


@pytest.mark.parametrize(
    'end', ['gnet.run()', 'server.serve_forever()', ''], ids=['run', 'serve_forever', 'hook'])
@pytest.mark.parametrize('host', ['', '127.0.0.1'], ids=['no host', 'host'])
def test_a_script_whose_port_is_taken_ends_with_a_traceback_and_status_1(
    serve: Serve, run_script: Any, end: str, host: str,
) -> None:
    port = listening(serve(), 0, host).address().port
    finished = run_script(f"""
        import gnet
        server = gnet.create_server()
        server.listen({port}, {host!r})
        {end}
    """)
    assert finished.status == 1
    assert 'Traceback (most recent call last)' in finished.stderr
    where = f'{host or "::"}:{port}'
    lines = finished.stderr.rstrip().splitlines()
    if monkey.is_module_patched('threading') and not end and ' failed with ' in lines[-1]:
        # The patched interpreter lets the hub run before the exit hook, mostly for long enough:
        # then the hub reports it, and says whose failure it was.
        lines.pop()
    assert lines[-1].endswith(f'listen EADDRINUSE: address already in use {where}')
    assert finished.stderr.count('listen EADDRINUSE') == 1


def test_a_callback_that_raises_ends_run(serve: Serve, connect: Any) -> None:
    serve().get_connections(lambda error, count: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        gnet.run()


def test_the_server_serves_on_after_run_was_ended(serve: Serve, connect: Any) -> None:
    server = serve(fails_on(b'x', lambda: None))
    server.on('listening', lambda: 1 / 0)
    server.listen(0)
    with pytest.raises(ZeroDivisionError):
        gnet.run()
    assert answers(connect, server)


def test_a_reset_by_the_peer_is_not_reported(serve: Serve, connect: Any) -> None:
    server = listening(serve(lambda sock: sock.pipe(sock)))
    with gnet.on(server, 'connection') as connections:
        peer = connect(server)
        (sock,) = next(connections)
    closed = Event()
    sock.on('close', lambda had_error: closed.set())
    peer.reset()
    assert closed.wait(PATIENCE)
    assert sock.errored.code == 'ECONNRESET'
    assert answers(connect, server)
