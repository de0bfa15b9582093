"""What the tests of metrics and logs share."""

from __future__ import annotations

from typing import Any

from gnet import metrics

from ..harness.openmetrics import parse, series

__all__ = ['Scrape', 'address_of']


class Scrape:
    """Asks for the value of a series; None if there is none."""

    def __call__(self, name: str, **labels: str) -> float | None:
        return self.all().get(series(name, **labels))

    def all(self) -> dict[Any, float]:
        return parse(metrics.openmetrics())


def address_of(server: Any) -> str:
    """Return what a TCP server is called."""
    host, _, port = server.address()
    return f'[{host}]:{port}' if ':' in host else f'{host}:{port}'


