"""A connection that goes to another process, or came from one.

What the socket had read goes with it, and what it had not yet sent: nothing is lost (Node loses
what was read). The descriptor is closed here only when the other process has it.

:func:`can_depart`, :func:`depart`, :class:`Departed` and :func:`arrive` are what other rooms use.
"""

from __future__ import annotations

from typing import Any

from ..addresses.ends import ProxiedName
from ..loop.copied_descriptors import forget
from ..node import coded_errors
from ..streams.states import (
    CONNECTED,
    END_EMITTED,
    ENDING,
    NEW,
    NOT_ENDED,
    NOT_STARTED,
    OVER,
    SHUT,
    WRITABLE,
    Reading,
    ReadState,
    WriteState,
)
from ..streams.write_request import WriteRequest
from .client import Client
from .descriptors import Pipe
from .ownership import Counter

__all__ = ['Movable', 'arrive', 'can_depart', 'depart', 'told_of']


class Departed:
    """What was taken out of a socket: enough to give it back."""

    __slots__ = (
        'counter', 'counts', 'end_callbacks', 'idle_time', 'needs_drain', 'read_state', 'reading',
        'remote', 'requests', 'sock', 'socket', 'unread', 'write_state',
    )

    def __init__(
        self, socket: Movable, sock: Any, counter: Counter | None, remote: Any, unread: bytes,
        requests: list[WriteRequest], end_callbacks: list[Any], write_state: WriteState,
        read_state: ReadState, reading: Reading, idle_time: float, counts: tuple[int, int],
        needs_drain: bool,
    ) -> None:
        self.socket: Movable = socket
        self.sock: Any = sock
        self.counter: Counter | None = counter
        self.remote: Any = remote
        self.unread: bytes = unread
        self.requests: list[WriteRequest] = requests
        self.end_callbacks: list[Any] = end_callbacks
        self.write_state: WriteState = write_state
        self.read_state: ReadState = read_state
        self.reading: Reading = reading
        #: Of the idle timer, in seconds; 0 for none.
        self.idle_time: float = idle_time
        self.counts: tuple[int, int] = counts
        self.needs_drain: bool = needs_drain

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
        self.sock.close()
        self.answer(None, None)

    def answer(self, written: BaseException | None, ended: BaseException | None) -> None:
        """Call the callbacks of what was still to be written, and of ``end()``."""
        # inside: a Departed is a part of its socket
        self.socket._settle(self, written, ended)

    def come_back(self, error: BaseException | None) -> None:
        """The other process never had it: the connection is its socket's again.

        Args:
            error: destroy the socket with it, because nobody will look after it.
        """
        self.socket._come_back(self, error)  # inside: as above


