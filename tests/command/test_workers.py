"""``python -m gnet --workers N``: real programs, seen from outside.

The workers inherit the stdout of their primary, so the end of its stdout is the end of all of them:
``wait()`` in these tests also says that no process is left.
"""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from gevent.socket import wait_read

from ..harness.native import Peer
from ..harness.scripts import PATIENCE, Running, Scripts
from ..harness.transitions import SOURCE

#: Answers each connection with the number of its process. A line "slow" is answered only after
#: another line; "exit" and "hang" say what the worker does then.
SERVER = """
    import os, signal, sys
    import gnet

    server = gnet.create_server()

    @server.on('connection')
    def answer(sock):
        with sock.makefile('rw') as lines:
            words = lines.readline().split()
            if words == ['slow']:
                print('slow', flush=True)
                lines.readline()
            lines.write(f'{os.getpid()}\\n')
            lines.flush()
            if words and words[0] == 'exit':
                os._exit(int(words[1]))
            if words == ['hang']:
                while True:
                    pass

    def listening():
        os.write(1, b'worker %d listens on %d\\n' % (os.getpid(), server.address().port))

    server.listen(0, '127.0.0.1', callback=listening)
"""

#: A client that makes one connection after another until its stdin ends, and tells which processes
#: have answered, and what went wrong.
CLIENT = """
    import json, select, socket, sys

    def ask(port):
        with socket.create_connection(('127.0.0.1', port), timeout=10) as sock:
            sock.sendall(b'\\n')
            answer = b''
            while True:
                data = sock.recv(100)
                if not data:
                    return int(answer)
                answer += data

    answers, failures = [ask(int(sys.argv[1]))], []
    print('begun', flush=True)
    while not select.select([sys.stdin], [], [], 0)[0]:
        try:
            answers.append(ask(int(sys.argv[1])))
        except Exception as error:
            failures.append(repr(error))
    print(json.dumps([answers, failures]))
"""

#: Runs the command with other constants.
PRIMARY = """
    import os, sys
    from gnet.command import members as staff, reload, supervisor
    from gnet.command.main import main

    def failed(text):
        supervisor.say(f'not in the table: {{text}}')
        os._exit(70)

    watch(staff.Member, 'role', staff.FOLLOWS, failed)
    watch(supervisor.Supervisor, '_phase', supervisor.FOLLOWS, failed)
    {changes}
    main(sys.argv[1:])
"""


class Program:
    """A program with workers."""

    def __init__(self, scripts: Scripts, running: Running, count: int) -> None:
        self._scripts = scripts
        self.running = running
        self.count = count
        self.port = 0
        self.workers: set[int] = set()
        self.directory = scripts._directory
        self.script = scripts._directory / 'script.py'

    def wait_until_listening(self, count: int | None = None) -> set[int]:
        """Wait until as many workers have said so; return the numbers of these processes."""
        pids = set()
        for _ in range(self.count if count is None else count):
            match = self.wait_for(r'worker (\d+) listens on (\d+)')
            pids.add(int(match[1]))
            self.port = int(match[2])
        return pids

    def wait_for(self, pattern: str) -> re.Match[str]:
        return self.running.wait_for(pattern)

    def kill(self, number: signal.Signals) -> None:
        """Send a signal to the primary alone."""
        self.running.send_signal(number)

    @property
    def pid(self) -> int:
        pid: int = self.running.process.pid
        return pid

    def wait(self) -> tuple[int, list[str]]:
        """Wait for the end of all processes; return the primary's status and what it said."""
        ended = self.running.wait()
        said = [line.partition(': ')[2] for line in ended.stdout.splitlines()
                if line.startswith('gnet: ')]
        return ended.status, said

    def load(self) -> Callable[[], tuple[list[int], list[str]]]:
        """Start a client; what is returned stops it and returns its answers and failures."""
        path = self._scripts._directory / 'client.py'
        path.write_text(textwrap.dedent(CLIENT), encoding='utf-8')
        client = self._scripts.start(path, str(self.port), launcher=[])
        client.wait_for('begun')

        def stop() -> tuple[list[int], list[str]]:
            answers, failures = json.loads(client.wait().stdout.splitlines()[-1])
            return answers, failures

        return stop


