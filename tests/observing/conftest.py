"""Fixtures of these tests. States are watched: what follows which is in the table beside them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gnet import metrics
from gnet.observing import blocked_hub
from gnet.observing import metrics as of_metrics

from ..harness import tls_servers
from ..harness.transitions import watched
from .common import Scrape

#: Fixtures that the tests of other folders use, too.
certified, serve_tls = tls_servers.certified, tls_servers.serve_tls


@pytest.fixture(autouse=True)
def _states() -> Iterator[None]:
    with watched(
        (blocked_hub.HubWatch, '_state', blocked_hub.FOLLOWS),
        (of_metrics.Metrics, 'counting', of_metrics.FOLLOWS),
    ) as wrong:
        yield
    assert wrong == []


@pytest.fixture
def scrape() -> Iterator[Scrape]:
    """Metrics are on; ``scrape(name, **labels)`` returns a value of now."""
    metrics.start()
    yield Scrape()
    metrics.stop()
