"""How a forked process begins, ends, and is described: Node's rules, measured."""

from __future__ import annotations

import errno
import os
import signal
import sys
from typing import Any

import gevent
import pytest
from gevent import monkey
from gevent.event import Event

import gnet
from gnet.processes.channel import Channel

from ..harness.leaks import holds
from ..harness.waiting import PROCESS_PATIENCE

IDLE = """
    import gnet
    gnet.process.on('message', lambda *args: None)
    gnet.process.send('up')
"""


@pytest.mark.executed
def test_the_child_is_a_fresh_interpreter_that_runs_the_script_as_main(fork: Any) -> None:
    child = fork("""
        import gnet, os, sys
        gnet.process.send([__name__, sys.argv[1:], os.getppid(), 'pytest' in sys.modules,
                           'NODE_CHANNEL_FD' in os.environ, os.get_inheritable(0)])
    """, 'one', '--two')
    name, arguments, parent, _, marked, _ = child.message()
    assert (name, arguments, parent, marked) == ('__main__', ['one', '--two'], os.getpid(), False)
    assert child.wait() == (0, None)
    assert (child.process.exit_code, child.process.signal_code) == (0, None)


def test_its_properties(fork: Any) -> None:
    child = fork(IDLE)
    process = child.process
    assert process.pid > 0
    assert process.spawnfile == sys.executable
    assert process.spawnargs[0] == sys.executable
    assert (process.exit_code, process.signal_code, process.killed) == (None, None, False)
    assert process.connected
    assert process.channel.fd >= 0
    assert process.stdio == (None, None, None)
    assert child.message() == 'up'
    assert repr(process) == f'<gnet.ChildProcess {process.pid} running>'
    assert process.kill()
    assert process.killed
    assert child.wait() == (None, 'SIGTERM')
    assert process.signalCode == 'SIGTERM'
    assert repr(process) == f'<gnet.ChildProcess {process.pid} SIGTERM>'


@pytest.mark.parametrize('name', ['SIGKILL', 'SIGTERM', 'SIGUSR1', 'sigint', signal.SIGUSR2, 9])
def test_kill_sends_any_signal(fork: Any, name: Any) -> None:
    child = fork('import time; time.sleep(60)')
    assert child.process.kill(name) is True
    number = getattr(signal, name.upper()) if isinstance(name, str) else signal.Signals(name)
    code, got = child.wait()
    # A child that had not begun yet dies of it; SIGINT it may make an exception of.
    assert got == number.name or (number is signal.SIGINT and code is not None)
    assert child.process.kill() is False


@pytest.mark.parametrize('name', ['FOO', 999, -1, 1.5, ''])
def test_kill_refuses_what_is_no_signal(fork: Any, name: Any) -> None:
    child = fork(IDLE)
    with pytest.raises(gnet.CodedTypeError) as caught:
        child.process.kill(name)
    assert caught.value.code == 'ERR_UNKNOWN_SIGNAL'
    assert child.process.kill(0) is True  # it is there


def test_a_program_that_is_not_there(fork: Any) -> None:
    child = fork(IDLE, exec_path='/no/such/program')
    assert child.process.pid is None
    assert not child.process.connected
    assert child.wait() == (-errno.ENOENT, None)
    (_, error), closed = child.events
    assert isinstance(error, FileNotFoundError)
    assert (str(error), error.code, error.errno, error.syscall, error.path) == (
        'spawn /no/such/program ENOENT', 'ENOENT', errno.ENOENT, 'spawn /no/such/program',
        '/no/such/program')
    assert error.spawnargs[-1].endswith('child0.py')
    assert closed == ('close', -errno.ENOENT, None)
    assert child.process.kill() is False


def test_a_script_that_is_not_there(fork: Any, tmp_path: Any) -> None:
    process = gnet.child_process.fork(tmp_path / 'no.py', stdio=['ignore'] * 3 + ['ipc'])
    assert gnet.once(process, 'exit', timeout=PROCESS_PATIENCE) == [2, None]


