"""The wire upon a wire: what comes from below is decrypted, in the hub, and what goes is encrypted.

Receiving
=========

A :class:`TlsWire` is the *reader* of the wire below (``streams/wire.py``): that hands it each chunk
in the hub, right after the ``recv``, without a queue and without a greenlet. It is also ``stream``
of that wire, whose failure is told by ``destroy``. What was decrypted goes to the stream above by
``put``, as on any wire. What the stream has no room for stays encrypted, one read's worth at most.

Sending
=======

``send`` encrypts a piece at a time and gives it to the wire below. Plain text counts as taken when
its ciphertext is below, and not before: so callbacks, `'drain'` and ``sendall`` mean what they
always do. What the wire below does not take is *held*: 64 KiB of plain text at most, which are
*ahead* of what the stream knows to be taken. They are what it offers again next, and are counted
then; or it withdraws them, and they go out all the same, as a record that is left out would break
all that come after it.

The handshake
=============

It goes on by itself, whatever the stream has asked for, and takes turns with others
(:mod:`gnet.tls.turns`). Its outcome is told to :attr:`TlsWire.handshake`, in the hub, which has the
peer looked at, and then lets plain text pass (:meth:`TlsWire.secure`). Until then nothing of the
program is sent, and nothing of the peer is seen.
"""

from __future__ import annotations

import errno
import ssl
from collections.abc import Callable
from typing import Any, Protocol

from ..loop.idle_timers import IdleTimer
from ..loop.loop import Loop
from ..node import coded_errors
from ..sockets.socket_wire import SocketWire
from ..streams.arrivals import Arrivals
from ..streams.states import (
    ACTIVE,
    DRAIN,
    EVENTS,
    FULL,
    GREENLET,
    NOBODY,
    OVER,
    RUNNING,
    Reading,
)
from .certificates import peer_chain
from .engine import Engine
from .errors import tls_error
from .states import (
    BROKEN,
    CHECKING,
    HELLO,
    SECURE,
    SHAKING,
    SHUT,
    TRUNCATED,
    UNSTARTED,
    Security,
)
from .turns import turns_of

__all__ = ['HandshakeOfWire', 'TlsWire']

#: Bytes of plain text that are encrypted at once: four records.
PIECE = 65536

#: … by one call: others shall have their turn.
SEND_LIMIT = 16 * PIECE

_STARTED = (HELLO, SHAKING, CHECKING)


class HandshakeOfWire(Protocol):
    """Who is told what becomes of a handshake, in the hub."""

    def hear(self, ciphertext: bytes) -> None:
        """A server has received this before there is an engine."""

    def done(self) -> None:
        """It is done; nothing passes before ``secure()``."""

    def failed(self, error: BaseException) -> None:
        """It has failed with *error*."""

    def cut_off(self) -> None:
        """The peer has ended in the middle of it."""

    def close(self) -> None:
        """The wire was closed."""


