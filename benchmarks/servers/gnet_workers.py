"""A service on gnet in worker processes. ``wire.SHARING`` says how connections come to them."""

import os
import socket

import wire

import gnet
from gnet import cluster


def run(server):
    """Have *server* listen in each worker; the primary announces the port when all do."""
    if cluster.is_worker:
        server.on('listening', lambda: gnet.process.send('listening'))
        server.listen(
            int(os.environ['PORT']), wire.HOST, wire.BACKLOG, reuse_port=wire.SHARING == 'reuse')
        return
    # Workers with reuse_port must be told which port. It is taken here, and not listened on.
    taken = socket.socket()
    taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    taken.bind((wire.HOST, 0))
    port = taken.getsockname()[1]
    if wire.SHARING != 'reuse':
        taken.close()
    if wire.SHARING == 'shared':
        cluster.scheduling_policy = cluster.SCHED_NONE
    listening = []

    @cluster.on('message')
    def said(worker, message, handle):
        listening.append(worker)
        if len(listening) == wire.WORKERS:
            wire.announce((wire.HOST, port))

    cluster.once('exit', lambda *status: taken.close())
    for _ in range(wire.WORKERS):
        cluster.fork({'PORT': str(port)})
