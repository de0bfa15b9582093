"""Plain peers that speak TLS: Python's ``ssl`` on a blocking socket, in native threads.

With buffers in memory between OpenSSL and the socket, so that a test can get hold of the bytes
between them: damage them, cut them off, send something else. It works patched and unpatched.
"""

from __future__ import annotations

import ssl
from contextlib import suppress
from typing import Any

import gnet.testing

from .authority import Certified, authority
from .native import Native, Peer

__all__ = ['TlsPeer', 'client_context', 'server_context']

#: ``OP_IGNORE_UNEXPECTED_EOF``, which Python sets before 3.10, and has no name for: who is cut off,
#: even in the handshake, would not be told from who is told the end.
_IGNORE_CUT_OFF = 0x80


def client_context(
    ca: str | None = None, *, own: Certified | None = None, files: Any = None, **settings: Any,
) -> ssl.SSLContext:
    """Return a context that trusts *ca* (by default that of the tests), and checks names."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=ca or authority().cert)
    return _set_up(context, own, files, settings)


def server_context(own: Certified, files: Any, **settings: Any) -> ssl.SSLContext:
    """Return a server's context; *files* is a directory for its key."""
    return _set_up(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), own, files, settings)


def _set_up(
    context: ssl.SSLContext, own: Certified | None, files: Any, settings: dict[str, Any],
) -> ssl.SSLContext:
    if own is not None:
        path = files / 'own.pem'
        path.write_text(own.key + own.cert, 'ascii')
        context.load_cert_chain(path)
    for name, value in settings.items():
        setattr(context, name, value)
    return context


class TlsPeer(gnet.testing.Peer):
    """A plain blocking socket with TLS on it. Calls are made in a native thread."""

    def __init__(
        self, native: Native, peer: Peer, context: ssl.SSLContext, *, server_side: bool = False,
        server_hostname: str | None = None, session: Any = None,
    ) -> None:
        self._native = native
        self.peer, self.plain = peer, peer.plain
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        if int(context.options) & _IGNORE_CUT_OFF:
            context.options = ssl.Options(int(context.options) & ~_IGNORE_CUT_OFF)
        self.tls = context.wrap_bio(
            self._in, self._out, server_side=server_side, server_hostname=server_hostname,
            session=session)

    def shake(self) -> TlsPeer:
        """Do the handshake."""
        self._native(self._until_done, self.tls.do_handshake)
        return self

    def sendall(self, data: bytes) -> None:
        self._native(self._send, data)

    def recv(self, size: int = 65536) -> bytes:
        """Return one record at most; ``b''`` after close_notify, ``SSLEOFError`` without."""
        return bytes(self._native(self._until_done, self.tls.read, size))

    def recv_exactly(self, size: int) -> bytes:
        return bytes(self._native(self._read, size))

    def recv_until_end(self) -> bytes:
        return bytes(self._native(self._read, None))

    def notify(self) -> None:
        """Send close_notify, and go on reading."""
        self._native(self._notify)

    def end(self) -> None:
        """Send close_notify and the FIN."""
        self.notify()
        self.peer.end()

    def ciphertext(self, data: bytes) -> bytes:
        """Return *data* as it would be sent."""
        self.tls.write(data)
        return self._out.read()

    def flight(self) -> bytes:
        """Return what is to be sent, which nobody has sent yet."""
        return self._out.read()

    def feed(self, ciphertext: bytes) -> None:
        """Let TLS have what has come."""
        self._in.write(ciphertext)

    # --- in a native thread ---

    def _send(self, data: bytes) -> None:
        view = memoryview(data)
        for start in range(0, len(view), 1 << 16):
            self.tls.write(view[start:start + (1 << 16)])
            self._flush()

    def _read(self, size: int | None) -> bytes:
        chunks, missing = [], size
        while missing is None or missing > 0:
            chunk = self._until_done(self.tls.read, 65536 if missing is None else missing)
            if not chunk:
                break
            chunks.append(chunk)
            missing = None if missing is None else missing - len(chunk)
        return b''.join(chunks)

    def _notify(self) -> None:
        with suppress(ssl.SSLWantReadError):  # nobody waits for the answer
            self.tls.unwrap()
        self._flush()

    def _until_done(self, call: Any, *args: Any) -> Any:
        while True:
            try:
                result = call(*args)
            except ssl.SSLWantReadError:
                self._flush()
                received = self.plain.recv(65536)
                if received:
                    self._in.write(received)
                else:
                    self._in.write_eof()
            except ssl.SSLZeroReturnError:
                return b''  # both ends have said so
            except ssl.SSLError as error:
                self._flush()  # the alert
                if error.reason == 'UNEXPECTED_EOF_WHILE_READING':
                    # Python 3.9 has a class for it only where OpenSSL is older.
                    raise ssl.SSLEOFError(*error.args) from error
                raise
            else:
                self._flush()
                return result

    def _flush(self) -> None:
        if self._out.pending:
            self.plain.sendall(self._out.read())
