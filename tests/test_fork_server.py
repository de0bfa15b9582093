"""What the suite forks is like what is started: see harness/fork_server.py."""

from __future__ import annotations

import errno
import json
import os
import resource
import signal
import sys
import textwrap
from pathlib import Path

import pytest
from gevent import monkey, subprocess

import gnet

from .harness import fork_server, forking

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith('linux'), reason='it forks on Linux alone')

PATCHED = ['-m', 'gevent.monkey']

LAUNCHERS = pytest.mark.parametrize(
    'launcher', [[], PATCHED, ['-m', 'gnet']], ids=['script', 'patched', 'command'])

#: Tells all that a script sees of its process.
LOOK = """
    import sys
    import warnings
    _first = dict(vars(sys.modules['__main__']))
    from gevent._hub_local import get_hub_if_exists
    hub = get_hub_if_exists()

    import atexit, gc, json, os, random, resource, signal, threading

    def stream(each):
        return [repr(each), type(each.buffer).__name__, each.errors, each.encoding, each.newlines,
                each.line_buffering, each.write_through, each.isatty(), each.fileno(),
                each.buffer.closed]

    found = {
        'argv': sys.argv, 'orig_argv': getattr(sys, 'orig_argv', None), 'path': sys.path,
        'flags': repr(sys.flags), 'warnings': sys.warnoptions,
        'filters': [repr(each) for each in warnings.filters],
        'environ': dict(os.environ), 'directory': os.getcwd(), 'parent': os.getppid(),
        'group': os.getpgid(0), 'session': os.getsid(0),
        'descriptors': sorted(os.listdir('/proc/self/fd'), key=int)[:-1],
        'inheritable': [os.get_inheritable(number) for number in range(3)],
        'blocking': [os.get_blocking(number) for number in range(3)],
        'signals': {int(each): repr(signal.getsignal(each)).partition(' at 0x')[0]
                    for each in signal.valid_signals()},
        'blocked': sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])),
        'streams': [stream(each) for each in (sys.stdin, sys.stdout, sys.stderr)],
        'same': [sys.stdin is sys.__stdin__, sys.stdout is sys.__stdout__,
                 sys.stderr is sys.__stderr__],
        'names': {name: repr(value).partition(' at 0x')[0] for name, value in _first.items()
                  if name not in ('__builtins__', 'warnings', 'sys')},
        'threads': [each.name for each in threading.enumerate()],
        'native': threading.main_thread().native_id == os.getpid(),
        'ident': threading.main_thread().ident == threading.get_ident(),
        'hub': hub is not None, 'collects': [gc.isenabled(), gc.get_threshold()],
        'limits': resource.getrlimit(resource.RLIMIT_NOFILE), 'umask': os.umask(0o22),
        'hooks': [sys.excepthook is sys.__excepthook__, sys.displayhook is sys.__displayhook__,
                  sys.gettrace(), sys.getprofile()],
        'recursion': sys.getrecursionlimit(),
    }
    print(json.dumps(found))
"""


def both(scripts, script, *args, **options):
    """Run it in both ways; return how it ended, which is the same."""
    forked = scripts.run(script, *args, **options)
    executed = scripts.run(script, *args, executed=True, **options)
    assert forked == executed
    return forked


@LAUNCHERS
@pytest.mark.parametrize(
    'env', [{}, {'PYTHONUNBUFFERED': None, 'OTHER': 'ä'}], ids=['', 'buffered'])
def test_a_script_sees_the_same(scripts, launcher, env):
    found = json.loads(both(scripts, LOOK, 'one', '-W', launcher=launcher, env=env).stdout)
    assert found['parent'] == os.getpid()
    assert found['argv'][1:] == ['one', '-W']


