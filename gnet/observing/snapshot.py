"""All values at one moment: a :class:`Snapshot`, which can be added to others and sent."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, Union

from .catalogue import CATALOGUE, Kind, Metric
from .histogram import Histogram

__all__ = ['Labels', 'Snapshot', 'Value']

#: Values of the labels of a metric, in the order of its row.
Labels = tuple[str, ...]

Value = Union[int, float, Histogram]

#: Values that one process may send, and characters of a label: far more than a program has, and
#: little enough for one that has gone wrong to harm nobody.
_MAX_VALUES = 20_000
_MAX_LABEL = 256


class Snapshot:
    """Values by metric and labels."""

    __slots__ = ('values',)

    def __init__(self) -> None:
        self.values: dict[str, dict[Labels, Value]] = {}

    def put(self, name: str, labels: Labels, value: Value) -> None:
        """Add *value* to what is there under that name and these labels. It is not changed."""
        rows = self.values.setdefault(name, {})
        before = rows.get(labels)
        if before is None:
            rows[labels] = value.copy() if isinstance(value, Histogram) else value
        elif isinstance(before, Histogram):
            assert isinstance(value, Histogram), name  # as the catalogue says
            before.add(value)
        else:
            assert not isinstance(value, Histogram), name
            rows[labels] = before + value

    def add(self, other: Snapshot, *, gauges: bool = True) -> None:
        """Add all values of *other*; for those of gauges, which are of now, 0 if not *gauges*."""
        for metric, labels, value in other.samples():
            is_past = metric.kind is Kind.GAUGE and not gauges
            self.put(metric.name, labels, 0 if is_past else value)

    def samples(self) -> Iterator[tuple[Metric, Labels, Value]]:
        """Give each value, in the order of the catalogue."""
        for name, metric in CATALOGUE.items():
            for labels, value in sorted(self.values.get(name, {}).items()):
                yield metric, labels, value

    # --- on its way to another process ------------------------------------------------------------

    def packed(self) -> list[list[Any]]:
        """Return it in JSON's types."""
        return [
            [metric.name, list(labels), (
                [value.counts, value.total] if isinstance(value, Histogram) else value)]
            for metric, labels, value in self.samples()
        ]

    @classmethod
    def unpacked(cls, rows: Any) -> Snapshot | None:
        """Return what :meth:`packed` has made into *rows*; None if that is not what they are."""
        if not isinstance(rows, list) or len(rows) > _MAX_VALUES:
            return None
        snapshot = cls()
        for row in rows:
            if not isinstance(row, list) or len(row) != 3 or not isinstance(row[0], str):
                return None
            name, labels, given = row
            metric = CATALOGUE.get(name)
            if metric is None or not _are_labels(labels, metric):
                return None
            value = _value(given, metric)
            if value is None:
                return None
            snapshot.put(name, tuple(labels), value)
        return snapshot


def _are_labels(given: Any, metric: Metric) -> bool:
    return isinstance(given, list) and len(given) == len(metric.labels) and all(
        isinstance(label, str) and len(label) <= _MAX_LABEL for label in given)


def _value(given: Any, metric: Metric) -> Value | None:
    if metric.kind is not Kind.HISTOGRAM:
        return given if _is_amount(given) else None
    if not isinstance(given, list) or len(given) != 2:
        return None
    counts, total = given
    if not isinstance(counts, list) or len(counts) != len(metric.bounds) + 1 or not (
        _is_amount(total) and all(type(count) is int and count >= 0 for count in counts)
    ):
        return None
    return Histogram(metric.bounds, counts, total)


def _is_amount(given: Any) -> bool:
    return type(given) in (int, float) and 0 <= given < math.inf
