"""Fixtures of the tests of servers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

import gnet


@pytest.fixture
def serve() -> Iterator[Callable[..., gnet.Server]]:
    """``serve(...)`` is ``gnet.create_server(...)``; after the test the server is stopped."""
    servers: list[gnet.Server] = []

    def create(*args: Any, **options: Any) -> gnet.Server:
        servers.append(gnet.create_server(*args, **options))
        return servers[-1]

    yield create
    for server in servers:
        # Neither what the test registered nor its last errors matter any more.
        server.remove_all_listeners()
        server.stop(0)
