"""What no option may turn off by accident, and what nobody may read: versions, types, secrets."""

from __future__ import annotations

import logging
import ssl
import traceback
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509 import load_pem_x509_certificate
from gevent.event import AsyncResult

import gnet
from gnet import tls

from ..harness.authority import NAMES, authority, stranger
from ..harness.connections import Connection, code
from ..harness.native import Peer
from ..harness.tls_peers import TlsPeer, client_context, server_context
from ..harness.waiting import PATIENCE
from .programs import Files, OpenSSL, Programs

Serve = Callable[..., Any]
Dial = Callable[..., TlsPeer]
ConnectTls = Callable[..., Connection]

#: With which OpenSSL itself would allow the old versions.
WEAK = 'ALL:@SECLEVEL=0'

# --- versions -------------------------------------------------------------------------------------

#: A hello of SSL 3.0 with one cipher suite (RFC 6101, 5.6.1.2), and the header of that of SSL 2.0.
SSL3_HELLO = bytes.fromhex(
    '16 0300 002d 01 000029 0300' + '11' * 32 + '00 0002 002f 0100')
SSL2_HELLO = bytes.fromhex('802e 01 0002 0015 0000 0010 0700c0') + b'\x11' * 34


@pytest.mark.parametrize('options', [{}, {'ciphers': WEAK}], ids=['default', 'weak ciphers'])
@pytest.mark.parametrize('version', ['tls1', 'tls1_1'])
def test_a_client_of_an_old_version_is_refused(
    serve_tls: Serve, programs: Programs, files: Files, version: str, options: dict[str, Any],
) -> None:
    refused: AsyncResult[Any] = AsyncResult()
    server = serve_tls(lambda sock: refused.set(sock), **options)
    server.on('tlsClientError', lambda error, sock: refused.set(error))
    command = OpenSSL.client(files, {'host': '127.0.0.1', 'port': server.address().port}, 'TLSv1.3')
    command[command.index('-tls1_3')] = f'-{version}'
    finished = programs.start([*command, '-cipher', WEAK]).wait()
    assert finished.status != 0
    assert 'alert protocol version' in finished.stdout
    assert code(refused.get(timeout=PATIENCE)) == 'ERR_SSL_UNSUPPORTED_PROTOCOL'


@pytest.mark.parametrize('hello', [SSL3_HELLO, SSL2_HELLO], ids=['ssl3', 'ssl2'])
def test_a_hello_of_ssl_is_refused(
    serve_tls: Serve, connect: Callable[[Any], Peer], hello: bytes,
) -> None:
    refused: AsyncResult[Any] = AsyncResult()
    server = serve_tls(lambda sock: refused.set(sock), ciphers=WEAK)
    server.on('tlsClientError', lambda error, sock: refused.set(error))
    peer = connect(server)
    peer.sendall(hello)
    # Nothing but an alert, if that.
    assert peer.recv_until_end()[:1] in (b'', b'\x15')
    assert code(refused.get(timeout=PATIENCE)).startswith('ERR_SSL_')


