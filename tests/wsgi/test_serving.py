"""``gnet.wsgi.serve``: what an application is told, and what is logged when something is wrong."""

from __future__ import annotations

import errno
import io
import json
import logging
from collections.abc import Callable
from typing import Any

import gevent
import pytest

import gnet
from gnet import tls

from ..harness.authority import NAMES, authority
from ..harness.families import Family
from ..harness.native import Native, Peer
from ..harness.tls_peers import TlsPeer, client_context
from ..harness.waiting import until
from .common import GET, ask, read_answer, telling

Site = Callable[..., Any]


# --- what it is told ----------------------------------------------------------------------------


def test_one_connection_asks_several_times(site: Site, connect: Any) -> None:
    server = site(telling)
    peer = connect(server)
    told = ask(peer, b'/a%20path?name=value')
    assert {name: told[name] for name in (
        'REQUEST_METHOD', 'SCRIPT_NAME', 'PATH_INFO', 'QUERY_STRING', 'SERVER_PROTOCOL',
        'SERVER_NAME', 'SERVER_PORT', 'REMOTE_ADDR', 'REMOTE_PORT', 'HTTP_HOST', 'wsgi.url_scheme',
        'wsgi.multithread', 'wsgi.multiprocess', 'wsgi.run_once',
    )} == {
        'REQUEST_METHOD': 'GET', 'SCRIPT_NAME': '', 'PATH_INFO': '/a path',
        'QUERY_STRING': 'name=value', 'SERVER_PROTOCOL': 'HTTP/1.1', 'SERVER_NAME': '127.0.0.1',
        'SERVER_PORT': str(server.address().port), 'REMOTE_ADDR': '127.0.0.1',
        'REMOTE_PORT': str(peer.getsockname()[1]), 'HTTP_HOST': 'example.org',
        'wsgi.url_scheme': 'http', 'wsgi.multithread': True, 'wsgi.multiprocess': False,
        'wsgi.run_once': False,
    }
    assert 'HTTPS' not in told
    assert ask(peer, b'/again')['PATH_INFO'] == '/again'


def test_every_family_will_do(site: Site, connect: Any, family: Family) -> None:
    target = family.listen_options
    server = site(telling, **target)
    told = ask(connect(server))
    if family.host is None:
        assert (told['SERVER_NAME'], told['SERVER_PORT']) == ('localhost', '80')
        assert told['REMOTE_ADDR'] == ''
    else:
        assert (told['SERVER_NAME'], told['REMOTE_ADDR']) == (family.host, family.host)


def test_the_environ_has_what_the_option_says(site: Site, connect: Any) -> None:
    given = {'SERVER_NAME': 'example.org', 'own': 'value', 'wsgi.url_scheme': 'https'}
    told = ask(connect(site(telling, environ=given)))
    assert {name: told[name] for name in given} == given


def test_what_the_option_says_is_not_for_the_client_to_change(site: Site, connect: Any) -> None:
    given = {'REMOTE_ADDR': '192.0.2.1', 'HTTP_X_OWN': 'own', 'HTTP_HOST': 'example.com'}
    peer = connect(site(telling, environ=given))
    peer.sendall(b'GET / HTTP/1.1\r\nHost: example.org\r\nX-Own: theirs\r\n\r\n')
    told = json.loads(read_answer(peer)[2])
    assert {name: told[name] for name in given} == given


def test_behind_a_proxy_it_is_told_of_the_client(site: Site, connect: Any) -> None:
    server = site(telling, proxy_protocol={'trusted': ['127.0.0.1']})
    peer = connect(server)
    peer.sendall(b'PROXY TCP4 192.0.2.1 198.51.100.7 12345 8443\r\n')
    told = ask(peer)
    assert [told[name] for name in (
        'REMOTE_ADDR', 'REMOTE_PORT', 'SERVER_NAME', 'SERVER_PORT', 'wsgi.url_scheme',
    )] == ['192.0.2.1', '12345', '198.51.100.7', '8443', 'http']


def test_it_is_told_of_tls_that_ends_at_the_proxy(site: Site, connect: Any) -> None:
    server = site(telling, proxy_protocol={'trusted': ['127.0.0.1']})
    # Version 2, LOCAL addresses left out: TCP over IPv4, and a value of type SSL (0x20) with the
    # version of TLS (0x21).
    version = b'\x21\x00\x07TLSv1.3'
    secure = b'\x01\x00\x00\x00\x00' + version
    value = b'\x20' + len(secure).to_bytes(2, 'big') + secure
    ends = bytes([192, 0, 2, 1, 198, 51, 100, 7]) + (12345).to_bytes(2, 'big') + b'\x01\xbb'
    peer = connect(server)
    peer.sendall(
        b'\r\n\r\n\0\r\nQUIT\n\x21\x11' + (len(ends) + len(value)).to_bytes(2, 'big')
        + ends + value)
    told = ask(peer)
    assert [told[name] for name in (
        'wsgi.url_scheme', 'HTTPS', 'SSL_PROTOCOL', 'SSL_CLIENT_VERIFY', 'SERVER_PORT',
    )] == ['https', 'on', 'TLSv1.3', 'NONE', '443']


