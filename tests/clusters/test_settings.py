"""``setup_primary`` and ``fork``: what workers are started with."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ..harness.scripts import Running, Scripts

Program = Callable[..., Running]

_AT_THE_END = pytest.mark.skipif(
    (3, 12) <= sys.version_info < (3, 12, 3),
    reason='these Pythons start no process after the last line')


def test_settings_are_cumulative_and_emitted_on_a_tick(program: Program) -> None:
    finished = program("""
        cluster.on('setup', lambda settings: say('setup', settings['args'], settings['silent']))
        say(cluster.settings, cluster.scheduling_policy == cluster.SCHED_RR,
            cluster.schedulingPolicy, cluster.SCHED_NONE)
        cluster.setup_primary({'args': ['a'], 'silent': True})
        before = cluster.settings
        cluster.setupPrimary(args=['b'])
        cluster.setup_master()
        say(sorted(cluster.settings), cluster.settings['args'], cluster.settings['silent'])
        say(before['args'], os.path.basename(cluster.settings['exec']))
        cluster.scheduling_policy = cluster.SCHED_NONE
        say(cluster.scheduling_policy, cluster._primary.in_turn)
        say('end')
    """, 'own', 'arguments').wait()
    assert finished.stdout.splitlines() == [
        '{} True 2 1',
        "['args', 'exec', 'exec_argv', 'silent'] ['b'] True",
        "['a'] program.py",
        '1 True',
        'end',
        "setup ['a'] True", "setup ['b'] True", "setup ['b'] True",
    ]


def test_workers_run_this_script_with_its_arguments(program: Program) -> None:
    finished = program("""
        if cluster.is_primary:
            say(cluster.isPrimary, cluster.isMaster, cluster.isWorker, cluster.worker)
            worker = cluster.fork({'MINE': 'x'})
            worker.on('exit', lambda *_: say(worker.id))
        else:
            say(cluster.is_primary, cluster.is_master, cluster.is_worker, cluster.workers)
            say(sys.argv[1:], __name__, os.environ['MINE'], 'NODE_UNIQUE_ID' in os.environ,
                'NODE_CHANNEL_FD' in os.environ)
            say(cluster.worker.id, cluster.worker.process is gnet.process,
                cluster.worker.is_connected(), cluster.worker.isDead(),
                cluster.worker.exitedAfterDisconnect)
            for call in (cluster.fork, cluster.setup_primary, cluster.disconnect):
                try:
                    call()
                except gnet.CodedRuntimeError as error:
                    say(error.code)
            sys.exit()
    """, 'some', 'arguments').wait()
    assert finished.stdout.splitlines() == [
        'True True False None', 'False False True {}',
        "['some', 'arguments'] __main__ x False False", '1 True True False None',
        *['ERR_NOT_PRIMARY'] * 3, '1',
    ]


@pytest.mark.parametrize(('launcher', 'said'), [
    (['-m', 'gnet', '-m', 'app'], "worker app ['x']"),
    pytest.param(['-m', 'app'], "worker app ['x']", marks=_AT_THE_END),
    (['-m', 'gnet', 'app/__main__.py'], "worker  ['x']"),
    pytest.param(['-m', 'gevent.monkey', 'app/__main__.py'], "worker  ['x']", marks=_AT_THE_END),
])
def test_workers_run_what_the_primary_runs(
    scripts: Scripts, tmp_path: Path, launcher: list[str], said: str,
) -> None:
    package = tmp_path / 'app'
    package.mkdir()
    package.joinpath('__init__.py').write_text('')
    package.joinpath('__main__.py').write_text("""
import sys
import gnet

def start():
    gnet.cluster.fork()

if gnet.cluster.is_primary:
    # When the script has ended: a launcher may have cleaned up by then.
    server = gnet.create_server().listen(0, lambda: (server.close(), start()))
else:
    print('worker', __package__ or '', sys.argv[1:])
    sys.exit()
""")
    # The launcher is all of the command: what the harness takes for the script is an argument.
    finished = scripts.run(tmp_path / 'x', launcher=launcher)
    assert finished.stdout.replace(f'{tmp_path}/', '').splitlines() == [said]


def test_exec_args_cwd_environment_and_silent(program: Program, tmp_path: Path) -> None:
    other = tmp_path / 'other'
    other.mkdir()
    (other / 'other.py').write_text("""
import os, sys
print(sys.argv[1:], os.path.basename(os.getcwd()), os.environ['A'], os.environ['B'])
sys.exit()
""")
    finished = program("""
        cluster.setup_primary(exec='other/other.py', args=['y'], silent=True, env={'A': 1, 'B': 1})
        worker = cluster.fork({'B': 2})
        cluster.setup_primary(cwd='other', exec='other.py', silent=False)
        pieces = []
        worker.process.stdout.set_encoding('utf-8').on('data', pieces.append)
        worker.process.stdout.on('end', lambda: say('piped', ''.join(pieces)))
        worker.on('exit', lambda *_: cluster.fork())
    """).wait()
    assert finished.stdout.split('\n') == [
        f"piped ['y'] {tmp_path.name} 1 2", '', "['y'] other 1 1", '']


def test_workers_can_be_patched(program: Program) -> None:
    finished = program("""
        if cluster.is_primary:
            cluster.setup_primary(patch=True)
            cluster.fork()
        else:
            from gevent import monkey
            say(monkey.is_module_patched('socket'))
            server = gnet.create_server().listen(0)
            server.on('listening', cluster.worker.disconnect)
    """).wait()
    assert (finished.stdout, finished.status, finished.stderr) == ('True\n', 0, '')


def test_a_number_without_a_channel_makes_no_worker(scripts: Scripts) -> None:
    finished = scripts.run("""
        import logging, os
        logging.basicConfig()
        import gnet
        print(gnet.cluster.is_worker, 'NODE_UNIQUE_ID' in os.environ)
    """, env={'NODE_UNIQUE_ID': '3'})
    assert finished.stdout == 'False False\n'
    assert 'no channel to a primary' in finished.stderr


def test_bad_settings_are_errors_at_the_call(program: Program) -> None:
    finished = program("""
        for call in (lambda: cluster.fork('x'), lambda: cluster.disconnect('x')):
            try:
                call()
            except gnet.CodedTypeError as error:
                say(error.code, error)
        cluster.setup_primary(exec_path='/nowhere')
        worker = cluster.fork()
        worker.on('error', lambda error: say(error.code, cluster.workers == {1: worker}))
        worker.process.on('close', lambda *_: (
            say(cluster.workers), cluster.disconnect(lambda: say('all gone'))))
    """).wait()
    assert finished.stdout.splitlines() == [
        'ERR_INVALID_ARG_TYPE The "env" argument must be of type object. '
        "Received type string ('x')",
        'ERR_INVALID_ARG_TYPE The "callback" argument must be of type function. '
        "Received type string ('x')",
        'ENOENT True', '{}', 'all gone',
    ]
    assert finished.status == 0


def test_workers_are_patched_if_the_program_is_run_so(scripts: Scripts) -> None:
    running = scripts.start("""
        import gevent.monkey, gnet
        if gnet.cluster.is_primary:
            gnet.cluster.fork()
        else:
            print(gevent.monkey.is_module_patched('socket'), flush=True)
            gnet.cluster.worker.disconnect()
    """, launcher=['-m', 'gnet', '--patch'])
    assert running.wait()[:2] == (0, 'True\n')
