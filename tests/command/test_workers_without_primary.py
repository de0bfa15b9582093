"""``python -m gnet --workers N``: a primary that is killed."""

from __future__ import annotations

import signal

import pytest

from .workers import SERVER, children_of, end_of


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
