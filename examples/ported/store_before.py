"""A key-value store on gevent's StreamServer: set KEY VALUE, get KEY, keys.

    python store_before.py [port]       the default port is 7000; 0 is any free one
"""

import signal
import sys

import gevent
from gevent.pool import Pool
from gevent.server import StreamServer

port = int(sys.argv[1]) if len(sys.argv) > 1 else 7000
store = {}


def answer(line):
    command, _, rest = line.strip().partition(b' ')
    if command == b'set':
        key, _, value = rest.partition(b' ')
        store[key] = value
        return b'ok\n'
    if command == b'get':
        return store.get(rest, b'') + b'\n'
    return b' '.join(sorted(store)) + b'\n'


def handle(sock, address):
    print('from', address[0], flush=True)
    sock.settimeout(60)
    with sock.makefile('rb') as lines:
        for line in lines:
            sock.sendall(answer(line))


server = StreamServer(('127.0.0.1', port), handle, spawn=Pool(1000))
server.start()
gevent.signal_handler(signal.SIGTERM, server.stop, 30)
print(f'listening on 127.0.0.1:{server.server_port}', flush=True)
server.serve_forever()