@pytest.fixture
def program(scripts: Scripts) -> Callable[..., Program]:
    """``program(text, *options, count=2, args=(), env=None, changes='')`` starts a program."""

    def start(
        text: str | None = SERVER, *options: str, count: int = 2, args: tuple[str, ...] = (),
        env: dict[str, str | None] | None = None, changes: str = '', python: tuple[str, ...] = (),
    ) -> Program:
        words = ['--workers', str(count), *options]
        if changes:
            primary = scripts._directory / 'primary.py'
            primary.write_text(
                SOURCE + textwrap.dedent(PRIMARY).format(changes=changes), encoding='utf-8')
            launcher = [str(primary), *words]
        else:
            launcher = [*python, '-m', 'gnet', *words]
        script = Path('unused') if text is None else text
        # Buffered, each line is one write, and processes do not write into each other's lines.
        env = {'PYTHONUNBUFFERED': None, **(env or {})}
        running = scripts.start(script, *args, launcher=launcher, env=env, merged=True)
        return Program(scripts, running, count)

    return start


@pytest.fixture
def serving(program: Callable[..., Program]) -> Callable[..., Program]:
    """Like ``program``, and waits until all workers listen."""

    def start(*arguments: Any, **keywords: Any) -> Program:
        started = program(*arguments, **keywords)
        started.workers = started.wait_until_listening()
        return started

    return start


@pytest.fixture
def ask(connect: Callable[[Any], Peer]) -> Callable[..., int]:
    """``ask(program, line='')`` returns the number of the process that answered."""

    def ask(program: Program, line: str = '') -> int:
        peer = connect(('127.0.0.1', program.port))
        peer.sendall(f'{line}\n'.encode())
        answer = int(peer.recv_until_end())
        peer.close()
        return answer

    return ask


def end_of(pid: int) -> Callable[[], None]:
    """Return what waits until the running process *pid* has ended, whoever's child it is."""
    descriptor = os.pidfd_open(pid)

    def wait() -> None:
        try:
            wait_read(descriptor, timeout=PATIENCE)
        finally:
            os.close(descriptor)

    return wait


def children_of(pid: int) -> dict[int, str]:
    """Return the children of *pid* and the state of each ('Z' for zombies)."""
    children = {}
    for entry in Path('/proc').iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / 'stat').read_text().rpartition(')')[2].split()
            except (FileNotFoundError, ProcessLookupError):
                continue
            if int(fields[1]) == pid:
                children[int(entry.name)] = fields[0]
    return children


# --- running --------------------------------------------------------------------------------------


def test_each_worker_runs_the_script_as_it_would_run_alone(program):
    started = program("""
        import os, sys
        print(__name__, sys.argv, os.getcwd(), os.environ['MARK'], sys.flags.optimize)
        print([name for name in os.environ if name.startswith(('NODE_CHANNEL', 'NODE_UNIQUE',
                                                               'GNET_'))])
    """, args=('--patch', 'x y'), env={'MARK': 'mark'})
    status, said = started.wait()
    lines = ''.join(started.running._seen).splitlines()
    directory = os.path.realpath(started.directory)
    path = str(started.script)
    assert lines.count(f"__main__ {[path, '--patch', 'x y']} {directory} mark 0") == 2
    assert lines.count('[]') == 2
    assert status == 0
    assert len(said) == 1
    assert said[0].startswith('started 2 workers (')


def test_workers_have_the_options_of_the_interpreter(program):
    started = program('import sys; print("optimized", sys.flags.optimize)', python=('-OO',))
    assert started.wait()[0] == 0
    assert ''.join(started.running._seen).count('optimized 2\n') == 2


@pytest.mark.parametrize('options', [(), ('--patch',)])
def test_workers_are_patched_if_that_is_asked_for(program, options):
    started = program("""
        from gevent import monkey
        print('patched', monkey.is_module_patched('socket'))
    """, *options)
    assert started.wait()[0] == 0
    assert ''.join(started.running._seen).count(f'patched {bool(options)}\n') == 2


