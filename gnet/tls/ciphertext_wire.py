"""The wire on a descriptor for ciphertext: what is read ends where records do, mostly.

A wire of TLS is its only reader, from the beginning to the end; so what comes is handed over at
once, and nothing waits here.
"""

from __future__ import annotations

import _socket
from typing import Any

from ..sockets.wire import DescriptorWire
from ..streams.states import OVER
from ..streams.upper import Upper
from .engine import RECORD_SIZE

__all__ = ['CiphertextWire']

#: Bytes by which a record of TLS 1.3 is longer than its plain text: its head, the type of its
#: content, and the tag.
_AROUND = 5 + 1 + 16

#: Bytes that are read at once: four of the longest records. A peer that sends much sends those; and
#: a record that is read in two parts costs OpenSSL 2 us, and an exception.
READ_SIZE = 4 * (RECORD_SIZE + _AROUND)


#: For what a FIN follows at once: the system sends both as one.
_FIN_FOLLOWS: int = getattr(_socket, 'MSG_MORE', 0)


class CiphertextWire(DescriptorWire):
    """A `DescriptorWire` with a :class:`.wire.TlsWire` upon it."""

    __slots__ = ()

    looks_first = False

    stream: Upper | None
    # Of the base, and set here, too: without this, type checkers may differ about its type.
    bytes_read: int

    def on_readable(self) -> None:
        """In the hub: hand over what the kernel has."""
        sock, stream = self.sock, self.stream
        if sock is None or stream is None:
            return  # as in DescriptorWire
        try:
            try:
                chunk = sock.recv(READ_SIZE)
            except BlockingIOError:
                return
            except OSError as error:
                self.fail(error)
                return
            timer = self.idle_timer
            if timer is not None:  # touch(), without the call
                timer.last_active = self.schedule.now()
                if not timer.armed:
                    self.schedule.idle_timers.arm(timer)
            if not chunk:
                self.end()
                return
            self.bytes_read += len(chunk)
            # (It is itself the reader; and what fails there is reported there.)
            stream.switch(chunk)
        except BaseException as error:
            self.failed_in_hub(stream, error)

    def receive(self) -> bytes | None:
        """Take what has arrived; None if that is no bytes. Called by whoever consumes it."""
        try:
            chunk: bytes = self.sock.recv(READ_SIZE)
        except BlockingIOError:
            return None
        except OSError as error:
            self.fail(error)
            return None
        self.touch()
        if chunk:
            self.bytes_read += len(chunk)
            return chunk
        self.ended = True
        self.hold(OVER)
        return None

    def send_last(self, data: Any) -> int:
        """As ``send``, for what the end of the connection follows without any delay."""
        self.touch()
        sent: int = self.sock.send(data, _FIN_FOLLOWS)
        return sent
