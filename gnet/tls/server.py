"""``gnet.tls.Server``: a :class:`gnet.Server` whose connections speak TLS."""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable, Mapping
from typing import TYPE_CHECKING, Any, overload

from .. import lifecycle
from ..addresses.ends import host_of
from ..loop.loop import Loop
from ..node import coded_errors
from ..node.keywords import check_keywords
from ..node.validators import validate_boolean
from ..options import server, shapes
from ..servers import server as plain
from ..servers.acceptor import Handle
from ..servers.intake import Intake
from ..servers.serving import serve_by
from ..sockets.ownership import Counter, fail, hand_over
from ..sockets.socket import Socket, accept
from .ciphertext_wire import CiphertextWire
from .contexts_by_name import ContextsByName
from .errors import unavailable
from .options import TLS_SERVER_OPTIONS, TLSServerOptions, tls_server_options
from .pending_handshakes import PENDING_OPTIONS, PendingHandshakes
from .reload import ContextWatch
from .secure_context import SecureContext
from .served_contexts import ServedContexts
from .socket import TLSSocket, begin_on, let_pass, start_with
from .wire import TlsWire

if TYPE_CHECKING:
    from typing_extensions import Self, Unpack

    from .typed_options import NewTLSServerKeywords, TLSServeKeywords
    from .typed_server_events import TypedServer as PlainServer
else:
    PlainServer = plain.Server

__all__ = ['ALL_OPTIONS', 'Server', 'create_server', 'serve']

ALL_OPTIONS = (
    server.SERVER_OPTIONS | TLS_SERVER_OPTIONS | PENDING_OPTIONS
    | {'ssl_context', 'watch_certificates'})

_log = logging.getLogger('gnet.tls')

#: Node's events for which Python's ``ssl`` has no hook.
_UNAVAILABLE = frozenset({'OCSPRequest', 'keylog', 'newSession', 'resumeSession'})


