"""What is counted of servers and their connections, asked for as OpenMetrics."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import zope.event

import gnet
from gnet import metrics
from gnet.observing import hub_lag, recorder, tally
from gnet.observing.catalogue import CATALOGUE, Kind
from gnet.observing.metrics import labels

from ..harness import ROOT
from ..harness.families import Family
from ..harness.listening import drain
from ..harness.native import Peer
from ..harness.waiting import until
from .common import Scrape, address_of

Serve = Callable[..., gnet.Server]
Connect = Callable[..., Peer]


@pytest.fixture(autouse=True)
def _off_afterwards() -> Iterator[None]:
    before = list(zope.event.subscribers)
    yield
    metrics.stop()
    assert zope.event.subscribers == before


def echo(sock: gnet.Socket) -> None:
    sock.pipe(sock)


# --- on and off ---------------------------------------------------------------------------------


def test_nothing_is_counted_before_somebody_asks(serve: Serve, connect: Connect) -> None:
    assert zope.event.subscribers == []
    server = serve(echo)
    metrics.name_server(server, 'named')
    assert zope.event.subscribers == []
    connect(server)
    until(lambda: server.get_connections() == 1)
    assert 'gnet_connections_accepted_total{server="named"} 0\n' in metrics.openmetrics()
    assert len(zope.event.subscribers) == 1
    metrics.start()
    assert len(zope.event.subscribers) == 1


def test_a_connection_that_waited_for_its_proxys_header_before_is_accepted_later(
    serve: Serve, connect: Connect,
) -> None:
    server = serve(echo, proxy_protocol={'trusted': ['127.0.0.1']})
    metrics.name_server(server, 'named')
    peer = connect(server)
    until(lambda: server.get_connections() == 1)
    text = metrics.openmetrics()
    assert 'gnet_connections_open{server="named"} 1\n' in text
    assert 'gnet_connections_accepted_total{server="named"} 0\n' in text
    peer.sendall(b'PROXY TCP4 192.0.2.1 198.51.100.7 1 443\r\nhello')
    assert peer.recv_exactly(5) == b'hello'
    text = metrics.openmetrics()
    assert 'gnet_connections_open{server="named"} 1\n' in text
    assert 'gnet_connections_accepted_total{server="named"} 1\n' in text
    assert 'gnet_received_bytes_total{server="named"} 5\n' in text


def test_a_connection_that_was_open_before_is_open_and_its_bytes_count(
    serve: Serve, connect: Connect,
) -> None:
    server = serve(echo)
    peer = connect(server)
    peer.sendall(b'hello')
    assert peer.recv(5) == b'hello'
    metrics.start()
    scrape, name = Scrape(), address_of(server)
    assert scrape('gnet_connections_open', server=name) == 1
    assert scrape('gnet_received_bytes_total', server=name) == 5
    peer.close()
    until(lambda: scrape('gnet_connections_open', server=name) == 0)
    assert scrape('gnet_received_bytes_total', server=name) == 5


def test_after_stop_all_begins_anew(serve: Serve, connect: Connect) -> None:
    metrics.start()
    server = serve(echo)
    connect(server)
    until(lambda: Scrape()('gnet_connections_accepted_total', server=address_of(server)) == 1)
    metrics.stop()
    metrics.stop()
    assert Scrape()('gnet_connections_accepted_total', server=address_of(server)) == 0


def test_after_stop_nobody_who_asks_begins_anew(connect: Connect) -> None:
    server = metrics.serve(0)
    metrics.stop()
    before = list(zope.event.subscribers)
    peer = connect(server)
    peer.sendall(b'GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n')
    assert b'\r\nContent-Length: 0\r\n' in peer.recv_until_end()
    server.stop(0)
    assert zope.event.subscribers == before


def test_nodes_spelling_works() -> None:
    assert metrics.nameServer is metrics.name_server
    with pytest.raises(AttributeError):
        metrics.nothing  # noqa: B018


# --- connections --------------------------------------------------------------------------------


def test_a_connection_is_counted_from_its_beginning_to_its_end(
    serve: Serve, connect: Connect, scrape: Scrape, family: Family,
) -> None:
    server = serve(echo, target=family.listen_options)
    name = family.path or address_of(server)
    assert scrape('gnet_connections_accepted_total', server=name) == 0
    peer = connect(server)
    peer.sendall(b'12345')
    assert peer.recv(5) == b'12345'
    values = scrape.all()

    def value(of: str) -> float:
        return values[of, (('server', name),)]

    assert value('gnet_connections_accepted_total') == 1
    assert value('gnet_connections_open') == 1
    assert value('gnet_received_bytes_total') == 5
    assert value('gnet_sent_bytes_total') == 5
    assert value('gnet_handler_wait_seconds_count') == 1
    assert value('gnet_connection_duration_seconds_count') == 0
    peer.close()
    until(lambda: scrape('gnet_connection_duration_seconds_count', server=name) == 1)
    values = scrape.all()
    assert value('gnet_connections_open') == 0
    assert value('gnet_received_bytes_total') == 5
    assert value('gnet_sent_bytes_total') == 5
    assert 0 < value('gnet_connection_duration_seconds_sum') < 30


def test_nothing_is_published_of_messages_and_so_nothing_called(
    serve: Serve, connect: Connect, scrape: Scrape,
) -> None:
    server = serve(echo)
    peer = connect(server)
    peer.sendall(b'x')
    assert peer.recv(1) == b'x'
    events: list[Any] = []
    zope.event.subscribers.append(events.append)
    for _ in range(100):
        peer.sendall(b'x')
        assert peer.recv(1) == b'x'
    zope.event.subscribers.remove(events.append)
    assert events == []
    assert scrape('gnet_received_bytes_total', server=address_of(server)) == 101


def test_bytes_never_fall_between_a_destroy_and_what_is_published_of_it(
    serve: Serve, connect: Connect, scrape: Scrape,
) -> None:
    sockets: list[gnet.Socket] = []
    server = serve(sockets.append)
    peer = connect(server)
    peer.sendall(b'12345')
    name = address_of(server)
    until(lambda: scrape('gnet_received_bytes_total', server=name) == 5)
    sockets[0].destroy()
    assert scrape('gnet_connections_open', server=name) == 0
    assert scrape('gnet_received_bytes_total', server=name) == 5
    until(lambda: scrape('gnet_connection_duration_seconds_count', server=name) == 1)
    assert scrape('gnet_received_bytes_total', server=name) == 5


def test_what_was_sent_away_is_kept_by_nobody_though_nobody_asks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Sock:
        opened_at = 1.0
        bytes_read = bytes_written = 0

    monkeypatch.setattr(tally, '_FEW', 10)
    counts, stays = tally.Tally(), Sock()
    counts.opened(stays)
    for _ in range(1000):
        sent = Sock()
        counts.opened(sent)
        sent.opened_at = 0.0  # as of one that is in another process
        assert len(counts.open) <= 11
    assert stays in counts.open


def test_drops_are_counted_by_their_reason(
    serve: Serve, connect: Connect, scrape: Scrape,
) -> None:
    server = serve(drain)
    blocked = gnet.BlockList()
    blocked.add_address('127.0.0.1')
    server.block_list = blocked
    connect(server)
    name = address_of(server)
    until(lambda: scrape(
        'gnet_connections_dropped_total', server=name, reason='block_list') == 1)
    server.block_list = None
    server.max_connections = 0
    connect(server)
    until(lambda: scrape(
        'gnet_connections_dropped_total', server=name, reason='max_connections') == 1)
    assert scrape('gnet_connections_accepted_total', server=name) == 0


def test_an_error_is_counted_by_its_code(
    serve: Serve, connect: Connect, scrape: Scrape,
) -> None:
    server = serve(drain)
    connect(server).reset()
    name = address_of(server)
    until(lambda: scrape('gnet_connections_failed_total', server=name, code='ECONNRESET') == 1)


def test_a_listener_that_fails_is_counted_by_its_event(
    serve: Serve, connect: Connect, scrape: Scrape,
) -> None:
    def handler(sock: gnet.Socket) -> None:
        sock.on('error', lambda error: None)

        @sock.on('data')
        def fail(chunk: bytes) -> None:
            raise LookupError(chunk)

    server = serve(handler)
    connect(server).sendall(b'x')
    name = address_of(server)
    until(lambda: scrape('gnet_listener_failures_total', server=name, event='data') == 1)
    until(lambda: scrape('gnet_connections_failed_total', server=name, code='LookupError') == 1)


def test_the_event_that_is_a_symbol_has_a_name(serve: Serve, scrape: Scrape) -> None:
    server = serve(drain)
    gnet.lifecycle.publish(
        gnet.lifecycle.ListenerFailed, server, gnet.events.error_monitor, LookupError())
    assert scrape(
        'gnet_listener_failures_total', server=address_of(server), event='errorMonitor') == 1


def test_what_is_no_unicode_is_escaped(
    serve: Serve, scrape: Scrape, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    server = serve(drain, target={'path': os.fsdecode(b'x\xff')})
    assert scrape('gnet_connections_open', server='x\\udcff') == 0
    metrics.name_server(server, 'a\udcffb')
    assert labels.of(server) == 'a\\udcffb'


def test_what_may_have_any_number_of_names_has_a_limit() -> None:
    table: dict[str, int] = {}
    for number in range(1000):
        recorder.count(table, f'E{number}')
    assert len(table) == 51
    assert sum(table.values()) == 1000
    assert table['other'] == 950


def test_servers_that_come_and_go_have_a_limit(
    serve: Serve, scrape: Scrape, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(recorder, 'MAX_SERVERS', 2)
    for _ in range(4):
        serve(drain).stop()
    names = {labels[0][1] for name, labels in scrape.all() if name == 'gnet_connections_open'}
    assert len(names) == 3
    assert 'other' in names


def test_servers_of_one_name_are_counted_together(
    serve: Serve, connect: Connect, scrape: Scrape,
) -> None:
    servers = [gnet.create_server(drain) for _ in range(2)]
    try:
        for server in servers:
            metrics.name_server(server, 'both')
            server.listen(0, '127.0.0.1')
            gnet.once(server, 'listening')
            connect(server)
        until(lambda: scrape('gnet_connections_open', server='both') == 2)
        assert scrape('gnet_connections_accepted_total', server='both') == 2
    finally:
        for server in servers:
            server.stop(0)


@pytest.mark.parametrize(('server', 'name', 'code'), [
    ('a server', 'name', 'ERR_INVALID_ARG_TYPE'),
    (None, 'name', 'ERR_INVALID_ARG_TYPE'),
    ('', 5, 'ERR_INVALID_ARG_TYPE'),
    ('', '', 'ERR_INVALID_ARG_VALUE'),
    ('', 'n' * 101, 'ERR_INVALID_ARG_VALUE'),
])
def test_a_name_is_a_short_text_of_a_server(server: Any, name: Any, code: str) -> None:
    with pytest.raises(gnet.CodedTypeError) as caught:
        metrics.name_server(gnet.Server() if server == '' else server, name)
    assert caught.value.code == code


def test_a_server_that_listens_anew_elsewhere_loses_nothing(
    serve: Serve, connect: Connect, scrape: Scrape,
) -> None:
    server = serve(drain)
    peer, first = connect(server), address_of(server)
    until(lambda: scrape('gnet_connections_open', server=first) == 1)
    server.close()
    server.listen(0, '127.0.0.1')
    gnet.once(server, 'listening')
    peer.sendall(b'12')
    until(lambda: scrape('gnet_received_bytes_total', server=first) == 2)
    peer.close()
    until(lambda: scrape('gnet_connection_duration_seconds_count', server=first) == 1)
    connect(server)
    until(lambda: scrape('gnet_connections_open', server=address_of(server)) == 1)


def test_an_error_of_the_server_is_counted(serve: Serve, scrape: Scrape) -> None:
    taken = serve(drain)
    server = gnet.create_server()
    server.listen(taken.address().port, '127.0.0.1')
    gnet.once(server, 'error')
    assert scrape('gnet_server_errors_total', server='none') == 1


def test_connections_that_the_program_made_are_not_those_of_a_server(
    serve: Serve, scrape: Scrape,
) -> None:
    server = serve(echo)
    with gnet.connect(server.address().port, '127.0.0.1') as sock:
        sock.sendall(b'x')
        assert sock.recv(1) == b'x'
    until(lambda: scrape(
        'gnet_connection_duration_seconds_count', server=address_of(server)) == 1)
    servers = {labels for name, labels in scrape.all() if name == 'gnet_connections_open'}
    assert servers == {(('server', address_of(server)),)}


# --- TLS ----------------------------------------------------------------------------------------


def test_handshakes_are_counted_and_timed(
    serve_tls: Callable[..., Any], connect: Connect, scrape: Scrape,
) -> None:
    from gnet import tls

    server = serve_tls(echo)
    sock = tls.connect(
        {'port': server.address().port, 'host': '127.0.0.1', 'reject_unauthorized': False})
    sock.sendall(b'x')
    assert sock.recv(1) == b'x'
    name = address_of(server)
    assert scrape('gnet_handshakes_total', server=name, result='done') == 1
    assert scrape('gnet_handshake_duration_seconds_count', server=name) == 1
    assert scrape('gnet_connections_accepted_total', server=name) == 1
    sock.close()
    connect(server).sendall(b'this is no TLS\r\n\r\n')
    until(lambda: scrape('gnet_handshakes_total', server=name, result='failed') == 1)


# --- the loop, threads --------------------------------------------------------------------------


def test_the_lag_of_the_loop_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_lag, 'INTERVAL', 0.01)
    metrics.start()
    scrape = Scrape()
    until(lambda: (scrape('gnet_hub_lag_seconds_count') or 0) >= 3)
    before = scrape('gnet_hub_lag_seconds_bucket', le='0.1'), scrape('gnet_hub_lag_seconds_count')
    from time import monotonic

    end = monotonic() + 0.2
    while monotonic() < end:
        pass  # the loop has no turn meanwhile
    until(lambda: scrape('gnet_hub_lag_seconds_count') != before[1])
    late = scrape('gnet_hub_lag_seconds_count') - scrape('gnet_hub_lag_seconds_bucket', le='0.1')
    assert late >= before[1] - before[0] + 1


def test_another_thread_may_ask(serve: Serve, scrape: Scrape, foreign: Any) -> None:
    server = serve(drain)
    text = foreign(metrics.openmetrics)
    assert f'gnet_connections_open{{server="{address_of(server)}"}} 0\n' in text


def test_it_keeps_no_program_alive(run_script: Callable[..., Any]) -> None:
    ended = run_script("""
        import gnet
        gnet.metrics.start()
        gnet.metrics.serve(0)
        gnet.run()
        print('over')
    """)
    assert ended == (0, 'over\n', '')


def test_a_bare_fork_counts_nothing_and_closes_what_is_its_parents(
    run_script: Callable[..., Any],
) -> None:
    ended = run_script("""
        import os, gnet
        server = gnet.serve(lambda sock: sock.end(), 0)
        gnet.metrics.start()
        child = os.fork()
        if not child:
            os._exit(0 if not server.listening else 1)
        status = os.waitpid(child, 0)[1]
        server.stop()
        print(status, 'accepted_total' in gnet.metrics.openmetrics())
    """)
    assert ended == (0, '0 True\n', '')


def test_the_catalogue_is_well_formed() -> None:
    for name, metric in CATALOGUE.items():
        assert name == metric.name
        assert name.startswith('gnet_')
        assert not name.endswith('_total')
        assert metric.text.endswith('.')
        assert not set('"\\\n') & set(metric.text), 'it would have to be escaped'
        assert (metric.kind is Kind.HISTOGRAM) == bool(metric.bounds)
        assert list(metric.bounds) == sorted(set(metric.bounds))
        assert not metric.unit or name.endswith(f'_{metric.unit}')


def test_the_document_has_all_of_them() -> None:
    told = re.findall(r'^\| `(gnet_\w+)` \| (\w+) \| (.*?) \| (.*?) \|$', (
        ROOT / 'docs' / 'metrics.md').read_text('utf-8'), re.M)
    assert told == [
        (metric.sample_name, metric.kind.value,
         ', '.join(f'`{label}`' for label in metric.labels) or '–', metric.text)
        for metric in CATALOGUE.values()]