@pytest.mark.parametrize('name', ['module', 'package', 'package.inner'])
def test_a_module_is_run_in_workers(program, name):
    started = program("""
        import pathlib, sys
        text = 'import sys; print(__name__, __spec__.name, sys.argv[2:])'
        for path in ('module.py', 'package/__init__.py', 'package/__main__.py',
                     'package/inner.py'):
            path = pathlib.Path(path)
            path.parent.mkdir(exist_ok=True)
            path.write_text('print("package", flush=True)' if '_init_' in path.name else text)
    """, count=1)
    assert started.wait()[0] == 0
    started = program(None, '-m', name, count=1, args=('-m', 'x'))
    assert started.wait()[0] == 0
    lines = ''.join(started.running._seen).splitlines()
    full = 'package.__main__' if name == 'package' else name
    assert f"__main__ {full} ['-m', 'x']" in lines
    # Once, in the worker: the primary runs nothing.
    assert lines.count('package') == ('package' in name)


def test_workers_share_what_they_listen_on(serving, ask):
    started = serving(count=2)
    assert {ask(started) for _ in range(4)} == started.workers


def test_auto_is_one_for_each_core(scripts):
    running = scripts.start('pass', launcher=['-m', 'gnet', '--workers=auto'], merged=True)
    count = len(os.sched_getaffinity(0))
    assert running.wait_for(r'started (\d+) worker')[1] == str(count)
    assert running.wait().status == 0


@pytest.mark.parametrize(('words', 'reason'), [
    (['--workers', '0'], "argument --workers: '0' is neither a positive number nor auto"),
    (['--workers', 'x'], "argument --workers: 'x' is neither a positive number nor auto"),
    (['--workers=-1'], "argument --workers: '-1' is neither a positive number nor auto"),
    (['--workers', '2', '--drain-timeout', 'nan'],
     "argument --drain-timeout: 'nan' is no number of seconds"),
    (['--workers', '2', '--drain-timeout=-1'],
     "argument --drain-timeout: '-1' is no number of seconds"),
    (['--drain-timeout', '1'], 'argument --drain-timeout: only with --workers'),
])
def test_a_wrong_usage_is_refused(scripts, words, reason):
    ended = scripts.run('print("must not run")', launcher=['-m', 'gnet', *words])
    assert (ended.status, ended.stdout) == (2, '')
    assert ended.stderr.endswith(f'gnet: error: {reason}\n')


@pytest.mark.parametrize('words', [
    ['missing.py'], ['-m', 'missing'], ['-m', 'missing.module'], ['-m', 'sys'], ['-m', ''],
    ['-m', '.module'],
])
def test_what_is_not_there_is_refused_as_without_workers(scripts, words):
    expected = scripts.run(Path('-'), launcher=['-m', 'gnet', *words])
    assert expected.status in (1, 2)
    assert scripts.run(Path('-'), launcher=['-m', 'gnet', '--workers', '2', *words]) == expected


# --- scripts that end -----------------------------------------------------------------------------


@pytest.mark.parametrize(('text', 'expected', 'line'), [
    ('import sys; sys.exit(0)', 0, None),
    ('import sys; sys.exit(3)', 3, 'ended with status 3 before any had listened'),
    ('1 / 0', 1, 'ended with status 1 before any had listened'),
    ('import os; os.kill(os.getpid(), 9)', 137, 'was killed by SIGKILL before any had listened'),
    ('import os; os._exit(4)', 4, 'ended with status 4 before any had listened'),
], ids=['exit 0', 'exit 3', 'exception', 'killed', 'gone'])
def test_a_script_that_ends_before_it_listens_ends_the_program(program, text, expected, line):
    status, said = program(text).wait()
    assert status == expected
    if line is None:
        assert len(said) == 1
    else:
        assert said[1].endswith(line)


def test_a_script_that_is_no_python_is_refused_before_anything_is_started(program):
    started = program('x = = 1')
    assert started.wait() == (1, [])
    assert ''.join(started.running._seen).endswith('SyntaxError: invalid syntax\n')


