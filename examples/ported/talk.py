"""A chat: the first line is a name, the others go to everybody. It was talk_before.py, on eventlet.

    gnet talk.py [port]                 the default port is 7000; 0 is any free one
"""

import sys

import gnet

port = int(sys.argv[1]) if len(sys.argv) > 1 else 7000
members = {}


def tell(text):
    for sock in list(members):
        sock.write(text)  # nobody waits: what one does not take is queued, up to max_buffered


def talk(sock):
    with sock.makefile(encoding='utf-8') as lines:
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


server = gnet.serve(
    talk, port, max_connections=1000, max_connections_policy='wait', max_buffered=1 << 20)
host, _, port = server.address()
print(f'listening on {host}:{port}', flush=True)
gnet.run()
