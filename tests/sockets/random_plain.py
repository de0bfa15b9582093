"""A plain socket as one end of a connection that random calls are made on."""

from __future__ import annotations

import socket
import struct
from contextlib import suppress
from typing import Any

import gevent
from gevent.exceptions import ConcurrentObjectUseError

from ..harness.waiting import turn
from .random_calls import next_data
from .random_ends import Life, Record

__all__ = ['PlainEnd']


class PlainEnd:
    """A socket that is not gnet's, as one end."""

    def __init__(self, run: Any, name: str, sock: Any) -> None:
        self.run, self.name, self.sock = run, name, sock
        self.position = 0
        self.lives = [Life()]
        self.life = self.lives[0]
        #: The greenlet that reads to the end, if that is all it does.
        self.reader: Any = None

    def connected(self) -> None:
        self.life.was_connected = True
        if self.sock.family != socket.AF_UNIX:
            self.life.local_port = self.sock.getsockname()[1]
            # The peer may have reset it already.
            with suppress(OSError):
                self.life.remote_port = self.sock.getpeername()[1]

    def perform(self, name: str, *args: Any) -> None:
        try:
            getattr(self, name)(*args)
        except ConcurrentObjectUseError:
            self.life.was_cut = True  # it was late, and is read to its end already
        except OSError:
            # The kernel tells of a reset once; what is read afterwards looks like an end.
            self.life.was_cut = True

    def sendall(self, size: int) -> None:
        record = Record(next_data(self, size))
        record.given_up = True
        self.life.written.append(record)
        self.sock.sendall(record.data)
        record.given_up, record.acknowledged = False, True

    def recv(self, size: int) -> None:
        data = self.sock.recv(size)
        self.life.received.append(data)
        if not data:
            self.life.saw_end = True

    def read_to_end(self) -> None:
        while not self.life.saw_end:
            self.recv(65536)

    def shutdown(self) -> None:
        self.sock.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        self.sock.close()

    def reset(self) -> None:
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
        self.sock.close()

    def sleep(self) -> None:
        gevent.sleep(0.002)

    def turn(self) -> None:
        turn()
