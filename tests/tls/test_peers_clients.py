"""A TLS server of gnet's and the clients of others: openssl, gnutls, Python's ssl."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from gevent.event import AsyncResult

from ..harness.authority import authority, stranger
from ..harness.connections import code, target_of
from ..harness.families import Family
from ..harness.scripts import Running
from ..harness.waiting import PATIENCE, PROCESS_PATIENCE
from .programs import CLIENTS, Files, Gnutls, OpenSSL, Programs

Serve = Callable[..., Any]

VERSIONS = pytest.mark.parametrize('version', ['TLSv1.2', 'TLSv1.3'])
PROGRAMS = pytest.mark.parametrize('program', CLIENTS, ids=[each.name for each in CLIENTS])


class Served:
    """A TLS server, and what has become of the last connection to it."""

    def __init__(self, serve_tls: Serve, *, is_blocking: bool = False, **options: Any) -> None:
        self.sockets: list[Any] = []
        #: Whether each connection's handshake was a short one.
        self.reused: list[Any] = []
        self.closed: AsyncResult[Any] = AsyncResult()
        self.refused: AsyncResult[Any] = AsyncResult()
        self.server = serve_tls(self._blocking if is_blocking else self._events, **options)
        self.server.on('tlsClientError', lambda error, sock: self.refused.set(error))

    def _note(self, sock: Any) -> None:
        self.sockets.append(sock)
        self.facts = (sock.version(), sock.servername, sock.alpn_protocol)
        self.reused.append(sock.is_session_reused())
        sock.on('error', lambda error: None)
        sock.on('close', lambda had_error: self.closed.set((had_error, sock.truncated)))

    def _events(self, sock: Any) -> None:
        self._note(sock)
        sock.on('data', lambda data: sock.write(bytes(data).upper()))

    def _blocking(self, sock: Any) -> None:
        self._note(sock)
        for line in sock.makefile('rb'):
            sock.sendall(line.upper())

    @property
    def target(self) -> dict[str, Any]:
        return target_of(self.server)

    def end(self) -> Any:
        """Return whether the last connection has ended by an error, and whether it was cut off."""
        return self.closed.get(timeout=PROCESS_PATIENCE)


def converse(client: Running) -> None:
    """Have *client* send a line, and see the answer."""
    client.write('hello\n')
    client.wait_for('HELLO')


@PROGRAMS
@VERSIONS
@pytest.mark.parametrize('is_blocking', [False, True], ids=['events', 'blocking'])
def test_it_converses_and_both_ends_are_announced(
    serve_tls: Serve, programs: Programs, files: Files, family: Family, program: Any, version: str,
    is_blocking: bool,
) -> None:
    if family.name not in program.families:
        pytest.skip(f'{program.name} does not do {family.name}')
    served = Served(serve_tls, is_blocking=is_blocking, target=family.listen_options)
    client = programs.start(program.client(files, served.target, version))
    converse(client)
    assert served.facts == (version, 'localhost', False)
    assert client.wait().status == 0
    assert served.end() == (False, False)


@PROGRAMS
@VERSIONS
def test_a_protocol_is_agreed_upon(
    serve_tls: Serve, programs: Programs, files: Files, program: Any, version: str,
) -> None:
    served = Served(serve_tls, alpn_protocols=['h9', 'mine'])
    client = programs.start(program.client(files, served.target, version, alpn='mine,h9'))
    converse(client)
    assert served.facts == (version, 'localhost', 'h9')
    client.wait()
    served.end()


@PROGRAMS
@VERSIONS
def test_a_client_that_offers_other_protocols_is_told_so(
    serve_tls: Serve, programs: Programs, files: Files, program: Any, version: str,
) -> None:
    served = Served(serve_tls, alpn_protocols=['h9', 'mine'])
    client = programs.start(program.client(files, served.target, version, alpn='theirs'))
    finished = client.wait()
    assert finished.status != 0
    said = finished.stdout
    assert re.search(r'no.?\w*.?application.?protocol', said, re.IGNORECASE), said
    assert code(served.refused.get(timeout=PATIENCE)) == 'ERR_SSL_NO_APPLICATION_PROTOCOL'


@PROGRAMS
@VERSIONS
def test_the_name_that_it_asks_for_chooses_the_certificate(
    serve_tls: Serve, programs: Programs, files: Files, program: Any, version: str,
) -> None:
    wrong = authority().certify('elsewhere.example')
    served = Served(serve_tls, **wrong.options)
    served.server.add_context('localhost', authority().certify('localhost').options)
    client = programs.start(program.client(files, served.target, version))
    converse(client)
    client.wait()
    served.end()


@PROGRAMS
@VERSIONS
def test_who_asks_for_no_name_gets_the_first_certificate(
    serve_tls: Serve, programs: Programs, files: Files, program: Any, version: str,
) -> None:
    served = Served(serve_tls)
    served.server.add_context('*', authority().certify('elsewhere.example').options)
    client = programs.start(program.client(files, served.target, version, servername=''))
    converse(client)
    assert served.facts == (version, False, False)
    client.wait()
    served.end()


# --- certificates ---------------------------------------------------------------------------------


@PROGRAMS
@VERSIONS
def test_a_client_with_a_certificate_is_let_in(
    serve_tls: Serve, programs: Programs, files: Files, program: Any, version: str,
) -> None:
    served = Served(serve_tls, request_cert=True, ca=authority().cert)
    own = files.own(authority().certify('somebody', purpose='client'))
    client = programs.start(program.client(files, served.target, version, own=own))
    converse(client)
    [sock] = served.sockets
    assert sock.authorized
    assert sock.get_peer_certificate()['subject']['CN'] == 'somebody'
    client.wait()
    served.end()


def write_though_it_may_have_ended(client: Any) -> None:
    """Have a client send something, which not all need to find out that they were refused."""
    with suppress(BrokenPipeError):
        os.write(client.process.stdin.fileno(), b'hello\n')  # nothing is left in a buffer


@PROGRAMS
@VERSIONS
def test_a_client_without_a_certificate_is_refused(
    serve_tls: Serve, programs: Programs, files: Files, program: Any, version: str,
) -> None:
    served = Served(serve_tls, request_cert=True, ca=authority().cert)
    client = programs.start(program.client(files, served.target, version))
    assert code(served.refused.get(timeout=PROCESS_PATIENCE)) == (
        'ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE')
    write_though_it_may_have_ended(client)
    finished = client.wait()
    assert finished.status != 0
    assert re.search('alert|certificate is required', finished.stdout, re.IGNORECASE), (
        finished.stdout)
    assert served.sockets == []


@PROGRAMS
@VERSIONS
def test_a_client_with_a_strangers_certificate_is_refused(
    serve_tls: Serve, programs: Programs, files: Files, program: Any, version: str,
) -> None:
    served = Served(serve_tls, request_cert=True, ca=authority().cert)
    own = files.own(stranger().certify('somebody', purpose='client'))
    client = programs.start(program.client(files, served.target, version, own=own))
    assert code(served.refused.get(timeout=PROCESS_PATIENCE)) == 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'
    write_though_it_may_have_ended(client)
    finished = client.wait()
    assert finished.status != 0
    assert served.sockets == []


@PROGRAMS
@VERSIONS
def test_a_client_that_refuses_the_server_says_why(
    serve_tls: Serve, programs: Programs, files: Files, program: Any, version: str,
) -> None:
    served = Served(serve_tls, **stranger().certify('localhost').options)
    client = programs.start(program.client(files, served.target, version))
    assert client.wait().status != 0
    # Gnutls has one word for all.
    assert code(served.refused.get(timeout=PATIENCE)) == (
        'ERR_SSL_SSL/TLS_ALERT_BAD_CERTIFICATE' if program is Gnutls
        else 'ERR_SSL_TLSV1_ALERT_UNKNOWN_CA')
    assert served.sockets == []


# --- ends -----------------------------------------------------------------------------------------


@VERSIONS
def test_gnutls_ends_its_half_and_hears_the_rest(
    serve_tls: Serve, programs: Programs, files: Files, version: str,
) -> None:
    def handler(sock: Any) -> None:
        sock.sendall(b''.join(sock).upper() + b' AND MORE\n')

    server = serve_tls(handler)
    client = programs.start(Gnutls.client(files, target_of(server), version))
    client.wait_for('Simple Client Mode')
    client.write('all of it')
    client.process.stdin.close()
    client.wait_for('ALL OF IT AND MORE')


@VERSIONS
def test_a_program_that_is_killed_cuts_the_connection_off(
    serve_tls: Serve, programs: Programs, files: Files, version: str,
) -> None:
    served = Served(serve_tls)
    client = programs.start(OpenSSL.client(files, served.target, version))
    converse(client)
    client.process.kill()
    assert served.end() == (False, True)


# --- sessions -------------------------------------------------------------------------------------


@VERSIONS
def test_openssl_resumes_a_session(
    serve_tls: Serve, programs: Programs, files: Files, version: str, tmp_path: Path,
) -> None:
    served = Served(serve_tls)
    path = str(tmp_path / 'session')
    for more in (['-sess_out', path], ['-sess_in', path]):
        client = programs.start(OpenSSL.client(files, served.target, version, more=more))
        converse(client)
        client.wait()
    assert served.reused == [False, True]


@VERSIONS
def test_gnutls_resumes_a_session(
    serve_tls: Serve, programs: Programs, files: Files, version: str,
) -> None:
    served = Served(serve_tls)
    client = programs.start(Gnutls.client(files, served.target, version, more=['--resume']))
    client.wait_for('This is a resumed session')
    converse(client)
    assert client.wait().status == 0
    assert served.reused == [False, True]
