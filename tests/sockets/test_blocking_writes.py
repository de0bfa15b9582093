"""Writing in blocking style: ``sendall``, ``send``, ``shutdown``."""

from __future__ import annotations

import array
import errno
import resource
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gevent
import pytest
from gevent.event import AsyncResult, Event

import gnet

from ..harness.connections import Connection, code, connected
from ..harness.families import Family
from ..harness.naming import spelled
from ..harness.waiting import PATIENCE, turn, until

Serve = Callable[..., gnet.Server]
Hold = Callable[..., Connection]

#: More than the kernel buffers on both sides of a connection over loopback.
MUCH = 20_000_000


@pytest.mark.parametrize('data', [
    b'abc', b'', bytearray(b'abc'), memoryview(b'abc'), array.array('H', [1, 2, 3]),
    memoryview(array.array('I', [1, 2])),
], ids=spelled)
def test_sendall_takes_whatever_has_bytes(hold: Hold, data: Any) -> None:
    c = hold()
    assert c.sock.sendall(data) is None
    assert c.sock.send(data) == memoryview(data).nbytes
    c.sock.end()
    assert c.peer.recv_until_end() == bytes(data) * 2


@pytest.mark.parametrize('data', ['text', None, 5])
def test_sendall_takes_nothing_else(hold: Hold, data: Any) -> None:
    c = hold()
    with pytest.raises(TypeError):
        c.sock.sendall(data)
    assert not c.sock.destroyed


@pytest.mark.parametrize('method', ['sendall', 'send'])
def test_flags_are_not_supported(hold: Hold, method: str) -> None:
    c = hold()
    with pytest.raises(OSError, match='flags are not supported') as caught:
        getattr(c.sock, method)(b'x', socket.MSG_OOB)
    assert caught.value.errno == errno.EOPNOTSUPP
    getattr(c.sock, method)(b'x', getattr(socket, 'MSG_NOSIGNAL', 0))


def test_sendall_returns_when_the_kernel_has_all(hold: Hold) -> None:
    c = hold()
    data = bytes(range(256)) * (MUCH // 256)
    sending = gevent.spawn(c.sock.sendall, data)
    until(lambda: c.sock.writable_length)
    assert not sending.ready()
    assert c.peer.recv_exactly(len(data)) == data
    sending.get(timeout=PATIENCE)
    assert c.sock.bytes_written == len(data)
    assert c.sock.writable_length == 0


def test_sendall_counts_bytes_and_not_the_items_of_an_array(hold: Hold, tmp_path: Path) -> None:
    def unix(name: str) -> Connection:  # where the kernel takes as much each time
        return hold(target={'path': str(tmp_path / name)})

    probed = unix('probed')
    probed.sock.settimeout(0)
    taken = probed.sock.send(bytes(MUCH))
    c = unix('array')
    items = array.array('H', bytes(2 * taken))
    sending = gevent.spawn(c.sock.sendall, items)
    until(lambda: sending.ready() or c.sock.writable_length)
    assert c.sock.writable_length == taken
    assert len(c.peer.recv_exactly(2 * taken)) == 2 * taken
    sending.get(timeout=PATIENCE)


@pytest.mark.skipif(not sys.platform.startswith('linux'), reason='ru_maxrss is in KB on Linux')
def test_sendall_does_not_copy_what_it_sends(hold: Hold) -> None:
    c = hold()
    data = bytearray(64_000_000)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    sending = gevent.spawn(c.sock.sendall, data)
    until(lambda: c.sock.writable_length)
    with pytest.raises(BufferError):
        data.append(0)  # it is in use
    c.peer.close()
    c.sock.destroy()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gevent.get_hub(), 'print_exception', lambda *args: None)
        sending.join(PATIENCE)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert (after - before) * 1024 < 32_000_000


def test_concurrent_writers_do_not_mix_their_chunks(hold: Hold) -> None:
    c = hold()
    size = 1_000_000
    letters = b'abcdefghijkl'
    sending = [gevent.spawn(c.sock.sendall, bytes([letter]) * size) for letter in letters]
    received = c.peer.recv_exactly(size * len(letters))
    gevent.joinall(sending, timeout=PATIENCE, raise_error=True)
    chunks = [received[start:start + size] for start in range(0, len(received), size)]
    assert sorted(chunks) == [bytes([letter]) * size for letter in letters]