class Server(PlainServer):
    """A TLS server, as Node's ``tls.Server``: a :class:`gnet.Server`, and

    ======================  ====================  ==================================================
    event                   arguments             when
    ======================  ====================  ==================================================
    ``'secureConnection'``  ``(sock)``            the handshake is done, in a greenlet of its own:
                                                  what `'connection'` is to a plain server
    ``'tlsClientError'``    ``(err, sock)``       it has come to nothing
    ``'connection'``        ``(sock)``            a connection was accepted, before the handshake;
                                                  what is said there is ciphertext
    ======================  ====================  ==================================================
    """

    __slots__ = ('_contexts', '_tls_options', '_watch', '_watches')

    _intake: SecureIntake

    def __init__(self, *args: Any, **keywords: Unpack[NewTLSServerKeywords]) -> None:
        """Make a server; :meth:`listen` starts it.

        Args:
            args: ``(options, listener)``, ``(listener)`` or nothing, as of :class:`gnet.Server`;
                *listener* is added to `'secureConnection'`.
            keywords: the options: those of :class:`gnet.Server`, those of
                :func:`gnet.tls.create_secure_context` or in their place *secure_context*, and:

                - request_cert: ask clients for a certificate, and refuse those without a good one
                  (False).
                - handshake_timeout: milliseconds from accept to the end of the handshake
                  (120000); negative for no limit.
                - max_pending_handshakes, max_pending_handshakes_per_address: connections in the
                  middle of their handshakes at which further ones are dropped, as by
                  ``max_connections`` (None: no limit but that).
                - watch_certificates: look every minute whether the files of *key* and *cert* (as
                  ``os.PathLike``) were changed, and use what is new for connections to come
                  (False); see also :meth:`reload_certificates`.
                - sni_callback: called with the name that a client asks for, and
                  ``answer(err, context)``. It may return the context instead; block; or answer
                  later, which it does if it returns None. The server's own is ``answer()``.
                - alpn_protocols: a list of names, the dearest first.
                - alpn_callback: called with ``{'servername', 'protocols'}``; returns one of those,
                  or None, which refuses the client. It may block.
                - strict_end: an end without a farewell (close_notify) is a failure (False).

        Raises:
            CodedTypeError, CodedValueError: as :class:`gnet.Server`; for what Python's ``ssl``
                cannot do ``ERR_FEATURE_UNAVAILABLE_ON_PLATFORM``.
            TLSError, OSError: for keys and certificates that cannot be used.
            TypeError: for a keyword that is no option; in a mapping it is ignored, as in Node.
        """
        check_keywords(
            'create_server', keywords,
            ALL_OPTIONS | {'listener', 'options'})
        if len(args) > 1 and args[1] is not None and not callable(args[1]) and not (
            callable(args[0])
        ):
            raise coded_errors.invalid_arg_type('listener', 'of type function', args[1])
        given, listener = shapes.split_server_arguments(args, keywords)
        context = given.pop('ssl_context', None)
        if context is not None:
            given['secure_context'] = context
        options = tls_server_options(given)
        super().__init__(given)
        watches = validate_boolean(
            'options.watchCertificates', given.get('watch_certificates') or False)
        #: For the connections to come.
        self._tls_options: TLSServerOptions = options
        self._watches = watches
        self._watch: ContextWatch | None = None
        peer_limits = self._intake.peer_limits
        self._intake = SecureIntake(self, self._counter, self._accept_failed)
        self._intake.peer_limits = peer_limits
        self._contexts = ServedContexts(options.context, given, self._use)
        if watches:
            self._contexts.check_files()
            self._contexts.refresh(force=True)
        self._intake.pending = PendingHandshakes(given, self._counter)
        self._intake.block_list = self.block_list
        self.on('connection', self._secure)
        if listener is not None:
            self.on('secureConnection', listener)

    # --- contexts ---------------------------------------------------------------------------------

    def add_context(self, servername: str, context: Any) -> None:
        """Use *context* for clients that ask for *servername* (SNI), from now on.

        Args:
            servername: in upper or lower case; ``*`` stands for any characters but a dot. What was
                added for exactly the same is replaced; of several that fit, the newest counts.
            context: a :class:`SecureContext`, an ``ssl.SSLContext``, or options as of
                :func:`gnet.tls.create_secure_context`.

        Raises:
            CodedRuntimeError: ``ERR_TLS_REQUIRED_SERVER_NAME`` for an empty name.
            CodedTypeError, TLSError, OSError: as :func:`gnet.tls.create_secure_context`.
        """
        options = self._tls_options
        self._contexts.add(servername, context, lambda made: made.server_context(
            # Shows a context that was given, but does something else than this server does.
            request_cert=options.request_cert, alpn=options.alpn_protocols))

    def remove_context(self, servername: str) -> bool:
        """Undo :meth:`add_context` for exactly this name; return whether there was one."""
        return self._contexts.remove(servername)

    def set_secure_context(self, options: Any) -> None:
        """Use other keys and certificates for connections to come; those that exist go on.

        Args:
            options: as of :func:`gnet.tls.create_secure_context`, all of them: what is not given is
                as if it never had been. Or a :class:`SecureContext` or ``ssl.SSLContext``.

        Raises:
            CodedTypeError, TLSError, OSError: as :func:`gnet.tls.create_secure_context`; then
                nothing is changed.
        """
        now = self._tls_options
        self._contexts.set_own(options, lambda made: made.server_context(
            request_cert=now.request_cert, alpn=now.alpn_protocols))

    def reload_certificates(self) -> bool:
        """Read the files of keys and certificates again; return whether all of them can be used.

        Those of :meth:`add_context`, too. For connections to come; those that exist go on. What is
        not whole, as it is being written, is logged, and the old one stays in use. For a signal::

            gevent.signal_handler(signal.SIGHUP, server.reload_certificates)

        Raises:
            CodedTypeError: ``ERR_INVALID_ARG_VALUE``: nothing was made of files.
        """
        self._contexts.check_files()
        return self._contexts.refresh(force=True)

    def _use(self, own: SecureContext, named: ContextsByName) -> None:
        self._tls_options = self._tls_options._replace(context=own)
        self._intake.lay_down(self._tls_options, named)

    def _listener_attached(self, handle: Handle, key: str) -> None:
        super()._listener_attached(handle, key)
        if self._watches and self._watch is None:
            self._watch = ContextWatch(self._counter.loop, self._contexts, bool)

    def close(self, callback: Callable[..., object] | None = None) -> Self:
        super().close(callback)
        watch, self._watch = self._watch, None
        if watch is not None:
            watch.close()
        return self

    close.__doc__ = plain.Server.close.__doc__

    def get_ticket_keys(self) -> bytes:
        """Raise ``ERR_FEATURE_UNAVAILABLE_ON_PLATFORM``: Python's ``ssl`` does not tell."""
        raise unavailable('getTicketKeys()')

    def set_ticket_keys(self, keys: bytes) -> None:
        """Raise ``ERR_FEATURE_UNAVAILABLE_ON_PLATFORM``, as :meth:`get_ticket_keys`."""
        raise unavailable('setTicketKeys()')

    def _listener_added(self, event: Hashable) -> None:
        super()._listener_added(event)
        if event in _UNAVAILABLE:
            # Rather than never to happen.
            self.remove_all_listeners(event)
            raise unavailable(f'the event {event!r}')

    # --- connections ------------------------------------------------------------------------------

    def _secure(self, sock: Any) -> None:
        """The first listener of 'connection': begin the handshake on *sock*."""
        if not getattr(sock, 'destroyed', False):
            begin_on(self._intake, sock)

    def capture_rejection(self, error: BaseException, event: Hashable, *args: Any) -> None:
        if event == 'secureConnection' and args and isinstance(args[0], Socket):
            fail(args[0], error)
        else:
            super().capture_rejection(error, event, *args)

    capture_rejection.__doc__ = plain.Server.capture_rejection.__doc__


