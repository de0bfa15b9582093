"""Fixtures of the tests of WSGI."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

import gnet

from ..harness.waiting import PATIENCE


@pytest.fixture
def site() -> Iterator[Callable[..., Any]]:
    """``site(application, **options)`` returns a server that listens; it must end by itself."""
    servers: list[Any] = []

    def serve(application: Any, *args: Any, **options: Any) -> Any:
        servers.append(gnet.wsgi.serve(application, *args, **options))
        return servers[-1]

    yield serve
    assert [server.stop(PATIENCE) for server in servers] == [0] * len(servers)
