"""Short handshakes, what is set before the first one, and the way back to plain text."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import Any

import gevent
import pytest
from gevent.event import AsyncResult

import gnet
from gnet import tls
from gnet.testing import EventRecorder

from ..harness.authority import authority
from ..harness.connections import refused, target_of
from ..harness.waiting import PATIENCE, until

Serve = Callable[..., Any]


def code_of(call: Callable[..., object], *args: Any) -> str:
    with pytest.raises(gnet.CodedRuntimeError) as caught:
        call(*args)
    return caught.value.code


@pytest.mark.parametrize('version', ['TLSv1.2', 'TLSv1.3'])
def test_a_session_makes_the_next_handshake_a_short_one(serve_tls: Serve, version: str) -> None:
    reused: list[bool] = []

    def handler(sock: Any) -> None:
        reused.append(sock.is_session_reused())
        sock.pipe(sock)

    server = serve_tls(handler, max_version=version)
    context = tls.create_secure_context(ca=authority().cert)
    session: AsyncResult[Any] = AsyncResult()

    def connect(**options: Any) -> Any:
        sock = tls.connect(
            target_of(server), secure_context=context,
            **{'servername': 'localhost', **options})
        sock.on('session', session.set)
        sock.write(b'x')
        gnet.once(sock, 'data', timeout=PATIENCE)
        was_reused, authorized = sock.is_session_reused(), sock.authorized
        sock.destroy()
        return was_reused, authorized

    assert connect() == (False, True)
    first = session.get(timeout=PATIENCE)
    assert isinstance(first, tls.Session)
    assert connect(session=first) == (True, True)
    assert connect(session=first, servername='127.0.0.1') == (False, True)  # for another name
    until(lambda: len(reused) == 3)
    assert reused == [False, True, False]


def test_names_and_sessions_are_set_before_the_handshake(serve_tls: Serve) -> None:
    at_server: AsyncResult[Any] = AsyncResult()
    server = serve_tls(at_server.set)
    sock = tls.TLSSocket(None, ca=authority().cert)
    sock.set_servername('localhost')
    assert refused(sock.set_servername, 5)[1] == 'ERR_INVALID_ARG_TYPE'
    assert refused(sock.set_session, b'no session')[1] == 'ERR_INVALID_ARG_TYPE'
    sock.connect(('127.0.0.1', server.address().port))
    assert sock.authorized
    other = at_server.get(timeout=PATIENCE)
    assert other.servername == 'localhost'
    assert code_of(sock.setServername, 'other') == 'ERR_TLS_INVALID_STATE'
    assert code_of(other.set_servername, 'other') == 'ERR_TLS_SNI_FROM_SERVER'
    sock.destroy()


@pytest.mark.parametrize('name', [
    'get_finished', 'get_peer_finished', 'get_tls_ticket', 'get_ephemeral_key_info',
    'get_shared_sigalgs', 'enable_trace', 'set_max_send_fragment', 'get_x509_certificate',
    'get_peer_x509_certificate'])
def test_what_ssl_cannot_do_says_so(name: str) -> None:
    sock = tls.TLSSocket(None)
    assert refused(getattr(sock, name))[1] == 'ERR_FEATURE_UNAVAILABLE_ON_PLATFORM'
    assert code_of(sock.export_keying_material, 10, 'x') == 'ERR_TLS_INVALID_STATE'


# --- back to plain text -------------------------------------------------------------------------


def test_tls_ends_and_the_connection_goes_on_in_plain_text(serve: Serve, certified: Any) -> None:
    def handler(sock: Any) -> None:
        secure = sock.start_tls(server_side=True, **certified.options)
        assert secure.recv(10) == b'secret'
        plain = secure.unwrap()
        assert plain is sock
        assert secure.destroyed
        plain.sendall(b'plain ' + plain.recv(10))

    server = serve(handler)
    sock = gnet.connect(target_of(server))
    sock.sendall(b'')
    secure = sock.start_tls(ca=authority().cert, server_hostname='localhost')
    secure.sendall(b'secret')
    assert secure.unwrap() is sock
    sock.sendall(b'text')
    assert sock.recv(100) == b'plain text'
    assert sock.recv(100) == b''
    sock.close()


def test_what_the_peer_still_sends_is_not_lost(serve: Serve, certified: Any) -> None:
    def handler(sock: Any) -> None:
        secure = sock.start_tls(server_side=True, **certified.options)
        secure.sendall(b'not at its end')
        secure.recv(1)

    sock = gnet.connect(target_of(serve(handler)))
    secure = sock.start_tls(ca=authority().cert, server_hostname='localhost')
    gevent.sleep(0)
    assert code_of(secure.unwrap) == 'ERR_TLS_INVALID_STATE'
    assert secure.recv(100) == b'not at its end'
    secure.close()


def test_what_began_with_tls_has_no_plain_text_below(serve_tls: Serve) -> None:
    server = serve_tls()
    sock = tls.connect(target_of(server), ca=authority().cert, servername='localhost')
    sock.do_handshake()
    assert refused(sock.unwrap)[1] == 'ERR_FEATURE_UNAVAILABLE_ON_PLATFORM'
    for name in ('to_socket', 'detach'):
        assert refused(getattr(sock, name))[1] == 'ERR_INVALID_HANDLE_TYPE'
    sock.close()


# --- whose certificate it has to be -------------------------------------------------------------


def test_it_has_to_be_that_of_whom_connect_was_told(serve_tls: Serve) -> None:
    server = serve_tls(**authority().certify('localhost').options)
    port = server.address().port
    sock = tls.TLSSocket(None, ca=authority().cert)
    with pytest.raises(tls.TLSCertificateError, match='IP: 127'):
        sock.connect((('127.0.0.1'), port))
    sock = tls.connect(port, 'localhost', family=4, ca=authority().cert)
    sock.do_handshake()
    assert sock.servername == 'localhost'
    gnet.once(sock.destroy(), 'close', timeout=PATIENCE)
    sock.connect(port, '127.0.0.1')
    assert (sock.authorized, sock.servername, sock.alpn_protocol) == (False, None, None)
    with pytest.raises(tls.TLSCertificateError, match='IP: 127'):
        sock.recv(1)


def test_what_cannot_begin_is_an_error(serve_tls: Serve) -> None:
    context = ssl.create_default_context()
    sock = tls.connect(target_of(serve_tls()), secure_context=context)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # which is not what the connection was asked for with
    failures: list[Any] = []
    sock.on('error', failures.append)
    until(lambda: failures)
    assert sock.destroyed


@pytest.mark.parametrize('how', ['end', 'destroy'])
def test_a_client_that_was_paused_first_sees_the_end(serve_tls: Serve, how: str) -> None:
    accepted: AsyncResult[Any] = AsyncResult()
    server = serve_tls(accepted.set)
    sock = tls.connect(target_of(server), ca=authority().cert, servername='localhost')
    sock.pause()
    events = EventRecorder(sock, 'data', 'end', 'close')
    gnet.once(sock, 'secureConnect', timeout=PATIENCE)
    getattr(accepted.get(timeout=PATIENCE), how)()
    events.expect('end', 'close')
