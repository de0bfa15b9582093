"""STARTTLS with the programs of others: a connection begins in plain text, and goes on with TLS."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import gnet
from gnet import tls

from ..harness.authority import authority
from ..harness.connections import target_of
from ..harness.waiting import PROCESS_PATIENCE, until
from .programs import Files, Gnutls, OpenSSL, Programs

Serve = Callable[..., gnet.Server]


def greet(sock: Any) -> None:
    """Speak SMTP up to STARTTLS, blocking."""
    sock.sendall(b'220 mail.example\r\n')
    while True:
        command = bytes(sock.recv(1000)).strip().upper()
        if command == b'STARTTLS':
            sock.sendall(b'220 go on\r\n')
            return
        sock.sendall(b'250-mail.example\r\n250 STARTTLS\r\n')


def serve_blocking(own: dict[str, str]) -> Callable[[Any], None]:
    def handler(sock: Any) -> None:
        greet(sock)
        secure = sock.start_tls(server_side=True, **own)
        for line in secure.makefile('rb'):
            secure.sendall(line.upper())

    return handler


def serve_events(own: dict[str, str]) -> Callable[[Any], None]:
    def handler(sock: Any) -> None:
        sock.write(b'220 mail.example\r\n')

        @sock.on('data')
        def command(data: bytes) -> None:
            if bytes(data).strip().upper() != b'STARTTLS':
                sock.write(b'250-mail.example\r\n250 STARTTLS\r\n')
                return
            sock.remove_all_listeners('data')
            sock.write(b'220 go on\r\n')
            secure = tls.TLSSocket(sock, is_server=True, **own)
            secure.on('data', lambda line: secure.write(bytes(line).upper()))

    return handler


STYLES = pytest.mark.parametrize('style', [serve_blocking, serve_events])


@STYLES
@pytest.mark.parametrize('version', ['TLSv1.2', 'TLSv1.3'])
def test_openssl_goes_on_with_tls(
    serve: Serve, programs: Programs, files: Files, certified: Any, style: Any, version: str,
) -> None:
    server = serve(style(certified.options))
    client = programs.start(OpenSSL.client(
        files, target_of(server), version, more=['-starttls', 'smtp']))
    client.write('hello\n')
    client.wait_for('HELLO')
    assert client.wait().status == 0
    until(lambda: server.get_connections() == 0)


@STYLES
def test_gnutls_goes_on_with_tls(
    serve: Serve, programs: Programs, files: Files, certified: Any, style: Any,
) -> None:
    server = serve(style(certified.options))
    client = programs.start(Gnutls.client(
        files, target_of(server), 'TLSv1.3', more=['--starttls-proto=smtp']))
    client.wait_for('Simple Client Mode')
    client.write('hello\n')
    client.wait_for('HELLO')
    assert client.wait().status == 0
    until(lambda: server.get_connections() == 0)


_SMTPLIB = r"""
import smtplib, ssl, sys
client = smtplib.SMTP()
client._host = 'localhost'  # whose certificate it is
client.connect('127.0.0.1', int(sys.argv[1]))
client.ehlo('me.example')
client.starttls(context=ssl.create_default_context(cafile=sys.argv[2]))
client.sock.sendall(b'hello\r\n')
print(client.sock.version(), client.sock.recv(100))
client.close()
"""


@STYLES
def test_smtplib_goes_on_with_tls(
    serve: Serve, files: Files, certified: Any, run_script: Any, style: Any,
) -> None:
    server = serve(style(certified.options))
    finished = run_script(_SMTPLIB, str(server.address().port), files.ca)
    assert finished.stdout == "TLSv1.3 b'HELLO\\r\\n'\n", finished.stderr


# --- a client -------------------------------------------------------------------------------------


_SERVER = r"""
import socket, ssl, sys
own = sys.argv[1]
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(own)
listener = socket.create_server(('127.0.0.1', 0))
print('listening', listener.getsockname()[1], flush=True)
plain, _ = listener.accept()
plain.sendall(b'220 ready\r\n')
assert plain.recv(100) == b'STARTTLS\r\n'
plain.sendall(b'220 go on\r\n')
with context.wrap_socket(plain, server_side=True, suppress_ragged_eofs=False) as sock:
    for line in sock.makefile('rb'):
        sock.sendall(line.upper())
    sock.unwrap()
print('announced', flush=True)
"""


def test_a_client_goes_on_with_tls_in_blocking_style(
    programs: Programs, files: Files, certified: Any, start_script: Any,
) -> None:
    server = start_script(_SERVER, files.own(certified))
    port = int(server.wait_for(r'listening (\d+)')[1])
    with gnet.connect(port, '127.0.0.1') as plain:
        assert plain.recv(100) == b'220 ready\r\n'
        plain.sendall(b'STARTTLS\r\n')
        assert plain.recv(100) == b'220 go on\r\n'
        secure = plain.start_tls(ca=authority().cert, servername='localhost')
        secure.sendall(b'hello\n')
        assert secure.recv(100) == b'HELLO\n'
        secure.shutdown(1)
        assert secure.recv(100) == b''
        assert not secure.truncated
        secure.close()
    server.wait_for('announced')


def test_a_client_goes_on_with_tls_in_event_style(
    files: Files, certified: Any, start_script: Any,
) -> None:
    server = start_script(_SERVER, files.own(certified))
    port = int(server.wait_for(r'listening (\d+)')[1])
    plain = gnet.connect(port, '127.0.0.1')
    received: list[bytes] = []
    closed: list[bool] = []

    @plain.on('data')
    def take(data: bytes) -> None:
        if bytes(data).startswith(b'220 ready'):
            plain.write(b'STARTTLS\r\n')
            return
        plain.remove_all_listeners('data')
        secure = tls.connect(socket=plain, ca=authority().cert, servername='localhost')
        secure.on('secureConnect', lambda: secure.write(b'hello\n'))
        secure.on('data', lambda answer: (received.append(bytes(answer)), secure.end()))
        secure.on('close', closed.append)

    until(lambda: closed, PROCESS_PATIENCE)
    assert received == [b'HELLO\n']
    assert closed == [False]
    server.wait_for('announced')
