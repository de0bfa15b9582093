"""The whole chat on this machine: HAProxy, nodes with workers, and Redis. Ctrl-C ends all of it.

    python run.py [--nodes 3] [--workers 2]

Needs Debian's haproxy and redis-server, and redis of PyPI.
"""

import argparse
import signal
import sys
import tempfile

import gevent
from deployment import Deployment


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
    parser.add_argument('--nodes', type=int, default=3, choices=(1, 2, 3), help='(default: 3)')
    parser.add_argument('--workers', type=int, default=2, help='processes of a node (default: 2)')
    options = parser.parse_args()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, frame: sys.exit(0))
    with tempfile.TemporaryDirectory(prefix='chat-') as directory, \
            Deployment(directory, options.nodes, options.workers) as chat:
        print(f'the chat is on 127.0.0.1:{chat.port}; the nodes on {chat.node_ports}; '
              f'the bus on {chat.bus_port}; logs in {directory}')
        print(f'try, twice: gnet client.py {chat.port} lobby ann', flush=True)
        while True:
            gevent.sleep(3600)


if __name__ == '__main__':
    main()
