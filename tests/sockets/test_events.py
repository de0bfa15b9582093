"""The order of a socket's events, as recorded from Node 24 for the accepted side.

Each expected trace was recorded from a Node server with the same steps. What ``destroy`` and resets
cause is in ``test_destroy.py`` and ``test_reset_by_peer.py``.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ..harness.connections import Connection
from ..harness.waiting import turn

Accept = Callable[..., Connection]

CLOSED_BY_BOTH = [
    'end {writeOnly}', 'prefinish {closed}', 'finish {closed}', 'close False {closed}',
]


# --- the peer ends first ------------------------------------------------------------------------


def test_peer_ends_after_an_echo(accept: Accept) -> None:
    def setup(c: Connection) -> None:
        c.sock.on('data', lambda data: c.sock.write(data, c.noting('written')))

    c = accept(setup)
    c.peer.sendall(b'hello')
    assert c.peer.recv_exactly(5) == b'hello'
    c.peer.end()
    assert c.until_closed() == [
        'resume {open}', "data b'hello' {open}", 'written None', 'readable {open}', *CLOSED_BY_BOTH,
    ]


@pytest.mark.parametrize('pauses', [False, True])
def test_a_socket_that_nobody_listens_to_closes_itself_at_the_end(
    accept: Accept, pauses: bool,
) -> None:
    c = accept(lambda c: c.sock.pause() if pauses else None)
    c.peer.end()
    assert c.until_closed() == [
        *(['pause {open}'] if pauses else []), 'readable {open}', *CLOSED_BY_BOTH,
    ]


def test_data_that_nobody_reads_holds_back_the_end(accept: Accept) -> None:
    c = accept()
    c.peer.sendall(b'data')
    c.wait('readable')
    c.peer.end()
    c.wait('readable', 2)
    turn()
    assert c.trace == ['readable {open}'] * 2
    assert c.sock.ready_state == 'open'
    c.sock.resume()
    assert c.until_closed()[2:] == ['resume {open}', "data b'data' {open}", *CLOSED_BY_BOTH]


def test_own_end_does_not_wait_for_unread_data_but_closing_does(accept: Accept) -> None:
    c = accept(lambda c: c.sock.end())
    c.peer.sendall(b'data')
    c.wait('readable')
    c.peer.end()
    c.wait('readable', 2)
    c.wait('finish')
    turn()
    assert sorted(c.trace) == sorted([
        'prefinish {readOnly}', 'finish {readOnly}', 'readable {readOnly}', 'readable {readOnly}',
    ])
    c.sock.resume()
    assert c.until_closed()[4:] == [
        'resume {readOnly}', "data b'data' {readOnly}", 'end {closed}', 'close False {closed}',
    ]


def test_in_end_the_socket_is_still_writable_and_not_destroyed(accept: Accept) -> None:
    def setup(c: Connection) -> None:
        c.sock.on('end', lambda: c.note(f'{c.sock.writable} {c.sock.destroyed}'))
        c.sock.on('end', lambda: c.sock.write(b'tail', c.noting('written')))
        c.sock.on('finish', lambda: c.note(f'{c.sock.destroyed}'))
        c.sock.resume()

    c = accept(setup)
    c.peer.end()
    assert c.until_closed() == [
        'resume {open}', 'readable {open}', 'end {writeOnly}', 'True False', 'written None',
        'prefinish {closed}', 'finish {closed}', 'False', 'close False {closed}',
    ]
    assert c.peer.recv_until_end() == b'tail'


def test_a_big_write_is_flushed_before_the_end_in_turn(accept: Accept) -> None:
    c = accept(lambda c: c.sock.resume())
    size = 8_000_000
    c.sock.write(bytes(size))
    c.peer.end()
    c.wait('end')
    assert len(c.peer.recv_until_end()) == size
    assert c.until_closed()[-2:] == ['finish {closed}', 'close False {closed}']


# --- the server ends first ----------------------------------------------------------------------


def test_server_ends_first(accept: Accept) -> None:
    def setup(c: Connection) -> None:
        c.sock.resume()
        c.sock.end(b'bye', c.noting('ended'))

    c = accept(setup)
    assert c.peer.recv_until_end() == b'bye'
    c.wait('finish')
    c.peer.end()
    assert c.until_closed() == [
        'resume {readOnly}', 'prefinish {readOnly}', 'ended None', 'finish {readOnly}',
        'readable {readOnly}', 'end {closed}', 'close False {closed}',
    ]


def test_data_keeps_coming_after_own_end(accept: Accept) -> None:
    def setup(c: Connection) -> None:
        c.sock.on('data', lambda data: None)
        c.sock.end()

    c = accept(setup)
    c.wait('finish')
    c.peer.sendall(b'1')
    c.wait('data')
    c.peer.sendall(b'2')
    c.wait('data', 2)
    c.peer.end()
    assert c.until_closed()[-5:] == [
        "data b'1' {readOnly}", "data b'2' {readOnly}", 'readable {readOnly}', 'end {closed}',
        'close False {closed}',
    ]


def test_callbacks_come_in_order_and_before_finish(accept: Accept) -> None:
    def setup(c: Connection) -> None:
        for number in range(4):
            c.sock.write(b'%d' % number, c.noting(f'written {number}'))
        c.sock.end(b'z', c.noting('ended'))
        c.sock.resume()

    c = accept(setup)
    c.wait('finish')
    assert c.trace == [
        *(f'written {number} None' for number in range(4)), 'resume {readOnly}',
        'prefinish {readOnly}', 'ended None', 'finish {readOnly}',
    ]
    assert c.peer.recv_exactly(5) == b'0123z'


# --- half-open ----------------------------------------------------------------------------------


def test_a_half_open_socket_ends_when_it_is_told_to(accept: Accept) -> None:
    c = accept(lambda c: c.sock.on('data', lambda data: None), allow_half_open=True)
    c.peer.sendall(b'req')
    c.wait('data')
    c.peer.end()
    c.wait('end')
    turn()
    turn()
    assert c.trace[-1] == 'end {writeOnly}'
    assert c.sock.write(b'late') is True
    c.sock.end(b'x')
    assert c.peer.recv_until_end() == b'latex'
    assert c.until_closed() == [
        'resume {open}', "data b'req' {open}", 'readable {open}', *CLOSED_BY_BOTH,
    ]


def test_half_open_can_be_chosen_while_the_connection_lasts(accept: Accept) -> None:
    def setup(c: Connection) -> None:
        c.sock.allow_half_open = True
        c.sock.resume()

    c = accept(setup)
    c.peer.end()
    c.wait('end')
    turn()
    turn()
    assert c.sock.ready_state == 'writeOnly'
    c.sock.end()
    c.until_closed()


# --- pauseOnConnect -----------------------------------------------------------------------------


def test_a_socket_paused_at_birth_reads_nothing_before_it_is_asked_to(accept: Accept) -> None:
    def setup(c: Connection) -> None:
        c.note(f'{c.sock.readable_flowing} {c.sock.is_paused()} {c.sock.bytes_read}')
        c.sock.on('data', lambda data: None)

    c = accept(setup, pause_on_connect=True)
    c.peer.sendall(b'hi')
    c.peer.end()
    turn()
    turn()
    assert c.trace == ['False True 0']
    assert c.sock.bytes_read == 0
    assert c.sock.read() is None  # but it starts reading
    c.wait('readable', 2)
    assert c.sock.bytes_read == 2
    c.sock.resume()
    assert c.until_closed() == [
        'False True 0', 'readable {open}', 'readable {open}', 'resume {open}', "data b'hi' {open}",
        *CLOSED_BY_BOTH,
    ]


# --- the server ---------------------------------------------------------------------------------


def test_the_server_closes_before_the_sockets_say_so(accept: Accept) -> None:
    c = accept()
    c.sock.server.on('close', c.noting('server close'))
    c.sock.server.close()
    c.sock.destroy()
    assert c.until_closed() == ['server close', 'close False {closed}']
