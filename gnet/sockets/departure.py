"""A connection that goes to another process, or came from one: :class:`Movable`.

What the socket had read goes with it, and what it had not yet sent: nothing is lost (Node loses
what was read). The descriptor is closed here only when the other process has it.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..node import coded_errors
from ..streams.states import (
    CONNECTED,
    END_EMITTED,
    ENDING,
    FIN,
    NEW,
    NOT_STARTED,
    OVER,
    SHUT,
    WRITABLE,
    Reading,
    ReadState,
    WriteState,
)
from ..streams.writable import WriteRequest
from .descriptors import Pipe
from .settings import Tuned

if TYPE_CHECKING:
    from ..servers.server import Server

__all__ = [
    'Departed',
    'Movable',
    'arrive',
    'can_depart',
    'depart',
]


@dataclass
class Departed:
    """What was taken out of a socket: enough to give it back."""

    owner: Movable
    sock: Any
    server: Server | None
    remote: Any
    unread: bytes
    requests: list[WriteRequest]
    end_callbacks: list[Any]
    write_state: WriteState
    read_state: ReadState
    reading: Reading
    timeout: float | None
    counts: tuple[int, int]
    needs_drain: bool

    @property
    def unsent(self) -> bytes:
        """What is still to be written."""
        return b''.join(bytes(request.data) for request in self.requests)

    @property
    def was_ended(self) -> bool:
        """Whether ``end()`` was called."""
        return self.write_state is not WRITABLE

    def done(self) -> None:
        """The other process has the connection."""
        self.owner._departure_done(self)

    def come_back(self, error: BaseException | None) -> None:
        """The other process never had it: the connection is its socket's again.

        Args:
            error: destroy the socket with it, because nobody will look after it.
        """
        self.owner._come_back(self, error)


class Movable(Tuned):
    """Leaving and arriving. :class:`gnet.Socket` is the public class."""

    __slots__ = ()

    def _can_depart(self) -> bool:
        """Whether there is a connection to be sent.

        Raises:
            CodedTypeError: ``ERR_INVALID_HANDLE_TYPE`` for a pipe.
            CodedRuntimeError: a greenlet is blocked in a read or write (``ERR_SOCKET_IN_USE``), or
                text was made of what arrived (``ERR_TEXT_IS_BUFFERED``).
        """
        if self._stage is not CONNECTED or self._errored is not None or self._read_error:
            return False
        if isinstance(self._sock, Pipe):
            raise coded_errors.invalid_handle_type()
        if self._reader is not None or self._senders or self._io_refs:
            raise coded_errors.state_error('ERR_SOCKET_IN_USE')
        if self._decoder is not None and self._buffer:
            raise coded_errors.state_error('ERR_TEXT_IS_BUFFERED')
        return True

    def _depart(self) -> Departed:
        """Take the connection out of this socket, which has none from then on."""
        self._shut_now()  # what was ended stays so
        self._close_watchers()
        sock, server = self._sock, self._server
        # No text: see _can_depart(). But part of a character may have arrived.
        held = b'' if self._decoder is None else self._decoder.take_held()
        buffered: list[Any] = [held, *(self._buffer or ()), *(self._incoming or ())]
        unread = b''.join(buffered)
        read_state, write_state = self._read_state, self._write_state
        in_flight, queued, end_callbacks = self._take_unsent()
        requests = [*in_flight, *queued]
        departed = Departed(
            self, sock, server, self._remote, unread, requests, end_callbacks, write_state,
            read_state, self._reading, self._timeout, (self._bytes_read, self._bytes_sent),
            self._needs_drain)
        called_back = self._pending_callbacks - len(requests)
        self._set_idle_timer(0)
        self._sock = None
        if self._ref:
            self._loop.release()
        self._start_anew()
        self._pending_callbacks = called_back  # those of what was sent, on their ticks still
        if server is not None:
            server._connection_departed(self)
        return departed

    def _departure_done(self, departed: Departed) -> None:
        """The other process has the connection."""
        departed.sock.close()
        self._answer(departed, None, None)

    def _answer(
        self, departed: Departed, written: BaseException | None, ended: BaseException | None,
    ) -> None:
        """Call the callbacks of what was still to be written, and of ``end()``."""
        for request in departed.requests:
            if request.callback is not None:
                self._tick(self._call_guarded, request.callback, written)
        for callback in departed.end_callbacks:
            self._tick(self._call_guarded, callback, ended)

    def _come_back(self, departed: Departed, error: BaseException | None) -> None:
        """The other process never had it: the connection is this socket's again.

        Args:
            departed: what :meth:`_depart` returned.
            error: destroy the socket with it, because nobody will look after it.
        """
        if self._stage is not NEW:
            departed.sock.close()  # destroyed, or connected to somewhere else, meanwhile
            self._answer(
                departed, coded_errors.stream_destroyed('write'),
                coded_errors.stream_destroyed('end'))
            return
        self._server = departed.server
        self._remote = departed.remote
        if departed.server is not None:
            self._owner = None
            departed.server._connection_returned(self)
        self._open(departed.sock)
        self._bytes_read, self._bytes_sent = departed.counts
        if departed.timeout:
            self.set_timeout(departed.timeout)
        self._bring(departed.unread)
        for request in departed.requests:
            self._enqueue(request)
        self._end_callbacks = departed.end_callbacks or None
        self._write_state = departed.write_state
        self._needs_drain = departed.needs_drain
        if error is not None:
            self.destroy(error)
            return
        if departed.reading is OVER:
            self._reading = OVER
            # What was in the stream has to be brought there again.
            ended = departed.read_state is END_EMITTED
            self._read_state = END_EMITTED if ended else FIN
            self._queue_delivery()
        elif departed.reading is not NOT_STARTED:
            self._start_reading()
        if self._queue:
            self._continue_sending(at_once=True)
        elif self._write_state is ENDING:
            self._shut_now()  # again: what comes after the FIN did not happen
        elif self._write_state is SHUT and not self._pending_callbacks:
            self._tick(self._finish)

    def _arrive(
        self, sock: Any, server: Any, unread: bytes, unsent: bytes, was_ended: bool,
    ) -> None:
        """Take over a connection that another process had.

        Args:
            sock: the connected, non-blocking socket.
            server: who counts it, as a server its connections; None for one that was opened by
                ``connect()``.
            unread: what the other process had received.
            unsent: what it had still to send.
            was_ended: whether it had ended its half.
        """
        if server is not None:
            self._server = server
            self._owner = None
        self._adopt(sock)
        self._bring(unread)
        if unsent:
            self.write(unsent)
        if was_ended:
            self.end()

    def _bring(self, unread: bytes) -> None:
        """Put *unread* in front of all that will be received."""
        if unread:
            self._incoming = deque([unread])
            self._incoming_size = len(unread)
            self._queue_delivery()


def can_depart(sock: Movable) -> bool:
    """Return whether *sock* has a connection to be sent; raises as :meth:`Movable._can_depart`."""
    return sock._can_depart()


def depart(sock: Movable) -> Departed:
    """Take the connection out of *sock*, which has none from then on."""
    return sock._depart()


def arrive(
    sock: Movable, descriptor: Any, counter: Any, unread: bytes, unsent: bytes, was_ended: bool,
) -> None:
    """Have *sock* take over a connection that another process had: :meth:`Movable._arrive`."""
    sock._arrive(descriptor, counter, unread, unsent, was_ended)
