"""redis-py with connections over gnet sockets, against a real Redis."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gevent
import pytest

import gnet

from ..harness.programs import Daemon, find_program, import_package
from ..harness.waiting import PATIENCE
from .forms import itself, to_socket


@pytest.fixture(scope='module')
def server(directory: Path) -> Iterator[str]:
    """A Redis without a configuration that keeps nothing; the path of its unix socket."""
    program = find_program('redis-server', 'redis-server')
    path = str(directory / 'redis')
    daemon = Daemon(
        [program, '--port', '0', '--unixsocket', path, '--save', '', '--appendonly', 'no',
         '--dir', str(directory)],
        directory, 'eady to accept connections',
    )
    yield path
    daemon.stop()


@pytest.fixture(params=[itself, to_socket])
def connect(request: pytest.FixtureRequest, server: str) -> Iterator[Callable[..., Any]]:
    """``connect(**options)`` returns a client whose connections are made by gnet."""
    redis = import_package('redis', 'redis')

    class Connection(redis.Connection):  # type: ignore[misc]  # known at run time
        def _connect(self) -> Any:
            sock = gnet.connect(server)
            sock.settimeout(self.socket_timeout)
            return request.param(sock)

    clients: list[Any] = []

    def connect(**options: Any) -> Any:
        options = {'socket_timeout': PATIENCE, **options}
        pool = redis.ConnectionPool(connection_class=Connection, **options)
        clients.append(redis.Redis(connection_pool=pool))
        return clients[-1]

    yield connect
    for client in clients:
        client.flushdb()
        client.close()
        client.connection_pool.disconnect()


def test_values_are_set_and_got(connect: Callable[..., Any]) -> None:
    client = connect()
    assert client.ping() is True
    assert client.set('key', 'value') is True
    assert client.get('key') == b'value'
    assert client.get('no such key') is None


def test_a_value_of_a_megabyte(connect: Callable[..., Any]) -> None:
    client = connect()
    value = bytes(range(256)) * 4096
    client.set('key', value)
    assert client.strlen('key') == 1 << 20
    assert client.get('key') == value


def test_a_pipeline(connect: Callable[..., Any]) -> None:
    client = connect()
    with client.pipeline() as pipeline:
        for number in range(10_000):
            pipeline.rpush('list', number)
        pipeline.lrange('list', 0, -1)
        *lengths, items = pipeline.execute()
    assert lengths == list(range(1, 10_001))
    assert items == [b'%d' % number for number in range(10_000)]


def test_a_subscriber_hears_what_is_published(connect: Callable[..., Any]) -> None:
    client = connect()
    with client.pubsub(ignore_subscribe_messages=True) as subscriber:
        subscriber.subscribe('channel')
        # The answer to subscribe() is read, and ignored.
        assert subscriber.get_message(timeout=PATIENCE) is None
        assert subscriber.get_message(timeout=0) is None
        assert subscriber.get_message(timeout=0.05) is None
        for text in (b'one', b'two'):
            assert client.publish('channel', text) == 1
            message = subscriber.get_message(timeout=PATIENCE)
            assert (message['channel'], message['data']) == (b'channel', text)


def test_one_greenlet_waits_while_another_one_works(connect: Callable[..., Any]) -> None:
    client = connect()
    waiting = gevent.spawn(client.blpop, ['queue'], timeout=PATIENCE)
    for number in range(100):
        assert client.incr('counter') == number + 1
    assert not waiting.ready()
    client.rpush('queue', 'work')
    assert waiting.get(timeout=PATIENCE) == (b'queue', b'work')


def test_an_answer_that_does_not_come_in_time(connect: Callable[..., Any]) -> None:
    redis = import_package('redis', 'redis')
    client = connect(socket_timeout=0.1, retry=None)
    begun = time.monotonic()
    with pytest.raises(redis.exceptions.TimeoutError):
        client.blpop(['queue'], timeout=PATIENCE)
    assert time.monotonic() - begun < PATIENCE / 2
    # The connection was given up, and the next one is as good as new.
    assert client.ping() is True


def test_a_connection_that_the_server_closes(connect: Callable[..., Any]) -> None:
    redis = import_package('redis', 'redis')
    victim, killer = connect(retry=None), connect()
    number = victim.client_id()
    waiting = gevent.spawn(ended_by, redis.exceptions.ConnectionError, victim)
    with gevent.Timeout(PATIENCE, AssertionError('it does not wait')):
        while not any(one['cmd'] == 'blpop' for one in killer.client_list()):
            pass
    assert killer.client_kill_filter(_id=number) == 1
    waiting.get(timeout=PATIENCE)


def ended_by(error: type[Exception], client: Any) -> None:
    with pytest.raises(error):
        client.blpop(['queue'], timeout=PATIENCE)
