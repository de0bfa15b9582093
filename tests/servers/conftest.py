"""Fixtures of the tests of servers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import zope.event

import gnet
from gnet import lifecycle
from gnet.servers import gate, listen_call

from ..harness.servers import Servers
from ..harness.transitions import fixtures_that_watch

_wrong_steps, _states_follow_the_tables = fixtures_that_watch(
    (listen_call.ListenCall, '_stage', listen_call.FOLLOWS), (gate.Gate, 'state', gate.FOLLOWS),
)


@pytest.fixture
def serve() -> Iterator[Callable[..., gnet.Server]]:
    """``serve(...)`` is ``gnet.create_server(...)``; after the test the server is stopped."""
    servers = Servers()
    yield servers.create
    servers.close()


@pytest.fixture
def dropped() -> Iterator[list[Any]]:
    """What is published of connections that were dropped: (reason, both ends)."""
    events: list[Any] = []

    def watch(event: Any) -> None:
        if lifecycle.IConnectionDropped.providedBy(event):
            events.append((event.reason, event.data))

    zope.event.subscribers.append(watch)
    yield events
    zope.event.subscribers.remove(watch)
