"""TLS in both styles, at both ends, against Python's own ``ssl``."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from typing import Any

import gevent
import pytest

from gnet import tls

from ..harness.authority import authority
from ..harness.connections import Connection, code, target_of
from ..harness.families import Family
from ..harness.tls_peers import TlsPeer, client_context, server_context
from ..harness.waiting import PATIENCE, tick, until

Serve = Callable[..., Any]
Dial = Callable[..., TlsPeer]
Accept = Callable[..., Connection]
ConnectTls = Callable[..., Connection]

#: More than the kernel's buffers of both ends hold.
BULK = 50_000_000


def echo_by_events(sock: Any) -> None:
    sock.pipe(sock)


def echo_blocking(sock: Any) -> None:
    for chunk in sock:
        sock.sendall(chunk)


def told(c: Connection) -> list[str]:
    """Return the names of what was emitted until `'close'`, without what is Node's own affair."""
    names = [line.split(' ')[0] for line in c.until_closed()]
    return [name for name in names if name not in _ASIDE]


_ASIDE = ('connectionAttempt', 'prefinish', 'readable', 'resume')

STYLES = pytest.mark.parametrize('echo', [echo_by_events, echo_blocking])
VERSIONS = pytest.mark.parametrize('version', ['TLSv1.2', 'TLSv1.3'])


def only(version: str) -> dict[str, Any]:
    number = ssl.TLSVersion.TLSv1_2 if version == 'TLSv1.2' else ssl.TLSVersion.TLSv1_3
    return {'minimum_version': number, 'maximum_version': number}


def test_what_cork_holds_back_comes_whole_and_in_order(accept_tls: Accept) -> None:
    c = accept_tls()
    before = c.sock.bytes_written
    c.sock.cork()
    for number in range(100):
        c.sock.write(b'line %2d\n' % number)
    assert c.sock.writable_length == 800
    c.sock.uncork()
    assert c.sock.bytes_written - before == 800
    assert c.peer.recv_exactly(800) == b''.join(b'line %2d\n' % number for number in range(100))


@STYLES
@VERSIONS
def test_a_server_echoes(
    serve_tls: Serve, dial_tls: Dial, family: Family, echo: Any, version: str,
) -> None:
    server = serve_tls(echo, target=family.listen_options)
    peer = dial_tls(server, client_context(**only(version))).shake()
    assert peer.tls.version() == version
    for data in (b'a', b'b' * 16384, b'c' * 100_000):
        peer.sendall(data)
        assert peer.recv_exactly(len(data)) == data
    peer.end()
    assert peer.recv_until_end() == b''  # announced by close_notify, or this would raise


@STYLES
def test_bulk_goes_both_ways_at_once(serve_tls: Serve, echo: Any) -> None:
    server = serve_tls(echo)
    sock = tls.connect(
        server.address().port, '127.0.0.1', ca=authority().cert, servername='localhost')
    sent = gevent.spawn(lambda: (sock.sendall(b'x' * BULK), sock.shutdown(1)))
    received = 0
    for chunk in sock:
        assert chunk.count(b'x') == len(chunk)
        received += len(chunk)
    assert received == BULK
    sent.get(timeout=PATIENCE)
    sock.close()


@VERSIONS
def test_a_blocking_client_waits_for_the_handshake(
    connect_tls: ConnectTls, certified: Any, tmp_path: Any, version: str,
) -> None:
    c = connect_tls(context=server_context(certified, tmp_path, **only(version)))
    answer = gevent.spawn(lambda: (c.sock.sendall(b'ping'), c.sock.recv(100)))
    assert c.sock.secure_connecting
    c.peer.shake()
    assert c.peer.recv() == b'ping'
    c.peer.sendall(b'pong')
    assert answer.get(timeout=PATIENCE)[1] == b'pong'
    assert c.sock.authorized
    assert c.sock.version() == version
    c.sock.close()
    assert c.peer.recv_until_end() == b''


def test_an_event_client_tells_in_nodes_order(connect_tls: ConnectTls) -> None:
    def setup(c: Connection) -> None:
        c.sock.write(b'first', None, c.noting('written'))
        c.sock.on('data', lambda data: c.sock.end())

    c = connect_tls(setup)
    c.peer.shake()
    assert c.peer.recv() == b'first'
    c.peer.sendall(b'answer')
    assert c.peer.recv_until_end() == b''
    c.peer.end()
    assert told(c) == [
        'connect', 'ready', 'secure', 'secureConnect', 'written', 'data', 'finish', 'end', 'close']


