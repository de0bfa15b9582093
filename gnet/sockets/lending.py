"""A connected socket whose wire carries another stream from now on: STARTTLS, say.

It keeps the descriptor, its addresses and its place in a server's count, but neither reads nor
writes any more: a wire above does (``streams/wire.py``: "a reader is whoever is switched to").
"""

from __future__ import annotations

from typing import Any, NamedTuple

from ..node import coded_errors
from ..streams.states import CONNECTED, EVENTS, GREENLET, NOBODY_YET, Taker
from .ownership import BlockingUser
from .socket import Socket
from .socket_wire import SocketWire

__all__ = ['Lent', 'Uncounted', 'check_lending', 'inherit', 'lend']


class Lent(NamedTuple):
    """What a socket has lent.

    Attributes:
        wire: which carries the other stream from now on.
        unread: what had come and nobody has read.
        remote: the peer's name.
        opened_at: the loop's time when the connection was established.
        has_unsent: whether something that was written is still to go, before anything else.
    """

    wire: SocketWire
    unread: bytes
    remote: Any
    opened_at: float
    has_unsent: bool


class Uncounted:
    """The `Counter` of a connection that its server counts as the socket below."""

    def __init__(self, server: Any) -> None:
        self.server = server

    def destroyed(self, sock: Any) -> None:
        """The socket below is destroyed, too, and counts."""

    departed = returned = destroyed


# inside: programs see a Socket, and have no use for this
def check_lending(sock: Socket) -> None:
    """See to it that *sock* can be lent now.

    Raises:
        CodedRuntimeError: it is closed or not connected (``ERR_SOCKET_CLOSED``), was ended
            (``ERR_STREAM_WRITE_AFTER_END``), somebody is blocked in a read or write of it, or an
            object of its ``makefile()`` is open (``ERR_SOCKET_IN_USE``), or text is left that was
            made of what arrived (``ERR_TEXT_IS_BUFFERED``).
        CodedTypeError: ``ERR_INVALID_ARG_VALUE``: it reads into a buffer (``onread``).
    """
    wire, blocking = sock._wire, sock._blocking
    if sock._stage is not CONNECTED or sock._errored is not None or wire.stream is not sock:
        raise coded_errors.state_error('ERR_SOCKET_CLOSED')
    if sock.writable_ended:
        raise coded_errors.state_error('ERR_STREAM_WRITE_AFTER_END')
    if wire.reader is not None or blocking.senders or blocking.io_refs > 0:
        raise coded_errors.state_error('ERR_SOCKET_IN_USE')
    if sock._decoder is not None and sock._buffer:
        raise coded_errors.state_error('ERR_TEXT_IS_BUFFERED')
    if not wire.can_block:
        raise coded_errors.invalid_arg_value('socket', sock, 'must not have the option onread')


# inside: programs see a Socket, and have no use for this
def lend(sock: Socket) -> Lent:
    """Take what carries *sock* for another stream; the caller gives it a reader at once.

    The caller destroys *sock* when it is done with it; and finds that somebody else has by
    ``wire.stream``, which is not its own any more then.
    """

    wire = sock._wire
    held = b'' if sock._decoder is None else sock._decoder.take_held()
    chunks: list[Any] = [held, *(sock._buffer or ()), *wire.take_all()]
    unread = b''.join(chunks)
    sock._buffer, sock._length = None, 0
    wire.taker = GREENLET
    return Lent(wire, unread, sock._remote, sock.opened_at, sock.writable_length > 0)


# inside: programs see a Socket, and have no use for this
def inherit(sock: Socket, lender: Socket) -> Taker:
    """Let *sock*, which is carried by what *lender* has lent, be of the same owner.

    Returns who takes what arrives for it.
    """

    sock._owner, lender._owner = lender._owner, None
    sock._blocking_user = lender._blocking_user
    lender._blocking_user = BlockingUser.NOBODY
    if lender._counter is not None:
        sock._counter = Uncounted(lender._counter.server)
    if lender._blocking.seconds is not None:
        sock.settimeout(lender._blocking.seconds)
    is_at_work = lender._wire.handled or sock._blocking_user is BlockingUser.PROGRAM
    return NOBODY_YET if is_at_work else EVENTS
