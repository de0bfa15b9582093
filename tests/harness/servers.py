"""Servers of tests, which are stopped when the test is over."""

from __future__ import annotations

from typing import Any

import gnet

from .waiting import PATIENCE

__all__ = ['Servers']


class Servers:
    """Makes servers, and stops them.

    Not by ``gnet.testing.listening``: that wants each connection to be over in the end, which most
    of these tests leave open, and has listeners of its own, where some count them.
    """

    def __init__(self) -> None:
        self._servers: list[gnet.Server] = []

    def create(self, *args: Any, **options: Any) -> gnet.Server:
        """Do what ``gnet.create_server`` does."""
        self._servers.append(gnet.create_server(*args, **options))
        return self._servers[-1]

    def listen(self, handler: Any = None, *, target: Any = None, **options: Any) -> gnet.Server:
        """Return a server that listens, on a free port of 127.0.0.1 or on *target*.

        Args:
            handler: its listener of `'connection'`, if any.
            target: options of ``Server.listen``.
            options: of ``create_server``.
        """
        server = self.create(options)
        if handler is not None:
            server.on('connection', handler)
        server.listen(**(target or {'host': '127.0.0.1', 'port': 0}))
        gnet.once(server, 'listening', timeout=PATIENCE)
        return server

    def close(self) -> None:
        """Stop them. Neither what was registered nor their last errors matter any more."""
        while self._servers:
            server = self._servers.pop(0)
            server.remove_all_listeners()
            server.stop(0)
