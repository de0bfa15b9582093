"""The reading half of a stream, driven without I/O: buffer, modes, and serial events."""

from __future__ import annotations

from typing import Any

import pytest

from gnet.streams.states import Delivering, Reading, ReadState

from ..harness.fake_wire import TracedStream


@pytest.fixture
def stream() -> TracedStream:
    return TracedStream()


# --- modes --------------------------------------------------------------------------------------


def test_what_arrives_waits_for_a_runner(stream: TracedStream) -> None:
    stream.on('data', lambda data: None)
    stream.run()
    stream.take_trace()
    stream.wire.arrive(b'a')
    assert stream.trace == []
    assert stream.readable_length == 1
    stream.run()
    assert stream.readable_length == 0
    assert stream.readable_did_read


def test_nobody_has_decided_so_data_is_buffered(stream: TracedStream) -> None:
    stream.wire.arrive(b'ab', b'c')
    stream.run()
    assert stream.take_trace() == ['readable', 'readable']  # each was read by itself
    assert (stream.readable_flowing, stream.readable_length) == (None, 3)
    assert not stream.is_paused()


def test_a_data_listener_starts_the_flow_on_a_tick_chunk_by_chunk(stream: TracedStream) -> None:
    stream.wire.arrive(b'ab', b'c')
    stream.run()
    stream.take_trace()
    stream.on('data', lambda data: None)
    assert stream.readable_flowing is True
    assert stream.trace == []
    stream.run()
    assert stream.take_trace() == ['resume', "data b'ab'", "data b'c'"]


def test_read_joins_what_is_buffered(stream: TracedStream) -> None:
    stream.wire.arrive(b'ab', b'c')
    stream.run()
    assert stream.read() == b'abc'
    assert stream.read() is None


def test_pause_and_resume_in_one_turn(stream: TracedStream) -> None:
    stream.on('data', lambda data: None)
    stream.run()
    stream.take_trace()
    assert stream.pause() is stream
    assert stream.resume() is stream
    assert stream.resume() is stream
    assert stream.take_trace() == ['pause']
    stream.run()
    assert stream.take_trace() == ['resume']


def test_pause_is_emitted_once(stream: TracedStream) -> None:
    stream.pause()
    stream.pause()
    assert stream.trace == ['pause']
    assert stream.is_paused()


def test_a_data_listener_does_not_start_a_paused_stream(stream: TracedStream) -> None:
    stream.pause()
    stream.on('data', lambda data: None)
    stream.wire.arrive(b'a')
    stream.run()
    assert stream.readable_flowing is False
    assert stream.take_trace() == ['pause', 'readable']


def test_flowing_without_a_listener_drops_data(stream: TracedStream) -> None:
    stream.resume()
    stream.wire.arrive(b'a')
    stream.run()
    assert stream.readable_length == 0


def test_removing_the_last_data_listener_does_not_stop_the_flow(stream: TracedStream) -> None:
    seen: list[bytes] = []
    stream.on('data', seen.append)
    stream.run()
    stream.off('data', seen.append)
    stream.wire.arrive(b'lost')
    stream.run()
    stream.on('data', seen.append)
    stream.wire.arrive(b'seen')
    stream.run()
    assert stream.readable_flowing is True
    assert seen == [b'seen']


def test_pausing_in_a_data_listener_buffers_the_next_chunk(stream: TracedStream) -> None:
    stream.on('data', lambda data: stream.pause())
    stream.wire.arrive(b'a', b'b')
    stream.run()
    assert stream.readable_length == 1
    stream.resume()
    stream.run()
    assert [line for line in stream.trace if line.startswith('data')] == ["data b'a'", "data b'b'"]


def test_a_readable_listener_turns_the_flow_off(stream: TracedStream) -> None:
    def listener() -> None:
        stream.read()

    stream.on('data', lambda data: None)
    stream.on('readable', listener)
    stream.run()
    assert stream.readable_flowing is False
    assert stream.is_paused()
    stream.resume()
    stream.run()
    assert stream.readable_flowing is False
    stream.take_trace()
    stream.wire.arrive(b'a')
    stream.run()
    assert stream.take_trace() == ['readable', "data b'a'"]
    stream.off('readable', listener)
    stream.run()
    assert stream.readable_flowing is True


