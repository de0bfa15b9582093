"""``gnet.finished``: the blocking form, and what Node has not. The rest is in ``conformance``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gevent
import pytest
from gevent.event import Event

import gnet

from ..harness.connections import Connection, both_spellings, refused
from ..harness.families import Family
from ..harness.waiting import PATIENCE, turn, until

Accept = Callable[..., Connection]
Serve = Callable[..., gnet.Server]

#: What it listens to.
EVENTS = ('end', 'finish', 'error', 'close')


def listeners(sock: Any) -> list[int]:
    return [sock.listener_count(event) for event in EVENTS]


def waiting(sock: Any, **options: Any) -> Any:
    """Return a greenlet that is blocked in ``finished``, and returns what that raises."""
    def run() -> Any:
        try:
            return gnet.finished(sock, **options)
        except BaseException as error:  # returned: what is raised would be reported by the hub
            return error

    greenlet = gevent.spawn(run)
    until(lambda: sock.listener_count('close'))
    return greenlet


@pytest.mark.parametrize('ends_first', ['the peer', 'the socket'])
def test_it_returns_when_both_halves_have_ended(
    serve: Serve, connect: Any, family: Family, ends_first: str,
) -> None:
    accepted: list[Any] = []
    server = serve(accepted.append, target=family.listen_options, allow_half_open=True)
    peer = connect(server)
    until(lambda: accepted)
    sock = accepted[0].resume()
    over = waiting(sock)
    if ends_first == 'the peer':
        peer.end()
        gnet.once(sock, 'end', timeout=PATIENCE)
        assert not over.ready()
        sock.end('bye')
        assert peer.recv_until_end() == b'bye'
    else:
        sock.end('bye')
        assert peer.recv_until_end() == b'bye'
        turn()
        assert not over.ready()
        peer.end()
    assert over.get(timeout=PATIENCE) is None


def test_it_raises_what_the_connection_fails_with(serve: Serve, connect: Any) -> None:
    accepted: list[Any] = []
    peer = connect(serve(accepted.append))
    until(lambda: accepted)
    over = waiting(accepted[0].resume())
    peer.reset()
    error = over.get(timeout=PATIENCE)
    assert isinstance(error, ConnectionResetError)
    assert error is accepted[0].errored


def test_it_raises_that_a_socket_was_closed_early(accept: Accept) -> None:
    c = accept()
    over = waiting(c.sock)
    c.sock.destroy()
    error = over.get(timeout=PATIENCE)
    assert (type(error), error.code) == (gnet.CodedRuntimeError, 'ERR_STREAM_PREMATURE_CLOSE')
    with pytest.raises(gnet.CodedRuntimeError, match='Premature close'):
        gnet.finished(c.sock)  # it is over already


def test_what_is_no_exception_is_the_context_of_one(accept: Accept) -> None:
    c = accept(lambda c: c.sock.on('error', lambda error: None))
    over = waiting(c.sock)
    c.sock.destroy('off')
    error = over.get(timeout=PATIENCE)
    assert (error.code, error.context) == ('ERR_UNHANDLED_ERROR', 'off')


def test_a_handler_may_wait_for_its_own_connection(serve: Serve, connect: Any) -> None:
    seen: list[Any] = []

    def handler(sock: Any) -> None:
        sock.on('data', sock.write)
        seen.append(gnet.finished(sock))

    peer = connect(serve(handler))
    peer.sendall(b'hello')
    assert peer.recv_exactly(5) == b'hello'
    assert seen == []
    peer.end()
    assert peer.recv_until_end() == b''
    until(lambda: seen)
    assert seen == [None]


def test_another_greenlet_may_read_in_blocking_style(serve: Serve, connect: Any) -> None:
    over = Event()

    def handler(sock: Any) -> None:
        gnet.finished(sock, lambda error: over.set(), writable=False)
        for chunk in sock:
            sock.sendall(chunk)

    peer = connect(serve(handler))
    peer.sendall(b'hello')
    assert peer.recv_exactly(5) == b'hello'
    assert not over.is_set()
    peer.end()
    assert over.wait(PATIENCE)


def test_a_wait_that_takes_too_long_leaves_the_socket_alone(accept: Accept) -> None:
    c = accept()
    before = listeners(c.sock)
    with pytest.raises(TimeoutError, match=r'^finished\(\) has taken more than 0\.001 seconds$'):
        gnet.finished(c.sock, timeout=0.001)
    assert listeners(c.sock) == before
    assert not c.sock.destroyed


def test_a_killed_wait_leaves_the_socket_alone(accept: Accept) -> None:
    c = accept()
    before = listeners(c.sock)
    over = waiting(c.sock)
    over.kill()
    assert isinstance(over.value, gevent.GreenletExit)
    assert listeners(c.sock) == before
    assert not c.sock.destroyed


@pytest.mark.parametrize('is_set', [False, True])
def test_a_signal_gives_up_the_wait(accept: Accept, is_set: bool) -> None:
    c = accept()
    signal = Event()
    before = listeners(c.sock)
    if is_set:
        signal.set()
    else:
        gevent.spawn(signal.set)
    with pytest.raises(gnet.AbortError):
        gnet.finished(c.sock, signal=signal)
    assert listeners(c.sock) == before
    assert not c.sock.destroyed


@pytest.mark.parametrize('blocks', [False, True])
@pytest.mark.parametrize('cleans_up', [False, True])
def test_the_listeners_stay_unless_it_is_told_to_clean_up(
    accept: Accept, blocks: bool, cleans_up: bool,
) -> None:
    c = accept()
    before = listeners(c.sock)
    if blocks:
        over = waiting(c.sock, cleanup=cleans_up)
    else:
        gnet.finished(c.sock, lambda error: None, cleanup=cleans_up)
    during = listeners(c.sock)
    assert during == [count + 1 for count in before]
    c.sock.destroy()
    c.until_closed()
    if blocks:
        assert over.get(timeout=PATIENCE).code == 'ERR_STREAM_PREMATURE_CLOSE'
    assert listeners(c.sock) == (before if cleans_up else during)


def test_a_callback_that_fails_costs_its_connection(
    accept: Accept, caplog: pytest.LogCaptureFixture,
) -> None:
    def fail(error: Any) -> None:
        raise ValueError('in the callback')

    c = accept(allow_half_open=True)
    gnet.finished(c.sock, fail, writable=False)
    c.sock.resume()
    c.peer.end()
    c.until_closed()
    assert str(c.sock.errored) == 'in the callback'
    [record] = caplog.records
    assert (record.name, record.levelname) == ('gnet.socket', 'ERROR')


@pytest.mark.parametrize('options', both_spellings({'readable': False}))
def test_options_may_be_a_mapping_and_keywords(accept: Accept, options: dict[str, Any]) -> None:
    c = accept()
    seen: list[Any] = []
    gnet.finished(c.sock, {**options, 'writable': False}, seen.append, writable=True)
    c.sock.end()
    c.wait('finish')
    assert seen == [None]


def test_a_keyword_that_is_no_option_is_an_error(accept: Accept) -> None:
    sock = accept().sock
    before = listeners(sock)
    with pytest.raises(TypeError, match=r"argument 'readible'. Did you mean 'readable'\?"):
        gnet.finished(sock, readible=False)
    with pytest.raises(TypeError, match='timeout in its blocking form only'):
        gnet.finished(sock, print, timeout=5)
    assert refused(gnet.finished, sock, cleanup=5) == (
        TypeError, 'ERR_INVALID_ARG_TYPE',
        'The "cleanup" argument must be of type boolean. Received type number (5)')
    assert refused(gnet.finished, sock, timeout=-1)[1] == 'ERR_OUT_OF_RANGE'
    assert listeners(sock) == before
