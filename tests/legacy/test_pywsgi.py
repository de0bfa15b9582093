"""A WSGI application, spoken to by gevent's ``pywsgi`` on the connections of a gnet server."""

from __future__ import annotations

import http.client
import io
from collections.abc import Callable, Iterator
from typing import Any

import gevent
import pytest
from gevent import monkey, pywsgi, subprocess
from gevent.event import Event

import gnet

from ..harness.families import Family
from ..harness.native import Native, Peer
from ..harness.programs import find_program
from ..harness.waiting import PATIENCE, until

#: More than the kernel buffers between two sockets.
MUCH = bytes(range(256)) * 40_000


class Application:
    """What it does depends on the path. It keeps what it has seen."""

    def __init__(self) -> None:
        self.requests: list[str] = []
        #: The answer that has no end was closed, as the server is to do with each.
        self.closed = Event()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        path = environ['PATH_INFO']
        self.requests.append(f'{environ["REQUEST_METHOD"]} {path}')
        if path == '/fail':
            raise ValueError('in the application')
        if path == '/parts':
            start_response('200 OK', [])
            return iter([b'one', b'two' * 50_000, b'three'])
        if path == '/endless':
            start_response('200 OK', [])
            return self._endless()
        if path == '/written':
            write = start_response('200 OK', [('Content-Length', '6')])
            write(b'abc')
            return [b'def']
        body = {
            '/large': lambda: MUCH,
            '/echo': environ['wsgi.input'].read,
            '/lines': lambda: b'|'.join(environ['wsgi.input']),
            '/who': environ.get('REMOTE_ADDR', 'nobody').encode,
        }.get(path, path.encode)()
        start_response('200 OK', [('Content-Length', str(len(body)))])
        return [body]

    def _endless(self) -> Iterator[bytes]:
        try:
            while True:
                yield MUCH
        finally:
            self.closed.set()


class Site:
    """A gnet server with an application, and who has called it."""

    def __init__(self) -> None:
        self.application = Application()
        self.errors = io.StringIO()
        self.callers: list[Any] = []
        self.http = pywsgi.WSGIServer(('', 0), self.application, log=None, error_log=self.errors)
        self.http.address = ('127.0.0.1', 80)
        self.http.update_environ()

    def handle(self, sock: Any) -> None:
        self.callers.append(sock)
        self.http.handle(sock, (sock.remote_address, sock.remote_port))


@pytest.fixture
def site() -> Site:
    return Site()


@pytest.fixture
def port(site: Site, serve: Callable[..., int]) -> int:
    return serve(site.handle)


@pytest.fixture
def peer(port: int, connect: Any) -> Peer:
    made: Peer = connect(('127.0.0.1', port))
    return made


def ask(native: Native, port: int, *requests: Any) -> list[tuple[int, bytes]]:
    """Return status and body of each answer; all come on one connection."""
    def asking() -> list[tuple[int, bytes]]:
        client = http.client.HTTPConnection('127.0.0.1', port, timeout=PATIENCE)
        client.connect()
        client.auto_open = 0
        answers = []
        try:
            for method, path, *rest in requests:
                client.request(method, path, *rest)
                response = client.getresponse()
                answers.append((response.status, response.read()))
        finally:
            client.close()
        return answers

    # In a patched process it would make a hub of its own in a native thread.
    run: Any = gevent.spawn(asking).get if monkey.is_module_patched('socket') else (
        lambda: native(asking))
    result: list[tuple[int, bytes]] = run()
    return result


# --- requests and answers -------------------------------------------------------------------------


def test_one_connection_serves_many_requests(site: Site, port: int, native: Native) -> None:
    assert ask(
        native, port, ('GET', '/one'), ('POST', '/echo', b'body'), ('GET', '/written'),
        ('GET', '/who'),
    ) == [(200, b'/one'), (200, b'body'), (200, b'abcdef'), (200, b'127.0.0.1')]
    assert len(site.callers) == 1
    assert site.errors.getvalue() == ''


