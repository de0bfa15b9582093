"""``python -m gnet``: how a program ends, and with what status and traceback."""

from __future__ import annotations

import signal

import pytest

from .common import GNET, LONG, PATCHED, same_as_python

ENDINGS = {
    'exit without a status': 'import sys; sys.exit()',
    'exit with zero': 'raise SystemExit(0)',
    'exit with a status': 'import sys; sys.exit(3)',
    'exit with True': 'import sys; sys.exit(True)',
    'exit with a text': 'import sys; sys.exit("enough")',
    'exit in a function at exit': 'import atexit, sys; atexit.register(print, 4); sys.exit(5)',
    'an exception': """
        import atexit
        atexit.register(print, 'at exit')
        def function():
            1 / 0
        try:
            function()
        finally:
            print('finally')
    """,
    'a chain of exceptions': """
        try:
            {}['missing']
        except KeyError as error:
            raise ValueError('no') from error
    """,
    'a failing import': 'import failing',
    'no exception class of the usual kind': 'import gevent; raise gevent.GreenletExit("left")',
    'a wrong syntax': 'x = 1\nx = = 2\n',
    'a wrong syntax in an import': 'import wrong',
    'an except hook of its own': """
        import sys, traceback
        def hook(kind, error, trace):
            print('hook', kind, error, traceback.extract_tb(trace))
            print(traceback.extract_tb(error.__traceback__))
        sys.excepthook = hook
        1 / 0
    """,
}


@pytest.mark.parametrize('ending', ENDINGS.values(), ids=ENDINGS)
def test_a_program_ends_as_it_would_by_itself(python, ending):
    python.write('failing.py', 'def fail():\n    raise OSError(24, "too many")\nfail()\n')
    python.write('wrong.py', 'x = = 1\n')
    python.write('program.py', ending)
    expected = same_as_python(python, 'program.py')
    # Python's own traceback of a module starts in the standard library.
    assert python.run(*GNET, '-m', 'program') == expected


def test_an_unknown_encoding_of_a_script_is_an_error_without_a_traceback(python):
    python.write('script.py', '# coding: latin-0\n')
    ended = python.run(*GNET, 'script.py')
    assert ended.status == 1
    assert 'Traceback' not in ended.stderr
    assert ended.stderr.endswith('SyntaxError: unknown encoding: latin-0\n')


def test_an_except_hook_that_fails_hides_nothing(python):
    python.write('script.py', """
        import sys
        sys.excepthook = lambda *arguments: {}['missing']
        1 / 0
    """)
    ended = python.run(*GNET, 'script.py')
    assert ended.status == 1
    assert "KeyError: 'missing'" in ended.stderr
    assert ended.stderr.endswith('ZeroDivisionError: division by zero\n')


@pytest.mark.parametrize('launcher', [GNET, PATCHED])
@pytest.mark.parametrize(
    ('ending', 'status'), [('sys.exit(3)', 3), ('sys.exit()', 0), ('1 / 0', 1)],
)
def test_after_an_exit_or_a_failure_it_does_not_serve_on(python, launcher, ending, status):
    # The exit hook is armed, as a server's listen() arms it.
    python.write('script.py', f"""
        import sys, gevent
        from gnet.loop import exit_hook
        from gnet.loop.loop import get_loop
        exit_hook.arm()
        get_loop().hold()
        gevent.spawn_later({LONG}, print)
        {ending}
    """)
    ended = python.run(*launcher, 'script.py')
    assert ended.status == status
    assert ('ZeroDivisionError' in ended.stderr) is (status == 1)


@pytest.mark.parametrize('launcher', [GNET, PATCHED])
@pytest.mark.parametrize('last_line', ['', f'gevent.sleep({LONG})'], ids=['at the end', 'before'])
def test_an_exit_in_a_greenlet_ends_the_program_with_its_status(python, launcher, last_line):
    python.write('script.py', f"""
        import atexit, sys, gevent
        atexit.register(print, 'at exit')
        gevent.spawn_later({LONG}, print)
        gevent.spawn_later(0.01, sys.exit, 7)
        {last_line}
    """)
    assert python.run(*launcher, 'script.py') == (7, 'at exit\n', '')


def test_an_exit_in_a_listener_ends_the_program_with_its_status(python):
    python.write('script.py', f"""
        import sys, gevent
        from gnet.loop.loop import get_loop
        gevent.spawn_later({LONG}, print)
        get_loop().tick(sys.exit, 7)
    """)
    assert python.run(*GNET, 'script.py') == (7, '', '')


