"""Link-local addresses: the scope of the standard library's form, and addresses without a zone."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

import pytest

import gnet

from ..harness.connections import Connection
from ..harness.plain import PlainSocket
from ..harness.waiting import PATIENCE

Attempt = Callable[..., Connection]

#: A number that no interface has.
NOWHERE = 2**31 - 2


def own_addresses() -> list[tuple[str, int]]:
    """Return the link-local addresses of this machine, with the number of their interface."""
    found = []
    for number, _ in socket.if_nameindex():
        with PlainSocket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
            try:
                probe.connect(('fe80::1', 9, 0, number))
            except OSError:
                continue
            name = probe.getsockname()
            if name[0].startswith('fe80:'):
                found.append((name[0].partition('%')[0], number))
    return found


@pytest.fixture
def listener() -> Any:
    """A plain socket that listens at the first link-local address of this machine."""
    own = own_addresses() if socket.has_ipv6 else []
    if not own:
        pytest.skip('this machine has no link-local address')
    with PlainSocket(socket.AF_INET6, socket.SOCK_STREAM) as plain:
        plain.bind((own[0][0], 0, 0, own[0][1]))
        plain.listen()
        yield plain


@pytest.mark.parametrize('how', ['connect', 'connect_ex'])
@pytest.mark.parametrize('form', [
    lambda host, port, number: (host, port, 0, number),
    lambda host, port, number: (f'{host}%{number}', port),
    lambda host, port, number: (f'{host}%{socket.if_indextoname(number)}', port, 0, 0),
    # As in the standard library, the number wins.
    lambda host, port, number: (f'{host}%{NOWHERE}', port, 0, number),
    lambda host, port, number: (host, port),
], ids=['scope', 'zone', 'name', 'both', 'none'])
def test_a_link_local_address_is_connected_to(
    listener: PlainSocket, how: str, form: Callable[..., Any],
) -> None:
    host, port, _, number = listener.getsockname()
    with gnet.Socket() as sock:
        sock.settimeout(PATIENCE)
        assert not getattr(sock, how)(form(host.partition('%')[0], port, number))
        assert sock.getpeername() == listener.getsockname()
        assert sock.remote_address == f'{host.partition("%")[0]}%{socket.if_indextoname(number)}'


def test_in_event_style_without_a_zone(listener: PlainSocket, attempt: Attempt) -> None:
    host, port, _, _ = listener.getsockname()
    bare = host.partition('%')[0]
    c = attempt(None, port, bare.upper())
    c.wait('ready')
    assert c.trace[0] == f"connectionAttempt '{bare.upper()}' {port} 6 {{opening}}"


def test_a_scope_that_is_none_is_what_the_error_names() -> None:
    sock = gnet.Socket()
    with pytest.raises(OSError, match='connect E') as error:
        sock.connect(('fe80::1', 9, 0, NOWHERE))
    assert error.value.address == f'fe80::1%{NOWHERE}'
    # Of other addresses the system does not look at it.
    with pytest.raises(OSError, match='connect E') as error:
        gnet.Socket().connect(('::1', 0, 0, NOWHERE))
    assert error.value.address == '::1'
