"""Whose a connection is: its 'connection' listeners', the program's, nobody's; and what follows.

Who ends a connection
=====================

- *The program*, by ``end``, ``destroy``, ``close``, ``with``: whoever has it, in either style.
- *Its listeners' return.* They run in a greenlet of their own, the *owner* (:func:`hand_over`). If
  the blocking names of their socket were used meanwhile, by them or by a greenlet that they have
  given it to, it is ended when they return, and gets ``LINGER_SECONDS`` to take leave of its peer.
  If they only registered listeners, or left reading to events in the end, it stays open, as in
  Node.
- *Their failure*: a listener of an accepted connection that raises costs that connection
  (:meth:`Owned._fail`). On a socket that the program itself opened, it ends ``gnet.run()``.
- *The peer*: its end has its turn after all that came before it, and not before a listener that is
  still at work has said how it reads (``Taker.NOBODY_YET``; the rule is
  ``Delivery._holds_end`` in ``streams/delivery.py``). Then the socket ends too, unless
  ``allow_half_open``, or a greenlet that reads in blocking style, says otherwise.
"""

from __future__ import annotations

import errno
from contextvars import Context
from enum import Enum
from typing import TYPE_CHECKING, Any, Protocol, cast

from gevent import GreenletExit, getcurrent

from ..loop.agenda import EXITS
from ..loop.loop import Loop
from ..loop.periods import Periods
from ..node import system_errors
from ..node.logs import Log
from ..streams.delivery import BLOCKING
from ..streams.duplex import Duplex
from ..streams.readable import OF_READING
from ..streams.states import (
    ACTIVE,
    CONNECTED,
    DRAIN,
    EVENTS,
    FLOWING,
    GONE,
    IDLE,
    NOBODY_YET,
    NOT_ENDED,
    PAUSED,
    UNDECIDED,
    WRITABLE,
    Taker,
)
from .blocking import Blocking

if TYPE_CHECKING:
    from .socket_wire import Borrower, SocketWire

__all__ = [
    'BlockingUser', 'Counter', 'Owned', 'fail', 'forsake', 'hand_over', 'is_accepted',
    'is_used_blockingly',
]

_log = Log('gnet.socket')

#: When a blocking handler has returned: how long a write may make no progress, and after the last
#: one how long the peer may keep its half open, at least. (It is looked at so often; so it is less
#: than twice as long.) nginx's default for this (lingering_time).
LINGER_SECONDS = 30


class BlockingUser(Enum):
    """Who has used a blocking name of a socket."""

    NOBODY = "nobody, or greenlets that its 'connection' listeners have left it to"
    HANDLER = "a greenlet, while its 'connection' listeners are at work: it ends when they return"
    PROGRAM = 'the program, which opened the socket: blocking calls tell it of failures'


#: Which may follow which.
FOLLOWS: dict[BlockingUser, set[BlockingUser]] = {
    BlockingUser.NOBODY: {BlockingUser.HANDLER, BlockingUser.PROGRAM},
    BlockingUser.HANDLER: {BlockingUser.NOBODY, BlockingUser.PROGRAM},  # PROGRAM: connected again
    BlockingUser.PROGRAM: {BlockingUser.NOBODY},  # its connection carries another socket, TLS say
}

#: By its name, as in Sending; and a name of the module, as each connection asks for it.
_listener_added = Duplex._listener_added  # inside: of its own class

_NOBODY = BlockingUser.NOBODY  # names of the module: see states.py

#: Also the owner of a socket that the program itself opened, until it uses a blocking name.
_PROGRAM = BlockingUser.PROGRAM
_HANDLER = BlockingUser.HANDLER


class Counter(Protocol):
    """Who counts a connection: a server's connections, or who stands for those of another process.
    """

    @property
    def server(self) -> Any:
        """The server that accepted it, in this process; else None."""

    def destroyed(self, sock: Any) -> None:
        """It is closed."""

    def departed(self, sock: Any) -> None:
        """It is another process's now."""

    def returned(self, sock: Any) -> None:
        """The other process never had it."""


