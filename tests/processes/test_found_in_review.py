"""Faults that a reading of the code has found, and what stands in their neighbourhood."""

from __future__ import annotations

import _socket
import array
import os
import socket as stdlib
from collections.abc import Iterator
from typing import Any

import pytest
from gevent.event import AsyncResult, Event

import gnet
from gnet.loop.loop import get_loop
from gnet.processes import messaging
from gnet.processes.channel import Channel
from gnet.processes.counting import SentSockets
from gnet.processes.messaging import Messaging, peer_of

from ..sockets.common import turn, until
from .conftest import PATIENCE
from .test_lost_handles import stopped


class End:
    """One end of a channel; ``theirs`` is the plain socket of the other one."""

    def __init__(self) -> None:
        # Raw ones, which close at once in a patched process as well.
        ours, self.theirs = _socket.socketpair()
        self.theirs.settimeout(PATIENCE)
        self.messaging = Messaging(get_loop())
        self.received: list[Any] = []
        self.left = Event()
        self.messaging.on('disconnect', self.left.set)
        peer_of(self.messaging).open(ours.detach()).unref()

    def hear(self) -> None:
        self.messaging.on('message', lambda message, handle: self.received.append(message))

    def close(self) -> None:
        self.theirs.close()
        assert self.left.wait(PATIENCE)


@pytest.fixture
def end() -> Iterator[End]:
    end = End()
    yield end
    end.close()


@pytest.mark.parametrize('method', ['ref', 'unref'])
def test_ref_and_unref_of_a_child_that_has_just_ended_change_nothing(
    fork: Any, method: str,
) -> None:
    loop = get_loop()
    before = loop._held
    child = fork("import gnet; gnet.process.send('last words')")
    if method == 'ref':
        child.process.unref()
    child.process.on('message', lambda *_args: getattr(child.process, method)())
    # The program is busy until the child has ended, and sees both at once.
    os.waitid(os.P_PID, child.process.pid, os.WEXITED | os.WNOWAIT)
    child.wait()
    assert child.message() == 'last words'
    assert loop._held == before


def test_a_program_lives_until_what_waits_behind_a_handle_is_sent(end: End) -> None:
    near, far = stdlib.socketpair()
    with near, far:
        end.messaging.send('first', near)
        end.messaging.send('second')
        assert gnet.run(0.1) is False
        assert b'"first"' in end.theirs.recv(1000)
        end.theirs.send(b'{"cmd":"NODE_HANDLE_ACK"}\n')
        assert gnet.run(PATIENCE) is True
        assert end.theirs.recv(1000) == b'"second"\n'


def test_a_program_does_not_live_for_a_handle_whose_receiver_is_gone(end: End) -> None:
    before = get_loop()._held
    near, far = stdlib.socketpair()
    errors: list[Any] = []
    with near, far:
        for _ in range(2):
            end.messaging.send('take', near, lambda error: errors.append(error.code))
        end.theirs.close()
        until(lambda: len(errors) == 2)
    assert errors == ['ERR_IPC_CHANNEL_CLOSED'] * 2
    assert get_loop()._held == before


def test_a_blocking_callback_of_get_connections_holds_up_no_message(end: End) -> None:
    server = gnet.create_server()
    tracker = end.messaging._tallies.track('key')
    assert isinstance(tracker, SentSockets)
    server._setup_worker(tracker)
    end.hear()
    go_on = Event()
    counts: list[Any] = []

    def counted(error: Any, count: Any) -> None:
        go_on.wait(PATIENCE)
        counts.append((error, count))

    server.get_connections(counted)
    assert b'NODE_SOCKET_GET_COUNT' in end.theirs.recv(1000)
    end.theirs.send(b'{"cmd":"NODE_SOCKET_COUNT","key":"key","count":3}\n"a"\n')
    until(lambda: end.received)
    end.theirs.send(b'"b"\n')
    until(lambda: len(end.received) == 2)
    assert (end.received, counts) == (['a', 'b'], [])
    go_on.set()
    until(lambda: counts)
    assert counts == [(None, 3)]


