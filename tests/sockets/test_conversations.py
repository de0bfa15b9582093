"""Conversations that end as they should, with and without readers; pauses and timeouts.

The steps and the traces are those of a Node server and a Node client; see ``conversations.py``.
"""

from __future__ import annotations

import pytest

from ..harness.connections import Connection
from ..harness.waiting import turn
from .conversations import (
    CLOSED_BY_PEER,
    CLOSED_IN_TURN,
    ENDED,
    RESET,
    Ends,
    as_client,
    both,
    everywhere,
    hears_errors,
    over_tcp,
    story,
)

# --- graceful ends ------------------------------------------------------------------------------


@everywhere
def test_an_echo_and_then_an_end(ends: Ends) -> None:
    def near(c: Connection) -> None:
        c.sock.on('data', lambda data: c.sock.end(c.noting('ended')))
        c.sock.write(b'hello', c.noting('written'))

    pair = ends(near, lambda c: c.sock.on('data', c.sock.write))
    assert both(pair) == (
        ['resume {open}', 'written None', "data b'hello' {open}", 'prefinish {readOnly}',
         'ended None', 'finish {readOnly}', *CLOSED_BY_PEER],
        ['resume {open}', "data b'hello' {open}", *CLOSED_IN_TURN],
    )


@everywhere
def test_the_other_end_says_bye(ends: Ends) -> None:
    def far(c: Connection) -> None:
        c.sock.end(b'bye', c.noting('ended'))
        c.sock.resume()

    assert both(ends(lambda c: c.sock.on('data', lambda data: None), far)) == (
        ['resume {open}', "data b'bye' {open}", *CLOSED_IN_TURN],
        ['resume {readOnly}', 'prefinish {readOnly}', 'ended None', 'finish {readOnly}',
         *CLOSED_BY_PEER],
    )


@everywhere
def test_in_end_and_in_finish_the_socket_is_not_destroyed(ends: Ends) -> None:
    def near(c: Connection) -> None:
        c.sock.on('end', lambda: c.note(f'{c.sock.destroyed} {c.sock.writable}'))
        c.sock.on('finish', lambda: c.note(str(c.sock.destroyed)))
        c.sock.resume()

    assert both(ends(near, lambda c: c.sock.end()))[0] == [
        'resume {open}', 'readable {open}', 'end {writeOnly}', 'False True', 'prefinish {closed}',
        'finish {closed}', 'False', 'close False {closed}',
    ]


@everywhere
def test_both_ends_end_at_once(ends: Ends) -> None:
    pair = ends(lambda c: c.sock.end(b'a'), lambda c: c.sock.end(b'b'))
    for c in (pair.near, pair.far):
        c.wait('readable', 2)
        c.sock.resume()
    near, far = both(pair)
    opening = ['prefinish {readOnly}', 'finish {readOnly}', *['readable {readOnly}'] * 2,
               'resume {readOnly}']
    assert near == [*opening, "data b'b' {readOnly}", 'end {closed}', 'close False {closed}']
    assert far == [*opening, "data b'a' {readOnly}", 'end {closed}', 'close False {closed}']


# --- nobody reads -------------------------------------------------------------------------------


@everywhere
@pytest.mark.parametrize('pauses', [False, True])
def test_an_end_closes_a_socket_that_nobody_listens_to(ends: Ends, pauses: bool) -> None:
    pair = ends()
    if pauses:
        turn()  # a client that is paused before it reads would read nothing
        pair.near.sock.pause()
    pair.far.sock.end()
    assert both(pair) == (
        [*(['pause {open}'] if pauses else []), *CLOSED_IN_TURN], [*ENDED, *CLOSED_BY_PEER],
    )


@everywhere
def test_unread_data_holds_back_the_end(ends: Ends) -> None:
    pair = ends()
    pair.far.sock.write(b'data')
    pair.near.wait('readable')
    pair.far.sock.end()
    pair.near.wait('readable', 2)
    turn()
    assert story(pair.near) == ['readable {open}'] * 2
    assert story(pair.far) == ENDED
    pair.near.sock.resume()
    assert both(pair) == (
        [*['readable {open}'] * 2, 'resume {open}', "data b'data' {open}", *CLOSED_IN_TURN[1:]],
        [*ENDED, *CLOSED_BY_PEER],
    )


@everywhere
def test_own_end_does_not_wait_for_unread_data(ends: Ends) -> None:
    pair = ends(lambda c: c.sock.end(), far_options={'allow_half_open': True})
    pair.near.wait('finish')
    pair.far.sock.write(b'data')
    pair.near.wait('readable')
    pair.far.sock.end()
    pair.near.wait('readable', 2)
    turn()
    assert story(pair.near) == [*ENDED, *['readable {readOnly}'] * 2]
    pair.near.sock.resume()
    assert both(pair)[0][4:] == [
        'resume {readOnly}', "data b'data' {readOnly}", 'end {closed}', 'close False {closed}',
    ]


