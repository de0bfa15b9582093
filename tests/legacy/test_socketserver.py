"""Handlers of ``socketserver`` and ``http.server``, by ``gnet.from_socketserver``."""

from __future__ import annotations

import http.server
import json
import logging
import socketserver
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import gnet

from ..harness.families import Family
from ..harness.waiting import until

Serve = Callable[..., int]


class Shout(socketserver.StreamRequestHandler):
    """Sends lines back, in capitals."""

    def handle(self) -> None:
        for line in self.rfile:
            self.wfile.write(line.upper())


class Buffered(Shout):
    """The same with the settings that a handler may have."""

    wbufsize = -1
    timeout = 10
    disable_nagle_algorithm = True


class Plain(socketserver.BaseRequestHandler):
    """The same without files."""

    def handle(self) -> None:
        while True:
            data = self.request.recv(100)
            if not data:
                return
            self.request.sendall(data.upper())


class Telling(socketserver.StreamRequestHandler):
    """Says what a handler knows of its server, which counts its requests."""

    def handle(self) -> None:
        server: Any = self.server
        server.count = getattr(server, 'count', 0) + 1
        self.wfile.write(json.dumps([
            server.server_address, server.server_name, server.server_port, server.count,
            self.client_address, server.address_family == self.request.family,
            server.RequestHandlerClass is Telling, type(server).__name__,
        ]).encode())


@pytest.fixture
def ask(connect: Any) -> Callable[[Any, bytes], bytes]:
    def ask(target: Any, sent: bytes) -> bytes:
        peer = connect(target)
        peer.sendall(sent)
        peer.end()
        answer: bytes = peer.recv_until_end()
        peer.close()
        return answer

    return ask


@pytest.mark.parametrize('handler', [Shout, Buffered, Plain])
def test_a_handler_serves_connections(serve: Serve, ask: Any, handler: Any) -> None:
    port = serve(gnet.from_socketserver(handler))
    for sent in (b'one\n', b'two\n' * 10_000):
        assert ask(('127.0.0.1', port), sent) == sent.upper()


def test_a_handler_finds_its_server_and_its_client(family: Family, connect: Any) -> None:
    with gnet.serve(gnet.from_socketserver(Telling), **family.listen_options) as server:
        peers = [connect(server) for _ in range(2)]
        told = [json.loads(peer.recv_until_end()) for peer in peers]
        address: Any = server.address()
        for number, (peer, each) in enumerate(zip(peers, told), 1):
            if family.host is None:
                assert each[:4] == [family.path, family.path, 0, number]
                assert each[4] == ''
            else:
                assert each[0] == list(peer.getpeername())
                assert each[1:4] == [family.host, address.port, number]
                assert each[4] == list(peer.getsockname())
            assert each[5:] == [True, True, 'HandlersServer']
            peer.close()


def test_servers_of_one_handler_have_a_count_of_their_own(ask: Any) -> None:
    handler = gnet.from_socketserver(Telling)
    with gnet.serve(handler) as first, gnet.serve(handler) as second:
        counts = [json.loads(ask(server, b''))[3] for server in (first, first, second)]
    assert counts == [1, 2, 1]


def test_a_handler_may_be_given_a_server(serve: Serve, ask: Any) -> None:
    class Greet(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(self.server.greeting)  # type: ignore[attr-defined]

    class Settings:
        greeting = b'hello'

    port = serve(gnet.from_socketserver(Greet, Settings()))
    assert ask(('127.0.0.1', port), b'') == b'hello'


def test_behind_a_proxy_the_client_is_the_client(ask: Any) -> None:
    options = {'proxy_protocol': {'trusted': ['127.0.0.1']}}
    with gnet.serve(gnet.from_socketserver(Telling), **options) as server:
        told = json.loads(ask(server, b'PROXY TCP4 192.0.2.1 198.51.100.7 12345 443\r\n'))
    assert told[4] == ['192.0.2.1', 12345]


def test_a_handler_may_stop_its_server(connect: Any) -> None:
    class Stop(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.server.shutdown()
            self.request.sendall(b'stopped')

    server = gnet.serve(gnet.from_socketserver(Stop))
    peer = connect(server)
    assert peer.recv_until_end() == b'stopped'
    peer.close()
    until(lambda: not server.listening)
    assert server.stop(5) == 0


def test_what_a_handler_raises_costs_its_connection(
    connect: Any, hub_reports: list[Any], caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.CRITICAL)  # where gnet says it is no concern of this

    class Fail(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            if self.rfile.readline() == b'fail\n':
                raise ValueError('in the handler')
            self.wfile.write(b'fine')

    with gnet.serve(gnet.from_socketserver(Fail)) as server:
        bad, good = connect(server), connect(server)
        bad.sendall(b'fail\n')
        assert bad.recv_until_end() == b''
        good.sendall(b'go on\n')
        assert good.recv_until_end() == b'fine'
        bad.close()
        good.close()
    assert [str(error) for _, error in hub_reports] == ['in the handler']
    hub_reports.clear()


class Files(http.server.SimpleHTTPRequestHandler):
    """The files of a directory, kept quiet."""

    protocol_version = 'HTTP/1.1'
    directory_of_test = ''

    def __init__(self, *args: Any) -> None:
        super().__init__(*args, directory=self.directory_of_test)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # http.server's name
        """Be quiet."""


def test_http_server_serves_files(
    serve: Serve, connect: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Files, 'directory_of_test', str(tmp_path))
    text = b'line\n' * 50_000
    (tmp_path / 'file.txt').write_bytes(text)
    peer = connect(('127.0.0.1', serve(gnet.from_socketserver(Files))))
    request = b'GET /file.txt HTTP/1.1\r\nHost: x\r\n%b\r\n'
    peer.sendall(request % b'' + request % b'Connection: close\r\n')
    answers = peer.recv_until_end()
    assert answers.count(b'HTTP/1.1 200 OK\r\n') == 2
    assert answers.count(text) == 2


@pytest.mark.parametrize(('wrong', 'code'), [
    ('text', 'ERR_INVALID_ARG_TYPE'),
    (socketserver.TCPServer, 'ERR_INVALID_ARG_TYPE'),
    (socketserver.DatagramRequestHandler, 'ERR_INVALID_ARG_VALUE'),
])
def test_what_is_no_handler_of_streams_is_refused(wrong: Any, code: str) -> None:
    with pytest.raises(gnet.CodedTypeError) as refused:
        gnet.from_socketserver(wrong)
    assert refused.value.code == code
