"""Fixtures of the tests of a program's life."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import gnet
from gnet.loop import duty, runner

from ..harness.plain import PlainSocket
from ..harness.transitions import fixtures_that_watch
from ..harness.waiting import PATIENCE

_wrong_steps, _states_follow_the_tables = fixtures_that_watch(
    (runner.Runner, 'state', runner.FOLLOWS), (duty.Program, 'duty', duty.FOLLOWS),
)


@pytest.fixture
def talk(native: Any) -> Callable[..., bytes]:
    """``talk(running, data)`` sends data to the server of a script, and returns what comes back.

    Instead of the script, its port may be given.
    """
    def client(port: int, data: bytes) -> bytes:
        with PlainSocket() as plain:
            plain.settimeout(PATIENCE)
            plain.connect(('127.0.0.1', port))
            plain.sendall(data)
            return bytes(plain.recv(100))

    def talk(target: Any, data: bytes = b'x') -> bytes:
        port = target if isinstance(target, int) else int(target.wait_for(r'port (\d+)')[1])
        return native(client, port, data)  # type: ignore[no-any-return]

    return talk


@pytest.fixture
def server() -> Any:
    server = gnet.create_server()
    yield server
    server.stop(0)
