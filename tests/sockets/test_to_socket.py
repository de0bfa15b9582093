"""``to_socket``: a connection is given away, and nothing of it is lost."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable, Iterator
from typing import Any

import gevent
import gevent.socket
import pytest
from gevent.event import AsyncResult, Event

import gnet
from gnet.sockets.wire import DescriptorWire

from ..harness.connections import Connection, code, connected, target_of
from ..harness.families import Family
from ..harness.plain import PlainSocket
from ..harness.waiting import PATIENCE, until

Serve = Callable[..., gnet.Server]
Hold = Callable[..., Connection]

#: More than the kernel buffers on both sides of a connection over loopback.
MUCH = 20_000_000


@pytest.fixture
def to_socket() -> Iterator[Callable[..., Any]]:
    """``to_socket(sock, cls)``; what it returns is closed after the test."""
    made: list[Any] = []

    def to_socket(sock: Any, *args: Any) -> Any:
        made.append(sock.to_socket(*args))
        return made[-1]

    yield to_socket
    for each in made:
        each.close()


CLASSES = pytest.mark.parametrize('cls', [gevent.socket.socket, PlainSocket])


@CLASSES
def test_the_new_socket_is_of_the_class_that_was_asked_for(
    hold: Hold, to_socket: Any, family: Family, cls: Any,
) -> None:
    c = hold(target=family.listen_options)
    names = c.sock.getsockname(), c.sock.getpeername()
    number = c.sock.fileno()
    plain = to_socket(c.sock, *([] if cls is gevent.socket.socket else [cls]))
    assert type(plain) is cls
    assert (plain.fileno(), plain.family, plain.type) == (
        number, family.number, socket.SOCK_STREAM)
    assert (plain.getsockname(), plain.getpeername()) == names
    c.peer.sendall(b'there')
    assert plain.recv(10) == b'there'
    plain.sendall(b'back')
    assert c.peer.recv_exactly(4) == b'back'
    assert c.sock.destroyed
    assert c.until_closed()[-1] == 'close False {closed}'


def into(plain: Any, name: str, *args: Any) -> bytes:
    buffer = bytearray(4)
    size = getattr(plain, name)(buffer, *args)
    return bytes(buffer[:size[0] if isinstance(size, tuple) else size])


def peeked(plain: Any) -> bytes:
    first: bytes = plain.recv(4, socket.MSG_PEEK)
    assert plain.recv(2, socket.MSG_PEEK) == first[:2]
    assert plain.recv(4) == first
    return first


@CLASSES
@pytest.mark.parametrize('read', [
    lambda s: s.recv(4), peeked, lambda s: s.recvfrom(4)[0], lambda s: s.recvmsg(4)[0],
    lambda s: into(s, 'recv_into'), lambda s: into(s, 'recv_into', 3),
    lambda s: into(s, 'recvfrom_into'), lambda s: into(s, 'recvfrom_into', 3),
], ids=['recv', 'MSG_PEEK', 'recvfrom', 'recvmsg', 'recv_into', 'recv_into 3', 'recvfrom_into',
        'recvfrom_into 3'])
def test_what_was_read_ahead_is_read_first(
    hold: Hold, to_socket: Any, cls: Any, read: Callable[[Any], bytes],
) -> None:
    c = hold()
    c.peer.sendall(b'read ahead; ')
    until(lambda: c.sock.bytes_read == 12)
    plain = to_socket(c.sock, cls)
    assert isinstance(plain, cls)
    c.peer.sendall(b'read late')
    c.peer.end()
    assert b''.join(iter(lambda: read(plain), b'')) == b'read ahead; read late'


@CLASSES
def test_peeking_shows_what_comes_behind_it(hold: Hold, to_socket: Any, cls: Any) -> None:
    c = hold()
    c.peer.sendall(b'ab')
    until(lambda: c.sock.bytes_read == 2)
    plain = to_socket(c.sock, cls)
    seen = [plain.recv(6, socket.MSG_PEEK)]
    for data in (b'cd', b'efgh'):
        c.peer.sendall(data)
        seen.append(plain.recv(6, socket.MSG_PEEK))
    c.peer.end()
    assert seen == [b'ab', b'abcd', b'abcdef']
    assert plain.recv(6) == b'abcdef'
    assert [plain.recv(6), plain.recv(6)] == [b'gh', b'']


@CLASSES
def test_a_file_reads_first_what_was_read_ahead(hold: Hold, to_socket: Any, cls: Any) -> None:
    c = hold()
    c.peer.sendall(b'one\ntw')
    assert c.sock.recv(1) == b'o'  # a part of what arrived
    plain = to_socket(c.sock, cls)
    c.peer.sendall(b'o\nthree')
    c.peer.end()
    with plain.makefile('rb') as lines:
        assert list(lines) == [b'ne\n', b'two\n', b'three']


def test_what_was_read_ahead_needs_no_waiting(hold: Hold, to_socket: Any) -> None:
    c = hold()
    c.peer.sendall(b'ab')
    until(lambda: c.sock.bytes_read == 2)
    c.sock.settimeout(0)
    plain = to_socket(c.sock)
    assert plain.gettimeout() == 0
    assert [plain.recv(1), plain.recv(0), plain.recv(1)] == [b'a', b'', b'b']
    with pytest.raises(BlockingIOError):
        plain.recv(1)


@pytest.mark.parametrize('ended', [False, True], ids=['open', 'after end()'])
def test_what_is_queued_is_sent_first(hold: Hold, to_socket: Any, ended: bool) -> None:
    c = hold()
    c.sock.write(bytes(MUCH))
    c.sock.write(b'last')
    if ended:
        c.sock.end()
    handing_over = gevent.spawn(to_socket, c.sock, PlainSocket)
    until(lambda: c.sock._blocking.senders or c.sock._end_callbacks)
    assert not handing_over.ready()
    assert c.peer.recv_exactly(MUCH + 4) == bytes(MUCH) + b'last'
    plain = handing_over.get(timeout=PATIENCE)
    c.peer.sendall(b'x')
    assert plain.recv(1) == b'x'
    if not ended:
        plain.sendall(b'y')
        plain.shutdown(socket.SHUT_WR)
    assert c.peer.recv_until_end() == (b'' if ended else b'y')


def test_what_is_queued_is_not_waited_for_beyond_the_timeout(hold: Hold) -> None:
    c = hold()
    c.sock.write(bytes(MUCH))
    c.sock.settimeout(0.05)
    with pytest.raises(socket.timeout):
        c.sock.to_socket()
    assert c.sock.ready_state == 'open'
    assert c.peer.recv_exactly(MUCH) == bytes(MUCH)


def test_after_the_peers_end_what_came_before_is_read(hold: Hold, to_socket: Any) -> None:
    c = hold()
    c.peer.sendall(b'last')
    c.peer.end()
    until(lambda: c.sock._wire._read_watcher is not None and not c.sock._wire._read_watcher.active)
    plain = to_socket(c.sock)
    assert [plain.recv(10), plain.recv(10), plain.recv(10)] == [b'last', b'', b'']
    plain.sendall(b'answer')
    plain.close()
    assert c.peer.recv_until_end() == b'answer'


def test_after_a_reset_it_raises_that(hold: Hold) -> None:
    c = hold()
    c.peer.reset()
    c.wait('close')
    with pytest.raises(ConnectionResetError, match='read ECONNRESET'):
        c.sock.to_socket()


@pytest.mark.parametrize(('make', 'number'), [
    (gnet.Socket, errno.ENOTCONN), (lambda: gnet.Socket().destroy(), errno.EBADF),
])
def test_a_socket_without_a_connection_has_none_to_give(make: Any, number: int) -> None:
    with pytest.raises(OSError, match=r'not connected|ENOTCONN|closed') as caught:
        make().to_socket()
    assert caught.value.errno == number


def test_while_another_greenlet_reads_it_is_refused(hold: Hold, to_socket: Any) -> None:
    c = hold()
    reading = gevent.spawn(c.sock.recv, 10)
    until(lambda: c.sock._wire.reader)
    with pytest.raises(gnet.CodedRuntimeError) as caught:
        c.sock.to_socket()
    assert code(caught.value) == 'ERR_CONCURRENT_READ'
    c.peer.sendall(b'x')
    assert reading.get(timeout=PATIENCE) == b'x'
    plain = to_socket(c.sock)
    c.peer.sendall(b'y')
    assert plain.recv(10) == b'y'


def test_while_data_flows_it_is_refused(hold: Hold, to_socket: Any) -> None:
    c = hold()
    received: list[bytes] = []
    c.sock.on('data', received.append)
    with pytest.raises(gnet.CodedRuntimeError) as caught:
        c.sock.to_socket()
    assert code(caught.value) == 'ERR_READING_IN_EVENT_STYLE'
    c.peer.sendall(b'x')
    until(lambda: received == [b'x'])
    c.sock.pause()
    plain = to_socket(c.sock)
    c.peer.sendall(b'y')
    assert plain.recv(10) == b'y'


def test_text_is_not_made_bytes_again(hold: Hold) -> None:
    c = hold()
    c.sock.set_encoding('utf8')
    c.peer.sendall('é'.encode())
    c.wait('readable')
    with pytest.raises(gnet.CodedRuntimeError) as caught:
        c.sock.to_socket()
    assert code(caught.value) == 'ERR_TEXT_IS_BUFFERED'
    assert c.sock.read() == 'é'


def test_a_file_that_is_open_may_have_read_ahead(hold: Hold, to_socket: Any) -> None:
    c = hold()
    c.peer.sendall(b'line\n')
    with c.sock.makefile('rb') as lines:
        assert lines.readline() == b'line\n'
        with pytest.raises(ValueError, match='close them first'):
            c.sock.to_socket()
    c.peer.sendall(b'rest')
    assert to_socket(c.sock).recv(10) == b'rest'


def test_the_server_counts_it_no_more(hold: Hold, to_socket: Any) -> None:
    c = hold()
    server = c.sock.server
    assert server.get_connections() == 1
    to_socket(c.sock)
    assert server.get_connections() == 0


# --- before there is a connection ---------------------------------------------------------------


@CLASSES
def test_it_waits_for_the_connection(
    plain_listener: Any, to_socket: Any, family: Family, cls: Any,
) -> None:
    listener = plain_listener(family)
    sock = gnet.connect(**target_of(listener))
    sock.write(b'queued, ')
    sock.settimeout(PATIENCE)
    plain = to_socket(sock, cls)
    assert plain.gettimeout() == PATIENCE
    plain.sendall(b'sent')
    plain.shutdown(socket.SHUT_WR)
    accepted, _ = listener.accept()
    with accepted:
        assert accepted.recv(100) == b'queued, sent'


def test_it_raises_why_there_is_no_connection(plain_listener: Any) -> None:
    listener = plain_listener()
    target = target_of(listener)
    listener.close()
    with pytest.raises(ConnectionRefusedError):
        gnet.connect(**target).to_socket()


def test_without_waiting_there_is_none_yet(plain_listener: Any) -> None:
    sock = gnet.connect(**target_of(plain_listener()))
    sock.settimeout(0)
    with pytest.raises(BlockingIOError):
        sock.to_socket()
    sock.destroy()


# --- what happens while it waits ----------------------------------------------------------------


def test_to_socket_gives_away_what_came_and_was_looked_at_while_it_waited(serve: Serve) -> None:
    size = 50_000_000  # more than the kernel buffers
    counted: AsyncResult[int] = AsyncResult()
    go_on = Event()

    def handler(peer: Any) -> None:
        peer.sendall(b'answer')
        go_on.wait()
        counted.set(sum(map(len, peer)))

    server = serve(handler)
    sock = connected(server).sock
    gnet.once(sock, 'connect', timeout=PATIENCE)
    sock.write(bytes(size))
    giving = gevent.spawn(sock.to_socket)
    until(lambda: sock.readable_length == 6)
    assert sock.read() == b'answer'
    sock.unshift(b'answer')
    go_on.set()
    with giving.get(timeout=PATIENCE) as made:
        made.settimeout(PATIENCE)
        assert made.recv(100) == b'answer'
    assert counted.get(timeout=PATIENCE) == size


def test_to_socket_sends_what_is_written_while_it_waits(serve: Serve) -> None:
    size = 50_000_000
    counted: AsyncResult[int] = AsyncResult()
    go_on = Event()

    def handler(peer: Any) -> None:
        go_on.wait()
        counted.set(sum(map(len, peer)))

    server = serve(handler)
    sock = connected(server).sock
    gnet.once(sock, 'connect', timeout=PATIENCE)
    sock.write(bytes(size))
    giving = gevent.spawn(sock.to_socket)
    gevent.sleep(0)  # let it begin
    sock.write(bytes(size))
    go_on.set()
    giving.get(timeout=PATIENCE).close()
    assert counted.get(timeout=PATIENCE) == 2 * size


def test_a_class_that_raises_costs_the_connection_and_not_what_was_read(hold: Hold) -> None:
    class Bad:
        def __init__(self, *args: Any, **options: Any) -> None:
            raise LookupError('mine')

    c = hold()
    c.peer.sendall(b'unread')
    until(lambda: c.sock.readable_length == 6)
    with pytest.raises(LookupError):
        c.sock.to_socket(Bad)
    assert (c.sock.ready_state, c.sock.fileno(), c.sock.read()) == ('closed', -1, b'unread')
    with pytest.raises(OSError, match='closed'):
        c.sock.recv(10)
    # Reset, as the bytes were read here: the peer learns at once that nobody has the connection.
    assert c.peer.recv_until_end() == b''


def test_detach_of_a_socket_whose_fin_cannot_be_sent_finds_none(
    hold: Hold, monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail() -> None:
        raise OSError(errno.EINVAL, 'made')

    c = hold()
    c.sock.on('error', lambda error: None)
    monkeypatch.setattr(DescriptorWire, 'shut_down', lambda self: fail())
    c.sock.end()
    assert c.sock.detach() == -1
    assert c.sock.destroyed
