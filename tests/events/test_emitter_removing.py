"""``EventEmitter``: listeners that are removed, that are called once, and changes during ``emit``.

The expectations are what Node 24 does, measured, unless a test says that it is gnet's own rule.
"""

from __future__ import annotations

from typing import Any

import gevent
import pytest
from gevent.event import Event

from gnet.events import EventEmitter

from ..harness.waiting import PATIENCE
from .common import REMOVERS, Boom, Symbol, f, g, recorder

# --- once ---------------------------------------------------------------------------------------


def test_a_once_listener_is_called_once(emitter: EventEmitter, log: list[Any]) -> None:
    emitter.once('x', recorder(log, 'x'))
    assert [emitter.emit('x', 1), emitter.emit('x', 2)] == [True, False]
    assert log == [('x', 1)]


def test_a_once_listener_is_removed_before_it_is_called(
    emitter: EventEmitter, log: list[Any],
) -> None:
    emitter.once('x', lambda: log.append(emitter.listener_count('x')))
    emitter.emit('x')
    assert log == [0]


def test_a_once_listener_that_raises_is_removed(emitter: EventEmitter) -> None:
    def fail() -> None:
        raise Boom

    emitter.once('x', fail)
    with pytest.raises(Boom):
        emitter.emit('x')
    assert emitter.emit('x') is False


def test_a_once_listener_is_removed_by_its_original(emitter: EventEmitter) -> None:
    emitter.once('x', f).off('x', f)
    assert emitter.event_names() == []


def test_a_once_listener_is_removed_by_its_wrapper(emitter: EventEmitter) -> None:
    emitter.once('x', f)
    emitter.off('x', emitter.raw_listeners('x')[0])
    assert emitter.event_names() == []


def test_a_wrapper_called_by_hand_fires_once_and_removes_itself(emitter: EventEmitter) -> None:
    emitter.once('x', lambda *args: sum(args))
    wrapper: Any = emitter.raw_listeners('x')[0]
    assert wrapper(1, 2) == 3
    assert wrapper(3) is None
    assert emitter.listener_count('x') == 0


def test_a_nested_emit_does_not_call_a_once_listener_again(
    emitter: EventEmitter, log: list[Any],
) -> None:
    def first() -> None:
        log.append('once')
        emitter.emit('x')

    emitter.once('x', first).on('x', lambda: log.append('on'))
    emitter.emit('x')
    assert log == ['once', 'on', 'on']


def test_a_once_listener_fires_once_even_if_two_greenlets_emit_at_a_time(log: list[Any]) -> None:
    # gnet's own case: Node's listeners cannot be suspended.
    emitter, blocked, release = EventEmitter(), Event(), Event()

    def block() -> None:
        blocked.set()
        release.wait()

    emitter.once('x', block).once('x', recorder(log, 'second'))
    first = gevent.spawn(emitter.emit, 'x')
    blocked.wait()
    emitter.emit('x')
    release.set()
    first.get(timeout=PATIENCE)
    assert log == [('second',)]


# --- changes during emit ------------------------------------------------------------------------


def test_a_listener_added_during_emit_waits_for_the_next(
    emitter: EventEmitter, log: list[Any],
) -> None:
    emitter.once('x', lambda: emitter.on('x', recorder(log, 'new')))
    emitter.emit('x')
    assert log == []
    emitter.emit('x')
    assert log == [('new',)]


def test_a_later_listener_removed_during_emit_is_still_called(
    emitter: EventEmitter, log: list[Any],
) -> None:
    later = recorder(log, 'later')
    emitter.on('x', lambda: emitter.off('x', later)).on('x', later)
    emitter.emit('x')
    emitter.emit('x')
    assert log == [('later',)]


def test_remove_all_listeners_during_emit_lets_the_rest_run(
    emitter: EventEmitter, log: list[Any],
) -> None:
    emitter.on('x', lambda: emitter.remove_all_listeners('x')).on('x', recorder(log, 'rest'))
    assert emitter.emit('x') is True
    assert log == [('rest',)]
    assert emitter.listener_count('x') == 0


