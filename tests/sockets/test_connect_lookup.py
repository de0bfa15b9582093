"""``connect`` to a name: what a look-up function is asked, and what becomes of its answers."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable
from typing import Any

import gevent
import pytest

import gnet

from ..harness.connections import Connection
from ..harness.waiting import PATIENCE, tick, turn, until
from .hosts import Hosts, answers

Attempt = Callable[..., Connection]
MakeHosts = Callable[[dict[str, str]], Hosts]
Serve = Callable[..., gnet.Server]

HERE = '127.0.0.1'
NAME = 'x.test'

#: Options of ``connect``, and those that the look-up function gets (measured).
ASKED: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({}, {'hints': socket.AI_ADDRCONFIG, 'all': True}),
    ({'hints': 0}, {'hints': socket.AI_ADDRCONFIG, 'all': True}),
    ({'hints': 8}, {'hints': 8, 'all': True}),
    # It is the function's own affair.
    ({'hints': 'x'}, {'hints': 'x', 'all': True}),
    ({'auto_select_family': False}, {'hints': socket.AI_ADDRCONFIG}),
    ({'local_address': HERE}, {'hints': socket.AI_ADDRCONFIG}),
    ({'family': 0}, {'family': 0, 'hints': socket.AI_ADDRCONFIG, 'all': True}),
    ({'family': 5}, {'family': 5, 'hints': socket.AI_ADDRCONFIG, 'all': True}),
    ({'family': 4}, {'family': 4, 'hints': 0}),
    ({'family': 'IPv6'}, {'family': 6, 'hints': 0}),
    ({'family': 6, 'auto_select_family': False}, {'family': 6, 'hints': 0}),
    ({'family': 4, 'hints': 8}, {'family': 4, 'hints': 8}),
]


@pytest.mark.parametrize(('options', 'expected'), ASKED, ids=str)
def test_what_the_look_up_function_is_asked(
    attempt: Attempt, options: dict[str, Any], expected: dict[str, Any],
) -> None:
    asked: list[Any] = []
    c = attempt(None, {
        'port': 1, 'host': NAME, 'lookup': lambda *args: asked.append(args), **options})
    # Called inside connect().
    [(host, given, callback)] = asked
    assert (host, given) == (NAME, {'family': None, **expected})
    assert callable(callback)
    assert (c.trace, c.sock.connecting) == ([], True)


def test_for_an_address_no_look_up_function_is_asked(serve: Serve, attempt: Attempt) -> None:
    asked: list[Any] = []
    c = attempt(None, serve().address().port, HERE, lookup=answers(HERE, asked=asked))
    c.wait('ready')
    assert asked == []
    assert not any(line.startswith('lookup') for line in c.trace)


@pytest.mark.parametrize('options', [{}, {'auto_select_family': False}], ids=['all', 'one'])
@pytest.mark.parametrize('when', ['now', 'tick', 'hub'])
def test_an_answer_may_come_any_time(
    serve: Serve, attempt: Attempt, when: str, options: dict[str, Any],
) -> None:
    port = serve().address().port
    c = attempt(None, port, NAME, lookup=answers(HERE, when=when), **options)
    begun = [
        f"lookup None '{HERE}' 4 '{NAME}' {{opening}}",
        f"connectionAttempt '{HERE}' {port} 4 {{opening}}",
    ]
    assert c.trace == (begun if when == 'now' else [])
    c.wait('ready')
    assert c.trace == [*begun, 'connect {open}', 'ready {open}']
    # One address is no happy eyeballs.
    assert c.sock.auto_select_family_attempted_addresses is None


def test_listeners_may_block_whoever_answers(serve: Serve, attempt: Attempt) -> None:
    def setup(c: Connection) -> None:
        for event in ('lookup', 'connectionAttempt', 'connect', 'ready'):
            c.sock.on(event, lambda *args: gevent.sleep(0.001))

    c = attempt(setup, serve().address().port, NAME, lookup=answers(HERE, when='hub'))
    c.wait('ready')


def test_a_second_answer_is_ignored(serve: Serve, attempt: Attempt) -> None:
    def look_up(host: str, options: Any, callback: Callable[..., object]) -> None:
        callback(None, [(HERE, 4)])
        callback(None, [('127.0.0.9', 4)])
        tick(callback, OSError('too late'))

    server = serve()
    c = attempt(None, server.address().port, NAME, lookup=look_up)
    c.wait('ready')
    turn()
    assert [line.split()[0] for line in c.trace] == [
        'lookup', 'connectionAttempt', 'connect', 'ready']
    assert c.sock.remote_address == HERE
    until(lambda: server.get_connections() == 1)


def test_an_answer_after_destroy_is_ignored(attempt: Attempt) -> None:
    callbacks: list[Callable[..., object]] = []
    c = attempt(None, 1, NAME, lookup=lambda host, options, callback: callbacks.append(callback))
    c.sock.destroy()
    callbacks[0](None, [(HERE, 4)])
    assert c.until_closed() == ['close False {closed}']


ERROR = ValueError('boom')

#: What a look-up function calls back with, and the code of the failure; for all addresses.
BAD_ANSWERS: list[tuple[tuple[Any, ...], str]] = [
    ((None, []), 'ENOTFOUND: getaddrinfo ENOTFOUND x.test'),
    ((None, None), 'ENOTFOUND: getaddrinfo ENOTFOUND x.test'),
    ((None,), 'ENOTFOUND: getaddrinfo ENOTFOUND x.test'),
    ((), 'ENOTFOUND: getaddrinfo ENOTFOUND x.test'),
    ((None, HERE, 4), 'ERR_INVALID_ADDRESS_FAMILY: Invalid address family: null x.test:7'),
    ((None, 5), 'ERR_INVALID_IP_ADDRESS: Invalid IP address: 5'),
    ((None, [5]), 'ERR_INVALID_IP_ADDRESS: Invalid IP address: 5'),
    ((None, ['nope']), 'ERR_INVALID_IP_ADDRESS: Invalid IP address: nope'),
    ((None, [(HERE, 4, 'more')]),
     "ERR_INVALID_IP_ADDRESS: Invalid IP address: [ '127.0.0.1', 4, 'more' ]"),
    ((None, [{}]), 'ERR_INVALID_IP_ADDRESS: Invalid IP address: null'),
    ((None, [('nope', 4)]), 'ERR_INVALID_IP_ADDRESS: Invalid IP address: nope'),
    ((None, [(HERE, 100), ('nope', 4)]),
     'ERR_INVALID_ADDRESS_FAMILY: Invalid address family: 100 x.test:7'),
    ((None, [(HERE, [])]), 'ERR_INVALID_ADDRESS_FAMILY: Invalid address family: [] x.test:7'),
    ((ERROR,), 'ValueError: boom'),
    ((ERROR, [(HERE, 4)]), 'ValueError: boom'),
    (('boom',), "'boom'"),
]

BAD_SINGLE_ANSWERS: list[tuple[tuple[Any, ...], str]] = [
    ((None, 'not-an-ip', 4), 'ERR_INVALID_IP_ADDRESS: Invalid IP address: not-an-ip'),
    ((None, HERE), 'ERR_INVALID_ADDRESS_FAMILY: Invalid address family: null x.test:7'),
    ((None, HERE, 100), 'ERR_INVALID_ADDRESS_FAMILY: Invalid address family: 100 x.test:7'),
    ((None, HERE, 'IPv4'), 'ERR_INVALID_ADDRESS_FAMILY: Invalid address family: IPv4 x.test:7'),
    ((None, [(HERE, 4)]), "ERR_INVALID_IP_ADDRESS: Invalid IP address: [ [ '127.0.0.1', 4 ] ]"),
    ((None,), 'ERR_INVALID_IP_ADDRESS: Invalid IP address: null'),
    ((ERROR,), 'ValueError: boom'),
    ((ERROR, HERE, 4), 'ValueError: boom'),
]


@pytest.mark.parametrize(('auto', 'answer', 'failure'), [
    *((True, *row) for row in BAD_ANSWERS), *((False, *row) for row in BAD_SINGLE_ANSWERS),
], ids=str)
def test_an_answer_that_is_no_use_fails_the_connection(
    attempt: Attempt, auto: bool, answer: tuple[Any, ...], failure: str,
) -> None:
    c = attempt(None, {
        'port': 7, 'host': NAME, 'auto_select_family': auto,
        'lookup': lambda host, options, callback: callback(*answer)})
    trace = c.until_closed()
    assert trace[-2:] == [f'error {failure} {{closed}}', 'close True {closed}']
    lookups = trace[:-2]
    assert lookups
    assert all(line.startswith('lookup') for line in lookups)
    if failure.startswith(('ENOTFOUND', 'ValueError', "'boom'")):
        assert lookups == [f"lookup {failure} None None '{NAME}' {{opening}}"]


def test_the_error_of_a_family_that_is_none_has_host_and_port(attempt: Attempt) -> None:
    c = attempt(None, 7, NAME, lookup=lambda host, options, callback: callback(None, [(HERE, 5)]))
    c.wait('error')
    assert (c.sock.errored.host, c.sock.errored.port) == (NAME, 7)


def test_an_empty_answer_is_a_gaierror(attempt: Attempt) -> None:
    c = attempt(None, 7, NAME, lookup=answers())
    c.wait('error')
    error = c.sock.errored
    assert isinstance(error, socket.gaierror)
    assert (error.code, error.syscall, error.hostname, error.errno) == (  # type: ignore[attr-defined]
        'ENOTFOUND', 'getaddrinfo', NAME, socket.EAI_NONAME)


def test_a_look_up_function_that_raises_makes_connect_raise(attempt: Attempt) -> None:
    def look_up(*args: Any) -> None:
        raise ERROR

    c = Connection(gnet.Socket())
    with pytest.raises(ValueError, match='boom'):
        c.sock.connect(7, NAME, lookup=look_up)
    assert (c.sock.destroyed, c.sock.connecting) == (True, False)
    assert c.until_closed() == ['close False {closed}']


def test_an_address_of_another_family_than_it_says(serve: Serve, attempt: Attempt) -> None:
    port = serve().address().port
    c = attempt(None, port, NAME, lookup=answers((HERE, 6)))
    assert (c.sock.destroyed, c.sock.connecting) == (True, False)
    c.wait('error')
    assert (c.sock.errored.code, c.sock.errored.errno) == ('EINVAL', errno.EINVAL)
    assert str(c.sock.errored).startswith(f'connect EINVAL {HERE}:{port} - Local (')


def test_invalid_answers_are_left_out_and_doubles_dropped(serve: Serve, attempt: Attempt) -> None:
    port = serve().address().port
    c = attempt(None, port, NAME, lookup=answers(('nope', 4), (HERE, 4), (HERE, 5), (HERE, 4)))
    c.wait('ready')
    assert c.trace == [
        *(f"lookup None '{address}' {family} '{NAME}' {{opening}}"
          for address, family in (('nope', 4), (HERE, 4), (HERE, 5), (HERE, 4))),
        f"connectionAttempt '{HERE}' {port} 4 {{opening}}", 'connect {open}', 'ready {open}',
    ]


@pytest.mark.parametrize('found', [
    [(HERE, 4)], ((HERE, 4),), iter([(HERE, 4)]), [{'address': HERE, 'family': 4}],
], ids=['list', 'tuple', 'iterator', 'mappings'])
def test_addresses_may_come_in_several_shapes(serve: Serve, attempt: Attempt, found: Any) -> None:
    c = attempt(
        None, serve().address().port, NAME,
        lookup=lambda host, options, callback: callback(None, found))
    c.wait('ready')


@pytest.mark.parametrize('auto', [True, False])
def test_destroy_in_a_listener_of_lookup(attempt: Attempt, serve: Serve, auto: bool) -> None:
    c = attempt(
        lambda c: c.sock.on('lookup', lambda *args: c.sock.destroy()),
        serve().address().port, NAME, lookup=answers(HERE, '127.0.0.2'), auto_select_family=auto)
    assert c.until_closed() == [
        f"lookup None '{HERE}' 4 '{NAME}' {{opening}}", 'close False {closed}']


def test_a_refused_name_with_one_address_is_a_plain_failure(
    hosts: MakeHosts, attempt: Attempt,
) -> None:
    port = hosts({HERE: 'refuses'}).port
    c = attempt(None, port, NAME, lookup=answers(HERE))
    text = f'ECONNREFUSED: connect ECONNREFUSED {HERE}:{port}'
    assert c.until_closed() == [
        f"lookup None '{HERE}' 4 '{NAME}' {{opening}}",
        f"connectionAttempt '{HERE}' {port} 4 {{opening}}",
        f"connectionAttemptFailed '{HERE}' {port} 4 {text} {{open}}",
        f'error {text} {{closed}}', 'close True {closed}',
    ]
    assert c.sock.auto_select_family_attempted_addresses is None


# --- the resolver of the system -----------------------------------------------------------------


@pytest.mark.parametrize('options', [{}, {'auto_select_family': False}], ids=['all', 'one'])
def test_a_name_that_does_not_exist(attempt: Attempt, options: dict[str, Any]) -> None:
    c = attempt(None, 7, 'name.invalid', **options)
    assert (c.trace, c.sock.connecting) == ([], True)
    c.wait('close')
    error = c.sock.errored
    assert isinstance(error, socket.gaierror)
    assert error.code in ('ENOTFOUND', 'EAI_AGAIN')  # type: ignore[attr-defined]  # without network
    text = f'{error.code}: getaddrinfo {error.code} name.invalid'  # type: ignore[attr-defined]
    assert c.trace == [
        f"lookup {text} None None 'name.invalid' {{opening}}", f'error {text} {{closed}}',
        'close True {closed}',
    ]
    assert (error.hostname, error.syscall) == (  # type: ignore[attr-defined]
        'name.invalid', 'getaddrinfo')
    assert not hasattr(error, 'port')


@pytest.mark.parametrize('host', ['x' * 64, '.', 'a..b', 'x' * 300])
def test_a_name_that_cannot_be_one(attempt: Attempt, host: str) -> None:
    c = attempt(None, 7, host)
    c.wait('close')
    assert isinstance(c.sock.errored, socket.gaierror)
    assert c.sock.errored.hostname == host  # type: ignore[attr-defined]


@pytest.mark.parametrize('family', [4, 'IPv4'])
def test_localhost_of_one_family(serve: Serve, attempt: Attempt, family: Any) -> None:
    c = attempt(None, serve().address().port, family=family)
    c.wait('ready')
    assert c.trace[0] == f"lookup None '{HERE}' 4 'localhost' {{opening}}"
    assert c.sock.remote_address == HERE


def test_destroy_while_the_resolver_works(attempt: Attempt) -> None:
    c = attempt(None, 7, 'localhost')
    c.sock.destroy()
    assert c.until_closed() == ['close False {closed}']


def test_a_blocking_call_raises_what_the_look_up_failed_with() -> None:
    with gevent.Timeout(PATIENCE), pytest.raises(socket.gaierror, match=r'name\.invalid'):
        gnet.Socket().connect(('name.invalid', 7))


@pytest.mark.parametrize('single', [False, True])
@pytest.mark.parametrize(('raised', 'code', 'number'), [
    (RuntimeError("can't start new thread"), 'EAI_AGAIN', socket.EAI_AGAIN),
    (MemoryError(), 'EAI_AGAIN', socket.EAI_AGAIN),
    (OSError(errno.EMFILE, 'Too many open files'), 'EMFILE', errno.EMFILE),
    (socket.gaierror(socket.EAI_AGAIN, 'later'), 'EAI_AGAIN', socket.EAI_AGAIN),
    (KeyError('a mistake in the resolver'), 'EAI_FAIL', socket.EAI_FAIL),
])
def test_a_resolver_that_breaks_fails_the_connection(
    attempt: Attempt, monkeypatch: pytest.MonkeyPatch, raised: Exception, code: str, number: int,
    single: bool,
) -> None:
    def broken(*args: Any) -> None:
        raise raised

    monkeypatch.setattr(gevent.socket, 'getaddrinfo', broken)
    c = attempt(None, 7, NAME, **({'family': 4} if single else {}))
    text = f'{code}: getaddrinfo {code} {NAME}'
    assert c.until_closed() == [
        f"lookup {text} None None '{NAME}' {{opening}}", f'error {text} {{closed}}',
        'close True {closed}',
    ]
    error = c.sock.errored
    assert (error.code, error.errno, error.syscall, error.hostname) == (
        code, number, 'getaddrinfo', NAME)
    assert error.__cause__ is raised


def test_a_script_may_end_with_a_connect_to_a_name(
    hosts: MakeHosts, run_script: Callable[..., Any],
) -> None:
    port = hosts({HERE: 'refuses'}).port
    status, out, err = run_script(f"""
        import gnet
        sock = gnet.connect({port}, 'localhost', family=4)
        sock.on('error', lambda error: print(error.code))
    """, env={'GNET_STAY_ALIVE': '1'})
    assert (status, out, err) == (0, 'ECONNREFUSED\n', '')
