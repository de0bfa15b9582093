"""Messages and handles that come before anybody listens, and how the two sides part."""

from __future__ import annotations

import _socket
import array
import os
import socket as stdlib
from typing import Any

import pytest
from gevent import socket as cooperative
from gevent.event import AsyncResult

import gnet
from gnet.loop.loop import get_loop
from gnet.processes.messaging import Messaging, peer_of

from ..harness.plain import PlainSocket
from ..harness.waiting import PROCESS_PATIENCE, turn, until


def test_handles_and_messages_wait_for_a_listener_in_order(
    fork: Any, serve: Any, connect: Any,
) -> None:
    child = fork("""
        import gnet, sys
        gnet.process.send('up')
        sys.stdin.readline()  # native: nothing of gnet runs meanwhile
        def listen():
            @gnet.process.on('message')
            def take(message, handle):
                gnet.process.send([message, type(handle).__module__, type(handle).__name__])
                if hasattr(handle, 'accept'):
                    connection, _ = handle.accept()
                    connection.sendall(b'raw')
                    connection.close()
                    handle.close()
                elif hasattr(handle, 'end'):
                    handle.end('accepted')
                if message == 'last':
                    gnet.process.disconnect()
        from gnet.loop.loop import get_loop
        get_loop().later(listen)
    """, stdio=['pipe', 'inherit', 'inherit', 'ipc'])
    assert child.message() == 'up'
    accepted: AsyncResult[Any] = AsyncResult()
    server = serve(accepted.set, pause_on_connect=True)
    peer = connect(server)
    with PlainSocket() as listener:
        listener.bind(('127.0.0.1', 0))
        listener.listen()
        child.send('first')
        child.send('raw', listener)
        child.send('between')
        child.send('socket', accepted.get(timeout=PROCESS_PATIENCE))
        child.send('last')
        child.process.stdin.end('\n')
        raw = connect(listener.getsockname())
        nothing = ['builtins', 'NoneType']
        seen = [child.message() for _ in range(5)]
        assert sorted(seen) == sorted([
            ['first', *nothing],
            ['raw', cooperative.socket.__module__, cooperative.socket.__name__],
            ['between', *nothing], ['socket', 'gnet', 'Socket'], ['last', *nothing]])
        assert [message[0] for message in seen] == ['first', 'raw', 'between', 'socket', 'last']
        assert raw.recv_until_end() == b'raw'
    assert peer.recv_until_end() == b'accepted'
    peer.close()
    assert child.wait() == (0, None)


def test_disconnect_on_both_sides_with_a_server_in_the_child(fork: Any, connect: Any) -> None:
    child = fork("""
        import gnet
        process = gnet.process
        told = []
        def disconnected():
            told.append(['disconnect', process.connected, process.channel is None])
        process.on('disconnect', disconnected)
        def accepted(sock):
            process.disconnect()
            told.append(['sync', process.connected, process.channel is None])
            def tell():
                sock.end(repr(told))
                server.close()
            process.once('disconnect', tell)
        server = gnet.create_server(accepted)
        server.listen(0, '127.0.0.1')
        server.once('listening', lambda: process.send([
            process.connected, process.channel.fd >= 0, server.address().port]))
    """)
    connected, has_channel, port = child.message()
    assert (connected, has_channel) == (True, True)
    assert child.process.channel is not None
    seen: list[Any] = []
    child.process.on('disconnect', lambda: seen.append(
        (child.process.connected, child.process.channel, child.process.exit_code)))
    peer = connect(('127.0.0.1', port))
    assert peer.recv_until_end() == b"[['sync', False, True], ['disconnect', False, True]]"
    peer.close()
    until(lambda: seen)
    assert seen == [(False, None, None)]
    assert child.wait() == (0, None)


