"""What ``cork()`` holds back: joined, in order, and counted as if each chunk were queued alone."""

from __future__ import annotations

import errno
import random
from functools import partial
from typing import Any

import pytest

from gnet.streams.sending import JOINED_SIZE

from ..harness.fake_wire import TracedStream


@pytest.fixture
def stream() -> TracedStream:
    return TracedStream()


def sent(stream: TracedStream) -> bytes:
    return b''.join(stream.wire.kernel)


def test_many_small_writes_are_one(stream: TracedStream) -> None:
    stream.cork()
    assert all(stream.write(b'line %d\n' % number) for number in range(1000))
    assert stream.wire.kernel == []
    stream.uncork()
    assert stream.wire.kernel == [b''.join(b'line %d\n' % number for number in range(1000))]


def test_large_ones_are_gathered_and_not_copied(stream: TracedStream) -> None:
    offered: list[Any] = []
    stream.wire.send_all = (  # type: ignore[method-assign]
        lambda chunks: offered.extend(chunks) or sum(map(len, chunks)))
    chunks = [bytes([number]) * JOINED_SIZE for number in range(5)]
    stream.cork()
    for chunk in chunks:
        stream.write(chunk)
    stream.uncork()
    assert all(one is other for one, other in zip(offered, chunks))
    assert len(offered) == len(chunks)


def test_text_and_other_bytes_keep_their_place(stream: TracedStream) -> None:
    stream.cork()
    for args in (
        (b'a',), ('b',), ('é',), ('63', 'hex'), (bytearray(b'd'),), (b'',), (memoryview(b'e'),),
        ('é', 'latin1'), ('',), (b'f',),
    ):
        stream.write(*args)
    # Characters of text; a str of hexadecimal digits counts them.
    assert stream.writable_length == 1 + 1 + 1 + 2 + 1 + 0 + 1 + 1 + 0 + 1
    stream.uncork()
    assert sent(stream) == b'ab' + 'é'.encode() + b'cde\xe9f'
    assert stream.writable_length == 0


def test_what_is_taken_is_what_there_was_at_the_call(stream: TracedStream) -> None:
    data = bytearray(b'abc')
    stream.cork()
    stream.write(b'-')
    stream.write(data)
    data[:] = b'xyz'
    stream.uncork()
    assert sent(stream) == b'-abc'


def test_callbacks_in_between_are_called_in_order(stream: TracedStream) -> None:
    stream.cork()
    stream.write(b'a')
    stream.write(b'b', stream.noting('b'))
    stream.write(b'c')
    stream.write(b'd')
    stream.write(b'e', 'latin1', stream.noting('e'))
    stream.write(b'f')
    stream.uncork()
    assert stream.wire.kernel == [b'abcdef']
    stream.end(stream.noting('ended'))
    stream.run_later()
    stream.run_later()
    assert [line for line in stream.trace if line[0] in 'be'] == ['b None', 'e None', 'ended None']


def test_lengths_are_right_at_any_time(stream: TracedStream) -> None:
    stream.write(b'12')
    stream.cork()
    for number in range(1, 6):
        stream.write(b'abc')
        assert stream.writable_length == 3 * number
        if number % 2:
            assert stream.bytes_written == 2 + 3 * number
    stream.uncork()
    assert (stream.writable_length, stream.bytes_written) == (0, 17)
    assert sent(stream) == b'12' + b'abc' * 5


def test_back_pressure_counts_what_is_held_back() -> None:
    stream = TracedStream(10)
    stream.cork()
    assert [stream.write(b'1234') for _ in range(4)] == [True, True, False, False]
    assert stream.writable_need_drain
    stream.uncork()
    stream.run()
    assert stream.take_trace() == ['drain']
    assert not stream.writable_need_drain


def test_what_the_wire_does_not_take_is_in_flight(stream: TracedStream) -> None:
    stream.wire.room = 4
    stream.cork()
    stream.write(b'abc')
    stream.write(b'def')
    stream.uncork()
    assert (sent(stream), stream.writable_length, stream.bytes_written) == (b'abcd', 6, 6)
    stream.cork()
    stream.write(b'ghi')
    stream.wire.room = 100
    assert stream.wire.on_writable is not None
    stream.wire.on_writable()
    assert (sent(stream), stream.writable_length) == (b'abcdef', 3)
    stream.uncork()
    assert (sent(stream), stream.writable_length) == (b'abcdefghi', 0)
    assert not stream.wire.watching


@pytest.mark.parametrize('room', [0, 2])
def test_a_destroy_forgets_it(stream: TracedStream, room: int) -> None:
    stream.wire.room = room
    stream.write(b'1234')
    stream.cork()
    stream.write(b'a')
    stream.write(b'b', stream.noting('b'))
    stream.write(b'c')
    stream.destroy()
    assert stream.writable_length == 0
    assert stream.write(b'd', stream.noting('d')) is False
    stream.uncork()
    stream.run_later()
    stream.run_later()
    assert [line[:20] for line in stream.trace if line[0] in 'bd'] == [
        'd ERR_STREAM_DESTROY', 'b ECANCELED: write E']
    assert sent(stream) == b'1234'[:room]


def test_end_sends_it(stream: TracedStream) -> None:
    stream.cork()
    stream.write(b'a')
    stream.end(b'b')
    assert sent(stream) == b'ab'
    stream.run_later()
    assert stream.wire.shut


def test_a_failure_of_what_was_held_back_destroys_the_stream(stream: TracedStream) -> None:
    stream.cork()
    stream.write(b'a')
    stream.write(b'b')
    stream.wire.broken = OSError(errno.EPIPE, 'x')
    stream.uncork()
    assert stream.write(b'c', stream.noting('c')) is False
    assert stream.errored.code == 'EPIPE'
    stream.run_later()
    stream.run_later()
    assert [line.split()[0] for line in stream.trace] == ['c', '(destroy', '(unheard', 'close']


def tell(told: list[int], number: int, error: BaseException | None) -> None:
    assert error is None
    told.append(number)


def test_random_plans_send_what_they_wrote_and_count_right() -> None:
    """Against a model: a list of chunks, and who is told about which."""
    for seed in range(300):
        rng = random.Random(seed)
        stream = TracedStream(rng.choice([5, 50, 5000]))
        written = b''
        told: list[int] = []
        expected: list[int] = []
        units = 0
        for number in range(rng.randrange(5, 60)):
            what = rng.choice(['write', 'write', 'write', 'text', 'back', 'cork', 'uncork', 'room'])
            data = b'%d,' % number * rng.choice([1, 1, 1, 40, 1500])
            if what == 'cork':
                stream.cork()
            elif what == 'uncork':
                stream.uncork()
            elif what == 'room':
                stream.wire.room = rng.choice([0, 3, 100, 10_000])
                if stream.wire.on_writable is not None:
                    stream.wire.on_writable()
                stream.run()
            else:
                text = data.decode() + rng.choice(['', 'é'])
                callback = None
                if what == 'back':
                    callback = partial(tell, told, number)
                    expected.append(number)
                stream.write(text if what == 'text' else data, callback)
                written += text.encode() if what == 'text' else data
                units += 1
                assert stream.bytes_written == len(written), seed
            assert (stream.writable_length == 0) == (
                sent(stream) == written and not stream.wire.watching), seed
        stream.wire.room = float('inf')
        stream.end()
        while stream.wire.on_writable is not None:
            stream.wire.on_writable()
        stream.run_later()
        stream.run_later()
        assert sent(stream) == written, seed
        assert told == expected, seed
        assert stream.writable_finished, seed
