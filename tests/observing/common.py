"""What the tests of metrics and logs share."""

from __future__ import annotations

from typing import Any

import gnet
from gnet import metrics

from ..harness.programs import import_package

__all__ = ['Scrape', 'address_of', 'drain', 'parse', 'series']


def parse(text: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Return the samples of an OpenMetrics text, as prometheus-client reads it."""
    parser = import_package('prometheus_client.openmetrics.parser', 'prometheus-client')
    return {
        series(sample.name, **sample.labels): sample.value
        for family in parser.text_string_to_metric_families(text) for sample in family.samples}


def series(name: str, **labels: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    return name, tuple(sorted(labels.items()))


class Scrape:
    """Asks for the value of a series; None if there is none."""

    def __call__(self, name: str, **labels: str) -> float | None:
        return self.all().get(series(name, **labels))

    def all(self) -> dict[Any, float]:
        return parse(metrics.openmetrics())


def drain(sock: gnet.Socket) -> None:
    """Be a 'connection' listener that drops what comes, so that the socket ends with its peer."""
    sock.on('error', lambda error: None)
    sock.resume()


def address_of(server: Any) -> str:
    """Return what a TCP server is called."""
    host, _, port = server.address()
    return f'[{host}]:{port}' if ':' in host else f'{host}:{port}'


