"""Reading in blocking style: ``recv``, ``recv_into``, iteration, and how reads are broken off."""

from __future__ import annotations

import errno
import socket
import time
from collections.abc import Callable
from typing import Any

import gevent
import pytest
from gevent.event import AsyncResult, Event

import gnet

from ..harness.connections import Connection, code
from ..harness.families import Family
from ..harness.waiting import PATIENCE, turn, until

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


@pytest.mark.parametrize('seconds', [None, PATIENCE, 0])
@pytest.mark.parametrize('read_ahead', [True, False], ids=['read ahead', 'in the kernel'])
def test_peeking_shows_what_has_come_meanwhile(
    hold: Hold, read_ahead: bool, seconds: Any,
) -> None:
    c = hold()
    c.sock.settimeout(seconds)
    seen = []
    for number, data in enumerate((b'ab', b'cd', b'efgh'), 1):
        c.peer.sendall(data)
        if read_ahead or number == 1:
            until(lambda wanted=2 * number: c.sock.bytes_read >= wanted)
        seen.append(c.sock.recv(6, socket.MSG_PEEK))
    assert seen == [b'ab', b'abcd', b'abcdef']
    buffer = bytearray(7)
    assert c.sock.recv_into(buffer, 0, socket.MSG_PEEK) == 7
    assert buffer == b'abcdefg'
    # What was shown is read at once, as from the kernel.
    assert c.sock.recv(6) == b'abcdef'
    assert c.sock.recv(6) == b'gh'


def test_a_loop_that_peeks_gets_on_without_a_turn_of_the_hub(hold: Hold, native: Any) -> None:
    c = hold()

    def send() -> None:
        for byte in b'abcdef':
            c.peer.plain.sendall(bytes([byte]))

    c.peer.sendall(b'_')
    until(lambda: c.sock.bytes_read)
    assert c.sock.recv(6, socket.MSG_PEEK) == b'_'
    sending = native.start(send)
    while len(c.sock.recv(6, socket.MSG_PEEK)) < 6:
        pass
    assert c.sock.recv(6) == b'_abcde'
    sending.get(timeout=PATIENCE)


def test_a_client_peeks_too(dial: Callable[..., Connection], family: Family) -> None:
    c = dial(family=family)
    seen = []
    for data in (b'ab', b'cd'):
        c.peer.sendall(data)
        seen.append(c.sock.recv(6, socket.MSG_PEEK))
    assert seen == [b'ab', b'abcd']


def test_peeking_shows_more_than_the_high_water_mark(accept: Callable[..., Connection]) -> None:
    over = Event()
    c = accept(lambda c: over.wait(), high_water_mark=10)
    sending = gevent.spawn(c.peer.sendall, bytes(100_000))
    with gevent.Timeout(PATIENCE):
        while len(c.sock.recv(100_000, socket.MSG_PEEK)) < 100_000:
            gevent.sleep(0)
    sending.get(timeout=PATIENCE)
    assert c.sock.recv(100_000) == bytes(100_000)
    over.set()


@pytest.mark.parametrize('last', ['end', 'reset'])
def test_peeking_does_not_lose_what_came_last(hold: Hold, last: str) -> None:
    c = hold()
    c.sock.on('error', lambda error: None)
    c.peer.sendall(b'ab')
    assert c.sock.recv(10, socket.MSG_PEEK) == b'ab'
    c.peer.end() if last == 'end' else c.peer.reset()
    for _ in range(3):
        assert c.sock.recv(10, socket.MSG_PEEK) == b'ab'
        turn()
    assert c.sock.recv(10) == b'ab'
    if last == 'end':
        assert c.sock.recv(10, socket.MSG_PEEK) == b''
        assert c.sock.recv(10) == b''
    else:
        for flags in (socket.MSG_PEEK, 0):
            with pytest.raises(ConnectionResetError):
                c.sock.recv(10, flags)


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
    until(lambda: c.sock._wire.reader is not None)
    reading.kill()
    c.peer.sendall(b'x')
    assert c.sock.recv(10) == b'x'


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
    until(lambda: c.sock._wire.reader is not None)
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
    until(lambda: c.sock._wire.reader is not None)
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
    until(lambda: c.sock._wire.error is not None)
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
    until(lambda: c.sock._wire.reader is not None)
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
    until(lambda: c.sock._wire.reader is not None)
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
