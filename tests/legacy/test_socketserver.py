"""Handlers that expect a socket: of ``socketserver``, and of gevent's own servers."""

from __future__ import annotations

import socketserver
from collections.abc import Callable
from typing import Any

import pytest
from gevent.server import StreamServer

from ..harness.native import Peer

Serve = Callable[..., int]


class Lines(socketserver.StreamRequestHandler):
    """Counts the lines that it is sent."""

    def handle(self) -> None:
        for number, line in enumerate(self.rfile, 1):
            self.wfile.write(b'%d: %b' % (number, line))


class BufferedLines(Lines):
    """The same, by a file that is flushed in the end."""

    wbufsize = -1


class TimedLines(Lines):
    """The same, by a socket that is asked for several things."""

    timeout = 10
    disable_nagle_algorithm = True


class Bytes(socketserver.BaseRequestHandler):
    """The same, without files."""

    def handle(self) -> None:
        number, rest = 1, b''
        while chunk := self.request.recv(3):
            *lines, rest = (rest + chunk).split(b'\n')
            for line in lines:
                self.request.sendall(b'%d: %b\n' % (number, line))
                number += 1


def by_its_handler(handler: Any) -> Callable[[Any], None]:
    return lambda sock: handler(sock, ('127.0.0.1', sock.remote_port), None)


def by_its_server(handler: Any) -> Callable[[Any], None]:
    """Let a server that listens to nothing do all that follows its accept()."""
    def handle(sock: Any) -> None:
        server = socketserver.TCPServer(('127.0.0.1', 0), handler, bind_and_activate=False)
        server.server_close()
        server.process_request(sock, ('127.0.0.1', sock.remote_port))  # type: ignore[arg-type]

    return handle


@pytest.mark.parametrize('handler', [Lines, BufferedLines, TimedLines, Bytes])
@pytest.mark.parametrize('way', [by_its_handler, by_its_server])
def test_a_handler_of_socketserver(
    serve: Serve, connect: Any, way: Any, handler: type[Any],
) -> None:
    peer: Peer = connect(('127.0.0.1', serve(way(handler))))
    peer.sendall(b'one\ntwo\nthree\n')
    peer.end()
    assert peer.recv_until_end() == b'1: one\n2: two\n3: three\n'


@pytest.mark.parametrize('handler', [Lines, Bytes])
@pytest.mark.parametrize('way', [by_its_handler, by_its_server])
def test_a_peer_that_leaves_a_handler_of_socketserver(
    serve: Serve, connect: Any, way: Any, handler: type[Any],
) -> None:
    port = serve(way(handler))
    for leave in ('close', 'end'):
        peer: Peer = connect(('127.0.0.1', port))
        peer.sendall(b'one\nhal')
        assert peer.recv_exactly(7) == b'1: one\n'
        getattr(peer, leave)()
        if leave == 'end':
            rest = b'2: hal' if handler is Lines else b''
            assert peer.recv_until_end() == rest


def echo(sock: Any, _address: Any) -> None:
    with sock, sock.makefile('rwb') as file:
        for line in file:
            file.write(line)
            file.flush()


class Echo(StreamServer):
    """Has its handler as a method, as gevent's documentation shows."""

    def handle(self, sock: Any, address: Any) -> None:
        echo(sock, address)


@pytest.mark.parametrize('server', [
    pytest.param(lambda: StreamServer(('127.0.0.1', 0), echo), id='function'),
    pytest.param(lambda: Echo(('127.0.0.1', 0)), id='method'),
])
@pytest.mark.parametrize('closes', [False, True])
def test_a_handler_of_gevents_servers(
    serve: Serve, connect: Any, server: Callable[[], Any], closes: bool,
) -> None:
    theirs = server()

    def handle(sock: Any) -> None:
        theirs.handle(sock, ('127.0.0.1', sock.remote_port))
        if closes:
            theirs.do_close(sock)  # what it does afterwards

    peer: Peer = connect(('127.0.0.1', serve(handle)))
    peer.sendall(b'one\n')
    assert peer.recv_exactly(4) == b'one\n'
    peer.sendall(b'two')
    peer.end()
    assert peer.recv_until_end() == b'two'
