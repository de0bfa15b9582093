"""Fixtures of the tests with programs of production."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(scope='module')
def directory() -> Iterator[Path]:
    """A directory that daemons may use which run as somebody else; short, for unix sockets."""
    with tempfile.TemporaryDirectory(prefix='gnet-') as name:
        Path(name).chmod(0o755)
        yield Path(name)
