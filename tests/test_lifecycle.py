"""The events that are published through zope.event, and how they are published."""

from __future__ import annotations

import ast
import importlib
import logging
from pathlib import Path

import gevent
import gevent.events
import pytest
import zope.event
from zope.interface import Attribute
from zope.interface.verify import verifyObject

from gnet import lifecycle
from gnet.lifecycle import ILifecycleEvent, publish

#: Each class, its interface and values for its attributes, in order.
EVENTS = [
    (lifecycle.ServerListening, lifecycle.IServerListening,
     {'server': 'server', 'address': ('::1', 'IPv6', 80)}),
    (lifecycle.ServerClosed, lifecycle.IServerClosed, {'server': 'server'}),
    (lifecycle.ServerError, lifecycle.IServerError, {'server': 'server', 'error': OSError(24)}),
    (lifecycle.ConnectionOpened, lifecycle.IConnectionOpened,
     {'server': 'server', 'socket': 'socket', 'waited': 0.01}),
    (lifecycle.ConnectionClosed, lifecycle.IConnectionClosed,
     {'server': 'server', 'socket': 'socket', 'bytes_read': 5, 'bytes_written': 7,
      'duration': 1.5, 'error': None, 'ended_by': lifecycle.EndedBy.PEER}),
    (lifecycle.ConnectionDropped, lifecycle.IConnectionDropped,
     {'server': 'server', 'data': None, 'reason': lifecycle.DropReason.BLOCK_LIST,
      'network': '192.0.2.1'}),
    (lifecycle.ConnectionSecured, lifecycle.IConnectionSecured,
     {'server': 'server', 'socket': 'socket', 'protocol': 'TLSv1.3', 'cipher': 'TLS_AES',
      'servername': 'localhost', 'alpn_protocol': None, 'session_reused': False,
      'duration': 0.1}),
    (lifecycle.HandshakeFailed, lifecycle.IHandshakeFailed,
     {'server': 'server', 'socket': 'socket', 'error': ValueError('no'), 'duration': 0.1}),
    (lifecycle.HubBlocked, lifecycle.IHubBlocked,
     {'duration': 0.5, 'stack': ['script.py:1 in main']}),
    (lifecycle.ListenerFailed, lifecycle.IListenerFailed,
     {'emitter': 'socket', 'event': 'data', 'error': ValueError('no')}),
]


@pytest.fixture
def subscribers():
    """The list of subscribers, empty; what was in it is back after the test."""
    kept = zope.event.subscribers[:]
    zope.event.subscribers.clear()
    yield zope.event.subscribers
    zope.event.subscribers[:] = kept


@pytest.fixture
def failures(caplog):
    """Return what was logged on ``gnet.lifecycle`` until then."""
    caplog.set_level(logging.DEBUG, logger='gnet.lifecycle')
    return lambda: [record for record in caplog.records if record.name == 'gnet.lifecycle']


@pytest.mark.parametrize(('kind', 'interface', 'attributes'), EVENTS)
def test_each_event_has_the_attributes_of_its_interface(kind, interface, attributes):
    event = kind(*attributes.values())
    assert verifyObject(interface, event)
    assert ILifecycleEvent.providedBy(event)
    assert vars(event) == attributes
    assert set(interface.names()) == set(attributes)
    assert all(type(interface[name]) is Attribute for name in interface.names())
    assert kind(*attributes.values()) != event, 'two events are two, whatever they tell'
    for name, value in attributes.items():
        assert f'{name}={value!r}' in repr(event)


def test_all_events_are_public_and_in_the_table():
    found = {
        name for name, value in vars(lifecycle).items()
        if isinstance(value, type) and ILifecycleEvent.implementedBy(value)
    }
    assert found == {kind.__name__ for kind, _, _ in EVENTS}
    interfaces = {interface.__name__ for _, interface, _ in EVENTS}
    assert interfaces == {'I' + name for name in found}
    assert found | interfaces <= set(lifecycle.__all__)


