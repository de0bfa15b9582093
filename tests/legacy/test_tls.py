"""Code for Python's ``ssl`` with a context of gnet's: ``http.client``, ``smtplib``."""

from __future__ import annotations

import http.client
import smtplib
import ssl
from collections.abc import Callable
from typing import Any

import pytest
from gevent import socket

import gnet
from gnet import tls

from ..harness.authority import NAMES, authority
from ..harness.waiting import PATIENCE

BODY = bytes(range(256)) * 4000


@pytest.fixture(scope='module')
def certified() -> Any:
    return authority().certify(*NAMES)


@pytest.fixture
def trusting() -> tls.SSLContext:
    """A context that trusts the authority of the tests."""
    return tls.SSLContext(ca=authority().cert)


@pytest.fixture
def serve_https(certified: Any) -> Any:
    def answer(sock: Any) -> None:
        with sock.makefile('rb') as lines:
            while lines.readline().strip():
                pass
        sock.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n' % len(BODY) + BODY)

    with tls.serve(answer, **certified.options) as server:
        yield server


def test_http_client_over_a_gnet_socket(serve_https: Any, trusting: tls.SSLContext) -> None:
    client = http.client.HTTPSConnection('localhost', context=trusting)  # type: ignore[arg-type]
    # As its connect() does, which would block the server's hub in an unpatched process.
    client.sock = trusting.wrap_socket(
        gnet.connect(serve_https.address().port, '127.0.0.1'), server_hostname='localhost')
    client.request('GET', '/')
    response = client.getresponse()
    assert (response.status, response.read()) == (200, BODY)
    client.close()


def test_a_socket_of_gevent_is_adopted(serve_https: Any, trusting: tls.SSLContext) -> None:
    plain = socket.create_connection(('127.0.0.1', serve_https.address().port), PATIENCE)
    sock = trusting.wrap_socket(plain, server_hostname='localhost')
    assert plain.fileno() == -1
    assert sock.gettimeout() == PATIENCE
    sock.sendall(b'GET / HTTP/1.0\r\n\r\n')
    assert b''.join(sock).endswith(BODY)
    sock.close()


def test_names_are_checked(serve_https: Any, trusting: tls.SSLContext) -> None:
    address = serve_https.address().port, '127.0.0.1'
    sock = gnet.connect(*address)
    with pytest.raises(ValueError, match='server_hostname'):
        trusting.wrap_socket(sock)
    sock.close()
    with pytest.raises(tls.TLSCertificateError):
        trusting.wrap_socket(gnet.connect(*address), server_hostname='other.example')
    with pytest.raises(tls.TLSCertificateError):
        tls.SSLContext().wrap_socket(gnet.connect(*address), server_hostname='localhost')
    for name, value in (('check_hostname', 0), ('verify_mode', False), ('verify_mode', None)):
        with pytest.raises(TypeError):
            setattr(trusting, name, value)
    with pytest.raises(ValueError, match='check_hostname'):
        trusting.verify_mode = ssl.CERT_NONE
    with pytest.raises(AttributeError):
        trusting.verify_flags = ssl.VERIFY_CRL_CHECK_CHAIN  # type: ignore[attr-defined]
    trusting.check_hostname = False
    trusting.wrap_socket(gnet.connect(*address)).destroy()


def test_smtplib_goes_on_with_tls(
    serve: Callable[..., int], certified: Any, trusting: tls.SSLContext,
) -> None:
    context = tls.SSLContext(certified.options, server_side=True)
    said: list[bytes] = []

    def talk(sock: Any) -> None:
        sock.sendall(b'220 here\r\n')
        rest = b''
        while True:
            while b'\r\n' not in rest:
                chunk = sock.recv(1000)
                if not chunk:
                    return
                rest += chunk
            line, _, rest = rest.partition(b'\r\n')
            said.append(line.split()[0] + (b' in secret' if hasattr(sock, 'cipher') else b''))
            if line == b'STARTTLS':
                sock.sendall(b'220 go on\r\n')
                sock = context.wrap_socket(sock, server_side=True)
            elif line.startswith(b'ehlo'):
                sock.sendall(b'250-here\r\n250 STARTTLS\r\n')
            else:
                sock.sendall(b'221 bye\r\n')

    class Client(smtplib.SMTP):
        def _get_socket(self, host: str, port: int, timeout: Any) -> Any:
            return gnet.connect(port, host)

    client = Client('localhost', serve(talk), local_hostname='here')
    client.starttls(context=trusting)  # type: ignore[arg-type]
    client.ehlo()
    client.quit()
    assert said == [b'ehlo', b'STARTTLS', b'ehlo in secret', b'quit in secret']
