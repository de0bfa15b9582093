"""The server's end of a handshake: the client's first message is read before OpenSSL sees it.

So it is known which name the client asks for, and which protocols it offers, before a context has
to be chosen; and who chooses (``sni_callback``, ``alpn_callback``) may block, or answer later.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Protocol

from ..loop.idle_timers import IdleTimer
from ..node.system_errors import hung_up, is_beyond_limit
from .alpn import select_alpn
from .client_hello import ClientHello, ClientHelloReader, NoClientHello
from .engine import Engine
from .errors import alpn_not_offered, handshake_timeout, library_error, state_error
from .handshake import Handshake, note_agreement, verify_failure
from .options import TLSServerOptions
from .secure_context import SecureContext, as_secure_context
from .wire import TlsWire

__all__ = ['ServerHandshake', 'Terms']

#: The alert ``no_application_protocol`` (RFC 7301, 3.2), as the record that Node sends.
_NO_PROTOCOL = b'\x15\x03\x03\x00\x02\x02\x78'


class Terms(Protocol):
    """What a handshake asks of the server whose it is, and tells it."""

    def context_for(self, name: str) -> SecureContext | None:
        """Return the context of ``add_context`` for *name*, or None."""

    def refused(self, error: BaseException, sock: Any) -> None:
        """A handshake has come to nothing. Called in a runner, once at most for a connection."""

    def begun(self, handshake: Any, remote: Any) -> None:
        """A handshake with the peer *remote* has begun."""

    def settled(self, handshake: Any) -> None:
        """It is over, in whatever way."""

    def secured(self, sock: Any) -> None:
        """The handshake of *sock* is done. Called in the hub."""


class ServerHandshake(Handshake):
    """A server's.

    Args:
        sock: the :class:`.socket.TLSSocket`.
        wire: its wire.
        options: what the server was made with, as of now.
        terms: the server's part of it, if there is a server.
    """

    # inside (for all of this class): a handshake is a part of its socket, for a while
    __slots__ = ('_is_strange', '_name', '_options', '_reader', '_terms', '_timer', '_told')

    # Of the base, and set here, too: without this, type checkers may differ about its type.
    failure: BaseException | None

    def __init__(
        self, sock: Any, wire: TlsWire, options: TLSServerOptions, terms: Terms | None,
    ) -> None:
        super().__init__(sock, wire)
        self._options = options
        self._terms = terms
        self._reader = ClientHelloReader()
        #: Whether its first message could not be read here.
        self._is_strange = False
        #: What the client has asked for.
        self._name: str | None = None
        #: Whether somebody was told what it has come to.
        self._told = False
        self._timer: IdleTimer | None = None

    def start(self, heard: bytes = b'') -> None:
        """Wait for the client; *heard* is what it has said already."""
        msecs = self._options.handshake_timeout
        if msecs is not None:
            # Nothing touches it: what drips in does not prolong it.
            self._timer = IdleTimer(self._expired, msecs / 1000, self._loop.now())
            self._loop.idle_timers.arm(self._timer)
        if self._terms is not None:
            self._terms.begun(self, self._sock._remote)  # inside: as above
        self._wire.listen()
        if heard:
            self._loop.from_hub(self._wire.switch, heard)

    def close(self) -> None:
        """The wire was closed."""
        self._cancel()

    def _cancel(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None:
            self._loop.idle_timers.cancel(timer)
        if self._terms is not None:
            self._terms.settled(self)

    # --- hello ------------------------------------------------------------------------------------

    def hear(self, ciphertext: bytes) -> None:
        """Look for the client's whole first message."""
        try:
            hello = self._reader.feed(ciphertext)
        except NoClientHello:
            self._is_strange = True
            self._begin(self._options.context, ())  # OpenSSL has the right words for it
            return
        if hello is None:
            return
        self._name = hello.server_name
        options = self._options
        if options.sni_callback is None and options.alpn_callback is None:
            self._settle(hello, self._context_by_name(hello))
        else:
            self._wire.wait_for_choice()
            self._tick(self._ask, hello)

    def _context_by_name(self, hello: ClientHello) -> SecureContext:
        known = None
        if self._terms is not None and hello.server_name:
            known = self._terms.context_for(hello.server_name)
        return known or self._options.context

    def _ask(self, hello: ClientHello) -> None:
        """Ask the program which context it shall be. Runs in a runner; it may block."""
        callback = self._options.sni_callback
        if callback is None or not hello.server_name:
            self._ask_protocol(hello, self._context_by_name(hello))
            return
        answered: list[Any] = []

        def answer(error: Any = None, context: Any = None) -> None:
            self._loop.check_thread()
            if answered:
                self._fail(state_error('ERR_MULTIPLE_CALLBACK'))
                return
            answered.append(True)
            self._tick(self._answered, hello, error, context)

        def returned(context: Any) -> None:
            if context is not None and not answered:
                answer(None, context)

        self._consult(returned, self._fail, callback, hello.server_name, answer)

    def _answered(self, hello: ClientHello, error: Any, context: Any) -> None:
        if error is not None:
            self._fail(error if isinstance(error, BaseException) else TypeError(repr(error)))
            return
        try:
            chosen = self._options.context if context is None else as_secure_context(context)
        except TypeError:
            self._fail(TypeError('Invalid SNI context'))
            return
        self._ask_protocol(hello, chosen)

    def _ask_protocol(self, hello: ClientHello, context: SecureContext) -> None:
        callback = self._options.alpn_callback
        if callback is None or not hello.alpn_protocols:
            self._settle(hello, context)
            return
        offered = list(hello.alpn_protocols)
        self._consult(
            partial(self._chosen, context, offered), self._fail, callback,
            {'servername': hello.server_name or False, 'protocols': offered})

    def _chosen(self, context: SecureContext, offered: list[str], chosen: Any) -> None:
        if chosen is None:
            self._refuse_protocols()
        elif chosen not in offered:
            self._fail(alpn_not_offered(chosen, offered))
        else:
            self._begin(context, (chosen,))

    def _settle(self, hello: ClientHello, context: SecureContext) -> None:
        own = self._options.alpn_protocols
        if not own or not hello.alpn_protocols:
            self._begin(context, ())
            return
        chosen = select_alpn(own, hello.alpn_protocols)
        if chosen is None:
            self._refuse_protocols()
        else:
            self._begin(context, (chosen,))

    def _refuse_protocols(self) -> None:
        self._wire.send_alert(_NO_PROTOCOL)
        self._fail(library_error('SSL', 'NO_APPLICATION_PROTOCOL'))

    def _fail(self, error: BaseException) -> None:
        if self._wire.stream is not None:
            self.failed(error)

    def _begin(self, context: SecureContext, alpn: tuple[str, ...]) -> None:
        """Let OpenSSL have what was heard."""
        wire = self._wire
        if wire.stream is None:
            return
        if context is not self._options.context:
            # inside: as above
            self._sock._options = self._options._replace(context=context)
        try:
            chosen = context.server_context(request_cert=self._options.request_cert, alpn=alpn)
            engine = Engine(chosen, server_side=True)
        except Exception as error:
            self._fail(error)
            return
        wire.begin(engine, self._reader.received)

    # --- outcomes ---------------------------------------------------------------------------------

    # inside: as above
    def done(self) -> None:
        """The handshake is done."""
        if self._is_strange:
            # OpenSSL can read what gnet cannot. But nobody was asked, by name or protocol.
            self.failed(library_error('SSL', 'BAD_EXTENSION'))
            return
        self._cancel()
        self._told = True
        sock, tls = self._sock, self._wire.object
        assert tls is not None
        note_agreement(sock, tls)
        sock.servername = self._name or False
        # (In this order: most have none, and the mode is an Enum.)
        sock.authorized = tls.getpeercert(True) is not None and int(tls.context.verify_mode) != 0
        if self._terms is not None:
            self._terms.secured(sock)
        else:
            self._tick(sock._let_pass)

    def failed(self, error: BaseException) -> None:
        """The handshake has failed."""
        self._cancel()
        self.failure = error
        # inside: as above
        self._sock.authorization_error = verify_failure(error)
        self._sock.destroy(error)
        self._tell(error)

    # inside: as above
    def cut_off(self) -> None:
        """The client has ended in the middle of it."""
        self._cancel()
        self.failure = hung_up()
        self._sock._cut_off(self.failure)

    def closed(self) -> None:
        """The socket is closed, for a reason that nobody was told of."""
        if not self._told:
            errored = self._sock.errored
            self.failure = self.failure or (
                errored if is_beyond_limit(errored) else hung_up())
            self._tell(self.failure)

    def is_heard(self) -> bool:
        """Whether there is a server that is told of a failure."""
        return self._terms is not None

    def _expired(self, timer: IdleTimer) -> None:
        self._timer = None
        self._tick(self._give_up)

    def _give_up(self) -> None:
        if self._wire.stream is not None and not self._told:
            self._told = True
            failure = self.failure = handshake_timeout()
            self._sock.destroy(None if self._terms is not None else failure)
            if self._terms is not None:
                self._terms.refused(failure, self._sock)

    def _tell(self, error: BaseException) -> None:
        """Tell the server; behind `'error'` of the socket, if there is one."""
        if not self._told:
            self._told = True
            if self._terms is not None:
                self._tick(self._terms.refused, error, self._sock)