def test_part_of_a_character_travels_along(fork: Any, serve: Any, connect: Any) -> None:
    child = fork("""
        import gnet
        def serve(message, sock):
            sock.on('data', lambda chunk: sock.end(chunk) if b'!' in chunk else sock.write(chunk))
        gnet.process.on('message', serve)
    """)
    read: list[str] = []

    def handler(sock: Any) -> None:
        sock.set_encoding('utf8')

        def heard(text: str) -> None:
            read.append(text)
            child.send('serve', sock)

        sock.on('data', heard)

    peer = connect(serve(handler))
    peer.sendall(b'a\xe2\x82')
    assert peer.recv_exactly(2) == b'\xe2\x82'
    peer.sendall(b'\xac!')
    assert peer.recv_until_end() == b'\xac!'
    assert read == ['a']


@pytest.mark.parametrize('state', ['written', 'ending', 'shut'])
def test_one_that_comes_back_can_be_ended_whatever_it_was_doing(
    fork: Any, serve: Any, connect: Any, state: str,
) -> None:
    child = stopped(fork)
    told: list[str] = []
    back: AsyncResult[Any] = AsyncResult()

    def handler(sock: Any) -> None:
        def send(*_args: Any) -> None:
            child.send('take', sock, back.set)
            child.process.kill('SIGKILL')

        for event in ('finish', 'end', 'close'):
            sock.on(event, lambda *_args, name=event: told.append(name))
        sock.write('text', lambda _error: told.append('written'))
        if state != 'written':
            sock.end(lambda _error: told.append('ended'))
        if state == 'shut':
            sock.on('prefinish', send)
        else:
            send()
        sock.resume()

    peer = connect(serve(handler))
    assert back.get(timeout=PATIENCE).code == 'ERR_IPC_CHANNEL_CLOSED'
    peer.end()
    assert peer.recv_until_end() == b'text'
    until(lambda: 'close' in told)
    # (The event 'end' may come earlier.)
    assert [name for name in told if name != 'end'] == [
        'written', *(['ended'] if state != 'written' else []), 'finish', 'close']


def test_one_that_comes_back_still_says_when_it_has_drained(
    fork: Any, serve: Any, connect: Any,
) -> None:
    child = stopped(fork)
    size = 10_000_000

    def handler(sock: Any) -> None:
        sock.once('drain', sock.end)
        assert sock.write(bytes(size)) is False
        child.send('take', sock, lambda _error: None)
        child.process.kill('SIGKILL')

    peer = connect(serve(handler))
    assert len(peer.recv_until_end()) == size


def test_callbacks_of_one_that_is_destroyed_on_its_way_are_called(
    fork: Any, serve: Any, connect: Any,
) -> None:
    child = stopped(fork)
    codes: list[Any] = []

    def handler(sock: Any) -> None:
        sock.cork()
        sock.write('first', lambda error: codes.append(error))
        sock.uncork()
        sock.write(bytes(10_000_000), lambda error: codes.append(error.code))
        sock.end(lambda error: codes.append(error.code))
        child.send('take', sock, lambda error: codes.append(error.code))
        sock.destroy()
        child.process.kill('SIGKILL')

    peer = connect(serve(handler))
    until(lambda: len(codes) == 4)
    assert codes == [
        None, 'ERR_STREAM_DESTROYED', 'ERR_STREAM_DESTROYED', 'ERR_IPC_CHANNEL_CLOSED']
    assert peer.recv_until_end().startswith(b'first')


def test_a_closed_server_does_not_wait_for_a_child_that_was_gone_before(
    fork: Any, serve: Any, connect: Any, hub_reports: Any,
) -> None:
    child = fork('pass')
    child.wait()
    closed = Event()

    def handler(sock: Any) -> None:
        server.close(lambda _error: closed.set())
        child.send('too late', sock)

    server = serve(handler)
    peer = connect(server)
    assert peer.recv_until_end() == b''
    assert closed.wait(PATIENCE)
    assert server._connections == 0
    [(_, error)] = hub_reports  # nobody listens to the connection's 'error'
    assert error.code == 'ERR_IPC_CHANNEL_CLOSED'


