"""Reading in blocking style: ``recv``, ``recv_into``, iteration, and how reads are broken off."""

from __future__ import annotations

import errno
import socket
import time
from collections.abc import Callable
from typing import Any

import gevent
import pytest
from gevent.event import AsyncResult

import gnet

from .common import PATIENCE, Connection, code, turn, until

Accept = Callable[..., Connection]
Serve = Callable[..., gnet.Server]
Hold = Callable[..., Connection]


# --- recv ---------------------------------------------------------------------------------------


def test_recv_returns_what_is_there_up_to_the_size(hold: Hold) -> None:
    c = hold()
    c.peer.sendall(b'hello world')
    assert c.sock.recv(5) == b'hello'
    assert c.sock.recv(1) == b' '
    assert c.sock.recv(100) == b'world'
    c.peer.end()
    assert c.sock.recv(100) == b''
    assert c.sock.recv(100) == b''


def test_recv_blocks_until_something_comes(hold: Hold) -> None:
    c = hold()
    reading = gevent.spawn(c.sock.recv, 100)
    turn()
    assert not reading.ready()
    c.peer.sendall(b'late')
    assert reading.get(timeout=PATIENCE) == b'late'


def test_recv_checks_its_arguments_and_loses_nothing(hold: Hold) -> None:
    c = hold()
    c.peer.sendall(b'x')
    with pytest.raises(ValueError, match='negative buffersize'):
        c.sock.recv(-1)
    with pytest.raises(TypeError):
        c.sock.recv(1.5)
    with pytest.raises(OSError, match='MSG_PEEK') as caught:
        c.sock.recv(1, socket.MSG_WAITALL)
    assert caught.value.errno == errno.EOPNOTSUPP
    assert c.sock.recv(0) == b''
    assert c.sock.recv(1) == b'x'


def test_peeking_leaves_the_bytes_where_they_are(hold: Hold) -> None:
    c = hold()
    c.peer.sendall(b'abc')
    assert c.sock.recv(2, socket.MSG_PEEK) == b'ab'
    assert c.sock.recv(10, socket.MSG_PEEK) == b'abc'
    assert c.sock.recv(10) == b'abc'


def test_recv_into_fills_a_buffer(hold: Hold) -> None:
    c = hold()
    c.peer.sendall(b'abcdef')
    buffer = bytearray(4)
    assert c.sock.recv_into(buffer) == 4
    assert bytes(buffer) == b'abcd'
    assert c.sock.recv_into(buffer, 1) == 1
    assert bytes(buffer) == b'ebcd'
    with pytest.raises(ValueError, match='buffer too small'):
        c.sock.recv_into(buffer, 5)
    with pytest.raises(ValueError, match='negative'):
        c.sock.recv_into(buffer, -1)
    assert c.sock.recv_into(memoryview(buffer)[1:]) == 1
    assert bytes(buffer) == b'efcd'


def test_what_arrived_before_the_first_read_is_read_first(hold: Hold) -> None:
    """The hub reads ahead; until somebody asks, the data goes the way of the events."""
    c = hold()
    c.peer.sendall(b'early')
    c.wait('readable')
    assert c.sock.recv(3) == b'ear'
    c.peer.sendall(b' late')
    assert c.sock.recv(2) == b'ly'
    assert c.sock.recv(5) == b' late'


@pytest.mark.parametrize('size', [1, 7, 65536, 10**9])
def test_no_byte_is_lost_whatever_the_sizes(hold: Hold, native: Any, size: int) -> None:
    c = hold()
    data = bytes(range(256)) * (50 if size == 1 else 4000)

    def send() -> None:
        c.peer.plain.sendall(data)
        c.peer.plain.shutdown(socket.SHUT_WR)

    native.start(send)
    received = b''.join(iter(lambda: c.sock.recv(size), b''))
    assert received == data
    assert c.sock.bytes_read == len(data)


