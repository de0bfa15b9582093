"""``python -m gnet --workers N``: SIGTERM and SIGINT."""

from __future__ import annotations

import os
import re
import signal
import textwrap

import pytest

from ..harness import ROOT
from ..harness.families import Family
from .workers import SERVER, connect_until_refused, slow


def test_sigterm_lets_a_request_finish(serving, connect):
    started = serving()
    peer = slow(started, connect)
    started.kill(signal.SIGTERM)
    started.wait_for('^gnet: SIGTERM: 2 workers may finish what is open, for 30 s')
    connect_until_refused(started, connect)
    peer.sendall(b'go on\n')
    assert int(peer.recv_until_end()) in started.workers
    peer.close()
    status, said = started.wait()
    assert status == 0
    assert len(said) == 2, said


#: Asks another service for each connection, which answers and leaves its end open.
ASKING = """
    import os, sys
    import gnet

    def ask():
        sock = gnet.connect(int(sys.argv[1]), '127.0.0.1')
        sock.sendall(b'x')
        return sock.recv(9)

    def answer(sock):
        sock.sendall(ask())

    def listening():
        os.write(1, b'worker %d listens on %d\\n' % (os.getpid(), server.address().port))

    server = gnet.create_server(answer)
    server.listen(0, '127.0.0.1', callback=listening)
"""


def test_clients_that_its_handlers_forget_do_not_hold_a_worker(serving, connect, native):
    with Family('ipv4', host='127.0.0.1').listener() as service:
        started = serving(ASKING, count=1, args=(str(service.getsockname()[1]),))
        peer = connect(('127.0.0.1', started.port))
        end, _ = native(service.accept)
        with end:
            end.sendall(b'answer')
            assert peer.recv_until_end() == b'answer'
            peer.close()
            started.kill(signal.SIGTERM)
            # A worker that were held would be killed after 35 seconds: later than the test ends.
            status, said = started.wait()
    assert status == 0
    assert len(said) == 2, said


@pytest.mark.parametrize(('count', 'line'), [
    (1, '1 connection was still open after 0.2 s and was cut'),
    (3, '3 connections were still open after 0.2 s and were cut'),
])
def test_sigterm_cuts_what_is_open_at_the_deadline_and_counts_it(serving, connect, count, line):
    started = serving(SERVER, '--drain-timeout', '0.2')
    peers = [slow(started, connect) for _ in range(count)]
    started.kill(signal.SIGTERM)
    status, said = started.wait()
    assert status == 0
    assert said[2:] == [line]
    for peer in peers:
        assert peer.recv_until_end() == b''


@pytest.mark.parametrize(('who', 'whole_group'), [
    ('primary', False), ('primary', True), ('workers', False), ('workers', True)])
def test_sigterm_serves_all_that_had_connected(serving, connect, who, whole_group):
    # (A worker accepts a hundred in a turn: some are left when it hears of the end.)
    started = serving(SERVER, '--accept', who, count=2 if who == 'primary' else 1)
    # While they are stopped, connections wait in the kernel.
    stopped = [started.pid] if who == 'primary' else started.workers
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    peers = []
    for _ in range(200):
        peers.append(connect(('127.0.0.1', started.port)))
        peers[-1].sendall(b'\n')
    for pid in started.workers if whole_group else ():
        os.kill(pid, signal.SIGTERM)
    started.kill(signal.SIGTERM)
    for pid in stopped:
        os.kill(pid, signal.SIGCONT)
    for peer in peers:
        assert int(peer.recv_until_end()) in started.workers
        peer.close()
    status, said = started.wait()
    assert status == 0
    assert len(said) == 2, said


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGHUP])
def test_signals_may_be_sent_to_all_processes(serving, connect, number):
    """As systemd does by default, and a terminal that is closed."""
    program = serving()
    peer = connect(('127.0.0.1', program.port))
    peer.sendall(b'slow\n')
    program.wait_for('^slow$')
    for pid in (*program.workers, program.running.process.pid):
        os.kill(pid, number)
    if number == signal.SIGHUP:
        program.wait_for('the workers were replaced')
        program.running.send_signal(signal.SIGTERM)
    program.wait_for('SIGTERM: .* workers? may finish')
    peer.sendall(b'go on\n')
    assert int(peer.recv_until_end()) in program.workers
    peer.end()
    assert program.running.wait().status == 0


def test_sigterm_to_one_worker_drains_and_replaces_it(serving, connect, ask):
    program = serving()
    peer = connect(('127.0.0.1', program.port))
    peer.sendall(b'slow\n')
    program.wait_for('^slow$')
    before = set(program.workers)
    for pid in before:
        os.kill(pid, signal.SIGTERM)
    for _ in before:
        program.wait_for('drains, and is replaced')
    after = program.wait_until_listening()
    assert not after & before
    peer.sendall(b'go on\n')
    assert int(peer.recv_until_end()) in before


