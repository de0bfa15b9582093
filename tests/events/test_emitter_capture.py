"""``EventEmitter``: the failures of greenlets that listeners return.

The expectations are what Node 24 does, measured, unless a test says that it is gnet's own rule.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gevent
import pytest
from gevent.event import AsyncResult, Event

from gnet import events
from gnet.events import EventEmitter, error_monitor

from ..harness.waiting import PATIENCE
from .common import Boom, f

# --- capture of rejections ----------------------------------------------------------------------


def failing(error: BaseException) -> AsyncResult[Any]:
    """Return what a listener returns whose work has failed; no greenlet, so nothing is printed."""
    result: AsyncResult[Any] = AsyncResult()
    result.set_exception(error)
    return result


def capturing(**members: Any) -> tuple[Any, list[Any], Callable[[int], list[Any]]]:
    """Return an emitter that captures, what its 'error' listener got, and a way to wait for it."""
    emitter = type('Capturing', (EventEmitter,), members)(capture_rejections=True)
    seen: list[Any] = []
    changed = Event()

    def record(*args: Any) -> None:
        seen.append(args)
        changed.set()

    def wait(count: int) -> list[Any]:
        with gevent.Timeout(PATIENCE):
            while len(seen) < count:
                changed.wait()
                changed.clear()
        return seen

    emitter.record = record
    if 'capture_rejection' not in members:
        emitter.on('error', record)
    return emitter, seen, wait


def test_each_failed_result_of_a_listener_becomes_an_error_later() -> None:
    emitter, seen, wait = capturing()
    one, two = Boom('one'), Boom('two')
    emitter.on('x', lambda value: failing(one)).on('x', lambda value: failing(two))
    assert emitter.emit('x', 1) is True
    assert seen == []
    assert wait(2) == [(one,), (two,)]


def test_a_failed_greenlet_becomes_an_error(hub_reports: list[Any]) -> None:
    emitter, _, wait = capturing()

    def work() -> None:
        gevent.idle()
        raise Boom('in the greenlet')

    emitter.once('x', lambda: gevent.spawn(work))
    emitter.emit('x')
    [(error,)] = wait(1)
    assert isinstance(error, Boom)
    # gevent reports a failed greenlet in any case.
    assert [reported for _, reported in hub_reports] == [error]


def test_a_failure_is_handled_in_a_greenlet_that_may_block() -> None:
    emitter, seen, wait = capturing()
    release = Event()
    emitter.prepend_listener('error', lambda error: release.wait())
    emitter.on('x', lambda: failing(Boom()))
    emitter.emit('x')
    gevent.spawn(release.set)
    assert len(wait(1)) == 1
    assert seen


@pytest.mark.parametrize('result', [
    None, 5, 'text', Event(), object(), [],
], ids=lambda result: type(result).__name__)
def test_other_results_are_ignored(result: Any) -> None:
    emitter, _, wait = capturing()
    error = Boom()
    emitter.once('x', lambda: result).once('x', lambda: failing(error))
    emitter.emit('x')
    assert wait(1) == [(error,)]


def test_success_and_greenlet_exit_are_no_failures() -> None:
    emitter, _, wait = capturing()
    killed = gevent.spawn(Event().wait)
    finished = gevent.spawn(int)
    killed.kill()
    finished.join()
    marker = Boom('the only one')
    results = [killed, finished, failing(gevent.GreenletExit()), failing(marker)]
    for result in results:
        emitter.on('x', lambda result=result: result)
    emitter.emit('x')
    # The links run in the order in which they were made, so the others have been looked at.
    assert wait(1) == [(marker,)]


def test_a_result_that_cannot_be_linked_to_is_an_error_at_once() -> None:
    emitter, seen, _ = capturing()
    error = Boom('no link')

    class Broken:
        exception = None

        @property
        def rawlink(self) -> Any:
            raise error

    emitter.on('x', Broken)
    assert emitter.emit('x') is True
    assert seen == [(error,)]


def test_an_overridden_capture_rejection_gets_error_event_and_arguments() -> None:
    def capture(self: Any, error: Any, event: Any, *args: Any) -> None:
        self.record(error, event, *args)

    emitter, _, wait = capturing(capture_rejection=capture)
    error = Boom()
    emitter.on('x', lambda *args: failing(error))
    emitter.emit('x', 1, 2)
    assert wait(1) == [(error, 'x', 1, 2)]


def test_capture_rejection_may_be_overridden_by_its_node_name() -> None:
    def capture(self: Any, error: Any, event: Any, *args: Any) -> None:
        self.record(event)

    emitter, _, wait = capturing(captureRejection=capture)
    emitter.remove_all_listeners('error')
    emitter.on('x', lambda: failing(Boom()))
    emitter.emit('x')
    assert wait(1) == [('x',)]


def test_an_error_listener_that_fails_later_is_not_captured_again() -> None:
    emitter, seen, wait = capturing()
    second = Boom('second')
    emitter.on('error', lambda error: failing(second))
    first = Boom('first')
    emitter.once('x', lambda: failing(first))
    emitter.emit('x')
    wait(1)
    marker = Boom('marker')
    emitter.once('y', lambda: failing(marker))
    emitter.emit('y')
    wait(2)
    # A failure of the error listener would have come before the marker.
    assert seen == [(first,), (marker,)]


def test_an_error_listener_of_an_ordinary_error_is_captured() -> None:
    emitter, _, wait = capturing()
    second = Boom('again')
    emitter.on('error', lambda error: failing(second))
    first = Boom('direct')
    emitter.emit('error', first)
    assert wait(2) == [(first,), (second,)]


def test_capture_stays_off_when_an_error_listener_reports_another_rejection() -> None:
    emitter, seen, wait = capturing()
    first, other = Boom('first'), Boom('other')

    def report(error: BaseException) -> Any:
        if error is first:
            emitter.capture_rejection(other, 'x')
        return failing(Boom('of the error listener'))

    emitter.on('error', report)
    emitter.once('x', lambda: failing(first))
    emitter.emit('x')
    wait(2)
    marker = Boom('marker')
    emitter.once('y', lambda: failing(marker))
    emitter.emit('y')
    wait(3)
    assert seen == [(first,), (other,), (marker,)]


def test_capture_goes_on_while_an_error_listener_blocks() -> None:
    # gnet's own case: Node switches capturing off meanwhile, when nothing else can run.
    emitter, seen, wait = capturing()
    blocked, release = Event(), Event()
    other = Boom('other')

    def block(error: BaseException) -> None:
        if error is not other:
            blocked.set()
            release.wait()

    emitter.prepend_listener('error', block)
    first = Boom('first')
    emitter.on('x', failing)
    emitter.emit('x', first)
    blocked.wait()
    emitter.emit('x', other)
    assert wait(1) == [(other,)]
    release.set()
    assert wait(2) == [(other,), (first,)]
    third = Boom('third')
    emitter.emit('x', third)
    assert wait(3)[-1] == (third,)
    assert len(seen) == 3


def test_a_failure_that_nobody_listens_to_reaches_the_hub(hub_reports: list[Any]) -> None:
    emitter, _, _ = capturing()
    emitter.remove_all_listeners('error')
    error = Boom()
    seen: AsyncResult[Any] = AsyncResult()
    emitter.on(error_monitor, seen.set)
    emitter.on('x', lambda: failing(error))
    emitter.emit('x')
    assert seen.get(timeout=PATIENCE) is error
    with gevent.Timeout(PATIENCE):
        while not hub_reports:
            gevent.idle()
    assert [reported for _, reported in hub_reports] == [error]


def test_without_capture_results_are_ignored(emitter: EventEmitter, log: list[Any]) -> None:
    class Watched:
        exception = None

        def rawlink(self, callback: Any) -> None:
            log.append(callback)

    emitter.on('x', Watched).on(error_monitor, f)
    emitter.emit('x')
    assert log == []


@pytest.mark.parametrize('make', [
    lambda: EventEmitter({'captureRejections': True}),
    lambda: EventEmitter({'capture_rejections': True}),
    lambda: EventEmitter(capture_rejections=True),
    lambda: EventEmitter(captureRejections=True),
    lambda: EventEmitter({'captureRejections': True, 'other': 1}),
])
def test_capture_is_an_option_in_either_spelling(make: Callable[[], EventEmitter]) -> None:
    assert make()._capture_rejections
    assert not make()._plain_emit


@pytest.mark.parametrize('make', [
    EventEmitter,
    lambda: EventEmitter(None), lambda: EventEmitter({}), lambda: EventEmitter(5),
    lambda: EventEmitter('x'), lambda: EventEmitter(True), lambda: EventEmitter([]),
    lambda: EventEmitter({'captureRejections': False}),
    lambda: EventEmitter({'captureRejections': None}),
    lambda: EventEmitter({'captureRejections': 0}),
    lambda: EventEmitter(capture_rejections=False), lambda: EventEmitter({'other': True}),
])
def test_capture_is_off_by_default(make: Callable[[], EventEmitter]) -> None:
    assert not make()._capture_rejections
    assert make()._plain_emit


@pytest.mark.usefixtures('settings')
def test_the_setting_holds_for_new_emitters_whatever_their_option(emitter: EventEmitter) -> None:
    assert events.get_capture_rejections() is False
    events.set_capture_rejections(True)
    assert events.get_capture_rejections() is True
    assert not emitter._capture_rejections
    assert EventEmitter()._capture_rejections
    assert EventEmitter(capture_rejections=False)._capture_rejections


def test_options_are_not_modified() -> None:
    options = {'captureRejections': True}
    EventEmitter(options)
    assert options == {'captureRejections': True}