def test_an_answer_in_chunks(site: Site, port: int, native: Native) -> None:
    parts = b'one' + b'two' * 50_000 + b'three'
    assert ask(native, port, ('GET', '/parts'), ('GET', '/one')) == [
        (200, parts), (200, b'/one')]
    assert len(site.callers) == 1


def test_a_request_in_chunks(port: int, native: Native) -> None:
    def chunks() -> Iterator[bytes]:
        yield b'one\n'
        yield b'two\n' * 20_000

    assert ask(native, port, ('POST', '/echo', chunks()), ('POST', '/lines', b'a\nb')) == [
        (200, b'one\n' + b'two\n' * 20_000), (200, b'a\n|b')]


def test_large_requests_and_answers(port: int, native: Native) -> None:
    assert ask(native, port, ('POST', '/echo', MUCH), ('GET', '/large')) == [
        (200, MUCH), (200, MUCH)]


def test_a_body_that_the_application_does_not_read_is_passed_over(
    site: Site, port: int, native: Native,
) -> None:
    assert ask(native, port, ('POST', '/one', MUCH), ('GET', '/two')) == [
        (200, b'/one'), (200, b'/two')]
    assert len(site.callers) == 1


def test_pipelined_requests_are_answered_in_order(peer: Peer) -> None:
    names = [b'/%d' % number for number in range(50)]
    peer.sendall(b''.join(b'GET %b HTTP/1.1\r\nHost: x\r\n\r\n' % name for name in names[:-1]))
    peer.sendall(b'GET %b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n' % names[-1])
    answers = peer.recv_until_end().split(b'HTTP/1.1 200 OK\r\n')[1:]
    assert [answer.partition(b'\r\n\r\n')[2] for answer in answers] == names


@pytest.mark.parametrize('path', [b'/one', b'/parts', b'/large'])
def test_http_1_0_is_closed_after_its_answer(peer: Peer, path: bytes) -> None:
    peer.sendall(b'GET %b HTTP/1.0\r\n\r\n' % path)
    head, _, body = peer.recv_until_end().partition(b'\r\n\r\n')
    assert b'\r\nConnection: close' in head
    assert b'chunked' not in head
    assert body == {
        b'/one': b'/one', b'/parts': b'one' + b'two' * 50_000 + b'three', b'/large': MUCH}[path]


def test_http_1_0_may_be_kept_alive(peer: Peer, site: Site) -> None:
    peer.sendall(b'GET /one HTTP/1.0\r\nConnection: keep-alive\r\n\r\n')
    answer = b''
    while not answer.endswith(b'/one'):
        answer += peer.recv(1000)
    peer.sendall(b'GET /two HTTP/1.0\r\n\r\n')
    assert peer.recv_until_end().endswith(b'\r\n\r\n/two')
    assert len(site.callers) == 1


def test_curl_may_wait_for_the_leave_to_send_its_body(port: int) -> None:
    output = subprocess.check_output(
        [find_program('curl', 'curl'), '--disable', '--noproxy', '*', '--silent', '--fail',
         '--max-time', str(PATIENCE), '--header', 'Expect: 100-continue',
         '--data-binary', '@-', f'http://127.0.0.1:{port}/echo'], input=MUCH[:1_000_000])
    assert output == MUCH[:1_000_000]


def test_every_family_will_do(
    site: Site, family: Family, connect: Any, servers: Any,
) -> None:
    server = servers(site.handle, family.listen_options)
    client = connect(server)
    client.sendall(b'GET /one HTTP/1.0\r\n\r\n')
    assert client.recv_until_end().endswith(b'\r\n\r\n/one')


@pytest.fixture
def servers() -> Iterator[Callable[..., gnet.Server]]:
    """``servers(handler, target)`` returns a server that listens."""
    made: list[gnet.Server] = []

    def listen(handler: Any, target: dict[str, Any]) -> gnet.Server:
        server = gnet.create_server(handler)
        made.append(server)
        server.listen(**target)
        gnet.once(server, 'listening', timeout=PATIENCE)
        return server

    yield listen
    assert [server.stop(PATIENCE) for server in made] == [0] * len(made)