@over_tcp
def test_unread_data_stays_readable_after_a_reset(ends: Ends) -> None:
    pair = ends(hears_errors)
    pair.far.sock.write(b'data')
    pair.near.wait('readable')
    pair.far.sock.reset_and_destroy()
    assert both(pair) == (['readable {open}', *RESET], ['close False {closed}'])
    assert pair.near.sock.read() == b'data'
    turn()
    assert 'end' not in ' '.join(pair.near.trace)


@everywhere
def test_unread_data_stays_readable_after_destroy(ends: Ends) -> None:
    pair = ends()
    pair.far.sock.write(b'data')
    pair.near.wait('readable')
    pair.near.sock.pause()
    pair.near.sock.destroy()
    assert pair.near.sock.read() == b'data'
    assert both(pair)[0] == [
        'readable {open}', 'pause {open}', "data b'data' {closed}", 'close False {closed}',
    ]
    assert both(pair)[1] == CLOSED_IN_TURN


# --- half-open ----------------------------------------------------------------------------------


@everywhere
def test_a_half_open_socket_answers_after_the_end(ends: Ends) -> None:
    def far(c: Connection) -> None:
        c.sock.on('data', lambda data: None)
        c.sock.end(b'req')

    pair = ends(lambda c: c.sock.on('data', lambda data: None), far,
                near_options={'allow_half_open': True})
    pair.near.wait('end')
    turn()
    turn()
    assert (pair.near.sock.ready_state, pair.far.sock.ready_state) == ('writeOnly', 'readOnly')
    assert pair.near.sock.write(b'late') is True
    pair.far.wait('data')
    pair.near.sock.end(b'x')
    assert both(pair) == (
        ['resume {open}', "data b'req' {open}", *CLOSED_IN_TURN],
        ['resume {readOnly}', *ENDED, "data b'late' {readOnly}", "data b'x' {readOnly}",
         *CLOSED_BY_PEER],
    )


# --- paused at birth, timeouts, the server's close ----------------------------------------------


@pytest.mark.parametrize('ends', ['server, tcp', 'server, unix'], indirect=True)
def test_a_socket_paused_at_birth_notices_nothing_until_it_reads(ends: Ends) -> None:
    def far(c: Connection) -> None:
        c.sock.write(b'hi')
        c.sock.end()

    pair = ends(lambda c: c.sock.on('data', lambda data: None), far,
                near_options={'pause_on_connect': True})
    pair.far.wait('finish')
    turn()
    turn()
    near = pair.near.sock
    assert (near.readable_flowing, near.is_paused(), near.bytes_read) == (False, True, 0)
    assert story(pair.near) == []
    assert near.read() is None
    pair.near.wait('readable', 2)
    assert near.bytes_read == 2
    near.resume()
    assert both(pair) == (
        [*['readable {open}'] * 2, 'resume {open}', "data b'hi' {open}", *CLOSED_IN_TURN[1:]],
        [*ENDED, *CLOSED_BY_PEER],
    )


@as_client
def test_a_client_paused_in_connect_notices_nothing_until_it_reads(ends: Ends) -> None:
    def near(c: Connection) -> None:
        c.sock.pause()
        c.sock.on('data', lambda data: None)

    pair = ends(near, lambda c: c.sock.end(b'hi'))
    pair.far.wait('finish')
    turn()
    turn()
    assert story(pair.near) == ['pause {open}']
    assert pair.near.sock.bytes_read == 0
    pair.near.sock.resume()
    assert both(pair)[0] == ['pause {open}', 'resume {open}', "data b'hi' {open}", *CLOSED_IN_TURN]


@everywhere
def test_a_timeout_closes_nothing(ends: Ends) -> None:
    pair = ends(lambda c: c.sock.set_timeout(20), lambda c: c.sock.set_timeout(30))
    pair.near.wait('timeout')
    pair.far.wait('timeout')
    turn()
    assert story(pair.near) == story(pair.far) == ['timeout {open}']
    pair.near.sock.set_timeout(0)
    pair.far.sock.set_timeout(0)
    pair.near.sock.end()
    assert both(pair) == (
        ['timeout {open}', *ENDED, *CLOSED_BY_PEER], ['timeout {open}', *CLOSED_IN_TURN],
    )


@everywhere
def test_the_server_closes_before_the_sockets_say_so(ends: Ends) -> None:
    pair = ends()
    order: list[str] = []
    pair.server.on('close', lambda: order.append('server'))
    pair.near.sock.on('close', lambda had_error: order.append('near'))
    pair.far.sock.on('close', lambda had_error: order.append('far'))
    pair.server.close()
    turn()
    assert order == []
    pair.near.sock.destroy()
    pair.far.sock.destroy()
    assert both(pair) == (['close False {closed}'], ['close False {closed}'])
    assert order[0] == 'server'
    assert sorted(order) == ['far', 'near', 'server']
