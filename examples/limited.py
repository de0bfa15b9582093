"""An echo with limits: none of its clients can take what the others need.

    gnet limited.py [port]               the default port is 7000; 0 is any free one

Open more than 20 connections at once from one address, or more than 10 in a second, and you are
told why they are closed. The 1000 that it serves at the same time are all it has memory for:
those beyond wait in the kernel until others have ended.
"""

import sys
from typing import Any

import gnet

port = sys.argv[1] if len(sys.argv) > 1 else 7000


def echo(sock: gnet.Socket) -> None:
    for chunk in sock:
        sock.sendall(chunk)


server = gnet.serve(
    echo, port,
    max_connections=1000, max_connections_policy='wait',
    max_connections_per_address=20,
    connection_rate_per_address=10, connection_burst_per_address=30,
    connection_rate=500,
)


@server.on('drop')
def dropped(data: Any) -> None:
    # The logger gnet.server says so as well, once for each address that goes on like that.
    print(f'dropped {data.remote_address}: {data.reason.value}', flush=True)


host, _, port = server.address()
print(f'listening on {host}:{port} - try: nc {host} {port}', flush=True)
gnet.run()
