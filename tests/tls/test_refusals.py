"""Who is not whom it should be is refused, at both ends, and is told why."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from gevent.event import AsyncResult

from ..harness.authority import authority
from ..harness.connections import Connection, code
from ..harness.tls_peers import TlsPeer, server_context
from ..harness.waiting import PATIENCE
from .wrong_certificates import WRONG, Chain, chain_of

Serve = Callable[..., Any]
Dial = Callable[..., TlsPeer]
ConnectTls = Callable[..., Connection]

VERSIONS = pytest.mark.parametrize('version', ['TLSv1.2', 'TLSv1.3'])
ROWS = pytest.mark.parametrize('name', WRONG)
GOOD = pytest.mark.parametrize('name', ['good', 'good, and in no list'])

#: With which weak certificates can be shown.
LENIENT = 'ALL:@SECLEVEL=0'


def limits(version: str) -> dict[str, Any]:
    number = ssl.TLSVersion.TLSv1_2 if version == 'TLSv1.2' else ssl.TLSVersion.TLSv1_3
    return {'minimum_version': number, 'maximum_version': number}


def shows(chain: Chain, files: Path, version: str) -> ssl.SSLContext:
    """Return the context of a plain server that shows *chain*."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    return _load(context, chain, files, version)


def shows_as_client(chain: Chain, files: Path, version: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=authority().cert)
    return _load(context, chain, files, version)


def _load(context: ssl.SSLContext, chain: Chain, files: Path, version: str) -> ssl.SSLContext:
    if chain.is_weak:
        context.set_ciphers(LENIENT)
    for name, value in limits(version).items():
        setattr(context, name, value)
    path = files / 'shown.pem'
    path.write_text(chain.own.key + chain.own.cert, 'ascii')
    context.load_cert_chain(path)
    return context


def received(peer: Any) -> bytes:
    """Return what comes before the end, however it ends."""
    try:
        return bytes(peer.recv())
    except (ssl.SSLError, ConnectionError):
        return b''


# --- a client -------------------------------------------------------------------------------------


@GOOD
@VERSIONS
def test_a_good_server_is_let_in(
    connect_tls: ConnectTls, tmp_path: Path, name: str, version: str,
) -> None:
    chain = chain_of(name, 'server')
    c = connect_tls(context=shows(chain, tmp_path, version), **chain.judge)
    c.sock.write(b'a secret')
    c.peer.shake()
    assert c.peer.recv() == b'a secret'
    assert c.sock.authorized
    assert c.sock.authorization_error is None


@ROWS
@VERSIONS
def test_a_wrong_server_is_refused(
    connect_tls: ConnectTls, tmp_path: Path, name: str, version: str,
) -> None:
    wrong, chain = WRONG[name], chain_of(name, 'server')
    if name == 'key usage' and version == 'TLSv1.2':
        pytest.skip('OpenSSL does not let a server of TLS 1.2 show it')

    def setup(c: Connection) -> None:
        c.sock.on('error', lambda error: None)
        c.sock.write(b'a secret')

    c = connect_tls(setup, context=shows(chain, tmp_path, version), **chain.judge)
    with pytest.raises(ssl.SSLError) as told:
        c.peer.shake()
    assert told.value.reason in wrong.alerts
    trace = c.until_closed()
    assert code(c.sock.errored) in wrong.codes
    assert isinstance(c.sock.errored, ssl.SSLCertVerificationError)
    assert c.sock.authorization_error == code(c.sock.errored)
    assert not c.sock.authorized
    assert not any(line.startswith(('secure', 'data', 'end')) for line in trace), trace
    assert trace[-1].startswith('close True')


@ROWS
def test_a_wrong_server_that_is_let_in_is_known_to_be_wrong(
    connect_tls: ConnectTls, tmp_path: Path, name: str,
) -> None:
    wrong, chain = WRONG[name], chain_of(name, 'server')
    c = connect_tls(
        context=shows(chain, tmp_path, 'TLSv1.3'), reject_unauthorized=False, **chain.judge,
        **({'ciphers': LENIENT} if chain.is_weak else {}))
    c.peer.shake()
    c.wait('secureConnect')
    assert not c.sock.authorized
    assert c.sock.authorization_error in (*wrong.codes, 'UNVERIFIED')


# --- a server that asks ---------------------------------------------------------------------------


def alert(peer: TlsPeer, version: str) -> str | None:
    """Return what a client is refused with, in Python's words."""
    if version == 'TLSv1.3':
        peer.shake()  # it is done before the server has seen its certificate
        with pytest.raises(ssl.SSLError) as told:
            peer.recv()
    else:
        with pytest.raises(ssl.SSLError) as told:
            peer.shake()
    return told.value.reason


