"""Fixtures of the tests of sockets."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from gevent.event import AsyncResult, Event

import gnet

from ..harness.connections import Connection, target_of
from ..harness.families import Family
from ..harness.native import Native, Peer
from ..harness.plain import PlainSocket
from ..harness.stream_states import MACHINES
from ..harness.transitions import fixtures_that_watch
from ..harness.waiting import PATIENCE
from .conversations import Ends, Pair
from .hosts import Hosts

_wrong_steps, _states_follow_the_tables = fixtures_that_watch(*MACHINES)


@pytest.fixture
def directory() -> Iterator[Path]:
    """A directory whose name is short enough for paths of sockets."""
    with tempfile.TemporaryDirectory(prefix='gnet-') as name:
        yield Path(name)


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
def dial(
    native: Native, plain_listener: Callable[..., PlainSocket],
) -> Iterator[Callable[..., Connection]]:
    """``dial(setup, **options)`` connects a gnet client to a plain listening socket.

    It returns the client's :class:`Connection`, whose peer is the plain socket that was accepted,
    and whose ``target`` are the arguments of its ``connect``. *setup* is called with it right
    after ``connect()``; the options are the socket's.
    """
    made: list[Connection] = []

    def dial(
        setup: Callable[[Connection], object] | None = None, *, family: Family | None = None,
        **options: Any,
    ) -> Connection:
        listener = plain_listener(family)
        c = Connection(gnet.Socket(options))
        made.append(c)
        c.target = target_of(listener)
        c.sock.connect(c.target)
        if setup is not None:
            setup(c)
        plain, _ = native(listener.accept)
        c.peer = Peer(native, plain)
        c.listener = listener
        return c

    yield dial
    for c in made:
        c.sock.remove_all_listeners()
        c.sock.on('error', lambda error: None)
        c.sock.destroy()
        if hasattr(c, 'peer'):
            c.peer.close()


@pytest.fixture
def hosts() -> Iterator[Callable[[dict[str, str]], Hosts]]:
    """``hosts({address: kind, …})`` makes addresses that behave as wanted: see :class:`Hosts`."""
    made: list[Hosts] = []

    def hosts(kinds: dict[str, str]) -> Hosts:
        made.append(Hosts(kinds))
        return made[-1]

    yield hosts
    for one in made:
        one.close()


@pytest.fixture
def attempt() -> Iterator[Callable[..., Connection]]:
    """``attempt(setup, *args, sock={}, **options)``: a new socket that connects, and its trace.

    *sock* are options of the constructor, the rest goes to ``connect``. *setup* is called with the
    :class:`Connection` before that. Failures are listened to.
    """
    made: list[gnet.Socket] = []

    def attempt(
        setup: Callable[[Connection], object] | None = None, *args: Any, sock: Any = None,
        **options: Any,
    ) -> Connection:
        c = Connection(gnet.Socket(sock))
        made.append(c.sock)
        c.sock.on('error', lambda error: None)
        if setup is not None:
            setup(c)
        c.sock.connect(*args, **options)
        return c

    yield attempt
    for sock in made:
        sock.destroy()


@pytest.fixture
def silent() -> Iterator[Any]:
    """The address of a listener whose queue is full: the kernel does not answer any more."""
    with PlainSocket() as listener:
        listener.bind(('127.0.0.1', 0))
        listener.listen(0)
        name = listener.getsockname()
        fillers = [PlainSocket() for _ in range(3)]
        for each in fillers:
            each.setblocking(False)
            each.connect_ex(name)
        yield name
        for each in fillers:
            each.close()


@pytest.fixture
def ends(
    request: pytest.FixtureRequest, serve: Callable[..., gnet.Server], tmp_path: Path,
) -> Ends:
    """``ends(near, far)`` connects two sockets.

    Each of the two functions is called with its :class:`Connection` when that has just been made:
    in 'connection' or in 'connect'.
    """
    role, kind = request.param.split(', ')

    def ends(
        near: Callable[[Connection], object] | None = None,
        far: Callable[[Connection], object] | None = None, *,
        near_options: dict[str, Any] | None = None, far_options: dict[str, Any] | None = None,
    ) -> Pair:
        setups = (near, far) if role == 'client' else (far, near)
        options = [near_options or {}, far_options or {}]
        if role == 'server':
            options.reverse()
        accepted: AsyncResult[Connection] = AsyncResult()
        ready = Event()

        def handler(sock: Any) -> None:
            connection = Connection(sock)
            if setups[1] is not None:
                setups[1](connection)
            accepted.set(connection)

        target = {'path': str(tmp_path / 's')} if kind == 'unix' else None
        server = serve(handler, target=target, **options[1])
        client = Connection(gnet.Socket(options[0]))
        client.sock.on('ready', ready.set)
        client.sock.connect(target_of(server))
        if setups[0] is not None:
            client.sock.once('connect', lambda: setups[0](client))
        assert ready.wait(PATIENCE)
        other = accepted.get(timeout=PATIENCE)
        return Pair(client, other, server) if role == 'client' else Pair(other, client, server)

    return ends
