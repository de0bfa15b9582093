"""Children that send what is no message, do not read, do not answer, or close the channel."""

from __future__ import annotations

import json
from typing import Any

import pytest
from gevent.event import AsyncResult

import gnet
from gnet.processes.messaging import peer_of

from ..harness.waiting import PROCESS_PATIENCE, until

#: A child that sends *argv[1]*, in as many pieces as there are, and waits for the end.
SENDER = """
    import sys
    try:
        for word in sys.argv[1:]:
            channel.sendall(word.encode('latin-1'))
        while channel.recv(65536):
            pass
    except (BrokenPipeError, ConnectionResetError):
        pass  # the other side has closed, and left something unread
"""

#: Sends each line of *argv* with a descriptor, of the kind that the first argument names.
HANDLES = """
    import array, sys, tempfile
    pair = socket.socketpair()
    listener = socket.create_server(('127.0.0.1', 0))
    kinds = {
        'connection': pair[0], 'listener': listener, 'file': tempfile.TemporaryFile(),
        'pipe': open(os.pipe()[0]), 'datagram': socket.socket(socket.AF_INET, socket.SOCK_DGRAM),
        'unconnected': socket.socket(),
    }
    rights = array.array('i', [kinds[sys.argv[1]].fileno()] * int(sys.argv[2]))
    for line in sys.argv[3:]:
        channel.sendmsg(
            [line.encode()], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])
    channel.sendall(b'"last"\\n')
    received = b''
    while b'"bye"' not in received:
        received += channel.recv(65536)
"""


def warnings_of(caplog: Any) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == 'gnet.ipc']


def handle_line(kind: Any, message: Any = 'given', **fields: Any) -> str:
    return json.dumps({'cmd': 'NODE_HANDLE', 'type': kind, 'msg': message, **fields}) + '\n'


# --- what is no message -------------------------------------------------------------------------


@pytest.mark.parametrize('garbage', [
    'this is { no json\n', '\n', '"open\n', '{"a":1}}\n', 'GET / HTTP/1.1\r\n', '"\xff\xfe"\n',
    '[' * 100_000 + '\n', '\1\n',
], ids=lambda text: repr(text[:12]))
def test_garbage_closes_the_channel_and_nothing_else(
    fork_stranger: Any, caplog: Any, garbage: str,
) -> None:
    child = fork_stranger(SENDER, '"before"\n', garbage + '"after"\n')
    assert child.wait() == (0, None)
    assert child.events == [
        ('spawn',), ('message', 'before'), ('disconnect',), ('exit', 0, None), ('close', 0, None)]
    [warning] = warnings_of(caplog)
    assert 'sent what is no message' in warning


def test_a_line_that_never_ends_is_given_up(
    fork_stranger: Any, caplog: Any, monkeypatch: Any,
) -> None:
    monkeypatch.setattr('gnet.processes.json_lines.MAX_LINE', 100_000)
    child = fork_stranger("""
        try:
            while True:
                channel.sendall(b'x' * 10_000)
        except (BrokenPipeError, ConnectionResetError):
            pass
    """)
    assert child.wait() == (0, None)
    assert child.names() == ['spawn', 'disconnect', 'exit', 'close']
    [warning] = warnings_of(caplog)
    assert 'without a line end' in warning


def test_messages_in_pieces_and_many_in_one_are_taken(fork_stranger: Any) -> None:
    text = json.dumps(['ü€😀', {'a': 1}], ensure_ascii=False).encode().decode('latin-1') + '\n'
    child = fork_stranger(SENDER, *text, text * 3, '"no line end')
    for _ in range(4):
        assert child.message() == ['ü€😀', {'a': 1}]
    child.process.disconnect()
    assert child.wait() == (0, None)
    assert child.names().count('message') == 4


@pytest.mark.parametrize('line', [
    '{"cmd":"NODE_HANDLE_ACK"}', '{"cmd":"NODE_HANDLE_NACK"}', '{"cmd":"NODE_"}', '{"cmd":1}',
    '{"cmd":["NODE_HANDLE"]}', '{"cmd":"NODE_SOCKET_COUNT","key":"x","count":1}',
    '{"cmd":"NODE_SOCKET_ALL_CLOSED"}', '{"cmd":"NODE_SOCKET_GET_COUNT","key":[]}',
    '{"cmd":"NODE_SOCKET_NOTIFY_CLOSE"}', '{"cmd":"NODE_SOCKET_UNKNOWN","key":"x"}',
    '{"cmd":"NODE_CLUSTER","act":"online"}', '{"cmd":"NODE_UNKNOWN"}',
])
def test_internal_messages_that_nobody_asked_for_do_no_harm(
    fork_stranger: Any, line: str,
) -> None:
    child = fork_stranger(SENDER, f'{line}\n"next"\n')
    internal: list[Any] = []
    child.process.on('internalMessage', lambda message, handle: internal.append(message))
    messages = [child.message()]
    if messages[0] != 'next':
        messages.append(child.message())
    program = json.loads(line)['cmd'] in ('NODE_', 1, ['NODE_HANDLE'])
    assert messages == [*([json.loads(line)] if program else []), 'next']
    assert child.process.connected
    child.process.disconnect()
    assert child.wait() == (0, None)


