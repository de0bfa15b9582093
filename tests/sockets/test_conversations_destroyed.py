"""Conversations that one end destroys or resets.

The steps and the traces are those of a Node server and a Node client; see ``conversations.py``.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from gevent.event import AsyncResult

import gnet

from ..harness.connections import Connection, target_of
from ..harness.waiting import PATIENCE, turn, until
from .conversations import (
    ALL,
    CLOSED_IN_TURN,
    ENDED,
    MUCH,
    RESET,
    Ends,
    both,
    both_of,
    everywhere,
    flows,
    hears_errors,
    over_tcp,
    story,
)

Serve = Callable[..., gnet.Server]


# --- destroy ------------------------------------------------------------------------------------


@everywhere
def test_destroy_is_an_end_for_the_other(ends: Ends) -> None:
    pair = ends(None, flows)
    near = pair.near.sock
    assert near.destroy() is near
    assert (near.destroyed, near.closed, near.ready_state) == (True, True, 'closed')
    assert 'close' not in ' '.join(pair.near.trace)
    assert both(pair) == (['close False {closed}'], ['resume {open}', *CLOSED_IN_TURN])


@everywhere
def test_destroy_with_unread_data_in_the_kernel_is_a_reset_for_the_other(ends: Ends) -> None:
    pair = ends(None, hears_errors, near_options={'high_water_mark': 1})
    pair.far.sock.write(b'1')
    pair.near.wait('readable')  # the buffer is full
    pair.far.sock.write(b'2')
    pair.near.sock.destroy()
    assert both(pair) == (['readable {open}', 'close False {closed}'], RESET)


@everywhere
def test_destroy_with_an_error_is_an_end_for_the_other(ends: Ends) -> None:
    first, second = ValueError('first'), ValueError('second')
    heard: list[Any] = []

    def near(c: Connection) -> None:
        c.sock.on('error', heard.append)
        c.sock.on('error', lambda error: c.sock.destroy(second))
        c.sock.destroy(first)
        c.sock.destroy(second)
        c.note(f'{c.sock.destroyed} {c.sock.errored is first}')

    pair = ends(near)
    assert both(pair) == (
        ['True True', 'error ValueError: first {closed}', 'close True {closed}'], CLOSED_IN_TURN,
    )
    assert heard == [first]
    assert pair.near.sock.errored is first


@everywhere
def test_destroy_soon_sends_all_and_does_not_wait_for_the_other(ends: Ends) -> None:
    def near(c: Connection) -> None:
        c.sock.write(bytes(MUCH), c.noting('written'))
        assert c.sock.destroy_soon() is None
        c.note(c.sock.ready_state)
        c.sock.destroy_soon()

    pair = ends(near, flows, far_options={'allow_half_open': True})
    pair.near.until_closed()
    pair.far.wait('end')
    assert story(pair.near) == ['readOnly', 'written None', *ENDED, 'close False {closed}']
    assert pair.far.sock.bytes_read == MUCH
    assert pair.far.sock.ready_state == 'writeOnly'
    pair.far.sock.destroy()


@pytest.mark.parametrize('kind', ['tcp', 'unix'])
def test_destroy_soon_while_connecting(serve: Serve, tmp_path: Path, kind: str) -> None:
    accepted: AsyncResult[Any] = AsyncResult()
    server = serve(accepted.set, target={'path': str(tmp_path / 's')} if kind == 'unix' else None)
    c = Connection(gnet.Socket())
    c.sock.connect(target_of(server))
    c.sock.write(b'pending', c.noting('written'))
    c.sock.destroy_soon()
    c.until_closed()
    assert c.trace[1:] == [
        'connect {readOnly}', 'written None', 'ready {readOnly}', *ENDED, 'close False {closed}',
    ]
    sock = accepted.get(timeout=PATIENCE)
    until(lambda: sock.readable_length)
    assert sock.read() == b'pending'


def test_destroy_soon_without_a_connection() -> None:
    c = Connection(gnet.Socket())
    c.sock.destroy_soon()
    assert c.until_closed() == [*ENDED, 'close False {closed}']


# --- resets -------------------------------------------------------------------------------------


@over_tcp
def test_a_reset_is_an_error_for_the_other_only(ends: Ends) -> None:
    pair = ends(hears_errors, hears_errors)
    assert pair.near.sock.reset_and_destroy() is pair.near.sock
    assert pair.near.sock.destroyed
    assert pair.near.sock.reset_and_destroy().destroy() is pair.near.sock
    assert both(pair) == (['close False {closed}'], RESET)


def test_a_reset_while_connecting_waits_for_the_connection(serve: Serve) -> None:
    accepted: AsyncResult[Connection] = AsyncResult()

    def handler(sock: Any) -> None:
        connection = Connection(sock)
        hears_errors(connection)
        accepted.set(connection)

    server = serve(handler)
    c = Connection(gnet.Socket())
    c.sock.connect(target_of(server))
    assert c.sock.reset_and_destroy() is c.sock
    assert c.sock.connecting
    c.until_closed()
    assert c.trace[1:] == ['connect {open}', 'ready {closed}', 'close False {closed}']
    assert accepted.get(timeout=PATIENCE).until_closed() == RESET


def test_a_reset_while_connecting_and_then_destroy_is_silent(serve: Serve) -> None:
    server = serve()
    c = Connection(gnet.Socket())
    c.sock.connect(target_of(server))
    c.sock.reset_and_destroy().destroy()
    assert c.until_closed() == ['close False {closed}']


@pytest.mark.parametrize('ends', ALL[2:], indirect=True)
def test_a_unix_socket_cannot_be_reset(ends: Ends) -> None:
    pair = ends()
    with pytest.raises(gnet.CodedTypeError, match='This handle type cannot be sent') as caught:
        pair.near.sock.reset_and_destroy()
    assert caught.value.code == 'ERR_INVALID_HANDLE_TYPE'
    pair.near.sock.end()
    both(pair)


@over_tcp
@pytest.mark.parametrize('mode', ['nobody reads', 'paused', 'flowing', 'readable'])
def test_a_reset_is_noticed_in_every_mode(ends: Ends, mode: str) -> None:
    pair = ends(hears_errors)
    turn()
    if mode == 'paused':
        pair.near.sock.pause()
    elif mode == 'flowing':
        pair.near.sock.resume()
    elif mode == 'readable':
        pair.near.sock.on('readable', lambda: None)
    turn()
    pair.far.sock.reset_and_destroy()
    assert both(pair)[0] == [
        *{'paused': ['pause {open}'], 'flowing': ['resume {open}']}.get(mode, []), *RESET,
    ]


@over_tcp
def test_a_reset_is_met_by_a_write_while_the_buffer_is_full(ends: Ends) -> None:
    failures: list[Any] = []
    pair = ends(hears_errors, near_options={'high_water_mark': 1})
    pair.near.sock.on('error', failures.append)
    pair.far.sock.write(b'1')
    pair.near.wait('readable')
    pair.far.sock.write(b'2')
    # The descriptor is readable once more, which is when reading stops.
    turn()
    turn()
    pair.far.sock.reset_and_destroy()
    pair.far.until_closed()
    turn()
    assert story(pair.near) == ['readable {open}']

    def written(error: Any) -> None:
        failures.append(error)
        pair.near.noting('written')(error)

    assert pair.near.sock.write(b'x', written) is False
    assert both(pair)[0] == [
        'readable {open}', 'written ECONNRESET: write ECONNRESET',
        'error ECONNRESET: write ECONNRESET {closed}', 'close True {closed}',
    ]
    assert failures[0] is failures[1]


@over_tcp
def test_the_second_write_to_an_end_that_is_gone_fails(ends: Ends) -> None:
    pair = ends(both_of(hears_errors, flows), near_options={'allow_half_open': True})
    pair.far.sock.destroy()
    pair.near.wait('end')
    assert pair.near.sock.write(b'one', pair.near.noting('one')) is True
    pair.near.wait('one')
    turn()
    assert pair.near.sock.write(b'two', pair.near.noting('two')) is False
    assert both(pair)[0] == [
        'resume {open}', 'readable {open}', 'end {writeOnly}', 'one None', 'two EPIPE: write EPIPE',
        'error EPIPE: write EPIPE {closed}', 'close True {closed}',
    ]


@over_tcp
def test_a_reset_with_writes_pending(ends: Ends) -> None:
    def near(c: Connection) -> None:
        hears_errors(c)
        assert c.sock.write(bytes(MUCH), c.noting('first')) is False
        c.sock.write(b'x', c.noting('second'))
        c.sock.end(c.noting('ended'))

    pair = ends(near, None, far_options={'high_water_mark': 1})
    pair.far.wait('readable')
    pair.far.sock.reset_and_destroy()
    assert both(pair)[0] == [
        'error ECONNRESET: read ECONNRESET {closed}', 'first ECANCELED: write ECANCELED',
        'second ECONNRESET: read ECONNRESET', 'ended ECONNRESET: read ECONNRESET',
        'close True {closed}',
    ]


@over_tcp
def test_an_answer_before_a_reset_is_heard_although_a_write_is_pending(ends: Ends) -> None:
    def near(c: Connection) -> None:
        hears_errors(c)
        c.sock.on('data', lambda data: None)
        c.sock.write(bytes(MUCH), c.noting('written'))

    def far(c: Connection) -> None:
        c.sock.once('readable', lambda: c.sock.write(
            b'too much', lambda error: c.sock.reset_and_destroy()))

    pair = ends(near, far)
    assert both(pair)[0][:2] == ['resume {open}', "data b'too much' {open}"]
    assert pair.near.trace[-1] == 'close True {closed}'
