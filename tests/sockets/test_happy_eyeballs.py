"""Happy eyeballs: the order of attempts, their overlap, and what is left when one has won.

In contrast to Node, an attempt that has had its time goes on beside the next (RFC 8305).
"""

from __future__ import annotations

import errno
import os
import pickle
import socket
import sys
from collections.abc import Callable
from time import monotonic
from typing import Any

import gevent
import pytest
from gevent.event import Event

import gnet
from gnet.sockets.candidates import Candidate, interleave

from ..harness.connections import Connection
from ..harness.families import has_ipv6
from ..harness.leaks import CAN_LIST_DESCRIPTORS
from ..harness.plain import PlainSocket
from ..harness.waiting import PATIENCE, turn, until
from .hosts import Hosts, answers

Attempt = Callable[..., Connection]
MakeHosts = Callable[[dict[str, str]], Hosts]
Serve = Callable[..., gnet.Server]

A, B, C, D = '127.0.0.1', '127.0.0.2', '127.0.0.3', '127.0.0.4'
SIX = '::1'
NAME = 'x.test'

needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason='this machine has no ::1')


def brief(trace: list[str]) -> list[str]:
    """Shorten a trace: events of attempts with their address, others by name; no look-ups."""
    return [
        ' '.join(line.replace("'", '').split()[:2]) if line.startswith('connectionAttempt')
        else line.split()[0]
        for line in trace if not line.startswith('lookup')
    ]


def attempted(*addresses: str) -> list[str]:
    return [f'connectionAttempt {address}' for address in addresses]


# --- order --------------------------------------------------------------------------------------


@pytest.mark.parametrize(('given', 'expected'), [
    ('', ''), ('4a', '4a'), ('4a 4a', '4a'), ('4a 4b 6a 6b 4c', '4a 6a 4b 6b 4c'),
    ('6a 4a 4b', '6a 4a 4b'), ('6a 6b 6c 4a', '6a 4a 6b 6c'), ('4a 6a 4a 6a', '4a 6a'),
])
def test_families_alternate_in_the_order_of_the_resolver(given: str, expected: str) -> None:
    candidates = [Candidate(one, int(one[0])) for one in given.split()]
    assert ' '.join(one.address for one in interleave(candidates)) == expected


@needs_ipv6
def test_attempts_alternate_between_the_families(hosts: MakeHosts, attempt: Attempt) -> None:
    made = hosts({A: 'refuses', B: 'refuses', C: 'good', SIX: 'refuses'})
    c = attempt(None, made.port, NAME, lookup=answers(A, B, A, C, SIX))
    c.wait('ready')
    port = made.port
    failed = [
        f"connectionAttemptFailed '{one}' {port} {family} "
        f'ECONNREFUSED: connect ECONNREFUSED {one}:{port} {{opening}}'
        for one, family in ((A, 4), (SIX, 6), (B, 4))
    ]
    assert c.trace == [
        *(f"lookup None '{one}' {6 if one == SIX else 4} '{NAME}' {{opening}}"
          for one in (A, B, A, C, SIX)),
        f"connectionAttempt '{A}' {port} 4 {{opening}}", failed[0],
        f"connectionAttempt '{SIX}' {port} 6 {{opening}}", failed[1],
        f"connectionAttempt '{B}' {port} 4 {{opening}}", failed[2],
        f"connectionAttempt '{C}' {port} 4 {{opening}}", 'connect {open}', 'ready {open}',
    ]
    assert c.sock.auto_select_family_attempted_addresses == [
        f'{A}:{port}', f'{SIX}:{port}', f'{B}:{port}', f'{C}:{port}']
    assert c.sock.remote_address == C
    assert c.sock.errored is None


def test_one_candidate_is_connected_to_as_ever(hosts: MakeHosts, attempt: Attempt) -> None:
    port = hosts({A: 'refuses'}).port
    c = attempt(None, port, NAME, lookup=answers(A, A))
    c.wait('close')
    assert isinstance(c.sock.errored, ConnectionRefusedError)
    assert c.sock.auto_select_family_attempted_addresses is None


