"""The lives of workers: how they end, together and alone, by whom and with what."""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Any

import pytest

from ..harness.native import Peer
from ..harness.scripts import Running

Program = Callable[..., Running]
Connect = Callable[[Any], Peer]


def test_disconnecting_without_workers_calls_back(program: Program) -> None:
    finished = program("""
        cluster.disconnect()
        say(cluster.disconnect(lambda *args: say('called', args)))
        say('first')
    """).wait()
    assert finished.stdout.splitlines() == ['None', 'first', 'called ()']


def test_idle_workers_live_until_they_are_disconnected(program: Program, policy: str) -> None:
    finished = program("""
        if cluster.is_primary:
            online = []

            @cluster.on('online')
            def note(worker):
                online.append(worker)
                if len(online) == 2:
                    worker.process.on('message', lambda *_: cluster.disconnect(
                        lambda: say('all', [worker.exited_after_disconnect for worker in online])))
                    worker.send('are you there')

            cluster.on('exit', lambda worker, code, signal: say(code, signal))
            cluster.fork(), cluster.fork()
        else:
            # Not a listener of its own, so that it does not keep the worker alive.
            cluster.worker.once('message', lambda *_: gnet.process.send('yes'))
    """, policy=policy).wait()
    assert finished.stdout.splitlines() == ['all [True, True]', '0 None', '0 None']
    assert (finished.status, finished.stderr) == (0, '')


def test_many_workers_can_be_disconnected_and_killed_at_once(program: Program) -> None:
    finished = program("""
        if cluster.is_primary:
            listening = []
            ended = []

            @cluster.on('listening')
            def note(worker, address):
                listening.append(worker)
                if len(listening) == 4:
                    for each in listening:
                        each.disconnect()
                        each.disconnect()
                    listening[0].destroy()
                    listening[1].kill('SIGKILL')
                    cluster.disconnect(lambda: say('all'))
                    cluster.disconnect(lambda: say('all'))

            @cluster.on('exit')
            def exited(worker, code, signal):
                ended.append((worker.id, code if signal is None else signal))
                if len(ended) == 4:
                    say(dict(sorted(ended))[listening[1].id], cluster.workers,
                        all(worker.exited_after_disconnect for worker in listening))

            for _ in range(4):
                cluster.fork()
        else:
            gnet.create_server().listen(0)
    """).wait()
    assert finished.stdout.splitlines() == ['all', 'all', 'SIGKILL {} True']
    assert (finished.status, finished.stderr) == (0, '')


def test_an_ended_worker_can_be_called_still(program: Program) -> None:
    finished = program("""
        if cluster.is_primary:
            worker = cluster.fork()

            @worker.on('exit')
            def exited(code, signal):
                say(code, signal, worker.is_dead(), worker.is_connected(), cluster.workers)
                worker.on('error', lambda error: say('error', error.code))
                say(worker.send('x'), worker.disconnect() is worker, worker.kill())
                worker.send('y', lambda error: say('callback', error.code))
        else:
            sys.exit(3)
    """).wait()
    assert finished.stdout.splitlines() == [
        '3 None True False {}', 'False True None', 'error ERR_IPC_CHANNEL_CLOSED',
        'callback ERR_IPC_CHANNEL_CLOSED']


@pytest.mark.parametrize(('ending', 'status'), [
    ("raise LookupError('of the primary')", 1), ('sys.exit(5)', 5),
    ('os.kill(os.getpid(), signal.SIGKILL)', -signal.SIGKILL),
])
def test_workers_end_with_the_primary(
    program: Program, connect: Connect, policy: str, ending: str, status: int,
) -> None:
    running = program("""
        import signal
        if cluster.is_primary:
            cluster.fork()
            cluster.on('message', lambda worker, text, _: (say('port', text), prepare()))
            stdin = gnet.Socket(fd=0, readable=True)

            def prepare():
                @stdin.on('data')
                def end(_):
                    ENDING
        else:
            # An open connection does not keep it.
            server = gnet.create_server(lambda sock: sock.resume())
            server.listen(0, '127.0.0.1', lambda: gnet.process.send(server.address().port))
            import atexit
            atexit.register(lambda: say('worker ends', cluster.worker.exited_after_disconnect))
    """.replace('ENDING', ending), policy=policy)
    peer = connect(('127.0.0.1', int(running.wait_for(r'port (\d+)')[1])))
    running.write('x')
    finished = running.wait()  # to the end of its output, which the worker has, too
    assert finished.status == status
    assert finished.stdout.endswith('worker ends None\n')
    assert peer.recv_until_end() == b''


