"""A connection on its way to a process that dies, hangs or lies: answered, given back, closed."""

from __future__ import annotations

import random
from typing import Any

import pytest
from gevent.event import AsyncResult

from gnet.processes.messaging import peer_of

from ..harness.plain import PlainSocket
from ..harness.waiting import PROCESS_PATIENCE, until
from .common import stopped


@pytest.mark.parametrize('style', ['events', 'blocking'])
def test_with_a_callback_it_is_the_senders_again(
    fork: Any, serve: Any, connect: Any, family: Any, style: str,
) -> None:
    child = stopped(fork)
    outcome: AsyncResult[Any] = AsyncResult()

    def handler(sock: Any) -> None:
        if style == 'blocking':
            assert sock.recv(4) == b'head'

        def back(error: Any) -> None:
            outcome.set((error.code, server._connections))
            if style == 'blocking':
                sock.sendall(b'served here: ' + sock.recv(100))
                sock.close()
            else:
                sock.on('data', lambda chunk: sock.end(b'served here: ' + chunk))

        sock.write('unsent ')
        child.send('take', sock, back)
        assert server._connections == 0

    server = serve(handler, target=family.listen_options, allow_half_open=style == 'blocking')
    peer = connect(server)
    if style == 'blocking':
        peer.sendall(b'head')
    assert peer.recv_exactly(7) == b'unsent '
    child.process.kill('SIGKILL')
    assert outcome.get(timeout=PROCESS_PATIENCE) == ('ERR_IPC_CHANNEL_CLOSED', 1)
    peer.sendall(b'body')
    assert peer.recv_until_end() == b'served here: body'


def test_without_a_callback_it_is_destroyed(
    fork: Any, serve: Any, connect: Any, hub_reports: Any,
) -> None:
    child = stopped(fork)
    closed: AsyncResult[Any] = AsyncResult()

    def handler(sock: Any) -> None:
        sock.on('close', closed.set)
        child.send('take', sock)

    server = serve(handler, pause_on_connect=True)
    peer = connect(server)
    until(lambda: peer_of(child.process).under_way.handles)
    child.process.kill('SIGKILL')
    assert closed.get(timeout=PROCESS_PATIENCE) is True
    assert peer.recv_until_end() == b''
    child.wait()
    assert server.get_connections() == 0
    [(_, error)] = hub_reports
    assert error.code == 'ERR_IPC_CHANNEL_CLOSED'


def test_those_that_wait_behind_it_come_back_too(fork: Any, serve: Any, connect: Any) -> None:
    child = stopped(fork)
    back: list[Any] = []

    def handler(sock: Any) -> None:
        def returned(error: Any) -> None:
            back.append(error.code)
            sock.end('back')

        child.send('take', sock, returned)

    server = serve(handler, pause_on_connect=True)
    peers = [connect(server) for _ in range(5)]
    until(lambda: len(peer_of(child.process).under_way.waiting) == 4)
    child.process.kill('SIGKILL')
    assert [peer.recv_until_end() for peer in peers] == [b'back'] * 5
    assert back == ['ERR_IPC_CHANNEL_CLOSED'] * 5


def test_a_plain_socket_comes_back(fork: Any) -> None:
    child = stopped(fork)
    answer: AsyncResult[Any] = AsyncResult()
    with PlainSocket() as listener:
        listener.bind(('127.0.0.1', 0))
        listener.listen()
        with PlainSocket() as plain:
            plain.connect(listener.getsockname())
            child.send('take', plain, answer.set)
            child.process.kill('SIGKILL')
            assert answer.get(timeout=PROCESS_PATIENCE).code == 'ERR_IPC_CHANNEL_CLOSED'
            assert plain.getpeername() == listener.getsockname()


def test_what_has_meanwhile_become_of_the_socket_stays(
    fork: Any, serve: Any, connect: Any,
) -> None:
    child = stopped(fork)
    answer: AsyncResult[Any] = AsyncResult()

    def handler(sock: Any) -> None:
        child.send('take', sock, answer.set)
        sock.destroy()

    server = serve(handler, pause_on_connect=True)
    peer = connect(server)
    until(lambda: peer_of(child.process).under_way.handles)
    child.process.kill('SIGKILL')
    assert answer.get(timeout=PROCESS_PATIENCE).code == 'ERR_IPC_CHANNEL_CLOSED'
    assert peer.recv_until_end() == b''
    child.wait()
    assert server.get_connections() == 0