class Owned(Duplex):
    """Whose a connection is. Without state of its own: :class:`gnet.Socket` has it."""

    __slots__ = ()

    _loop: Loop
    _wire: SocketWire
    _blocking: Blocking
    #: The greenlet of the 'connection' listeners, until they return or a blocking name is used;
    #: PROGRAM for a socket that the program opened, until it uses one.
    _owner: Any
    _blocking_user: BlockingUser
    #: While it has its time to end, its handler having returned: how many bytes had been sent when
    #: that began. Else None.
    _lingering: int | None
    #: Who counts the connection, if it was accepted.
    _counter: Counter | None

    def _belongs_to_program(self) -> None:
        """There is no 'connection' listener: the program opened this socket."""
        self._owner = _PROGRAM

    def _begin(self, owner: Any) -> None:
        """The 'connection' listeners are about to run, in the greenlet *owner*."""
        self._owner = owner
        context = owner.gr_context
        if context is None:
            # Else it would get one when it sets its first variable, which no other greenlet sees.
            context = owner.gr_context = Context()
        wire = self._wire
        wire.context = context
        wire.taker = NOBODY_YET
        if self._stage is CONNECTED and self._flow is not PAUSED:
            self._readable_wanted = True
            wire.begin_handled()
        else:
            wire.set_handled(True)

    def _taker_by_events(self) -> Taker:
        user = self._blocking_user
        is_at_work = (
            (self._owner is not None and self._owner is not _PROGRAM)
            or (user is _HANDLER and self._counter is not None))
        return NOBODY_YET if is_at_work or user is _PROGRAM else EVENTS

    def _is_for_blocking_calls(self) -> bool:
        taker = self._wire.taker
        return taker in BLOCKING or (
            # Somebody has written by one, listens to 'end', and reads nothing yet.
            taker is NOBODY_YET and self._blocking_user is not _NOBODY and self._flow is UNDECIDED
        )

    def _owner_returned(self) -> None:
        """They have returned: end the connection if they used it blockingly."""
        upper = self._wire.stream
        if upper is not self and upper is not None and upper != self:  # (or a weak proxy of it)
            cast('Borrower', upper).lender_returned()  # it was lent: see sockets/lending.py
            return
        if self._wire.handled:
            self._wire.set_handled(False)
        if self._counter is None:
            return  # they have connected it again: it is the program's now
        if self._resume_pending and self._loop.handlers.called is getcurrent():
            self._resume_next()  # they have not blocked: the hub goes on with the next tick
        self._owner = None
        user, self._blocking_user = self._blocking_user, _NOBODY
        wire = self._wire
        if wire.taker is NOBODY_YET:
            wire.taker = EVENTS
        if user is not _HANDLER or self._reads_by_events():
            if wire.ended and self._read_state is NOT_ENDED:
                wire.announce()
        elif self._stage is not CONNECTED:
            pass
        elif (
            (wire.ended or self._read_state is not NOT_ENDED) and self._write_state is WRITABLE
            and not self._pending_callbacks
            and not (self._events.get('finish') or self._events.get('prefinish'))
        ):
            self.destroy()  # both ends are done: no need for the steps of a graceful end
        else:
            self._end_gracefully()

    def _reads_by_events(self) -> bool:
        """Whether events were chosen to read the socket after the last blocking read."""
        return self._wire.taker not in BLOCKING and (
            self._flow is FLOWING
            or bool(self._events.get('data') or self._events.get('readable'))
        )

    def _end_gracefully(self) -> None:
        """End, and wait for the peer to do so, but not for ever; what it still sends is dropped.

        Closing at once would make the kernel reset the connection if anything is unread, and the
        peer might lose the answer.
        """
        wire = self._wire
        self._linger()
        if wire.reader is not None:
            wire.wake_reader()  # another greenlet than the handler's reads: no more
        wire.taker = DRAIN
        self.end()
        if (
            self._flow is UNDECIDED and not self._length and 'resume' not in self._events
            and self._plain_emit and wire.reading is ACTIVE and wire.delivery is IDLE
            and not self._readable_listened
        ):
            # Most often: nothing is buffered, and nobody is told that it flows.
            self._flow = FLOWING
            self._readable_wanted = True
        else:
            self._start_flowing()
        if wire.arrived or (wire.ended and self._read_state is NOT_ENDED):
            wire.announce()

    def _linger(self) -> None:
        loop = self._loop
        if self._lingering is not None:
            self._stop_lingering()  # close() was called before the handler returned
        lingering = loop.lingering
        if lingering is None:
            # inside: its own class
            lingering = loop.lingering = Periods(loop.idle_timers, Owned._lingered)
        self._lingering = self._bytes_sent
        lingering.begin(self, LINGER_SECONDS, loop.now())

    def _stop_lingering(self) -> None:
        self._lingering = None
        lingering = self._loop.lingering
        if lingering is not None:  # else it has not begun here
            lingering.cancel(self)

    def _lingered(self) -> None:
        """Stop waiting for the peer, unless it has taken something of what was written since."""
        sent_before, self._lingering = self._lingering, None
        if self._bytes_sent != sent_before:
            self._linger()  # the last of it may be on its way since a moment ago
        elif self._queued_units:
            self.destroy(self._wire.own_failure(errno.ETIMEDOUT, 'write'))
        else:
            self.destroy()

    def _note_blocking_use(self) -> None:
        """A blocking name was used: if the owner is at work, the socket ends when that returns.

        By whichever greenlet: the owner may have left reading to one and writing to another. Who
        has only written may still turn to reading, so this does not settle who takes what arrives.
        """
        owner = self._owner
        if owner is _PROGRAM:
            self._owner = None
            self._blocking_user = _PROGRAM
            if self._wire.taker is EVENTS:
                self._wire.taker = NOBODY_YET
            self._settle_keeping()
        elif owner is not None:
            self._owner = None
            self._blocking_user = _HANDLER

    # --- who keeps it in memory -------------------------------------------------------------------

    def _settle_keeping(self) -> None:
        """Have the open connection keep this object, or nobody but those who refer to it.

        As in Node it lives on by itself where listeners may be called, and while its handler is at
        work. Where the program uses it by blocking names, nothing more can come of it when nobody
        has it any more: it is collected, and closed, as one of the standard library. (What is still
        to be sent has it, and so has a greenlet that is blocked in it.)
        """
        if self._blocking_user is _PROGRAM:
            wire = self._wire
            wire.keep_stream(self, (
                bool(self._events) or self._flow is FLOWING or self._counter is not None
                or not wire.can_block))

    def _listener_added(self, event: Any) -> None:
        if event in OF_READING:
            _listener_added(self, event)
        if self._blocking_user is _PROGRAM:
            self._settle_keeping()

    def _listener_put_in_front(self, event: Any) -> None:
        self._settle_keeping()

    def _listener_removed(self, event: Any) -> None:
        super()._listener_removed(event)
        if self._blocking_user is _PROGRAM:
            self._settle_keeping()

    def _forsake(self) -> None:
        """Close the copy that a forked child has, by what :class:`gnet.Socket` has for that."""
        raise NotImplementedError

    # --- failures ---------------------------------------------------------------------------------

    def _failed(self, error: BaseException) -> None:
        if self._counter is None:
            self._loop.fail(self, error)
        else:
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        """A listener of this accepted connection raised: it costs the connection."""
        if error is self._errored:
            # A blocked listener let through what the connection had failed with. The traceback has
            # the frames that have the socket that has the error: a cycle for each reset.
            error.__traceback__ = None
        elif self._stage not in GONE:
            if self._events.get('error') and not self._is_peers_doing(error):
                # A listener expects what happens to connections, and shall not hide a bug. (Where
                # there is none, it is reported.)
                _log.error('%s: %s', self, error, exc_info=error)
            self.destroy(error)
        elif not system_errors.is_socket_closed(error):
            # (Closed on this side, by a timeout or by stop(): a blocked listener was told, and
            # did what such a listener should. That is no failure.)
            self._tell(error)

    def _unheard(self, error: BaseException) -> None:
        if self._counter is None:
            if self._blocking_user is not _PROGRAM:  # else blocking calls have told it
                self._loop.fail(self, error)
        else:
            self._tell(error)

    def _tell(self, error: BaseException) -> None:
        """Say once what nobody listens to."""
        if self._is_peers_doing(error):
            # Any number of times: no traceback for each. (Its frames have the socket: a cycle.)
            error.__traceback__ = None
            _log.info('%s: %s', self, error)
        else:
            self._loop.report(self, error)

    def _is_peers_doing(self, error: BaseException) -> bool:
        """Whether the connection has failed, or its peer was idle for longer than settimeout().

        This connection, and its peer: what another one has failed with looks the same.
        """
        return self._blocking.is_late(error) or self._wire.is_own(error)


