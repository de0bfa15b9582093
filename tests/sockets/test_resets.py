"""Peers that reset the connection, at the moments that are easily overlooked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from gevent.event import AsyncResult, Event

import gnet

from ..harness.plain import PlainSocket
from ..harness.waiting import PATIENCE, until

Serve = Callable[..., gnet.Server]


def events(sock: Any) -> None:
    sock.on('data', lambda chunk: None)
    sock.on('error', lambda error: None)


def reading(sock: Any) -> None:
    for _ in sock:
        pass


def writing(sock: Any) -> None:
    sock.on('error', lambda error: None)
    sock.write(bytes(50_000_000))


@pytest.mark.parametrize('handler', [events, reading, writing])
def test_data_and_a_reset_that_are_found_together_both_count(
    serve: Serve, connect: Any, handler: Callable[[Any], None],
) -> None:
    # libuv tells of the reset together with the data, once, and then stops its handle.
    begun = Event()

    def begin(sock: Any) -> None:
        begun.set()
        handler(sock)

    server = serve(begin)
    peer = connect(server)
    assert begun.wait(PATIENCE)
    until(lambda: server._connections)
    peer.plain.send(b'abc')  # no turn of the loop between this
    peer.reset()             # and this
    until(lambda: not server._connections)


@pytest.mark.parametrize('send', [
    pytest.param(lambda sock, data: sock.sendall(data), id='sendall'),
    pytest.param(lambda sock, data: sock.makefile('wb').write(data), id='makefile'),
])
def test_a_reset_under_sendall_is_a_connection_reset_and_no_traceback(
    serve: Serve, connect: Any, send: Callable[[Any, bytes], None],
) -> None:
    # (The fixture that looks at what the hub reports would fail the test for a traceback.)
    raised: AsyncResult[BaseException] = AsyncResult()
    filled = Event()

    def handler(sock: Any) -> None:
        filled.set()
        try:
            send(sock, bytes(50_000_000))
        except ConnectionError as error:
            raised.set(error)
            raise

    server = serve(handler)
    peer = connect(server)
    assert filled.wait(PATIENCE)
    until(lambda: any(sock._queued_units for sock in server._counter.sockets))
    peer.reset()
    assert isinstance(raised.get(timeout=PATIENCE), (ConnectionResetError, BrokenPipeError))
    until(lambda: not server._connections)


@pytest.mark.parametrize('block', [
    pytest.param(lambda sock: sock.recv(1), id='recv'),
    pytest.param(lambda sock: sock.sendall(bytes(50_000_000)), id='sendall'),
])
def test_a_handler_whose_socket_is_destroyed_here_ends_quietly(
    serve: Serve, connect: Any, block: Callable[[Any], object],
) -> None:
    # By stop(), or by a timeout: a peer can bring this about any number of times.
    raised: AsyncResult[BaseException] = AsyncResult()

    def handler(sock: Any) -> None:
        sock.set_timeout(20, sock.destroy)
        try:
            block(sock)
        except OSError as error:
            raised.set(error)
            raise

    server = serve(handler)
    connect(server)
    error: Any = raised.get(timeout=PATIENCE)
    assert error.code == 'ERR_SOCKET_CLOSED'
    until(lambda: not server._connections)


def test_a_socket_that_can_not_be_prepared_is_not_counted_for_ever(
    serve: Serve, connect: Any, hub_reports: list[tuple[object, BaseException]],
) -> None:
    server = serve()
    server.keep_alive, server.keep_alive_initial_delay = True, None  # type: ignore[assignment]
    peer = connect(server)
    assert peer.recv() == b''
    assert [type(error) for _, error in hub_reports] == [TypeError]
    assert server._connections == 0


def test_family_and_proto_are_known_after_closing(serve: Serve, connect: Any) -> None:
    accepted: AsyncResult[Any] = AsyncResult()
    server = serve(accepted.set)
    peer = connect(server)
    sock = accepted.get(timeout=PATIENCE)
    sock.destroy()
    assert (sock.family, sock.proto) == (peer.plain.family, peer.plain.proto)


def test_a_socket_without_a_connection_is_nothing_to_listen_on() -> None:
    with pytest.raises(gnet.CodedTypeError, match='must have the property "port" or "path"'):
        gnet.create_server().listen(gnet.Socket())


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
