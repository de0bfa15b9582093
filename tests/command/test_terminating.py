"""``python -m gnet script.py``: SIGTERM of a program in one process."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest

from ..harness.native import is_refused
from ..harness.transitions import SOURCE
from ..harness.waiting import until

#: Greets, and answers what a client sends; "hang" is answered by a listener that never returns.
SERVER = """
import os, signal, sys
import gevent, gnet
{before}

def answer(sock):
    sock.sendall(b'hello')
    line = sock.recv(100)
    if line == b'hang':
        sock.sendall(line)
        while True: pass
    sock.sendall(line)

server = gnet.create_server(answer)

@server.on('listening')
def tell():
    where = server.address()
    print('ready', getattr(where, 'port', where), flush=True)

server.listen({where})
{after}
try:
    {last}
finally:
    print('left', flush=True)
"""

#: What each program starts with.
WATCHED = SOURCE + """
def watch_states():
    import os
    from gnet.command import termination

    def failed(text):
        os.write(1, f'not in the table: {text}\\n'.encode())
        os._exit(70)

    watch(termination.Termination, '_phase', termination.FOLLOWS, failed)

watch_states()
"""

#: How the main greenlet waits.
LAST = {
    'after the last line': 'pass',
    'run': 'gnet.run()',
    'serve_forever': 'server.serve_forever()',
    'sleep': "gnet.once(server, 'listening')\n"
             "    while server.listening or server._connections: gevent.sleep(0.05)",
}

#: Runs the command with another time to end in.
IMPATIENT = """
import sys
from gnet.command import termination
from gnet.command.main import main
termination.KILL_GRACE = 0.2
main(sys.argv[1:])
"""


class Server:
    """A server under the command, and a client that it has greeted."""

    def __init__(self, scripts: Any, connect: Any, *, options: tuple[str, ...] = (),
                 launcher: tuple[str, ...] = ('-m', 'gnet'), before: str = '', after: str = '',
                 last: str = 'pass', where: str = "0, '127.0.0.1'", args: tuple[str, ...] = ()):
        text = WATCHED + SERVER.format(before=before, after=after, last=last, where=where)
        self._connect = connect
        self.running = scripts.start(text, *args, launcher=[*launcher, *options], merged=True)
        told = self.running.wait_for('^ready (.*)')[1]
        self.address = ('127.0.0.1', int(told)) if told.isdigit() else told
        self.client = connect(self.address)
        assert self.client.recv_exactly(5) == b'hello'

    def terminate(self) -> None:
        self.running.send_signal(signal.SIGTERM)

    def drains(self, seconds: str = '30') -> None:
        self.running.wait_for(f'^gnet: SIGTERM: what is open may finish, for {seconds} s$')

    def is_refused(self) -> bool:
        return is_refused(self._connect, self.address)

    def answers(self) -> None:
        self.client.sendall(b'answer')
        assert self.client.recv_until_end() == b'answer'
        self.client.close()

    def ends(self) -> tuple[int, list[str]]:
        """Wait for the end; return the status, and what the command has said."""
        ended = self.running.wait()
        assert 'Traceback' not in ended.stdout
        return ended.status, [
            line[6:] for line in ended.stdout.splitlines() if line.startswith('gnet: ')]


@pytest.fixture
def serving(scripts, connect):
    return lambda **options: Server(scripts, connect, **options)


SAID = ['SIGTERM: what is open may finish, for 30 s']


@pytest.mark.parametrize('options', [(), ('--patch',)], ids=['plain', 'patched'])
@pytest.mark.parametrize('last', LAST.values(), ids=LAST)
def test_what_is_open_may_finish(serving, last, options):
    server = serving(last=last, options=options)
    server.terminate()
    server.drains()
    until(server.is_refused)
    server.answers()
    assert server.ends() == (0, SAID)


def test_on_a_unix_socket_too(serving, tmp_path):
    path = tmp_path / 'socket'
    server = serving(where=repr(str(path)))
    server.terminate()
    server.drains()
    until(server.is_refused)
    until(lambda: not path.exists())
    server.answers()
    assert server.ends() == (0, SAID)


def test_who_had_connected_is_served(serving, connect):
    server = serving()
    # While the program is stopped, connections wait in the kernel.
    server.running.send_signal(signal.SIGSTOP)
    peers = [connect(server.address) for _ in range(200)]
    for peer in peers:
        peer.sendall(b'answer')
    server.terminate()
    server.running.send_signal(signal.SIGCONT)
    for peer in peers:
        assert peer.recv_until_end() == b'helloanswer'
        peer.close()
    server.answers()
    assert server.ends() == (0, SAID)


def test_connections_of_a_server_that_was_closed_may_finish(serving):
    server = serving(after='signal.signal(signal.SIGUSR1, lambda *_: server.close())')
    server.running.send_signal(signal.SIGUSR1)
    until(server.is_refused)
    server.terminate()
    server.drains()
    server.answers()
    assert server.ends() == (0, SAID)


@pytest.mark.parametrize(('count', 'line'), [
    (1, '1 connection was still open after 0.2 s and was cut'),
    (3, '3 connections were still open after 0.2 s and were cut'),
])
def test_what_is_still_open_at_the_deadline_is_cut_and_counted(serving, connect, count, line):
    server = serving(options=('--drain-timeout', '0.2'))
    peers = [server.client, *(connect(server.address) for _ in range(count - 1))]
    for peer in peers[1:]:
        assert peer.recv_exactly(5) == b'hello'
    server.terminate()
    assert server.ends() == (0, ['SIGTERM: what is open may finish, for 0.2 s', line])
    for peer in peers:
        assert peer.recv_until_end() == b''


def test_a_second_one_cuts(serving):
    server = serving(last='gnet.run()')
    server.terminate()
    server.drains()
    until(server.is_refused)
    server.terminate()
    server.running.wait_for('^left')
    assert server.ends() == (0, [*SAID, '1 connection was cut'])
    assert server.client.recv_until_end() == b''


def test_a_second_one_ends_it_also_where_it_is_stuck(serving):
    server = serving()
    server.client.sendall(b'hang')
    assert server.client.recv_exactly(4) == b'hang'
    server.terminate()
    pid = server.running.process.pid
    until(lambda: is_noted(pid))
    # What the system has noted, Python may not have yet: then two would count as one.
    ticks = used_ticks(pid)
    until(lambda: used_ticks(pid) > ticks + 1)
    server.terminate()
    assert server.ends()[0] == 0


def used_ticks(pid: int) -> int:
    """For how long the process has run, in clock ticks of 10 ms."""
    fields = Path(f'/proc/{pid}/stat').read_text(encoding='utf-8').rpartition(')')[2].split()
    return int(fields[11]) + int(fields[12])


def is_noted(pid: int) -> bool:
    """Whether no signal waits to be handled by the process."""
    status = Path(f'/proc/{pid}/status').read_text(encoding='utf-8')
    pending = [line.split()[1] for line in status.splitlines()
               if line.startswith(('SigPnd', 'ShdPnd'))]
    return not any(int(mask, 16) for mask in pending)


def test_a_program_that_has_more_to_do_is_ended_after_the_deadline(serving, tmp_path):
    main = tmp_path / 'main.py'
    main.write_text(IMPATIENT, encoding='utf-8')
    server = serving(
        launcher=(str(main),), options=('--drain-timeout', '0.1'), last='gevent.sleep(3600)')
    server.client.close()
    server.terminate()
    status, said = server.ends()
    assert (status, said[1:]) == (
        0, ['the program did not end in 0.3 s after SIGTERM and is ended'])


def test_a_program_that_serves_nothing_dies_of_it(scripts):
    running = scripts.start("""
        import gevent, gnet
        print('ready', flush=True)
        gevent.sleep(3600)
    """, launcher=['-m', 'gnet'])
    running.wait_for('ready')
    running.send_signal(signal.SIGTERM)
    assert running.wait()[::2] == (-signal.SIGTERM, '')


def test_so_does_one_that_has_served(scripts):
    running = scripts.start("""
        import gevent, gnet
        server = gnet.create_server().listen(0, '127.0.0.1')
        gnet.once(server, 'listening')
        server.stop()
        print('ready', flush=True)
        gevent.sleep(3600)
    """, launcher=['-m', 'gnet'])
    running.wait_for('ready')
    running.send_signal(signal.SIGTERM)
    assert running.wait()[::2] == (-signal.SIGTERM, '')


@pytest.mark.parametrize('where', ['before', 'after'])
@pytest.mark.parametrize('own', [
    'signal.signal(signal.SIGTERM, lambda *_: (print("own", flush=True), server.close()))',
    'gevent.signal_handler(signal.SIGTERM, lambda: (print("own", flush=True), server.close()))',
], ids=['signal', 'gevent'])
def test_what_the_script_does_about_it_takes_its_place(serving, own, where):
    server = serving(**{where: own})
    server.terminate()
    server.running.wait_for('^own$')
    until(server.is_refused)
    server.answers()
    assert server.ends() == (0, [])


def test_a_child_process_dies_of_it(scripts):
    running = scripts.start("""
        import gnet, os, sys
        if os.environ.pop('IS_CHILD', None):
            server = gnet.create_server().listen(0, '127.0.0.1')
            server.on('listening', lambda: gnet.process.send('ready'))
        else:
            child = gnet.child_process.fork(__file__, env={**os.environ, 'IS_CHILD': '1'})
            child.on('message', lambda *_: child.kill())
            child.on('exit', lambda code, signal: print(code, signal))
    """, launcher=['-m', 'gnet'])
    assert running.wait()[:2] == (0, 'None SIGTERM\n')


def test_a_forked_child_dies_of_it(serving):
    server = serving(after="""
pid = os.fork()
if not pid:
    os.kill(os.getpid(), signal.SIGTERM)
    os._exit(7)
print('gnet: child', os.WTERMSIG(os.waitpid(pid, 0)[1]), flush=True)
""")
    server.terminate()
    server.drains()
    server.answers()
    assert server.ends() == (0, [f'child {int(signal.SIGTERM)}', *SAID])


def test_a_cluster_of_the_program_ends_as_before(scripts):
    running = scripts.start("""
        import gnet
        from gnet import cluster
        if cluster.is_primary:
            cluster.fork()
            cluster.on('listening', lambda *_: print('ready', flush=True))
            admin = gnet.create_server().listen(0, '127.0.0.1')
        else:
            gnet.create_server().listen(0, '127.0.0.1')
    """, launcher=['-m', 'gnet'], workers=True)
    running.wait_for('ready')
    running.send_signal(signal.SIGTERM)
    assert running.wait()[::2] == (-signal.SIGTERM, '')