@pytest.mark.parametrize('version', [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
@pytest.mark.filterwarnings('ignore::DeprecationWarning')
def test_a_server_of_an_old_version_is_refused(
    connect_tls: ConnectTls, certified: Any, tmp_path: Path, version: ssl.TLSVersion,
) -> None:
    context = server_context(certified, tmp_path)
    context.set_ciphers(WEAK)
    context.minimum_version = context.maximum_version = version
    c = connect_tls(
        lambda c: c.sock.on('error', lambda error: None), context=context, ciphers=WEAK)
    with pytest.raises(ssl.SSLError):
        c.peer.shake()
    c.until_closed()
    assert code(c.sock.errored) in (
        'ERR_SSL_UNSUPPORTED_PROTOCOL', 'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION')


def test_contexts_are_of_the_versions_and_ways_that_are_safe() -> None:
    context = tls.create_secure_context(ca=authority().cert)
    for made in (context.client_context(), context.server_context(request_cert=True)):
        assert made.minimum_version == ssl.TLSVersion.TLSv1_2
        assert made.verify_mode == ssl.CERT_REQUIRED
        assert made.options & ssl.OP_NO_COMPRESSION
        assert made.options & ssl.OP_NO_RENEGOTIATION
        assert not made.options & 0x80  # OP_IGNORE_UNEXPECTED_EOF: being cut off shall be seen
        names = {cipher['name'] for cipher in made.get_ciphers()}
        assert not {name for name in names if 'NULL' in name or 'RC4' in name or 'DES' in name}
        assert not any(cipher['auth'] == 'auth-null' for cipher in made.get_ciphers())


# --- types ----------------------------------------------------------------------------------------

#: Options that make a connection less safe if they are misread.
OF_BOTH: list[tuple[str, Any]] = [
    *[(name, value) for name in ('reject_unauthorized', 'strict_end')
      for value in (0, 1, '', 'no', 'false', [], {}, 0.0)],
    ('allow_partial_trust_chain', 1), ('allow_partial_trust_chain', 'no'),
    ('ca', []), ('ca', ''), ('ca', 'no certificate'), ('ca', 5), ('ca', [authority().cert, 5]),
    ('ca', True), ('crl', 'no list'), ('crl', 5), ('key', 5), ('cert', 5), ('passphrase', 5),
    ('min_version', 'TLSv9'), ('min_version', 1.2), ('min_version', True),
    ('max_version', 'TLSv1.4'), ('secure_protocol', 'bogus'), ('ciphers', 5),
    ('ciphers', 'NO-SUCH'), ('ciphers', ' '), ('ecdh_curve', 'no such'), ('secure_options', 'x'),
    ('secure_context', 5), ('secure_context', {}), ('secure_context', object()),
    ('alpn_protocols', 'h2'), ('alpn_protocols', 5), ('alpn_protocols', ['']),
    ('alpn_protocols', [5]), ('alpn_protocols', ['x' * 256]), ('alpn_protocols', b'\x05abc'),
]
OF_SERVERS: list[tuple[str, Any]] = [
    *[('request_cert', value) for value in (0, 1, '', 'yes', [], {}, 1.0)],
    ('handshake_timeout', 'soon'), ('handshake_timeout', True), ('handshake_timeout', {}),
    ('sni_callback', 5), ('alpn_callback', 5), ('alpn_callback', ''),
]
OF_CLIENTS: list[tuple[str, Any]] = [
    ('check_server_identity', None), ('check_server_identity', 5), ('check_server_identity', ''),
    ('check_server_identity', False), ('servername', 5), ('servername', b'localhost'),
    ('servername', True), ('session', b'x'), ('session', 5), ('min_dh_size', 0),
    ('min_dh_size', 'x'),
]


def refusal(call: Callable[..., Any], name: str, value: Any) -> str:
    # An error that has Node's code, whatever its class.
    with pytest.raises(Exception) as raised:  # noqa: PT011
        call(**{name: value})
    return str(code(raised.value))


@pytest.mark.parametrize(('name', 'value'), [*OF_BOTH, *OF_SERVERS])
def test_a_server_takes_no_security_option_for_something_else(name: str, value: Any) -> None:
    assert refusal(tls.create_server, name, value).startswith('ERR_')


@pytest.mark.parametrize(('name', 'value'), [*OF_BOTH, *OF_CLIENTS])
def test_a_client_takes_no_security_option_for_something_else(
    plain_listener: Callable[..., Any], name: str, value: Any,
) -> None:
    port = plain_listener().getsockname()[1]

    def connect(**options: Any) -> None:
        tls.connect(port, '127.0.0.1', **options)

    assert refusal(connect, name, value).startswith('ERR_')


def test_a_keyword_that_is_no_option_is_refused() -> None:
    for call in (tls.connect, tls.create_server, tls.create_secure_context):
        with pytest.raises(TypeError, match='reject_unauthorised'):
            call(reject_unauthorised=True)


def test_versions_that_exclude_each_other_are_refused() -> None:
    assert refusal(
        lambda **options: tls.create_secure_context(min_version='TLSv1.3', **options),
        'max_version', 'TLSv1.2').startswith('ERR_')


# --- secrets --------------------------------------------------------------------------------------

PASSPHRASE = 'correct horse battery staple'


class Secrets:
    """A key in all of its forms, and what of it must not be seen anywhere."""

    def __init__(self) -> None:
        self.own = authority().certify(*NAMES)
        self.other = stranger().certify(*NAMES)
        key: Any = serialization.load_pem_private_key(self.own.key.encode(), None)
        self.encrypted = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(PASSPHRASE.encode())).decode()
        self.pfx = pkcs12.serialize_key_and_certificates(
            b'own', key, load_pem_x509_certificate(self.own.cert.encode()), None,
            serialization.BestAvailableEncryption(PASSPHRASE.encode()))
        self._words = [PASSPHRASE, f'{key.private_numbers().private_value:x}']
        for pem in (self.own.key, self.encrypted):
            self._words += [line for line in pem.splitlines() if line and '-----' not in line]
        self._words.append(repr(self.pfx)[10:60])

    def in_text(self, text: str) -> list[str]:
        """Return what of them is in *text*."""
        return [word for word in self._words if word.lower() in text.lower()]


@pytest.fixture(scope='module')
def secrets() -> Secrets:
    return Secrets()


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """All that gnet logs, down to the least important."""
    with caplog.at_level(logging.DEBUG):
        yield caplog


def all_of(error: BaseException | None) -> str:
    """Return all that *error* says, with what it was raised from, and what it carries."""
    parts = []
    while error is not None:
        parts += [str(error), repr(error), repr(error.args), repr(vars(error))]
        parts += traceback.format_exception(type(error), error, error.__traceback__)
        error = error.__cause__ or error.__context__
    return '\n'.join(parts)


#: Ways to give a key that cannot work, of what is given in :class:`Secrets`.
MISTAKES: dict[str, Callable[[Secrets], dict[str, Any]]] = {
    'another certificate': lambda s: {'key': s.own.key, 'cert': s.other.cert},
    'no passphrase': lambda s: {'key': s.encrypted, 'cert': s.own.cert},
    'another passphrase': lambda s: {
        'key': s.own.key and s.encrypted, 'cert': s.own.cert, 'passphrase': PASSPHRASE + '!'},
    'a passphrase in a list': lambda s: {'key': s.encrypted, 'passphrase': [PASSPHRASE]},
    'a passphrase in a tuple': lambda s: {'key': s.encrypted, 'passphrase': (PASSPHRASE,)},
    'a passphrase in a mapping': lambda s: {'key': s.encrypted, 'passphrase': {'is': PASSPHRASE}},
    'a key in a set': lambda s: {'key': {s.own.key}},
    'a key in two lists': lambda s: {'key': [[s.own.key]]},
    'a key in a mapping, twice': lambda s: {'key': {'pem': {'pem': s.own.key}}},
    'half a key': lambda s: {'key': s.own.key[:120], 'cert': s.own.cert},
    'a key as certificate': lambda s: {'cert': s.own.key, 'key': s.own.key},
    'a key as authority': lambda s: {'ca': s.own.key},
    'a key as list of the revoked': lambda s: {'crl': s.own.key},
    'a key as DH parameters': lambda s: {'dhparam': s.own.key},
    'PKCS#12 without passphrase': lambda s: {'pfx': s.pfx},
    'PKCS#12 with another': lambda s: {'pfx': s.pfx, 'passphrase': PASSPHRASE + '!'},
    'PKCS#12 as key': lambda s: {'key': s.pfx},
    'PKCS#12 as text': lambda s: {'pfx': s.pfx.decode('latin-1'), 'passphrase': PASSPHRASE},
    'half of a PKCS#12': lambda s: {'pfx': s.pfx[:200], 'passphrase': PASSPHRASE},
}


@pytest.mark.parametrize('mistake', MISTAKES)
@pytest.mark.parametrize('call', [tls.create_secure_context, tls.create_server])
def test_no_error_of_a_context_shows_a_secret(
    secrets: Secrets, logged: Any, call: Callable[..., Any], mistake: str,
) -> None:
    # All that gnet says about what it was given.
    with pytest.raises(Exception) as raised:  # noqa: PT011
        call(**MISTAKES[mistake](secrets))
    assert secrets.in_text(all_of(raised.value)) == []
    assert secrets.in_text(logged.text) == []


def test_nothing_that_has_a_key_shows_it(
    secrets: Secrets, logged: Any, serve_tls: Serve, dial_tls: Dial, connect: Any,
) -> None:
    given = {'key': secrets.encrypted, 'cert': secrets.own.cert, 'passphrase': PASSPHRASE}
    failures: AsyncResult[Any] = AsyncResult()
    accepted: AsyncResult[Any] = AsyncResult()
    server = serve_tls(accepted.set, **given)
    server.add_context('other.example', given)
    server.on('tlsClientError', lambda error, sock: failures.set((error, sock)))
    peer = connect(server)
    peer.sendall(b'GET / HTTP/1.0\r\n\r\n')
    error, refused = failures.get(timeout=PATIENCE)
    dial_tls(server).shake()
    sock = accepted.get(timeout=PATIENCE)
    context = tls.create_secure_context(given)
    client = tls.connect(
        server.address().port, '127.0.0.1', servername='localhost', ca=authority().cert, **given)
    gnet.once(client, 'secureConnect', timeout=PATIENCE)
    shown = '\n'.join([
        *(repr(each) + str(each) for each in (
            server, sock, refused, context, client, sock.context, client.get_session(),
            sock.get_cipher(), server.address())),
        all_of(error), logged.text])
    client.destroy()
    assert secrets.in_text(shown) == []


def test_a_context_is_neither_copied_nor_pickled(secrets: Secrets) -> None:
    import copy
    import pickle
    context = tls.create_secure_context(secrets.own.options)
    for call in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError):
            call(context)


