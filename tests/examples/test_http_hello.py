"""``examples/http_hello.py``."""

from __future__ import annotations

import contextlib
import http.client
import re
import socket
from typing import Any

import pytest

from .common import HTTP_ANSWER, run, tool

KEPT_ANSWER = HTTP_ANSWER.replace(b'Connection: close\r\n', b'')
KEPT = b'GET /some/where HTTP/1.1\r\nHost: here\r\nAccept: */*\r\n\r\n'
LAST = b'GET / HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n'


def pieces(data: bytes, size: int) -> list[bytes]:
    return [data[start:start + size] for start in range(0, len(data), size)]


@pytest.mark.parametrize('size', [1, 3, 50, 1000])
def test_pipelined_requests_are_answered_in_order_however_they_are_cut(
    size: int, start: Any, connect: Any,
) -> None:
    client = connect(start('http_hello').address)
    client.plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for piece in pieces(KEPT * 3 + LAST + KEPT, size):
        client.plain.send(piece)
    # What comes after "Connection: close" is not answered.
    assert client.recv_until_end() == KEPT_ANSWER * 3 + HTTP_ANSWER


@pytest.mark.parametrize(
    ('request_', 'status'),
    [
        (b'POST / HTTP/1.1\r\nContent-Length: 18\r\n\r\nGET / HTTP/1.1\r\n\r\n', 405),
        (b'GET / HTTP/1.1\r\nContent-Length: 18\r\n\r\nGET / HTTP/1.1\r\n\r\n', 413),
        (b'GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n', 413),
        (b'hello\r\n\r\n', 405),
        (b'GET / HTTP/1.1\r\nCookie: ' + b'x' * 10_000, 431),
    ],
)
def test_a_request_that_is_not_understood_ends_the_connection(
    request_: bytes, status: int, start: Any, connect: Any,
) -> None:
    client = connect(start('http_hello').address)
    client.sendall(request_)
    answer = client.recv_until_end()
    assert answer.startswith(b'HTTP/1.1 %d ' % status)
    assert answer.count(b'HTTP/1.1') == 1


def test_a_client_that_asks_and_does_not_read_is_not_asked_for_more(
    start: Any, connect: Any, native: Any,
) -> None:
    client = connect(start('http_hello').address)
    count = 100_000  # of questions: 5 MB, which the kernel does not buffer
    asking = native.start(client.plain.sendall, KEPT * count)
    expected = KEPT_ANSWER * count
    assert client.recv_exactly(len(expected)) == expected
    asking.get()


def test_the_http_client_of_the_standard_library_is_kept_alive(start: Any) -> None:
    client = http.client.HTTPConnection(*start('http_hello').address, timeout=10)
    with contextlib.closing(client):
        client.connect()
        sock = client.sock
        for method, body in (('GET', b'hello\n'), ('HEAD', b''), ('GET', b'hello\n')):
            client.request(method, '/')
            with client.getresponse() as response:
                assert (response.status, response.read()) == (200, body)
            assert client.sock is sock


def test_curl_uses_one_connection_for_several_requests(start: Any) -> None:
    host, port = start('http_hello').address
    url = f'http://{host}:{port}/'
    output = run(
        tool('curl'), '--silent', '--show-error', '--noproxy', '*',
        '--write-out', '%{http_code} %{num_connects}\n', url, url, url,
    )
    assert output == 'hello\n200 1\nhello\n200 0\nhello\n200 0\n'


def test_wrk_finds_nothing_wrong(start: Any) -> None:
    host, port = start('http_hello').address
    output = run(tool('wrk'), '-t1', '-c8', '-d1s', f'http://{host}:{port}/')
    assert re.search(r'^ +[1-9]\d* requests in ', output, re.MULTILINE), output
    assert 'Socket errors' not in output
    assert 'Non-2xx' not in output
