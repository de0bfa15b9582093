"""A TCP proxy: what a client sends goes on to another server, and that one's answers come back.

    gnet proxy.py [port [host:port [v1|v2]]]    the default is port 7001, in front of 127.0.0.1:7000

With v1 or v2, it tells the other server whose connection it is, by the PROXY protocol.
"""

import sys

import gnet

port = sys.argv[1] if len(sys.argv) > 1 else 7001
target = sys.argv[2] if len(sys.argv) > 2 else '127.0.0.1:7000'
target_host, _, target_port = target.rpartition(':')
if not target_host or not target_port.isdigit():
    sys.exit(f'{target} is not host:port')
versions = {'v1': 1, 'v2': 2}
version = versions.get(sys.argv[3]) if len(sys.argv) > 3 else None
if len(sys.argv) > 3 and version is None:
    sys.exit(f'{sys.argv[3]} is neither v1 nor v2')


def relay(client):
    told = []

    def over(error):
        # If one connection fails, both are closed, and both pipelines say why.
        if error is not None and error not in told:
            told.append(error)
            print(f'{client.remote_address}: {error}', flush=True)

    told_first = None if version is None else {'version': version, 'source': client}
    upstream = gnet.connect(
        target_port, target_host, allow_half_open=True, proxy_protocol=told_first)
    gnet.pipeline(client, upstream, over)  # at the pace that upstream takes, and with its end
    gnet.pipeline(upstream, client, over)


# Half-open: a client that has sent its request and ended shall still get the answer.
server = gnet.serve(relay, port, allow_half_open=True)
host, _, port = server.address()
print(f'listening on {host}:{port} for {target} - try: nc {host} {port}', flush=True)
gnet.run()
