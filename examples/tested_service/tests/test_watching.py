"""Who hears of changes, in event style."""

import pytest
from service import WATCHING, Store

import gnet.testing

# Each test of this file also fails if it leaves a descriptor or a greenlet behind.
pytestmark = pytest.mark.usefixtures('gnet_leaks')


@pytest.fixture
def store():
    return Store()


def test_everybody_hears_of_each_change_in_order(store, gnet_memory_pair, gnet_recorder):
    events = gnet_recorder()
    for name in ('left', 'right'):
        pair = gnet_memory_pair(store.watch, **WATCHING)
        events.listen(pair.client, 'data', 'end', label=name)
    store.change('colour', 'red')
    events.expect(('left data', b'colour=red\n'), ('right data', b'colour=red\n'))


def test_who_has_gone_is_forgotten(store, gnet_server, gnet_client, gnet_recorder):
    server = gnet_server(store.watch, **WATCHING)
    stays, goes = gnet_client(server), gnet_client(server)
    events = gnet_recorder(stays, 'data', 'error', 'close')
    goes.reset_and_destroy()
    gnet.testing.settle()
    store.change('colour', 'red')
    events.expect(('data', b'colour=red\n'))


def test_who_does_not_read_is_dropped_and_holds_up_nobody(store, gnet_memory_pair, gnet_recorder):
    deaf = gnet_memory_pair(store.watch, client_options={'high_water_mark': 1}, **WATCHING)
    good = gnet_memory_pair(store.watch, **WATCHING)
    deaf.client.pause()
    events = gnet_recorder(good.client, 'data')
    for _ in range(20):
        store.change('text', 'x' * 100_000)
        events.wait_for('data')
        events.clear()
    assert deaf.server.destroyed
    assert not good.server.destroyed
