"""pg8000 over gnet sockets, against a real PostgreSQL."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gevent
import pytest
from gevent import subprocess

import gnet

from ..harness.programs import Daemon, find_program, import_package
from ..harness.waiting import PATIENCE
from .forms import itself, to_socket


def as_somebody(command: list[str]) -> list[str]:
    """PostgreSQL refuses to be run by root."""
    if os.geteuid():
        return command
    return [find_program('setpriv', 'util-linux'), '--reuid=nobody', '--regid=nogroup',
            '--clear-groups', *command]


@pytest.fixture(scope='module')
def server(directory: Path) -> Iterator[str]:
    """A PostgreSQL with an empty database; the path of its unix socket."""
    where = ('usr/lib/postgresql/*/bin',)
    initdb = find_program('initdb', 'postgresql', *where)
    postgres = find_program('postgres', 'postgresql', *where)
    if not os.geteuid():
        shutil.chown(directory, 'nobody', 'nogroup')
    data = directory / 'data'
    subprocess.run(
        as_somebody([initdb, '--pgdata', str(data), '--username', 'test', '--auth', 'trust',
                     '--no-sync', '--encoding', 'UTF8', '--locale', 'C']),
        check=True, cwd=directory, stdout=subprocess.DEVNULL,
    )
    daemon = Daemon(
        as_somebody([postgres, '-D', str(data), '-k', str(directory), '-c', 'listen_addresses=',
                     '-c', 'fsync=off']),
        directory, 'ready to accept connections', stop=signal.SIGINT,
    )
    yield str(directory / '.s.PGSQL.5432')
    daemon.stop()


@pytest.fixture(params=[itself, to_socket])
def connect(request: pytest.FixtureRequest, server: str) -> Iterator[Callable[[], Any]]:
    """``connect()`` returns a connection to the database over a socket of gnet's."""
    native = import_package('pg8000.native', 'pg8000')
    connections: list[Any] = []

    def connect() -> Any:
        sock = gnet.connect(server)
        sock.settimeout(PATIENCE)
        connections.append(
            native.Connection('test', database='postgres', sock=request.param(sock)))
        return connections[-1]

    yield connect
    for connection in connections:
        connection.close()


def test_a_query_with_parameters(connect: Callable[[], Any]) -> None:
    assert connect().run('SELECT :a || :b', a='één', b='二') == [['één二']]


def test_many_rows(connect: Callable[[], Any]) -> None:
    rows = connect().run("SELECT n, repeat('x', 100) FROM generate_series(1, 20000) AS n")
    assert rows == [[number, 'x' * 100] for number in range(1, 20_001)]


def test_a_megabyte_there_and_back(connect: Callable[[], Any]) -> None:
    value = bytes(range(256)) * 4096
    assert connect().run('SELECT CAST(:value AS bytea)', value=value) == [[value]]


def test_rows_in_a_transaction(connect: Callable[[], Any]) -> None:
    connection = connect()
    connection.run('CREATE TEMPORARY TABLE numbers (n integer)')
    connection.run('START TRANSACTION')
    connection.run('INSERT INTO numbers VALUES (1), (2), (3)')
    assert connection.row_count == 3
    connection.run('ROLLBACK')
    assert connection.run('SELECT count(*) FROM numbers') == [[0]]


def test_an_error_leaves_the_connection_usable(connect: Callable[[], Any]) -> None:
    native = import_package('pg8000.native', 'pg8000')
    connection = connect()
    with pytest.raises(native.DatabaseError, match='division by zero'):
        connection.run('SELECT 1 / 0')
    assert connection.run('SELECT 1') == [[1]]


def test_connections_wait_beside_each_other(connect: Callable[[], Any]) -> None:
    """One waits for a lock of the database which another one, of the same thread, releases."""
    first, second = connect(), connect()
    first.run('SELECT pg_advisory_lock(1)')
    waiting = gevent.spawn(second.run, 'SELECT pg_advisory_lock(1)')
    locks = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    with gevent.Timeout(PATIENCE, AssertionError('the second connection does not wait')):
        while first.run(locks) == [[0]]:
            pass
    assert not waiting.ready()
    first.run('SELECT pg_advisory_unlock(1)')
    waiting.get(timeout=PATIENCE)
