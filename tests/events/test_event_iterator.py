"""``gnet.events.on``: blocking iteration over events.

The expectations are what Node 24 does, measured, unless a test says that it is gnet's own rule.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import gevent
import pytest
from gevent.event import Event

from gnet.errors import AbortError, CodedRuntimeError, CodedTypeError, CodedValueError
from gnet.events import EventEmitter, MaxListenersExceededWarning, on

from ..harness.waiting import PATIENCE
from .common import Boom, Hooked, check, f, from_hub

# --- on(): waiting for one event after the other ------------------------------------------------


def consumer(iterator: Iterator[Any]) -> Any:
    """Return a greenlet that waits in ``next(iterator)`` and returns what came of it."""
    started = Event()

    def run() -> Any:
        started.set()
        try:
            return next(iterator, 'done')
        except Exception as error:
            return error

    greenlet = gevent.spawn(run)
    started.wait()
    return greenlet


def outcomes(iterator: Iterator[Any], count: int) -> list[Any]:
    found: list[Any] = []
    for _ in range(count):
        try:
            found.append(next(iterator, 'done'))
        except Exception as error:
            found.append(error)
    return found


def test_on_queues_from_the_call_on_and_yields_lists_of_arguments(emitter: EventEmitter) -> None:
    with on(emitter, 'x') as iterator:
        emitter.emit('x')
        emitter.emit('x', 1, 2)
        assert iter(iterator) is iterator
        assert [next(iterator), next(iterator)] == [[], [1, 2]]


@pytest.mark.parametrize('start', [gevent.spawn, from_hub], ids=['greenlet', 'hub'])
def test_on_waits_for_the_next_event(emitter: EventEmitter, start: Callable[..., Any]) -> None:
    found = []
    start(emitter.emit, 'x', 0)
    for [value] in on(emitter, 'x', close=['end']):
        found.append(value)
        if value < 3:
            start(emitter.emit, 'x', value + 1)
        else:
            start(emitter.emit, 'end')
    assert found == [0, 1, 2, 3]
    assert emitter.event_names() == []


@pytest.mark.parametrize('event', ['x', 'error'])
def test_an_emit_that_began_before_the_end_adds_nothing(emitter: EventEmitter, event: str) -> None:
    # A snapshot rule: the listeners of the iterator are called although they are removed.
    closing: list[Any] = []
    emitter.on(event, lambda *args: closing[0].close())
    closing.append(on(emitter, 'x'))
    emitter.emit(event, Boom())
    assert outcomes(closing[0], 2) == ['done', 'done']


def test_waiting_consumers_are_served_in_order(emitter: EventEmitter) -> None:
    iterator = on(emitter, 'x')
    consumers = [consumer(iterator) for _ in range(4)]
    error = Boom()
    emitter.emit('x', 1)
    emitter.emit('x', 2)
    emitter.emit('error', error)
    assert [c.get(timeout=PATIENCE) for c in consumers] == [[1], [2], error, 'done']
    assert outcomes(iterator, 2) == ['done', 'done']


def test_an_error_comes_once_after_the_queued_items(emitter: EventEmitter) -> None:
    iterator = on(emitter, 'x')
    error = Boom()
    emitter.emit('x', 1)
    emitter.emit('error', error)
    assert emitter.event_names() == []
    assert emitter.emit('x', 2) is False
    with pytest.raises(Boom, match='second'):
        emitter.emit('error', Boom('second'))
    assert outcomes(iterator, 4) == [[1], error, 'done', 'done']


@pytest.mark.parametrize(('args', 'shown'), [((), 'undefined'), (('plain',), "'plain'")])
def test_on_raises_what_is_no_exception_in_a_wrapper(
    emitter: EventEmitter, args: tuple[Any, ...], shown: str,
) -> None:
    # gnet's own rule: Node rejects with the value, and loses an error without one.
    iterator = on(emitter, 'x')
    emitter.emit('error', *args)
    with pytest.raises(CodedRuntimeError) as error:
        next(iterator)
    check(error, 'ERR_UNHANDLED_ERROR', f'Unhandled error. ({shown})')


def test_on_of_error_yields_it(emitter: EventEmitter) -> None:
    error = Boom()
    with on(emitter, 'error') as iterator:
        assert emitter.listener_count('error') == 1
        emitter.emit('error', error)
        assert next(iterator) == [error]


@pytest.mark.parametrize('close', [['end', 'close'], ('end',), {'end': 1}, 'end'])
def test_close_events_finish_after_the_queued_items(emitter: EventEmitter, close: Any) -> None:
    iterator = on(emitter, 'x', close=close)
    emitter.emit('x', 1)
    emitter.emit('end', 7)
    assert emitter.event_names() == []
    assert outcomes(iterator, 3) == [[1], 'done', 'done']


def test_a_close_event_finishes_the_waiting_consumers(emitter: EventEmitter) -> None:
    iterator = on(emitter, 'x', {'close': ['end']})
    consumers = [consumer(iterator) for _ in range(2)]
    emitter.emit('end')
    assert [c.get(timeout=PATIENCE) for c in consumers] == ['done', 'done']


def test_closing_detaches_and_keeps_the_queue(emitter: EventEmitter) -> None:
    iterator = on(emitter, 'x')
    emitter.emit('x', 1)
    iterator.close()
    iterator.close()
    assert emitter.event_names() == []
    assert outcomes(iterator, 3) == [[1], 'done', 'done']


def test_closing_finishes_the_waiting_consumers(emitter: EventEmitter) -> None:
    iterator = on(emitter, 'x')
    consumers = [consumer(iterator) for _ in range(2)]
    iterator.close()
    assert [c.get(timeout=PATIENCE) for c in consumers] == ['done', 'done']


def test_leaving_the_context_closes(emitter: EventEmitter) -> None:
    with pytest.raises(Boom), on(emitter, 'x', close=['end']):
        raise Boom
    assert emitter.event_names() == []


def test_on_attaches_and_detaches_in_the_order_of_node(
    emitter: EventEmitter, log: list[Any],
) -> None:
    emitter.on('newListener', lambda name, _: log.append(f'+{name}'))
    emitter.on('removeListener', lambda name, _: log.append(f'-{name}'))
    log.clear()
    on(emitter, 'x', close=['end']).close()
    assert log == ['+x', '+error', '+end', '-end', '-error', '-x']


def test_throw_is_raised_once_after_the_queued_items(emitter: EventEmitter) -> None:
    iterator = on(emitter, 'x')
    error = Boom()
    emitter.emit('x', 1)
    iterator.throw(error)
    assert emitter.event_names() == []
    assert outcomes(iterator, 3) == [[1], error, 'done']


def test_throw_reaches_the_first_waiting_consumer(emitter: EventEmitter) -> None:
    iterator = on(emitter, 'x')
    consumers = [consumer(iterator) for _ in range(2)]
    error = Boom()
    iterator.throw(error)
    assert [c.get(timeout=PATIENCE) for c in consumers] == [error, 'done']


def test_throw_works_after_the_end_and_replaces_an_error(emitter: EventEmitter) -> None:
    closed, failed = on(emitter, 'x'), on(emitter, 'x')
    closed.close()
    failed.throw(Boom('first'))
    error = Boom('second')
    closed.throw(error)
    failed.throw(error)
    assert outcomes(closed, 2) == [error, 'done']
    assert outcomes(failed, 2) == [error, 'done']


@pytest.mark.parametrize(('args', 'shown'), [
    ((), 'undefined'), ((None,), 'null'), (('x',), "type string ('x')"),
    (({},), 'an instance of Object'),
])
def test_throw_needs_an_exception(
    emitter: EventEmitter, args: tuple[Any, ...], shown: str,
) -> None:
    with on(emitter, 'x') as iterator, pytest.raises(CodedTypeError) as error:
        iterator.throw(*args)
    check(
        error, 'ERR_INVALID_ARG_TYPE',
        'The "EventEmitter.AsyncIterator" property must be an instance of Error. '
        f'Received {shown}',
    )


def test_on_is_aborted_like_an_error(hooked: Hooked) -> None:
    signal = Event()
    iterator = on(hooked, 'x', signal=signal)
    hooked.emit('x', 1)
    signal.set()
    assert next(iterator) == [1]
    with pytest.raises(AbortError) as error:
        next(iterator)
    check(error, 'ABORT_ERR', 'The operation was aborted')
    assert outcomes(iterator, 1) == ['done']
    assert hooked.event_names() == []
    assert signal.linkcount() == 0


def test_on_raises_at_once_if_the_signal_is_set_already(hooked: Hooked) -> None:
    signal = Event()
    signal.set()
    with pytest.raises(AbortError):
        on(hooked, 'x', signal=signal)
    assert hooked.calls == []


def test_closing_lets_the_signal_go(emitter: EventEmitter) -> None:
    signal = Event()
    iterator = on(emitter, 'x', signal=signal)
    iterator.close()
    signal.set()
    assert signal.linkcount() == 0
    assert outcomes(iterator, 2) == ['done', 'done']


def test_an_abort_detaches_where_a_listener_may_block(emitter: EventEmitter) -> None:
    # gnet's own case: the signal is noticed in the hub, where nothing may block.
    signal, release, finished = Event(), Event(), Event()

    def block(name: str, listener: Any) -> None:
        release.wait()
        if not emitter.listener_count('x'):
            finished.set()

    iterator = on(emitter, 'x', signal=signal)
    emitter.on('removeListener', block)
    signal.set()
    with pytest.raises(AbortError):
        next(iterator)
    release.set()
    assert finished.wait(PATIENCE)


@pytest.mark.parametrize('killed', [0, 1])
def test_a_killed_consumer_loses_its_place(emitter: EventEmitter, killed: int) -> None:
    iterator = on(emitter, 'x')
    consumers = [consumer(iterator) for _ in range(3)]
    consumers.pop(killed).kill()
    emitter.emit('x', 1)
    emitter.emit('x', 2)
    emitter.emit('x', 3)
    assert [c.get(timeout=PATIENCE) for c in consumers] == [[1], [2]]
    assert next(iterator) == [3]


def test_a_consumer_killed_after_it_was_served_takes_no_item_with_it(
    emitter: EventEmitter,
) -> None:
    iterator = on(emitter, 'x')
    first = consumer(iterator)
    # Its death comes first in the hub, its item before that.
    first.kill(block=False)
    emitter.emit('x', 1)
    emitter.emit('x', 2)
    first.join(PATIENCE)
    assert isinstance(first.value, gevent.GreenletExit)
    assert outcomes(iterator, 2) == [[1], [2]]


def test_the_item_of_a_killed_consumer_goes_to_the_next_that_waits(
    emitter: EventEmitter,
) -> None:
    iterator = on(emitter, 'x')
    first, second = consumer(iterator), consumer(iterator)
    first.kill(block=False)
    emitter.emit('x', 1)
    assert second.get(timeout=PATIENCE) == [1]


@pytest.mark.parametrize('end', ['error', 'end'])
def test_a_consumer_killed_after_it_was_served_takes_no_error_with_it(
    emitter: EventEmitter, end: str,
) -> None:
    iterator = on(emitter, 'x', close=['end'])
    first = consumer(iterator)
    error = Boom()
    first.kill(block=False)
    emitter.emit(end, error)
    first.join(PATIENCE)
    assert isinstance(first.value, gevent.GreenletExit)
    expected = [error, 'done'] if end == 'error' else ['done', 'done']
    assert outcomes(iterator, 2) == expected


def test_a_timeout_around_next_leaves_the_iterator_usable(emitter: EventEmitter) -> None:
    iterator = on(emitter, 'x')
    with gevent.Timeout(0.01, False):
        next(iterator)
    emitter.emit('x', 1)
    assert next(iterator) == [1]


def test_a_warning_made_an_error_detaches_the_iterator(emitter: EventEmitter) -> None:
    emitter.set_max_listeners(1).on('error', f)
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        with pytest.raises(MaxListenersExceededWarning):
            on(emitter, 'x')
    assert emitter.event_names() == ['error']
    assert emitter.listeners('error') == [f]


class Pausable(EventEmitter):
    def __init__(self) -> None:
        super().__init__()
        self.log: list[Any] = []

    def pause(self) -> None:
        self.log.append('pause')

    def resume(self) -> None:
        self.log.append('resume')


@pytest.mark.parametrize(('options', 'expected'), [
    (
        {'highWaterMark': 2, 'lowWaterMark': 1},
        ['+0', '+1', '+2', 'pause', '+3', '-0', '-1', '-2', 'resume', '-3'],
    ),
    (
        {'high_water_mark': 2, 'low_water_mark': 2},
        ['+0', '+1', '+2', 'pause', '+3', '-0', '-1', 'resume', '-2', '-3'],
    ),
    (
        {'highWatermark': 1},
        ['+0', '+1', 'pause', '+2', '+3', '-0', '-1', '-2', 'resume', '-3'],
    ),
    (
        {'highWatermark': 1, 'highWaterMark': 3, 'lowWatermark': 9},
        ['+0', '+1', '+2', '+3', 'pause', 'resume', '-0', '-1', '-2', '-3'],
    ),
    ({}, ['+0', '+1', '+2', '+3', '-0', '-1', '-2', '-3']),
    ({'highWaterMark': None}, ['+0', '+1', '+2', '+3', '-0', '-1', '-2', '-3']),
])
@pytest.mark.parametrize('as_keywords', [False, True])
def test_the_watermarks_pause_and_resume_the_emitter(
    options: dict[str, Any], expected: list[str], as_keywords: bool,
) -> None:
    emitter = Pausable()
    iterator: Any
    iterator = on(emitter, 'x', **options) if as_keywords else on(emitter, 'x', options)
    for number in range(4):
        emitter.prepend_once_listener('x', lambda number: emitter.log.append(f'+{number}'))
        emitter.emit('x', number)
    for _ in range(4):
        [number] = next(iterator)
        emitter.log.append(f'-{number}')
    # "resume" is called before next() returns.
    order = [entry for entry in emitter.log if entry != 'resume']
    assert order == [entry for entry in expected if entry != 'resume']
    assert emitter.log.count('resume') == expected.count('resume')
    iterator.close()


def test_resume_is_called_by_the_next_that_falls_below_the_low_mark() -> None:
    emitter = Pausable()
    iterator = on(emitter, 'x', high_water_mark=2, low_water_mark=2)
    for number in range(4):
        emitter.emit('x', number)
    assert emitter.log == ['pause']
    assert [next(iterator), next(iterator)] == [[0], [1]]
    assert emitter.log == ['pause']
    assert next(iterator) == [2]
    assert emitter.log == ['pause', 'resume']
    for number in range(3):
        emitter.emit('x', number)
    iterator.close()
    assert emitter.log == ['pause', 'resume', 'pause']


def test_a_resume_that_fails_takes_no_item_with_it(emitter: EventEmitter) -> None:
    class Broken(Pausable):
        def resume(self) -> None:
            super().resume()
            raise Boom

    broken = Broken()
    iterator = on(broken, 'x', high_water_mark=1)
    broken.emit('x', 1)
    broken.emit('x', 2)
    assert next(iterator) == [1]
    with pytest.raises(Boom):
        next(iterator)
    assert next(iterator) == [2]
    assert broken.log == ['pause', 'resume']


def test_watermarks_need_an_emitter_that_pauses(emitter: EventEmitter) -> None:
    iterator = on(emitter, 'x', high_water_mark=1)
    emitter.emit('x')
    with pytest.raises(AttributeError, match='pause'):
        emitter.emit('x')
    iterator.close()


WATERMARK_RANGE = '>= 1 && <= 9007199254740991'


@pytest.mark.parametrize(('value', 'requirement', 'shown'), [
    (0, WATERMARK_RANGE, '0'), (-1, WATERMARK_RANGE, '-1'),
    (2**53, WATERMARK_RANGE, '9_007_199_254_740_992'),
    (1.5, 'an integer', '1.5'), (float('inf'), 'an integer', 'Infinity'),
    (float('nan'), 'an integer', 'NaN'),
])
@pytest.mark.parametrize(('option', 'name'), [
    ('high_water_mark', 'highWaterMark'), ('lowWaterMark', 'lowWaterMark'),
    ('highWatermark', 'highWaterMark'),
])
def test_watermarks_have_a_range(
    emitter: EventEmitter, option: str, name: str, value: float, requirement: str, shown: str,
) -> None:
    with pytest.raises(CodedValueError) as error:
        on(emitter, 'x', {option: value})
    check(
        error, 'ERR_OUT_OF_RANGE',
        f'The value of "options.{name}" is out of range. It must be {requirement}. '
        f'Received {shown}',
    )
    assert emitter.event_names() == []


@pytest.mark.parametrize(('value', 'shown'), [
    ('x', "type string ('x')"), (True, 'type boolean (true)'), ([], 'an instance of Array'),
])
@pytest.mark.parametrize('name', ['highWaterMark', 'lowWaterMark'])
def test_watermarks_are_numbers(
    emitter: EventEmitter, name: str, value: Any, shown: str,
) -> None:
    with pytest.raises(CodedTypeError) as error:
        on(emitter, 'x', **{name: value})
    text = f'The "options.{name}" property must be of type number. Received {shown}'
    check(error, 'ERR_INVALID_ARG_TYPE', text)


def test_close_must_be_iterable(emitter: EventEmitter) -> None:
    with pytest.raises(CodedTypeError, match=r'options\.close'):
        on(emitter, 'x', close=5)  # type: ignore[arg-type]
