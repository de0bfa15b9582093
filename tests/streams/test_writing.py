"""The writing half of a stream, driven without I/O: queue, back-pressure, callbacks, end."""

from __future__ import annotations

import errno
from array import array
from typing import Any

import pytest

from gnet.streams.sending import JOINED_SIZE, MAX_GATHERED
from gnet.streams.states import Stage

from ..harness.fake_wire import TracedStream

NULL = 'May not write null values to stream'
CHUNK = ('The "chunk" argument must be of type string or an instance of Buffer, TypedArray, or '
         'DataView. Received ')


@pytest.fixture
def stream() -> TracedStream:
    return TracedStream()


def sent(stream: TracedStream) -> bytes:
    return b''.join(stream.wire.kernel)


# --- chunks -------------------------------------------------------------------------------------


@pytest.mark.parametrize(('args', 'data'), [
    ((b'abc',), b'abc'), (('é',), 'é'.encode()),
    (('é', 'latin1'), b'\xe9'), (('é', 'ascii'), b'\xe9'),
    (('a', 'UTF-16LE'), b'a\0'), (('616', 'hex'), b'a'), (('zz', 'hex'), b''),
    (('YWJj', 'base64'), b'abc'), ((bytearray(b'x'),), b'x'), ((memoryview(b'abcd')[::2],), b'ac'),
    ((array('H', [0x6161]),), b'aa'), ((b'',), b''), (('',), b''), ((b'x', 'latin1'), b'x'),
    ((b'x', 'buffer'), b'x'), (('é', ''), 'é'.encode()), (('é', 0), 'é'.encode()),
])
def test_what_can_be_written(stream: TracedStream, args: tuple[Any, ...], data: bytes) -> None:
    assert stream.write(*args, stream.noting('written')) is True
    assert sent(stream) == data
    assert stream.bytes_written == len(data)
    stream.run()
    assert stream.trace == ['written None']


@pytest.mark.parametrize(('args', 'code', 'text'), [
    ((None,), 'ERR_STREAM_NULL_VALUES', NULL),
    ((None, 'bogus'), 'ERR_STREAM_NULL_VALUES', NULL),
    ((5,), 'ERR_INVALID_ARG_TYPE', CHUNK + 'type number (5)'),
    ((True,), 'ERR_INVALID_ARG_TYPE', CHUNK + 'type boolean (true)'),
    (({},), 'ERR_INVALID_ARG_TYPE', CHUNK + 'an instance of Object'),
    (([1],), 'ERR_INVALID_ARG_TYPE', CHUNK + 'an instance of Array'),
    (('x', 'bogus'), 'ERR_UNKNOWN_ENCODING', 'Unknown encoding: bogus'),
    (('x', 5), 'ERR_UNKNOWN_ENCODING', 'Unknown encoding: 5'),
    (('x', 'buffer'), 'ERR_UNKNOWN_ENCODING', 'Unknown encoding: buffer'),
    ((b'x', 'bogus'), 'ERR_UNKNOWN_ENCODING', 'Unknown encoding: bogus'),
    ((5, 'bogus'), 'ERR_UNKNOWN_ENCODING', 'Unknown encoding: bogus'),
])
@pytest.mark.parametrize('state', ['open', 'ended', 'destroyed'])
def test_what_cannot_be_written_is_refused_at_the_call_in_any_state(
    stream: TracedStream, args: tuple[Any, ...], code: str, text: str, state: str,
) -> None:
    if state == 'ended':
        stream.end()
    elif state == 'destroyed':
        stream.destroy()
    before = stream.take_trace(), stream.errored
    for method in (stream.write, stream.end):
        if method == stream.end and args[0] is None:
            continue  # no chunk
        with pytest.raises(TypeError) as caught:
            method(*args, stream.noting('callback'))
        assert (caught.value.code, str(caught.value)) == (code, text)  # type: ignore[attr-defined]
    stream.run_later()
    assert 'callback' not in ' '.join(stream.trace)
    assert stream.errored is before[1]
    assert stream.writable_ended == (state == 'ended')


def test_the_default_encoding_can_be_set(stream: TracedStream) -> None:
    assert stream.set_default_encoding('latin1') is stream
    stream.write('é')
    assert sent(stream) == b'\xe9'


def test_a_chunk_is_taken_as_it_is_at_the_call(stream: TracedStream) -> None:
    stream.wire.room = 0
    chunk = bytearray(b'abc')
    stream.write(chunk)
    chunk[:] = b'x'
    stream.wire.room = 10
    stream._continue_sending()
    assert sent(stream) == b'abc'


