"""Whole conversations between two gnet sockets, and what each end emits in which order.

The steps and the traces are those of a Node server and a Node client (sections 4.1 to 4.17 of the
reference). A scenario runs with its *near* end as the client and as the accepted socket, over TCP
and over a unix socket; what follows the opening must be the same.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from gevent.event import AsyncResult, Event

import gnet

from .common import PATIENCE, Connection, target_of, turn, until

Serve = Callable[..., gnet.Server]
Ends = Callable[..., 'Pair']

#: What a socket emits when it has ended itself before, and then the peer does; and the other way.
CLOSED_BY_PEER = ['readable {readOnly}', 'end {closed}', 'close False {closed}']
CLOSED_IN_TURN = [
    'readable {open}', 'end {writeOnly}', 'prefinish {closed}', 'finish {closed}',
    'close False {closed}',
]
ENDED = ['prefinish {readOnly}', 'finish {readOnly}']
RESET = ['error ECONNRESET: read ECONNRESET {closed}', 'close True {closed}']

#: What the kernels of two ends on one machine do not buffer.
MUCH = 20_000_000

TCP = ('client, tcp', 'server, tcp')
ALL = (*TCP, 'client, unix', 'server, unix')


class Pair(NamedTuple):
    near: Connection
    far: Connection
    server: gnet.Server


def story(c: Connection) -> list[str]:
    """Return the trace without the events of the opening, after a look at these."""
    if c.sock.server is not None:
        return c.trace
    attempt, connect, *rest = c.trace
    assert re.fullmatch(
        r"connectionAttempt ('127.0.0.1' \d+ 4|('.+'|\d+ characters) None None) {opening}", attempt)
    assert re.fullmatch(r'connect {\w+}', connect)
    # Between 'connect' and 'ready' is what the listener of 'connect' caused at once.
    ready = next(line for line in rest if line.startswith('ready'))
    return [line for line in rest if line is not ready]


def both(pair: Pair) -> tuple[list[str], list[str]]:
    """Wait until both ends are closed; return their stories."""
    pair.near.until_closed()
    pair.far.until_closed()
    return story(pair.near), story(pair.far)


@pytest.fixture
def ends(request: pytest.FixtureRequest, serve: Serve, tmp_path: Path) -> Ends:
    """``ends(near, far)`` connects two sockets.

    Each of the two functions is called with its :class:`Connection` when that has just been made:
    in 'connection' or in 'connect'.
    """
    role, kind = request.param.split(', ')

    def ends(
        near: Callable[[Connection], object] | None = None,
        far: Callable[[Connection], object] | None = None, *,
        near_options: dict[str, Any] | None = None, far_options: dict[str, Any] | None = None,
    ) -> Pair:
        setups = (near, far) if role == 'client' else (far, near)
        options = [near_options or {}, far_options or {}]
        if role == 'server':
            options.reverse()
        accepted: AsyncResult[Connection] = AsyncResult()
        ready = Event()

        def handler(sock: Any) -> None:
            connection = Connection(sock)
            if setups[1] is not None:
                setups[1](connection)
            accepted.set(connection)

        target = {'path': str(tmp_path / 's')} if kind == 'unix' else None
        server = serve(handler, target=target, **options[1])
        client = Connection(gnet.Socket(options[0]))
        client.sock.on('ready', ready.set)
        client.sock.connect(target_of(server))
        if setups[0] is not None:
            client.sock.once('connect', lambda: setups[0](client))
        assert ready.wait(PATIENCE)
        other = accepted.get(timeout=PATIENCE)
        return Pair(client, other, server) if role == 'client' else Pair(other, client, server)

    return ends


everywhere = pytest.mark.parametrize('ends', ALL, indirect=True)
over_tcp = pytest.mark.parametrize('ends', TCP, indirect=True)
as_client = pytest.mark.parametrize('ends', ['client, tcp', 'client, unix'], indirect=True)


def flows(c: Connection) -> None:
    c.sock.resume()


def hears_errors(c: Connection) -> None:
    c.sock.on('error', lambda error: None)


def both_of(*setups: Callable[[Connection], object]) -> Callable[[Connection], None]:
    def setup(c: Connection) -> None:
        for one in setups:
            one(c)

    return setup


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


# --- writing too late ---------------------------------------------------------------------------

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
