"""The services on gnet, in blocking style. How they are called and what they do: wire.py."""

from pathlib import Path

import handlers
import watching
import wire

import gnet


def connect(address):
    host, port = address
    return gnet.connect(port, host, no_delay=True)  # the first write waits for the connection


def serve(sock):
    handlers.handle(sock, connect)


watching.begin()
if wire.IS_TLS:
    from gnet import tls

    server = tls.create_server(serve, key=Path(wire.CERTIFICATE), cert=Path(wire.CERTIFICATE))
else:
    server = gnet.create_server(serve, no_delay=wire.NO_DELAY)


@server.on('listening')
def ready():
    address = server.address()
    wire.announce(('', address.port) if wire.IS_TCP else address)


if wire.SHARING:
    import gnet_workers

    gnet_workers.run(server)
elif wire.IS_TCP:
    server.listen(0, wire.HOST, wire.BACKLOG)
else:
    server.listen(path=wire.ADDRESS, backlog=wire.BACKLOG)
gnet.run()