# --- clients that leave, and what is wrong --------------------------------------------------------


@pytest.mark.parametrize('leaves', ['close', 'reset'])
def test_a_client_that_leaves_in_the_middle_of_its_answer(
    site: Site, peer: Peer, leaves: str,
) -> None:
    peer.sendall(b'GET /endless HTTP/1.1\r\nHost: x\r\n\r\n')
    assert peer.recv_exactly(100_000)
    getattr(peer, leaves)()
    assert site.application.closed.wait(PATIENCE)
    until(lambda: site.callers[0].destroyed)
    assert site.errors.getvalue() == ''


HALF_REQUESTS = [
    b'', b'GET /one', b'GET /one HTTP/1.1\r\nHost:', b'POST /echo HTTP/1.1\r\nContent-Le',
]
HALF_BODIES = [
    b'POST /echo HTTP/1.1\r\nContent-Length: 100\r\n\r\nabc',
    b'POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab',
]


@pytest.mark.parametrize('sent', [*HALF_REQUESTS, *HALF_BODIES])
@pytest.mark.parametrize('leaves', ['end', 'close', 'reset'])
def test_a_client_that_leaves_in_the_middle_of_its_request(
    site: Site, port: int, connect: Any, native: Native, hub_reports: list[Any], sent: bytes,
    leaves: str,
) -> None:
    client = connect(('127.0.0.1', port))
    if sent:
        client.sendall(sent)
    until(lambda: site.callers)
    getattr(client, leaves)()
    if leaves == 'end':
        client.recv_until_end()
        client.close()
    until(lambda: site.callers[0].destroyed)
    assert ask(native, port, ('GET', '/next')) == [(200, b'/next')]
    # The application's read of half a body fails, which pywsgi reports.
    texts = [str(error) for _, error in hub_reports]
    assert len(texts) <= (sent in HALF_BODIES), texts
    assert all(text.startswith('unexpected end of file while ') for text in texts)
    hub_reports.clear()


def test_an_application_that_fails_costs_its_request(
    port: int, native: Native, hub_reports: list[Any],
) -> None:
    [(status, _)] = ask(native, port, ('GET', '/fail'))
    assert status == 500
    assert ask(native, port, ('GET', '/next')) == [(200, b'/next')]
    assert [str(error) for _, error in hub_reports] == ['in the application']
    hub_reports.clear()


@pytest.mark.parametrize(('sent', 'status'), [
    (b'nonsense\r\n\r\n', 400),
    (b'GET / HTTP/1.1\r\nContent-Length: abc\r\n\r\n', 400),
    (b'POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n', 400),
    (b'GET /' + b'a' * 9000, 414),
])
def test_a_request_that_is_wrong_is_answered_and_closed(
    peer: Peer, sent: bytes, status: int,
) -> None:
    peer.sendall(sent)
    assert peer.recv_until_end().startswith(b'HTTP/1.1 %d ' % status)


def test_a_client_that_asks_for_nothing_is_closed_in_time(
    site: Site, serve: Callable[..., int], connect: Any,
) -> None:
    def handle(sock: Any) -> None:
        sock.settimeout(0.01)
        site.handle(sock)

    client = connect(('127.0.0.1', serve(handle)))
    assert client.recv_until_end() == b''
    assert site.errors.getvalue() == ''


def test_a_stop_waits_for_requests_that_are_being_answered(
    site: Site, servers: Any, connect: Any,
) -> None:
    server = servers(site.handle, {'port': 0, 'host': '127.0.0.1'})
    client = connect(server)
    client.sendall(b'GET /large HTTP/1.0\r\n\r\n')
    assert client.recv_exactly(100)
    server.close()
    assert client.recv_until_end().endswith(MUCH)