def test_it_is_told_of_tls(site: Site, connect: Any, native: Native) -> None:
    context = tls.create_secure_context(authority().certify(*NAMES).options)
    peer = TlsPeer(
        native, connect(site(telling, ssl_context=context)), client_context(),
        server_hostname='localhost')
    told = ask(peer.shake())
    assert [told[name] for name in (
        'wsgi.url_scheme', 'HTTPS', 'SSL_CLIENT_VERIFY')] == ['https', 'on', 'NONE']
    assert told['SSL_PROTOCOL'].startswith('TLSv1.')
    assert told['SSL_CIPHER']
    peer.close()


def test_an_application_may_use_the_socket(site: Site, connect: Any) -> None:
    seen: list[Any] = []

    def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        seen.append(environ['gnet.socket'])
        return telling(environ, start_response)

    peer = connect(site(application))
    ask(peer)
    assert isinstance(seen[0], gnet.Socket)
    assert seen[0].remote_port == peer.getsockname()[1]


def test_limits_hold_and_metrics_count(site: Site, connect: Any) -> None:
    gnet.metrics.start()
    try:
        server = site(telling, max_connections=1)
        first = connect(server)
        ask(first)
        assert connect(server).recv_until_end() == b''
        name = f'server="127.0.0.1:{server.address().port}"'
        assert f'gnet_connections_accepted_total{{{name}}} 1' in gnet.metrics.openmetrics()
    finally:
        gnet.metrics.stop()


# --- how long it waits --------------------------------------------------------------------------


@pytest.mark.parametrize('read_timeout', [60_000, 5])
def test_a_connection_that_asks_for_nothing_is_closed_without_a_word(
    site: Site, connect: Any, caplog: pytest.LogCaptureFixture, read_timeout: float,
) -> None:
    caplog.set_level(logging.INFO)
    peer = connect(site(telling, keep_alive_timeout=20, read_timeout=read_timeout))
    ask(peer)
    assert peer.recv_until_end() == b''
    assert caplog.records == []


def test_a_connection_may_wait_for_ever(site: Site, connect: Any) -> None:
    server = site(telling, keep_alive_timeout=0, readTimeout=5)
    peer = connect(server)
    ask(peer)
    gevent.sleep(0.05)  # nothing happens, which is what is to be seen
    ask(peer)


def test_silence_in_the_midst_of_a_request_is_a_failure_of_the_client(
    site: Site, connect: Any, caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, 'gnet.wsgi')
    seen: list[BaseException] = []

    def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        try:
            environ['wsgi.input'].read()
        except OSError as error:
            seen.append(error)
            raise
        return telling(environ, start_response)

    peer = connect(site(application, read_timeout=20))
    peer.sendall(b'POST /form HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc')
    assert peer.recv_until_end() == b''
    [error] = seen
    assert error.code == 'ERR_READ_TIMEOUT'  # type: ignore[attr-defined]
    until(lambda: caplog.records)
    [record] = caplog.records
    assert (record.levelname, record.exc_info) == ('INFO', None)
    assert ' left in the midst of POST /form: ' in record.getMessage()


# --- what is wrong ------------------------------------------------------------------------------


def failing(environ: dict[str, Any], start_response: Any) -> Any:
    """Fail, in the way that the path says."""
    if environ['PATH_INFO'] == '/timeout':
        raise gevent.Timeout(1)
    if environ['PATH_INFO'] == '/database':
        raise ConnectionResetError(errno.ECONNRESET, 'of a connection that is not the client')
    if environ['PATH_INFO'] == '/nothing':
        raise TimeoutError
    if environ['PATH_INFO'] == '/said':
        environ['wsgi.errors'].write('one\ntwo')
        environ['wsgi.errors'].flush()
        return telling(environ, start_response)
    if environ['PATH_INFO'] == '/late':
        start_response('200 OK', [('Content-Length', '10')])
        return late()
    raise ValueError('in the application')


def late() -> Any:
    yield b'half '
    raise ValueError('in the application')


@pytest.mark.parametrize('path', ['/', '/timeout', '/database', '/nothing'])
def test_an_application_that_fails_costs_its_request(
    site: Site, connect: Any, caplog: pytest.LogCaptureFixture, path: str,
) -> None:
    server = site(failing)
    peer = connect(server)
    peer.sendall(GET % path.encode())
    status, _, body = read_answer(peer)
    assert (status, b'application' in body) == (500, False)
    [record] = caplog.records
    assert (record.name, record.levelname) == ('gnet.wsgi', 'ERROR')
    assert record.getMessage() == f'GET {path} of 127.0.0.1:{peer.getsockname()[1]} failed'
    assert record.exc_info is not None
    assert record.exc_info[0] is {
        '/': ValueError, '/timeout': gevent.Timeout, '/database': ConnectionResetError,
        '/nothing': TimeoutError}[path]
    ask(connect(server), b'/said')


