"""Fixtures of the tests of legacy code."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import gnet

from ..harness.waiting import PATIENCE


@pytest.fixture
def serve(serve: Callable[..., gnet.Server]) -> Iterator[Callable[..., int]]:
    """``serve(handler)`` listens on a free port of 127.0.0.1 and returns the port."""
    servers: list[gnet.Server] = []

    def listen(handler: Callable[[Any], object]) -> int:
        servers.append(serve(handler))
        return int(servers[-1].address().port)

    yield listen
    # All connections must have ended by themselves: none is destroyed.
    assert [server.stop(PATIENCE) for server in servers] == [0] * len(servers)


@pytest.fixture(scope='module')
def directory() -> Iterator[Path]:
    """A directory that daemons may use which run as somebody else; short, for unix sockets."""
    with tempfile.TemporaryDirectory(prefix='gnet-') as name:
        yield Path(name)
