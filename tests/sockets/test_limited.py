"""Slow peers: ``read_timeout``, ``write_timeout`` and ``lifetime``.

Time is the test's own here, but for a test at the end.
"""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from weakref import ref

import gevent
import pytest
import zope.event
from gevent.event import Event

import gnet
from gnet import lifecycle
from gnet.loop.loop import get_loop
from gnet.sockets.peer_watch import PeerWatch

from ..harness.clock import Clock
from ..harness.connections import Connection, code, failing
from ..harness.families import Family
from ..harness.waiting import PATIENCE, turn, until

Accept = Callable[..., Connection]

#: More bytes than the kernel takes for a peer that does not read.
MUCH = 32 << 20


# --- read_timeout -------------------------------------------------------------------------------


def test_a_peer_that_says_nothing_is_given_up(
    accept: Accept, clock: Clock, family: Family,
) -> None:
    events: list[Any] = []
    c = accept(failing(events), target=family.listen_options, read_timeout=1000)
    assert c.sock.read_timeout == 1000
    clock.go(900)
    assert events == []
    clock.go(600)
    assert events == ['ERR_READ_TIMEOUT']
    assert isinstance(c.sock.errored, TimeoutError)
    assert str(c.sock.errored) == 'The peer has sent nothing for 1000 ms'
    assert c.peer.recv_until_end() == b''


def test_each_byte_gives_it_the_time_again(accept: Accept, clock: Clock) -> None:
    events: list[Any] = []
    c = accept(failing(events), read_timeout=1000)
    for number in range(1, 6):
        clock.go(800)
        c.peer.sendall(b'x')
        until(lambda number=number: c.sock.bytes_read == number)
    clock.go(900)
    assert events == []
    clock.go(600)
    assert events == ['ERR_READ_TIMEOUT']


def test_a_blocked_read_raises_it(accept: Accept, clock: Clock) -> None:
    outcome: list[Any] = []

    def handler(c: Connection) -> None:
        try:
            c.sock.recv(10)
        except OSError as error:
            outcome.append(error)

    c = accept(handler, read_timeout=1000)
    clock.go(1600)
    assert [code(error) for error in outcome] == ['ERR_READ_TIMEOUT']
    assert c.peer.recv_until_end() == b''


def test_a_handler_that_does_not_read_is_not_the_peers_fault(accept: Accept, clock: Clock) -> None:
    done, chunks = Event(), []

    def handler(c: Connection) -> None:
        chunks.append(c.sock.recv(10))
        done.wait()  # for a database, say
        c.sock.sendall(b'answer')
        for chunk in c.sock:
            chunks.append(chunk)

    c = accept(handler, read_timeout=1000)
    c.peer.sendall(b'ask')
    until(lambda: chunks)
    clock.go(5000)
    done.set()
    assert c.peer.recv_exactly(6) == b'answer'
    clock.go(800)
    assert not c.sock.destroyed
    clock.go(900)
    assert code(c.sock.errored) == 'ERR_READ_TIMEOUT'


def test_nor_is_one_that_listens_and_is_at_work(accept: Accept, clock: Clock) -> None:
    done = Event()
    c = accept(lambda c: c.sock.on('data', lambda chunk: done.wait()), read_timeout=1000)
    c.peer.sendall(b'x')
    until(lambda: c.sock.bytes_read)
    clock.go(5000)
    assert not c.sock.destroyed
    done.set()
    clock.go(1600)
    assert code(c.sock.errored) == 'ERR_READ_TIMEOUT'


@pytest.mark.parametrize('says', ['data', 'end'])
def test_nor_is_one_silent_that_a_blocked_hub_has_not_heard(
    accept: Accept, clock: Clock, says: str,
) -> None:
    events: list[Any] = []

    def setup(c: Connection) -> None:
        failing(events)(c)
        c.sock.on('data', events.append).on('end', lambda: events.append('end'))

    c = accept(setup, read_timeout=1000)
    clock.go(500)
    if says == 'data':
        c.peer.plain.sendall(b'x')
    else:
        c.peer.end()
    clock.jump(3000)  # and it is looked before the hub has read
    until(lambda: events)
    assert events == [b'x' if says == 'data' else 'end']


def test_what_the_hub_leaves_in_the_kernel_is_no_excuse_for_ever(clock: Clock) -> None:
    mine, peer = socket.socketpair()
    with mine, peer:
        watch = PeerWatch(mine, get_loop(), lambda sock, watch: None, None)
        peer.send(b'x')
        assert [watch.is_unheard(mine), watch.is_unheard(mine)] == [True, False]
        assert [watch.is_unserved(mine), watch.is_unserved(mine)] == [True, False]
        watch.silent_for(True, 1)  # it was read meanwhile
        assert watch.is_unheard(mine)