def test_a_port_that_is_taken_ends_the_program_with_its_traceback(program):
    with socket.socket() as taken:
        taken.bind(('127.0.0.1', 0))
        taken.listen()
        port = taken.getsockname()[1]
        started = program(f"""
            import gnet
            gnet.create_server().listen({port}, '127.0.0.1')
        """)
        status, said = started.wait()
    assert status == 1
    assert said[1].endswith('ended with status 1 before any had listened')
    output = ''.join(started.running._seen)
    assert 'Traceback' in output
    assert 'EADDRINUSE' in output


def test_a_system_that_starts_no_process_ends_the_program(program):
    started = program(
        SERVER, count=30,
        changes='import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (25, 25))')
    status, said = started.wait()
    assert status == 1
    assert any(line.startswith('a worker could not be started') for line in said)


# --- workers that die -----------------------------------------------------------------------------


def test_a_worker_that_dies_is_replaced_and_the_port_stays(serving, ask):
    started = serving(count=1)
    [first] = started.workers
    assert ask(started, 'exit 3') == first
    started.wait_for(rf'^gnet: worker {first} ended with status 3; it is restarted')
    # Asked before there is anybody, and answered all the same.
    second = ask(started)
    assert second != first
    assert started.wait_until_listening() == {second}
    os.kill(second, signal.SIGKILL)
    started.wait_for(rf'^gnet: worker {second} was killed by SIGKILL; it is restarted')
    started.wait_until_listening()
    started.kill(signal.SIGTERM)
    assert started.wait()[0] == 0


def test_restarts_are_delayed_more_and_more_until_a_worker_lives(program):
    started = program("""
        import os, gevent, gnet
        server = gnet.create_server()
        server.listen(0, '127.0.0.1', callback=lambda: gevent.spawn_later(0.2, os._exit, 5))
    """, count=1)
    for delay in ('0.1', '0.2', '0.4'):
        started.wait_for(rf'ended with status 5; it is restarted in {delay} s')
    started.kill(signal.SIGTERM)
    assert started.wait()[0] == 0


@pytest.mark.timeout(90)  # it starts 56 interpreters
def test_the_primary_keeps_nothing_of_workers_that_died(serving):
    started = serving(count=4, changes='staff.STABLE_TIME = 0.0')
    descriptors = f'/proc/{started.pid}/fd'
    before = len(os.listdir(descriptors))
    pids = started.workers
    for _ in range(13):
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        pids = started.wait_until_listening()
    assert len(os.listdir(descriptors)) == before
    assert set(children_of(started.pid)) == pids
    started.kill(signal.SIGTERM)
    assert started.wait()[0] == 0


def test_a_worker_that_writes_garbage_to_its_channel_is_replaced(serving, ask):
    started = serving("""
        import os, gnet
        server = gnet.create_server()
        @server.on('connection')
        def answer(sock):
            sock.write(b'%d' % os.getpid())
            fd = gnet.process.channel.fd
            sock.end(callback=lambda *error: os.write(fd, b'no JSON\\n'))
        server.listen(0, '127.0.0.1', callback=lambda: os.write(
            1, b'worker %d listens on %d\\n' % (os.getpid(), server.address().port)))
    """, count=1)
    [first] = started.workers
    assert ask(started) == first
    started.wait_for(rf'worker {first} .*; it is restarted')
    assert started.wait_until_listening() != {first}
    started.kill(signal.SIGTERM)
    assert started.wait()[0] == 0


# --- SIGTERM --------------------------------------------------------------------------------------


def slow(program, connect):
    """Have a worker begin with a request; return the client."""
    peer = connect(('127.0.0.1', program.port))
    peer.sendall(b'slow\n')
    program.wait_for('^slow$')
    return peer


def connect_until_refused(program, connect):
    """Return as soon as the primary has closed its listener."""
    while True:
        try:
            connect(('127.0.0.1', program.port)).close()
        except ConnectionRefusedError:
            return


