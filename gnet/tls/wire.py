"""The wire upon a wire: what comes from below is decrypted, in the hub, and what goes is encrypted.

Receiving is in :mod:`gnet.tls.receiving`, sending in :mod:`gnet.tls.sending`; here is how it
begins, and how it ends.

The handshake goes on by itself, whatever the stream has asked for, and takes turns with others
(:mod:`gnet.tls.turns`). Its outcome is told to :attr:`TlsWire.handshake`, in the hub, which has the
peer looked at, and then lets plain text pass (:meth:`TlsWire.secure`). Until then nothing of the
program is sent, and nothing of the peer is seen.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from gevent import getcurrent

from ..loop.idle_timers import IdleTimer
from ..node import coded_errors
from ..streams.states import ACTIVE, DRAIN, EVENTS, GREENLET, NOBODY, OVER, RUNNING
from .engine import Engine
from .lingering import Lingering, can_linger
from .receiving import Decrypting
from .states import BROKEN, CHECKING, HELLO, SECURE, SHAKING, SHUT
from .turns import turns_of

if TYPE_CHECKING:
    from .sending import HandshakeOfWire
    from .states import Security

__all__ = ['TlsWire']


class TlsWire(Decrypting):
    """What carries a TLS socket, upon what carries its ciphertext.

    Args:
        loop: of this thread.
        below: the wire on which the ciphertext goes.
        close_below: closes it, or who has it; its own ``close`` by default.
    """

    __slots__ = ()

    # Of the base, and set here, too: without this, type checkers may differ about their types.
    context: Any
    handshake: HandshakeOfWire | None
    security: Security
    stream: Any

    def __repr__(self) -> str:
        return '<gnet.tls.TLSSocket>' if self.stream is None else repr(self.stream)

    # --- the handshake ----------------------------------------------------------------------------

    def open(self, stream: Any, sock: Any) -> None:
        """Carry *stream* on *sock* from now on; :meth:`begin` or :meth:`listen` comes next."""
        self.below.open(self, sock)
        self.attach(stream)

    def attach(self, stream: Any) -> None:
        """Carry *stream* on the wire below, which is open."""
        self.stream = stream
        below = self.below
        below.taker = GREENLET
        below.reader = self

    def listen(self) -> None:
        """Have a server's handshake hear what comes first, until there is an engine."""
        self.security = HELLO
        self.below.want()

    def wait_for_choice(self) -> None:
        """Read nothing more until :meth:`begin`: somebody chooses by what has come."""
        self._rest_below()

    def send_alert(self, record: bytes) -> None:
        """Send *record*, which ends a handshake that has not begun."""
        try:
            self._pass(record)
        except OSError:
            return  # the connection is broken: nobody is left to be told

    def begin(self, engine: Engine, heard: bytes | bytearray = b'') -> None:
        """Begin the handshake. Callable anywhere.

        Args:
            engine: which does it.
            heard: what has come already.
        """
        self._engine = engine
        self.security = SHAKING
        if heard:
            engine.feed(heard)
            if getcurrent() is self.schedule.hub:
                self._receive_first()
            else:
                self.schedule.from_hub(self._receive_first)
        elif not engine.object.server_side:
            self._shake()
        if self.below.reading is not ACTIVE and self.below.reading is not OVER:
            self.below.want()

    def _receive_first(self) -> None:
        if self.stream is not None and not self._is_waiting and turns_of(self.schedule).take(self):
            self.take_turn()
        else:
            self._is_waiting = True

    def take_turn(self) -> None:
        """Go on with the handshake. Runs in the hub."""
        self._is_waiting = False
        stream = self.stream
        if stream is None or self.security is not SHAKING:
            return
        try:
            self._shake()
            if self.security is SHAKING and not self._was_cut:
                self._read_below()
        except BaseException as error:
            self.failed_in_hub(stream, error)

    def _shake(self) -> None:
        engine, handshake = self._engine, self.handshake
        assert engine is not None
        assert handshake is not None
        try:
            is_done = engine.shake()
        except ssl.SSLError as error:
            self._send_out()  # the alert
            self._break(error)
            return
        if not is_done:
            self._send_out()
        elif engine.object.server_side:
            # Tickets go with the first answer, if there is one before the next poll.
            self.schedule.soon(self._send_own)
        # A client's last flight has its own certificate: it is sent when it is known whom it has to
        # do with, by secure().
        if is_done:
            self.security = CHECKING
            handshake.done()
        elif self._was_cut:
            self._cut_off()

    def _cut_off(self) -> None:
        self.security = BROKEN
        assert self.handshake is not None
        self.handshake.cut_off()

    def secure(self) -> None:
        """Let plain text pass: the peer is whom it should be. Callable anywhere."""
        if self.security is CHECKING:
            self.security = SECURE
            self.handshake = None
            engine = self._engine
            assert engine is not None
            if not engine.object.server_side:
                self._send_out()  # its last flight; a server's tickets may wait a little
            self._schedule_going_on()

    # --- closing ----------------------------------------------------------------------------------

    def close(self) -> None:
        """Let go of everything, and close the wire below."""
        self.reading = OVER
        self.stream = None
        self._on_writable = None
        # OpenSSL's memory goes now, whoever still has the socket, as its listeners mostly do.
        self._engine = None
        self._held = None
        handshake, self.handshake = self.handshake, None
        if handshake is not None:
            handshake.close()
        below = self.below
        if below.reader is self:
            below.reader = None
        close, self._close_below = self._close_below, _nothing
        if self._lingers:
            if isinstance(below, TlsWire):
                below._lingers = True  # inside: it is of the same class
            elif can_linger(below):
                Lingering(below)
        close()

    def take_leave(self, may_linger: bool) -> None:
        """Announce the end, as all was written; :meth:`close` comes next.

        A client that was told nothing may have tickets to read still: see :mod:`.lingering`. If it
        is above another connection of TLS, those of its server are in that one's descriptor.

        Args:
            may_linger: whether it has written anything, and leaves in good order.
        """
        self.announce_end(and_close=True)
        engine = self._engine
        self._lingers = (
            engine is not None and engine.outgoing is SHUT and self.security is SECURE
            and self._held is None and self.below.stream is self
            and (self._lingers or (
                may_linger and not self.bytes_read and not engine.object.server_side
                and engine.object.version() == 'TLSv1.3')))

    def let_go(self) -> bytes:
        """Leave the wire below as it is; return what has come behind the end of TLS."""
        engine = self._engine
        assert engine is not None
        below = self.below
        if below.reader is self:
            below.reader = None
        self._close_below = _nothing
        return engine.unread()

    def take_out(self) -> Any:
        """Refuse: the keys are here, and the descriptor alone is of no use."""
        raise coded_errors.invalid_handle_type()

    def succeed(self, other: TlsWire) -> None:
        """Be the wire of the same stream's next connection, after *other*."""
        taker = other.taker
        self.taker = GREENLET if taker is NOBODY else EVENTS if taker is DRAIN else taker
        if other.delivery is RUNNING:
            self.delivery = RUNNING  # a listener is blocked still
        self.context = other.context
        self.below.succeed(other.below)

    # --- what the wire below has ------------------------------------------------------------------

    @property
    def sock(self) -> Any:
        return self.below.sock

    @property
    def family(self) -> int:
        return self.below.family

    @property
    def proto(self) -> int:
        return self.below.proto

    @property
    def ref(self) -> bool:
        return self.below.ref

    @property
    def handled(self) -> bool:
        return self.below.handled

    @property
    def holds(self) -> bool:
        return self.below.holds

    @property
    def idle_timer(self) -> IdleTimer | None:
        return self.below.idle_timer

    def set_ref(self, ref: bool) -> None:
        self.below.set_ref(ref)

    def set_handled(self, handled: bool) -> None:
        self.below.set_handled(handled)

    def begin_handled(self) -> None:
        self.set_handled(True)
        self.want()

    def set_idle_time(self, seconds: float, expired: Callable[[IdleTimer], None] | None) -> None:
        self.below.set_idle_time(seconds, expired)

    def touch(self) -> None:
        self.below.touch()


def _nothing() -> None:
    """The wire below is closed already."""
