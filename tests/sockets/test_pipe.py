"""``pipe`` and ``unpipe``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gevent
import pytest
from gevent.event import AsyncResult

import gnet

from ..harness.connections import Connection
from ..harness.waiting import PATIENCE, turn, until

Accept = Callable[..., Connection]


def test_the_classic_echo(accept: Accept) -> None:
    c = accept(lambda c: c.sock.pipe(c.sock))
    c.peer.sendall(b'hello')
    assert c.peer.recv_exactly(5) == b'hello'
    c.peer.end()
    assert c.peer.recv_until_end() == b''
    assert c.until_closed() == [
        'pipe socket {open}', 'resume {open}', "data b'hello' {open}", 'readable {open}',
        'end {writeOnly}', 'prefinish {closed}', 'finish {closed}', 'pause {closed}',
        'unpipe socket {closed}', 'close False {closed}',
    ]


def test_an_echo_of_much_data_waits_for_a_slow_reader(accept: Accept, native: Any) -> None:
    c = accept(lambda c: c.sock.pipe(c.sock))
    data = bytes(range(256)) * 80_000  # more than the kernel buffers both ways
    sending = native.start(c.peer.plain.sendall, data)
    c.wait('pause')
    assert c.sock.readable_length + c.sock.writable_length <= 4 * 65536
    assert c.peer.recv_exactly(len(data)) == data
    sending.get(PATIENCE)
    c.peer.end()
    c.until_closed()


def relay(accept: Accept, **options: Any) -> tuple[Connection, Connection]:
    """Two connections, the first of which is piped into the second."""
    source, destination = accept(), accept()
    source.sock.on('error', lambda error: None)
    destination.sock.on('error', lambda error: None)
    assert source.sock.pipe(destination.sock, **options) is destination.sock
    return source, destination


def test_the_end_of_the_source_ends_the_destination(accept: Accept) -> None:
    source, destination = relay(accept)
    source.peer.sendall(b'abc')
    source.peer.end()
    assert destination.peer.recv_until_end() == b'abc'
    destination.wait('unpipe')


@pytest.mark.parametrize('given', [{'end': False}, {'options': {'end': False}}])
def test_unless_it_is_told_not_to(accept: Accept, given: Any) -> None:
    source, destination = relay(accept, **given)
    source.peer.sendall(b'abc')
    source.peer.end()
    destination.wait('unpipe')
    assert destination.peer.recv_exactly(3) == b'abc'
    assert destination.sock.writable


def test_a_failed_source_leaves_the_destination_alone(accept: Accept) -> None:
    source, destination = relay(accept)
    source.sock.destroy(ValueError('x'))
    source.until_closed()
    assert destination.sock.writable
    assert destination.trace == ['pipe socket {open}']


def test_a_failed_destination_unpipes_and_pauses_the_source(accept: Accept) -> None:
    source, destination = relay(accept)
    destination.sock.destroy(ValueError('x'))
    destination.until_closed()
    assert not source.sock.destroyed
    assert source.sock.is_paused()
    assert destination.trace[-2:] == ['unpipe socket {closed}', 'close True {closed}']
    assert [source.sock.listener_count(event) for event in ('data', 'end')] == [0, 0]
    assert [destination.sock.listener_count(event) for event in ('drain', 'finish', 'close')] == [
        0, 0, 0]


def test_a_source_that_a_greenlet_reads_is_refused_and_nothing_has_begun(accept: Accept) -> None:
    source, destination = accept(), accept()
    reading = gevent.spawn(source.sock.recv, 10)
    until(lambda: source.sock._wire.reader is not None)
    with pytest.raises(gnet.CodedRuntimeError) as caught:
        source.sock.pipe(destination.sock)
    assert caught.value.code == 'ERR_READING_IN_BLOCKING_STYLE'
    assert source.sock.event_names() == destination.sock.event_names() == []
    source.peer.sendall(b'x')
    assert reading.get(timeout=PATIENCE) == b'x'
    source.sock.resume()
    source.peer.end()
    source.until_closed()
    assert destination.sock.writable  # it was not joined to the end either


def test_unpipe_pauses_and_resume_goes_on(accept: Accept) -> None:
    c = accept(lambda c: c.sock.pipe(c.sock))
    c.peer.sendall(b'a')
    assert c.peer.recv_exactly(1) == b'a'
    assert c.sock.unpipe() is c.sock
    assert c.sock.readable_flowing is False
    assert c.sock.is_paused()
    assert c.trace[-2:] == ['pause {open}', 'unpipe socket {open}']
    seen: list[bytes] = []
    c.sock.on('data', seen.append)
    c.peer.sendall(b'b')
    c.wait('readable')
    assert seen == []
    c.sock.resume()
    until(lambda: seen == [b'b'])


def test_unpipe_of_what_is_not_piped_changes_nothing(accept: Accept) -> None:
    source, destination = relay(accept)
    source.sock.unpipe(source.sock)
    assert source.sock.readable_flowing is True
    source.sock.unpipe(destination.sock)
    source.sock.unpipe(destination.sock)
    assert destination.trace.count('unpipe socket {open}') == 1


def test_the_slowest_of_several_destinations_sets_the_pace(accept: Accept) -> None:
    class Sink(gnet.EventEmitter):
        def __init__(self) -> None:
            super().__init__()
            self.seen = b''
            self.full = False
            self.ended = False

        def write(self, chunk: bytes) -> bool:
            self.seen += chunk
            return not self.full

        def end(self) -> None:
            self.ended = True

    slow, slower = Sink(), Sink()
    slow.full = slower.full = True
    c = accept()
    c.sock.pipe(slow)
    c.sock.pipe(slower)
    c.peer.sendall(b'a')
    c.wait('pause')
    slow.full = slower.full = False
    slow.emit('drain')
    turn()
    assert c.sock.is_paused()
    slower.emit('drain')
    assert not c.sock.is_paused()
    c.peer.sendall(b'b')
    c.peer.end()
    c.until_closed()
    assert (slow.seen, slower.seen) == (b'ab', b'ab')
    assert slow.ended
    assert slower.ended


def test_a_destination_need_not_be_an_emitter(accept: Accept) -> None:
    class File:
        def __init__(self) -> None:
            self.data = b''
            self.done: AsyncResult[bytes] = AsyncResult()

        def write(self, data: bytes) -> int:
            self.data += data
            return len(data)

        def end(self) -> None:
            self.done.set(self.data)

    file = File()
    c = accept(lambda c: c.sock.pipe(file))
    c.peer.sendall(b'abc')
    c.peer.end()
    assert file.done.get(timeout=PATIENCE) == b'abc'
    c.until_closed()
    assert not c.sock._pipes


def test_a_source_that_has_ended_ends_the_destination_on_a_tick(accept: Accept) -> None:
    def setup(c: Connection) -> None:
        c.sock.on('end', lambda: c.sock.pipe(c.sock))
        c.sock.resume()

    c = accept(setup, allow_half_open=True)
    c.peer.end()
    assert c.until_closed() == [
        'resume {open}', 'readable {open}', 'end {writeOnly}', 'pipe socket {writeOnly}',
        'prefinish {closed}', 'finish {closed}', 'pause {closed}', 'unpipe socket {closed}',
        'close False {closed}',
    ]


def test_a_listener_of_pipe_may_undo_it(accept: Accept) -> None:
    source, destination = accept(), accept()
    destination.sock.on('pipe', lambda which: which.unpipe(destination.sock))
    source.sock.pipe(destination.sock)
    source.peer.sendall(b'x')
    source.wait('readable')
    assert source.sock.readable_flowing is False
    assert destination.sock.bytes_written == 0


def test_a_pipe_into_a_full_destination_waits_for_drain(accept: Accept) -> None:
    source, destination = accept(), accept()
    assert destination.sock.write(bytes(20_000_000)) is False
    source.sock.pipe(destination.sock)
    source.peer.sendall(b'x')
    source.wait('readable')
    assert source.sock.is_paused()
    assert len(destination.peer.recv_exactly(20_000_001)) == 20_000_001


class Sink(gnet.EventEmitter):
    """A destination that notes what it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.taken: list[Any] = []

    def write(self, chunk: bytes) -> bool:
        self.taken.append(chunk)
        return True

    def end(self) -> None:
        self.taken.append('end')