def test_sigterm_lets_a_request_finish(serving, connect):
    started = serving()
    peer = slow(started, connect)
    started.kill(signal.SIGTERM)
    started.wait_for('^gnet: SIGTERM: 2 workers may finish what is open, for 30 s')
    connect_until_refused(started, connect)
    peer.sendall(b'go on\n')
    assert int(peer.recv_until_end()) in started.workers
    peer.close()
    status, said = started.wait()
    assert status == 0
    assert len(said) == 2, said


@pytest.mark.parametrize(('count', 'line'), [
    (1, '1 connection was still open after 0.2 s and was cut'),
    (3, '3 connections were still open after 0.2 s and were cut'),
])
def test_sigterm_cuts_what_is_open_at_the_deadline_and_counts_it(serving, connect, count, line):
    started = serving(SERVER, '--drain-timeout', '0.2')
    peers = [slow(started, connect) for _ in range(count)]
    started.kill(signal.SIGTERM)
    status, said = started.wait()
    assert status == 0
    assert said[2:] == [line]
    for peer in peers:
        assert peer.recv_until_end() == b''


@pytest.mark.parametrize('whole_group', [False, True])
def test_sigterm_serves_all_that_had_connected(serving, connect, whole_group):
    started = serving()
    # While the primary is stopped, connections wait in the kernel.
    started.kill(signal.SIGSTOP)
    peers = []
    for _ in range(200):
        peers.append(connect(('127.0.0.1', started.port)))
        peers[-1].sendall(b'\n')
    for pid in started.workers if whole_group else ():
        os.kill(pid, signal.SIGTERM)
    started.kill(signal.SIGTERM)
    started.kill(signal.SIGCONT)
    for peer in peers:
        assert int(peer.recv_until_end()) in started.workers
        peer.close()
    status, said = started.wait()
    assert status == 0
    assert len(said) == 2, said


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGHUP])
def test_signals_may_be_sent_to_all_processes(serving, connect, number):
    """As systemd does by default, and a terminal that is closed."""
    program = serving()
    peer = connect(('127.0.0.1', program.port))
    peer.sendall(b'slow\n')
    program.wait_for('^slow$')
    for pid in (*program.workers, program.running.process.pid):
        os.kill(pid, number)
    if number == signal.SIGHUP:
        program.wait_for('the workers were replaced')
        program.running.send_signal(signal.SIGTERM)
    program.wait_for('SIGTERM: .* workers? may finish')
    peer.sendall(b'go on\n')
    assert int(peer.recv_until_end()) in program.workers
    peer.end()
    assert program.running.wait().status == 0


def test_sigterm_to_one_worker_drains_and_replaces_it(serving, connect, ask):
    program = serving()
    peer = connect(('127.0.0.1', program.port))
    peer.sendall(b'slow\n')
    program.wait_for('^slow$')
    before = set(program.workers)
    for pid in before:
        os.kill(pid, signal.SIGTERM)
    for _ in before:
        program.wait_for('drains, and is replaced')
    after = program.wait_until_listening()
    assert not after & before
    peer.sendall(b'go on\n')
    assert int(peer.recv_until_end()) in before


def test_a_second_sigterm_kills_the_workers(serving, connect):
    started = serving()
    slow(started, connect)
    started.kill(signal.SIGTERM)
    started.wait_for('^gnet: SIGTERM')
    started.kill(signal.SIGTERM)
    status, said = started.wait()
    assert status == 0
    # The worker without connections may have ended by then.
    assert said[2] in ('1 worker was killed', '2 workers were killed')


def test_a_worker_that_hangs_is_killed_after_the_deadline(serving, connect):
    started = serving(SERVER, '--drain-timeout', '0.1', changes='supervisor.KILL_GRACE = 0.2')
    peer = connect(('127.0.0.1', started.port))
    peer.sendall(b'hang\n')
    assert peer.recv(100)
    started.kill(signal.SIGTERM)
    status, said = started.wait()
    assert status == 0
    assert re.fullmatch(
        r'worker \d+ did not end in 0\.3 s after it was told to and is killed', said[2])


