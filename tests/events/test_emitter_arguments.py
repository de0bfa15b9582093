"""``gnet.events``: the limit of listeners, the helpers, and what is refused.

The expectations are what Node 24 does, measured, unless a test says that it is gnet's own rule.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import pytest
from gevent.event import Event

from gnet import events
from gnet.errors import AbortError, CodedTypeError, CodedValueError
from gnet.events import EventEmitter, MaxListenersExceededWarning, error_monitor, on, once
from gnet.node.values import UNDEFINED

from .common import ADDERS, LISTENER_TEXT, REMOVERS, Hooked, Symbol, check, f, g, h

# --- the limit ----------------------------------------------------------------------------------


def added(emitter: EventEmitter, event: Any, count: int) -> list[warnings.WarningMessage]:
    """Add *count* listeners of *event*; return the warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter('always')
        for _ in range(count):
            emitter.on(event, f)
    return caught


def test_the_eleventh_listener_is_a_warning_and_is_added(emitter: EventEmitter) -> None:
    assert added(emitter, 'leak', 10) == []
    [caught] = added(emitter, 'leak', 5)
    message: Any = caught.message
    assert type(message) is MaxListenersExceededWarning
    assert str(message) == (
        'Possible EventEmitter memory leak detected. 11 leak listeners added to [EventEmitter]. '
        'MaxListeners is 10. Use emitter.setMaxListeners() to increase limit'
    )
    assert (message.emitter, message.type, message.count) == (emitter, 'leak', 11)
    assert emitter.listener_count('leak') == 15


def test_python_shows_the_warning_by_default() -> None:
    assert issubclass(MaxListenersExceededWarning, RuntimeWarning)
    assert not issubclass(MaxListenersExceededWarning, ResourceWarning)


@pytest.mark.parametrize(('limit', 'number', 'shown'), [
    (1, 2, '1'), (2, 3, '2'), (0.5, 2, '0.5'), (1.5, 2, '1.5'), (2.0, 3, '2'),
    (0, None, ''), (float('inf'), None, ''),
])
def test_the_warning_comes_when_the_limit_is_exceeded(
    emitter: EventEmitter, limit: float, number: int | None, shown: str,
) -> None:
    emitter.set_max_listeners(limit)
    caught = added(emitter, 'x', 30)
    if number is None:
        assert caught == []
    else:
        [warning] = caught
        assert warning.message.count == number  # type: ignore[union-attr]
        assert f'MaxListeners is {shown}. ' in str(warning.message)


@pytest.mark.parametrize(('event', 'shown'), [
    (5, '5'), (None, 'null'), (Symbol('zz'), 'Symbol(zz)'), (error_monitor, repr(error_monitor)),
])
def test_the_warning_names_the_event_and_the_class(event: Any, shown: str) -> None:
    class My(EventEmitter):
        pass

    my = My().set_max_listeners(1)
    [warning] = added(my, event, 2)
    assert f' 2 {shown} listeners added to [My]. ' in str(warning.message)
    assert warning.message.type is event  # type: ignore[union-attr]


def test_each_event_is_warned_about_once_until_one_listener_is_left(
    emitter: EventEmitter,
) -> None:
    emitter.set_max_listeners(2)
    assert len(added(emitter, 'x', 4)) == 1
    assert len(added(emitter, 'y', 4)) == 1
    emitter.off('x', f).off('x', f)
    assert added(emitter, 'x', 1) == []
    emitter.off('x', f).off('x', f)
    assert emitter.listener_count('x') == 1
    assert len(added(emitter, 'x', 2)) == 1
    emitter.remove_all_listeners('x')
    assert len(added(emitter, 'x', 3)) == 1
    emitter.remove_all_listeners()
    assert len(added(emitter, 'y', 3)) == 1


def add_by_decorator(emitter: EventEmitter) -> None:
    emitter.on('x')(f)


def iterate_and_close(emitter: EventEmitter) -> None:
    on(emitter, 'x').close()


@pytest.mark.parametrize('add', [
    lambda emitter: emitter.on('x', f),
    lambda emitter: emitter.once('x', f),
    lambda emitter: emitter.prepend_listener('x', f),
    lambda emitter: emitter.prepend_once_listener('x', f),
    add_by_decorator,
    iterate_and_close,
], ids=['on', 'once', 'prepend', 'prepend once', 'decorator', 'iterator'])
def test_the_warning_points_at_the_line_that_added(
    emitter: EventEmitter, add: Callable[[EventEmitter], Any],
) -> None:
    emitter.set_max_listeners(1).on('x', f)
    with pytest.warns(MaxListenersExceededWarning) as caught:
        add(emitter)
    assert caught[0].filename == __file__
    code: Any = add
    first = code.__code__.co_firstlineno
    assert first <= caught[0].lineno <= first + 1