def test_the_last_readable_listener_leaves_the_mode_undecided(stream: TracedStream) -> None:
    stream.on('readable', lambda: None)
    stream.run()
    stream.remove_all_listeners('readable')
    stream.run()
    assert stream.readable_flowing is None


# --- read(n), unshift, encodings ----------------------------------------------------------------


def test_read_takes_as_much_as_is_asked_for_or_nothing(stream: TracedStream) -> None:
    stream.wire.arrive(b'hello')
    stream.run()
    stream.take_trace()
    assert stream.read(0) is None
    assert stream.read(-1) is None
    assert stream.read(3) == b'hel'
    assert stream.read(3) is None
    assert stream.read(1.9) == b'l'
    assert stream.read(float('nan')) == b'o'
    assert stream.take_trace() == ["data b'hel'", "data b'l'", "data b'o'"]


def test_after_the_end_read_gives_what_is_left(stream: TracedStream) -> None:
    stream.wire.arrive(b'ab')
    stream.wire.arrive_end()
    stream.run()
    assert stream.read(100) == b'ab'
    stream.run()
    assert stream.readable_ended


def test_a_read_of_more_than_the_mark_raises_the_mark(stream: TracedStream) -> None:
    stream.wire.arrive(bytes(65536))
    stream.run()
    assert stream.read(100_000) is None
    assert stream.readable_high_water_mark == 131_072
    stream.wire.arrive(bytes(65536))
    stream.run()
    assert len(stream.read(100_000) or b'') == 100_000
    assert stream.readable_length == 31_072


def test_nobody_can_ask_for_more_than_a_gibibyte(stream: TracedStream) -> None:
    with pytest.raises(ValueError, match='It must be <= 1GiB') as caught:
        stream.read(2**31)
    assert caught.value.code == 'ERR_OUT_OF_RANGE'  # type: ignore[attr-defined]
    assert stream.readable_high_water_mark == 65536


def test_reading_goes_on_when_a_single_read_has_made_room(stream: TracedStream) -> None:
    stream.pause()
    stream.wire.arrive(bytes(70_000))
    stream.run()
    before = stream.wire.wanted
    stream.read()
    assert stream.wire.wanted > before


def test_unshift_puts_data_in_front(stream: TracedStream) -> None:
    stream.wire.arrive(b'cd')
    stream.run()
    assert stream.unshift(b'b') is True
    assert stream.unshift('a') is True
    assert stream.unshift(bytearray(b'')) is True
    assert stream.read() == b'abcd'


def test_unshift_while_flowing_emits_at_once(stream: TracedStream) -> None:
    first: list[bytes] = []

    def listener(data: bytes) -> None:
        if not first:
            first.append(data)
            assert stream.unshift(data) is True
            stream.trace.append('unshifted')

    stream.on('data', listener)
    stream.run()
    stream.take_trace()
    stream.wire.arrive(b'a', b'b')
    stream.run()
    assert stream.take_trace() == ["data b'a'", "data b'a'", 'unshifted', "data b'b'"]


def test_unshift_says_whether_there_is_room(stream: TracedStream) -> None:
    assert stream.unshift(bytes(65535)) is True
    assert stream.unshift(b'x') is False


@pytest.mark.parametrize('chunk', [5, None, {}, [b'a']])
def test_unshift_of_a_wrong_type_destroys_the_stream(stream: TracedStream, chunk: Any) -> None:
    assert stream.unshift(chunk) is False
    assert stream.errored.code == 'ERR_INVALID_ARG_TYPE'


def test_unshift_after_the_end_destroys_the_stream(stream: TracedStream) -> None:
    stream.resume()
    stream.wire.arrive_end()
    stream.run()
    assert stream.unshift(b'x') is False
    assert stream.errored.code == 'ERR_STREAM_UNSHIFT_AFTER_END_EVENT'


