"""A server counts, and waits for, the connections that it has sent to other processes."""

from __future__ import annotations

from typing import Any

import pytest
from gevent.event import AsyncResult, Event

import gnet

from ..harness.waiting import PROCESS_PATIENCE

KEEPER = """
    import gnet
    kept = []
    def take(message, sock):
        if message == 'close one':
            kept.pop().destroy()
            gnet.process.send('closed')
        elif message == 'disconnect':
            gnet.process.disconnect()
        else:
            kept.append(sock)
            gnet.process.send('kept')
    gnet.process.on('message', take)
"""


def counted(server: Any) -> Any:
    answer: AsyncResult[Any] = AsyncResult()
    server.get_connections(lambda *result: answer.set(result))
    return answer.get(timeout=PROCESS_PATIENCE)


def test_connections_are_counted_where_they_live(
    fork: Any, serve: Any, connect: Any, family: Any,
) -> None:
    children = [fork(KEEPER), fork(KEEPER)]
    turn = iter(range(100))
    server = serve(
        lambda sock: children[next(turn) % 2].send('take', sock), target=family.listen_options,
        pause_on_connect=True)
    peers = [connect(server) for _ in range(6)]
    for number in range(6):
        assert children[number % 2].message() == 'kept'
    assert (server._connections, len(server._workers)) == (0, 2)
    assert counted(server) == (None, 6)
    assert server.get_connections() == 6
    for left in (5, 4):
        children[0].send('close one')
        assert children[0].message() == 'closed'
        assert counted(server) == (None, left)
    peers[1].reset()  # and what the peer closes
    closed: AsyncResult[Any] = AsyncResult()
    server.close(closed.set)
    for child, left in ((children[0], 1), (children[1], 3)):
        for _ in range(left):
            assert not closed.ready() or child is children[1]
            child.send('close one')
            child.message()
    assert closed.get(timeout=PROCESS_PATIENCE) is None


@pytest.mark.parametrize('end', ['SIGKILL', 'disconnect'])
def test_close_does_not_wait_for_a_child_that_is_gone(
    fork: Any, serve: Any, connect: Any, end: str,
) -> None:
    # (Node waits for ever for a child that was killed before close().)
    child = fork(KEEPER)
    server = serve(lambda sock: child.send('take', sock), pause_on_connect=True)
    connect(server)
    assert child.message() == 'kept'
    closed: AsyncResult[Any] = AsyncResult()
    server.close(closed.set)
    assert counted(server) == (None, 2)  # as in Node, close() itself counts meanwhile
    assert not closed.ready()
    if end == 'SIGKILL':
        child.process.kill(end)
    else:
        child.send(end)
    assert closed.get(timeout=PROCESS_PATIENCE) is None


def test_a_child_that_died_before_counts_no_more(fork: Any, serve: Any, connect: Any) -> None:
    child = fork(KEEPER)
    server = serve(lambda sock: child.send('take', sock), pause_on_connect=True)
    connect(server)
    assert child.message() == 'kept'
    child.process.kill('SIGKILL')
    child.wait()
    assert server._workers == []
    assert counted(server) == (None, 0)
    closed: AsyncResult[Any] = AsyncResult()
    server.close(closed.set)
    assert closed.get(timeout=PROCESS_PATIENCE) is None


def test_a_question_that_is_not_answered_fails(
    fork_stranger: Any, serve: Any, connect: Any,
) -> None:
    child = fork_stranger("""
        message, descriptors, _, _ = socket.recv_fds(channel, 65536, 1)
        channel.sendall(b'{"cmd":"NODE_HANDLE_ACK"}\\n"kept"\\n')
        question = json.loads(channel.recv(1000))
        assert question['cmd'] == 'NODE_SOCKET_GET_COUNT', question
    """)
    server = serve(lambda sock: child.send('take', sock), pause_on_connect=True)
    connect(server)
    assert child.message() == 'kept'
    error, count = counted(server)
    assert (error.code, str(error), count) == (
        'ERR_CHILD_CLOSED_BEFORE_REPLY', 'Child closed before reply received', None)


def test_stop_waits_for_connections_of_children(fork: Any, serve: Any, connect: Any) -> None:
    child = fork(KEEPER)
    server = serve(lambda sock: child.send('take', sock), pause_on_connect=True)
    connect(server)
    assert child.message() == 'kept'
    child.send('close one')
    assert server.stop(PROCESS_PATIENCE) == 0


def test_a_connection_that_is_sent_after_close_is_waited_for(
    fork: Any, serve: Any, connect: Any,
) -> None:
    child = fork(KEEPER)
    accepted: AsyncResult[Any] = AsyncResult()
    server = serve(accepted.set, pause_on_connect=True)
    connect(server)
    sock = accepted.get(timeout=PROCESS_PATIENCE)
    closed: AsyncResult[Any] = AsyncResult()
    server.close(closed.set)
    child.send('take', sock)
    assert child.message() == 'kept'
    assert counted(server)[0] is None
    assert not closed.ready()
    child.send('close one')
    assert closed.get(timeout=PROCESS_PATIENCE) is None


def test_servers_are_told_apart_by_their_keys(fork: Any, serve: Any, connect: Any) -> None:
    child = fork(KEEPER)
    servers = [serve(lambda sock: child.send('take', sock), pause_on_connect=True, target=target)
               for target in ({'port': 0, 'host': '127.0.0.1'}, {'port': 0})]
    for server in servers:
        connect(server)
        assert child.message() == 'kept'
    assert servers[0]._connection_key != servers[1]._connection_key
    assert [gnet.Server.get_connections(server) for server in servers] == [1, 1]


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
    assert closed.wait(PROCESS_PATIENCE)
    assert server._connections == 0
    [(_, error)] = hub_reports  # nobody listens to the connection's 'error'
    assert error.code == 'ERR_IPC_CHANNEL_CLOSED'
