"""Servers and plain sockets that are sent to another process."""

from __future__ import annotations

import socket as stdlib
from typing import Any

import pytest
from gevent import socket as cooperative

from ..harness.plain import PlainSocket
from .common import ask, sent

# --- servers ------------------------------------------------------------------------------------


def test_a_server_that_is_sent_accepts_in_both_processes(
    fork: Any, serve: Any, connect: Any, family: Any,
) -> None:
    child = fork("""
        import gnet
        def take(message, server):
            server.on('connection', lambda sock: sock.end('child'))
            address = server.address()
            gnet.process.send([server.listening, server._connection_key,
                               address and list(address), server.max_connections])
            gnet.process.once('message', lambda *args: server.close())
        gnet.process.once('message', take)
    """)
    server = serve(lambda sock: sock.end('parent'), target=family.listen_options)
    server.max_connections = 5
    assert sent(child, 'take', server) is None
    address = None if family.path else list(server.address())
    assert child.message() == [True, '-1:null:-1', address, None]
    assert server.listening
    assert not server._using_workers
    server.max_connections = None
    assert {ask(connect(server)) for _ in range(50)} <= {b'parent', b'child'}
    # Now the child alone. (The socket file is the parent's, and goes with it.)
    if family.path is None:
        address = server.address()
        server.close()
        assert {ask(connect(tuple(address)[::2])) for _ in range(3)} == {b'child'}
    child.send('close')
    assert child.wait() == (0, None)


def test_a_closed_server_of_the_child_leaves_the_parents_alone(
    fork: Any, serve: Any, connect: Any, family: Any,
) -> None:
    child = fork("""
        import gnet
        gnet.process.once('message', lambda message, server: server.close())
    """)
    server = serve(lambda sock: sock.end('parent'), target=family.listen_options)
    child.send('take', server)
    assert child.wait() == (0, None)
    assert connect(server).recv_until_end() == b'parent'


# --- sockets of the standard library and of gevent ----------------------------------------------


@pytest.mark.parametrize('kind', [PlainSocket, cooperative.socket])
@pytest.mark.parametrize('keep_open', [False, True])
def test_a_plain_connected_socket(fork: Any, kind: Any, keep_open: bool) -> None:
    child = fork("""
        import gnet
        def take(message, sock):
            gnet.process.send(f'{type(sock).__module__}.{type(sock).__name__}')
            sock.sendall(sock.recv(10).upper())
            sock.close()
            # gevent may put the closing off until something happens: let it be the end.
            gnet.process.disconnect()
        gnet.process.on('message', take)
    """)
    ours, theirs = stdlib.socketpair()
    moved = kind(theirs.family, theirs.type, theirs.proto, fileno=theirs.detach())
    assert sent(child, 'take', moved, keep_open=keep_open) is None
    assert (moved.fileno() >= 0) is keep_open
    ours.setblocking(False)
    with cooperative.socket(ours.family, ours.type, ours.proto, fileno=ours.detach()) as peer:
        peer.sendall(b'text')
        assert peer.recv(10) == b'TEXT'
        moved.close()
        assert peer.recv(10) == b''
    assert child.message() == 'gevent._socket3.socket'


def test_a_plain_listening_socket_is_shared(fork: Any, connect: Any) -> None:
    child = fork("""
        import gnet
        gnet.process.on('message', lambda message, sock: sock.accept()[0].sendall(b'child'))
    """)
    with PlainSocket() as listener:
        listener.bind(('127.0.0.1', 0))
        listener.listen()
        assert sent(child, 'take', listener) is None
        assert listener.fileno() >= 0
        assert connect(listener.getsockname()).recv_until_end() == b'child'


def test_a_datagram_socket_is_shared(fork: Any) -> None:
    child = fork("""
        import gnet
        gnet.process.on('message', lambda message, sock: gnet.process.send(sock.recv(9).decode()))
    """)
    with PlainSocket(stdlib.AF_INET, stdlib.SOCK_DGRAM) as datagrams:
        datagrams.bind(('127.0.0.1', 0))
        assert sent(child, 'take', datagrams) is None
        datagrams.sendto(b'datagram', datagrams.getsockname())
        assert child.message() == 'datagram'