@pytest.mark.parametrize('options', [
    {'auto_select_family': False}, {'family': 4}, {'local_address': A},
], ids=str)
def test_options_that_leave_one_candidate(
    hosts: MakeHosts, attempt: Attempt, options: dict[str, Any],
) -> None:
    port = hosts({A: 'refuses', B: 'good'}).port
    c = attempt(None, port, NAME, lookup=answers(A, B), **options)
    assert brief(c.until_closed()) == [
        *attempted(A), f'connectionAttemptFailed {A}', 'error', 'close']
    assert c.sock.auto_select_family_attempted_addresses is None


def test_the_list_of_attempts_stays_until_several_are_tried_again(
    hosts: MakeHosts, attempt: Attempt,
) -> None:
    port = hosts({A: 'refuses', B: 'good'}).port
    c = attempt(None, port, NAME, lookup=answers(A, B))
    c.wait('ready')
    assert c.sock.autoSelectFamilyAttemptedAddresses == [f'{A}:{port}', f'{B}:{port}']
    c.sock.destroy()
    c.sock.connect(port, B)
    c.wait('ready', 2)
    assert c.sock.auto_select_family_attempted_addresses == [f'{A}:{port}', f'{B}:{port}']
    c.sock.destroy()
    c.sock.connect(port, NAME, lookup=answers(B, A))
    c.wait('ready', 3)
    assert c.sock.auto_select_family_attempted_addresses == [f'{B}:{port}']


# --- failure ------------------------------------------------------------------------------------


def test_the_failure_of_all_is_one_error(hosts: MakeHosts, attempt: Attempt) -> None:
    port = hosts({A: 'refuses', B: 'refuses'}).port
    c = attempt(None, port, NAME, lookup=answers(A, B))
    trace = c.until_closed()
    assert brief(trace) == [
        *attempted(A), f'connectionAttemptFailed {A}',
        *attempted(B), f'connectionAttemptFailed {B}', 'error', 'close']
    assert trace[-1] == 'close True {closed}'
    error = c.sock.errored
    assert isinstance(error, gnet.ConnectFailure)
    assert (error.code, [one.port for one in error.errors]) == (  # type: ignore[attr-defined]
        'ECONNREFUSED', [port, port])
    assert [str(one) for one in error.errors] == [
        f'connect ECONNREFUSED {A}:{port}', f'connect ECONNREFUSED {B}:{port}']
    for address in (A, B):
        assert f'{address}:{port}' in str(error)
    assert tuple(error.errors) == error.exceptions
    if sys.version_info >= (3, 11):
        assert isinstance(error, ExceptionGroup)  # noqa: F821  # ruff goes by the oldest Python
        assert error.split(ConnectionRefusedError)[1] is None
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.code) == (str(error), 'ECONNREFUSED')


def test_the_code_is_that_of_the_first_failure(hosts: MakeHosts, attempt: Attempt) -> None:
    port = hosts({A: 'refuses'}).port
    wrong = {'address': B, 'family': 6}
    for found, codes in (((A, wrong), ['ECONNREFUSED', 'EINVAL']),
                         ((wrong, A), ['EINVAL', 'ECONNREFUSED'])):
        c = attempt(None, port, NAME, lookup=answers(*found))
        c.wait('close')
        assert [one.code for one in c.sock.errored.errors] == codes
        assert c.sock.errored.code == codes[0]


def test_a_bind_that_fails_is_no_attempt(hosts: MakeHosts, attempt: Attempt) -> None:
    port = hosts({A: 'good', B: 'good'}).port
    taken = attempt(None, port, NAME, lookup=answers(A, B), local_port=70000)
    assert brief(taken.until_closed()) == ['error', 'close']
    assert [str(one) for one in taken.sock.errored.errors] == ['bind EINVAL 0.0.0.0:70000'] * 2
    assert taken.sock.auto_select_family_attempted_addresses == []


@pytest.mark.parametrize('call', [
    lambda sock: sock.recv(1), lambda sock: sock.sendall(b'x'), lambda sock: next(iter(sock)),
])
def test_blocking_callers_get_the_first_failure_and_all_as_its_cause(
    hosts: MakeHosts, call: Callable[[Any], object],
) -> None:
    port = hosts({A: 'refuses', B: 'refuses'}).port
    sock = gnet.connect(port, NAME, lookup=answers(A, B, when='tick'))
    with gevent.Timeout(PATIENCE), pytest.raises(ConnectionRefusedError) as caught:
        call(sock)
    assert str(caught.value) == f'connect ECONNREFUSED {A}:{port}'
    assert isinstance(caught.value.__cause__, gnet.ConnectFailure)
    assert caught.value.__cause__.errors[0] is caught.value