@pytest.mark.parametrize('what', ['nothing', 'message', 'big', 'handle'])
def test_a_parent_that_disconnects_has_sent_all(
    fork: Any, serve: Any, connect: Any, what: str,
) -> None:
    # Node emits no 'close' in this case.
    child = fork("""
        import gnet
        got = []
        def take(message, handle):
            got.append(len(message))
            if handle is not None:
                handle.end('from the child')
        gnet.process.on('message', take)
        gnet.process.on('disconnect', lambda: print(got))
        gnet.process.send('up')
    """, silent=True)
    assert child.message() == 'up'
    called: list[Any] = []
    expected = {'nothing': [], 'message': [3, 4], 'big': [3_000_000, 4], 'handle': [6, 4]}[what]
    server = serve(pause_on_connect=True)
    if what == 'handle':
        accepted: AsyncResult[Any] = AsyncResult()
        server.on('connection', accepted.set)
        peer = connect(server)
        child.send('handle', accepted.get(timeout=PROCESS_PATIENCE), called.append)
    elif expected:
        child.send('x' * expected[0], called.append)
    if expected:
        child.send('last', called.append)
    assert child.process.disconnect() is None
    assert (child.process.connected, child.process.channel) == (False, None)
    assert 'disconnect' not in child.names()
    output: list[bytes] = []
    child.process.stdout.on('data', output.append)
    if what == 'handle':
        assert peer.recv_until_end() == b'from the child'
        peer.close()
    assert child.wait() == (0, None)
    assert b''.join(output).decode() == f'{expected}\n'
    assert called == [None] * len(expected)
    assert child.names() == ['spawn', 'message', 'disconnect', 'exit', 'close']


def test_each_side_sees_the_end_of_the_other_in_its_turn(fork: Any) -> None:
    child = fork('import gnet; gnet.process.send("m")')
    seen: list[Any] = []
    process = child.process

    def note(event: str) -> Any:
        return lambda *args: seen.append(
            (event, process.connected, process.channel is None, process.exit_code))

    for event in ('spawn', 'message', 'disconnect', 'exit', 'close'):
        process.on(event, note(event))
    assert child.wait() == (0, None)
    turn()
    # Measured on Node.
    assert seen == [
        ('spawn', True, False, None), ('message', True, False, None),
        ('disconnect', False, True, None), ('exit', False, True, 0), ('close', False, True, 0)]


def test_a_child_lives_until_its_questions_are_answered(
    fork: Any, connect: Any,
) -> None:
    """As in Node, although the channel of a child without listeners keeps nothing alive."""
    child = fork("""
        import gnet
        server = gnet.create_server(pause_on_connect=True)
        @server.on('connection')
        def accepted(sock):
            gnet.process.send('take', sock, sent)
        def sent(error):
            server.close(lambda error: gnet.process.send(['closed', error]))
            gnet.process.send('closing')
        server.listen(0, '127.0.0.1')
        server.once('listening', lambda: gnet.process.send(server.address().port))
    """)
    peer = connect(('127.0.0.1', child.message()))
    message, sock = child.message_and_handle()
    assert message == 'take'
    assert child.message() == 'closing'
    sock.end('answer')
    assert peer.recv_until_end() == b'answer'
    peer.close()
    assert child.message() == ['closed', None]
    assert child.wait() == (0, None)


def test_a_connection_goes_on_from_child_to_child(fork: Any, serve: Any, connect: Any) -> None:
    """Through the parent, which counts it as long as one of its children has it from there."""
    first = fork("""
        import gnet
        def forward(message, sock):
            sock.once('data', lambda data: (
                sock.unshift(data), sock.pause(), gnet.process.send(['on', len(data)], sock)))
        gnet.process.on('message', forward)
    """)
    second = fork("""
        import gnet
        gnet.process.on('message', lambda message, sock:
                        sock.once('data', lambda data: sock.end(b'second: ' + data)))
    """)
    server = serve(lambda sock: first.send('take', sock), pause_on_connect=True)
    peer = connect(server)
    peer.sendall(b'hello')
    message, sock = first.message_and_handle()
    assert message == ['on', 5]
    second.send('take', sock)
    assert peer.recv_until_end() == b'second: hello'
    peer.close()
    until(lambda: server.get_connections() == 0)


