"""Metrics as text: OpenMetrics 1.0, and the older format of Prometheus (0.0.4).

Both are lines of ``name{label="value"} number`` below lines that say what the name is. They differ
in a few words: in OpenMetrics a counter is declared without its ``_total``, has a unit, and the end
is said.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from .catalogue import CATALOGUE, Metric
from .histogram import Histogram
from .snapshot import Labels, Snapshot, Value

__all__ = ['OPENMETRICS_TYPE', 'PROMETHEUS_TYPE', 'bound_text', 'openmetrics', 'prometheus']

#: What HTTP calls them.
OPENMETRICS_TYPE = 'application/openmetrics-text; version=1.0.0; charset=utf-8'
PROMETHEUS_TYPE = 'text/plain; version=0.0.4; charset=utf-8'

_LABEL_ESCAPES = str.maketrans({'\\': r'\\', '"': r'\"', '\n': r'\n'})


def openmetrics(snapshot: Snapshot) -> str:
    """Return *snapshot* as a text of OpenMetrics."""
    lines: list[str] = []
    for metric in _present(snapshot):
        lines.append(f'# TYPE {metric.name} {metric.kind.value}')
        if metric.unit:
            lines.append(f'# UNIT {metric.name} {metric.unit}')
        lines.append(f'# HELP {metric.name} {metric.text}')
        lines += _samples(metric, snapshot)
    return '\n'.join([*lines, '# EOF', ''])


def prometheus(snapshot: Snapshot) -> str:
    """Return *snapshot* as a text of Prometheus's own format."""
    lines: list[str] = []
    for metric in _present(snapshot):
        lines.append(f'# HELP {metric.sample_name} {metric.text}')
        lines.append(f'# TYPE {metric.sample_name} {metric.kind.value}')
        lines += _samples(metric, snapshot)
    return ''.join(f'{line}\n' for line in lines)


def _present(snapshot: Snapshot) -> Iterator[Metric]:
    return (metric for name, metric in CATALOGUE.items() if snapshot.values.get(name))


def _samples(metric: Metric, snapshot: Snapshot) -> Iterator[str]:
    for labels, value in sorted(snapshot.values[metric.name].items()):
        if isinstance(value, Histogram):
            for bound, count in value.buckets():
                le = f'le="{bound_text(bound)}"'
                yield _line(f'{metric.name}_bucket', metric, labels, count, le)
            yield _line(f'{metric.name}_count', metric, labels, value.count)
            yield _line(f'{metric.name}_sum', metric, labels, value.total)
        else:
            yield _line(metric.sample_name, metric, labels, value)


def _line(name: str, metric: Metric, labels: Labels, value: Value, *more: str) -> str:
    named = [
        f'{label}="{given.translate(_LABEL_ESCAPES)}"'
        for label, given in zip(metric.labels, labels)
    ]
    both = ','.join([*named, *more])
    return f'{name}{{{both}}} {value!r}' if both else f'{name} {value!r}'


def bound_text(bound: float) -> str:
    """Return the value of the label ``le``."""
    return '+Inf' if bound == math.inf else repr(bound)