def test_a_local_port_is_for_all_attempts(hosts: MakeHosts, attempt: Attempt) -> None:
    made = hosts({A: 'slow', B: 'refuses', C: 'good'})
    with PlainSocket(socket.AF_INET, socket.SOCK_STREAM) as reserved:
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        reserved.bind(('0.0.0.0', 0))
        port = reserved.getsockname()[1]
        c = attempt(
            None, made.port, NAME, lookup=answers(A, B, C), local_port=port,
            auto_select_family_attempt_timeout=10)
        c.wait('ready')
        assert (c.sock.local_port, c.sock.remote_address) == (port, C)
        c.sock.destroy()


# --- slow attempts ------------------------------------------------------------------------------


def test_after_its_time_an_attempt_has_the_next_beside_it(
    hosts: MakeHosts, attempt: Attempt,
) -> None:
    made = hosts({A: 'slow', B: 'slow', C: 'good'})
    began: list[float] = []
    c = attempt(
        lambda c: c.sock.on('connectionAttempt', lambda *args: began.append(monotonic())),
        made.port, NAME, lookup=answers(A, B, C), auto_select_family_attempt_timeout=50)
    c.wait('ready')
    ended = monotonic()
    assert brief(c.trace) == [
        *attempted(A), f'connectionAttemptTimeout {A}', *attempted(B),
        f'connectionAttemptTimeout {B}', *attempted(C), 'connect', 'ready',
    ]
    assert c.trace[4] == f"connectionAttemptTimeout '{A}' {made.port} 4 {{opening}}"
    # Not before their time; and the last one is no slower for the others (generous: loaded hosts).
    assert 0.045 < began[1] - began[0] < 5
    assert 0.045 < began[2] - began[1] < 5
    assert ended - began[2] < 5


def test_less_than_10_milliseconds_are_10(hosts: MakeHosts, attempt: Attempt) -> None:
    made = hosts({A: 'slow', B: 'good'})
    began: list[float] = []
    c = attempt(
        lambda c: c.sock.on('connectionAttempt', lambda *args: began.append(monotonic())),
        made.port, NAME, lookup=answers(A, B), auto_select_family_attempt_timeout=1)
    c.wait('ready')
    assert began[1] - began[0] > 0.009


def test_a_slow_first_attempt_may_still_win(hosts: MakeHosts, attempt: Attempt) -> None:
    made = hosts({A: 'slow', B: 'slow'})
    c = attempt(
        None, made.port, NAME, lookup=answers(A, B), auto_select_family_attempt_timeout=10)
    c.wait(f"connectionAttempt '{B}'")
    made.open(A)
    c.wait('ready')
    assert c.sock.remote_address == A
    assert brief(c.trace) == [
        *attempted(A), f'connectionAttemptTimeout {A}', *attempted(B), 'connect', 'ready']


@pytest.mark.skipif(not CAN_LIST_DESCRIPTORS, reason='this system does not list descriptors')
def test_the_descriptors_of_the_losers_are_closed(hosts: MakeHosts, attempt: Attempt) -> None:
    made = hosts({A: 'slow', B: 'slow', C: 'slow', D: 'good'})
    counts: dict[str, int] = {}

    def setup(c: Connection) -> None:
        c.sock.on('connectionAttempt', lambda address, *rest: counts.setdefault(
            address, len(c.sock._connector.attempts)))
        c.sock.on('connect', lambda: counts.update(connect=open_sockets()))

    before = open_sockets()
    c = attempt(
        setup, made.port, NAME, lookup=answers(A, B, C, D), auto_select_family_attempt_timeout=10)
    c.wait('ready')
    # All four were there at once, and one is left when 'connect' is emitted.
    assert counts == {A: 1, B: 2, C: 3, D: 4, 'connect': before + 1}
    c.sock.destroy()
    assert open_sockets() == before


def open_sockets() -> int:
    """Return how many sockets this process has open."""
    count = 0
    for name in os.listdir('/proc/self/fd'):
        try:
            count += os.readlink(f'/proc/self/fd/{name}').startswith('socket:')
        except FileNotFoundError:
            continue  # that of the list itself
    return count


