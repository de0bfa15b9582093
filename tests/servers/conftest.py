"""Fixtures of the tests of servers."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

import gnet

from ..harness.servers import Servers


@pytest.fixture
def serve() -> Iterator[Callable[..., gnet.Server]]:
    """``serve(...)`` is ``gnet.create_server(...)``; after the test the server is stopped."""
    servers = Servers()
    yield servers.create
    servers.close()
