"""``gnet.live()`` of TLS: one entry for each connection, and the handlers of 'secureConnection'."""

from __future__ import annotations

from typing import Any

import gnet

from ..harness.waiting import until


def sockets() -> list[gnet.LiveEntry]:
    return gnet.live().of('socket')


def test_a_secure_connection_and_its_handler_are_told(accept_tls: Any) -> None:
    def setup(connection: Any) -> None:
        assert connection.sock.recv(5) == b'hello'
        connection.sock.recv(1)

    made = accept_tls(setup)
    made.peer.sendall(b'hello')
    until(lambda: gnet.live().of('handler') and made.sock.bytes_read)
    until(lambda: [each.where.function for each in gnet.live().of('handler')  # type: ignore[union-attr]
                   ] == ['setup'])
    handler, = gnet.live().of('handler')
    sock, = sockets()
    assert (sock.id, sock.name, sock.state) == (id(made.sock), 'TLSSocket', 'open')
    assert (handler.peer, handler.server) == (sock.peer, sock.server)
    assert (sock.keeps_alive, handler.keeps_alive) == (True, True)
    server, = gnet.live().of('server')
    assert (server.local, server.connections) == (sock.server, 1)
    made.sock.unref()
    assert [each.keeps_alive for each in sockets()] == [False]
    assert gnet.live().of('hold') == []


def test_a_socket_that_has_lent_its_wire_is_not_told_twice(serve: Any, connect: Any) -> None:
    made: list[Any] = []

    def handler(sock: gnet.Socket) -> None:
        made.append(gnet.tls.TLSSocket(sock, is_server=True))
        made[0].on('error', lambda _: None)

    peer = connect(serve(handler))
    until(lambda: made)
    until(lambda: not gnet.live().of('handler'))
    upper, = sockets()
    assert (upper.id, upper.name) == (id(made[0]), 'TLSSocket')
    assert str(upper.peer).endswith(f':{peer.getsockname()[1]}')
    made[0].destroy()
    assert sockets() == []
