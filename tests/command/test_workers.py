"""``python -m gnet --workers N``: real programs, seen from outside.

The workers inherit the stdout of their primary, so the end of its stdout is the end of all of them:
``wait()`` in these tests also says that no process is left.
"""

from __future__ import annotations

import os
import signal
import socket
from pathlib import Path

import pytest

from .workers import SERVER, children_of

# --- running --------------------------------------------------------------------------------------


def test_each_worker_runs_the_script_as_it_would_run_alone(program):
    started = program("""
        import os, sys
        print(__name__, sys.argv, os.getcwd(), os.environ['MARK'], sys.flags.optimize)
        print([name for name in os.environ if name != 'GNET_NODE' and name.startswith(
            ('NODE_CHANNEL', 'NODE_UNIQUE', 'GNET_'))])
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


@pytest.mark.parametrize(('words', 'how'), [
    ([], 'the primary accepts, and gives connections out in turn'),
    (['--accept', 'workers'], 'they accept from what they share'),
])
def test_it_is_said_who_accepts(scripts, words, how):
    running = scripts.start(
        'pass', launcher=['-m', 'gnet', '--workers', '2', *words], merged=True, workers=True)
    assert running.wait_for(r'started 2 workers \(\d+, \d+\): (.*)')[1] == how
    assert running.wait().status == 0


def test_auto_is_one_for_each_core(scripts):
    running = scripts.start(
        'pass', launcher=['-m', 'gnet', '--workers=auto'], merged=True, workers=True)
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
    (['--accept', 'workers'], '--accept is about workers: it needs --workers N'),
    (['--drain-timeout', 'long'], "argument --drain-timeout: 'long' is no number of seconds"),
])
def test_a_wrong_usage_is_refused(scripts, words, reason):
    ended = scripts.run('print("must not run")', launcher=['-m', 'gnet', *words])
    assert (ended.status, ended.stdout) == (2, '')
    assert ended.stderr == f'gnet: {reason} (gnet --help)\n'


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


@pytest.mark.timeout(60)  # it starts some interpreters
@pytest.mark.executed  # what forks workers would be a child of the primary, too
def test_the_primary_keeps_nothing_of_workers_that_died(serving):
    started = serving(count=2, changes='staff.STABLE_TIME = 0.0')
    descriptors = f'/proc/{started.pid}/fd'
    before = len(os.listdir(descriptors))
    pids = started.workers
    for _ in range(3):
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
