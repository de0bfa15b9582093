"""What can be set of a connection: its idle time-out, and options that the system has for it.

As in Node, what is set before there is a connection is remembered, and applied when there is one.
"""

from __future__ import annotations

import _socket
import socket as _stdlib
import warnings
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from ..addresses.ends import TCP_FAMILIES
from ..loop.idle_timers import IdleTimer
from ..loop.loop import Loop
from ..node import coded_errors
from ..node.inspection import inspect
from ..node.spelling import snake_options
from ..node.validators import validate_function, validate_msecs
from ..node.values import MAX_INT32, to_int32, to_number, truthy
from ..options.peer_limits import PeerLimits
from ..options.socket import OnRead, type_of_service
from ..streams.duplex import Duplex
from .peer_watch import PeerWatch

if TYPE_CHECKING:
    from ..addresses.block_list import BlockList
    from ..options.connect import ConnectRequest
    from .socket_wire import SocketWire

__all__ = [
    'TimeoutOverflowWarning',
    'Tuned',
]


class TimeoutOverflowWarning(RuntimeWarning):
    """A timeout is longer than Node's timers can count; it was cut to their longest, 25 days."""


class Settings:
    """What was set of a socket, to be applied to each of its connections.

    And what few sockets have besides, as what they are to connect to next. One object,
    :data:`DEFAULTS`, serves all sockets that have none of this.
    """

    __slots__ = (
        'attempted', 'block_list', 'host', 'keep_alive', 'limits', 'no_delay', 'onread', 'readable',
        'request', 'signal', 'timeout', 'type_of_service', 'watch', 'writable',
    )

    def __init__(self) -> None:
        #: What set_timeout() was given, in milliseconds; or what the program has set it to.
        self.timeout: Any = None
        self.no_delay: bool = False
        #: Seconds, seconds and a count, or None: as set_keep_alive() was called last.
        self.keep_alive: tuple[int, int, int] | None = None
        self.type_of_service: int | None = None
        #: Whether it may be read, and written, when it is connected.
        self.readable: bool = True
        self.writable: bool = True
        #: Set means destroy.
        self.signal: Any = None
        self.onread: OnRead | None = None
        self.block_list: BlockList | None = None
        #: What connect() was told to connect to, last: a name or an address; None for a path.
        self.host: str | None = None
        #: What to connect to when `'close'` of the connection before was emitted.
        self.request: ConnectRequest | None = None
        #: ``'address:port'`` of each address tried, where a host had several.
        self.attempted: list[str] | None = None
        #: How slow and how greedy the peer may be; None for any.
        self.limits: PeerLimits | None = None
        #: Looks after that while there is a connection, if it has to do with time.
        self.watch: PeerWatch | None = None

    def __del__(self) -> None:
        if self.watch is not None:
            self.watch.forget()


#: Never changed.
DEFAULTS: Final = Settings()


