"""``create_server``: shapes of arguments, the state of a new server, what options do to sockets."""

from __future__ import annotations

import math
import re
import socket
from collections.abc import Callable
from datetime import date
from typing import Any

import gevent
import pytest

import gnet

from ..harness.listening import drain, listening
from ..harness.naming import spelled
from ..harness.waiting import PATIENCE

Serve = Callable[..., gnet.Server]


def handler(sock: gnet.Socket) -> None:
    sock.end()


@pytest.mark.parametrize('args', [
    (handler,), (handler, print), ({}, handler), (None, handler), ([], handler),
    (date(2026, 1, 1), handler), (re.compile('x'), handler),
], ids=spelled)
def test_a_callable_becomes_the_one_connection_listener(args: tuple[Any, ...]) -> None:
    server = gnet.create_server(*args)
    assert server.listeners('connection') == [handler]


@pytest.mark.parametrize('args', [(), ({},), ({}, 'str'), ({}, 1), ({}, None), (None, None)])
def test_what_is_no_callable_is_ignored_as_a_listener(args: tuple[Any, ...]) -> None:
    assert gnet.create_server(*args).listener_count('connection') == 0


@pytest.mark.parametrize(('given', 'shown'), [
    ('str', "type string ('str')"), ('', "type string ('')"), (0, 'type number (0)'),
    (5, 'type number (5)'), (False, 'type boolean (false)'), (math.nan, 'type number (NaN)'),
])
def test_options_that_are_no_object_are_refused(given: Any, shown: str) -> None:
    with pytest.raises(TypeError) as caught:
        gnet.create_server(given)
    assert caught.value.code == 'ERR_INVALID_ARG_TYPE'  # type: ignore[attr-defined]
    assert str(caught.value) == (
        f'The "options" argument must be of type object. Received {shown}')


@pytest.mark.parametrize(('options', 'text'), [
    ({'keepAliveInitialDelay': '1'},
     'The "options.keepAliveInitialDelay" property must be of type number. '
     "Received type string ('1')"),
    ({'keep_alive_initial_delay': None},
     'The "options.keepAliveInitialDelay" property must be of type number. Received null'),
    ({'keepAliveInitialDelay': {}},
     'The "options.keepAliveInitialDelay" property must be of type number. '
     'Received an instance of Object'),
    ({'highWaterMark': True},
     'The "options.highWaterMark" property must be of type number. Received type boolean (true)'),
    ({'blockList': {}},
     'The "options.blockList" property must be an net.BlockList. Received an instance of Object'),
])
def test_an_option_of_the_wrong_type_is_refused(options: Any, text: str) -> None:
    with pytest.raises(TypeError) as caught:
        gnet.create_server(options)
    assert (caught.value.code, str(caught.value)) == (  # type: ignore[attr-defined]
        'ERR_INVALID_ARG_TYPE', text)


def test_a_new_server_is_in_nodes_initial_state() -> None:
    server = gnet.create_server()
    assert server._connections == 0
    assert server._handle is None
    assert server._using_workers is False
    assert server._workers == []
    assert server._unref is False
    assert server._listening_id == 1
    assert server.listening is False
    assert server.address() is None
    assert server._connection_key is None
    assert server._pipe_name is None
    assert server.max_connections is None
    assert server.allow_half_open is server.pause_on_connect is False
    assert server.no_delay is server.keep_alive is False
    assert server.keep_alive_initial_delay == 0
    assert server.high_water_mark == 65536
    assert server.block_list is None


def test_options_are_copied_and_the_callers_are_left_alone() -> None:
    given = {'highWaterMark': -5, 'allowHalfOpen': 1, 'captureRejections': True}
    before = dict(given)
    server = gnet.create_server(given)
    assert given == before
    assert server.high_water_mark == 65536
    assert server.allow_half_open


@pytest.mark.parametrize(('milliseconds', 'seconds'), [
    (999, 0), (1999, 1), (65537, 65), (-1, 0), (math.nan, 0), (math.inf, 0),
    (2147483648000, -2147483648),
])
def test_the_keep_alive_delay_is_kept_in_whole_seconds(milliseconds: float, seconds: int) -> None:
    server = gnet.create_server(keep_alive_initial_delay=milliseconds)
    assert server.keep_alive_initial_delay == seconds


def test_nodes_spelling_of_every_member_works() -> None:
    server = gnet.create_server({'pauseOnConnect': True, 'noDelay': True})
    assert server.pauseOnConnect is server.noDelay is True  # type: ignore[attr-defined]
    server.maxConnections = 3  # type: ignore[attr-defined]
    assert server.max_connections == 3
    rules = gnet.BlockList()
    server.blockList = rules  # type: ignore[attr-defined]
    assert server.block_list is rules
    for name in ('getConnections', '_emitCloseIfDrained', '_setupWorker', '_connectionKey',
                 '_pipeName', '_usingWorkers', '_listeningId', 'dropMaxConnection'):
        assert hasattr(server, name), name


# --- what options do to accepted sockets --------------------------------------------------------


