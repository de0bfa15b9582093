"""``python -m gnet --workers N``: SIGHUP."""

from __future__ import annotations

import os
import signal

import pytest

from ..harness.waiting import PROCESS_PATIENCE, until
from .workers import SERVER, children_of, slow


@pytest.mark.parametrize('who', ['primary', 'workers'])
def test_sighup_replaces_the_workers_under_load_and_nobody_notices(serving, who):
    started = serving(SERVER, '--accept', who)
    stop = started.load()
    started.kill(signal.SIGHUP)
    started.kill(signal.SIGHUP)
    second = started.wait_until_listening()
    started.wait_for('^gnet: the workers were replaced')
    started.kill(signal.SIGHUP)
    third = started.wait_until_listening()
    started.wait_for('^gnet: the workers were replaced')
    answers, failures = stop()
    assert failures == []
    assert set(answers) <= started.workers | second | third | set(children_of(started.pid))
    assert len(set(answers)) > 2
    started.kill(signal.SIGTERM)
    assert started.wait()[0] == 0


def test_a_replaced_worker_finishes_what_is_open(serving, connect, ask):
    started = serving(count=1)
    peer = slow(started, connect)
    started.kill(signal.SIGHUP)
    new = started.wait_until_listening()
    started.wait_for('^gnet: the workers were replaced')
    assert {ask(started)} == new
    peer.sendall(b'go on\n')
    assert {int(peer.recv_until_end())} == started.workers
    peer.close()
    started.kill(signal.SIGTERM)
    status, said = started.wait()
    assert status == 0
    assert not [line for line in said if 'cut' in line]


def test_a_replaced_worker_cuts_at_the_deadline(serving, connect):
    started = serving(SERVER, '--drain-timeout', '0.2', count=1)
    peer = slow(started, connect)
    [old] = started.workers
    started.kill(signal.SIGHUP)
    started.wait_for(
        rf'^gnet: 1 connection of worker {old} was still open after 0.2 s and was cut')
    assert peer.recv_until_end() == b''
    started.kill(signal.SIGTERM)
    assert started.wait()[0] == 0


@pytest.mark.parametrize(('text', 'how'), [
    ('import sys; sys.exit(7)', 'ended with status 7'),
    ('x = = 1', 'ended with status 1'),
])
def test_a_reload_is_given_up_if_the_new_worker_fails(serving, ask, text, how):
    started = serving()
    good = started.script.read_text()
    started.script.write_text(text)
    started.kill(signal.SIGHUP)
    started.wait_for(rf'worker \d+ {how} before it was ready; the other workers stay')
    assert {ask(started) for _ in range(4)} == started.workers
    started.script.write_text(good)
    started.kill(signal.SIGHUP)
    new = started.wait_until_listening()
    started.wait_for('^gnet: the workers were replaced')
    assert {ask(started) for _ in range(4)} == new
    started.kill(signal.SIGTERM)
    assert started.wait()[0] == 0


def test_a_reload_does_not_wait_for_servers_that_were_closed_meanwhile(serving, connect):
    started = serving(SERVER + """
    from gnet import cluster

    if cluster.worker.id == 1:
        passing = gnet.create_server(lambda sock: (sock.end(), passing.close()))
        passing.listen(0, '127.0.0.1', callback=lambda: print(
            'passing', passing.address().port, flush=True))
    if cluster.worker.id == 2:
        server.once('listening', lambda: print('ready', flush=True))
    """, count=1)
    port = int(started.wait_for(r'passing (\d+)')[1])
    started.kill(signal.SIGHUP)
    started.wait_for('^ready')
    peer = connect(('127.0.0.1', port))
    assert peer.recv_until_end() == b''
    peer.close()
    started.wait_for('the workers were replaced')


def test_a_reload_is_given_up_if_the_new_worker_hangs(serving, ask):
    started = serving(changes='reload.START_PATIENCE = 0.5')
    started.script.write_text('while True: pass')
    started.kill(signal.SIGHUP)
    started.wait_for(
        r'worker \d+ was not ready in 0\.5 s and is killed; the other workers stay')
    assert {ask(started) for _ in range(4)} == started.workers
    started.kill(signal.SIGTERM)
    assert started.wait()[0] == 0


def test_sigterm_during_a_reload_ends_the_new_worker_too(serving):
    started = serving(SERVER, '--drain-timeout', '0.1', changes='supervisor.KILL_GRACE = 0.2')
    started.script.write_text('print("hangs", flush=True)\nwhile True: pass')
    started.kill(signal.SIGHUP)
    started.wait_for('^hangs')
    started.kill(signal.SIGTERM)
    status, said = started.wait()
    assert status == 0
    assert said[-1].endswith('did not end in 0.3 s after it was told to and is killed')


def test_sighup_at_the_start_is_obeyed(program):
    started = program(SERVER)
    started.wait_for('^gnet: started')
    started.kill(signal.SIGHUP)
    started.wait_for('^gnet: the workers were replaced')
    started.kill(signal.SIGTERM)
    assert started.wait()[0] == 0


@pytest.mark.executed  # what forks workers would be a child of the primary, too
def test_workers_that_are_killed_in_a_reload_cost_what_they_had_open_and_no_more(serving, ask):
    started = serving()
    stop = started.load()
    killed = []

    def kill(pid):
        killed.append(pid)
        os.kill(pid, signal.SIGKILL)

    started.kill(signal.SIGHUP)
    kill(min(started.workers))  # one of those that are replaced
    [new, _] = [int(started.wait_for(r'worker (\d+) listens')[1]) for _ in range(2)]
    kill(new)  # one of those that replace them
    started.kill(signal.SIGHUP)
    started.wait_for('^gnet: .*(the workers were replaced|the other workers stay)')
    until(lambda: len({ask(started) for _ in range(4)}) == started.count, PROCESS_PATIENCE)
    answers, failures = stop()
    assert len(failures) <= len(killed)  # the client has one connection at a time
    assert not [failure for failure in failures if 'Refused' in failure]
    assert answers
    assert len(children_of(started.pid)) <= started.count + 1  # and one that drains
    started.kill(signal.SIGTERM)
    assert started.wait()[0] == 0