def test_a_writer_does_not_wait_for_what_is_sent_behind_its_own(hold: Hold) -> None:
    connection = hold()
    sock, peer = connection.sock, connection.peer
    before = gevent.spawn(sock.sendall, bytes(20_000_000))
    until(lambda: sock.writable_length)
    short = gevent.spawn(sock.sendall, b'short')
    until(lambda: sock._blocking.senders == 2)
    behind = gevent.spawn(sock.sendall, bytes(50_000_000))
    until(lambda: sock._blocking.senders == 3)
    peer.recv_exactly(20_000_000)
    short.get(timeout=PATIENCE)
    assert before.ready()
    assert not behind.ready()
    peer.recv_exactly(50_000_005)
    behind.get(timeout=PATIENCE)
    assert sock.writable_length == 0


def test_write_and_sendall_go_out_in_the_order_of_the_calls(hold: Hold) -> None:
    c = hold()
    c.sock.write(bytes(MUCH))
    sending = gevent.spawn(c.sock.sendall, b'second')
    until(lambda: c.sock._queue)
    c.sock.write(b'third')
    assert c.peer.recv_exactly(MUCH + 11)[MUCH:] == b'secondthird'
    sending.get(timeout=PATIENCE)


def test_sendall_sends_what_cork_holds_back(hold: Hold) -> None:
    c = hold()
    c.sock.settimeout(PATIENCE)
    c.sock.cork()
    c.sock.write(b'fir')
    c.sock.write(b'st ')
    c.sock.sendall(b'second')
    assert c.peer.recv_exactly(12) == b'first second'


# --- timeouts -----------------------------------------------------------------------------------


def test_sendall_times_out_and_gives_up_the_rest(hold: Hold) -> None:
    c = hold()
    c.sock.settimeout(0.05)
    with pytest.raises(socket.timeout, match='timed out'):
        c.sock.sendall(bytes(MUCH))
    sent = c.sock.bytes_written
    assert 0 < sent < MUCH
    c.sock.settimeout(None)
    c.sock.write(b'after')
    assert len(c.peer.recv_exactly(sent)) == sent
    assert c.peer.recv_exactly(5) == b'after'
    assert c.sock.bytes_written == sent + 5
    until(lambda: c.sock.writable_length == 0)


def test_send_says_how_much_was_sent_in_time(hold: Hold) -> None:
    c = hold()
    c.sock.settimeout(0.05)
    sizes = []

    def fill() -> None:
        while True:  # until the kernel has no room at all
            sizes.append(c.sock.send(bytes(MUCH)))

    with pytest.raises(socket.timeout, match='timed out'):
        fill()
    assert 0 < sizes[0] < MUCH
    assert len(c.peer.recv_exactly(sum(sizes))) == sum(sizes)


def test_with_a_timeout_of_zero_nothing_waits(hold: Hold) -> None:
    c = hold()
    c.sock.settimeout(0)
    sent: list[int] = []

    def send_for_ever() -> None:
        while True:
            sent.append(c.sock.send(bytes(100_000)))

    with pytest.raises(BlockingIOError) as caught:
        send_for_ever()
    assert caught.value.errno == errno.EAGAIN
    with pytest.raises(BlockingIOError):
        c.sock.sendall(b'x' * 5_000_000)
    assert c.sock.bytes_written >= sum(sent)
    c.sock.write(b'queued')
    with pytest.raises(BlockingIOError):
        c.sock.send(b'x')  # it must not overtake what is queued


def test_a_killed_writer_leaves_the_socket_usable(hold: Hold) -> None:
    c = hold()
    sending = gevent.spawn(c.sock.sendall, bytes(MUCH))
    until(lambda: c.sock.writable_length)
    sending.kill()
    sent = c.sock.bytes_written
    c.sock.write(b'after')
    assert len(c.peer.recv_exactly(sent)) == sent
    assert c.peer.recv_exactly(5) == b'after'


# --- failures -----------------------------------------------------------------------------------