class Asking:
    """A server that asks for certificates."""

    def __init__(self, serve_tls: Serve, judge: dict[str, Any], **options: Any) -> None:
        self.accepted: AsyncResult[Any] = AsyncResult()
        self.refused: AsyncResult[Any] = AsyncResult()
        self.server = serve_tls(self._accept, request_cert=True, **judge, **options)
        self.server.on('tlsClientError', self._refuse)

    def _accept(self, sock: Any) -> None:
        self.accepted.set(sock)
        sock.pipe(sock)

    def _refuse(self, error: Any, sock: Any) -> None:
        self.refused.set((error, sock))


@GOOD
@VERSIONS
def test_a_good_client_is_let_in(
    serve_tls: Serve, dial_tls: Dial, tmp_path: Path, name: str, version: str,
) -> None:
    chain = chain_of(name, 'client')
    asking = Asking(serve_tls, chain.judge)
    peer = dial_tls(asking.server, shows_as_client(chain, tmp_path, version)).shake()
    peer.sendall(b'hello')
    assert peer.recv() == b'hello'
    assert asking.accepted.get(timeout=PATIENCE).authorized


@ROWS
@VERSIONS
def test_a_wrong_client_is_refused(
    serve_tls: Serve, dial_tls: Dial, tmp_path: Path, name: str, version: str,
) -> None:
    wrong, chain = WRONG[name], chain_of(name, 'client')
    asking = Asking(serve_tls, chain.judge)
    peer = dial_tls(asking.server, shows_as_client(chain, tmp_path, version))
    assert alert(peer, version) in wrong.alerts
    error, sock = asking.refused.get(timeout=PATIENCE)
    assert code(error) in wrong.codes
    assert sock.authorization_error == code(error)
    assert sock.destroyed
    assert not sock.authorized
    assert not asking.accepted.ready()


@VERSIONS
def test_a_client_without_a_certificate_is_refused(
    serve_tls: Serve, dial_tls: Dial, version: str, tmp_path: Path,
) -> None:
    asking = Asking(serve_tls, {'ca': authority().cert})
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=authority().cert)
    for name, value in limits(version).items():
        setattr(context, name, value)
    peer = dial_tls(asking.server, context)
    assert alert(peer, version) == (
        'TLSV13_ALERT_CERTIFICATE_REQUIRED' if version == 'TLSv1.3'
        else 'SSLV3_ALERT_HANDSHAKE_FAILURE')
    error, _ = asking.refused.get(timeout=PATIENCE)
    assert code(error) == 'ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE'
    assert not asking.accepted.ready()


# --- names ----------------------------------------------------------------------------------------


#: How a client is told whom it expects, and what the certificate says: whether that fits.
EXPECTED: list[tuple[dict[str, Any], tuple[str, ...], bool]] = [
    ({'servername': 'a.example'}, ('a.example',), True),
    ({'servername': 'A.EXAMPLE'}, ('a.example',), True),
    ({'servername': 'b.example'}, ('a.example',), False),
    ({'servername': 'b.a.example'}, ('*.a.example',), True),
    ({'servername': 'c.b.a.example'}, ('*.a.example',), False),
    ({'servername': 'a.example'}, ('*.a.example',), False),
    # The name counts, not the address that is connected to.
    ({'servername': 'a.example'}, ('127.0.0.1', 'localhost'), False),
    ({'servername': 'a.example'}, ('a.example', '127.0.0.1'), True),
    # Without a name it is the address.
    ({}, ('127.0.0.1',), True),
    ({}, ('127.0.0.2',), False),
    ({}, ('localhost',), False),
    ({'servername': ''}, ('127.0.0.1',), True),
    ({'servername': ''}, ('localhost',), False),
    ({'servername': '127.0.0.1'}, ('127.0.0.1',), True),
    ({'servername': '127.0.0.2'}, ('127.0.0.1',), False),
]


@VERSIONS
@pytest.mark.parametrize(('expected', 'names', 'fits'), EXPECTED)
def test_the_certificate_is_for_whom_is_expected(
    connect_tls: ConnectTls, tmp_path: Path, expected: dict[str, Any], names: tuple[str, ...],
    fits: bool, version: str,
) -> None:
    def setup(c: Connection) -> None:
        c.sock.on('error', lambda error: None)
        c.sock.write(b'a secret')

    own = authority().certify(*names)
    options = {'servername': None, **expected}
    c = connect_tls(setup, context=server_context(own, tmp_path, **limits(version)), **options)
    if fits or version == 'TLSv1.2':
        c.peer.shake()
    else:
        with pytest.raises(ssl.SSLEOFError):
            c.peer.shake()  # the client's last flight is not for somebody else
    if fits:
        assert c.peer.recv() == b'a secret'
        assert c.sock.authorized
        return
    trace = c.until_closed()
    # Nothing of the program's has gone to somebody else.
    assert received(c.peer) == b''
    assert code(c.sock.errored) == 'ERR_TLS_CERT_ALTNAME_INVALID'
    assert c.sock.authorization_error == 'ERR_TLS_CERT_ALTNAME_INVALID'
    assert not c.sock.authorized
    assert not any(line.startswith('secureConnect') for line in trace)