def test_sigterm_at_the_start_ends_the_program(program):
    started = program(SERVER)
    started.wait_for('^gnet: started')
    started.kill(signal.SIGTERM)
    assert started.wait()[0] == 0


# --- SIGINT ---------------------------------------------------------------------------------------


@pytest.mark.parametrize('whole_group', [False, True])
def test_sigint_ends_all_quietly(serving, connect, whole_group):
    started = serving()
    slow(started, connect)
    pids = [started.pid, *(started.workers if whole_group else ())]
    for pid in pids:
        os.kill(pid, signal.SIGINT)
    status, said = started.wait()
    assert status == -signal.SIGINT
    assert len(said) == 1
    assert 'Traceback' not in ''.join(started.running._seen)


def test_a_worker_that_does_not_hear_sigint_is_killed(serving):
    started = serving(
        SERVER.replace('import gnet', 'import gnet; signal.signal(signal.SIGINT, signal.SIG_IGN)'),
        changes='supervisor.KILL_GRACE = 0.2', count=1)
    started.kill(signal.SIGINT)
    status, said = started.wait()
    assert status == -signal.SIGINT
    assert said[1].endswith('did not end in 0.2 s after SIGINT and is killed')


def test_sigint_cuts_a_drain_short(serving, connect):
    started = serving()
    slow(started, connect)
    started.kill(signal.SIGTERM)
    started.wait_for('^gnet: SIGTERM')
    started.kill(signal.SIGINT)
    assert started.wait()[0] == -signal.SIGINT


# --- SIGHUP ---------------------------------------------------------------------------------------


def test_sighup_replaces_the_workers_under_load_and_nobody_notices(serving):
    started = serving()
    stop = started.load()
    started.kill(signal.SIGHUP)
    started.kill(signal.SIGHUP)
    second = started.wait_until_listening()
    started.wait_for('^gnet: the workers were replaced')
    started.kill(signal.SIGHUP)
    third = started.wait_until_listening()
    started.wait_for('^gnet: the workers were replaced')
    answers, failures = stop()
    assert failures == []
    assert set(answers) <= started.workers | second | third | set(children_of(started.pid))
    assert len(set(answers)) > 2
    started.kill(signal.SIGTERM)
    assert started.wait()[0] == 0


def test_a_replaced_worker_finishes_what_is_open(serving, connect, ask):
    started = serving(count=1)
    peer = slow(started, connect)
    started.kill(signal.SIGHUP)
    new = started.wait_until_listening()
    started.wait_for('^gnet: the workers were replaced')
    assert {ask(started)} == new
    peer.sendall(b'go on\n')
    assert {int(peer.recv_until_end())} == started.workers
    peer.close()
    started.kill(signal.SIGTERM)
    status, said = started.wait()
    assert status == 0
    assert not [line for line in said if 'cut' in line]


def test_a_replaced_worker_cuts_at_the_deadline(serving, connect):
    started = serving(SERVER, '--drain-timeout', '0.2', count=1)
    peer = slow(started, connect)
    [old] = started.workers
    started.kill(signal.SIGHUP)
    started.wait_for(
        rf'^gnet: 1 connection of worker {old} was still open after 0.2 s and was cut')
    assert peer.recv_until_end() == b''
    started.kill(signal.SIGTERM)
    assert started.wait()[0] == 0


@pytest.mark.parametrize(('text', 'how'), [
    ('import sys; sys.exit(7)', 'ended with status 7'),
    ('x = = 1', 'ended with status 1'),
])
def test_a_reload_is_given_up_if_the_new_worker_fails(serving, ask, text, how):
    started = serving()
    good = started.script.read_text()
    started.script.write_text(text)
    started.kill(signal.SIGHUP)
    started.wait_for(rf'worker \d+ {how} before it was ready; the other workers stay')
    assert {ask(started) for _ in range(4)} == started.workers
    started.script.write_text(good)
    started.kill(signal.SIGHUP)
    new = started.wait_until_listening()
    started.wait_for('^gnet: the workers were replaced')
    assert {ask(started) for _ in range(4)} == new
    started.kill(signal.SIGTERM)
    assert started.wait()[0] == 0


