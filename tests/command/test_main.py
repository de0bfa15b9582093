"""``python -m gnet``: how a script is run, how long it lives, and how it ends.

Where the rule is "as Python itself does", a script is run both ways and the results are compared.
"""

from __future__ import annotations

import os
import signal
import sys
import textwrap
from pathlib import Path

import pytest

from gnet._version import __version__

from ..harness import ROOT
from ..harness.scripts import Running

GNET = ('-m', 'gnet')
PATCHED = ('-m', 'gnet', '--patch')

#: Seconds of a timer that must not be waited for: far more than a test may take.
LONG = 3600


class Commands:
    """Runs Python with a command line in a directory."""

    def __init__(self, directory: Path):
        self.directory = directory
        self._running: list[Running] = []

    def write(self, name: str, text: str) -> Path:
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text), encoding='utf-8')
        return path

    def start(self, *words: str, **env: str) -> Running:
        environment = {
            **os.environ, 'PYTHONPATH': str(ROOT), 'PYTHONUNBUFFERED': '1', 'NO_COLOR': '1', **env,
        }
        if 'GNET_STAY_ALIVE' not in env:
            del environment['GNET_STAY_ALIVE']  # the suite switches the exit hook off
        command = [sys.executable, '-W', 'error', *words]
        self._running.append(Running(command, self.directory, environment))
        return self._running[-1]

    def run(self, *words: str, **env: str):
        return self.start(*words, **env).wait()

    def close(self) -> None:
        for running in self._running:
            running.close()


@pytest.fixture
def python(tmp_path):
    commands = Commands(tmp_path)
    yield commands
    commands.close()


# --- run as __main__ ----------------------------------------------------------------------------

ABOUT = '''
    """A module about itself."""
    import inspect, linecache, os, pickle, sys

    def function():
        return 'its source is found'

    os.chdir('/')
    main = sys.modules['__main__']
    print(__name__, __doc__, __file__, __package__, __cached__)
    print(sys.argv, sys.path[0])
    print(__spec__ and (__spec__.name, __spec__.origin), type(__loader__), __builtins__)
    print(vars(main) is globals(), type(main), sorted(set(vars(main)) - {'__annotations__'}))
    print(inspect.getsource(function), function.__code__.co_filename)
    print(linecache.getline(__file__, 2), __loader__.get_source(__loader__.name))
    print(pickle.loads(pickle.dumps(function)) is function)
'''


def same_as_python(python, *words):
    """Run the program in both ways, check that all is the same, and return how it ended."""
    expected = python.run(*words)
    assert python.run(*GNET, *words) == expected
    return expected


@pytest.mark.parametrize('name', ['script.py', 'deeper/script.py', 'no_suffix'])
def test_a_script_sees_what_it_sees_without_gnet(python, name):
    python.write(name, ABOUT)
    ended = same_as_python(python, name, 'an argument', '-x')
    assert ended.status == 0, ended.stderr
    assert "'an argument', '-x'" in ended.stdout


def test_a_script_behind_a_symbolic_link_finds_its_neighbours(python):
    python.write('real/neighbour.py', 'name = "found"')
    real = python.write('real/script.py', 'import neighbour\nprint(neighbour.name)')
    (python.directory / 'link.py').symlink_to(real)
    assert python.run(*GNET, 'link.py') == (0, 'found\n', '')


@pytest.mark.parametrize('name', ['module', 'package.module', 'package', 'package.inner'])
def test_a_module_sees_what_it_sees_without_gnet(python, name):
    for path in ('module.py', 'package/module.py', 'package/__main__.py',
                 'package/inner/__main__.py'):
        python.write(path, f'{ABOUT}\n    if __package__:\n        from . import __path__')
    for path in ('package/__init__.py', 'package/inner/__init__.py'):
        python.write(path, '')
    ended = same_as_python(python, '-m', name, 'an argument', '-x', '--patch')
    assert ended.status == 0, ended.stderr
    assert "'an argument', '-x', '--patch'" in ended.stdout


