"""Ctrl-C in a greenlet: its ``finally`` blocks are run, and the program ends all the same."""

from __future__ import annotations

import signal
from typing import Any

import pytest

from .common import GNET, LONG, PATCHED

SCRIPT = """
import os, signal, socket
import gevent, gevent.event, gnet

kept = []
peer = None

def interrupted():
    os.kill(os.getpid(), signal.SIGINT)
    while True: pass

class Finalized:
    def __del__(self): interrupted()

def act(*arguments):
{act}

{place}
try:
    gnet.run()
finally:
    print('main ends', flush=True)
    if peer: peer.close()
"""

#: What is called, and by whom.
PLACES = {
    'a handler': """
peer = socket.create_connection(('127.0.0.1', gnet.serve(act).address().port))
""",
    'a handler of a unix socket': """
gnet.serve(act, path='socket')
peer = socket.socket(socket.AF_UNIX)
peer.connect('socket')
""",
    'a listener': """
server = gnet.serve(lambda sock: sock.on('data', act))
peer = socket.create_connection(('127.0.0.1', server.address().port))
peer.sendall(b'x')
""",
    'a greenlet': 'server = gnet.serve(None); gevent.spawn(act)',
}

#: What lets no exception through. The first three go on; the others are left.
SWALLOWED = {
    'an except': """
    try: interrupted()
    except BaseException: print('swallowed', flush=True)
    gevent.event.Event().wait()
""",
    'a finalizer': """
    Finalized()
    print('swallowed', flush=True)
    gevent.event.Event().wait()
""",
    'a loop': """
    while True:
        try:
            if kept: gevent.event.Event().wait()
            interrupted()
        except BaseException:
            kept.append(1)
            print('swallowed', flush=True)
            gevent.sleep(0.01)
""",
    'one that keeps it': """
    try: interrupted()
    except BaseException as error:
        kept.append(error)
        print('swallowed', flush=True)
""",
    'another exception': """
    try: interrupted()
    finally:
        print('swallowed', flush=True)
        try: raise OSError('of the test')
        except OSError as error:
            kept.append(error)
            raise
""",
}


def script(place: str, act: str) -> str:
    return SCRIPT.format(place=PLACES[place], act=act.strip('\n'))


@pytest.mark.parametrize('launcher', [[], GNET, PATCHED], ids=['python', 'gnet', 'patched'])
@pytest.mark.parametrize('place', PLACES)
def test_a_finally_that_waits_is_run_to_its_end(python: Any, place: str, launcher: Any) -> None:
    python.write('script.py', script(place, """
    try: interrupted()
    finally:
        for _ in range(20): gevent.sleep(0.01)
        print('finally done', flush=True)
"""))
    ended = python.start(*launcher, 'script.py').wait()
    assert ended.stdout.splitlines() == ['finally done', 'main ends']
    assert (ended.status, ended.stderr) == (-signal.SIGINT, '')


@pytest.mark.parametrize('swallowed', SWALLOWED)
@pytest.mark.parametrize('place', PLACES)
def test_one_that_is_swallowed_ends_the_program(python: Any, place: str, swallowed: str) -> None:
    python.write('script.py', script(place, SWALLOWED[swallowed]))
    ended = python.start('script.py').wait()
    assert ended.stdout.splitlines() == ['swallowed', 'main ends']
    assert ended.status == -signal.SIGINT


@pytest.mark.parametrize('place', PLACES)
def test_one_that_hits_a_finalizer_of_gnets_ends_the_program_without_a_text(
    python: Any, place: str,
) -> None:
    python.write('script.py', script(place, """
    import functools, types
    from gnet.sockets.settings import Settings
    settings = Settings()
    # Nothing of Python's is called there but the finalizer: the handler finds itself in that.
    interrupt = functools.partial(os.kill, os.getpid(), signal.SIGINT)
    settings.watch = types.SimpleNamespace(forget=interrupt)
    del settings
    print('goes on', flush=True)
    gevent.event.Event().wait()
"""))
    ended = python.start('script.py').wait()
    assert ended.stdout.splitlines() == ['goes on', 'main ends']
    assert (ended.status, ended.stderr) == (-signal.SIGINT, '')


@pytest.mark.parametrize('wait', [f'gevent.sleep({LONG})', 'while True: pass'])
@pytest.mark.parametrize('place', PLACES)
def test_the_second_one_cuts_what_the_first_one_has_still_to_run(
    python: Any, place: str, wait: str,
) -> None:
    python.write('script.py', script(place, f"""
    try: interrupted()
    finally:
        print('finally', flush=True)
        {wait}
        print('finally done', flush=True)
"""))
    running = python.start('script.py')
    running.wait_for('finally')
    running.send_signal(signal.SIGINT)
    ended = running.wait()
    assert ended.stdout.splitlines() == ['finally', 'main ends']
    assert (ended.status, ended.stderr) == (-signal.SIGINT, '')


@pytest.mark.parametrize('run', ['gnet.run()', 'gnet.run(timeout=0.01)'])
def test_one_that_is_not_through_when_nothing_is_left_is_not_forgotten(
    python: Any, run: str,
) -> None:
    python.write('script.py', f"""
        import os, signal
        import gevent, gevent.event, gnet

        def act():
            try:
                os.kill(os.getpid(), signal.SIGINT)
                while True: pass
            finally:
                print('waits', flush=True)
                gevent.event.Event().wait()

        gevent.spawn(act)
        try:
            {run}
        finally:
            print('main ends', flush=True)
    """)
    ended = python.start('script.py').wait()
    assert ended.stdout.splitlines() == ['waits', 'main ends']
    assert (ended.status, ended.stderr) == (-signal.SIGINT, '')
