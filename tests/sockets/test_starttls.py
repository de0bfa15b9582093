"""TLS on a connection that gnet has read from: nothing that came before is lost without a word."""

from __future__ import annotations

import gc
import socket
import ssl
from collections.abc import Callable
from typing import Any

import gevent.socket
import gevent.ssl
import pytest

import gnet
from gnet.processes.sendable import outgoing

from ..harness.connections import Connection, code
from ..harness.families import Family
from ..harness.plain import PlainSocket
from ..harness.waiting import until

Hold = Callable[..., Connection]

#: What a client begins TLS with: a record of a handshake.
HELLO = b'\x16\x03\x01\x00\x05hello'

CLASSES = pytest.mark.parametrize('cls', [gevent.socket.socket, PlainSocket])
MODULES = pytest.mark.parametrize('module', [ssl, gevent.ssl], ids=['ssl', 'gevent.ssl'])


def context_of(module: Any) -> Any:
    return module.SSLContext(ssl.PROTOCOL_TLS_SERVER)


@pytest.fixture
def read_ahead(hold: Hold, family: Family) -> Connection:
    """A connection whose peer has begun with TLS too early."""
    c = hold(target=family.listen_options)
    c.peer.sendall(HELLO)
    until(lambda: c.sock.bytes_read == len(HELLO))
    return c


@CLASSES
@MODULES
def test_a_hello_that_was_read_ahead_is_an_error_of_wrap_socket_and_not_lost(
    read_ahead: Connection, cls: Any, module: Any,
) -> None:
    with read_ahead.sock.to_socket(cls) as plain:
        with pytest.raises(gnet.CodedRuntimeError, match='before the peer is told') as caught:
            context_of(module).wrap_socket(plain, server_side=True)
        assert code(caught.value) == 'ERR_READ_AHEAD'
        gc.collect()  # nothing of the attempt has the descriptor
        assert plain.recv(100) == HELLO
        plain.sendall(b'plain')
        assert read_ahead.peer.recv_exactly(5) == b'plain'


@MODULES
def test_wrap_socket_of_the_gnet_socket_itself_says_so_too(
    read_ahead: Connection, module: Any,
) -> None:
    with pytest.raises(gnet.CodedRuntimeError) as caught:
        context_of(module).wrap_socket(read_ahead.sock, server_side=True)
    assert code(caught.value) == 'ERR_READ_AHEAD'
    assert read_ahead.sock.recv(100) == HELLO


@CLASSES
@MODULES
def test_when_all_was_read_tls_may_begin(hold: Hold, cls: Any, module: Any) -> None:
    c = hold()
    c.peer.sendall(b'STARTTLS\n')
    until(lambda: c.sock.bytes_read == 9)
    plain = c.sock.to_socket(cls)
    assert plain.recv(100) == b'STARTTLS\n'
    plain.sendall(b'go ahead\n')  # only now does the peer begin
    assert c.peer.recv_exactly(9) == b'go ahead\n'
    plain.settimeout(None)
    with context_of(module).wrap_socket(
        plain, server_side=True, do_handshake_on_connect=False,
    ) as wrapped:
        assert plain.fileno() == -1
        c.peer.end()
        with pytest.raises(OSError, match=r'EOF|closed'):
            wrapped.do_handshake()  # it reads from the connection


@CLASSES
def test_who_takes_the_descriptor_is_told_what_is_unread(
    read_ahead: Connection, cls: Any,
) -> None:
    with read_ahead.sock.to_socket(cls) as plain:
        with pytest.raises(gnet.CodedRuntimeError) as caught:
            plain.detach()
        assert code(caught.value) == 'ERR_READ_AHEAD'
        assert plain.getsockopt(socket.SOL_SOCKET, socket.SO_TYPE) == socket.SOCK_STREAM
        assert plain.recv(100) == HELLO
        number = plain.detach()
        PlainSocket(fileno=number).close()


@CLASSES
def test_a_socket_that_comes_back_brings_what_was_unread(
    read_ahead: Connection, cls: Any,
) -> None:
    plain = read_ahead.sock.to_socket(cls)
    assert plain.recv(3) == HELLO[:3]
    with gnet.Socket.from_socket(plain) as again:
        read_ahead.peer.sendall(b' and more')
        read_ahead.peer.end()
        assert b''.join(again) == HELLO[3:] + b' and more'


@CLASSES
def test_one_that_cannot_come_back_keeps_it(read_ahead: Connection, cls: Any) -> None:
    with read_ahead.sock.to_socket(cls) as plain, plain.makefile('rb'):
        with pytest.raises(ValueError, match='makefile'):
            gnet.Socket.from_socket(plain)
        assert plain.recv(100) == HELLO


@CLASSES
def test_what_is_unread_does_not_get_lost_on_the_way_to_another_process(
    read_ahead: Connection, cls: Any,
) -> None:
    with read_ahead.sock.to_socket(cls) as plain:
        with pytest.raises(gnet.CodedRuntimeError) as caught:
            outgoing(plain, False, lambda server: None)
        assert code(caught.value) == 'ERR_READ_AHEAD'
        assert plain.recv(100) == HELLO
