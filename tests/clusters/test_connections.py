"""How connections come to workers: in turn, by the shared descriptor, and never lost."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gnet.clusters.round_robin import MAX_WHEN_BUSY

from ..harness.native import Peer
from ..harness.scripts import Running

Program = Callable[..., Running]
Connect = Callable[[Any], Peer]

#: Workers that say who they are, and do what they are told, line by line on the standard input of
#: the primary: ``all`` to tell them all, or the number of one.
WORKERS = """
    COUNT = int(os.environ.get('COUNT', '2'))
    if cluster.is_primary:
        listening = []

        def note(worker, address):
            listening.append(worker.id)
            if len(listening) == COUNT:
                say('port', address.port)

        cluster.on('listening', note)
        cluster.on('exit', lambda worker, code, signal: say('exit', worker.id, code, signal))
        for _ in range(COUNT):
            cluster.fork()
        stdin = gnet.Socket(fd=0, readable=True).set_encoding('utf-8')

        @stdin.on('data')
        def command(text):
            for line in text.split(';'):
                who, _, what = line.partition(' ')
                for worker in list(cluster.workers.values()):
                    if who in ('all', str(worker.id)):
                        if what == 'disconnect':
                            worker.disconnect()
                        elif what.startswith('SIG'):
                            worker.kill(what)
                        else:
                            worker.send(what)

        cluster.on('message', lambda worker, message, _: say(worker.id, message))

        @cluster.on('exit')
        def end(*_):
            if not cluster.workers:
                stdin.destroy()
    else:
        answer = gnet.process.send
        server = gnet.create_server()
        server.on('drop', lambda data: answer('drop'))
        sockets = []

        @server.on('connection')
        def serve(sock):
            sockets.append(sock)
            sock.write(str(cluster.worker.id))
            sock.on('end', sock.end)
            sock.on('error', lambda error: None)
            sock.resume()

        @gnet.process.on('message')
        def command(what, _):
            if what == 'count':
                answer(server.get_connections())
            elif what == 'close':
                server.close(lambda _: answer('closed'))
            elif what == 'stop':
                answer('stopped')
                while True:
                    pass
            else:
                exec(what)
                answer('done')

        exec(os.environ.get('PREPARE', ''))
        server.listen(0, '127.0.0.1')
