"""``gnet.tls.TLSSocket``: a :class:`gnet.Socket` on which TLS is spoken."""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import copy_context
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from .. import lifecycle
from ..loop import exit_hook
from ..loop.loop import Loop
from ..node import coded_errors, system_errors
from ..node.keywords import check_keywords
from ..node.spelling import snake_options
from ..node.validators import validate_boolean
from ..options.socket import SOCKET_OPTIONS
from ..sockets.lending import (
    Lent,
    Uncounted,
    check_lending,
    host_of,
    inherit,
    lend,
    reserve,
    when_sent,
)
from ..sockets.own_thread import keep_to_thread
from ..sockets.socket import Socket
from ..streams.states import CONNECTED, CONNECTING, ENDING, EVENTS, FINISHED, PAUSED, SHUT
from .ciphertext_wire import CiphertextWire
from .duplex_wire import DuplexWire, is_duplex
from .errors import TLSError, unavailable
from .handshake import ClientHandshake, Handshake
from .options import (
    TLS_CONNECT_OPTIONS,
    TLS_SERVER_OPTIONS,
    TLSConnectOptions,
    TLSServerOptions,
    tls_connect_options,
    tls_server_options,
)
from .server_handshake import ServerHandshake, Terms
from .wire import TlsWire

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ..sockets.socket_wire import SocketWire
    from .typed_options import TLSSocketKeywords
    from .typed_socket_events import TypedHandshaking as Handshaking
else:
    from .handshaking import Handshaking

__all__ = ['TLS_SOCKET_OPTIONS', 'TLSSocket']

#: How far the writing half of a socket is on which ``end()`` was called.
_ENDED = (ENDING, SHUT, FINISHED)

_OWN = frozenset({'buffered_is_tls', 'files_may_be_open', 'is_server', 'server'})

#: The names of the options of the constructor.
TLS_SOCKET_OPTIONS = (
    SOCKET_OPTIONS - {'fd', 'onread'} | TLS_CONNECT_OPTIONS | TLS_SERVER_OPTIONS | _OWN)