@pytest.mark.parametrize('stop', ['pause', 'full', 'unread'])
def test_nor_is_one_that_has_stopped_reading(accept: Accept, clock: Clock, stop: str) -> None:
    def setup(c: Connection) -> None:
        if stop == 'pause':
            c.sock.on('data', lambda chunk: None)
            c.sock.pause()

    c = accept(setup, read_timeout=1000, high_water_mark=10)
    c.peer.sendall(b'x' * 30)
    clock.go(5000)
    assert not c.sock.destroyed
    c.sock.on('data', lambda chunk: None)
    c.sock.resume()
    until(lambda: c.sock.bytes_read == 30)
    clock.go(1600)
    assert code(c.sock.errored) == 'ERR_READ_TIMEOUT'


def test_nor_is_a_peer_silent_that_has_an_answer_to_take(accept: Accept, clock: Clock) -> None:
    c = accept(lambda c: c.sock.on('data', c.sock.write), read_timeout=1000)
    c.sock.write(bytes(MUCH))
    clock.go(5000)
    assert not c.sock.destroyed
    assert len(c.peer.recv_exactly(MUCH)) == MUCH
    until(lambda: not c.sock.writable_length)
    clock.go(1600)
    assert code(c.sock.errored) == 'ERR_READ_TIMEOUT'


def test_onread_reads_too(dial: Accept, clock: Clock) -> None:
    events: list[Any] = []
    done = Event()
    onread = {'buffer': bytearray(100), 'callback': lambda size, buffer: done.wait()}
    c = dial(failing(events), onread=onread, read_timeout=1000)
    c.peer.sendall(b'x')
    until(lambda: c.sock.bytes_read)
    clock.go(5000)  # the callback is at work
    c.sock.pause()
    done.set()
    clock.go(5000)
    assert events == []
    c.sock.resume()
    clock.go(1600)
    assert events == ['ERR_READ_TIMEOUT']


def test_it_ends_with_the_peers_half(accept: Accept, clock: Clock) -> None:
    c = accept(lambda c: c.sock.on('data', lambda chunk: None), read_timeout=1000,
               allow_half_open=True)
    c.peer.end()
    until(lambda: c.sock.readable_ended)
    clock.go(5000)
    c.sock.end(b'late')
    assert c.peer.recv_until_end() == b'late'
    assert c.sock.errored is None


def test_it_goes_on_when_the_own_half_has_ended(accept: Accept, clock: Clock) -> None:
    c = accept(lambda c: c.sock.on('data', lambda chunk: None), read_timeout=1000)
    c.sock.end()
    assert c.peer.recv_until_end() == b''
    clock.go(1600)
    assert code(c.sock.errored) == 'ERR_READ_TIMEOUT'


# --- write_timeout ------------------------------------------------------------------------------


def test_a_peer_that_takes_nothing_is_given_up(
    accept: Accept, clock: Clock, family: Family,
) -> None:
    events: list[Any] = []
    c = accept(failing(events), target=family.listen_options, write_timeout=1000)
    written: list[Any] = []
    c.sock.write(bytes(MUCH), lambda error: written.append(code(error)))
    clock.go(900)
    assert (events, written) == ([], [])
    clock.until(lambda: events)
    assert events == ['ERR_WRITE_TIMEOUT']
    assert written == ['ECANCELED']
    if family.name != 'unix':
        with pytest.raises(ConnectionResetError):  # it has not got all, and nothing is left for it
            c.peer.recv_until_end()


def test_a_lifetime_that_cuts_off_what_is_corked_resets_the_connection(
    accept: Accept, clock: Clock,
) -> None:
    c = accept(failing([]), lifetime=1000)
    c.sock.cork()
    c.sock.write(b'half')
    clock.go(1600)
    assert code(c.sock.errored) == 'ERR_LIFETIME'
    with pytest.raises(ConnectionResetError):
        c.peer.recv()
    assert isinstance(c.sock.errored, TimeoutError)


def test_a_slow_one_is_not(accept: Accept, clock: Clock) -> None:
    c = accept(lambda c: c.sock.on('data', lambda chunk: None), write_timeout=1000)
    c.sock.write(bytes(MUCH))
    left = MUCH
    for _ in range(8):
        clock.go(800)
        # (Less than a segment of the loopback's is not acknowledged: its window stays shut.)
        left -= len(c.peer.recv_exactly(1 << 20))
        assert not c.sock.destroyed
    assert len(c.peer.recv_exactly(left)) == left


