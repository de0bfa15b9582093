"""Accepting under bad conditions: no descriptors, vanished peers, a broken listener, bursts."""

from __future__ import annotations

import errno
import logging
import re
import socket
import struct
import sys
from collections.abc import Callable
from typing import Any

import gevent
import pytest

import gnet
from gnet.servers.acceptor import Acceptor

from ..harness.families import Family
from ..harness.listening import drain, happens, listening, trace
from ..harness.plain import PlainSocket
from ..harness.waiting import PATIENCE

Serve = Callable[..., gnet.Server]


def echo(sock: gnet.Socket) -> None:
    for chunk in sock:
        sock.sendall(chunk)


def is_served(peer: Any) -> bool:
    peer.sendall(b'echo')
    return bool(peer.recv_exactly(4) == b'echo')


@pytest.fixture
def fails(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[float]]:
    """``fails(number, times)`` lets accept fail; returns the delays before each next attempt."""
    accept = Acceptor.do_read

    def fail(number: int, times: float) -> list[float]:
        delays: list[float] = []

        def do_read(self: Acceptor) -> Any:
            if len(delays) < times:
                delays.append(self.delay)
                raise OSError(number, 'as the test wants it')
            return accept(self)

        monkeypatch.setattr(Acceptor, 'do_read', do_read)
        return delays

    return fail


# --- out of descriptors -------------------------------------------------------------------------

HUNGRY = """
import logging, os, resource
import gevent, gnet

logging.basicConfig(format='LOG %(name)s %(levelname)s %(message)s')

def handler(sock):
    for chunk in sock:
        sock.sendall(chunk)

def say_how_many():
    limit = max(map(int, os.listdir('/proc/self/fd'))) + 4
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    free = []
    while True:
        try:
            free.append(os.dup(0))
        except OSError:
            break
    for fd in free:
        os.close(fd)
    print(server.address().port, len(free), flush=True)

server = gnet.create_server(handler)
server.on('error', lambda error: print('error', error, flush=True))
server.on('drop', lambda data: print('drop', flush=True))
server.listen(0, '127.0.0.1', lambda: gevent.spawn(say_how_many))
server.serve_forever()
"""


@pytest.mark.skipif(not sys.platform.startswith('linux'), reason='needs /proc')
def test_out_of_descriptors_new_peers_wait_and_one_line_is_logged(
    start_script: Any, connect: Any, native: Any,
) -> None:
    running = start_script(HUNGRY)
    first_line = running.read_line()
    port, free = map(int, first_line.split())
    target = ('127.0.0.1', port)
    lucky = [connect(target) for _ in range(free)]
    for peer in lucky:
        assert is_served(peer)
    waiting = [connect(target) for _ in range(3)]  # the system completes them in any case
    for peer in waiting:
        peer.sendall(b'echo')
    while waiting:
        lucky.pop().close()
        assert waiting[0].recv_exactly(4) == b'echo'
        lucky.append(waiting.pop(0))
    for peer in lucky:
        assert is_served(peer)
        peer.close()
    assert is_served(connect(target))
    running.process.kill()
    finished = running.wait()
    assert finished.stdout == first_line + '\n'
    lines = finished.stderr.splitlines()
    assert len(lines) == 1, finished.stderr
    assert re.fullmatch(
        r'LOG gnet\.server WARNING .*accept EMFILE; new connections wait until there are some free',
        lines[0],
    )


@pytest.mark.parametrize('number', [errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM])
def test_a_shortage_backs_off_is_logged_once_and_passes(
    serve: Serve, connect: Any, fails: Any, caplog: pytest.LogCaptureFixture, number: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Acceptor, 'max_delay', 0.03)
    server = listening(serve(echo))
    log = trace(server)
    delays = fails(number, 4)
    with caplog.at_level(logging.WARNING, 'gnet.server'):
        assert is_served(connect(server))
    assert delays == [0.01, 0.02, 0.03, 0.03]
    assert server._handle.delay == 0.01
    assert log == ['connection']
    (record,) = caplog.records
    assert f'accept {errno.errorcode[number]}' in record.getMessage()
    assert record.exc_info is None


@pytest.mark.parametrize(('gap', 'lines'), [(0, 2), (10, 1)])
def test_a_shortage_long_after_the_last_one_is_logged_again(
    serve: Serve, connect: Any, fails: Any, caplog: pytest.LogCaptureFixture, gap: float,
    lines: int, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Acceptor, 'episode_gap', gap)
    server = listening(serve(echo))
    for _ in range(2):
        fails(errno.EMFILE, 1)
        assert is_served(connect(server))
    assert len(caplog.records) == lines


def test_a_server_that_waits_for_descriptors_can_be_closed(
    serve: Serve, connect: Any, fails: Any,
) -> None:
    server = listening(serve(echo))
    delays = fails(errno.EMFILE, float('inf'))
    peer = connect(server)
    while not delays:
        gevent.idle()
    with happens(server, 'close'):
        server.close()
    with pytest.raises(ConnectionResetError):
        peer.recv()


