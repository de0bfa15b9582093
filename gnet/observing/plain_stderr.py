"""Writing to stderr from where nothing can be asked for: a signal handler, another native thread.

Python's own stream may be in the middle of a line there, or its lock be taken by who is stuck. So
the bytes go straight to the descriptor; and a reader who takes nothing costs the text, not more.
"""

from __future__ import annotations

import os
import select
import sys
from collections.abc import Callable
from contextlib import suppress
from time import monotonic
from typing import Any

from gevent import monkey

__all__ = ['write_to_stderr']

#: Seconds that the reader of a full pipe has: what calls this holds up the program for as long.
PATIENCE = 0.5

#: Bytes at a time: what a pipe that has room takes without waiting, and without mixing it with what
#: other processes write.
CHUNK = select.PIPE_BUF

_poll: Callable[[], Any] = monkey.get_original('select', 'poll')


def write_to_stderr(text: str) -> bool:
    """Write *text*; return False if there is no stderr, or it did not take all. Never raises.

    In pieces of whole lines, so that those of several processes are not mixed up; but for lines
    that are longer than a piece.
    """
    with suppress(OSError, ValueError, AttributeError):  # closed, or replaced by what has no number
        fd = sys.stderr.fileno()
        give_up = monotonic() + PATIENCE
        return all(_write(fd, piece, give_up) for piece in _pieces(text.encode(errors='replace')))
    return False


def _write(fd: int, piece: bytes, give_up: float) -> bool:
    writable = _poll()
    writable.register(fd, select.POLLOUT)
    while piece:
        if not writable.poll(max(0, give_up - monotonic()) * 1000):
            return False
        with suppress(BlockingIOError):
            piece = piece[os.write(fd, piece[:CHUNK]):]
    return True


def _pieces(data: bytes) -> list[bytes]:
    pieces = [b'']
    for line in data.splitlines(keepends=True):
        if len(pieces[-1]) + len(line) > CHUNK:
            pieces.append(b'')
        pieces[-1] += line
    return pieces