# --- for other rooms ------------------------------------------------------------------------------


class Emitter(Protocol):
    """What calls the listeners of an event that brings a connection."""

    def emit(self, event: Any, /, *args: Any) -> object:
        """Call them.

        It is Python's own, and so are the steps to them: a ``partial`` would make them run further
        down the C stack, of which greenlet keeps a copy while they block (1.2 KB more for each
        connection).
        """


class Failures(Protocol):
    """Who is told that they have raised."""

    def failed(self, event: str, sock: Any, error: BaseException) -> None:
        """A listener of *event*, to whom *sock* was handed over, has raised *error*."""


# inside: what Owned does is for these functions, and programs have no use for it
def hand_over(sock: Any, emitter: Emitter, event: str, failures: Failures) -> None:
    """Give an accepted connection to listeners, in this greenlet; end it when they have used it.

    Objects, and no functions: a method that is looked up where it is called is no object of its
    own, which would be in memory for as long as a listener blocks.

    Args:
        sock: the connection.
        emitter: calls the listeners.
        event: its name.
        failures: is told what they raise, but for what ends a greenlet or the program.
    """
    try:
        sock._begin(getcurrent())
        emitter.emit(event, sock)
    except GreenletExit:
        sock.destroy()  # somebody killed the handler
    except EXITS:
        sock.destroy()
        raise
    except BaseException as error:
        failures.failed(event, sock, error)
    sock._owner_returned()


def fail(sock: Any, error: BaseException) -> None:
    """Let a failure of its listeners cost this accepted connection."""
    sock._fail(error)  # inside: as above


def forsake(sock: Any) -> None:
    """In a forked child: close the copy of this connection; neither peer nor listener is told."""
    sock._forsake()  # inside: as above


def is_used_blockingly(sock: Any) -> bool:
    """Whether the last read was a blocking one: then somebody may come back to read the rest."""
    taker: Taker = sock._wire.taker  # inside: as above
    return taker in BLOCKING


def is_accepted(sock: Any) -> bool:
    """Whether somebody counts the connection, as it was accepted by a server, here or elsewhere."""
    return sock._counter is not None  # inside: as above