def test_a_warning_made_an_error_is_raised_with_the_listener_added() -> None:
    # gnet's own rule: the state is that of an ordinary addition, and it is not warned about again.
    hooked = Hooked()
    hooked.set_max_listeners(1).on('x', f)
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        with pytest.raises(MaxListenersExceededWarning):
            hooked.on('x', g)
        hooked.on('x', h)
    assert hooked.listeners('x') == [f, g, h]
    assert [count for _, _, count in hooked.calls] == [1, 2, 3]


def test_a_limit_of_its_own_is_kept(emitter: EventEmitter) -> None:
    assert emitter.set_max_listeners(3) is emitter
    assert emitter.get_max_listeners() == 3
    assert emitter.event_names() == []


@pytest.mark.usefixtures('settings')
def test_the_default_limit_is_live(emitter: EventEmitter) -> None:
    own = EventEmitter().set_max_listeners(10)
    events.set_default_max_listeners(1)
    assert events.get_default_max_listeners() == 1
    assert (emitter.get_max_listeners(), own.get_max_listeners()) == (1, 10)
    assert len(added(emitter, 'x', 2)) == 1
    assert added(own, 'x', 2) == []


# --- helpers that take an emitter ---------------------------------------------------------------


@pytest.mark.usefixtures('settings')
def test_set_max_listeners_sets_each_emitter_or_the_default() -> None:
    one, two, other = EventEmitter(), EventEmitter(), EventEmitter()
    events.set_max_listeners(3, one, two)
    assert [e.get_max_listeners() for e in (one, two, other)] == [3, 3, 10]
    events.set_max_listeners(4)
    assert [e.get_max_listeners() for e in (one, two, other)] == [3, 3, 4]
    events.set_max_listeners()
    assert events.get_default_max_listeners() == 4


def test_set_max_listeners_sets_those_before_a_wrong_one() -> None:
    one, two = EventEmitter(), EventEmitter()
    with pytest.raises(CodedTypeError) as caught:
        events.set_max_listeners(7, one, {}, two)  # type: ignore[arg-type]
    assert str(caught.value) == (
        'The "eventTargets" argument must be an instance of EventEmitter or EventTarget. '
        'Received an instance of Object'
    )
    assert (one.get_max_listeners(), two.get_max_listeners()) == (7, 10)


def test_the_other_helpers_ask_the_emitter(emitter: EventEmitter) -> None:
    emitter.on('x', f).once('x', g)
    assert events.get_max_listeners(emitter) == 10
    assert events.listener_count(emitter, 'x') == 2
    assert events.listener_count(emitter, 'y') == 0
    found = events.get_event_listeners(emitter, 'x')
    assert found == [f, g]
    found.clear()
    assert emitter.listener_count('x') == 2


# --- validation ---------------------------------------------------------------------------------

NOT_LISTENERS = [
    (None, 'null'), ('x', "type string ('x')"), (5, 'type number (5)'),
    ({}, 'an instance of Object'), (True, 'type boolean (true)'),
]


@pytest.mark.parametrize(('value', 'shown'), NOT_LISTENERS)
@pytest.mark.parametrize('method', ADDERS + REMOVERS)
def test_a_listener_must_be_callable(
    emitter: EventEmitter, method: str, value: Any, shown: str,
) -> None:
    with pytest.raises(CodedTypeError) as error:
        getattr(emitter, method)('x', value)
    check(error, 'ERR_INVALID_ARG_TYPE', LISTENER_TEXT + shown)


@pytest.mark.parametrize('method', REMOVERS)
def test_removing_needs_a_listener(emitter: EventEmitter, method: str) -> None:
    with pytest.raises(CodedTypeError) as error:
        getattr(emitter, method)('x')
    check(error, 'ERR_INVALID_ARG_TYPE', LISTENER_TEXT + 'undefined')


LIMITS = [
    ('setMaxListeners', lambda *n: EventEmitter().set_max_listeners(*n)),
    ('setMaxListeners', lambda *n: events.set_max_listeners(*n, EventEmitter())),
    ('defaultMaxListeners', lambda *n: events.set_default_max_listeners(*n)),
]


@pytest.mark.parametrize(('value', 'shown'), [
    ('x', "type string ('x')"), (None, 'null'), (True, 'type boolean (true)'),
    ([], 'an instance of Array'),
])
@pytest.mark.parametrize(('name', 'call'), LIMITS)
def test_a_limit_must_be_a_number(name: str, call: Any, value: Any, shown: str) -> None:
    with pytest.raises(CodedTypeError) as error:
        call(value)
    text = f'The "{name}" argument must be of type number. Received {shown}'
    check(error, 'ERR_INVALID_ARG_TYPE', text)


