"""``gnet.Server``: listens, and emits each connection as a :class:`gnet.Socket`."""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import Any

import gevent.socket
from gevent import Greenlet, GreenletExit, getcurrent
from gevent.event import AsyncResult, Event

from . import errors, lifecycle, lifetime
from .acceptor import Acceptor
from .addresses import is_ip
from .binding import Listener, adopt, bind_path, bind_port
from .endpoint import Address, Ends, address_of
from .events import EventEmitter
from .loop import EXITS, get_loop
from .options import (
    ListenRequest,
    ListenTarget,
    listen_request,
    normalize_arguments,
    server_options,
    split_server_arguments,
)
from .socket import Socket
from .validators import validate_function

__all__ = ['Server', 'create_server']


class Server(EventEmitter):
    """A server for TCP and unix sockets, as Node's ``net.Server``.

    ==================  ==================  ========================================================
    event               arguments           when
    ==================  ==================  ========================================================
    ``'listening'``     ``()``              bound and listening, a tick after ``listen()``
    ``'connection'``    ``(sock)``          for each accepted connection, in a greenlet of its own
    ``'drop'``          ``(data)``          instead, when there are ``max_connections`` already;
                                            a record of both ends, None for a unix socket
    ``'error'``         ``(err)``           ``listen`` or accepting failed; `'close'` does not
                                            follow by itself
    ``'close'``         ``()``              closed, and all connections have ended
    ==================  ==================  ========================================================

    A `'connection'` listener may block: it delays nobody else. If it used the blocking names of its
    socket, the socket is ended when it returns, and destroyed if it raises; one that only
    registered listeners leaves it open. What it raises costs that connection and no more.

    An `'error'` that nobody listens to, and what a listener of another event raises, end
    ``gnet.run()`` with that exception.
    """

    __slots__ = (
        '_connection_key', '_connections', '_handle', '_listening_id', '_looking_up', '_loop',
        '_pipe_name', '_signal_link', '_sockets', '_unref', '_using_workers', '_workers',
        'allow_half_open', 'block_list', 'drop_max_connection', 'high_water_mark', 'keep_alive',
        'keep_alive_initial_delay', 'max_connections', 'no_delay', 'pause_on_connect',
    )

    def __init__(self, *args: Any, **keywords: Any) -> None:
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

        Raises:
            CodedTypeError: ``ERR_INVALID_ARG_TYPE``.
        """
        given, listener = split_server_arguments(args, keywords)
        super().__init__()
        if listener is not None:
            self.on('connection', listener)
        chosen = server_options(given)
        self._loop = get_loop()
        self._handle: Acceptor | None = None
        self._connections = 0
        self._sockets: set[Socket] = set()
        self._connection_key: str | None = None
        self._pipe_name: str | None = None
        self._listening_id = 1
        #: The ``_listening_id`` whose host is being looked up; it may be outdated.
        self._looking_up = 0
        self._unref = False
        self._using_workers = False
        self._workers: list[Any] = []
        self._signal_link: tuple[Any, Callable[[Any], object]] | None = None
        self.allow_half_open = chosen.allow_half_open
        self.pause_on_connect = chosen.pause_on_connect
        self.no_delay = chosen.no_delay
        self.keep_alive = chosen.keep_alive
        #: In whole seconds, as Node stores it; the option is in milliseconds.
        self.keep_alive_initial_delay = chosen.keep_alive_initial_delay
        self.high_water_mark = chosen.high_water_mark
        self.block_list = chosen.block_list
        #: Connections at which further ones are dropped; None for no limit. May be changed any
        #: time; connections that exist are not closed.
        self.max_connections: float | None = None
        #: In a worker process: drop beyond ``max_connections`` instead of passing on.
        self.drop_max_connection = False

    def __repr__(self) -> str:
        where = self.address() if self.listening else 'not listening'
        return f'<gnet.{type(self).__name__} {where}, {self._connections} connections>'

    # --- listening --------------------------------------------------------------------------------

    def listen(self, *args: Any, **keywords: Any) -> Server:
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

        Emits `'error'`, never raises, when the system refuses (``EADDRINUSE``…) or the name is not
        found; the callback then stays registered for the next successful call, as in Node.
        """
        given, callback = normalize_arguments(args, keywords)
        if self._handle is not None:
            raise errors.state_error('ERR_SERVER_ALREADY_LISTEN')
        if callback is not None:
            self.once('listening', callback)
        request = listen_request(given, args)
        self._listening_id += 1
        lifetime.arm()
        if request.signal is not None:
            self._close_on(request.signal)
        if request.target is ListenTarget.PORT and request.host is not None:
            self._listen_on_host(request, request.host)
        else:
            self._listen(request)
        return self

    def _listen(self, request: ListenRequest, address: str | None = None, version: int = 6) -> None:
        try:
            if request.target is ListenTarget.HANDLE:
                self._attach(self._take_over(request))
            else:
                self._attach(Acceptor(self._loop, self._bind(request, address, version), self))
        except errors.NodeOSError as error:
            if error.syscall != 'listen':
                raise
            self._loop.tick(self._emit_error, error)

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

    def _take_over(self, request: ListenRequest) -> Acceptor:
        """Make an acceptor for a socket or server that exists; connections come here from now on."""
        given = request.handle
        if isinstance(given, Server):
            given = given._handle
        if isinstance(given, Acceptor):
            given.server = self
            return given
        if hasattr(given, 'stop_accepting'):
            # A StreamServer: it may not have bound its address yet, or be accepting already.
            try:
                given.init_socket()
            except OSError as error:
                raise errors.listen_error(error.errno or errno.EINVAL, None, -1) from error
            given.stop_accepting()
            listener = adopt(given.socket, request.backlog)
            listener.closers.append(given.close)
        else:
            listener = adopt(given, request.backlog)
        return Acceptor(self._loop, listener, self)

    def _attach(self, acceptor: Acceptor) -> None:
        self._handle = acceptor
        acceptor.set_ref(not self._unref)
        if not acceptor.started:
            acceptor.start()
        self._connection_key = acceptor.listener.key
        self._loop.tick(self._emit_listening)

    def _listen_on_host(self, request: ListenRequest, host: str) -> None:
        self._looking_up = self._listening_id
        if is_ip(host):
            self._loop.tick(self._listen_resolved, self._listening_id, request, [host])
        else:
            Greenlet.spawn(self._look_up, self._listening_id, request, host)

    def _look_up(self, listening_id: int, request: ListenRequest, host: str) -> None:
        """Resolve *host*; runs in a greenlet of its own, the resolver in another thread."""
        try:
            found = gevent.socket.getaddrinfo(host, None, 0, gevent.socket.SOCK_STREAM)
        except (gevent.socket.gaierror, UnicodeError) as error:
            # UnicodeError: the name can not be put into the form that the DNS has for it.
            if listening_id == self._listening_id:
                self._looking_up = 0
                self._loop.tick(self._emit_error, errors.lookup_error(error, host))
            return
        addresses = [str(entry[4][0]) for entry in found]
        self._loop.tick(self._listen_resolved, listening_id, request, addresses)

    def _listen_resolved(
        self, listening_id: int, request: ListenRequest, addresses: list[str],
    ) -> None:
        if listening_id != self._listening_id:
            return  # closed, or listening to something else, in the meantime
        self._looking_up = 0
        # A link-local address can not be bound without its zone: anything else is preferred.
        address = next((a for a in addresses if not _is_link_local(a)), addresses[0])
        self._listen(request, address, is_ip(address))

    def _close_on(self, signal: Any) -> None:
        """Close when *signal* is set; until the server's next `'close'`."""
        if getattr(signal, 'ready', bool)():
            self._loop.tick(self.close)
            return

        def close(_source: Any) -> None:
            self.close()

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
                raise errors.system_error(errno.EBADF, 'address')
            sock = self._handle.socket
            try:
                return address_of(sock.family, sock.getsockname())
            except OSError as error:
                raise errors.system_error(error.errno or 0, 'address') from error
        return self._pipe_name

    def get_connections(self, callback: Callable[..., object] | None = None) -> Any:
        """Count the open connections, those that were sent to worker processes included.

        Args:
            callback: called with ``(err, count)`` on a tick; the server is returned. Without one,
                the call blocks for as long as workers take to answer, and returns the count.

        Raises:
            CodedTypeError: ``ERR_INVALID_ARG_TYPE`` for a callback that is none.
        """
        if callback is None:
            answer: AsyncResult = AsyncResult()

            def settle(error: BaseException | None, count: int | None) -> None:
                if error is not None:
                    answer.set_exception(error)
                else:
                    answer.set(count)

            if not self._workers:
                return self._connections
            self.get_connections(settle)
            return answer.get()
        validate_function('callback', callback)
        waiting = [None for _ in self._workers]
        if not waiting:
            self._loop.tick(self._call_guarded, callback, None, self._connections)
            return self
        total = [self._connections]

        def answered(error: BaseException | None, count: int | None) -> None:
            if not waiting:
                return  # an error was reported already
            if error is not None:
                waiting.clear()
                self._call_guarded(callback, error, None)
                return
            total[0] += count or 0
            waiting.pop()
            if not waiting:
                self._call_guarded(callback, None, total[0])

        for worker in list(self._workers):
            worker.get_connections(answered)
        return self

    # --- closing ----------------------------------------------------------------------------------

    def close(self, callback: Callable[..., object] | None = None) -> Server:
        """Stop listening, at once; connections that exist go on. Returns the server.

        `'close'` is emitted when the last connection has ended, in the next tick if there is none,
        also if the server was not listening.

        Args:
            callback: called with ``(err)`` at the next `'close'`; *err* is
                ``ERR_SERVER_NOT_RUNNING`` if the server was not listening, else None.
        """
        self._listening_id += 1
        if callable(callback):
            error = None if self._handle is not None else errors.state_error(
                'ERR_SERVER_NOT_RUNNING')
            self.once('close', _CloseCallback(callback, error))
        handle, self._handle = self._handle, None
        if handle is not None:
            handle.close()
        if self._workers:
            self._close_workers()
        else:
            self._emit_close_if_drained()
        return self

    def _close_workers(self) -> None:
        """Have the worker processes say when the connections that were sent to them have ended."""
        self._connections += 1  # until then, this keeps 'close' back
        waiting = list(self._workers)

        def closed(*_outcome: object) -> None:
            waiting.pop()
            if not waiting:
                self._connections -= 1
                self._emit_close_if_drained()

        for worker in list(waiting):
            worker.close(closed)

    def _emit_close_if_drained(self) -> None:
        """Emit `'close'` on a tick if the server is not listening and has no connections."""
        if self._handle is None and not self._connections:
            self._loop.tick(self._emit_close)

    def stop(self, timeout: float | None = None) -> int:
        """Close, and block until all connections have ended.

        Args:
            timeout: seconds to wait for that; then the rest are destroyed. None (the default) waits
                for as long as it takes.

        Returns:
            How many connections had to be destroyed.
        """
        closed = Event()
        self.once('close', closed.set)
        self.close()
        if timeout is None or closed.wait(timeout):
            closed.wait()
            return 0
        rest = list(self._sockets)
        for sock in rest:
            sock.destroy()
        closed.wait()
        return len(rest)

    def serve_forever(self) -> None:
        """Block until the server is closed and its connections have ended. Call :meth:`listen` first.

        In the main greenlet it ends as ``gnet.run()`` does: on Ctrl-C, and with what the server
        fails with.

        Raises:
            CodedRuntimeError: ``ERR_SERVER_NOT_RUNNING`` when ``listen()`` was not called.
        """
        if self._handle is None and self._looking_up != self._listening_id:
            raise errors.state_error('ERR_SERVER_NOT_RUNNING')
        closed = Event()
        self.once('close', closed.set)
        with lifetime.serving(self._loop):
            closed.wait()

    def __enter__(self) -> Server:
        return self

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        """Close and wait for the connections to end; after an exception, end them."""
        self.stop(None if kind is None else 0)

    # --- life of the program ----------------------------------------------------------------------

    def ref(self) -> Server:
        """Let this server keep the program alive while it listens (the default); returns it."""
        return self._set_ref(True)

    def unref(self) -> Server:
        """Let the program end although this server listens; returns it. Survives ``close()``."""
        return self._set_ref(False)

    def _set_ref(self, ref: bool) -> Server:
        self._unref = not ref
        if self._handle is not None:
            self._handle.set_ref(ref)
        return self

    # --- connections, in the hub ------------------------------------------------------------------

    def _admit(self, sock: Any, remote: Any) -> Socket | None:
        limit = self.max_connections
        if limit is not None and self._connections >= limit:
            data = _ends_of(sock, remote)
            sock.close()
            self._loop.tick(self._emit_drop, data, lifecycle.DropReason.MAX_CONNECTIONS)
            return None
        if self.block_list is not None:
            peer = address_of(sock.family, remote)
            if peer is not None and self.block_list.check(peer.address, peer.family):
                data = _ends_of(sock, remote)
                sock.close()
                self._loop.tick(
                    lifecycle.publish, lifecycle.ConnectionDropped, self, data,
                    lifecycle.DropReason.BLOCK_LIST,
                )
                return None
        connection = Socket._accepted(
            self, self._loop, sock, remote, self.high_water_mark, self.allow_half_open)
        if self.no_delay:
            connection.set_no_delay(True)
        if self.keep_alive:
            connection.set_keep_alive(True, self.keep_alive_initial_delay * 1000)
        if self.pause_on_connect:
            connection._pause_at_birth()
        self._connections += 1
        self._sockets.add(connection)
        return connection

    def _connection_destroyed(self, sock: Socket) -> None:
        self._sockets.discard(sock)
        self._connections -= 1
        self._emit_close_if_drained()

    def _accept_failed(self, error: BaseException) -> None:
        self._loop.tick(self._emit_error, error)

    # --- connections, in their own greenlet -------------------------------------------------------

    def _serve(self, sock: Socket) -> None:
        """Emit `'connection'`: what its listeners do happens in this greenlet."""
        sock._begin(getcurrent())
        lifecycle.publish(lifecycle.ConnectionOpened, self, sock)
        try:
            self.emit('connection', sock)
        except GreenletExit:
            sock.destroy()  # somebody killed the handler
        except EXITS:
            sock.destroy()
            raise
        except BaseException as error:
            lifecycle.publish(lifecycle.ListenerFailed, self, 'connection', error)
            self.capture_rejection(error, 'connection', sock)
        sock._owner_returned()

    def capture_rejection(self, error: BaseException, event: Any, *args: Any) -> None:
        """Route what a listener raised in a greenlet of its own. May be overridden.

        A `'connection'` listener costs its connection: the socket is destroyed with the error.
        Anything else is an `'error'` of the server.
        """
        if event == 'connection' and args:
            args[0]._fail(error)
        else:
            self._emit_error(error)

    # --- emitting, in a runner --------------------------------------------------------------------

    def _emit_listening(self) -> None:
        if self._handle is not None:
            lifecycle.publish(lifecycle.ServerListening, self, self.address())
            self._call_guarded(self.emit, 'listening')

    def _emit_close(self) -> None:
        lifecycle.publish(lifecycle.ServerClosed, self)
        self._call_guarded(self.emit, 'close')

    def _emit_error(self, error: BaseException) -> None:
        lifecycle.publish(lifecycle.ServerError, self, error)
        self._call_guarded(self.emit, 'error', error)

    def _emit_drop(self, data: Ends | None, reason: lifecycle.DropReason) -> None:
        lifecycle.publish(lifecycle.ConnectionDropped, self, data, reason)
        try:
            self.emit('drop', data)
        except EXITS:
            raise
        except BaseException as error:
            # Brought about by a peer: it must not end the program.
            lifecycle.publish(lifecycle.ListenerFailed, self, 'drop', error)
            self._loop.report(self, error)

    def _call_guarded(self, callback: Callable[..., object], *args: Any) -> None:
        """Call what the program registered; its failure is the program's."""
        try:
            callback(*args)
        except EXITS:
            raise
        except BaseException as error:
            lifecycle.publish(lifecycle.ListenerFailed, self, str(args[0]) if args else '', error)
            self._loop.fail(self, error)

    # --- workers ----------------------------------------------------------------------------------

    def _setup_worker(self, socket_list: Any) -> None:
        """Count the connections that a worker process has, from now until it exits.

        Args:
            socket_list: an emitter with ``close(callback)``, which calls back when the worker's
                connections have ended, ``get_connections(callback)``, which calls back with
                ``(err, count)``, and the event `'exit'`.
        """
        self._using_workers = True
        self._workers.append(socket_list)

        def exited(*_status: object) -> None:
            if socket_list in self._workers:
                self._workers.remove(socket_list)

        socket_list.once('exit', exited)


class _CloseCallback:
    """The callback of ``close()`` as a listener of `'close'`, which has no argument of its own."""

    __slots__ = ('_callback', '_error')

    def __init__(self, callback: Callable[..., object], error: BaseException | None) -> None:
        self._callback = callback
        self._error = error

    def __call__(self) -> None:
        self._callback(self._error)


def _is_link_local(address: str) -> bool:
    """Whether *address* is in fe80::/10 (RFC 4291 §2.5.6)."""
    return is_ip(address) == 6 and address[:3].lower() in ('fe8', 'fe9', 'fea', 'feb')


def _ends_of(sock: Any, remote: Any) -> Ends | None:
    """The record of `'drop'`: both ends of a TCP connection; None for a unix socket."""
    near, far = address_of(sock.family, sock.getsockname()), address_of(sock.family, remote)
    if near is None or far is None:
        return None
    return Ends(near.address, near.port, near.family, far.address, far.port, far.family)


def create_server(*args: Any, **keywords: Any) -> Server:
    """Make a :class:`Server`; the arguments are the same: ``(options, listener)``, or keywords."""
    return Server(*args, **keywords)