def test_nor_is_the_reader_of_a_pipe_that_a_blocked_hub_has_not_seen_reading(clock: Clock) -> None:
    reads, writes = os.pipe()
    os.set_blocking(reads, False)
    sock = gnet.Socket(fd=writes, readable=False, write_timeout=1000)
    try:
        sock.on('error', lambda error: None).write(bytes(1 << 20))
        clock.go(500)
        with suppress(BlockingIOError):
            while os.read(reads, 1 << 20):
                pass
        clock.jump(3000)  # and it is looked before the hub has written
        assert sock.errored is None
        clock.go(1600)
        assert code(sock.errored) == 'ERR_WRITE_TIMEOUT'
    finally:
        sock.destroy()
        os.close(reads)


def test_a_blocked_write_raises_it(accept: Accept, clock: Clock) -> None:
    outcome: list[Any] = []

    def handler(c: Connection) -> None:
        try:
            c.sock.sendall(bytes(MUCH))
        except OSError as error:
            outcome.append(code(error))

    accept(handler, write_timeout=1000)
    clock.until(lambda: outcome)
    assert outcome == ['ERR_WRITE_TIMEOUT']


def test_sendfile_raises_it(accept: Accept, clock: Clock, tmp_path: Any) -> None:
    outcome: list[Any] = []
    (tmp_path / 'big').write_bytes(bytes(MUCH))

    def handler(c: Connection) -> None:
        with (tmp_path / 'big').open('rb') as file:
            try:
                c.sock.sendfile(file)
            except OSError as error:
                outcome.append(code(error))

    accept(handler, write_timeout=1000)
    clock.until(lambda: outcome)
    assert outcome == ['ERR_WRITE_TIMEOUT']


def test_nothing_to_send_is_no_failure_nor_is_what_is_corked(accept: Accept, clock: Clock) -> None:
    c = accept(lambda c: c.sock.on('data', lambda chunk: None), write_timeout=1000)
    clock.go(5000)
    c.sock.cork()
    c.sock.write(bytes(MUCH))
    clock.go(5000)
    c.sock.uncork()
    assert len(c.peer.recv_exactly(MUCH)) == MUCH


def test_a_pipe_to_one_that_takes_nothing_ends_it(
    accept: Accept, clock: Clock, caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, 'gnet.socket')
    into = accept(write_timeout=1000)
    source = accept(lambda c: c.sock.pipe(into.sock))
    sending = gevent.spawn(outcome_of, source.peer.sendall, bytes(MUCH))
    until(lambda: into.sock.writable_length)
    clock.until(lambda: into.sock.destroyed)
    assert code(into.sock.errored) == 'ERR_WRITE_TIMEOUT'
    until(lambda: 'The peer has taken nothing' in caplog.text)
    assert 'Traceback' not in caplog.text
    source.sock.destroy()
    sending.join(PATIENCE)


def outcome_of(call: Callable[..., Any], *args: Any) -> Any:
    try:
        return call(*args)
    except OSError as error:
        return error


# --- lifetime -----------------------------------------------------------------------------------


def test_a_connection_lasts_no_longer_than_it_may(
    accept: Accept, clock: Clock, family: Family,
) -> None:
    events: list[Any] = []
    c = accept(failing(events), target=family.listen_options, lifetime=1000)
    for number in range(1, 5):
        clock.go(240)
        c.peer.sendall(b'x')
        until(lambda number=number: c.sock.bytes_read == number)
    assert events == []
    clock.go(50)
    assert events == ['ERR_LIFETIME']
    assert str(c.sock.errored) == 'The connection has lasted for 1000 ms, as long as it may'


def test_it_counts_from_the_beginning_also_when_it_is_set_later(
    accept: Accept, clock: Clock,
) -> None:
    c = accept(lambda c: c.sock.on('data', lambda chunk: None))
    clock.go(700)
    c.sock.lifetime = 1000
    clock.go(200)
    c.sock.read_timeout = 5000  # begins anew with looking, and not with living
    assert not c.sock.destroyed
    clock.go(150)
    assert code(c.sock.errored) == 'ERR_LIFETIME'


# --- options, and what becomes of them ----------------------------------------------------------


