"""The recorder of events: order, what is alike, and the text of a difference."""

from __future__ import annotations

import re
from typing import Any

import pytest

import gnet
from gnet.testing import EventRecorder


def test_events_are_compared_in_order_by_name_and_arguments() -> None:
    emitter = gnet.EventEmitter()
    with EventRecorder(emitter, 'data', 'end', 'error', 'close') as events:
        emitter.emit('data', b'he')
        emitter.emit('data', b'llo')
        emitter.emit('end')
        emitter.emit('error', ConnectionResetError(104, 'reset'))
        emitter.emit('close', True)
        assert events.lines() == [
            "data b'hello'", 'end', "error ConnectionResetError('[Errno 104] reset')", 'close True']
        events.expect(
            ('data', b'hello'), 'end', ('error', ConnectionResetError), ('close', ...), patience=0)
        assert events.events == []
    emitter.emit('end')
    assert events.lines() == []
    assert emitter.listener_count('end') == 0


def test_a_difference_shows_what_is_missing_and_what_is_too_much() -> None:
    emitter = gnet.EventEmitter()
    events = EventRecorder(emitter, 'data', 'end', 'error', 'close')
    emitter.emit('data', b'hello')
    emitter.emit('error', OSError('no'))
    emitter.emit('close', False)
    with pytest.raises(AssertionError) as wrong:
        events.expect(
            ('data', b'hello'), 'end', ('error', KeyError), ('close', False), patience=0)
    assert str(wrong.value).splitlines() == [
        'other events than expected (- expected, + emitted):',
        "  data b'hello'",
        '- end',
        '- error KeyError',
        "+ error OSError('no')",
        '  close False',
    ]


def test_codes_of_errors_are_enough() -> None:
    emitter = gnet.EventEmitter()
    events = EventRecorder(emitter, 'error')
    with pytest.raises(gnet.CodedTypeError) as wrong:
        gnet.Socket(high_water_mark='much')
    emitter.emit('error', wrong.value)
    events.expect(('error', 'ERR_INVALID_ARG_VALUE'), patience=0)


def test_several_emitters_have_one_order_and_their_names() -> None:
    left, right = gnet.EventEmitter(), gnet.EventEmitter()
    events = EventRecorder()
    events.listen(left, 'data', 'end', label='left')
    events.listen(right, 'data', label='right')
    left.emit('data', b'1')
    right.emit('data', b'2')
    left.emit('data', b'3')
    left.emit('end')
    events.expect(
        ('left data', b'1'), ('right data', b'2'), ('left data', b'3'), 'left end', patience=0)


def test_chunks_stay_apart_where_that_is_asked_for() -> None:
    emitter = gnet.EventEmitter()
    events = EventRecorder(emitter, 'data', merge=False)
    emitter.emit('data', b'1')
    emitter.emit('data', b'2')
    assert [event.args for event in events.take()] == [(b'1',), (b'2',)]
    assert events.events == []


def test_what_does_not_come_is_told_with_what_has() -> None:
    emitter = gnet.EventEmitter()
    events = EventRecorder(emitter, 'end', 'data')
    emitter.emit('data', bytes(1000))
    with pytest.raises(AssertionError, match=re.escape("no 'end' within 0.01 seconds, but:")) as no:
        events.wait_for('end', patience=0.01)
    assert '(1000)' in str(no.value)
    assert events.wait_for('data').args == (bytes(1000),)


def test_a_recorder_of_nothing_is_a_mistake() -> None:
    with pytest.raises(TypeError, match='name the events'):
        EventRecorder(gnet.EventEmitter())


@pytest.mark.parametrize('wrong', [(), 5, None, ['data', b'hello']])
def test_what_is_no_event_cannot_be_expected(wrong: Any) -> None:
    events = EventRecorder(gnet.EventEmitter(), 'data')
    with pytest.raises(TypeError, match='an event is a name'):
        events.expect(wrong)
