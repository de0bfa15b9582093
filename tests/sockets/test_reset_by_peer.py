"""What is emitted when the peer resets the connection.

The traces were recorded from a Node server with the same steps.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ..harness.connections import Connection
from ..harness.waiting import turn, until

Accept = Callable[..., Connection]


# --- resets by the peer -------------------------------------------------------------------------


@pytest.mark.parametrize('setup', [
    lambda c: None, lambda c: c.sock.pause(), lambda c: c.sock.resume(),
    lambda c: c.sock.on('readable', lambda: None),
], ids=['nobody reads', 'paused', 'flowing', 'readable'])
def test_a_reset_is_an_error_in_every_mode(
    accept: Accept, setup: Callable[[Connection], object],
) -> None:
    def and_errors(c: Connection) -> None:
        c.sock.on('error', lambda error: None)
        setup(c)

    c = accept(and_errors)
    c.peer.reset()
    assert c.until_closed()[-2:] == [
        'error ECONNRESET: read ECONNRESET {closed}', 'close True {closed}',
    ]
    assert c.sock.errored.errno > 0
    assert c.sock.errored.syscall == 'read'
    assert isinstance(c.sock.errored, ConnectionResetError)


@pytest.mark.parametrize('pauses', [False, True])
def test_what_was_buffered_stays_readable_after_a_reset(accept: Accept, pauses: bool) -> None:
    def setup(c: Connection) -> None:
        c.sock.on('error', lambda error: None)
        if pauses:
            c.sock.pause()

    c = accept(setup)
    c.peer.sendall(b'hello')
    c.wait('readable')
    c.peer.reset()
    c.until_closed()
    assert 'end' not in ' '.join(c.trace)
    assert c.sock.read() == b'hello'
    assert c.trace[-1] == 'close True {closed}'


def test_data_that_came_with_the_reset_is_delivered_before_it(accept: Accept) -> None:
    def setup(c: Connection) -> None:
        c.sock.on('error', lambda error: None)
        c.sock.on('data', lambda data: None)

    c = accept(setup)
    c.peer.sendall(b'last words')
    c.peer.reset()
    assert c.until_closed() == [
        'resume {open}', "data b'last words' {open}", 'error ECONNRESET: read ECONNRESET {closed}',
        'close True {closed}',
    ]


def test_a_reset_with_writes_pending(accept: Accept) -> None:
    def setup(c: Connection) -> None:
        c.sock.on('error', lambda error: None)
        assert c.sock.write(bytes(20_000_000), c.noting('first')) is False
        c.sock.write(b'x', c.noting('second'))
        c.sock.end(c.noting('ended'))

    c = accept(setup)
    until(lambda: c.sock.bytes_written == 20_000_001)
    c.peer.reset()
    assert c.until_closed() == [
        'error ECONNRESET: read ECONNRESET {closed}', 'first ECANCELED: write ECANCELED',
        'second ECONNRESET: read ECONNRESET', 'ended ECONNRESET: read ECONNRESET',
        'close True {closed}',
    ]


def test_a_reset_met_by_a_write_while_reading_has_stopped(accept: Accept) -> None:
    def setup(c: Connection) -> None:
        c.sock.on('error', lambda error: None)
        c.sock.on('error', lambda error: c.note(f'same {error is failures[0]}'))

    failures: list[Any] = []
    c = accept(setup, pause_on_connect=True)
    c.peer.reset()
    turn()
    turn()
    assert c.trace == []  # nothing is read, so nothing is noticed

    def written(error: Any) -> None:
        failures.append(error)
        c.noting('cb')(error)

    assert c.sock.write(b'x', written) is False
    assert c.until_closed() == [
        'cb ECONNRESET: write ECONNRESET', 'error ECONNRESET: write ECONNRESET {closed}',
        'same True', 'close True {closed}',
    ]


def test_the_second_write_to_a_peer_that_is_gone_fails(accept: Accept) -> None:
    def setup(c: Connection) -> None:
        c.sock.on('error', lambda error: None)
        c.sock.resume()

    c = accept(setup, allow_half_open=True)
    c.peer.close()
    c.wait('end')
    assert c.sock.write(b'one', c.noting('one')) is True
    c.wait('one None')
    # The reset that the first one provokes comes over loopback before the next turn is over.
    turn()
    assert c.sock.write(b'two', c.noting('two')) is False
    assert c.until_closed()[3:] == [
        'one None', 'two EPIPE: write EPIPE', 'error EPIPE: write EPIPE {closed}',
        'close True {closed}',
    ]


def test_an_end_with_data_that_cannot_be_sent(accept: Accept) -> None:
    def setup(c: Connection) -> None:
        c.sock.on('error', lambda error: None)
        c.sock.resume()

    c = accept(setup, allow_half_open=True)
    c.peer.close()
    c.wait('end')
    c.sock.write(b'one')
    turn()
    c.sock.end(b'two', c.noting('ended'))
    assert c.until_closed()[3:] == [
        'ended EPIPE: write EPIPE', 'error EPIPE: write EPIPE {closed}', 'close True {closed}',
    ]


def test_an_end_after_an_unnoticed_reset_completes(accept: Accept) -> None:
    c = accept(pause_on_connect=True)
    c.peer.reset()
    turn()
    c.sock.end(c.noting('ended'))
    c.wait('finish')
    assert c.trace == ['prefinish {readOnly}', 'ended None', 'finish {readOnly}']
