"""Ten thousand connections at once: held, served beside, and closed without a trace.

Two processes, since each side needs a descriptor for each connection: the server runs as a script,
and this process is the clients.
"""

from __future__ import annotations

import json
import resource
from collections.abc import Iterator

import pytest

from .harness.plain import PlainSocket
from .harness.scripts import Scripts

CONNECTIONS = 10_000

#: Descriptors beside the connections: of Python, pytest, the loop.
SPARE = 500

#: Bytes by which the server's memory at its fullest may grow from the second round to the third:
#: each reuses what the one before it freed. A leak of the sockets themselves would be 20 MB.
TOLERANCE = 8 << 20

SERVER = """
import gc, json, os, resource
import gnet
from tests.harness.memory import resident

def handler(sock):
    sock.on('error', lambda err: None)

    @sock.on('data')
    def answer(chunk):
        if chunk == b'stats':
            gc.collect()
            found = {'open': server._connections, 'descriptors': len(os.listdir('/proc/self/fd')),
                     'resident': resident()}
            sock.write(json.dumps(found))
        else:
            sock.write(chunk)

server = gnet.create_server(handler)
server.on('listening', lambda: print(server.address().port, flush=True))
server.listen(0, '127.0.0.1', backlog=4096)
gnet.run()
"""


@pytest.fixture
def many_descriptors() -> Iterator[None]:
    needed = CONNECTIONS + SPARE
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < needed:
        pytest.skip(f'the hard limit of descriptors is {hard}, and {needed} are needed')
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, needed), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def connect(port: int) -> PlainSocket:
    sock = PlainSocket()
    sock.settimeout(20)
    sock.connect(('127.0.0.1', port))
    return sock


def ask(sock: PlainSocket, what: bytes) -> bytes:
    sock.sendall(what)
    answer: bytes = sock.recv(65536)
    return answer


def stats(control: PlainSocket) -> dict[str, int]:
    found: dict[str, int] = json.loads(ask(control, b'stats'))
    return found


@pytest.mark.timeout(120)
@pytest.mark.usefixtures('many_descriptors')
def test_ten_thousand_idle_connections_leave_nothing_behind(scripts: Scripts) -> None:
    server = scripts.start(SERVER)
    port = int(server.read_line())
    # Blocking calls may be made right here: the server is in another process.
    control = connect(port)
    before = stats(control)
    ends, fullest = [], []
    for _ in range(3):
        held = [connect(port) for _ in range(CONNECTIONS)]
        # Accepted in order: when the last one is answered, all are open.
        assert ask(held[-1], b'last') == b'last'
        full = stats(control)
        assert full['open'] == CONNECTIONS + 1
        fullest.append(full['resident'])
        # Beside them others are served: a newcomer, and one from the middle.
        newcomer = connect(port)
        assert ask(newcomer, b'newcomer') == b'newcomer'
        newcomer.close()
        assert ask(held[CONNECTIONS // 2], b'middle') == b'middle'
        for one in held:
            one.close()
        while (end := stats(control))['open'] > 1:
            pass  # each question waits for its answer, behind what the server has yet to do
        ends.append(end)
    control.close()
    for end in ends:
        assert end['descriptors'] == before['descriptors']
    assert fullest[2] - fullest[1] < TOLERANCE, fullest
