"""What stands around pieces of code in documents (``pieces.py``) about TLS."""

from __future__ import annotations

import signal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gevent.ssl
import pytest

import gnet
from gnet import tls

from .authority import NAMES, authority
from .pieces import Piece, ask, prelude, shout
from .waiting import PATIENCE, until

#: Files that the documents name, and whose certificates they have.
FILES = {
    ('key.pem', 'cert.pem'): NAMES, ('privkey.pem', 'fullchain.pem'): NAMES,
    ('server-key.pem', 'server.pem'): NAMES, ('shop-key.pem', 'shop.pem'): ['shop.example.org'],
}


def _ask_with_tls(port: int, servername: str = 'localhost', **options: Any) -> bytes:
    return ask(
        port, connect=tls.connect, servername=servername, ca=authority().cert, **options)


@prelude('certificates')
def _certificates(piece: Piece) -> None:
    for (key, cert), of in FILES.items():
        if key in piece.code:
            made = authority().certify(*of)
            Path(key).write_text(made.key)
            Path(cert).write_text(made.cert)
    Path('ca.pem').write_text(authority().cert)
    own, wild = authority().certify(*NAMES), authority().certify('*.example.org')
    reloads: list[Any] = []
    piece.code = piece.code.replace('7000', '0')
    piece.run(
        tls=tls, Path=Path, signal=signal, handler=shout, greet=shout, key=own.key, cert=own.cert,
        gevent=SimpleNamespace(signal_handler=lambda *args: reloads.append(args)),
        contexts={'www.example.org': tls.create_secure_context(wild.options)},
        context=tls.create_secure_context((wild if 'add_context' in piece.code else own).options),
        server=tls.create_server(own.options, shout))
    server = piece.names['server']
    if server.listener_count('secureConnection') == 0:
        server.on('secureConnection', shout)
    if not server.listening:
        server.listen(0, '127.0.0.1')
    gnet.once(server, 'listening', timeout=PATIENCE)
    client: Any = {}
    if 'request_cert' in piece.code:
        client = authority().certify('a client', purpose='client').options
        with pytest.raises(tls.TLSError):
            _ask_with_tls(server.address().port)
    assert _ask_with_tls(server.address().port, **client) == b'HELLO'
    if 'www.example.org' in piece.code or 'contexts' in piece.code or '*.' in piece.code:
        assert _ask_with_tls(server.address().port, 'www.example.org') == b'HELLO'
    for number, reload in reloads:
        assert number is signal.SIGHUP
        assert reload() is True


@prelude('a TLS server')
def _tls_server(piece: Piece) -> None:
    def answer(sock: Any) -> None:
        sock.sendall(sock.recv(100).upper())

    port = piece.serve(
        answer, ssl_context=tls.create_secure_context(authority().certify(*NAMES).options))
    piece.replace("443, 'example.org'", f"{port}, 'localhost'")

    def connect(*args: Any) -> Any:
        return tls.connect(*args, ca=authority().cert)

    piece.run(tls=SimpleNamespace(connect=connect))
    if 'page' in piece.names:
        assert piece.names['page'].startswith(b'GET / HTTP/1.0\r\nHOST:')
    else:
        until(piece.printed)


@prelude('a client that begins with TLS')
def _starttls(piece: Piece) -> None:
    own = authority().certify(*NAMES)
    Path('own.pem').write_text(own.key + own.cert)
    of_python = gevent.ssl.SSLContext(gevent.ssl.PROTOCOL_TLS_SERVER)
    of_python.load_cert_chain('own.pem')

    def read_line(sock: Any) -> bytes:
        with sock.makefile('rb') as lines:
            line: bytes = lines.readline()
        return line.strip()

    context = tls.create_secure_context(own.options)
    piece.run(read_line=read_line, context=of_python if 'wrap_socket' in piece.code else context)
    handle = piece.names.get('handler') or piece.names['talk']
    with gnet.connect(piece.serve(handle)) as sock:
        sock.settimeout(PATIENCE)
        sock.sendall(b'STARTTLS\r\n')
        assert b'go' in sock.recv(100)
        with sock.start_tls(server_hostname='localhost', ca=authority().cert) as secure:
            assert secure.authorized
            assert b''.join(secure) == (b'hello' if 'hello' in piece.code else b'')
