"""The sending half of TLS on a wire: what is encrypted, what is held, what is announced.

``send`` encrypts a piece at a time and gives it to the wire below. Plain text counts as taken when
its ciphertext is below, and not before: so callbacks, `'drain'` and ``sendall`` mean what they
always do. What the wire below does not take is *held*: 64 KiB of plain text at most, which are
*ahead* of what the stream knows to be taken. They are what it offers again next, and are counted
then; or it withdraws them, and they go out all the same, as a record that is left out would break
all that come after it.
"""

from __future__ import annotations

import errno
import ssl
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from ..loop.loop import Loop
from ..node import system_errors
from ..streams.arrivals import Arrivals
from ..streams.upper import Upper
from .ciphertext_wire import CiphertextWire
from .engine import Engine
from .states import BROKEN, CHECKING, HELLO, SECURE, SHAKING, SHUT, UNSTARTED, Security

if TYPE_CHECKING:
    from ..sockets.socket_wire import SocketWire

__all__ = ['PIECE', 'STARTED', 'Encrypting', 'HandshakeOfWire']

#: Bytes of plain text that are encrypted at once: four records.
PIECE = 65536

#: … by one call: others shall have their turn.
SEND_LIMIT = 16 * PIECE

#: Bytes of ciphertext that are held: beyond that nothing is read, either. A peer can make TLS
#: answer (a change of keys), and need not take the answers.
HOLD_LIMIT = 2 * PIECE

STARTED = (HELLO, SHAKING, CHECKING)


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