def test_no_file_is_left_of_a_key(secrets: Secrets, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr('tempfile.tempdir', str(tmp_path))
    # As on a system that has no files in memory.
    monkeypatch.delattr('os.memfd_create', raising=False)
    tls.create_secure_context(
        key=secrets.encrypted, cert=secrets.own.cert, passphrase=PASSPHRASE)
    with pytest.raises(ssl.SSLError):
        tls.create_secure_context(key=secrets.encrypted, cert=secrets.own.cert, passphrase='no')
    assert list(tmp_path.iterdir()) == []


# --- sessions -------------------------------------------------------------------------------------


def test_a_session_of_a_server_that_was_refused_is_good_for_nothing(
    connect_tls: ConnectTls, tmp_path: Path,
) -> None:
    """Also if it was taken before the name was looked at."""
    sessions: list[Any] = []

    def setup(c: Connection) -> None:
        c.sock.on('error', lambda error: None)
        c.sock.on('secure', lambda: sessions.append(c.sock.get_session()))

    trusting = tls.create_secure_context(ca=authority().cert)
    limits = {'maximum_version': ssl.TLSVersion.TLSv1_2}
    server = server_context(authority().certify('elsewhere.example'), tmp_path, **limits)
    for _ in range(2):
        c = connect_tls(
            setup, context=server, ca=None, secure_context=trusting,
            **({'session': sessions[0]} if sessions and sessions[0] else {}))
        with suppress(ssl.SSLEOFError):  # of a short handshake the client's flight is the last one
            c.peer.shake()
        c.until_closed()
        assert code(c.sock.errored) == 'ERR_TLS_CERT_ALTNAME_INVALID'
        assert not c.sock.authorized


def test_a_lenient_session_does_not_make_a_strict_connection_lenient(
    connect_tls: ConnectTls, tmp_path: Path,
) -> None:
    """Whoever looked at the name less closely then does not decide for now."""
    trusting = tls.create_secure_context(ca=authority().cert)
    server = server_context(authority().certify('elsewhere.example'), tmp_path)
    first = connect_tls(
        context=server, ca=None, secure_context=trusting,
        check_server_identity=lambda host, cert: None)
    first.peer.shake()
    first.peer.sendall(b'with the tickets')
    first.wait('secureConnect')
    assert first.sock.recv(100) == b'with the tickets'
    session = first.sock.get_session()
    assert session is not None
    second = connect_tls(
        lambda c: c.sock.on('error', lambda error: None), context=server, ca=None,
        secure_context=trusting, session=session)
    with pytest.raises(ssl.SSLEOFError):
        second.peer.shake()
    second.until_closed()
    assert code(second.sock.errored) == 'ERR_TLS_CERT_ALTNAME_INVALID'


def test_a_session_without_verification_does_not_stand_for_one_with(
    connect_tls: ConnectTls, tmp_path: Path,
) -> None:
    trusting = tls.create_secure_context(ca=authority().cert)
    server = server_context(stranger().certify(*NAMES), tmp_path)
    first = connect_tls(
        context=server, ca=None, secure_context=trusting, reject_unauthorized=False)
    first.peer.shake()
    first.peer.sendall(b'with the tickets')
    assert first.sock.recv(100) == b'with the tickets'
    assert not first.sock.authorized
    second = connect_tls(
        lambda c: c.sock.on('error', lambda error: None), context=server, ca=None,
        secure_context=trusting, session=first.sock.get_session())
    with pytest.raises(ssl.SSLError):
        second.peer.shake()
    second.until_closed()
    assert code(second.sock.errored) == 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'


def test_the_tickets_of_a_server_that_asks_nothing_open_none_that_asks(
    serve_tls: Serve, dial_tls: Dial, certified: Any,
) -> None:
    context = tls.create_secure_context(**certified.options, ca=authority().cert)
    open_to_all = serve_tls(lambda sock: sock.end(b'welcome'), key=None, cert=None,
                            secure_context=context)
    asking = serve_tls(lambda sock: sock.end(b'welcome'), key=None, cert=None,
                       secure_context=context, request_cert=True)
    mine = client_context(maximum_version=ssl.TLSVersion.TLSv1_2)
    peer = dial_tls(open_to_all, mine).shake()
    assert peer.recv() == b'welcome'
    refused = dial_tls(asking, mine, session=peer.tls.session)
    with pytest.raises(ssl.SSLError):
        refused.shake()
