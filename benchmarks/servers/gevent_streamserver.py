"""The services on ``gevent.server.StreamServer``. How they are called, what they do: wire.py."""

import handlers
import wire
from gevent import socket, ssl
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


def tls():
    """Return the words for TLS, if it is wanted."""
    if not wire.IS_TLS:
        return {}
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(wire.CERTIFICATE)
    return {'ssl_context': context}


server = StreamServer(listener(), serve, **tls())
server.start()
wire.announce(server.socket.getsockname())
server.serve_forever()