class Encrypting(Upper, Arrivals):
    """What a :class:`.wire.TlsWire` sends."""

    __slots__ = (
        '_ahead', '_close_below', '_engine', '_held', '_is_going_on', '_is_resting', '_is_waiting',
        '_lingers', '_loss', '_on_writable', '_shut_wanted', '_was_cut', 'below', 'handshake',
        'on_ticket', 'security', 'strict_end', 'truncated',
    )

    schedule: Loop
    security: Security

    def __init__(
        self, loop: Loop, below: Any, close_below: Callable[[], object] | None = None,
    ) -> None:
        super().__init__(loop)
        self.below: SocketWire = below
        self._close_below = close_below or below.close
        self._engine: Engine | None = None
        self.security = UNSTARTED
        #: Called in the hub when a server may have sent a ticket, if somebody waits for one.
        self.on_ticket: Callable[[], None] | None = None
        #: Who is told of the handshake, until it is over.
        self.handshake: HandshakeOfWire | None = None
        #: Ciphertext that the wire below has not taken.
        self._held: memoryview | None = None
        #: Bytes of plain text that are in it, and that nobody was told to be taken.
        self._ahead = 0
        self._on_writable: Callable[[], None] | None = None
        self._shut_wanted = False
        #: What sending has failed with, where reading will not tell.
        self._loss: BaseException | None = None
        #: Whether nothing is read because too much is held.
        self._is_resting = False
        #: Whether it waits for its turn to go on with the handshake.
        self._is_waiting = False
        #: Whether the hub will look at what has come.
        self._is_going_on = False
        #: Whether its descriptor is to be closed a little later.
        self._lingers = False
        #: Whether the peer has ended before the handshake was done.
        self._was_cut = False
        #: Whether the peer has ended without saying so.
        self.truncated: bool = False
        #: Whether that is a failure.
        self.strict_end: bool = False

    @property
    def object(self) -> ssl.SSLObject | None:
        """What knows what was agreed upon, while there is a connection and from the beginning on.
        """
        return None if self._engine is None else self._engine.object

    # --- plain text -------------------------------------------------------------------------------

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
        engine, below = self._engine, self.below
        assert engine is not None
        try:
            engine.object.write(data)
        except ssl.SSLError:
            raise OSError(errno.EPIPE, 'Broken pipe') from None  # reading tells of what has failed
        ciphertext = engine.unsent.read()
        if below.stream is not self:
            raise OSError(errno.EPIPE, 'Broken pipe')  # who has it has closed it
        try:  # _pass(), without the call
            sent = below.send(ciphertext)
        except BlockingIOError:
            sent = 0
        return sent == len(ciphertext) or self._keep(ciphertext, sent)

    def _pass(self, ciphertext: Any, send: Callable[[Any], int] | None = None) -> bool:
        """Give *ciphertext* to the wire below, by its *send*; hold what it does not take."""
        below = self.below
        if below.stream is not self:
            raise OSError(errno.EPIPE, 'Broken pipe')  # who has it has closed it
        try:
            sent = (send or below.send)(ciphertext)
        except BlockingIOError:
            sent = 0
        return sent == len(ciphertext) or self._keep(ciphertext, sent)

    def _keep(self, ciphertext: Any, sent: int) -> bool:
        """Hold what the wire below has not taken. Returns False: not all was sent."""
        self._held = memoryview(ciphertext)[sent:]
        self.below.watch_writable(self._below_writable)
        return False

    def _flush(self) -> bool:
        """Send what is held; return whether nothing is any more."""
        held = self._held
        if held is None:
            return True
        self._held = None
        try:
            all_went = self._pass(held)
        except OSError:
            self._held = held  # who asks next meets it, too
            raise
        if self._is_resting and (all_went or len(self._held or b'') < HOLD_LIMIT):
            self._is_resting = False
            self._schedule_going_on()
        return all_went

    def _has_to_rest(self) -> bool:
        """Whether so much is held that nothing that may have to be answered is to be read.

        If so, it is gone on with when some of it has gone.
        """
        if self._held is None or len(self._held) < HOLD_LIMIT:
            return False
        self._is_resting = True
        return True

    def _send_out(self, *, and_close: bool = False) -> None:
        """Send what TLS itself has to say; *and_close* as of :meth:`announce_end`."""
        engine = self._engine
        ciphertext = b'' if engine is None else engine.take()
        if not ciphertext:
            return
        if self._held is not None:
            self._held = memoryview(bytes(self._held) + ciphertext)
            return
        below = self.below
        try:
            if and_close and isinstance(below, CiphertextWire) and below.stream is self:
                self._pass(ciphertext, below.send_last)
            else:
                self._pass(ciphertext)
        except OSError as error:
            self._note_loss(error)

    def _note_loss(self, error: OSError) -> None:
        """What TLS itself had to say could not be sent: reading tells what has happened.

        But the kernel speaks of a reset once only, and says that the peer has ended after that.
        """
        if error.errno != errno.EPIPE:
            self._loss = system_errors.system_error(error.errno or 0, 'read')

    def _below_writable(self) -> None:
        """In the hub: the wire below takes more."""
        stream = self.stream
        try:
            try:
                if not self._flush():
                    return
            except OSError as error:
                if self._on_writable is None:
                    # Nobody's bytes: an announced end, or what was withdrawn.
                    self._held = None
                    self._note_loss(error)
                    if self._is_resting:
                        self._is_resting = False
                        self._schedule_going_on()  # reading tells
            if self._shut_wanted and self._held is None and self._on_writable is None:
                self._say_end()
            if self._on_writable is not None and self.security not in STARTED:
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
        if self.security in STARTED or self.security is UNSTARTED:
            # Not before the handshake is done: else neither end would know what it was for.
            self._shut_wanted = True
            raise BlockingIOError(errno.EAGAIN, 'Resource temporarily unavailable')
        if self.security is SECURE:
            self._shut_wanted = True
            self.announce_end(and_close=True)
            if self._held is not None and not self._flush():
                raise BlockingIOError(errno.EAGAIN, 'Resource temporarily unavailable')
        self._shut_wanted = False
        if self.below.stream is self:
            self.below.shut_down()

    def announce_end(self, *, and_close: bool = False) -> None:
        """Send close_notify, if that can be, and nothing of the stream is held.

        Args:
            and_close: whether the wire below is ended, or closed, right after that.
        """
        engine = self._engine
        if engine is None or self.security is not SECURE or engine.outgoing is SHUT:
            return
        try:
            engine.shut()
        except ssl.SSLError:
            return  # it has failed meanwhile, of which reading tells
        self._send_out(and_close=and_close)

    def _schedule_going_on(self) -> None:
        """Look at what has come, soon. The receiving half has it."""
        raise NotImplementedError

    def _say_end(self) -> None:
        try:
            self.shut_down()
        except OSError:
            return  # it is held still; or the connection is broken, of which reading tells