def test_what_is_no_callback_is_ignored(stream: TracedStream) -> None:
    assert stream.write(b'a', None, 'no callback') is True  # type: ignore[arg-type]
    stream.run()


# --- the queue ----------------------------------------------------------------------------------


def test_what_the_kernel_takes_at_once_is_not_queued(stream: TracedStream) -> None:
    assert stream.write(bytes(200_000)) is True
    assert stream.writable_length == 0
    assert not stream.writable_need_drain


def test_a_partly_sent_chunk_counts_as_a_whole_until_all_is_sent(stream: TracedStream) -> None:
    stream.wire.room = 4
    assert stream.write('héllo', stream.noting('written')) is True
    assert (stream.writable_length, stream.bytes_written) == (5, 6)
    assert stream.wire.watching
    stream.wire.room = 1
    stream._continue_sending()
    assert stream.writable_length == 5
    stream.wire.room = 1
    stream._continue_sending()
    assert (stream.writable_length, stream.bytes_written) == (0, 6)
    assert not stream.wire.watching
    stream.run()
    assert stream.trace == ['written None']
    assert sent(stream) == 'héllo'.encode()


def test_drain_comes_once_when_all_is_sent_and_before_the_callback(stream: TracedStream) -> None:
    stream.wire.room = 0
    assert stream.write(bytes(65535), stream.noting('first')) is True
    assert stream.write(b'x', stream.noting('second')) is False
    assert stream.writable_need_drain
    stream.wire.room = 65535
    stream._continue_sending()
    stream.run()
    assert stream.take_trace() == ['first None']
    stream.wire.room = 10
    stream._continue_sending()
    stream.run()
    assert stream.take_trace() == ['drain', 'second None']
    assert not stream.writable_need_drain


def test_a_mark_of_zero_is_reached_by_the_first_byte_that_is_queued() -> None:
    stream = TracedStream(0)
    assert stream.write(b'a') is True
    stream.wire.room = 0
    assert stream.write(b'a') is False


def test_end_before_the_queue_is_empty_suppresses_drain(stream: TracedStream) -> None:
    stream.wire.room = 0
    stream.write(bytes(100_000), stream.noting('written'))
    stream.end(stream.noting('ended'))
    stream.wire.room = 100_000
    stream._continue_sending()
    stream.run_later()
    assert stream.trace == ['written None', 'prefinish', 'ended None', 'finish']


def test_queued_chunks_are_sent_together(stream: TracedStream) -> None:
    stream.wire.room = 0
    stream.write(b'first')
    for number in range(300):
        stream.write(b'%d,' % number)
    stream.wire.room = float('inf')
    stream._continue_sending()
    assert sent(stream) == b'first' + b''.join(b'%d,' % number for number in range(300))
    assert len(stream.wire.kernel) == 3  # the first, and 300 by at most 256


def test_a_callback_that_never_returns_holds_up_no_other(stream: TracedStream) -> None:
    stream.wire.room = 0
    seen: list[int] = []
    stream.write(b'1', lambda error: stream.run())  # others go on meanwhile
    stream.write(b'2', lambda error: seen.append(2))
    stream.wire.room = 10
    stream._continue_sending()
    callback, args, _context = stream.schedule.ticks.popleft()
    callback(*args)
    assert seen == [2]


@pytest.mark.parametrize('sizes', [
    [20] * 50,                                # joined
    [JOINED_SIZE] * 5,                        # gathered
    [1, 0, 3 * JOINED_SIZE, 1, 2],            # an empty one among them
    [7] * (2 * MAX_GATHERED + 1),             # more than go at once
])
@pytest.mark.parametrize('room', [1, 19, 20, 21, JOINED_SIZE, 10**9])
def test_what_is_sent_together_arrives_in_order_however_little_is_taken(
    stream: TracedStream, sizes: list[int], room: int,
) -> None:
    chunks = [bytes([position % 251]) * size for position, size in enumerate(sizes)]
    written: list[int] = []
    stream.cork()
    for position, chunk in enumerate(chunks):
        stream.write(chunk, lambda error, position=position: written.append(position))
    stream.wire.room = room
    stream.uncork()
    while stream.wire.watching:
        stream.wire.room = room
        stream._continue_sending()
    stream.run()
    assert sent(stream) == b''.join(chunks)
    assert written == list(range(len(chunks)))
    assert (stream.writable_length, stream.bytes_written) == (0, sum(sizes))


