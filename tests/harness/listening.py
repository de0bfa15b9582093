"""Servers that listen: their events, one by one and in order."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from gevent.event import Event

import gnet

from .waiting import PATIENCE

__all__ = ['drain', 'ended', 'failure_of', 'happens', 'listening', 'trace']


def trace(server: Any, log: list[Any] | None = None) -> list[Any]:
    """Return a list to which the names of the server's events are added, and errors' codes.

    No recorder of the kit: the tests add what comes between.
    """
    found: list[Any] = [] if log is None else log
    server.on('listening', lambda: found.append('listening'))
    server.on('close', lambda: found.append('close'))
    server.on('error', lambda error: found.append(error.code))
    # First, because the listener that serves may block.
    server.prepend_listener('connection', lambda sock: found.append('connection'))
    server.on('drop', lambda data: found.append('drop'))
    return found


def listening(server: Any, *args: Any, **options: Any) -> Any:
    """Listen, on 127.0.0.1 unless told otherwise, wait for `'listening'`, and return the server."""
    if not args and not options:
        args = (0, '127.0.0.1')
    server.listen(*args, **options)
    gnet.once(server, 'listening', timeout=PATIENCE)
    return server


def failure_of(server: Any, *args: Any, **options: Any) -> Any:
    """Listen, and return what `'error'` is emitted with."""
    server.listen(*args, **options)
    return gnet.once(server, 'error', timeout=PATIENCE)[0]


@contextmanager
def happens(emitter: Any, event: str, times: int = 1) -> Iterator[None]:
    """Do what is in the block, and wait for *event*; unlike ``gnet.once``, whatever else comes."""
    missing = times
    happened = Event()

    def count(*_args: Any) -> None:
        nonlocal missing
        missing -= 1
        if not missing:
            happened.set()

    emitter.on(event, count)
    yield
    assert happened.wait(PATIENCE), f'{event!r} {missing} times less than {times}'
    emitter.off(event, count)


def ended(emitter: Any) -> None:
    """Wait for `'close'`."""
    gnet.once(emitter, 'close', timeout=PATIENCE)


def drain(sock: Any) -> None:
    """Be a 'connection' listener that drops what comes, so that the socket ends with its peer."""
    sock.on('error', lambda error: None)
    sock.resume()
