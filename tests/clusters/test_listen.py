"""What ``listen`` does in a worker: errors, addresses, ports, unix sockets, options."""

from __future__ import annotations

import socket
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path

from ..harness.native import Peer
from ..harness.ports import free_port
from ..harness.scripts import Running

ERRORS = """
    if cluster.is_primary:
        foreign4 = gnet.create_server().listen(0, '127.0.0.1')
        foreign6 = gnet.create_server().listen(0)
        foreign = gnet.create_server().listen('foreign.sock')
        gnet.once(foreign4, 'listening')
        worker = cluster.fork({
            'PORT4': foreign4.address().port, 'PORT6': foreign6.address().port})
        worker.on('exit', lambda *_: [s.close() for s in (foreign4, foreign6, foreign)])
    else:
        ports = {os.environ['PORT4']: 'PORT4', os.environ['PORT6']: 'PORT6'}

        def shown(text):
            text = str(text).replace(os.getcwd(), 'CWD')
            for number, name in ports.items():
                text = text.replace(number, name)
            return text

        def listen(*args, **options):
            server = gnet.create_server()
            server.listen(*args, **options)
            assert not server.listening
            try:
                gnet.once(server, 'listening')
            except OSError as error:
                say(shown(error), '|', error.errno, error.code, error.syscall,
                    shown(error.address), shown(error.port))
            return server

        listen(int(os.environ['PORT4']), '127.0.0.1')
        listen(int(os.environ['PORT6']))
        listen('foreign.sock')
        listen('nodir/some.sock')
        listen(0, '1.2.3.4')
        listen(fd=77)
        listen(fd=1.5)
        first = listen(0, '127.0.0.1')
        ports[str(first.address().port)] = 'FIRST'
        listen(first.address().port, '127.0.0.1')
        second = listen(0)
        ports[str(second.address().port)] = 'SECOND'
        listen(second.address().port)
        listen(second.address().port, '::')
        cluster.worker.disconnect()
"""

EXPECTED_ERRORS = """\
bind EADDRINUSE 127.0.0.1:PORT4 | 98 EADDRINUSE bind 127.0.0.1 PORT4
bind EADDRINUSE null:PORT6 | 98 EADDRINUSE bind None PORT6
bind EADDRINUSE CWD/foreign.sock | 98 EADDRINUSE bind CWD/foreign.sock -1
bind EACCES CWD/nodir/some.sock | 13 EACCES bind CWD/nodir/some.sock -1
bind EADDRNOTAVAIL 1.2.3.4 | 99 EADDRNOTAVAIL bind 1.2.3.4 None
bind EINVAL | 22 EINVAL bind None None
bind EINVAL | 22 EINVAL bind None None
bind EADDRINUSE 127.0.0.1:FIRST | 98 EADDRINUSE bind 127.0.0.1 FIRST
bind EADDRINUSE null:SECOND | 98 EADDRINUSE bind None SECOND
bind EADDRINUSE :::SECOND | 98 EADDRINUSE bind :: SECOND
"""


def test_what_the_primary_cannot_bind_is_an_error_in_the_worker(
    program: Callable[..., Running], policy: str,
) -> None:
    finished = program(ERRORS, policy=policy).wait()
    assert finished.stdout == EXPECTED_ERRORS
    assert finished.status == 0
    assert finished.stderr == ''


def test_an_address_can_be_listened_on_once_it_is_free(
    program: Callable[..., Running], policy: str,
) -> None:
    finished = program("""
        if cluster.is_primary:
            foreign = gnet.create_server().listen(0, '127.0.0.1')
            gnet.once(foreign, 'listening')
            port = foreign.address().port
            worker = cluster.fork({'PORT': port})
            worker.on('message', lambda *_: foreign.close(lambda _: worker.send('free')))
            worker.on('listening', lambda address: (
                say(address.port == port, address.address), worker.disconnect()))
        else:
            port = int(os.environ['PORT'])
            server = gnet.create_server().listen(port, '127.0.0.1')
            server.on('error', lambda error: (say(error.code), gnet.process.send('?')))
            gnet.process.on('message', lambda *_: server.listen(port, '127.0.0.1'))
    """, policy=policy).wait()
    assert (finished.stdout, finished.status) == ('EADDRINUSE\nTrue 127.0.0.1\n', 0)


def test_an_exception_in_the_error_handler_is_an_ordinary_one(
    program: Callable[..., Running],
) -> None:
    finished = program("""
        if cluster.is_primary:
            foreign = gnet.create_server().listen(0, '127.0.0.1')
            gnet.once(foreign, 'listening')
            worker = cluster.fork({'PORT': foreign.address().port})
            worker.on('exit', lambda code, signal: (say(code, signal), foreign.close()))
        else:
            def fail(error):
                raise LookupError('from the handler')

            gnet.create_server().listen(int(os.environ['PORT']), '127.0.0.1').on('error', fail)
    """).wait()
    assert finished.stdout == '1 None\n'
    assert 'LookupError: from the handler' in finished.stderr


