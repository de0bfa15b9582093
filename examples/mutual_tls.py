"""Both ends show a certificate: a server that knows its clients by theirs.

It needs an authority, and a key and a certificate of it for each end; docs/tls.md has the commands.

    gnet mutual_tls.py serve [port] [directory]         ca.pem, server-key.pem, server.pem
    gnet mutual_tls.py ask port [directory]             ca.pem, client-key.pem, client.pem
"""

import sys
from pathlib import Path
from typing import Any

import gnet

role, port, directory = [*sys.argv[1:4], *['serve', '0', '.'][len(sys.argv) - 1:]]
files = Path(directory)


def identity(end: str) -> dict[str, Any]:
    return {
        'key': files / f'{end}-key.pem', 'cert': files / f'{end}.pem', 'ca': files / 'ca.pem'}


def greet(sock: gnet.tls.TLSSocket) -> None:
    # Who has come as far as this has shown a certificate of the authority.
    certificate = sock.get_peer_certificate()
    assert certificate is not None  # it is while the connection is open
    name = certificate['subject']['CN']
    sock.sendall(f'hello {name}\n'.encode())


def ready() -> None:
    host, _, port = server.address()
    print(f'listening on {host}:{port} - ask by: mutual_tls.py ask {port} {directory}', flush=True)


if role == 'serve':
    server = gnet.tls.create_server(greet, request_cert=True, **identity('server'))
    server.listen(port=port, host='127.0.0.1', callback=ready)
    gnet.run()
else:
    with gnet.tls.connect(port, 'localhost', **identity('client')) as sock:
        print(b''.join(sock).decode(), end='')