@pytest.mark.parametrize('option', ['--patch', '--help', '--version', '-m', '--', '-'])
def test_options_after_the_script_belong_to_the_script(python, option):
    python.write('script.py', 'import sys; print(sys.argv)')
    for words in (['script.py'], ['--', 'script.py'], ['--patch', 'script.py']):
        ended = python.run(*GNET, *words, option, 'x')
        assert ended == (0, f'{["script.py", option, "x"]}\n', '')


@pytest.mark.parametrize(
    'words', [['-mmodule'], ['--patch', '-m', 'module'], ['--patch', '-mmodule']],
)
def test_a_module_may_be_given_in_each_way_of_python(python, words):
    python.write('module.py', 'import sys; print(sys.argv[1:])')
    assert python.run(*GNET, *words, '--patch') == (0, "['--patch']\n", '')


@pytest.mark.skipif(sys.version_info < (3, 11), reason='option -P came with Python 3.11')
def test_the_directory_of_the_script_is_not_put_in_front_where_python_would_not(python):
    python.write('script.py', 'import sys; print(sys.path)')
    expected = python.run('-P', 'script.py')
    assert python.run('-P', *GNET, 'script.py') == expected
    assert str(python.directory) not in expected.stdout


def test_the_installed_command_is_the_same(python):
    python.write('deeper/script.py', ABOUT)
    python.write('bin/gnet', 'import sys\nfrom gnet.command.main import main\nsys.exit(main())\n')
    expected = python.run('deeper/script.py', 'x')
    assert python.run('bin/gnet', 'deeper/script.py', 'x') == expected


def test_multiprocessing_finds_the_script_in_a_new_process(python):
    python.write('script.py', """
        import multiprocessing

        def double(number):
            return 2 * number

        def answer(queue, function):
            queue.put(function(21))

        if __name__ == '__main__':
            context = multiprocessing.get_context('spawn')
            queue = context.SimpleQueue()
            child = context.Process(target=answer, args=(queue, double))
            child.start()
            print(queue.get())
            child.join()
    """)
    assert python.run(*GNET, 'script.py') == (0, '42\n', '')


# --- patched first ------------------------------------------------------------------------------


def test_patching_comes_before_everything_that_the_script_imports(python):
    python.write('script.py', """
        from gevent import monkey
        print(monkey.is_module_patched('socket'))
        import socket, ssl, gevent.socket, gevent.ssl
        print(socket.socket is gevent.socket.socket, ssl.SSLContext is gevent.ssl.SSLContext)
    """)
    assert python.run(*PATCHED, 'script.py') == (0, 'True\nTrue True\n', '')
    assert python.run(*GNET, 'script.py') == (0, 'False\nFalse False\n', '')


def test_gnet_loads_nothing_that_is_too_late_to_patch(python):
    names = sorted(
        '.'.join(path.relative_to(ROOT).with_suffix('').parts)
        for path in (ROOT / 'gnet').rglob('*.py') if path.stem != '__init__')
    assert 'gnet.command.main' in names
    python.write('script.py', f"""
        import importlib, sys
        for name in {names!r}:
            importlib.import_module(name)
        print('ssl' in sys.modules)
        from gevent import monkey
        monkey.patch_all()  # it warns if it comes too late
        print(monkey.is_module_patched('ssl'))
    """)
    assert python.run('script.py') == (0, 'False\nTrue\n', '')


@pytest.mark.parametrize('launcher', [GNET, PATCHED])
def test_the_script_may_still_configure_gevent(python, launcher):
    python.write('script.py', """
        from gevent._hub_local import get_hub_if_exists
        print(get_hub_if_exists())
    """)
    assert python.run(*launcher, 'script.py') == (0, 'None\n', '')


# --- how long it lives --------------------------------------------------------------------------


@pytest.mark.parametrize('launcher', [GNET, PATCHED])
def test_after_the_last_line_it_serves_on_until_nothing_is_left(python, launcher):
    python.write('script.py', """
        import atexit, gevent
        atexit.register(print, 'at exit')
        gevent.spawn_later(0.01, gevent.spawn_later, 0.01, print, 'second timer')
        print('last line')
    """)
    ended = python.run(*launcher, 'script.py')
    assert ended == (0, 'last line\nsecond timer\nat exit\n', '')


