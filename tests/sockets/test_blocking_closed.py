"""Whoever is blocked on a socket that is closed on this side wakes at once, with one error."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable
from typing import Any

import gevent
import pytest
from gevent.event import AsyncResult

import gnet

from ..harness.connections import Connection
from ..harness.waiting import PATIENCE, turn, until

Hold = Callable[..., Connection]

#: More than the kernel buffers on both sides of a connection over loopback.
MUCH = 20_000_000

ENDS = pytest.mark.parametrize(
    'close', [lambda sock: sock.close(), lambda sock: sock.destroy()], ids=['close', 'destroy'])
LIMITS = pytest.mark.parametrize('seconds', [None, PATIENCE])


def blocked(call: Callable[..., object], *args: Any) -> Any:
    """Call it in a greenlet, which must be told that the socket is closed."""
    def run() -> None:
        with pytest.raises(OSError, match='Socket is closed') as caught:
            call(*args)
        error: Any = caught.value
        assert (error.errno, error.code) == (errno.EBADF, 'ERR_SOCKET_CLOSED')

    return gevent.spawn(run)


@ENDS
@LIMITS
def test_a_reader_wakes(hold: Hold, close: Any, seconds: Any) -> None:
    c = hold()
    c.sock.settimeout(seconds)
    reading = blocked(c.sock.recv, 10)
    until(lambda: c.sock._wire.reader)
    close(c.sock)
    reading.get(timeout=PATIENCE)
    assert c.peer.recv() == b''


@pytest.mark.parametrize('read', [
    lambda sock: sock.recv(10), lambda sock: list(sock),
], ids=['recv', 'for'])
@LIMITS
def test_nobody_reads_from_a_closed_socket_that_still_sends(
    serve: Callable[..., gnet.Server], connect: Any, read: Any, seconds: Any,
) -> None:
    ended: AsyncResult[None] = AsyncResult()

    def handle(sock: Any) -> None:
        sock.settimeout(seconds)
        assert sock.recv(10) == b'x'
        sock.write(bytes(MUCH))
        sock.close()
        with gevent.Timeout(PATIENCE), pytest.raises(OSError, match='Socket is closed'):
            read(sock)
        sock.destroy()
        ended.set()

    peer = connect(serve(handle))
    peer.sendall(b'x')
    ended.get(timeout=PATIENCE)


@ENDS
@pytest.mark.parametrize('read', [
    lambda sock: sock.recv_into(bytearray(10)), lambda sock: list(sock),
], ids=['recv_into', 'for'])
def test_a_reader_of_any_kind_wakes(hold: Hold, close: Any, read: Any) -> None:
    c = hold()
    reading = blocked(read, c.sock)
    until(lambda: c.sock._wire.reader)
    close(c.sock)
    reading.get(timeout=PATIENCE)


def test_a_reader_of_a_file_wakes_by_destroy_and_not_by_close(hold: Hold) -> None:
    c = hold()
    with c.sock.makefile('rb') as file:
        reading = blocked(file.readline)
        until(lambda: c.sock._wire.reader)
        c.sock.close()  # as in the standard library, it waits for the file
        turn()
        assert not reading.ready()
        c.sock.destroy()
        reading.get(timeout=PATIENCE)


@ENDS
@LIMITS
def test_a_writer_wakes(hold: Hold, close: Any, seconds: Any) -> None:
    c = hold()
    c.sock.settimeout(seconds)
    sending = [blocked(c.sock.sendall, bytes(MUCH)), blocked(c.sock.sendall, b'next')]
    until(lambda: c.sock._blocking.senders == 2)
    close(c.sock)
    for each in sending:
        each.get(timeout=PATIENCE)
    assert len(c.peer.recv_until_end()) < MUCH
    c.until_closed()


@ENDS
def test_a_reader_and_a_writer_wake(hold: Hold, close: Any) -> None:
    c = hold()
    greenlets = [blocked(c.sock.sendall, bytes(MUCH)), blocked(c.sock.recv, 10)]
    until(lambda: c.sock._blocking.senders and c.sock._wire.reader)
    close(c.sock)
    for each in greenlets:
        each.get(timeout=PATIENCE)


def test_a_reader_wakes_while_close_still_sends_what_is_queued(hold: Hold) -> None:
    c = hold()
    c.sock.write(bytes(MUCH))
    reading = blocked(c.sock.recv, 10)
    until(lambda: c.sock._wire.reader)
    c.sock.close()
    reading.get(timeout=PATIENCE)
    assert not c.sock.destroyed
    assert c.peer.recv_until_end() == bytes(MUCH)
    c.until_closed()


@ENDS
@LIMITS
@pytest.mark.parametrize('call', [
    lambda sock, name: sock.connect(name),
    lambda sock, name: sock.connect(name[1], name[0]).sendall(b'x'),
    lambda sock, name: sock.connect(name[1], name[0]).recv(1),
    lambda sock, name: sock.connect(name[1], name[0]).to_socket(),
], ids=['connect', 'sendall', 'recv', 'to_socket'])
def test_whoever_waits_for_a_connection_wakes(
    silent: Any, close: Any, seconds: Any, call: Any,
) -> None:
    sock = gnet.Socket()
    sock.settimeout(seconds)
    waiting = blocked(call, sock, silent)
    until(lambda: sock.connecting and (sock._blocking.senders or sock._wire.reader))
    close(sock)
    waiting.get(timeout=PATIENCE)
    assert sock.destroyed


@ENDS
def test_connect_ex_returns_the_number(silent: Any, close: Any) -> None:
    sock = gnet.Socket()
    waiting = gevent.spawn(sock.connect_ex, silent)
    until(lambda: sock._blocking.senders)
    close(sock)
    assert waiting.get(timeout=PATIENCE) == errno.EBADF


@ENDS
def test_all_later_calls_say_the_same(hold: Hold, close: Any) -> None:
    c = hold()
    close(c.sock)
    for call, *args in (
        (c.sock.recv, 1), (c.sock.recv_into, bytearray(1)), (c.sock.sendall, b'x'),
        (c.sock.send, b'x'), (c.sock.to_socket,), (list, c.sock),
    ):
        blocked(call, *args).get(timeout=PATIENCE)


@pytest.mark.parametrize('where', ['arrived', 'in the stream'])
def test_a_read_does_not_tell_of_an_end_when_the_bytes_before_it_were_thrown_away(
    accept: Callable[..., Connection], where: str,
) -> None:
    connection = accept(lambda c: c.sock.pause() if where == 'in the stream' else None)
    sock, peer = connection.sock, connection.peer
    if where == 'arrived':
        reading = gevent.spawn(sock.recv, 1)
        turn()
    peer.sendall(b'two')
    peer.end()
    if where == 'arrived':
        assert reading.get(timeout=PATIENCE) == b't'
    until(lambda: sock._wire.ended)
    sock.destroy()
    for _ in range(2):
        with pytest.raises(OSError, match='Socket is closed'):
            sock.recv(100)


def test_a_read_tells_of_the_end_again_when_all_before_it_was_read(
    accept: Callable[..., Connection],
) -> None:
    connection = accept()
    connection.peer.sendall(b'x')
    connection.peer.end()
    assert list(connection.sock) == [b'x']
    connection.sock.destroy()
    assert connection.sock.recv(100) == b''


# --- however it was read before -------------------------------------------------------------------

READS = pytest.mark.parametrize('read', [
    lambda sock: sock.recv(10), lambda sock: sock.recv_into(bytearray(10)), lambda sock: list(sock),
    lambda sock: sock.to_socket(), lambda sock: sock.makefile('rb').read(),
], ids=['recv', 'recv_into', 'for', 'to_socket', 'makefile'])

#: What makes a socket be read by events.
BY_EVENTS = pytest.mark.parametrize('use', [
    lambda sock: sock.on('data', print), lambda sock: sock.on('readable', print),
    lambda sock: sock.resume(), lambda sock: sock.pipe(gnet.Socket()),
], ids=['data', 'readable', 'resume', 'pipe'])


@READS
@BY_EVENTS
@ENDS
def test_a_socket_that_was_read_by_events_says_the_same(
    accept: Callable[..., Connection], read: Any, use: Any, close: Any,
) -> None:
    c = accept(lambda c: use(c.sock))
    close(c.sock)
    blocked(read, c.sock).get(timeout=PATIENCE)
    c.until_closed()
    blocked(read, c.sock).get(timeout=PATIENCE)


@READS
def test_a_client_that_was_read_by_events_says_the_same(
    dial: Callable[..., Connection], read: Any,
) -> None:
    c = dial(lambda c: c.sock.on('data', print))
    c.sock.destroy()
    blocked(read, c.sock).get(timeout=PATIENCE)


@READS
def test_a_client_with_onread_says_the_same(dial: Callable[..., Connection], read: Any) -> None:
    c = dial(onread={'buffer': bytearray(9), 'callback': print})
    c.sock.destroy()
    blocked(read, c.sock).get(timeout=PATIENCE)


@READS
def test_a_socket_that_its_handler_has_left_says_the_same(
    accept: Callable[..., Connection], read: Any,
) -> None:
    c = accept(lambda c: c.sock.sendall(b'x'))
    assert c.peer.recv_until_end() == b'x'
    blocked(read, c.sock).get(timeout=PATIENCE)  # it waits for its peer to end
    c.peer.end()
    c.until_closed()
    blocked(read, c.sock).get(timeout=PATIENCE)


@READS
def test_a_socket_that_has_ended_by_events_says_the_same(
    accept: Callable[..., Connection], read: Any,
) -> None:
    c = accept(lambda c: c.sock.on('data', c.sock.write))
    c.peer.sendall(b'x')
    c.peer.end()
    assert c.peer.recv_until_end() == b'x'
    c.until_closed()
    blocked(read, c.sock).get(timeout=PATIENCE)


@READS
def test_text_that_is_left_does_not_matter_any_more(
    accept: Callable[..., Connection], read: Any,
) -> None:
    c = accept(lambda c: c.sock.set_encoding('utf8').pause())
    c.peer.sendall(b'text')
    until(lambda: c.sock.readable_length)
    c.sock.destroy()
    blocked(read, c.sock).get(timeout=PATIENCE)
    assert c.sock.read() == 'text'


def test_it_is_given_away_no_more_while_its_reader_is_on_its_way_out(hold: Hold) -> None:
    c = hold()
    reading = blocked(c.sock.recv, 10)
    until(lambda: c.sock._wire.reader)
    c.sock.destroy()
    with pytest.raises(OSError, match='Socket is closed'):
        c.sock.to_socket()
    reading.get(timeout=PATIENCE)


@READS
def test_a_reset_is_told_of_instead(accept: Callable[..., Connection], read: Any) -> None:
    c = accept(lambda c: c.sock.on('data', print).on('error', lambda error: None))
    c.peer.reset()
    c.until_closed()
    with pytest.raises(ConnectionResetError):
        read(c.sock)


@pytest.mark.parametrize('seconds', [None, PATIENCE, 0.0])
def test_a_read_that_begins_when_a_write_has_failed_reads_on_until_it_is_told(
    seconds: float | None,
) -> None:
    mine, peer = socket.socketpair()
    sock = gnet.Socket.from_socket(mine)
    sock.write(bytes(16 << 20))
    peer.sendall(b'hello')
    peer.close()  # without having read: what is on its way fails
    while not sock.bytes_read:
        gevent.sleep(0)  # and so this goes on before any runner does
    sock.settimeout(seconds)
    assert sock.recv(100) == b'hello'
    told: list[Any] = []
    while not told:
        try:
            sock.recv(100)
        except BlockingIOError:
            gevent.sleep(0)
        except OSError as error:
            told.append(error)
    assert told == [sock.errored]
    assert told[0].code in {'EPIPE', 'ECONNRESET'}
    assert told[0].syscall == 'write'
