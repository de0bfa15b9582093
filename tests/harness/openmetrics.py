"""Texts of metrics, read by the client of those who made the format."""

from __future__ import annotations

from .programs import import_package

__all__ = ['parse', 'series']


def parse(text: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Return the samples of an OpenMetrics text, as prometheus-client reads it."""
    parser = import_package('prometheus_client.openmetrics.parser', 'prometheus-client')
    return {
        series(sample.name, **sample.labels): sample.value
        for family in parser.text_string_to_metric_families(text) for sample in family.samples}


def series(name: str, **labels: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    return name, tuple(sorted(labels.items()))
