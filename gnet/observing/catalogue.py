"""The table of all metrics: :data:`CATALOGUE`. What is not in it is not counted.

Names are as Prometheus would have them: the unit at the end, base units (seconds, bytes), and
``_total`` behind the name of a counter where it is written out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

__all__ = ['CATALOGUE', 'Kind', 'Metric']


# no state: kinds of metrics
class Kind(Enum):
    """What a metric is. The values are Prometheus's words."""

    COUNTER = 'counter'
    GAUGE = 'gauge'
    HISTOGRAM = 'histogram'


@dataclass(frozen=True)
class Metric:
    """A row of the table.

    Attributes:
        name: without the ``_total`` of a counter.
        kind: what it is.
        labels: the names of its labels.
        unit: that its name ends with; empty for a number of things.
        bounds: of a histogram.
        text: what it means, in a line.
    """

    name: str
    kind: Kind
    labels: tuple[str, ...]
    text: str
    unit: str = ''
    bounds: tuple[float, ...] = ()

    @property
    def sample_name(self) -> str:
        """How its samples are called: a histogram's have more behind that."""
        return f'{self.name}_total' if self.kind is Kind.COUNTER else self.name


#: Seconds. Connections last from a request to a day.
_DURATIONS = (0.01, 0.1, 1.0, 10.0, 60.0, 300.0, 1800.0, 7200.0, 43200.0, 86400.0)

#: Seconds. A handshake takes some milliseconds of CPU, and two ways to the peer and back.
_HANDSHAKES = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)

#: Seconds. Less than the first one is the ordinary course of a loop; a second is a failure.
_WAITS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0)

_SERVER = ('server',)


def _table(*metrics: Metric) -> Mapping[str, Metric]:
    return {metric.name: metric for metric in metrics}


#: By name.
CATALOGUE = _table(
    Metric(
        'gnet_connections_accepted', Kind.COUNTER, _SERVER,
        'Connections that the server has accepted and kept.'),
    Metric(
        'gnet_connections_dropped', Kind.COUNTER, ('server', 'reason'),
        'Connections that the server has accepted and closed at once, by why.'),
    Metric(
        'gnet_connections_open', Kind.GAUGE, _SERVER,
        'Connections of the server that are open now.'),
    Metric(
        'gnet_connections_failed', Kind.COUNTER, ('server', 'code'),
        'Connections that an error has ended, by its code.'),
    Metric(
        'gnet_connection_duration_seconds', Kind.HISTOGRAM, _SERVER,
        'How long connections were open that are closed.', 'seconds', _DURATIONS),
    Metric(
        'gnet_received_bytes', Kind.COUNTER, _SERVER,
        'Bytes received by connections of the server.', 'bytes'),
    Metric(
        'gnet_sent_bytes', Kind.COUNTER, _SERVER,
        'Bytes of connections of the server that the operating system has taken.', 'bytes'),
    Metric(
        'gnet_handler_wait_seconds', Kind.HISTOGRAM, _SERVER,
        'How long accepted connections have waited for their listeners to begin.', 'seconds',
        _WAITS),
    Metric(
        'gnet_handshakes', Kind.COUNTER, ('server', 'result'),
        'TLS handshakes of the server that are done, or have failed.'),
    Metric(
        'gnet_handshake_duration_seconds', Kind.HISTOGRAM, _SERVER,
        'How long TLS handshakes took that are done.', 'seconds', _HANDSHAKES),
    Metric(
        'gnet_listener_failures', Kind.COUNTER, ('server', 'event'),
        'Exceptions of listeners and callbacks, by the event; the server is empty where none is '
        'concerned.'),
    Metric(
        'gnet_server_errors', Kind.COUNTER, _SERVER,
        'Errors of the server itself: listening or accepting has failed.'),
    Metric(
        'gnet_hub_lag_seconds', Kind.HISTOGRAM, (),
        'How late a timer of the event loop was, looked at twice a second.', 'seconds', _WAITS),
    Metric(
        'gnet_workers', Kind.GAUGE, (),
        'Worker processes that there are now.'),
    Metric(
        'gnet_worker_restarts', Kind.COUNTER, (),
        'Worker processes that were started in the place of one that nobody had told to end.'),
)
