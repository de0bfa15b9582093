"""A TLS client of gnet's and the servers of others: openssl, gnutls, Python's ssl."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from typing import Any

import gevent
import pytest

from gnet import tls

from ..harness.authority import NAMES, authority, stranger
from ..harness.connections import Connection, code
from ..harness.families import Family
from ..harness.waiting import PATIENCE
from .programs import SERVERS, Files, OpenSSL, Programs, Python

Dial = Callable[..., Connection]

VERSIONS = pytest.mark.parametrize('version', ['TLSv1.2', 'TLSv1.3'])
PROGRAMS = pytest.mark.parametrize('program', SERVERS, ids=[each.name for each in SERVERS])

IPV4 = Family('ipv4', host='127.0.0.1')


@pytest.fixture
def dial() -> Iterator[Dial]:
    """``dial(target, **options)`` returns the :class:`Connection` of a gnet client."""
    made: list[Connection] = []

    def dial(target: dict[str, Any], **options: Any) -> Connection:
        given = {'ca': authority().cert, 'servername': 'localhost', **options}
        made.append(Connection(tls.connect({**target, **given})))
        return made[-1]

    yield dial
    for each in made:
        each.sock.on('error', lambda error: None)
        each.sock.destroy()


@pytest.fixture
def own(files: Files, certified: Any) -> str:
    """The file of the server's key and certificate."""
    return files.own(certified)


def failure(c: Connection) -> Any:
    """Return the code of the `'error'` that *c* ends with."""
    c.sock.on('error', lambda error: None)
    trace = c.until_closed()
    assert not any(line.startswith('data') for line in trace)
    assert trace[-1].startswith('close True')
    return code(c.sock.errored)


def first_read(sock: Any) -> bytes:
    with gevent.Timeout(PATIENCE):
        return bytes(sock.recv(100))


@PROGRAMS
@VERSIONS
def test_blocking_calls_converse_and_end(
    programs: Programs, files: Files, dial: Dial, family: Family, own: str, program: Any,
    version: str,
) -> None:
    if family.name not in program.families:
        pytest.skip(f'{program.name} does not do {family.name}')
    target = program.serve(programs, files, family, version, own=own)
    sock = dial(target).sock
    sock.sendall(b'hello\n')
    assert first_read(sock) == program.answer
    assert sock.version() == version
    assert sock.authorized
    assert sock.get_peer_certificate()['subject']['CN'] == NAMES[0]
    sock.shutdown(1)
    assert first_read(sock) == b''
    assert not sock.truncated
    sock.close()


@PROGRAMS
@VERSIONS
def test_events_converse_and_end(
    programs: Programs, files: Files, dial: Dial, own: str, program: Any, version: str,
) -> None:
    c = dial(program.serve(programs, files, IPV4, version, own=own))
    c.sock.on('data', lambda data: c.sock.end())
    c.sock.write(b'hello\n')
    trace = c.until_closed()
    assert f'data {program.answer!r}' in ' '.join(trace)
    assert trace[-1].startswith('close False')
    assert not c.sock.truncated


@PROGRAMS
@VERSIONS
def test_a_protocol_is_agreed_upon(
    programs: Programs, files: Files, dial: Dial, own: str, program: Any, version: str,
) -> None:
    target = program.serve(programs, files, IPV4, version, own=own, alpn='mine')
    sock = dial(target, alpn_protocols=['h9', 'mine']).sock
    sock.sendall(b'hello\n')
    assert first_read(sock) == program.answer
    assert sock.alpn_protocol == 'mine'
    assert sock.selected_alpn_protocol() == 'mine'
    sock.close()


@PROGRAMS
@VERSIONS
def test_a_session_makes_the_next_handshake_short(
    programs: Programs, files: Files, dial: Dial, own: str, program: Any, version: str,
) -> None:
    target = program.serve(programs, files, IPV4, version, own=own)
    context = tls.create_secure_context(ca=authority().cert)
    session, reused = None, []
    for _ in range(2):
        sock = dial(
            target, ca=None, secure_context=context, **({'session': session} if session else {}),
        ).sock
        sock.sendall(b'hello\n')
        assert first_read(sock) == program.answer
        reused.append(sock.is_session_reused())
        assert sock.authorized
        session = sock.get_session()
        sock.shutdown(1)
        assert first_read(sock) == b''
        sock.close()
    assert reused == [False, True]


