"""Two ends of a connection: the client ``c``, and what the server has accepted, ``s1``."""

from __future__ import annotations

from typing import Any

from ..form import Form, Step, port

__all__ = ['QUIET', 'connection', 'listening']

#: What returns nothing of interest while a connection is made.
QUIET = ['on', 'once', 'prependListener', 'listen']


def listening(options: dict[str, Any] | None = None, *accepted: Form) -> list[Step]:
    """Return the steps that lead to a server that listens."""
    return [
        ['let', 'server', 'net.createServer', options or {}, *accepted],
        ['call', 'server.listen', 0, '127.0.0.1'],
        ['await', 'server listening'],
    ]


def connection(
    *early: Step, client: dict[str, Any] | None = None, server: dict[str, Any] | None = None,
    accepted: Form = None,
) -> list[Step]:
    """Return the steps that lead to a connection.

    *early* are taken right after ``connect()``; *client* and *server* are options; *accepted* is a
    listener of 'connection'.
    """
    return [
        *listening(server, *([] if accepted is None else [accepted])),
        ['let', 'c', 'net.connect', {'port': port(), 'host': '127.0.0.1', **(client or {})}],
        *early,
        ['await', 'c ready'],
        ['await', 'server connection'],
    ]
