"""Fixtures of the folders that have servers of TLS: their conftest.py imports them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

import gnet
from gnet import tls

from .authority import NAMES, authority
from .waiting import PATIENCE

__all__ = ['certified', 'serve_tls']


@pytest.fixture(scope='session')
def certified() -> Any:
    """The key and the certificate of the server of the tests."""
    return authority().certify(*NAMES)


@pytest.fixture
def serve_tls(certified: Any) -> Iterator[Callable[..., Any]]:
    """``serve_tls(handler, target=None, **options)`` returns a listening TLS server.

    Its handshakes that come to nothing are in its list ``failures``: ``(code, socket)``.
    """
    servers: list[Any] = []

    def serve_tls(handler: Any = None, *, target: Any = None, **options: Any) -> Any:
        server = tls.create_server({**certified.options, **options})
        servers.append(server)
        if handler is not None:
            server.on('secureConnection', handler)
        server.listen(**(target or {'host': '127.0.0.1', 'port': 0}))
        gnet.once(server, 'listening', timeout=PATIENCE)
        return server

    yield serve_tls
    for server in servers:
        server.remove_all_listeners()
        server.stop(0)