# --- certificates ---------------------------------------------------------------------------------


@PROGRAMS
@VERSIONS
def test_a_server_that_asks_for_a_certificate_gets_it(
    programs: Programs, files: Files, dial: Dial, own: str, program: Any, version: str,
) -> None:
    target = program.serve(programs, files, IPV4, version, own=own, requests=True)
    sock = dial(target, **authority().certify('me', purpose='client').options).sock
    sock.sendall(b'hello\n')
    assert first_read(sock) == program.answer
    sock.close()


@PROGRAMS
@VERSIONS
@pytest.mark.parametrize('shown', ['none', "a stranger's"])
def test_a_server_that_does_not_get_it_says_so(
    programs: Programs, files: Files, dial: Dial, own: str, program: Any, version: str, shown: str,
) -> None:
    target = program.serve(programs, files, IPV4, version, own=own, requests=True)
    options = {} if shown == 'none' else stranger().certify('me', purpose='client').options
    c = dial(target, **options)
    told = failure(c)
    # In TLS 1.3 the client was done before; gnutls has words of its own.
    assert 'ALERT' in told, told
    assert any(line.startswith('secureConnect') for line in c.trace) is (version == 'TLSv1.3')


@PROGRAMS
@VERSIONS
def test_a_server_that_nobody_knows_is_refused(
    programs: Programs, files: Files, dial: Dial, program: Any, version: str,
) -> None:
    own = files.own(stranger().certify(*NAMES))
    c = dial(program.serve(programs, files, IPV4, version, own=own))
    c.sock.write(b'secret\n')
    assert failure(c) == 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'
    assert not c.sock.authorized
    assert not any(line.startswith('secure') for line in c.trace)


@PROGRAMS
@VERSIONS
def test_a_server_of_another_name_is_refused(
    programs: Programs, files: Files, dial: Dial, program: Any, version: str,
) -> None:
    own = files.own(authority().certify('elsewhere.example'))
    c = dial(program.serve(programs, files, IPV4, version, own=own))
    c.sock.write(b'secret\n')
    assert failure(c) == 'ERR_TLS_CERT_ALTNAME_INVALID'
    assert isinstance(c.sock.errored, ssl.SSLCertVerificationError)
    assert not c.sock.authorized
    assert not any(line.startswith('secureConnect') for line in c.trace)


@VERSIONS
def test_a_refused_server_is_told_why(
    programs: Programs, files: Files, dial: Dial, version: str,
) -> None:
    own = files.own(stranger().certify(*NAMES))
    target = Python.serve(programs, files, IPV4, version, own=own)
    assert failure(dial(target)) == 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'
    programs.last.wait_for('failed .*alert unknown ca')


@VERSIONS
def test_a_blocking_call_raises_what_is_wrong(
    programs: Programs, files: Files, dial: Dial, version: str,
) -> None:
    own = files.own(stranger().certify(*NAMES))
    sock = dial(OpenSSL.serve(programs, files, IPV4, version, own=own)).sock
    with pytest.raises(ssl.SSLCertVerificationError):
        first_read(sock)
    with pytest.raises(ssl.SSLCertVerificationError):
        sock.sendall(b'secret')


# --- versions -------------------------------------------------------------------------------------


@pytest.mark.parametrize('version', ['TLSv1', 'TLSv1.1'])
def test_an_old_server_is_refused(
    programs: Programs, files: Files, dial: Dial, own: str, version: str,
) -> None:
    target = OpenSSL.serve(
        programs, files, IPV4, version, own=own, more=['-cipher', 'DEFAULT:@SECLEVEL=0'])
    assert failure(dial(target)) in (
        'ERR_SSL_UNSUPPORTED_PROTOCOL', 'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION')
