"""A server of an application is closed: what has come is answered, who only might ask is not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gevent
import pytest
from gevent.event import Event

from gnet import tls
from gnet.servers.internals import connections_of
from gnet.wsgi import handler
from gnet.wsgi import site as site_of_it

from ..harness.authority import NAMES, authority
from ..harness.native import Native
from ..harness.tls_peers import TlsPeer, client_context
from ..harness.transitions import watched
from ..harness.waiting import PATIENCE, until
from .common import GET, ask, read_answer, telling

Site = Callable[..., Any]


@pytest.fixture(autouse=True)
def _phases_follow_the_table() -> Any:
    with watched((site_of_it.Site, '_phase', site_of_it.FOLLOWS)) as wrong:
        yield
    assert wrong == []


class Slow:
    """An application that answers when it is told to."""

    def __init__(self) -> None:
        self.begun = Event()
        self.go_on = Event()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        if environ['PATH_INFO'] == '/slow':
            self.begun.set()
            assert self.go_on.wait(PATIENCE)
        return telling(environ, start_response)


def test_an_answer_is_finished_and_says_that_it_is_the_last(site: Site, connect: Any) -> None:
    slow = Slow()
    server = site(slow)
    peer = connect(server)
    peer.sendall(GET % b'/slow')
    assert slow.begun.wait(PATIENCE)
    server.close()
    slow.go_on.set()
    status, headers, _ = read_answer(peer)
    assert (status, headers['connection']) == (200, 'close')
    assert peer.recv_until_end() == b''


def test_http_1_0_that_asked_to_be_kept_is_told_so_too(site: Site, connect: Any) -> None:
    slow = Slow()
    server = site(slow)
    peer = connect(server)
    peer.sendall(b'GET /slow HTTP/1.0\r\nConnection: keep-alive\r\n\r\n')
    assert slow.begun.wait(PATIENCE)
    server.close()
    slow.go_on.set()
    answer = peer.recv_until_end()
    assert answer.lower().count(b'\r\nconnection: ') == 1
    assert b'\r\nConnection: close\r\n' in answer


def test_who_waits_between_two_requests_is_closed_at_once(site: Site, connect: Any) -> None:
    server = site(telling, keep_alive_timeout=None)
    peers = [connect(server) for _ in range(3)]
    for peer in peers:
        ask(peer)
    with gevent.Timeout(site_of_it.GRACE):  # it is not that which ends them
        assert server.stop() == 0
    assert [peer.recv_until_end() for peer in peers] == [b''] * 3


def test_tls_is_ended_by_a_word(site: Site, connect: Any, native: Native) -> None:
    context = tls.create_secure_context(authority().certify(*NAMES).options)
    server = site(telling, ssl_context=context)
    peer = TlsPeer(native, connect(server), client_context(), server_hostname='localhost').shake()
    ask(peer)
    stopping = gevent.spawn(server.stop)
    assert peer.recv_until_end() == b''  # close_notify: without it, this raises
    peer.close()
    assert stopping.get(timeout=PATIENCE) == 0


def test_a_request_that_has_begun_is_answered(site: Site, connect: Any) -> None:
    server = site(telling)
    peer = connect(server)
    ask(peer)
    peer.sendall(b'GET /begun HTT')
    [sock] = connections_of(server).sockets
    until(lambda: sock.bytes_read > len(GET % b'/'))
    server.close()
    peer.sendall(b'P/1.1\r\nHost: x\r\n\r\n')
    status, headers, _ = read_answer(peer)
    assert (status, headers['connection']) == (200, 'close')


def test_who_has_just_connected_may_still_ask(site: Site, connect: Any) -> None:
    server = site(telling)
    peer = connect(server)
    until(lambda: server.get_connections() == 1)
    server.close()
    peer.sendall(GET % b'/')
    status, headers, _ = read_answer(peer)
    assert (status, headers['connection']) == (200, 'close')
    assert peer.recv_until_end() == b''


def test_who_has_connected_and_asks_for_nothing_has_a_moment(
    site: Site, connect: Any, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(site_of_it, 'GRACE', 0.02)
    server = site(telling, keep_alive_timeout=None)
    peer = connect(server)
    until(lambda: server.get_connections() == 1)
    assert server.stop() == 0
    assert peer.recv_until_end() == b''


def test_it_may_listen_again(site: Site, connect: Any) -> None:
    server = site(telling)
    ask(connect(server))
    assert server.stop() == 0
    server.listen(0)
    peer = connect(('127.0.0.1', server.address().port))
    ask(peer)
    ask(peer)



@pytest.mark.parametrize('sent', [
    b'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n', b'nonsense\r\n\r\n',
    b'GET / HTTP/1.1\r\nHost: a\r\n\r\n'])
def test_a_client_that_never_ends_is_not_waited_for_after_the_last_answer(
    site: Site, connect: Any, monkeypatch: pytest.MonkeyPatch, sent: bytes,
) -> None:
    monkeypatch.setattr(handler, 'LINGER', 20)
    server = site(telling, keep_alive_timeout=20)
    peer = connect(server)
    peer.sendall(sent)
    assert peer.recv_until_end().startswith(b'HTTP/1.1 ')
    until(lambda: not connections_of(server).sockets)
    peer.close()


def test_what_a_client_still_sends_loses_it_no_answer(site: Site, connect: Any) -> None:
    peer = connect(site(telling))
    peer.sendall(b'nonsense\r\n\r\n' + 300_000 * b'a')
    assert peer.recv_until_end().startswith(b'HTTP/1.1 400 ')
    peer.sendall(300_000 * b'a')
    peer.close()
