"""A server on a unix socket: it sends everything back in capitals.

    gnet unix_socket.py [path]          the default is gnet.sock in the working directory
"""

import errno
import os
import sys

from gevent import socket

import gnet

path = sys.argv[1] if len(sys.argv) > 1 else 'gnet.sock'


def shout(sock: gnet.Socket) -> None:
    for chunk in sock:
        sock.sendall(chunk.upper())


# As in Node, listening never removes what is there. The file of a server that was killed is still
# there, and nobody answers.
with socket.socket(socket.AF_UNIX) as probe:
    if probe.connect_ex(path) == errno.ECONNREFUSED:
        os.unlink(path)

server = gnet.serve(shout, path=path)
print(f'listening on {path} - try: nc -U {path}', flush=True)
try:
    gnet.run()
finally:
    server.close()  # removes the file at once, also on Ctrl-C
