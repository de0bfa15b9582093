"""This process, as if systemd had started it; and a service manager that listens."""

from __future__ import annotations

import _socket
import fcntl
import os
import socket
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import gevent
import pytest
from gevent import socket as gevent_socket

from gnet.systemd import activation

from .plain import PlainSocket
from .waiting import PROCESS_PATIENCE

#: The number that stands for systemd's 3, which is taken here: above what tests have open.
FIRST = 500


@pytest.fixture
def pass_sockets(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """``pass_sockets(*holders, names=None, **variables)`` passes duplicates of what they have."""
    monkeypatch.setattr(activation, 'FIRST', FIRST)
    monkeypatch.setattr(activation, '_found', activation._Found())
    passed: list[int] = []

    def pass_them(*holders: PlainSocket, names: str | None = None, **variables: str) -> None:
        for holder in holders:
            passed.append(fcntl.fcntl(holder.fileno(), fcntl.F_DUPFD, FIRST))
            assert passed[-1] == FIRST + len(passed) - 1
            os.set_inheritable(passed[-1], True)
        told = {'LISTEN_PID': str(os.getpid()), 'LISTEN_FDS': str(len(passed)), **variables}
        if names is not None:
            told['LISTEN_FDNAMES'] = names
        for name, value in told.items():
            monkeypatch.setenv(name, value)

    yield pass_them
    for fd in passed:
        _socket.close(fd)


class Manager:
    """Stands for systemd: has the socket that ``NOTIFY_SOCKET`` names."""

    def __init__(self, address: str) -> None:
        #: The value of NOTIFY_SOCKET.
        self.address = address
        self._socket = gevent_socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(address.replace('@', '\0', 1) if address[0] == '@' else address)
        #: All that it was told: the lines of each message.
        self.told: list[list[str]] = []

    def next(self) -> list[str]:
        """Wait for the next message, and return its lines."""
        with gevent.Timeout(PROCESS_PATIENCE, AssertionError(f'nothing after {self.told}')):
            self.told.append(self._socket.recv(4096).decode().split('\n'))
        return self.told[-1]

    def wait_for(self, line: str) -> list[str]:
        """Wait for a message that begins with *line*; return the other lines."""
        while True:
            first, *rest = self.next()
            if first == line:
                return rest

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def manager() -> Iterator[Manager]:
    with tempfile.TemporaryDirectory(prefix='gnet-') as directory:
        there = Manager(str(Path(directory, 'notify')))
        yield there
        there.close()