def test_a_later_once_listener_removed_by_an_earlier_one_still_runs(
    emitter: EventEmitter, log: list[Any],
) -> None:
    later = recorder(log, 'later')
    emitter.once('x', lambda: emitter.off('x', later)).once('x', later)
    emitter.emit('x')
    assert log == [('later',)]
    assert emitter.emit('x') is False


def test_an_exception_leaves_emit_and_skips_the_later_listeners(
    emitter: EventEmitter, log: list[Any],
) -> None:
    error = Boom()

    def fail() -> None:
        raise error

    emitter.on('x', recorder(log, 'before')).once('x', fail).on('x', recorder(log, 'after'))
    with pytest.raises(Boom) as caught:
        emitter.emit('x')
    assert caught.value is error
    assert log == [('before',)]
    emitter.emit('x')
    assert log == [('before',), ('before',), ('after',)]


def test_unbounded_recursion_is_the_usual_error(emitter: EventEmitter) -> None:
    emitter.on('x', lambda: emitter.emit('x'))
    with pytest.raises(RecursionError):
        emitter.emit('x')


def test_emit_returns_after_a_listener_that_blocks(emitter: EventEmitter, log: list[Any]) -> None:
    # gnet's own rule: a listener may block; the listeners of this emit are those of its start.
    blocked, release = Event(), Event()

    def block() -> None:
        blocked.set()
        release.wait()
        log.append('released')

    emitter.on('x', block).on('x', lambda: log.append('second'))
    emission = gevent.spawn(emitter.emit, 'x')
    blocked.wait()
    emitter.remove_all_listeners('x')
    assert log == []
    release.set()
    assert emission.get(timeout=PATIENCE) is True
    assert log == ['released', 'second']


# --- removing -----------------------------------------------------------------------------------


@pytest.mark.parametrize('method', REMOVERS)
def test_removing_returns_the_emitter_and_what_is_unknown_is_no_error(
    emitter: EventEmitter, method: str,
) -> None:
    emitter.on('x', f)
    assert getattr(emitter, method)('y', f) is emitter
    assert getattr(emitter, method)('x', g) is emitter
    assert emitter.listeners('x') == [f]
    assert getattr(emitter, method)('x', f) is emitter
    assert emitter.event_names() == []


def test_one_registration_is_removed_at_a_time_and_the_latest_first(
    emitter: EventEmitter,
) -> None:
    emitter.on('x', f).on('x', g).on('x', f)
    assert emitter.off('x', f).listeners('x') == [f, g]
    assert emitter.off('x', f).listeners('x') == [g]


def test_the_latest_match_may_be_a_once_listener(emitter: EventEmitter) -> None:
    emitter.on('x', f).once('x', f).off('x', f)
    assert emitter.raw_listeners('x') == [f]


def test_a_bound_method_is_found_by_equality(log: list[Any]) -> None:
    class Counter:
        def count(self) -> None:
            log.append('count')

    counter, other = Counter(), Counter()
    emitter = EventEmitter().on('x', counter.count).once('x', counter.count)
    emitter.off('x', other.count)
    assert emitter.listener_count('x', counter.count) == 2
    emitter.off('x', counter.count).off('x', counter.count).emit('x')
    assert log == []


def test_remove_all_listeners_of_one_name(emitter: EventEmitter) -> None:
    emitter.on('x', f).once('x', g).on('y', f)
    assert emitter.remove_all_listeners('x') is emitter
    assert emitter.remove_all_listeners('nothing') is emitter
    assert emitter.event_names() == ['y']


def test_remove_all_listeners_of_all_names(emitter: EventEmitter) -> None:
    emitter.on('x', f).on('y', f).on(Symbol('s'), f)
    assert emitter.remove_all_listeners() is emitter
    assert emitter.event_names() == []
    assert emitter.remove_all_listeners().event_names() == []


def test_remove_all_listeners_takes_none_for_a_name(emitter: EventEmitter) -> None:
    emitter.on(None, f).on('x', f)
    assert emitter.remove_all_listeners(None).event_names() == ['x']
