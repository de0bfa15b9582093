"""What keeps a program alive: what can still happen by itself, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ..harness.scripts import Finished

Run = Callable[..., Finished]

#: A peer that is another thread's, so that it keeps nothing alive: it accepts, and then does what
#: its name says. Programs connect to it by *where*: on a unix path if their argument is "unix".
PEER = """
import os, socket, sys, tempfile
import gevent
import gnet
from gevent import monkey

start = monkey.get_original('_thread', 'start_new_thread')
Plain = monkey.get_original('socket', 'socket')
if 'unix' in sys.argv:
    listener = Plain(socket.AF_UNIX)
    where = {'path': os.path.join(tempfile.mkdtemp(), 'peer')}
    listener.bind(where['path'])
else:
    listener = Plain()
    listener.bind(('127.0.0.1', 0))
    where = {'port': listener.getsockname()[1], 'host': '127.0.0.1'}
listener.listen()
held = []

def serve(what):
    while True:
        sock, _ = listener.accept()
        held.append(sock)
        if what == 'end':
            sock.shutdown(socket.SHUT_WR)
        elif what == 'answer':
            sock.sendall(b'one')
        elif what == 'flood':
            try:
                sock.sendall(bytes(10_000_000))
            except OSError:
                return

def peer(what):
    start(serve, (what,))
"""

#: Programs that end, as in Node. A program that does not is killed by the test's time limit. (They
#: have names for their sockets: one that nobody has may be collected in time to say so.)
ENDING = {
    'a client that pauses before it is connected': """
        peer('hold')
        sock = gnet.connect(where)
        sock.pause()
    """,
    'a half open client whose peer has ended': """
        peer('end')
        sock = gnet.connect(where, allow_half_open=True)
        sock.resume()
    """,
    'a client that does not read, whose peer has ended': """
        peer('end')
        sock = gnet.connect(where)
    """,
    'a look-up function that never answers': """
        sock = gnet.connect(port=1, host='name.test', lookup=lambda *args: None)
    """,
    'a client whose buffer is full': """
        peer('flood')
        sock = gnet.connect(where)
    """,
    'a server that does not read, whose client has gone': """
        server = gnet.create_server(lambda sock: sock.end('bye'))
        server.listen(0)
        client = socket.create_connection(('127.0.0.1', server.address().port))

        def leave():
            assert client.recv(10) == b'bye'
            client.close()
            server.close()

        gevent.spawn(leave) if hasattr(client, '_sock') else start(
            lambda: (client.recv(10), client.close()), ())
        gevent.spawn_later(0.1, server.close)
    """,
    'a paused connection of a unix server': """
        path = os.path.join(tempfile.mkdtemp(), 'socket')
        server = gnet.create_server(pause_on_connect=True)
        server.listen(path)
        sock = gnet.connect(path, server.close)
        sock.pause()
    """,
}


#: Those that have to do with a client alone.
CLIENTS = [name for name in ENDING if 'server' not in name]


def ending(name: str) -> str:
    text = ENDING[name].replace('\n        ', '\n')
    return f'{PEER}{text}\ngnet.run()\nprint("ended", flush=True)\nos._exit(0)'


@pytest.mark.parametrize('name', ENDING)
def test_a_program_ends_where_nothing_can_happen_by_itself(run_script: Run, name: str) -> None:
    assert run_script(ending(name)) == (0, 'ended\n', '')


@pytest.mark.parametrize('name', [name for name in CLIENTS if 'look-up' not in name])
def test_so_does_one_whose_peer_is_on_a_unix_path(run_script: Run, name: str) -> None:
    assert run_script(ending(name), 'unix') == (0, 'ended\n', '')


@pytest.mark.parametrize('where', ['inet', 'unix'])
@pytest.mark.parametrize('name', CLIENTS)
def test_so_does_a_worker_of_the_command(run_script: Run, name: str, where: str) -> None:
    ended = run_script(
        ending(name), where, launcher=['-m', 'gnet', '--workers', '1'], workers=True)
    assert ended[:2] == (0, 'ended\n')


@pytest.mark.parametrize('name', CLIENTS)
def test_so_does_a_worker_of_a_cluster_that_has_disconnected(run_script: Run, name: str) -> None:
    program = ending(name).replace('import gnet\n', """import gnet
from gnet import cluster
if cluster.is_primary:
    cluster.fork()
    cluster.on('exit', lambda worker, *how: print(*how, flush=True))
    gnet.run()
    sys.exit()
cluster.worker.disconnect()
""", 1)
    assert run_script(program, launcher=['-m', 'gnet'], workers=True) == (
        0, 'ended\n0 None\n', '')


#: Programs that go on, until what they wait for has happened.
GOING_ON = {
    'a client that reads': """
        peer('hold')
        sock = gnet.connect(where, lambda: print('connected', flush=True))
        sock.on('data', print)
    """,
    'a handler that waits for something else': """
        from gevent.event import Event
        server = gnet.create_server(lambda sock: (print('connected', flush=True), Event().wait()))
        server.listen(0, '127.0.0.1', lambda: start(
            lambda: (held.append(Plain()), held[0].connect(server.address()[::2])), ()))
        server.once('connection', lambda sock: server.close())
    """,
    'a write that the peer does not take': """
        peer('hold')
        sock = gnet.connect(where, lambda: print('connected', flush=True))
        sock.pause()
        sock.write(bytes(50_000_000))
    """,
}


@pytest.mark.parametrize('name', GOING_ON)
def test_a_program_goes_on_where_something_can(start_script: Any, name: str) -> None:
    text = GOING_ON[name].replace('\n        ', '\n')
    # (If it could end it would within a turn or two: run() says whether it did.)
    running = start_script(
        f'{PEER}{text}\nprint("ended:", gnet.run(timeout=0.5), flush=True)\nos._exit(0)')
    running.wait_for('connected')
    assert running.wait_for(r'ended: (\w+)')[1] == 'False'


@pytest.mark.parametrize('kind', ['tcp', 'unix'])
@pytest.mark.parametrize(('what', 'answer'), [('end', b''), ('answer', b'one')])
@pytest.mark.parametrize('launcher', [[], ['-m', 'gevent.monkey']], ids=['', 'patched'])
def test_a_blocking_client_that_is_forgotten_is_collected_and_ends_nothing(
    run_script: Run, kind: str, what: str, answer: bytes, launcher: list[str],
) -> None:
    status, said, errors = run_script(PEER + f"""
import gc, warnings
warnings.simplefilter('always')
gc.disable()
peer({what!r})

def ask():
    sock = gnet.connect(where)
    sock.sendall(b'x')
    return sock.recv(9), sock.fileno()

answer, descriptor = ask()
print(gnet.run(timeout=10), answer, os.path.exists(f'/proc/self/fd/{{descriptor}}'))
sys.stdout.flush()
os._exit(0)
""", *(['unix'] if kind == 'unix' else []), launcher=launcher)
    assert (status, said) == (0, f'True {answer} False\n')
    assert 'ResourceWarning: unclosed <gnet.Socket' in errors
    assert 'Traceback' not in errors
