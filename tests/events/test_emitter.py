"""``EventEmitter``: adding, emitting, removing, asking.

The expectations are what Node 24 does, measured, unless a test says that it is gnet's own rule.
"""

from __future__ import annotations

import enum
import gc
import re
import weakref
from decimal import Decimal
from functools import partial
from typing import Any

import pytest

from gnet import events
from gnet.errors import CodedTypeError
from gnet.events import EventEmitter
from gnet.node.values import UNDEFINED

from .common import ADDERS, Symbol, f, g, h, recorder

# --- a fresh emitter ----------------------------------------------------------------------------


def test_a_fresh_emitter_has_nothing_and_the_default_limit(emitter: EventEmitter) -> None:
    assert emitter.listener_count('x') == 0
    assert emitter.event_names() == []
    assert emitter.listeners('x') == []
    assert emitter.raw_listeners('x') == []
    assert emitter.get_max_listeners() == 10
    assert emitter.emit('x', 1) is False


def test_a_subclass_that_forgets_the_constructor_works(log: list[Any]) -> None:
    class Forgetful(EventEmitter):
        def __init__(self, name: str, *, size: int) -> None:
            self.name = name
            self.on('x', recorder(log, size))

    forgetful = Forgetful('a', size=3)
    assert forgetful.emit('x', 1)
    assert log == [(3, 1)]
    assert forgetful.get_max_listeners() == 10


def test_an_emitter_may_be_used_before_the_constructor_of_its_base_is_called(
    log: list[Any],
) -> None:
    class Early(EventEmitter):
        def __init__(self) -> None:
            self.on('x', recorder(log, 'x'))
            super().__init__(capture_rejections=True)

    early = Early()
    early.emit('x')
    assert log == [('x',)]


def test_an_emitter_takes_attributes_and_weak_references() -> None:
    emitter = EventEmitter()
    emitter.colour = 'red'  # type: ignore[attr-defined]
    reference = weakref.ref(emitter)
    assert reference() is emitter
    assert vars(emitter) == {'colour': 'red'}


def test_an_emitter_without_once_listeners_is_freed_without_the_collector() -> None:
    emitter = EventEmitter().on('x', f)
    reference = weakref.ref(emitter)
    gc.disable()
    try:
        del emitter
        assert reference() is None
    finally:
        gc.enable()


def test_subclasses_may_have_private_members_of_any_name() -> None:
    # Those that they share with the emitter are documented; the others cannot meet theirs.
    shared = {
        '_capture_rejections', '_events', '_listener_added', '_listener_put_in_front',
        '_listener_removed', '_listener_wanted', '_max_listeners', '_plain_emit',
    }
    private = {name for name in vars(EventEmitter) if re.match('_(?!_)', name)}
    assert {name for name in private if not name.startswith('_EventEmitter__')} == shared


@pytest.mark.parametrize('name', [
    'addListener', 'prependListener', 'prependOnceListener', 'removeListener',
    'removeAllListeners', 'rawListeners', 'listenerCount', 'eventNames', 'setMaxListeners',
    'getMaxListeners', 'captureRejection',
])
def test_methods_answer_to_their_node_names(name: str) -> None:
    assert callable(getattr(EventEmitter(), name))


def test_aliases_are_the_same_function() -> None:
    assert EventEmitter.on is EventEmitter.add_listener
    assert EventEmitter.off is EventEmitter.remove_listener
    assert EventEmitter.addListener is EventEmitter.on  # type: ignore[attr-defined]


def test_functions_of_the_module_answer_to_their_node_names() -> None:
    assert events.getEventListeners is events.get_event_listeners
    assert events.errorMonitor is events.error_monitor
    with pytest.raises(AttributeError, match='noSuchName'):
        events.noSuchName  # noqa: B018


# --- adding and emitting ------------------------------------------------------------------------


@pytest.mark.parametrize('method', ADDERS)
def test_adding_returns_the_emitter(emitter: EventEmitter, method: str) -> None:
    assert getattr(emitter, method)('x', f) is emitter
    assert emitter.listeners('x') == [f]


