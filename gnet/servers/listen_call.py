"""How a server comes to listen: :class:`Listening`, the part of ``gnet.Server`` about addresses.

One call of ``listen`` goes this way::

    arguments (options) -> a host's addresses -> a Listener (binding) -> an Acceptor -> 'listening'
                                            \\-> 'error'

A call is named by ``_listening_id``, Node's counter. It grows with each ``listen`` and ``close``,
and so tells a look-up that comes back too late that nobody waits for it any more.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import gevent.socket
from gevent import Greenlet

from .. import lifecycle
from ..addresses.ends import Address, address_of, is_link_local
from ..addresses.ip import is_ip
from ..clusters import protocol
from ..events.emitter import EventEmitter
from ..loop import exit_hook
from ..loop.agenda import EXITS
from ..loop.loop import get_loop
from ..node import coded_errors, system_errors
from ..options.listen import ListenRequest, ListenTarget, listen_request
from ..options.shapes import normalize_arguments
from .acceptor import Acceptor, Handle, take_over
from .listener import HANDLE_KEY, Listener, adopt, bind_path, bind_port

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = [
    'Listening',
]


class Listening(EventEmitter):
    """What listens, and says so. :class:`gnet.Server` is the public class."""

    __slots__ = (
        '_connection_key', '_connections', '_handle', '_kept_alive', '_listening_id', '_loop',
        '_pipe_name', '_undecided_id', '_unref',
    )

    def __init__(self) -> None:
        super().__init__()
        self._loop = get_loop()
        self._handle: Handle | None = None
        self._connections = 0
        self._connection_key: str | None = None
        self._pipe_name: str | None = None
        self._listening_id = 1
        #: The ``_listening_id`` of which neither `'listening'` nor `'error'` was emitted yet. Older
        #: than the present one, it means nothing.
        self._undecided_id = 0
        self._unref = False
        #: Whether ``serve_forever()`` blocks the main greenlet: then ``unref()`` has no effect.
        self._kept_alive = False

    # --- hooks ------------------------------------------------------------------------------------

    def close(self, callback: Callable[..., object] | None = None) -> Self:
        """Stop listening."""
        raise NotImplementedError

    def _admit(self, sock: Any, remote: Any) -> Any:
        """Decide on a new connection (see ``acceptor``)."""
        raise NotImplementedError

    def _serve(self, sock: Any) -> None:
        """Handle an admitted connection (see ``acceptor``)."""
        raise NotImplementedError

    def _fail(self, error: BaseException) -> None:
        """Do what a failure that nobody listens to leads to."""
        raise NotImplementedError

    # --- listen -----------------------------------------------------------------------------------

    def listen(self, *args: Any, **keywords: Any) -> Self:
        """Start listening; returns the server.

        The forms, each of which may be followed by a callback for `'listening'`::

            listen()                                any free port, every address
            listen(port, host=None, backlog=511)    TCP; port 0 is any free one
            listen(path, backlog=511)               a unix socket; a leading NUL: an abstract name
            listen(options)                         a mapping, or the same as keywords: port, host,
                                                    path, backlog, exclusive, readable_all,
                                                    writable_all, ipv6_only, reuse_port, signal, fd
            listen(other)                           a listening socket of the standard library or of
                                                    gevent, an object with fileno(), a StreamServer,
                                                    another Server: it belongs to this server now

        Without a host, and with a path, fd or *other*, the server is listening when the call
        returns, and only the event is deferred to the next tick. With a host it never is: the name
        is looked up first, without holding up anything else.

        Args:
            signal: anything with ``rawlink`` (a :class:`gevent.event.Event`): set means close.

        Raises:
            CodedTypeError, CodedValueError: for arguments that make no sense (``ERR_INVALID_…``,
                ``ERR_SOCKET_BAD_PORT``). A callback stays registered.
            CodedRuntimeError: ``ERR_SERVER_ALREADY_LISTEN``.
            OSError: the mode of a unix socket could not be set (syscall ``'uv_pipe_chmod'``).

        Emits `'error'`, never raises, when the system refuses (``EADDRINUSE``…) or the name is not
        found; the callback then stays registered for the next successful call, as in Node.
        """
        given, callback = normalize_arguments(args, keywords)
        if self._handle is not None:
            raise coded_errors.state_error('ERR_SERVER_ALREADY_LISTEN')
        if callback is not None:
            self.once('listening', callback)
        request = listen_request(given, args)
        self._listening_id += 1
        if not self._connections:
            self._loop = get_loop()  # it may have been made in another thread
        exit_hook.arm()
        if request.signal is not None:
            self._close_on(request.signal)
        if request.target is ListenTarget.PORT and request.host is not None:
            self._listen_on_host(request, request.host)
        else:
            self._listen(request)
        return self

    def _listen(self, request: ListenRequest, address: str | None = None, version: int = 6) -> None:
        primary = protocol.primary
        if primary is not None and not request.exclusive and (
            request.target is not ListenTarget.HANDLE
        ):
            self._pipe_name = request.path or self._pipe_name
            self._undecided_id = self._listening_id
            primary.listen(self, request, address, version)
            return
        try:
            if request.target is ListenTarget.HANDLE:
                # Their own key would be that of the server they come from.
                acceptor = take_over(self._loop, request.handle, request.backlog, self)
                if primary is not None:
                    primary.listens_alone(self, acceptor.listener)
                self._attach(acceptor, HANDLE_KEY)
            else:
                listener = self._bind(request, address, version)
                if primary is not None:
                    primary.listens_alone(self, listener)
                self._attach(Acceptor(self._loop, listener, self), listener.key)
        except system_errors.LookupFailure as error:
            self._listen_failed(error)
        except system_errors.NodeOSError as error:
            if error.syscall != 'listen':
                raise
            self._listen_failed(error)

    def _bind(self, request: ListenRequest, address: str | None, version: int) -> Listener:
        if request.target is ListenTarget.FD:
            return adopt(request.fd, request.backlog)
        if request.target is ListenTarget.PATH:
            assert request.path is not None
            self._pipe_name = request.path
            return bind_path(
                request.path, request.backlog, readable_all=request.readable_all,
                writable_all=request.writable_all,
            )
        assert request.port is not None
        return bind_port(
            address, request.port, request.backlog, version=version, ipv6_only=request.ipv6_only,
            reuse_port=request.reuse_port,
        )

    def _attach(self, acceptor: Handle, key: str) -> None:
        self._handle = acceptor
        self._connection_key = key
        self._apply_ref()
        if not acceptor.started:
            acceptor.start()
        self._undecided_id = self._listening_id
        self._loop.tick(self._emit_listening, self._listening_id)

    def _listen_failed(self, error: BaseException) -> None:
        self._undecided_id = self._listening_id
        self._loop.tick(self._emit_listen_error, self._listening_id, error)

    def _is_undecided(self) -> bool:
        """Whether `'listening'` or `'error'` is still to come."""
        return self._undecided_id == self._listening_id

    # --- names and signals ------------------------------------------------------------------------

    def _listen_on_host(self, request: ListenRequest, host: str) -> None:
        self._undecided_id = self._listening_id
        if is_ip(host):
            self._loop.tick(self._listen_resolved, self._listening_id, request, [host])
        else:
            self._loop.start_resolver()
            Greenlet.spawn(self._look_up, self._listening_id, request, host)

    def _look_up(self, listening_id: int, request: ListenRequest, host: str) -> None:
        """Resolve *host*; runs in a greenlet of its own, the resolver in another thread."""
        try:
            # The resolver does this too, but then gevent's thread pool reports the failure.
            host.encode('idna')
            found = gevent.socket.getaddrinfo(host, None, 0, gevent.socket.SOCK_STREAM)
            if not found:
                raise gevent.socket.gaierror(gevent.socket.EAI_NONAME, 'no address')
        except (gevent.socket.gaierror, UnicodeError) as error:
            # UnicodeError: the name can not be put into the form that the DNS has for it.
            if listening_id == self._listening_id:
                self._listen_failed(system_errors.lookup_error(error, host))
            return
        addresses = [str(entry[4][0]) for entry in found]
        self._loop.tick(self._listen_resolved, listening_id, request, addresses)

    def _listen_resolved(
        self, listening_id: int, request: ListenRequest, addresses: list[str],
    ) -> None:
        if listening_id != self._listening_id:
            return  # closed, or listening to something else, in the meantime
        # A link-local address can not be bound without its zone: anything else is preferred.
        address = next((a for a in addresses if not is_link_local(a)), addresses[0])
        self._listen(request, address, is_ip(address))

    def _close_on(self, signal: Any) -> None:
        """Close when *signal* is set; until the server's next `'close'`."""
        if getattr(signal, 'ready', bool)():
            self._loop.tick(self.close)
            return
        # A tick, because a link is called in the hub, where listeners of close() might block.
        loop = self._loop

        def close(_source: Any) -> None:
            loop.tick(self.close)

        def unlink() -> None:
            signal.unlink(close)

        signal.rawlink(close)
        self.once('close', unlink)

    # --- state ------------------------------------------------------------------------------------

    @property
    def listening(self) -> bool:
        """Whether the server is bound and listening."""
        return self._handle is not None

    def address(self) -> Address | str | None:
        """Return where the server listens.

        Returns:
            ``(address, family, port)`` of a TCP server; the path of a unix server, as it was given
            (also after it was closed, as in Node); None while there is neither.

        Raises:
            OSError: the system does not know (syscall ``'address'``): the listening socket was
                taken over by another server that has closed it.
        """
        if self._handle is not None and self._handle.listener.path is None:
            if self._handle.closed:
                raise system_errors.system_error(errno.EBADF, 'address')
            sock = self._handle.socket
            try:
                return address_of(sock.family, sock.getsockname())
            except OSError as error:
                raise system_errors.system_error(error.errno or 0, 'address') from error
        return self._pipe_name

    def ref(self) -> Self:
        """Let this server keep the program alive while it listens (the default); returns it."""
        self._unref = False
        self._apply_ref()
        return self

    def unref(self) -> Self:
        """Let the program end although this server listens; returns it. Survives ``close()``."""
        self._unref = True
        self._apply_ref()
        return self

    def _apply_ref(self) -> None:
        if self._handle is not None:
            self._handle.set_ref(self._kept_alive or not self._unref)

    # --- emitting, in a runner --------------------------------------------------------------------

    def _emit_listening(self, listening_id: int) -> None:
        self._decided(listening_id)
        if self._handle is not None and not self._handle.closed:
            lifecycle.publish(lifecycle.ServerListening, self, self.address())
            self._guard('listening', self.emit, 'listening')

    def _emit_listen_error(self, listening_id: int, error: BaseException) -> None:
        self._decided(listening_id)
        self._emit_error(error)

    def _decided(self, listening_id: int) -> None:
        if listening_id == self._undecided_id:
            self._undecided_id = 0

    def _emit_error(self, error: BaseException) -> None:
        lifecycle.publish(lifecycle.ServerError, self, error)
        self._route_error(self.emit, 'error', error)

    def _route_error(self, emit: Callable[..., object], *args: Any) -> None:
        """Call what emits `'error'`: without a listener, the error is the program's."""
        if self._events.get('error'):
            self._guard('error', emit, *args)
            return
        try:
            emit(*args)  # for those who only watch; it raises the error
        except EXITS:
            raise
        except BaseException as unhandled:
            self._fail(unhandled)

    def _accept_failed(self, error: BaseException) -> None:
        self._loop.tick(self._emit_error, error)

    def _guard(self, event: str, function: Callable[..., object], *args: Any) -> None:
        """Call what the program registered; its failure is the program's."""
        try:
            function(*args)
        except EXITS:
            raise
        except BaseException as error:
            lifecycle.publish(lifecycle.ListenerFailed, self, event, error)
            self._fail(error)
