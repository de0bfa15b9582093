"""A chat on eventlet: the first line is a name, the others go to everybody.

    python talk_before.py [port]        the default port is 7000; 0 is any free one
"""

import contextlib
import sys

import eventlet

port = int(sys.argv[1]) if len(sys.argv) > 1 else 7000
members = {}


def tell(text):
    for sock in list(members):
        with contextlib.suppress(OSError):  # its own greenlet notices as well
            sock.sendall(text.encode())  # all wait for one who does not read


def talk(sock, address):
    with sock, sock.makefile('r', encoding='utf-8') as lines:
        sock.sendall(b'your name?\n')
        name = lines.readline().strip()
        members[sock] = name
        try:
            tell(f'* {name} is here\n')
            for line in lines:
                tell(f'{name}: {line}')
        finally:
            del members[sock]
            tell(f'* {name} has left\n')


listener = eventlet.listen(('127.0.0.1', port))
host, port = listener.getsockname()
print(f'listening on {host}:{port}', flush=True)
eventlet.serve(listener, talk, concurrency=1000)