@pytest.mark.parametrize('unref', [False, True])
def test_unref_survives_a_pause_of_accepting(
    serve: Serve, connect: Any, fails: Any, unref: bool,
) -> None:
    server = serve(drain)
    if unref:
        server.unref()
    listening(server)
    delays = fails(errno.EMFILE, 2)
    with happens(server, 'connection'):
        peer = connect(server)
    assert len(delays) == 2  # two pauses, after each of which gevent would have ref'ed it again
    (sock,) = server._counter.sockets
    peer.close()
    gnet.once(sock, 'close', timeout=PATIENCE)
    if unref:
        assert gnet.run(PATIENCE) is True
    else:
        assert gnet.run(0.01) is False
        server.unref()
        assert gnet.run(PATIENCE) is True


@pytest.mark.parametrize('unref', [False, True])
def test_unref_holds_during_a_pause_of_accepting(
    serve: Serve, connect: Any, fails: Any, unref: bool, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Acceptor, 'min_delay', 1)
    server = serve(drain)
    if unref:
        server.unref()
    listening(server)
    delays = fails(errno.EMFILE, float('inf'))
    connect(server)
    while not delays:
        gevent.idle()
    assert gnet.run(PATIENCE if unref else 0.01) is unref


# --- peers that vanish --------------------------------------------------------------------------


@pytest.mark.parametrize('linger', [True, False], ids=['reset', 'end'])
def test_a_peer_that_is_gone_before_it_is_accepted(
    serve: Serve, connect: Any, family: Family, linger: bool,
) -> None:
    server = listening(serve(echo), family.listen_options)
    address = server.address()
    peer = PlainSocket(family.number)
    peer.connect(address if isinstance(address, str) else address[::2])
    if linger:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
    peer.close()
    assert is_served(connect(server))


@pytest.mark.parametrize('number', [errno.ECONNABORTED, errno.EPROTO, errno.EPERM, errno.ENETDOWN])
def test_what_is_the_peers_fault_is_ignored(
    serve: Serve, connect: Any, fails: Any, caplog: pytest.LogCaptureFixture, number: int,
) -> None:
    server = listening(serve(echo))
    log = trace(server)
    delays = fails(number, 3)
    assert is_served(connect(server))
    assert delays == [0.01] * 3  # without a pause
    assert (log, caplog.records) == (['connection'], [])


def test_faults_without_end_do_not_stall_the_hub(
    serve: Serve, connect: Any, fails: Any,
) -> None:
    server = listening(serve(echo))
    faults = fails(errno.EPERM, float('inf'))
    connect(server)
    gevent.sleep(0.01)  # it comes back
    assert faults
    server.close()


# --- a listener that is broken ------------------------------------------------------------------


@pytest.mark.parametrize('number', [errno.EBADF, errno.EINVAL, errno.ENOTSOCK])
def test_what_will_not_pass_is_an_error_event_and_the_server_listens_on(
    serve: Serve, connect: Any, fails: Any, number: int,
) -> None:
    server = listening(serve(echo))
    fails(number, 1)
    with gnet.on(server, 'error') as errors:
        peer = connect(server)
        (error,) = next(errors)
    name = errno.errorcode[number]
    assert (error.code, error.syscall, error.errno) == (name, 'accept', number)
    assert (error.address, error.port, str(error)) == (None, None, f'accept {name}')
    assert server.listening
    assert is_served(peer)


def test_an_accept_error_that_nobody_hears_ends_serve_forever(
    serve: Serve, connect: Any, fails: Any,
) -> None:
    server = listening(serve(echo))
    fails(errno.EBADF, 1)
    visitor = gevent.spawn(connect, server)
    with pytest.raises(OSError, match='accept EBADF'):
        server.serve_forever()
    visitor.get(timeout=PATIENCE)


def test_a_listener_that_was_shut_down_elsewhere_is_an_error_event(
    serve: Serve, native: Any,
) -> None:
    with PlainSocket(socket.AF_INET) as plain:
        plain.bind(('127.0.0.1', 0))
        plain.listen(1)
        server = listening(serve(echo), plain)
        with gnet.on(server, 'error') as errors:
            plain.shutdown(socket.SHUT_RDWR)
            (error,) = next(errors)
        assert str(error) == 'accept EINVAL'
        server.close()
        gnet.once(server, 'close', timeout=PATIENCE)


def test_what_else_fails_in_the_hub_is_reported_and_accepting_goes_on(
    serve: Serve, connect: Any, hub_reports: list[Any], monkeypatch: pytest.MonkeyPatch,
) -> None:
    accept = Acceptor.do_read
    failures = [ZeroDivisionError()]

    def do_read(self: Acceptor) -> Any:
        if failures:
            raise failures.pop()
        return accept(self)

    server = listening(serve(echo))
    monkeypatch.setattr(Acceptor, 'do_read', do_read)
    assert is_served(connect(server))
    assert [type(error) for context, error in hub_reports] == [ZeroDivisionError]


# --- bursts -------------------------------------------------------------------------------------


def test_a_burst_of_connections_is_served_whole(
    serve: Serve, family: Family, native: Any,
) -> None:
    server = listening(serve(echo), {**family.listen_options, 'backlog': 300})
    address = server.address()
    target = address if isinstance(address, str) else address[::2]
    peers = [PlainSocket(family.number) for _ in range(250)]
    for peer in peers:
        peer.connect(target)
        peer.sendall(b'echo')

    def read_all() -> bytes:
        return b''.join(peer.recv(4) for peer in peers)

    assert native(read_all) == b'echo' * 250
    assert server.get_connections() == 250
    with happens(server, 'close'):
        server.close()
        for peer in peers:
            peer.close()
