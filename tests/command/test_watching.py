"""``--metrics``, ``--log-format`` and ``--access-log``: programs, seen from outside."""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket

import pytest

from gnet.command.watching import host_and_port

from ..harness.openmetrics import parse, series
from ..harness.waiting import PROCESS_PATIENCE, until
from .workers import SERVER


@pytest.fixture
def scrape(connect):
    """``scrape(port, name, **labels)`` returns a value; None if there is none."""
    def scrape(port, name, **labels):
        peer = connect(('127.0.0.1', port))
        peer.sendall(
            b'GET /metrics HTTP/1.1\r\nHost: x\r\nAccept: application/openmetrics-text\r\n\r\n')
        text = peer.recv_until_end().partition(b'\r\n\r\n')[2].decode()
        peer.close()
        return parse(text).get(series(name, **labels))

    return scrape


def port_of(started):
    return int(started.wait_for(r'metrics are served at 127\.0\.0\.1:(\d+)')[1])


def test_workers_are_added_up_and_no_total_falls(program, ask, scrape):
    started = program(SERVER, '--metrics', '0')
    port = port_of(started)
    started.workers = started.wait_until_listening()
    server = f'127.0.0.1:{started.port}'

    def value(name):
        return scrape(port, name, **({'server': server} if 'worker' not in name else {}))

    def accepted():
        return value('gnet_connections_accepted_total')

    for _ in range(5):
        ask(started)
    until(lambda: accepted() == 5, PROCESS_PATIENCE)
    assert value('gnet_workers') == 2
    # One that is killed takes nothing of it along.
    os.kill(min(started.workers), signal.SIGKILL)
    started.wait_until_listening(1)
    assert accepted() == 5
    assert value('gnet_worker_restarts_total') == 1
    assert value('gnet_workers') == 2
    # One that is told to end says all before, however little time there was for a report.
    for _ in range(3):
        ask(started)
    started.kill(signal.SIGHUP)
    started.wait_until_listening()
    started.wait_for('^gnet: the workers were replaced')
    until(lambda: value('gnet_workers') == 2, PROCESS_PATIENCE)
    assert accepted() == 8
    assert value('gnet_connection_duration_seconds_count') == 8
    assert value('gnet_sent_bytes_total') > 8
    assert value('gnet_connections_open') == 0
    assert value('gnet_worker_restarts_total') == 1
    started.kill(signal.SIGTERM)
    assert started.wait()[0] == 0


def test_each_process_writes_lines_of_json(program, ask):
    started = program(SERVER, '--access-log', '--log-format', 'json', count=1)
    [worker] = started.wait_until_listening()
    ask(started)
    line = json.loads(started.wait_for('"connection"').string)
    assert (line['pid'], line['worker'], line['logger']) == (worker, 1, 'gnet.access')
    assert line['server'] == f'127.0.0.1:{started.port}'
    started.kill(signal.SIGTERM)
    line = json.loads(started.wait_for('SIGTERM').string)
    assert (line['pid'], line['logger']) == (started.pid, 'gnet.command')
    assert started.wait()[0] == 0


def test_a_program_in_one_process_has_both(python, connect):
    python.write('script.py', """
        import os
        import gnet
        server = gnet.serve(lambda sock: sock.end(b'bye'), 0)
        print(server.address().port, [name for name in os.environ if name == 'GNET_WATCHING'])
    """)
    running = python.start('-m', 'gnet', '--metrics', '0', '--access-log', 'script.py')
    port, environment = running.read_line().split()
    assert environment == '[]', 'other programs that it starts are not its workers'
    port = int(port)
    peer = connect(('127.0.0.1', port))
    own_port = peer.plain.getsockname()[1]
    assert peer.recv_until_end() == b'bye'
    peer.close()
    running.send_signal(signal.SIGTERM)
    status, _, errors = running.wait()
    assert status == 0
    told, *lines = errors.splitlines()
    assert told.startswith('gnet: metrics are served at 127.0.0.1:')
    [line] = [line for line in lines if ' gnet.access ' in line]
    assert f' connection peer=127.0.0.1:{own_port} ' in line
    assert f' server=127.0.0.1:{port} ' in line
    assert line.endswith('received=0 sent=3 reason=local')


def test_workers_that_the_script_forks_count_for_it(python, connect, scrape):
    python.write('script.py', """
        import gnet
        from gnet import cluster

        if cluster.is_primary:
            cluster.fork()
        else:
            server = gnet.create_server(lambda sock: sock.end())
            gnet.metrics.name_server(server, 'shared')
            server.listen(0, '127.0.0.1')
            gnet.once(server, 'listening')
            print(server.address().port, flush=True)
            try:
                gnet.metrics.serve(0)
            except gnet.CodedRuntimeError as error:
                print(error.code, flush=True)
    """)
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        metrics_port = probe.getsockname()[1]
    running = python.start('-m', 'gnet', '--metrics', f'127.0.0.1:{metrics_port}', 'script.py')
    port = int(running.read_line())
    assert running.read_line() == 'ERR_NOT_PRIMARY'
    assert connect(('127.0.0.1', port)).recv_until_end() == b''
    until(lambda: scrape(
        metrics_port, 'gnet_connections_accepted_total', server='shared') == 1, PROCESS_PATIENCE)
    running.send_signal(signal.SIGTERM)
    running.wait()


def test_a_port_that_is_taken_ends_the_program(python):
    python.write('script.py', 'print("not this")')
    with socket.socket() as taken:
        taken.bind(('127.0.0.1', 0))
        taken.listen()
        ended = python.run(
            '-m', 'gnet', '--metrics', str(taken.getsockname()[1]), 'script.py')
    assert (ended.status, ended.stdout) == (1, '')
    assert ended.stderr.startswith('gnet: metrics cannot be served: listen EADDRINUSE')
    assert ended.stderr.count('\n') == 1


@pytest.mark.parametrize(('word', 'where'), [
    ('9100', ('127.0.0.1', 9100)), ('127.0.0.1:9100', ('127.0.0.1', 9100)),
    ('[::1]:9100', ('::1', 9100)), ('localhost:0', ('localhost', 0)),
])
def test_where_metrics_are_served(word, where):
    assert host_and_port(word) == where


@pytest.mark.parametrize('word', [
    '', ':', 'x', ':9100', 'localhost', 'localhost:', '::1:9100', '127.0.0.1:65536', '-1',
    '127.0.0.1:x',
])
def test_where_metrics_cannot_be_served(word):
    with pytest.raises(argparse.ArgumentTypeError):
        host_and_port(word)