@pytest.mark.parametrize('method', ADDERS)
def test_adding_without_a_listener_is_a_decorator(
    emitter: EventEmitter, log: list[Any], method: str,
) -> None:
    @getattr(emitter, method)('x')
    def listener(value: int) -> None:
        log.append(value)

    listener(1)
    emitter.emit('x', 2)
    assert log == [1, 2]
    assert emitter.listener_count('x') == ('once' not in method)


@pytest.mark.parametrize('value', [None, 5, 'f', {}])
@pytest.mark.parametrize('method', ADDERS)
def test_a_decorator_checks_what_it_decorates(
    emitter: EventEmitter, method: str, value: Any,
) -> None:
    with pytest.raises(CodedTypeError, match='"listener"'):
        getattr(emitter, method)('x')(value)
    assert emitter.event_names() == []


def test_a_decorator_goes_through_an_overridden_method(log: list[Any]) -> None:
    class Mine(EventEmitter):
        def on(self, event: Any, listener: Any = UNDEFINED) -> Any:
            log.append((event, listener))
            return super().on(event, listener)

    mine = Mine()
    assert mine.on('x')(f) is f
    mine.once('y', g)
    assert [event for event, _ in log] == ['x', 'x', 'y']


def test_listeners_are_called_in_order_and_prepended_ones_first(
    emitter: EventEmitter, log: list[Any],
) -> None:
    emitter.on('x', recorder(log, 'on'))
    emitter.once('x', recorder(log, 'once'))
    emitter.prepend_listener('x', recorder(log, 'front'))
    emitter.prepend_once_listener('x', recorder(log, 'front once'))
    emitter.emit('x')
    assert log == [('front once',), ('front',), ('on',), ('once',)]
    log.clear()
    emitter.emit('x')
    assert log == [('front',), ('on',)]


def test_one_listener_may_be_added_twice_and_is_called_twice(
    emitter: EventEmitter, log: list[Any],
) -> None:
    listener = recorder(log, 'x')
    emitter.on('x', listener).on('x', listener).emit('x')
    assert log == [('x',), ('x',)]


@pytest.mark.parametrize('count', [0, 1, 2, 3, 4, 10])
def test_all_arguments_are_passed(emitter: EventEmitter, log: list[Any], count: int) -> None:
    emitter.on('x', recorder(log, 'on')).once('x', recorder(log, 'once'))
    args = tuple(object() for _ in range(count))
    assert emitter.emit('x', *args) is True
    assert log == [('on', *args), ('once', *args)]


def test_what_a_listener_returns_is_ignored(emitter: EventEmitter, log: list[Any]) -> None:
    emitter.on('x', lambda: False).on('x', recorder(log, 'x'))
    assert emitter.emit('x') is True
    assert log == [('x',)]


def test_a_class_or_any_other_callable_may_be_a_listener(emitter: EventEmitter) -> None:
    made: list[Any] = []

    class Record:
        def __init__(self, value: int) -> None:
            made.append(value)

    emitter.on('x', Record).on('x', partial(made.append)).emit('x', 7)
    assert made == [7, 7]


def test_emit_without_a_name_looks_for_undefined(emitter: EventEmitter, log: list[Any]) -> None:
    assert emitter.emit() is False
    emitter.on('undefined', recorder(log, 'x'))
    assert emitter.emit() is True
    assert log == [('x',)]


def test_the_entries_of_an_event_can_be_called_directly(log: list[Any]) -> None:
    # What hot paths in gnet rely on.
    emitter = EventEmitter().on('x', recorder(log, 'on')).once('x', recorder(log, 'once'))
    entries = emitter._events.get('x')
    assert isinstance(entries, tuple)
    assert emitter._plain_emit
    for entry in entries:
        entry(1, 2)
    assert log == [('on', 1, 2), ('once', 1, 2)]
    assert emitter.listener_count('x') == 1


# --- asking -------------------------------------------------------------------------------------


def test_listeners_are_unwrapped_copies_and_raw_listeners_are_not(emitter: EventEmitter) -> None:
    emitter.on('x', f).once('x', g)
    assert emitter.listeners('x') == [f, g]
    plain, wrapper = emitter.raw_listeners('x')
    assert plain is f
    assert wrapper is not g
    assert wrapper.listener is g  # type: ignore[attr-defined]