def test_end_before_the_handshake_waits_for_it(connect_tls: ConnectTls) -> None:
    c = connect_tls(lambda c: c.sock.end())
    c.peer.shake()
    assert c.peer.recv_until_end() == b''
    c.peer.end()
    assert told(c) == ['connect', 'ready', 'secure', 'secureConnect', 'finish', 'end', 'close']


# --- half close ---------------------------------------------------------------------------------


@VERSIONS
def test_what_is_half_closed_still_sends(accept_tls: Accept, version: str) -> None:
    c = accept_tls(
        lambda c: c.sock.on('end', lambda: c.sock.end(b'late')), allow_half_open=True,
        context=client_context(**only(version)))
    c.peer.end()
    assert c.peer.recv_until_end() == b'late'
    c.wait('close')
    assert not c.sock.truncated


def test_a_handler_may_answer_a_request_that_came_with_its_end(
    serve_tls: Serve, dial_tls: Dial,
) -> None:
    def handler(sock: Any) -> None:
        request = b''.join(sock)
        sock.sendall(b'answer to ' + request)

    peer = dial_tls(serve_tls(handler)).shake()
    peer.sendall(b'question')
    peer.end()
    assert peer.recv_until_end() == b'answer to question'


def test_an_end_that_is_announced_without_a_fin_is_one(accept_tls: Accept) -> None:
    c = accept_tls()
    c.peer.notify()
    assert c.peer.recv_until_end() == b''
    c.wait('close False')
    assert not c.sock.truncated


@pytest.mark.parametrize('strict', [False, True])
def test_an_end_that_is_not_announced_is_told_apart(accept_tls: Accept, strict: bool) -> None:
    def setup(c: Connection) -> None:
        c.sock.on('error', lambda error: None)
        c.sock.resume()

    c = accept_tls(setup, strict_end=strict)
    c.peer.sendall(b'all of it?')
    c.peer.peer.end()
    trace = c.until_closed()
    assert c.sock.truncated
    assert any(line.startswith('end') for line in trace) is not strict
    assert (code(c.sock.errored) == 'ERR_SSL_UNEXPECTED_EOF_WHILE_READING') is strict


# --- what breaks --------------------------------------------------------------------------------


def test_a_reset_is_one(accept_tls: Accept) -> None:
    c = accept_tls(lambda c: c.sock.on('error', lambda error: None))
    c.peer.peer.reset()
    trace = c.until_closed()
    assert trace[-2:] == ['error ECONNRESET: read ECONNRESET {closed}', 'close True {closed}']


def test_a_blocked_read_raises_what_has_broken_it(accept_tls: Accept) -> None:
    c = accept_tls(lambda c: c.sock.recv(1))
    c.peer.sendall(b'x')
    c.peer.peer.sendall(b'\xff' * 100)
    c.wait('close True')
    assert isinstance(c.sock.errored, ssl.SSLError)


def test_garbage_after_the_handshake_costs_the_connection(accept_tls: Accept) -> None:
    c = accept_tls(lambda c: c.sock.on('error', lambda error: None))
    c.peer.peer.sendall(b'\xff' * 100)
    c.until_closed()
    assert code(c.sock.errored).startswith('ERR_SSL_')
    with pytest.raises(ssl.SSLError, match=r'alert|ALERT'):
        c.peer.recv()


def test_a_flipped_bit_costs_the_connection(accept_tls: Accept) -> None:
    c = accept_tls(lambda c: c.sock.on('error', lambda error: None))
    record = bytearray(c.peer.ciphertext(b'something'))
    record[-1] ^= 1
    c.peer.peer.sendall(bytes(record))
    c.until_closed()
    assert code(c.sock.errored) == 'ERR_SSL_DECRYPTION_FAILED_OR_BAD_RECORD_MAC'
    assert not any(line.startswith('data') for line in c.trace)


# --- back-pressure ------------------------------------------------------------------------------


def test_a_peer_that_does_not_read_holds_up_the_writer(accept_tls: Accept) -> None:
    drained: list[bool] = []
    c = accept_tls(lambda c: c.sock.on('drain', lambda: drained.append(True)))
    written = 0
    while c.sock.write(b'x' * 65536):
        written += 65536
    written += 65536
    assert c.sock.writable_need_drain
    queued = c.sock.writable_length
    assert queued >= 65536
    assert c.sock.bytes_written == written
    assert c.peer.recv_exactly(written) == b'x' * written
    until(lambda: drained)
    assert not c.sock.writable_length


