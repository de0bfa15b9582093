"""How long a program lives after its last line: the hook at the interpreter's exit.

What ends a process is tried in one of its own, as plain ``python`` runs it (or patched, where the
suite is), and some of it in one that is started as users start it; ``python -m gnet`` has tests of
its own.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from typing import Any

import pytest

import gnet
from gnet.loop import exit_hook
from gnet.loop.duty import program

from ..harness.plain import PlainSocket
from .common import script

Run = Callable[..., Any]


# --- staying alive ------------------------------------------------------------------------------


@pytest.mark.executed
def test_a_script_with_a_server_serves_on_after_its_last_line(
    start_script: Run, talk: Run,
) -> None:
    running = start_script(script("""
        def answer(sock):
            sock.on('data', lambda data: (sock.end(data), server.close()))

        server = listening(answer)
    """))
    assert talk(running) == b'x'
    finished = running.wait()
    assert (finished.status, finished.stderr) == (0, '')


@pytest.mark.parametrize('how', [
    'nothing listens', 'closed', 'unref', 'switched off', 'switched off in the environment',
    'off and on',
])
def test_a_script_ends_when_there_is_no_reason_to_stay(run_script: Run, how: str) -> None:
    lines = {
        'nothing listens': 'gnet.create_server()',
        'closed': 'listening().close()',
        'unref': 'listening().unref()',
        'switched off': 'listening(); gnet.set_stay_alive(False)',
        'switched off in the environment': 'listening()',
        'off and on': 'gnet.set_stay_alive(False); gnet.set_stay_alive(True); listening().unref()',
    }
    environment = {'GNET_STAY_ALIVE': '0' if 'environment' in how else None}
    status, _, err = run_script(script(f'        {lines[how]}'), env=environment)
    assert (status, err) == (0, '')


def test_switching_it_on_again_counts_for_what_is_open(start_script: Run, talk: Run) -> None:
    running = start_script(script("""
        gnet.set_stay_alive(False)
        server = listening(lambda sock: (sock.resume().end(b'hello'), server.close()))
        gnet.set_stay_alive(True)
    """))
    assert talk(running) == b'hello'
    assert running.wait().status == 0


@pytest.mark.executed
def test_importing_gnet_arms_nothing(run_script: Run) -> None:
    status, out, err = run_script("""
        import gevent, gnet
        gevent.spawn_later(100, print)
        print('end')
    """)
    assert (status, out, err) == (0, 'end\n', '')


@pytest.mark.executed
def test_sys_exit_serves_on_and_then_exits_with_its_status(start_script: Run, talk: Run) -> None:
    running = start_script(script("""
        server = listening(lambda sock: (sock.resume().end(b'hello'), server.close()))
        sys.exit(3)
    """))
    assert talk(running) == b'hello'
    assert running.wait().status == 3


@pytest.mark.executed
def test_an_uncaught_exception_ends_a_script_with_its_traceback(run_script: Run) -> None:
    status, _, err = run_script(script("""
        listening()
        gevent.sleep(0.01)
        raise ValueError('the reason')
    """))
    assert status == 1
    assert 'ValueError: the reason' in err
    assert err.count('Traceback') == 1


def test_a_server_whose_port_is_taken_ends_the_script_with_a_traceback(run_script: Run) -> None:
    with PlainSocket() as plain:
        plain.bind(('127.0.0.1', 0))
        plain.listen()
        status, out, err = run_script(script("""
            gnet.create_server().listen(int(sys.argv[1]), '127.0.0.1')
        """), str(plain.getsockname()[1]))
    assert (status, out) == (1, '')
    assert 'listen EADDRINUSE: address already in use 127.0.0.1' in err
    assert 'Traceback' in err


@pytest.mark.parametrize('explicit', [False, True])
@pytest.mark.parametrize('where', ["sock.on('data', leave)", 'sock.recv(1); leave()'])
def test_a_system_exit_in_a_listener_ends_the_program_with_its_status(
    start_script: Run, talk: Run, explicit: bool, where: str,
) -> None:
    running = start_script(script(f"""
        import atexit
        atexit.register(print, 'exit functions are called')

        def leave(*args):
            raise SystemExit(7)

        def handler(sock):
            {where}

        def say():
            # Later, because a patched interpreter gives the hub a turn before the exit hook.
            gevent.spawn_later(0.02, print, 'port', server.address().port, flush=True)

        server = gnet.create_server(handler).listen(0, '127.0.0.1', say)
        {'gnet.run()' if explicit else ''}
    """))
    talk(running)
    finished = running.wait()
    assert (finished.status, finished.stderr) == (7, '')
    assert finished.stdout.endswith('exit functions are called\n')


@pytest.mark.parametrize(('value', 'status', 'printed'), [
    (None, 0, ''), (0, 0, ''), ("'why'", 1, 'why\n'), (True, 1, ''),
])
def test_the_status_of_a_system_exit_is_that_of_python(
    start_script: Run, talk: Run, value: Any, status: int, printed: str,
) -> None:
    running = start_script(script(f"""
        def leave(data):
            raise SystemExit({value})

        listening(lambda sock: sock.on('data', leave))
    """))
    talk(running)
    finished = running.wait()
    assert (finished.status, finished.stderr) == (status, printed)


@pytest.mark.executed
@pytest.mark.parametrize('explicit', [False, True])
def test_ctrl_c_ends_a_server_quietly_with_the_status_of_sigint(
    start_script: Run, talk: Run, explicit: bool,
) -> None:
    running = start_script(script(f"""
        import atexit
        atexit.register(print, 'exit functions are called', flush=True)
        listening()
        {'gnet.run()' if explicit else ''}
    """))
    assert talk(running) == b'x'
    running.send_signal(signal.SIGINT)
    finished = running.wait()
    assert (finished.status, finished.stderr) == (-signal.SIGINT, '')
    assert finished.stdout.endswith('exit functions are called\n')


def test_ctrl_c_that_a_script_catches_ends_it_as_it_wants(start_script: Run, talk: Run) -> None:
    """Its servers are still open, but to serve on would make the user press Ctrl-C again."""
    running = start_script(script("""
        listening()
        try:
            gnet.run()
        except KeyboardInterrupt:
            print('bye')
    """))
    talk(running)
    running.send_signal(signal.SIGINT)
    finished = running.wait()
    assert (finished.status, finished.stderr) == (0, '')
    assert finished.stdout.endswith('bye\n')


def test_a_script_that_serves_for_some_time_ends_then(run_script: Run) -> None:
    status, out, err = run_script(script("""
        listening()
        print(gnet.run(timeout=0.05))
    """))
    assert (status, err) == (0, '')
    assert out.endswith('False\n')


def test_what_is_opened_after_run_was_left_is_served(start_script: Run, talk: Run) -> None:
    running = start_script(script("""
        first = gnet.create_server().listen(0, '127.0.0.1')
        gnet.run(timeout=0.05)
        first.close()
        server = listening(lambda sock: (sock.resume().end(b'hello'), server.close()))
    """))
    assert talk(running) == b'hello'
    assert running.wait().status == 0


def test_sigterm_ends_a_program_as_any_other(start_script: Run, talk: Run) -> None:
    running = start_script(script("""
        listening()
    """))
    talk(running)
    running.send_signal(signal.SIGTERM)
    assert running.wait().status == -signal.SIGTERM


@pytest.mark.executed
@pytest.mark.skipif(
    (3, 12) <= sys.version_info < (3, 12, 3), reason='these Pythons start no thread at the end')
def test_threads_names_and_executors_work_while_a_script_serves_on(
    start_script: Run, talk: Run,
) -> None:
    """Most of that is closed for good when functions of atexit are called."""
    running = start_script(script("""
        import threading, time
        from concurrent.futures import ThreadPoolExecutor

        def handler(sock):
            sock.recv(10)
            gevent.socket.getaddrinfo('127.0.0.1', 80)
            gevent.get_hub().threadpool.apply(time.sleep, (0.001,))
            pool = ThreadPoolExecutor(1)
            assert pool.submit(int).result() == 0
            pool.shutdown()
            sock.sendall(b'done')
            server.close()

        server = listening(handler)
    """))
    assert talk(running) == b'done'
    finished = running.wait()
    assert (finished.status, finished.stderr) == (0, '')


def test_a_forked_child_does_not_stay(start_script: Run, talk: Run) -> None:
    running = start_script(script("""
        server = listening(lambda sock: (sock.resume().end(b'hello'), server.close()))
        gnet.once(server, 'listening')
        child = gevent.os.fork()
        if not child:
            print('child ends', flush=True)
        else:
            print('status', os.waitpid(child, 0)[1], flush=True)
    """))
    port = int(running.wait_for(r'port (\d+)')[1])
    running.wait_for('child ends')
    running.wait_for('status 0')
    assert talk(port) == b'hello'
    assert running.wait().status == 0


def test_a_child_that_was_forked_before_gnet_was_used_stays(start_script: Run, talk: Run) -> None:
    running = start_script(script("""
        child = gevent.os.fork()
        if child:
            os.waitpid(child, 0)
        else:
            server = listening(lambda sock: (sock.resume().end(b'hello'), server.close()))
    """))
    assert talk(running) == b'hello'
    assert running.wait().status == 0


def test_an_interactive_session_is_not_held(start_script: Run) -> None:
    running = start_script(script("""
        listening()
    """), launcher=['-i', '-q'], env={'PYTHONSTARTUP': None})
    running.write("print('prompt', flush=True)\n")
    running.wait_for('prompt')
    running.write('exit()\n')
    assert running.wait().status == 0


def test_a_server_of_another_thread_does_not_hold_the_program(run_script: Run) -> None:
    status, out, err = run_script(script("""
        from gevent import monkey

        def serve():
            server = gnet.create_server().listen(0, '127.0.0.1')
            gnet.run(timeout=0.05)
            print('served', flush=True)
            done.append(server)

        done = []
        gevent.get_hub().loop  # two threads that make hubs at once break gevent itself
        monkey.get_original('_thread', 'start_new_thread')(serve, ())
        while not done:
            gevent.sleep(0.01)
    """))
    assert (status, err) == (0, '')
    assert 'served' in out


def test_a_failure_that_was_reported_before_the_last_line_counts_too(run_script: Run) -> None:
    status, _, err = run_script(script("""
        def fail():
            raise ValueError('the reason')

        listening().on('listening', fail)
        gevent.sleep(0.05)
        print('the last line')
    """))
    assert status == 1
    assert err.count('ValueError: the reason') == 1


def test_a_failure_while_serving_on_has_a_traceback_and_status_1(
    start_script: Run, talk: Run,
) -> None:
    running = start_script(script("""
        def handler(sock):
            server.close()
            sock.resume().end(b'hello')

        def fail():
            raise ValueError('the reason')

        server = listening(handler)
        server.on('close', fail)
    """))
    assert talk(running) == b'hello'
    finished = running.wait()
    assert finished.status == 1
    assert 'ValueError: the reason' in finished.stderr


# --- the setting --------------------------------------------------------------------------------


def test_the_setting_can_be_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, 'stays_alive', False)
    monkeypatch.setattr(program, 'has_hook', True)
    monkeypatch.setattr(program, 'process', os.getpid())
    assert not exit_hook.stays_alive()
    gnet.set_stay_alive(True)
    exit_hook.arm()
    assert exit_hook.stays_alive()
    gnet.set_stay_alive(False)
    assert not exit_hook.stays_alive()
