"""Properties and options of a client through its life, beside a plain peer."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

import pytest
from gevent.event import Event

import gnet

from ..harness.connections import Connection, target_of
from ..harness.families import Family
from ..harness.waiting import PATIENCE

Dial = Callable[..., Connection]


# --- properties ---------------------------------------------------------------------------------

#: Section 5 of the reference, by column: new, connecting, connected, after own end(), in 'end'
#: (nothing was ended here), after 'close' of both ends. None stands for what Node leaves undefined.
LIFE: dict[str, tuple[Any, ...]] = {
    'connecting': (False, True, False, False, False, False),
    'pending': (True, True, False, False, False, True),
    'ready_state': ('open', 'opening', 'open', 'readOnly', 'writeOnly', 'closed'),
    'destroyed': (False, False, False, False, False, True),
    'closed': (False, False, False, False, False, True),
    'readable': (True, True, True, True, False, False),
    'writable': (True, True, True, False, True, False),
    'readable_ended': (False, False, False, False, True, True),
    'writable_ended': (False, False, False, True, False, True),
    'writable_finished': (False, False, False, False, False, True),
    'readable_flowing': (None, None, True, True, True, True),
    'readable_aborted': (False, False, False, False, False, False),
    'readable_did_read': (False, False, False, False, False, False),
    'buffer_size': (None, 0, 0, 0, 0, None),
    'writable_length': (0, 0, 0, 0, 0, 0),
    'writable_need_drain': (False, False, False, False, False, False),
    'writable_corked': (0, 0, 0, 0, 0, 0),
    'errored': (None, None, None, None, None, None),
    'timeout': (None, None, None, None, None, None),
    'server': (None, None, None, None, None, None),
    'readable_encoding': (None, None, None, None, None, None),
    'readable_high_water_mark': (65536,) * 6,
    'writable_high_water_mark': (65536,) * 6,
    'bytes_read': (0, 0, 0, 0, 0, 0),
    'bytes_written': (0, 0, 0, 0, 0, 0),
    'allow_half_open': (False,) * 6,
    'auto_select_family_attempted_addresses': (None,) * 6,
}


def test_properties_through_the_life_of_a_client(dial: Dial) -> None:
    seen: dict[str, list[Any]] = {name: [] for name in LIFE}

    def look(sock: Any) -> None:
        for name, values in seen.items():
            values.append(getattr(sock, name))

    look(gnet.Socket())
    ended = dial(lambda c: look(c.sock))
    ended.wait('ready')
    ended.sock.resume()
    look(ended.sock)
    ended.sock.end()
    look(ended.sock)
    half = dial(lambda c: c.sock.on('end', lambda: look(c.sock)).resume())
    half.peer.end()
    half.until_closed()
    look(half.sock)
    assert {name: tuple(values) for name, values in seen.items()} == LIFE


def test_addresses_through_the_life_of_a_client(dial: Dial, family: Family) -> None:
    names = ('local_address', 'local_port', 'local_family', 'remote_address', 'remote_port',
             'remote_family')

    def seen(sock: Any) -> tuple[Any, ...]:
        return tuple(getattr(sock, name) for name in names)

    nothing = (None,) * 6
    c = dial(lambda c: c.note(str(seen(c.sock) == nothing)), family=family)
    assert 'True' in c.trace
    c.wait('ready')
    if family.name == 'unix':
        assert seen(c.sock) == nothing
        assert c.sock.address() is None
    else:
        name = {'ipv4': 'IPv4', 'ipv6': 'IPv6'}[family.name]
        local, remote = c.peer.getpeername(), c.peer.getsockname()
        assert seen(c.sock) == (local[0], local[1], name, remote[0], remote[1], name)
        assert c.sock.address() == (local[0], name, local[1])
    c.sock.destroy()
    assert c.sock.address() is None
    assert seen(c.sock)[:3] == nothing[:3]


def test_properties_when_the_connection_fails(dial: Dial) -> None:
    c = dial()
    c.listener.close()
    failing = Connection(gnet.Socket())
    seen: list[tuple[Any, ...]] = []

    def look(*_: object) -> None:
        sock = failing.sock
        seen.append((sock.connecting, sock.pending, sock.destroyed, sock.ready_state))

    failing.sock.on('connectionAttemptFailed', look)
    failing.sock.on('error', look)
    failing.sock.connect(c.target)
    failing.until_closed()
    assert seen == [(False, False, False, 'open'), (False, True, True, 'closed')]
    assert failing.sock.address() is None


# --- options that were set before ---------------------------------------------------------------

TCP_OPTIONS = [
    (lambda sock: sock.set_no_delay(), socket.IPPROTO_TCP, 'TCP_NODELAY', 1),
    (lambda sock: sock.set_no_delay(True).set_no_delay(False),
     socket.IPPROTO_TCP, 'TCP_NODELAY', 0),
    (lambda sock: sock.set_keep_alive(True), socket.SOL_SOCKET, 'SO_KEEPALIVE', 1),
    (lambda sock: sock.set_keep_alive(True, 7999), socket.IPPROTO_TCP, 'TCP_KEEPIDLE', 7),
    (lambda sock: sock.set_keep_alive(True, 5000), socket.IPPROTO_TCP, 'TCP_KEEPINTVL', 1),
    (lambda sock: sock.set_keep_alive(True, 5000, 3000, 4), socket.IPPROTO_TCP, 'TCP_KEEPCNT', 4),
    (lambda sock: sock.set_keep_alive({'enable': True, 'initialDelay': 9000}),
     socket.IPPROTO_TCP, 'TCP_KEEPIDLE', 9),
]


@pytest.mark.parametrize('moment', ['before connect', 'while connecting', 'in connect', 'after'])
@pytest.mark.parametrize(('set_it', 'level', 'name', 'value'), TCP_OPTIONS)
def test_options_may_be_set_at_any_time(
    dial: Dial, moment: str, set_it: Callable[[Any], Any], level: int, name: str, value: int,
) -> None:
    if moment == 'before connect':
        listening = dial()
        c = Connection(gnet.Socket())
        assert set_it(c.sock) is c.sock
        c.sock.connect(listening.target)
    else:
        c = dial({
            'while connecting': lambda c: set_it(c.sock),
            'in connect': lambda c: c.sock.once('connect', lambda: set_it(c.sock)),
        }.get(moment))
    c.wait('ready')
    if moment == 'after':
        set_it(c.sock)
    assert bool(c.sock.getsockopt(level, getattr(socket, name))) == bool(value)
    if value > 1:
        assert c.sock.getsockopt(level, getattr(socket, name)) == value
    c.sock.destroy()


def test_options_are_in_force_in_connect_and_after_a_reconnect(dial: Dial) -> None:
    seen: list[int] = []
    c = dial(lambda c: c.sock.set_no_delay().on('connect', lambda: seen.append(
        c.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))))
    c.wait('ready')
    c.sock.destroy()
    c.until_closed()
    c.sock.connect(c.target)
    c.wait('ready', 2)
    assert [bool(value) for value in seen] == [True, True]


def test_options_mean_nothing_on_a_unix_socket(dial: Dial, tmp_path: Any) -> None:
    c = dial(lambda c: c.sock.set_no_delay().set_keep_alive(True, 5000),
             family=Family('unix', path=str(tmp_path / 's')))
    c.wait('ready')
    assert c.sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 0


@pytest.mark.parametrize('options', [
    {'no_delay': True}, {'noDelay': 1}, {'keep_alive': True, 'keep_alive_initial_delay': 3000},
])
def test_options_of_gnet_connect_are_applied(
    plain_listener: Callable[..., Any], options: dict[str, Any],
) -> None:
    connected = Event()
    sock = gnet.connect({**target_of(plain_listener()), **options}, connected.set)
    assert connected.wait(PATIENCE)
    if 'keep_alive' in options:
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 3
    else:
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    sock.destroy()