def test_a_failure_brings_the_next_attempt_before_its_time(
    hosts: MakeHosts, attempt: Attempt,
) -> None:
    made = hosts({A: 'refuses', B: 'good'})
    started = monotonic()
    c = attempt(
        None, made.port, NAME, lookup=answers(A, B), auto_select_family_attempt_timeout=60_000)
    c.wait('ready')
    assert monotonic() - started < 10
    assert brief(c.trace) == [
        *attempted(A), f'connectionAttemptFailed {A}', *attempted(B), 'connect', 'ready']


def test_a_failure_of_a_later_one_leaves_the_slow_one_its_chance(
    hosts: MakeHosts, attempt: Attempt,
) -> None:
    made = hosts({A: 'slow', B: 'refuses'})
    c = attempt(
        None, made.port, NAME, lookup=answers(A, B), auto_select_family_attempt_timeout=10)
    c.wait('connectionAttemptFailed')
    turn()
    assert (c.sock.connecting, c.sock.destroyed) == (True, False)
    made.open(A)
    c.wait('ready')
    assert brief(c.trace) == [
        *attempted(A), f'connectionAttemptTimeout {A}', *attempted(B),
        f'connectionAttemptFailed {B}', 'connect', 'ready']
    assert c.sock.remote_address == A


def test_the_last_attempt_has_no_time_limit(hosts: MakeHosts, attempt: Attempt) -> None:
    made = hosts({A: 'refuses', B: 'slow'})
    c = attempt(
        None, made.port, NAME, lookup=answers(A, B), auto_select_family_attempt_timeout=10)
    c.wait(f"connectionAttempt '{B}'")
    assert c.sock._connector.attempts.timer is None
    assert c.sock.connecting


def test_the_default_delay_is_used(hosts: MakeHosts, attempt: Attempt) -> None:
    made = hosts({A: 'slow', B: 'good'})
    gnet.set_default_auto_select_family_attempt_timeout(10)
    try:
        c = attempt(None, made.port, NAME, lookup=answers(A, B))
    finally:
        gnet.set_default_auto_select_family_attempt_timeout(250)
    c.wait('ready')
    gnet.set_default_auto_select_family(False)
    try:
        c = attempt(None, made.port, NAME, lookup=answers(A, B))
    finally:
        gnet.set_default_auto_select_family(True)
    c.wait(f"connectionAttempt '{A}'")
    assert (c.sock._connector.attempts.timer, c.sock.auto_select_family_attempted_addresses) == (
        None, None)


def test_the_idle_timer_is_independent(hosts: MakeHosts, attempt: Attempt) -> None:
    made = hosts({A: 'slow', B: 'slow'})
    c = attempt(
        lambda c: c.sock.set_timeout(20), made.port, NAME, lookup=answers(A, B),
        auto_select_family_attempt_timeout=60_000)
    c.wait('timeout')
    assert brief(c.trace) == [*attempted(A), 'timeout']
    assert c.sock.connecting


def test_queued_writes_survive_the_attempts(serve: Serve, hosts: MakeHosts) -> None:
    received: list[bytes] = []
    server = serve(lambda sock: sock.on('data', received.append), target={'host': B, 'port': 0})
    sock = gnet.connect(
        server.address().port, NAME, lookup=answers(A, B, when='tick'),
        auto_select_family_attempt_timeout=10)
    written: list[Any] = []
    sock.write('abc', written.append)
    sock.end('def')
    until(lambda: b''.join(received) == b'abcdef')
    assert written == [None]
    sock.destroy()


# --- giving up ----------------------------------------------------------------------------------


@pytest.mark.parametrize(('event', 'kinds'), [
    ('connectionAttempt', {A: 'slow', B: 'good'}),
    ('connectionAttemptFailed', {A: 'refuses', B: 'good'}),
    ('connectionAttemptTimeout', {A: 'slow', B: 'good'}),
])
def test_destroy_in_a_listener_stops_the_attempts(
    hosts: MakeHosts, attempt: Attempt, event: str, kinds: dict[str, str],
) -> None:
    made = hosts(kinds)
    c = attempt(
        lambda c: c.sock.on(event, lambda *args: c.sock.destroy()), made.port, NAME,
        lookup=answers(A, B, when='tick'), auto_select_family_attempt_timeout=10)
    middle = [] if event == 'connectionAttempt' else [f'{event} {A}']
    if event == 'connectionAttemptTimeout':
        middle.append(f'connectionAttemptFailed {A}')  # it was still going on
    assert brief(c.until_closed()) == [*attempted(A), *middle, 'close']
    assert c.trace[-1] == 'close False {closed}'


