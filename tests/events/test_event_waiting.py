"""``gnet.events.once`` and signals: blocking until an event comes.

The expectations are what Node 24 does, measured, unless a test says that it is gnet's own rule.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import gevent
import pytest
from gevent.event import AsyncResult, Event

from gnet import events
from gnet.errors import AbortError, CodedRuntimeError, CodedTypeError, CodedValueError
from gnet.events import EventEmitter, MaxListenersExceededWarning, once
from gnet.node.values import UNDEFINED

from ..harness.waiting import PATIENCE
from .common import LISTENER_TEXT, Boom, Hooked, check, f, from_hub

# --- once(): waiting for one event --------------------------------------------------------------


def waiting(function: Callable[..., Any], emitter: Hooked, *args: Any, **options: Any) -> Any:
    """Run *function* in a greenlet; return that when it is waiting for the emitter."""
    emitter.added.clear()

    def run() -> Any:
        try:
            return function(emitter, *args, **options)
        except BaseException as error:  # returned: what is raised would be reported by the hub
            return error

    greenlet = gevent.spawn(run)
    # The listeners are added without a switch between them.
    assert emitter.added.wait(PATIENCE)
    return greenlet


@pytest.mark.parametrize('start', [gevent.spawn, from_hub], ids=['greenlet', 'hub'])
def test_once_returns_the_arguments(hooked: Hooked, start: Callable[..., Any]) -> None:
    start(hooked.emit, 'x', 1, 2)
    assert once(hooked, 'x', timeout=PATIENCE) == [1, 2]
    assert hooked.event_names() == []


def test_once_returns_an_empty_list_for_no_arguments(hooked: Hooked) -> None:
    gevent.spawn(hooked.emit, 'x')
    assert once(hooked, 'x') == []


def test_once_raises_the_error_that_comes_first(hooked: Hooked) -> None:
    error = Boom()
    gevent.spawn(hooked.emit, 'error', error)
    with pytest.raises(Boom) as caught:
        once(hooked, 'x')
    assert caught.value is error
    assert hooked.event_names() == []


@pytest.mark.parametrize(('args', 'shown'), [((), 'undefined'), (('str',), "'str'")])
def test_once_raises_what_is_no_exception_in_a_wrapper(
    hooked: Hooked, args: tuple[Any, ...], shown: str,
) -> None:
    # gnet's own rule: Node rejects with the value itself, which Python cannot raise.
    gevent.spawn(hooked.emit, 'error', *args)
    with pytest.raises(CodedRuntimeError) as error:
        once(hooked, 'x')
    check(error, 'ERR_UNHANDLED_ERROR', f'Unhandled error. ({shown})')


def test_once_of_error_returns_it(hooked: Hooked) -> None:
    error = Boom()
    gevent.spawn(hooked.emit, 'error', error)
    assert once(hooked, 'error') == [error]
    assert hooked.event_names() == []


def test_once_takes_only_the_first_event(hooked: Hooked) -> None:
    waiter = waiting(once, hooked, 'x')
    assert [hooked.emit('x', 1), hooked.emit('x', 2)] == [True, False]
    assert waiter.get(timeout=PATIENCE) == [1]


def test_an_error_after_the_event_is_not_swallowed(hooked: Hooked) -> None:
    waiter = waiting(once, hooked, 'x')
    hooked.emit('x', 1)
    with pytest.raises(Boom):
        hooked.emit('error', Boom())
    assert waiter.get(timeout=PATIENCE) == [1]


def test_an_event_after_the_error_has_no_listener(hooked: Hooked) -> None:
    waiter = waiting(once, hooked, 'x')
    error = Boom()
    hooked.emit('error', error)
    assert hooked.emit('x') is False
    assert waiter.get(timeout=PATIENCE) is error


@pytest.mark.parametrize(('event', 'order'), [
    ('x', ['+x', '+error', '-x', '-error']), ('error', ['+x', '+error', '-error', '-x']),
])
def test_once_adds_and_removes_in_the_order_of_node(
    hooked: Hooked, event: str, order: list[str],
) -> None:
    log: list[str] = []
    hooked.on('newListener', lambda name, _: log.append(f'+{name}'))
    hooked.on('removeListener', lambda name, _: log.append(f'-{name}'))
    log.clear()
    waiter = waiting(once, hooked, 'x')
    hooked.emit(event, Boom())
    waiter.get(timeout=PATIENCE)
    assert log == order


def test_once_takes_names_that_are_no_strings(hooked: Hooked) -> None:
    waiter = waiting(once, hooked, 5)
    hooked.emit('5', 'five')
    assert waiter.get(timeout=PATIENCE) == ['five']
    assert hooked.event_names() == []


@pytest.mark.parametrize('give', [
    lambda emitter: once(emitter, 'x', timeout=0.01),
    lambda emitter: once(emitter, 'x', timeout=0),
    lambda emitter: once(emitter, 'x', {'timeout': 0.01}),
])
def test_once_gives_up_after_the_timeout(
    hooked: Hooked, give: Callable[[EventEmitter], Any],
) -> None:
    with pytest.raises(TimeoutError, match="No 'x' event within"):
        give(hooked)
    assert hooked.event_names() == []


@pytest.mark.parametrize(('timeout', 'kind'), [
    ('5', CodedTypeError), (True, CodedTypeError), (-1, CodedValueError),
    (float('nan'), CodedValueError),
])
def test_once_checks_the_timeout(hooked: Hooked, timeout: Any, kind: type[Exception]) -> None:
    with pytest.raises(kind, match=r'options\.timeout'):
        once(hooked, 'x', timeout=timeout)


def test_once_takes_an_infinite_timeout(hooked: Hooked) -> None:
    gevent.spawn(hooked.emit, 'x', 1)
    assert once(hooked, 'x', timeout=float('inf')) == [1]


@pytest.mark.parametrize('start', [gevent.spawn, from_hub], ids=['greenlet', 'hub'])
def test_once_is_aborted_by_its_signal(hooked: Hooked, start: Callable[..., Any]) -> None:
    signal = Event()
    start(signal.set)
    with pytest.raises(AbortError) as error:
        once(hooked, 'x', signal=signal)
    check(error, 'ABORT_ERR', 'The operation was aborted')
    assert hooked.event_names() == []
    assert signal.linkcount() == 0


def test_once_does_not_listen_if_the_signal_is_set_already(hooked: Hooked) -> None:
    signal = Event()
    signal.set()
    with pytest.raises(AbortError):
        once(hooked, 'x', {'signal': signal})
    assert hooked.calls == []


def test_the_cause_of_an_abort_is_the_exception_of_the_signal(hooked: Hooked) -> None:
    reason = Boom('why')
    signal: AsyncResult[Any] = AsyncResult()
    gevent.spawn(signal.set_exception, reason)
    with pytest.raises(AbortError) as error:
        once(hooked, 'x', signal=signal)
    assert error.value.__cause__ is reason
    with pytest.raises(AbortError) as error:
        once(hooked, 'x', signal=signal)
    assert error.value.__cause__ is reason


def test_a_signal_that_is_not_set_is_let_go(hooked: Hooked) -> None:
    signal = Event()
    gevent.spawn(hooked.emit, 'x')
    assert once(hooked, 'x', signal=signal) == []
    assert signal.linkcount() == 0


def test_an_event_before_the_waiter_runs_counts_more_than_its_signal(hooked: Hooked) -> None:
    # gnet's own rule, so that no error is lost between the signal and the waiter.
    signal = Event()
    waiter = waiting(once, hooked, 'x', signal=signal)
    error = Boom()
    signal.set()
    hooked.emit('error', error)
    assert waiter.get(timeout=PATIENCE) is error


def test_a_killed_waiter_leaves_no_listeners(hooked: Hooked) -> None:
    signal = Event()
    waiter = waiting(once, hooked, 'x', signal=signal)
    waiter.kill()
    assert hooked.event_names() == []
    assert signal.linkcount() == 0


def test_a_gevent_timeout_around_once_leaves_no_listeners(hooked: Hooked) -> None:
    with pytest.raises(gevent.Timeout) as caught, gevent.Timeout(0.01) as timeout:
        once(hooked, 'x', timeout=PATIENCE)
    assert caught.value is timeout
    assert hooked.event_names() == []


@pytest.mark.parametrize('event', ['x', 'error'])
def test_a_warning_made_an_error_leaves_no_listeners(hooked: Hooked, event: str) -> None:
    hooked.set_max_listeners(1).on(event, f)
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        with pytest.raises(MaxListenersExceededWarning):
            once(hooked, 'x')
    assert hooked.event_names() == [event]
    assert hooked.listeners(event) == [f]


def test_two_waiters_get_the_same_event(hooked: Hooked) -> None:
    waiters = [waiting(once, hooked, 'x') for _ in range(2)]
    hooked.emit('x', 1)
    assert [waiter.get(timeout=PATIENCE) for waiter in waiters] == [[1], [1]]


# --- add_abort_listener() -----------------------------------------------------------------------


@pytest.mark.parametrize('before', [False, True])
def test_an_abort_listener_is_called_once_and_later_in_a_greenlet(
    log: list[Any], before: bool,
) -> None:
    signal, called, release = Event(), Event(), Event()

    def listener() -> None:
        release.wait()
        log.append('aborted')
        called.set()

    if before:
        signal.set()
    events.add_abort_listener(signal, listener)
    signal.set()
    assert log == []
    release.set()
    assert called.wait(PATIENCE)
    signal.clear()
    signal.set()
    # The links of the signal run in order: when the last one was called, the first would have been.
    last = Event()
    events.add_abort_listener(signal, last.set)
    assert last.wait(PATIENCE)
    assert log == ['aborted']


@pytest.mark.parametrize('moment', ['before it is set', 'after it was set'])
def test_a_closed_abort_listener_is_not_called(log: list[Any], moment: str) -> None:
    signal, last = Event(), Event()
    with events.add_abort_listener(signal, lambda: log.append('aborted')):
        if moment == 'after it was set':
            signal.set()
    signal.set()
    events.add_abort_listener(signal, last.set)
    assert last.wait(PATIENCE)
    assert log == []


def test_an_abort_listener_closed_between_the_signal_and_its_greenlet_is_not_called(
    log: list[Any],
) -> None:
    signal, last = Event(), Event()
    link = events.add_abort_listener(signal, lambda: log.append('aborted'))
    # Called by the same notification, right after the link.
    signal.rawlink(lambda source: link.close())
    events.add_abort_listener(signal, last.set)
    signal.set()
    assert last.wait(PATIENCE)
    assert log == []


@pytest.mark.parametrize(('args', 'text'), [
    ((UNDEFINED, f), 'The "signal" argument must be an instance of AbortSignal. '
                     'Received undefined'),
    ((None, f), 'The "signal" argument must be an instance of AbortSignal. Received null'),
    (({}, f), 'The "signal" argument must be an instance of AbortSignal. '
              'Received an instance of Object'),
    ((Event(),), LISTENER_TEXT + 'undefined'),
])
def test_add_abort_listener_checks_its_arguments(args: tuple[Any, ...], text: str) -> None:
    with pytest.raises(CodedTypeError) as error:
        events.add_abort_listener(*args)
    check(error, 'ERR_INVALID_ARG_TYPE', text)


def test_a_number_in_the_place_of_the_options_of_once_is_a_timeout(emitter: EventEmitter) -> None:
    with pytest.raises(TimeoutError):
        once(emitter, 'x', 0.001)
    assert emitter.event_names() == []