class SecureIntake(Intake):
    """Takes connections for a TLS server: the handshake comes before they are handed over.

    It is what the handshake knows of the server (`Terms`).
    """

    __slots__ = ('_contexts', 'options', 'pending')

    #: Handshakes that are not done.
    pending: PendingHandshakes
    #: Of now: they may be changed for the connections to come.
    options: TLSServerOptions

    def lay_down(self, options: TLSServerOptions, contexts: ContextsByName) -> None:
        """Use these for the connections to come."""
        self.options = options
        self._contexts = contexts

    # --- how a connection comes in ----------------------------------------------------------------

    def admit(self, sock: Any, remote: Any) -> Any:
        """Decide on a new connection; its handshake begins."""
        if self.pending.is_full():
            self.drop(sock, remote, lifecycle.DropReason.PENDING_HANDSHAKES)
            return None
        limits = self.pending.of_one()
        if limits is not None:
            key = limits.key_of(host_of(remote))
            if limits.has_most(key):
                self.drop(sock, remote, lifecycle.DropReason.PENDING_HANDSHAKES, limits, key)
                return None
        connection = super().admit(sock, remote)
        if not isinstance(connection, TLSSocket):
            return connection
        if lifecycle.has_subscribers():
            self.connections.loop.tick(self.publish_opened, connection, self.accepted_at)
        return None  # it is handed over when that is done

    def accept(
        self, counter: Counter, loop: Loop, sock: Any, remote: Any, high_water_mark: float,
        allow_half_open: bool, paused: bool,
    ) -> Socket:
        """Make the socket of a connection."""
        made = wire = None
        if self.server.listener_count('connection') <= 1:
            # Else somebody wants the connection before it is secure.
            made, wire = TLSSocket.__new__(TLSSocket), TlsWire(loop, CiphertextWire(loop))
            start_with(made, self.options, self)
        return accept(
            counter, loop, sock, remote, high_water_mark, allow_half_open, paused, made, wire)

    # --- what a handshake asks: `Terms` -----------------------------------------------------------

    def context_for(self, name: str) -> SecureContext | None:
        """Return the context of ``add_context`` for *name*, or None."""
        return self._contexts.find(name)

    def refused(self, error: BaseException, sock: Any) -> None:
        """A handshake has come to nothing. Called in a runner, once at most for a connection."""
        _log.debug('%r: %r: %s', self.server, sock, error)
        self.emit_guarded('tlsClientError', error, sock)

    def begun(self, handshake: Any, remote: Any) -> None:
        """A handshake with the peer *remote* has begun."""
        self.pending.add(handshake, remote)

    def settled(self, handshake: Any) -> None:
        """It is over, in whatever way."""
        self.pending.discard(handshake)

    def secured(self, sock: Any) -> None:
        """The handshake of *sock* is done. Called in the hub."""
        self.connections.loop.handlers.call(self._serve_secure, sock)

    # --- connections, in their own greenlet -------------------------------------------------------

    def _serve_secure(self, sock: TLSSocket) -> None:
        hand_over(sock, _Passing(self.server), 'secureConnection', self)


class _Passing:
    """Emits the event of a handshake that is done, if its socket lets what follows pass."""

    __slots__ = ('_server',)

    def __init__(self, server: Server) -> None:
        self._server = server

    def emit(self, event: Any, sock: TLSSocket) -> None:
        if let_pass(sock) and not sock.destroyed:
            self._server.emit(event, sock)


@overload
def create_server(
    listener: Callable[[TLSSocket], object] | None = None, /,
    **keywords: Unpack[NewTLSServerKeywords],
) -> Server: ...
@overload
def create_server(
    options: Mapping[str, Any] | None, listener: Callable[[TLSSocket], object] | None = None, /,
    **keywords: Unpack[NewTLSServerKeywords],
) -> Server: ...
def create_server(*args: Any, **keywords: Any) -> Server:
    """Make a :class:`Server`; the arguments are the same: ``(options, listener)``, or keywords."""
    return Server(*args, **keywords)


def serve(
    handler: Callable[[TLSSocket], object] | None, port: int | str | None = 0,
    host: str | None = '127.0.0.1', **options: Unpack[TLSServeKeywords],
) -> Server:
    """Serve TLS connections: return a server that listens, or raise why it can not.

    As :func:`gnet.serve`, of which it has all arguments, for a :class:`gnet.tls.Server`.

    Args:
        handler: the listener of `'secureConnection'`, or None.
        port: 0 (the default) is any free one.
        host: the name or address to listen on; None is every address.
        options: all of :func:`gnet.tls.create_server` and of ``listen``, in either spelling.

    Raises:
        TLSError: keys or certificates cannot be used.
        OSError, CodedTypeError, CodedValueError, TypeError, AbortError, RuntimeError: as
            :func:`gnet.serve`.
    """
    server = serve_by(Server, ALL_OPTIONS, handler, port, host, options)
    assert isinstance(server, Server)
    return server
