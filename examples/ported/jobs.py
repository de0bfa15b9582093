"""A queue of jobs: put TEXT, take SECONDS. It was jobs_before.py, on asyncio's streams.

    gnet jobs.py [port]                 the default port is 7000; 0 is any free one
"""

import signal
import sys

from gevent.queue import Empty, Queue

import gnet

port = int(sys.argv[1]) if len(sys.argv) > 1 else 7000
jobs = Queue(1000)


def handle(sock):
    sock.settimeout(60)
    with sock.makefile(encoding='utf-8') as lines:
        for line in lines:
            command, _, rest = line.strip().partition(' ')
            if command == 'put':
                jobs.put(rest)
                sock.sendall(b'ok\n')
            elif command == 'take':
                try:
                    job = jobs.get(timeout=float(rest))
                    sock.sendall(f'job {job}\n'.encode())
                except Empty:
                    sock.sendall(b'none\n')


server = gnet.serve(handle, port)
signal.signal(signal.SIGTERM, lambda number, frame: server.close())
host, _, bound = server.address()
print(f'listening on {host}:{bound}', flush=True)
gnet.run()