def test_a_child_with_a_channel_sees_the_same(tmp_path, monkeypatch):
    script = tmp_path / 'child.py'
    script.write_text(textwrap.dedent(LOOK) + textwrap.dedent("""
        import gnet
        gnet.process.send([gnet.process.connected, threading.get_ident() != 0])
    """))
    found = []
    for popen in (subprocess.Popen, forking.popen(fork_server.forker)):
        monkeypatch.setattr(subprocess, 'Popen', popen)
        child = gnet.child_process.fork(script, ['one'], silent=True, env={
            name: value for name, value in os.environ.items() if name != 'GNET_STAY_ALIVE'})
        messages = []
        child.on('message', lambda message, handle, messages=messages: messages.append(message))
        told = json.loads(b''.join(child.stdout))
        gnet.once(child, 'close')
        # Wherever it is: it is told by the environment, and looked up there by nobody else.
        descriptors = told.pop('descriptors')
        found.append((told, len(descriptors), messages, child.exit_code))
        for pipe in child.stdio:
            if pipe is not None:
                pipe.destroy()
    assert found[0] == found[1]
    assert found[0][2:] == ([[True, True]], 0)


@pytest.mark.parametrize('forked', [True, False])
def test_workers_are_forked_where_that_is_asked_for(scripts, forked):
    ended = scripts.start("""
        import os, sys
        from pathlib import Path
        import gnet
        from gnet import cluster

        if cluster.is_primary:
            worker = cluster.fork()
            print(os.getpid())
            sys.exit(gnet.once(worker, 'exit')[0])
        print(os.getppid(), Path('/proc/self/cmdline').read_bytes().find(b'forked_script') > 0)
        assert cluster.worker.id == 1 and gnet.process.connected
        sys.exit(3)
    """, launcher=[], workers=forked).wait()
    assert ended.status == 3
    primary, told = ended.stdout.splitlines()
    assert told == f'{primary} {forked}'


def test_workers_of_a_patched_script_are_patched_or_not_as_ever(scripts):
    script = """
        import sys
        import gnet
        from gevent import monkey
        from gnet import cluster

        print('patched', monkey.is_module_patched('socket'), flush=True)
        if cluster.is_primary:
            worker = cluster.fork()
            sys.exit(gnet.once(worker, 'exit')[0])
        sys.exit(3)
    """
    path = scripts._directory / 'script.py'
    path.write_text(textwrap.dedent(script))
    forked, executed = (
        scripts.start(path, launcher=PATCHED, workers=True, executed=executed).wait()
        for executed in (False, True))
    assert forked == executed
    assert (forked.status, forked.stdout) == (3, 'patched True\npatched False\n')


@LAUNCHERS
def test_it_is_forked(scripts, launcher):
    program = 'patched_script.py' if launcher == PATCHED else 'forked_script.py'
    script = "print(open('/proc/self/cmdline').read().replace('\\0', ' '))"
    if launcher != PATCHED or hasattr(monkey, '__path__'):  # not with old versions of gevent
        assert program in scripts.run(script, launcher=launcher).stdout
    assert program not in scripts.run(script, launcher=launcher, executed=True).stdout
    assert program not in scripts.run(
        script, launcher=launcher, env={'GNET_STAY_ALIVE': '0'}).stdout


ENDS = [
    ('import sys; sys.exit(3)', 3),
    ('import sys; sys.exit("a text")', 1),
    ('def fail():\n    raise ValueError(5)\nfail()', 1),
    # With a hub: where that is one of cffi's and begins at the end, Python forgets the interrupt.
    ('import gevent, os, signal; gevent.sleep(0); os.kill(os.getpid(), signal.SIGINT)',
     -signal.SIGINT),
    ('import warnings; warnings.warn("one")', 1),
    ('import atexit, threading\natexit.register(print, "last")\n'
     'threading.Thread(target=lambda: (threading.main_thread().join(), print("thread"))).start()',
     0),
]


@pytest.mark.parametrize(('script', 'status'), [
    *ENDS,
    ('def wrong(:', 1),
    ('raise KeyboardInterrupt', -signal.SIGINT),
    ('import os, signal; os.kill(os.getpid(), signal.SIGTERM)', -signal.SIGTERM),
    ('import os; os._exit(7)', 7),
    ('open("/dev/null")', 0),
    ('class Last:\n    def __del__(self): print("collected")\nlast = Last()', 0),
    ('import sys\nsys.excepthook = lambda *error: print("hook", error[1])\n1 / 0', 1),
    ('import sys; print(sys.stdin.read()); print("error", file=sys.stderr)', 0),
])
def test_a_script_ends_the_same(scripts, script, status):
    assert both(scripts, script, launcher=[], stdin='said').status == status


