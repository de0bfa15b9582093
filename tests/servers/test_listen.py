"""``listen``: its forms, when it is synchronous, the order of events, and repeated calls."""

from __future__ import annotations

import errno
import math
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gevent
import pytest

import gnet
from gnet.testing import EventRecorder

from ..harness.families import Family
from ..harness.listening import ended, failure_of, happens, listening, trace
from ..harness.plain import PlainSocket
from ..harness.waiting import PATIENCE, tick

Serve = Callable[..., gnet.Server]

CALLBACK = 'the callback'


def with_callback(args: tuple[Any, ...], callback: Callable[..., object]) -> tuple[Any, ...]:
    return tuple(callback if arg is CALLBACK else arg for arg in args)


# --- forms --------------------------------------------------------------------------------------


@pytest.mark.parametrize('args', [
    (), (CALLBACK,), (None,), (None, CALLBACK), (0,), ('0',), (-0.0,), ('0x0',), (' 0 ',),
    ({'port': '0'},), ({'port': '0x0'},), ({'port': None},), ({'_handle': None, 'port': 0},),
    ({'port': 0, 'host': ''},), ({'port': 0, 'host': None},), ({'port': 0, 'host': False},),
    ({'port': 0, 'host': 0},), ({'port': None, 'path': '/x'},), (0, {}), (0, 5), (0, None, 5),
    (0, 5, '127.0.0.1'), (0, CALLBACK, 5),
], ids=str)
def test_these_listen_on_every_address_and_at_once(serve: Serve, args: tuple[Any, ...]) -> None:
    server = serve()
    called: list[tuple[Any, ...]] = []
    assert server.listen(*with_callback(args, lambda *given: called.append(given))) is server
    assert server.listening
    assert server.address().address == '::'
    assert server.address().family == 'IPv6'
    assert 0 < server.address().port < 65536
    assert server._connection_key == '6::::0'
    gnet.once(server, 'listening', timeout=PATIENCE)
    # Only the last argument can be the callback, and it gets no arguments.
    assert called == ([()] if args and args[-1] is CALLBACK else [])


@pytest.mark.parametrize('args', [(None, '127.0.0.1'), (print, '127.0.0.1'), (0, '127.0.0.1'),
                                  ({'port': 0, 'host': '127.0.0.1'},)])
def test_with_a_host_it_listens_there_and_not_yet_on_return(
    serve: Serve, args: tuple[Any, ...],
) -> None:
    server = serve()
    server.listen(*args)
    assert not server.listening
    assert server.address() is None
    gnet.once(server, 'listening', timeout=PATIENCE)
    assert server.address().address == '127.0.0.1'
    assert server._connection_key == '4:127.0.0.1:0'


def test_keywords_are_options(serve: Serve, tmp_path: Path) -> None:
    called: list[str] = []
    server = serve()
    server.listen(port=0, host='127.0.0.1', callback=lambda: called.append('listening'))
    gnet.once(server, 'listening', timeout=PATIENCE)
    assert called == ['listening']


def test_the_callers_options_are_not_changed(serve: Serve) -> None:
    # Node writes port: 0 and exclusive: true into them.
    given = {'port': None, 'reusePort': True}
    listening(serve(), given)
    assert given == {'port': None, 'reusePort': True}


