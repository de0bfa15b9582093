"""What a request asks for, and the fields that would become what they are not."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from ..harness.native import Peer
from .common import ask, read_answer, telling

Site = Callable[..., Any]


def told_of(peer: Peer, request: bytes) -> dict[str, Any]:
    """Return what an application is told of a request, which gets its empty line here."""
    peer.sendall(request + b'\r\n')
    status, _, body = read_answer(peer)
    assert status == 200
    told: dict[str, Any] = json.loads(body)
    return told


@pytest.mark.parametrize(('line', 'path', 'query', 'host'), [
    (b'GET http://example.com/a%20path?a=b', '/a path', 'a=b', 'example.com'),
    (b'GET http://example.com:8080', '/', '', 'example.com:8080'),
    (b'GET http://example.com?a=/b', '/', 'a=/b', 'example.com'),
    (b'GET HTTPS://[::1]:443//a', '//a', '', '[::1]:443'),
    (b'GET http://example.com/http://example.net/', '/http://example.net/', '', 'example.com'),
    (b'OPTIONS http://example.com', '*', '', 'example.com'),
    (b'OPTIONS http://example.com/', '/', '', 'example.com'),
    (b'OPTIONS *', '*', '', 'example.org'),
    (b'GET /http://example.com/', '/http://example.com/', '', 'example.org'),
])
def test_a_target_is_a_path_whatever_its_form(
    site: Site, connect: Any, line: bytes, path: str, query: str, host: str,
) -> None:
    peer = connect(site(telling))
    told = told_of(peer, line + b' HTTP/1.1\r\nHost: example.org\r\n')
    assert (told['PATH_INFO'], told['QUERY_STRING'], told['HTTP_HOST']) == (path, query, host)
    assert told['wsgi.url_scheme'] == 'http'  # which is not what the client says
    assert ask(peer, b'/next')['HTTP_HOST'] == 'example.org'


def test_a_proxy_of_http_1_0_may_leave_out_the_host(site: Site, connect: Any) -> None:
    told = told_of(connect(site(telling)), b'GET http://example.com/path HTTP/1.0\r\n')
    assert (told['PATH_INFO'], told['HTTP_HOST']) == ('/path', 'example.com')


@pytest.mark.parametrize('line', [
    b'GET path', b'GET *', b'GET ?a=b', b'GET example.com:80', b'CONNECT example.com:443',
    b'CONNECT http://example.com/', b'GET ftp://example.com/', b'GET http:/path', b'GET http://',
    b'GET http:///path', b'GET http://user@example.com/', b'GET http://a\\b/', b'GET http://[::1/',
    b'GET http://example.com:port/', b'GET http://\xe4/',
])
def test_what_is_no_target_of_a_server_is_refused(site: Site, connect: Any, line: bytes) -> None:
    asked: list[Any] = []
    peer = connect(site(lambda *arguments: asked.append(arguments)))
    peer.sendall(line + b' HTTP/1.1\r\nHost: example.org\r\n\r\n')
    assert peer.recv_until_end().startswith(b'HTTP/1.1 400 ')
    assert asked == []


@pytest.mark.parametrize('head', [
    b'GET / HTTP/1.1\r\n', b'GET http://example.com/ HTTP/1.1\r\n',
    b'GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n', b'GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n',
    *(b'GET / HTTP/1.1\r\nHost: %b\r\n' % host for host in (
        b'a b', b'a, b', b'user@a', b'a/b', b'http://a', b'[::1', b'a:port', b'\xe4')),
])
def test_a_request_that_does_not_say_of_which_host_is_refused(
    site: Site, connect: Any, head: bytes,
) -> None:
    asked: list[Any] = []
    peer = connect(site(lambda *arguments: asked.append(arguments)))
    peer.sendall(head + b'\r\n')
    assert peer.recv_until_end().startswith(b'HTTP/1.1 400 ')
    assert asked == []


@pytest.mark.parametrize('host', [b'', b'a', b'a_b.example:80', b'a:', b'[::1]:80', b'192.0.2.1'])
def test_what_may_be_a_host_is_told_as_it_came(site: Site, connect: Any, host: bytes) -> None:
    told = told_of(connect(site(telling)), b'GET / HTTP/1.1\r\nHost: %b\r\n' % host)
    assert told['HTTP_HOST'] == host.decode()


def test_a_request_of_http_1_0_may_leave_out_the_host(site: Site, connect: Any) -> None:
    assert 'HTTP_HOST' not in told_of(connect(site(telling)), b'GET / HTTP/1.0\r\n')


def test_a_second_host_is_refused_beside_that_of_the_target_too(site: Site, connect: Any) -> None:
    peer = connect(site(telling))
    peer.sendall(b'GET http://a/ HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n')
    assert peer.recv_until_end().startswith(b'HTTP/1.1 400 ')


def test_a_field_is_not_taken_for_a_setting_of_the_program(site: Site, connect: Any) -> None:
    told = told_of(connect(site(telling)), (
        b'GET / HTTP/1.1\r\nHost: example.org\r\nProxy: http://evil.example\r\n'
        b'PROXY: http://evil.example\r\nProxy-Authorization: none\r\n'))
    assert [name for name in told if 'PROXY' in name] == ['HTTP_PROXY_AUTHORIZATION']


def test_a_field_is_not_taken_for_one_that_was_checked(site: Site, connect: Any) -> None:
    told = told_of(connect(site(telling)), (
        b'GET / HTTP/1.1\r\nHost: example.org\r\nX_Forwarded_For: 192.0.2.1\r\n'
        b'X-Forwarded-For: 192.0.2.2\r\nX-Forwarded_For: 192.0.2.3\r\nX_Other: a\r\n'))
    assert told['HTTP_X_FORWARDED_FOR'] == '192.0.2.2'
    assert 'HTTP_X_OTHER' not in told
