"""``python -m gnet --workers N``: workers that share nothing."""

from __future__ import annotations

import os
import signal

import pytest

from .workers import SERVER, connect_until_refused

#: How a server listens by itself.
ALONE = [
    "server.listen(port=0, host='127.0.0.1', exclusive=True, callback=listening)",
    "server.listen(port=0, host='127.0.0.1', reuse_port=True, callback=listening)",
    "server.listen(socket.create_server(('127.0.0.1', 0)), callback=listening)",
]


def alone(listen: str) -> str:
    """Return a program whose workers listen by themselves, each on a port of its own."""
    text, was = SERVER, "server.listen(0, '127.0.0.1', callback=listening)"
    assert was in text
    return text.replace(was, listen).replace('import os, ', 'import os, socket, ')


@pytest.mark.parametrize('listen', ALONE)
def test_a_worker_that_listens_by_itself_is_restarted(serving, listen):
    started = serving(alone(listen))
    os.kill(min(started.workers), signal.SIGKILL)
    started.wait_for('was killed by SIGKILL; it is restarted')
    assert not started.wait_until_listening(1) & started.workers
    started.kill(signal.SIGTERM)
    assert started.wait()[0] == 0


@pytest.mark.parametrize('listen', ALONE)
def test_sigterm_to_all_closes_servers_that_listen_by_themselves(serving, listen):
    started = serving(alone(listen), '--drain-timeout', '0', changes='supervisor.KILL_GRACE = 2')
    for pid in (*started.workers, started.pid):
        os.kill(pid, signal.SIGTERM)
    status, said = started.wait()
    assert status == 0
    assert len(said) == 2, said  # none had to be killed


@pytest.mark.parametrize('listen', ALONE)
def test_sigterm_serves_all_that_had_connected_to_it(serving, connect, listen):
    started = serving(alone(listen), count=1)
    worker, = started.workers
    # While the worker is stopped, connections wait in the kernel; more than it accepts in one turn.
    os.kill(worker, signal.SIGSTOP)
    count = 100 if 'create_server' in listen else 300  # the backlog of that one is 128
    peers = [connect(('127.0.0.1', started.port)) for _ in range(count)]
    for peer in peers:
        peer.sendall(b'\n')
    started.kill(signal.SIGTERM)
    started.wait_for('SIGTERM: 1 worker may finish')
    os.kill(worker, signal.SIGCONT)
    for peer in peers:
        assert int(peer.recv_until_end()) == worker
        peer.close()
    status, said = started.wait()
    assert status == 0
    assert len(said) == 2, said


def test_sigterm_to_a_worker_before_any_has_listened_replaces_it(program):
    started = program(
        """
        import os
        import gevent
        from gnet import cluster

        os.write(1, b'begun %d\\n' % os.getpid())
        gevent.sleep(1000 if cluster.worker.id == 1 else 0)
        """, '--drain-timeout', '0', count=1, changes='supervisor.KILL_GRACE = 0.2')
    os.kill(int(started.wait_for(r'begun (\d+)')[1]), signal.SIGTERM)
    started.wait_for('drains, and is replaced')
    status, _said = started.wait()
    assert status == 0


def test_what_the_script_closes_for_good_is_closed(program, connect):
    started = program("""
        import gnet

        def once(sock):
            sock.end('the only one')
            server.close()

        server = gnet.create_server(once)
        server.listen(0, '127.0.0.1', callback=lambda: print(
            f'worker {__import__("os").getpid()} listens on {server.address().port}', flush=True))
        other = gnet.create_server().listen(0, '127.0.0.1')
    """, count=1)
    started.wait_until_listening(1)
    peer = connect(('127.0.0.1', started.port))
    assert peer.recv_until_end() == b'the only one'
    peer.close()
    connect_until_refused(started, connect)