@pytest.mark.parametrize('args', [('abc',), ('-1',), ('1e3x',)])
def test_text_that_is_no_port_is_a_path(
    serve: Serve, args: tuple[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    server = listening(serve(), *args)
    assert server.address() == args[0]
    assert (tmp_path / args[0]).is_socket()


@pytest.mark.parametrize(('given', 'shown'), [
    (-1, 'type number (-1)'), (65536, 'type number (65536)'), (1.5, 'type number (1.5)'),
    (math.nan, 'type number (NaN)'), (math.inf, 'type number (Infinity)'),
    ('', "type string ('')"), (' ', "type string (' ')"), ('65536', "type string ('65536')"),
    ('1.5', "type string ('1.5')"), ({'port': 'abc'}, "type string ('abc')"),
    ({'port': -1}, 'type number (-1)'), ({'port': ''}, "type string ('')"),
])
def test_a_bad_port_raises_at_the_call(serve: Serve, given: Any, shown: str) -> None:
    server = serve()
    with pytest.raises(ValueError, match='should be') as caught:
        server.listen(given)
    assert caught.value.code == 'ERR_SOCKET_BAD_PORT'  # type: ignore[attr-defined]
    assert str(caught.value) == f'options.port should be >= 0 and < 65536. Received {shown}.'
    assert not server.listening


@pytest.mark.parametrize(('given', 'text'), [
    (True, "The argument 'options' is invalid. Received { port: true }"),
    ({}, 'The argument \'options\' must have the property "port" or "path". Received {}'),
    ({'backlog': 5},
     'The argument \'options\' must have the property "port" or "path". Received { backlog: 5 }'),
    ({'path': None}, "The argument 'options' is invalid. Received { path: null }"),
    ({'path': '123'}, "The argument 'options' is invalid. Received { path: '123' }"),
    ({'fd': -1},
     'The argument \'options\' must have the property "port" or "path". Received { fd: -1 }'),
    ({'port': 0, 'host': 1},
     'The "hostname" argument must be of type string. Received type number (1)'),
    ({'port': 0, 'signal': 1},
     'The "options.signal" property must be an instance of AbortSignal. Received type number (1)'),
])
def test_what_makes_no_sense_raises_and_leaves_the_callback(
    serve: Serve, given: Any, text: str,
) -> None:
    server = serve()
    with pytest.raises(TypeError) as caught:
        server.listen(given, lambda: None)
    assert str(caught.value) == text
    assert not server.listening
    # Node registers it first; it is called at the next success.
    assert server.listener_count('listening') == 1


def backlog_of(server: gnet.Server) -> int:
    """What the kernel was given."""
    info = server._handle.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)
    # The field tcpi_sacked, which is that of a listening socket (tcp_get_info in Linux).
    return int.from_bytes(info[28:32], 'little')


@pytest.mark.skipif(not hasattr(socket, 'TCP_INFO'), reason='the kernel does not tell')
@pytest.mark.parametrize(('args', 'backlog'), [
    ((0,), 511), ((0, 0), 511), ((0, 5), 5), ((0, '', '11'), 11), ((0, -1), 511),
    (({'port': 0, 'backlog': 7},), 7), (({'port': 0, 'backlog': '12'},), 12),
    (({'port': 0, 'backlog': 1.9},), 1), (({'port': 0, 'backlog': 3}, 8), 3),
    (({'port': 0}, 8), 8), (({'port': 0, 'backlog': 'abc'},), 0),
    (({'port': 0, 'backlog': None},), 511),
], ids=str)
def test_the_kernel_gets_nodes_backlog(
    serve: Serve, args: tuple[Any, ...], backlog: int,
) -> None:
    greatest = int(Path('/proc/sys/net/core/somaxconn').read_text())
    assert backlog_of(listening(serve(), *args)) == min(backlog, greatest)


@pytest.mark.skipif(not hasattr(socket, 'TCP_INFO'), reason='the kernel does not tell')
def test_a_negative_backlog_is_the_greatest_possible(serve: Serve) -> None:
    greatest = int(Path('/proc/sys/net/core/somaxconn').read_text())
    assert backlog_of(listening(serve(), {'port': 0, 'backlog': -1})) == greatest


def test_every_family_serves(serve: Serve, connect: Any, family: Family) -> None:
    server = listening(serve(lambda sock: sock.pipe(sock)), family.listen_options)
    peer = connect(server)
    peer.sendall(b'hello')
    assert peer.recv_exactly(5) == b'hello'
    peer.end()
    assert peer.recv_until_end() == b''


# --- order --------------------------------------------------------------------------------------


def test_listening_is_emitted_in_the_order_of_ticks_and_listeners(serve: Serve) -> None:
    log: list[str] = []
    server = serve()
    server.on('listening', lambda: log.append('listener before'))
    tick(log.append, 'tick before')
    server.listen(0, lambda: log.append('callback'))
    server.on('listening', lambda: log.append('listener after'))
    tick(log.append, 'tick after')
    log.append('returned')
    gnet.once(server, 'listening', timeout=PATIENCE)
    tick(log.append, 'later')
    gevent.idle()
    assert log == [
        'returned', 'tick before', 'listener before', 'callback', 'listener after', 'tick after',
        'later',
    ]


def test_with_a_host_listening_comes_a_tick_after_the_bind(serve: Serve) -> None:
    log: list[Any] = []
    server = serve()

    def look(name: str) -> None:
        log.append((name, server.listening))

    tick(look, 'tick 1')
    server.listen(0, '127.0.0.1', lambda: look('callback'))
    look('returned')
    tick(look, 'tick 2')
    tick(tick, look, 'tick 3')
    gnet.once(server, 'listening', timeout=PATIENCE)
    gevent.idle()
    assert log == [
        ('returned', False), ('tick 1', False), ('tick 2', True), ('callback', True),
        ('tick 3', True),
    ]


def test_two_servers_emit_in_the_order_of_their_calls(serve: Serve) -> None:
    events = EventRecorder()
    first, second = serve(), serve()
    events.listen(second, 'listening', label='second')
    events.listen(first, 'listening', label='first')
    first.listen(0)
    second.listen(0)
    events.expect('first listening', 'second listening')


def test_a_failure_is_emitted_on_a_tick_and_never_raised(serve: Serve, family: Family) -> None:
    log: list[Any] = []
    taken = listening(serve(), family.listen_options)
    address = taken.address()
    options = ({'path': address} if isinstance(address, str)
               else {'host': address.address, 'port': address.port})
    server = serve()
    server.on('error', lambda error: log.append((error.code, server.listening)))
    server.on('close', lambda: log.append('close'))
    server.listen(options, lambda: log.append('listening'))
    tick(log.append, 'tick')
    assert (server.listening, server.address() in (None, address)) == (False, True)
    gnet.once(server, 'error', timeout=PATIENCE)
    gevent.idle()
    # Without a host there is no tick of its own for the look-up.
    expected = [('EADDRINUSE', False), 'tick']
    assert log == (expected if family.path else expected[::-1])


@pytest.mark.parametrize(('host', 'address'), [
    (None, '::'), ('127.0.0.1', '127.0.0.1'), ('::1', '::1'),
])
def test_a_taken_port_is_eaddrinuse_with_nodes_fields(
    serve: Serve, host: str | None, address: str,
) -> None:
    port = listening(serve(), {'port': 0, 'host': host}).address().port
    error = failure_of(serve(), {'port': port, 'host': host})
    assert isinstance(error, OSError)
    assert (error.errno, error.code, error.syscall) == (errno.EADDRINUSE, 'EADDRINUSE', 'listen')
    assert (error.address, error.port) == (address, port)
    assert str(error) == f'listen EADDRINUSE: address already in use {address}:{port}'


@pytest.mark.parametrize('blocker', ['0.0.0.0', '127.0.0.1'])
def test_a_taken_port_is_no_reason_to_fall_back_to_ipv4(serve: Serve, blocker: str) -> None:
    with PlainSocket(socket.AF_INET) as plain:
        plain.bind((blocker, 0))
        plain.listen(1)
        error = failure_of(serve(), plain.getsockname()[1])
    assert (error.code, error.address) == ('EADDRINUSE', '::')


def test_the_callback_of_a_failed_call_waits_for_the_next_success(serve: Serve) -> None:
    log: list[str] = []
    server = serve()
    taken = listening(serve()).address().port
    server.listen(taken, '127.0.0.1', lambda: log.append('first'))
    gnet.once(server, 'error', timeout=PATIENCE)
    assert server.listener_count('listening') == 1
    listening(server, 0, lambda: log.append('second'))
    assert log == ['first', 'second']
    assert server.listener_count('listening') == 0


# --- more than one call -------------------------------------------------------------------------


def test_a_second_listen_raises_and_registers_nothing(serve: Serve) -> None:
    server = listening(serve(), 0)
    with pytest.raises(RuntimeError) as caught:
        server.listen(-1, lambda: None)  # this check comes before the validation
    assert caught.value.code == 'ERR_SERVER_ALREADY_LISTEN'  # type: ignore[attr-defined]
    assert str(caught.value) == 'Listen method has been called more than once without closing.'
    assert server.listener_count('listening') == 0
    assert server.listening


@pytest.mark.parametrize(('second', 'address'), [((0, '127.0.0.1'), '127.0.0.1'), ((0,), '::')])
def test_while_a_name_is_looked_up_the_last_call_wins(
    serve: Serve, second: tuple[Any, ...], address: str,
) -> None:
    server = serve()
    log = trace(server)
    server.listen(0, '::1', lambda: log.append('first callback'))
    server.listen(*second, lambda: log.append('second callback'))
    gnet.once(server, 'listening', timeout=PATIENCE)
    gevent.idle()
    assert log == ['listening', 'first callback', 'second callback']
    assert server.address().address == address


def test_listen_and_close_at_once_emits_close_alone(serve: Serve) -> None:
    server = serve()
    log = trace(server)
    server.listen(0, lambda: log.append('listen callback'))
    server.close(lambda error: log.append(('close callback', error)))
    ended(server)
    assert log == ['close', ('close callback', None)]
    assert server.listener_count('listening') == 2  # the callback stays, as in Node


def test_listen_on_a_host_and_close_at_once_binds_nothing(serve: Serve) -> None:
    server = serve()
    log = trace(server)
    server.listen(0, '127.0.0.1')
    server.close(lambda error: log.append(error.code))
    ended(server)
    gevent.idle()
    assert log == ['close', 'ERR_SERVER_NOT_RUNNING']
    assert not server.listening


def test_a_failed_listen_and_close_in_the_same_turn(serve: Serve) -> None:
    taken = listening(serve(), 0).address().port
    server = serve()
    log = trace(server)
    server.listen(taken)
    with happens(server, 'close'):
        server.close(lambda error: log.append(error.code))
    assert log == ['EADDRINUSE', 'close', 'ERR_SERVER_NOT_RUNNING']


def test_close_and_listen_in_the_same_turn(serve: Serve) -> None:
    server = listening(serve(), 0)
    port = server.address().port
    log = trace(server)
    server.close()
    server.listen(port)
    assert server.address().port == port
    gnet.once(server, 'listening', timeout=PATIENCE)
    assert log == ['close', 'listening']


def test_listening_ids_count_calls(serve: Serve) -> None:
    server = serve()
    ids = [server._listening_id]
    for call in (server.listen, server.close, server.listen):
        call()
        ids.append(server._listening_id)
    assert ids == [1, 2, 3, 4]


def test_listen_in_an_error_handler(serve: Serve) -> None:
    taken = listening(serve(), 0).address().port
    server = serve()
    server.once('error', lambda error: server.listen(0))
    with happens(server, 'listening'):
        server.listen(taken)
    assert server.address().port != taken


def test_listen_in_a_close_handler(serve: Serve) -> None:
    server = listening(serve(), 0)
    server.once('close', lambda: server.listen(0, '127.0.0.1'))
    server.close()
    gnet.once(server, 'listening', timeout=PATIENCE)
    assert server.address().address == '127.0.0.1'


def test_close_in_a_listening_handler_leaves_the_other_listeners_alone(serve: Serve) -> None:
    server = serve()
    log: list[Any] = []
    server.on('listening', lambda: server.close())
    server.on('listening', lambda: log.append(server.listening))
    server.listen(0)
    ended(server)
    assert log == [False]


def test_the_listener_of_listening_may_block(serve: Serve, connect: Any) -> None:
    server = serve(lambda sock: sock.end('hello'))
    release = gevent.event.Event()
    server.on('listening', release.wait)
    server.listen(0)
    assert connect(server).recv_until_end() == b'hello'
    release.set()
