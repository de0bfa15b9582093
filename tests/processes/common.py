"""What the tests of processes share: children that do what is wanted of them."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from typing import Any

from gevent.event import AsyncResult

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
