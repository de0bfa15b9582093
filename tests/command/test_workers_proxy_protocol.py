"""A script's server behind a proxy with ``--workers``: the worker reads the header."""

from __future__ import annotations

import signal

from ..harness.plain import PlainSocket

SERVER = """
    import os
    import gnet

    server = gnet.create_server(proxy_protocol={'trusted': ['127.0.0.1']})

    @server.on('connection')
    def answer(sock):
        sock.end(f'{sock.remote_address} by way of {sock.proxy.peer.address}')

    def listening():
        os.write(1, b'worker %d listens on %d\\n' % (os.getpid(), server.address().port))

    server.listen(0, '127.0.0.1', callback=listening)
"""

HEADER = b'PROXY TCP4 192.0.2.1 198.51.100.7 12345 443\r\n'


def test_workers_of_a_script_read_headers_and_a_drain_waits_for_them(serving):
    started = serving(SERVER)
    peers = []
    for _ in range(2):
        peers.append(PlainSocket())
        peers[-1].settimeout(20)
        peers[-1].connect(('127.0.0.1', started.port))
        peers[-1].sendall(HEADER[:20])
    started.kill(signal.SIGTERM)
    started.wait_for('SIGTERM')
    for peer in peers:
        with peer:
            peer.sendall(HEADER[20:])
            assert peer.recv(100) == b'192.0.2.1 by way of 127.0.0.1'
            assert peer.recv(100) == b''
    assert started.wait()[0] == 0
