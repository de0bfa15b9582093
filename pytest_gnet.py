"""Fixtures of :mod:`gnet.testing` for pytest, which finds this by itself.

Neither gevent nor gnet is imported before a test asks for one of them: so a test suite that has no
use for gnet pays nothing, and one that is monkey-patched is so first.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import gnet
    from gnet.testing import Clock, EventRecorder, Kit, Listener, MemoryPair, Peer

__all__ = [
    'gnet_client', 'gnet_clock', 'gnet_connected_pair', 'gnet_kit', 'gnet_leaks', 'gnet_listener',
    'gnet_memory_pair', 'gnet_peer', 'gnet_recorder', 'gnet_server',
]


def pytest_unconfigure() -> None:
    """A test that has left a server open shall not keep pytest from ending."""
    module = sys.modules.get('gnet.loop.exit_hook')
    if module is not None:
        module.set_stay_alive(False)


@pytest.fixture
def gnet_kit(request: pytest.FixtureRequest) -> Iterator[Kit]:
    """All of the fixtures below in one object: a ``gnet.testing.Kit``."""
    from gnet.testing import Kit

    if 'gnet_leaks' in request.fixturenames:
        request.getfixturevalue('gnet_leaks')  # so that it looks when all of the kit is closed
    kit = Kit()
    yield kit
    kit.close()


@pytest.fixture
def gnet_server(gnet_kit: Kit) -> Callable[..., gnet.Server]:
    """``gnet_server(handler_or_server, **options)`` listens; its connections must end in time."""
    return gnet_kit.server


@pytest.fixture
def gnet_client(gnet_kit: Kit) -> Callable[..., gnet.Socket]:
    """``gnet_client(server_or_address, **options)``: a ``gnet.Socket`` that is connected."""
    return gnet_kit.client


@pytest.fixture
def gnet_peer(gnet_kit: Kit) -> Callable[..., Peer]:
    """``gnet_peer(server_or_address)``: a plain socket that resets, half closes, drips, is deaf."""
    return gnet_kit.peer


@pytest.fixture
def gnet_listener(gnet_kit: Kit) -> Callable[..., Listener]:
    """``gnet_listener()``: a plain socket that listens; ``accept()`` returns such a peer."""
    return gnet_kit.listener


@pytest.fixture
def gnet_connected_pair(gnet_kit: Kit) -> Callable[..., tuple[gnet.Socket, gnet.Socket]]:
    """``gnet_connected_pair(family)``: two sockets that the kernel has connected."""
    return gnet_kit.connected_pair


@pytest.fixture
def gnet_memory_pair(gnet_kit: Kit) -> Callable[..., MemoryPair]:
    """``gnet_memory_pair(handler, **options)``: two sockets in memory, and their clock."""
    return gnet_kit.memory_pair


@pytest.fixture
def gnet_recorder(gnet_kit: Kit) -> Callable[..., EventRecorder]:
    """``gnet_recorder(emitter, *names)``: what it has emitted, in order."""
    return gnet_kit.recorder


@pytest.fixture
def gnet_clock(gnet_kit: Kit) -> Clock:
    """The time of all of gnet's sockets, which the test moves."""
    return gnet_kit.clock()


@pytest.fixture
def gnet_leaks(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail the test if it leaves descriptors, greenlets or holds on gnet's loop behind."""
    from gnet.testing.leaks import Snapshot

    failed = request.session.testsfailed
    before = Snapshot()
    yield
    if request.session.testsfailed == failed:
        before.check()
    # Else this test has failed, and its traceback keeps what its frames have.
