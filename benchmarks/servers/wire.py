"""What all servers have in common: the words on the wire and on the command line.

    python SERVER.py SERVICE ADDRESS [BACKEND-PORT]
    python SERVER.py tls-SERVICE ADDRESS CERTIFICATE
    python SERVER.py workers-SERVICE 0     (also: shared-SERVICE, reuse-SERVICE)

ADDRESS is 0 for any free port of 127.0.0.1, else the path of a unix socket. Once it listens, the
server prints the port (or the path). The services:

=============  =====================================================================================
http           a fixed response for each chunk (wrk asks again when it has the answer)
timeout        the same, on sockets that are destroyed after 30 seconds of silence
close          the response, then the end
sink           takes all
source         sends blocks of 64 KiB as fast as they are taken
echo           sends back what comes, at the pace of the peer
lines          sends back each line by a write of its own
batched-lines  the same in the way of each library to write several things at once
broadcast      sends what comes to all connections
proxy          passes on to and from a server on BACKEND-PORT of 127.0.0.1
=============  =====================================================================================

With "tls-" before its name a service speaks TLS, of which each library's defaults are as they are;
CERTIFICATE is a PEM file with the server's key and certificate.

With "workers-" before its name a service runs in two worker processes, to which a primary hands on
its connections in turn; with "shared-" they share its descriptor; with "reuse-" each has one of its
own for the same port.

Programs are what a user of each library would write: short, and with its own means.
"""

import os
import sys

ANSWER = b'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'
CLOSING = b'HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok'
CHUNK = 65536  # bytes, of a write and of a read
BLOCK = b'x' * CHUNK
IDLE = 30  # seconds
BACKLOG = 4096  # connections: the most that Linux grants by default

#: Where a server writes small pieces one after another without being asked in between, Nagle's
#: algorithm would make it wait for the peer's delayed acknowledgements. Elsewhere it is left as
#: each library has it: asyncio and uvloop switch it off for all connections, the others do not.
MORE_THAN_ONE_WRITE = frozenset({'lines', 'batched-lines', 'broadcast', 'proxy'})

HOST = '127.0.0.1'
_name, ADDRESS, *_rest = sys.argv[1:]
IS_TLS = _name.startswith('tls-')
_first, _, _others = _name.partition('-')
#: How connections come to worker processes, if there are any.
SHARING = _first if _first in ('workers', 'shared', 'reuse') else None
SERVICE = _others if IS_TLS or SHARING else _name
WORKERS = 2
CERTIFICATE = _rest[0] if IS_TLS else None
NO_DELAY = SERVICE in MORE_THAN_ONE_WRITE
BACKEND = (HOST, int(_rest[0])) if _rest and not IS_TLS else None
IS_TCP = ADDRESS == '0'


def announce(listener_address):
    """Say that the server listens on *listener_address*, what getsockname() returns."""
    print(listener_address[1] if IS_TCP else os.fspath(listener_address), flush=True)
