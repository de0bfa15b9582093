"""``gnet.pipeline``: real peers, the blocking form, and what Node has not.

What happens when one end dies in each possible way is compared with Node in ``conformance``.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import gevent
import pytest
from gevent.event import AsyncResult, Event

import gnet

from ..harness.connections import Connection, refused
from ..harness.families import Family
from ..harness.waiting import PATIENCE, turn, until

Accept = Callable[..., Connection]
Dial = Callable[..., Connection]
Serve = Callable[..., gnet.Server]

#: More than the kernel buffers on the way.
MUCH = bytes(range(256)) * 40_000

EVENTS = ('data', 'end', 'finish', 'error', 'close', 'drain', 'unpipe')


def listeners(*sockets: Any) -> list[int]:
    return [sock.listener_count(event) for sock in sockets for event in EVENTS]


def pair(accept: Accept, dial: Dial, **options: Any) -> tuple[Connection, Connection]:
    """A connection that was accepted, and one that was made; both may be half open."""
    return accept(allow_half_open=True, **options), dial(allow_half_open=True)


def failing(greenlet: Any) -> BaseException:
    """Return what the greenlet of :func:`joined` has raised."""
    error = greenlet.get(timeout=PATIENCE)
    assert isinstance(error, BaseException), error
    return error


def joined(*streams: Any, **options: Any) -> Any:
    """Return a greenlet that is blocked in a pipeline, and returns what that raises."""
    def run() -> Any:
        try:
            return gnet.pipeline(*streams, **options)
        except BaseException as error:  # returned: what is raised would be reported by the hub
            return error

    greenlet = gevent.spawn(run)
    until(lambda: streams[0].listener_count('data'))
    return greenlet


# --- a proxy --------------------------------------------------------------------------------------


@pytest.fixture
def proxied(
    serve: Serve, connect: Any, dial: Dial, family: Family,
) -> Callable[[], tuple[Any, Connection, list[Any]]]:
    """Joins a plain client to an upstream in both directions; also what the pipelines say."""
    def proxied() -> tuple[Any, Connection, list[Any]]:
        accepted: AsyncResult[Any] = AsyncResult()
        server = serve(accepted.set, target=family.listen_options, allow_half_open=True)
        client = connect(server)
        upstream = dial(allow_half_open=True)
        told: list[Any] = []
        sock = accepted.get(timeout=PATIENCE)
        assert gnet.pipeline(sock, upstream.sock, told.append) is upstream.sock
        assert gnet.pipeline([upstream.sock, sock], told.append) is sock
        return client, upstream, told

    return proxied


Proxied = Callable[[], tuple[Any, Connection, list[Any]]]


def test_both_directions_of_a_proxy_end_one_by_one(proxied: Proxied) -> None:
    client, upstream, told = proxied()
    client.sendall(b'question')
    client.end()
    assert upstream.peer.recv_until_end() == b'question'
    until(lambda: told == [None])
    upstream.peer.sendall(b'answer')
    upstream.peer.end()
    assert client.recv_until_end() == b'answer'
    until(lambda: told == [None, None])
    upstream.until_closed()


def test_a_client_that_is_reset_closes_upstream(proxied: Proxied) -> None:
    client, upstream, told = proxied()
    client.sendall(b'question')
    assert upstream.peer.recv_exactly(8) == b'question'
    upstream.peer.sendall(b'unread')  # what is left unread makes it a reset of a unix socket, too
    client.recv_exactly(1)
    client.reset()
    assert upstream.peer.recv_until_end() == b''
    upstream.until_closed()
    until(lambda: len(told) == 2)
    assert all(isinstance(error, ConnectionResetError) for error in told)


def test_a_client_that_has_ended_and_vanishes_closes_upstream(proxied: Proxied) -> None:
    """Its end was a good one: only what is written to it finds that it is gone."""
    client, upstream, told = proxied()
    client.end()
    assert upstream.peer.recv_until_end() == b''
    until(lambda: told == [None])
    client.close()
    with contextlib.suppress(ConnectionResetError, BrokenPipeError):
        upstream.peer.sendall(MUCH)
    until(lambda: len(told) == 2)
    assert isinstance(told[1], (ConnectionResetError, BrokenPipeError))
    upstream.until_closed()


def test_upstream_that_is_reset_closes_the_client(proxied: Proxied) -> None:
    client, upstream, told = proxied()
    client.sendall(b'question')
    assert upstream.peer.recv_exactly(8) == b'question'
    upstream.peer.reset()
    assert client.recv_until_end() == b''
    until(lambda: len(told) == 2)
    assert all(isinstance(error, ConnectionResetError) for error in told)


def test_upstream_that_is_not_there_closes_the_client(
    accept: Accept, plain_listener: Any,
) -> None:
    address = (gone := plain_listener()).getsockname()
    gone.close()
    client = accept(allow_half_open=True)
    upstream = gnet.connect(address[1], address[0])
    with pytest.raises(ConnectionRefusedError) as caught:
        gnet.pipeline(client.sock, upstream)
    assert client.sock.errored is caught.value
    assert client.peer.recv_until_end() == b''


# --- the blocking form ----------------------------------------------------------------------------


def test_it_returns_when_all_is_sent(accept: Accept, dial: Dial, native: Any) -> None:
    source, destination = pair(accept, dial)
    over = joined(source.sock, destination.sock)
    sending = native.start(lambda: (source.peer.plain.sendall(MUCH), source.peer.end()))
    assert destination.peer.recv_until_end() == MUCH
    sending.get(PATIENCE)
    assert over.get(timeout=PATIENCE) is None
    assert not source.sock.destroyed
    assert not destination.sock.destroyed


def test_it_goes_at_the_pace_of_the_slowest(accept: Accept, dial: Dial, native: Any) -> None:
    source, destination = pair(accept, dial)
    over = joined(source.sock, destination.sock)
    sending = native.start(lambda: (source.peer.plain.sendall(MUCH), source.peer.end()))
    source.wait('pause')
    assert source.sock.readable_length + destination.sock.writable_length <= 4 * 65536
    assert destination.peer.recv_until_end() == MUCH
    sending.get(PATIENCE)
    over.get(timeout=PATIENCE)


def test_it_raises_the_first_failure(accept: Accept, dial: Dial) -> None:
    source, destination = pair(accept, dial)
    over = joined(source.sock, destination.sock)
    source.peer.reset()
    error = failing(over)
    assert isinstance(error, ConnectionResetError)
    assert source.sock.errored is destination.sock.errored is error
    assert destination.peer.recv_until_end() == b''


def test_a_handler_that_reads_a_line_first_may_join_the_rest(
    serve: Serve, connect: Any, dial: Dial,
) -> None:
    """As a proxy that is asked for its target does: one style after the other."""
    upstream = dial(allow_half_open=True)
    results: list[Any] = []

    def handler(client: Any) -> None:
        line = b''
        while not line.endswith(b'\n'):
            line += client.recv(1)
        client.sendall(b'ready\n')
        results.append(line)
        back = gevent.spawn(gnet.pipeline, upstream.sock, client)
        results.append(gnet.pipeline(client, upstream.sock))
        results.append(back.get())

    peer = connect(serve(handler, allow_half_open=True))
    peer.sendall(b'there\nquestion')
    assert peer.recv_exactly(6) == b'ready\n'
    peer.end()
    assert upstream.peer.recv_until_end() == b'question'
    upstream.peer.sendall(b'answer')
    upstream.peer.end()
    assert peer.recv_until_end() == b'answer'
    until(lambda: len(results) == 3)
    assert results == [b'there\n', None, None]


def test_a_pipeline_that_takes_too_long_is_broken_off(accept: Accept, dial: Dial) -> None:
    source, destination = pair(accept, dial)
    with pytest.raises(TimeoutError, match=r'pipeline\(\) has taken more than') as caught:
        gnet.pipeline(source.sock, destination.sock, timeout=0.001)
    assert source.sock.errored is destination.sock.errored is caught.value
    assert destination.peer.recv_until_end() == b''


@pytest.mark.parametrize('kind', ['kill', 'Timeout'])
def test_a_pipeline_whose_greenlet_is_ended_is_broken_off(
    accept: Accept, dial: Dial, kind: str,
) -> None:
    source, destination = pair(accept, dial)
    over = joined(source.sock, destination.sock)
    interruption = gevent.GreenletExit() if kind == 'kill' else gevent.Timeout()
    over.kill(interruption)
    assert failing(over) is interruption
    for sock in (source.sock, destination.sock):
        assert isinstance(sock.errored, gnet.AbortError)
        assert sock.errored.__cause__ is interruption
    assert destination.peer.recv_until_end() == b''


# --- options --------------------------------------------------------------------------------------


@pytest.mark.parametrize('given', [
    pytest.param(([{'end': False}], {}), id='mapping'),
    pytest.param(([], {'end': False}), id='keyword'),
])
def test_end_false_leaves_the_last_one_open(
    accept: Accept, dial: Dial, given: tuple[list[Any], dict[str, Any]],
) -> None:
    """One source after another into the same destination, and one of them dies."""
    destination = dial(allow_half_open=True)
    before = listeners(destination.sock)
    options, keywords = given
    for number, leaves in ((b'1', 'end'), (b'2', 'reset'), (b'3', 'end')):
        source = accept(allow_half_open=True)
        over = joined(source.sock, destination.sock, *options, **keywords)
        source.peer.sendall(number)
        assert destination.peer.recv_exactly(1) == number
        getattr(source.peer, leaves)()
        error = over.get(timeout=PATIENCE)
        assert isinstance(error, ConnectionResetError) is (leaves == 'reset')
        assert listeners(destination.sock) == before
    assert destination.sock.writable


def test_end_false_still_fails_with_the_last_one(accept: Accept, dial: Dial) -> None:
    source, destination = pair(accept, dial)
    over = joined(source.sock, destination.sock, end=False)
    destination.sock.destroy()
    assert failing(over).code == 'ERR_STREAM_PREMATURE_CLOSE'  # type: ignore[attr-defined]
    assert source.peer.recv_until_end() == b''


@pytest.mark.parametrize('is_set', [False, True])
@pytest.mark.parametrize('blocks', [False, True])
def test_a_signal_destroys_all(
    accept: Accept, dial: Dial, is_set: bool, blocks: bool,
) -> None:
    source, destination = pair(accept, dial)
    signal = Event()
    if is_set:
        signal.set()
    result: AsyncResult[Any] = AsyncResult()
    if not blocks:
        gnet.pipeline(source.sock, destination.sock, callback=result.set, signal=signal)
    elif is_set:
        with pytest.raises(gnet.AbortError) as caught:
            gnet.pipeline(source.sock, destination.sock, signal=signal)
        result.set(caught.value)
    else:
        over = joined(source.sock, destination.sock, signal=signal)
        over.link(lambda greenlet: result.set(greenlet.value))
    if not is_set:
        turn()
        assert not result.ready()
        signal.set()
    error = result.get(timeout=PATIENCE)
    assert isinstance(error, gnet.AbortError)
    assert source.sock.errored is destination.sock.errored is error
    assert destination.peer.recv_until_end() == b''


def test_a_signal_that_comes_too_late_changes_nothing(accept: Accept, dial: Dial) -> None:
    source, destination = pair(accept, dial)
    signal = Event()
    told: list[Any] = []
    gnet.pipeline(source.sock, destination.sock, told.append, signal=signal)
    source.peer.end()
    until(lambda: told == [None])
    signal.set()
    turn()
    assert not destination.sock.destroyed
    assert told == [None]


# --- what is left, and what is refused ------------------------------------------------------------


def test_the_last_stream_is_given_back_as_it_was(accept: Accept, dial: Dial) -> None:
    source, destination = pair(accept, dial)
    before = listeners(destination.sock)
    over = joined(source.sock, destination.sock)
    source.peer.end()
    assert over.get(timeout=PATIENCE) is None
    assert listeners(destination.sock) == before


def test_a_source_that_a_greenlet_reads_is_refused_and_nothing_has_begun(
    accept: Accept, dial: Dial,
) -> None:
    source, destination = pair(accept, dial)
    reading = gevent.spawn(source.sock.recv, 10)
    until(lambda: source.sock._wire.reader is not None)
    before = listeners(source.sock, destination.sock)
    with pytest.raises(gnet.CodedRuntimeError) as caught:
        gnet.pipeline(source.sock, destination.sock)
    assert caught.value.code == 'ERR_READING_IN_BLOCKING_STYLE'
    assert listeners(source.sock, destination.sock) == before
    assert not source.sock.destroyed
    assert not destination.sock.destroyed
    source.peer.sendall(b'x')
    assert reading.get(timeout=PATIENCE) == b'x'


def test_a_destination_that_is_closed_is_refused_and_nothing_has_begun(
    accept: Accept, dial: Dial,
) -> None:
    source, destination = pair(accept, dial)
    last = dial()
    last.sock.destroy()
    before = listeners(source.sock, destination.sock)
    with pytest.raises(gnet.CodedRuntimeError) as caught:
        gnet.pipeline(source.sock, destination.sock, last.sock)
    assert caught.value.code == 'ERR_STREAM_UNABLE_TO_PIPE'
    assert listeners(source.sock, destination.sock) == before
    assert source.sock.readable_flowing is None


@pytest.mark.parametrize('given', [[], ['sock'], [['sock']], [[]]])
def test_fewer_than_two_streams_are_refused(accept: Accept, given: list[Any]) -> None:
    sock = accept().sock
    given = [[sock] if item == ['sock'] else sock if item == 'sock' else item for item in given]
    assert refused(gnet.pipeline, *given) == (
        TypeError, 'ERR_MISSING_ARGS', 'The "streams" argument must be specified')


def test_wrong_arguments_are_refused(accept: Accept) -> None:
    sock = accept().sock
    before = listeners(sock)
    with pytest.raises(TypeError, match=r"argument 'ends'. Did you mean 'end'\?"):
        gnet.pipeline(sock, sock, ends=False)
    with pytest.raises(TypeError, match='timeout in its blocking form only'):
        gnet.pipeline(sock, sock, print, timeout=5)
    assert refused(gnet.pipeline, sock, sock, callback=5)[1:] == (
        'ERR_INVALID_ARG_TYPE',
        'The "callback" argument must be of type function. Received type number (5)')
    assert refused(gnet.pipeline, iter(()), sock)[1] == 'ERR_INVALID_ARG_TYPE'
    assert refused(gnet.pipeline, sock, sock, timeout=-1)[1] == 'ERR_OUT_OF_RANGE'
    assert refused(gnet.pipeline, sock, sock, signal=5)[1] == 'ERR_INVALID_ARG_TYPE'
    assert listeners(sock) == before


def test_a_listener_of_unpipe_that_raises_does_not_keep_the_callback_waiting(
    accept: Accept, dial: Dial,
) -> None:
    first, second = accept(), dial()

    def fail(*_arguments: Any) -> None:
        raise ValueError('a listener')

    second.sock.on('unpipe', fail)
    done: AsyncResult[Any] = AsyncResult()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gevent.get_hub(), 'print_exception', lambda *args: None)
        gnet.pipeline(first.sock, second.sock, done.set)
        first.sock.destroy(OSError('gone'))
        assert str(done.get(timeout=PATIENCE)) == 'gone'
    assert first.sock.listener_count('data') == 0