def test_a_reader_that_is_slow_stops_the_sender(hold: Hold, native: Any) -> None:
    c = hold()
    assert isinstance(c.sock.recv(0), bytes)
    sending = native.start(c.peer.plain.sendall, bytes(20_000_000))
    c.sock.recv(1)
    until(lambda: c.sock.readable_length >= 65536)
    for _ in range(10):
        turn()
    assert c.sock.readable_length < 2 * 65536
    assert not sending.ready()
    total = 1
    while total < 20_000_000:
        total += len(c.sock.recv(65536))
    sending.get(PATIENCE)


# --- iteration ----------------------------------------------------------------------------------


def test_iterating_yields_chunks_until_the_peer_ends(serve: Serve, connect: Any) -> None:
    def handler(sock: Any) -> None:
        for chunk in sock:
            sock.sendall(chunk.upper())
        sock.sendall(b'.')

    peer = connect(serve(handler))
    peer.sendall(b'abc')
    assert peer.recv_exactly(3) == b'ABC'
    peer.sendall(b'def')
    peer.end()
    assert peer.recv_until_end() == b'DEF.'


def test_iterating_yields_text_where_there_is_an_encoding(hold: Hold) -> None:
    c = hold()
    c.sock.set_encoding('utf8')
    euro = '€'.encode()
    reading = gevent.spawn(list, c.sock)
    for part in (b'a' + euro[:1], euro[1:], euro[:2]):
        c.peer.sendall(part)
        until(lambda: c.sock.readable_length == 0 and c.sock.bytes_read)
        turn()
    c.peer.end()
    assert ''.join(reading.get(timeout=PATIENCE)) == 'a€\ufffd'


def test_text_that_is_buffered_comes_first_and_is_not_given_as_bytes(hold: Hold) -> None:
    c = hold()
    c.sock.set_encoding('utf8')
    c.peer.sendall('é'.encode())
    c.wait('readable')
    with pytest.raises(RuntimeError, match='Text is left') as caught:
        c.sock.recv(10)
    assert code(caught.value) == 'ERR_TEXT_IS_BUFFERED'
    assert next(iter(c.sock)) == 'é'
    c.peer.sendall(b'raw')
    assert c.sock.recv(10) == b'raw'


# --- timeouts -----------------------------------------------------------------------------------


def test_a_read_that_takes_too_long_times_out_and_can_be_repeated(hold: Hold) -> None:
    c = hold()
    c.sock.settimeout(0.02)
    assert c.sock.gettimeout() == 0.02
    start = time.monotonic()
    with pytest.raises(socket.timeout, match='timed out'):
        c.sock.recv(10)
    assert time.monotonic() - start >= 0.019
    c.sock.settimeout(PATIENCE)
    c.peer.sendall(b'x')
    assert c.sock.recv(10) == b'x'


def test_a_timeout_of_zero_never_waits(hold: Hold) -> None:
    c = hold()
    c.sock.setblocking(False)
    assert c.sock.getblocking() is False
    assert c.sock.gettimeout() == 0
    with pytest.raises(BlockingIOError) as caught:
        c.sock.recv(10)
    assert caught.value.errno == errno.EAGAIN
    c.peer.sendall(b'x')
    # Without ever giving the hub a turn.
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            assert c.sock.recv(10) == b'x'
            break
        except BlockingIOError:
            continue
    else:
        pytest.fail('nothing was received')
    c.peer.end()
    while time.monotonic() < deadline:
        try:
            assert c.sock.recv(10) == b''
            break
        except BlockingIOError:
            continue
    c.sock.setblocking(True)
    assert c.sock.gettimeout() is None
    assert c.sock.getblocking() is True


@pytest.mark.parametrize('value', [-1, -0.1])
def test_a_timeout_must_not_be_negative(hold: Hold, value: float) -> None:
    c = hold()
    with pytest.raises(ValueError, match='Timeout value out of range'):
        c.sock.settimeout(value)


