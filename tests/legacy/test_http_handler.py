"""``http.server``'s request handler serves the connections of a gnet server."""

from __future__ import annotations

from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from gevent import subprocess

from ..harness.programs import find_program
from ..harness.waiting import PATIENCE

Serve = Callable[..., int]


class Echo(BaseHTTPRequestHandler):
    """Answers GET with the path, and POST with the body; keeps connections alive."""

    protocol_version = 'HTTP/1.1'

    def do_GET(self) -> None:
        self._answer(self.path.encode())

    def do_POST(self) -> None:
        self._answer(self.rfile.read(int(self.headers['Content-Length'])))

    def _answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # http.server's name
        """Be quiet."""


def with_the_socket_itself(sock: Any) -> None:
    Echo(sock, (sock.remote_address, sock.remote_port), None)  # type: ignore[arg-type]


def with_to_socket(sock: Any) -> None:
    address = (sock.remote_address, sock.remote_port)
    with sock.to_socket() as plain:
        Echo(plain, address, None)  # type: ignore[arg-type]


@pytest.fixture(params=[with_the_socket_itself, with_to_socket])
def served(request: pytest.FixtureRequest, serve: Serve) -> tuple[int, list[Any]]:
    """The port of a server, and a list of the addresses that it was called from."""
    callers: list[Any] = []

    def handler(sock: Any) -> None:
        callers.append(sock.remote_port)
        request.param(sock)

    return serve(handler), callers


def curl(*arguments: str) -> bytes:
    program = find_program('curl', 'curl')
    output: bytes = subprocess.check_output(
        [program, '--disable', '--noproxy', '*', '--silent', '--show-error', '--fail',
         '--max-time', str(PATIENCE), *arguments])
    return output


def test_curl_uses_one_connection_for_several_requests(served: tuple[int, list[Any]]) -> None:
    port, callers = served
    base = f'http://127.0.0.1:{port}'
    assert curl(f'{base}/one', f'{base}/two', f'{base}/three') == b'/one/two/three'
    assert len(callers) == 1


@pytest.mark.parametrize('expect', ['Expect:', 'Expect: 100-continue'])
def test_curl_gets_its_body_back(
    served: tuple[int, list[Any]], tmp_path: Path, expect: str,
) -> None:
    port, callers = served
    body = bytes(range(256)) * 20_000
    path = tmp_path / 'body'
    path.write_bytes(body)
    url = f'http://127.0.0.1:{port}/'
    answers = curl('--header', expect, '--data-binary', f'@{path}', url, url)
    assert answers == body + body
    assert len(callers) == 1


CLIENT = """
    import http.client, sys

    connection = http.client.HTTPConnection('127.0.0.1', int(sys.argv[1]), timeout=10)
    body = bytes(range(256)) * 20_000
    for _ in range(3):
        connection.request('GET', '/path')
        assert connection.getresponse().read() == b'/path'
        connection.request('POST', '/', body)
        assert connection.getresponse().read() == body
    print(connection.sock.getsockname()[1])
    connection.close()
"""


def test_http_client_uses_one_connection_for_several_requests(
    served: tuple[int, list[Any]], run_script: Callable[..., Any],
) -> None:
    port, callers = served
    status, out, err = run_script(CLIENT, str(port), launcher=[])
    assert (status, err) == (0, '')
    assert callers == [int(out)]
