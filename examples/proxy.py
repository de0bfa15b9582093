"""A TCP proxy: what a client sends goes on to another server, and that one's answers come back.

    gnet proxy.py [port [host:port]]    the default is port 7001, in front of 127.0.0.1:7000
"""

import sys

from gevent import socket

import gnet

port = sys.argv[1] if len(sys.argv) > 1 else 7001
target = sys.argv[2] if len(sys.argv) > 2 else '127.0.0.1:7000'
target_host, _, target_port = target.rpartition(':')
# Half-open: a client that has sent its request and ended shall still get the answer.
server = gnet.create_server(allow_half_open=True)


class Upstream:
    """A gevent socket as something to pipe to: anything with ``write`` and ``end`` will do."""

    def __init__(self):
        self.sock = socket.socket()

    def write(self, chunk):
        self.sock.sendall(chunk)  # may block: this client's next chunk waits, and nobody else

    def end(self):
        self.sock.shutdown(socket.SHUT_WR)


@server.on('connection')
def relay(client):
    upstream = Upstream()
    # Whatever fails on either side ends as the 'error' of the client, and its 'close'.
    client.on('error', lambda error: print(f'{client.remote_address}: {error}', flush=True))
    client.on('close', lambda had_error: upstream.sock.close())
    try:
        upstream.sock.connect((target_host, int(target_port)))
        client.pipe(upstream)  # client to upstream, in event style
        for chunk in iter(lambda: upstream.sock.recv(65536), b''):
            client.sendall(chunk)  # upstream to client, in blocking style
        client.end()
    except OSError as error:
        client.destroy(error)  # does nothing if the client is what failed


@server.on('listening')
def ready():
    host, _, port = server.address()
    print(f'listening on {host}:{port} for {target} - try: nc {host} {port}', flush=True)


server.listen(port=port, host='127.0.0.1')
gnet.run()