@pytest.mark.parametrize('name', ['read_timeout', 'write_timeout', 'lifetime', 'max_buffered'])
@pytest.mark.parametrize(('value', 'kind'), [
    ('1', 'ERR_INVALID_ARG_TYPE'), (True, 'ERR_INVALID_ARG_TYPE'), (-1, 'ERR_OUT_OF_RANGE'),
    (float('nan'), 'ERR_OUT_OF_RANGE'), (float('inf'), 'ERR_OUT_OF_RANGE'),
])
def test_what_is_no_limit_is_refused_at_the_call(name: str, value: Any, kind: str) -> None:
    for make in (gnet.Socket, gnet.create_server):
        with pytest.raises(gnet.errors.CodedError) as caught:
            make({name: value})
        assert caught.value.code == kind
        assert 'options.' in str(caught.value)
    sock = gnet.Socket()
    with pytest.raises(gnet.errors.CodedError) as caught:
        setattr(sock, name, value)
    assert caught.value.code == kind
    assert getattr(sock, name) is None


@pytest.mark.parametrize('name', ['read_timeout', 'write_timeout', 'lifetime'])
@pytest.mark.parametrize('none', [0, None])
def test_none_and_0_are_no_limit(accept: Accept, clock: Clock, name: str, none: Any) -> None:
    c = accept(lambda c: c.sock.on('data', lambda chunk: None), **{name: 1000})
    setattr(c.sock, name, none)
    c.sock.write(bytes(MUCH))
    clock.go(5000)
    assert getattr(c.sock, name) is None
    assert not c.sock.destroyed


def test_both_spellings(accept: Accept) -> None:
    c = accept(readTimeout=1, writeTimeout=2, maxBuffered=1 << 20)
    assert (c.sock.readTimeout, c.sock.writeTimeout, c.sock.maxBuffered) == (1, 2, 1 << 20)
    c.sock.writeTimeout = 3
    assert c.sock.write_timeout == 3


def test_a_client_has_them_too(dial: Accept, clock: Clock) -> None:
    events: list[Any] = []
    c = dial(failing(events), read_timeout=1000)
    until(lambda: c.sock.ready_state == 'open')
    clock.go(1600)
    assert events == ['ERR_READ_TIMEOUT']


def test_they_hold_for_the_next_connection_of_the_socket(dial: Accept, clock: Clock) -> None:
    events: list[Any] = []
    c = dial(failing(events), lifetime=1000)
    until(lambda: c.sock.ready_state == 'open')
    clock.go(1200)
    until(lambda: events == ['ERR_LIFETIME'])
    until(lambda: c.sock.destroyed and c.sock.ready_state == 'closed')
    turn()
    c.sock.connect(c.target)
    until(lambda: c.sock.ready_state == 'open')
    clock.go(900)
    assert len(events) == 1
    clock.go(300)
    assert len(events) == 2


def test_the_lifecycle_says_why(accept: Accept, clock: Clock) -> None:
    closed: list[Any] = []
    events: list[Any] = []

    def subscriber(event: object) -> None:
        if isinstance(event, lifecycle.ConnectionClosed):
            closed.append(code(event.error))

    zope.event.subscribers.append(subscriber)
    try:
        accept(failing(events), lifetime=1000)
        clock.go(1200)
        until(lambda: closed)
    finally:
        zope.event.subscribers.remove(subscriber)
    assert closed == ['ERR_LIFETIME']


def test_a_forgotten_socket_is_collected_all_the_same(clock: Clock) -> None:
    mine, peer = socket.socketpair()
    sock: Any = gnet.Socket.from_socket(mine, lifetime=1000, read_timeout=1000)
    sock.settimeout(0)
    with pytest.raises(BlockingIOError):
        sock.recv(1)
    seen = ref(sock)
    with pytest.warns(ResourceWarning, match='unclosed'):
        sock = None
    assert seen() is None
    assert all(timer.expired is None for _, _, timer in get_loop().idle_timers._heap)
    clock.go(5000)
    peer.close()


def test_one_that_is_closed_leaves_nothing_in_the_heap(accept: Accept, clock: Clock) -> None:
    timers = get_loop().idle_timers
    c = accept(lambda c: c.sock.on('data', lambda chunk: None), lifetime=1e6, read_timeout=1e6)
    watch = c.sock._settings.watch
    assert watch.armed
    c.sock.destroy()
    assert not watch.armed
    assert watch.expired is None
    assert timers._cancelled >= 1


# --- without a clock of the test's own ----------------------------------------------------------


def test_silence_takes_as_long_as_it_says(accept: Accept) -> None:
    errors: list[Any] = []
    c = accept(failing(errors), read_timeout=60)
    until(lambda: errors)
    assert errors == ['ERR_READ_TIMEOUT']
    until(lambda: c.sock.ready_state == 'closed')
