"""A connected socket whose wire carries another stream from now on: STARTTLS, say.

It keeps the descriptor, its addresses and its place in a server's count, but neither reads nor
writes any more: a wire above does (``streams/wire.py``: "a reader is whoever is switched to").
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..node import coded_errors
from ..node.records import NamedTuple
from ..streams.states import (
    CONNECTED,
    EVENTS,
    GREENLET,
    LENT,
    NOBODY_YET,
    NOT_ENDED,
    PAUSED,
    WRITABLE,
    Taker,
)
from ..streams.write_request import WriteRequest
from .departure import Movable
from .ownership import BlockingUser

if TYPE_CHECKING:
    from .socket_wire import SocketWire

__all__ = [
    'Lender', 'Lent', 'Uncounted', 'check_lending', 'host_of', 'inherit', 'lend', 'reserve',
    'take_back', 'when_sent',
]


class Lent(NamedTuple):
    """What a socket has lent.

    Attributes:
        wire: which carries the other stream from now on.
        unread: what had come and nobody has read.
        remote: the peer's name.
        has_unsent: whether something that was written is still to go, before anything else.
    """

    wire: SocketWire
    unread: bytes
    remote: Any
    has_unsent: bool


class Uncounted:
    """The `Counter` of a connection that its server counts as the socket below."""

    def __init__(self, server: Any) -> None:
        self.server = server

    def destroyed(self, sock: Any) -> None:
        """The socket below is destroyed, too, and counts."""

    returned: Any  # (of a chain, type checkers may look through the first name alone)
    departed = returned = destroyed


class _Upgrades:
    """What the rooms above can make of a connection."""

    def __init__(self) -> None:
        self.start_tls: Callable[..., Any] | None = None


_upgrades = _Upgrades()


def hand_down_tls(start_tls: Callable[..., Any]) -> None:
    """Have :meth:`Lender.start_tls` call *start_tls*, with the socket before its arguments."""
    _upgrades.start_tls = start_tls


class Lender(Movable):
    """Lending. Without state of its own: :class:`gnet.Socket` has it."""

    __slots__ = ()

    def start_tls(
        self, context: Any = None, *, server_side: bool = False,
        server_hostname: str | None = None, **options: Any,
    ) -> Any:
        """Speak TLS on this connection from now on (STARTTLS); blocks until the handshake is done.

        Returns a :class:`gnet.tls.TLSSocket`, which is to be used in place of this socket. What
        ``write()`` has queued is sent first, in plain text.

        Args:
            context: an ``ssl.SSLContext`` or a :class:`gnet.tls.SecureContext`; by default, one of
                the options, or a client's that trusts the system's authorities.
            server_side: which end this is.
            server_hostname: what a client asks for, and whose certificate it expects; by default
                the peer's address.
            options: further ones of :class:`gnet.tls.TLSSocket`.

        Raises:
            CodedRuntimeError: ``ERR_TLS_UNREAD_PLAIN_TEXT``: something was received that nobody
                has read; ``ERR_SOCKET_IN_USE``, ``ERR_SOCKET_CLOSED``, ….
            TLSError, OSError: the handshake has failed.
            TimeoutError: it was not done within the time of :meth:`settimeout`.
        """
        assert _upgrades.start_tls is not None  # gnet/__init__.py has handed it down
        return _upgrades.start_tls(
            self, context, server_side=server_side, server_hostname=server_hostname, **options)

    def _check_lending(self, with_files: bool) -> None:
        self._loop.check_thread()
        wire, blocking = self._wire, self._blocking
        if (
            self._stage is not CONNECTED or self._errored is not None or wire.error is not None
            or wire.stream != self  # which may be a weak proxy of it
        ):
            raise coded_errors.state_error('ERR_SOCKET_CLOSED')
        if self.writable_ended:
            raise coded_errors.state_error('ERR_STREAM_WRITE_AFTER_END')
        if wire.reader is not None or blocking.senders or (
            blocking.io_refs > 0 and not with_files
        ):
            raise coded_errors.state_error('ERR_SOCKET_IN_USE')
        if self._decoder is not None and self._buffer:
            raise coded_errors.state_error('ERR_TEXT_IS_BUFFERED')
        if not wire.can_block:
            raise coded_errors.invalid_arg_value('socket', self, 'must not have the option onread')

    def _reserve(self) -> SocketWire:
        self._loop.check_thread()
        if self.writable_ended:
            raise coded_errors.state_error('ERR_STREAM_WRITE_AFTER_END')
        self._settle_held()
        self._write_state = LENT  # as when it is lent
        return self._wire

    def _lend(self) -> Lent:
        wire = self._wire
        held = b'' if self._decoder is None else self._decoder.take_held()
        chunks: list[Any] = [held, *(self._buffer or ()), *wire.take_all()]
        self._buffer, self._length = None, 0
        wire.taker = GREENLET
        # What this socket is told to write by mistake must not go out, in plain text.
        self._settle_held()
        self._write_state = LENT
        return Lent(
            wire, b''.join(chunks), self._remote, self.writable_length > 0)

    def _when_sent(self, callback: Callable[[Any], object]) -> None:
        self._enqueue(WriteRequest(b'', 0, callback))
        self._flush()

    def _take_back(self, borrower: Lender, unread: bytes) -> None:
        # inside: it is of the same class
        self._owner, borrower._owner = borrower._owner, None
        self._blocking_user = borrower._blocking_user  # inside: as above
        self._write_state = WRITABLE
        self._take_limits(borrower)
        wire = self._wire
        wire.stream = self
        wire.taker = self._taker_by_events()
        self._bring(unread)
        if wire.ended and self._read_state is NOT_ENDED:
            wire.announce()
        elif self._flow is not PAUSED:
            wire.want()

    def _inherit(self, lender: Lender) -> Taker:
        # inside: it is of the same class
        owner, lender._owner = lender._owner, None
        if self._blocking_user is BlockingUser.NOBODY:
            # (Else a greenlet waits for the connection already.)
            self._owner = owner
            self._blocking_user = lender._blocking_user  # inside: as above
        lender._blocking_user = BlockingUser.NOBODY  # inside: as above
        if lender._counter is not None:  # inside: as above
            self._counter = Uncounted(lender._counter.server)  # inside: as above
        if lender.gettimeout() is not None:
            self.settimeout(lender.gettimeout())
        self._take_limits(lender)
        wire = lender._wire  # inside: as above
        is_at_work = wire.handled or self._blocking_user is BlockingUser.PROGRAM
        return NOBODY_YET if is_at_work else EVENTS


# --- for other rooms: programs see a Socket, and have no use for it -------------------------------


def reserve(sock: Lender) -> SocketWire:
    """Return what will carry *sock* when it is connected, which is when it is to be lent.

    Raises:
        CodedRuntimeError: ``ERR_STREAM_WRITE_AFTER_END``: it was ended.
    """
    return sock._reserve()  # inside: as above


def host_of(sock: Lender) -> str | None:
    """Return the host that *sock* was told to connect to; None if it was not told any."""
    return sock._settings.host  # inside: as above


def check_lending(sock: Lender, with_files: bool = False) -> None:
    """See to it that *sock* can be lent now.

    Args:
        sock: the socket.
        with_files: also if objects of its ``makefile()`` are open, which may have read ahead.

    Raises:
        CodedRuntimeError: it is closed or not connected (``ERR_SOCKET_CLOSED``), was ended
            (``ERR_STREAM_WRITE_AFTER_END``), somebody is blocked in a read or write of it, or an
            object of its ``makefile()`` is open (``ERR_SOCKET_IN_USE``), or text is left that was
            made of what arrived (``ERR_TEXT_IS_BUFFERED``).
        CodedTypeError: ``ERR_INVALID_ARG_VALUE``: it reads into a buffer (``onread``).
    """
    sock._check_lending(with_files)  # inside: as above


def lend(sock: Lender) -> Lent:
    """Take what carries *sock* for another stream; the caller gives it a reader at once.

    The caller destroys *sock* when it is done with it; and finds that somebody else has by
    ``wire.stream``, which is not its own any more then.
    """
    return sock._lend()  # inside: as above


def inherit(sock: Lender, lender: Lender) -> Taker:
    """Let *sock*, which is carried by what *lender* has lent, be of the same owner.

    Returns who takes what arrives for it.
    """
    return sock._inherit(lender)  # inside: as above


def when_sent(sock: Lender, callback: Callable[[Any], object]) -> None:
    """Call *callback* in a runner, with None, when what *sock* was told to write has gone."""
    sock._when_sent(callback)  # inside: as above


def take_back(sock: Lender, borrower: Lender, unread: bytes) -> None:
    """Let *sock* have again what it had lent to *borrower*; *unread* has come for it since."""
    sock._take_back(borrower, unread)  # inside: as above
