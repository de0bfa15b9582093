"""``EventEmitter``: `'error'`, `'newListener'`, `'removeListener'`, and the hooks of subclasses.

The expectations are what Node 24 does, measured, unless a test says that it is gnet's own rule.
"""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest

from gnet.errors import CodedRuntimeError
from gnet.events import EventEmitter, error_monitor
from gnet.node.values import UNDEFINED

from .common import ADDERS, Boom, Hooked, Symbol, f, g, h, recorder

# --- 'error' ------------------------------------------------------------------------------------


@pytest.mark.parametrize('error', [Boom('a'), OSError(5, 'b'), KeyboardInterrupt()])
def test_an_error_without_a_listener_is_raised_itself(
    emitter: EventEmitter, error: BaseException,
) -> None:
    with pytest.raises(type(error)) as caught:
        emitter.emit('error', error, 'more')
    assert caught.value is error


@pytest.mark.parametrize(('args', 'text'), [
    ((), 'undefined'), ((None,), 'null'), ((5,), '5'), (('str',), "'str'"),
    (({'a': 1},), '{ a: 1 }'), ((Boom,), '[class Boom]'), (([1],), '[ 1 ]'),
])
def test_what_is_no_exception_is_wrapped(
    emitter: EventEmitter, args: tuple[Any, ...], text: str,
) -> None:
    with pytest.raises(CodedRuntimeError) as caught:
        emitter.emit('error', *args)
    error: Any = caught.value
    assert error.code == 'ERR_UNHANDLED_ERROR'
    assert str(error) == f'Unhandled error. ({text})'
    assert error.context is (args[0] if args else UNDEFINED)


def test_an_error_with_a_listener_is_an_ordinary_event(
    emitter: EventEmitter, log: list[Any],
) -> None:
    error = Boom()
    emitter.on('error', recorder(log, 'error'))
    assert emitter.emit('error', error, 2) is True
    assert emitter.emit('error') is True
    assert log == [('error', error, 2), ('error',)]


def test_an_exception_in_an_error_listener_leaves_emit(emitter: EventEmitter) -> None:
    def fail(error: Exception) -> None:
        raise KeyError('in the listener') from error

    emitter.on('error', fail)
    with pytest.raises(KeyError):
        emitter.emit('error', Boom())


def test_the_monitor_is_called_before_the_listeners_and_does_not_count(
    emitter: EventEmitter, log: list[Any],
) -> None:
    first, second = Boom('first'), Boom('second')
    emitter.on(error_monitor, recorder(log, 'monitor'))
    with pytest.raises(Boom, match='first'):
        emitter.emit('error', first, 1)
    emitter.on('error', recorder(log, 'error'))
    assert emitter.emit('error', second) is True
    emitter.emit('x')
    assert log == [('monitor', first, 1), ('monitor', second), ('error', second)]


def test_the_monitor_may_be_emitted_like_any_event(emitter: EventEmitter, log: list[Any]) -> None:
    assert emitter.emit(error_monitor, 1) is False
    emitter.on(error_monitor, recorder(log, 'monitor'))
    assert emitter.emit(error_monitor, 2) is True
    assert log == [('monitor', 2)]
    assert emitter.event_names() == [error_monitor]


def test_a_monitor_that_adds_or_removes_the_listener_decides(
    emitter: EventEmitter, log: list[Any],
) -> None:
    emitter.once(error_monitor, lambda error: emitter.once('error', recorder(log, 'late')))
    error = Boom()
    assert emitter.emit('error', error) is True
    assert log == [('late', error)]
    emitter.on('error', f)
    emitter.on(error_monitor, lambda error: emitter.remove_all_listeners('error'))
    with pytest.raises(Boom):
        emitter.emit('error', error)


def test_an_exception_in_a_monitor_leaves_emit(emitter: EventEmitter, log: list[Any]) -> None:
    def fail(error: Exception) -> None:
        raise KeyError

    emitter.on(error_monitor, fail).on('error', recorder(log, 'error'))
    with pytest.raises(KeyError):
        emitter.emit('error', Boom())
    assert log == []


def test_the_monitor_has_a_readable_form_and_stays_itself() -> None:
    assert repr(error_monitor) == 'Symbol(events.errorMonitor)'
    assert pickle.loads(pickle.dumps(error_monitor)) is error_monitor
    assert copy.deepcopy(error_monitor) is error_monitor


# --- 'newListener' and 'removeListener' ---------------------------------------------------------


