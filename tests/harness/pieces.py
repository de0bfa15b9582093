"""Pieces of code in documents that are no whole programs, and how a test has them run.

``<!-- run with: NAME -->`` in front of a piece names a prelude: a function that makes what the
piece takes for granted (a server to connect to, certificates, a handler), has it run, in this
process, and looks at what it has done. ``NAME => OUTPUT`` says, too, what is printed.

The preludes are in ``preludes.py`` and ``tls_preludes.py``.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import gnet

from .waiting import PATIENCE

__all__ = ['PRELUDES', 'Piece', 'ask', 'echo', 'prelude', 'shout']

#: By their names, which are those in the documents.
PRELUDES: dict[str, Callable[[Piece], None]] = {}


class Piece:
    """A piece of code, and what a prelude has for it."""

    def __init__(self, code: str, following: str, request: pytest.FixtureRequest) -> None:
        """Make one.

        Args:
            code: that is run.
            following: the next piece of the page.
            request: by which fixtures are had.
        """
        self.code = code
        self.following = following
        self.fixture: Callable[[str], Any] = request.getfixturevalue
        self.folder: Path = self.fixture('tmp_path')
        #: What the code has made, by its names.
        self.names: dict[str, Any] = {}
        self._capture = self.fixture('capsys')
        self._printed = ''
        self._served: list[gnet.Server] = []
        #: What was written to stderr.
        self.errors = ''

    def replace(self, old: str, new: object) -> None:
        """Put another number or place into the code."""
        assert old in self.code
        self.code = self.code.replace(old, str(new))

    def run(self, **names: Any) -> None:
        """Run the code, which sees *names*."""
        self.names.update({'__name__': 'document', 'gnet': gnet}, **names)
        exec(compile(self.code, 'document', 'exec', dont_inherit=True), self.names)

    def printed(self) -> str:
        """Return what was printed until now."""
        written = self._capture.readouterr()
        self._printed += written.out
        self.errors += written.err
        return self._printed.strip()

    def serve(self, handler: Any, **options: Any) -> int:
        """Serve until the test is over; return the port."""
        self._served.append(gnet.serve(handler, **options))
        port: int = self._served[-1].address().port
        return port

    def let_go(self) -> None:
        """Close what is left open."""
        for value in [*self.names.values(), *self._served]:
            if isinstance(value, gnet.Server):
                value.stop(0)
            elif isinstance(value, gnet.Socket):
                value.destroy()
        self.names.clear()


def prelude(name: str) -> Callable[[Callable[[Piece], None]], Callable[[Piece], None]]:
    """Note the decorated function as the prelude of that name."""
    def note(function: Callable[[Piece], None]) -> Callable[[Piece], None]:
        PRELUDES[name] = function
        return function

    return note


def echo(sock: gnet.Socket) -> None:
    for chunk in sock:
        sock.sendall(chunk)


def shout(sock: gnet.Socket) -> None:
    for chunk in sock:
        sock.sendall(chunk.upper())


def ask(
    target: Any, question: bytes = b'hello', connect: Any = gnet.connect, **options: Any,
) -> bytes:
    """Send a question to a server, and return all that it answers."""
    with connect(target, **options) as sock:
        sock.settimeout(PATIENCE)
        sock.sendall(question)
        sock.shutdown(socket.SHUT_WR)
        return b''.join(sock)
