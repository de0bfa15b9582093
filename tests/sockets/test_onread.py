"""The option ``onread``: data goes into the program's buffer, and to its callback."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from typing import Any

import gevent
import pytest
from gevent.event import Event

import gnet
from gnet.sockets.departure import depart

from ..harness.connections import Connection, target_of
from ..harness.families import Family
from ..harness.waiting import PATIENCE, turn, until

Dial = Callable[..., Connection]

OPEN = ['connect {open}', 'ready {open}']
CLOSED_IN_TURN = [
    'readable {open}', 'end {writeOnly}', 'prefinish {closed}', 'finish {closed}',
    'close False {closed}',
]


class Calls:
    """An ``onread`` callback that keeps what it was given."""

    def __init__(self, *answers: Any) -> None:
        self.seen: list[bytes] = []
        self.buffers: list[Any] = []
        self._answers = list(answers)

    def __call__(self, size: int, buffer: Any) -> Any:
        assert type(size) is int
        self.seen.append(bytes(memoryview(buffer).cast('B')[:size]))
        self.buffers.append(buffer)
        return self._answers.pop(0) if self._answers else None

    @property
    def all(self) -> bytes:
        return b''.join(self.seen)


def story(c: Connection) -> list[str]:
    return [line for line in c.trace if not line.startswith('connectionAttempt')]


def still(c: Connection, calls: Calls) -> None:
    """Check that nothing is read in the next turns, although there is something."""
    before = (len(calls.seen), c.sock.bytes_read)
    for _ in range(3):
        turn()
    assert (len(calls.seen), c.sock.bytes_read) == before


@pytest.mark.parametrize('make', [
    lambda: bytearray(4), lambda: memoryview(bytearray(4)), lambda: array('B', bytes(4)),
    lambda: array('H', [0, 0]),
], ids=['bytearray', 'memoryview', 'array of bytes', 'array of shorts'])
def test_a_static_buffer_is_used_again_and_bounds_each_read(
    dial: Dial, family: Family, make: Callable[[], Any],
) -> None:
    buffer, calls = make(), Calls()
    c = dial(family=family, onread={'buffer': buffer, 'callback': calls})
    c.peer.sendall(b'0123456789')
    until(lambda: len(calls.all) == 10)
    c.peer.end()
    c.until_closed()
    assert calls.seen == [b'0123', b'4567', b'89']
    assert all(one is buffer for one in calls.buffers)
    assert c.sock.bytes_read == 10
    assert story(c) == [*OPEN, *CLOSED_IN_TURN]


def test_a_function_is_asked_up_front_and_after_each_callback(dial: Dial) -> None:
    order: list[str] = []
    made: list[bytearray] = []

    def make() -> bytearray:
        order.append('make')
        made.append(bytearray(2 + len(made)))
        return made[-1]

    def callback(size: int, buffer: Any) -> None:
        order.append(bytes(buffer[:size]).decode())
        assert buffer is made[-1]

    c = dial(onread={'buffer': make, 'callback': callback})
    assert order == ['make']
    c.peer.sendall(b'abcdefghi')
    until(lambda: order[-2:] == ['fghi', 'make'])
    assert order == ['make', 'ab', 'make', 'cde', 'make', 'fghi', 'make']
    c.sock.destroy()


def test_the_members_may_be_given_to_gnet_connect(
    plain_listener: Callable[..., Any], native: Any,
) -> None:
    calls = Calls()
    listener = plain_listener()
    sock = gnet.connect(
        {**target_of(listener), 'onread': {'buffer': bytearray(10), 'callback': calls}})
    plain, _ = native(listener.accept)
    native(plain.sendall, b'hello')
    until(lambda: calls.seen)
    assert calls.seen == [b'hello']
    plain.close()
    gnet.once(sock, 'close', timeout=PATIENCE)


@pytest.mark.parametrize('go_on', ['resume', 'read'])
def test_false_stops_reading(dial: Dial, go_on: str) -> None:
    calls = Calls(False, None, False)
    c = dial(onread={'buffer': bytearray(2), 'callback': calls})
    c.peer.sendall(b'aabbccdd')
    until(lambda: calls.seen)
    still(c, calls)
    assert calls.seen == [b'aa']
    assert not c.sock.is_paused()
    getattr(c.sock, go_on)()
    until(lambda: len(calls.seen) == 3)
    still(c, calls)
    getattr(c.sock, go_on)()
    until(lambda: len(calls.seen) == 4)
    c.peer.end()
    c.until_closed()
    assert calls.all == b'aabbccdd'


@pytest.mark.parametrize('answer', [0, '', None, True, []])
def test_only_false_itself_stops_reading(dial: Dial, answer: Any) -> None:
    calls = Calls(answer)
    c = dial(onread={'buffer': bytearray(2), 'callback': calls})
    c.peer.sendall(b'aabb')
    until(lambda: calls.all == b'aabb')
    c.sock.destroy()


def test_the_end_of_the_peer_is_not_noticed_while_reading_is_stopped(dial: Dial) -> None:
    calls = Calls(False)
    c = dial(onread={'buffer': bytearray(2), 'callback': calls})
    c.peer.sendall(b'aa')
    until(lambda: calls.seen)
    c.peer.end()
    still(c, calls)
    assert story(c) == OPEN
    c.sock.resume()
    c.until_closed()
    assert story(c) == [*OPEN, 'resume {open}', *CLOSED_IN_TURN]


def test_pause_stops_reading_at_once(dial: Dial) -> None:
    calls = Calls()
    c = dial(onread={'buffer': bytearray(2), 'callback': calls})
    c.wait('ready')
    c.sock.pause()
    c.peer.sendall(b'aabb')
    still(c, calls)
    assert calls.seen == []
    assert (c.sock.is_paused(), c.sock.bytes_read) == (True, 0)
    c.sock.resume()
    until(lambda: len(calls.seen) == 2)
    assert calls.all == b'aabb'
    c.sock.destroy()


def test_pause_in_the_callback_stops_reading(dial: Dial) -> None:
    calls = Calls()

    def callback(size: int, buffer: Any) -> None:
        calls(size, buffer)
        c.sock.pause()

    c = dial(onread={'buffer': bytearray(2), 'callback': callback})
    c.peer.sendall(b'aabb')
    until(lambda: calls.seen)
    still(c, calls)
    assert calls.all == b'aa'
    c.sock.resume()
    until(lambda: len(calls.seen) == 2)
    c.sock.destroy()


def test_pause_before_connect_reads_nothing(dial: Dial) -> None:
    calls = Calls()
    c = dial(lambda c: c.sock.pause(), onread={'buffer': bytearray(2), 'callback': calls})
    c.peer.sendall(b'aabb')
    c.wait('ready')
    still(c, calls)
    assert c.sock.bytes_read == 0
    c.sock.resume()
    until(lambda: calls.all == b'aabb')
    c.sock.destroy()


def callback(size: int, buffer: Any) -> None:
    raise AssertionError('called')


@pytest.mark.parametrize('onread', [
    {}, None, 5, 'x', [], {'buffer': bytearray(4)}, {'callback': callback},
    {'buffer': 1, 'callback': 1}, {'buffer': bytearray(4), 'callback': 'x'},
    {'buffer': b'read-only', 'callback': callback}, {'buffer': 'text', 'callback': callback},
])
def test_what_is_malformed_is_ignored(dial: Dial, onread: Any) -> None:
    c = dial(lambda c: c.sock.on('data', lambda data: None), onread=onread)
    c.peer.sendall(b'data')
    c.wait("data b'data'")
    c.sock.destroy()


def test_there_are_no_data_events(dial: Dial) -> None:
    calls = Calls()
    c = dial(lambda c: c.sock.on('data', c.noting('listener')),
             onread={'buffer': bytearray(10), 'callback': calls})
    c.peer.sendall(b'hello')
    c.peer.end()
    c.until_closed()
    assert calls.all == b'hello'
    assert story(c)[-7:] == [*OPEN, *CLOSED_IN_TURN]
    assert 'data' not in ' '.join(c.trace)
    assert 'listener' not in ' '.join(c.trace)


def test_own_end_and_writing_are_as_always(dial: Dial) -> None:
    calls = Calls()
    c = dial(lambda c: c.sock.end(b'question'), onread={'buffer': bytearray(10), 'callback': calls})
    assert c.peer.recv_until_end() == b'question'
    c.peer.sendall(b'answer')
    c.peer.end()
    c.until_closed()
    assert calls.all == b'answer'
    assert c.trace[-5:] == [
        'prefinish {readOnly}', 'finish {readOnly}', 'readable {readOnly}', 'end {closed}',
        'close False {closed}',
    ]


def test_a_reset_comes_after_the_data(dial: Dial) -> None:
    calls = Calls()
    c = dial(lambda c: c.sock.on('error', lambda error: c.note(f'after {calls.all!r}')),
             onread={'buffer': bytearray(4), 'callback': calls})
    c.wait('ready')
    c.peer.plain.send(b'last words')  # no turn of the loop between this
    c.peer.reset()                    # and this
    c.until_closed()
    assert story(c) == [
        *OPEN, 'error ECONNRESET: read ECONNRESET {closed}', "after b'last words'",
        'close True {closed}',
    ]


def test_destroy_in_the_callback_is_its_last_call(dial: Dial) -> None:
    calls = Calls()

    def callback(size: int, buffer: Any) -> None:
        calls(size, buffer)
        c.sock.destroy()

    c = dial(onread={'buffer': bytearray(2), 'callback': callback})
    c.peer.sendall(b'aabb')
    c.until_closed()
    assert calls.seen == [b'aa']
    assert story(c) == [*OPEN, 'close False {closed}']


def test_a_blocking_callback_delays_only_its_socket(dial: Dial) -> None:
    over, begun = Event(), Event()
    seen: list[bytes] = []

    def blocks(size: int, buffer: Any) -> None:
        seen.append(bytes(buffer[:size]))
        begun.set()
        over.wait()
        # Nothing was read into the buffer meanwhile.
        assert bytes(buffer[:size]) == seen[-1]

    slow = dial(onread={'buffer': bytearray(2), 'callback': blocks})
    calls = Calls()
    quick = dial(onread={'buffer': bytearray(2), 'callback': calls})
    slow.peer.sendall(b'aabb')
    assert begun.wait(PATIENCE)
    quick.peer.sendall(b'ccdd')
    until(lambda: calls.all == b'ccdd')
    turn()
    assert seen == [b'aa']
    assert slow.sock.bytes_read == 2
    over.set()
    until(lambda: seen == [b'aa', b'bb'])
    for c in (slow, quick):
        c.peer.end()
        c.until_closed()


def test_destroy_while_the_callback_blocks(dial: Dial) -> None:
    over, begun = Event(), Event()

    def blocks(size: int, buffer: Any) -> None:
        begun.set()
        over.wait()

    c = dial(onread={'buffer': bytearray(2), 'callback': blocks})
    c.peer.sendall(b'aabb')
    assert begun.wait(PATIENCE)
    c.sock.destroy()
    c.until_closed()
    over.set()
    turn()
    assert c.sock.bytes_read == 2


@pytest.mark.parametrize('read', [
    lambda sock: sock.recv(1), lambda sock: sock.recv_into(bytearray(1)),
    lambda sock: next(iter(sock)), lambda sock: sock.makefile('rb').readline(),
], ids=['recv', 'recv_into', 'iteration', 'makefile'])
def test_blocking_reads_are_refused(dial: Dial, read: Callable[[Any], object]) -> None:
    calls = Calls()
    c = dial(onread={'buffer': bytearray(2), 'callback': calls})
    with gevent.Timeout(PATIENCE), pytest.raises(gnet.CodedRuntimeError) as caught:
        read(c.sock)
    assert caught.value.code == 'ERR_READING_IN_EVENT_STYLE'
    c.peer.sendall(b'aa')
    until(lambda: calls.seen == [b'aa'])
    c.sock.destroy()


def test_blocking_writes_are_not(dial: Dial) -> None:
    calls = Calls()
    c = dial(onread={'buffer': bytearray(2), 'callback': calls})
    c.sock.sendall(b'question')
    assert c.peer.recv_exactly(8) == b'question'
    c.peer.sendall(b'an')
    until(lambda: calls.seen == [b'an'])
    c.sock.destroy()


def test_a_reconnect_goes_on_with_the_same_buffer(dial: Dial) -> None:
    buffer, calls = bytearray(4), Calls(False)
    c = dial(onread={'buffer': buffer, 'callback': calls})
    c.peer.sendall(b'one')
    until(lambda: calls.seen)
    c.sock.destroy()
    c.until_closed()
    c.sock.connect(c.target)
    c.peer.close()
    c.peer.plain, _ = c.peer._native(c.listener.accept)
    c.peer.sendall(b'two')
    until(lambda: len(calls.seen) == 2)
    assert calls.seen == [b'one', b'two']
    assert calls.buffers[1] is buffer
    c.sock.destroy()


def test_data_that_a_destroy_overtakes_does_not_spoil_the_next_connection(dial: Dial) -> None:
    calls = Calls()
    c = dial(onread={'buffer': bytearray(4), 'callback': calls})
    c.wait('ready')
    turn()
    c.peer.plain.send(b'one')
    # What a readable descriptor sets off, and then a destroy() before any callback.
    c.sock._wire.on_readable()
    assert c.sock.bytes_read == 3
    c.sock.destroy()
    c.until_closed()
    assert calls.seen == []
    c.sock.connect(c.target)
    c.peer.close()
    c.peer.plain, _ = c.peer._native(c.listener.accept)
    c.peer.sendall(b'two')
    until(lambda: calls.seen == [b'two'])
    c.sock.destroy()


def test_what_the_callback_raises_is_the_programs_failure(run_script: Any) -> None:
    done = run_script("""
        import gnet, socket
        listener = socket.socket()
        listener.bind(('127.0.0.1', 0))
        listener.listen()
        def bad(size, buffer):
            raise LookupError('of mine')
        gnet.connect(
            {'port': listener.getsockname()[1], 'host': '127.0.0.1',
             'onread': {'buffer': bytearray(5), 'callback': bad}},
            lambda: listener.accept()[0].sendall(b'x'))
        gnet.run()
    """)
    assert done.status == 1
    assert 'LookupError: of mine' in done.stderr.splitlines()


def test_a_callback_that_closes_its_socket_and_raises_is_a_failure_of_the_program(
    dial: Dial, hub_reports: list[Any],
) -> None:
    def callback(size: int, buffer: Any) -> None:
        c.sock.destroy()
        raise LookupError('mine')

    c = dial(onread={'buffer': bytearray(10), 'callback': callback})
    c.peer.sendall(b'x')
    until(lambda: hub_reports)
    assert [(context, type(error)) for context, error in hub_reports] == [(c.sock, LookupError)]


def test_what_the_callback_was_not_told_goes_along_with_the_connection(dial: Dial) -> None:
    calls = Calls()
    c = dial(onread={'buffer': bytearray(10), 'callback': calls})
    c.wait('ready')
    c.sock.pause()
    c.peer.sendall(b'abc')
    c.sock._explicitly_paused = False
    while c.sock.bytes_read < 3:
        c.sock._wire.on_readable()  # as the hub does; no runner has a turn before what follows
    departed = depart(c.sock)
    assert departed.unread == b'abc'
    departed.come_back(None)
    until(lambda: calls.seen)
    assert calls.seen == [b'abc']
    c.sock.resume()
    c.peer.sendall(b'def')
    until(lambda: len(calls.seen) == 2)
    assert calls.seen == [b'abc', b'def']
