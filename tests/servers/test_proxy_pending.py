"""Connections whose header of the PROXY protocol is waited for."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Any

import gevent
import pytest

import gnet
from gnet.lifecycle import DropReason
from gnet.loop.loop import get_loop
from gnet.servers.draining import Drain

from ..harness.listening import happens, listening, trace
from ..harness.native import Peer
from ..harness.proxied import V1, V2, echo, is_cut, trusting
from ..harness.waiting import until

Serve = Callable[..., gnet.Server]
Connect = Callable[[Any], Peer]


def test_one_that_waits_holds_up_nobody_and_needs_no_greenlet(
    serve: Serve, connect: Connect,
) -> None:
    server = listening(serve(echo, **trusting()))
    before = len(live_greenlets())
    silent = [connect(server) for _ in range(5)]
    until(lambda: server.get_connections() == 5)
    assert len(live_greenlets()) <= before
    peer = connect(server)
    peer.sendall(V1 + b'hello')
    assert peer.recv_exactly(5) == b'hello'
    for each in reversed(silent):
        each.sendall(V2 + b'late')
        assert each.recv_exactly(4) == b'late'


def live_greenlets() -> list[Any]:
    return [each for each in gc.get_objects() if isinstance(each, gevent.Greenlet) and each]


def test_there_are_as_many_as_may_be(
    serve: Serve, connect: Connect, dropped: list[Any], caplog: pytest.LogCaptureFixture,
) -> None:
    server = listening(serve(echo, **trusting(max_pending=2)))
    waiting = [connect(server), connect(server)]
    until(lambda: server.get_connections() == 2)
    assert is_cut(connect(server))
    until(lambda: dropped)
    assert dropped[0][0] is DropReason.PENDING_HEADERS
    # Who says it at once does not wait.
    waiting[0].sendall(V1 + b'hello')
    assert waiting[0].recv_exactly(5) == b'hello'
    last = connect(server)
    until(lambda: server.get_connections() == 3)
    last.sendall(V1 + b'hello')
    assert last.recv_exactly(5) == b'hello'
    assert caplog.text.count('wait for theirs already') == 1


def test_it_counts_as_a_connection(serve: Serve, connect: Connect) -> None:
    server = listening(serve(echo, **trusting()))
    server.max_connections = 1
    log = trace(server)
    first = connect(server)
    until(lambda: server.get_connections() == 1)
    with happens(server, 'drop'):
        assert is_cut(connect(server))
    first.sendall(V1 + b'hello')
    assert first.recv_exactly(5) == b'hello'
    assert log == ['drop', 'connection']
    assert server.get_connections() == 1


def test_a_server_that_is_closed_waits_for_it(serve: Serve, connect: Connect) -> None:
    server = listening(serve(echo, **trusting()))
    log = trace(server)
    peer, silent = connect(server), connect(server)
    until(lambda: server.get_connections() == 2)
    server.close()
    peer.sendall(V1 + b'hello')
    assert peer.recv_exactly(5) == b'hello'
    peer.end()
    assert log == ['connection']
    with happens(server, 'close'):
        silent.close()


def test_a_server_that_is_drained_waits_for_it(serve: Serve, connect: Connect) -> None:
    server = listening(serve(echo, **trusting()))
    peer = connect(server)
    until(lambda: server.get_connections() == 1)
    done: list[bool] = []
    drain = Drain(get_loop(), lambda: done.append(True), lambda count: None)
    drain.close([server], accept_rest=True)
    until(lambda: not server.listening)
    assert done == []
    peer.sendall(V1 + b'hello')
    assert peer.recv_exactly(5) == b'hello'
    peer.end()
    until(lambda: done)


def test_a_server_that_is_stopped_cuts_it(serve: Serve, connect: Connect) -> None:
    server = listening(serve(**trusting()))
    peer = connect(server)
    until(lambda: server.get_connections() == 1)
    assert server.stop(0) == 1
    assert is_cut(peer)
    assert server.get_connections() == 0


def test_it_is_watched_no_more_when_it_is_decided(serve: Serve, connect: Connect) -> None:
    # A watcher that is left would keep the program alive.
    server = listening(serve(**trusting()))
    held = get_loop().held
    peers = [connect(server) for _ in range(3)]
    until(lambda: server.get_connections() == 3)
    assert get_loop().held == held + 3
    for peer in peers:
        peer.reset()
    until(lambda: not server.get_connections())
    assert get_loop().held == held


def test_a_failure_of_gnets_own_costs_that_connection_and_is_reported(
    serve: Serve, connect: Connect, monkeypatch: pytest.MonkeyPatch, hub_reports: list[Any],
) -> None:
    server = listening(serve(echo, **trusting()))
    peer = connect(server)
    until(lambda: server.get_connections() == 1)

    def fail(parser: object, data: bytes) -> int:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr('gnet.proxy_protocol.header.HeaderParser.feed', fail)
        peer.sendall(V1)
        assert is_cut(peer)
    until(lambda: server.get_connections() == 0)
    assert [type(error) for _, error in hub_reports] == [ZeroDivisionError]
    peer = connect(server)
    peer.sendall(V1 + b'hello')
    assert peer.recv_exactly(5) == b'hello'


def test_connections_come_in_the_order_of_their_headers(serve: Serve, connect: Connect) -> None:
    came: list[int | None] = []
    server = listening(serve(lambda sock: came.append(sock.remote_port), **trusting()))
    peers = [connect(server) for _ in range(4)]
    until(lambda: server.get_connections() == 4)
    for number in (2, 0, 3, 1):
        with happens(server, 'connection'):
            peers[number].sendall(f'PROXY TCP4 1.2.3.4 5.6.7.8 {number} 1\r\n'.encode())
    assert came == [2, 0, 3, 1]


def test_a_forked_child_keeps_none_of_those_that_wait(run_script: Callable[..., Any]) -> None:
    finished = run_script("""
import os, socket
import gevent, gnet
from gevent import monkey

server = gnet.serve(None, proxy_protocol={'trusted': ['127.0.0.1']})
Plain = monkey.get_original('socket', 'socket')
plain = Plain(socket.AF_INET, socket.SOCK_STREAM)
plain.settimeout(10)
gevent.get_hub().threadpool.apply(plain.connect, (('127.0.0.1', server.address().port),))
while not server.get_connections():
    gevent.sleep(0.001)
reader, writer = os.pipe()
read, close = monkey.get_original('os', 'read'), monkey.get_original('os', 'close')
if not monkey.get_original('os', 'fork')():
    close(writer)
    plain.close()
    read(reader, 1)  # until the parent is through
    os._exit(0)
print(server.stop(0), gevent.get_hub().threadpool.apply(plain.recv, (1,)))
close(writer)
plain.close()
""")
    assert (finished.stdout, finished.stderr) == ("1 b''\n", '')
