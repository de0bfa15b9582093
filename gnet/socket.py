"""``gnet.Socket``: one connection, with Node's events and methods and Python's blocking ones.

The class is a chain, one idea a file: :mod:`gnet.readable` and :mod:`gnet.writable` (the stream's
states and events), :mod:`gnet.transport` (the descriptor under it), :mod:`gnet.blocking` (the names
of :class:`socket.socket`), and here Node's methods and properties.
"""

from __future__ import annotations

import _socket
import socket as _stdlib
import struct
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from . import errors, options
from .blocking import Blocking
from .endpoint import Address, address_of
from .idle import IdleTimer, idle_timers
from .loop import Loop, get_loop
from .names import snake_options
from .pipes import Pipe
from .readable import Stage
from .validators import validate_function, validate_msecs

if TYPE_CHECKING:
    from .server import Server

__all__ = ['Socket']


_TCP_FAMILIES = (_socket.AF_INET, _socket.AF_INET6)
_NO_KEEP_ALIVE = (-1, 0, 0)


class Socket(Blocking):
    """One end of a TCP or unix-socket connection.

    A server hands it to its `'connection'` listeners. Event style::

        sock.on('data', lambda chunk: sock.write(chunk))

    or blocking style, in a greenlet::

        for chunk in sock:
            sock.sendall(chunk)

    Node's names (``write``, ``end``, ``set_timeout``…) never block and count in milliseconds;
    the names of :class:`socket.socket` (``recv``, ``sendall``, ``settimeout``…) block the calling
    greenlet only and count in seconds.

    ====================  ==============================  ==========================================
    event                 arguments                       when
    ====================  ==============================  ==========================================
    ``'data'``            ``(chunk)``                     ``bytes``, or ``str`` with an encoding
    ``'readable'``        ``()``                          ``read()`` may return something
    ``'end'``             ``()``                          the peer ended, and all was consumed
    ``'drain'``           ``()``                          the write queue became empty
    ``'finish'``          ``()``                          ended: all sent, and the FIN
    ``'timeout'``         ``()``                          idle for the time of ``set_timeout``
    ``'error'``           ``(err)``                       at most once; `'close'` follows
    ``'close'``           ``(had_error)``                 once, last
    ``'pause'``           ``()``                          ``pause()`` was called
    ``'resume'``          ``()``                          data flows again
    ``'pipe'``            ``(source)``                    something is piped into this socket
    ``'unpipe'``          ``(source)``                    … or no longer
    ====================  ==============================  ==========================================
    """

    __slots__ = ('_keep_alive', '_no_delay', '_pipes', '_remote', '_timeout')

    def __init__(self, given: Mapping[str, Any] | None = None, **keywords: Any) -> None:
        """Make a socket without a connection.

        Args:
            given: options as a mapping, in either spelling; the same can be given as keywords.
            allow_half_open: keep the writing half open when the peer has ended; False by default.
            high_water_mark: bytes buffered in each direction before reading stops, or ``write()``
                returns False; 65536 by default.

        Raises:
            CodedTypeError: for an option of the wrong type or value.
        """
        chosen = snake_options(given, keywords)
        super().__init__(
            options.high_water_mark(chosen, 'readable'),
            writable_high_water_mark=options.high_water_mark(chosen, 'writable'),
        )
        self._prepare(get_loop(), bool(chosen.get('allow_half_open', False)))

    @classmethod
    def _accepted(
        cls, server: Server, loop: Loop, sock: Any, remote: Any, high_water_mark: float,
        allow_half_open: bool,
    ) -> Socket:
        """Make the socket of a connection that *server* accepted; *sock* is non-blocking."""
        self = cls.__new__(cls)
        Blocking.__init__(self, high_water_mark)
        self._prepare(loop, allow_half_open)
        self._server = server
        self._remote = remote
        self._open(sock)
        return self

    def _prepare(self, loop: Loop, allow_half_open: bool) -> None:
        super()._prepare(loop, allow_half_open)
        self._remote: Any = None
        self._timeout: float | None = None
        self._no_delay = False
        self._keep_alive = _NO_KEEP_ALIVE
        self._pipes: list[Pipe] | None = None

    def __repr__(self) -> str:
        peer = self.remote_address
        where = f' {peer}:{self.remote_port}' if peer is not None else ''
        return f'<gnet.{type(self).__name__}{where} {self.ready_state}>'

    # --- closing ----------------------------------------------------------------------------------

    def reset_and_destroy(self) -> Any:
        """Destroy, and have the peer see a reset (RST); returns the socket. TCP only.

        Raises:
            CodedTypeError: ``ERR_INVALID_HANDLE_TYPE`` for a unix socket.
        """
        if self._sock is None:
            if self._stage is Stage.NEW:
                self.destroy(errors.state_error('ERR_SOCKET_CLOSED'))
            return self
        if self._sock.family not in _TCP_FAMILIES:
            raise errors.CodedTypeError(
                'ERR_INVALID_HANDLE_TYPE', 'This handle type cannot be sent')
        # With a linger time of zero, close(2) resets.
        self._sock.setsockopt(
            _socket.SOL_SOCKET, _socket.SO_LINGER, struct.pack('ii', 1, 0))
        return self.destroy()

    # --- idle time --------------------------------------------------------------------------------

    def set_timeout(self, msecs: float, callback: Callable[[], object] | None = None) -> Any:
        """Emit `'timeout'` once the socket has been idle for *msecs* milliseconds.

        Nothing is closed: that is up to the listener. It is emitted once per idle period; reading,
        and writing that makes progress, start a new one. The timer does not keep the program alive.

        Args:
            msecs: milliseconds; 0 switches it off.
            callback: registered with ``once('timeout')``; with 0, removed.

        Returns:
            The socket.

        Raises:
            CodedTypeError, CodedValueError: ``ERR_INVALID_ARG_TYPE`` or ``ERR_OUT_OF_RANGE``.
        """
        if self.destroyed:
            return self
        seconds = validate_msecs(msecs) / 1000
        if callback is not None:
            validate_function('callback', callback)
        self._timeout = msecs
        timers = idle_timers(self._loop)
        if self._idle_timer is not None:
            timers.cancel(self._idle_timer)
            self._idle_timer = None
        if seconds:
            self._loop.update_now()
            self._idle_timer = IdleTimer(self, seconds, self._loop.now())
            timers.arm(self._idle_timer)
            if callback is not None:
                self.once('timeout', callback)
        elif callback is not None:
            self.off('timeout', callback)
        return self

    def _idle_expired(self, timer: IdleTimer) -> None:
        self._tick(self._emit_guarded, 'timeout')

    @property
    def timeout(self) -> float | None:
        """The last value given to :meth:`set_timeout`, in milliseconds; None if there was none."""
        return self._timeout

    # --- options of the connection ----------------------------------------------------------------

    def set_no_delay(self, enable: bool = True) -> Any:
        """Switch Nagle's algorithm off (TCP_NODELAY) or on; returns the socket.

        Does nothing on unix sockets and closed ones; a value that is already set costs no call.
        """
        enable = bool(enable)
        if self._is_tcp() and self._no_delay is not enable:
            self._sock.setsockopt(_socket.IPPROTO_TCP, _socket.TCP_NODELAY, enable)
        self._no_delay = enable
        return self

    def set_keep_alive(
        self, enable: Any = False, initial_delay: float = 0, interval: float = 1000, count: int = 10,
    ) -> Any:
        """Have the kernel probe an idle connection (SO_KEEPALIVE); returns the socket.

        Args:
            enable: whether; or a mapping with these four names.
            initial_delay: milliseconds of idleness before the first probe. Whole seconds count;
                below one second, this and the next two are left as the system has them.
            interval: milliseconds between probes.
            count: unanswered probes after which the connection is dropped.
        """
        if isinstance(enable, Mapping):
            return self.set_keep_alive(**{'enable': False, **snake_options(enable)})
        wanted = (int(initial_delay / 1000), int(interval / 1000), int(count))
        if not enable:
            wanted = _NO_KEEP_ALIVE
        if self._is_tcp() and self._keep_alive != wanted:
            delay, pause, probes = wanted
            self._sock.setsockopt(_socket.SOL_SOCKET, _socket.SO_KEEPALIVE, bool(enable))
            if delay > 0:
                for name, value in (
                    ('TCP_KEEPIDLE', delay), ('TCP_KEEPINTVL', pause), ('TCP_KEEPCNT', probes),
                ):
                    self._sock.setsockopt(_socket.IPPROTO_TCP, getattr(_stdlib, name), value)
        self._keep_alive = wanted
        return self

    def _is_tcp(self) -> bool:
        sock = self._sock
        return sock is not None and sock.family in _TCP_FAMILIES

    # --- life of the program ----------------------------------------------------------------------

    def ref(self) -> Any:
        """Let this socket keep the program alive while it is open (the default); returns it."""
        return self._set_ref(True)

    def unref(self) -> Any:
        """Let the program end although this socket is open; returns it."""
        return self._set_ref(False)

    def _set_ref(self, ref: bool) -> Any:
        if self._ref is not ref:
            self._ref = ref
            if self._sock is not None:
                (self._loop.hold if ref else self._loop.release)()
        return self

    # --- piping -----------------------------------------------------------------------------------

    def pipe(self, destination: Any, end: bool = True) -> Any:
        """Write what arrives here to *destination*, at the pace it takes; returns *destination*.

        Args:
            destination: another socket, or any object with ``write(chunk)`` and ``end()``. If it
                is an emitter, ``write`` returning False waits for its `'drain'`.
            end: whether `'end'` here ends *destination* too.
        """
        if self._pipes is None:
            self._pipes = []
        self._pipes.append(Pipe(self, destination, end))
        return destination

    def unpipe(self, destination: Any = None) -> Any:
        """Undo :meth:`pipe` for *destination*, or for all; returns the socket, now paused."""
        for pipe in list(self._pipes or ()):
            if destination is None or pipe.destination is destination:
                pipe.close()
        return self

    # --- properties -------------------------------------------------------------------------------

    def address(self) -> Address | None:
        """Return the local end as ``(address, family, port)``.

        None for a unix socket, and while there is no connection.
        """
        if self._sock is None:
            return None
        return address_of(self._sock.family, self._sock.getsockname())

    @property
    def local_address(self) -> str | None:
        """The local IP address; None for unix sockets and without a connection."""
        local = self.address()
        return local.address if local else None

    @property
    def local_port(self) -> int | None:
        """The local port; None for unix sockets and without a connection."""
        local = self.address()
        return local.port if local else None

    @property
    def local_family(self) -> str | None:
        """``'IPv4'`` or ``'IPv6'``; None for unix sockets and without a connection."""
        local = self.address()
        return local.family if local else None

    def _peer(self) -> Address | None:
        remote = self._remote
        if not isinstance(remote, tuple):
            return None
        return address_of(_socket.AF_INET6 if len(remote) == 4 else _socket.AF_INET, remote)

    @property
    def remote_address(self) -> str | None:
        """The peer's IP address, also after the connection is closed; None for unix sockets."""
        peer = self._peer()
        return peer.address if peer else None

    @property
    def remote_port(self) -> int | None:
        """The peer's port, also after the connection is closed; None for unix sockets."""
        peer = self._peer()
        return peer.port if peer else None

    @property
    def remote_family(self) -> str | None:
        """``'IPv4'`` or ``'IPv6'``; None for unix sockets."""
        peer = self._peer()
        return peer.family if peer else None

    @property
    def server(self) -> Server | None:
        """The server that accepted this connection, else None."""
        return self._server

    @property
    def bytes_read(self) -> int:
        """Bytes taken from the kernel so far, those still buffered included."""
        return self._bytes_read

    @property
    def connecting(self) -> bool:
        """Whether a connection is being made."""
        return self._stage is Stage.CONNECTING

    @property
    def pending(self) -> bool:
        """Whether there is no connection (yet, or any more)."""
        return self._stage is not Stage.OPEN

    @property
    def ready_state(self) -> str:
        """``'opening'``, ``'open'``, ``'readOnly'``, ``'writeOnly'`` or ``'closed'``."""
        if self.connecting:
            return 'opening'
        return {
            (True, True): 'open', (True, False): 'readOnly', (False, True): 'writeOnly',
            (False, False): 'closed',
        }[self.readable, self.writable]
