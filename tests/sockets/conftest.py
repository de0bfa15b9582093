"""Fixtures of the tests of sockets."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from gevent.event import AsyncResult, Event

import gnet

from ..harness.native import Peer
from .common import PATIENCE, Connection


@pytest.fixture
def serve() -> Iterator[Callable[..., gnet.Server]]:
    """``serve(handler, **options)`` listens on a free port of 127.0.0.1 and returns the server."""
    servers: list[gnet.Server] = []

    def serve(handler: Any = None, *, target: Any = None, **options: Any) -> gnet.Server:
        server = gnet.create_server(options)
        if handler is not None:
            server.on('connection', handler)
        servers.append(server)
        server.listen(**(target or {'host': '127.0.0.1', 'port': 0}))
        gnet.once(server, 'listening', timeout=PATIENCE)
        return server

    yield serve
    for server in servers:
        server.remove_all_listeners()
        server.stop(0)


@pytest.fixture
def accept(
    serve: Callable[..., gnet.Server], connect: Callable[[Any], Peer],
) -> Callable[..., Connection]:
    """``accept(setup, **options)`` returns a :class:`Connection` to a server of its own.

    *setup* is called with it in the 'connection' listener, before anything can have happened.
    """
    def accept(
        setup: Callable[[Connection], object] | None = None, *, target: Any = None, **options: Any,
    ) -> Connection:
        accepted: AsyncResult[Connection] = AsyncResult()

        def handler(sock: Any) -> None:
            connection = Connection(sock)
            accepted.set(connection)
            if setup is not None:
                setup(connection)

        server = serve(handler, target=target, **options)
        peer = connect(server)
        connection = accepted.get(timeout=PATIENCE)
        connection.peer = peer
        return connection

    return accept


@pytest.fixture
def hold(accept: Callable[..., Connection]) -> Iterator[Callable[..., Connection]]:
    """``hold(**options)`` accepts a connection whose handler waits until the test is over."""
    over = Event()
    yield lambda **options: accept(lambda c: over.wait(), **options)
    over.set()