@pytest.mark.parametrize('method', ADDERS)
def test_new_listener_is_told_the_original_before_it_is_added(
    emitter: EventEmitter, log: list[Any], method: str,
) -> None:
    emitter.on('newListener', lambda name, listener: log.append(
        (name, listener, emitter.listener_count(name)),
    ))
    getattr(emitter, method)('x', f)
    getattr(emitter, method)('x', g)
    assert log == [('x', f, 0), ('x', g, 1)]


def test_new_listener_is_told_the_name_as_it_was_given(
    emitter: EventEmitter, log: list[Any],
) -> None:
    emitter.on('newListener', lambda name, listener: log.append(name))
    emitter.on('removeListener', lambda name, listener: log.append(name))
    emitter.on(5, f).on(None, f).off(5, f)
    assert log == ['removeListener', 5, None, 5]


def test_a_listener_added_in_new_listener_comes_first(
    emitter: EventEmitter, log: list[Any],
) -> None:
    emitter.once('newListener', lambda *args: emitter.on('x', recorder(log, 'B')))
    emitter.on('x', recorder(log, 'A'))
    emitter.emit('x')
    assert log == [('B',), ('A',)]


def test_the_second_new_listener_is_announced_to_the_first(
    emitter: EventEmitter, log: list[Any],
) -> None:
    emitter.on('newListener', lambda name, _: log.append(f'1:{name}'))
    emitter.on('newListener', lambda name, _: log.append(f'2:{name}'))
    assert log == ['1:newListener']
    emitter.on('removeListener', f)
    assert log == ['1:newListener', '1:removeListener', '2:removeListener']


def test_a_new_listener_that_raises_prevents_the_addition(emitter: EventEmitter) -> None:
    def refuse(name: str, listener: Any) -> None:
        raise Boom

    emitter.on('newListener', refuse)
    for method in ADDERS:
        with pytest.raises(Boom):
            getattr(emitter, method)('x', f)
    assert emitter.event_names() == ['newListener']


def test_remove_listener_is_told_after_the_removal(emitter: EventEmitter, log: list[Any]) -> None:
    emitter.on('x', f).on('x', g)
    emitter.on('removeListener', lambda name, listener: log.append(
        (name, listener, emitter.listener_count(name)),
    ))
    emitter.off('x', f).off('x', h).off('y', f).off('x', g)
    assert log == [('x', f, 1), ('x', g, 0)]


def test_remove_listener_is_not_told_of_the_removal_of_the_last_of_its_own(
    emitter: EventEmitter, log: list[Any],
) -> None:
    first, second = recorder(log, 1), recorder(log, 2)
    emitter.on('removeListener', first).on('removeListener', second)
    emitter.off('removeListener', first)
    assert log == [(2, 'removeListener', first)]
    emitter.off('removeListener', second)
    assert len(log) == 1


def test_a_once_listener_that_fires_is_announced_before_it_runs(
    emitter: EventEmitter, log: list[Any],
) -> None:
    def listener() -> None:
        log.append('run')

    emitter.on('removeListener', lambda name, removed: log.append((name, removed is listener)))
    emitter.once('x', listener)
    emitter.emit('x')
    assert log == [('x', True), 'run']


@pytest.mark.parametrize(('others', 'by', 'told'), [
    # Node tells what was removed *by*; only of the last listener it always tells the original.
    (False, 'firing', 'original'),
    (False, 'original', 'original'),
    (False, 'wrapper', 'original'),
    (True, 'firing', 'wrapper'),
    (True, 'original', 'original'),
    (True, 'wrapper', 'wrapper'),
])
def test_what_remove_listener_is_told_of_a_once_listener(
    emitter: EventEmitter, log: list[Any], others: bool, by: str, told: str,
) -> None:
    emitter.once('x', f)
    wrapper = emitter.raw_listeners('x')[0]
    if others:
        emitter.on('x', g)
    emitter.on('removeListener', lambda name, removed: log.append(removed))
    if by == 'firing':
        emitter.emit('x')
    else:
        emitter.off('x', wrapper if by == 'wrapper' else f)
    assert log == [wrapper if told == 'wrapper' else f]


def test_a_remove_listener_that_emits_does_not_fire_a_once_listener_twice(
    emitter: EventEmitter, log: list[Any],
) -> None:
    emitter.on('removeListener', lambda *args: emitter.emit('x'))
    emitter.once('x', recorder(log, 'x'))
    emitter.emit('x')
    assert log == [('x',)]


