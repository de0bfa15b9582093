"""Fixtures of the tests of metrics and logs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gnet import metrics

from ..tls.conftest import certified, serve_tls  # noqa: F401  # fixtures that these tests use, too
from .common import Scrape


@pytest.fixture
def scrape() -> Iterator[Scrape]:
    """Metrics are on; ``scrape(name, **labels)`` returns a value of now."""
    metrics.start()
    yield Scrape()
    metrics.stop()