"""


class Cluster:
    """A running program of WORKERS."""

    def __init__(self, program: Program, **keywords: Any) -> None:
        self.running = program(WORKERS, **keywords)
        self.port = int(self.running.wait_for(r'port (\d+)')[1])

    def tell(self, who: object, what: str, answer: str) -> str:
        """Tell workers something, and wait for the first line that matches *answer*."""
        self.running.write(f'{who} {what};')
        return self.running.wait_for(answer)[0]

    def end(self) -> None:
        self.running.write('all disconnect;')
        assert self.running.wait().status == 0

    @property
    def address(self) -> tuple[str, int]:
        return '127.0.0.1', self.port


@pytest.fixture
def start(program: Program) -> Callable[..., Cluster]:
    """``start(count=2, prepare='', policy='rr')``."""

    def start(count: int = 2, prepare: str = '', policy: str = 'rr') -> Cluster:
        return Cluster(
            program, policy=policy, env={'COUNT': str(count), 'PREPARE': prepare})

    return start


def test_connections_are_given_in_turn(start: Callable[..., Cluster], connect: Connect) -> None:
    cluster = start(3)
    peers = []
    for _ in range(6):
        peers.append(connect(cluster.address))
        peers[-1].number = peers[-1].recv_exactly(1)
        # A worker is in turn again when the primary knows that it has accepted; the peer may know
        # that sooner. The answer of the worker comes behind that, on the same channel.
        number = peers[-1].number.decode()
        cluster.tell(int(number), 'count', rf'^{number} \d+$')
    numbers = [peer.number for peer in peers]
    assert sorted(numbers[:3]) == [b'1', b'2', b'3']
    assert numbers[3:] == numbers[:3]
    cluster.tell(1, 'count', '^1 2$')
    for peer in peers:
        peer.close()
    cluster.end()


def test_a_shared_descriptor_serves_all_connections(
    start: Callable[..., Cluster], connect: Connect,
) -> None:
    cluster = start(2, policy='none')
    for _ in range(8):
        peer = connect(cluster.address)
        assert peer.recv_exactly(1) in (b'1', b'2')
        peer.close()
    cluster.end()


def test_what_a_stuck_worker_has_not_accepted_goes_to_others_when_it_is_killed(
    start: Callable[..., Cluster], connect: Connect,
) -> None:
    cluster = start(2)
    cluster.tell(1, 'stop', '^1 stopped$')
    peers = [connect(cluster.address) for _ in range(6)]  # one of them is offered to it
    cluster.tell(1, 'SIGKILL', 'exit 1 None SIGKILL')
    for peer in peers:
        assert peer.recv_exactly(1) == b'2'
        peer.close()
    cluster.end()


def test_nothing_is_lost_of_many_connections_while_workers_are_killed(
    start: Callable[..., Cluster], connect: Connect,
) -> None:
    # The listeners greet each connection in the same turn in which it is accepted: a peer that was
    # reset without a greeting was lost by a worker that had taken it and was killed right then,
    # with others that it was given together with it.
    cluster = start(3)
    peers = []
    for number in range(60):
        peers.append(connect(cluster.address))
        if number in (20, 40):
            cluster.running.write(f'{number // 20} SIGKILL;')
    greeted = lost = 0
    for peer in peers:
        try:
            greeting = peer.recv(1)
        except ConnectionResetError:
            greeting = b''
        greeted, lost = greeted + (greeting != b''), lost + (greeting == b'')
        peer.close()
    assert greeted + lost == 60
    assert lost <= 2 * MAX_WHEN_BUSY, 'what is given at once, for each killed worker at most'
    cluster.end()


def test_a_server_that_is_closed_passes_on_what_was_under_way(
    start: Callable[..., Cluster], connect: Connect,
) -> None:
    # The worker closes in the same turn in which the connection arrives, with one in the queue.
    cluster = start(2, prepare="""if True:
        def close_at_first(sock):
            if cluster.worker.id == 1:
                server.close()
        server.on('connection', close_at_first)
    """)
    for _ in range(6):
        peer = connect(cluster.address)
        assert peer.recv_exactly(1) in (b'1', b'2')
        peer.close()
    numbers = set()
    for _ in range(4):
        peer = connect(cluster.address)
        numbers.add(peer.recv_exactly(1))
        peer.close()
    assert numbers == {b'2'}
    cluster.end()


def test_the_last_server_that_is_closed_frees_the_port(
    start: Callable[..., Cluster], connect: Connect, policy: str,
) -> None:
    cluster = start(2, policy=policy)
    cluster.tell(1, 'close', '^1 closed')
    peer = connect(cluster.address)
    assert peer.recv_exactly(1) == b'2'
    peer.close()
    cluster.tell(2, 'close', '^2 closed')
    # The answer went the same way as the notice of the closed server, after it.
    with pytest.raises(ConnectionRefusedError):
        connect(cluster.address)
    cluster.end()


# --- limits ---------------------------------------------------------------------------------------


def test_full_workers_pass_connections_on_until_all_limits_are_used(
    start: Callable[..., Cluster], connect: Connect,
) -> None:
    cluster = start(2, prepare='server.max_connections = 2 * cluster.worker.id')
    peers = [connect(cluster.address) for _ in range(6)]
    numbers = sorted(peer.recv_exactly(1) for peer in peers)
    assert numbers == [b'1'] * 2 + [b'2'] * 4
    # All are full: the next ones wait, in order, until there is room.
    waiting = [connect(cluster.address) for _ in range(2)]
    for told in (1, 2):
        cluster.tell(told, 'count', f'^{told} {2 * told}$')
    for late in waiting:
        first = next(peer for peer in peers if peer.fileno() >= 0)
        first.close()
        assert late.recv_exactly(1) in (b'1', b'2')
    # Another limit is room, too.
    last = connect(cluster.address)
    cluster.tell(1, 'server.max_connections = None', '^1 done')
    assert last.recv_exactly(1) == b'1'
    for peer in [*peers, *waiting, last]:
        peer.close()
    cluster.end()


def test_waiting_connections_cost_no_processor_time(
    start: Callable[..., Cluster], connect: Connect,
) -> None:
    cluster = start(2, prepare='server.max_connections = 0')
    peers = [connect(cluster.address) for _ in range(3)]

    def used() -> int:
        pid = cluster.running.process.pid
        fields = Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()
        return int(fields[11]) + int(fields[12])

    def rounds(count: int) -> None:
        for _ in range(count):
            cluster.tell(1, 'count', '^1 0$')
            cluster.tell(2, 'count', '^2 0$')

    rounds(1)
    before = used()
    rounds(10)
    # In ticks of 10 ms. Bouncing connections would use all of the time that these take.
    assert used() - before <= 5
    cluster.tell('all', 'server.max_connections = None', 'done')
    for peer in peers:
        assert peer.recv_exactly(1) in (b'1', b'2')
        peer.close()
    cluster.end()


def test_drop_max_connection_drops_in_the_worker(
    start: Callable[..., Cluster], connect: Connect,
) -> None:
    prepare = 'server.max_connections, server.drop_max_connection = 0, cluster.worker.id == 1'
    cluster = start(2, prepare=prepare)
    for _ in range(3):
        # Worker 2 is full and passes on; worker 1 drops.
        assert connect(cluster.address).recv_until_end() == b''
        cluster.running.wait_for('^1 drop$')
    cluster.end()


def test_a_shared_descriptor_drops_as_ever(
    start: Callable[..., Cluster], connect: Connect,
) -> None:
    cluster = start(1, prepare='server.max_connections = 0', policy='none')
    assert connect(cluster.address).recv_until_end() == b''
    cluster.running.wait_for('^1 drop$')
    cluster.end()


def test_a_new_worker_gets_what_waits_for_full_ones(
    program: Program, connect: Connect,
) -> None:
    running = program("""
        if cluster.is_primary:
            cluster.once('listening', lambda _, address: say('port', address.port))
            cluster.fork()
            stdin = gnet.Socket(fd=0, readable=True)
            stdin.once('data', lambda _: cluster.fork({'ROOM': '1'}))
            cluster.on('message', lambda *_: (stdin.destroy(), cluster.disconnect()))
        else:
            server = gnet.create_server(lambda sock: sock.end(str(cluster.worker.id)))
            server.on('connection', lambda sock: sock.on(
                'close', lambda _: gnet.process.send('served')))
            if 'ROOM' not in os.environ:
                server.max_connections = 0
            server.listen(0, '127.0.0.1')
    """)
    port = int(running.wait_for(r'port (\d+)')[1])
    peer = connect(('127.0.0.1', port))
    running.write('x')
    assert peer.recv_until_end() == b'2'
    peer.close()
    assert running.wait().status == 0
