"""Clients of gnet against plain listening sockets: what they emit, whatever the peer does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gevent
import pytest

from ..harness.connections import Connection
from ..harness.families import Family
from ..harness.native import Peer
from ..harness.waiting import turn
from .conversations import CLOSED_IN_TURN, ENDED, RESET, hears_errors

Dial = Callable[..., Connection]


def story(c: Connection) -> list[str]:
    """Return the trace from 'connect' on; what comes before is told by other tests."""
    start = next(n for n, line in enumerate(c.trace) if line.startswith('connect {'))
    assert not any(line.startswith(('data', 'readable', 'end')) for line in c.trace[:start])
    return c.trace[start:]


def flowing(c: Connection) -> None:
    hears_errors(c)
    c.sock.on('data', lambda data: None)


OPEN = ['connect {open}', 'ready {open}']


# --- how the peer behaves -----------------------------------------------------------------------


def test_the_peer_ends_first(dial: Dial, family: Family) -> None:
    c = dial(flowing, family=family)
    c.peer.sendall(b'hello')
    c.peer.end()
    c.until_closed()
    assert story(c) == [*OPEN, "data b'hello' {open}", *CLOSED_IN_TURN]
    assert c.peer.recv() == b''


def test_the_peer_ends_and_a_half_open_client_answers(dial: Dial, family: Family) -> None:
    c = dial(flowing, family=family, allow_half_open=True)
    c.peer.sendall(b'question')
    c.peer.end()
    c.wait('end')
    turn()
    turn()
    assert c.trace[-1] == 'end {writeOnly}'
    c.sock.write(b'ans')
    c.sock.end(b'wer')
    assert c.peer.recv_until_end() == b'answer'
    c.until_closed()
    assert story(c) == [*OPEN, "data b'question' {open}", *CLOSED_IN_TURN]


def test_the_peer_answers_after_the_end_of_the_client(dial: Dial, family: Family) -> None:
    def setup(c: Connection) -> None:
        flowing(c)
        c.sock.end(b'question')

    c = dial(setup, family=family)
    assert c.peer.recv_until_end() == b'question'
    c.peer.sendall(b'answer')
    c.peer.end()
    c.until_closed()
    assert story(c) == [
        'connect {readOnly}', 'ready {readOnly}', *ENDED, "data b'answer' {readOnly}",
        'readable {readOnly}', 'end {closed}', 'close False {closed}',
    ]


@pytest.mark.parametrize('mode', ['reading', 'nobody reads', 'paused'])
def test_a_reset(dial: Dial, mode: str) -> None:
    c = dial({'reading': flowing}.get(mode, hears_errors))
    c.wait('ready')
    turn()
    if mode == 'paused':
        c.sock.pause()
    c.peer.reset()
    c.until_closed()
    assert story(c) == [*OPEN, *(['pause {open}'] if mode == 'paused' else []), *RESET]
    assert isinstance(c.sock.errored, ConnectionResetError)


def test_a_reset_while_writing(dial: Dial) -> None:
    def setup(c: Connection) -> None:
        hears_errors(c)
        c.sock.write(bytes(20_000_000), c.noting('written'))
        c.sock.end(c.noting('ended'))

    c = dial(setup)
    c.wait('ready')
    c.peer.recv(1)
    c.peer.reset()
    c.until_closed()
    assert story(c) == [
        'connect {readOnly}', 'ready {readOnly}', 'error ECONNRESET: read ECONNRESET {closed}',
        'written ECANCELED: write ECANCELED', 'ended ECONNRESET: read ECONNRESET',
        'close True {closed}',
    ]


def test_a_reset_after_data_that_arrives_with_it(dial: Dial) -> None:
    c = dial(flowing)
    c.wait('ready')
    c.peer.plain.send(b'last words')  # no turn of the loop between this
    c.peer.reset()                    # and this
    c.until_closed()
    assert story(c) == [*OPEN, "data b'last words' {open}", *RESET]


def test_a_peer_that_never_reads_holds_up_writing_only(dial: Dial, family: Family) -> None:
    c = dial(flowing, family=family)
    c.wait('ready')
    size = 20_000_000
    assert c.sock.write(bytes(size), c.noting('written')) is False
    turn()
    assert c.sock.writable_need_drain
    assert c.sock.writable_length == size
    c.peer.sendall(b'still here')
    c.wait('data')
    assert 'written' not in ' '.join(c.trace)
    assert len(c.peer.recv_exactly(size)) == size
    c.wait('written')
    assert story(c) == [*OPEN, "data b'still here' {open}", 'drain {open}', 'written None']


def test_one_byte_at_a_time(dial: Dial, family: Family) -> None:
    c = dial(flowing, family=family)
    for number, byte in enumerate(b'abcdefgh', 1):
        c.peer.sendall(bytes([byte]))
        c.wait('data', number)
    c.peer.end()
    c.until_closed()
    assert story(c) == [
        *OPEN, *(f'data {bytes([byte])!r} {{open}}' for byte in b'abcdefgh'), *CLOSED_IN_TURN,
    ]


def test_the_peer_closes_right_after_accept(dial: Dial, family: Family) -> None:
    c = dial(flowing, family=family)
    c.peer.close()
    c.until_closed()
    assert story(c) == [*OPEN, *CLOSED_IN_TURN]


@pytest.mark.parametrize('kind', ['events', 'blocking'])
def test_a_megabyte_and_then_the_end(dial: Dial, family: Family, kind: str) -> None:
    size = 1 << 20
    chunks: list[bytes] = []
    c = dial(
        (lambda c: c.sock.on('data', chunks.append)) if kind == 'events' else None, family=family)
    sending = gevent.spawn(lambda: (c.peer.sendall(bytes(size)), c.peer.close()))
    if kind == 'events':
        c.until_closed()
        assert story(c)[-4:] == CLOSED_IN_TURN[1:]
    else:
        chunks.extend(c.sock)
    sending.get()
    assert sum(map(len, chunks)) == c.sock.bytes_read == size
    assert max(map(len, chunks)) <= 65536


def test_a_megabyte_and_then_the_end_for_a_client_that_reads_late(dial: Dial) -> None:
    c = dial()
    c.wait('ready')
    sending = gevent.spawn(lambda: (c.peer.sendall(bytes(1 << 20)), c.peer.close()))
    c.wait('readable')
    sending.join(0.05)
    # One high-water mark is read ahead, and what the last read brought beyond it.
    assert c.sock.bytes_read < 2 * 65536
    assert c.sock.readable_length == c.sock.bytes_read
    c.sock.resume()
    c.until_closed()
    sending.get()
    assert c.sock.bytes_read == 1 << 20


# --- again and again ----------------------------------------------------------------------------


def test_a_client_connects_again_in_close(dial: Dial, family: Family) -> None:
    c = dial(flowing, family=family)
    heard: list[Any] = []
    c.sock.on('close', lambda had_error: heard.append(
        (had_error, c.sock.bytes_read, c.sock.bytes_written)))
    c.sock.on('close', lambda had_error: len(heard) < 4 and c.sock.connect(c.target))
    peer = c.peer
    for number in range(1, 5):
        c.wait('ready', number)
        if number > 1:
            peer = Peer(c.peer._native, c.peer._native(c.listener.accept)[0])
        c.sock.write(b'x' * number)
        peer.sendall(b'y' * number)
        peer.end()
        assert peer.recv_until_end() == b'x' * number
        peer.close()
        c.wait('close', number)
    assert heard == [(False, number, number) for number in range(1, 5)]
    once = [line for line in story(c)[len(OPEN):] if line.startswith('data')]
    assert once == [f'data {b"y" * number!r} {{open}}' for number in range(1, 5)]


def test_a_client_connects_again_after_a_failure(dial: Dial) -> None:
    c = dial(flowing)
    c.wait('ready')
    c.peer.reset()
    c.until_closed()
    assert (c.sock.errored.code, c.sock.destroyed) == ('ECONNRESET', True)
    c.sock.connect(c.target)
    assert (c.sock.errored, c.sock.destroyed, c.sock.ready_state) == (None, False, 'opening')
    assert (c.sock.bytes_read, c.sock.pending, c.sock.readable_ended) == (0, True, False)
    c.wait('ready', 2)
    c.peer.plain, _ = c.peer._native(c.listener.accept)
    c.peer.end()
    c.wait('close', 2)
    assert c.trace[-len(CLOSED_IN_TURN):] == CLOSED_IN_TURN