def test_destroy_while_several_are_on_their_way(hosts: MakeHosts, attempt: Attempt) -> None:
    made = hosts({A: 'slow', B: 'slow', C: 'slow'})
    c = attempt(
        None, made.port, NAME, lookup=answers(A, B, C), auto_select_family_attempt_timeout=10)
    c.wait(f"connectionAttempt '{B}'")
    attempts = c.sock._connector.attempts
    c.sock.destroy()
    assert (len(attempts), attempts._waiting, attempts.timer) == (0, [], None)
    port = made.port
    assert c.until_closed()[-3:] == [
        *(f"connectionAttemptFailed '{host}' {port} 4 ECANCELED: "
          f'connect ECANCELED {host}:{port} {{closed}}' for host in (A, B)),
        'close False {closed}',
    ]


def test_a_signal_during_the_attempts(hosts: MakeHosts, attempt: Attempt) -> None:
    made = hosts({A: 'slow', B: 'slow'})
    signal = Event()
    c = attempt(
        None, made.port, NAME, lookup=answers(A, B), auto_select_family_attempt_timeout=10,
        sock={'signal': signal})
    c.wait(f"connectionAttempt '{B}'")
    signal.set()
    assert brief(c.until_closed()[-4:]) == [
        'error', f'connectionAttemptFailed {A}', f'connectionAttemptFailed {B}', 'close']
    assert c.trace[-4] == 'error ABORT_ERR: The operation was aborted {closed}'
    assert c.trace[-1] == 'close True {closed}'


def test_listeners_of_attempts_may_block(hosts: MakeHosts, attempt: Attempt) -> None:
    made = hosts({A: 'slow', B: 'refuses', C: 'slow', D: 'good'})
    go_on = Event()

    def setup(c: Connection) -> None:
        # While it blocks at the second address, the times of others pass.
        c.sock.on('connectionAttempt', lambda address, *rest: address != B or go_on.wait(PATIENCE))

    c = attempt(
        setup, made.port, NAME, lookup=answers(A, B, C, D, when='tick'),
        auto_select_family_attempt_timeout=10)
    c.wait(f"connectionAttempt '{B}'")
    turn()
    go_on.set()
    c.wait('ready')
    assert c.sock.remote_address == D
    assert brief(c.trace) == [
        *attempted(A), f'connectionAttemptTimeout {A}', *attempted(B),
        f'connectionAttemptFailed {B}', *attempted(C), f'connectionAttemptTimeout {C}',
        *attempted(D), 'connect', 'ready']


def test_a_connection_made_while_a_listener_blocks_is_the_one(
    hosts: MakeHosts, attempt: Attempt,
) -> None:
    made = hosts({A: 'slow', B: 'good'})
    go_on = Event()

    def setup(c: Connection) -> None:
        c.sock.on('connectionAttempt', lambda address, *rest: address != B or go_on.wait(PATIENCE))
        c.sock.on('connect', go_on.set)

    c = attempt(
        setup, made.port, NAME, lookup=answers(A, B, when='tick'),
        auto_select_family_attempt_timeout=10)
    c.wait(f"connectionAttempt '{B}'")
    made.open(A)
    c.wait('ready')
    turn()
    assert c.sock.remote_address == A
    # It was announced, and given up before it began.
    assert c.sock.auto_select_family_attempted_addresses == [f'{A}:{made.port}']
    assert brief(c.trace)[-2:] == ['connect', 'ready']


def test_without_descriptors_every_attempt_fails(attempt: Attempt, serve: Serve) -> None:
    resource = pytest.importorskip('resource')
    port = serve().address().port
    turn()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest = os.dup(0)
    os.close(lowest)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, hard))
    try:
        c = attempt(None, port, NAME, lookup=answers(A, B))
        c.wait('close')
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert [one.errno for one in c.sock.errored.errors] == [errno.EMFILE] * 2
    assert c.sock.errored.code == 'EMFILE'
