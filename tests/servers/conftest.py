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
from ..harness.transitions import taken_from, watched


@pytest.fixture(scope='package')
def _wrong_steps() -> Iterator[list[str]]:
    with watched(
        (listen_call.ListenCall, '_stage', listen_call.FOLLOWS),
        (gate.Gate, 'state', gate.FOLLOWS),
    ) as wrong:
        yield wrong


@pytest.fixture(autouse=True)
def _states_follow_the_tables(_wrong_steps: list[str]) -> Iterator[None]:
    """Fail a test in which a server takes a step that is not in its table of states."""
    yield
    assert taken_from(_wrong_steps) == []


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
