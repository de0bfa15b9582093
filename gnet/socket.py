"""``gnet.Socket``: one connection, with Node's events and methods and Python's blocking ones.

The class is a chain, one idea a file: :mod:`gnet.readable` and :mod:`gnet.writable` (the stream's
states and events), :mod:`gnet.transport` (the descriptor under it), :mod:`gnet.handling` (the
greenlet that got it from its server), :mod:`gnet.blocking` and :mod:`gnet.socketlike` (the names of
:class:`socket.socket`), and here Node's methods and properties.
"""

from __future__ import annotations

import _socket
import socket as _stdlib
import struct
import warnings
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from . import errors, options
from .endpoint import Address, address_of
from .idle import IdleTimer
from .loop import Loop, get_loop
from .names import snake_options
from .pipes import Pipe
from .socketlike import SocketLike
from .states import Stage
from .validators import to_int32, to_number, truthy, validate_function, validate_msecs

if TYPE_CHECKING:
    from .server import Server

__all__ = ['Socket', 'TimeoutOverflowWarning']


class TimeoutOverflowWarning(RuntimeWarning):
    """A timeout is longer than Node's timers can count; it was cut to their longest, 25 days."""


#: Node's timers count milliseconds in 32 bits with a sign.
_LONGEST_TIMEOUT = 2**31 - 1

_TCP_FAMILIES = (_socket.AF_INET, _socket.AF_INET6)
_NO_KEEP_ALIVE = (-1, 0, 0)

#: By whether the socket is readable, and writable.
_READY_STATES = {
    (True, True): 'open', (True, False): 'readOnly', (False, True): 'writeOnly',
    (False, False): 'closed',
}


class Socket(SocketLike):
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
        SocketLike.__init__(self, high_water_mark)
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

    def capture_rejection(self, error: BaseException, event: Any, *args: Any) -> None:
        """Destroy the socket with the failure of a greenlet that a listener returned.

        Called with ``capture_rejections`` only, in a greenlet of its own. May be overridden.
        """
        self.destroy(error)

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
            msecs: milliseconds; 0 switches it off. More than 2147483647 (25 days) is cut to that,
                with a :class:`TimeoutOverflowWarning`.
            callback: registered with ``once('timeout')``; with 0, removed.

        Returns:
            The socket.

        Raises:
            CodedTypeError, CodedValueError: ``ERR_INVALID_ARG_TYPE`` or ``ERR_OUT_OF_RANGE``.
        """
        if self.destroyed:
            return self
        validate_msecs(msecs)
        if callback is not None:
            validate_function('callback', callback)
        self._timeout = msecs
        if msecs > _LONGEST_TIMEOUT:
            warnings.warn(
                f'{msecs} does not fit into a 32-bit signed integer. Timer duration was truncated '
                f'to {_LONGEST_TIMEOUT}.', TimeoutOverflowWarning, stacklevel=2,
            )
        # Less than a millisecond counts as one, as for all of Node's timers.
        self._set_idle_timer(min(max(msecs, 1), _LONGEST_TIMEOUT) / 1000 if msecs else 0)
        if callback is not None:
            (self.once if msecs else self.off)('timeout', callback)
        return self

    def _idle_expired(self, timer: IdleTimer) -> None:
        self._tick(self._emit_timeout, timer)

    def _emit_timeout(self, timer: IdleTimer) -> None:
        if self._idle_timer is timer and not timer.armed:
            self._emit_guarded('timeout')

    @property
    def timeout(self) -> float | None:
        """The last value given to :meth:`set_timeout`, in milliseconds; None if there was none."""
        return self._timeout

    # --- options of the connection ----------------------------------------------------------------

    def set_no_delay(self, enable: bool = True) -> Any:
        """Switch Nagle's algorithm off (TCP_NODELAY) or on; returns the socket.

        Does nothing on unix sockets and closed ones; a value that is already set costs no call.
        """
        enable = truthy(enable)
        if self._no_delay is not enable:
            self._set_option(_socket.IPPROTO_TCP, _socket.TCP_NODELAY, enable)
        self._no_delay = enable
        return self

    def set_keep_alive(
        self, enable: Any = False, initial_delay: float = 0, interval: float = 1000,
        count: float = 10,
    ) -> Any:
        """Have the kernel probe an idle connection (SO_KEEPALIVE); returns the socket.

        Args:
            enable: whether; or a mapping with these four names.
            initial_delay: milliseconds of idleness before the first probe. Whole seconds count;
                below one second, this and the next two are left as the system has them.
            interval: milliseconds between probes.
            count: unanswered probes after which the connection is dropped.

        Numbers that the system does not like are ignored, as in Node. It does nothing on unix
        sockets and closed ones.
        """
        if isinstance(enable, Mapping):
            return self.set_keep_alive(**{'enable': False, **snake_options(enable)})
        wanted = (_whole_seconds(initial_delay), _whole_seconds(interval), to_int32(count))
        if not truthy(enable):
            wanted = _NO_KEEP_ALIVE
        if self._keep_alive != wanted:
            delay, pause, probes = wanted
            self._set_option(_socket.SOL_SOCKET, _socket.SO_KEEPALIVE, truthy(enable))
            if delay > 0:
                for name, value in (
                    ('TCP_KEEPIDLE', delay), ('TCP_KEEPINTVL', pause), ('TCP_KEEPCNT', probes),
                ):
                    self._set_option(_socket.IPPROTO_TCP, getattr(_stdlib, name), value)
        self._keep_alive = wanted
        return self

    def _set_option(self, level: int, option: int, value: int) -> None:
        """Set an option of a TCP socket; without a connection, or another kind, do nothing."""
        if self._sock is not None and self._sock.family in _TCP_FAMILIES:
            # Refused is a number out of the system's range, or (not on Linux) a connection that the
            # peer has reset, of which reading tells.
            with suppress(OSError):
                self._sock.setsockopt(level, option, value)

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

    @property
    def _handle(self) -> Any:
        """The socket of the system while there is a connection, else None."""
        return self._sock

    # --- piping -----------------------------------------------------------------------------------

    def pipe(self, destination: Any, options: Any = None, *, end: bool = True) -> Any:
        """Write what arrives here to *destination*, at the pace it takes; returns *destination*.

        Args:
            destination: another socket, or any object with ``write(chunk)`` and ``end()``. If it
                is an emitter, ``write`` returning False waits for its `'drain'`.
            options: the next one as a mapping, as in Node.
            end: whether `'end'` here ends *destination* too.
        """
        if isinstance(options, Mapping):
            end = options.get('end', end) is not False
        Pipe(self, destination, end)
        return destination

    def unpipe(self, destination: Any = None) -> Any:
        """Undo :meth:`pipe` for *destination*, or for all; returns the socket, now paused."""
        for pipe in list(self._pipes or ()):
            if destination is None or pipe.destination is destination:
                pipe.close()
                if destination is not None:
                    break
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
    def buffer_size(self) -> int | None:
        """The older name of :attr:`writable_length`; None without a connection."""
        return self._queued_units if self._sock is not None else None

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
        return _READY_STATES[self.readable, self.writable]


def _whole_seconds(msecs: Any) -> int:
    """Return *msecs*, milliseconds, as Node gives them to the system: what is no number is 0."""
    return to_int32(to_number(msecs) / 1000)