@pytest.mark.executed
@pytest.mark.parametrize(('stdio', 'piped', 'null'), [
    (['ipc', 'pipe', 'pipe'], [1, 2], [0]),
    (['pipe', 'ipc', 'pipe'], [0, 2], [1]),
    (('pipe', 'pipe', 'ipc'), [0, 1], [2]),
    (['ipc'], [1, 2], [0]),
    (['ignore', 'pipe', 'pipe', 'ipc'], [1, 2], [0]),
])
def test_the_place_of_the_channel_is_taken_from_nobody(
    fork: Any, stdio: Any, piped: list[int], null: list[int],
) -> None:
    child = fork("""
        import os
        import gnet
        nothing = os.stat(os.devnull).st_rdev
        gnet.process.send([fd for fd in range(3) if os.fstat(fd).st_rdev == nothing])
    """, stdio=stdio)
    assert [index for index, end in enumerate(child.process.stdio) if end is not None] == piped
    assert gnet.once(child.process, 'message', timeout=PROCESS_PATIENCE) == [null, None]


def test_without_descriptors_it_is_an_error_and_nothing_leaks(run_script: Any) -> None:
    finished = run_script("""
        import os, resource
        import gevent, gevent.event, gnet
        first = gnet.child_process.fork('no.py', stdio=['ignore'] * 3 + ['ipc'])
        gnet.once(first, 'close')  # now gevent has opened what it keeps

        def descriptors():
            return len(os.listdir('/proc/self/fd'))

        before = descriptors()
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        for more in range(6):
            resource.setrlimit(resource.RLIMIT_NOFILE, (before + more, hard))
            try:
                child = gnet.child_process.fork('child.py', stdio=['ignore'] * 3 + ['ipc'])
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
            closed = gevent.event.Event()
            child.on('error', lambda error: print(error.code, error.syscall[:5]))
            child.on('close', lambda code, signal: closed.set())
            closed.wait()
        print(descriptors() <= before)
    """)
    lines = finished.stdout.splitlines()
    assert set(lines[:-1]) == {'EMFILE spawn'}
    assert lines[-1] == 'True'


def test_silent_gives_pipes(fork: Any) -> None:
    child = fork("""
        import sys
        line = sys.stdin.readline()
        print('out', line, end='')
        print('err', line, end='', file=sys.stderr)
    """, silent=True)
    process = child.process
    process.stdin.end('hello\n')
    with process.stdout as stdout, process.stderr as stderr:
        assert b''.join(stdout) == b'out hello\n'
        assert b''.join(stderr) == b'err hello\n'
    assert child.wait() == (0, None)


def test_pipes_in_event_style_are_read_to_their_end_before_close(fork: Any) -> None:
    child = fork("print('x' * 1_000_000)", silent=True)
    received: list[bytes] = []
    child.process.stdout.on('data', received.append)
    child.process.stdout.on('end', lambda: child.events.append(('end',)))
    assert child.wait() == (0, None)
    assert len(b''.join(received)) == 1_000_001
    assert child.names().index('end') < child.names().index('close')


def test_pipes_that_nobody_reads_hold_up_nothing(fork: Any) -> None:
    child = fork("print('some output')", silent=True)
    assert child.wait() == (0, None)


@pytest.mark.executed
def test_an_accepted_connection_as_stdio(
    fork: Any, serve: Any, connect: Any, family: Any,
) -> None:
    accepted: list[Any] = []
    server = serve(target=family.listen_options, pause_on_connect=True)
    server.on('connection', accepted.append)
    peer = connect(server)
    if not accepted:
        gnet.once(server, 'connection', timeout=PROCESS_PATIENCE)
    [sock] = accepted
    child = fork("print('from the child')", stdio=['ignore', sock, 'inherit', 'ipc'])
    assert child.wait() == (0, None)
    sock.destroy()
    assert peer.recv_until_end() == b'from the child\n'


@pytest.mark.executed
def test_cwd_and_environment(fork: Any, tmp_path: Any) -> None:
    child = fork("""
        import gnet, os
        gnet.process.send([os.getcwd(), os.environ.get('MINE'), os.environ.get('HOME')])
    """, cwd=tmp_path, env={'MINE': 'yes', 'PATH': os.environ['PATH']})
    assert child.message() == [os.path.realpath(tmp_path), 'yes', None]


