"""A key-value store: set KEY VALUE, get KEY, keys. It was store_before.py, on StreamServer.

    gnet store.py [port]                the default port is 7000; 0 is any free one
"""

import signal
import sys

import gevent

import gnet

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


def handle(sock):
    print('from', sock.remote_address, flush=True)
    sock.settimeout(60)
    with sock.makefile('rb') as lines:
        for line in lines:
            sock.sendall(answer(line))


server = gnet.serve(handle, port, max_connections=1000, max_connections_policy='wait')
gevent.signal_handler(signal.SIGTERM, server.stop, 30)
print(f'listening on 127.0.0.1:{server.address().port}', flush=True)
server.serve_forever()
