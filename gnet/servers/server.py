"""``gnet.Server``: listens, and emits each connection as a :class:`gnet.Socket`."""

from __future__ import annotations

import errno
from collections.abc import Callable, Hashable
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from .. import lifecycle
from ..addresses.ends import Address, address_of
from ..loop import exit_hook
from ..loop.agenda import EXITS
from ..loop.loop import get_loop
from ..node import coded_errors, system_errors
from ..node.keywords import check_keywords
from ..options import server, shapes
from ..options.listen import LISTEN_OPTIONS, listen_request
from ..sockets.own_thread import SERVER_LETTING_GO, SERVER_USES, keep_to_thread
from ..sockets.ownership import fail
from ..sockets.socket import Socket
from . import stopping
from .acceptor import Counting, Handle
from .connections import Connections
from .intake import Intake
from .listen_call import ListenCall, close_on
from .roster import roster

if TYPE_CHECKING:
    from typing_extensions import Self, Unpack

    from ..options.typed import ListenKeywords, NewServerKeywords
    from .typed_events import TypedLimiting as Limiting
else:
    from .limiting import Limiting

__all__ = ['Server', 'create_server']


#: What the constructor may be given by name.
_KEYWORDS = server.SERVER_OPTIONS | {'options', 'listener'}


class Server(Limiting):
    """A server for TCP and unix sockets, as Node's ``net.Server``.

    ==================  ==================  ========================================================
    event               arguments           when
    ==================  ==================  ========================================================
    ``'listening'``     ``()``              bound and listening, a tick after ``listen()``
    ``'connection'``    ``(sock)``          for each accepted connection, in a greenlet of its own
    ``'drop'``          ``(data)``          instead, when it is beyond a limit: ``max_connections``,
                                            one of its address, a rate, pending handshakes; a record
                                            of both ends, with the reason; None for a unix socket
    ``'error'``         ``(err)``           ``listen`` or accepting failed; `'close'` does not
                                            follow by itself
    ``'close'``         ``()``              closed, and all connections have ended
    ==================  ==================  ========================================================

    A `'connection'` listener may block: it delays nobody else. If it, or a greenlet that has its
    socket from it, used the blocking names of that, the socket is ended when the listener returns,
    and destroyed if it raises; one that only registered listeners leaves it open. What it raises
    costs that connection and no more.

    An `'error'` that nobody listens to, and what a listener of another event raises, end
    ``gnet.run()`` with that exception.
    """

    __slots__ = (
        '_call', '_counter', '_full_policy', '_handle', '_intake', '_kept_alive',
        '_listening_id', '_pipe_name', '_proxy_trust', '_serving', '_unref', 'allow_half_open',
        'high_water_mark', 'keep_alive', 'keep_alive_initial_delay', 'no_delay',
        'pause_on_connect',
    )

    def __init__(self, *args: Any, **keywords: Unpack[NewServerKeywords]) -> None:
        """Make a server; :meth:`listen` starts it.

        Args:
            args: ``(options, listener)``, ``(listener)`` or nothing. *options* is a mapping in
                Python's or Node's spelling, and is not modified; *listener* is added to
                `'connection'`.
            keywords: the options, which win over the mapping:

                - allow_half_open: keep writing possible when the peer has ended (default False).
                - pause_on_connect: read nothing before ``resume()`` or a read (False).
                - no_delay: switch Nagle's algorithm off on each connection (False).
                - keep_alive: have the kernel probe idle connections (False).
                - keep_alive_initial_delay: milliseconds before its first probe (0: the system's).
                - high_water_mark: bytes buffered for each connection and direction (65536).
                - block_list: a :class:`gnet.BlockList` of peers that are refused silently.
                - proxy_protocol: a mapping; connections come from proxies that say whose they are:

                  - trusted: a list of their addresses, such as ``'10.0.0.0/8'``; ``'unix'`` is
                    whoever comes by a unix socket. Others are dropped.
                  - timeout: milliseconds that the header of a connection has to come (5000).
                  - max_pending: connections that wait for theirs at most (1024).
                - max_connections, max_connections_policy, max_connections_per_address,
                  connection_rate, connection_rate_per_address, connection_burst,
                  connection_burst_per_address, ipv4_prefix, ipv6_prefix: limits; see the
                  properties, by which they are changed at any time.
                - read_timeout, write_timeout, lifetime: milliseconds; max_buffered: bytes. How slow
                  and how greedy the peers may be: see the properties of :class:`gnet.Socket` of
                  these names (no limits).

        Raises:
            CodedTypeError: ``ERR_INVALID_ARG_TYPE``, ``ERR_INVALID_ARG_VALUE``.
            CodedValueError: ``ERR_OUT_OF_RANGE``.
            TypeError: for a keyword that is no option; in a mapping it is ignored, as in Node.
        """
        check_keywords('Server', keywords, _KEYWORDS)
        given, listener = shapes.split_server_arguments(args, keywords)
        super().__init__()
        chosen = server.server_options(given)
        self.allow_half_open: bool = chosen.allow_half_open
        self.pause_on_connect: bool = chosen.pause_on_connect
        self.no_delay: bool = chosen.no_delay
        self.keep_alive: bool = chosen.keep_alive
        #: In whole seconds, as Node stores it; the option is in milliseconds.
        self.keep_alive_initial_delay: int = chosen.keep_alive_initial_delay
        #: For the connections to come. What is no number of bytes (NaN, Infinity, a fraction)
        #: stands for the default; Node ends the process at the next connection then.
        self.high_water_mark: float = chosen.high_water_mark
        self._counter = Connections(self, get_loop(), self._emit_close_if_drained)
        self._intake = Intake(self, self._counter, self._accept_failed)
        self._intake.block_list = chosen.block_list
        self._proxy_trust = chosen.proxy_trust
        self._counter.limit = chosen.max_connections
        self._full_policy = chosen.max_connections_policy
        self._counter.limit_options = chosen.limits
        self._intake.peer_limits = chosen.peer_limits
        self._handle: Handle | None = None
        self._pipe_name: str | None = None
        #: Grows with each ``listen`` and ``close``.
        self._listening_id = 1
        #: The last ``listen``, unless ``close`` came after it.
        self._call: ListenCall | None = None
        self._serving = stopping.Serving()
        self._unref = False
        #: Whether ``serve_forever()`` blocks the main greenlet: then ``unref()`` has no effect.
        self._kept_alive = False
        if listener is not None:
            self.on('connection', listener)

    def __repr__(self) -> str:
        where: Any = 'not listening'
        if self._handle is not None:
            # Another server may have it, and have closed it.
            where = 'closed by another server' if self._handle.closed else self.address()
        return f'<gnet.{type(self).__name__} {where}, {self._counter.count} connections>'

    # --- listening --------------------------------------------------------------------------------

    def listen(self, *args: Any, **keywords: Unpack[ListenKeywords]) -> Self:
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
            systemd: True for the one listening socket that systemd has opened, or the name of one
                (``FileDescriptorName=``), instead of all but *signal*. The server is listening when
                the call returns; systemd has the socket when the server is closed, too.

        Raises:
            CodedTypeError, CodedValueError: for arguments that make no sense (``ERR_INVALID_…``,
                ``ERR_SOCKET_BAD_PORT``; ``ERR_SYSTEMD_…``: there is no such socket). A callback
                stays registered.
            CodedRuntimeError: ``ERR_SERVER_ALREADY_LISTEN``; ``ERR_SYSTEMD_NO_SOCKETS``.
            OSError: the mode of a unix socket could not be set (syscall ``'uv_pipe_chmod'``).
            TypeError: for a keyword that is no option; in a mapping it is ignored, as in Node.

        Emits `'error'`, never raises, when the system refuses (``EADDRINUSE``…) or the name is not
        found; the callback then stays registered for the next successful call, as in Node.
        """
        check_keywords('listen', keywords, LISTEN_OPTIONS | {'callback'})
        given, callback = shapes.normalize_arguments(args, keywords)
        if self._handle is not None:
            raise coded_errors.state_error('ERR_SERVER_ALREADY_LISTEN')
        if callback is not None:
            self.once('listening', callback)
        request = listen_request(given, args)
        self._forget_call()
        counter = self._counter
        if not counter.count:
            counter.loop = get_loop()  # it may have been made in another thread
        exit_hook.arm()
        counter.loop.close_in_child(self, _forsake)
        roster.add(self)
        if request.signal is not None:
            close_on(request.signal, self, counter.loop)
        if request.path is not None:
            self._pipe_name = request.path
        self._call = call = ListenCall(
            request, self._front(), attached=self._listener_attached,
            listening=self._emit_listening, failed=self._emit_error)
        call.start()
        return self

    def _front(self) -> Counting:
        """Return what is to take the connections."""
        if self._proxy_trust is None:
            return self._intake
        from .proxied_intake import ProxiedIntake  # most servers need none of it

        return ProxiedIntake(self._intake, self._proxy_trust)

    def _forget_call(self) -> None:
        """Nobody waits any more for what was asked for before."""
        self._listening_id += 1
        if self._call is not None:
            self._call.abandon()
            self._call = None

    def _listener_attached(self, handle: Handle, key: str) -> None:
        self._handle = handle
        self._counter.key = key
        self._apply_policy()
        self._apply_limits()
        self._apply_ref()
        if not handle.started:
            handle.start()

    def _is_undecided(self) -> bool:
        """Whether `'listening'` or `'error'` is still to come."""
        return self._call is not None and self._call.is_undecided

    @property
    def listening(self) -> bool:
        """Whether the server is bound and listening."""
        return self._handle is not None

    def address(self) -> Address | Any:
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

    @property
    def __gnet_loop__(self) -> Any:
        """For ``gnet.call_from_thread()``."""
        return self._counter.loop

    def _apply_ref(self) -> None:
        if self._handle is not None:
            self._handle.set_ref(self._kept_alive or not self._unref)

    # --- closing ----------------------------------------------------------------------------------

    def close(self, callback: Callable[[Any], object] | None = None) -> Self:
        """Stop listening, at once; connections that exist go on. Returns the server.

        `'close'` is emitted when the last connection has ended, in the next tick if there is none,
        also if the server was not listening.

        Args:
            callback: called with ``(err)`` at the next `'close'`; *err* is
                ``ERR_SERVER_NOT_RUNNING`` if the server was not listening, else None.
        """
        self._forget_call()
        if callable(callback) and not self._counter.loop.is_forsaken:
            if self._handle is not None:
                self.on('close', stopping.CloseCallback(self, 'close', callback))
            else:
                error = coded_errors.state_error('ERR_SERVER_NOT_RUNNING')
                self.once('close', lambda: callback(error))
        handle, self._handle = self._handle, None
        try:
            if handle is not None:
                handle.close()
        finally:
            self._counter.run_out()
        return self

    def _emit_close_if_drained(self) -> None:
        """Emit `'close'` on a tick if the server is not listening and has no connections."""
        if self._handle is None and not self._counter.count:
            self._counter.loop.tick(self._emit_close)

    def stop(self, timeout: float | None = None) -> int:
        """Close, and block until all connections have ended.

        Not for a handler of one of these connections, unless with a *timeout*: it would wait for
        its own.

        In a handler of ``signal.signal``, and in the hub, nothing can wait. There the call returns
        0 at once; all of this happens in a greenlet of its own, and the program does not end before
        that, not even by ``sys.exit()``. Connections that had to be destroyed are a warning on the
        logger ``gnet.server``.

        Args:
            timeout: seconds to wait for that; then the rest are destroyed, and those of worker
                processes left alone. None (the default) waits for as long as it takes.

        Returns:
            How many connections had to be destroyed.
        """
        return stopping.stop(self.close, self._counter, timeout)

    def serve_forever(self) -> None:
        """Block until the server is closed and its connections have ended.

        Call :meth:`listen` first. In the main greenlet this is also what ``gnet.run()`` is: Ctrl-C
        ends it, and so does a failure of the program; the server keeps the program alive even if it
        was unref'ed; and if it does not listen, and nothing is left that could make it, the call
        returns.

        Raises:
            CodedRuntimeError: ``ERR_SERVER_NOT_RUNNING`` when ``listen()`` was not called.
            Exception: an `'error'` of this server that nobody listens to, such as that its port is
                taken, and what its listeners raise. It is reported in no other way.
        """
        if self._handle is None and not self._is_undecided():
            raise coded_errors.state_error('ERR_SERVER_NOT_RUNNING')
        stopping.serve_forever(self._counter.loop, self._serving, self._keep_alive)

    def _keep_alive(self, keep: bool) -> None:
        self._kept_alive = keep
        self._apply_ref()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        """Close and wait for the connections to end; after an exception, end them."""
        self.stop(None if kind is None else 0)

    # --- failures ---------------------------------------------------------------------------------

    def capture_rejection(self, error: BaseException, event: Hashable, *args: Any) -> None:
        """Route what a listener, or a greenlet that it returned, failed with. May be overridden.

        A `'connection'` listener costs its connection: the socket is destroyed with the error.
        Anything else is an `'error'` of the server.

        Args:
            error: what was raised.
            event: the event whose listener it was.
            args: the arguments of that event.
        """
        if event != 'connection' or not args:
            if lifecycle.has_subscribers():
                lifecycle.publish(lifecycle.ServerError, self, error)
            self._route_error(super().capture_rejection, error, event, *args)
        elif isinstance(args[0], Socket):
            fail(args[0], error)
        else:
            args[0].destroy(error)  # emitted by hand

    # --- emitting, in a runner --------------------------------------------------------------------

    def _emit_listening(self) -> None:
        if self._handle is not None and not self._handle.closed:
            if lifecycle.has_subscribers():
                lifecycle.publish(lifecycle.ServerListening, self, self.address())
            roster.decided(Server._is_undecided)  # inside: its own
            self._emit_guarded('listening')

    def _emit_close(self) -> None:
        try:
            if lifecycle.has_subscribers():
                lifecycle.publish(lifecycle.ServerClosed, self)
            roster.decided(Server._is_undecided)  # inside: its own
            self._emit_guarded('close')
        finally:
            self._counter.closed()
            if self._handle is None and not self._is_undecided():
                self._serving.closed()

    def _accept_failed(self, error: BaseException) -> None:
        self._counter.loop.tick(self._emit_error, error)

    def _emit_error(self, error: BaseException) -> None:
        if lifecycle.has_subscribers():
            lifecycle.publish(lifecycle.ServerError, self, error)
        roster.decided(Server._is_undecided)  # inside: its own
        self._route_error(self.emit, 'error', error)

    def _route_error(self, emit: Callable[..., object], *args: Any) -> None:
        """Call what emits `'error'`: without a listener, the error is the program's."""
        is_heard = bool(self._events.get('error'))
        try:
            emit(*args)  # also for those who only watch; without a listener, it raises the error
        except EXITS:
            raise
        except BaseException as error:
            if is_heard:
                self._listener_failed('error', error)
            else:
                self._failed(error)

    def _failed(self, error: BaseException) -> None:
        """A failure of the program: raised by ``serve_forever()``, else by ``gnet.run()``."""
        if not self._serving.fail(error):
            self._counter.loop.fail(self, error)


keep_to_thread(
    Server, attrgetter('_counter.loop'), SERVER_USES, SERVER_LETTING_GO,
    Server._is_free)  # inside: as with _forsake, below


# inside: a part of the class, without a name on it
def _forsake(server: Any) -> None:
    """In a forked child: forget what is the parent's. The acceptor is closed by itself."""
    server._handle = None
    server._forget_call()
    server._counter.forsake()


def create_server(*args: Any, **keywords: Unpack[NewServerKeywords]) -> Server:
    """Make a :class:`Server`; the arguments are the same: ``(options, listener)``, or keywords."""
    check_keywords('create_server', keywords, _KEYWORDS)
    return Server(*args, **keywords)