def test_a_handle_without_its_descriptor_is_asked_for_again(fork_stranger: Any) -> None:
    child = fork_stranger("""
        channel.sendall(b'{"cmd":"NODE_HANDLE","type":"net.Socket","msg":"x"}\\n')
        assert json.loads(channel.recv(1000)) == {'cmd': 'NODE_HANDLE_NACK'}
    """)
    assert child.wait() == (0, None)
    assert 'message' not in child.names()


@pytest.mark.parametrize(('descriptor', 'line'), [
    ('connection', handle_line('net.Unknown')), ('connection', handle_line(None)),
    ('connection', handle_line(['net.Socket'])), ('connection', handle_line({})),
    ('connection', handle_line('net.Server')), ('datagram', handle_line('net.Server')),
    ('file', handle_line('net.Socket')), ('pipe', handle_line('net.Socket')),
    ('file', handle_line('net.Server')), ('pipe', handle_line('net.Native')),
])
def test_what_is_not_what_it_says_arrives_as_none(
    fork_stranger: Any, descriptor: str, line: str,
) -> None:
    child = fork_stranger(HANDLES, descriptor, '1', line)
    # The descriptor is closed: the leak check of every test.
    received = {child.message(), child.message()}
    assert received == {'given', 'last'}
    child.send('bye')
    assert child.wait() == (0, None)


@pytest.mark.parametrize('fields', [
    {'key': []}, {'key': None}, {'key': 5}, {'key': 'x' * 10_000}, {'gnet': 5}, {'gnet': []},
    {'gnet': {'unread': 5, 'unsent': []}}, {'gnet': {'unread': 'not base64!'}},
    {'gnet': {'ended': 'yes'}}, {'gnet': {'unread': None, 'ended': None, 'accepted': 1}},
])
def test_strange_fields_of_a_connection_are_passed_over(
    fork_stranger: Any, fields: dict[str, Any],
) -> None:
    child = fork_stranger(HANDLES, 'connection', '1', handle_line('net.Socket', **fields))
    message, sock = child.message_and_handle()
    assert message == 'given'
    assert isinstance(sock, gnet.Socket)
    assert child.message() == 'last'
    assert sock.ready_state == 'open'
    sock.destroy()
    child.send('bye')
    assert child.wait() == (0, None)


@pytest.mark.parametrize('descriptor', ['listener', 'unconnected', 'datagram'])
def test_a_connection_that_is_none_costs_itself_only(
    fork_stranger: Any, descriptor: str, hub_reports: list[Any],
) -> None:
    # (On libuv its first read may have failed before this has a listener of 'error'.)
    child = fork_stranger(HANDLES, descriptor, '1', handle_line('net.Socket'))
    message, sock = child.message_and_handle()
    assert message == 'given'
    if sock is not None:
        sock.on('error', lambda error: None)
        sock.resume()
        sock.destroy()
    assert child.message() == 'last'
    child.send('bye')
    assert child.wait() == (0, None)
    assert [error for _, error in hub_reports if not isinstance(error, OSError)] == []


@pytest.mark.parametrize('count', [1, 50])
def test_descriptors_of_plain_messages_are_closed(fork_stranger: Any, count: int) -> None:
    child = fork_stranger(HANDLES, 'connection', str(count), '"plain"\n', '"plain"\n')
    assert [child.message() for _ in range(3)] == ['plain', 'plain', 'last']
    child.send('bye')
    assert child.wait() == (0, None)


def test_descriptors_without_end_close_the_channel(fork_stranger: Any, caplog: Any) -> None:
    child = fork_stranger("""
        import array
        pair = socket.socketpair()
        rights = array.array('i', [pair[0].fileno()] * 50)
        try:
            while True:
                channel.sendmsg([b'"'], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])
        except (BrokenPipeError, ConnectionResetError):
            pass
    """)
    assert child.wait() == (0, None)
    [warning] = warnings_of(caplog)
    assert 'descriptors without messages' in warning


# --- no answer ----------------------------------------------------------------------------------