def test_a_failure_while_serving_ends_the_program_with_its_traceback(python):
    path = python.write('script.py', f"""
        import gevent
        from gnet.loop.loop import get_loop
        loop = get_loop()
        gevent.spawn_later({LONG}, print)
        def fail():
            try:
                1 / 0
            except ZeroDivisionError as error:
                loop.fail(None, error)
        loop.tick(fail)
    """)
    ended = python.run(*GNET, 'script.py')
    assert ended.status == 1
    first, second, *_, last = ended.stderr.splitlines()
    assert first == 'Traceback (most recent call last):'
    assert second == f'  File "{path}", line 8, in fail'
    assert last == 'ZeroDivisionError: division by zero'


def test_a_failure_that_was_raised_nowhere_has_a_traceback_too(python):
    python.write('script.py', """
        from gnet.loop.loop import get_loop
        loop = get_loop()
        loop.tick(loop.fail, None, OSError('made, not raised'))
    """)
    ended = python.run(*GNET, 'script.py')
    assert ended.status == 1
    assert ended.stderr.startswith('Traceback (most recent call last):\n  File')
    assert ended.stderr.endswith('\nOSError: made, not raised\n')


def test_a_failure_of_a_run_in_the_script_shows_the_script(python):
    path = python.write('script.py', """
        from gnet.loop import running
        from gnet.loop.loop import get_loop
        loop = get_loop()
        loop.tick(loop.fail, None, OSError('made, not raised'))
        running.run()
    """)
    ended = python.run(*GNET, 'script.py')
    assert ended.status == 1
    assert ended.stderr.splitlines()[1] == f'  File "{path}", line 6, in <module>'


def test_ctrl_c_is_not_lost_right_before_the_loop_waits(python):
    # C's own raise(3): after Python's, the handler would be called at once.
    python.write('script.py', f"""
        import ctypes, gevent, signal
        gevent.spawn_later({LONG}, print)
        send = ctypes.CDLL(None)['raise']
        gevent.get_hub().loop.run_callback(send, int(signal.SIGINT))
    """)
    assert python.run(*GNET, 'script.py') == (-signal.SIGINT, '', '')


#: Where the program is when Ctrl-C comes; each prints "ready" when it is there.
PLACES = {
    'serving on': 'gevent.spawn(print, "ready")',
    'serving in the script': 'gevent.spawn(print, "ready"); gnet.loop.running.run()',
    'blocked in the script': f'gevent.spawn(ticking); gevent.sleep({LONG})',
    'busy in the script': 'print("ready")\n    while True: pass',
    'busy in a greenlet': 'gevent.spawn(busy); gevent.idle()',
    'busy in a listener': 'get_loop().tick(busy)',
}


@pytest.mark.parametrize('launcher', [GNET, PATCHED])
@pytest.mark.parametrize('place', PLACES.values(), ids=PLACES)
def test_ctrl_c_ends_it_quietly_with_the_status_of_sigint(python, launcher, place):
    python.write('script.py', f"""
import atexit, gevent, gnet.loop.running
from gnet.loop.loop import get_loop
def busy():
    print('ready')
    while True: pass
def ticking():
    # While run() does not serve, gevent may overlook a signal until the next event.
    print('ready')
    while True: gevent.sleep(0.05)
atexit.register(print, 'at exit')
gevent.spawn_later({LONG}, print)
try:
    {place}
finally:
    print('finally')
""")
    running = python.start(*launcher, 'script.py')
    running.wait_for('ready')
    running.send_signal(signal.SIGINT)
    ended = running.wait()
    assert ended.status == -signal.SIGINT
    assert ended.stderr == ''
    assert sorted(ended.stdout.splitlines()) == ['at exit', 'finally', 'ready']
    assert ended.stdout.endswith('at exit\n')


def test_ctrl_c_may_be_caught_by_the_script(python):
    python.write('script.py', f"""
        import gevent
        from gnet.loop import running
        gevent.spawn_later({LONG}, print)
        gevent.spawn(print, 'ready')
        try:
            running.run()
        except KeyboardInterrupt:
            print('caught')  # and that is the end: nobody wants to press Ctrl-C again
    """)
    running = python.start(*GNET, 'script.py')
    running.wait_for('ready')
    running.send_signal(signal.SIGINT)
    ended = running.wait()
    assert (ended.status, ended.stderr) == (0, '')
    assert ended.stdout.splitlines() == ['ready', 'caught']


@pytest.mark.parametrize('launcher', [[], GNET])
def test_ctrl_c_is_not_lost_in_code_that_lets_nothing_through(python, launcher):
    python.write('script.py', """
        import os, signal
        import gnet

        def serving():
            try:
                os.kill(os.getpid(), signal.SIGINT)
                for _ in range(1000):
                    pass
            except BaseException:
                print('swallowed')  # as by a finalizer, which lets no exception out

        gnet.create_server().listen(0, '127.0.0.1', serving)
        gnet.run()
    """)
    ended = python.start(*launcher, 'script.py').wait()
    assert (ended.status, ended.stderr) == (-signal.SIGINT, '')
    assert ended.stdout.splitlines() == ['swallowed']
