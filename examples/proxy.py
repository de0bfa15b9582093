"""A TCP proxy: what a client sends goes on to another server, and that one's answers come back.

    gnet proxy.py [port [host:port]]    the default is port 7001, in front of 127.0.0.1:7000
"""

import sys

import gnet

port = sys.argv[1] if len(sys.argv) > 1 else 7001
target = sys.argv[2] if len(sys.argv) > 2 else '127.0.0.1:7000'
target_host, _, target_port = target.rpartition(':')
if not target_host or not target_port.isdigit():
    sys.exit(f'{target} is not host:port')


def relay(client):
    upstream = gnet.connect(target_port, target_host, allow_half_open=True)
    join(client, upstream, client)
    join(upstream, client, client)


def join(source, destination, client):
    """Pass on what comes from *source*, its end, and its failure."""
    source.pipe(destination)  # at the pace that the destination takes
    source.on('error', lambda error: print(f'{client.remote_address}: {error}', flush=True))
    # pipe() passes on an end, but no failure.
    source.on('close', lambda had_error: destination.destroy() if had_error else None)


# Half-open: a client that has sent its request and ended shall still get the answer.
server = gnet.serve(relay, port, allow_half_open=True)
host, _, port = server.address()
print(f'listening on {host}:{port} for {target} - try: nc {host} {port}', flush=True)
gnet.run()