def test_an_unheard_spawn_and_exit_of_many_children(tmp_path: Any) -> None:
    script = tmp_path / 'child.py'
    script.write_text('import gnet; gnet.process.send("unheard")')
    children = [gnet.child_process.fork(str(script)) for _ in range(5)]
    for child in children:
        if child.exit_code is None:
            gnet.once(child, 'close', timeout=PROCESS_PATIENCE)
    assert [(child.exit_code, child.connected) for child in children] == [(0, False)] * 5


@pytest.mark.parametrize('kind', ['socket', 'plain', 'keep_open', 'listener'])
@pytest.mark.parametrize('asked', [True, False])
def test_a_handle_that_is_sent_too_late(
    fork: Any, serve: Any, connect: Any, hub_reports: Any, kind: str, asked: bool,
) -> None:
    """With a callback it stays its sender's; else a connection is closed: nobody looks after it."""
    child = fork('pass')
    child.wait()
    accepted: AsyncResult[Any] = AsyncResult()
    server = serve(accepted.set, pause_on_connect=True)
    peer = connect(server)
    sock = accepted.get(timeout=PROCESS_PATIENCE)
    handle: Any = sock
    if kind == 'plain':
        handle, other = stdlib.socketpair()
    elif kind == 'listener':
        handle = server
    called: list[Any] = []
    callback = [lambda error: called.append(error.code)] if asked else []
    assert child.send('late', handle, *callback, keep_open=kind == 'keep_open') is False
    if asked:
        until(lambda: called)
        assert called == ['ERR_IPC_CHANNEL_CLOSED']
        assert 'error' not in child.names()
    else:
        until(lambda: 'error' in child.names())
        assert child.events[-1][1].code == 'ERR_IPC_CHANNEL_CLOSED'
    if kind == 'plain':
        assert (handle.fileno() >= 0) is asked
        handle.close()
        other.close()
    closed = kind == 'socket' and not asked
    assert (sock.destroyed, server.listening) == (closed, True)
    if closed:
        assert peer.recv_until_end() == b''
        [(_, error)] = hub_reports  # nobody listens to its 'error'
        assert error.code == 'ERR_IPC_CHANNEL_CLOSED'
    else:
        assert hub_reports == []
        assert server._connections == 1
    sock.destroy()


def test_a_connection_that_cannot_be_acknowledged_is_the_senders(caplog: Any) -> None:
    """It was read, but not yet looked at, when this side disconnected."""
    # Raw ones, which close at once in a patched process as well.
    ours, theirs = _socket.socketpair()
    near, far = _socket.socketpair()
    theirs.settimeout(PROCESS_PATIENCE)
    far.settimeout(PROCESS_PATIENCE)
    end = Messaging(get_loop())
    received: list[Any] = []
    end.on('message', lambda *args: received.append(args))
    left = AsyncResult()
    end.on('disconnect', lambda: left.set(True))
    channel = peer_of(end).open(ours.detach())
    try:
        rights = array.array('i', [near.fileno()])
        theirs.sendmsg(
            [b'"before"\n{"cmd":"NODE_HANDLE","type":"net.Socket","msg":"x"}\n"after"\n'],
            [(stdlib.SOL_SOCKET, stdlib.SCM_RIGHTS, rights)])
        near.close()
        before = len(os.listdir('/proc/self/fd')) if os.path.isdir('/proc/self/fd') else None
        channel.read_on()
        end.disconnect()
        assert left.get(timeout=PROCESS_PATIENCE) is True
        assert received == [('before', None), ('after', None)]
        turn()  # in which the os.close() of a patched process closes
        assert theirs.recv(100) == b''  # no acknowledgement
        assert far.recv(100) == b''  # and no owner
        assert before is None or len(os.listdir('/proc/self/fd')) == before - 1
    finally:
        theirs.close()
        far.close()
