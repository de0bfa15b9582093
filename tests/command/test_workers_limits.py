"""Limits of a script's server with ``--workers``: those of all workers, also after a reload."""

from __future__ import annotations

import signal

from ..harness.plain import PlainSocket

SERVER = """
    import os
    import gnet

    server = gnet.create_server(max_connections_per_address=3)

    @server.on('connection')
    def answer(sock):
        sock.write('h')
        sock.resume()

    @server.on('drop')
    def dropped(data):
        os.write(1, b'drop %s %s\\n' % (data.reason.name.encode(), data.network.encode()))

    def listening():
        os.write(1, b'worker %d listens on %d\\n' % (os.getpid(), server.address().port))

    server.listen(0, '127.0.0.1', callback=listening)
"""


def come(port: int, peers: list[PlainSocket]) -> bool:
    peer = PlainSocket()
    peers.append(peer)
    peer.settimeout(20)
    peer.connect(('127.0.0.1', port))
    try:
        return bool(peer.recv(1))
    except ConnectionResetError:
        return False


def test_workers_of_a_script_share_its_limits_and_so_do_those_that_follow(serving):
    started = serving(SERVER)
    peers: list[PlainSocket] = []
    served = [come(started.port, peers) for _ in range(4)]
    assert served == [True, True, True, False]
    started.wait_for('^drop MAX_CONNECTIONS_PER_ADDRESS 127.0.0.1$')
    started.kill(signal.SIGHUP)
    started.wait_until_listening()
    assert not come(started.port, peers)  # the workers of before have theirs still
    peers.pop(0).close()
    while not come(started.port, peers):  # it takes two processes to know that it has ended
        peers.pop().close()
    assert not come(started.port, peers)
    while peers:
        peers.pop().close()
    started.kill(signal.SIGTERM)
    assert started.wait()[0] == 0


NO_DESCRIPTORS = """
    import os
    import resource
    import gnet

    server = gnet.create_server()

    @server.on('connection')
    def answer(sock):
        sock.write('h')
        sock.resume()

    def listening():
        used = os.open('/dev/null', os.O_RDONLY)
        os.close(used)
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (used + 10, hard))
        os.write(1, b'worker %d listens on %d\\n' % (os.getpid(), server.address().port))

    server.listen(0, '127.0.0.1', callback=listening)
"""


def test_workers_that_were_out_of_descriptors_serve_again(serving):
    started = serving(NO_DESCRIPTORS)
    peers = [PlainSocket() for _ in range(60)]
    for peer in peers:
        peer.settimeout(20)
        peer.connect(('127.0.0.1', started.port))
    short: set[str] = set()
    while len(short) < 2:
        short.add(started.wait_for(r'Worker (\d+) \w+> has no descriptors')[1])
    while peers:
        peers.pop().close()
    assert come(started.port, peers)
    peers.pop().close()
    started.kill(signal.SIGTERM)
    assert started.wait()[0] == 0