def test_the_nth_free_port_of_each_worker_is_the_same(
    program: Callable[..., Running], policy: str,
) -> None:
    finished = program("""
        if cluster.is_primary:
            seen = {}

            def note(worker, ports, _):
                seen[worker.id] = ports
                if len(seen) == 2:
                    say(seen[1][:3] == seen[2][:3], len(set(seen[1])), seen[1][3] == seen[2][3])
                    cluster.disconnect()

            cluster.on('message', note)
            cluster.fork(), cluster.fork()
        else:
            servers = [gnet.create_server().listen(0) for _ in range(2)]
            servers.append(gnet.create_server().listen(0, '127.0.0.1'))
            servers.append(gnet.create_server().listen(port=0, exclusive=True))
            for server in servers[:3]:
                wait_listening(server)
            gnet.process.send([server.address().port for server in servers])
            # An exclusive one is none of the cluster's: disconnecting does not wait for it.
            cluster.worker.on('disconnect', servers[3].close)
    """, policy=policy).wait()
    assert (finished.stdout, finished.status) == ('True 4 False\n', 0)


def test_listening_tells_where_and_servers_of_their_own_do_not_tell(
    program: Callable[..., Running], policy: str,
) -> None:
    finished = program("""
        if cluster.is_primary:
            ports = []

            def note(worker, address):
                ports.append(address.port)
                say(address.address, address.address_type, address.addressType, address.fd,
                    address.port if address.port < 0 else address.port > 0)

            cluster.on('listening', note)
            worker = cluster.fork()
            worker.on('message', lambda mine, _: (
                say(mine == ports, worker.state), worker.disconnect()))
        else:
            ports = []
            for arguments in ({'port': 0}, {'port': 0, 'host': '127.0.0.1'},
                              {'port': 0, 'host': '::1'}, {'path': 'shared.sock'}):
                server = gnet.create_server().listen(arguments)
                gnet.once(server, 'listening')
                ports.append(-1 if 'path' in arguments else server.address().port)
                if 'path' in arguments:
                    say(server.address(), server._connection_key)
            for arguments in ({'exclusive': True}, {'reuse_port': True}):
                server = gnet.create_server().listen(port=0, **arguments)
                assert server.listening
                gnet.once(server, 'listening')
                server.close()
            gnet.process.send(ports)
    """, policy=policy).wait()
    lines = sorted(finished.stdout.splitlines())
    path = next(line for line in lines if line.startswith('/'))
    assert path.endswith('/shared.sock -1 -1 None -1')
    assert [line for line in lines if line != path] == sorted([
        'None 4 4 None True', '127.0.0.1 4 4 None True', '::1 6 6 None True',
        'shared.sock -1:shared.sock:-1', 'True listening',
    ])
    assert finished.status == 0


def test_a_closed_server_gets_no_answer_and_listening_again_works(
    program: Callable[..., Running], policy: str,
) -> None:
    finished = program("""
        if cluster.is_primary:
            cluster.fork()
            cluster.on('listening', lambda worker, address: say('primary', address.address))
        else:
            server = gnet.create_server()
            server.on('listening', lambda: say('listening'))
            server.on('close', lambda: say('close'))
            server.on('error', lambda error: say(error.code))
            server.listen(0, '127.0.0.1').close(lambda error: say(error.code))
            gnet.once(server, 'close')
            # Twice in one turn: the first is forgotten.
            server.listen(0).listen(0)
            gnet.once(server, 'listening')
            try:
                server.listen(0)
            except gnet.CodedRuntimeError as error:
                say(error.code)
            port = server.address().port
            server.close()
            gnet.once(server, 'close')
            for _ in range(2):
                server.listen(port)
                gnet.once(server, 'listening')
                assert server.address().port == port
                server.close()
                gnet.once(server, 'close')
            # The same port twice in one turn: the second is in the way of the first.
            server.listen(port).listen(port)
            server.once('error', lambda error: cluster.worker.disconnect())
    """, policy=policy).wait()
    assert [line for line in finished.stdout.splitlines() if 'primary' not in line] == [
        'close', 'ERR_SERVER_NOT_RUNNING', 'listening', 'ERR_SERVER_ALREADY_LISTEN', 'close',
        'listening', 'close', 'listening', 'close', 'EADDRINUSE']
    assert finished.stdout.count('primary') == 3
    assert finished.status == 0
    assert finished.stderr == ''


def test_a_server_restarts_on_a_port_that_another_worker_holds(
    program: Callable[..., Running], policy: str,
) -> None:
    finished = program("""
        if cluster.is_primary:
            reserved = gnet.create_server().listen(0)
            port = reserved.address().port
            reserved.close()
            first = cluster.fork({'PORT': port})

            @first.once('listening')
            def fork_second(_):
                second = cluster.fork({'PORT': port})
                second.once('listening', lambda _: first.send('restart'))
                first.once('message', lambda *_: cluster.disconnect())
        else:
            server = gnet.create_server().listen(int(os.environ['PORT']))

            @gnet.process.on('message')
            def restart(*_):
                port = server.address().port
                server.close()
                gnet.once(server, 'close')
                server.listen(port)
                gnet.once(server, 'listening')
                say(server.address().port == port)
                gnet.process.send('done')
    """, policy=policy).wait()
    assert (finished.stdout, finished.status, finished.stderr) == ('True\n', 0, '')