@pytest.mark.parametrize('method', ['listeners', 'raw_listeners'])
def test_changing_the_list_does_not_change_the_emitter(
    emitter: EventEmitter, method: str,
) -> None:
    emitter.on('x', f)
    getattr(emitter, method)('x').clear()
    getattr(emitter, method)('unknown').append(f)
    assert emitter.listeners('x') == [f]
    assert emitter.event_names() == ['x']


@pytest.mark.parametrize(('listener', 'count'), [
    (None, 3), (UNDEFINED, 3), (f, 2), (g, 1), (h, 0), ('no function', 0),
])
def test_listener_count_counts_all_or_one(
    emitter: EventEmitter, listener: Any, count: int,
) -> None:
    emitter.on('x', f).once('x', f).on('x', g)
    assert emitter.listener_count('x', listener) == count


def test_event_names_come_in_the_order_of_javascript(emitter: EventEmitter) -> None:
    symbol = Symbol('s')
    for name in [
        'b', symbol, 'a', '10', 2, -1, 1.5, '01', '4294967294', '4294967295', '9007199254740992',
        '\u0661', '',
    ]:
        emitter.on(name, f)
    assert emitter.event_names() == [
        '2', '10', '4294967294', 'b', 'a', '-1', '1.5', '01', '4294967295', '9007199254740992',
        '\u0661', '', symbol,
    ]


def test_a_name_that_comes_back_is_the_last(emitter: EventEmitter) -> None:
    emitter.on('a', f).on('b', f).off('a', f).on('a', f)
    assert emitter.event_names() == ['b', 'a']


# --- names of events ----------------------------------------------------------------------------


class Name(str, enum.Enum):
    DATA = 'data'


class Number(enum.IntEnum):
    FIVE = 5


@pytest.mark.parametrize(('event', 'name'), [
    (5, '5'), (-1, '-1'), (0, '0'), (10**25, '1' + '0' * 25), (Number.FIVE, '5'),
    (True, 'true'), (False, 'false'), (None, 'null'), (UNDEFINED, 'undefined'),
    (5.0, '5'), (-0.0, '0'), (0.1, '0.1'), (1.5, '1.5'), (1e5, '100000'), (1e21, '1e+21'),
    (1e-6, '0.000001'), (1e-7, '1e-7'), (12345.678e-9, '0.000012345678'), (-1.5e-9, '-1.5e-9'),
    (123456789012345680000.0, '123456789012345680000'), (1e300, '1e+300'), (5e-324, '5e-324'),
    (float('nan'), 'NaN'), (float('inf'), 'Infinity'), (float('-inf'), '-Infinity'),
    (Decimal(5), '5'), (Name.DATA, 'data'),
])
def test_what_javascript_turns_into_a_string_is_that_string(
    emitter: EventEmitter, log: list[Any], event: Any, name: str,
) -> None:
    emitter.on(event, recorder(log, 'x'))
    assert emitter.event_names() == [name]
    assert type(emitter.event_names()[0]) is str
    assert emitter.emit(name, 1)
    assert emitter.emit(event, 2)
    assert emitter.listener_count(event) == 1
    emitter.remove_all_listeners() if event is UNDEFINED else emitter.remove_all_listeners(event)
    assert emitter.emit(event) is False
    assert log == [('x', 1), ('x', 2)]


def test_other_hashable_objects_are_names_of_their_own(
    emitter: EventEmitter, log: list[Any],
) -> None:
    one, two = Symbol('s'), Symbol('s')
    emitter.on(one, recorder(log, 'one')).on(('a', 1), recorder(log, 'tuple'))
    assert [emitter.emit(one), emitter.emit(two), emitter.emit(('a', 1))] == [True, False, True]
    assert log == [('one',), ('tuple',)]
    assert emitter.event_names() == [one, ('a', 1)]


@pytest.mark.parametrize('name', ['__proto__', 'constructor', 'toString', '__class__', ''])
def test_names_of_attributes_are_ordinary_names(
    emitter: EventEmitter, log: list[Any], name: str,
) -> None:
    assert emitter.emit(name) is False
    assert emitter.on(name, recorder(log, 'x')).emit(name)
    assert emitter.event_names() == [name]
    assert log == [('x',)]
