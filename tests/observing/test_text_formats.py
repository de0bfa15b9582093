"""Metrics as text, read by others: prometheus-client's parser, and Prometheus's own."""

from __future__ import annotations

import subprocess

from gnet.observing.catalogue import CATALOGUE, Kind
from gnet.observing.histogram import Histogram
from gnet.observing.snapshot import Snapshot
from gnet.observing.text_formats import openmetrics, prometheus

from ..harness.openmetrics import parse, series
from ..harness.programs import find_program, import_package
from ..harness.waiting import PATIENCE

#: Characters that have to be escaped, and some that need not.
NASTY = 'a "quoted" \\ back\nslash\\n {x="1"} # é €'


def full() -> Snapshot:
    """Return a snapshot that has all metrics."""
    snapshot = Snapshot()
    for name, metric in CATALOGUE.items():
        labels = tuple(f'a {label}' for label in metric.labels)
        for each in (labels, (NASTY, *labels[1:])) if labels else (labels,):
            if metric.kind is Kind.HISTOGRAM:
                values = Histogram(metric.bounds)
                for value in (0.0, metric.bounds[0], metric.bounds[-1], 1e9):
                    values.observe(value)
                snapshot.put(name, each, values)
            else:
                snapshot.put(name, each, 7)
    return snapshot


def test_openmetrics_has_these_lines() -> None:
    snapshot = Snapshot()
    snapshot.put('gnet_received_bytes', ('[::1]:80',), 12)
    snapshot.put('gnet_workers', (), 2)
    assert openmetrics(snapshot) == (
        '# TYPE gnet_received_bytes counter\n'
        '# UNIT gnet_received_bytes bytes\n'
        '# HELP gnet_received_bytes Bytes received by connections of the server.\n'
        'gnet_received_bytes_total{server="[::1]:80"} 12\n'
        '# TYPE gnet_workers gauge\n'
        '# HELP gnet_workers Worker processes that there are now.\n'
        'gnet_workers 2\n'
        '# EOF\n')


def test_the_older_format_has_these_lines() -> None:
    snapshot = Snapshot()
    snapshot.put('gnet_received_bytes', ('[::1]:80',), 12)
    assert prometheus(snapshot) == (
        '# HELP gnet_received_bytes_total Bytes received by connections of the server.\n'
        '# TYPE gnet_received_bytes_total counter\n'
        'gnet_received_bytes_total{server="[::1]:80"} 12\n')


def test_nothing_at_all_is_a_text_too() -> None:
    assert openmetrics(Snapshot()) == '# EOF\n'
    assert prometheus(Snapshot()) == ''


def test_a_value_is_in_the_first_bucket_whose_bound_it_does_not_exceed() -> None:
    values = Histogram((1.0, 2.0))
    for value in (0.5, 1.0, 1.5, 2.0, 2.5):
        values.observe(value)
    assert list(values.buckets()) == [(1.0, 2), (2.0, 4), (float('inf'), 5)]
    assert (values.count, values.total) == (5, 7.5)


def test_prometheus_client_reads_all_of_it() -> None:
    values = parse(openmetrics(full()))
    for metric in CATALOGUE.values():
        labels = {label: f'a {label}' for label in metric.labels}
        if metric.kind is Kind.HISTOGRAM:
            assert values[series(f'{metric.name}_count', **labels)] == 4
            first, last = repr(metric.bounds[0]), repr(metric.bounds[-1])
            assert values[series(f'{metric.name}_bucket', le=first, **labels)] == 2
            assert values[series(f'{metric.name}_bucket', le=last, **labels)] == 3
            assert values[series(f'{metric.name}_bucket', le='+Inf', **labels)] == 4
        else:
            assert values[series(metric.sample_name, **labels)] == 7
        if metric.labels:
            labels[metric.labels[0]] = NASTY
            suffix = '_count' if metric.kind is Kind.HISTOGRAM else ''
            assert series(f'{metric.sample_name}{suffix}', **labels) in values


def test_prometheus_client_reads_the_older_format() -> None:
    parser = import_package('prometheus_client.parser', 'prometheus-client')
    families = {family.name: family for family in parser.text_string_to_metric_families(
        prometheus(full()))}
    for name, metric in CATALOGUE.items():
        assert families[name].type == metric.kind.value
    servers = {sample.labels['server'] for sample in families['gnet_received_bytes'].samples}
    assert servers == {'a server', NASTY}


def test_promtool_has_no_complaints() -> None:
    promtool = find_program('promtool', 'prometheus')
    ended = subprocess.run(
        [promtool, 'check', 'metrics'], input=prometheus(full()).encode(), capture_output=True,
        check=False, timeout=PATIENCE)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, b'', b'')
