"""The services on gnet, in blocking style. How they are called and what they do: wire.py."""

import gnet

import handlers
import wire


def connect(address):
    return gnet.create_connection(address, no_delay=True)


def serve(sock):
    handlers.handle(sock, connect)


server = gnet.create_server(serve, no_delay=wire.NO_DELAY)


@server.on('listening')
def ready():
    address = server.address()
    wire.announce(('', address.port) if wire.IS_TCP else address)


if wire.IS_TCP:
    server.listen(0, wire.HOST, wire.BACKLOG)
else:
    server.listen(path=wire.ADDRESS, backlog=wire.BACKLOG)
gnet.run()
