"""The services on ``gevent.server.StreamServer``. How they are called, what they do: wire.py."""

import handlers
import wire
from gevent import socket
from gevent.server import StreamServer


def connect(address):
    sock = socket.create_connection(address)
    no_delay(sock)
    return sock


def no_delay(sock):
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def serve(sock, address):
    if wire.NO_DELAY:
        no_delay(sock)
    handlers.handle(sock, connect)


def listener():
    if wire.IS_TCP:
        return StreamServer.get_listener((wire.HOST, 0), wire.BACKLOG, socket.AF_INET)
    sock = socket.socket(socket.AF_UNIX)
    sock.bind(wire.ADDRESS)
    sock.listen(wire.BACKLOG)
    sock.setblocking(False)
    return sock


server = StreamServer(listener(), serve)
server.start()
wire.announce(server.socket.getsockname())
server.serve_forever()
