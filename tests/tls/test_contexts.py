"""Which certificate a server shows, and which protocol it chooses: SNI, ALPN, and changing both."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import Any

import gevent
import pytest
from gevent.event import AsyncResult, Event

import gnet
from gnet import tls
from gnet.tls import client_hello

from ..harness.authority import NAMES, authority
from ..harness.connections import code, refused
from ..harness.tls_peers import TlsPeer, client_context
from ..harness.waiting import PATIENCE, until

Serve = Callable[..., Any]
Dial = Callable[..., TlsPeer]


def shown(peer: TlsPeer) -> str:
    """Return the common name of the certificate that the server has shown."""
    certificate: Any = peer.tls.getpeercert()
    name: str = dict(part[0] for part in certificate['subject'])['commonName']
    return name


def failures_of(server: Any) -> list[Any]:
    failures: list[Any] = []
    server.on('tlsClientError', lambda error, sock: failures.append(error))
    return failures


def asking(name: str | None) -> dict[str, Any]:
    """Return the options of a dial that asks for *name*, and takes any."""
    context = client_context(check_hostname=False)
    return {'context': context, 'server_hostname': name}


# --- names --------------------------------------------------------------------------------------


def test_a_context_is_chosen_by_the_name_that_is_asked_for(
    serve_tls: Serve, dial_tls: Dial,
) -> None:
    names: list[Any] = []
    server = serve_tls(lambda sock: names.append(sock.servername))
    for name in ('one.example', '*.many.example'):
        server.add_context(name, authority().certify(name).options)
    for asked, expected in (
        ('one.example', 'one.example'), ('ONE.EXAMPLE', 'one.example'),
        ('a.many.example', '*.many.example'), ('many.example', 'localhost'),
        ('a.b.many.example', 'localhost'), ('other.example', 'localhost'), (None, 'localhost'),
    ):
        assert shown(dial_tls(server, **asking(asked)).shake()) == expected, asked
    until(lambda: len(names) == 7)
    assert names[1:3] == ['ONE.EXAMPLE', 'a.many.example']
    assert names[-1] is False


def test_a_context_is_replaced_and_removed(serve_tls: Serve, dial_tls: Dial) -> None:
    server = serve_tls()
    server.add_context('a.example', authority().certify('older').options)
    server.addContext('a.example', tls.create_secure_context(authority().certify('newer').options))
    assert shown(dial_tls(server, **asking('a.example')).shake()) == 'newer'
    assert server.remove_context('A.example') is True
    assert server.remove_context('a.example') is False
    assert shown(dial_tls(server, **asking('a.example')).shake()) == 'localhost'
    with pytest.raises(gnet.CodedRuntimeError) as caught:
        server.add_context('', {})
    assert caught.value.code == 'ERR_TLS_REQUIRED_SERVER_NAME'


@pytest.mark.parametrize('how', ['returned', 'answered', 'answered later', 'after it has blocked'])
def test_a_callback_chooses_the_context(serve_tls: Serve, dial_tls: Dial, how: str) -> None:
    other = tls.create_secure_context(authority().certify('other').options)

    def choose(name: str, answer: Callable[..., None]) -> Any:
        assert name == 'asked.example'
        if how == 'returned':
            return other
        if how == 'after it has blocked':
            gevent.sleep(0.01)
        if how == 'answered later':
            gevent.spawn(answer, None, other)
        else:
            answer(None, other)
        return None

    server = serve_tls(sni_callback=choose)
    assert shown(dial_tls(server, **asking('asked.example')).shake()) == 'other'


def test_a_callback_that_blocks_holds_up_nobody_else(serve_tls: Serve, dial_tls: Dial) -> None:
    go_on = Event()

    def choose(name: str, answer: Callable[..., None]) -> None:
        if name == 'slow.example':
            go_on.wait(PATIENCE)
        answer(None, None)

    server = serve_tls(lambda sock: sock.end(b'x'), SNICallback=choose)
    slow = dial_tls(server, **asking('slow.example'))
    shaking = gevent.spawn(slow.shake)
    quick = dial_tls(server, **asking('quick.example')).shake()
    assert quick.recv() == b'x'
    assert not shaking.ready()
    go_on.set()
    shaking.get(timeout=PATIENCE)
    assert slow.recv() == b'x'


@pytest.mark.parametrize(('choose', 'expected'), [
    (lambda name, answer: answer(ValueError('no')), 'ValueError'),
    (lambda name, answer: answer(None, 'no context'), 'TypeError'),
    (lambda name, answer: 1 / 0, 'ZeroDivisionError'),
    (lambda name, answer: (answer(None, None), answer(None, None))[0], 'ERR_MULTIPLE_CALLBACK'),
], ids=['error', 'no context', 'raises', 'twice'])
def test_a_callback_that_fails_costs_its_connection(
    serve_tls: Serve, dial_tls: Dial, choose: Any, expected: str,
) -> None:
    server = serve_tls(sni_callback=choose)
    failures = failures_of(server)
    with pytest.raises((ssl.SSLError, OSError)):
        dial_tls(server, **asking('a.example')).shake()
    until(lambda: failures)
    assert [code(each) for each in failures] == [expected]
    until(lambda: server.get_connections() == 0)


def test_a_callback_that_never_answers_has_until_the_deadline(
    serve_tls: Serve, dial_tls: Dial,
) -> None:
    server = serve_tls(sni_callback=lambda name, answer: None, handshake_timeout=50)
    failures = failures_of(server)
    with pytest.raises((ssl.SSLError, OSError)):
        dial_tls(server, **asking('a.example')).shake()
    until(lambda: server.get_connections() == 0)
    assert [code(each) for each in failures] == ['ERR_TLS_HANDSHAKE_TIMEOUT']


# --- protocols ----------------------------------------------------------------------------------


def offering(*names: str) -> ssl.SSLContext:
    context = client_context()
    if names:
        context.set_alpn_protocols(list(names))
    return context


@pytest.mark.parametrize(('own', 'offered', 'chosen'), [
    (['a', 'b'], ['b', 'a'], 'a'), (['a'], [], None), ([], ['a'], None),
], ids=['the servers order', 'not offered', 'not asked for'])
def test_a_protocol_is_chosen_by_the_servers_order(
    serve_tls: Serve, dial_tls: Dial, own: list[str], offered: list[str], chosen: Any,
) -> None:
    at_server: AsyncResult[Any] = AsyncResult()
    server = serve_tls(
        lambda sock: at_server.set(sock.alpn_protocol), **({'alpn_protocols': own} if own else {}))
    peer = dial_tls(server, offering(*offered)).shake()
    assert peer.tls.selected_alpn_protocol() == chosen
    assert at_server.get(timeout=PATIENCE) == (chosen or False)


@pytest.mark.parametrize('options', [
    {'alpn_protocols': ['x']}, {'alpn_callback': lambda offer: None}], ids=['list', 'callback'])
def test_a_client_without_a_common_protocol_is_refused(
    serve_tls: Serve, dial_tls: Dial, options: Any,
) -> None:
    server = serve_tls(**options)
    failures = failures_of(server)
    with pytest.raises(ssl.SSLError, match=r'(?i)no.application.protocol'):
        dial_tls(server, offering('a', 'b')).shake()
    until(lambda: failures)
    assert [code(each) for each in failures] == ['ERR_SSL_NO_APPLICATION_PROTOCOL']


def test_a_callback_chooses_the_protocol(serve_tls: Serve, dial_tls: Dial) -> None:
    asked: list[Any] = []

    def choose(offer: Any) -> str:
        asked.append(offer)
        return 'b'

    server = serve_tls(ALPNCallback=choose)
    peer = dial_tls(server, offering('a', 'b')).shake()
    assert peer.tls.selected_alpn_protocol() == 'b'
    assert asked == [{'servername': 'localhost', 'protocols': ['a', 'b']}]
    dial_tls(server, offering()).shake()
    assert len(asked) == 1  # who offers nothing is not asked about


def test_a_callback_that_chooses_what_nobody_offers_costs_the_connection(
    serve_tls: Serve, dial_tls: Dial,
) -> None:
    server = serve_tls(alpn_callback=lambda offer: 'zzz')
    failures = failures_of(server)
    with pytest.raises((ssl.SSLError, OSError)):
        dial_tls(server, offering('b')).shake()
    until(lambda: failures)
    assert [code(each) for each in failures] == ['ERR_TLS_ALPN_CALLBACK_INVALID_RESULT']


# --- other keys for connections to come ---------------------------------------------------------


def test_other_certificates_are_for_connections_to_come(serve_tls: Serve, dial_tls: Dial) -> None:
    server = serve_tls(lambda sock: sock.pipe(sock))
    old = dial_tls(server).shake()
    server.set_secure_context(authority().certify('renewed', *NAMES).options)
    assert shown(dial_tls(server).shake()) == 'renewed'
    old.sendall(b'still there')
    assert old.recv() == b'still there'


@pytest.mark.parametrize('options', [
    {'key': 'x', 'cert': 'y'}, {'min_version': 'TLSv1.9'}, {'ciphers': 'no such'}],
    ids=['no pem', 'no version', 'no cipher'])
def test_what_cannot_be_used_changes_nothing(
    serve_tls: Serve, dial_tls: Dial, options: Any,
) -> None:
    server = serve_tls()
    with pytest.raises((TypeError, ssl.SSLError)):
        server.set_secure_context(options)
    assert shown(dial_tls(server).shake()) == 'localhost'
    assert refused(server.set_secure_context, None) == (
        TypeError, 'ERR_INVALID_ARG_TYPE',
        'The "options" argument must be of type object. Received null')


# --- a context of the standard library ----------------------------------------------------------


def test_a_plain_server_takes_a_context_of_ssl(
    dial_tls: Dial, certified: Any, tmp_path: Any,
) -> None:
    (tmp_path / 'own.pem').write_text(certified.key + certified.cert)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / 'own.pem')

    def handler(sock: Any) -> None:
        for chunk in sock:
            sock.sendall(chunk)

    server = gnet.create_server(handler, ssl_context=context)
    assert isinstance(server, tls.Server)
    server.listen(0, '127.0.0.1')
    gnet.once(server, 'listening', timeout=PATIENCE)
    peer = dial_tls(server).shake()
    peer.sendall(b'echo')
    assert peer.recv() == b'echo'
    server.stop(0)
    assert not isinstance(gnet.create_server(handler), tls.Server)


@pytest.mark.parametrize('event', ['newSession', 'resumeSession', 'OCSPRequest', 'keylog'])
def test_events_that_cannot_happen_are_refused(serve_tls: Serve, event: str) -> None:
    server = serve_tls()
    assert refused(server.on, event, print)[1] == 'ERR_FEATURE_UNAVAILABLE_ON_PLATFORM'
    assert server.listener_count(event) == 0


def test_one_call_serves_with_tls(dial_tls: Dial, certified: Any) -> None:
    context = tls.create_secure_context(certified.options)
    for serve in (
        lambda: gnet.serve(lambda sock: sock.end(b'x'), ssl_context=context),
        lambda: tls.serve(lambda sock: sock.end(b'x'), **certified.options),
    ):
        with serve() as server:
            assert isinstance(server, tls.Server)
            peer = dial_tls(server).shake()
            assert peer.recv() == b'x'
            peer.end()
    assert refused(gnet.serve, None, sslContext=5)[1] == 'ERR_TLS_INVALID_CONTEXT'


def test_a_plain_server_is_not_made_where_a_context_was_given() -> None:
    assert refused(gnet.Server, {'ssl_context': object()})[1] == 'ERR_INVALID_ARG_VALUE'


@pytest.mark.parametrize('options', [
    {'sni_callback': lambda name, answer: wait_too_long()},
    {'alpn_callback': lambda offer: wait_too_long()}], ids=['sni', 'alpn'])
def test_a_timeout_in_a_callback_costs_its_connection(
    serve_tls: Serve, dial_tls: Dial, options: Any,
) -> None:
    server = serve_tls(**options)
    failures = failures_of(server)
    with pytest.raises((ssl.SSLError, OSError)):
        dial_tls(server, offering('a'), server_hostname='localhost').shake()
    until(lambda: failures)
    assert [type(each) for each in failures] == [gevent.Timeout]
    assert server.get_connections() == 0


def wait_too_long() -> None:
    with gevent.Timeout(0.01):
        gevent.sleep(PATIENCE)


def test_who_is_late_is_gone_when_it_is_told(
    serve_tls: Serve, dial_tls: Dial, native: Any,
) -> None:
    go_on = Event()
    gone: list[bool] = []
    server = serve_tls(handshake_timeout=30)

    @server.on('tlsClientError')
    def listen(error: Any, sock: Any) -> None:
        gone.append(sock.destroyed)
        go_on.wait(PATIENCE)

    peer = dial_tls(server)
    assert peer.peer.recv() == b''  # also while that listener blocks
    assert gone == [True]
    go_on.set()


def test_a_hello_that_only_openssl_can_read_passes_nobody_by(
    serve_tls: Serve, dial_tls: Dial, monkeypatch: pytest.MonkeyPatch,
) -> None:
    def strange(self: Any, data: bytes) -> None:
        self.received += data
        raise client_hello.NoClientHello('strange')

    monkeypatch.setattr(client_hello.ClientHelloReader, 'feed', strange)
    asked: list[Any] = []
    server = serve_tls(lambda sock: asked.append(sock), alpn_protocols=['x'])
    failures = failures_of(server)
    with pytest.raises((ssl.SSLError, OSError)):
        dial_tls(server, offering('a')).shake().recv()
    until(lambda: failures)
    assert [code(each) for each in failures] == ['ERR_SSL_BAD_EXTENSION']
    assert asked == []
