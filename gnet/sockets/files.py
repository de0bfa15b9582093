"""The files of ``makefile``: what they have read ahead is the socket's again when they are closed.

A file asks for more than it is asked for, and has the rest in its buffer. The standard library's
forgets that; here the next ``recv`` has it, or who reads next. A text file takes one line at a time
from its buffer, so that nothing behind that is made text too early.
"""

from __future__ import annotations

import errno
import io
import socket as _stdlib
from collections.abc import Callable
from typing import Any, Optional

from ..node.threads import get_ident

__all__ = ['Raw', 'open_file']

#: Called with what the file has read ahead; for a text file that cannot tell, with None.
TakeBack = Callable[[Optional[bytes]], None]

_IN_VAIN = (errno.EAGAIN, errno.EWOULDBLOCK)


class Raw(_stdlib.SocketIO):
    """What a file reads from and writes to: the standard library's, with a shorter way to read."""

    def __init__(self, sock: Any, mode: Any) -> None:
        super().__init__(sock, mode)
        #: The socket, while it may be read: neither closed, nor timed out, nor to be written only.
        self._readable: Any = sock if self.readable() else None

    def readinto(self, buffer: Any) -> int | None:
        sock = self._readable
        if sock is None:
            return super().readinto(buffer)  # which says why not
        # A file is what is given to a pool of threads most easily. (recv() would ask, too, but only
        # after the wire has been told who waits.)
        if get_ident() != sock._loop.thread:  # inside: of this folder
            sock._loop.check_thread()  # inside: as above
        try:
            count: int = sock.recv_into(buffer)
        except _stdlib.timeout:
            self._readable = None
            self._timeout_occurred = True
            raise
        except OSError as error:
            if error.errno in _IN_VAIN:
                return None
            raise
        return count

    def close(self) -> None:
        self._readable = None
        super().close()


class _Buffered:
    """Mixed into the buffers that read."""

    #: The stream that the buffer reads from.
    source: Any
    #: Called with what it has read ahead.
    take_back: TakeBack

    def close(self) -> None:
        try:
            if not self.closed:  # type: ignore[attr-defined]  # of the buffer, as below
                rest = self.take_rest()
                if rest:
                    self.take_back(rest)
        finally:
            super().close()  # type: ignore[misc]

    def take_rest(self) -> bytes:
        """Take out what the buffer has, without reading more."""
        self.source.readinto = _nothing
        try:
            rest: bytes = self.read()  # type: ignore[attr-defined]
        finally:
            del self.source.readinto
        return rest


class _Reader(_Buffered, io.BufferedReader):
    """A file that reads bytes."""


class _Pair(_Buffered, io.BufferedRWPair):
    """A file that reads and writes bytes."""


class _ByLine(_Buffered):
    """Mixed into the buffers of text: hands out no more than a line at once."""

    #: What was handed out last.
    last: bytes = b''

    def read1(self, size: int = -1) -> bytes:
        ahead = self.peek(1)  # type: ignore[attr-defined]
        end = ahead.find(b'\n') + 1 or len(ahead)
        line: bytes = super().read1(min(end, size) if size >= 0 else end)  # type: ignore[misc]
        self.last = line
        return line


class _LineReader(_ByLine, io.BufferedReader):
    """Below a text file that reads."""


class _LinePair(_ByLine, io.BufferedRWPair):
    """Below a text file that reads and writes."""


class _Text(io.TextIOWrapper):
    """A text file."""

    take_back: TakeBack
    #: Whether '\\r\\n' and '\\r' are read as '\\n'.
    translates: bool

    def close(self) -> None:
        try:
            if not self.closed:
                self._give_back()
        finally:
            super().close()

    def _give_back(self) -> None:
        below: Any = self.buffer
        behind = below.take_rest()
        below.source.readinto = _nothing
        try:
            text = self.read()  # what was made text, and not taken
            unread = self._bytes_of(text, below.last)
        except UnicodeError:
            unread = None
        finally:
            del below.source.readinto
        if unread is None:
            self.take_back(None)
        elif unread or behind:
            self.take_back(unread + behind)

    def _bytes_of(self, text: str, line: bytes) -> bytes | None:
        """Return which end of *line* was read as *text*; None if that cannot be told."""
        if not text:
            return b''
        start = len(line) - len(text.encode(self.encoding, self.errors or 'strict'))
        if self.translates and line.endswith(b'\r\n'):
            start -= 1
        found = line[max(start, 0):].decode(self.encoding, self.errors or 'strict')
        if self.translates:
            found = found.replace('\r\n', '\n').replace('\r', '\n')
        return line[start:] if start >= 0 and found == text else None


def _nothing(buffer: Any) -> int:
    return 0


def open_file(
    raw: Any, mode: str, buffering: int | None, encoding: str | None, errors: str | None,
    newline: str | None, take_back: TakeBack,
) -> Any:
    """Return a file upon *raw*; the other arguments are those of :func:`open`.

    Args:
        raw: an ``io.RawIOBase``.
        take_back: called when the file is closed, with what it has read ahead, if it has.
    """
    size = io.DEFAULT_BUFFER_SIZE if buffering is None or buffering < 0 else buffering
    is_text = 'b' not in mode
    buffer: Any
    if not raw.readable():
        buffer = io.BufferedWriter(raw, size)
        text: Any = io.TextIOWrapper(buffer, encoding, errors, newline) if is_text else None
    else:
        if raw.writable():
            buffer = (_LinePair if is_text else _Pair)(raw, raw, size)
        else:
            buffer = (_LineReader if is_text else _Reader)(raw, size)
        buffer.source, buffer.take_back = raw, take_back
        text = _Text(buffer, encoding, errors, newline) if is_text else None
        if is_text:
            text.take_back, text.translates = take_back, newline is None
    if text is None:
        return buffer
    text.mode = mode
    return text
