"""A TLS server of gnet's that speaks HTTP, and curl."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from gevent.event import AsyncResult

from ..harness.authority import authority, stranger
from ..harness.connections import code, target_of
from ..harness.families import Family
from ..harness.programs import find_program
from ..harness.waiting import PATIENCE
from .programs import Files, Programs

Serve = Callable[..., Any]


def answer_http(sock: Any) -> None:
    """Answer each request with its first line and its body."""
    reader = sock.makefile('rb')
    for line in reader:
        length = 0
        for header in iter(reader.readline, b'\r\n'):
            if header.lower().startswith(b'content-length:'):
                length = int(header.partition(b':')[2])
        body = line + reader.read(length)
        sock.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n' % len(body) + body)


def curl(files: Files, target: dict[str, Any], path: str, *more: str) -> list[str]:
    """Return the options of one transfer; *target* is called localhost."""
    port = target.get('port', 443)
    if 'path' in target:
        at = ['--unix-socket', target['path']]
    else:
        host = f'[{target["host"]}]' if ':' in target['host'] else target['host']
        at = ['--connect-to', f'localhost:{port}:{host}:{port}']
    return [
        '-sS', '--http1.1', '--cacert', files.ca, *at, *more, f'https://localhost:{port}{path}']


@pytest.mark.parametrize('version', ['1.2', '1.3'])
def test_it_fetches_and_posts_on_one_connection(
    serve_tls: Serve, programs: Programs, files: Files, family: Family, version: str,
) -> None:
    connections: list[Any] = []

    def handler(sock: Any) -> None:
        connections.append((sock.version(), sock.servername))
        answer_http(sock)

    target = target_of(serve_tls(handler, target=family.listen_options))
    body = files.write('body', 'x' * 300_000)
    limits = ['--tls-max', version, f'--tlsv{version}']
    finished = programs.start([
        find_program('curl', 'curl'), *curl(files, target, '/one', *limits), '--next',
        *curl(files, target, '/two', '--data-binary', f'@{body}', *limits),
    ]).wait()
    assert finished.status == 0, finished.stdout[-300:]
    assert finished.stdout == (
        'GET /one HTTP/1.1\r\nPOST /two HTTP/1.1\r\n' + 'x' * 300_000)
    assert connections == [(f'TLSv{version}', 'localhost')]


def test_a_protocol_is_agreed_upon(serve_tls: Serve, programs: Programs, files: Files) -> None:
    agreed: list[Any] = []

    def handler(sock: Any) -> None:
        agreed.append(sock.alpn_protocol)
        answer_http(sock)

    target = target_of(serve_tls(handler, alpn_protocols=['h3', 'http/1.1']))
    command = [find_program('curl', 'curl'), *curl(files, target, '/')]
    assert programs.start(command).wait().status == 0
    assert agreed == ['http/1.1']


def test_its_certificate_is_asked_for(serve_tls: Serve, programs: Programs, files: Files) -> None:
    target = target_of(serve_tls(answer_http, request_cert=True, ca=authority().cert))
    own = files.own(authority().certify('curl', purpose='client'))
    command = [find_program('curl', 'curl'), *curl(files, target, '/')]
    assert programs.start([*command, '--cert', own]).wait().status == 0
    refused = programs.start(command).wait()
    # 56: it has failed to receive; a server of TLS 1.3 may refuse after the client was done.
    assert refused.status in (35, 56), refused.stdout
    assert 'alert' in refused.stdout


def test_it_refuses_a_server_that_it_does_not_know(
    serve_tls: Serve, programs: Programs, files: Files,
) -> None:
    refused: AsyncResult[Any] = AsyncResult()
    server = serve_tls(answer_http, **stranger().certify('localhost').options)
    server.on('tlsClientError', lambda error, sock: refused.set(error))
    finished = programs.start(
        [find_program('curl', 'curl'), *curl(files, target_of(server), '/')]).wait()
    assert finished.status == 60
    assert code(refused.get(timeout=PATIENCE)) == 'ERR_SSL_TLSV1_ALERT_UNKNOWN_CA'
