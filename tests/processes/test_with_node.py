"""A real Node at the other end of the channel: it forks gnet, and gnet forks it.

Skipped unless the environment variable ``GNET_NODE`` names a ``node``.
"""

from __future__ import annotations

import json
import os
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gevent
import pytest
from gevent import subprocess
from gevent.event import AsyncResult

import gnet

from ..harness import ROOT
from ..harness.native import Peer
from ..harness.plain import PlainSocket
from ..harness.waiting import PROCESS_PATIENCE, until
from .common import clients

NODE = os.environ.get('GNET_NODE', '')

pytestmark = pytest.mark.skipif(not NODE, reason='GNET_NODE names no node')

VALUES: list[Any] = [
    '', 'text', 'aü€😀\u2028\0"\\\n', '\ud800 alone \udfff', 0, -1.5, 2**53 - 1, True, False, None,
    [], {}, [1, [2, [3]]], {'a': {'b': None}, 'ü': '\U0010ffff', '': 0}, 'long ' + 'é€😀' * 100_000,
    {'cmd': 'NODE_'}, {'cmd': 'NODEx'}, {'cmd': 'node_x'},
]

ECHO_JS = 'process.on("message", message => process.send(message));'

ECHO_PY = """
    import gnet
    gnet.process.on('message', lambda message, handle: gnet.process.send(message))
"""

#: Answers a connection when its first byte comes, and says what it is.
SERVE_JS = """
    let number = 0;
    process.on('message', (message, handle) => {
        if (message === 'count') { process.send(number); return; }
        if (message === 'end') { process.disconnect(); return; }
        const name = handle === undefined ? 'undefined' : handle.constructor.name;
        process.send([message, name]);
        if (name === 'Socket') {
            number += 1;
            handle.on('close', () => { number -= 1; });
            handle.once('data', data => handle.end('node got ' + data));
        }
        if (name === 'Server') handle.on('connection', socket => {
            socket.end('node accepted');
            handle.close(() => process.send('server closed'));
        });
    });
    process.send('up');
"""

SERVE_PY = """
    import gnet
    @gnet.process.on('message')
    def take(message, handle):
        if message == 'end':
            gnet.process.disconnect()
            return
        gnet.process.send([message, type(handle).__name__])
        if isinstance(handle, gnet.Socket):
            handle.once('data', lambda data: handle.end(b'gnet got ' + data))
        if isinstance(handle, gnet.Server):
            def accepted(sock):
                sock.end('gnet accepted')
                handle.close(lambda error: gnet.process.send('server closed'))
            handle.on('connection', accepted)
    gnet.process.send('up')
"""


@pytest.fixture
def fork_node(fork: Callable[..., Any], tmp_path: Path) -> Callable[..., Any]:
    """``fork_node(code)`` runs *code* in a Node that is a child of gnet."""
    def fork_node(code: str, *args: str) -> Any:
        return fork(code, *args, exec_path=NODE, direct=True)

    return fork_node


