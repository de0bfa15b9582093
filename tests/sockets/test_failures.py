"""Listeners that raise: what it costs, who is told, and how often."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable
from typing import Any

import gevent
import pytest
import zope.event
from gevent import GreenletExit
from gevent.event import Event

import gnet
from gnet import lifecycle
from gnet.loop.loop import get_loop

from ..harness.connections import Connection
from ..harness.leaks import holds
from ..harness.waiting import PATIENCE, turn, until

Accept = Callable[..., Connection]
Reports = list[tuple[object, BaseException]]


class BoomError(Exception):
    """What the listeners of these tests raise."""


def boom(*args: Any) -> None:
    raise BoomError


#: How to have a listener of each event raise, and what the peer does to bring it about.
CAUSES: dict[str, tuple[Callable[[Any], object], Callable[[Any], object]]] = {
    'data': (lambda s: s.on('data', boom), lambda p: p.sendall(b'x')),
    'readable': (lambda s: s.on('readable', boom), lambda p: p.sendall(b'x')),
    'resume': (lambda s: s.on('resume', boom).resume(), lambda p: None),
    'end': (lambda s: s.on('end', boom).resume(), lambda p: p.end()),
    'drain': (lambda s: (s.on('drain', boom), s.write(bytes(20_000_000))),
              lambda p: p.recv_exactly(20_000_000)),
    'prefinish': (lambda s: s.on('prefinish', boom).end(), lambda p: None),
    'finish': (lambda s: s.on('finish', boom).end(), lambda p: None),
    'timeout': (lambda s: (s.on('timeout', boom), s.set_timeout(1)), lambda p: None),
    'a write callback': (lambda s: s.write(b'x', boom), lambda p: None),
    'an end callback': (lambda s: s.end(boom), lambda p: None),
}


@pytest.mark.parametrize('cause', CAUSES)
def test_a_listener_that_raises_costs_its_connection_and_is_reported_once(
    accept: Accept, hub_reports: Reports, cause: str,
) -> None:
    register, provoke = CAUSES[cause]
    c = accept(lambda c: register(c.sock))
    other = accept()
    where = repr(c.sock).replace(' open', '').replace(' readOnly', '').rstrip('>')
    provoke(c.peer)
    trace = c.until_closed()
    assert trace[-1] == 'close True {closed}'
    assert [type(error) for _, error in hub_reports] == [BoomError]
    assert hub_reports[0][0] is c.sock
    assert repr(hub_reports[0][0]).startswith(where)  # it says which peer
    assert not other.sock.destroyed
    assert c.sock.server.listening


@pytest.mark.parametrize('cause', CAUSES)
def test_what_a_listener_raises_goes_to_the_error_listeners(
    accept: Accept, hub_reports: Reports, cause: str,
) -> None:
    register, provoke = CAUSES[cause]
    seen: list[Any] = []

    def setup(c: Connection) -> None:
        c.sock.on('error', seen.append)
        register(c.sock)

    c = accept(setup)
    provoke(c.peer)
    c.until_closed()
    assert [type(error) for error in seen] == [BoomError]
    assert hub_reports == []


def test_the_listeners_after_the_one_that_raises_are_not_called(
    accept: Accept, hub_reports: Reports,
) -> None:
    seen: list[Any] = []

    def setup(c: Connection) -> None:
        c.sock._plain_emit = True  # also in the loop that bypasses emit
        c.sock.on('close', lambda had_error: None)  # else it would not be emitted
        c.sock.on('data', boom)
        c.sock.on('data', seen.append)

    c = accept(setup)
    c.peer.sendall(b'x')
    c.until_closed()
    assert seen == []
    assert len(hub_reports) == 1


def test_an_error_in_an_error_listener_is_reported_and_close_comes(
    accept: Accept, hub_reports: Reports,
) -> None:
    def setup(c: Connection) -> None:
        c.sock.on('error', boom)
        c.sock.destroy(ValueError('cause'))

    assert accept(setup).until_closed() == [
        'error ValueError: cause {closed}', 'close True {closed}',
    ]
    assert [type(error) for _, error in hub_reports] == [BoomError]


def test_an_error_listener_that_raises_its_error_again_is_not_reported_twice(
    accept: Accept, hub_reports: Reports,
) -> None:
    def again(error: BaseException) -> None:
        raise error

    def setup(c: Connection) -> None:
        c.sock.on('error', again)
        c.sock.destroy(ValueError('cause'))

    accept(setup).until_closed()
    assert hub_reports == []


def test_an_error_in_a_close_listener_is_reported(accept: Accept, hub_reports: Reports) -> None:
    c = accept(lambda c: c.sock.on('close', boom))
    later: list[Any] = []
    c.sock.on('close', later.append)
    c.sock.destroy()
    c.until_closed()
    assert later == []
    assert [type(error) for _, error in hub_reports] == [BoomError]


def test_an_own_error_that_nobody_listens_to_is_reported(
    accept: Accept, hub_reports: Reports,
) -> None:
    c = accept(lambda c: c.sock.destroy(BoomError('own')))
    c.until_closed()
    assert [(context, str(error)) for context, error in hub_reports] == [(c.sock, 'own')]


def test_a_value_that_nobody_listens_to_is_reported_as_an_exception(
    accept: Accept, hub_reports: Reports,
) -> None:
    accept(lambda c: c.sock.destroy('text')).until_closed()
    error: Any = hub_reports[0][1]
    assert (error.code, error.context) == ('ERR_UNHANDLED_ERROR', 'text')


def test_a_peers_reset_that_nobody_listens_to_is_logged_without_a_traceback(
    accept: Accept, caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG, logger='gnet.socket')
    c = accept()
    c.peer.reset()
    c.until_closed()
    [record] = caplog.records
    assert record.levelno == logging.INFO
    assert record.exc_info is None
    assert repr(c.sock) in record.getMessage()
    assert 'read ECONNRESET' in record.getMessage()


def test_an_error_monitor_sees_errors_and_does_not_handle_them(
    accept: Accept, hub_reports: Reports,
) -> None:
    seen: list[Any] = []

    def setup(c: Connection) -> None:
        c.sock.on(gnet.error_monitor, seen.append)
        c.sock.destroy(BoomError())

    accept(setup).until_closed()
    assert [type(error) for error in seen] == [BoomError]
    assert [type(error) for _, error in hub_reports] == [BoomError]


def test_subscribers_are_told_of_listeners_that_fail(
    accept: Accept, hub_reports: Reports,
) -> None:
    published: list[Any] = []

    def subscriber(event: Any) -> None:
        if lifecycle.IListenerFailed.providedBy(event):
            published.append((event.emitter, event.event, type(event.error)))

    zope.event.subscribers.append(subscriber)
    try:
        c = accept(lambda c: c.sock.on('data', boom))
        c.peer.sendall(b'x')
        c.until_closed()
    finally:
        zope.event.subscribers.remove(subscriber)
    assert published == [(c.sock, 'data', BoomError)]


def test_a_timeout_that_fires_in_a_listener_costs_the_connection_only(
    accept: Accept, hub_reports: Reports,
) -> None:
    def listener(data: bytes) -> None:
        with gevent.Timeout(0.001):
            gevent.sleep(PATIENCE)

    c = accept(lambda c: c.sock.on('data', listener))
    c.peer.sendall(b'x')
    c.until_closed()
    assert [type(error) for _, error in hub_reports] == [gevent.Timeout]


@pytest.mark.parametrize('event', ['data', 'end', 'finish', 'prefinish', 'write', 'close'])
def test_a_listener_that_ends_its_greenlet_leaves_the_socket_in_order(
    accept: Accept, event: str,
) -> None:
    def leave(*args: Any) -> None:
        raise GreenletExit

    def setup(c: Connection) -> None:
        if event == 'write':
            c.sock.write(b'x', leave)
        else:
            c.sock.on(event, leave)
        c.sock.resume()
        c.sock.end()

    c = accept(setup)
    c.peer.sendall(b'x')
    c.peer.sendall(b'y')
    c.peer.end()
    assert c.until_closed()[-1] == 'close False {closed}'
    assert c.sock.bytes_read == 2


def test_killing_the_greenlet_of_a_blocked_listener_lets_the_next_chunk_come(
    accept: Accept,
) -> None:
    greenlets: list[Any] = []
    seen: list[bytes] = []

    def listener(data: bytes) -> None:
        seen.append(data)
        if len(seen) == 1:
            greenlets.append(gevent.getcurrent())
            gevent.sleep(PATIENCE)

    c = accept(lambda c: c.sock.on('data', listener))
    c.peer.sendall(b'a')
    until(lambda: greenlets)
    c.peer.sendall(b'b')
    c.peer.end()
    turn()
    greenlets[0].kill()
    c.until_closed()
    assert seen == [b'a', b'b']


def test_rejections_that_are_captured_destroy_the_socket(accept: Accept) -> None:
    seen: list[Any] = []

    def fail() -> None:
        raise BoomError

    def setup(c: Connection) -> None:
        c.sock._capture_rejections = True
        c.sock._plain_emit = False
        c.sock.on('error', seen.append)
        c.sock.on('data', lambda data: gevent.spawn(fail))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gevent.get_hub(), 'print_exception', lambda *args: None)
        c = accept(setup)
        c.peer.sendall(b'x')
        c.until_closed()
    assert [type(error) for error in seen] == [BoomError]


def test_the_loop_is_in_order_after_all_that(accept: Accept) -> None:
    """The last test of the file: no runner, tick or hold may have been lost."""
    c = accept(lambda c: c.sock.pipe(c.sock))
    c.peer.sendall(b'x')
    assert c.peer.recv_exactly(1) == b'x'
    loop = get_loop()
    turn()
    assert not loop.work
    assert holds() >= 1


@pytest.mark.parametrize(
    'wake', [lambda p: p.sendall(b'x'), lambda p: p.end()], ids=['data', 'end'])
def test_what_a_raw_greenlet_raises_that_has_closed_the_socket_is_of_that_socket(
    hold: Callable[..., Connection], hub_reports: Reports, wake: Callable[[Any], object],
) -> None:
    """It comes out in the hub, in the callback that has woken it."""
    c = hold()

    def reader() -> None:
        with c.sock:
            c.sock.recv(10)
            raise BoomError

    gevent.spawn_raw(reader)
    until(lambda: c.sock._wire.reader is not None)
    wake(c.peer)
    until(lambda: hub_reports)
    assert [(context, type(error)) for context, error in hub_reports] == [(c.sock, BoomError)]
    assert c.sock.destroyed


# --- what is logged -----------------------------------------------------------------------------


def fail_in_data(sock: Any) -> None:
    sock.on('data', lambda data: 1 / 0)


def fail_in_a_callback(sock: Any) -> None:
    sock.on('data', lambda data: sock.write(data, lambda error: 1 / 0))


def fail_in_the_handler(sock: Any) -> None:
    sock.recv(10)
    assert 1 / 0


@pytest.mark.parametrize('fail', [fail_in_data, fail_in_a_callback, fail_in_the_handler])
@pytest.mark.parametrize('heard', [True, False], ids=['heard', 'unheard'])
def test_a_bug_leaves_one_trace_whoever_listens(
    serve: Any, connect: Any, caplog: pytest.LogCaptureFixture, hub_reports: list[Any], fail: Any,
    heard: bool,
) -> None:
    closed = Event()
    errors: list[Any] = []

    def handler(sock: Any) -> None:
        sock.on('close', lambda had_error: closed.set())
        if heard:
            sock.on('error', errors.append)
        fail(sock)

    caplog.set_level(logging.INFO, logger='gnet.socket')
    peer = connect(serve(handler))
    port = peer.getsockname()[1]
    peer.sendall(b'x')
    assert closed.wait(PATIENCE)
    turn()
    if not heard:
        assert [type(error) for context, error in hub_reports] == [ZeroDivisionError]
        assert caplog.records == []
        return
    assert [type(error) for error in errors] == [ZeroDivisionError]
    [record] = caplog.records
    assert (record.name, record.levelno) == ('gnet.socket', logging.ERROR)
    assert f'127.0.0.1:{port}' in record.getMessage()
    assert record.exc_info is not None
    assert record.exc_info[1] is errors[0]
    assert 'test_failures.py' in caplog.text
    assert caplog.text.count('Traceback') == 1
    assert hub_reports == []


@pytest.mark.parametrize('wait', [
    lambda sock: sock.recv(10), lambda sock: list(sock), lambda sock: sock.makefile('rb').read(),
    lambda sock: sock.sendall(bytes(20_000_000)),
], ids=['recv', 'for', 'makefile', 'sendall'])
@pytest.mark.parametrize('heard', [True, False], ids=['heard', 'unheard'])
def test_an_idle_peer_is_one_line(
    serve: Any, connect: Any, caplog: pytest.LogCaptureFixture, wait: Any, heard: bool,
) -> None:
    closed = Event()
    errors: list[Any] = []

    def handler(sock: Any) -> None:
        sock.on('close', lambda had_error: closed.set())
        if heard:
            sock.on('error', errors.append)
        sock.settimeout(0.01)
        wait(sock)

    caplog.set_level(logging.INFO, logger='gnet.socket')
    peer = connect(serve(handler))
    port = peer.getsockname()[1]
    assert closed.wait(PATIENCE)
    turn()
    if heard:
        assert [type(error) for error in errors] == [socket.timeout]
        assert caplog.records == []
        return
    [record] = caplog.records
    assert (record.levelno, record.exc_info) == (logging.INFO, None)
    assert f'127.0.0.1:{port}' in record.getMessage()
    assert record.getMessage().endswith('timed out')


def test_the_timeout_of_another_socket_is_no_doing_of_this_peer(
    serve: Any, connect: Any, hub_reports: list[Any],
) -> None:
    def handler(sock: Any) -> None:
        with gnet.connect(silent.address().port, '127.0.0.1') as other:
            other.settimeout(0.01)
            other.recv(10)

    silent = serve(lambda sock: sock.resume())
    assert connect(serve(handler)).recv_until_end() == b''
    turn()
    assert [type(error) for context, error in hub_reports] == [socket.timeout]