def test_cork_collects_and_the_last_uncork_sends_once(stream: TracedStream) -> None:
    stream.cork()
    stream.cork()
    stream.write(b'a', stream.noting('first'))
    stream.write('é', stream.noting('second'))
    assert (stream.writable_length, stream.bytes_written, stream.writable_corked) == (2, 3, 2)
    stream.uncork()
    assert stream.wire.kernel == []
    stream.uncork()
    assert stream.wire.kernel == ['aé'.encode()]
    stream.uncork()  # one too many
    assert stream.writable_corked == 0
    stream.run()
    assert stream.trace == ['first None', 'second None']


def test_cork_does_not_hold_back_what_was_in_flight(stream: TracedStream) -> None:
    stream.wire.room = 1
    stream.write(b'ab')
    stream.cork()
    stream.write(b'c')
    stream.wire.room = 10
    stream._continue_sending()
    assert sent(stream) == b'ab'
    assert not stream.wire.watching
    stream.uncork()
    assert sent(stream) == b'abc'


def test_end_uncorks_whatever_the_depth(stream: TracedStream) -> None:
    stream.cork()
    stream.cork()
    stream.write(b'a')
    stream.end(b'b')
    assert stream.wire.kernel == [b'ab']
    stream.run_later()
    assert stream.wire.shut


def test_cork_after_end_holds_nothing_back(stream: TracedStream) -> None:
    stream.wire.room = 0
    stream.write(b'a')
    stream.write(b'b')
    stream.end()
    stream.cork()
    stream.wire.room = 10
    stream._continue_sending()
    assert sent(stream) == b'ab'
    stream.run_later()
    assert stream.wire.shut


# --- the end ------------------------------------------------------------------------------------


def test_finish_comes_after_the_fin_and_all_callbacks(stream: TracedStream) -> None:
    assert stream.end(b'x', stream.noting('ended')) is stream
    assert not stream.wire.shut  # a destroy() in the same turn may still reset the connection
    assert (stream.writable, stream.writable_ended) == (False, True)
    assert not stream.writable_finished
    stream.run()
    assert stream.trace == []
    stream.run_later()
    assert stream.wire.shut
    assert stream.trace == ['prefinish', 'ended None', 'finish']
    assert stream.writable_finished


@pytest.mark.parametrize('args', [(), (b'x',), (b'x', None), ('x', 'utf8'), (None,), (None, None)])
def test_the_callback_of_end_may_stand_anywhere(
    stream: TracedStream, args: tuple[Any, ...],
) -> None:
    stream.end(*args, stream.noting('ended'))
    stream.run_later()
    assert 'ended None' in stream.trace


def test_several_ends_all_call_back_before_finish(stream: TracedStream) -> None:
    stream.end(stream.noting('first'))
    stream.end(stream.noting('second'))
    stream.run_later()
    assert stream.take_trace() == ['prefinish', 'first None', 'second None', 'finish']
    stream.end(stream.noting('third'))
    stream.run()
    assert stream.trace == [
        'third ERR_STREAM_ALREADY_FINISHED: Cannot call end after a stream was finished']


def test_the_fin_is_sent_once(stream: TracedStream) -> None:
    fins: list[None] = []
    stream.wire.shut_down = lambda: fins.append(None)  # type: ignore[method-assign]
    stream.wire.room = 0
    stream.write(b'a')
    stream.end()
    stream.end()
    assert fins == []
    stream.wire.room = 1
    stream._continue_sending()
    stream.end()
    stream.run_later()
    assert fins == [None]


def test_a_stream_without_a_connection_finishes_and_stays() -> None:
    stream = TracedStream(stage=Stage.NEW)
    stream.end(stream.noting('ended'))
    stream.run_later()
    assert stream.trace == ['prefinish', 'ended None', 'finish']
    assert not stream.wire.shut


def test_what_is_written_while_connecting_is_queued() -> None:
    stream = TracedStream(stage=Stage.CONNECTING)
    stream.on('drain', stream.noting('drain'))
    assert stream.write(b'a', stream.noting('first')) is True
    assert stream.write(bytes(70_000), stream.noting('second')) is False
    stream.end(stream.noting('ended'))
    assert stream.wire.kernel == []
    assert stream.bytes_written == 70_001
    stream._stage = Stage.OPEN
    stream.emit('connect')
    stream.trace.append('ready')
    assert stream.wire.kernel == [b'a', bytes(70_000)]
    stream.run_later()
    assert stream.trace == [
        'connect', 'first None', 'ready', 'second None', 'prefinish', 'ended None', 'finish']


# --- failures -----------------------------------------------------------------------------------


def test_a_write_that_fails_says_so_before_the_stream_does(stream: TracedStream) -> None:
    stream.wire.broken = BrokenPipeError(errno.EPIPE, 'x')
    assert stream.write(b'a', stream.noting('written')) is False
    stream.run()
    assert stream.trace == [
        'written EPIPE: write EPIPE', '(destroy EPIPE: write EPIPE)',
        '(unheard EPIPE: write EPIPE)',
    ]