def test_a_stuck_worker_is_ended_by_a_signal(program: Program) -> None:
    finished = program("""
        if cluster.is_primary:
            worker = cluster.fork()
            worker.on('message', lambda *_: worker.kill())
            worker.on('exit', lambda code, signal: say(
                code, signal, worker.exited_after_disconnect))
        else:
            def stick(error):
                while True:
                    pass

            gnet.process.send('busy', stick)
    """).wait()
    assert finished.stdout == 'None SIGTERM False\n'


@pytest.mark.parametrize('name', ['SIGINT', 'SIGTERM', 'SIGKILL', 'SIGUSR1'])
def test_kill_sends_the_signal(program: Program, name: str) -> None:
    finished = program("""
        if cluster.is_primary:
            worker = cluster.fork()
            worker.on('online', lambda: worker.kill(sys.argv[1]))
            worker.on('exit', lambda code, signal: say(code, signal))
    """, name).wait()
    assert finished.stdout == f'None {name}\n'


def test_disconnecting_waits_for_connections(
    program: Program, connect: Connect, policy: str,
) -> None:
    running = program("""
        if cluster.is_primary:
            worker = cluster.fork()
            worker.on('listening', lambda address: say('port', address.port))
            worker.on('message', lambda text, _: say(text))
            worker.on('disconnect', lambda: say('disconnect'))
        else:
            def serve(sock):
                sock.on('data', lambda data: sock.end(data))
                cluster.worker.disconnect()
                gnet.process.send(f'leaving {server.listening}')

            server = gnet.create_server(serve).listen(0, '127.0.0.1')
            server.on('close', lambda: gnet.process.send('close'))
    """, policy=policy)
    address = ('127.0.0.1', int(running.wait_for(r'port (\d+)')[1]))
    peer = connect(address)
    running.wait_for('^leaving')
    peer.sendall(b'still there')
    assert peer.recv_until_end() == b'still there'
    peer.close()
    assert running.wait().stdout.splitlines()[-2:] == ['close', 'disconnect']


def test_an_open_connection_keeps_a_worker_alive_that_has_disconnected(
    program: Program, connect: Connect,
) -> None:
    running = program("""
        if cluster.is_primary:
            worker = cluster.fork()
            worker.on('listening', lambda address: say('port', address.port))
            worker.on('disconnect', lambda: say('disconnect'))
            worker.on('exit', lambda code, signal: say('exit', code, signal))
        else:
            # A server of its own is none that disconnecting closes.
            alone = gnet.create_server(lambda sock: (alone.close(), sock.pipe(sock)))
            alone.listen(port=0, exclusive=True, host='127.0.0.1')
            gnet.once(alone, 'listening')
            server = gnet.create_server().listen(0, '127.0.0.1')
            wait_listening(server)
            say('alone', alone.address().port)
            cluster.worker.disconnect()
    """)
    port = int(running.wait_for(r'alone (\d+)')[1])
    running.wait_for('^disconnect')
    peer = connect(('127.0.0.1', port))
    peer.sendall(b'echo')
    assert peer.recv_exactly(4) == b'echo'
    peer.close()
    assert running.wait().stdout.endswith('exit 0 None\n')


def test_references_of_a_shared_server_count(program: Program, policy: str) -> None:
    finished = program("""
        if cluster.is_primary:
            cluster.on('exit', lambda worker, code, signal: say('exit', code, signal))
            worker = cluster.fork()
        else:
            server = gnet.create_server().listen(0, '127.0.0.1')
            wait_listening(server)
            gnet.process.channel.unref()  # nothing but the server keeps this alive now
            say(gnet.run(0.05))
            server.unref()
            say(gnet.run(5))
            server.ref()
            say(gnet.run(0.05))
            server.close(lambda error: say('closed', error))
            say(gnet.run(5))
            gnet.set_stay_alive(True)
    """, policy=policy).wait()
    assert finished.stdout.splitlines() == [
        'False', 'True', 'False', 'closed None', 'True', 'exit 0 None']


def test_after_disconnecting_a_worker_cannot_share(program: Program) -> None:
    finished = program("""
        if cluster.is_primary:
            cluster.fork()
        else:
            pending = gnet.create_server().listen(0, lambda: say('listening'))
            pending.on('close', lambda: say('close'))
            cluster.worker.disconnect()
            late = gnet.create_server().listen(0)
            late.on('error', lambda error: say(error.code))
            cluster.worker.once('disconnect', lambda: gnet.create_server().listen(0).on(
                'error', lambda error: say(error.code)))
    """).wait()
    assert sorted(finished.stdout.splitlines()) == [
        'ERR_IPC_CHANNEL_CLOSED', 'ERR_IPC_CHANNEL_CLOSED', 'close']
    assert finished.status == 0