def test_a_gevent_timeout_leaves_the_socket_usable(hold: Hold) -> None:
    c = hold()
    with gevent.Timeout(0.005, False):
        c.sock.recv(10)
        pytest.fail('nothing was sent')
    c.peer.sendall(b'x')
    assert c.sock.recv(10) == b'x'


def test_a_killed_reader_leaves_the_socket_usable(hold: Hold) -> None:
    c = hold()
    reading = gevent.spawn(c.sock.recv, 10)
    until(lambda: c.sock._reader is not None)
    reading.kill()
    c.peer.sendall(b'x')
    assert c.sock.recv(10) == b'x'


# --- two readers, two styles --------------------------------------------------------------------


def test_two_greenlets_cannot_read_at_once(hold: Hold) -> None:
    c = hold()
    reading = gevent.spawn(c.sock.recv, 10)
    until(lambda: c.sock._reader is not None)
    with pytest.raises(RuntimeError, match='already blocked in a read') as caught:
        c.sock.recv(10)
    assert code(caught.value) == 'ERR_CONCURRENT_READ'
    c.peer.sendall(b'x')
    assert reading.get(timeout=PATIENCE) == b'x'


@pytest.mark.parametrize('start', [
    lambda s: s.on('data', print), lambda s: s.resume(), lambda s: s.pipe(s),
    lambda s: s.on('readable', print),
], ids=['data', 'resume', 'pipe', 'readable'])
def test_blocking_reads_are_refused_while_events_read(
    hold: Hold, start: Callable[[Any], object],
) -> None:
    c = hold()
    start(c.sock)
    with pytest.raises(RuntimeError, match='Events read the socket') as caught:
        c.sock.recv(10)
    assert code(caught.value) == 'ERR_READING_IN_EVENT_STYLE'
    with pytest.raises(RuntimeError, match='Events read the socket'):
        next(iter(c.sock))


@pytest.mark.parametrize('start', [
    lambda s: s.on('data', print), lambda s: s.resume(), lambda s: s.pipe(s),
    lambda s: s.on('readable', print), lambda s: s.read(),
], ids=['data', 'resume', 'pipe', 'readable', 'read'])
def test_events_are_refused_while_a_greenlet_is_blocked_in_a_read(
    hold: Hold, start: Callable[[Any], object],
) -> None:
    c = hold()
    reading = gevent.spawn(c.sock.recv, 10)
    until(lambda: c.sock._reader is not None)
    with pytest.raises(RuntimeError, match='blocked in a read') as caught:
        start(c.sock)
    assert code(caught.value) == 'ERR_READING_IN_BLOCKING_STYLE'
    c.peer.sendall(b'x')
    assert reading.get(timeout=PATIENCE) == b'x'


def test_events_may_follow_blocking_reads(hold: Hold) -> None:
    c = hold()
    c.peer.sendall(b'head body')
    assert c.sock.recv(5) == b'head '
    seen: list[bytes] = []
    c.sock.on('data', seen.append)
    until(lambda: seen == [b'body'])
    c.peer.sendall(b' more')
    until(lambda: seen == [b'body', b' more'])
    c.peer.end()
    c.until_closed()


def test_blocking_reads_may_follow_events(hold: Hold) -> None:
    c = hold()
    seen: list[bytes] = []
    c.sock.on('data', seen.append)
    c.peer.sendall(b'head')
    until(lambda: seen)
    c.sock.pause()
    c.peer.sendall(b'body')
    assert c.sock.recv(2) == b'bo'
    assert c.sock.recv(10) == b'dy'
    assert seen == [b'head']


def test_read_and_unshift_go_with_blocking_reads(hold: Hold) -> None:
    c = hold()
    c.peer.sendall(b'abcdef')
    assert c.sock.recv(2) == b'ab'
    c.sock.unshift(b'ab')
    assert c.sock.recv(3) == b'ab'
    assert c.sock.recv(1) == b'c'
    assert c.sock.read() == b'def'
    c.peer.sendall(b'g')
    assert c.sock.recv(1) == b'g'


