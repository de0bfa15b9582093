"""What the tests of processes share: children that do what is wanted of them."""

from __future__ import annotations

import os
import signal
import socket as stdlib
from contextlib import suppress
from typing import Any

from gevent.event import AsyncResult

from ..harness.plain import PlainSocket
from ..harness.waiting import PROCESS_PATIENCE

IDLE = """
    import gnet
    gnet.process.on('message', lambda *args: None)
    gnet.process.send('up')
"""


def stopped(fork: Any) -> Any:
    """Return a child that is there, and does nothing."""
    child = fork(IDLE)
    assert child.message() == 'up'
    os.kill(child.process.pid, signal.SIGSTOP)
    return child


#: Answers each chunk with itself in brackets, in event style; tells of each connection.
BRACKETS = """
    import gnet
    def serve(message, sock):
        sock.on('data', lambda chunk: sock.write(b'[' + chunk + b']'))
        gnet.process.send([message, sock.server is None, sock.remote_address])
    gnet.process.on('message', serve)
"""

#: The same in blocking style.
BLOCKING = """
    import gnet
    def serve(message, sock):
        for chunk in sock:
            sock.sendall(b'[' + chunk + b']')
    gnet.process.on('message', serve)
"""


def sent(child: Any, *args: Any, **keywords: Any) -> Any:
    """Send, and return what the callback gets."""
    answer: AsyncResult[Any] = AsyncResult()
    child.send(*args, callback=answer.set, **keywords)
    return answer.get(timeout=PROCESS_PATIENCE)


def wait_in(call: Any, *args: Any) -> None:
    """Be blocked in *call* until the socket is closed."""
    with suppress(OSError):
        call(*args)


def ask(peer: Any) -> bytes:
    """Return all that *peer* is sent, and end it."""
    answer: bytes = peer.recv_until_end()
    peer.end()
    return answer


def clients(address: Any, count: int, request: bytes = b'') -> list[bytes]:
    """Open *count* connections at once, and return what each of them gets; run it natively."""
    peers = []
    for _ in range(count):
        peer = PlainSocket(stdlib.AF_INET, stdlib.SOCK_STREAM)
        peer.settimeout(PROCESS_PATIENCE)
        peer.connect(address)
        peers.append(peer)
    answers = []
    for peer in peers:
        with peer:
            try:
                if request:
                    peer.sendall(request)
                answer = b''
                while True:
                    chunk = peer.recv(1000)
                    if not chunk:
                        break
                    answer += chunk
                answers.append(answer)
            except ConnectionError:
                answers.append(b'cut')
    return answers
