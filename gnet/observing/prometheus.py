"""For prometheus-client, the package of PyPI: a collector of gnet's metrics.

``pip install gevent-net[prometheus]`` brings it; it is imported when this is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
)

from .catalogue import CATALOGUE, Kind, Metric
from .histogram import Histogram
from .snapshot import Snapshot
from .text_formats import bound_text

if TYPE_CHECKING:
    from prometheus_client.core import Metric as Family

__all__ = ['Collector']


class Collector:
    """What a registry of prometheus-client asks for gnet's metrics.

    Args:
        take: returns the values of now; may block, and is called in whatever thread asks.
    """

    def __init__(self, take: Callable[[], Snapshot]) -> None:
        self._take = take

    def collect(self) -> Iterator[Family]:
        """Give each metric with its samples."""
        families: dict[str, Any] = {}
        for metric, labels, value in self._take().samples():
            if metric.name not in families:
                families[metric.name] = _family(metric)
            family = families[metric.name]
            if isinstance(value, Histogram):
                buckets = [(bound_text(bound), count) for bound, count in value.buckets()]
                family.add_metric(labels, buckets, value.total)
            else:
                family.add_metric(labels, value)
        yield from families.values()

    def describe(self) -> Iterator[Family]:
        """Give each metric without samples: the registry sees to it that no name is there twice."""
        return (_family(metric) for metric in CATALOGUE.values())


_FAMILIES = {
    Kind.COUNTER: CounterMetricFamily, Kind.GAUGE: GaugeMetricFamily,
    Kind.HISTOGRAM: HistogramMetricFamily,
}


def _family(metric: Metric) -> Any:
    return _FAMILIES[metric.kind](
        metric.name, metric.text, labels=metric.labels, unit=metric.unit)
