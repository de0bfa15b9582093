"""Conversations in which somebody writes too late, or ends twice.

The steps and the traces are those of a Node server and a Node client; see ``conversations.py``.
"""

from __future__ import annotations

from ..harness.connections import Connection
from .conversations import (
    CLOSED_BY_PEER,
    CLOSED_IN_TURN,
    ENDED,
    MUCH,
    Ends,
    both,
    both_of,
    everywhere,
    flows,
    hears_errors,
    story,
)

LATE = 'ERR_STREAM_WRITE_AFTER_END: write after end'


@everywhere
def test_a_write_after_end_in_the_same_turn(ends: Ends) -> None:
    def near(c: Connection) -> None:
        hears_errors(c)
        c.sock.end(b'bye', c.noting('ended'))
        assert c.sock.write(b'x', c.noting('written')) is False
        c.note(f'{c.sock.destroyed}')

    pair = ends(near, lambda c: c.sock.on('data', lambda data: None))
    assert both(pair) == (
        ['True', f'written {LATE}', f'ended {LATE}', f'error {LATE} {{closed}}',
         'close True {closed}'],
        ['resume {open}', "data b'bye' {open}", *CLOSED_IN_TURN],
    )


@everywhere
def test_a_write_after_finish(ends: Ends) -> None:
    pair = ends(both_of(hears_errors, lambda c: c.sock.end()),
                far_options={'allow_half_open': True})
    pair.near.wait('finish')
    assert pair.near.sock.write(b'x', pair.near.noting('written')) is False
    pair.near.until_closed()
    assert story(pair.near) == [
        *ENDED, f'written {LATE}', f'error {LATE} {{closed}}', 'close True {closed}',
    ]
    pair.far.sock.destroy()


@everywhere
def test_an_end_with_data_after_end(ends: Ends) -> None:
    def near(c: Connection) -> None:
        hears_errors(c)
        c.sock.end()
        c.sock.end(b'more', c.noting('ended'))

    assert both(ends(near))[0] == [
        f'error {LATE} {{closed}}', f'ended {LATE}', 'close True {closed}',
    ]


@everywhere
def test_two_ends_and_one_after_finish(ends: Ends) -> None:
    def near(c: Connection) -> None:
        c.sock.end(c.noting('one'))
        c.sock.end(c.noting('two'))

    pair = ends(near, far_options={'allow_half_open': True})
    pair.near.wait('finish')
    pair.near.sock.end(pair.near.noting('three'))
    pair.near.wait('three')
    assert story(pair.near) == [
        'prefinish {readOnly}', 'one None', 'two None', 'finish {readOnly}',
        'three ERR_STREAM_ALREADY_FINISHED: Cannot call end after a stream was finished',
    ]
    pair.far.sock.end()
    both(pair)


DESTROYED = 'ERR_STREAM_DESTROYED: Cannot call {} after a stream was destroyed'


@everywhere
def test_writes_and_ends_after_destroy(ends: Ends) -> None:
    def near(c: Connection) -> None:
        c.sock.destroy()
        assert c.sock.write(b'x', c.noting('written')) is False

    assert both(ends(near))[0] == [
        'written ' + DESTROYED.format('write'), 'close False {closed}',
    ]


@everywhere
def test_an_end_after_destroy_with_an_error(ends: Ends) -> None:
    def near(c: Connection) -> None:
        hears_errors(c)
        c.sock.destroy(ValueError('x'))
        c.sock.end(c.noting('ended'))

    assert both(ends(near))[0] == [
        'error ValueError: x {closed}', 'ended ' + DESTROYED.format('end'), 'close True {closed}',
    ]


@everywhere
def test_destroy_right_after_an_end_with_data(ends: Ends) -> None:
    def near(c: Connection) -> None:
        c.sock.end(b'x', c.noting('ended'))
        c.sock.destroy()

    assert both(ends(near, flows))[0] == [
        'ended ' + DESTROYED.format('end'), 'close False {closed}',
    ]


@everywhere
def test_a_write_inside_end_is_flushed(ends: Ends) -> None:
    def near(c: Connection) -> None:
        c.sock.on('end', lambda: c.note(str(c.sock.write(b'tail', c.noting('written')))))
        c.sock.resume()

    def far(c: Connection) -> None:
        c.sock.on('data', lambda data: None)
        c.sock.end()

    assert both(ends(near, far)) == (
        ['resume {open}', 'readable {open}', 'end {writeOnly}', 'True', 'written None',
         'prefinish {closed}', 'finish {closed}', 'close False {closed}'],
        ['resume {readOnly}', *ENDED, "data b'tail' {readOnly}", *CLOSED_BY_PEER],
    )


@everywhere
def test_a_write_in_finish_after_the_others_end(ends: Ends) -> None:
    def near(c: Connection) -> None:
        hears_errors(c)
        c.sock.on('finish', lambda: c.note(str(c.sock.write(b'x', c.noting('written')))))
        c.sock.resume()

    refused = 'EPIPE: This socket has been ended by the other party'
    assert both(ends(near, lambda c: c.sock.end()))[0] == [
        'resume {open}', 'readable {open}', 'end {writeOnly}', 'prefinish {closed}',
        'finish {closed}', 'False', f'written {refused}', f'error {refused} {{closed}}',
        'close True {closed}',
    ]


@everywhere
def test_a_big_write_is_flushed_before_the_end_in_turn(ends: Ends) -> None:
    pair = ends(
        both_of(flows, lambda c: c.sock.write(bytes(MUCH), c.noting('written'))),
        lambda c: c.sock.end(),
    )
    pair.near.wait('end')
    pair.far.sock.resume()
    near, far = both(pair)
    # No 'drain': that the end in turn has been called suppresses it.
    assert near == [
        'resume {open}', 'readable {open}', 'end {writeOnly}', 'written None',
        'prefinish {closed}', 'finish {closed}', 'close False {closed}',
    ]
    assert pair.far.sock.bytes_read == MUCH
    assert far[-2:] == ['end {closed}', 'close False {closed}']
