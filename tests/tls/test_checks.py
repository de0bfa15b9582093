"""What the program has a say in and cannot give away by mistake: checks, contexts, sessions."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from gevent.event import AsyncResult, Event

from gnet import tls
from gnet.tls.context_options import context_options

from ..harness.authority import NAMES, Certified, authority, stranger
from ..harness.connections import Connection, code
from ..harness.tls_peers import TlsPeer, client_context, server_context
from ..harness.waiting import PATIENCE, turn
from .test_security import PASSPHRASE, Secrets

Serve = Callable[..., Any]
Dial = Callable[..., TlsPeer]
ConnectTls = Callable[..., Connection]

#: Turns of the loop in which bytes that are let out would have arrived.
TURNS = 20


def quiet(c: Connection) -> None:
    c.sock.on('error', lambda error: None)


# --- check_server_identity ------------------------------------------------------------------------


def shake(c: Connection) -> None:
    """Do the peer's part of a handshake, whatever becomes of it."""
    with suppress(ssl.SSLError, ConnectionError):
        c.peer.shake()  # type: ignore[attr-defined]


@pytest.mark.parametrize('verdict', ['good', 'bad'])
@pytest.mark.parametrize('version', [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_while_it_is_being_looked_at_nothing_passes(
    connect_tls: ConnectTls, certified: Any, tmp_path: Path, native: Any, verdict: str,
    version: ssl.TLSVersion,
) -> None:
    """It may block: what waits is not sent meanwhile."""
    asked, decided = Event(), Event()

    def check(host: str, cert: Any) -> Any:
        asked.set()
        assert decided.wait(PATIENCE)
        return None if verdict == 'good' else ValueError('not my friend')

    def setup(c: Connection) -> None:
        quiet(c)
        c.sock.write(b'a secret')

    def receive(peer: TlsPeer) -> bytes:
        try:
            peer._until_done(peer.tls.do_handshake)
            return bytes(peer._until_done(peer.tls.read, 100))
        except (ssl.SSLError, ConnectionError):
            return b'nothing'

    c = connect_tls(
        setup, check_server_identity=check,
        context=server_context(certified, tmp_path, maximum_version=version))
    receiving = native.start(receive, c.peer)
    assert asked.wait(PATIENCE)
    for _ in range(TURNS):
        turn()
    assert not receiving.ready()
    assert not any(line.startswith('secureConnect') for line in c.trace)
    decided.set()
    if verdict == 'good':
        assert receiving.get(timeout=PATIENCE) == b'a secret'
        c.wait('secureConnect')
    else:
        trace = c.until_closed()
        assert receiving.get(timeout=PATIENCE) == b'nothing'
        assert str(c.sock.errored) == 'not my friend'
        assert not any(line.startswith('secureConnect') for line in trace)


@pytest.mark.parametrize('answer', [True, False, 0, 1, '', 'fine', [], object(), ValueError])
def test_a_check_that_answers_something_else_refuses(
    connect_tls: ConnectTls, answer: Any,
) -> None:
    c = connect_tls(quiet, check_server_identity=lambda host, cert: answer)
    shake(c)
    trace = c.until_closed()
    assert isinstance(c.sock.errored, TypeError)
    assert not c.sock.authorized
    assert not any(line.startswith('secureConnect') for line in trace)


@pytest.mark.parametrize('error', [ValueError('odd'), KeyError('CN'), RecursionError()])
def test_a_check_that_raises_refuses(connect_tls: ConnectTls, error: Exception) -> None:
    def check(host: str, cert: Any) -> None:
        raise error

    c = connect_tls(quiet, check_server_identity=check)
    shake(c)
    trace = c.until_closed()
    assert c.sock.errored is error
    assert not c.sock.authorized
    assert not any(line.startswith('secureConnect') for line in trace)


def test_a_check_is_not_asked_about_a_chain_that_is_wrong(
    connect_tls: ConnectTls,
) -> None:
    asked: list[Any] = []
    c = connect_tls(
        quiet, server=stranger().certify(*NAMES),
        check_server_identity=lambda *about: asked.append(about))
    with pytest.raises(ssl.SSLError):
        c.peer.shake()
    c.until_closed()
    assert code(c.sock.errored) == 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'
    assert asked == []


def test_no_variable_of_the_environment_turns_it_off(
    connect_tls: ConnectTls, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv('NODE_TLS_REJECT_UNAUTHORIZED', '0')
    monkeypatch.setenv('PYTHONHTTPSVERIFY', '0')
    c = connect_tls(quiet, server=stranger().certify(*NAMES))
    with pytest.raises(ssl.SSLError):
        c.peer.shake()
    c.until_closed()
    assert code(c.sock.errored) == 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'


# --- contexts by name -----------------------------------------------------------------------------


def by_table(server: Any, own: Certified) -> None:
    server.add_context('localhost', {**own.options, 'ca': authority().cert})


def by_renewal(server: Any, own: Certified) -> None:
    server.set_secure_context({**own.options, 'ca': authority().cert})


CHOICES = {
    'table': ({}, by_table),
    'renewal': ({}, by_renewal),
    'callback': ({'sni_callback': lambda name, answer: answer(None, tls.create_secure_context(
        **authority().certify(*NAMES).options, ca=authority().cert))}, None),
    'callback, nothing': ({'sni_callback': lambda name, answer: answer(None, None)}, None),
}


@pytest.mark.parametrize('choice', CHOICES)
@pytest.mark.parametrize('shown', ['nothing', "a stranger's", 'a good one'])
@pytest.mark.parametrize('version', [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_whichever_context_is_chosen_asks_for_a_certificate(
    serve_tls: Serve, dial_tls: Dial, tmp_path: Path, choice: str, shown: str,
    version: ssl.TLSVersion,
) -> None:
    options, prepare = CHOICES[choice]
    accepted: list[Any] = []
    refused: AsyncResult[Any] = AsyncResult()

    def handler(sock: Any) -> None:
        accepted.append(sock.authorized)
        sock.end(b'welcome')

    server = serve_tls(handler, request_cert=True, ca=authority().cert, **options)
    server.on('tlsClientError', lambda error, sock: refused.set(error))
    if prepare is not None:
        prepare(server, authority().certify(*NAMES))
    own = {'nothing': None, "a stranger's": stranger(), 'a good one': authority()}[shown]
    peer = dial_tls(server, client_context(
        own=own and own.certify('me', purpose='client'), files=tmp_path, maximum_version=version))
    if shown == 'a good one':
        assert peer.shake().recv() == b'welcome'
        assert accepted == [True]
        return
    with pytest.raises(ssl.SSLError):
        peer.shake().recv()
    assert code(refused.get(timeout=PATIENCE)) in (
        'ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE')
    assert accepted == []


# --- contexts of Python's -------------------------------------------------------------------------


@pytest.mark.parametrize('mode', [ssl.CERT_NONE, ssl.CERT_OPTIONAL])
def test_a_ready_context_has_to_demand_what_is_demanded(
    certified: Any, tmp_path: Path, mode: ssl.VerifyMode,
) -> None:
    server = server_context(certified, tmp_path)
    server.verify_mode = mode
    with pytest.raises(TypeError) as raised:
        tls.create_server(secure_context=server, request_cert=True)
    assert code(raised.value) == 'ERR_TLS_INVALID_CONTEXT'
    asking = tls.create_server(request_cert=True, ca=authority().cert)
    for call in (asking.set_secure_context, lambda context: asking.add_context('x', context)):
        with pytest.raises(TypeError):
            call(server)
    client = client_context()
    client.check_hostname = False
    client.verify_mode = mode
    with pytest.raises(TypeError) as raised:
        tls.connect(1, '127.0.0.1', secure_context=client)
    assert code(raised.value) == 'ERR_TLS_INVALID_CONTEXT'


@pytest.mark.parametrize(('names', 'fits'), [(('127.0.0.1',), True), (('localhost',), False)])
def test_a_ready_context_looks_at_the_address_where_there_is_no_name(
    connect_tls: ConnectTls, names: tuple[str, ...], fits: bool,
) -> None:
    """Python's own check of names is on in it: it has to be told whom to expect."""
    c = connect_tls(
        quiet, server=authority().certify(*names), ca=None, servername=None,
        secure_context=client_context(), check_server_identity=lambda host, cert: None)
    shake(c)
    if fits:
        c.wait('secureConnect')
        assert c.sock.authorized
    else:
        c.until_closed()
        assert isinstance(c.sock.errored, ssl.SSLCertVerificationError)


# --- sessions -------------------------------------------------------------------------------------


@pytest.mark.parametrize('version', [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_session_is_for_one_name_and_one_context(
    connect_tls: ConnectTls, tmp_path: Path, version: ssl.TLSVersion,
) -> None:
    context = tls.create_secure_context(ca=authority().cert)
    server = server_context(
        authority().certify('a.example', 'b.example'), tmp_path, maximum_version=version)

    def connect(name: str, trusting: Any, session: Any) -> Any:
        c = connect_tls(
            context=server, ca=None, secure_context=trusting, servername=name,
            **({'session': session} if session is not None else {}))
        c.peer.shake()
        c.peer.sendall(b'with the tickets')
        assert c.sock.recv(100) == b'with the tickets'
        assert c.sock.authorized
        return c.sock

    session = connect('a.example', context, None).get_session()
    assert connect('a.example', context, session).is_session_reused()
    assert not connect('b.example', context, session).is_session_reused()
    other = tls.create_secure_context(ca=authority().cert)
    assert not connect('a.example', other, session).is_session_reused()


# --- what is shown in tracebacks ------------------------------------------------------------------


def test_what_is_passed_on_within_shows_no_secret() -> None:
    secrets = Secrets()
    for given in (
        {'key': secrets.encrypted, 'cert': secrets.own.cert, 'passphrase': PASSPHRASE},
        {'key': [{'pem': secrets.encrypted, 'passphrase': PASSPHRASE}], 'cert': secrets.own.cert},
        {'pfx': secrets.pfx, 'passphrase': PASSPHRASE},
    ):
        checked = context_options(given)
        shown = [checked, *checked.identities, *(each.key for each in checked.identities)]
        assert all(shown)
        assert secrets.in_text(''.join(f'{each!r} {each}' for each in shown)) == []
