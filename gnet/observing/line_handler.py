"""Writes a log such that a broken one costs lines, and nothing else: :class:`LineHandler`.

A disk that is full, a pipe whose reader is gone, and one whose reader does not read, cost the lines
that are written meanwhile: no caller fails, and none waits. When it works again, a line says how
many were lost.
"""

from __future__ import annotations

import logging
import os
import select
import sys
from contextlib import suppress
from typing import Any

from gevent import monkey

from ..node import coded_errors

__all__ = ['LineHandler']

#: Bytes that a pipe takes at once, without waiting and in one piece, if it is writable at all
#: (``PIPE_BUF`` of Linux).
_PIECE = 4096


_poll: Any = monkey.get_original('select', 'poll')


def _has_descriptor(stream: Any) -> bool:
    try:
        return callable(stream.flush) and isinstance(stream.fileno(), int)
    except (AttributeError, OSError, ValueError):
        return False


class LineHandler(logging.Handler):
    """A handler of :mod:`logging` that writes to a descriptor, at once, and never waits for it.

    Args:
        stream: what has the descriptor (``fileno()``), and ``flush()``; stays open. None (the
            default) is ``sys.stderr`` as it is when something is written.

    Raises:
        CodedTypeError: ``ERR_INVALID_ARG_TYPE`` for a stream without a descriptor.

    Attributes:
        lost: how many records were lost so far.
    """

    def __init__(self, stream: Any = None) -> None:
        super().__init__()
        if stream is not None and not _has_descriptor(stream):
            raise coded_errors.invalid_arg_type(
                'stream', 'a stream that has a descriptor', stream)
        self._stream = stream
        self.lost: int = 0
        #: The descriptor that was written to last, and what tells whether it takes more.
        self._descriptor = -1
        self._poller: Any = None
        #: How many of them nobody was told of yet.
        self._untold = 0
        #: Whether the last thing that was written is part of a line.
        self._is_torn = False

    def emit(self, record: logging.LogRecord) -> None:
        """Write *record*, or count it as lost."""
        try:
            line = self._apologized(self.format(record))
        except Exception:
            self.handleError(record)  # a mistake of who logs, as in every handler
            return
        self._put(line)

    def put(self, line: str) -> None:
        """Write what a record has become already, or count it as lost."""
        self.acquire()
        try:
            self._put(self._apologized(line))
        finally:
            self.release()

    def _apologized(self, line: str) -> str:
        if not self._untold:
            return line
        lost = 'line of this log was' if self._untold == 1 else 'lines of this log were'
        apology = self.format(logging.LogRecord(
            'gnet', logging.WARNING, __file__, 0, f'{self._untold} {lost} lost', None, None))
        return f'{apology}\n{line}'

    def _put(self, line: str) -> None:
        data = f'{line}\n'.encode('utf-8', 'backslashreplace')
        if self._write(b'\n' + data if self._is_torn else data):
            self._untold = 0
        else:
            self.lost += 1
            self._untold += 1

    def _write(self, data: bytes) -> bool:
        """Write all of it; return whether that was possible now."""
        stream = sys.stderr if self._stream is None else self._stream
        begun = False
        # There is no such stream (any more), or it is full: the caller counts it.
        with suppress(OSError, ValueError, AttributeError):
            descriptor = stream.fileno()
            if descriptor != self._descriptor:
                self._descriptor, self._poller = descriptor, _poll()
                self._poller.register(descriptor, select.POLLOUT)
            if self._poller.poll(0):  # else that would wait
                stream.flush()  # what was printed before comes before
            while data and self._poller.poll(0):
                data = data[os.write(descriptor, data[:_PIECE]):]
                begun, self._is_torn = True, False
        self._is_torn = self._is_torn or (begun and bool(data))
        return not data