def test_unshifted_bytes_become_text_where_there_is_an_encoding(stream: TracedStream) -> None:
    stream.set_encoding('hex')
    stream.wire.arrive(b'\x03')
    stream.run()
    stream.unshift(b'\x02')
    stream.unshift('01', 'hex')
    assert stream.read() == '010203'


def test_characters_that_arrive_in_pieces_are_whole_in_data(stream: TracedStream) -> None:
    stream.set_encoding('utf8')
    stream.on('data', lambda data: None)
    euro = '€'.encode()
    stream.wire.arrive(b'a' + euro[:1], euro[1:2], euro[2:] + b'b', euro[:2])
    stream.wire.arrive_end()
    stream.run()
    assert stream.trace == [
        'resume', "data 'a'", "data '€b'", 'readable', "data '\ufffd'", 'end', '(end consumed)',
    ]


def test_an_encoding_set_late_converts_what_is_buffered(stream: TracedStream) -> None:
    stream.wire.arrive(b'\xc3', b'\xa9\xe2')
    stream.run()
    assert stream.readable_encoding is None
    assert stream.set_encoding(None) is stream
    assert (stream.readable_length, stream.readable_encoding) == (1, 'utf8')
    stream.wire.arrive(b'\x82\xac')
    stream.run()
    assert stream.read() == 'é€'


def test_an_encoding_set_after_the_end_misses_nothing(stream: TracedStream) -> None:
    stream.wire.arrive(b'\xc3\xa9\xe2')
    stream.wire.arrive_end()
    stream.run()
    stream.set_encoding('')
    assert stream.read() == 'é\ufffd'


def test_an_unknown_encoding_changes_nothing(stream: TracedStream) -> None:
    stream.wire.arrive(b'a')
    stream.run()
    with pytest.raises(TypeError, match='Unknown encoding: bogus'):
        stream.set_encoding('bogus')
    assert stream.read() == b'a'


# --- the end ------------------------------------------------------------------------------------


def test_the_end_comes_once_after_the_last_byte_was_consumed(stream: TracedStream) -> None:
    stream.wire.arrive(b'a')
    stream.wire.arrive_end()
    stream.run()
    assert stream.take_trace() == ['readable', 'readable']
    assert not stream.readable_ended
    stream.read()
    stream.run()
    assert stream.take_trace() == ["data b'a'", 'end', '(end consumed)']
    stream.read()
    stream.run()
    assert stream.take_trace() == []
    assert stream.readable_ended
    assert not stream.readable


def test_a_readable_listener_after_the_end_changes_nothing(stream: TracedStream) -> None:
    stream.resume()
    stream.wire.arrive_end()
    stream.run()
    stream.on('readable', lambda: None)
    stream.run()
    assert stream.readable_flowing is True


def test_there_is_no_end_after_destroy(stream: TracedStream) -> None:
    stream.on('readable', stream.destroy)
    stream.wire.arrive_end()
    stream.run()
    assert stream._read_state is ReadState.ENDED
    assert 'end' not in stream.trace
    assert stream.readable_aborted


# --- one at a time ------------------------------------------------------------------------------


class OverlapError(AssertionError):
    """Two listeners of read events ran at the same time."""


@pytest.fixture(params=['emit', 'called by the stream itself'])
def serial(request: pytest.FixtureRequest, stream: TracedStream) -> list[str]:
    """Listeners during which everything else goes on, as if they were blocked."""
    stream._plain_emit = request.param != 'emit'
    log: list[str] = []
    running: list[str] = []

    def listener(name: str) -> Any:
        def run(*args: Any) -> None:
            if running:
                raise OverlapError(f'{name} during {running[0]}')
            running.append(name)
            log.append(' '.join([name, *map(repr, args)]))
            # Other runners: whatever else waits is done meanwhile.
            if stream.wire.delivery is Delivering.QUEUED:
                stream.wire.deliver()
            stream.run()
            running.pop()
        return run

    for event in ('data', 'end'):
        stream.on(event, listener(event))
    return log


