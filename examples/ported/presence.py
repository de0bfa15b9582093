"""Who is there: name NAME, who. Everybody is told who has left. It was presence_before.js, in Node.

    gnet presence.py [port]             the default port is 7000; 0 is any free one
"""

import signal
import sys

import gnet

members = {}


def tell(text):
    for sock in members:
        sock.write(text)


def connected(sock):
    rest = ''
    sock.set_encoding('utf8')
    sock.set_timeout(60000, sock.destroy)

    @sock.on('data')
    def received(text):
        nonlocal rest
        *lines, rest = (rest + text).split('\n')
        for line in lines:
            command, _, name = line.strip().partition(' ')
            if command == 'name':
                members[sock] = name
                sock.write(f'welcome {name}\n')
            else:
                sock.write(f'{" ".join(sorted(members.values()))}\n')

    sock.on('error', lambda err: print(err, flush=True))

    @sock.on('close')
    def closed(had_error):
        name = members.pop(sock, None)
        if name is not None:
            tell(f'{name} has left\n')


server = gnet.create_server(connected, keep_alive=True)


@server.on('listening')
def listening():
    address, _, port = server.address()
    print(f'listening on {address}:{port}', flush=True)


server.listen(int(sys.argv[1]) if len(sys.argv) > 1 else 7000, '127.0.0.1')
signal.signal(signal.SIGTERM, lambda number, frame: server.close())
gnet.run()