def test_a_paused_socket_holds_up_its_peer(accept_tls: Accept, native: Any) -> None:
    c = accept_tls(lambda c: c.sock.pause())
    size = 20_000_000
    sending = native.start(c.peer._send, b'x' * size)
    until(lambda: c.sock.readable_length >= 65536)
    assert c.sock.readable_length <= 65536 + 16384
    assert not sending.ready()
    got: list[int] = []
    c.sock.on('data', lambda data: got.append(len(data)))
    c.sock.resume()
    until(lambda: sum(got) == size)
    assert max(got) <= 16384 or max(got) <= 65536 + 16384


def test_what_a_listener_has_read_ahead_of_is_not_left_lying(accept_tls: Accept) -> None:
    got: list[int] = []

    def data(chunk: bytes) -> None:
        if not got:
            # In the kernel at once, so that reading on after this chunk finds all of it.
            c.peer.peer.plain.sendall(c.peer.ciphertext(b'x' * 16384 * 3))
        else:
            tick(lambda: None)  # other work, for which reading on makes way
        got.append(len(chunk))

    c = accept_tls(lambda c: c.sock.on('data', data))
    c.peer.sendall(b'x' * 16384)
    until(lambda: sum(got) == 16384 * 4)


# --- time-outs ----------------------------------------------------------------------------------


def test_a_read_that_takes_too_long_raises_and_loses_nothing(accept_tls: Accept) -> None:
    c = accept_tls()
    c.sock.settimeout(0.05)
    with pytest.raises(socket.timeout):
        c.sock.recv(10)
    c.peer.sendall(b'late')
    c.sock.settimeout(PATIENCE)
    assert c.sock.recv(10) == b'late'


def test_a_write_that_is_given_up_leaves_the_stream_whole(accept_tls: Accept, native: Any) -> None:
    c = accept_tls()
    c.sock.settimeout(0.2)
    with pytest.raises(socket.timeout):
        c.sock.sendall(b'x' * 100_000_000)
    reading = native.start(c.peer._read, None)
    c.sock.settimeout(PATIENCE)
    c.sock.sendall(b'the end')
    c.sock.close()
    received = reading.get(timeout=PATIENCE)
    assert received.endswith(b'xthe end')
    assert received[:-7].count(b'x') == len(received) - 7


def test_non_blocking_calls_take_what_can_be_taken(accept_tls: Accept, native: Any) -> None:
    c = accept_tls()
    c.sock.setblocking(False)
    with pytest.raises(BlockingIOError):
        c.sock.recv(10)
    sent, number = b'', 0
    while True:
        # Other bytes each time: none may be taken for those that were offered before.
        block = bytes([number % 251]) * 100_000
        number += 1
        try:
            count = c.sock.send(block)
        except BlockingIOError:
            break
        sent += block[:count]
    assert c.peer.recv_exactly(len(sent)) == sent
    c.sock.setblocking(True)
    c.sock.sendall(b'end')
    c.sock.close()
    assert c.peer.recv_until_end() == b'end'


def test_idle_time_is_told(accept_tls: Accept) -> None:
    c = accept_tls(lambda c: c.sock.set_timeout(20))
    c.wait('timeout')
    assert not c.sock.destroyed


# --- both ends gnet -----------------------------------------------------------------------------


def test_a_reused_socket_may_connect_again(serve_tls: Serve) -> None:
    server = serve_tls(echo_by_events)
    sock = tls.connect(target_of(server), ca=authority().cert, servername='localhost')
    for number in range(3):
        sock.sendall(b'%d' % number)
        assert sock.recv(10) == b'%d' % number
        sock.close()
        sock.connect((server.address().address, server.address().port))
    sock.close()


def test_a_client_shows_nothing_of_itself_to_who_is_not_whom_it_should_be(
    connect_tls: ConnectTls, certified: Any, tmp_path: Any,
) -> None:
    own = authority().certify('a client', purpose='client')
    context = server_context(certified, tmp_path, verify_mode=ssl.CERT_REQUIRED)
    context.load_verify_locations(cadata=authority().cert)
    c = connect_tls(
        lambda c: c.sock.on('error', lambda error: None), context=context,
        servername='other.example', **own.options)
    with pytest.raises(ssl.SSLEOFError):
        c.peer.shake()
    c.until_closed()
    assert code(c.sock.errored) == 'ERR_TLS_CERT_ALTNAME_INVALID'
    with pytest.raises(ValueError, match='handshake not done'):
        c.peer.tls.getpeercert(True)