def test_the_next_chunk_waits_while_a_listener_is_blocked(
    stream: TracedStream, serial: list[str],
) -> None:
    stream.run()
    stream.wire.arrive(b'a', b'b')
    stream.wire.arrive_end()
    stream.run()
    assert serial == ["data b'a'", "data b'b'", 'end']


def test_what_a_paused_stream_had_buffered_is_poured_out_one_at_a_time(
    stream: TracedStream, serial: list[str],
) -> None:
    stream.pause()
    stream.run()
    stream.wire.arrive(b'a', b'b')
    stream.run()
    stream.resume()
    stream.wire.arrive(b'c')
    stream.wire.arrive_end()
    stream.run()
    assert serial == ["data b'a'", "data b'b'", "data b'c'", 'end']


def test_what_arrives_while_the_buffer_is_poured_out_comes_after_it(stream: TracedStream) -> None:
    seen: list[bytes] = []

    def listener(data: bytes) -> None:
        seen.append(data)
        if data == b'a':
            stream.wire.arrive(b'c')
            stream.wire.deliver()  # another runner

    stream.pause()
    stream.on('data', listener)
    stream.wire.arrive(b'a', b'b')
    stream.run()
    stream.resume()
    stream.run()
    assert seen == [b'a', b'b', b'c']


def test_a_turn_that_is_broken_off_lets_the_others_go_on(stream: TracedStream) -> None:
    """As by a GreenletExit."""
    stream.once('resume', lambda: stream.schedule.ticks[0][0](*stream.schedule.ticks.popleft()[1]))

    def breaks(data: bytes) -> None:
        stream.wire.arrive(b'b')
        stream.off('data', breaks)
        stream.on('data', lambda data: None)
        raise KeyboardInterrupt

    stream.on('data', breaks)
    stream.wire.arrive(b'a')
    stream._tick(lambda: None)
    with pytest.raises(KeyboardInterrupt):
        stream.run()
    stream.run()
    assert stream.readable_length == 0
    assert stream.wire.delivery is Delivering.IDLE


def test_others_get_a_turn_between_chunks_when_it_is_late(stream: TracedStream) -> None:
    stream.on('data', lambda data: None)
    stream.run()
    stream.wire.arrive(b'a', b'b', b'c')
    stream.schedule.late = True
    stream.wire.deliver()
    assert stream.readable_length == 2
    stream.run()
    assert stream.readable_length == 0


def test_a_long_buffer_is_poured_out_in_turns_when_it_is_late(stream: TracedStream) -> None:
    stream.pause()
    seen: list[bytes] = []
    stream.on('data', seen.append)
    stream.wire.arrive(b'a', b'b', b'c')
    stream.run()
    stream.schedule.late = True
    stream.resume()
    for chunk in (b'a', b'b', b'c'):
        callback, args, _context = stream.schedule.ticks.popleft()
        callback(*args)
        assert seen[-1:] == [chunk]
    assert seen == [b'a', b'b', b'c']


def test_listeners_are_called_by_emit_where_emit_does_more_than_that() -> None:
    stream = TracedStream(traced=False, capture_rejections=True)
    stream.on('data', lambda data: None)
    stream.run()
    stream.take_trace()
    stream.wire.arrive(b'a')
    stream.run()
    assert stream.take_trace() == ["data b'a'"]


def test_reading_is_held_while_as_much_waits_as_the_mark_allows_and_goes_on_after_it() -> None:
    stream = TracedStream(4)
    seen: list[bytes] = []
    stream.on('data', seen.append)
    stream.wire.arrive(b'abcd', b'efgh', b'ijkl')
    assert (stream.wire.reading, stream.wire.arrived_size) == (Reading.HELD, 4)
    stream.run()
    assert seen == [b'abcd', b'efgh', b'ijkl']
    assert stream.wire.reading is Reading.ACTIVE