def failing(sending: Any) -> Any:
    """Wait for a greenlet that fails, and return what it failed with."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gevent.get_hub(), 'print_exception', lambda *args: None)
        sending.join(PATIENCE)
        turn()
    assert sending.ready()
    return sending.exception


@pytest.mark.parametrize('begun', [False, True])
def test_closing_fails_the_blocked_writer(hold: Hold, begun: bool) -> None:
    c = hold()
    if begun:
        c.sock.write(bytes(MUCH))
    sending = gevent.spawn(c.sock.sendall, bytes(MUCH))
    until(lambda: c.sock.writable_length >= MUCH * (1 + begun) - 8_000_000)
    c.sock.destroy()
    error = failing(sending)
    assert isinstance(error, OSError) or code(error).startswith('ERR_')
    with pytest.raises(OSError, match='Socket is closed') as caught:
        c.sock.sendall(b'x')
    assert caught.value.errno == errno.EBADF
    with pytest.raises(OSError, match='Socket is closed'):
        c.sock.send(b'x')


def test_a_reset_fails_the_blocked_writer(hold: Hold) -> None:
    c = hold()
    sending = gevent.spawn(c.sock.sendall, bytes(MUCH))
    until(lambda: c.sock.writable_length)
    c.peer.reset()
    error = failing(sending)
    assert isinstance(error, OSError)
    c.until_closed()
    with pytest.raises(ConnectionResetError):
        c.sock.sendall(b'x')


def test_writing_to_a_peer_that_is_gone_fails_at_once(hold: Hold) -> None:
    c = hold()
    c.peer.close()
    c.sock.sendall(b'one')
    turn()
    for _ in range(2):
        with pytest.raises((BrokenPipeError, ConnectionResetError)) as caught:
            c.sock.sendall(b'two')
    assert caught.value.syscall in ('read', 'write')  # type: ignore[union-attr]


def test_writing_after_the_own_end_is_a_broken_pipe(hold: Hold) -> None:
    c = hold()
    c.sock.end()
    for method in (c.sock.sendall, c.sock.send):
        with pytest.raises(BrokenPipeError, match='write EPIPE'):
            method(b'x')
    c.sock.settimeout(0)
    with pytest.raises(BrokenPipeError):
        c.sock.send(b'x')
    assert not c.sock.destroyed  # unlike a write() after end()


def test_a_socket_without_a_connection_cannot_be_written() -> None:
    for method in ('sendall', 'send'):
        with pytest.raises(OSError, match='ENOTCONN'):
            getattr(gnet.Socket(), method)(b'x')


# --- shutdown -----------------------------------------------------------------------------------


def test_shutting_the_writing_half_is_an_end_for_the_peer(hold: Hold) -> None:
    c = hold()
    c.sock.sendall(b'x')
    c.sock.shutdown(socket.SHUT_WR)
    c.sock.shutdown(socket.SHUT_WR)
    assert c.peer.recv_until_end() == b'x'
    c.peer.sendall(b'y')
    assert c.sock.recv(10) == b'y'
    c.wait('finish')


def test_shutdown_sends_first_what_is_queued(hold: Hold) -> None:
    c = hold()
    c.sock.write(bytes(MUCH))
    shutting = gevent.spawn(c.sock.shutdown, socket.SHUT_WR)
    turn()
    assert not shutting.ready()
    assert len(c.peer.recv_until_end()) == MUCH
    shutting.get(timeout=PATIENCE)


def shut_both(sock: Any) -> None:
    """Shut both halves: nothing else may happen meanwhile."""
    other = gevent.spawn(int)
    sock.shutdown(socket.SHUT_RDWR)
    assert not other.ready()
    other.get(timeout=PATIENCE)


def reads_end(sock: Any) -> None:
    assert sock.recv(10) == b''


def raises_broken_pipe(call: Callable[..., object], *args: Any) -> None:
    with pytest.raises(BrokenPipeError):
        call(*args)


ROLES = pytest.mark.parametrize('role', ['server', 'client'])


@pytest.fixture
def made(role: str, serve: Serve, connect: Any, dial: Any, family: Family) -> Iterator[Connection]:
    """A connection of each role and family; the handler of the accepted one is at work."""
    if role == 'client':
        made = dial(family=family)
        made.wait('ready')
        yield made
        return
    over = Event()
    accepted: AsyncResult[Connection] = AsyncResult()

    def handler(sock: Any) -> None:
        accepted.set(Connection(sock))
        over.wait()

    server = serve(handler, target=family.listen_options)
    peer = connect(server)
    connection = accepted.get(timeout=PATIENCE)
    connection.peer = peer
    yield connection
    over.set()


@ROLES
def test_shutting_both_halves_wakes_who_is_blocked(made: Connection) -> None:
    sock = made.sock
    greenlets = [
        gevent.spawn(reads_end, sock), gevent.spawn(raises_broken_pipe, sock.sendall, bytes(MUCH))]
    until(lambda: sock._wire.reader and sock._blocking.senders)
    shut_both(sock)
    for greenlet in greenlets:
        greenlet.get(timeout=PATIENCE)
    assert len(made.peer.recv_until_end()) < MUCH
    raises_broken_pipe(sock.sendall, b'x')
    raises_broken_pipe(sock.send, b'x')


@ROLES
def test_shutting_both_halves_wakes_a_reader(made: Connection) -> None:
    reading = gevent.spawn(reads_end, made.sock)
    until(lambda: made.sock._wire.reader)
    shut_both(made.sock)
    reading.get(timeout=PATIENCE)
    assert made.peer.recv_until_end() == b''
    reads_end(made.sock)
    made.until_closed()  # both halves are done


@ROLES
@pytest.mark.parametrize('wait', [
    lambda sock: sock.shutdown(socket.SHUT_WR), lambda sock: sock.to_socket(),
    lambda sock: (sock.end(), sock.to_socket()),
], ids=['shutdown', 'to_socket', 'end, to_socket'])
def test_shutting_both_halves_wakes_who_waits_for_what_is_queued(
    made: Connection, wait: Any,
) -> None:
    made.sock.write(bytes(MUCH))
    waiting = gevent.spawn(raises_broken_pipe, wait, made.sock)
    until(lambda: made.sock._end_callbacks or made.sock._blocking.senders)
    shut_both(made.sock)
    waiting.get(timeout=PATIENCE)
    assert len(made.peer.recv_until_end()) < MUCH


@ROLES
def test_shutting_both_halves_does_not_wait_for_what_is_queued(made: Connection) -> None:
    made.sock.write(bytes(MUCH))
    shut_both(made.sock)
    reads_end(made.sock)
    assert len(made.peer.recv_until_end()) == MUCH
    made.wait('finish')


def test_shutdown_does_not_wait_longer_than_the_timeout(hold: Hold) -> None:
    c = hold()
    c.sock.write(bytes(MUCH))
    c.sock.settimeout(0.02)
    with pytest.raises(socket.timeout):
        c.sock.shutdown(socket.SHUT_WR)


def test_shutdown_checks_its_argument_and_the_state(hold: Hold) -> None:
    c = hold()
    with pytest.raises(OSError, match='Invalid argument'):
        c.sock.shutdown(9)
    c.sock.destroy()
    with pytest.raises(OSError, match='Socket is closed'):
        c.sock.shutdown(socket.SHUT_WR)


def test_a_socket_that_was_shut_after_the_peers_end_reads_as_ended(hold: Hold) -> None:
    c = hold()
    c.peer.end()
    assert c.sock.recv(10) == b''
    c.sock.shutdown(socket.SHUT_WR)
    c.until_closed()
    assert c.sock.recv(10) == b''
    c.sock.close()


# --- what send() counts and raises --------------------------------------------------------------


def test_send_that_times_out_counts_its_own_bytes_only(serve: Serve) -> None:
    over = Event()
    server = serve(lambda peer: over.wait())
    sock = connected(server).sock
    gnet.once(sock, 'connect', timeout=PATIENCE)
    while sock.write(bytes(1_000_000)):
        pass
    sock.settimeout(0.01)
    gevent.spawn(sock.write, bytes(77))  # while send() waits
    with pytest.raises(socket.timeout):
        sock.send(bytes(1000))
    sock.destroy()
    over.set()


def test_send_counts_what_was_sent_before_its_time_was_over(serve: Serve) -> None:
    over = Event()
    server = serve(lambda peer: over.wait())
    sock = connected(server).sock
    gnet.once(sock, 'connect', timeout=PATIENCE)
    sock.settimeout(0.01)
    size = 50_000_000  # more than the kernel buffers
    sent = sock.send(bytes(size))
    assert 0 < sent < size
    assert sock.bytes_written == sent
    sock.destroy()
    over.set()


def test_send_counts_what_was_sent_also_if_its_time_is_over_as_the_socket_is_destroyed(
    hold: Hold,
) -> None:
    c = hold()
    c.sock.settimeout(PATIENCE)
    sending = gevent.spawn(c.sock.send, bytes(MUCH))
    received = len(c.peer.recv_exactly(12_000_000))  # more than the kernel takes at once
    # As a hub does that is late: it looks at the times before it tells what destroy() leads to.
    gevent.get_hub().loop.run_callback(sending.throw, socket.timeout('timed out'))
    c.sock.destroy()
    assert sending.get() == received + len(c.peer.recv_until_end())


def test_send_raises_what_its_socket_was_destroyed_with_also_when_that_is_a_timeout() -> None:
    connection = Connection(gnet.Socket())
    sock = connection.sock
    sock.on('error', lambda error: None)
    sock.settimeout(0.01)
    sock.connect(port=1, host='some.name', lookup=lambda name, options, back: None)
    with pytest.raises(socket.timeout) as caught:
        sock.sendall(b'')  # the look-up never answers
    sock.destroy(caught.value)
    for _ in range(2):
        with pytest.raises(socket.timeout):
            sock.send(b'twelve bytes')
    connection.wait('close')
