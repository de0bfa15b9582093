"""Where requests and answers end: what may be understood in two ways is refused, or put right."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any
from wsgiref.validate import validator

import pytest

from .common import GET, read_answer, telling

Site = Callable[..., Any]

POST = b'POST / HTTP/1.1\r\nHost: example.org\r\n'


def echo(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """Answer with what was sent."""
    body = environ['wsgi.input'].read()
    start_response('200 OK', [('Content-Length', str(len(body)))])
    return [body]


@pytest.mark.parametrize('head', [
    POST + b'Content-Length: 3\r\nContent-Length: 4\r\n',
    POST + b'Content-Length: 3, 3\r\n',
    POST + b'Content-Length: +3\r\n',
    POST + b'Content-Length: 0_3\r\n',
    POST + b'Content-Length: \xb2\r\n',
    POST + b'Content-Length: -3\r\n',
    POST + b'Content-Length: 3\r\nTransfer-Encoding: chunked\r\n',
    POST + b'Transfer-Encoding: gzip, chunked\r\n',
    POST + b'Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n',
    b'POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n',
    POST + b'Content-Length : 3\r\n',
    POST + b'a: b\rContent-Length: 3\r\n',
    POST + b'no field\r\nContent-Length: 3\r\n',
    POST + b'a: b\r\n folded: c\r\n',
    POST + b'a: \0\r\n',
    POST + b'Host: example.com\r\n',
    b'GET / HTTP/1\r\n',
    POST + 101 * b'a: b\r\n',
    POST + b'a: ' + 70_000 * b'b' + b'\r\n',
    POST + 10 * (b'a: ' + 7_000 * b'b' + b'\r\n'),
])
def test_a_request_whose_end_is_uncertain_is_refused(
    site: Site, connect: Any, caplog: pytest.LogCaptureFixture, head: bytes,
) -> None:
    caplog.set_level(logging.INFO, 'gnet.wsgi')
    asked: list[Any] = []
    peer = connect(site(lambda *arguments: asked.append(arguments)))
    peer.sendall(head + b'\r\nabc')
    answer = peer.recv_until_end()
    assert answer.startswith(b'HTTP/1.1 400 ')
    assert answer.count(b'HTTP/') == 1
    assert asked == []
    # A client must not be able to have tracebacks written.
    assert [(each.levelname, each.exc_info) for each in caplog.records] == [('INFO', None)]


def test_a_head_that_was_cut_is_no_request(site: Site, connect: Any) -> None:
    asked: list[Any] = []
    peer = connect(site(lambda *arguments: asked.append(arguments)))
    peer.sendall(b'DELETE /all HTTP/1.1\r\nHost: example.org\r\nIf-Matc')
    peer.end()
    assert peer.recv_until_end().startswith(b'HTTP/1.1 400 ')
    assert asked == []


@pytest.mark.parametrize('fields', [
    b'Content-Length: 3\t \r\n', b'Content-Length: 3\r\nContent-Length: 3\r\n',
    b'content-length:3\n', b'Content-Length: 3\r\nUpgrade: websocket\r\n',
    b'Content-Length: 3\r\nConnection: Upgrade\r\n', b'Content-Length: 3\r\na:\r\nb: \xfc\r\n',
])
def test_what_is_certain_is_served_and_the_next_request_too(
    site: Site, connect: Any, fields: bytes,
) -> None:
    peer = connect(site(echo))
    for body in (b'one', b'two'):
        peer.sendall(POST + fields + b'\r\n' + body)
        assert read_answer(peer)[::2] == (200, body)


def test_one_of_several_options_of_a_connection_is_that_it_ends(
    site: Site, connect: Any,
) -> None:
    peer = connect(site(telling))
    peer.sendall(POST + b'Connection: TE, Close\r\n\r\n')
    assert read_answer(peer)[1]['connection'] == 'close'
    assert peer.recv_until_end() == b''


# --- leave to send a body -----------------------------------------------------------------------


def test_leave_to_send_the_body_is_given_to_who_reads_it(site: Site, connect: Any) -> None:
    peer = connect(site(echo))
    peer.sendall(POST + b'Expect: 100-continue\r\nContent-Length: 3\r\n\r\n')
    assert peer.recv_exactly(25) == b'HTTP/1.1 100 Continue\r\n\r\n'
    peer.sendall(b'abc')
    assert read_answer(peer)[2] == b'abc'
    assert ask_echo(peer) == b'next'


def test_a_body_that_got_no_leave_is_not_waited_for(site: Site, connect: Any) -> None:
    peer = connect(site(telling))
    peer.sendall(POST + b'Expect: 100-continue\r\nContent-Length: 3\r\n\r\n')
    assert read_answer(peer)[1]['connection'] == 'close'
    assert peer.recv_until_end() == b''


def ask_echo(peer: Any) -> bytes:
    peer.sendall(POST + b'Content-Length: 4\r\n\r\nnext')
    body: bytes = read_answer(peer)[2]
    return body


# --- answers ------------------------------------------------------------------------------------


def answering(environ: dict[str, Any], start_response: Any) -> Any:
    """Answer with a body, of the length that the path says."""
    length = environ['PATH_INFO'][1:]
    start_response('200 OK', [('Content-Length', length)] if length else [])
    return iter([b'abc', b'def'])


@pytest.mark.parametrize('path', [b'/', b'/6'])
def test_the_answer_to_head_has_no_body(site: Site, connect: Any, path: bytes) -> None:
    peer = connect(site(answering))
    peer.sendall((GET % path).replace(b'GET', b'HEAD') + GET % b'/6')
    answers = b''
    while not answers.endswith(b'abcdef'):
        answers += peer.recv()
    head, other, body = answers.split(b'\r\n\r\n')
    assert other.startswith(b'HTTP/1.1 200 ')
    assert body == b'abcdef'
    assert (b'Content-Length: 6' in head) is (path == b'/6')


def test_the_length_of_what_an_application_leaves_out_for_head_is_not_that_of_its_answer(
    site: Site, connect: Any,
) -> None:
    def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response('200 OK', [])
        return []

    peer = connect(site(application))
    peer.sendall(b'HEAD / HTTP/1.0\r\n\r\n')
    assert b'content-length' not in peer.recv_until_end().lower()


@pytest.mark.parametrize(('path', 'body', 'said'), [
    (b'/5', b'abcde', 'longer than its Content-Length'),
    (b'/9', b'abcdef', 'lacks 3 bytes of its Content-Length'),
])
def test_an_answer_of_another_length_than_it_says_ends_the_connection(
    site: Site, connect: Any, caplog: pytest.LogCaptureFixture, path: bytes, body: bytes, said: str,
) -> None:
    peer = connect(site(answering))
    peer.sendall(GET % path + GET % b'/6')
    assert peer.recv_until_end().split(b'\r\n\r\n')[1:] == [body]
    [record] = caplog.records
    assert record.levelname == 'ERROR'
    assert said in record.getMessage()


def test_a_length_that_is_no_number_is_a_failure_of_the_application(
    site: Site, connect: Any, caplog: pytest.LogCaptureFixture,
) -> None:
    peer = connect(site(answering))
    peer.sendall(GET % b'/many')
    assert read_answer(peer)[0] == 500
    assert [record.levelname for record in caplog.records] == ['ERROR']


def test_it_keeps_to_pep_3333(site: Site, connect: Any) -> None:
    def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        environ['wsgi.errors'].flush()
        body = environ['wsgi.input'].read(100)
        start_response('200 OK', [
            ('Content-Type', 'text/plain'), ('Content-Length', str(len(body)))])
        return [body]

    peer = connect(site(validator(application)))
    assert ask_echo(peer) == b'next'
    assert ask_echo(peer) == b'next'
