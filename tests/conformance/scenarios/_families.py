"""A connection of any family: the client ``c``, and what the server has accepted, ``s1``."""

from __future__ import annotations

from typing import Any

from ..form import Form, Step, port, tmp

__all__ = ['FAMILIES', 'QUIET', 'connection', 'listening', 'target']

#: What :func:`connection` can be made over.
FAMILIES = ('IPv4', 'IPv6', 'unix')

_HOSTS = {'IPv4': '127.0.0.1', 'IPv6': '::1'}

#: What returns nothing of interest while a connection is made.
QUIET = ['on', 'once', 'prependListener', 'listen']


def target(family: str) -> dict[str, Any]:
    """Return the options with which the server of :func:`listening` is reached."""
    if family == 'unix':
        return {'path': tmp('path')}
    return {'port': port(), 'host': _HOSTS[family]}


def listening(
    family: str = 'IPv4', options: dict[str, Any] | None = None, accepted: Form = None,
) -> list[Step]:
    """Return the steps that lead to a server that listens."""
    where = [tmp('path')] if family == 'unix' else [0, _HOSTS[family]]
    return [
        ['let', 'server', 'net.createServer', options or {},
         *([] if accepted is None else [accepted])],
        ['call', 'server.listen', *where],
        ['await', 'server listening'],
    ]


def connection(
    family: str = 'IPv4', *early: Step, client: dict[str, Any] | None = None,
    server: dict[str, Any] | None = None, accepted: Form = None,
) -> list[Step]:
    """Return the steps that lead to a connection.

    *early* are taken right after ``connect()``; *client* and *server* are options; *accepted* is a
    listener of 'connection'.
    """
    return [
        *listening(family, server, accepted),
        ['let', 'c', 'net.connect', {**target(family), **(client or {})}],
        *early,
        ['await', 'c ready'],
        ['await', 'server connection'],
    ]
