"""What ``test_random_calls`` has found, each as a plain test."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

import gevent
import pytest
from gevent.event import AsyncResult, Event

import gnet
from gnet.streams.states import ReadState

from ..harness.families import address_of
from ..harness.plain import PlainSocket
from .common import PATIENCE, Connection, turn, until

Serve = Callable[..., gnet.Server]


def connected(server: gnet.Server, **options: Any) -> Connection:
    """Return a traced socket that is about to be connected to *server*."""
    sock = gnet.Socket(options)
    connection = Connection(sock)
    sock.on('error', lambda error: None)
    sock.connect(server.address().port, '127.0.0.1')
    return connection


def received_by(server: gnet.Server) -> AsyncResult[bytes]:
    """Return what is to be all that the first connection to *server* brings."""
    everything: AsyncResult[bytes] = AsyncResult()
    server.on('connection', lambda sock: everything.set(b''.join(sock)))
    return everything


def test_a_write_in_a_connect_listener_does_not_overtake_what_was_written_before(
    serve: Serve,
) -> None:
    server = serve()
    everything = received_by(server)
    sock = gnet.Socket()
    sock.on('connect', lambda: sock.end(b'second'))
    sock.connect(server.address().port, '127.0.0.1')
    sock.write(b'first ')
    assert everything.get(timeout=PATIENCE) == b'first second'
    gnet.once(sock, 'close', timeout=PATIENCE)


def test_sendall_in_a_connect_listener_does_not_overtake_what_was_written_before(
    serve: Serve,
) -> None:
    server = serve()
    everything = received_by(server)
    sock = gnet.Socket()

    def send() -> None:
        sock.sendall(b'second')
        sock.close()

    sock.on('connect', send)
    sock.connect(server.address().port, '127.0.0.1')
    sock.write(b'first ')
    assert everything.get(timeout=PATIENCE) == b'first second'


def test_what_was_written_before_is_sent_when_a_connect_listener_waits_for_the_answer(
    serve: Serve,
) -> None:
    answer: AsyncResult[bytes] = AsyncResult()
    server = serve(lambda peer: peer.sendall(peer.recv(100).upper()))
    sock = gnet.Socket()
    sock.on('connect', lambda: answer.set(sock.recv(100)))
    sock.connect(server.address().port, '127.0.0.1')
    sock.write(b'question')
    assert answer.get(timeout=PATIENCE) == b'QUESTION'
    sock.destroy()


def test_reset_and_destroy_while_a_unix_connection_is_made_raises_at_the_call(
    family: Any, serve: Serve,
) -> None:
    server = serve(lambda sock: sock.resume(), target=family.listen_options)
    address = server.address()
    target = {'path': address} if isinstance(address, str) else {
        'host': address.address, 'port': address.port}
    sock = gnet.connect(target)
    if family.name == 'unix':
        with pytest.raises(gnet.CodedTypeError) as caught:
            sock.reset_and_destroy()
        assert caught.value.code == 'ERR_INVALID_HANDLE_TYPE'
        gnet.once(sock, 'ready', timeout=PATIENCE)
        assert sock.ready_state == 'open'
        sock.destroy()
    else:
        sock.reset_and_destroy()
    gnet.once(sock, 'close', timeout=PATIENCE)


def test_an_accepted_socket_that_is_connected_again_is_counted_once_by_its_server(
    serve: Serve,
) -> None:
    other = serve(lambda sock: sock.resume())
    accepted: AsyncResult[Any] = AsyncResult()
    server = serve(accepted.set)
    with PlainSocket() as peer:
        peer.connect(address_of(server))
        sock = accepted.get(timeout=PATIENCE)
        assert sock.server is server
        sock.destroy()
        sock.connect(other.address().port, '127.0.0.1')
        gnet.once(sock, 'connect', timeout=PATIENCE)
        assert sock.server is None
        sock.destroy()
        gnet.once(sock, 'close', timeout=PATIENCE)
    assert server.get_connections() == 0
    with gevent.Timeout(PATIENCE):
        server.stop(0)


def test_an_accepted_socket_that_its_handler_connected_again_is_not_ended_with_the_handler(
    serve: Serve,
) -> None:
    other = serve(lambda sock: sock.resume())
    accepted: AsyncResult[Any] = AsyncResult()

    def handler(sock: Any) -> None:
        sock.recv(1)
        sock.destroy()
        sock.connect(other.address().port, '127.0.0.1')
        gnet.once(sock, 'connect', timeout=PATIENCE)
        accepted.set(sock)

    server = serve(handler)
    with PlainSocket() as peer:
        peer.connect(address_of(server))
        peer.sendall(b'x')
        sock = accepted.get(timeout=PATIENCE)
        turn()
        assert sock.ready_state == 'open'
        sock.destroy()


@pytest.mark.parametrize('where', ['arrived', 'in the stream'])
def test_a_read_does_not_tell_of_an_end_when_the_bytes_before_it_were_thrown_away(
    accept: Callable[..., Connection], where: str,
) -> None:
    connection = accept(lambda c: c.sock.pause() if where == 'in the stream' else None)
    sock, peer = connection.sock, connection.peer
    if where == 'arrived':
        reading = gevent.spawn(sock.recv, 1)
        turn()
    peer.sendall(b'two')
    peer.end()
    if where == 'arrived':
        assert reading.get(timeout=PATIENCE) == b't'
    until(lambda: sock._read_state is not ReadState.OPEN)
    sock.destroy()
    for _ in range(2):
        with pytest.raises(OSError, match='Socket is closed'):
            sock.recv(100)


def test_a_read_tells_of_the_end_again_when_all_before_it_was_read(
    accept: Callable[..., Connection],
) -> None:
    connection = accept()
    connection.peer.sendall(b'x')
    connection.peer.end()
    assert list(connection.sock) == [b'x']
    connection.sock.destroy()
    assert connection.sock.recv(100) == b''


def test_send_that_times_out_counts_its_own_bytes_only(serve: Serve) -> None:
    over = Event()
    server = serve(lambda peer: over.wait())
    sock = connected(server).sock
    gnet.once(sock, 'connect', timeout=PATIENCE)
    while sock.write(bytes(1_000_000)):
        pass
    sock.settimeout(0.01)
    gevent.spawn(sock.write, bytes(77))  # while send() waits
    with pytest.raises(socket.timeout):
        sock.send(bytes(1000))
    sock.destroy()
    over.set()


@pytest.mark.parametrize('ending', ['closed', 'connected again'])
def test_ready_is_not_emitted_after_close(serve: Serve, ending: str) -> None:
    server = serve(lambda sock: sock.resume())
    connection = connected(server)
    sock = connection.sock
    go_on = Event()
    sock.once('connect', go_on.wait)
    connection.wait('connect {')
    sock.destroy()
    connection.wait('close')
    if ending == 'connected again':
        sock.connect(server.address().port, '127.0.0.1')
        connection.wait('ready')
    go_on.set()
    turn()
    turn()
    assert sum(line.startswith('ready') for line in connection.trace) == (
        ending == 'connected again')
    sock.destroy()
    connection.wait('close', 1 + (ending == 'connected again'))


def test_finish_is_not_emitted_after_close(serve: Serve) -> None:
    server = serve(lambda sock: sock.resume())
    connection = connected(server)
    called, go_on = Event(), Event()

    def ended(error: Any) -> None:
        called.set()
        go_on.wait()

    connection.sock.end(ended)
    assert called.wait(PATIENCE)
    connection.sock.destroy()
    connection.wait('close')
    go_on.set()
    turn()
    turn()
    assert connection.trace[-1].startswith('close')


def test_an_end_listener_that_blocks_while_its_socket_is_connected_again_ends_nothing(
    serve: Serve,
) -> None:
    server = serve(lambda sock: sock.resume())
    go_on = Event()
    connection = connected(server)
    sock = connection.sock
    sock.resume()
    sock.once('end', go_on.wait)
    until(lambda: server.get_connections() == 1)
    for peer in list(server._counter.sockets):
        peer.end()
    connection.wait('end')
    sock.destroy()
    connection.wait('close')
    sock.connect(server.address().port, '127.0.0.1')
    connection.wait('ready')
    go_on.set()
    turn()
    turn()
    assert sock.ready_state == 'open'
    sock.destroy()
    connection.wait('close', 2)


def test_a_blocking_connect_waits_for_close_also_when_a_listener_of_that_raises(
    serve: Serve, hub_reports: list[Any],
) -> None:
    def fail(had_error: bool) -> None:
        raise LookupError('on purpose')

    server = serve(lambda sock: sock.resume())
    sock = connected(server).sock
    gnet.once(sock, 'connect', timeout=PATIENCE)
    sock.once('close', fail)
    sock.destroy()
    with gevent.Timeout(PATIENCE):
        sock.connect(('127.0.0.1', server.address().port))
    assert sock.ready_state == 'open'
    assert [type(error) for context, error in hub_reports] == [LookupError]
    sock.destroy()
    gnet.once(sock, 'close', timeout=PATIENCE)


def test_send_counts_what_was_sent_before_its_time_was_over(serve: Serve) -> None:
    over = Event()
    server = serve(lambda peer: over.wait())
    sock = connected(server).sock
    gnet.once(sock, 'connect', timeout=PATIENCE)
    sock.settimeout(0.01)
    size = 50_000_000  # more than the kernel buffers
    sent = sock.send(bytes(size))
    assert 0 < sent < size
    assert sock.bytes_written == sent
    sock.destroy()
    over.set()


def test_send_raises_what_its_socket_was_destroyed_with_also_when_that_is_a_timeout() -> None:
    connection = Connection(gnet.Socket())
    sock = connection.sock
    sock.on('error', lambda error: None)
    sock.settimeout(0.01)
    sock.connect(port=1, host='some.name', lookup=lambda name, options, back: None)
    with pytest.raises(socket.timeout) as caught:
        sock.sendall(b'')  # the look-up never answers
    sock.destroy(caught.value)
    for _ in range(2):
        with pytest.raises(socket.timeout):
            sock.send(b'twelve bytes')
    connection.wait('close')


def test_no_data_comes_after_close_when_blocking_reads_give_way_to_events(
    accept: Callable[..., Connection],
) -> None:
    connection = accept(lambda c: c.sock.pause())
    sock, peer = connection.sock, connection.peer
    sock.on('error', lambda error: None)
    peer.sendall(b'left')
    until(lambda: sock.readable_length == 4)
    peer.reset()
    connection.wait('close')
    assert sock.recv(1) == b'l'
    sock.on('data', lambda chunk: None)
    sock.resume()
    turn()
    turn()
    assert not any(line.startswith('data') for line in connection.trace)
    assert sock.read() is None  # as in Node, it has flowed to nobody


def test_to_socket_gives_away_what_came_and_was_looked_at_while_it_waited(serve: Serve) -> None:
    size = 50_000_000  # more than the kernel buffers
    counted: AsyncResult[int] = AsyncResult()
    go_on = Event()

    def handler(peer: Any) -> None:
        peer.sendall(b'answer')
        go_on.wait()
        counted.set(sum(map(len, peer)))

    server = serve(handler)
    sock = connected(server).sock
    gnet.once(sock, 'connect', timeout=PATIENCE)
    sock.write(bytes(size))
    giving = gevent.spawn(sock.to_socket)
    until(lambda: sock.readable_length == 6)
    assert sock.read() == b'answer'
    sock.unshift(b'answer')
    go_on.set()
    with giving.get(timeout=PATIENCE) as made:
        made.settimeout(PATIENCE)
        assert made.recv(100) == b'answer'
    assert counted.get(timeout=PATIENCE) == size


def test_to_socket_sends_what_is_written_while_it_waits(serve: Serve) -> None:
    size = 50_000_000
    counted: AsyncResult[int] = AsyncResult()
    go_on = Event()

    def handler(peer: Any) -> None:
        go_on.wait()
        counted.set(sum(map(len, peer)))

    server = serve(handler)
    sock = connected(server).sock
    gnet.once(sock, 'connect', timeout=PATIENCE)
    sock.write(bytes(size))
    giving = gevent.spawn(sock.to_socket)
    gevent.sleep(0)  # let it begin
    sock.write(bytes(size))
    go_on.set()
    giving.get(timeout=PATIENCE).close()
    assert counted.get(timeout=PATIENCE) == 2 * size


def test_a_data_listener_put_in_front_does_not_disturb_a_blocked_read(
    accept: Callable[..., Connection],
) -> None:
    connection = accept()
    sock = connection.sock
    reader = gevent.spawn(sock.recv, 10)
    until(lambda: sock._reader is not None)
    sock.prepend_listener('data', lambda data: None)
    sock.off('readable', lambda: None)
    turn()
    connection.peer.sendall(b'for recv')
    assert reader.get(timeout=PATIENCE) == b'for recv'
    sock.destroy()


def test_a_reset_that_was_meant_for_a_failed_connection_destroys_one_to_a_path(
    serve: Serve, tmp_path: Any,
) -> None:
    serve(lambda sock: sock.resume(), target={'path': str(tmp_path / 's')})
    with PlainSocket() as nobody:
        nobody.bind(('127.0.0.1', 0))
        sock = gnet.Socket()
        sock.on('error', lambda error: None)
        closed = AsyncResult()
        sock.once('close', closed.set)
        sock.connect(nobody.getsockname()[1], '127.0.0.1')
        sock.reset_and_destroy()
        assert closed.get(timeout=PATIENCE) is True
    sock.connect(str(tmp_path / 's'))
    assert gnet.once(sock, 'close', timeout=PATIENCE) == [False]
