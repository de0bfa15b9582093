"""What a socket leaves behind when it is closed, and what an idle one costs."""

from __future__ import annotations

import gc
import resource
import sys
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import gevent
import pytest
from gevent.event import Event

import gnet

from ..harness.plain import PlainSocket
from ..harness.waiting import PATIENCE, turn, until

Serve = Callable[..., gnet.Server]


@pytest.fixture
def no_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def nothing(*args: Any) -> None:
    pass


def with_listeners(sock: Any) -> None:
    for event in ('data', 'end', 'error', 'close', 'finish', 'drain', 'timeout'):
        sock.on(event, nothing)


def with_a_timeout(sock: Any) -> None:
    sock.set_timeout(60_000)
    sock.resume()


def with_a_timeout_that_fired(sock: Any) -> None:
    sock.set_timeout(1)
    gevent.sleep(0.01)
    sock.resume()


def with_a_queue(sock: Any) -> None:
    sock.on('error', nothing)
    sock.write(bytes(20_000_000), nothing)
    sock.end(nothing)
    sock.resume()


def blocking(sock: Any) -> None:
    for _ in sock:
        pass


def with_a_time_limit(sock: Any) -> None:
    sock.settimeout(10)
    while sock.recv(10):
        pass


def with_a_file(sock: Any) -> None:
    with sock.makefile('rb') as file:
        file.read()


def piped_into_itself(sock: Any) -> None:
    sock.pipe(sock)


def through_a_pipeline(sock: Any) -> None:
    gnet.pipeline(sock, sock, nothing)


def through_a_pipeline_that_blocks(sock: Any) -> None:
    gnet.pipeline(sock, sock)


def with_finished(sock: Any) -> None:
    sock.resume()
    gnet.finished(sock, nothing)


def with_finished_that_blocks(sock: Any) -> None:
    sock.resume()
    gnet.finished(sock)


def destroyed(sock: Any) -> None:
    sock.destroy()


@pytest.mark.usefixtures('no_collector')
@pytest.mark.parametrize('handler', [
    nothing, with_listeners, with_a_timeout, with_a_timeout_that_fired, with_a_queue, blocking,
    with_a_time_limit, with_a_file, piped_into_itself, through_a_pipeline,
    through_a_pipeline_that_blocks, with_finished, with_finished_that_blocks, destroyed,
])
@pytest.mark.parametrize('leaves', ['end', 'reset'])
def test_a_closed_socket_is_freed_at_once(
    serve: Serve, connect: Any, handler: Callable[[Any], None], leaves: str,
) -> None:
    """Not only when the cyclic collector comes by: busy servers would grow until then."""
    sockets: list[Any] = []

    def keep(sock: Any) -> None:
        sockets.append(weakref.ref(sock))
        handler(sock)

    server = serve(keep)
    peer = connect(server)
    until(lambda: sockets)
    if handler is with_a_timeout_that_fired:
        gevent.sleep(0.02)
    if handler not in (nothing, destroyed):  # unread data would hold back the end
        peer.sendall(b'x')
    if leaves == 'reset':
        peer.reset()
    else:
        peer.close()
    until(lambda: not server._connections)
    for _ in range(5):
        turn()
    assert sockets[0]() is None, gc.get_referrers(sockets[0]())


@pytest.mark.usefixtures('no_collector')
def test_a_listener_that_raised_keeps_nothing_alive(
    serve: Serve, connect: Any, hub_reports: list[Any],
) -> None:
    sockets: list[Any] = []

    def keep(sock: Any) -> None:
        sockets.append(weakref.ref(sock))
        sock.on('data', fail)

    def fail(data: bytes) -> None:
        raise ValueError('x')

    server = serve(keep)
    connect(server).sendall(b'x')
    until(lambda: not server._connections)
    for _ in range(5):
        turn()
    assert len(hub_reports) == 1
    hub_reports.clear()
    gc.collect()  # a traceback and its frames are a cycle
    assert sockets[0]() is None


@pytest.mark.usefixtures('no_collector')
@pytest.mark.parametrize('method', ['sendall', 'send'])
def test_a_write_that_failed_at_once_in_a_handler_keeps_nothing_alive(
    serve: Serve, connect: Any, method: str,
) -> None:
    """Its error has been raised through the frames that have the socket that has the error."""
    sockets: list[Any] = []
    was_reset = Event()

    def keep(sock: Any) -> None:
        sockets.append(weakref.ref(sock))
        was_reset.wait()
        for _ in range(10):
            getattr(sock, method)(b'x')

    server = serve(keep, pause_on_connect=True)
    peer = connect(server)
    until(lambda: sockets)
    peer.reset()
    was_reset.set()
    until(lambda: not server._connections)
    for _ in range(5):
        turn()
    assert sockets[0]() is None


SERVER = """
import gnet
from tests.harness.memory import resident

def nothing(*args):
    pass

def handler(sock):
    sock.on('error', nothing)
    sock.on('data', lambda data: sock.write(data))
    if server._connections in (500, 2500):
        print('resident', resident(), flush=True)

server = gnet.create_server(handler)
server.on('listening', lambda: print('port', server.address().port, flush=True))
server.listen(0, '127.0.0.1', backlog=4096)
gnet.run()
"""


@pytest.mark.skipif(not sys.platform.startswith('linux'), reason='/proc is read')
def test_an_idle_connection_costs_less_than_three_kilobytes(start_script: Any) -> None:
    """With two listeners, without what the kernel has for it; on libuv less than four."""
    needed = 3000
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < needed:
        pytest.skip(f'the hard limit of descriptors is {hard}, and {needed} are needed')
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, needed), hard))
    peers: list[Any] = []
    try:
        script = start_script(SERVER)
        port = int(script.wait_for(r'port (\d+)')[1])
        resident = []
        for count in (500, 2500):
            while len(peers) < count:
                peer = PlainSocket()
                peers.append(peer)
                peer.settimeout(PATIENCE)
                peer.connect(('127.0.0.1', port))
            resident.append(int(script.wait_for(r'resident (\d+)')[1]))
        libuv = 'libuv' in type(gevent.get_hub().loop).__module__
        assert (resident[1] - resident[0]) / 2000 < (4096 if libuv else 3072)
    finally:
        for peer in peers:
            peer.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