@pytest.mark.parametrize(('value', 'shown'), [(-1, '-1'), (-0.5, '-0.5'), (float('nan'), 'NaN')])
@pytest.mark.parametrize(('name', 'call'), LIMITS)
def test_a_limit_must_not_be_negative(name: str, call: Any, value: float, shown: str) -> None:
    with pytest.raises(CodedValueError) as error:
        call(value)
    text = f'The value of "{name}" is out of range. It must be >= 0. Received {shown}'
    check(error, 'ERR_OUT_OF_RANGE', text)


@pytest.mark.parametrize('args', [(), (UNDEFINED,)])
def test_the_limit_of_an_emitter_is_not_optional(
    emitter: EventEmitter, args: tuple[Any, ...],
) -> None:
    with pytest.raises(CodedTypeError) as error:
        emitter.set_max_listeners(*args)
    text = 'The "setMaxListeners" argument must be of type number. Received undefined'
    check(error, 'ERR_INVALID_ARG_TYPE', text)


@pytest.mark.parametrize(('value', 'shown'), [
    ('x', "type string ('x')"), (1, 'type number (1)'), ({}, 'an instance of Object'),
    ([], 'an instance of Array'),
])
@pytest.mark.parametrize('make', [
    lambda value: EventEmitter(capture_rejections=value),
    lambda value: EventEmitter({'captureRejections': value}),
    lambda value: EventEmitter({'capture_rejections': value}),
    lambda value: EventEmitter(captureRejections=value),
])
def test_the_option_must_be_a_bool(make: Any, value: Any, shown: str) -> None:
    with pytest.raises(CodedTypeError) as error:
        make(value)
    text = f'The "options.captureRejections" property must be of type boolean. Received {shown}'
    check(error, 'ERR_INVALID_ARG_TYPE', text)


@pytest.mark.parametrize(('value', 'shown'), [
    (None, 'null'), (UNDEFINED, 'undefined'), (0, 'type number (0)'), ('x', "type string ('x')"),
])
def test_the_setting_must_be_a_bool(value: Any, shown: str) -> None:
    with pytest.raises(CodedTypeError) as error:
        events.set_capture_rejections(value)
    check(
        error, 'ERR_INVALID_ARG_TYPE',
        'The "EventEmitter.captureRejections" property must be of type boolean. '
        f'Received {shown}',
    )


@pytest.mark.parametrize(('value', 'shown'), [
    ({}, 'an instance of Object'), (None, 'null'), ('x', "type string ('x')"),
])
@pytest.mark.parametrize('call', [
    lambda value: events.get_event_listeners(value, 'x'),
    lambda value: events.listener_count(value, 'x'),
    events.get_max_listeners,
])
def test_the_helpers_need_an_emitter(call: Any, value: Any, shown: str) -> None:
    with pytest.raises(CodedTypeError) as error:
        call(value)
    check(
        error, 'ERR_INVALID_ARG_TYPE',
        'The "emitter" argument must be an instance of EventEmitter or EventTarget. '
        f'Received {shown}',
    )


@pytest.mark.parametrize('function', [once, on])
def test_waiting_needs_an_emitter(function: Any) -> None:
    with pytest.raises(CodedTypeError) as error:
        function({}, 'x')
    check(
        error, 'ERR_INVALID_ARG_TYPE',
        'The "emitter" argument must be an instance of EventEmitter. '
        'Received an instance of Object',
    )


@pytest.mark.parametrize(('options', 'shown'), [
    (None, 'null'), (True, 'type boolean (true)'), ('x', "type string ('x')"),
    ([], 'an instance of Array'), (f, 'function f'),
])
@pytest.mark.parametrize('function', [once, on])
def test_options_must_be_a_mapping(
    emitter: EventEmitter, function: Any, options: Any, shown: str,
) -> None:
    with pytest.raises(CodedTypeError) as error:
        function(emitter, 'x', options)
    text = f'The "options" argument must be of type object. Received {shown}'
    check(error, 'ERR_INVALID_ARG_TYPE', text)
    assert emitter.event_names() == []


@pytest.mark.parametrize(('signal', 'shown'), [({}, 'an instance of Object'), (None, 'null')])
@pytest.mark.parametrize('function', [once, on])
def test_a_signal_must_be_linkable(
    emitter: EventEmitter, function: Any, signal: Any, shown: str,
) -> None:
    with pytest.raises(CodedTypeError) as error:
        function(emitter, 'x', {'signal': signal})
    check(
        error, 'ERR_INVALID_ARG_TYPE',
        f'The "options.signal" property must be an instance of AbortSignal. Received {shown}',
    )


@pytest.mark.parametrize('function', [once, on])
def test_an_unknown_keyword_is_an_error_and_an_unknown_option_is_not(
    emitter: EventEmitter, function: Any,
) -> None:
    # gnet's own rule: a misspelt keyword would mean to wait for ever.
    with pytest.raises(TypeError, match='timeot'):
        function(emitter, 'x', timeot=1)
    signal = Event()
    signal.set()
    with pytest.raises(AbortError):
        function(emitter, 'x', {'timeot': 1, 'signal': signal})