@pytest.mark.executed
def test_options_of_the_interpreter(fork: Any) -> None:
    child = fork("""
        import gnet, sys
        gnet.process.send([sys.flags.optimize, sys.flags.dev_mode])
    """, exec_argv=['-O', '-X', 'dev', '-W', 'ignore'])
    assert child.message() == [1, True]


@pytest.mark.executed
def test_a_patched_child(fork: Any) -> None:
    child = fork("""
        import gnet, gevent.monkey
        gnet.process.send(gevent.monkey.is_module_patched('socket'))
    """, patch=True)
    assert child.message() is True


@pytest.mark.executed
def test_a_module(fork: Any, tmp_path: Any) -> None:
    (tmp_path / 'amodule.py').write_text(
        'import gnet, sys\ngnet.process.send([__name__, sys.argv[1:]])')
    process = gnet.child_process.fork('amodule', ['x'], cwd=tmp_path)
    assert gnet.once(process, 'message', timeout=PROCESS_PATIENCE) == [['__main__', ['x']], None]
    assert gnet.once(process, 'exit', timeout=PROCESS_PATIENCE) == [0, None]


def test_a_timeout_kills(fork: Any) -> None:
    child = fork(IDLE, timeout=50, kill_signal='SIGKILL')
    assert child.wait() == (None, 'SIGKILL')


@pytest.mark.parametrize('when', ['before', 'later'])
def test_a_signal_kills(fork: Any, when: str) -> None:
    abort = Event()
    if when == 'before':
        abort.set()
    child = fork(IDLE, signal=abort)
    if when == 'later':
        assert child.message() == 'up'
        abort.set()
    assert child.wait() == (None, 'SIGTERM')
    assert [error.code for name, *rest in child.events if name == 'error' for error in rest] == [
        'ABORT_ERR']


def test_a_detached_child_leads_a_session(fork: Any) -> None:
    child = fork("""
        import gnet, os
        gnet.process.send(os.getsid(0) == os.getpid())
    """, detached=True)
    assert child.message() is True


def test_children_keep_the_program_alive_unless_they_and_their_channel_are_unrefed(
    run_script: Any, tmp_path: Any,
) -> None:
    child = tmp_path / 'child.py'
    child.write_text(
        "import gnet\ngnet.process.on('disconnect', lambda: print('left alone', flush=True))")
    finished = run_script("""
        import gnet, sys
        child = gnet.child_process.fork(sys.argv[1])
        child.unref()
        child.channel.unref()
        print('last line', flush=True)
        gnet.run()
    """, str(child))
    assert finished.status == 0
    # The child's line comes when this program has ended.
    assert finished.stdout.splitlines() == ['last line', 'left alone']


def test_no_zombie_is_left(fork: Any) -> None:
    child = fork('pass')
    child.wait()
    with pytest.raises(ChildProcessError):
        # (gevent's keeps the status of its children.)
        monkey.get_original('os', 'waitpid')(child.process.pid, os.WNOHANG)


def test_in_another_thread_it_says_why_not(native: Any, tmp_path: Any) -> None:
    def start() -> str:
        try:
            gnet.child_process.fork(str(tmp_path / 'x.py'))
        except gnet.CodedRuntimeError as error:
            return error.code
        finally:
            gevent.get_hub().destroy(destroy_loop=True)
        return 'started'

    assert native(start) == 'ERR_NOT_MAIN_THREAD'


