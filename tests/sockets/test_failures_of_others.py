"""A failure of another connection, let through by a listener, is no doing of this one's peer."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import gevent.socket
import pytest
from gevent.event import Event

import gnet

from ..harness.families import Family
from ..harness.native import Peer
from ..harness.waiting import PATIENCE, turn, until

Reports = Any  # of (context, exception)


class Upstream:
    """What a handler connects to; it resets each connection."""

    def __init__(self, serve: Any) -> None:
        self._server = serve(lambda sock: sock.reset_and_destroy())

    def fail(self, style: str) -> Any:
        """Raise what a connection to it fails with."""
        address = self._server.address()
        if style == 'plain':
            with gevent.socket.create_connection((address.address, address.port)) as plain:
                plain.recv(1)
        with gnet.connect(address.port, address.address) as sock:
            while True:
                sock.recv(1) if style == 'read' else sock.sendall(bytes(1_000_000))


@pytest.fixture
def upstream(serve: Any) -> Upstream:
    return Upstream(serve)


def in_the_handler(sock: Any, fail: Callable[[], object]) -> None:
    sock.recv(1)
    fail()


def in_data(sock: Any, fail: Callable[[], object]) -> None:
    sock.on('data', lambda data: fail())


def in_a_callback(sock: Any, fail: Callable[[], object]) -> None:
    sock.on('data', lambda data: sock.write(data, lambda error: fail()))


@pytest.mark.parametrize('where', [in_the_handler, in_data, in_a_callback])
@pytest.mark.parametrize('style', ['read', 'write', 'plain'])
@pytest.mark.parametrize('heard', [True, False], ids=['heard', 'unheard'])
def test_it_leaves_a_traceback(
    serve: Any, connect: Callable[[Any], Peer], caplog: pytest.LogCaptureFixture,
    hub_reports: Reports, upstream: Upstream, family: Family, where: Any, style: str, heard: bool,
) -> None:
    closed = Event()
    errors: list[Any] = []

    def handler(sock: Any) -> None:
        sock.on('close', lambda had_error: closed.set())
        if heard:
            sock.on('error', errors.append)
        where(sock, lambda: upstream.fail(style))

    caplog.set_level(logging.INFO, logger='gnet.socket')
    peer = connect(serve(handler, target=family.listen_options))
    peer.sendall(b'x')
    assert closed.wait(PATIENCE)
    turn()
    if not heard:
        [(_, failure)] = hub_reports
        assert isinstance(failure, ConnectionError)
        assert caplog.records == []
        return
    assert [isinstance(error, ConnectionError) for error in errors] == [True]
    [record] = caplog.records
    assert record.levelno == logging.ERROR
    assert record.exc_info is not None
    assert record.exc_info[1] is errors[0]
    assert hub_reports == []


def test_destroying_a_connection_with_it_does_not_blame_its_peer(
    serve: Any, connect: Callable[[Any], Peer], caplog: pytest.LogCaptureFixture,
    hub_reports: Reports, upstream: Upstream,
) -> None:
    def handler(sock: Any) -> None:
        try:
            upstream.fail('read')
        except OSError as error:
            sock.destroy(error)

    caplog.set_level(logging.INFO, logger='gnet.socket')
    peer = connect(serve(handler))
    assert peer.recv_until_end() == b''
    until(lambda: hub_reports)
    assert [error.code for _, error in hub_reports] == ['ECONNRESET']
    assert caplog.records == []


@pytest.mark.parametrize('reads', [True, False], ids=['recv', 'sendall'])
@pytest.mark.parametrize('heard', [True, False], ids=['heard', 'unheard'])
def test_the_connections_own_failure_is_one_line_or_none(
    serve: Any, connect: Callable[[Any], Peer], caplog: pytest.LogCaptureFixture, reads: bool,
    heard: bool,
) -> None:
    closed = Event()

    def handler(sock: Any) -> None:
        sock.on('close', lambda had_error: closed.set())
        if heard:
            sock.on('error', lambda error: None)
        while True:
            sock.recv(1) if reads else sock.sendall(bytes(100_000))

    caplog.set_level(logging.INFO, logger='gnet.socket')
    connect(serve(handler)).reset()
    assert closed.wait(PATIENCE)
    turn()
    assert [(record.levelno, record.exc_info) for record in caplog.records] == (
        [] if heard else [(logging.INFO, None)])


def test_writing_on_after_the_peers_end_is_its_doing_each_time(
    serve: Any, connect: Callable[[Any], Peer], caplog: pytest.LogCaptureFixture,
) -> None:
    over = Event()

    def handler(sock: Any) -> None:
        sock.on('close', lambda had_error: over.set())
        sock.resume()
        gnet.once(sock, 'finish', timeout=PATIENCE)  # it ends as its peer has
        for _ in range(3):
            with pytest.raises(BrokenPipeError):
                sock.sendall(b'x')
        assert len(sock._wire.failures) == 1
        sock.sendall(b'x')

    caplog.set_level(logging.INFO, logger='gnet.socket')
    peer = connect(serve(handler, allow_half_open=False))
    peer.end()
    assert over.wait(PATIENCE)
    turn()
    assert all(record.exc_info is None for record in caplog.records)


def test_writing_on_after_ending_it_oneself_is_nobody_elses_doing(
    serve: Any, connect: Callable[[Any], Peer], hub_reports: Reports,
) -> None:
    def handler(sock: Any) -> None:
        sock.end()
        sock.sendall(b'x')

    assert connect(serve(handler)).recv_until_end() == b''
    until(lambda: hub_reports)
    assert [type(error).__name__ for _, error in hub_reports] == ['BrokenPipeError']