class TLSSocket(Handshaking):
    """One end of a TLS connection: all that a :class:`gnet.Socket` is, in both styles.

    :func:`gnet.tls.connect` makes those of clients, a :class:`gnet.tls.Server` those that it
    accepts; the constructor is for connections that begin in plain text (STARTTLS).

    ====================  ==============================  ==========================================
    event                 arguments                       when
    ====================  ==============================  ==========================================
    ``'secure'``          ``()``                          the handshake is done; the name in a
                                                          server's certificate comes next
    ``'secureConnect'``   ``()``                          a client: the server is whom it should be
    ``'session'``         ``(session)``                   a client whose server lets it resume: for
                                                          ``connect(session=…)``; not after a
                                                          handshake that was a short one
    ====================  ==============================  ==========================================

    Nothing of the program is sent before, and nothing is received; what it writes waits, and what
    blocks waits. What goes wrong is an `'error'`, and `'close'` follows.

    Attributes:
        authorized: whether the peer was verified, its name included; False before the handshake.
        authorization_error: the code of what was wrong with the peer's certificate; None for
            nothing (known).
        alpn_protocol: the protocol that was agreed upon by ALPN; False for none, None before the
            handshake.
        servername: the name that the client has asked for; False for none, None before the
            handshake.
    """

    __slots__ = (
        '_handshake', '_lender', '_options', '_target', '_terms', 'alpn_protocol',
        'authorization_error', 'authorized', 'servername',
    )

    authorized: bool
    _wire: Any
    _options: TLSConnectOptions | TLSServerOptions
    #: What becomes of the handshake; None before it begins, and when it is over.
    _handshake: Handshake | None
    #: What a client connects to, for errors.
    _target: Mapping[str, Any]

    def __init__(
        self, socket: Any = None, options: Any = None, **keywords: Unpack[TLSSocketKeywords],
    ) -> None:
        """Speak TLS on a connection that exists; or, without one, on that of ``connect()``.

        Args:
            socket: a :class:`gnet.Socket`, connected or about to be, which nobody else may use any
                more; it is destroyed with this one. Or any duplex stream of Node's interface.
            options: a mapping in either spelling; keywords win. Those of
                :func:`gnet.tls.connect`, or with *is_server* those of
                :func:`gnet.tls.create_server`; and:
            is_server: which end this is (False). Both begin the handshake by themselves.
            server: what :attr:`server` returns; a failure is that connection's then.
            files_may_be_open: objects of *socket*'s ``makefile()`` may be (False): what they have
                read ahead was said in plain text, which is the program's affair.
            buffered_is_tls: what has come before and was not read yet is TLS, too (False: then it
                is an error if there is any, as somebody might have put it there).

        Raises:
            CodedTypeError, CodedValueError: as :func:`gnet.tls.connect`.
            CodedRuntimeError: ``ERR_SOCKET_CLOSED``, ``ERR_SOCKET_IN_USE``,
                ``ERR_TEXT_IS_BUFFERED``, ``ERR_STREAM_WRITE_AFTER_END``;
                ``ERR_TLS_UNREAD_PLAIN_TEXT``: something was received in plain text that nobody has
                read.
        """
        check_keywords('TLSSocket', keywords, TLS_SOCKET_OPTIONS)
        if options is not None and not isinstance(options, Mapping):
            raise coded_errors.invalid_arg_type('options', 'of type object', options)
        given = snake_options(options, keywords)
        if given.get('onread') is not None:
            raise unavailable('options.onread on TLS sockets', 'read by events or blocking calls')
        is_server = validate_boolean('options.isServer', given.get('is_server') or False)
        feeds = validate_boolean('options.bufferedIsTls', given.get('buffered_is_tls') or False)
        if socket is not None and not isinstance(socket, Socket) and not is_duplex(socket):
            raise coded_errors.invalid_arg_type('socket', 'an instance of Duplex', socket)
        host = host_of(socket) if isinstance(socket, Socket) else None
        host = host or getattr(socket, 'remote_address', None)
        checked = tls_server_options(given) if is_server else tls_connect_options(given, host)
        with_files = validate_boolean(
            'options.filesMayBeOpen', given.get('files_may_be_open') or False)
        if isinstance(socket, Socket) and not socket.connecting:
            check_lending(socket, with_files)
        self._start_with(checked, given, None)
        if 'allow_half_open' not in given and socket is not None:
            given['allow_half_open'] = getattr(socket, 'allow_half_open', False)
        super().__init__({**given, 'fd': None, 'onread': None})
        if socket is not None:
            self._begin_on(socket, feeds)
        if given.get('server') is not None and self._counter is None:
            self._counter = Uncounted(given['server'])

    def _start_with(
        self, options: TLSConnectOptions | TLSServerOptions, target: Mapping[str, Any],
        terms: Terms | None,
    ) -> None:
        self._options = options
        self._terms = terms
        self._target = target
        self._handshake = None
        #: The socket whose connection it is, if it began in plain text.
        self._lender: Socket | None = None
        self._forget_agreement()

    def _forget_agreement(self) -> None:
        self.authorized = False
        self.authorization_error: str | None = None
        self.alpn_protocol: str | bool | None = None
        self.servername: str | bool | None = None

    def _start_as_servers(self, terms: Any, below: Any) -> None:
        """Be a server's, on *below*, which somebody else counts."""
        self._start_with(terms.options, {}, terms)
        Socket.__init__(self, {'allow_half_open': getattr(below, 'allow_half_open', False)})
        self._counter = Uncounted(terms.server)
        if terms.server.pause_on_connect:
            self._flow = PAUSED
        self._begin_on(below, True)

    # --- the wire ---------------------------------------------------------------------------------

    def _make_wire(self, loop: Loop, before: SocketWire | None = None) -> SocketWire:
        return TlsWire(loop, CiphertextWire(loop))

    def _open(self, sock: Any) -> None:
        super()._open(sock)
        self._begin_handshake(b'')

    def _begin_on(self, below: Any, feeds: bool) -> None:
        """Begin on *below*: a socket, or any duplex stream."""
        if not isinstance(below, Socket):
            self._begin_on_duplex(below)
        elif below.connecting:
            self._stage = CONNECTING
            self._wire = TlsWire(self._loop, reserve(below), below.destroy)
            below.once('connect', lambda: self._below_connected(below))
            below.on('error', self.destroy)
            below.once('close', lambda had_error: self.destroy())
        else:
            self._begin_on_socket(below, lend(below), feeds)

    def _below_connected(self, below: Socket) -> None:
        if self._stage is CONNECTING and not below.destroyed:
            self._begin_on_socket(below, lend(below), False)
            if self._begun:
                self.off('connect', self._send_first)
                self._send_first()

    def _begin_on_duplex(self, duplex: Any) -> None:
        below = DuplexWire(self._loop, duplex)
        wire = self._wire = TlsWire(self._loop, below)
        wire.context = copy_context()
        below.start()
        below.stream = wire
        wire.attach(self)
        self._stage = CONNECTED
        self._readable_wanted = True
        exit_hook.arm()
        self._watch_peer()
        self._begin_handshake(b'')
        if self._flow is not PAUSED:
            self._take(0)

    def _begin_on_socket(self, socket: Socket, lent: Lent, feeds: bool) -> None:
        """Begin on what *socket* has lent."""
        wire = self._wire
        if wire.below is not lent.wire:
            wire = self._wire = TlsWire(self._loop, lent.wire, socket.destroy)
        wire.context = lent.wire.context
        taker = inherit(self, socket)
        if wire.taker is EVENTS:
            wire.taker = taker
        self._lender = socket
        self._remote = lent.remote
        wire.below.stream = wire
        wire.attach(self)
        self._stage = CONNECTED
        self._readable_wanted = True
        if lent.unread and not feeds:
            failure = coded_errors.state_error('ERR_TLS_UNREAD_PLAIN_TEXT')
            self.destroy()
            raise failure
        if lent.has_unsent:
            # What was written in plain text goes first.
            when_sent(socket, lambda error: self._begin_behind(lent.unread))
        else:
            self._begin_handshake(lent.unread)
        if self._flow is not PAUSED:
            self._take(0)

    def _begin_behind(self, unread: bytes) -> None:
        if self._stage is CONNECTED:
            self._begin_handshake(unread)

    def _begin_handshake(self, heard: bytes) -> None:
        wire, options = self._wire, self._options
        wire.strict_end = options.strict_end
        if isinstance(options, TLSServerOptions):
            server = ServerHandshake(self, wire, options, self._terms)
            self._handshake = server
            server.start(heard)
        else:
            client = ClientHandshake(self, wire, options)
            self._handshake = client
            client.start()

    def _say_secure(self) -> None:
        self._emit_guarded('secure')

    def _let_pass(self) -> bool:
        """A server's handshake is done: say so, and let plain text pass. Runs in no hub."""
        self._say_secure()
        if self._stage is not CONNECTED:
            return False
        handshake, self._handshake = self._handshake, None
        self._wire.secure()
        self._publish_secured(handshake)
        if self._flow is PAUSED:
            self._take(0)  # pause_on_connect: as in Node, what comes is kept
        return True

    def _secured(self) -> None:
        """A client's handshake is done, and plain text passes. Runs in a runner."""
        handshake, self._handshake = self._handshake, None
        self._publish_secured(handshake)
        self._emit_guarded('secureConnect')
        if self._stage is CONNECTED and self._explicitly_paused:
            # It was paused when it began to read. As in Node, what comes is kept; and tickets that
            # nobody has read would make its close() a reset.
            self._take(0)
        if self.listener_count('session') and not self.is_session_reused():
            # With TLS 1.2 it is there; with TLS 1.3 it comes behind the handshake.
            self._wire.on_ticket = self._ticket_may_have_come
            self._ticket_may_have_come()

    def _ticket_may_have_come(self) -> None:
        tls = self._agreed()
        if tls is not None and tls.session is not None and (
            tls.session.has_ticket or tls.version() == 'TLSv1.2'
        ):
            self._wire.on_ticket = None
            self._tick(self._emit_guarded, 'session', self.get_session())

    def _publish_secured(self, handshake: Any) -> None:
        if lifecycle.has_subscribers():
            name, version, _ = self.cipher() or ('', '', 0)
            lifecycle.publish(
                lifecycle.ConnectionSecured, self.server, self, self.version() or version, name,
                self.servername or None, self.alpn_protocol or None,
                bool(self.is_session_reused()), handshake.duration)

    def _lender_returned(self) -> None:
        """The handler of the socket below has returned, which was for this one then."""
        self._owner_returned()

    # --- how it ends ------------------------------------------------------------------------------

    def _cut_off(self, error: BaseException) -> None:
        """The peer has ended in the middle of the handshake."""
        handshake, wire = self._handshake, self._wire
        is_client = isinstance(self._options, TLSConnectOptions)
        if handshake is not None and wire.taker is EVENTS and not self.allow_half_open:
            # As in Node: 'end' comes first.
            handshake.cut = error if is_client else None
            wire.end()
        else:
            self.destroy(error if is_client else None)

    def _end_consumed(self) -> None:
        cut = None if self._handshake is None else self._handshake.cut
        if cut is not None:
            self.destroy(cut)
        else:
            super()._end_consumed()

    def destroy(self, error: Any = None) -> Any:
        if (
            error is None and self._stage is CONNECTED and not self._queued_units
            and self._errored is None and self._wire.error is None
        ):
            # Nothing is missing: the peer shall be able to tell. Who has said no more than this is
            # in a hurry, as in Node.
            is_ended = self._write_state in _ENDED or self._blocking.close_wanted
            self._wire.take_leave(is_ended and self._bytes_sent > 0)
        return super().destroy(error)

    destroy.__doc__ = Socket.destroy.__doc__

    def _emit_close(self, had_error: bool) -> None:
        handshake, self._handshake = self._handshake, None
        try:
            super()._emit_close(had_error)
        finally:
            if handshake is not None:
                handshake.closed()
                if handshake.failure is not None and lifecycle.has_subscribers():
                    lifecycle.publish(
                        lifecycle.HandshakeFailed, self.server, self, handshake.failure,
                        handshake.duration)

    def _unheard(self, error: BaseException) -> None:
        if self._handshake is None or not self._handshake.is_heard():
            super()._unheard(error)

    def _cut_short(self) -> BaseException:
        return system_errors.cancelled_by_tls()

    def _is_peers_doing(self, error: BaseException) -> bool:
        return isinstance(error, TLSError) or super()._is_peers_doing(error)

    # --- what is not for TLS ----------------------------------------------------------------------

    def detach(self) -> int:
        """Refuse: the descriptor is of no use without the keys. Raises CodedTypeError."""
        raise coded_errors.invalid_handle_type()

    def to_socket(self, cls: Any = None) -> Any:
        """Refuse, as :meth:`detach`."""
        raise coded_errors.invalid_handle_type()

    def _can_depart(self) -> bool:
        raise coded_errors.invalid_handle_type()


keep_to_thread(
    TLSSocket, attrgetter('_loop'),
    uses=('do_handshake', 'set_servername', 'set_session', 'unwrap'),
    letting_go=('destroy', 'detach'))


# --- for a server: programs see a TLSSocket, and have no use for it -------------------------------


# inside: it is the other half of the constructor
def start_with(sock: TLSSocket, options: TLSServerOptions, terms: Terms) -> None:
    """Give *sock*, which was made without its constructor, what a server lays down."""
    sock._start_with(options, {}, terms)


# inside: as above
def begin_on(terms: Any, below: Any) -> TLSSocket:
    """Begin a server's handshake on *below*, which was accepted, or emitted by hand."""
    if isinstance(below, Socket):
        check_lending(below)
    sock = TLSSocket.__new__(TLSSocket)
    sock._start_as_servers(terms, below)
    return sock


# inside: as above
def let_pass(sock: TLSSocket) -> bool:
    """Say that the handshake is done, and let plain text pass; False if it is closed since."""
    return sock._let_pass()