def test_a_reload_does_not_wait_for_servers_that_were_closed_meanwhile(serving, connect):
    started = serving(SERVER + """
    from gnet import cluster

    if cluster.worker.id == 1:
        passing = gnet.create_server(lambda sock: (sock.end(), passing.close()))
        passing.listen(0, '127.0.0.1', callback=lambda: print(
            'passing', passing.address().port, flush=True))
    if cluster.worker.id == 2:
        server.once('listening', lambda: print('ready', flush=True))
    """, count=1)
    port = int(started.wait_for(r'passing (\d+)')[1])
    started.kill(signal.SIGHUP)
    started.wait_for('^ready')
    peer = connect(('127.0.0.1', port))
    assert peer.recv_until_end() == b''
    peer.close()
    started.wait_for('the workers were replaced')


def test_a_reload_is_given_up_if_the_new_worker_hangs(serving, ask):
    started = serving(changes='reload.START_PATIENCE = 0.5')
    started.script.write_text('while True: pass')
    started.kill(signal.SIGHUP)
    started.wait_for(
        r'worker \d+ was not ready in 0\.5 s and is killed; the other workers stay')
    assert {ask(started) for _ in range(4)} == started.workers
    started.kill(signal.SIGTERM)
    assert started.wait()[0] == 0


def test_sigterm_during_a_reload_ends_the_new_worker_too(serving):
    started = serving(SERVER, '--drain-timeout', '0.1', changes='supervisor.KILL_GRACE = 0.2')
    started.script.write_text('print("hangs", flush=True)\nwhile True: pass')
    started.kill(signal.SIGHUP)
    started.wait_for('^hangs')
    started.kill(signal.SIGTERM)
    status, said = started.wait()
    assert status == 0
    assert said[-1].endswith('did not end in 0.3 s after it was told to and is killed')


def test_sighup_at_the_start_is_obeyed(program):
    started = program(SERVER)
    started.wait_for('^gnet: started')
    started.kill(signal.SIGHUP)
    started.wait_for('^gnet: the workers were replaced')
    started.kill(signal.SIGTERM)
    assert started.wait()[0] == 0


# --- a primary that is killed ---------------------------------------------------------------------


@pytest.mark.parametrize('is_stuck', [False, True])
@pytest.mark.parametrize('options', [(), ('--patch',)])
def test_workers_end_with_their_primary(serving, connect, options, is_stuck):
    started = serving(
        SERVER.replace('import gnet', 'import gnet; gnet.clusters.primary_watch.GRACE = 0.2'),
        *options)
    ends = [end_of(pid) for pid in started.workers]
    if is_stuck:
        peer = connect(('127.0.0.1', started.port))
        peer.sendall(b'hang\n')
        assert peer.recv(100)
    started.kill(signal.SIGKILL)
    for wait in ends:
        wait()
    assert started.wait()[0] == -signal.SIGKILL
    assert ('and is killed' in ''.join(started.running._seen)) is is_stuck


@pytest.mark.parametrize('has_descriptors', [True, False])
def test_the_end_of_the_primary_is_seen_with_and_without_process_descriptors(
    scripts, has_descriptors,
):
    child = f"""
import os, socket
if not {has_descriptors} and hasattr(os, 'pidfd_open'):
    del os.pidfd_open
from gnet.clusters import primary_watch as lifeline
lifeline.GRACE = lifeline.LOOK_INTERVAL = 0.05
ours, theirs = socket.socketpair()
lifeline.start(ours.fileno(), lambda: False)
print('stuck', flush=True)
while True:
    pass
"""
    running = scripts.start(f"""
        import subprocess, sys
        subprocess.run([sys.executable, '-c', {child!r}])
    """, launcher=[])
    running.wait_for('stuck')
    running.send_signal(signal.SIGKILL)
    assert running.wait().status == -signal.SIGKILL