def fail(*_arguments: Any) -> None:
    raise ValueError('a listener')


@pytest.mark.parametrize('which', ['one', 'all'])
def test_a_listener_of_unpipe_that_raises_leaves_no_pipe_behind(accept: Accept, which: str) -> None:
    c = accept()
    broken, other, kept = Sink(), Sink(), Sink()
    broken.on('unpipe', fail)
    broken.write = lambda chunk: False  # type: ignore[method-assign]
    for sink in (broken, other):
        c.sock.pipe(sink)
    with pytest.raises(ValueError, match='a listener'):
        c.sock.unpipe(*[broken] if which == 'one' else [])
    assert other.listener_count('unpipe') == c.sock.listener_count('data') == (which == 'one')
    assert broken.event_names() == ['unpipe']
    c.sock.pipe(kept)
    for chunk in (b'1', b'2', b'3'):
        c.peer.sendall(chunk)
        until(lambda chunk=chunk: chunk in kept.taken)
    assert other.taken == ([b'1', b'2', b'3'] if which == 'one' else [])


def test_a_destination_that_leaves_while_it_is_written_to_pauses_nobody(accept: Accept) -> None:
    # As in Node 24, which looks whether the pipe is undone before it pauses.
    c = accept()
    leaving, staying = Sink(), Sink()

    def write(chunk: bytes) -> bool:
        leaving.taken.append(chunk)
        c.sock.unpipe(leaving)
        return False

    leaving.write = write  # type: ignore[method-assign]
    c.sock.pipe(leaving)
    c.sock.pipe(staying)
    for chunk in (b'1', b'2', b'3'):
        c.peer.sendall(chunk)
        until(lambda chunk=chunk: chunk in staying.taken)
    assert leaving.taken == [b'1']
    assert c.sock.readable_flowing is True


@pytest.mark.parametrize('end', [True, False])
def test_a_pipe_that_could_not_begin_ends_nothing(accept: Accept, end: bool) -> None:
    c = accept(lambda c: c.sock.resume(), allow_half_open=True)
    c.peer.end()
    c.wait('end')
    sink = Sink()
    sink.once('pipe', fail)
    with pytest.raises(ValueError, match='a listener'):
        c.sock.pipe(sink, end=end)
    unpiped: list[Any] = []
    sink.on('unpipe', unpiped.append)
    turn()
    assert (sink.taken, unpiped) == ([], [])