def accepted_with(serve: Serve, connect: Any, **options: Any) -> tuple[Any, Any, list[Any]]:
    """Return an accepted socket, its peer, and what the socket looked like in the listener."""
    seen: list[Any] = []

    def look(sock: gnet.Socket) -> None:
        seen.append((sock.readable_flowing, sock.is_paused(), sock.ready_state))
        sock.on('error', lambda error: None)

    server = listening(serve(options, look))
    with gnet.on(server, 'connection') as connections:
        peer = connect(server)
        (sock,) = next(connections)
    return sock, peer, seen


def test_an_accepted_socket_has_the_marks_and_the_server(serve: Serve, connect: Any) -> None:
    sock, _peer, seen = accepted_with(serve, connect, highWaterMark=1234, allowHalfOpen=True)
    assert sock.readable_high_water_mark == sock.writable_high_water_mark == 1234
    assert sock.allow_half_open is True
    assert sock.server is sock._server
    assert isinstance(sock.server, gnet.Server)
    assert sock.connecting is sock.pending is False
    assert seen == [(None, False, 'open')]


@pytest.mark.parametrize('mark', [math.nan, math.inf, 1.5, '10', None, -1])
def test_a_mark_that_is_no_number_of_bytes_stands_for_the_default(
    serve: Serve, connect: Any, mark: Any,
) -> None:
    # Node keeps NaN, Infinity and fractions, and ends the process at the first connection.
    server = serve(lambda sock: sock.end(str(sock.readable_high_water_mark)))
    server.high_water_mark = mark
    assert connect(listening(server)).recv_until_end() == b'65536'


@pytest.mark.parametrize('mark', [math.nan, math.inf, 1.5])
def test_nodes_odd_marks_are_taken_by_the_constructor(mark: float) -> None:
    kept = gnet.create_server(high_water_mark=mark).high_water_mark
    assert kept == mark or math.isnan(kept)


def test_socket_options_are_set_before_the_listener_runs(serve: Serve, connect: Any) -> None:
    found: list[int] = []

    def look(sock: gnet.Socket) -> None:
        for level, option in (
            (socket.IPPROTO_TCP, socket.TCP_NODELAY), (socket.SOL_SOCKET, socket.SO_KEEPALIVE),
            (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE),
        ):
            found.append(sock.getsockopt(level, option))
        sock.end()

    server = serve(look, no_delay=True, keep_alive=True, keep_alive_initial_delay=7000)
    connect(listening(server)).recv_until_end()
    assert found == [1, 1, 7]


@pytest.mark.parametrize('delay', [65537000, 2147483648000])
def test_a_keep_alive_delay_that_the_system_refuses_costs_no_connection(
    serve: Serve, connect: Any, delay: int,
) -> None:
    server = serve(handler, keep_alive=True, keep_alive_initial_delay=delay)
    assert connect(listening(server)).recv_until_end() == b''
    assert server.listening


def test_pause_on_connect_reads_nothing_before_resume(serve: Serve, connect: Any) -> None:
    sock, peer, seen = accepted_with(serve, connect, pauseOnConnect=True)
    assert seen == [(False, True, 'open')]
    chunks: list[bytes] = []
    sock.on('data', chunks.append)
    peer.sendall(b'hello')
    # A round trip through the kernel and the loop: were it reading, it would have read by then.
    with gnet.on(sock.server, 'connection') as others:
        connect(sock.server).close()
        next(others)
    gevent.idle()
    assert (chunks, sock.bytes_read, sock.readable_flowing) == ([], 0, False)
    sock.resume()
    gnet.once(sock, 'data', timeout=PATIENCE)
    assert chunks == [b'hello']
    peer.end()
    gnet.once(sock, 'close', timeout=PATIENCE)


def test_without_it_data_is_read_although_nobody_listens(serve: Serve, connect: Any) -> None:
    sock, peer, _seen = accepted_with(serve, connect)
    peer.sendall(b'hello')
    gnet.once(sock, 'readable', timeout=PATIENCE)
    assert sock.bytes_read == 5
    assert sock.read() == b'hello'
    drain(sock)
    peer.end()
    gnet.once(sock, 'close', timeout=PATIENCE)


def test_a_socket_that_nobody_reads_stays_counted_after_its_peer_has_gone(
    serve: Serve, connect: Any,
) -> None:
    sock, peer, _seen = accepted_with(serve, connect)
    peer.sendall(b'unread')
    peer.close()
    gnet.once(sock, 'readable', timeout=PATIENCE)
    assert sock.server.get_connections() == 1
    drain(sock)
    gnet.once(sock, 'close', timeout=PATIENCE)
    assert sock.server.get_connections() == 0


def test_a_block_list_may_be_set_later_but_nothing_else_in_its_place() -> None:
    server = gnet.create_server()
    server.block_list = gnet.BlockList()
    with pytest.raises(TypeError, match=r'must be an net.BlockList'):
        server.block_list = ['127.0.0.1']  # type: ignore[assignment]
    server.block_list = None
    assert server.block_list is None
