"""Fixtures of these tests. States are watched: what follows which is in the table beside them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gnet import metrics
from gnet.observing import blocked_hub

from ..harness.transitions import watch
from ..tls.conftest import certified, serve_tls  # noqa: F401  # fixtures that these tests use, too
from .common import Scrape


@pytest.fixture(autouse=True)
def _states() -> Iterator[None]:
    wrong: list[str] = []
    undo = watch(blocked_hub.HubWatch, '_state', blocked_hub.FOLLOWS, wrong.append)
    yield
    undo()
    assert wrong == []


@pytest.fixture
def scrape() -> Iterator[Scrape]:
    """Metrics are on; ``scrape(name, **labels)`` returns a value of now."""
    metrics.start()
    yield Scrape()
    metrics.stop()