def test_a_program_of_a_module_serves_on_too(python):
    python.write('module.py', 'import gevent\ngevent.spawn_later(0.01, print, __name__)')
    assert python.run(*GNET, '-m', 'module') == (0, '__main__\n', '')


def test_what_the_script_defined_is_there_while_it_serves_on(python):
    python.write('script.py', """
        import gevent, sys
        name = 'global'
        def timer():
            print(name, sys.modules['__main__'].name)
        gevent.spawn_later(0.01, timer)
    """)
    assert python.run(*GNET, 'script.py') == (0, 'global global\n', '')


def test_it_does_not_serve_on_where_that_is_switched_off(python):
    python.write('script.py', f'import gevent\ngevent.spawn_later({LONG}, print)')
    assert python.run(*GNET, 'script.py', GNET_STAY_ALIVE='0') == (0, '', '')
    python.write('script.py', f"""
        import gevent
        from gnet.loop import exit_hook
        gevent.spawn_later({LONG}, print)
        exit_hook.set_stay_alive(False)
    """)
    assert python.run(*GNET, 'script.py') == (0, '', '')


def test_a_forked_child_that_reaches_the_end_of_the_script_does_not_serve_on(python):
    python.write('script.py', f"""
        import gevent, os
        timer = gevent.spawn_later({LONG}, print)
        child = gevent.os.fork()
        if child:
            print(os.waitpid(child, 0)[1])
            timer.kill()
    """)
    assert python.run(*GNET, 'script.py') == (0, '0\n', '')


# --- how it ends --------------------------------------------------------------------------------

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


# --- usage --------------------------------------------------------------------------------------


def test_a_missing_script_is_refused_as_python_refuses_it(python):
    for name in ('missing.py', '.'):
        expected = python.run('missing.py').stderr if name == 'missing.py' else None
        ended = python.run(*GNET, name)
        assert (ended.status, ended.stdout) == (2, '')
        assert ended.stderr.startswith("gnet: can't open file '")
        if expected is not None:
            assert ended.stderr.partition(': ')[2] == expected.partition(': ')[2]


@pytest.mark.parametrize(
    ('name', 'reason'),
    [
        ('missing', 'No module named missing'),
        ('missing.module', "cannot find the module 'missing.module' (ModuleNotFoundError: "),
        ('script.module', "cannot find the module 'script.module' (ModuleNotFoundError: "),
        ('package', 'No module named package.__main__'),
        ('sys', 'No code object available for sys'),
        ('.script', "cannot find the module '.script' ("),
        ('', 'No module named '),
    ],
)
def test_a_missing_module_is_refused(python, name, reason):
    python.write('script.py', '')
    python.write('package/__init__.py', '')
    ended = python.run(*GNET, '-m', name)
    assert (ended.status, ended.stdout) == (1, '')
    assert ended.stderr.startswith(f'gnet: {reason}')
    assert ended.stderr.count('\n') == 1


@pytest.mark.parametrize(
    ('words', 'reason'),
    [
        ([], 'a script or -m and a module are required'),
        (['--patch'], 'a script or -m and a module are required'),
        (['-m'], 'argument -m: expected one argument'),
        (['--pat', 'script.py'], 'unrecognized arguments: --pat'),
        (['-x', 'script.py'], 'unrecognized arguments: -x'),
    ],
)
def test_a_wrong_usage_is_refused(python, words, reason):
    python.write('script.py', 'print("must not run")')
    ended = python.run(*GNET, *words)
    assert (ended.status, ended.stdout) == (2, '')
    assert ended.stderr.startswith('usage: gnet ')
    assert ended.stderr.endswith(f'gnet: error: {reason}\n')


def test_help_and_version_are_shown(python):
    ended = python.run(*GNET, '--version')
    assert ended == (0, f'gnet {__version__}\n', '')
    for option in ('-h', '--help'):
        ended = python.run(*GNET, option)
        assert (ended.status, ended.stderr) == (0, '')
        assert ended.stdout.startswith('usage: gnet ')
        for word in ('--patch', '-m module', 'script.py', '--version'):
            assert word in ended.stdout


def test_importing_the_entry_point_runs_nothing(python):
    python.write('script.py', 'import gnet.__main__\nprint("still here")')
    assert python.run('script.py') == (0, 'still here\n', '')
