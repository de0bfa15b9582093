"""TLS as a transform: ciphertext in, plain text out, and the other way round. No I/O.

An ``ssl.SSLObject`` between two buffers in memory. It knows no descriptor, no loop and no stream;
what it is given, and what is done with what it makes, is the affair of :mod:`gnet.tls.wire`. It
costs what OpenSSL on a descriptor costs; and unlike that it knows half-closed connections, tells an
end that was announced from one that was not, takes bytes that somebody else has read, and is the
same in a monkey-patched process.

After **any** call there may be ciphertext to be sent (a handshake message, a ticket, an alert, an
answer to a change of keys): who calls asks :meth:`Engine.take` for it, after an exception, too.
"""

from __future__ import annotations

import ssl
from typing import Any

from .states import NOTIFIED, RECEIVING, SENDING, SHUT, TRUNCATED, Incoming, Outgoing

__all__ = ['RECORD_SIZE', 'Engine']

#: Bytes of plain text in a record at most (RFC 8446, 5.1), and so in a chunk of `'data'`.
RECORD_SIZE = 16384


class Engine:
    """One connection's TLS.

    Args:
        context: an ``ssl.SSLContext``, of which nothing but ``wrap_bio`` is used.
        server_side: which end this is.
        server_hostname: the name that a client asks for (SNI), or None.
        session: of an earlier connection with the same context, to be resumed, or None.

    Attributes:
        object: the ``ssl.SSLObject``, to be asked for what was agreed upon.
        received: what :meth:`feed` has taken and nobody has decrypted; who is in a hurry writes
            there, without that call.
        unsent: what :meth:`take` will return.
        has_all: whether the peer sends nothing more.
    """

    __slots__ = ('has_all', 'incoming', 'object', 'outgoing', 'received', 'unsent')

    incoming: Incoming
    outgoing: Outgoing
    object: Any

    def __init__(
        self, context: Any, *, server_side: bool, server_hostname: str | None = None,
        session: Any = None,
    ) -> None:
        self.received: ssl.MemoryBIO = ssl.MemoryBIO()
        self.unsent: ssl.MemoryBIO = ssl.MemoryBIO()
        self.object = context.wrap_bio(
            self.received, self.unsent, server_side=server_side, server_hostname=server_hostname,
            session=session)
        self.has_all: bool = False
        self.incoming = RECEIVING
        self.outgoing = SENDING

    # --- ciphertext -------------------------------------------------------------------------------

    def feed(self, ciphertext: bytes | bytearray | memoryview) -> None:
        """Take what the peer has sent."""
        self.received.write(ciphertext)

    def feed_end(self) -> None:
        """The peer sends nothing more; announced or not."""
        self.has_all = True

    def take(self) -> bytes:
        """Return what is to be sent to the peer now; ``b''`` for nothing."""
        return self.unsent.read() if self.unsent.pending else b''

    def unread(self) -> bytes:
        """Return what the peer has sent behind its end: it is no TLS."""
        return self.received.read()

    def has_more(self) -> bool:
        """Whether :meth:`read` may return something without more ciphertext."""
        # (A record is read as a whole, and OpenSSL reads none before it is asked for: so nothing is
        # ever left in the object itself.)
        return self.incoming is RECEIVING and (self.has_all or self.received.pending > 0)

    # --- plain text -------------------------------------------------------------------------------

    def shake(self) -> bool:
        """Go on with the handshake; return whether it is done.

        Raises:
            ssl.SSLError: it has failed; an alert may be to be sent.
        """
        try:
            self.object.do_handshake()
        except ssl.SSLWantReadError:
            return False
        return True

    def read(self) -> bytes | None:
        """Return the next plain text, one record at most.

        None if more ciphertext is needed first; ``b''`` at the end, of which :attr:`incoming` says
        what kind it is.

        Raises:
            ssl.SSLError: the peer has sent what is no TLS, or not what its keys say.
        """
        if not self.received.pending or self.incoming is not RECEIVING:
            # What would be found by asking, too, at the price of an exception (2 us).
            return self._nothing_more()
        try:
            chunk: bytes = self.object.read(RECORD_SIZE)
        except ssl.SSLWantReadError:
            return self._nothing_more()
        except ssl.SSLZeroReturnError:
            chunk = b''
        if not chunk:
            self.incoming = NOTIFIED
        return chunk

    def _nothing_more(self) -> bytes | None:
        if self.incoming is not RECEIVING:
            return b''
        if not self.has_all:
            return None
        # OpenSSL is not told of it: it would refuse to send any more.
        self.incoming = TRUNCATED
        return b''

    def write(self, data: Any) -> None:
        """Encrypt all of *data*, bytes-like and not empty."""
        self.object.write(data)

    def shut(self) -> None:
        """Announce that nothing more will be sent (close_notify). What the peer sends is read on.

        Raises:
            ssl.SSLError: the connection has failed already.
        """
        if self.outgoing is SHUT:
            return
        self.outgoing = SHUT
        # OpenSSL would look for the peer's announcement at once, and take data that comes before
        # that for a fault, and lose it: so it finds nothing.
        unread = self.received.read()
        try:
            self.object.unwrap()
        except ssl.SSLWantReadError:
            pass  # the peer has not announced its end yet, and nobody waits for that
        finally:
            if unread:
                self.received.write(unread)
