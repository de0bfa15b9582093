"""A connection of which a test has both ends, and how what it tells is shown."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gevent
import pytest
from gevent.event import Event

import gnet
from gnet.node.spelling import camel

from .families import address_of
from .native import Peer
from .waiting import PATIENCE, turn

__all__ = [
    'Connection', 'both_spellings', 'code', 'connected', 'failing', 'refused', 'shown', 'target_of',
]


def code(error: Any) -> Any:
    """Return Node's code of an error, or its class."""
    return error if error is None else getattr(error, 'code', type(error).__name__)


def shown(value: Any) -> str:
    """Return an argument of an event in a short form."""
    if isinstance(value, BaseException):
        return f'{code(value)}: {value}'
    if isinstance(value, gnet.Socket):
        return 'socket'
    if isinstance(value, (bytes, str)) and len(value) > 40:
        return f'{len(value)} {"bytes" if isinstance(value, bytes) else "characters"}'
    return repr(value)


def target_of(listening: Any) -> dict[str, Any]:
    """Return the options of ``connect`` for a plain listening socket, or a server."""
    address = address_of(
        listening if hasattr(listening, 'address') else listening.getsockname())
    return (
        {'host': address[0], 'port': address[1]} if isinstance(address, tuple)
        else {'path': address}
    )


def both_spellings(options: dict[str, Any]) -> list[dict[str, Any]]:
    """Return *options*, which are in snake_case, and the same in Node's spelling."""
    return [options, {camel(name): value for name, value in options.items()}]


def refused(call: Callable[..., object], *args: Any, **keywords: Any) -> tuple[type, str, str]:
    """Return the kind, the code and the text of the error that the call raises."""
    with pytest.raises((TypeError, ValueError)) as caught:
        call(*args, **keywords)
    error: Any = caught.value
    return (TypeError if isinstance(error, TypeError) else ValueError), error.code, str(error)


class Connection:
    """An accepted socket, its plain peer, and a trace of what the socket emits.

    The trace has a line for each event, ``"name arguments {readyState}"``, in the order in which
    they are emitted and whether or not anybody listens. ``note`` adds lines of the test's own. (A
    recorder of the kit listens; and what a stream does depends on who listens.)
    """

    sock: Any
    peer: Peer
    #: Of a client: what it was told to connect to, and the plain socket that listens there.
    target: dict[str, Any]
    listener: Any

    def __init__(self, sock: Any) -> None:
        self.sock = sock
        self.trace: list[str] = []
        self._added = Event()
        self._emit = sock.emit
        sock.emit = self._traced
        # Or the stream would call the listeners of 'data' itself.
        sock._plain_emit = False

    def _traced(self, event: Any, *args: Any) -> bool:
        words = [str(event), *map(shown, args), '{' + self.sock.ready_state + '}']
        self.note(' '.join(words))
        return bool(self._emit(event, *args))

    def note(self, line: str) -> None:
        self.trace.append(line)
        self._added.set()

    def noting(self, name: str) -> Callable[..., None]:
        """Return a callback that adds *name* and its arguments to the trace."""
        return lambda *args: self.note(' '.join([name, *map(shown, args)]))

    def wait(self, start: str, count: int = 1) -> None:
        """Wait until *count* lines of the trace start with *start*."""
        with gevent.Timeout(PATIENCE, False):
            while not self._has(start, count):
                self._added.clear()
                self._added.wait()
        assert self._has(start, count), f'no {start!r} (x{count}) in {self.trace}'

    def _has(self, start: str, count: int) -> bool:
        return sum(line.startswith(start) for line in self.trace) >= count

    def until_closed(self) -> list[str]:
        """Wait for `'close'`, and return the trace."""
        self.wait('close')
        turn()
        return self.trace


def connected(server: gnet.Server, **options: Any) -> Connection:
    """Return a traced socket that is about to be connected to *server*."""
    sock = gnet.Socket(options)
    connection = Connection(sock)
    sock.on('error', lambda error: None)
    sock.connect(server.address().port, '127.0.0.1')
    return connection


def failing(events: list[Any]) -> Callable[[Connection], None]:
    """Return a set-up that reads by events, and notes the codes of errors."""
    def setup(c: Connection) -> None:
        c.sock.on('data', lambda chunk: None)
        c.sock.on('error', lambda error: events.append(code(error)))

    return setup
