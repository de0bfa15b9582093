"""Who comes again meets the same process: connections are handed to children by name.

    gnet sticky.py [port]               the default port is 7000; 0 is any free one

This process accepts, and asks for a name. Then the connection goes to the child that has served
that name before, and remembers it. What the client had already sent goes along.
"""

from __future__ import annotations

import sys
import zlib

import gnet

CHILDREN = 2


def parent(port: int | str) -> None:
    children = [gnet.child_process.fork(__file__, ['--child']) for _ in range(CHILDREN)]
    server = gnet.create_server()

    @server.on('connection')
    def route(sock: gnet.Socket) -> None:
        sock.sendall(b'your name? ')
        name = b''
        while not name.endswith(b'\n'):
            byte = sock.recv(1)
            if not byte or len(name) == 100:
                return
            name += byte
        child = children[zlib.crc32(name) % CHILDREN]
        child.send(name.decode(errors='replace').strip(), sock, lambda err: err and sock.destroy())

    @server.on('listening')
    def ready() -> None:
        host, _, port = server.address()
        print(f'listening on {host}:{port} - try, twice: nc {host} {port}', flush=True)

    server.listen(port=port, host='127.0.0.1')


def child() -> None:
    visits: dict[str, int] = {}

    @gnet.process.on('message')
    def serve(name: str, sock: gnet.Socket) -> None:
        visits[name] = visits.get(name, 0) + 1
        sock.sendall(f'hello {name}, this is your visit number {visits[name]}\n'.encode())
        for chunk in sock:
            sock.sendall(chunk)


if sys.argv[1:] == ['--child']:
    child()
else:
    parent(sys.argv[1] if len(sys.argv) > 1 else 7000)
gnet.run()
