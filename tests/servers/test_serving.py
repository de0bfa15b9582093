"""``gnet.serve``: one call, after which the server listens."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gevent
import gevent.socket
import pytest
from gevent.event import Event

import gnet

from ..harness.families import Family
from ..harness.listening import happens
from ..harness.plain import PlainSocket
from ..harness.waiting import PATIENCE, turn, until

Run = Callable[..., Any]


def echo(sock: Any) -> None:
    for chunk in sock:
        sock.sendall(chunk)


@pytest.fixture
def serving() -> Iterator[Callable[..., gnet.Server]]:
    """``gnet.serve``; after the test the servers are stopped."""
    servers: list[gnet.Server] = []

    def serve(*args: Any, **options: Any) -> gnet.Server:
        servers.append(gnet.serve(*args, **options))
        return servers[-1]

    yield serve
    for server in servers:
        server.stop(0)


def answers(connect: Run, server: Any) -> None:
    peer = connect(server)
    peer.sendall(b'hello')
    peer.end()
    assert peer.recv_until_end() == b'hello'


# --- it listens -----------------------------------------------------------------------------------


@pytest.mark.parametrize('in_greenlet', [False, True])
def test_it_listens_when_the_call_returns(
    serving: Run, connect: Run, family: Family, in_greenlet: bool,
) -> None:
    def call() -> Any:
        server = serving(echo, **family.listen_options)
        return server, server.listening, server.address()

    server, listens, address = gevent.spawn(call).get(PATIENCE) if in_greenlet else call()
    assert listens
    if family.path is not None:
        assert address == family.path
    else:
        assert address[0] == family.host
        assert address.port > 0
    answers(connect, server)


def test_by_default_on_any_free_port_of_this_machine_alone(serving: Run, connect: Run) -> None:
    first, second = serving(echo), serving(echo)
    assert first.address()[:2] == second.address()[:2] == ('127.0.0.1', 'IPv4')
    assert first.address().port != second.address().port
    answers(connect, first)


def test_a_name_is_looked_up_before_it_returns(serving: Run, connect: Run) -> None:
    server = serving(echo, 0, 'localhost')
    assert server.address().address in ('127.0.0.1', '::1')
    answers(connect, server)


def test_without_a_host_on_every_address(serving: Run, connect: Run) -> None:
    server = serving(echo, 0, None)
    assert server.address().address in ('::', '0.0.0.0')
    answers(connect, ('127.0.0.1', server.address().port))


def test_a_relative_path(
    serving: Run, connect: Run, tmp_path: Any, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    server = serving(echo, path='socket')
    assert server.address() == 'socket'
    answers(connect, server)


def test_a_socket_that_listens_already(serving: Run, connect: Run) -> None:
    plain = PlainSocket()
    plain.bind(('127.0.0.1', 0))
    plain.listen()
    name = plain.getsockname()
    server = serving(echo, handle=plain)
    assert server.address()[::2] == name
    answers(connect, server)
    plain.close()


def test_it_takes_the_options_of_servers_and_of_listen_in_both_spellings(serving: Run) -> None:
    server = serving(
        None, 0, '::1', backlog=7, ipv6Only=True, reuse_port=True, no_delay=True,
        allowHalfOpen=True, high_water_mark=99)
    assert (server.no_delay, server.allow_half_open, server.high_water_mark) == (True, True, 99)
    assert server.address().family == 'IPv6'
    other = serving(None, server.address().port, '::1', reusePort=True)
    assert other.address() == server.address()


def test_listeners_may_be_added_later(serving: Run, connect: Run) -> None:
    server = serving(None, 0)
    server.on('connection', echo)
    answers(connect, server)


def test_nothing_of_it_is_left_on_the_server(serving: Run) -> None:
    server = serving(echo)
    assert server.event_names() == ['connection']


def test_the_server_is_stopped_at_the_end_of_a_block(connect: Run) -> None:
    with gnet.serve(echo) as server:
        answers(connect, server)
    assert not server.listening


# --- it raises ------------------------------------------------------------------------------------


@pytest.mark.parametrize('in_greenlet', [False, True])
def test_a_port_that_is_taken_is_raised_at_the_call(
    serving: Run, family: Family, in_greenlet: bool,
) -> None:
    taken = serving(echo, **family.listen_options)
    where = {'path': family.path} if family.path else {
        'host': family.host, 'port': taken.address().port}

    def call() -> Any:
        with pytest.raises(OSError, match='EADDRINUSE') as caught:
            gnet.serve(echo, **where)
        return caught.value

    error = gevent.spawn(call).get(PATIENCE) if in_greenlet else call()
    assert (error.code, error.syscall) == ('EADDRINUSE', 'listen')


def test_a_name_that_is_not_found_is_raised_at_the_call() -> None:
    with pytest.raises(OSError, match=r'getaddrinfo \w+ nowhere\.invalid') as caught:
        gnet.serve(echo, 0, 'nowhere.invalid')
    assert caught.value.code in ('ENOTFOUND', 'EAI_AGAIN')  # type: ignore[attr-defined]


@pytest.mark.parametrize(('options', 'kind', 'text'), [
    ({'prot': 80}, TypeError, r"serve\(\) got an unexpected keyword argument 'prot'. Did you mean"),
    ({'port': 80, 'path': 'x'}, TypeError, 'takes a port, or one of path, fd, handle and systemd'),
    ({'port': 65536}, gnet.CodedValueError, r'options\.port should be >= 0 and < 65536'),
    ({'port': 'socket'}, gnet.CodedValueError, 'Received type string'),
    ({'port': '/no/port'}, gnet.CodedValueError, r"by its name: path='/no/port'\.$"),
    ({'port': b'/no/port'}, gnet.CodedValueError, r"by its name: path=b'/no/port'\.$"),
    ({'port': Path('/no/port')}, gnet.CodedValueError, r"by its name: path=.*/no/port'\)\.$"),
    ({'port': '-1'}, gnet.CodedValueError, r"Received type string \('-1'\)\.$"),
    ({'host': 7}, gnet.CodedTypeError, 'host'),
    ({'handler': 7}, gnet.CodedTypeError, '"handler" argument must be of type function'),
])
def test_arguments_that_make_no_sense(options: Any, kind: Any, text: str) -> None:
    with pytest.raises(kind, match=text):
        gnet.serve(**{'handler': echo, **options})


@pytest.fixture
def slow_look_up(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """To look up a name never ends: the test fails if it is not given up."""
    waiting: list[Any] = []

    def look_up(*args: Any) -> list[Any]:
        waiting.append(args)
        try:
            Event().wait()
        finally:
            waiting.remove(args)
        return []

    monkeypatch.setattr(gevent.socket, 'getaddrinfo', look_up)
    yield
    turn()  # one that is about to begin has begun
    until(lambda: not waiting)


@pytest.mark.usefixtures('slow_look_up')
@pytest.mark.parametrize('when', ['before', 'meanwhile'])
def test_a_signal_ends_the_call(when: str) -> None:
    stop = Event()
    if when == 'before':
        stop.set()
    else:
        gevent.get_hub().loop.run_callback(stop.set)
    with pytest.raises(gnet.AbortError):
        gnet.serve(echo, 0, 'localhost', signal=stop)


def test_a_signal_closes_it_afterwards(serving: Run) -> None:
    stop = Event()
    server = serving(echo, signal=stop)
    with happens(server, 'close'):
        stop.set()


@pytest.mark.usefixtures('slow_look_up')
def test_a_call_that_is_killed_leaves_nothing_behind() -> None:
    greenlet = gevent.spawn(gnet.serve, echo, 0, 'localhost')
    until(lambda: greenlet.started)
    greenlet.kill()
    assert isinstance(greenlet.value, gevent.GreenletExit)


def test_in_the_hub_it_says_what_to_do(hub_reports: list[Any]) -> None:
    gevent.get_hub().loop.run_callback(gnet.serve, echo)
    until(lambda: hub_reports)
    assert isinstance(hub_reports[0][1], RuntimeError)
    assert str(hub_reports[0][1]).startswith('gnet.serve() waits until the server listens')


# --- in programs ----------------------------------------------------------------------------------


@pytest.mark.parametrize('launcher', [
    [], ['-m', 'gnet'], ['-m', 'gnet', '--patch'], ['-m', 'gnet', '--workers', '1']], ids=str)
@pytest.mark.parametrize('last', ['', 'gnet.run()', 'server.serve_forever()'], ids=str)
def test_a_program_of_one_call(
    start_script: Run, connect: Run, launcher: list[str], last: str,
) -> None:
    running = start_script(f"""
        import gnet
        def answer(sock):
            sock.sendall(sock.recv(100))
            server.close()
        server = gnet.serve(answer, 0, 'localhost')
        print('port', server.address().port, flush=True)
        {last}
    """, launcher=launcher, workers='--workers' in launcher)
    port = int(running.wait_for(r'^port (\d+)')[1])
    host = socket.getaddrinfo('localhost', port, type=socket.SOCK_STREAM)[0][4][:2]
    peer = connect(host)
    peer.sendall(b'hello')
    assert peer.recv_until_end() == b'hello'
    peer.close()
    if '--workers' not in launcher:
        assert running.wait()[::2] == (0, '')


@pytest.mark.parametrize('launcher', [[], ['-m', 'gnet', '--workers', '2']], ids=str)
def test_a_program_whose_port_is_taken_fails_at_the_call(
    run_script: Run, launcher: list[str],
) -> None:
    with PlainSocket() as taken:
        taken.bind(('127.0.0.1', 0))
        taken.listen()
        ended = run_script("""
            import gnet, sys
            gnet.serve(None, int(sys.argv[1]))
            print('not reached')
        """, str(taken.getsockname()[1]), launcher=launcher, workers='--workers' in launcher)
    assert (ended.status, 'not reached' in ended.stdout) == (1, False)
    assert 'gnet.serve(None, int(sys.argv[1]))' in ended.stderr
    # What workers are told has a text of its own, as in Node.
    assert re.search(
        'bind EADDRINUSE 127' if launcher else 'listen EADDRINUSE: address already', ended.stderr)


def test_workers_of_a_cluster_share_what_they_serve(run_script: Run) -> None:
    ended = run_script("""
        import gnet, socket
        from gnet import cluster
        if cluster.is_primary:
            workers = [cluster.fork() for _ in range(2)]
            ports = []
            @cluster.on('message')
            def told(worker, port, handle):
                ports.append(port)
                if len(ports) == 2:
                    print(len(set(ports)), ports[0] > 0)
                    for worker in workers:
                        worker.disconnect()
        else:
            server = gnet.serve(lambda sock: sock.end(), 0, 'localhost')
            gnet.process.send(server.address().port)
        gnet.run()
    """, launcher=['-m', 'gnet'], workers=True)
    assert ended == (0, '1 True\n', '')