def test_an_event_reaches_each_subscriber_in_order(subscribers):
    seen = []
    subscribers.append(lambda event: seen.append(('first', event)))
    subscribers.append(lambda event: seen.append(('second', event)))
    publish(lifecycle.ConnectionOpened, 'server', 'socket', 0.0)
    (first, event), (second, same) = seen
    assert (first, second) == ('first', 'second')
    assert event is same
    assert (event.server, event.socket) == ('server', 'socket')


def test_gevents_own_name_for_the_subscribers_works_too(subscribers):
    seen = []
    gevent.events.subscribers.append(seen.append)
    publish(lifecycle.ServerClosed, 'server')
    assert [type(event) for event in seen] == [lifecycle.ServerClosed]


def test_no_event_is_built_when_nobody_subscribes(subscribers):
    built = []
    publish(lambda *args: built.append(args), 1, 2)
    assert built == []
    subscribers.append(lambda event: None)
    publish(lambda *args: built.append(args), 1, 2)
    assert built == [(1, 2)]


def test_a_subscriber_that_raises_keeps_the_event_from_nobody(subscribers, failures):
    seen = []

    def broken(event):
        raise LookupError('not my day')

    subscribers.extend([broken, seen.append, broken, seen.append])
    publish(lifecycle.ServerClosed, 'the server')
    assert len(seen) == 2
    assert [record.levelname for record in failures()] == ['ERROR', 'ERROR']
    record = failures()[0]
    assert 'broken' in record.getMessage()
    assert "ServerClosed(server='the server')" in record.getMessage()
    kind, error, traceback = record.exc_info
    assert (kind, str(error)) == (LookupError, 'not my day')
    assert traceback.tb_next.tb_frame.f_code.co_name == 'broken'


@pytest.mark.parametrize(
    'end', [SystemExit(3), KeyboardInterrupt(), gevent.GreenletExit(), gevent.Timeout()],
)
def test_what_ends_a_program_or_a_greenlet_passes(subscribers, failures, end):
    def ending(event):
        raise end

    subscribers.append(ending)
    with pytest.raises(type(end)) as caught:
        publish(lifecycle.ServerClosed, 'server')
    assert caught.value is end
    assert failures() == []


def test_what_a_subscriber_adds_or_removes_counts_from_the_next_event_on(subscribers):
    seen = []

    def first(event):
        seen.append('first')
        subscribers.remove(first)
        subscribers.append(late)

    def second(event):
        seen.append('second')

    def late(event):
        seen.append('late')

    subscribers.extend([first, second])
    publish(lifecycle.ServerClosed, 'server')
    assert seen == ['first', 'second']
    publish(lifecycle.ServerClosed, 'server')
    assert seen == ['first', 'second', 'second', 'late']


def test_another_list_of_subscribers_may_be_put_in_its_place(monkeypatch):
    seen = []
    monkeypatch.setattr(zope.event, 'subscribers', [seen.append])
    publish(lifecycle.ServerClosed, 'server')
    assert len(seen) == 1


def test_a_subscriber_may_block(subscribers):
    going_on, seen = gevent.event.Event(), []

    def slow(event):
        going_on.wait()
        seen.append(event)

    subscribers.append(slow)
    greenlet = gevent.spawn(publish, lifecycle.ServerClosed, 'server')
    gevent.spawn(going_on.set)
    greenlet.get()
    assert len(seen) == 1


@pytest.mark.parametrize('name', ['gnet.lifecycle', 'gnet.lifecycle.events'])
def test_the_module_imports_nothing_from_gnet_but_what_all_faces_do(name):
    module = importlib.import_module(name)
    tree = ast.parse(Path(module.__file__).read_text('utf-8'))
    imported = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            assert node.level < 2 or node.module in ('node.faces', 'node.logs')
            imported.add(node.module)
        elif isinstance(node, ast.Import):
            imported.update(name.name for name in node.names)
    assert imported
    assert not {name for name in imported if name.split('.')[0] == 'gnet'}