def test_a_read_that_begins_before_the_delivery_gets_all_in_order(hold: Hold) -> None:
    """Data that was queued for the events is taken over by a blocking read that comes first."""
    c = hold()
    seen: list[bytes] = []

    def take() -> None:
        # What arrives now is queued for a runner; read a part of it before that has its turn.
        while not c.sock._incoming:
            gevent.sleep(0)
        seen.append(c.sock.recv(3))

    taking = gevent.spawn(take)
    c.peer.sendall(b'abcdef')
    taking.get(timeout=PATIENCE)
    seen.append(c.sock.recv(100))
    assert b''.join(seen) == b'abcdef'
    c.peer.sendall(b'ghi')
    assert c.sock.recv(100) == b'ghi'


def test_the_end_is_not_lost_between_the_styles(hold: Hold) -> None:
    c = hold()
    c.sock.pause()
    c.peer.sendall(b'abc')
    c.peer.end()
    c.wait('readable', 2)
    assert c.sock.recv(1) == b'a'
    c.sock.resume()
    # (How often 'readable' comes in between is nothing that Node could tell.)
    assert [line for line in c.until_closed()[3:] if line != 'readable {open}'] == [
        'resume {open}', "data b'bc' {open}", 'end {writeOnly}',
        'prefinish {closed}', 'finish {closed}', 'close False {closed}',
    ]


def test_a_data_listener_may_read_on_in_blocking_style(accept: Accept) -> None:
    done: AsyncResult[list[bytes]] = AsyncResult()

    def listener(first: bytes) -> None:
        c.sock.pause()
        done.set([first, c.sock.recv(2), c.sock.recv(100)])

    c = accept()
    c.sock.on('data', listener)
    c.peer.sendall(b'a')
    until(lambda: c.sock.bytes_read == 1)
    c.peer.sendall(b'bcd')
    assert done.get(timeout=PATIENCE) == [b'a', b'bc', b'd']


# --- the end of the connection ------------------------------------------------------------------


def close(c: Connection) -> None:
    c.sock.close()


def destroy(c: Connection) -> None:
    c.sock.destroy()


@pytest.mark.parametrize('action', [close, destroy])
def test_closing_wakes_the_blocked_reader_with_one_error(
    hold: Hold, action: Callable[[Connection], None],
) -> None:
    c = hold()
    failures: list[Any] = []

    def read() -> None:
        try:
            c.sock.recv(10)
        except OSError as error:
            failures.append(error)

    reading = gevent.spawn(read)
    until(lambda: c.sock._reader is not None)
    action(c)
    reading.join(PATIENCE)
    [failure] = failures
    assert (code(failure), failure.errno, str(failure)) == (
        'ERR_SOCKET_CLOSED', errno.EBADF, 'Socket is closed')
    with pytest.raises(OSError, match='Socket is closed'):
        c.sock.recv(10)


def test_destroy_with_an_error_wakes_the_reader_with_that_error(hold: Hold) -> None:
    c = hold()
    c.sock.on('error', lambda error: None)
    reason = ValueError('x')
    reading: AsyncResult[Any] = AsyncResult()
    gevent.spawn(c.sock.recv, 10).link(lambda g: reading.set(g.exception))
    until(lambda: c.sock._reader is not None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gevent.get_hub(), 'print_exception', lambda *args: None)
        c.sock.destroy(reason)
        assert reading.get(timeout=PATIENCE) is reason


def test_what_was_left_when_the_socket_was_closed_is_not_read(hold: Hold) -> None:
    c = hold()
    c.peer.sendall(b'abc')
    assert c.sock.recv(1) == b'a'
    c.sock.close()
    with pytest.raises(OSError, match='Socket is closed'):
        c.sock.recv(10)
    early = hold()
    early.peer.sendall(b'abc')
    early.wait('readable')
    early.sock.destroy()
    with pytest.raises(OSError, match='Socket is closed'):
        early.sock.recv(10)


