"""``python -m gnet --workers N`` with a TLS server: it is one as any other."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from typing import Any

import pytest

from ..harness.authority import NAMES, authority
from ..harness.native import Native, Peer
from ..harness.tls_peers import TlsPeer, client_context

SERVER = """
    import json, os
    import gnet
    from gnet import tls

    server = tls.create_server(json.loads(%r))

    @server.on('secureConnection')
    def answer(sock):
        sock.recv(10)
        sock.sendall(b'%%d' %% os.getpid())

    def listening():
        os.write(1, b'worker %%d listens on %%d\\n' %% (os.getpid(), server.address().port))

    server.listen(0, '127.0.0.1', callback=listening)
"""


@pytest.fixture
def ask_securely(native: Native, connect: Callable[[Any], Peer]) -> Callable[[Any], int]:
    """``ask_securely(program)`` returns the number of the process that answered."""
    def ask_securely(program: Any) -> int:
        peer = TlsPeer(
            native, connect(('127.0.0.1', program.port)), client_context(),
            server_hostname='localhost')
        peer.shake().sendall(b'?')
        answer = int(peer.recv_until_end())
        peer.close()
        return answer

    return ask_securely


def test_workers_speak_tls_and_are_replaced(
    serving: Any, ask_securely: Callable[[Any], int],
) -> None:
    text = SERVER % json.dumps(authority().certify(*NAMES).options)
    started = serving(text, count=2)
    answers = {ask_securely(started) for _ in range(4)}
    assert answers == started.workers
    started.kill(signal.SIGHUP)
    second = started.wait_until_listening()
    started.wait_for('^gnet: the workers were replaced')
    assert {ask_securely(started) for _ in range(4)} == second
    started.kill(signal.SIGTERM)
    assert started.wait()[0] == 0
