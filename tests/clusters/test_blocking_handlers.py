"""Blocking `'connection'` listeners in workers: who ends a connection, and who is told."""

from __future__ import annotations

from typing import Any

import pytest

#: A worker whose handler does what the first line of a client says.
PROGRAM = """
import logging, socket, sys
import gevent, gnet
from gevent.event import Event
from gnet import cluster

def say(*what):
    print(*what, flush=True)

def by_greenlets(sock):
    def read():
        for chunk in sock:
            say('read', chunk)
    def write():
        sock.sendall(b'written')
    gevent.joinall([gevent.spawn(read), gevent.spawn(write)], raise_error=True)

def by_event(sock):
    ended = Event()
    sock.on('end', ended.set)
    sock.sendall(b'waits')
    say('end came', ended.wait(10))

def closed(sock):
    sock.close()
    for read in (lambda: sock.recv(1), lambda: list(sock), sock.to_socket):
        try:
            read()
        except OSError as error:
            say(error.code)

def shut(sock):
    sock.settimeout(10)
    reader = gevent.spawn(sock.recv, 1)
    sock.write(bytes(10_000_000))
    gevent.sleep(0)
    sock.shutdown(socket.SHUT_RDWR)
    say('woken', reader.get(timeout=10))

def buggy(sock):
    sock.on('error', lambda error: say('error', error))
    sock.on('data', lambda data: nonsense)
    sock.sendall(b'go')

def serve(sock):
    name = b''
    while not name.endswith(b'.'):
        name += sock.recv(1)
    globals()[name[:-1].decode()](sock)

if cluster.is_primary:
    cluster.fork()
    cluster.on('listening', lambda worker, where: say('ready', where.port))
    gnet.run()
else:
    logging.basicConfig(stream=sys.stdout, format='%(levelname)s %(name)s')
    gnet.serve(serve, **({'path': sys.argv[1]} if len(sys.argv) > 1 else {}))
"""


@pytest.fixture(params=['inet', 'unix'])
def where(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture(params=['rr', 'none'])
def asked(
    request: pytest.FixtureRequest, where: str, start_script: Any, connect: Any, tmp_path: Any,
) -> Any:
    """``asked(name)`` returns the program, and a client for whom the handler *name* has begun."""
    path = str(tmp_path / 'socket')
    running = start_script(
        PROGRAM, *([path] if where == 'unix' else []), launcher=['-m', 'gnet'],
        env={'NODE_CLUSTER_SCHED_POLICY': request.param}, workers=True)
    port = running.wait_for(r'^ready (-?\d+)')[1]

    def ask(name: str) -> Any:
        client = connect(path if where == 'unix' else ('127.0.0.1', int(port)))
        client.sendall(f'{name}.'.encode())
        return running, client

    return ask


def test_one_that_leaves_all_to_greenlets_ends_its_connection(asked: Any) -> None:
    running, client = asked('by_greenlets')
    assert client.recv_exactly(7) == b'written'
    client.sendall(b'x')
    client.end()
    assert client.recv_until_end() == b''
    running.wait_for("read b'x'")


def test_one_that_waits_for_something_else_is_told_of_the_end(asked: Any) -> None:
    running, client = asked('by_event')
    assert client.recv_exactly(5) == b'waits'
    client.end()
    running.wait_for('^end came True')
    assert client.recv_until_end() == b''


def test_reads_of_a_closed_socket_say_so(asked: Any) -> None:
    running, client = asked('closed')
    for _ in range(3):
        assert running.read_line() == 'ERR_SOCKET_CLOSED'
    assert client.recv_until_end() == b''


def test_shutdown_returns_at_once_and_wakes_the_reader(asked: Any) -> None:
    running, _client = asked('shut')
    running.wait_for("^woken b''")


def test_a_bug_in_a_listener_leaves_a_trace(asked: Any) -> None:
    running, client = asked('buggy')
    assert client.recv_exactly(2) == b'go'
    client.sendall(b'x')
    running.wait_for('^ERROR gnet.socket')
    running.wait_for("NameError: name 'nonsense' is not defined")
