"""``http.client`` over a gnet socket, against ``http.server`` in a process of its own."""

from __future__ import annotations

import hashlib
import http.client
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import gnet

from ..harness.waiting import PATIENCE
from .forms import itself, to_socket

#: Bytes of a big body: many times what is buffered on the way.
MUCH = 20_000_000

SERVER = """
    import hashlib
    from http.server import BaseHTTPRequestHandler, HTTPServer

    class Handler(BaseHTTPRequestHandler):
        protocol_version = 'HTTP/1.1'

        def do_GET(self):
            self.send_response(200)
            if self.path == '/chunked':
                self.send_header('Transfer-Encoding', 'chunked')
                self.end_headers()
                for chunk in (b'one', b'two' * 50_000, b'three'):
                    self.wfile.write(b'%x\\r\\n%b\\r\\n' % (len(chunk), chunk))
                self.wfile.write(b'0\\r\\n\\r\\n')
            elif self.path == '/until-the-end':
                self.send_header('Connection', 'close')
                self.end_headers()
                self.wfile.write(b'all there is')
            else:
                self.answer(bytes(int(self.path[1:])))

        def do_POST(self):
            self.send_response(200)
            digest = hashlib.sha256()
            if 'Content-Length' in self.headers:
                digest.update(self.rfile.read(int(self.headers['Content-Length'])))
            else:
                size = None
                while size != 0:
                    size = int(self.rfile.readline(), 16)
                    digest.update(self.rfile.read(size))
                    self.rfile.readline()
            self.answer(digest.hexdigest().encode())

        def answer(self, body):
            self.send_header('Content-Length', str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args):
            pass

    server = HTTPServer(('127.0.0.1', 0), Handler)
    print('port', server.server_port, flush=True)
    server.serve_forever()
"""


@pytest.fixture(params=[itself, to_socket])
def client(
    request: pytest.FixtureRequest, start_script: Callable[..., Any],
) -> Iterator[http.client.HTTPConnection]:
    port = int(start_script(SERVER, launcher=[]).wait_for(r'port (\d+)')[1])
    connection = http.client.HTTPConnection('127.0.0.1', port)
    connection.auto_open = 0  # the one connection must do
    sock = gnet.connect(port, '127.0.0.1')
    sock.settimeout(PATIENCE)
    connection.sock = request.param(sock)
    yield connection
    connection.close()


def body_of(client: http.client.HTTPConnection, path: str) -> bytes:
    client.request('GET', path)
    response = client.getresponse()
    assert response.status == 200
    return response.read()


def test_one_connection_serves_many_requests(client: http.client.HTTPConnection) -> None:
    for size in (5, 0, 100_000, 1):
        assert body_of(client, f'/{size}') == bytes(size)


def test_a_chunked_answer(client: http.client.HTTPConnection) -> None:
    for _ in range(2):
        assert body_of(client, '/chunked') == b'one' + b'two' * 50_000 + b'three'


def test_a_big_answer(client: http.client.HTTPConnection) -> None:
    assert body_of(client, f'/{MUCH}') == bytes(MUCH)


def test_a_big_answer_into_a_buffer(client: http.client.HTTPConnection) -> None:
    client.request('GET', f'/{MUCH}')
    response = client.getresponse()
    buffer = bytearray(b'x' * 100_000)
    count = 0
    while True:
        size = response.readinto(buffer)
        if not size:
            break
        assert not any(buffer[:size])
        count += size
    assert count == MUCH


def test_an_answer_that_ends_with_its_connection(client: http.client.HTTPConnection) -> None:
    assert body_of(client, '/until-the-end') == b'all there is'


@pytest.mark.parametrize('chunked', [False, True], ids=['length', 'chunked'])
def test_a_big_request(client: http.client.HTTPConnection, chunked: bool) -> None:
    body = bytes(range(256)) * (MUCH // 256)
    parts = [body[start:start + 1_000_000] for start in range(0, len(body), 1_000_000)]
    client.request('POST', '/', iter(parts) if chunked else body, encode_chunked=chunked)
    answer = client.getresponse().read()
    assert answer.decode() == hashlib.sha256(body).hexdigest()