@pytest.mark.parametrize('resends', [1, 3])
def test_it_is_sent_again_when_it_did_not_arrive(
    fork_stranger: Any, serve: Any, connect: Any, resends: int,
) -> None:
    child = fork_stranger("""
        import sys
        lines = channel.makefile('rw')
        for _ in range(int(sys.argv[1])):
            message, descriptors, _, _ = socket.recv_fds(channel, 65536, 1)
            os.close(descriptors[0])
            channel.sendall(b'{"cmd":"NODE_HANDLE_NACK"}\\n')
        message, [descriptor], _, _ = socket.recv_fds(channel, 65536, 1)
        assert json.loads(message)['msg'] == 'take', message
        channel.sendall(b'{"cmd":"NODE_HANDLE_ACK"}\\n')
        connection = socket.socket(fileno=descriptor)
        connection.sendall(b'at last')
    """, str(resends))
    answer: AsyncResult[Any] = AsyncResult()
    server = serve(lambda sock: child.send('take', sock, answer.set), pause_on_connect=True)
    assert connect(server).recv_until_end() == b'at last'
    assert answer.get(timeout=PROCESS_PATIENCE) is None


def test_after_four_times_it_is_the_senders_again(
    fork_stranger: Any, serve: Any, connect: Any, caplog: Any,
) -> None:
    child = fork_stranger("""
        for _ in range(4):
            message, descriptors, _, _ = socket.recv_fds(channel, 65536, 1)
            os.close(descriptors[0])
            channel.sendall(b'{"cmd":"NODE_HANDLE_NACK"}\\n')
        assert channel.recv(100) == b'"next"\\n'
        channel.sendall(b'"well"\\n')
    """)

    def handler(sock: Any) -> None:
        child.send('take', sock, lambda error: sock.end(error.code))
        child.send('next')

    server = serve(handler, pause_on_connect=True)
    assert connect(server).recv_until_end() == b'ERR_HANDLE_NOT_RECEIVED'
    assert child.message() == 'well'
    [record] = caplog.records
    assert record.name == 'gnet.ipc'


def test_a_child_without_free_descriptors_has_it_sent_again(
    fork: Any, serve: Any, connect: Any,
) -> None:
    child = fork("""
        import gnet, logging, os, resource
        logging.getLogger('gnet.ipc').disabled = True
        resource.setrlimit(resource.RLIMIT_NOFILE, (60, 60))
        taken = []
        def take(message, sock):
            if message == 'free':
                while taken:
                    os.close(taken.pop())
            elif message == 'fill':
                try:
                    while True:
                        taken.append(os.open('/dev/null', os.O_RDONLY))
                except OSError:
                    gnet.process.send('full')
            else:
                sock.end('served')
        gnet.process.on('message', take)
    """)
    child.send('fill')
    assert child.message() == 'full'
    held: list[Any] = []

    def handler(sock: Any) -> None:
        def failed(error: Any) -> None:
            if error is not None:
                held.append(error.code)
                child.send('free')
                child.send('take', sock, failed)

        child.send('take', sock, failed)

    server = serve(handler, pause_on_connect=True)
    assert connect(server).recv_until_end() == b'served'
    assert held == ['ERR_HANDLE_NOT_RECEIVED']


@pytest.mark.parametrize('seed', range(3))
def test_children_killed_at_any_moment_lose_only_what_they_had(
    fork: Any, serve: Any, native: Any, seed: int,
) -> None:
    """Every connection is answered by a child, served here after it came back, or closed."""
    count, dice = 200, random.Random(seed)
    code = """
        import gnet
        gnet.process.on('message', lambda message, sock: sock.end('child'))
        gnet.process.send('up')
    """
    children = [fork(code), fork(code)]
    for child in children:
        assert child.message() == 'up'
    given: list[str] = []

    def handler(sock: Any) -> None:
        child = dice.choice(children)
        if dice.random() < 0.03:
            child.process.kill('SIGKILL')

        def answer() -> None:
            sock.write('parent')
            sock.destroy_soon()

        def sent(error: Any) -> None:
            given.append('back' if error else 'away')
            if error:
                answer()

        if child.process.connected:
            child.send('take', sock, sent)
        else:
            given.append('here')
            answer()

    server = serve(
        handler, target={'host': '127.0.0.1', 'port': 0, 'backlog': count}, pause_on_connect=True)
    address = tuple(server.address())[::2]

    def client() -> list[bytes]:
        answers = []
        for _ in range(count):
            with PlainSocket() as peer:
                peer.connect(address)
                try:
                    answers.append(peer.recv(10))
                except ConnectionResetError:
                    answers.append(b'')
        return answers

    answers = native(client)
    assert len(given) == count
    # What was acknowledged is the child's, dead or alive; everything else was served here.
    assert answers.count(b'parent') == given.count('back') + given.count('here')
    assert answers.count(b'child') + answers.count(b'') == given.count('away')
    until(lambda: server.get_connections() == 0)


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
    assert back.get(timeout=PROCESS_PATIENCE).code == 'ERR_IPC_CHANNEL_CLOSED'
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
