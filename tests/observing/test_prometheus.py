"""Metrics in a registry of prometheus-client, and scraped by a real Prometheus."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import gevent
import pytest

import gnet
from gnet import metrics

from ..harness.listening import drain
from ..harness.native import Peer
from ..harness.openmetrics import parse, series
from ..harness.programs import Daemon, find_program, import_package
from ..harness.waiting import PROCESS_PATIENCE, until
from .common import Scrape, address_of

Serve = Callable[..., gnet.Server]
Connect = Callable[..., Peer]

#: What Prometheus is told. It looks as often as it can.
CONFIGURATION = """
global: {{scrape_interval: 100ms, scrape_timeout: 100ms}}
scrape_configs:
  - job_name: gnet
    static_configs: [{{targets: ['127.0.0.1:{port}']}}]
"""


@pytest.fixture
def registry() -> Iterator[Any]:
    """A registry of prometheus-client that has these metrics."""
    client = import_package('prometheus_client', 'prometheus-client')
    registry = client.CollectorRegistry()
    metrics.register(registry)
    yield registry
    metrics.stop()


def exposed(registry: Any) -> dict[Any, float]:
    exposition = import_package(
        'prometheus_client.openmetrics.exposition', 'prometheus-client')
    return parse(exposition.generate_latest(registry).decode())


def test_a_registry_exposes_the_same_as_gnet_itself(
    serve: Serve, connect: Connect, registry: Any,
) -> None:
    server = serve(drain)
    connect(server).sendall(b'12345')
    name = address_of(server)
    until(lambda: Scrape()('gnet_received_bytes_total', server=name) == 5)
    own, theirs = Scrape().all(), exposed(registry)
    lag = [each for each in own if each[0].startswith('gnet_hub_lag')]
    assert {each for each in own if each not in lag} == {each for each in theirs if each not in lag}
    for each, value in own.items():
        assert each in lag or theirs[each] == value


def test_a_thread_of_a_web_server_may_ask(
    serve: Serve, connect: Connect, registry: Any, foreign: Any,
) -> None:
    server = serve(drain)
    connect(server)
    until(lambda: server.get_connections() == 1)
    values = foreign(lambda: exposed(registry))
    assert values[series('gnet_connections_open', server=address_of(server))] == 1


def test_it_is_registered_once(registry: Any) -> None:
    with pytest.raises(ValueError, match='gnet_connections_accepted'):
        metrics.register(registry)


def test_it_can_be_unregistered(registry: Any) -> None:
    client = import_package('prometheus_client', 'prometheus-client')
    other = client.CollectorRegistry()
    collector = metrics.register(other)
    other.unregister(collector)
    assert exposed(other) == {}


# --- Prometheus -----------------------------------------------------------------------------------


@pytest.fixture
def prometheus(tmp_path: Path) -> Iterator[Callable[[int], Callable[[str], list[Any]]]]:
    """``prometheus(port)`` has one scrape that; returns what asks it something in PromQL."""
    program = find_program('prometheus', 'prometheus')
    running: list[Daemon] = []

    def start(port: int) -> Callable[[str], list[Any]]:
        with socket.socket() as probe:
            probe.bind(('127.0.0.1', 0))
            own_port = probe.getsockname()[1]
        configuration = tmp_path / 'prometheus.yml'
        configuration.write_text(CONFIGURATION.format(port=port), 'utf-8')
        running.append(Daemon([
            program, f'--config.file={configuration}', f'--storage.tsdb.path={tmp_path}/data',
            f'--web.listen-address=127.0.0.1:{own_port}',
        ], tmp_path, 'ready to receive web requests'))

        def ask(query: str) -> list[Any]:
            """Return (labels, value) of each result."""
            sock = gevent.socket.create_connection(('127.0.0.1', own_port))
            try:
                sock.sendall(
                    f'GET /api/v1/query?query={quote(query)} HTTP/1.0\r\n\r\n'.encode())
                answer = b''.join(iter(lambda: sock.recv(65536), b''))
            finally:
                sock.close()
            found = json.loads(answer.partition(b'\r\n\r\n')[2])
            assert found['status'] == 'success'
            return [
                (each['metric'], float(each['value'][1])) for each in found['data']['result']]

        return ask

    yield start
    for each in running:
        each.stop()


def test_prometheus_scrapes_it(
    serve: Serve, connect: Connect, prometheus: Any,
) -> None:
    server, asked = serve(drain), metrics.serve(0)
    try:
        connect(server).sendall(b'x' * 1000)
        query = prometheus(asked.address().port)

        def values(name: str) -> list[float]:
            return [value for _, value in query(f'{name}{{server="{address_of(server)}"}}')]

        until(lambda: values('gnet_received_bytes_total') == [1000], PROCESS_PATIENCE)
        assert values('gnet_connections_open') == [1]
        assert values('gnet_handler_wait_seconds_count') == [1]
        assert [value for _, value in query('up')] == [1]
        [(_, quantile)] = query(
            'histogram_quantile(1, sum by (le) (gnet_handler_wait_seconds_bucket))')
        assert 0 < quantile <= 5
    finally:
        asked.stop(0)
        metrics.stop()
