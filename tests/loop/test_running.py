"""``gnet.run()``: how long it lasts, and how it ends."""

from __future__ import annotations

import sys
from typing import Any

import gevent
import pytest

import gnet
from gnet.loop.loop import get_loop

from ..harness.waiting import PATIENCE


def test_run_returns_when_nothing_is_left(server: gnet.Server) -> None:
    server.listen(0, '127.0.0.1')
    gevent.spawn_later(0.01, server.close)
    assert gnet.run() is True


def test_run_returns_at_once_when_there_is_nothing() -> None:
    assert gnet.run() is True


def test_run_waits_for_open_sockets_too(server: gnet.Server, connect: Any, native: Any) -> None:
    sockets: list[Any] = []
    server.on('connection', lambda sock: (sockets.append(sock), server.close()))
    server.listen(0, '127.0.0.1')
    gnet.once(server, 'listening')
    peer = connect(server)
    assert gnet.run(timeout=0.02) is False
    peer.end()
    assert gnet.run(timeout=PATIENCE) is True
    assert sockets[0].destroyed


@pytest.mark.parametrize('what', ['server', 'socket'])
def test_what_is_unreferenced_is_not_waited_for(
    server: gnet.Server, connect: Any, what: str,
) -> None:
    sockets: list[Any] = []
    server.on('connection', sockets.append)
    server.listen(0, '127.0.0.1')
    gnet.once(server, 'listening')
    connect(server)
    gnet.once(server, 'connection') if not sockets else None
    if what == 'socket':
        sockets[0].unref()
        server.close()
    else:
        server.unref()
        sockets[0].destroy()
    assert gnet.run(timeout=PATIENCE) is True


def test_run_has_a_limit_of_time(server: gnet.Server) -> None:
    server.listen(0, '127.0.0.1')
    assert gnet.run(timeout=0.02) is False
    assert gnet.run(timeout=0) is False


def test_run_is_for_the_main_greenlet(server: gnet.Server) -> None:
    def call() -> str:
        with pytest.raises(RuntimeError) as caught:
            gnet.run()
        return str(caught.value)

    assert 'main greenlet' in gevent.spawn(call).get(timeout=PATIENCE)


def test_run_within_run_is_refused(server: gnet.Server) -> None:
    seen: list[Any] = []

    def handler() -> None:
        try:
            gnet.run()
        except RuntimeError as error:
            seen.append(str(error))
        server.close()

    server.on('listening', handler)
    server.listen(0, '127.0.0.1')
    assert gnet.run(timeout=PATIENCE) is True
    assert 'main greenlet' in seen[0]


def test_a_failure_of_the_program_ends_run(server: gnet.Server) -> None:
    def fail() -> None:
        raise ValueError('x')

    server.on('listening', fail)
    server.listen(0, '127.0.0.1')
    with pytest.raises(ValueError, match='x') as caught:
        gnet.run(timeout=PATIENCE)
    assert caught.traceback[-1].name == 'fail'
    assert not get_loop().running
    # And it can be called again.
    assert gnet.run(timeout=0.01) is False


def test_a_failure_of_the_program_is_reported_where_nobody_runs_it(
    server: gnet.Server, hub_reports: list[Any],
) -> None:
    def fail() -> None:
        raise ValueError('x')

    server.on('listening', fail)
    server.listen(0, '127.0.0.1')
    gevent.sleep(0.01)
    assert [str(error) for _, error in hub_reports] == ['x']


def test_a_failure_of_a_connection_does_not_end_run(
    server: gnet.Server, connect: Any, native: Any, hub_reports: list[Any],
) -> None:
    def handler(sock: Any) -> None:
        server.close()
        raise ValueError('x')

    server.on('connection', handler)
    server.listen(0, '127.0.0.1')
    gnet.once(server, 'listening')
    connect(server)
    assert gnet.run(timeout=PATIENCE) is True
    assert [str(error) for _, error in hub_reports] == ['x']


@pytest.mark.parametrize('kind', [SystemExit, KeyboardInterrupt])
def test_what_ends_the_program_comes_out_of_run(
    server: gnet.Server, kind: type[BaseException], monkeypatch: pytest.MonkeyPatch,
) -> None:
    def leave() -> None:
        raise kind(7)

    monkeypatch.setattr(sys, 'excepthook', sys.excepthook)
    server.on('listening', leave)
    server.listen(0, '127.0.0.1')
    with pytest.raises(kind):
        gnet.run(timeout=PATIENCE)
