"""Fixtures of the tests of TLS."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from gevent.event import AsyncResult

from gnet import tls
from gnet.tls import states as tls_states
from gnet.tls.engine import Engine
from gnet.tls.sending import Encrypting

from ..harness import tls_servers
from ..harness.authority import authority
from ..harness.connections import Connection, target_of
from ..harness.families import Family
from ..harness.native import Native, Peer
from ..harness.plain import PlainSocket
from ..harness.stream_states import MACHINES
from ..harness.tls_peers import TlsPeer, client_context, server_context
from ..harness.transitions import fixtures_that_watch
from ..harness.waiting import PATIENCE
from .programs import Files, Programs

#: Fixtures that the tests of other folders use, too.
certified, serve_tls = tls_servers.certified, tls_servers.serve_tls


_wrong_steps, _states_follow_the_tables = fixtures_that_watch(
    *MACHINES, (Encrypting, 'security', tls_states.FOLLOWS),
    (Engine, 'incoming', tls_states.FOLLOWS), (Engine, 'outgoing', tls_states.FOLLOWS),
)


@pytest.fixture
def dial_tls(native: Native, connect: Callable[[Any], Peer]) -> Callable[..., TlsPeer]:
    """``dial_tls(server, context=None)`` returns a plain client that has not said hello yet."""
    def dial_tls(server: Any, context: Any = None, **options: Any) -> TlsPeer:
        return TlsPeer(
            native, connect(server), context or client_context(),
            **{'server_hostname': 'localhost', **options})

    return dial_tls


@pytest.fixture
def accept_tls(
    serve_tls: Callable[..., Any], dial_tls: Callable[..., TlsPeer],
) -> Callable[..., Connection]:
    """``accept_tls(setup, **options)`` returns a :class:`Connection` of a TLS server of its own.

    Its peer is a :class:`TlsPeer`. *setup* is called with it in 'secureConnection'.
    """
    def accept_tls(
        setup: Callable[[Connection], object] | None = None, *, target: Any = None,
        context: Any = None, **options: Any,
    ) -> Connection:
        accepted: AsyncResult[Connection] = AsyncResult()

        def handler(sock: Any) -> None:
            connection = Connection(sock)
            accepted.set(connection)
            if setup is not None:
                setup(connection)

        server = serve_tls(handler, target=target, **options)
        peer: Any = dial_tls(server, context).shake()
        connection = accepted.get(timeout=PATIENCE)
        connection.peer = peer
        connection.server = server  # type: ignore[attr-defined]
        return connection

    return accept_tls


@pytest.fixture
def plain_listener() -> Iterator[Callable[..., PlainSocket]]:
    """``plain_listener(family)`` returns a listening plain socket, of IPv4 by default."""
    listeners: list[PlainSocket] = []

    def plain_listener(family: Family | None = None) -> PlainSocket:
        listener = (family or Family('ipv4', host='127.0.0.1')).listener()
        listener.settimeout(PATIENCE)
        listeners.append(listener)
        return listener

    yield plain_listener
    for listener in listeners:
        listener.close()


@pytest.fixture
def connect_tls(
    native: Native, plain_listener: Callable[..., PlainSocket], certified: Any, tmp_path: Path,
) -> Iterator[Callable[..., Connection]]:
    """``connect_tls(setup, **options)`` has a gnet client connect to a plain TLS server.

    It returns the client's :class:`Connection`, whose peer is a :class:`TlsPeer` that has not done
    its handshake: ``peer.shake()``. *setup* is called with it right after ``connect()``. With
    *server*, a :class:`Certified`, that is the server's.
    """
    made: list[Connection] = []

    def connect_tls(
        setup: Callable[[Connection], object] | None = None, *, family: Family | None = None,
        server: Any = None, context: Any = None, **options: Any,
    ) -> Connection:
        listener = plain_listener(family)
        given = {'ca': authority().cert, 'servername': 'localhost', **options}
        c = Connection(tls.connect({**target_of(listener), **given}))
        made.append(c)
        if setup is not None:
            setup(c)
        plain, _ = native(listener.accept)
        c.peer = TlsPeer(  # type: ignore[assignment]
            native, Peer(native, plain),
            context or server_context(server or certified, tmp_path), server_side=True)
        return c

    yield connect_tls
    for c in made:
        c.sock.remove_all_listeners()
        c.sock.on('error', lambda error: None)
        c.sock.destroy()
        if hasattr(c, 'peer'):
            c.peer.close()


@pytest.fixture
def files(tmp_path: Path) -> Files:
    """Keys and certificates for programs that take files: see :class:`Files`."""
    return Files(tmp_path)


@pytest.fixture
def programs(tmp_path: Path) -> Iterator[Programs]:
    """Programs of others, which are ended with the test: see :class:`Programs`."""
    started = Programs(tmp_path)
    yield started
    started.close()
