"""Limits of a server that workers share: in turn, they hold for all workers together."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ..harness.plain import PlainSocket
from ..harness.scripts import Running

Program = Callable[..., Running]

#: Two workers with the same server. What is written to the primary's standard input is done by
#: both: Python in which *server* is theirs.
WORKERS = """
    if cluster.is_primary:
        listening = []

        def note(worker, address):
            listening.append(worker.id)
            if len(listening) == 2:
                say('port', address.port)

        cluster.on('listening', note)
        cluster.on('message', lambda worker, message, _: say(message))
        for _ in range(2):
            cluster.fork()
        stdin = gnet.Socket(fd=0, readable=True).set_encoding('utf-8')

        @stdin.on('data')
        def command(text):
            for line in text.splitlines():
                for worker in list(cluster.workers.values()):
                    if line == 'kill':
                        worker.kill('SIGKILL')
                        break
                    worker.send(line)

        @cluster.on('exit')
        def exited(*_):
            say('exit')
            if not cluster.workers:
                stdin.destroy()
    else:
        answer = gnet.process.send
        server = gnet.create_server()

        @server.on('drop')
        def drop(data):
            answer(f'drop {data.reason.name} {data.network} {data.remote_address}')

        @server.on('connection')
        def serve(sock):
            sock.write(str(cluster.worker.id))
            sock.on('end', sock.end)
            sock.on('error', lambda error: None)
            sock.on('close', lambda had_error: answer('closed'))
            sock.resume()

        @gnet.process.on('message')
        def command(what, _):
            exec(what)
            answer('done')

        exec(os.environ.get('PREPARE', ''))
        server.listen(0, '127.0.0.1')
"""


class Cluster:
    """A running program of WORKERS, and the peers that it has."""

    def __init__(self, program: Program, prepare: str, policy: str) -> None:
        self.running = program(WORKERS, policy=policy, env={'PREPARE': prepare})
        self.port = int(self.running.wait_for(r'port (\d+)')[1])
        self.peers: list[PlainSocket] = []

    def come(self, source: str = '127.0.0.1') -> bool:
        """Connect; return whether that is served."""
        peer = PlainSocket()
        self.peers.append(peer)
        peer.settimeout(10)
        peer.bind((source, 0))
        peer.connect(('127.0.0.1', self.port))
        try:
            return bool(peer.recv(1))
        except ConnectionResetError:
            return False

    def leave(self) -> None:
        """Have the peer that came first go."""
        self.peers.pop(0).close()
        self.running.wait_for('closed')

    def both(self, what: str) -> None:
        """Have both workers do something."""
        self.running.write(what + '\n')
        for _ in range(2):
            self.running.wait_for('^done')

    def end(self) -> None:
        for peer in self.peers:
            peer.close()
        self.running.write('cluster.worker.disconnect()\n')
        assert self.running.wait().status == 0


@pytest.fixture
def start(program: Program) -> Callable[..., Cluster]:
    """``start(prepare, policy='rr')``."""
    return lambda prepare, policy='rr': Cluster(program, prepare, policy)


def test_an_address_has_so_many_connections_of_all_workers_together(
    start: Callable[..., Cluster],
) -> None:
    cluster = start('server.max_connections_per_address = 3')
    assert [cluster.come() for _ in range(5)] == [True] * 3 + [False] * 2
    for _ in range(2):
        cluster.running.wait_for('^drop MAX_CONNECTIONS_PER_ADDRESS 127.0.0.1 127.0.0.1$')
    assert cluster.come('127.0.0.2')
    # One that ends makes room, whichever worker had it.
    for _ in range(2):
        cluster.leave()
        assert cluster.come()
        assert not cluster.come()
    # Changed live, by each of them.
    cluster.both('server.max_connections_per_address = 5')
    assert [cluster.come() for _ in range(3)] == [True, True, False]
    # A worker that is killed has none any more: at least one of five was its, and not all.
    cluster.running.write('kill\n')
    cluster.running.wait_for('^exit')
    assert cluster.come()
    cluster.end()


def test_a_rate_is_that_of_all_workers_together(start: Callable[..., Cluster]) -> None:
    cluster = start(
        'server.connection_rate, server.connection_burst = 0.01, 4; '
        'server.connection_rate_per_address = 0.01; server.connection_burst_per_address = 3')
    served = [cluster.come(source) for source in ('127.0.0.1', '127.0.0.2') for _ in range(4)]
    assert served == [True] * 3 + [False, True] + [False] * 3
    cluster.running.wait_for('^drop CONNECTION_RATE_PER_ADDRESS 127.0.0.1 127.0.0.1$')
    cluster.running.wait_for('^drop CONNECTION_RATE None 127.0.0.2$')
    cluster.both('server.connection_rate = server.connection_rate_per_address = None')
    assert all(cluster.come() for _ in range(4))
    cluster.end()


def test_who_accepts_by_itself_has_the_limits_for_itself(start: Callable[..., Cluster]) -> None:
    cluster = start('server.max_connections_per_address = 2', policy='none')
    served = [cluster.come() for _ in range(12)]
    assert 2 <= sum(served) <= 4
    cluster.end()