def test_servers_and_connections_can_be_sent_both_ways(program: Program, connect: Connect) -> None:
    running = program("""
        if cluster.is_primary:
            worker = cluster.fork()
            worker.on('listening', lambda address: say('port', address.port))

            @worker.on('message')
            def take(message, sock):
                sock.write(f'{message} by {cluster.is_primary} ')
                worker.send('back', sock)

            worker.on('disconnect', lambda: say('end'))
        else:
            server = gnet.create_server(pause_on_connect=True)
            server.on('connection', lambda sock: gnet.process.send('sent', sock))
            server.listen(0, '127.0.0.1')

            @gnet.process.on('message')
            def take(message, sock):
                sock.end(message)
                try:
                    gnet.process.send('the server', server)
                except gnet.CodedTypeError as error:
                    say(error.code)
                cluster.worker.disconnect()
    """)
    peer = connect(('127.0.0.1', int(running.wait_for(r'port (\d+)')[1])))
    assert peer.recv_until_end() == b'sent by True back'
    peer.close()
    finished = running.wait()
    assert finished.stdout.splitlines()[1:] == ['ERR_INVALID_HANDLE_TYPE', 'end']
    assert (finished.status, finished.stderr) == (0, '')


def test_the_class_of_workers(program: Program) -> None:
    finished = program("""
        first, second = cluster.Worker(), cluster.Worker(
            {'id': 3, 'state': 'online', 'process': gnet.process})
        say(first.id, first.state, first.process, first.exited_after_disconnect)
        say(second.id, second.state, second.process is gnet.process, second.is_connected(),
            second.is_dead())
    """).wait()
    assert finished.stdout.splitlines() == ['0 none None None', '3 online True False False']


# --- what is for the supervisor -------------------------------------------------------------------


@pytest.mark.parametrize('left', [0, 2])
def test_a_drain_has_an_end_and_says_how_many_were_cut(
    program: Program, connect: Connect, policy: str, left: int,
) -> None:
    running = program("""
        from gnet.clusters.cluster import primary_side
        from gnet.clusters.news import News

        if cluster.is_primary:
            worker = cluster.fork()
            worker.on('listening', lambda address: say('port', address.port))
            for event in ('disconnect', 'exit'):
                worker.on(event, lambda *args, event=event: say(event, *args))
            primary_side().look_after(
                worker, lambda news, *args: news is News.HAS_CUT and say('cut', *args))
            count = []

            @worker.on('message')
            def note(port, _):
                if port:
                    say('alone', port)
                else:
                    count.append(1)
                    if len(count) == 3:
                        primary_side().drain(worker, float(sys.argv[1]), accept_rest=False)
        else:
            def serve(sock):
                sock.resume()
                gnet.process.send(0)

            alone = gnet.create_server(serve).listen(port=0, exclusive=True)
            gnet.process.send(alone.address().port)
            gnet.create_server(serve).listen(0, '127.0.0.1')
    """, '0.2' if left else '60', policy=policy)
    alone = int(running.wait_for(r'alone (\d+)')[1])
    shared = int(running.wait_for(r'port (\d+)')[1])
    peers = [connect(('127.0.0.1', port)) for port in (alone, shared, shared)]
    peers.pop().close() if left else [peer.close() for peer in peers]
    ended = running.wait()
    rest = ended.stdout.splitlines()[2:]
    assert rest == [*([f'cut {left}'] if left else []), 'disconnect', 'exit 0 None'], ended.stderr
    for peer in peers:
        peer.close()


def test_kept_listeners_outlive_their_workers(program: Program, connect: Connect) -> None:
    running = program("""
        from gnet.clusters.cluster import primary_side

        if cluster.is_primary:
            primary_side().listeners.keep(True)
            cluster.once('message', lambda worker, port, _: say('port', port))
            cluster.once('exit', lambda *_: say('gone'))
            stdin = gnet.Socket(fd=0, readable=True)

            @stdin.on('data')
            def command(data):
                if data == b'fork':
                    cluster.fork({'PORT': '0'})
                elif data == b'end':
                    stdin.destroy()
                    cluster.disconnect(lambda: say('end'))
                    say(len(cluster._primary.listeners))
                    primary_side().listeners.keep(False)

            cluster.fork()
        else:
            server = gnet.create_server(lambda sock: sock.end(str(cluster.worker.id)))
            server.listen(0, '127.0.0.1')
            server.on('listening', lambda: cluster.worker.id == 1 and gnet.process.send(
                server.address().port, lambda _: sys.exit(1)))
    """)
    address = ('127.0.0.1', int(running.wait_for(r'port (\d+)')[1]))
    running.wait_for('^gone')
    peers = [connect(address) for _ in range(3)]
    running.write('fork')
    for peer in peers:
        assert peer.recv_until_end() == b'2'
        peer.close()
    running.write('end')
    assert running.wait().stdout.splitlines()[-2:] == ['1', 'end']
    with pytest.raises(ConnectionRefusedError):
        connect(address)