def test_a_message_does_not_get_the_descriptor_of_the_next_one(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture,
) -> None:
    """Two were under way; the first could not be received."""
    taken: list[tuple[Any, bool]] = []

    def received(message: Any) -> None:
        descriptor = channel.take_descriptor()
        taken.append((message, descriptor is not None))
        if descriptor is not None:
            os.close(descriptor)

    def over() -> None:
        taken.append(('closed', False))

    ours, theirs = _socket.socketpair()
    near, far = _socket.socketpair()
    channel = Channel(get_loop(), ours.detach(), 'the test', received, over)
    recvmsg = channel._sock.recvmsg

    class Full:
        """The socket of a process that has no free descriptors at first."""

        def recvmsg(self, *args: Any) -> Any:
            data, ancillary, flags, address = recvmsg(*args)
            channel._sock = sock
            [(_, _, rights)] = ancillary
            os.close(array.array('i', rights)[0])
            return data, [], flags | _socket.MSG_CTRUNC, address

    sock, channel._sock = channel._sock, Full()
    try:
        for text in (b'1\n', b'2\n'):
            rights = array.array('i', [near.fileno()])
            theirs.sendmsg([text], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, rights)])
        channel.read_on()
        channel.read_on()
        until(lambda: len(taken) == 2)
        assert taken == [(1, False), (2, True)]
        assert 'could not be received' in caplog.text
    finally:
        for each in (theirs, near, far):
            each.close()
        until(lambda: taken[-1] == ('closed', False))
        turn()


def test_a_connection_with_too_much_to_send_is_refused_and_goes_on_here(
    monkeypatch: pytest.MonkeyPatch, fork: Any, serve: Any, connect: Any,
) -> None:
    child = stopped(fork)
    monkeypatch.setattr(messaging, 'MAX_LINE', 1_000_000)
    refused: list[Any] = []
    size = 10_000_000

    def handler(sock: Any) -> None:
        sock.write(bytes(size))
        try:
            child.send('take', sock)
        except gnet.CodedTypeError as error:
            refused.append((error.code, server._connections))
        sock.end()

    server = serve(handler)
    peer = connect(server)
    assert len(peer.recv_until_end()) == size
    assert refused == [('ERR_INVALID_ARG_VALUE', 1)]


def test_what_only_looks_like_a_socket_leaves_no_descriptor(end: End) -> None:
    readable, writable = os.pipe()

    class Strange:
        type = _socket.SOCK_STREAM

        def fileno(self) -> int:
            return readable

        def getsockopt(self, *_args: Any) -> int:
            return 0

    free = os.dup(readable)
    os.close(free)
    turn()  # in which the os.close() of a patched process closes
    try:
        with pytest.raises(OSError, match='non-socket'):
            end.messaging.send('take', Strange())
        turn()
        again = os.dup(readable)
        os.close(again)
        assert again == free
    finally:
        os.close(readable)
        os.close(writable)


def test_the_end_of_a_child_is_told_even_if_the_rest_of_its_channel_cannot_be_read(
    fork: Any, hub_reports: list[Any], monkeypatch: pytest.MonkeyPatch,
) -> None:
    def no_memory(_channel: Any) -> None:
        raise MemoryError

    monkeypatch.setattr(Channel, 'drain', no_memory)
    child = fork("""
        import os, sys
        if os.fork():
            os._exit(0)
        sys.stdin.read()  # keeps the channel open until 'exit', which closes this
    """, stdio=['pipe', 'inherit', 'inherit', 'ipc'])
    assert child.wait() == (0, None)
    assert child.names() == ['spawn', 'exit', 'disconnect', 'close']
    assert [type(error) for _, error in hub_reports] == [MemoryError]
