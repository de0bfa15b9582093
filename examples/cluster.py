"""One port, several processes: an echo whose workers share the connections (Node's cluster).

    gnet cluster.py [port [workers]]    the default is port 7000, and two workers

For a script of your own that should just use all cores there is a shorter way: gnet --workers auto.
"""

from __future__ import annotations

import sys
from typing import Any

import gnet
from gnet import cluster

port = sys.argv[1] if len(sys.argv) > 1 else 7000
workers = int(sys.argv[2]) if len(sys.argv) > 2 else 2


def primary() -> None:
    @cluster.on('listening')
    def ready(worker: Any, where: Any) -> None:
        print(f'worker {worker.id} is process {worker.process.pid}', flush=True)
        if len(listening) < workers:
            listening.add(worker.id)
            if len(listening) == workers:
                host, port = where.address, where.port
                print(f'listening on {host}:{port} - try: nc {host} {port}', flush=True)

    @cluster.on('exit')
    def ended(worker: Any, code: int | None, signal: str | None) -> None:
        if worker.id not in listening:
            sys.exit(code or 1)  # it could not even begin, and has said why
        print(f'worker {worker.id} has ended ({signal or code}), and is replaced', flush=True)
        cluster.fork()

    listening: set[int] = set()
    for _ in range(workers):
        cluster.fork()


def worker() -> None:
    def echo(sock: gnet.Socket) -> None:
        assert cluster.worker is not None  # it is, in a worker
        print(f'worker {cluster.worker.id} serves {sock.remote_port}', flush=True)
        for chunk in sock:
            sock.sendall(chunk)

    gnet.serve(echo, port)


if cluster.is_primary:
    primary()
else:
    worker()
gnet.run()
