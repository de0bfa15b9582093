"""What the tests of a program's life share."""

from __future__ import annotations

#: A server that says where it listens; ``talk`` connects to it from the test.
SERVER = """
import gevent, gnet, os, sys

def listening(handler=lambda sock: sock.pipe(sock), **options):
    server = gnet.create_server(options, handler).listen(0, '127.0.0.1')
    server.on('listening', lambda: print('port', server.address().port, flush=True))
    return server

"""


def script(text: str) -> str:
    lines = text.splitlines()
    margin = min(len(line) - len(line.lstrip()) for line in lines if line.strip())
    return SERVER + '\n'.join(line[margin:] for line in lines)