def test_a_second_sigterm_kills_the_workers(serving, connect):
    started = serving()
    slow(started, connect)
    started.kill(signal.SIGTERM)
    started.wait_for('^gnet: SIGTERM')
    started.kill(signal.SIGTERM)
    status, said = started.wait()
    assert status == 0
    # The worker without connections may have ended by then.
    assert said[2] in ('1 worker was killed', '2 workers were killed')


def test_a_worker_that_hangs_is_killed_after_the_deadline(serving, connect):
    started = serving(SERVER, '--drain-timeout', '0.1', changes='supervisor.KILL_GRACE = 0.2')
    peer = connect(('127.0.0.1', started.port))
    peer.sendall(b'hang\n')
    assert peer.recv(100)
    started.kill(signal.SIGTERM)
    status, said = started.wait()
    assert status == 0
    assert re.fullmatch(
        r'worker \d+ did not end in 0\.3 s after it was told to and is killed', said[2])


def test_sigterm_at_the_start_ends_the_program(program):
    started = program(SERVER)
    started.wait_for('^gnet: started')
    started.kill(signal.SIGTERM)
    assert started.wait()[0] == 0


# --- SIGINT ---------------------------------------------------------------------------------------


@pytest.mark.parametrize('whole_group', [False, True])
def test_sigint_ends_all_quietly(serving, connect, whole_group):
    started = serving()
    slow(started, connect)
    pids = [started.pid, *(started.workers if whole_group else ())]
    for pid in pids:
        os.kill(pid, signal.SIGINT)
    status, said = started.wait()
    assert status == -signal.SIGINT
    assert len(said) == 1
    assert 'Traceback' not in ''.join(started.running._seen)


def test_a_worker_that_does_not_hear_sigint_is_killed(serving):
    started = serving(
        SERVER.replace('import gnet', 'import gnet; signal.signal(signal.SIGINT, signal.SIG_IGN)'),
        changes='supervisor.KILL_GRACE = 0.2', count=1)
    started.kill(signal.SIGINT)
    status, said = started.wait()
    assert status == -signal.SIGINT
    assert said[1].endswith('did not end in 0.2 s after SIGINT and is killed')


#: Run by Python's own start, before anything of gnet: Ctrl-C comes, as of a terminal.
AT_THE_START = """
    import os, signal

    if 'NODE_CHANNEL_FD' in os.environ:
        for pid in os.getppid(), os.getpid():
            os.kill(pid, signal.SIGINT)
"""


@pytest.mark.executed  # a worker that is forked has begun already
@pytest.mark.parametrize('options', [(), ('--patch',)], ids=['', 'patched'])
def test_sigint_while_a_worker_is_being_started_ends_all_quietly(program, tmp_path, options):
    """Python would print where it was: in its own start, or in what gnet imports."""
    (tmp_path / 'sitecustomize.py').write_text(textwrap.dedent(AT_THE_START))
    started = program(
        SERVER, *options, count=1, env={'PYTHONPATH': os.pathsep.join([str(tmp_path), str(ROOT)])})
    status, _ = started.wait()
    assert status == -signal.SIGINT
    seen = ''.join(started.running._seen).splitlines()
    assert [line for line in seen if not line.startswith('gnet: started')] == []


#: The primary interrupts a worker that the terminal has interrupted, while it ends by that.
INTERRUPTED_AGAIN = SERVER + """
    import atexit
    import gevent

    @atexit.register
    def ends():
        os.kill(os.getpid(), signal.SIGINT)
        gevent.sleep(0)
        os.write(1, b'exit function done\\n')
"""


#: By the second Ctrl-C of one who waits in vain.
HANGS = """os.kill(os.getpid(), signal.SIGINT)
        while True:
            gevent.sleep(1)"""


@pytest.mark.parametrize('options', [(), ('--patch',)], ids=['', 'patched'])
def test_a_second_sigint_is_nothing_to_a_worker_that_ends_by_the_first_one(serving, options):
    started = serving(INTERRUPTED_AGAIN, *options, count=1)
    os.kill(started.pid, signal.SIGINT)  # which passes it on
    status, _ = started.wait()
    assert status == -signal.SIGINT
    seen = ''.join(started.running._seen).splitlines()
    assert [line for line in seen if not line.startswith(('gnet: started', 'worker '))] == [
        'exit function done']


@pytest.mark.parametrize('options', [(), ('--patch',)], ids=['', 'patched'])
def test_a_third_one_ends_a_worker_that_hangs_at_its_end(serving, options):
    started = serving(INTERRUPTED_AGAIN.replace('gevent.sleep(0)', HANGS), *options, count=1)
    os.kill(started.pid, signal.SIGINT)
    status, _ = started.wait()
    assert status == -signal.SIGINT
    seen = ''.join(started.running._seen).splitlines()
    assert [line for line in seen if not line.startswith(('gnet: started', 'worker '))] == []


def test_sigint_cuts_a_drain_short(serving, connect):
    started = serving()
    slow(started, connect)
    started.kill(signal.SIGTERM)
    started.wait_for('^gnet: SIGTERM')
    started.kill(signal.SIGINT)
    assert started.wait()[0] == -signal.SIGINT
