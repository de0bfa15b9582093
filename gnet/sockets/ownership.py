"""A connection in the hands of its 'connection' listeners, and what becomes of it afterwards.

These listeners run in a greenlet of their own, the *owner*. If they used the blocking names of
their socket it is ended when they return; if they only registered listeners, or left reading to
events in the end, it stays open, as in Node.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from contextvars import copy_context
from enum import Enum
from typing import Any

from gevent import GreenletExit, getcurrent

from ..loop.idle_timers import IdleTimer, idle_timers
from ..loop.loop import EXITS, Loop
from ..node import system_errors
from ..streams.states import CONNECTED, FIN, FLOWING, GONE, NOT_ENDED, PAUSED, UNDECIDED, WRITABLE
from .transport import Transport

__all__ = [
    'Handled',
    'fail',
    'hand_over',
    'is_accepted',
    'is_used_blockingly',
]

#: When a blocking handler has returned: how long a write may make no progress, and after the last
#: one how long the peer may keep its half open. nginx's default for this (lingering_time).
LINGER_SECONDS = 30


class BlockingUser(Enum):
    """Who has used a blocking name of a socket."""

    NOBODY = "nobody, or another greenlet than that of its 'connection' listeners"
    HANDLER = "a 'connection' listener: the socket ends when that returns"
    PROGRAM = 'the program, which opened the socket: blocking calls tell it of failures'


_NOBODY = BlockingUser.NOBODY  # names of the module: see states.py

#: Also the owner of a socket that the program itself opened, until it uses a blocking name.
_PROGRAM = BlockingUser.PROGRAM
_HANDLER = BlockingUser.HANDLER


class _Linger:
    """The time that a connection is given to end, when its handler has returned.

    One of the idle timers, of which a loop has one heap: a timer of gevent's for each connection
    would cost more than the rest of its end, on libuv above all.
    """

    __slots__ = ('_sent_before', '_socket', '_timer')

    def __init__(self, socket: Handled) -> None:
        self._socket = socket
        self._sent_before = socket._bytes_sent
        self._timer = IdleTimer(self, LINGER_SECONDS, socket._loop.now())
        idle_timers(socket._loop).arm(self._timer)

    def _idle_expired(self, timer: IdleTimer) -> None:
        self._socket._lingered(self._sent_before)

    def cancel(self) -> None:
        """Forget it."""
        idle_timers(self._socket._loop).cancel(self._timer)


class Handled(Transport):
    """The life of a connection beside its events."""

    __slots__ = ('_blocking_user', '_linger_timer', '_owner')

    def _prepare(self, loop: Loop, allow_half_open: bool) -> None:
        super()._prepare(loop, allow_half_open)
        #: The greenlet of the 'connection' listeners, until they return or block on the socket.
        self._owner: Any = None
        self._blocking_user = _NOBODY
        self._linger_timer: _Linger | None = None

    def _belongs_to_program(self) -> None:
        """There is no 'connection' listener: the program opened this socket."""
        self._owner = _PROGRAM

    def _pause_at_birth(self) -> None:
        """Read nothing before ``resume()`` or a read (``pause_on_connect``)."""
        self._flow = PAUSED

    def _begin(self, owner: Any) -> None:
        """The 'connection' listeners are about to run, in the greenlet *owner*."""
        self._owner = owner
        if owner.gr_context is None:
            # Else it would get one when it sets its first variable, which no other greenlet sees.
            owner.gr_context = copy_context()
        self.context = owner.gr_context
        if self._stage is CONNECTED and self._flow is not PAUSED:
            self._readable_wanted = True
            self._start_reading()

    def _owner_returned(self) -> None:
        """They have returned: end the connection if they used it blockingly."""
        if self._server is None:
            return  # they have connected it again: it is the program's now
        self._owner = None
        if self._blocking_user is not _HANDLER or self._reads_by_events():
            if self._read_state is FIN:
                self._queue_delivery()
        elif self._stage is not CONNECTED:
            pass
        elif (
            self._read_state is not NOT_ENDED and self._write_state is WRITABLE
            and not self._pending_callbacks
            and not (self._events.get('finish') or self._events.get('prefinish'))
        ):
            self.destroy()  # both ends are done: no need for the steps of a graceful end
        else:
            self._end_gracefully()

    def _reads_by_events(self) -> bool:
        """Whether events were chosen to read the socket after the last blocking read."""
        return not self._blocking_style and (
            self._flow is FLOWING
            or bool(self._events.get('data') or self._events.get('readable'))
        )

    def _end_gracefully(self) -> None:
        """End, and wait for the peer to do so, but not for ever; what it still sends is dropped.

        Closing at once would make the kernel reset the connection if anything is unread, and the
        peer might lose the answer.
        """
        self._linger()
        self._wake_blocked()  # another greenlet than the handler's reads: no more
        self._blocking_style = False
        self.end()
        self._start_flowing()
        if self._incoming or self._read_state is FIN:
            self._queue_delivery()

    def _linger(self) -> None:
        self._linger_timer = _Linger(self)

    def _lingered(self, sent_before: int) -> None:
        """Stop waiting for the peer, unless it is still taking what was written."""
        self._linger_timer = None
        if not self._queued_units:
            self.destroy()
        elif self._bytes_sent == sent_before:
            self.destroy(system_errors.system_error(errno.ETIMEDOUT, 'write'))
        else:
            self._linger()

    def _note_blocking_use(self) -> None:
        """A blocking name was used: if by the owner, the socket ends when that returns."""
        owner = self._owner
        if owner is _PROGRAM:
            self._owner = None
            self._blocking_user = _PROGRAM
        elif owner is not None and owner is getcurrent():
            self._owner = None
            self._blocking_user = _HANDLER

    # --- hooks of the transport -------------------------------------------------------------------

    def _holds_end(self) -> bool:
        # A 'connection' listener that is still at work and has not said how it reads may be about
        # to, and so may a program that has begun with sendall(): the peer's end waits for it, as it
        # would in the kernel.
        return self._stage in GONE or (
            (self._tells_by_raising() or self._owner not in (None, _PROGRAM))
            and self._flow is UNDECIDED
            and not self._events.get('end') and not self._events.get('readable')
        )

    def _tells_by_raising(self) -> bool:
        return self._blocking_user is _PROGRAM

    def _close_descriptor(self) -> None:
        if self._linger_timer is not None:
            self._linger_timer.cancel()
            self._linger_timer = None
        super()._close_descriptor()


# --- for those who hand a connection over ---------------------------------------------------------


def hand_over(
    sock: Any, emit: Callable[[], object], failed: Callable[[BaseException], object],
) -> None:
    """Give *sock* to its listeners, in this greenlet, and do what follows when they return.

    Args:
        sock: a connection that a server accepted, here or in another process.
        emit: calls the listeners.
        failed: called with what they raise, unless it ends the program or the greenlet.
    """
    sock._begin(getcurrent())
    try:
        emit()
    except GreenletExit:
        sock.destroy()  # somebody killed the handler
    except EXITS:
        sock.destroy()
        raise
    except BaseException as error:
        failed(error)
    sock._owner_returned()


def is_accepted(sock: Any) -> bool:
    """Return whether a server accepted the connection, here or in another process."""
    return sock._server is not None


def is_used_blockingly(sock: Any) -> bool:
    """Return whether blocking names read the socket, and not events."""
    return bool(sock._blocking_style)


def fail(sock: Any, error: BaseException) -> None:
    """Destroy *sock*, whose listener has failed with *error*."""
    sock._fail(error)
