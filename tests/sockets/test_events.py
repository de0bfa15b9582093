"""The order of a socket's events, as recorded from Node 24 for the accepted side.

Each expected trace was recorded from a Node server with the same steps; the letters of a scenario
are the sections of the reference it belongs to.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from .common import Connection, tick, turn, until

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


# --- destroy ------------------------------------------------------------------------------------


def test_destroy_is_seen_at_once_and_close_comes_later(accept: Accept) -> None:
    def setup(c: Connection) -> None:
        assert c.sock.destroy() is c.sock
        c.note(f'{c.sock.destroyed} {c.sock.closed} {c.sock.ready_state}')
        tick(c.note, 'tick')

    c = accept(setup)
    assert c.until_closed() == ['True True closed', 'tick', 'close False {closed}']
    assert c.peer.recv() == b''


def test_destroy_with_an_error_emits_that_error_once(accept: Accept) -> None:
    first, second = ValueError('first'), ValueError('second')

    def setup(c: Connection) -> None:
        c.sock.on('error', lambda error: c.sock.destroy(second))
        c.sock.destroy(first)
        assert c.sock.errored is first
        c.sock.destroy(second)
        tick(c.note, 'tick')

    c = accept(setup)
    assert c.until_closed() == [
        'error ValueError: first {closed}', 'tick', 'close True {closed}',
    ]
    assert c.sock.errored is first


@pytest.mark.parametrize('value', [0, '', None, False, 0.0])
def test_what_javascript_takes_for_false_is_no_error(accept: Accept, value: Any) -> None:
    c = accept(lambda c: c.sock.destroy(value))
    assert c.until_closed() == ['close False {closed}']


@pytest.mark.parametrize('value', ['text', {}, [], 5])
def test_what_is_no_exception_is_emitted_as_it_is(accept: Accept, value: Any) -> None:
    def setup(c: Connection) -> None:
        c.sock.on('error', c.noting('listener'))
        c.sock.destroy(value)

    c = accept(setup)
    assert c.until_closed() == [
        f'error {value!r} {{closed}}', f'listener {value!r}', 'close True {closed}',
    ]


def test_destroying_in_the_first_data_listener_lets_what_was_buffered_through(
    accept: Accept,
) -> None:
    """As Node does, until the next tick."""
    def setup(c: Connection) -> None:
        c.sock.pause()
        c.sock.on('data', lambda data: c.sock.destroy())

    c = accept(setup)
    c.peer.sendall(b'a')
    c.wait('readable')
    c.peer.sendall(b'b')
    c.wait('readable', 2)
    c.peer.end()
    c.wait('readable', 3)
    c.sock.resume()
    assert c.until_closed()[4:] == [
        'resume {open}', "data b'a' {open}", "data b'b' {closed}", 'close False {closed}']


def test_destroying_at_the_readable_of_the_end_suppresses_the_end(accept: Accept) -> None:
    c = accept(lambda c: c.sock.on('readable', lambda: c.sock.destroy()))
    c.peer.end()
    assert c.until_closed() == ['readable {open}', 'close False {closed}']


def test_buffered_data_stays_readable_after_destroy(accept: Accept) -> None:
    c = accept(lambda c: c.sock.pause())
    c.peer.sendall(b'hello')
    c.wait('readable')
    c.sock.destroy()
    assert c.sock.read() == b'hello'
    assert c.sock.read() is None
    assert c.until_closed() == [
        'pause {open}', 'readable {open}', "data b'hello' {closed}", 'close False {closed}',
    ]


def test_destroy_in_finish_and_in_end(accept: Accept) -> None:
    def setup(c: Connection) -> None:
        c.sock.on('finish', lambda: c.sock.destroy())
        c.sock.end()

    assert accept(setup).until_closed() == [
        'prefinish {readOnly}', 'finish {readOnly}', 'close False {closed}',
    ]


def test_destroy_with_an_error_in_end(accept: Accept) -> None:
    def setup(c: Connection) -> None:
        c.sock.on('error', lambda error: None)
        c.sock.on('end', lambda: c.sock.destroy(ValueError('late')))
        c.sock.resume()

    c = accept(setup)
    c.peer.end()
    assert c.until_closed() == [
        'resume {open}', 'readable {open}', 'end {writeOnly}', 'error ValueError: late {closed}',
        'close True {closed}',
    ]


def test_a_closed_socket_takes_every_call_in_its_stride(accept: Accept) -> None:
    def setup(c: Connection) -> None:
        sock = c.sock
        sock.destroy()
        for result in (
            sock.resume(), sock.pause(), sock.set_no_delay(), sock.set_keep_alive(True, 5000),
            sock.ref(), sock.unref(), sock.set_timeout(5), sock.destroy(),
            sock.reset_and_destroy(), sock.unpipe(), sock.end(),
        ):
            assert result is sock
        assert sock.timeout is None
        assert sock.read() is None
        assert sock.address() is None
        sock.cork()
        sock.uncork()
        sock.destroy_soon()
        sock.close()

    c = accept(setup)
    assert c.until_closed() == ['pause {closed}', 'resume {closed}', 'close False {closed}']


# --- destroySoon, resetAndDestroy ---------------------------------------------------------------


def test_destroy_soon_sends_all_and_does_not_wait_for_the_peer(accept: Accept) -> None:
    def setup(c: Connection) -> None:
        assert c.sock.write(bytes(8_000_000), c.noting('written')) is False
        assert c.sock.destroy_soon() is None
        assert c.sock.ready_state == 'readOnly'
        c.sock.destroy_soon()

    c = accept(setup)
    assert len(c.peer.recv_until_end()) == 8_000_000
    assert c.until_closed() == [
        'written None', 'prefinish {readOnly}', 'finish {readOnly}', 'close False {closed}',
    ]


def test_destroy_soon_after_the_end(accept: Accept) -> None:
    def setup(c: Connection) -> None:
        c.sock.on('finish', c.sock.destroy_soon)
        c.sock.end()

    assert accept(setup).until_closed()[-1] == 'close False {closed}'


def test_reset_and_destroy_is_a_reset_for_the_peer_and_no_error_here(accept: Accept) -> None:
    c = accept(lambda c: c.sock.on('error', c.noting('listener')))
    assert c.sock.reset_and_destroy() is c.sock
    assert c.sock.destroyed
    assert c.sock.reset_and_destroy() is c.sock
    with pytest.raises(ConnectionResetError):
        c.peer.recv()
    assert c.until_closed() == ['close False {closed}']


def test_a_unix_socket_cannot_be_reset(accept: Accept, tmp_path: Any) -> None:
    c = accept(target={'path': str(tmp_path / 's')})
    with pytest.raises(TypeError, match='This handle type cannot be sent') as caught:
        c.sock.reset_and_destroy()
    assert caught.value.code == 'ERR_INVALID_HANDLE_TYPE'  # type: ignore[attr-defined]
    assert not c.sock.destroyed


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
