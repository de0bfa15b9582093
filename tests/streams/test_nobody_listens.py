"""What nobody listens to is left out, and all else is as if it were not: where that is close."""

from __future__ import annotations

import errno

import pytest

from ..harness.fake_wire import TracedStream


@pytest.fixture(params=[True, False], ids=['emitted', 'left out'])
def stream(request: pytest.FixtureRequest) -> TracedStream:
    return TracedStream(traced=request.param)


def test_an_end_that_comes_before_the_news_of_a_failed_write_is_not_consumed(
    stream: TracedStream,
) -> None:
    stream.on('data', lambda data: None)
    stream.run()
    stream.wire.arrive(b'the last word')
    stream.wire.arrive_end()
    stream.wire.broken = BrokenPipeError(errno.EPIPE, 'x')
    stream.write(b'a')
    stream.run()
    assert stream.trace[-1] == '(unheard EPIPE: write EPIPE)'
    assert (stream.readable_ended, stream.readable_aborted) == (False, True)


def test_an_end_is_not_finished_before_what_is_on_ticks_has_had_its_turn(
    stream: TracedStream,
) -> None:
    seen: list[bool] = []
    stream.end()
    stream._tick(lambda: seen.append(stream.writable_finished))
    # The hub is late, or what it has called before this has put something there.
    [(shut, _arguments, _context)] = stream.schedule.laters
    shut()
    assert stream.wire.shut
    stream.run()
    assert seen == [False]
    assert stream.writable_finished
