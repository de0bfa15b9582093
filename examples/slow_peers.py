"""A server of lines that gets rid of peers who are silent, do not read, or stay for ever.

    gnet slow_peers.py [port [milliseconds]]    the default port is 7000; 0 is any free one

Each line is answered by a hundred copies of it. A client that says nothing for the time given (10
seconds), takes nothing for as long, or stays for sixty times as long, is told nothing: it is cut
off, and its fate is printed.
"""

import sys
from typing import Any

import gnet

port = sys.argv[1] if len(sys.argv) > 1 else 7000
patience = int(sys.argv[2]) if len(sys.argv) > 2 else 10_000

server = gnet.create_server(
    read_timeout=patience, write_timeout=patience, lifetime=60 * patience,
    max_buffered=1 << 20)  # bytes that may wait for a client that does not read


@server.on('connection')
def serve(sock: gnet.Socket) -> None:
    rest = b''

    @sock.on('data')
    def answer(chunk: bytes) -> None:
        nonlocal rest
        *lines, rest = (rest + chunk).split(b'\n')
        for line in lines:
            sock.write((line + b'\n') * 100)  # whether it is read or not: max_buffered is for that

    @sock.on('error')
    def gone(error: Any) -> None:
        print(f'{sock.remote_address}: {error.code}: {error}', flush=True)


@server.on('listening')
def ready() -> None:
    host, _, port = server.address()
    print(f'listening on {host}:{port} - try: nc {host} {port}', flush=True)


server.listen(port=port, host='127.0.0.1')
gnet.run()