# --- a worker that has gone wrong -----------------------------------------------------------------

GARBAGE = [
    {}, {'act': None}, {'act': 'no such'}, {'act': ['list']}, {'act': {}},
    {'act': 'listen'}, {'act': 'listen', 'seq': 1}, {'act': 'listen', 'seq': 10**6, 'query': []},
    {'act': 'listen', 'seq': 'x', 'query': [4, None, 0, None, 0, 511, False, False, False]},
    {'act': 'listen', 'seq': 10**6, 'query': [4, 5, 0, None, 0, 511, False, False, False]},
    {'act': 'listen', 'seq': 10**6, 'query': [4, None, 2**40, None, 0, 511, False, False, False]},
    {'act': 'listen', 'seq': 10**6, 'query': [5, None, 0, None, 0, 511, False, False, False]},
    {'act': 'listen', 'seq': 10**6, 'query': [-1, None, -1, None, 0, 511, False, False, False]},
    {'act': 'listen', 'seq': 10**6, 'query': [4, None, 0, None, 0, 2**70, False, False, False]},
    {'act': 'listen', 'seq': 10**6, 'query': [4, None, 0, -5, 0, 1, False, False, False]},
    {'act': 'listen', 'seq': 10**6, 'query': [4, 'no address', 0, None, 0, 1, False, False, False]},
    {'act': 'listen', 'seq': 10**6, 'query': [6, '\ud800', 0, None, 0, 1, False, False, False]},
    {'act': 'listen', 'seq': 10**6, 'query': [-1, 'a\0b', -1, None, 0, 1, False, False, False]},
    {'act': 'listen', 'seq': 10**6, 'query': [-1, '', -1, None, 0, 1, False, False, False]},
    {'act': 'listen', 'seq': 10**6, 'query': [-1, '\ud800', -1, None, 0, 1, False, False, False]},
    {'act': 'listening'}, {'act': 'listening', 'query': 7}, {'act': 'refused'},
    {'act': 'refused', 'n': 12}, {'act': 'refused', 'n': {}}, {'act': 'room', 'id': []},
    {'act': 'close', 'id': {}}, {'act': 'close', 'id': 99}, {'act': 'cut'},
    {'act': 'cut', 'count': -1}, {'act': 'online'}, {'act': 'bound'}, {'act': 'connection'},
]


def test_nonsense_from_a_worker_is_passed_over_with_one_line(
    program: Program, connect: Connect,
) -> None:
    running = program("""
        if cluster.is_primary:
            import logging
            logging.basicConfig(format='%(name)s %(levelname)s', stream=sys.stderr)
            cluster.on('listening', lambda worker, address: say('port', address.port))
            cluster.on('online', lambda worker: say('online'))
            cluster.fork()
        else:
            from gnet.processes.messaging import peer_of

            for message in GARBAGE:
                peer_of(gnet.process).send({'cmd': 'NODE_CLUSTER', **message})
                peer_of(gnet.process).send({'cmd': 'NODE_NO_SUCH', **message})
            server = gnet.create_server(lambda sock: (sock.end('served'), sys.exit()))
            server.listen(0, '127.0.0.1')
    """.replace('GARBAGE', repr(GARBAGE)))
    peer = connect(('127.0.0.1', int(running.wait_for(r'port (\d+)')[1])))
    assert peer.recv_until_end() == b'served'
    finished = running.wait()
    assert finished.stderr.splitlines() == ['gnet.cluster WARNING']
    assert finished.stdout.count('online') == 1
    assert finished.status == 0


def test_a_worker_of_another_version_gets_nothing(program: Program) -> None:
    """As after an upgrade of gnet under a primary that goes on."""
    running = program("""
        if cluster.is_primary:
            import logging

            from gnet.clusters import primary
            primary.PROTOCOL -= 1
            logging.basicConfig(format='%(name)s %(levelname)s %(message)s', stream=sys.stderr)
            cluster.on('online', lambda worker: say('online'))
            cluster.on('listening', lambda worker, address: say('listening'))
            cluster.on('exit', lambda worker, code, signal: say('exit', code, signal))
            cluster.fork()
        else:
            gnet.create_server().listen(0, '127.0.0.1')
    """)
    finished = running.wait()
    assert finished.stdout.split() == ['exit', 'None', 'SIGKILL']
    [line] = finished.stderr.splitlines()
    assert line.startswith('gnet.cluster ERROR <gnet.ForkedWorker 1 ')
    assert 'another version of gnet' in line