@pytest.mark.parametrize(('args', 'options', 'code'), [
    ((1,), {}, 'ERR_INVALID_ARG_TYPE'), ((None,), {}, 'ERR_INVALID_ARG_TYPE'),
    (('',), {}, 'ERR_INVALID_ARG_VALUE'), (('a\0b',), {}, 'ERR_INVALID_ARG_VALUE'),
    (('x.py', 1), {}, 'ERR_INVALID_ARG_TYPE'), (('x.py', 'words'), {}, 'ERR_INVALID_ARG_TYPE'),
    (('x.py', ['a\0']), {}, 'ERR_INVALID_ARG_VALUE'),
    (('x.py', [], 1), {}, 'ERR_INVALID_ARG_TYPE'),
    (('x.py',), {'stdio': 'foo'}, 'ERR_INVALID_ARG_VALUE'),
    (('x.py',), {'stdio': 5}, 'ERR_INVALID_ARG_VALUE'),
    (('x.py',), {'stdio': ['pipe'] * 3}, 'ERR_CHILD_PROCESS_IPC_REQUIRED'),
    (('x.py',), {'stdio': ['pipe', 'what', 'ipc']}, 'ERR_INVALID_ARG_VALUE'),
    (('x.py',), {'stdio': ['ipc', *['pipe'] * 3]}, 'ERR_INVALID_ARG_VALUE'),
    (('x.py',), {'execPath': 1}, 'ERR_INVALID_ARG_TYPE'),
    (('x.py',), {'exec_argv': 1}, 'ERR_INVALID_ARG_TYPE'),
    (('x.py',), {'cwd': 1}, 'ERR_INVALID_ARG_TYPE'),
    (('x.py',), {'env': 1}, 'ERR_INVALID_ARG_TYPE'),
    (('x.py',), {'timeout': -1}, 'ERR_OUT_OF_RANGE'),
    (('x.py',), {'kill_signal': 'FOO'}, 'ERR_UNKNOWN_SIGNAL'),
    (('x.py',), {'uid': 'x'}, 'ERR_INVALID_ARG_TYPE'),
    (('x.py',), {'gid': -1}, 'ERR_INVALID_ARG_TYPE'),
    (('x.py',), {'serialization': 'advanced'}, 'ERR_INVALID_ARG_VALUE'),
    (('x.py',), {'detached': 'x'}, 'ERR_INVALID_ARG_TYPE'),
    (('x.py',), {'patch': 1}, 'ERR_INVALID_ARG_TYPE'),
    (('x.py',), {'signal': 1}, 'ERR_INVALID_ARG_TYPE'),
])
def test_wrong_arguments_are_refused_and_nothing_is_started(
    args: Any, options: Any, code: str,
) -> None:
    with pytest.raises((TypeError, ValueError, RuntimeError)) as caught:
        gnet.child_process.fork(*args, **options)
    assert getattr(caught.value, 'code', None) == code


@pytest.mark.parametrize('method', ['ref', 'unref'])
def test_ref_and_unref_of_a_child_that_has_just_ended_change_nothing(
    fork: Any, method: str,
) -> None:
    before = holds()
    child = fork("import gnet; gnet.process.send('last words')")
    if method == 'ref':
        child.process.unref()
    child.process.on('message', lambda *_args: getattr(child.process, method)())
    # The program is busy until the child has ended, and sees both at once.
    os.waitid(os.P_PID, child.process.pid, os.WEXITED | os.WNOWAIT)
    child.wait()
    assert child.message() == 'last words'
    assert holds() == before


def test_the_end_of_a_child_is_told_even_if_the_rest_of_its_channel_cannot_be_read(
    fork: Any, hub_reports: list[Any], monkeypatch: pytest.MonkeyPatch,
) -> None:
    def no_memory(_channel: Any) -> None:
        raise MemoryError

    monkeypatch.setattr(Channel, 'drain', no_memory)
    child = fork("""
        import os, stat, sys
        for number in map(int, os.listdir('/proc/self/fd')):
            if number > 2 and os.path.exists(f'/proc/self/fd/{number}'):
                if stat.S_ISSOCK(os.fstat(number).st_mode):
                    os.dup(number)  # gnet closes its own in a forked child
        if os.fork():
            os._exit(0)
        sys.stdin.read()  # keeps the channel open until 'exit', which closes this
    """, stdio=['pipe', 'inherit', 'inherit', 'ipc'])
    assert child.wait() == (0, None)
    assert child.names() == ['spawn', 'exit', 'disconnect', 'close']
    assert [type(error) for _, error in hub_reports] == [MemoryError]
