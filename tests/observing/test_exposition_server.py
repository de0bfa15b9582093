"""``gnet.metrics.serve``: metrics by HTTP, asked for by plain sockets."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

import gnet
from gnet import metrics
from gnet.observing import exposition_server
from gnet.servers.roster import roster

from ..harness import families
from ..harness.native import Peer
from ..harness.openmetrics import parse, series
from ..harness.waiting import until

Connect = Callable[..., Peer]


@pytest.fixture
def server() -> Iterator[gnet.Server]:
    server = metrics.serve(0)
    yield server
    server.stop(0)
    metrics.stop()


def ask(connect: Connect, server: Any, request: str | bytes) -> tuple[int, dict[str, str], str]:
    """Return status, fields (their names in lower case) and body of the answer."""
    peer = connect(server)
    peer.sendall(request.encode() if isinstance(request, str) else request)
    head, _, body = peer.recv_until_end().partition(b'\r\n\r\n')
    first, *lines = head.decode().split('\r\n')
    fields = {
        name.lower(): value.strip()
        for name, _, value in (line.partition(':') for line in lines)}
    assert fields['connection'] == 'close'
    return int(first.split()[1]), fields, body.decode()


def test_it_answers_in_the_older_format_by_default(connect: Connect, server: gnet.Server) -> None:
    status, fields, body = ask(connect, server, 'GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n')
    assert status == 200
    assert fields['content-type'] == 'text/plain; version=0.0.4; charset=utf-8'
    assert int(fields['content-length']) == len(body.encode())
    assert '# TYPE gnet_hub_lag_seconds histogram\n' in body
    assert '# EOF' not in body


def test_it_answers_in_openmetrics_if_that_is_asked_for(
    connect: Connect, server: gnet.Server,
) -> None:
    status, fields, body = ask(
        connect, server, 'GET /metrics?x=y HTTP/1.1\r\nHost: x\r\n'
        'accept: application/openmetrics-text;version=1.0.0,text/plain;q=0.5\r\n\r\n')
    assert status == 200
    assert fields['content-type'] == metrics.CONTENT_TYPE
    assert series('gnet_hub_lag_seconds_count') in parse(body)


def test_head_has_no_body(connect: Connect, server: gnet.Server) -> None:
    status, fields, body = ask(connect, server, 'HEAD /metrics HTTP/1.0\r\n\r\n')
    assert (status, body) == (200, '')
    assert int(fields['content-length']) > 100


def test_a_whole_url_will_do(connect: Connect, server: gnet.Server) -> None:
    status, _, body = ask(
        connect, server, 'GET http://example.org:9100/metrics?x=y HTTP/1.1\r\nHost: x\r\n\r\n')
    assert status == 200
    assert '# TYPE gnet_hub_lag_seconds histogram\n' in body


@pytest.mark.parametrize(('request_head', 'status'), [
    ('GET http://example.org/ HTTP/1.1', 404), ('GET http:///metrics HTTP/1.1', 404),
    ('GET http://example.org HTTP/1.1', 404),
    ('GET / HTTP/1.1', 404), ('GET /metrics/ HTTP/1.1', 404), ('GET /metricsx HTTP/1.1', 404),
    ('POST /metrics HTTP/1.1', 405), ('DELETE /metrics HTTP/1.1', 405),
    ('GET /metrics', 400), ('GET /metrics HTTP/2.0', 400), ('nonsense', 400), ('', 400),
    ('\x00\xff', 400), ('GET  /metrics HTTP/1.1', 400),
])
def test_anything_else_is_refused(
    connect: Connect, server: gnet.Server, request_head: str, status: int,
) -> None:
    got, fields, _ = ask(connect, server, request_head.encode('latin-1') + b'\r\nHost: x\r\n\r\n')
    assert got == status
    assert ('allow' in fields) == (status == 405)


@pytest.mark.parametrize(('version', 'fields', 'status'), [
    ('1.1', '', 400), ('1.1', 'Host: a\r\nhost: a\r\n', 400), ('1.1', 'Host: a b\r\n', 400),
    ('1.1', 'Host : a\r\n', 400), ('1.0', 'Host: a\r\nHost: a\r\n', 400),
    ('1.1', 'Host:\r\n', 200), ('1.1', 'hOST:[::1]:9100\r\n', 200), ('1.0', '', 200),
])
@pytest.mark.parametrize('target', ['/metrics', 'http://example.org/metrics'])
def test_for_whom_a_request_is_must_be_certain(
    connect: Connect, server: gnet.Server, target: str, version: str, fields: str, status: int,
) -> None:
    got, _, _ = ask(connect, server, f'GET {target} HTTP/{version}\r\n{fields}\r\n')
    assert got == status


def test_a_request_that_has_no_end_is_refused(connect: Connect, server: gnet.Server) -> None:
    status, _, _ = ask(
        connect, server, b'GET /metrics HTTP/1.1\r\nX: ' + b'x' * exposition_server.MAX_REQUEST)
    assert status == 431


def test_half_a_request_is_refused_when_the_peer_ends(
    connect: Connect, server: gnet.Server,
) -> None:
    peer = connect(server)
    peer.sendall(b'GET /metr')
    peer.end()
    assert peer.recv_until_end().startswith(b'HTTP/1.1 400 ')


def test_who_is_slow_is_cut(
    connect: Connect, server: gnet.Server, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(exposition_server, 'PATIENCE', 0.05)
    peer = connect(server)
    peer.sendall(b'GET /metrics HTTP/1.1\r\n')
    assert peer.recv_until_end() == b''


def test_who_does_not_read_is_cut(
    connect: Connect, server: gnet.Server, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(exposition_server, 'PATIENCE', 0.05)
    monkeypatch.setattr(metrics.text_formats, 'prometheus', lambda snapshot: 'x' * 50_000_000)
    peer = connect(server)
    peer.sendall(b'GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n')
    assert peer.recv(1) == b'H'
    until(lambda: server.get_connections() == 0)


def test_who_keeps_the_connection_open_is_cut(
    connect: Connect, server: gnet.Server, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(exposition_server, 'PATIENCE', 0.05)
    peer = connect(server)
    peer.sendall(b'GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n')
    assert peer.recv_until_end().startswith(b'HTTP/1.1 200 ')
    until(lambda: server.get_connections() == 0)


def test_no_more_than_so_many_may_ask_at_a_time(
    connect: Connect, server: gnet.Server,
) -> None:
    assert server.max_connections == exposition_server.MAX_CONNECTIONS
    server.max_connections = 1
    first = connect(server)
    until(lambda: server.get_connections() == 1)
    assert connect(server).recv(1) == b''
    first.sendall(b'GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n')
    assert first.recv_until_end().startswith(b'HTTP/1.1 200 ')


def test_it_counts_nothing_of_itself_and_no_sigterm_drains_it(
    connect: Connect, server: gnet.Server,
) -> None:
    for _ in range(2):
        _, _, body = ask(connect, server, 'GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n')
    assert 'gnet_connections_accepted' not in body
    assert server not in roster.servers


def test_a_failure_of_ours_is_an_answer_too(
    connect: Connect, server: gnet.Server, monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail(snapshot: Any) -> str:
        raise LookupError('out of numbers')

    monkeypatch.setattr(metrics.text_formats, 'prometheus', fail)
    status, _, body = ask(connect, server, 'GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n')
    assert status == 500
    assert 'numbers' not in body
    assert [record.name for record in caplog.records] == ['gnet.metrics']


@pytest.mark.parametrize(('arguments', 'code'), [
    ((-1,), 'ERR_SOCKET_BAD_PORT'), (('x',), 'ERR_SOCKET_BAD_PORT'),
    ((0, ''), 'ERR_INVALID_ARG_TYPE'), ((0, None), 'ERR_INVALID_ARG_TYPE'),
    ((0, '203.0.113.1'), 'EADDRNOTAVAIL'), ((0, 'no.such.host.invalid'), 'ENOTFOUND'),
])
def test_where_it_cannot_be_served_it_says_so_at_the_call(
    arguments: tuple[Any, ...], code: str,
) -> None:
    with pytest.raises((OSError, gnet.CodedError)) as caught:
        metrics.serve(*arguments)
    metrics.stop()
    assert caught.value.code == code


def test_a_port_that_is_taken(server: gnet.Server) -> None:
    with pytest.raises(OSError, match='EADDRINUSE') as caught:
        metrics.serve(server.address().port)
    assert caught.value.code == 'EADDRINUSE'


def test_on_ipv6(connect: Connect) -> None:
    if not families.has_ipv6():
        pytest.skip('this machine has no IPv6 loopback address (::1)')
    server = metrics.serve(0, '::1')
    try:
        status, _, _ = ask(connect, server, 'GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n')
        assert status == 200
    finally:
        server.stop(0)
        metrics.stop()