def test_an_application_that_fails_in_the_midst_of_its_answer_cuts_it(
    site: Site, connect: Any, caplog: pytest.LogCaptureFixture,
) -> None:
    peer = connect(site(failing))
    peer.sendall(GET % b'/late')
    assert peer.recv_until_end().endswith(b'\r\n\r\nhalf ')
    assert [record.levelname for record in caplog.records] == ['ERROR']


def test_what_an_application_says_is_logged_in_lines(
    site: Site, connect: Any, caplog: pytest.LogCaptureFixture,
) -> None:
    ask(connect(site(failing)), b'/said')
    assert [(each.name, each.levelname, each.getMessage()) for each in caplog.records] == [
        ('gnet.wsgi', 'ERROR', 'one'), ('gnet.wsgi', 'ERROR', 'two')]


def test_what_is_no_http_is_answered_and_noted(
    site: Site, connect: Any, caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, 'gnet.wsgi')
    peer: Peer = connect(site(telling))
    peer.sendall(b'nonsense\r\n\r\n')
    assert peer.recv_until_end().startswith(b'HTTP/1.1 400 ')
    assert [record.levelname for record in caplog.records] == ['INFO']


@pytest.mark.parametrize('leaves', ['end', 'close', 'reset'])
def test_a_client_that_leaves_in_the_midst_of_its_body_is_one_line(
    site: Site, connect: Any, caplog: pytest.LogCaptureFixture, leaves: str,
) -> None:
    caplog.set_level(logging.INFO, 'gnet.wsgi')

    def reading(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        begun.append(environ['gnet.socket'])
        environ['wsgi.input'].read()
        return telling(environ, start_response)

    begun: list[Any] = []
    peer = connect(site(reading))
    peer.sendall(b'POST /form HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc')
    until(lambda: begun)
    getattr(peer, leaves)()
    if leaves == 'end':
        assert peer.recv_until_end().startswith(b'HTTP/1.1 400 ')
    until(lambda: begun[0].destroyed)
    until(lambda: caplog.records)
    assert [(record.levelname, record.exc_info) for record in caplog.records] == [('INFO', None)]
    assert ' left in the midst of POST /form: ' in caplog.messages[0]


def test_a_greenlet_that_is_killed_ends_its_connection(site: Site, connect: Any) -> None:
    def application(environ: dict[str, Any], start_response: Any) -> Any:
        start_response('200 OK', [])
        yield b'begun'
        running.append(gevent.getcurrent())
        gevent.sleep(3600)

    running: list[Any] = []
    peer = connect(site(application))
    peer.sendall(GET % b'/')
    until(lambda: running)
    running[0].kill()
    assert b'500' not in peer.recv_until_end()


# --- logs of requests, and arguments ------------------------------------------------------------


def test_a_request_log_is_a_file_or_a_logger(
    site: Site, connect: Any, caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    file = io.StringIO()
    ask(connect(site(telling, request_log=file)), b'/file')
    ask(connect(site(telling, requestLog=logging.getLogger('own'))), b'/logger')
    until(lambda: file.getvalue() and caplog.records)
    assert '"GET /file HTTP/1.1" 200 ' in file.getvalue()
    [record] = caplog.records
    assert record.name == 'own'
    assert '"GET /logger HTTP/1.1" 200 ' in record.getMessage()


@pytest.mark.parametrize(('application', 'options', 'code'), [
    ('text', {}, 'ERR_INVALID_ARG_TYPE'),
    (telling, {'keep_alive_timeout': '1'}, 'ERR_INVALID_ARG_TYPE'),
    (telling, {'keep_alive_timeout': -1}, 'ERR_OUT_OF_RANGE'),
    (telling, {'keepAliveTimeout': float('nan')}, 'ERR_OUT_OF_RANGE'),
    (telling, {'environ': [('a', 'b')]}, 'ERR_INVALID_ARG_TYPE'),
    (telling, {'request_log': 'file'}, 'ERR_INVALID_ARG_TYPE'),
    (telling, {'port': 65536}, 'ERR_SOCKET_BAD_PORT'),
])
def test_arguments_that_make_no_sense_are_refused_at_the_call(
    application: Any, options: dict[str, Any], code: str,
) -> None:
    with pytest.raises(gnet.CodedError) as wrong:
        gnet.wsgi.serve(application, **options)
    assert wrong.value.code == code


def test_a_keyword_that_is_no_option_is_refused() -> None:
    with pytest.raises(TypeError, match='nonsense'):
        gnet.wsgi.serve(telling, nonsense=1)