@pytest.mark.parametrize('launcher', [PATCHED, ['-m', 'gnet']], ids=['patched', 'command'])
@pytest.mark.parametrize(('script', 'status'), ENDS)
def test_a_script_that_a_module_runs_ends_the_same(scripts, script, status, launcher):
    assert both(scripts, script, launcher=launcher).status == status


def test_hashes_and_random_numbers_are_not_those_of_another(scripts):
    script = 'import random, uuid; print(random.random(), uuid.uuid4())'
    assert scripts.run(script).stdout != scripts.run(script).stdout


def test_many_are_told_from_each_other(scripts, tmp_path):
    script = tmp_path / 'status.py'
    script.write_text('import sys; sys.exit(int(sys.argv[1]))')
    running = [scripts.start(script, str(number)) for number in range(10)]
    assert [each.wait().status for each in running] == list(range(10))


def test_it_has_the_limits_of_the_suite_as_they_are(scripts):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    scripts.run('pass')
    resource.setrlimit(resource.RLIMIT_NOFILE, (999, hard))
    try:
        ended = both(scripts, 'import resource; print(resource.getrlimit(resource.RLIMIT_NOFILE))')
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert ended.stdout == f'{(999, hard)}\n'


def test_what_is_read_at_the_start_is_read_anew_where_it_has_changed(scripts, monkeypatch):
    scripts.run('pass')
    monkeypatch.setenv('PYTHONIOENCODING', 'latin-1')
    assert both(scripts, 'import sys; print(sys.stdout.encoding)').stdout == 'iso8859-1\n'


@pytest.mark.skipif(
    monkey.is_module_patched('socket') and not hasattr(monkey, '__path__'),
    reason='with old versions of gevent patched scripts are executed')
def test_a_fork_server_that_has_ended_costs_one_script(scripts):
    scripts.run('pass')
    for pid in fork_server.pids():
        os.kill(pid, signal.SIGKILL)
    try:
        with pytest.raises(OSError):  # noqa: PT011  # the socket is closed, or about to be
            scripts.run('pass')
        assert scripts.run('pass').status == 0
    finally:
        fork_server.close()  # those of other kinds of scripts have ended, too


@pytest.mark.parametrize('times', [1, 2])
def test_what_cannot_be_forked_has_no_number(scripts, times):
    assert both(scripts, f"""
        import ctypes, os, sys
        sys.path.insert(0, {str(Path(fork_server.__file__).parent)!r})
        import forked_script
        from gevent import monkey  # whose os.fork() opens what its hub needs

        class Full:
            left = {times}

            def fork(self):
                self.left -= 1
                ctypes.set_errno({errno.EAGAIN})
                return -1 if self.left == 0 else monkey.get_original('os', 'fork')()

        forked_script.libc = Full()
        before = os.listdir('/proc/self/fd')
        print(forked_script.fork(), os.listdir('/proc/self/fd') == before)
    """).stdout == f'{-errno.EAGAIN} True\n'


def test_a_worker_is_ended_by_a_signal_that_comes_before_it_has_begun(scripts):
    ended = scripts.start("""
        import os, signal
        import gnet
        from gnet import cluster

        cluster.setup_primary(exec='none.py')
        for _ in range(5):
            worker = cluster.fork()
            os.kill(worker.process.pid, signal.SIGTERM)
            print(gnet.once(worker, 'exit'))
    """, workers=True).wait()
    assert ended.stdout == "[None, 'SIGTERM']\n" * 5


def test_a_script_may_end_before_it_was_sent_what_it_does_not_read(scripts):
    running = scripts.start('pass')
    running.process.wait()
    with pytest.raises(BrokenPipeError):
        running.write('x')
    assert running.wait().status == 0
