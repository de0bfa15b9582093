"""``python -m gnet``: how a script is run, and how long it lives.

Where the rule is "as Python itself does", a script is run both ways and the results are compared.
"""

from __future__ import annotations

import sys

import pytest

from gnet._version import __version__

from ..harness import ROOT
from .common import GNET, LONG, PATCHED, same_as_python

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
    # (`ssl` is the affair of who uses gnet.tls, pywsgi, or prometheus-client, which nothing of the
    # others loads.)
    names = [
        name for name in names
        if not name.startswith(('gnet.tls.', 'gnet.wsgi.')) and name != 'gnet.observing.prometheus']
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
    assert ended.stderr == f'gnet: {reason} (gnet --help)\n'


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