@pytest.mark.parametrize('end', ['SIGKILL', 'itself'])
def test_a_child_that_never_reads(
    fork_stranger: Any, serve: Any, connect: Any, end: str,
) -> None:
    child = fork_stranger("""
        import sys
        channel.sendall(b'"up"\\n')
        sys.stdin.readline()
    """, stdio=['pipe', 'inherit', 'inherit', 'ipc'])
    assert child.message() == 'up'
    called: list[Any] = []

    def note(number: int) -> Any:
        return lambda error: called.append((number, error and error.code))

    answers = [child.send('x' * 1_000_000, note(number)) for number in range(20)]
    assert answers[-1] is False
    back: AsyncResult[Any] = AsyncResult()

    def handler(sock: Any) -> None:
        def returned(error: Any) -> None:
            # The timer is there again, whatever the property says.
            sock.once('timeout', lambda: (back.set((error, sock.timeout)), sock.end('back')))

        sock.set_timeout(20)
        sock.timeout = 'no time'
        assert child.send('take', sock, returned) is False
        child.send('behind', note(20))

    server = serve(handler, pause_on_connect=True)
    peer = connect(server)
    until(lambda: peer_of(child.process).under_way.handles)
    if end == 'SIGKILL':
        child.process.kill('SIGKILL')
    else:
        child.process.stdin.end('\n')
    error, property_then = back.get(timeout=PROCESS_PATIENCE)
    assert (error.code, property_then) == ('ERR_IPC_CHANNEL_CLOSED', 'no time')
    assert peer.recv_until_end() == b'back'
    child.wait()
    assert [number for number, _ in called] == list(range(21))
    assert {code for _, code in called} <= {'EPIPE', 'ECONNRESET', 'ERR_IPC_CHANNEL_CLOSED'}
    assert 'error' not in child.names()


def test_a_child_that_never_acknowledges(fork_stranger: Any, serve: Any, connect: Any) -> None:
    child = fork_stranger("""
        received = b''
        while b'take' not in received:
            received += channel.recv(65536)
        channel.sendall(b'"seen"\\n')
        channel.recv(1)
    """)
    called: list[Any] = []
    behind: list[Any] = []

    def handler(sock: Any) -> None:
        def returned(error: Any) -> None:
            called.append(error.code)
            sock.end('back')

        child.send('take', sock, returned)
        child.send('behind', behind.append)
        child.process.disconnect()  # which waits, for ever here
        assert not child.process.connected
        assert child.send('late', behind.append) is False

    server = serve(handler, pause_on_connect=True)
    peer = connect(server)
    assert child.message() == 'seen'
    until(lambda: behind)
    assert ([error.code for error in behind], called) == (['ERR_IPC_CHANNEL_CLOSED'], [])
    assert server._connections == 0
    child.process.kill()
    assert peer.recv_until_end() == b'back'
    assert child.wait() == (None, 'SIGTERM')
    assert called == ['ERR_IPC_CHANNEL_CLOSED']
    assert [error.code for error in behind] == ['ERR_IPC_CHANNEL_CLOSED'] * 2
    assert child.names()[-3:] == ['disconnect', 'exit', 'close']


def test_a_child_that_acknowledges_twice(fork_stranger: Any, serve: Any, connect: Any) -> None:
    child = fork_stranger("""
        message, [descriptor], _, _ = socket.recv_fds(channel, 65536, 1)
        channel.sendall(b'{"cmd":"NODE_HANDLE_ACK"}\\n' * 5)
        socket.socket(fileno=descriptor).sendall(b'served')
        assert channel.recv(100) == b'"next"\\n'
        channel.sendall(b'"well"\\n')
    """)
    sent: list[Any] = []

    def handler(sock: Any) -> None:
        child.send('take', sock, sent.append)
        child.send('next')

    server = serve(handler, pause_on_connect=True)
    assert connect(server).recv_until_end() == b'served'
    assert child.message() == 'well'
    assert sent == [None]


@pytest.mark.parametrize('how', ['channel.close()', 'channel.shutdown(2)', 'channel.shutdown(1)'])
def test_a_child_that_closes_its_channel_and_lives_on(
    fork_stranger: Any, serve: Any, connect: Any, how: str,
) -> None:
    child = fork_stranger(f"""
        import sys
        received = b''
        while b'take' not in received:
            received += channel.recv(65536)
        channel.sendall(b'"last"\\n')
        {how}
        sys.stdin.readline()
    """, stdio=['pipe', 'inherit', 'inherit', 'ipc'])
    server = serve(
        lambda sock: child.send('take', sock, lambda error: sock.end(error.code)),
        pause_on_connect=True)
    assert connect(server).recv_until_end() == b'ERR_IPC_CHANNEL_CLOSED'
    assert child.message() == 'last'
    until(lambda: 'disconnect' in child.names())
    assert child.names() == ['spawn', 'message', 'disconnect']
    assert child.process.kill(0) is True
    child.process.stdin.end('\n')
    assert child.wait() == (0, None)
