"""A connection that begins in plain text goes on with TLS (STARTTLS); TLS within TLS."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import gevent
import pytest
from gevent.event import AsyncResult

import gnet
from gnet import tls

from ..harness.authority import authority
from ..harness.clock import Clock
from ..harness.connections import Connection, code, refused, target_of
from ..harness.native import Native, Peer
from ..harness.tls_peers import TlsPeer, client_context
from ..harness.waiting import PATIENCE, turn, until

Serve = Callable[..., Any]
Connect = Callable[[Any], Peer]


def secured(native: Native, peer: Peer, **options: Any) -> TlsPeer:
    return TlsPeer(native, peer, client_context(), server_hostname='localhost', **options)


# --- a server -----------------------------------------------------------------------------------


def test_a_server_goes_on_with_tls_in_blocking_style(
    serve: Serve, connect: Connect, native: Native, certified: Any,
) -> None:
    def handler(sock: Any) -> None:
        assert sock.recv(100) == b'STARTTLS\r\n'
        sock.sendall(b'220 go on\r\n')
        secure = sock.start_tls(server_side=True, **certified.options)
        assert secure.server_side
        assert secure.server is server
        assert secure.remote_port == sock.remote_port
        for chunk in secure:
            secure.sendall(chunk.upper())

    server = serve(handler)
    peer = connect(server)
    peer.sendall(b'STARTTLS\r\n')
    assert peer.recv() == b'220 go on\r\n'
    secure = secured(native, peer).shake()
    secure.sendall(b'hello')
    assert secure.recv() == b'HELLO'
    assert server.get_connections() == 1
    secure.end()
    assert secure.recv_until_end() == b''
    until(lambda: server.get_connections() == 0)


def test_a_server_goes_on_with_tls_in_event_style(
    serve: Serve, connect: Connect, native: Native, certified: Any,
) -> None:
    traces: AsyncResult[Connection] = AsyncResult()

    def handler(sock: Any) -> None:
        def command(data: bytes) -> None:
            sock.remove_all_listeners('data')
            sock.cork()  # which holds back, until it is lent
            sock.write(b'220 ')
            sock.write(b'go on\r\n')
            secure = tls.TLSSocket(sock, {'isServer': True, **certified.options})
            traces.set(Connection(secure))
            secure.on('data', lambda chunk: secure.write(chunk.upper()))

        sock.on('data', command)

    server = serve(handler)
    peer = connect(server)
    peer.sendall(b'STARTTLS\r\n')
    assert peer.recv() == b'220 go on\r\n'
    secure = secured(native, peer).shake()
    secure.sendall(b'hello')
    assert secure.recv() == b'HELLO'
    secure.end()
    assert secure.recv_until_end() == b''
    trace = [line.split(' ')[0] for line in traces.get(timeout=PATIENCE).until_closed()]
    assert [name for name in trace if name not in ('resume', 'readable', 'prefinish')] == [
        'secure', 'data', 'end', 'finish', 'close']
    until(lambda: server.get_connections() == 0)


def test_what_was_received_in_plain_text_is_not_taken_for_tls(
    serve: Serve, connect: Connect, certified: Any,
) -> None:
    raised: AsyncResult[Any] = AsyncResult()

    def handler(sock: Any) -> None:
        assert sock.recv(10) == b'STARTTLS\r\n'
        try:
            sock.start_tls(server_side=True, **certified.options)
        except gnet.CodedRuntimeError as error:
            raised.set(error.code)

    peer = connect(serve(handler))
    peer.sendall(b'STARTTLS\r\nEVIL\r\n')
    assert raised.get(timeout=PATIENCE) == 'ERR_TLS_UNREAD_PLAIN_TEXT'
    with suppress(ConnectionResetError):  # it had not read all
        assert peer.recv() == b''


def test_a_hello_that_came_early_is_used_if_the_program_says_so(
    serve: Serve, connect: Connect, native: Native, certified: Any,
) -> None:
    def handler(sock: Any) -> None:
        assert sock.recv(10) == b'STARTTLS\r\n'
        until(lambda: sock.recv(1, 2))  # MSG_PEEK: it has arrived
        secure = sock.start_tls(server_side=True, buffered_is_tls=True, **certified.options)
        secure.sendall(b'secure')

    peer = connect(serve(handler))
    secure = secured(native, peer)
    with pytest.raises(ssl.SSLWantReadError):
        secure.tls.do_handshake()
    peer.sendall(b'STARTTLS\r\n' + secure._out.read())
    assert secure.shake().recv() == b'secure'


# --- a client -----------------------------------------------------------------------------------


@pytest.fixture
def plain_pair(serve: Serve) -> Callable[[], tuple[Any, Any]]:
    """``plain_pair()`` returns both ends of a connection in plain text."""
    def plain_pair() -> tuple[Any, Any]:
        accepted: AsyncResult[Any] = AsyncResult()
        server = serve(accepted.set)
        sock = gnet.connect(target_of(server))
        gnet.once(sock, 'connect', timeout=PATIENCE)
        return sock, accepted.get(timeout=PATIENCE)

    return plain_pair


def test_both_ends_go_on_with_tls(plain_pair: Any, certified: Any) -> None:
    client, server = plain_pair()
    at_server = gevent.spawn(server.start_tls, server_side=True, **certified.options)
    secure = client.start_tls(
        tls.create_secure_context(ca=authority().cert), server_hostname='localhost')
    accepted = at_server.get(timeout=PATIENCE)
    assert secure.authorized
    assert not accepted.authorized
    secure.sendall(b'x' * 1_000_000)
    received = 0
    while received < 1_000_000:
        received += len(accepted.recv(65536))
    accepted.sendall(b'y')
    # Behind the server's tickets: a descriptor that is closed with bytes in it resets its peer.
    assert secure.recv(1) == b'y'
    secure.close()
    assert accepted.recv(1) == b''
    assert client.destroyed
    accepted.close()
    assert server.destroyed


def test_connect_takes_a_socket(plain_pair: Any, certified: Any) -> None:
    client, server = plain_pair()
    tls.TLSSocket(server, is_server=True, **certified.options).on('data', print)
    told: list[Any] = []
    secure = tls.connect(
        {'socket': client, 'ca': authority().cert, 'servername': 'localhost'},
        lambda: told.append(secure.authorized))
    until(lambda: told)
    assert told == [True]
    secure.destroy()
    until(lambda: server.destroyed)


@pytest.mark.parametrize('reads_first', [False, True])
def test_connect_takes_a_socket_that_is_not_connected_yet(
    serve: Serve, certified: Any, reads_first: bool,
) -> None:
    def handler(sock: Any) -> None:
        secure = sock.start_tls(server_side=True, **certified.options)
        secure.sendall(secure.recv(100))

    server = serve(handler)
    secure = tls.connect(
        socket=gnet.connect(target_of(server)), ca=authority().cert, servername='localhost')
    if reads_first:
        reading = gevent.spawn(secure.recv, 100)
        gevent.sleep(0)
    secure.sendall(b'hello')
    assert (reading.get(timeout=PATIENCE) if reads_first else secure.recv(100)) == b'hello'
    secure.close()


def test_a_wrong_certificate_is_refused_here_too(plain_pair: Any, certified: Any) -> None:
    client, server = plain_pair()
    accepted = tls.TLSSocket(server, is_server=True, **certified.options)
    failed = Connection(accepted)
    accepted.on('error', lambda error: None)
    with pytest.raises(tls.TLSCertificateError) as caught:
        client.start_tls(server_hostname='localhost')
    assert caught.value.code == 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'
    failed.until_closed()
    assert code(accepted.errored) == 'ERR_SSL_TLSV1_ALERT_UNKNOWN_CA'
    assert client.destroyed


def test_what_was_queued_in_plain_text_goes_first(
    serve: Serve, connect: Connect, native: Native, certified: Any,
) -> None:
    size = 20_000_000

    def handler(sock: Any) -> None:
        sock.write(b'x' * size)
        secure = tls.TLSSocket(sock, is_server=True, **certified.options)
        secure.end(b'secure')

    peer = connect(serve(handler))
    turn()
    assert peer.recv_exactly(size) == b'x' * size
    secure = secured(native, peer).shake()
    assert secure.recv() == b'secure'
    assert secure.recv_until_end() == b''


def test_what_is_in_use_cannot_be_secured(plain_pair: Any) -> None:
    client, _server = plain_pair()
    closed: AsyncResult[Any] = AsyncResult()

    def read() -> None:
        try:
            client.recv(1)
        except OSError as error:
            closed.set(error.code)  # type: ignore[attr-defined]

    gevent.spawn(read)
    turn()
    with pytest.raises(gnet.CodedRuntimeError) as caught:
        tls.TLSSocket(client)
    assert caught.value.code == 'ERR_SOCKET_IN_USE'
    client.destroy()
    assert closed.get(timeout=PATIENCE) == 'ERR_SOCKET_CLOSED'
    with pytest.raises(gnet.CodedRuntimeError) as caught:
        tls.TLSSocket(client)
    assert caught.value.code == 'ERR_SOCKET_CLOSED'
    assert refused(tls.TLSSocket, 5) == (
        TypeError, 'ERR_INVALID_ARG_TYPE',
        'The "socket" argument must be an instance of Duplex. Received type number (5)')


# --- TLS within TLS, and on what is no socket ---------------------------------------------------


@pytest.mark.parametrize('kind', ['the socket itself', 'by its interface'])
def test_tls_within_tls(serve_tls: Serve, certified: Any, kind: str) -> None:
    def wrapped(sock: Any) -> Any:
        return sock if kind == 'the socket itself' else Passing(sock)

    def handler(sock: Any) -> None:
        inner = tls.start_tls(wrapped(sock), server_side=True, **certified.options)
        for chunk in inner:
            inner.sendall(chunk)
        inner.close()

    server = serve_tls(handler)
    outer = tls.connect(target_of(server), ca=authority().cert, servername='localhost')
    outer.do_handshake()
    inner = tls.start_tls(wrapped(outer), ca=authority().cert, servername='localhost')
    assert inner.authorized
    data = bytes(range(256)) * 4000
    sending = gevent.spawn(inner.sendall, data)
    received = b''
    while len(received) < len(data):
        received += inner.recv(65536)
    assert received == data
    sending.get(timeout=PATIENCE)
    assert inner.remote_address == (outer.remote_address if kind == 'the socket itself' else None)
    inner.close()
    until(lambda: outer.destroyed and server.get_connections() == 0)


def test_a_handler_that_returns_ends_what_it_has_lent_twice(serve: Serve, certified: Any) -> None:
    failures: list[BaseException] = []

    def handler(sock: Any) -> None:
        outer = sock.start_tls(server_side=True, **certified.options)
        inner = outer.start_tls(server_side=True, buffered_is_tls=True, **certified.options)
        inner.on('error', failures.append)
        inner.sendall(inner.recv(100).upper())

    server = serve(handler)
    outer = tls.connect(target_of(server), ca=authority().cert, servername='localhost')
    outer.do_handshake()
    inner = tls.start_tls(outer, ca=authority().cert, servername='localhost')
    inner.sendall(b'hello')
    assert inner.recv(100) == b'HELLO'
    assert inner.recv(100) == b''
    inner.close()
    until(lambda: outer.destroyed and server.get_connections() == 0)
    assert failures == []


def test_a_server_is_given_any_duplex_stream(serve: Serve, certified: Any) -> None:
    secure_server = tls.create_server(certified.options)
    secure_server.on('secureConnection', lambda sock: sock.pipe(sock))
    server = serve(lambda sock: secure_server.emit('connection', Passing(sock)))
    sock = tls.connect(target_of(server), ca=authority().cert, servername='localhost')
    sock.sendall(b'echo')
    assert sock.recv(10) == b'echo'
    assert secure_server.get_connections() == 0
    sock.close()
    until(lambda: server.get_connections() == 0)


def test_a_silent_peer_on_a_duplex_stream_is_given_up(
    serve: Serve, certified: Any, clock: Clock,
) -> None:
    secure: list[Any] = []
    secure_server = tls.create_server(certified.options)

    @secure_server.on('secureConnection')
    def begin(sock: Any) -> None:
        secure.append(sock)
        sock.read_timeout = 1000
        sock.on('data', lambda chunk: None)

    server = serve(lambda sock: secure_server.emit('connection', Passing(sock)))
    client = tls.connect(target_of(server), ca=authority().cert, servername='localhost')
    until(lambda: secure)
    clock.until(lambda: secure[0].destroyed)
    assert code(secure[0].errored) == 'ERR_READ_TIMEOUT'
    client.destroy()


def test_a_peer_on_a_duplex_stream_that_takes_nothing_is_given_up(
    serve: Serve, certified: Any, clock: Clock,
) -> None:
    secure: list[Any] = []
    secure_server = tls.create_server(certified.options)

    @secure_server.on('secureConnection')
    def begin(sock: Any) -> None:
        secure.append(sock)
        sock.write_timeout = 1000
        sock.write(bytes(32 << 20))

    server = serve(lambda sock: secure_server.emit('connection', Passing(sock)))
    client = tls.connect(target_of(server), ca=authority().cert, servername='localhost')
    client.pause()
    until(lambda: secure)
    clock.go(900)
    assert not secure[0].destroyed
    clock.until(lambda: secure[0].destroyed)
    assert code(secure[0].errored) == 'ERR_WRITE_TIMEOUT'
    client.destroy()


def test_a_server_is_given_a_socket(serve: Serve, certified: Any) -> None:
    secure_server = tls.create_server(certified.options)
    secure_server.on('secureConnection', lambda sock: sock.pipe(sock))
    server = serve(lambda sock: secure_server.emit('connection', sock))
    sock = tls.connect(target_of(server), ca=authority().cert, servername='localhost')
    sock.sendall(b'echo')
    assert sock.recv(10) == b'echo'
    sock.close()
    until(lambda: server.get_connections() == 0)


class Passing:
    """A duplex stream that hands all on to a socket, and is none."""

    def __init__(self, sock: Any) -> None:
        self._sock = sock
        for name in ('destroy', 'end', 'off', 'on', 'pause', 'resume', 'write'):
            setattr(self, name, getattr(sock, name))


def test_a_listener_of_connection_sees_the_socket_below(
    serve_tls: Serve, dial_tls: Callable[..., TlsPeer],
) -> None:
    below: list[Any] = []
    server = serve_tls(lambda sock: sock.pipe(sock))
    server.on('connection', below.append)
    peer = dial_tls(server).shake()
    peer.sendall(b'echo')
    assert peer.recv() == b'echo'
    assert [type(each) for each in below] == [gnet.Socket]
    assert server.get_connections() == 1
    below[0].destroy()
    with pytest.raises(ssl.SSLError):
        peer.recv()
    until(lambda: server.get_connections() == 0)


def test_a_listener_of_connection_may_close_it(
    serve_tls: Serve, dial_tls: Callable[..., TlsPeer],
) -> None:
    server = serve_tls()
    failures: list[Any] = []
    server.on('tlsClientError', lambda error, sock: failures.append((error, sock.destroyed)))
    server.on('connection', lambda sock: sock.destroy())
    with pytest.raises(OSError):  # noqa: PT011  # an end or a reset
        dial_tls(server).shake()
    until(lambda: failures)
    assert [(str(error), gone) for error, gone in failures] == [('socket hang up', True)]


@pytest.mark.parametrize('below', [False, True], ids=['alone', 'with a listener of connection'])
def test_pause_on_connect_is_for_the_plain_text(
    serve_tls: Serve, dial_tls: Callable[..., TlsPeer], below: bool,
) -> None:
    accepted: AsyncResult[Any] = AsyncResult()
    server = serve_tls(accepted.set, pause_on_connect=True)
    if below:
        server.on('connection', lambda sock: None)
    peer = dial_tls(server).shake()
    sock = accepted.get(timeout=PATIENCE)
    got: list[bytes] = []
    sock.on('data', got.append)
    peer.sendall(b'kept')
    turn()
    assert (got, sock.readable_flowing) == ([], False)
    sock.resume()
    until(lambda: got == [b'kept'])


def test_a_socket_that_carries_tls_sends_nothing_in_plain_text(
    plain_pair: Any, certified: Any,
) -> None:
    client, server = plain_pair()
    accepted = tls.TLSSocket(server, is_server=True, **certified.options)
    secure = client.start_tls(ca=authority().cert, server_hostname='localhost')
    for call in (
        lambda: client.sendall(b'password'), lambda: client.send(b'password'),
        lambda: client.shutdown(1), client.detach, client.to_socket,
    ):
        with pytest.raises(gnet.CodedRuntimeError) as caught:
            call()
        assert caught.value.code in ('ERR_SOCKET_IN_USE', 'ERR_CONCURRENT_READ')
    secure.sendall(b'still secret')
    assert accepted.recv(100) == b'still secret'
    failures: list[Any] = []
    client.on('error', failures.append)
    assert client.write(b'password') is False
    with pytest.raises(OSError, match='closed'):
        secure.recv(1)
    with suppress(ConnectionResetError):  # the tickets may not have been read
        assert accepted.recv(100) == b''
    assert [code(each) for each in failures] == ['ERR_SOCKET_IN_USE']
    accepted.destroy()


def test_the_name_is_that_to_which_the_socket_was_connected(
    serve: Serve, certified: Any,
) -> None:
    names: list[Any] = []

    def handler(sock: Any) -> None:
        secure = sock.start_tls(server_side=True, **certified.options)
        names.append(secure.servername)
        secure.recv(1)

    port = serve(handler).address().port
    for connected in (False, True):
        sock = gnet.connect(port, 'localhost', family=4)
        if connected:
            gnet.once(sock, 'connect', timeout=PATIENCE)
        secure = tls.connect(socket=sock, ca=authority().cert)
        secure.do_handshake()
        secure.close()
    until(lambda: len(names) == 2)
    assert names == ['localhost', 'localhost']


def test_a_misspelt_option_is_an_error(plain_pair: Any, certified: Any) -> None:
    client, _ = plain_pair()
    with pytest.raises(TypeError, match="Did you mean 'request_cert'"):
        client.start_tls(server_side=True, request_crt=True, **certified.options)
    client.destroy()