@pytest.mark.parametrize('way', ['at once', 'corked', 'in flight'])
def test_what_came_before_a_write_fails_is_told_first(stream: TracedStream, way: str) -> None:
    stream.resume()
    stream.run()
    stream.take_trace()
    stream.wire.arrive(b'the last word')
    if way == 'corked':
        stream.cork()
    elif way == 'in flight':
        stream.wire.room = 0
    else:
        stream.wire.broken = BrokenPipeError(errno.EPIPE, 'x')
    stream.write(b'a', stream.noting('written'))
    stream.wire.broken = BrokenPipeError(errno.EPIPE, 'x')
    if way == 'corked':
        stream.uncork()
    elif way == 'in flight':
        stream.wire.on_writable()
    stream.run()
    told = [line for line in stream.trace if not line.startswith(('readable', '(destroy'))]
    assert told == [
        "data b'the last word'", 'written EPIPE: write EPIPE', '(unheard EPIPE: write EPIPE)']


@pytest.mark.parametrize('way', ['at once', 'corked'])
def test_writes_that_fail_are_answered_in_order_by_a_destroy_in_what_came_before(
    stream: TracedStream, way: str,
) -> None:
    stream.on('data', lambda data: stream.destroy(ValueError('mine')))
    stream.run()
    stream.take_trace()
    stream.wire.arrive(b'the last word')
    stream.wire.broken = BrokenPipeError(errno.EPIPE, 'x')
    if way == 'corked':
        stream.cork()
    stream.write(b'a', stream.noting('first'))
    stream.uncork()
    stream.write(b'b', stream.noting('second'))
    stream.end(stream.noting('ended'))
    stream.run()
    assert [line for line in stream.trace if 'EPIPE' in line] == [
        f'{name} EPIPE: write EPIPE' for name in ('first', 'second', 'ended')]


def test_a_failure_in_flight_answers_what_was_sent_with_none(stream: TracedStream) -> None:
    stream.wire.room = 0
    stream.write(b'first', stream.noting('first'))
    stream.write(b'second', stream.noting('second'))
    calls = []

    def send(data: Any) -> int:
        calls.append(bytes(data))
        if len(calls) > 1:
            raise ConnectionResetError(errno.ECONNRESET, 'x')
        return len(data)

    stream.wire.send = send
    stream._continue_sending()
    stream.run()
    assert calls == [b'first', b'second']
    assert stream.trace == [
        '(destroy ECONNRESET: write ECONNRESET)', 'first None',
        'second ECONNRESET: write ECONNRESET', '(unheard ECONNRESET: write ECONNRESET)',
    ]


def test_a_fin_that_cannot_be_sent_destroys_the_stream(stream: TracedStream) -> None:
    stream.wire.broken = OSError(errno.EINVAL, 'x')
    stream.end()
    stream.run_later()
    assert stream.trace == [
        '(destroy EINVAL: shutdown EINVAL)', '(unheard EINVAL: shutdown EINVAL)']


def test_bytes_written_does_not_shrink_on_destroy(stream: TracedStream) -> None:
    stream.wire.room = 1
    stream.write(b'abc')
    stream.destroy()
    stream._take_unsent()
    assert stream.bytes_written == 3
    assert stream.writable_length == 0


# --- destroyed with something unsent ------------------------------------------------------------


def test_what_was_queued_counts_as_written_until_it_was_answered(stream: TracedStream) -> None:
    stream.wire.room = 4
    seen: list[int] = []
    for chunk in (b'123456', b'queued'):
        stream.write(chunk, lambda error: seen.append(stream.bytes_written))
    stream.on('close', lambda had_error: seen.append(stream.bytes_written))
    stream.destroy()
    assert stream.bytes_written == 12
    stream.run_later()
    assert seen == [12, 12, 6]
    assert stream.bytes_written == 6  # what was begun with, as in Node


@pytest.mark.parametrize(('number', 'code'), [
    (errno.ECONNRESET, 'ECONNRESET'), (errno.EPIPE, 'EPIPE'), (0, 'ECANCELED'),
])
def test_a_destroyed_write_gets_what_its_first_part_has_led_to(
    stream: TracedStream, number: int, code: str,
) -> None:
    stream.wire.room = 4
    stream.wire.failed = number
    text = f'{code}: write {code}'
    stream.write(b'123456', stream.noting('first'))
    stream.write(b'queued', stream.noting('second'))
    stream.destroy()
    stream.run_later()
    assert stream.trace == [
        '(destroy None)', f'first {text}', f'second {text}', 'close False']