@pytest.mark.parametrize('begun', [False, True])
def test_data_that_came_before_a_reset_is_read_before_the_error(hold: Hold, begun: bool) -> None:
    c = hold()
    if begun:
        c.sock.recv(0)
        c.sock.settimeout(0)
        with pytest.raises(BlockingIOError):
            c.sock.recv(1)
        c.sock.settimeout(None)
    c.peer.sendall(b'last words')
    until(lambda: c.sock.bytes_read == 10)
    c.peer.reset()
    until(lambda: c.sock._read_error is not None)
    assert c.sock.recv(4) == b'last'
    assert c.sock.recv(100) == b' words'
    for _ in range(2):
        with pytest.raises(ConnectionResetError, match='read ECONNRESET') as caught:
            c.sock.recv(100)
    frames = 0
    traceback = caught.value.__traceback__
    while traceback is not None:
        frames, traceback = frames + 1, traceback.tb_next
    assert frames < 6  # of one raise: the same error may be raised any number of times


def test_a_reset_wakes_the_blocked_reader(hold: Hold) -> None:
    c = hold()

    def read() -> Any:
        try:
            return c.sock.recv(10)
        except OSError as error:
            return error

    reading = gevent.spawn(read)
    until(lambda: c.sock._reader is not None)
    c.peer.reset()
    assert code(reading.get(timeout=PATIENCE)) == 'ECONNRESET'


def test_a_socket_that_is_read_blockingly_does_not_end_by_itself(hold: Hold) -> None:
    c = hold()
    c.peer.sendall(b'req')
    c.peer.end()
    assert c.sock.recv(10) == b'req'
    assert c.sock.recv(10) == b''
    c.wait('end')
    turn()
    turn()
    assert c.sock.writable
    c.sock.sendall(b'answer')
    c.sock.close()
    assert c.peer.recv_until_end() == b'answer'


def test_shutting_the_reading_half_is_an_end_for_the_reader(hold: Hold) -> None:
    c = hold()
    reading = gevent.spawn(c.sock.recv, 10)
    until(lambda: c.sock._reader is not None)
    c.sock.shutdown(socket.SHUT_RD)
    assert reading.get(timeout=PATIENCE) == b''


def test_a_socket_without_a_connection_cannot_be_read() -> None:
    with pytest.raises(OSError, match='ENOTCONN') as caught:
        gnet.Socket().recv(10)
    assert caught.value.errno == errno.ENOTCONN


def test_reading_may_start_a_socket_that_was_paused_at_birth(hold: Hold) -> None:
    c = hold(pause_on_connect=True)
    c.peer.sendall(b'x')
    turn()
    assert c.sock.bytes_read == 0
    assert c.sock.recv(10) == b'x'


def test_no_data_comes_after_close_when_blocking_reads_give_way_to_events(
    accept: Callable[..., Connection],
) -> None:
    connection = accept(lambda c: c.sock.pause())
    sock, peer = connection.sock, connection.peer
    sock.on('error', lambda error: None)
    peer.sendall(b'left')
    until(lambda: sock.readable_length == 4)
    peer.reset()
    connection.wait('close')
    assert sock.recv(1) == b'l'
    sock.on('data', lambda chunk: None)
    sock.resume()
    turn()
    turn()
    assert not any(line.startswith('data') for line in connection.trace)
    assert sock.read() is None  # as in Node, it has flowed to nobody


def test_a_data_listener_put_in_front_does_not_disturb_a_blocked_read(
    accept: Callable[..., Connection],
) -> None:
    connection = accept()
    sock = connection.sock
    reader = gevent.spawn(sock.recv, 10)
    until(lambda: sock._reader is not None)
    sock.prepend_listener('data', lambda data: None)
    sock.off('readable', lambda: None)
    turn()
    connection.peer.sendall(b'for recv')
    assert reader.get(timeout=PATIENCE) == b'for recv'
    sock.destroy()
