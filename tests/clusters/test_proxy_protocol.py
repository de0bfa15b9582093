"""Workers behind a proxy: it is the worker that reads whose a connection is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..harness.native import Peer
from ..harness.scripts import Running

PROGRAM = """
    if cluster.is_primary:
        cluster.on('listening', lambda worker, address: say('port', address.port))
        worker = cluster.fork()
        worker.on('message', lambda message, _: say(message))
        stdin = gnet.Socket(fd=0, readable=True)
        stdin.once('end', worker.disconnect)
        stdin.resume()
    else:
        def tell(sock):
            sock.on('end', sock.end)
            sock.resume()
            gnet.process.send(f'{sock.remote_address} {sock.proxy.alpn} {server._connections}')

        server = gnet.create_server(tell, proxy_protocol={'trusted': ['127.0.0.1']})
        # What is pending counts: a further one waits until there is room.
        server.max_connections = 2
        # The primary does not know whose they are, so the worker limits its own.
        server.max_connections_per_address = 1
        server.on('drop', lambda data: gnet.process.send('drop'))
        server.listen(0, '127.0.0.1')
"""

HEADER = (
    b'\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x11\xc0\0\x02\x01\xc63d\x07\x30\x39\x01\xbb\x01\0\x02h2')


def test_a_worker_reads_the_header(
    program: Callable[..., Running], connect: Callable[[Any], Peer], policy: str,
) -> None:
    running = program(PROGRAM, policy=policy)
    address = '127.0.0.1', int(running.wait_for(r'port (\d+)')[1])
    silent, peer = connect(address), connect(address)
    peer.sendall(HEADER[:20])
    peer.sendall(HEADER[20:])
    assert running.wait_for('192.0.2.1').group() == '192.0.2.1'
    silent.sendall(b'PROXY TCP6 2001:db8::1 ::1 5 6\r\n')
    running.wait_for('2001:db8::1 None 2')
    third = connect(address)
    if policy == 'rr':
        third.sendall(HEADER)
        silent.end()
        running.wait_for('drop')  # of the address that peer has
        fourth = connect(address)
        fourth.sendall(b'PROXY TCP4 192.0.2.9 198.51.100.7 5 6\r\n')
        running.wait_for('192.0.2.9 None 2')
        fourth.close()
    else:
        running.wait_for('drop')
    for each in (silent, peer, third):
        each.close()
    assert running.wait().status == 0
