"""One side of a channel whose other end is a plain socket: what it sends, how it takes the rest."""

from __future__ import annotations

import _socket
import array
import os
import socket as stdlib
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from gevent.event import Event

import gnet
from gnet.loop.loop import get_loop
from gnet.processes import messaging, this_process
from gnet.processes.channel import Channel
from gnet.processes.counting import SentSockets
from gnet.processes.messaging import Messaging, peer_of

from ..harness.leaks import holds
from ..harness.transitions import watched
from ..harness.waiting import PROCESS_PATIENCE, turn, until
from .common import stopped


class End:
    """One end of a channel; ``theirs`` is the plain socket of the other one."""

    def __init__(self) -> None:
        # Raw ones, which close at once in a patched process as well.
        ours, self.theirs = _socket.socketpair()
        self.theirs.settimeout(PROCESS_PATIENCE)
        self.messaging = Messaging(get_loop())
        self.received: list[Any] = []
        self.left = Event()
        self.messaging.on('disconnect', self.left.set)
        peer_of(self.messaging).open(ours.detach()).unref()

    def hear(self) -> None:
        self.messaging.on('message', lambda message, handle: self.received.append(message))

    def close(self) -> None:
        self.theirs.close()
        assert self.left.wait(PROCESS_PATIENCE)


@pytest.fixture
def end() -> Iterator[End]:
    end = End()
    yield end
    end.close()


@pytest.mark.parametrize('use', [
    lambda process: process.begin(), lambda process: process.on('disconnect', bool),
    lambda process: process.connected, lambda process: process.send('word'),
], ids=['begin', 'on', 'connected', 'send'])
def test_the_channel_of_this_process_is_opened_once_however_it_is_used_first(use: Any) -> None:
    ours, theirs = _socket.socketpair()
    process = this_process.Process(ours.detach())
    left = Event()
    with closing(theirs), watched((this_process.Process, '_start', this_process.FOLLOWS)) as wrong:
        assert not peer_of(process).connected
        use(process)
        assert peer_of(process).connected
        process.begin()
        process.on('disconnect', left.set)
        theirs.close()
        assert left.wait(PROCESS_PATIENCE)
        assert not process.connected
    assert wrong == []



def test_a_program_lives_until_what_waits_behind_a_handle_is_sent(end: End) -> None:
    near, far = stdlib.socketpair()
    with near, far:
        end.messaging.send('first', near)
        end.messaging.send('second')
        assert gnet.run(0.1) is False
        assert b'"first"' in end.theirs.recv(1000)
        end.theirs.send(b'{"cmd":"NODE_HANDLE_ACK"}\n')
        assert gnet.run(PROCESS_PATIENCE) is True
        assert end.theirs.recv(1000) == b'"second"\n'


def test_a_program_does_not_live_for_a_handle_whose_receiver_is_gone(end: End) -> None:
    before = holds()
    near, far = stdlib.socketpair()
    errors: list[Any] = []
    with near, far:
        for _ in range(2):
            end.messaging.send('take', near, lambda error: errors.append(error.code))
        end.theirs.close()
        until(lambda: len(errors) == 2)
    assert errors == ['ERR_IPC_CHANNEL_CLOSED'] * 2
    assert holds() == before


def test_a_blocking_callback_of_get_connections_holds_up_no_message(end: End) -> None:
    server = gnet.create_server()
    tracker = end.messaging._tallies.track('key')
    assert isinstance(tracker, SentSockets)
    server._setup_worker(tracker)
    end.hear()
    go_on = Event()
    counts: list[Any] = []

    def counted(error: Any, count: Any) -> None:
        go_on.wait(PROCESS_PATIENCE)
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
