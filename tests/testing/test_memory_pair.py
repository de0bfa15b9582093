"""Sockets in memory: that they are as those of the kernel, and what only they can do."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable, Iterator
from typing import Any

import gevent
import pytest
from gevent.event import Event
from gevent.exceptions import LoopExit

import gnet
from gnet.loop.loop import get_loop
from gnet.testing import EventRecorder, MemoryPair, connected_pair, memory_pair, settle, wait_until

from ..harness.waiting import PATIENCE

HOUR = 3600


@pytest.fixture
def memory() -> Iterator[Callable[..., MemoryPair]]:
    """``memory(handler, **options)``: as :func:`memory_pair`, closed after the test."""
    pairs: list[MemoryPair] = []

    def memory(*args: Any, **options: Any) -> MemoryPair:
        pairs.append(memory_pair(*args, **options))
        return pairs[-1]

    yield memory
    for pair in reversed(pairs):
        pair.close()


def echo(sock: gnet.Socket) -> None:
    for chunk in sock:
        sock.sendall(chunk)


# --- the same as over the kernel ------------------------------------------------------------------

EVENTS = ('timeout', 'end', 'finish', 'error', 'close', 'data', 'drain')


def hello_and_end(left: Any, right: Any) -> None:
    left.end(b'hello')


def answers_after_the_end(left: Any, right: Any) -> None:
    right.on('end', lambda: right.end(b'bye'))
    left.end(b'hello')


def reset(left: Any, right: Any) -> None:
    left.write(b'lost?')
    settle()
    left.reset_and_destroy()


def reset_with_data(left: Any, right: Any) -> None:
    left.write(b'before')
    left.reset_and_destroy()


def closed_with_unread_bytes(left: Any, right: Any) -> None:
    left.pause()
    settle()
    right.write(b'nobody reads this')
    settle()
    left.destroy()


def written_to_one_that_is_gone(left: Any, right: Any) -> None:
    left.destroy()
    right.write(b'one')
    settle()
    right.write(b'two')
    settle()
    right.write(b'three')


def both_end(left: Any, right: Any) -> None:
    left.end(b'1')
    right.end(b'2')


def destroyed_with_an_error(left: Any, right: Any) -> None:
    left.destroy(ValueError('enough'))


def written_to_one_that_is_shut_down(left: Any, right: Any) -> None:
    left.shutdown(socket.SHUT_RDWR)
    right.write(b'one')
    settle()
    right.write(b'two')


def written_after_the_end(left: Any, right: Any) -> None:
    left.end()
    left.write(b'late')


@pytest.mark.parametrize('allow_half_open', [False, True])
@pytest.mark.parametrize('play', [
    hello_and_end, answers_after_the_end, reset, reset_with_data, closed_with_unread_bytes,
    written_to_one_that_is_gone, written_to_one_that_is_shut_down, both_end,
    destroyed_with_an_error, written_after_the_end,
], ids=lambda play: play.__name__)
def test_each_end_sees_the_same_events_as_over_the_kernel(
    play: Callable[[Any, Any], None], allow_half_open: bool,
) -> None:
    def events_of(left: gnet.Socket, right: gnet.Socket) -> list[list[str]]:
        recorders = []
        for end in (left, right):
            recorders.append(EventRecorder(end, *EVENTS))
        play(left, right)
        settle()
        if not (left.destroyed and right.destroyed) and not allow_half_open:
            wait_until(lambda: left.destroyed and right.destroyed)
        settle()
        return [recorder.lines() for recorder in recorders]

    with connected_pair(allow_half_open=allow_half_open) as real:
        expected = events_of(*real)
    options = {'allow_half_open': allow_half_open}
    with memory_pair(client_options=options, **options) as pair:
        assert events_of(*pair) == expected


def test_it_has_the_names_that_it_was_given() -> None:
    with memory_pair(client_name=('203.0.113.7', 4711), server_name=('10.0.0.1', 443)) as pair:
        client, server = pair
        assert (server.remote_address, server.remote_port) == ('203.0.113.7', 4711)
        assert client.address() == ('203.0.113.7', 'IPv4', 4711)
        assert server.address() == client_sees(client) == ('10.0.0.1', 'IPv4', 443)
    with memory_pair(client_name=('2001:db8::1', 1, 0, 0), server_name=('::1', 2, 0, 0)) as pair:
        assert pair.server.remote_family == pair.client.remote_family == 'IPv6'


def client_sees(client: gnet.Socket) -> tuple[Any, ...]:
    return (client.remote_address, client.remote_family, client.remote_port)


# --- back-pressure --------------------------------------------------------------------------------


def test_a_peer_that_does_not_read_stops_who_writes(memory: Callable[..., MemoryPair]) -> None:
    client, server = memory(capacity=1000, high_water_mark=100)
    server.pause()
    settle()
    drained: list[bool] = []
    client.on('drain', lambda: drained.append(True))
    assert client.write(bytes(2000)) is True  # the mark of the client is the usual one
    assert client.write(bytes(65536)) is False
    settle()
    assert client.writable_length > 65000
    assert drained == []
    server.on('data', lambda chunk: None)
    server.resume()
    settle()
    assert drained == [True]
    assert server.bytes_read == 67536


def test_a_blocking_writer_waits_for_who_reads(memory: Callable[..., MemoryPair]) -> None:
    client, server = memory(capacity=10, high_water_mark=10)
    writer = gevent.spawn(client.sendall, bytes(range(200)) * 10)
    settle()
    assert not writer.ready()
    data = b''
    while len(data) < 2000:
        data += server.recv(7)
    assert data == bytes(range(200)) * 10
    settle()
    assert writer.ready()


def test_pieces_arrive_one_by_one(memory: Callable[..., MemoryPair]) -> None:
    client, server = memory(piece=1)
    chunks: list[bytes] = []
    server.on('data', chunks.append)
    client.write(b'GET /')
    settle()
    assert chunks == [b'G', b'E', b'T', b' ', b'/']


# --- handlers -------------------------------------------------------------------------------------


def test_a_handler_has_its_end_as_from_a_server(memory: Callable[..., MemoryPair]) -> None:
    pair = memory(echo)
    pair.client.sendall(b'hello')
    assert pair.client.recv(100) == b'hello'
    pair.client.shutdown(socket.SHUT_WR)
    assert pair.client.recv(100) == b''  # the handler has returned, which ends it
    settle()
    assert pair.server.destroyed
    assert pair.failure is None


def test_what_a_handler_raises_costs_the_connection_and_is_told(
    memory: Callable[..., MemoryPair], hub_reports: list[Any],
) -> None:
    pair = memory(lambda sock: sock.sendall(1))
    assert isinstance(pair.failure, TypeError)
    assert pair.client.recv(1) == b''
    assert pair.server.destroyed
    assert [error for _, error in hub_reports] == [pair.failure]


def test_options_are_those_of_each_end(memory: Callable[..., MemoryPair]) -> None:
    pair = memory(max_buffered=100_000, client_options={'encoding': 'utf-8'})
    texts: list[Any] = []
    pair.client.on('data', texts.append)
    pair.server.write('é')
    settle()
    assert texts == ['é']
    assert pair.server.max_buffered == 100_000
    assert pair.client.max_buffered is None


def test_onread_reads_into_the_buffer(memory: Callable[..., MemoryPair]) -> None:
    buffer, sizes = bytearray(3), []

    def callback(size: int, filled: Any) -> None:
        sizes.append((size, bytes(filled[:size])))

    pair = memory(onread={'buffer': buffer, 'callback': callback})
    pair.client.write(b'12345')
    settle()
    assert sizes == [(3, b'123'), (2, b'45')]


# --- time -----------------------------------------------------------------------------------------


def test_set_timeout_of_an_hour(memory: Callable[..., MemoryPair]) -> None:
    pair = memory()
    idle: list[float] = []
    pair.server.set_timeout(HOUR * 1000, lambda: idle.append(pair.clock.time))
    pair.clock.advance(HOUR / 2)
    pair.client.write(b'still here')
    settle()
    pair.clock.advance(HOUR - 1)
    assert idle == []
    pair.clock.advance(10)
    assert idle == [1.5 * HOUR]


def test_settimeout_of_an_hour_in_reading_and_writing(memory: Callable[..., MemoryPair]) -> None:
    pair = memory(capacity=10, high_water_mark=1)
    pair.client.settimeout(HOUR)
    with pytest.raises(socket.timeout):
        pair.clock.run(pair.client.recv, 10)
    assert pair.clock.time == HOUR
    pair.server.pause()
    settle()
    with pytest.raises(socket.timeout):
        pair.clock.run(pair.client.sendall, bytes(1000))
    assert pair.clock.time == 2 * HOUR


@pytest.mark.parametrize(('option', 'play'), [
    ('read_timeout', lambda pair: None),
    ('lifetime', lambda pair: None),
    ('write_timeout', lambda pair: (pair.client.pause(), settle(), pair.server.write(bytes(999)))),
])
def test_limits_of_an_hour(
    memory: Callable[..., MemoryPair], option: str, play: Callable[[Any], Any],
) -> None:
    pair = memory(capacity=10, client_options={'high_water_mark': 1}, **{option: HOUR * 1000})
    pair.server.resume()
    errors: list[Any] = []
    pair.server.on('error', errors.append)
    play(pair)
    pair.clock.advance(HOUR - 1)
    assert errors == []
    pair.clock.advance(HOUR)
    assert [error.errno for error in errors] == [errno.ETIMEDOUT]


def test_a_handler_that_waits_for_ever_is_no_time_out(memory: Callable[..., MemoryPair]) -> None:
    pair = memory()
    with pytest.raises(AssertionError, match='no time-out is set'):
        pair.clock.run(pair.client.recv, 1)


def test_a_test_whose_greenlets_all_wait_for_each_other_is_told_at_once(foreign: Any) -> None:
    def waits() -> None:
        with memory_pair() as pair, pytest.raises(LoopExit):
            pair.client.recv(1)

    # On a loop on which nothing else waits: that of this thread has pytest's, and other tests'.
    foreign(waits)


# --- what it is not -------------------------------------------------------------------------------


def test_it_has_no_descriptor_to_give_away(memory: Callable[..., MemoryPair]) -> None:
    client, _ = memory()
    assert client.fileno() == -1
    for give_away in (client.detach, client.to_socket):
        with pytest.raises(gnet.CodedTypeError):
            give_away()
    client.write(b'works on')
    assert not client.destroyed


@pytest.mark.parametrize('wrong', [{'capacity': 0}, {'piece': 0}])
def test_less_than_a_byte_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match='must be 1 at least'):
        memory_pair(**wrong)


def test_a_misspelt_option_is_refused() -> None:
    with pytest.raises(TypeError, match='read_timeout'):
        memory_pair(read_timout=1)
    with pytest.raises(gnet.CodedTypeError):
        memory_pair(client_options={'high_water_mark': 'much'})


@pytest.mark.parametrize('handler', [None, lambda sock: sock.recv(1)])
def test_one_that_is_forgotten_lets_its_clock_go_and_says_so(handler: Any) -> None:
    pair = memory_pair(handler, read_timeout=HOUR * 1000)
    pair.clock.advance(HOUR / 2)
    client, server = pair
    with pytest.warns(ResourceWarning, match=r'unclosed <gnet\.testing\.MemoryPair') as caught:
        del pair
    assert [warning.filename for warning in caught] == [__file__]
    assert 'now' not in vars(get_loop())
    # Time-outs of the next test come.
    timed_out = Event()
    sock = gnet.Socket().set_timeout(1, timed_out.set)
    assert timed_out.wait(PATIENCE)
    sock.destroy()
    client.destroy()
    server.destroy()


def test_one_that_is_forgotten_in_another_one_lets_it_have_its_clock() -> None:
    with memory_pair() as pair:
        with pytest.warns(ResourceWarning, match='unclosed'):
            client, server = memory_pair()
        pair.clock.advance(HOUR)
        assert pair.clock.time == HOUR
        client.destroy()
        server.destroy()
    assert 'now' not in vars(get_loop())


def test_one_that_is_collected_in_another_thread(native: Any) -> None:
    pairs = [memory_pair()]
    client, server = pairs[0]
    with pytest.warns(ResourceWarning, match='unclosed'):
        native.start(pairs.clear).get(PATIENCE)
    settle()
    assert 'now' not in vars(get_loop())
    client.destroy()
    server.destroy()


def test_time_is_the_real_one_afterwards() -> None:
    with memory_pair() as pair:
        with memory_pair() as other:
            assert pair.clock is other.clock
        pair.clock.advance(HOUR)
        ahead = get_loop().now()
    assert get_loop().now() < ahead
    assert 'now' not in vars(get_loop())


def test_one_that_could_not_be_made_says_only_why() -> None:
    with pytest.raises(TypeError):
        MemoryPair(print)  # type: ignore[call-arg]  # pytest fails on what __del__ would raise