class TlsWire(Arrivals):
    """What carries a TLS socket, upon what carries its ciphertext.

    Args:
        loop: of this thread.
        below: the wire on which the ciphertext goes.
        close_below: closes it, or who has it; its own ``close`` by default.
    """

    __slots__ = (
        '_ahead', '_close_below', '_engine', '_held', '_is_waiting', '_on_writable', '_shut_wanted',
        '_was_cut', 'below', 'handshake', 'security', 'strict_end', 'truncated',
    )

    security: Security

    #: What the wire below asks of the stream that it carries: it never has anything for runners.
    _length = 0
    _read_mark = PIECE

    def __init__(
        self, loop: Loop, below: Any, close_below: Callable[[], object] | None = None,
    ) -> None:
        super().__init__(loop)
        self.below: SocketWire = below
        self._close_below = close_below or below.close
        self._engine: Engine | None = None
        self.security = UNSTARTED
        #: Who is told of the handshake, until it is over.
        self.handshake: HandshakeOfWire | None = None
        #: Ciphertext that the wire below has not taken.
        self._held: memoryview | None = None
        #: Bytes of plain text that are in it, and that nobody was told to be taken.
        self._ahead = 0
        self._on_writable: Callable[[], None] | None = None
        self._shut_wanted = False
        #: Whether it waits for its turn to go on with the handshake.
        self._is_waiting = False
        #: Whether the peer has ended before the handshake was done.
        self._was_cut = False
        #: Whether the peer has ended without saying so.
        self.truncated = False
        #: Whether that is a failure.
        self.strict_end = False

    def __repr__(self) -> str:
        return f'<TlsWire of {self.stream!r}>' if self.stream is None else repr(self.stream)

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

    def begin(self, engine: Engine, heard: bytes = b'') -> None:
        """Begin the handshake. Callable anywhere.

        Args:
            engine: which does it.
            heard: what has come already.
        """
        self._engine = engine
        self.security = SHAKING
        if heard:
            engine.feed(heard)
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
        self._send_out()
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
            self.schedule.from_hub(self._go_on)

    def _break(self, error: ssl.SSLError) -> None:
        """TLS has failed."""
        handshake, engine = self.handshake, self._engine
        self.security = BROKEN
        chain = None
        if engine is not None and isinstance(error, ssl.SSLCertVerificationError):
            chain = peer_chain(engine.object)
        failure = tls_error(
            error, first_read=not self.bytes_read,
            certificates=None if chain is None else len(chain))
        if handshake is not None:
            handshake.failed(failure)
        elif engine is not None:
            self.fail_with(failure)

    @property
    def object(self) -> ssl.SSLObject | None:
        """What knows what was agreed upon, while there is a connection and from the beginning on.
        """
        return None if self._engine is None else self._engine.object

    # --- receiving: the wire below calls, in the hub ----------------------------------------------

    def switch(self, chunk: bytes | None) -> None:
        """The wire below has something; None if it has something to say."""
        below, stream = self.below, self.stream
        if stream is None:
            return
        try:
            if chunk is not None:
                below.reader = self
                self._received(chunk)
            elif below.stream is not self:
                self._lost_below()
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
        if self.security is SECURE or self.security is CHECKING:
            assert engine is not None
            engine.feed_end()
            if self.security is SECURE and self.reading is ACTIVE:
                self._pump()
        elif self.security is not BROKEN and not self._was_cut:
            self._was_cut = True
            if not self._is_waiting:  # else what has come before has its turn first
                self._cut_off()

    def _lost_below(self) -> None:
        """Who has the wire below has closed it."""
        self.stream.destroy()

    def destroy(self, error: BaseException | None = None) -> None:
        """The wire below has failed: called as that of its stream, mostly in the hub."""
        if self.stream is None:
            return
        if self.handshake is not None and self.security in _STARTED and error is not None:
            self.security = BROKEN
            self.handshake.failed(error)
        elif error is not None:
            self.fail_with(error)
        else:
            self.stream.destroy()

    def _deliver(self) -> None:
        """A runner was to deliver what is for this wire now."""

    def _offer_end(self) -> None:
        """The wire below has ended while this one is at work: it is met next."""
        if self.stream is not None:
            self.schedule.from_hub(self.switch, None)

    def lender_returned(self) -> None:
        """The handler of who has the wire below has returned: it was for this one's stream."""
        if self.stream is not None:
            self.stream._lender_returned()  # inside: TLSSocket and this are one thing

    def _pump(self) -> None:
        """Decrypt what there is room for."""
        engine = self._engine
        assert engine is not None
        while self.reading is ACTIVE:
            if self.arrived_size and self.is_full():
                break
            try:
                chunk = engine.read()
            except ssl.SSLError as error:
                self._send_out()
                self._break(error)
                return
            if chunk is None:
                break
            if not chunk:
                self._met_end(engine)
                break
            self.put(chunk)
        if engine is self._engine:
            self._send_out()

    def _met_end(self, engine: Engine) -> None:
        if engine.incoming is TRUNCATED:
            self.truncated = True
            if self.strict_end:
                self._break(ssl.SSLEOFError(
                    ssl.SSLErrorNumber.SSL_ERROR_EOF, 'EOF occurred in violation of protocol'))
                return
        self.end()

    def _go_on(self) -> None:
        """Look at what has come, and at what is to go. Runs in the hub."""
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
            if self.reading is ACTIVE:
                self._pump()
            if self.reading is ACTIVE:
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
                self.schedule.from_hub(self._go_on)
            else:
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
        if engine is None or self.security is not SECURE or self.reading is OVER:
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
        elif chunk is not None:
            self._met_end(engine)
        return chunk or None

    def read_on(self, size: int) -> bytes | None:
        """After a chunk of *size* bytes, return what more has arrived already; None for nothing."""
        return self.receive()

    def has_arrived(self) -> bool:
        """Whether bytes wait, here or below."""
        engine = self._engine
        return (engine is not None and engine.has_more()) or (
            self.below.stream is self and self.below.has_arrived())

    # --- sending ----------------------------------------------------------------------------------

    def send(self, data: Any) -> int:
        """Encrypt *data* and give it to the wire below, as far as that takes it."""
        if (self._held is not None and not self._flush()) or self.security is not SECURE:
            if self.security is BROKEN:
                raise OSError(errno.EPIPE, 'Broken pipe')
            raise BlockingIOError(errno.EAGAIN, 'Resource temporarily unavailable')
        size = len(data) if type(data) is bytes else memoryview(data).nbytes
        done, self._ahead = self._ahead, 0
        if not done and size <= PIECE:
            if size and not self._encrypt(data):
                self._ahead = size
                raise BlockingIOError(errno.EAGAIN, 'Resource temporarily unavailable')
            return size
        view = memoryview(data).cast('B')
        limit = min(size, done + SEND_LIMIT)
        while done < limit:
            piece = view[done:done + PIECE]
            if not self._encrypt(piece):
                self._ahead = len(piece)
                break
            done += len(piece)
        if not done and size:
            raise BlockingIOError(errno.EAGAIN, 'Resource temporarily unavailable')
        return done

    def send_all(self, chunks: list[Any]) -> int:
        """Like :meth:`send` for several chunks."""
        joined: list[Any] = []
        size = 0
        for chunk in chunks:
            joined.append(chunk)
            size += len(chunk)
            if size >= SEND_LIMIT:
                break
        return self.send(b''.join(joined))

    def withdraw(self) -> int:
        """What was encrypted ahead goes out all the same: return how much plain text that is."""
        ahead, self._ahead = self._ahead, 0
        return ahead

    def _encrypt(self, data: Any) -> bool:
        """Send *data*; return whether the wire below has taken all of its ciphertext."""
        engine = self._engine
        assert engine is not None
        try:
            engine.write(data)
        except ssl.SSLError:
            raise OSError(errno.EPIPE, 'Broken pipe') from None  # reading tells of what has failed
        return self._pass(engine.take())

    def _pass(self, ciphertext: Any) -> bool:
        """Give *ciphertext* to the wire below; hold what it does not take."""
        below = self.below
        if below.stream is not self:
            raise OSError(errno.EPIPE, 'Broken pipe')  # who has it has closed it
        try:
            sent = below.send(ciphertext)
        except BlockingIOError:
            sent = 0
        if sent == len(ciphertext):
            return True
        self._held = memoryview(ciphertext)[sent:]
        below.watch_writable(self._below_writable)
        return False

    def _flush(self) -> bool:
        """Send what is held; return whether nothing is any more."""
        held = self._held
        if held is None:
            return True
        self._held = None
        try:
            return self._pass(held)
        except OSError:
            self._held = held  # who asks next meets it, too
            raise

    def _send_out(self) -> None:
        """Send what TLS itself has to say."""
        engine = self._engine
        ciphertext = b'' if engine is None else engine.take()
        if not ciphertext:
            return
        if self._held is not None:
            self._held = memoryview(bytes(self._held) + ciphertext)
            return
        try:
            self._pass(ciphertext)
        except OSError:
            return  # the connection is broken, of which reading tells

    def _below_writable(self) -> None:
        """In the hub: the wire below takes more."""
        stream = self.stream
        try:
            try:
                if not self._flush():
                    return
            except OSError:
                if self._on_writable is None:
                    # Nobody's bytes: an announced end, or what was withdrawn. Reading tells.
                    self._held = None
            if self._shut_wanted and self._held is None and self._on_writable is None:
                self._say_end()
            if self._on_writable is not None and self.security not in _STARTED:
                self._on_writable()
            elif self._held is None and self.below.stream is self:
                self.below.watch_writable(None)  # the handshake goes on first
        except BaseException as error:
            self.failed_in_hub(stream, error)

    def watch_writable(self, callback: Callable[[], None] | None) -> None:
        """Call back in the hub while more is taken, or (None) no longer."""
        self._on_writable = callback
        below = self.below
        if below.stream is not self:
            return
        if callback is None:
            if self._held is None:
                below.watch_writable(None)
        elif self.security is SECURE:
            below.watch_writable(self._below_writable)

    def is_broken(self) -> bool:
        """Whether the wire below knows of an error."""
        return self.below.stream is self and self.below.is_broken()

    def take_error(self) -> int:
        """Return the number of that error, or 0."""
        return self.below.take_error() if self.below.stream is self else 0

    def shut_down(self) -> None:
        """Announce the end (close_notify), and then send the FIN of the wire below."""
        if self.security in _STARTED or self.security is UNSTARTED:
            # Not before the handshake is done: else neither end would know what it was for.
            self._shut_wanted = True
            raise BlockingIOError(errno.EAGAIN, 'Resource temporarily unavailable')
        if self.security is SECURE:
            self._shut_wanted = True
            self.announce_end()
            if self._held is not None and not self._flush():
                raise BlockingIOError(errno.EAGAIN, 'Resource temporarily unavailable')
        self._shut_wanted = False
        if self.below.stream is self:
            self.below.shut_down()

    def announce_end(self) -> None:
        """Send close_notify, if that can be, and nothing of the stream is held."""
        engine = self._engine
        if engine is None or self.security is not SECURE or engine.outgoing is SHUT:
            return
        try:
            engine.shut()
        except ssl.SSLError:
            return  # it has failed meanwhile, of which reading tells
        self._send_out()

    def _say_end(self) -> None:
        try:
            self.shut_down()
        except OSError:
            return  # it is held still; or the connection is broken, of which reading tells

    # --- closing ----------------------------------------------------------------------------------

    def close(self) -> None:
        """Let go of everything, and close the wire below."""
        self.reading = OVER
        self.stream = None
        self._on_writable = None
        handshake, self.handshake = self.handshake, None
        if handshake is not None:
            handshake.close()
        below = self.below
        if below.reader is self:
            below.reader = None
        close, self._close_below = self._close_below, _nothing
        close()

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
    def idle_timer(self) -> IdleTimer | None:
        return self.below.idle_timer

    def set_ref(self, ref: bool) -> None:
        self.below.set_ref(ref)

    def set_handled(self, handled: bool) -> None:
        self.below.set_handled(handled)

    def set_idle_time(self, seconds: float, expired: Callable[[IdleTimer], None] | None) -> None:
        self.below.set_idle_time(seconds, expired)

    def touch(self) -> None:
        self.below.touch()


def _nothing() -> None:
    """The wire below is closed already."""
