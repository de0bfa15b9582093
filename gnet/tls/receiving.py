"""The receiving half of TLS on a wire: what comes from below is decrypted, in the hub.

A wire of TLS is the *reader* of the wire below (``streams/wire.py``, "One wire upon another"): that
hands it each chunk in the hub, right after the ``recv``, without a queue and without a greenlet,
and tells it of its failure by ``destroy``. What was decrypted goes to the stream above by
``put``, as on any wire. What the stream has no room for stays encrypted, one read's worth at most.
"""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any

from ..streams.states import ACTIVE, FULL, OVER, QUEUED, RUNNING, Reading
from .certificates import peer_chain
from .engine import RECORD_SIZE, Engine
from .errors import tls_error
from .sending import STARTED, Encrypting
from .states import BROKEN, CHECKING, SECURE, TRUNCATED
from .turns import turns_of

if TYPE_CHECKING:
    from .states import Security

__all__ = ['Decrypting']


class Decrypting(Encrypting):
    """What a :class:`.wire.TlsWire` receives."""

    __slots__ = ()

    # Of the base, and set here, too: without this, type checkers may differ about their types.
    arrived_size: int
    bytes_read: int
    reading: Reading
    security: Security

    def _shake(self) -> None:
        """Go on with the handshake. The wire has it."""
        raise NotImplementedError

    def take_turn(self) -> None:
        """Go on with it, as its turn has come. The wire has it."""
        raise NotImplementedError

    def _cut_off(self) -> None:
        """The peer has ended in the middle of it. The wire has it."""
        raise NotImplementedError

    # --- receiving: the wire below calls, in the hub ----------------------------------------------

    def switch(self, chunk: bytes | None) -> None:
        """The wire below has something; None if it has something to say."""
        below, stream = self.below, self.stream
        if stream is None:
            return
        try:
            if chunk is not None:
                below.reader = self
                engine = self._engine
                if engine is not None and self.security is SECURE and self.reading is ACTIVE:
                    engine.received.write(chunk)
                    self._pump()
                else:
                    self._received(chunk)
            elif below.stream is not self:
                stream.destroy()  # who has the wire below has closed it
            elif below.ended:
                self._below_has_ended()
            else:
                below.reader = self
        except BaseException as error:
            self.failed_in_hub(stream, error)

    def _received(self, chunk: bytes) -> None:
        engine = self._engine
        if engine is None:
            if self.handshake is not None:
                self.handshake.hear(chunk)
            return
        if self.security is BROKEN:
            return
        engine.feed(chunk)
        if self.security is SECURE:
            if self.reading is ACTIVE:
                self._pump()
            else:
                self._rest_below()
        elif self.security is CHECKING or self._is_waiting:
            self._rest_below()
        elif turns_of(self.schedule).take(self):
            self._shake()
        else:
            self._is_waiting = True
            self._rest_below()

    def _below_has_ended(self) -> None:
        engine = self._engine
        if self._loss is not None:
            self.destroy(self._loss)
        elif self.security is SECURE or self.security is CHECKING:
            assert engine is not None
            engine.feed_end()
            if self.security is SECURE and self.reading is ACTIVE:
                self._pump()
        elif self.security is not BROKEN and not self._was_cut:
            self._was_cut = True
            if not self._is_waiting:  # else what has come before has its turn first
                self._cut_off()

    def destroy(self, error: BaseException | None = None) -> None:
        """The wire below has failed: called as that of its stream, mostly in the hub."""
        if self.stream is None:
            return
        if self.handshake is not None and self.security in STARTED and error is not None:
            self.security = BROKEN
            self.handshake.failed(error)
        elif error is not None:
            self.fail_with(error)
        else:
            self.stream.destroy()

    def ended_unread(self) -> None:
        """The wire below has ended while this one is at work: it is met next."""
        if self.stream is not None:
            self.schedule.from_hub(self.switch, None)

    def lender_returned(self) -> None:
        """The handler of who has the wire below has returned: it was for this one's stream."""
        stream: Any = self.stream
        if isinstance(stream, Decrypting):
            stream.lender_returned()  # what the lender's socket has carried is lent again
        elif stream is not None:
            stream._lender_returned()  # inside: TLSSocket and this are one thing

    def _pump(self) -> None:
        """Decrypt what there is room for."""
        engine = self._engine
        assert engine is not None
        received = engine.received
        rest = 0  # bytes that may stay encrypted for want of room
        while self.reading is ACTIVE and not (
            self.arrived_size and received.pending >= rest and self.is_full()
        ):
            # From the second record on, reading is not held for less than a whole one: it would be
            # after each read of large records, as 64 KiB of plain text are more than a read.
            rest = RECORD_SIZE
            if self._held is not None and self._has_to_rest():
                self._rest_below()  # until what is held has gone
                return
            try:
                chunk = engine.read()
            except ssl.SSLError as error:
                self._send_out()
                if self.arrived and self.delivery is RUNNING:
                    # What came before is being delivered, and has its turn first.
                    self.security = BROKEN
                    self.schedule.from_hub(self._break_then, error)
                else:
                    self._break(error)
                return
            if not chunk:
                if chunk is not None:
                    self._met_end(engine)
                break
            self.put(chunk)
            if not received.pending and not engine.has_all:
                # Whether it is full is asked when there is something: reading is held less often.
                break
        if engine.unsent.pending:
            if self.delivery is QUEUED:
                # Whoever answers takes it along.
                self.schedule.soon(self._send_own)
            else:
                self._send_out()
        if self.on_ticket is not None:
            self.on_ticket()

    def _met_end(self, engine: Engine) -> None:
        if engine.incoming is TRUNCATED:
            self.truncated = True
            if self.strict_end:
                self._break(ssl.SSLEOFError(
                    ssl.SSLErrorNumber.SSL_ERROR_EOF, 'EOF occurred in violation of protocol'))
                return
        self.end()

    def _send_own(self) -> None:
        """Send what TLS has to say, if nobody has taken it along. Runs in the hub."""
        stream = self.stream
        if stream is not None and not self._is_going_on:  # which comes next, and here again
            try:
                self._send_out()
            except BaseException as error:
                self.failed_in_hub(stream, error)

    def _schedule_going_on(self) -> None:
        if not self._is_going_on:
            self._is_going_on = True
            self.schedule.from_hub(self._go_on)

    def _go_on(self) -> None:
        """Look at what has come, and at what is to go. Runs in the hub."""
        self._is_going_on = False
        stream = self.stream
        if stream is None or self.security is not SECURE:
            return
        try:
            if self._on_writable is not None:
                self._on_writable()
            elif self._shut_wanted:
                self._say_end()
            if self.stream is not stream:
                return
            engine = self._engine
            if self.reading is ACTIVE:
                self._pump()
            elif engine is not None and engine.unsent.pending:
                # As in _pump(): who has just been told may read, and answer, with the next tick.
                self.schedule.soon(self._send_own)
            if self.reading is ACTIVE and not self._has_to_rest():
                self._read_below()
            else:
                self._rest_below()
        except BaseException as error:
            self.failed_in_hub(stream, error)

    def _read_below(self) -> None:
        below = self.below
        if below.reading is not ACTIVE and below.reading is not OVER:
            below.want()

    def _rest_below(self) -> None:
        if self.below.reading is ACTIVE:
            self.below.hold(FULL)

    # --- receiving: who consumes it calls ---------------------------------------------------------

    def want(self) -> None:
        """Read ahead from now on."""
        self.reading = ACTIVE
        if self.security is SECURE:
            engine = self._engine
            if engine is not None and engine.has_more():
                self._schedule_going_on()
            elif not self._has_to_rest():
                self._read_below()

    def hold(self, reading: Reading) -> None:
        """Stop reading ahead; *reading* says why. The handshake goes on."""
        self.reading = reading
        if self.security is SECURE or self.security is BROKEN:
            self._rest_below()

    def on_readable(self) -> None:
        """Look at what has come now. Called by who cannot wait for the hub."""
        stream = self.stream
        if self.security is SECURE and self.reading is ACTIVE:
            try:
                self._pump()
            except BaseException as error:
                self.failed_in_hub(stream, error)
        if not self.arrived and self.below.stream is self and self.below.reading is ACTIVE:
            self.below.on_readable()

    def receive(self) -> bytes | None:
        """Take what has arrived; None if that is no bytes."""
        chunk = self._take_plain()
        below = self.below
        if (
            chunk is None and self.reading is ACTIVE and self.security is SECURE
            and below.stream is self and below.reading is ACTIVE
        ):
            engine = self._engine
            assert engine is not None
            ciphertext = below.receive()
            if ciphertext:
                engine.feed(ciphertext)
            elif below.ended:
                engine.feed_end()
            else:
                return None
            chunk = self._take_plain()
        return chunk

    def _take_plain(self) -> bytes | None:
        engine = self._engine
        if (
            engine is None or self.security is not SECURE or self.reading is OVER
            or self._has_to_rest()
        ):
            return None
        try:
            chunk = engine.read()
        except ssl.SSLError as error:
            self._send_out()
            self._break(error)
            return None
        self._send_out()
        if chunk:
            self.bytes_read += len(chunk)
            if engine.has_more():
                # Who takes this may not come back for the rest, of which nobody else tells.
                self._schedule_going_on()
        elif chunk is not None:
            self._met_end(engine)
        return chunk or None

    def read_on(self, size: int) -> bytes | None:
        """After a chunk of *size* bytes, return what more has arrived already; None for nothing.

        What else comes with it has arrived, then.
        """
        engine, below = self._engine, self.below
        if (
            engine is None or self.security is not SECURE or self.reading is not ACTIVE
            or self._has_to_rest()
        ):
            return None
        if not engine.has_more():
            if below.stream is not self or below.reading is not ACTIVE or not below.has_arrived():
                return None
            ciphertext = below.receive()
            if ciphertext:
                engine.feed(ciphertext)
            elif below.ended:
                engine.feed_end()
            else:
                return None
        self._pump()
        arrived = self.arrived
        if not arrived:
            return None
        chunk: bytes = arrived.popleft()
        self.arrived_size -= len(chunk)
        return chunk

    def has_arrived(self) -> bool:
        """Whether bytes wait, here or below."""
        engine = self._engine
        return (engine is not None and engine.has_more()) or (
            self.below.stream is self and self.below.has_arrived())

    # --- failures ---------------------------------------------------------------------------------

    def _break_then(self, error: ssl.SSLError) -> None:
        """TLS has failed, after something else. Runs in the hub."""
        stream = self.stream
        if stream is not None:
            try:
                self._break(error)
            except BaseException as failure:
                self.failed_in_hub(stream, failure)

    def _break(self, error: ssl.SSLError) -> None:
        """TLS has failed."""
        handshake, engine = self.handshake, self._engine
        self.security = BROKEN
        # Its frames have the wire, and so the socket, which will have the error: a cycle for each.
        error.__traceback__ = None
        chain = None
        if engine is not None and isinstance(error, ssl.SSLCertVerificationError):
            chain = peer_chain(engine.object)
        # (A server's is empty after a refusal: then nobody knows how many there were.)
        failure = tls_error(
            error, first_read=not self.bytes_read, certificates=len(chain) if chain else None)
        if handshake is not None:
            handshake.failed(failure)
        elif engine is not None:
            self.fail_with(failure)