def test_remove_all_listeners_of_one_name_announces_the_latest_first(
    emitter: EventEmitter, log: list[Any],
) -> None:
    emitter.on('removeListener', lambda name, listener: log.append(
        (name, listener, emitter.listener_count(name)),
    ))
    emitter.on('x', f).on('x', g).on('x', h).on('y', f)
    emitter.remove_all_listeners('x')
    assert log == [('x', h, 2), ('x', g, 1), ('x', f, 0)]
    assert emitter.event_names() == ['removeListener', 'y']


def test_remove_all_listeners_announces_its_own_listeners_last(
    emitter: EventEmitter, log: list[Any],
) -> None:
    first, second = recorder(log, 1), recorder(log, 2)
    symbol = Symbol('s')
    emitter.on('b', f).on('removeListener', first).on('b', g).on(symbol, f).on('2', f)
    emitter.on('removeListener', second)
    emitter.remove_all_listeners()
    assert log == [
        (1, '2', f), (2, '2', f),
        (1, 'b', g), (2, 'b', g), (1, 'b', f), (2, 'b', f),
        (1, symbol, f), (2, symbol, f),
        (1, 'removeListener', second),
    ]
    assert emitter.event_names() == []


def test_what_is_added_while_one_name_is_emptied_stays(emitter: EventEmitter) -> None:
    def add(name: str, listener: Any) -> None:
        if listener is f:
            emitter.on('x', h)

    emitter.on('removeListener', add).on('x', f).on('x', g).remove_all_listeners('x')
    assert emitter.listeners('x') == [h]


def test_what_is_added_while_everything_is_removed_goes_too(emitter: EventEmitter) -> None:
    def add(name: str, listener: Any) -> None:
        if name == 'y':
            emitter.on('x', h)

    emitter.on('removeListener', add).on('x', f).on('y', f).remove_all_listeners()
    assert emitter.event_names() == []


def test_a_remove_listener_listener_that_raises_leaves_the_listener_removed(
    emitter: EventEmitter,
) -> None:
    def fail(name: str, listener: Any) -> None:
        raise Boom

    emitter.on('x', f).on('removeListener', fail)
    with pytest.raises(Boom):
        emitter.off('x', f)
    assert emitter.event_names() == ['removeListener']


# --- hooks of subclasses ------------------------------------------------------------------------


@pytest.mark.parametrize('method', ADDERS)
def test_the_hook_is_called_after_an_addition_at_the_end(method: str) -> None:
    hooked = Hooked()
    getattr(hooked, method)('x', f)
    assert hooked.calls == ([] if method.startswith('prepend') else [('added', 'x', 1)])


def test_the_hooks_get_the_name_as_it_is_stored() -> None:
    hooked = Hooked()
    hooked.on(5, f).off(5, f).on(None, f).remove_all_listeners(None)
    assert [name for _, name, _ in hooked.calls] == ['5', '5', 'null', 'null']


@pytest.mark.parametrize('announced', [False, True])
@pytest.mark.parametrize(('remove', 'calls'), [
    (lambda e: e.off('x', f), [('removed', 'x', 2)]),
    (lambda e: e.off('x', h), [('removed', 'x', 3)]),
    (lambda e: e.emit('x'), [('removed', 'x', 2)]),
    (lambda e: e.remove_all_listeners('x'), [('removed', 'x', 0)]),
    (lambda e: e.remove_all_listeners('nothing'), [('removed', 'nothing', 0)]),
], ids=['off', 'unknown', 'once fired', 'one name', 'no name'])
def test_the_hook_is_called_once_after_a_removal_or_the_attempt(
    announced: bool, remove: Callable[[EventEmitter], Any], calls: list[Any],
) -> None:
    hooked = Hooked()
    hooked.on('x', f).once('x', g).on('x', g)
    if announced:
        hooked.on('removeListener', f)
    hooked.calls.clear()
    remove(hooked)
    assert hooked.calls == calls


@pytest.mark.parametrize('announced', [False, True])
def test_the_hook_is_called_once_for_each_name_when_all_are_removed(announced: bool) -> None:
    hooked = Hooked()
    hooked.on('x', f).on('x', g).on('y', f)
    if announced:
        hooked.on('removeListener', f)
    hooked.calls.clear()
    hooked.remove_all_listeners()
    names = ['x', 'y', 'removeListener'] if announced else ['x', 'y']
    assert hooked.calls == [('removed', name, 0) for name in names]