@pytest.fixture
def node(tmp_path: Path) -> Any:
    """``node(parent, child)`` runs a Node that forks gnet, and returns its lines of JSON.

    *parent* finds ``child``, the process, and ``say(value)``, which writes a line.
    """
    started: list[Any] = []

    def node(parent: str, child: str, *args: str) -> list[Any]:
        script = tmp_path / 'child.py'
        script.write_text(textwrap.dedent(child), encoding='utf-8')
        program = tmp_path / 'parent.js'
        program.write_text(_PARENT_HEAD + textwrap.dedent(parent), encoding='utf-8')
        env = {name: value for name, value in os.environ.items() if name != 'GNET_STAY_ALIVE'}
        env['PYTHONPATH'] = str(ROOT)
        process = subprocess.Popen(
            [NODE, str(program), sys.executable, str(script), *args], env=env,
            stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
        started.append(process)
        with process.stdout, gevent.Timeout(PROCESS_PATIENCE):
            lines = process.stdout.read().decode().splitlines()
            assert process.wait() == 0, lines
        return [json.loads(line) for line in lines]

    yield node
    for process in started:
        if process.poll() is None:
            process.kill()
            process.wait()


_PARENT_HEAD = """
const { fork } = require('child_process');
const net = require('net');
const once = (emitter, event) => new Promise(resolve =>
    emitter.once(event, (...args) => resolve(args)));
const say = value => process.stdout.write(JSON.stringify(value === undefined ? null : value)
    .replace(/[\\u0080-\\uffff]/g, c => '\\\\u' + c.charCodeAt(0).toString(16).padStart(4, '0'))
    + '\\n');
const listening = options => new Promise(resolve => {
    const server = net.createServer(options);
    server.listen(0, '127.0.0.1', () => resolve(server));
});
const child = fork(process.argv[3], process.argv.slice(4), {
    execPath: process.argv[2], execArgv: ['-m', 'gnet'] });
"""


def result_of(ask: Callable[[Any], object]) -> Any:
    """Return the arguments with which the callback that *ask* gets is called."""
    answer: AsyncResult[Any] = AsyncResult()
    ask(lambda *result: answer.set(result))
    return answer.get(timeout=PROCESS_PATIENCE)


def answer_of(peer: Any) -> bytes:
    """Return what comes from the other side, and close."""
    answer: bytes = peer.recv_until_end()
    peer.close()
    return answer


# --- gnet forks Node ----------------------------------------------------------------------------


def test_values_survive_the_way_to_node_and_back(fork_node: Any) -> None:
    child = fork_node(ECHO_JS)
    for value in VALUES:
        child.send(value)
    assert [child.message() for _ in VALUES] == VALUES
    child.process.disconnect()
    assert child.wait() == (0, None)
    assert child.names()[-3:] == ['disconnect', 'exit', 'close']


def test_node_serves_a_connection_that_gnet_accepted(
    fork_node: Any, serve: Any, connect: Any, family: Any,
) -> None:
    child = fork_node(SERVE_JS)
    assert child.message() == 'up'
    sent: AsyncResult[Any] = AsyncResult()
    server = serve(
        lambda sock: child.send('serve', sock, sent.set), target=family.listen_options,
        pause_on_connect=True)
    peer = connect(server)
    assert child.message() == ['serve', 'Socket']
    assert sent.get(timeout=PROCESS_PATIENCE) is None
    assert result_of(server.get_connections) == (None, 1)
    closed: AsyncResult[Any] = AsyncResult()
    server.close(closed.set)
    assert not closed.ready()
    peer.sendall(b'hello')
    assert peer.recv_until_end() == b'node got hello'
    peer.close()
    assert closed.get(timeout=PROCESS_PATIENCE) is None  # Node told that it has none any more
    child.send('count')
    assert child.message() == 0


def test_node_serves_a_connection_that_gnet_opened(fork_node: Any, native: Any) -> None:
    child = fork_node(SERVE_JS)
    assert child.message() == 'up'
    with PlainSocket() as listener:
        listener.bind(('127.0.0.1', 0))
        listener.listen()
        client = gnet.connect(listener.getsockname()[1], '127.0.0.1')
        gnet.once(client, 'connect', timeout=PROCESS_PATIENCE)
        peer = Peer(native, native(listener.accept)[0])
    assert result_of(lambda done: child.send('serve', client, done)) == (None,)
    assert child.message() == ['serve', 'Socket']
    peer.sendall(b'x')
    assert peer.recv_until_end() == b'node got x'
    peer.close()


def test_node_shares_a_server_of_gnet(fork_node: Any, serve: Any, connect: Any) -> None:
    child = fork_node(SERVE_JS)
    assert child.message() == 'up'
    server = serve(lambda sock: sock.end('gnet accepted'))
    child.send('share', server)
    assert child.message() == ['share', 'Server']
    answers = set()
    while b'node accepted' not in answers:
        answers.add(answer_of(connect(server)))
    assert child.message() == 'server closed'
    assert connect(server).recv_until_end() == b'gnet accepted'  # the parent's goes on


def test_a_burst_of_connections_is_served_by_node(
    fork_node: Any, serve: Any, native: Any,
) -> None:
    child = fork_node("""
        process.on('message', (message, socket) => socket.end('node ' + message));
    """)
    number = iter(range(1000))
    errors: list[Any] = []
    server = serve(
        lambda sock: child.send(next(number), sock, errors.append), pause_on_connect=True,
        target={'host': '127.0.0.1', 'port': 0, 'backlog': 200})
    address = tuple(server.address())[::2]

    answers = native(clients, address, 200)
    assert sorted(answers) == sorted(b'node %d' % n for n in range(200))
    until(lambda: len(errors) == 200)  # a client has its answer before it is acknowledged
    assert errors == [None] * 200


def test_gnet_serves_and_counts_connections_that_its_child_node_accepted(
    fork_node: Any, connect: Any,
) -> None:
    child = fork_node("""
        const server = require('net').createServer({ pauseOnConnect: true }, socket =>
            process.send('take', socket, error => process.send(['sent', error])));
        server.listen(0, '127.0.0.1', () => process.send(server.address().port));
        process.on('message', message => {
            if (message === 'count') server.getConnections((error, n) => process.send([error, n]));
            if (message === 'close') {
                server.close(() => { process.send('closed'); process.disconnect(); });
            }
        });
    """)
    port = child.message()
    peer = connect(('127.0.0.1', port))
    message, sock = child.message_and_handle()
    assert message == 'take'
    assert sock.address().port == port
    assert child.message() == ['sent', None]
    sock.end('from the parent')
    assert peer.recv_until_end() == b'from the parent'
    child.send('close')
    peer.close()
    assert child.message() == 'closed'
    assert child.wait() == (0, None)


def test_servers_of_a_child_node_are_shared_with_gnet(fork_node: Any, connect: Any) -> None:
    child = fork_node("""
        const server = require('net').createServer(socket => socket.end('node'));
        server.listen(0, '127.0.0.1', () => process.send('share', server, () => server.close()));
        process.on('message', () => {});
    """)
    message, server = child.message_and_handle()
    assert (message, server.listening, server.address().family) == ('share', True, 'IPv4')
    server.on('connection', lambda sock: sock.end('gnet'))
    answers = {b'node'}
    while b'gnet' not in answers:
        answers.add(answer_of(connect(server)))
    assert result_of(server.close) == (None,)


def test_a_node_that_dies_gives_back_what_it_did_not_take(
    fork_node: Any, serve: Any, connect: Any,
) -> None:
    child = fork_node('process.send("up"); for (;;) {}')
    assert child.message() == 'up'

    def handler(sock: Any) -> None:
        child.send('take', sock, lambda error: sock.end(error.code))
        child.process.kill('SIGKILL')

    server = serve(handler, pause_on_connect=True)
    assert connect(server).recv_until_end() == b'ERR_IPC_CHANNEL_CLOSED'
    assert child.wait() == (None, 'SIGKILL')


@pytest.mark.parametrize(('code', 'status'), [
    ('process.send(1); process.exit(3)', 3), ('process.send(1); process.disconnect()', 0),
    ('process.send(1); process.exitCode = 4', 4),
])
def test_how_a_node_ends(fork_node: Any, code: str, status: int) -> None:
    child = fork_node(code)
    assert child.wait() == (status, None)
    assert child.events == [
        ('spawn',), ('message', 1), ('disconnect',), ('exit', status, None),
        ('close', status, None)]


# --- Node forks gnet ----------------------------------------------------------------------------


def test_values_survive_the_way_from_node_and_back(node: Any) -> None:
    lines = node(f"""
        const values = {json.dumps(VALUES)};
        child.on('message', message => {{
            say(message);
            values.shift();
            if (!values.length) child.disconnect();
        }});
        for (const value of values) child.send(value);
        child.on('exit', (...args) => say(args));
    """, ECHO_PY)
    assert lines == [*VALUES, [0, None]]


def test_gnet_serves_connections_that_its_parent_node_accepted(node: Any) -> None:
    lines = node("""
        (async () => {
            await once(child, 'message');
            const server = await listening({ pauseOnConnect: true });
            const client = net.connect(server.address().port, '127.0.0.1');
            const [socket] = await once(server, 'connection');
            child.send('serve', socket, error => say(['sent', error]));
            say((await once(child, 'message'))[0]);
            server.getConnections((error, count) => say(['count', error, count]));
            server.close(() => { say('closed'); child.send('end'); });
            client.write('hello');
            client.on('data', data => say(String(data)));
            await once(client, 'close');
            say(await once(child, 'exit'));
        })();
    """, SERVE_PY)
    assert sorted(lines, key=str) == sorted([
        ['sent', None], ['serve', 'Socket'], ['count', None, 1], 'gnet got hello', 'closed',
        [0, None]], key=str)
    assert lines.index('gnet got hello') < lines.index('closed') < lines.index([0, None])


def test_what_node_opened_and_what_it_listens_on_reach_gnet(node: Any) -> None:
    lines = node("""
        (async () => {
            await once(child, 'message');
            const server = await listening({});
            const port = server.address().port;
            const client = net.connect(port, '127.0.0.1');
            const [socket] = await once(server, 'connection');
            child.send('client', client);
            say((await once(child, 'message'))[0]);
            socket.on('data', data => say(String(data)));
            socket.write('x');
            await once(socket, 'close');
            child.send('share', server);
            say((await once(child, 'message'))[0]);
            server.close();
            net.connect(port, '127.0.0.1').on('data', data => say(String(data)));
            say((await once(child, 'message'))[0]);
            child.disconnect();
            say(await once(child, 'exit'));
        })();
    """, SERVE_PY)
    assert lines[:3] == [['client', 'Socket'], 'gnet got x', ['share', 'Server']]
    assert sorted(lines[3:5]) == ['gnet accepted', 'server closed']
    assert lines[5:] == [[0, None]]


def test_node_serves_and_counts_what_its_child_gnet_accepted(node: Any) -> None:
    lines = node("""
        (async () => {
            const [port] = await once(child, 'message');
            const client = net.connect(port, '127.0.0.1');
            client.on('data', data => say(String(data)));
            const [message, socket] = await once(child, 'message');
            say([message, socket.constructor.name]);
            child.on('message', message => say(message));
            socket.end('from node');
            await once(client, 'close');
            say(await once(child, 'exit'));
        })();
    """, """
        import gnet
        server = gnet.create_server(pause_on_connect=True)
        @server.on('connection')
        def accepted(sock):
            def sent(error):
                gnet.process.send(['sent', error])
                server.close(closed)
            def closed(error):
                gnet.process.send('closed')
                gnet.process.disconnect()
            gnet.process.send('take', sock, sent)
        server.listen(0, '127.0.0.1')
        server.on('listening', lambda: gnet.process.send(server.address().port))
    """)
    assert lines[0] == ['take', 'Socket']
    assert sorted(lines[1:-1], key=str) == sorted(['from node', ['sent', None], 'closed'], key=str)
    assert lines[-1] == [0, None]


def test_a_gnet_that_node_kills_or_that_ends(node: Any) -> None:
    lines = node("""
        (async () => {
            for (const event of ['disconnect', 'exit', 'close'])
                child.on(event, (...args) => say([event, ...args]));
            say((await once(child, 'message'))[0]);
            child.kill('SIGKILL');
        })();
    """, SERVE_PY)
    assert lines == [
        'up', ['disconnect'], ['exit', None, 'SIGKILL'], ['close', None, 'SIGKILL']]


def test_a_gnet_that_ends_with_a_status_has_sent_all(node: Any) -> None:
    lines = node("""
        let count = 0;
        child.on('message', message => { count += message.length; });
        child.on('exit', (...args) => say([count, ...args]));
    """, """
        import gnet, sys
        def written(error):
            gnet.process.exit(3)
        for _ in range(30):
            gnet.process.send('x' * 100_000)
        gnet.process.send('!', written)
    """)
    assert lines == [[3_000_001, 3, None]]