class Tuned(Duplex):
    """The names that set something. Without state of its own: :class:`gnet.Socket` has it."""

    __slots__ = ()

    _loop: Loop
    _wire: SocketWire
    _settings: Settings

    def _own_settings(self) -> Settings:
        """Return the settings to be changed: a socket's own, from the first time on."""
        if self._settings is DEFAULTS:
            self._settings = Settings()
        return self._settings

    @property
    def block_list(self) -> BlockList | None:
        """Addresses that must not be connected to; None for none. May be changed any time."""
        return self._settings.block_list

    @block_list.setter
    def block_list(self, value: BlockList | None) -> None:
        if value is not self._settings.block_list:
            self._own_settings().block_list = value

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
        self._own_settings().timeout = msecs
        if msecs > MAX_INT32:
            warnings.warn(
                f'{inspect(msecs)} does not fit into a 32-bit signed integer.\n'
                f'Timer duration was truncated to {MAX_INT32}.',
                TimeoutOverflowWarning, stacklevel=2,
            )
        # Less than a millisecond counts as one, as for all of Node's timers.
        self._wire.set_idle_time(
            min(max(msecs, 1), MAX_INT32) / 1000 if msecs else 0, self._idle_expired)
        if callback is not None:
            (self.once if msecs else self.off)('timeout', callback)
        return self

    def _idle_expired(self, timer: IdleTimer) -> None:
        if self._in_flight is not None and timer.in_flight != self._queued_bytes:
            # As in Node: a write that has moved since the last time is no idleness.
            timer.in_flight = self._queued_bytes
            self._wire.touch()
        else:
            self._tick(self._emit_timeout, timer)

    def _emit_timeout(self, timer: IdleTimer) -> None:
        if self._wire.idle_timer is timer and not timer.armed:
            self._emit_guarded('timeout')

    @property
    def timeout(self) -> Any:
        """The last value given to :meth:`set_timeout`, in milliseconds; None if there was none.

        As in Node it may be set to anything, and that changes nothing else: no timer goes by it.
        """
        return self._settings.timeout

    @timeout.setter
    def timeout(self, value: Any) -> None:
        self._own_settings().timeout = value

    # --- options of the connection ----------------------------------------------------------------

    def set_no_delay(self, enable: bool = True) -> Any:
        """Switch Nagle's algorithm off (TCP_NODELAY) or on; returns the socket.

        Does nothing on unix sockets and closed ones; a value that is already set costs no call.
        """
        enable = truthy(enable)
        if self._settings.no_delay is not enable:
            self._set_option(_socket.IPPROTO_TCP, _socket.TCP_NODELAY, enable)
            self._own_settings().no_delay = enable
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
            names = ('enable', 'initial_delay', 'interval', 'count')
            options = snake_options(enable)
            return self.set_keep_alive(**{each: options[each] for each in names if each in options})
        wanted = None
        if truthy(enable):
            wanted = (_whole_seconds(initial_delay), _whole_seconds(interval), to_int32(count))
        if self._settings.keep_alive != wanted:
            self._own_settings().keep_alive = wanted
            self._apply_keep_alive()
        return self

    def _apply_keep_alive(self) -> None:
        enabled = self._settings.keep_alive is not None
        delay, pause, probes = self._settings.keep_alive or (0, 0, 0)
        self._set_option(_socket.SOL_SOCKET, _socket.SO_KEEPALIVE, enabled)
        if delay > 0:
            for name, value in (
                ('TCP_KEEPIDLE', delay), ('TCP_KEEPINTVL', pause), ('TCP_KEEPCNT', probes),
            ):
                self._set_option(_socket.IPPROTO_TCP, getattr(_stdlib, name), value)

    def set_type_of_service(self, tos: int) -> Any:
        """Set the field of that name (DSCP and ECN) of the packets to send; returns the socket.

        Args:
            tos: 0 to 255. Before there is a connection it is remembered.

        Raises:
            CodedTypeError, CodedValueError: ``ERR_INVALID_ARG_TYPE``, ``ERR_OUT_OF_RANGE``.
        """
        if isinstance(tos, float) and tos != tos:
            raise coded_errors.invalid_arg_type('tos', 'of type number', tos)
        self._own_settings().type_of_service = type_of_service('tos', tos)
        self._apply_type_of_service()
        return self

    def get_type_of_service(self) -> int:
        """Return what the system has; before there is a connection, what was set, or 0."""
        where = self._type_of_service_option()
        if where is None:
            return self._settings.type_of_service or 0
        return int(self._wire.sock.getsockopt(*where))

    def _type_of_service_option(self) -> tuple[int, int] | None:
        if self._wire.sock is None or self._wire.sock.family not in TCP_FAMILIES:
            return None
        if self._wire.sock.family == _socket.AF_INET:
            return _socket.IPPROTO_IP, _socket.IP_TOS
        return _socket.IPPROTO_IPV6, _stdlib.IPV6_TCLASS

    def _apply_type_of_service(self) -> None:
        where = self._type_of_service_option()
        if where is not None and self._settings.type_of_service is not None:
            self._set_option(*where, self._settings.type_of_service)

    def _apply_options(self) -> None:
        if self._settings.no_delay:
            self._set_option(_socket.IPPROTO_TCP, _socket.TCP_NODELAY, True)
        if self._settings.keep_alive is not None:
            self._apply_keep_alive()
        self._apply_type_of_service()

    def _set_option(self, level: int, option: int, value: int) -> None:
        """Set an option of a TCP socket; without a connection, or another kind, do nothing."""
        if self._wire.sock is not None and self._wire.sock.family in TCP_FAMILIES:
            # Refused is a number out of the system's range, or (not on Linux) a connection that the
            # peer has reset, of which reading tells.
            with suppress(OSError):
                self._wire.sock.setsockopt(level, option, value)


def _whole_seconds(msecs: Any) -> int:
    """Return *msecs*, milliseconds, as Node gives them to the system: what is no number is 0."""
    return to_int32(to_number(msecs) / 1000)