def test_a_worker_that_has_disconnected_may_outlive_its_primary(scripts):
    # One of a program that forks for itself; SUPERVISED is not in its environment.
    child = """
import gevent, os, socket
from gnet.clusters import primary_watch as lifeline
lifeline.GRACE = 0.05
looked = gevent.get_hub().loop.async_()
ours, theirs = socket.socketpair()
def has_disconnected():
    looked.send_ignoring_arg(None)
    return True
lifeline.start(ours.fileno(), has_disconnected)
print('ready', flush=True)
waiter = gevent.hub.Waiter()
looked.start(waiter.switch, None)
waiter.get()
print('alive', flush=True)
"""
    running = scripts.start(f"""
        import subprocess, sys
        subprocess.run([sys.executable, '-c', {child!r}])
    """, launcher=[])
    running.wait_for('ready')
    running.send_signal(signal.SIGKILL)
    assert running.wait().stdout.endswith('alive\n')


def test_a_child_that_a_worker_forks_is_its_own(serving, connect):
    started = serving(SERVER.replace('import gnet', """import gnet
    import warnings
    warnings.simplefilter('ignore', DeprecationWarning)  # Python 3.12: there are threads
    if os.fork() == 0:
        os.read(0, 1)
        os._exit(0)
"""), count=1)
    [worker] = started.workers
    [child] = children_of(worker)
    end = end_of(child)
    started.kill(signal.SIGKILL)
    assert children_of(worker) in ({child: 'S'}, {})
    started.running.process.stdin.close()
    end()
    started.running.wait()


# --- workers that share nothing -------------------------------------------------------------------

#: How a server listens by itself.
ALONE = [
    "server.listen(port=0, host='127.0.0.1', exclusive=True, callback=listening)",
    "server.listen(port=0, host='127.0.0.1', reuse_port=True, callback=listening)",
    "server.listen(socket.create_server(('127.0.0.1', 0)), callback=listening)",
]


def alone(listen: str) -> str:
    """Return a program whose workers listen by themselves, each on a port of its own."""
    text, was = SERVER, "server.listen(0, '127.0.0.1', callback=listening)"
    assert was in text
    return text.replace(was, listen).replace('import os, ', 'import os, socket, ')


@pytest.mark.parametrize('listen', ALONE)
def test_a_worker_that_listens_by_itself_is_restarted(serving, listen):
    started = serving(alone(listen))
    os.kill(min(started.workers), signal.SIGKILL)
    started.wait_for('was killed by SIGKILL; it is restarted')
    assert not started.wait_until_listening(1) & started.workers
    started.kill(signal.SIGTERM)
    assert started.wait()[0] == 0


@pytest.mark.parametrize('listen', ALONE)
def test_sigterm_to_all_closes_servers_that_listen_by_themselves(serving, listen):
    started = serving(alone(listen), '--drain-timeout', '0', changes='supervisor.KILL_GRACE = 2')
    for pid in (*started.workers, started.pid):
        os.kill(pid, signal.SIGTERM)
    status, said = started.wait()
    assert status == 0
    assert len(said) == 2, said  # none had to be killed


def test_sigterm_to_a_worker_before_any_has_listened_replaces_it(program):
    started = program(
        """
        import os
        import gevent
        from gnet import cluster

        os.write(1, b'begun %d\\n' % os.getpid())
        gevent.sleep(1000 if cluster.worker.id == 1 else 0)
        """, '--drain-timeout', '0', count=1, changes='supervisor.KILL_GRACE = 0.2')
    os.kill(int(started.wait_for(r'begun (\d+)')[1]), signal.SIGTERM)
    started.wait_for('drains, and is replaced')
    status, _said = started.wait()
    assert status == 0


def test_what_the_script_closes_for_good_is_closed(program, connect):
    started = program("""
        import gnet

        def once(sock):
            sock.end('the only one')
            server.close()

        server = gnet.create_server(once)
        server.listen(0, '127.0.0.1', callback=lambda: print(
            f'worker {__import__("os").getpid()} listens on {server.address().port}', flush=True))
        other = gnet.create_server().listen(0, '127.0.0.1')
    """, count=1)
    started.wait_until_listening(1)
    peer = connect(('127.0.0.1', started.port))
    assert peer.recv_until_end() == b'the only one'
    peer.close()
    connect_until_refused(started, connect)
