"""Workers that disconnect at awkward moments, with both ways to share a listener."""

from __future__ import annotations

from collections.abc import Callable

from ..harness.plain import PlainSocket
from ..harness.ports import free_port
from ..harness.scripts import Running

Program = Callable[..., Running]


def test_disconnecting_because_of_an_error_of_listen(program: Program, policy: str) -> None:
    with PlainSocket() as taken:
        taken.bind(('127.0.0.1', 0))
        taken.listen()
        running = program("""
            port = int(sys.argv[1])
            if cluster.is_primary:
                worker = cluster.fork()
                for name in ('disconnect', 'exit'):
                    worker.on(name, lambda *args, name=name: say(name, *args))
                worker.on('exit', lambda *args: say(worker.exited_after_disconnect))
            else:
                server = gnet.create_server()
                @server.on('error')
                def failed(error):
                    say(error.code)
                    cluster.worker.disconnect()
                server.listen(port, '127.0.0.1')
        """, str(taken.getsockname()[1]), policy=policy)
        finished = running.wait()
    assert finished.stdout.splitlines() == ['EADDRINUSE', 'disconnect', 'exit 0 None', 'True']
    assert (finished.status, finished.stderr) == (0, '')


def test_disconnecting_as_soon_as_it_is_online(program: Program, policy: str) -> None:
    finished = program("""
        if cluster.is_primary:
            for _ in range(3):
                worker = cluster.fork()
                worker.on('online', worker.disconnect)
            cluster.on('exit', lambda worker, *status: say('exit', *status))
        else:
            gnet.create_server().listen(0, '127.0.0.1')
    """, policy=policy).wait()
    assert finished.stdout.splitlines() == ['exit 0 None'] * 3
    assert (finished.status, finished.stderr) == (0, '')


def test_disconnecting_before_the_process_has_begun(program: Program, policy: str) -> None:
    finished = program("""
        if cluster.is_primary:
            cluster.fork().disconnect()
            cluster.on('exit', lambda worker, *status: say('exit', *status))
            say(len(cluster.workers))
        else:
            gnet.create_server().listen(0, '127.0.0.1')
    """, policy=policy).wait()
    assert finished.stdout.splitlines() == ['0', 'exit 0 None']
    assert (finished.status, finished.stderr) == (0, '')


def test_disconnecting_again_and_again_leaves_nothing(program: Program, policy: str) -> None:
    """Each round has a server, a connection and a new worker; the port is free after each."""
    finished = program("""
        def descriptors():
            return len(os.listdir('/proc/self/fd'))

        if cluster.is_primary:
            rounds = []

            def begin():
                cluster.fork().once('listening', connected)

            def connected(address):
                client = gnet.connect(address.port, '127.0.0.1')
                client.once('data', lambda data: cluster.disconnect(lambda: None))
                client.once('close', lambda had_error: None)

            @cluster.on('exit')
            def ended(worker, *status):
                probe = gnet.create_server()
                probe.listen(int(sys.argv[1]), '127.0.0.1')
                gnet.once(probe, 'listening')
                probe.stop()
                rounds.append((status, len(cluster.workers), descriptors()))
                if len(rounds) < 4:
                    begin()
                else:
                    # The first round opens what gevent keeps.
                    say(len({count for *_, count in rounds[1:]}))
                    say(*{(status, left) for status, left, _ in rounds})

            begin()
        else:
            server = gnet.create_server(lambda sock: sock.end('x'))
            server.listen(int(sys.argv[1]), '127.0.0.1')
    """, str(free_port()), policy=policy).wait()
    assert finished.stdout.splitlines() == ['1', '((0, None), 0)']
    assert (finished.status, finished.stderr) == (0, '')


def test_a_server_that_is_not_shared_and_not_ref_ed_holds_up_nothing(
    program: Program, policy: str,
) -> None:
    finished = program("""
        if cluster.is_primary:
            worker = cluster.fork()
            worker.on('message', lambda *args: worker.disconnect())
            worker.on('exit', lambda *status: say('exit', *status))
        else:
            server = gnet.create_server()
            server.listen(port=0, host='127.0.0.1', exclusive=True)
            server.unref()
            server.on('listening', lambda: cluster.worker.send('up'))
    """, policy=policy).wait()
    assert finished.stdout.splitlines() == ['exit 0 None']
    assert (finished.status, finished.stderr) == (0, '')