def test_a_port_that_one_worker_has_freed_can_be_used_by_another(
    program: Callable[..., Running], policy: str,
) -> None:
    finished = program("""
        if cluster.is_primary:
            def start(port, then):
                worker = cluster.fork({'PORT': port})
                worker.once('listening', lambda address: (say('listens'), worker.disconnect()))
                worker.once('listening', lambda address: worker.once(
                    'exit', lambda *_: then(address.port)))

            start(0, lambda port: start(port, lambda _: say('freed')))
        else:
            gnet.create_server().listen(int(os.environ['PORT']))
    """, policy=policy).wait()
    assert (finished.stdout, finished.status) == ('listens\nlistens\nfreed\n', 0)


UNIX = """
    os.chdir(sys.argv[1])
    if cluster.is_primary:
        worker = cluster.fork()
        worker.on('listening', lambda _: say('ready'))
        stdin = gnet.Socket(fd=0, readable=True)
        stdin.on('data', lambda _: (stdin.destroy(), worker.disconnect()))
    else:
        server = gnet.create_server(lambda sock: sock.end(repr(sock.remote_address)))
        server.listen(path=sys.argv[2], readable_all=True, writable_all=True)
"""


def test_unix_sockets_are_shared_have_their_mode_and_are_removed(
    program: Callable[..., Running], policy: str, tmp_path: Path,
    connect: Callable[[str], Peer],
) -> None:
    # Longer than the 107 bytes that a name may have; relative to the working directory it is not.
    directory = tmp_path / ('d' * 100)
    directory.mkdir()
    running = program(UNIX, str(directory), 'shared.sock', policy=policy)
    running.wait_for('ready')
    path = directory / 'shared.sock'
    assert stat.S_IMODE(path.stat().st_mode) & 0o666 == 0o666
    # By way of a short name for a client that has another working directory.
    with tempfile.TemporaryDirectory(prefix='gnet-') as short:
        Path(short, 'link').symlink_to(directory)
        peer = connect(f'{short}/link/shared.sock')
        assert peer.recv_until_end() == b'None'
        peer.close()
    running.write('x')
    assert running.wait().status == 0
    assert not path.exists()


def test_ipv6_only_goes_to_the_primary(program: Callable[..., Running], policy: str) -> None:
    # Not port 0: another test may have the same one on IPv4, as that of its connection.
    finished = program(f"""
        if cluster.is_primary:
            worker = cluster.fork()

            def probe(port, _):
                try:
                    server = gnet.create_server().listen(port, '127.0.0.1')
                    gnet.once(server, 'listening')
                    say('IPv4 is free')
                    server.close()
                except OSError as error:
                    say('IPv4', error.code)
                worker.send('next')

            worker.on('message', probe)
        else:
            import gevent.queue
            queue = gevent.queue.Queue()
            gnet.process.on('message', lambda *_: queue.put(None))
            for only, port in [(True, {free_port()}), (False, {free_port()})]:
                server = gnet.create_server(lambda sock: sock.end())
                server.listen(host='::', port=port, ipv6_only=only)
                gnet.once(server, 'listening')
                gnet.process.send(server.address().port)
                queue.get()
                server.close()
            cluster.worker.disconnect()
    """, policy=policy).wait()
    assert (finished.stdout, finished.status) == ('IPv4 is free\nIPv4 EADDRINUSE\n', 0)


def test_the_backlog_of_the_first_worker_counts(
    program: Callable[..., Running], policy: str,
) -> None:
    finished = program("""
        import socket
        if cluster.is_primary:
            worker = cluster.fork()

            @worker.on('listening')
            def look(_):
                # The one way to see it: the kernel's table, where it is the limit of the queue.
                handle = next(iter(cluster._primary._handles.values()))
                sock = getattr(handle, '_acceptor', handle)
                sock = getattr(sock, 'socket', None) or handle._listener.socket
                info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)
                say(int.from_bytes(info[28:32], sys.byteorder))
                worker.disconnect()
        else:
            gnet.create_server().listen(port=0, backlog=13)
    """, policy=policy).wait()
    assert (finished.stdout, finished.status) == ('13\n', 0)


def test_reuse_port_never_asks_the_primary(program: Callable[..., Running]) -> None:
    with socket.socket() as reserved:
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        reserved.bind(('127.0.0.1', 0))
        port = reserved.getsockname()[1]
        finished = program("""
            if cluster.is_primary:
                cluster.on('listening', lambda *_: say('asked'))
                cluster.on('message', lambda worker, text, _: (say(text), worker.disconnect()))
                cluster.fork(), cluster.fork()
            else:
                server = gnet.create_server().listen(
                    port=int(sys.argv[1]), host='127.0.0.1', reuse_port=True)
                gnet.once(server, 'listening')
                cluster.worker.on('disconnect', server.close)
                gnet.process.send('listens')
        """, str(port)).wait()
    assert (finished.stdout, finished.status) == ('listens\nlistens\n', 0)