class Movable(Client):
    """Leaving and arriving. Without state of its own: :class:`gnet.Socket` has it."""

    __slots__ = ()

    def _can_depart(self) -> bool:
        self._shut_now()  # what was ended stays so; that may fail
        wire = self._wire
        if self._stage is not CONNECTED or self._errored is not None or wire.error:
            return False
        if isinstance(wire.sock, Pipe):
            raise coded_errors.invalid_handle_type()
        blocking = self._blocking
        if wire.reader is not None or blocking.senders or blocking.io_refs:
            raise coded_errors.state_error('ERR_SOCKET_IN_USE')
        if self._decoder is not None and self._buffer:
            raise coded_errors.state_error('ERR_TEXT_IS_BUFFERED')
        return True

    def _depart(self) -> Departed:
        wire, counter = self._wire, self._counter
        reading = wire.reading
        idle_time = 0 if wire.idle_timer is None else wire.idle_timer.seconds
        sock = wire.take_out()
        forget(self._loop, sock.fileno())  # the other process will have it when this one closes it
        # No text: see can_depart(). But part of a character may have arrived.
        held = b'' if self._decoder is None else self._decoder.take_held()
        buffered: list[Any] = [held, *(self._buffer or ()), *wire.take_all()]
        # What the wire knows of the end goes along in the state of reading.
        read_state, write_state = self._read_state, self._write_state
        in_flight, queued, end_callbacks = self._take_unsent()
        requests = [*in_flight, *queued]
        departed = Departed(
            self, sock, counter, self._remote, b''.join(buffered), requests, end_callbacks,
            write_state, read_state, reading, idle_time,
            (wire.bytes_read, self._bytes_sent), self._needs_drain)
        called_back = self._pending_callbacks - len(requests)
        wire.close()
        self._start_anew()
        self._pending_callbacks = called_back  # those of what was sent, on their ticks still
        if counter is not None:
            counter.departed(self)
        return departed

    def _come_back(self, departed: Departed, error: BaseException | None) -> None:
        if self._stage is not NEW:
            departed.sock.close()  # destroyed, or connected to somewhere else, meanwhile
            departed.answer(
                coded_errors.stream_destroyed('write'), coded_errors.stream_destroyed('end'))
            return
        self._counter = departed.counter
        self._remote = departed.remote
        if departed.counter is not None:
            self._owner = None
            departed.counter.returned(self)
        self._open(departed.sock)
        self._settle_keeping()
        wire = self._wire
        wire.bytes_read, self._bytes_sent = departed.counts
        if departed.idle_time:
            wire.set_idle_time(departed.idle_time, self._idle_expired)
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
            wire.reading = OVER
            # What was in the stream has to be brought there again.
            wire.ended = True
            self._read_state = (
                END_EMITTED if departed.read_state is END_EMITTED else NOT_ENDED)
            wire.announce()
        elif departed.reading is not NOT_STARTED:
            wire.want()
        if self._queue:
            self._continue_sending(at_once=True)
        elif self._write_state is ENDING:
            self._shut_now()  # again: what comes after the FIN did not happen
        elif self._write_state is SHUT and not self._pending_callbacks:
            self._tick(self._finish)

    def _settle(
        self, departed: Departed, written: BaseException | None, ended: BaseException | None,
    ) -> None:
        self._answer(self._tick, departed.requests, departed.end_callbacks, written, ended)

    def _arrive(
        self, sock: Any, counter: Counter | None, unread: bytes, unsent: bytes, was_ended: bool,
        told: bytes,
    ) -> None:
        if counter is not None:
            self._counter = counter
            self._owner = None
        self._adopt(sock)
        if told:
            from ..proxy_protocol.names import named_by_bytes  # few connections need it

            self._remote = named_by_bytes(told, sock.family, self._remote)
        self._bring(unread)
        if unsent:
            self.write(unsent)
        if was_ended:
            self.end()

    def _bring(self, unread: bytes) -> None:
        """Put *unread* in front of all that will be received."""
        if unread:
            self._wire.give_back(unread)
            self._wire.announce()


# --- for other rooms ------------------------------------------------------------------------------


def can_depart(sock: Movable) -> bool:
    """Return whether there is a connection to be sent.

    Raises:
        CodedTypeError: ``ERR_INVALID_HANDLE_TYPE`` for a pipe.
        CodedRuntimeError: a greenlet is blocked in a read or write (``ERR_SOCKET_IN_USE``), or
            text was made of what arrived (``ERR_TEXT_IS_BUFFERED``).
    """
    return sock._can_depart()  # inside: programs see a Socket, and have no use for it


def depart(sock: Movable) -> Departed:
    """Take the connection out of this socket, which has none from then on."""
    return sock._depart()  # inside: as above


def arrive(
    sock: Movable, descriptor: Any, counter: Counter | None, unread: bytes, unsent: bytes,
    was_ended: bool, told: bytes = b'',
) -> None:
    """Take over a connection that another process had.

    Args:
        sock: a new socket.
        descriptor: the connected, non-blocking socket of the system.
        counter: who counts it, as a server its connections; None for one that was opened by
            ``connect()``.
        unread: what the other process had received.
        unsent: what it had still to send.
        was_ended: whether it had ended its half.
        told: the header of the PROXY protocol that it had read, if any.

    Raises:
        CodedValueError: ``ERR_PROXY_PROTOCOL``: *told* is none. All else is done.
    """
    # inside: as above
    sock._arrive(descriptor, counter, unread, unsent, was_ended, told)


def told_of(sock: Movable) -> bytes:
    """Return the header of the PROXY protocol that was read from this connection, if any."""
    remote = sock._remote  # inside: as above
    return remote.header.to_bytes() if type(remote) is ProxiedName else b''
